"""Exercises of lesson 16: cross-attention, v-prediction, guidance in one call and the sampling loop. Needs torch alone.

The references take other ways than the lesson does: attention goes head by head and cell by cell, v is read as a
rotation, guidance is a weighted mean, and the loop steps by scaling instead of by taking apart and putting together.
"""

import math

import torch

from .engine import Case, Exercise, Mistake


def _random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _schedule() -> torch.Tensor:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, dim=0).float()


def _attention_head_by_head(cells, words, w_q, w_k, w_v, heads):
    size = len(w_q) // heads
    out = []
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        q = torch.einsum("bcw,hw->bch", cells, w_q[rows])
        k = torch.einsum("btw,hw->bth", words, w_k[rows])
        v = torch.einsum("btw,hw->bth", words, w_v[rows])
        scores = torch.einsum("bch,bth->bct", q, k) / math.sqrt(size)
        shares = torch.exp(scores - torch.logsumexp(scores, dim=-1, keepdim=True))
        out.append(torch.einsum("bct,bth->bch", shares, v))
    return torch.cat(out, dim=-1)


def _attention_cases() -> list[Case]:
    def case(label, batch, cells, tokens, width, text, inner, heads, scale=1.0):
        w_q, w_k, w_v = (_random(inner, n, seed=10 + i) / n**0.5 for i, n in enumerate((width, text, text)))
        return Case(
            label,
            (scale * _random(batch, cells, width, seed=1), _random(batch, tokens, text, seed=2), w_q, w_k, w_v, heads),
        )

    return [
        case("two pictures, four heads", 2, 9, 5, 8, 6, 8, 4),
        case("one head", 2, 4, 3, 6, 6, 6, 1),
        case("a batch of one, inner width of its own", 1, 16, 7, 8, 4, 12, 3),
        case("as many heads as channels", 3, 2, 5, 4, 8, 4, 4),
        case("one cell, one word", 1, 1, 1, 4, 4, 4, 2),
        case("sharp attention", 2, 9, 5, 8, 6, 8, 2, scale=40.0),
    ]


def _attention(cells, words, w_q, w_k, w_v, heads, *, scale=None, axis=-1, interleave=False, plain=False):
    if plain:
        heads = 1

    def split(x):
        if interleave:
            return x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    q, k, v = split(cells @ w_q.T), split(words @ w_k.T), split(words @ w_v.T)
    scores = q @ k.transpose(-1, -2) / (q.shape[-1] ** 0.5 if scale is None else scale(w_q))
    mixed = scores.softmax(axis) @ v
    return mixed.permute(0, 2, 3, 1).flatten(2) if interleave else mixed.transpose(1, 2).flatten(2)


def _not_scaled(*args):
    return _attention(*args, scale=lambda w_q: 1.0)


def _scaled_by_all(*args):
    return _attention(*args, scale=lambda w_q: len(w_q) ** 0.5)


def _softmax_over_cells(*args):
    return _attention(*args, axis=-2)


def _one_head(*args):
    return _attention(*args, plain=True)


def _interleaved(*args):
    return _attention(*args, interleave=True)


def _heads_not_put_back(cells, words, w_q, w_k, w_v, heads):
    def split(x):
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    q, k, v = split(cells @ w_q.T), split(words @ w_k.T), split(words @ w_v.T)
    mixed = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v
    return mixed.reshape(cells.shape[0], cells.shape[1], -1)


def _by_rotation(v, noisy, alpha_bar):
    angle = torch.arccos(alpha_bar.double().sqrt())
    turned = (torch.complex(noisy.double(), v.double()) * torch.exp(1j * angle)).to(torch.complex64)
    return turned.real.clone(), turned.imag.clone()


def _conversion_cases() -> list[Case]:
    schedule = _schedule()
    return [
        Case("the worked example", (torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor(0.64))),
        Case("latents at time 500", (_random(2, 4, 8, 8, seed=1), _random(2, 4, 8, 8, seed=2), schedule[500])),
        Case("a batch of one, almost clean", (_random(1, 4, 8, 8, seed=3), _random(1, 4, 8, 8, seed=4), schedule[0])),
        Case("almost all noise", (_random(3, 4, 2, 2, seed=5), _random(3, 4, 2, 2, seed=6), schedule[999])),
        Case("no noise at all", (_random(5, seed=7), _random(5, seed=8), torch.tensor(1.0))),
        Case("large values", (100 * _random(7, seed=9), 100 * _random(7, seed=10), schedule[300])),
    ]


def _swapped(v, noisy, alpha_bar):
    return _by_rotation(v, noisy, alpha_bar)[::-1]


def _without_roots(v, noisy, alpha_bar):
    return alpha_bar * noisy - (1 - alpha_bar) * v, alpha_bar * v + (1 - alpha_bar) * noisy


def _as_noise(v, noisy, alpha_bar):
    return (noisy - (1 - alpha_bar).sqrt() * v) / alpha_bar.sqrt(), v.clone()


def _wrong_sign(v, noisy, alpha_bar):
    a, b = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    return a * noisy + b * v, a * v - b * noisy


def _weights_swapped(v, noisy, alpha_bar):
    a, b = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    return b * noisy - a * v, b * v + a * noisy


class _Once:
    """A stand-in for the U-Net that answers one call, and each item by its own latents, words and the time."""

    def __init__(self):
        self.calls = 0

    def __call__(self, latents, t, states):
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("the U-Net was called a second time; put both halves into one batch")
        if len(latents) != len(states):
            raise RuntimeError(f"{len(latents)} latents came with {len(states)} captions")
        push = (states * torch.linspace(-1, 1, states[0].numel()).view_as(states[0])).flatten(1).sum(1)
        return torch.tanh(latents + push.reshape(-1, *[1] * (latents.dim() - 1))) * (1 + 0.001 * t)


def _weighted_mean(predict, latents, t, told, untold, w):
    count = len(latents)
    repeated = torch.stack([untold[0]] * count)
    both = predict(latents.repeat(2, *[1] * (latents.dim() - 1)), t, torch.cat([repeated, told]))
    return (1 - w) * both[:count] + w * both[count:]


def _guided_cases() -> list[Case]:
    latents, told, untold = _random(3, 4, 8, 8, seed=1), _random(3, 6, 4, seed=2), _random(1, 6, 4, seed=3)
    return [
        Case("w = 2", (_Once(), latents, 500, told, untold, 2.0)),
        Case("w = 0", (_Once(), latents, 500, told, untold, 0.0)),
        Case("w = 1", (_Once(), latents, 999, told, untold, 1.0)),
        Case("the pipeline's default, w = 7.5", (_Once(), latents, 20, told, untold, 7.5)),
        Case("a batch of one", (_Once(), latents[:1], 0, told[:1], untold, 3.0)),
        Case("other shapes", (_Once(), _random(2, 1, 3, 5, seed=4), 7, told[:2, :2], untold[:, :2], 1.5)),
    ]


def _both(predict, latents, t, told, untold):
    return predict(torch.cat([latents, latents]), t, torch.cat([untold.expand_as(told), told])).chunk(2)


def _halves_mixed_up(predict, latents, t, told, untold, w):
    without, given = _both(predict, latents, t, told, untold)
    return given + w * (without - given)


def _from_the_told(predict, latents, t, told, untold, w):
    without, given = _both(predict, latents, t, told, untold)
    return given + w * (given - without)


def _difference_alone(predict, latents, t, told, untold, w):
    without, given = _both(predict, latents, t, told, untold)
    return w * (given - without)


def _no_guidance(predict, latents, t, told, untold, w):
    return _both(predict, latents, t, told, untold)[1]


def _away_from_the_words(predict, latents, t, told, untold, w):
    without, given = _both(predict, latents, t, told, untold)
    return without + w * (without - given)


def _guess(latents, t):
    """A stand-in for the guided U-Net: smooth, and different at every time."""
    return torch.sin(latents * (1 + t / 400) + t / 100)


def _loop_by_scaling(guess, start, times, alpha_bars):
    path = [start.clone()]
    for number, t in enumerate(times):
        angle = math.acos(math.sqrt(alpha_bars[t].item()))
        final = number == len(times) - 1
        nxt = 0.0 if final else math.acos(math.sqrt(alpha_bars[times[number + 1]].item()))
        x, v = path[-1], guess(path[-1], t)
        path.append(math.cos(angle - nxt) * x - math.sin(angle - nxt) * v)
    return path


def _loop_cases() -> list[Case]:
    schedule = _schedule()
    return [
        Case("two steps", (_guess, _random(2, 4, 8, 8, seed=1), [999, 499], schedule)),
        Case("eight steps", (_guess, _random(1, 4, 8, 8, seed=2), list(range(999, -1, -125)), schedule)),
        Case("one step", (_guess, _random(3, 4, 2, 2, seed=3), [999], schedule)),
        Case("uneven times", (_guess, _random(2, 5, seed=4), [900, 850, 300, 10, 0], schedule)),
        Case("another schedule", (_guess, _random(4, seed=5), [2, 1, 0], torch.tensor([0.9, 0.5, 0.1]))),
    ]


def _loop(guess, start, times, alpha_bars, *, last=None, noise=None, put_back=None, frozen=False, end=1.0):
    path = [start]
    ahead = [*[alpha_bars[t] for t in times[1:]], torch.tensor(float(end))]
    for t, a_next in zip(times, ahead):
        a = alpha_bars[t]
        x = start if frozen else path[-1]
        v = guess(x, t)
        clean, eps = a.sqrt() * x - (1 - a).sqrt() * v, a.sqrt() * v + (1 - a).sqrt() * x
        if noise:
            clean, eps = noise(x, v, a)
        back = a if put_back else a_next
        path.append(a_next.sqrt() * clean + (1 - back).sqrt() * eps)
    return path[:last]


def _last_step_missing(*args):
    return _loop(*args, last=-1)


def _v_taken_for_noise(*args):
    return _loop(*args, noise=lambda x, v, a: ((x - (1 - a).sqrt() * v) / a.sqrt(), v))


def _noise_put_back_in_full(*args):
    return _loop(*args, put_back=True)


def _always_from_the_start(*args):
    return _loop(*args, frozen=True)


def _ends_at_time_zero(guess, start, times, alpha_bars):
    return _loop(guess, start, times, alpha_bars, end=alpha_bars[0].item())


def _times_backwards(guess, start, times, alpha_bars):
    return _loop(guess, start, times[::-1], alpha_bars)


def _end_alone(*args):
    return _loop(*args)[-1:]


EXERCISES = (
    Exercise(
        name="cross_attention",
        reference=_attention_head_by_head,
        cases=_attention_cases,
        mistakes=(
            Mistake("not scaled", _not_scaled, "the scores are not divided by the root of the head's width."),
            Mistake(
                "scaled by the whole width",
                _scaled_by_all,
                "the scores are divided by the root of the whole width; each head sees only its own share of it.",
            ),
            Mistake(
                "softmax over cells",
                _softmax_over_cells,
                "the softmax runs over the cells. Each cell shares its attention among the words.",
            ),
            Mistake("one head", _one_head, "all channels act as one head; split them first."),
            Mistake(
                "heads interleaved",
                _interleaved,
                "the heads take every n-th channel. A head owns a block of neighbouring channels.",
            ),
            Mistake(
                "heads not put back",
                _heads_not_put_back,
                "the shape is right, but heads and cells were flattened in the wrong order at the end. Move the heads "
                "back beside their channels first.",
            ),
        ),
        returns="a float tensor (batch, cells, inner width)",
        points=2,
    ),
    Exercise(
        name="clean_and_noise",
        reference=_by_rotation,
        cases=_conversion_cases,
        mistakes=(
            Mistake("swapped", _swapped, "both parts are right, but in the other order: the clean one comes first."),
            Mistake("no roots", _without_roots, "alpha-bar is a variance; here it acts as if it were an amplitude."),
            Mistake(
                "v taken for noise",
                _as_noise,
                "this is the conversion for a network that guesses the noise. Here v is guessed, a mixture of both.",
            ),
            Mistake("wrong sign", _wrong_sign, "one of the two signs is wrong. Put v and x_t in and see what cancels."),
            Mistake(
                "weights swapped",
                _weights_swapped,
                "the two roots have changed places: without noise, at alpha-bar 1, the clean part is x_t itself.",
            ),
        ),
        returns="a tuple of two float tensors, the clean latents and the noise",
    ),
    Exercise(
        name="guided",
        reference=_weighted_mean,
        cases=_guided_cases,
        mistakes=(
            Mistake(
                "halves mixed up",
                _halves_mixed_up,
                "the two halves of the answer have changed roles: w = 0 should give the guess without words.",
            ),
            Mistake(
                "from the told guess",
                _from_the_told,
                "you start from the guess with words. Start from the one without: w = 1 then gives the other.",
            ),
            Mistake("difference alone", _difference_alone, "the difference is right, but added to nothing."),
            Mistake("no guidance", _no_guidance, "w is not used: this is the guess with words, whatever w is."),
            Mistake(
                "away from the words",
                _away_from_the_words,
                "you walk away from the caption: the difference has the wrong sign.",
            ),
        ),
        returns="a float tensor of the shape of `latents`",
        points=2,
    ),
    Exercise(
        name="sample_latents",
        reference=_loop_by_scaling,
        cases=_loop_cases,
        mistakes=(
            Mistake(
                "last step missing",
                _last_step_missing,
                "the last step is missing: from the last time go on to no noise at all, alpha-bar 1.",
            ),
            Mistake(
                "v taken for noise",
                _v_taken_for_noise,
                "the guess is used as if it were the noise. It is v: take it apart first.",
            ),
            Mistake(
                "noise put back in full",
                _noise_put_back_in_full,
                "the noise goes back in the amount of the present time. Which time do you step to?",
            ),
            Mistake(
                "always from the start",
                _always_from_the_start,
                "every step starts from `start`; it should go on from the latents before.",
            ),
            Mistake(
                "ends at time 0",
                _ends_at_time_zero,
                "the last step goes to time 0, where a little noise is left. Here the end is alpha-bar 1.",
            ),
            Mistake("times backwards", _times_backwards, "the times run from little noise to much: keep their order."),
            Mistake("the end alone", _end_alone, "only the last latents are returned; the whole way is wanted."),
        ),
        returns="a list of float tensors, `start` first",
        tolerance=1e-4,
        points=3,
    ),
)
