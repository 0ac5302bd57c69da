"""Exercises of lesson 16: cross-attention, v-prediction, guidance in one call and the sampling loop. Needs torch alone.

The oracles take other ways than the lesson does: attention goes head by head and cell by cell, v is read as a
rotation, guidance is a weighted mean, and the loop steps by scaling instead of by taking apart and putting together.
"""

import math

import torch

from .form import exercise


def _random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _schedule():
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, dim=0).to(torch.get_default_dtype())


@exercise(returns="a float tensor (batch, cells, inner width)", points=2, extreme={"cells": 1e4})
def cross_attention(cells, words, w_q, w_k, w_v, heads):
    size = len(w_q) // heads
    out = []
    for rows in (slice(start, start + size) for start in range(0, len(w_q), size)):
        q = torch.einsum("bcw,hw->bch", cells, w_q[rows])
        k = torch.einsum("btw,hw->bth", words, w_k[rows])
        v = torch.einsum("btw,hw->bth", words, w_v[rows])
        scores = torch.einsum("bch,bth->bct", q, k) / math.sqrt(size)
        shares = torch.exp(scores - torch.logsumexp(scores, dim=-1, keepdim=True))
        out.append(torch.einsum("bct,bth->bch", shares, v))
    return torch.cat(out, dim=-1)


@cross_attention.cases
def _():
    def draw(batch, cells, tokens, width, text, inner, heads, scale=1.0):
        weights = (_random(inner, n, seed=10 + i) / n**0.5 for i, n in enumerate((width, text, text)))
        return scale * _random(batch, cells, width, seed=1), _random(batch, tokens, text, seed=2), *weights, heads

    yield "two pictures, four heads", *draw(2, 9, 5, 8, 6, 8, 4)
    yield "one head", *draw(2, 4, 3, 6, 6, 6, 1)
    yield "a batch of one, inner width of its own", *draw(1, 16, 7, 8, 4, 12, 3)
    yield "as many heads as channels", *draw(3, 2, 5, 4, 8, 4, 4)
    yield "one cell, one word", *draw(1, 1, 1, 4, 4, 4, 2)
    yield "sharp attention", *draw(2, 9, 5, 8, 6, 8, 2, scale=40.0)


@cross_attention.usual
def cross_attention(cells, words, w_q, w_k, w_v, heads):
    def split(x):  # (batch, n, inner) -> (batch, heads, n, inner / heads)
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    q, k, v = split(cells @ w_q.T), split(words @ w_k.T), split(words @ w_v.T)
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5  # (batch, heads, cells, tokens)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


cross_attention.slip(" / q.shape[-1] ** 0.5", "", "not scaled").says(
    "the scores are not divided by the root of the head's width."
)
cross_attention.slip("q.shape[-1] ** 0.5", "len(w_q) ** 0.5", "scaled by the whole width").says(
    "the scores are divided by the root of the whole width; each head sees only its own share of it."
)
cross_attention.slip("q.shape[-1] ** 0.5", "q.shape[-1]", "scaled without the root").says(
    "the scores are divided by the head's width; its root is wanted."
)
cross_attention.slip("softmax(-1)", "softmax(-2)", "softmax over cells").says(
    "the softmax runs over the cells. Each cell shares its attention among the words."
)
cross_attention.slip("softmax(-1)", "softmax(1)", "softmax over heads").says(
    "the softmax runs over the heads. Each cell shares its attention among the words, in each head anew."
)
cross_attention.slip("scores.softmax(-1)", "scores", "no softmax").says(
    "the raw scores weigh the values. The softmax makes shares of them that add up to 1."
)
cross_attention.slip("(heads, -1)", "(1, -1)", "one head", "all channels act as one head; split them first.")
cross_attention.slip("(scores.softmax(-1) @ v).transpose(1, 2).flatten(2)", "scores.softmax(-1)", "the shares").says(
    "these are the shares of attention. The answer is what the cells gather with them: values."
)
cross_attention.slip("-1) @ v", "-1) @ k", "keys mixed").says(
    "the shares mix the keys. Keys are only compared with; what a cell receives are values."
)
cross_attention.slip("scores.softmax(-1)", "scores.sigmoid()", "a sigmoid").says(
    "each word gets a share by itself, by a sigmoid. The shares of one cell must add up to 1: that is a softmax."
)
cross_attention.slip(".flatten(2)", ".flatten(2) + cells @ w_q.T", "the cells added").says(
    "something of the cells themselves is added to what they gathered. The answer is only what came from the words."
)
cross_attention.slip(
    "split(words @ w_k.T), split(words @ w_v.T)", "split(words @ w_v.T), split(words @ w_k.T)", "w_k and w_v swapped"
).says("`w_k` and `w_v` have changed places: keys come from the first, values from the second.")
cross_attention.slip(
    ".unflatten(-1, (heads, -1)).transpose(1, 2)", ".reshape(len(x), heads, x.shape[1], -1)", "split by a plain reshape"
).says(
    "heads and places are mixed up: such a reshape cuts the places, not the channels. Split the last axis into heads "
    "first, then move the heads to the front."
)
cross_attention.slip(
    ".transpose(1, 2).flatten(2)", ".reshape(cells.shape[0], cells.shape[1], -1)", "heads not put back"
).says(
    "the shape is right, but heads and cells were flattened in the wrong order at the end. Move the heads back beside "
    "their channels first."
)


@cross_attention.mistake(
    "weights not transposed",
    "layers store weights as (outputs, inputs): multiply by the transpose, `x @ w.T`, or use `F.linear`.",
)
def _(cells, words, w_q, w_k, w_v, heads):
    return cross_attention(cells, words, w_q.T, w_k.T, w_v.T, heads)


@cross_attention.mistake(
    "heads interleaved",
    "the heads take every n-th channel. A head owns a block of neighbouring channels.",
)
def _(cells, words, w_q, w_k, w_v, heads):
    order = torch.arange(len(w_q)).view(-1, heads).T.flatten()  # the channels of head 0, then those of head 1, ...
    mixed = cross_attention(cells, words, w_q[order], w_k[order], w_v[order], heads)
    return mixed[..., order.argsort()]


@exercise(returns="a tuple of two float tensors, the clean latents and the noise", extreme={"alpha_bar": (0.0,)})
def clean_and_noise(v, noisy, alpha_bar):
    angle = torch.arccos(alpha_bar.double().sqrt())
    turned = torch.complex(noisy.double(), v.double()) * torch.exp(1j * angle)
    return turned.real.to(v.dtype), turned.imag.to(v.dtype)


@clean_and_noise.cases
def _():
    def pair(*shape, seed, size=1):
        return size * _random(*shape, seed=seed), size * _random(*shape, seed=seed + 1)

    schedule = _schedule()
    yield "the worked example", torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor(0.64)
    yield "latents at time 500", *pair(2, 4, 8, 8, seed=1), schedule[500]
    yield "a batch of one, almost clean", *pair(1, 4, 8, 8, seed=3), schedule[0]
    yield "almost all noise", *pair(3, 4, 2, 2, seed=5), schedule[999]
    yield "no noise at all", *pair(5, seed=7), torch.tensor(1.0)
    yield "large values", *pair(7, seed=9, size=100), schedule[300]


@clean_and_noise.usual
def clean_and_noise(v, noisy, alpha_bar):
    signal, spread = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    return signal * noisy - spread * v, signal * v + spread * noisy


_BOTH = "signal * noisy - spread * v, signal * v + spread * noisy"
clean_and_noise.slip(_BOTH, "signal * v + spread * noisy, signal * noisy - spread * v", "swapped").says(
    "both parts are right, but in the other order: the clean one comes first."
)
clean_and_noise.slip("alpha_bar.sqrt(), (1 - alpha_bar).sqrt()", "alpha_bar, 1 - alpha_bar", "no roots").says(
    "alpha-bar is a variance; here it acts as if it were an amplitude."
)
clean_and_noise.slip("(1 - alpha_bar).sqrt()", "1 - alpha_bar", "one root missing").says(
    "the weight of the noise is a root as well: that of 1 − alpha-bar."
)
clean_and_noise.slip(_BOTH, "signal * v - spread * noisy, signal * noisy + spread * v", "v and x_t swapped").says(
    "`v` and `noisy` have changed places; the arguments come as (v, noisy, alpha_bar)."
)
clean_and_noise.slip(_BOTH, "signal * noisy - spread * v", "the clean part alone").says(
    "only the clean part is returned. Wanted are two tensors: the clean part and the noise."
)
clean_and_noise.slip("(1 - alpha_bar).sqrt()", "1 - alpha_bar.sqrt()", "weights sum to one").says(
    "your two weights add up to 1. It is their squares that do: the second is the root of 1 − alpha-bar."
)
clean_and_noise.slip(_BOTH, "(noisy - spread * v) / signal, v", "v taken for noise").says(
    "this is the conversion for a network that guesses the noise. Here v is guessed, a mixture of both."
)
clean_and_noise.slip(_BOTH, "signal * noisy + spread * v, signal * v - spread * noisy", "wrong sign").says(
    "one of the two signs is wrong. Put v and x_t in and see what cancels."
)
clean_and_noise.slip("noisy - spread", "noisy + spread", "wrong sign in the clean part").says(
    "the noise is right, the clean part has a wrong sign. Put v and x_t in and see what cancels."
)
clean_and_noise.slip("v + spread", "v - spread", "wrong sign in the noise").says(
    "the clean part is right, the noise has a wrong sign. Put v and x_t in and see what cancels."
)
clean_and_noise.slip("signal, spread =", "spread, signal =", "weights swapped").says(
    "the two roots have changed places: without noise, at alpha-bar 1, the clean part is x_t itself."
)
clean_and_noise.slip(_BOTH, "v, (noisy - signal * v) / spread", "v taken for the clean part").says(
    "v is used as if it were the clean part. It is a mixture of both: solve the two equations."
)
clean_and_noise.slip("signal * v + spread * noisy", "noisy - signal * noisy + spread * v", "noise not weighed").says(
    "the clean part is right. What is left of x_t is not the noise: both stand in x_t with weights."
)
clean_and_noise.slip(
    "alpha_bar.sqrt(), (1 - alpha_bar).sqrt()", "alpha_bar, (1 - alpha_bar**2).sqrt()", "one square"
).says("alpha-bar itself acts as the weight of the clean part. That weight is its root.")
clean_and_noise.slip(
    "alpha_bar.sqrt(), (1 - alpha_bar).sqrt()",
    "alpha_bar.clamp(0.01, 0.99).sqrt(), (1 - alpha_bar.clamp(0.01, 0.99)).sqrt()",
    "kept from the ends",
).says("alpha-bar is kept away from 0 and 1. No division is needed, so both ends are allowed, and exact.")
clean_and_noise.slip(_BOTH, "signal * noisy - spread * v, signal * v + spread * noisy, v", "three parts").says(
    "two tensors are wanted: the clean part and the noise, and nothing else."
)
clean_and_noise.slip(
    "signal * v + spread * noisy",
    "(noisy - signal * (signal * noisy - spread * v)) / spread",
    "noise from what is left",
).says(
    "the noise is what is left of x_t, divided by its weight. At alpha-bar 1 that weight is 0, and 0 / 0 is no number. "
    "Solve for the noise without a division."
)
clean_and_noise.slip(
    "signal * noisy - spread * v",
    "(noisy - spread * (signal * v + spread * noisy)) / signal",
    "clean part from what is left",
).says(
    "the clean part is what is left of x_t, divided by its weight. At alpha-bar 0 that weight is 0, and 0 / 0 is no "
    "number. Solve for it without a division."
)


class SecondCall(RuntimeError):
    """The stand-in for the U-Net was called more than once."""


class UnequalBatch(ValueError):
    """The stand-in for the U-Net got another number of captions than of latents."""


class _Once:
    """A stand-in for the U-Net that answers one call, and each item by its own latents, words and the time."""

    def __init__(self):
        self.calls = 0

    def __call__(self, latents, t, states):
        self.calls += 1
        if self.calls > 1:
            raise SecondCall("the U-Net was called a second time; put both halves into one batch")
        if len(latents) != len(states):
            raise UnequalBatch(f"{len(latents)} latents came with {len(states)} captions")
        places = torch.linspace(-1, 1, states[0].numel(), dtype=states.dtype)
        push = (states * places.view_as(states[0])).flatten(1).sum(1)
        return torch.tanh(latents + push.reshape(-1, *[1] * (latents.dim() - 1))) * (1 + 0.001 * t)


@exercise(returns="a float tensor of the shape of `latents`", points=2)
def guided(predict, latents, t, told, untold, w):
    count = len(latents)
    repeated = torch.stack([untold[0]] * count)
    both = predict(latents.repeat(2, *[1] * (latents.dim() - 1)), t, torch.cat([repeated, told]))
    return (1 - w) * both[:count] + w * both[count:]


@guided.cases
def _():
    latents, told, untold = _random(3, 4, 8, 8, seed=1), _random(3, 6, 4, seed=2), _random(1, 6, 4, seed=3)
    yield "w = 2", _Once(), latents, 500, told, untold, 2.0
    yield "w = 0", _Once(), latents, 500, told, untold, 0.0
    yield "w = 1", _Once(), latents, 999, told, untold, 1.0
    yield "the pipeline's default, w = 7.5", _Once(), latents, 20, told, untold, 7.5
    yield "a batch of one", _Once(), latents[:1], 0, told[:1], untold, 3.0
    yield "other shapes", _Once(), _random(2, 1, 3, 5, seed=4), 7, told[:2, :2], untold[:, :2], 1.5


@guided.usual
def guided(predict, latents, t, told, untold, w):
    both = predict(torch.cat([latents, latents]), t, torch.cat([untold.expand_as(told), told]))
    without, given = both.chunk(2)
    return without + w * (given - without)


guided.slip("without, given =", "given, without =", "halves mixed up").says(
    "the two halves of the answer have changed roles: w = 0 should give the guess without words."
)
guided.slip("return without +", "return given +", "from the told guess").says(
    "you start from the guess with words. Start from the one without: w = 1 then gives the other."
)
guided.slip("without + w", "w", "difference alone", "the difference is right, but added to nothing.")
guided.slip("without + w * (given - without)", "given", "no guidance").says(
    "w is not used: this is the guess with words, whatever w is."
)
guided.slip("given - without", "without - given", "away from the words").says(
    "you walk away from the caption: the difference has the wrong sign."
)
guided.slip("without + w", "without + (w - 1)", "one less than w").says(
    "your w is one too small: with w = 1 the guess without words comes out, and the one with words is wanted."
)
guided.slip("w * (given - without)", "w * given", "nothing taken away").says(
    "the guess with words is added in full. Add the difference of the two, or the guess grows with w."
)
guided.slip("untold.expand_as(told)", "untold", "one empty caption for all").says(
    "the empty caption comes once and is needed for each item: the doubled latents want as many captions."
)
guided.slip("torch.cat([latents, latents])", "latents", "latents not doubled").says(
    "the captions are doubled and the latents are not. Each of the latents is needed once for either half."
)
guided.slip("both.chunk(2)", "both.chunk(2, dim=1)", "channels halved").says(
    "the answer is cut along its channels. The two halves lie one behind the other in the batch, axis 0."
)
guided.slip("both.chunk(2)", "both[0::2].clone(), both[1::2].clone()", "every other item").says(
    "the answer is taken apart item by item in turn. `torch.cat` put all of one half before all of the other."
)


@guided.mistake("two calls", "the U-Net is called twice. Join both halves along the batch axis and call it once.")
def _(predict, latents, t, told, untold, w):
    without = predict(latents, t, untold.expand_as(told))
    return without + w * (predict(latents, t, told) - without)


def _guess(latents, t):
    """A stand-in for the guided U-Net: smooth, and different at every time."""
    return torch.sin(latents * (1 + t / 400) + t / 100)


@exercise(returns="a list of float tensors, `start` first", tolerance=1e-4, points=3)
def sample_latents(guess, start, times, alpha_bars):
    path = [start.clone()]
    for number, t in enumerate(times):
        angle = math.acos(math.sqrt(alpha_bars[t].item()))
        final = number == len(times) - 1
        nxt = 0.0 if final else math.acos(math.sqrt(alpha_bars[times[number + 1]].item()))
        x, v = path[-1], guess(path[-1], t)
        path.append(math.cos(angle - nxt) * x - math.sin(angle - nxt) * v)
    return path


@sample_latents.cases
def _():
    schedule = _schedule()
    yield "two steps", _guess, _random(2, 4, 8, 8, seed=1), [999, 499], schedule
    yield "eight steps", _guess, _random(1, 4, 8, 8, seed=2), list(range(999, -1, -125)), schedule
    yield "one step", _guess, _random(3, 4, 2, 2, seed=3), [999], schedule
    yield "uneven times", _guess, _random(2, 5, seed=4), [900, 850, 300, 10, 0], schedule
    yield "another schedule", _guess, _random(4, seed=5), [2, 1, 0], torch.tensor([0.9, 0.5, 0.1])
    yield "from alpha-bar 0 to 1", _guess, _random(3, 2, seed=6), [3, 2, 1, 0], torch.tensor([1.0, 0.7, 0.2, 0.0])


@sample_latents.usual
def sample_latents(guess, start, times, alpha_bars):
    path = [start]
    ahead = [*(alpha_bars[t] for t in times[1:]), torch.tensor(1.0)]
    for t, a_next in zip(times, ahead):
        v, a = guess(path[-1], t), alpha_bars[t]
        clean = a.sqrt() * path[-1] - (1 - a).sqrt() * v
        noise = a.sqrt() * v + (1 - a).sqrt() * path[-1]
        path.append(a_next.sqrt() * clean + (1 - a_next).sqrt() * noise)
    return path


sample_latents.slip("return path", "return path[:-1]", "last step missing").says(
    "the last step is missing: from the last time go on to no noise at all, alpha-bar 1."
)
sample_latents.slip("return path", "return path[1:]", "the start is missing").says(
    "the way begins with `start` itself, before the first step; it is missing."
)
sample_latents.slip("return path", "return path[-1:]", "the end alone").says(
    "only the last latents are returned; the whole way is wanted."
)
sample_latents.slip("return path", "return path[-1]", "the end instead of the way").says(
    "the last latents come back as a tensor; a list of the whole way is wanted."
)
sample_latents.slip("alpha_bars[t] for t in times[1:]", "alpha_bars[t - 1] for t in times[:-1]", "one time back").says(
    "each step goes back by one time. It should go to the next of the `times`, which may lie far ahead."
)
sample_latents.slip("guess(path[-1], t)", "guess(start, t)", "guesses about the start").says(
    "the guess is always about `start`. Ask about the latents that the step begins with."
)
sample_latents.slip("a_next.sqrt() * clean + (1 - a_next).sqrt()", "a_next * clean + (1 - a_next)", "no roots").says(
    "clean part and noise are put together with their variances; the amplitudes, roots, are wanted."
)
sample_latents.slip(
    "a.sqrt() * v + (1 - a).sqrt() * path[-1]",
    "(path[-1] - a.sqrt() * clean) / (1 - a).sqrt()",
    "noise from what is left",
    "the noise is what is left, divided by its weight: 0 / 0 at a time with alpha-bar 1. Exercise 2 needs no division.",
)
sample_latents.slip("(1 - a_next).sqrt()", "(1 - a).sqrt()", "noise put back in full").says(
    "the noise goes back in the amount of the present time. Which time do you step to?"
)
sample_latents.slip("torch.tensor(1.0)", "alpha_bars[0]", "ends at time 0").says(
    "the last step goes to time 0, where a little noise is left. Here the end is alpha-bar 1."
)
sample_latents.slip("torch.tensor(1.0)", "torch.tensor(0.0)", "ends in noise").says(
    "the last step goes to alpha-bar 0, which is all noise. The end has none: alpha-bar 1."
)
sample_latents.slip("return path", "return path[::-1]", "the way backwards").says(
    "the right tensors in the wrong order: `start` comes first, the clean end last."
)
sample_latents.slip("guess(path[-1], t)", "guess(path[-1], t / 1000)", "time as a share").says(
    "`guess` is asked with a share of the whole time. Hand it the number in `times` as it is."
)
sample_latents.slip("guess(path[-1], t)", "guess(path[-1], t + 1)", "one time later").says(
    "`guess` is asked about the time after the one in `times`: an off-by-one."
)
sample_latents.slip(
    "a_next.sqrt() * clean + (1 - a_next).sqrt() * noise",
    "a_next.sqrt() * noise + (1 - a_next).sqrt() * clean",
    "parts swapped",
).says("clean part and noise have changed places where the latents are put together, or where they are taken apart.")
sample_latents.slip("a_next.sqrt() * clean + (1 - a_next).sqrt() * noise", "clean", "the clean parts").says(
    "the clean part that each guess implies is kept as it is. It must be put together with noise for the next time."
)
sample_latents.slip("clean + (1 - a_next)", "clean - (1 - a_next)", "noise taken away").says(
    "clean part and noise are put together by a sum; here the noise is subtracted."
)
sample_latents.slip("a.sqrt() * v + (1", "a.sqrt() * v - (1", "wrong sign in the noise").says(
    "the noise that is taken out has a wrong sign: exercise 2 has the right one."
)
sample_latents.slip("path[-1] - (1", "path[-1] + (1", "wrong sign in the clean part").says(
    "the clean part that is taken out has a wrong sign: exercise 2 has the right one."
)
sample_latents.slip(
    "clean + (1 - a_next).sqrt() * noise", "clean + (1 - a_next).sqrt() * torch.randn_like(start)", "fresh noise"
).says("fresh noise is thrown at each step. DDIM puts back the noise that it took out, without dice.")


def _walk(guess, start, times, alpha_bars, take_apart=None, from_start=False):
    path, ahead = [start], [*(alpha_bars[t] for t in times[1:]), torch.tensor(1.0)]
    for t, a_next in zip(times, ahead, strict=True):
        x = start if from_start else path[-1]
        clean, noise = (take_apart or clean_and_noise)(guess(x, t), x, alpha_bars[t])
        path.append(a_next.sqrt() * clean + (1 - a_next).sqrt() * noise)
    return path


@sample_latents.mistake("v taken for noise", "the guess is used as if it were the noise. It is v: take it apart first.")
def _(*args):
    return _walk(*args, take_apart=lambda v, x, a: ((x - (1 - a).sqrt() * v) / a.sqrt(), v))


@sample_latents.mistake(
    "v taken for the clean part", "the guess is used as if it were the clean part. It is v: take it apart first."
)
def _(*args):
    return _walk(*args, take_apart=lambda v, x, a: (v, (x - a.sqrt() * v) / (1 - a).sqrt()))


@sample_latents.mistake(
    "always from the start", "every step starts from `start`; it should go on from the latents before."
)
def _(*args):
    return _walk(*args, from_start=True)


@sample_latents.mistake("times backwards", "the times run from little noise to much: keep their order.")
def _(guess, start, times, alpha_bars):
    return sample_latents(guess, start, times[::-1], alpha_bars)
