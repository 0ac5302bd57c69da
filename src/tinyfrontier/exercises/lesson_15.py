"""Exercises of lesson 15: noising, the DDPM and DDIM steps, and classifier-free guidance. Needs torch alone.

The references take other ways than the lesson does: the DDPM step multiplies two Gaussians, the DDIM step is written as
one linear combination.
"""

import torch

from .engine import Case, Exercise, Mistake


def _random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _noise_by_einsum(clean, noise, t, alpha_bars):
    a = alpha_bars.index_select(0, t)
    return torch.einsum("b,b...->b...", a**0.5, clean) + torch.einsum("b,b...->b...", (1 - a) ** 0.5, noise)


def _noising_cases() -> list[Case]:
    alpha_bars = torch.cumprod(1 - torch.linspace(0.001, 0.12, 100), dim=0)
    images = (_random(3, 1, 8, 8, seed=1), _random(3, 1, 8, 8, seed=2))
    points = (_random(5, 2, seed=3), _random(5, 2, seed=4))
    return [
        Case("the worked example", (torch.ones(1, 1), -torch.ones(1, 1), torch.tensor([1]), torch.tensor([0.9, 0.64]))),
        Case("three images at three times", (*images, torch.tensor([0, 50, 99]), alpha_bars)),
        Case("five points", (*points, torch.tensor([99, 3, 3, 70, 20]), alpha_bars)),
        Case(
            "single numbers, shape (4,)",
            (_random(4, seed=5), _random(4, seed=6), torch.tensor([9, 8, 7, 6]), alpha_bars),
        ),
        Case(
            "a batch of one", (_random(1, 3, 4, 5, seed=7), _random(1, 3, 4, 5, seed=8), torch.tensor([30]), alpha_bars)
        ),
        Case(
            "large values", (1000 * _random(2, 2, seed=9), _random(2, 2, seed=10), torch.tensor([10, 60]), alpha_bars)
        ),
    ]


def _picked(alpha_bars, t, clean):
    return alpha_bars[t].reshape(-1, *[1] * (clean.dim() - 1))


def _no_roots(clean, noise, t, alpha_bars):
    a = _picked(alpha_bars, t, clean)
    return a * clean + (1 - a) * noise


def _signal_and_noise_swapped(clean, noise, t, alpha_bars):
    a = _picked(alpha_bars, t, clean)
    return (1 - a).sqrt() * clean + a.sqrt() * noise


def _weights_sum_to_one(clean, noise, t, alpha_bars):
    a = _picked(alpha_bars, t, clean).sqrt()
    return a * clean + (1 - a) * noise


def _one_time_for_all(clean, noise, t, alpha_bars):
    return _noise_by_einsum(clean, noise, t[:1].expand(len(t)), alpha_bars)


def _axes_left_out(clean, noise, t, alpha_bars):
    a = alpha_bars[t]
    return a.sqrt() * clean + (1 - a).sqrt() * noise


def _always_four_axes(clean, noise, t, alpha_bars):
    a = alpha_bars[t].reshape(-1, 1, 1, 1)
    return a.sqrt() * clean + (1 - a).sqrt() * noise


def _product_taken_twice(clean, noise, t, alpha_bars):
    return _noise_by_einsum(clean, noise, t, torch.cumprod(alpha_bars, dim=0))


def _ddpm_by_bayes(noisy, clean, a_t, a_prev, fresh):
    """The product of two Gaussians over the earlier item: one from the clean guess, one from the noisy item."""
    if a_prev >= 1:
        return clean.clone()
    kept, a_t, a_prev = (a_t / a_prev).double(), a_t.double(), a_prev.double()
    from_clean, from_noisy = 1 / (1 - a_prev), kept / (1 - kept)
    precision = from_clean * (1 - a_t) / (1 - kept)  # the sum of both, in the form that loses no digits
    mean = (from_clean * a_prev.sqrt() * clean + from_noisy * noisy / kept.sqrt()) / precision
    return (mean + fresh / precision.sqrt()).to(noisy.dtype)


def _step_cases() -> list[tuple[str, tuple]]:
    one = torch.ones(1, 1)
    schedule = torch.cumprod(1 - torch.linspace(0.001, 0.12, 100), dim=0)
    images = [_random(2, 1, 8, 8, seed=s) for s in (1, 2, 3)]
    points = [_random(7, 2, seed=s) for s in (4, 5, 6)]
    return [
        ("from alpha-bar 0.5 to 0.8", (one, 0 * one, torch.tensor(0.5), torch.tensor(0.8), one)),
        ("from alpha-bar 0.36 to 0.64", (one, one, torch.tensor(0.36), torch.tensor(0.64), one)),
        ("images, one time back", (images[0], images[1], schedule[50], schedule[49], images[2])),
        ("images, ten times skipped", (images[0], images[1], schedule[99], schedule[89], images[2])),
        ("points, the last step", (points[0], points[1], schedule[0], torch.tensor(1.0), points[2])),
        ("a batch of one, near the end", (points[0][:1], points[1][:1], schedule[3], schedule[1], points[2][:1])),
        ("large values", (100 * points[0], 100 * points[1], schedule[30], schedule[20], points[2])),
    ]


def _ddpm_cases() -> list[Case]:
    return [Case(label, args) for label, args in _step_cases()]


def _ddpm(noisy, clean, a_t, a_prev, fresh, *, spread, swap=False):
    beta = 1 - a_t / a_prev
    from_clean, from_noisy = a_prev.sqrt() * beta / (1 - a_t), (1 - beta).sqrt() * (1 - a_prev) / (1 - a_t)
    if swap:
        from_clean, from_noisy = from_noisy, from_clean
    return from_clean * clean + from_noisy * noisy + spread((1 - a_prev) / (1 - a_t), beta) * fresh


def _variance_as_spread(*args):
    return _ddpm(*args, spread=lambda ratio, beta: ratio * beta)


def _beta_as_variance(*args):
    return _ddpm(*args, spread=lambda ratio, beta: beta.sqrt())


def _no_dice(*args):
    return _ddpm(*args, spread=lambda ratio, beta: 0)


def _weights_swapped(*args):
    return _ddpm(*args, spread=lambda ratio, beta: (ratio * beta).sqrt(), swap=True)


def _root_of_variance_ratio_only(*args):
    return _ddpm(*args, spread=lambda ratio, beta: ratio.sqrt())


def _ddim_by_scaling(noisy, clean, a_t, a_prev):
    ratio = ((1 - a_prev) / (1 - a_t)) ** 0.5
    return ratio * noisy + (a_prev**0.5 - ratio * a_t**0.5) * clean


def _ddim_cases() -> list[Case]:
    return [Case(label, args[:4]) for label, args in _step_cases()]


def _noise_put_back_in_full(noisy, clean, a_t, a_prev):
    noise = (noisy - a_t.sqrt() * clean) / (1 - a_t).sqrt()
    return a_prev.sqrt() * clean + (1 - a_t).sqrt() * noise


def _scale_not_undone(noisy, clean, a_t, a_prev):
    return a_prev.sqrt() * clean + (1 - a_prev).sqrt() * (noisy - a_t.sqrt() * clean)


def _clean_not_shrunk(noisy, clean, a_t, a_prev):
    return a_prev.sqrt() * clean + (1 - a_prev).sqrt() * (noisy - clean) / (1 - a_t).sqrt()


def _ddim_without_roots(noisy, clean, a_t, a_prev):
    return a_prev * clean + (1 - a_prev) * (noisy - a_t * clean) / (1 - a_t)


def _times_swapped(noisy, clean, a_t, a_prev):
    return a_t.sqrt() * clean + (1 - a_t).sqrt() * (noisy - a_prev.sqrt() * clean) / (1 - a_prev).clamp(min=1e-6).sqrt()


class _Guesser(torch.nn.Module):
    """A stand-in for a trained network: it answers differently for each label and time."""

    def __init__(self, labels: int = 11):
        super().__init__()
        self.push = torch.nn.Parameter(_random(labels, seed=20))

    def forward(self, noisy, t, labels):
        push = self.push[labels] * (1 + 0.1 * t)
        return torch.tanh(noisy + push.reshape(-1, *[1] * (noisy.dim() - 1)))


def _guided_in_one_call(model, noisy, t, labels, w, no_label=10):
    none = torch.zeros_like(labels) + no_label
    both = model(torch.cat([noisy, noisy]), torch.cat([t, t]), torch.cat([labels, none]))
    told, untold = both.chunk(2)
    return w * told + (1 - w) * untold


def _guidance_cases() -> list[Case]:
    t, labels = torch.tensor([5, 50, 99]), torch.tensor([3, 0, 9])
    images = _random(3, 1, 8, 8, seed=21)
    return [
        Case("images, w = 2", (_Guesser(), images, t, labels, 2.0)),
        Case("images, w = 0", (_Guesser(), images, t, labels, 0.0)),
        Case("images, w = 1", (_Guesser(), images, t, labels, 1.0)),
        Case(
            "points, strong guidance",
            (_Guesser(), _random(4, 2, seed=22), torch.arange(4), torch.tensor([1, 1, 2, 7]), 7.5),
        ),
        Case("a batch of one", (_Guesser(), images[:1], t[:1], labels[:1], 1.5)),
        Case("another label means not told", (_Guesser(5), images, t, torch.tensor([3, 0, 2]), 3.0), {"no_label": 4}),
    ]


def _from_told(model, noisy, t, labels, w, no_label=10):
    told, untold = model(noisy, t, labels), model(noisy, t, torch.full_like(labels, no_label))
    return told + w * (told - untold)


def _backwards(model, noisy, t, labels, w, no_label=10):
    told, untold = model(noisy, t, labels), model(noisy, t, torch.full_like(labels, no_label))
    return untold + w * (untold - told)


def _difference_alone(model, noisy, t, labels, w, no_label=10):
    told, untold = model(noisy, t, labels), model(noisy, t, torch.full_like(labels, no_label))
    return w * (told - untold)


def _zero_as_no_label(model, noisy, t, labels, w, no_label=10):
    return _guided_in_one_call(model, noisy, t, labels, w, no_label=0)


def _mirrored_scale(model, noisy, t, labels, w, no_label=10):
    return _guided_in_one_call(model, noisy, t, labels, 1 - w, no_label)


EXERCISES = (
    Exercise(
        name="add_noise",
        reference=_noise_by_einsum,
        cases=_noising_cases,
        mistakes=(
            Mistake(
                "no roots",
                _no_roots,
                "the variances are right, but they multiply as if they were amplitudes. 0.64 should act as 0.8.",
            ),
            Mistake(
                "swapped",
                _signal_and_noise_swapped,
                "image and noise have changed places: at early times almost all should be image.",
            ),
            Mistake(
                "weights sum to one",
                _weights_sum_to_one,
                "your two weights add up to 1. It is their squares, the variances, that should.",
            ),
            Mistake(
                "one time for all",
                _one_time_for_all,
                "every item is noised to the first item's time; each has its own.",
            ),
            Mistake(
                "axes left out",
                _axes_left_out,
                "alpha_bars[t] has the shape (batch,) and lines up with the last axis of `clean`, not with the first.",
            ),
            Mistake(
                "always four axes",
                _always_four_axes,
                "this fits images alone. Points have two axes, and single numbers one: ask `clean` how many it has.",
            ),
            Mistake(
                "product taken twice",
                _product_taken_twice,
                "alpha_bars already holds the running product; here it was multiplied up once more.",
            ),
        ),
        returns="a float tensor of the shape of `clean`",
    ),
    Exercise(
        name="ddpm_step",
        reference=_ddpm_by_bayes,
        cases=_ddpm_cases,
        mistakes=(
            Mistake(
                "variance as spread",
                _variance_as_spread,
                "the fresh noise is multiplied by the variance; a spread is wanted.",
            ),
            Mistake(
                "beta as variance",
                _beta_as_variance,
                "the fresh noise has variance β. Knowing both ends narrows it by (1 − a_prev) / (1 − a_t), and to"
                " nothing at the last step.",
            ),
            Mistake("no dice", _no_dice, "this returns the mean alone: the fresh noise is not used."),
            Mistake("weights swapped", _weights_swapped, "the weights of `clean` and `noisy` have changed places."),
            Mistake(
                "beta left out",
                _root_of_variance_ratio_only,
                "the variance is a ratio times β, and the β is missing.",
            ),
        ),
        returns="a float tensor of the shape of `noisy`",
        points=2,
    ),
    Exercise(
        name="ddim_step",
        reference=_ddim_by_scaling,
        cases=_ddim_cases,
        mistakes=(
            Mistake(
                "noise put back in full",
                _noise_put_back_in_full,
                "the noise is put back in the amount of the present time, so it never gets less. Which time do "
                "you step to?",
            ),
            Mistake(
                "scale not undone",
                _scale_not_undone,
                "what is left after taking the image away is noise times its amplitude; undo that amplitude first.",
            ),
            Mistake(
                "clean not shrunk",
                _clean_not_shrunk,
                "the noisy item holds the clean one shrunk by √a_t; you subtract it in full.",
            ),
            Mistake(
                "no roots",
                _ddim_without_roots,
                "alpha-bars are variances; here they multiply as if they were amplitudes.",
            ),
            Mistake(
                "times swapped",
                _times_swapped,
                "a_t and a_prev have changed places: take apart at the present time, put together at the earlier one.",
            ),
        ),
        returns="a float tensor of the shape of `noisy`",
        points=2,
    ),
    Exercise(
        name="guided_noise",
        reference=_guided_in_one_call,
        cases=_guidance_cases,
        mistakes=(
            Mistake(
                "the paper's scale",
                _from_told,
                "you start from the labelled guess, which is the paper's convention: your w is one too large. "
                "With w = 1 the labelled guess itself is wanted.",
            ),
            Mistake("backwards", _backwards, "you walk away from the label: the difference has the wrong sign."),
            Mistake(
                "difference alone",
                _difference_alone,
                "the difference is right, but nothing is left to add it to. With w = 0 the guess without label is"
                " wanted.",
            ),
            Mistake(
                "label 0 as not told",
                _zero_as_no_label,
                "label 0 is the digit zero. Not told has a label of its own, `no_label`.",
            ),
            Mistake(
                "scale mirrored", _mirrored_scale, "the two guesses have changed roles: w = 0 gives the labelled one."
            ),
        ),
        returns="a float tensor of the shape of `noisy`",
        points=2,
    ),
)
