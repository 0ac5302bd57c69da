"""Exercises of lesson 18, symmetry: turned filters, particles that move each other, harmonics, data saved."""

import itertools
import math

import torch

from .form import exercise


def numbers(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@exercise(returns="tensor (4 * out, turns * in, k, k)", points=2)
def turned_filters(weight):
    """Entry by entry: what the filter of output orientation r reads from orientation s, at one place."""
    outs, ins, turns, k, _ = weight.shape
    filters = []
    for o in range(outs):
        for r in range(4):
            row = []
            for i in range(ins):
                for s in range(turns):
                    kernel = weight[o, i, (s - r) % turns]
                    for _ in range(r):  # a quarter turn to the left: the last column becomes the first row
                        kernel = torch.stack([kernel[:, k - 1 - line] for line in range(k)])
                    row.append(kernel)
            filters.append(torch.stack(row))
    return torch.stack(filters)


@turned_filters.cases
def _():
    yield "the worked example", torch.tensor([[[[[1.0, 2], [3, 4]]]]])
    yield "lifting: three filters of one channel", numbers(3, 1, 1, 3, 3)
    yield "lifting: two input channels", numbers(2, 2, 1, 3, 3, seed=1)
    yield "four orientations in", numbers(2, 3, 4, 3, 3, seed=2)
    yield "one channel in, one out", numbers(1, 1, 4, 3, 3, seed=3)
    yield "filters of one pixel", numbers(2, 2, 4, 1, 1, seed=4)
    yield "wide filters", numbers(1, 2, 4, 5, 5, seed=5)


@turned_filters.usual
def turned_filters(weight):
    turned = [torch.rot90(weight, r, (-2, -1)).roll(r, dims=2) for r in range(4)]
    stacked = torch.stack(turned, dim=1)  # (out, 4, in, turns, k, k)
    return stacked.flatten(0, 1).flatten(1, 2)


turned_filters.slip(".roll(r, dims=2)", "", "orientations not shifted").says(
    "right for lifting. With four orientations coming in, turning the image also moves each feature to the next "
    "orientation, so the filters must be shifted along that axis, too."
)
turned_filters.slip("roll(r", "roll(-r", "shifted backwards").says(
    "the orientations are shifted against the turn. A turn to the left takes orientation 0 to orientation 1."
)
turned_filters.slip("rot90(weight, r", "rot90(weight, -r", "turned to the right").says(
    "the filters turn clockwise. `torch.rot90` with a positive number turns to the left, as the images do here."
)
turned_filters.slip("stack(turned, dim=1)", "stack(turned, dim=0)", "orientations outside").says(
    "all filters of one orientation come first. The four turns of one filter should stand side by side."
)


@turned_filters.mistake(
    "flipped", "the filters are mirrored. A mirror image is not a turn: a 2 in a mirror is no 2 at any angle."
)
def _(weight):
    flips = [(), (-1,), (-2, -1), (-2,)]
    turned = [torch.flip(weight, flip).roll(r, dims=2) for r, flip in enumerate(flips)]
    return torch.stack(turned, dim=1).flatten(0, 1).flatten(1, 2)


@exercise(returns="two tensors (batch, n, 3): new positions, new velocities", points=2)
def move(x, v, keep, push):
    places, speeds = [], []
    for one_x, one_v, one_keep, one_push in zip(x, v, keep, push):
        n, rows = len(one_x), []
        for i in range(n):
            total = torch.zeros_like(one_x[i])
            for j in range(n):
                if j != i:
                    total = total + (one_x[i] - one_x[j]) * one_push[i, j] / (n - 1)
            rows.append(one_keep[i] * one_v[i] + total)
        speeds.append(torch.stack(rows))
        places.append(one_x + speeds[-1])
    return torch.stack(places), torch.stack(speeds)


@move.cases
def _():
    def some(batch, n, seed):
        shapes = (batch, n, 3), (batch, n, 3), (batch, n, 1), (batch, n, n, 1)
        return [numbers(*shape, seed=seed + place) for place, shape in enumerate(shapes)]

    two = torch.tensor([[[0.0, 0, 0], [2, 0, 0]]]), torch.tensor([[[0.0, 1, 0], [0, 0, 0]]])
    yield "the worked example", *two, torch.ones(1, 2, 1), torch.full((1, 2, 2, 1), 0.5)
    yield "five particles, three systems", *some(3, 5, 0)
    yield "a batch of one", *some(1, 4, 10)
    yield "two particles", *some(2, 2, 20)
    yield "one particle alone", *some(2, 1, 30)


@move.usual
def move(x, v, keep, push):
    apart = x[:, :, None] - x[:, None]  # (batch, i, j, 3): from j to i
    v = keep * v + (apart * push).sum(dim=2) / max(x.shape[1] - 1, 1)
    return x + v, v


move.slip("x[:, :, None] - x[:, None]", "x[:, None] - x[:, :, None]", "sign").says(
    "the arrows point from i to j. With a positive push, i should move away from j."
)
move.slip("sum(dim=2)", "sum(dim=1)", "summed over i").says(
    "you summed over the particle that is pushed. Sum over j, the one that pushes."
)
move.slip("keep * v + ", "v + ", "keep ignored").says(
    "the old velocity is taken whole; `keep` says how much of it stays."
)
move.slip(" / max(x.shape[1] - 1, 1)", "", "sum for mean").says(
    "the pushes are added up. Take their mean over the others."
)
move.slip(" / max(x.shape[1] - 1, 1)", " / x.shape[1]", "mean over all").says(
    "you divide by n. A particle does not push itself, so n - 1 others push."
)
move.slip(" / max(x.shape[1] - 1, 1)", " / (x.shape[1] - 1)", "alone").says(
    "a particle alone gets 0 / 0. Nobody pushes it: it keeps its `keep * v`."
)

move.slip("apart * push)", "apart * push.transpose(1, 2))", "push of the other").says(
    "the pushes of i on j and of j on i changed places: `push[i, j]` moves particle i."
)


@move.mistake("old velocity", "the particles move by the old velocity. They should move by the new one.")
def _(x, v, keep, push):
    pushed = ((x[:, :, None] - x[:, None]) * push).sum(dim=2) / max(x.shape[1] - 1, 1)
    return x + v, keep * v + pushed


@move.mistake("unit arrows", "the arrows were brought to length 1. The push takes them as they are.")
def _(x, v, keep, push):
    apart = torch.nn.functional.normalize(x[:, :, None] - x[:, None], dim=-1)
    v = keep * v + (apart * push).sum(dim=2) / max(x.shape[1] - 1, 1)
    return x + v, v


@exercise(returns="float", points=1)
def samples_needed(sizes, errors, target):
    logs = [(math.log(n), math.log(e)) for n, e in zip(sizes, errors)]
    goal = math.log(target)
    if logs[0][1] <= goal:
        return float(sizes[0])
    for (n, e), (more, less) in itertools.pairwise(logs):
        if less <= goal:
            return math.exp(n + (more - n) * (goal - e) / (less - e))
    return math.inf


@samples_needed.cases
def _():
    yield "the worked example", [100, 400], [0.4, 0.1], 0.2
    yield "between the second and the third", [50, 100, 500, 3000], [0.5, 0.3, 0.1, 0.05], 0.2
    yield "exactly at a size", [50, 100, 500], [0.5, 0.25, 0.1], 0.25
    yield "reached at once", [50, 100, 500], [0.5, 0.25, 0.1], 0.6
    yield "exactly at the first", [50, 100, 500], [0.5, 0.25, 0.1], 0.5
    yield "exactly at the first, then up", [50, 100], [0.5, 0.7], 0.5
    yield "exactly at the last", [50, 100, 500], [0.5, 0.25, 0.125], 0.125
    yield "never", [50, 100, 500], [0.5, 0.25, 0.1], 0.05
    yield "one size, never", [50], [0.5], 0.1
    yield "up again, then down: the first time counts", [10, 100, 1000, 10000], [0.4, 0.1, 0.3, 0.05], 0.2


@samples_needed.usual
def samples_needed(sizes, errors, target):
    if errors[0] <= target:
        return sizes[0]
    for n, more, e, less in zip(sizes, sizes[1:], errors, errors[1:]):
        if less <= target:
            share = math.log(e / target) / math.log(e / less)
            return n * (more / n) ** share
    return math.inf


samples_needed.slip(
    "math.log(e / target) / math.log(e / less)", "(e - target) / (e - less)", "errors on a plain scale"
).says("the samples are taken on a logarithmic scale, the errors are not. Both axes are logarithmic.")
samples_needed.slip("n * (more / n) ** share", "n + (more - n) * share", "samples on a plain scale").says(
    "the errors are taken on a logarithmic scale, the samples are not. Both axes are logarithmic."
)
samples_needed.slip("return math.inf", "return float(sizes[-1])", "never reached").says(
    "a target below every error was never reached: the answer is infinity."
)
samples_needed.slip("    if errors[0] <= target:\n        return sizes[0]\n", "", "reached at once").says(
    "a target that the smallest size meets needs no line between two sizes: return that size."
)


@samples_needed.mistake("the next size", "this is a size that was tried. Walk along the line between two of them.")
def _(sizes, errors, target):
    return float(next((n for n, e in zip(sizes, errors) if e <= target), math.inf))


@samples_needed.mistake(
    "the last crossing", "where the curve crosses the target more than once, the first crossing counts."
)
def _(sizes, errors, target):
    found = float(sizes[0]) if errors[0] <= target else math.inf
    for n, more, e, less in zip(sizes, sizes[1:], errors, errors[1:]):
        if e > target >= less:
            found = n * (more / n) ** (math.log(e / target) / math.log(e / less))
    return found


@exercise(returns="float tensor (..., 9)", points=2, extreme={"x": 1e4})
def harmonics(x):
    rows = []
    for row in x.reshape(-1, 3):
        a, b, c = row / row.norm()
        one = [math.sqrt(3) * part for part in (a, b, c)]
        five = [a * c, a * b, (2 * b * b - a * a - c * c) / math.sqrt(12), b * c, (c * c - a * a) / 2]
        rows.append(torch.stack([torch.ones_like(a), *one, *(math.sqrt(15) * part for part in five)]))
    return torch.stack(rows).reshape(*x.shape[:-1], 9)


@harmonics.cases
def _():
    yield "the worked example", torch.tensor([0.0, 2.0, 0.0])
    yield "five arrows", numbers(5, 3)
    yield "one arrow in a batch", numbers(1, 3, seed=1)
    yield "pairs of particles", numbers(2, 3, 4, 3, seed=2)
    yield "short arrows", numbers(4, 3, seed=3, scale=1e-3)
    yield "along the axes", torch.cat([torch.eye(3), -torch.eye(3)])


@harmonics.usual
def harmonics(x):
    x, y, z = (x / x.norm(dim=-1, keepdim=True)).unbind(-1)
    five = [x * z, x * y, (3 * y**2 - 1) / 12**0.5, y * z, (z**2 - x**2) / 2]
    three, five = [3**0.5 * part for part in (x, y, z)], [15**0.5 * part for part in five]
    return torch.stack([torch.ones_like(x), *three, *five], dim=-1)


harmonics.slip("x / x.norm(dim=-1, keepdim=True)", "x", "lengths left in").says(
    "longer arrows give larger numbers. Harmonics see the direction alone: bring each arrow to length 1 first."
)
harmonics.slip("3**0.5 * part", "part", "l = 1 not scaled").says(
    "the three of l = 1 lack their factor, the root of 3: their squares should sum to 3."
)
harmonics.slip("15**0.5 * part", "part", "l = 2 not scaled").says(
    "the five of l = 2 lack their factor, the root of 15: their squares should sum to 5."
)
harmonics.slip("(3 * y**2 - 1)", "(3 * z**2 - 1)", "z as the axis").says(
    "the middle one of l = 2 runs along z. Here, as in e3nn, the axis is y."
)
harmonics.slip("(z**2 - x**2)", "(x**2 - z**2)", "sign of the last").says(
    "the last one has the wrong sign: it is positive along z."
)
harmonics.slip("x / x.norm(dim=-1, keepdim=True)", "x / x.norm()", "one length for all").says(
    "all arrows were divided by one length. Each has its own."
)
harmonics.slip("x * z, x * y,", "x * y, x * z,", "order of l = 2").says(
    "right numbers in another order: the first of l = 2 is x z, the second x y."
)
