"""Exercises of lesson 15: noising, the DDPM and DDIM steps, and classifier-free guidance. Needs torch alone.

The oracles take other ways than the lesson does: the DDPM step multiplies two Gaussians, the DDIM step is written as
one linear combination.
"""

import torch

from .form import case, exercise


def _random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _schedule():
    return torch.cumprod(1 - torch.linspace(0.001, 0.12, 100), dim=0)


@exercise(returns="a float tensor of the shape of `clean`", extreme={"alpha_bars": (0.0, 1.0)})
def add_noise(clean, noise, t, alpha_bars):
    a = alpha_bars.index_select(0, t)
    return torch.einsum("b,b...->b...", a**0.5, clean) + torch.einsum("b,b...->b...", (1 - a) ** 0.5, noise)


@add_noise.cases
def _():
    def pair(*shape, seed, size=1):
        return size * _random(*shape, seed=seed), _random(*shape, seed=seed + 1)

    pixel = torch.ones(1, 1, 1, 1)
    yield "the worked example", pixel, -pixel, torch.tensor([1]), torch.tensor([0.9, 0.64])
    yield "three images at three times", *pair(3, 1, 8, 8, seed=1), torch.tensor([0, 50, 99]), _schedule()
    yield "five points", *pair(5, 2, seed=3), torch.tensor([99, 3, 3, 70, 20]), _schedule()
    yield "as many points as axes", *pair(2, 2, seed=5), torch.tensor([9, 60]), _schedule()
    yield "a batch of one", *pair(1, 3, 4, 5, seed=7), torch.tensor([30]), _schedule()
    yield "large values", *pair(2, 2, seed=9, size=1000), torch.tensor([10, 60]), _schedule()


@add_noise.usual
def add_noise(clean, noise, t, alpha_bars):
    a = alpha_bars[t].reshape(-1, *[1] * (clean.dim() - 1))  # (batch, 1, ...)
    return a.sqrt() * clean + (1 - a).sqrt() * noise


add_noise.slip("a.sqrt() * clean + (1 - a).sqrt()", "a * clean + (1 - a)", "no roots").says(
    "the variances are right, but they multiply as if they were amplitudes. 0.64 should act as 0.8."
)
add_noise.slip("a.sqrt() * clean + (1 - a).sqrt()", "(1 - a).sqrt() * clean + a.sqrt()", "swapped").says(
    "image and noise have changed places: at early times almost all should be image."
)
add_noise.slip("(1 - a).sqrt()", "(1 - a.sqrt())", "weights sum to one").says(
    "your two weights add up to 1. It is their squares, the variances, that should."
)
add_noise.slip("(1 - a).sqrt()", "(1 - a)", "no root before the noise").says(
    "the noise is multiplied by its variance. It lacks the root that the image has."
)
add_noise.slip("alpha_bars[t]", "alpha_bars[t[0]]", "one time for all").says(
    "every item is noised to the first item's time; each has its own."
)
add_noise.slip("alpha_bars[t]", "alpha_bars[t].mean()", "the mean of all times").says(
    "all items get the mean of their alpha-bars; each has a time of its own."
)
add_noise.slip(".reshape(-1, *[1] * (clean.dim() - 1))", "", "axes left out").says(
    "alpha_bars[t] has the shape (batch,) and lines up with the last axis of `clean`, not with the first."
)
add_noise.slip("*[1] * (clean.dim() - 1)", "1, 1, 1", "always four axes").says(
    "this fits images alone. Points have two axes: ask `clean` how many it has."
)
add_noise.slip("alpha_bars[t]", "alpha_bars.cumprod(0)[t]", "product taken twice").says(
    "alpha_bars already holds the running product; here it was multiplied up once more."
)
add_noise.slip("(1 - a).sqrt() * noise", "noise", "noise in full").says(
    "all of the noise is added, at every time. Its variance must make room for what is left of the image."
)
add_noise.slip("alpha_bars[t]", "alpha_bars[t - 1]", "counted from one").says(
    "each item gets the noise of the time before its own. Times are counted from 0 here, not from 1 as in the paper."
)
add_noise.slip("clean + (1 - a)", "clean - (1 - a)", "noise taken away").says(
    "the noise is subtracted. That looks the same by eye, but nobody could then learn which noise was added."
)


def _steps():
    one = torch.ones(1, 1)
    schedule = _schedule()
    images = [_random(2, 1, 8, 8, seed=s) for s in (1, 2, 3)]
    points = [_random(7, 2, seed=s) for s in (4, 5, 6)]
    yield "from alpha-bar 0.5 to 0.8", one, 0 * one, torch.tensor(0.5), torch.tensor(0.8), one
    yield "from alpha-bar 0.36 to 0.64", one, one, torch.tensor(0.36), torch.tensor(0.64), one
    yield "images, one time back", *images[:2], schedule[50], schedule[49], images[2]
    yield "images, ten times skipped", *images[:2], schedule[99], schedule[89], images[2]
    yield "points, the last step", *points[:2], schedule[0], torch.tensor(1.0), points[2]
    yield "points, almost clean", *points[:2], torch.tensor(0.9990), torch.tensor(0.9996), points[2]
    first = [item[:1] for item in points]
    yield "a batch of one, near the end", *first[:2], schedule[3], schedule[1], first[2]
    yield "large values", 100 * points[0], 100 * points[1], schedule[30], schedule[20], points[2]


@exercise(returns="a float tensor of the shape of `noisy`", points=2, extreme={"a_t": (0.0,), "a_prev": (1.0,)})
def ddpm_step(noisy, clean, a_t, a_prev, fresh):
    """The product of two Gaussians over the earlier item: one from the clean guess, one from the noisy item."""
    if a_prev >= 1:
        return clean.clone()
    kept, a_t, a_prev = (a_t / a_prev).double(), a_t.double(), a_prev.double()
    from_clean, from_noisy = a_prev.sqrt() / (1 - a_prev), kept.sqrt() / (1 - kept)
    precision = (1 - a_t) / (1 - kept) / (1 - a_prev)  # of both together, in the form that loses no digits
    mean = (from_clean * clean + from_noisy * noisy) / precision
    return (mean + fresh / precision.sqrt()).to(noisy.dtype)


ddpm_step.cases(_steps)


@ddpm_step.usual
def ddpm_step(noisy, clean, a_t, a_prev, fresh):
    beta = 1 - a_t / a_prev
    from_clean = a_prev.sqrt() * beta / (1 - a_t) * clean
    from_noisy = (1 - beta).sqrt() * (1 - a_prev) / (1 - a_t) * noisy
    variance = (1 - a_prev) / (1 - a_t) * beta
    return from_clean + from_noisy + variance.sqrt() * fresh


ddpm_step.slip("variance.sqrt()", "variance", "variance as spread").says(
    "the fresh noise is multiplied by the variance; a spread is wanted."
)
ddpm_step.slip("variance.sqrt()", "beta.sqrt()", "beta as variance").says(
    "the fresh noise has variance β. Knowing both ends narrows it by (1 − a_prev) / (1 − a_t), and to nothing at the "
    "last step."
)
ddpm_step.slip(" + variance.sqrt() * fresh", "", "no dice").says(
    "this returns the mean alone: the fresh noise is not used."
)
ddpm_step.slip(
    "clean\n    from_noisy = (1 - beta).sqrt() * (1 - a_prev) / (1 - a_t) * noisy",
    "noisy\n    from_noisy = (1 - beta).sqrt() * (1 - a_prev) / (1 - a_t) * clean",
    "weights swapped",
    "the weights of `clean` and `noisy` have changed places.",
)
ddpm_step.slip("(1 - a_prev) / (1 - a_t) * beta", "(1 - a_prev) / (1 - a_t)", "beta left out").says(
    "the variance is a ratio times β, and the β is missing."
)
ddpm_step.slip("beta = 1 - a_t / a_prev", "beta = 1 - a_t", "all the noise as beta").says(
    "1 − a_t is all the noise since time 0. β is what was added between the two times: their ratio is wanted."
)
ddpm_step.slip("beta = 1 - a_t / a_prev", "beta = 1 - a_prev / a_t", "ratio upside down").says(
    "alpha-bars fall with time, so a_prev / a_t is above 1 and your β negative: turn the ratio round."
)
ddpm_step.slip("beta = 1 - a_t / a_prev", "beta = a_t / a_prev", "alpha as beta").says(
    "a_t / a_prev is the share of the signal that is kept, α. β is the rest of it."
)
ddpm_step.slip("a_prev.sqrt() * beta", "a_prev * beta", "no root before the clean guess").says(
    "the guess of the clean item is weighted by a_prev; the formula has its root."
)
ddpm_step.slip("a_prev.sqrt() * beta", "a_t.sqrt() * beta", "the present root").says(
    "the guess of the clean item is shrunk to the present time. You step to the earlier one."
)
ddpm_step.slip("(1 - beta).sqrt()", "(1 - beta)", "no root before the noisy item").says(
    "the noisy item is weighted by 1 − β; the formula has its root."
)
ddpm_step.slip("(1 - beta).sqrt()", "a_t.sqrt()", "kept since time 0").says(
    "√a_t is what was kept since time 0. The noisy item's weight holds what was kept between the two times, √(1 − β)."
)
ddpm_step.slip("(1 - beta).sqrt()", "beta.sqrt()", "root of beta").says(
    "the noisy item's weight holds √β. What was kept is 1 − β."
)
ddpm_step.slip("(1 - a_prev) / (1 - a_t) * beta", "(1 - a_t) / (1 - a_prev) * beta", "variance upside down").says(
    "the variance's ratio is upside down: at the last step it should be 0, not infinite."
)
ddpm_step.slip("noisy + variance", "noisy - variance", "fresh noise taken away").says(
    "the fresh noise is subtracted; the formula adds it."
)


@exercise(returns="a float tensor of the shape of `noisy`", points=2, extreme={"a_t": (0.0,), "a_prev": (1.0,)})
def ddim_step(noisy, clean, a_t, a_prev):
    ratio = ((1 - a_prev) / (1 - a_t)) ** 0.5
    return ratio * noisy + (a_prev**0.5 - ratio * a_t**0.5) * clean


@ddim_step.cases
def _():
    for label, *arguments in _steps():
        yield label, *arguments[:4]


@ddim_step.usual
def ddim_step(noisy, clean, a_t, a_prev):
    noise = (noisy - a_t.sqrt() * clean) / (1 - a_t).sqrt()
    return a_prev.sqrt() * clean + (1 - a_prev).sqrt() * noise


ddim_step.slip("(1 - a_prev).sqrt()", "(1 - a_t).sqrt()", "noise put back in full").says(
    "the noise is put back in the amount of the present time, so it never gets less. Which time do you step to?"
)
ddim_step.slip(" / (1 - a_t).sqrt()", "", "scale not undone").says(
    "what is left after taking the image away is noise times its amplitude; undo that amplitude first."
)
ddim_step.slip(" / (1 - a_t).sqrt()", " / (1 - a_t)", "variance undone").says(
    "what is left is divided by the noise's variance. It was scaled by the amplitude, a root."
)
ddim_step.slip("a_t.sqrt() * clean", "clean", "clean not shrunk").says(
    "the noisy item holds the clean one shrunk by √a_t; you subtract it in full."
)
ddim_step.slip("noisy - a_t", "noisy + a_t", "image added to the noise").says(
    "the noise is what is left when the image's share is taken away; a sign is wrong there."
)
ddim_step.slip("clean + (1 - a_prev)", "clean - (1 - a_prev)", "noise taken away").says(
    "the noise is put back with the wrong sign: the item at the earlier time is a sum."
)
ddim_step.slip("a_prev.sqrt() * clean +", "a_t.sqrt() * clean +", "image of the present time").says(
    "the image is put back as faint as it is now. At the earlier time more of it is left."
)
ddim_step.slip("a_prev.sqrt() * clean +", "a_prev * clean +", "no root before the image").says(
    "the image is put back with the weight a_prev; its amplitude is the root of that."
)
ddim_step.slip("(1 - a_prev).sqrt()", "(1 - a_prev)", "no root before the noise").says(
    "the noise is put back with its variance as weight; its amplitude is the root of that."
)
ddim_step.slip("a_prev.sqrt() * clean +", "clean +", "image put back in full").says(
    "the clean item is put back in full; at the earlier time it is shrunk by √a_prev."
)
ddim_step.slip("(1 - a_prev).sqrt() * noise", "(1 - a_prev).sqrt() * noisy", "the noisy item as noise").says(
    "`noisy` itself is put back in place of the noise that you took out of it."
)


@ddim_step.mistake("no roots", "alpha-bars are variances; here they multiply as if they were amplitudes.")
def _(noisy, clean, a_t, a_prev):
    return a_prev * clean + (1 - a_prev) * (noisy - a_t * clean) / (1 - a_t)


@ddim_step.mistake(
    "times swapped",
    "a_t and a_prev have changed places: take apart at the present time, put together at the earlier one.",
)
def _(noisy, clean, a_t, a_prev):
    noise = (noisy - a_prev.sqrt() * clean) / (1 - a_prev).clamp(min=1e-6).sqrt()
    return a_t.sqrt() * clean + (1 - a_t).sqrt() * noise


@ddim_step.mistake(
    "a step forward",
    "this takes apart at the earlier time and puts together at the present one: a step towards the noise, and a "
    "division by 0 at the last one.",
)
def _(noisy, clean, a_t, a_prev):
    return ddim_step(noisy, clean, a_prev, a_t)


class _Guesser(torch.nn.Module):
    """A stand-in for a trained network: it answers differently for each label and time."""

    def __init__(self, labels=11):
        super().__init__()
        self.push = torch.nn.Parameter(_random(labels, seed=20))

    def forward(self, noisy, t, labels):
        if (labels < 0).any():
            raise IndexError("a label is out of range: labels count from 0")
        if not len(labels) == len(t) == len(noisy):
            raise ValueError(f"every item needs a time and a label: {len(noisy)}, {len(t)} and {len(labels)} came")
        push = self.push[labels] * (1 + 0.1 * t)
        return torch.tanh(noisy + push.reshape(-1, *[1] * (noisy.dim() - 1)))


@exercise(returns="a float tensor of the shape of `noisy`", points=2)
def guided_noise(model, noisy, t, labels, w, no_label=10):
    none = torch.zeros_like(labels) + no_label
    both = model(torch.cat([noisy, noisy]), torch.cat([t, t]), torch.cat([labels, none]))
    told, untold = both.chunk(2)
    return w * told + (1 - w) * untold


@guided_noise.cases
def _():
    t, labels, images = torch.tensor([5, 50, 99]), torch.tensor([3, 0, 9]), _random(3, 1, 8, 8, seed=21)
    yield "images, w = 2", _Guesser(), images, t, labels, 2.0
    yield "images, w = 0", _Guesser(), images, t, labels, 0.0
    yield "images, w = 1", _Guesser(), images, t, labels, 1.0
    yield "images, away from the label", _Guesser(), images, t, labels, -0.5
    points = _random(4, 2, seed=22), torch.arange(4), torch.tensor([1, 1, 2, 7])
    yield "points, strong guidance", _Guesser(), *points, 7.5
    yield "a batch of one", _Guesser(), images[:1], t[:1], labels[:1], 1.5
    few = torch.tensor([3, 0, 2])
    yield case("another label means not told", _Guesser(7), images, t, few, 3.0, no_label=4)


@guided_noise.usual
def guided_noise(model, noisy, t, labels, w, no_label=10):
    told = model(noisy, t, labels)
    untold = model(noisy, t, torch.full_like(labels, no_label))
    return untold + w * (told - untold)


guided_noise.slip("return untold", "return told", "the paper's scale").says(
    "you start from the labelled guess, which is the paper's convention: your w is one too large. With w = 1 the "
    "labelled guess itself is wanted."
)
guided_noise.slip("untold + w", "untold + (w - 1)", "one less than w").says(
    "your w is one too small: with w = 1 the guess without label comes out, and the labelled one is wanted."
)
guided_noise.slip("told - untold", "untold - told", "backwards").says(
    "you walk away from the label: the difference has the wrong sign."
)
guided_noise.slip("untold + w", "w", "difference alone").says(
    "the difference is right, but nothing is left to add it to. With w = 0 the guess without label is wanted."
)
guided_noise.slip("torch.full_like(labels, no_label)", "torch.zeros_like(labels)", "label 0 as not told").says(
    "label 0 is the digit zero. Not told has a label of its own, `no_label`."
)
guided_noise.slip("w * (told", "(1 - w) * (told", "scale mirrored").says(
    "the two guesses have changed roles: w = 0 gives the labelled one."
)
guided_noise.slip("(labels, no_label)", "(labels, 10)", "always label 10").says(
    "right where 10 means not told. The argument `no_label` says which label does."
)
guided_noise.slip("untold + w * (told - untold)", "w * told + untold", "nothing taken away").says(
    "the labelled guess is added in full. Add the difference of the two, or the guess grows with w."
)
guided_noise.slip("untold + w * (told - untold)", "told", "no guidance").says(
    "w is not used: this is the labelled guess, whatever w is."
)
