"""Exercises of lesson 23, climate downscaling: known means, power by rings, the score of an ensemble, an area."""

import math

import torch

from .form import exercise


def numbers(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@exercise(returns="float tensor, shape of `fine`", points=2)
def match_blocks(fine, coarse):
    """Block by block."""
    rows, columns = coarse.shape[-2:]
    f = fine.shape[-1] // columns
    lines = []
    for r in range(rows):
        line = []
        for c in range(columns):
            block = fine[..., r * f : (r + 1) * f, c * f : (c + 1) * f]
            mean = block.sum((-2, -1), keepdim=True) / f**2
            line.append(block + coarse[..., r : r + 1, c : c + 1] - mean)
        lines.append(torch.cat(line, dim=-1))
    return torch.cat(lines, dim=-2)


@match_blocks.cases
def _():
    yield "the worked example", torch.tensor([[1.0, 2], [3, 6]]), torch.tensor([[5.0]])
    yield "one channel, blocks of 4", numbers(2, 1, 8, 8), numbers(2, 1, 2, 2, seed=1)
    yield "wider than high", numbers(3, 4, 12, seed=2), numbers(3, 2, 6, seed=3)
    yield "higher than wide", numbers(9, 3, seed=4), numbers(3, 1, seed=5)
    yield "factor 1", numbers(2, 3, 5, seed=6), numbers(2, 3, 5, seed=7)
    yield "an ensemble", numbers(4, 2, 1, 6, 6, seed=8), numbers(4, 2, 1, 2, 2, seed=9)


@match_blocks.usual
def match_blocks(fine, coarse):
    factor = fine.shape[-1] // coarse.shape[-1]
    blocks = fine.unflatten(-1, (-1, factor)).unflatten(-3, (-1, factor))
    lack = coarse - blocks.mean((-3, -1))
    return fine + lack.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


match_blocks.slip("coarse - blocks.mean((-3, -1))", "blocks.mean((-3, -1)) - coarse", "sign").says(
    "the means moved away from the coarse values. Add what a block lacks: the coarse value less its mean."
)
match_blocks.slip(
    "lack.repeat_interleave(factor, -2).repeat_interleave(factor, -1)",
    "lack.repeat(*[1] * (lack.dim() - 2), factor, factor)",
    "tiled",
).says("the shifts are laid out as tiles, over and over. Each shift belongs to one block: repeat element by element.")
match_blocks.slip("coarse - blocks.mean((-3, -1))", "coarse", "added").says(
    "the coarse values were added whole. A block already has a mean; add the difference alone."
)
match_blocks.slip("blocks.mean((-3, -1))", "blocks.mean((-3, -1)).mean((-2, -1), keepdim=True)", "one mean").says(
    "the mean of the whole field was taken away. Each block has a mean of its own."
)


@match_blocks.mistake("flat", "every block is flat. Keep the fine field's detail and shift it.")
def _(fine, coarse):
    factor = fine.shape[-1] // coarse.shape[-1]
    return coarse.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


@match_blocks.mistake("scaled", "the blocks were multiplied to their means. Add one number to each block.")
def _(fine, coarse):
    factor = fine.shape[-1] // coarse.shape[-1]
    share = coarse / fine.unflatten(-1, (-1, factor)).unflatten(-3, (-1, factor)).mean((-3, -1))
    return fine * share.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


@exercise(
    returns="float tensor (..., n // 2 + 1)",
    points=2,
    equivalent_mutants=["-1 -> -2 in n = field.shape[-1]"],  # the field is square
)
def ring_power(field):
    """Pair by pair of wave numbers."""
    n = field.shape[-1]
    found = torch.fft.fft2(field)
    rings = [torch.zeros_like(found[..., 0, 0].real) for _ in range(n // 2 + 1)]
    for row in range(n):
        for column in range(n):
            y, x = (k if k < (n + 1) // 2 else k - n for k in (row, column))
            ring = round(math.sqrt(y * y + x * x))
            if ring <= n // 2:
                value = found[..., row, column]
                rings[ring] = rings[ring] + (value.real**2 + value.imag**2) / n**4
    return torch.stack(rings, dim=-1)


@ring_power.cases
def _():
    wave = torch.cos(2 * math.pi * torch.arange(8) / 8)
    yield "the worked example", wave.expand(8, 8).contiguous()
    yield "noise", numbers(2, 1, 8, 8)
    yield "an odd side", numbers(3, 7, 7, seed=1)
    yield "a larger field", numbers(16, 16, seed=2)
    yield "a batch of one", numbers(1, 6, 6, seed=3)
    yield "one cell", numbers(2, 1, 1, seed=4)
    yield "two cells", numbers(1, 2, 2, seed=5)


@ring_power.usual
def ring_power(field):
    n = field.shape[-1]
    power = torch.fft.fft2(field).abs() ** 2 / n**4
    k = torch.fft.fftfreq(n) * n
    ring = torch.hypot(k[:, None], k).round()  # (n, n)
    return torch.stack([power[..., ring == q].sum(-1) for q in range(n // 2 + 1)], dim=-1)


ring_power.slip("/ n**4", "/ n**2", "divisor").says(
    "the powers add up to n squared times the field's mean square. The squared transform is divided by n to the fourth."
)
ring_power.slip(".sum(-1) for q", ".mean(-1) for q", "mean of a ring").says(
    "you took the mean of each ring. Add its powers up, so that all rings together are the field's variation."
)
ring_power.slip(".abs() ** 2", ".abs()", "not squared").says("this is the amplitude. Power is its square.")
ring_power.slip("torch.hypot(k[:, None], k).round()", "torch.hypot(k[:, None], k).floor()", "rounded down").says(
    "the rings end at whole numbers. Round to the nearest: ring 1 holds what lies between 0.5 and 1.5."
)
ring_power.slip("range(n // 2 + 1)", "range(1, n // 2 + 1)", "no mean").says(
    "ring 0, the mean of the field, is missing at the front."
)
ring_power.slip("torch.fft.fftfreq(n) * n", "torch.arange(n).float()", "no negative waves").says(
    "the second half of the transform holds negative wave numbers: -1 is a long wave, not a short one."
)


@ring_power.mistake(
    "squares", "these are square rings, by the larger of both wave numbers. Take the length of the pair."
)
def _(field):
    n = field.shape[-1]
    power = torch.fft.fft2(field).abs() ** 2 / n**4
    k = (torch.fft.fftfreq(n) * n).abs()
    ring = torch.maximum(k[:, None], k).round()
    return torch.stack([power[..., ring == q].sum(-1) for q in range(n // 2 + 1)], dim=-1)


@exercise(returns="float tensor, shape of `truth`", points=2)
def crps(members, truth):
    m = len(members)
    score = torch.zeros_like(truth)
    for i in range(m):
        score = score + (members[i] - truth).abs() / m
        for j in range(m):
            if j != i:
                score = score - (members[i] - members[j]).abs() / (2 * m * (m - 1))
    return score


@crps.cases
def _():
    yield "the worked example", torch.tensor([1.0, 3]), torch.tensor(2.0)
    yield "five members, three places", numbers(5, 3), numbers(3, seed=1)
    yield "two members", numbers(2, 4, seed=2), numbers(4, seed=3)
    yield "fields", numbers(4, 2, 1, 3, 3, seed=4), numbers(2, 1, 3, 3, seed=5)
    yield "truth far away", numbers(6, 5, seed=6), 10 + numbers(5, seed=7)
    yield "as many members as places", numbers(3, 3, seed=8), numbers(3, seed=9)


@crps.usual
def crps(members, truth):
    m = len(members)
    apart = (members[:, None] - members).abs().sum((0, 1)) / (m * (m - 1))
    return (members - truth).abs().mean(0) - apart / 2


crps.slip("(m * (m - 1))", "m**2", "not fair").says(
    "right but for the divisor: m squared counts each member's distance to itself. The fair score has m (m - 1)."
)
crps.slip("apart / 2", "apart", "no half").says("the distance between members counts by half.")
crps.slip("mean(0) - apart / 2", "mean(0)", "no spread").says(
    "this is the mean error of the members. An ensemble gets back half of the distance between its members."
)
crps.slip("mean(0) - apart / 2", "mean(0) + apart / 2", "sign").says(
    "spread was punished. The second term is taken away."
)
crps.slip("(members - truth).abs().mean(0)", "(members.mean(0) - truth).abs()", "mean first").says(
    "the first term is the error of the members' mean. Take each member's distance to the truth, then the mean."
)
crps.slip(".abs().sum((0, 1))", ".square().sum((0, 1))", "squares").says(
    "the distances between members were squared. Both terms are absolute differences."
)


@crps.mistake("mean over places", "you took the mean over the places. Keep them: one score a place.")
def _(members, truth):
    m = len(members)
    apart = (members[:, None] - members).abs().sum((0, 1)) / (m * (m - 1))
    return ((members - truth).abs().mean(0) - apart / 2).mean()


@exercise(returns="two floats: the share and its standard error", points=1)
def adjusted_area(mapped, right, checked, missed, checked_rest):
    a, b = right / checked, missed / checked_rest
    variance = (mapped**2) * (a - a * a) / (checked - 1)
    variance += ((1 - mapped) ** 2) * (b - b * b) / (checked_rest - 1)
    return mapped * a + b - mapped * b, math.sqrt(variance)


@adjusted_area.cases
def _():
    yield "the worked example", 0.5, 1, 2, 0, 10
    yield "errors of both kinds", 0.1, 80, 100, 6, 300
    yield "nothing mapped", 0.0, 5, 10, 3, 50
    yield "all mapped", 1.0, 30, 50, 1, 20
    yield "a perfect map", 0.2, 40, 40, 0, 60
    yield "a map that is always wrong", 0.3, 0, 40, 60, 60
    yield "two cells each", 0.4, 1, 2, 1, 2


@adjusted_area.usual
def adjusted_area(mapped, right, checked, missed, checked_rest):
    inside, outside = right / checked, missed / checked_rest
    share = mapped * inside + (1 - mapped) * outside
    doubt = mapped**2 * inside * (1 - inside) / (checked - 1)
    doubt += (1 - mapped) ** 2 * outside * (1 - outside) / (checked_rest - 1)
    return share, doubt**0.5


adjusted_area.slip("mapped * inside + (1 - mapped) * outside", "mapped * inside", "missed forgotten").says(
    "the losses that the map missed are left out. They are a share of all the rest, which is large."
)
adjusted_area.slip("return share, doubt**0.5", "return share, doubt", "variance").says(
    "this is the squared standard error. Take its root."
)
adjusted_area.slip("inside * (1 - inside) / (checked - 1)", "inside * (1 - inside) / checked", "n for n - 1").says(
    "the variance inside is divided by n. Divide it by n - 1."
)
adjusted_area.slip("(1 - mapped) ** 2 * outside", "(1 - mapped) * outside", "weight not squared").says(
    "in a variance a weight is squared."
)


@adjusted_area.mistake("pooled", "all checked cells were thrown together. The map's two parts have their own weights.")
def _(mapped, right, checked, missed, checked_rest):
    n = checked + checked_rest
    share = (right + missed) / n
    return share, (share * (1 - share) / (n - 1)) ** 0.5


@adjusted_area.mistake("errors added", "the two standard errors were added. Add their squares, then take the root.")
def _(mapped, right, checked, missed, checked_rest):
    inside, outside = right / checked, missed / checked_rest
    one = mapped * (inside * (1 - inside) / (checked - 1)) ** 0.5
    two = (1 - mapped) * (outside * (1 - outside) / (checked_rest - 1)) ** 0.5
    return mapped * inside + (1 - mapped) * outside, one + two
