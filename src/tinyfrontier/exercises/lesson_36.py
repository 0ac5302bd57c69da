"""Exercises of lesson 36: a likelihood ratio, a clipped sum, a Renyi divergence, masks that cancel."""

import math

import torch

from .form import exercise


def _draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3600 + seed))


def _sides(shadows, n, seed=0):
    """Members (shadows, n): each example at least once inside and once outside."""
    inside = _draw(shadows, n, seed=seed) > 0
    inside[0], inside[1] = True, False
    return inside


@exercise(returns="float tensor (targets, n)", points=2, no_gradient="an attack that trains nothing")
def lira(seen, inside, aimed):
    # one example after the other
    columns = []
    for k in range(seen.shape[1]):
        ins = [c for c, m in zip(seen[:, k].tolist(), inside[:, k].tolist()) if m]
        outs = [c for c, m in zip(seen[:, k].tolist(), inside[:, k].tolist()) if not m]
        mean_in, mean_out = math.fsum(ins) / len(ins), math.fsum(outs) / len(outs)
        squares = [(c - mean_in) ** 2 for c in ins] + [(c - mean_out) ** 2 for c in outs]
        spread = math.fsum(squares) / len(squares) + 1e-6
        columns.append([((a - mean_out) ** 2 - (a - mean_in) ** 2) / (2 * spread) for a in aimed[:, k].tolist()])
    return torch.tensor(columns, dtype=seen.dtype).view(seen.shape[1], len(aimed)).T.clone()


@lira.cases
def _():
    two = torch.tensor([True, True, False, False])[:, None]
    yield "the worked example", torch.tensor([[3.0], [5.0], [0.0], [2.0]]), two, torch.tensor([[4.0]])
    for n, (shadows, count, targets) in enumerate([(6, 4, 3), (5, 1, 2), (9, 7, 1), (8, 3, 8)]):
        seen, inside = _draw(shadows, count, seed=10 + n), _sides(shadows, count, 20 + n)
        yield (
            f"{shadows} shadows, {count} examples, {targets} targets",
            seen,
            inside,
            _draw(targets, count, seed=30 + n),
        )
    seen, inside = _draw(6, 3, seed=40), _sides(6, 3, 41)
    yield "one shadow inside", seen, torch.arange(6)[:, None].expand(6, 3) == 0, _draw(2, 3, seed=42)
    yield "one shadow outside", seen, torch.arange(6)[:, None].expand(6, 3) != 0, _draw(2, 3, seed=43)
    yield "shadows that agree", torch.where(inside, 1.0, 0.5), inside, torch.tensor([[0.5, 0.75, 1.0]])
    yield "confidences of 30", 30 + seen, inside, 30 + _draw(2, 3, seed=44)
    yield "no target", seen, inside, torch.zeros(0, 3)


@lira.usual
def lira(seen, inside, aimed):
    mean_in = (seen * inside).sum(0) / inside.sum(0)
    mean_out = (seen * ~inside).sum(0) / (~inside).sum(0)
    spread = (seen - torch.where(inside, mean_in, mean_out)).square().mean(0) + 1e-6
    return ((aimed - mean_out) ** 2 - (aimed - mean_in) ** 2) / (2 * spread)


lira.slip(
    "(aimed - mean_out) ** 2 - (aimed - mean_in) ** 2", "(aimed - mean_in) ** 2 - (aimed - mean_out) ** 2", "swapped"
).says("the sign is the wrong way round: close to the members' mean has to count for membership.")
lira.slip("(seen * inside).sum(0) / inside.sum(0)", "(seen * inside).mean(0)", "mean over all").says(
    "the members' mean was divided by the number of all shadows; divide by the number inside."
)
lira.slip("/ (2 * spread)", "/ spread", "no two").says("a Gaussian's exponent has twice the variance below the line.")
lira.slip("square().mean(0) + 1e-6", "square().mean(0).sqrt() + 1e-6", "deviation").says(
    "the squares are divided by the deviation; the variance belongs there."
)
lira.slip("torch.where(inside, mean_in, mean_out)", "seen.mean(0)", "one mean").says(
    "the variance was taken around the mean of all shadows. Each shadow is measured from the mean of its own side."
)
lira.slip(
    "(seen - torch.where(inside, mean_in, mean_out)).square().mean(0) + 1e-6",
    "(seen - torch.where(inside, mean_in, mean_out)).square().sum(0) / (len(seen) - 1) + 1e-6",
    "n - 1",
).says("the variance was divided by one less than the number of shadows. It is a plain mean over all of them.")
lira.slip(
    "(seen - torch.where(inside, mean_in, mean_out)).square().mean(0) + 1e-6",
    "(seen - torch.where(inside, mean_in, mean_out)).square().sum(0) / max(len(seen) - 2, 1) + 1e-6",
    "n - 2",
).says("the variance was divided by two less than the number of shadows. It is a plain mean over all of them.")
lira.slip(
    "(seen - torch.where(inside, mean_in, mean_out)).square().mean(0) + 1e-6",
    "((seen - mean_out).square() * ~inside).sum(0) / (~inside).sum(0) + 1e-6",
    "outsiders only",
).says("the variance was taken from the shadows outside alone. Both sides count, each around its own mean.")
lira.slip("(2 * spread)", "(2 * spread - 1e-6)", "added once").says(
    "1e-6 belongs to the variance, which is then doubled: 2 (v + 1e-6), not 2 v + 1e-6."
)
lira.slip(" + 1e-6", "", "nothing added").says("add 1e-6 to the variance: where shadows agree it is zero.")
lira.slip("square().mean(0)", "square().mean()", "shared by all").says(
    "the variance was shared by all examples. Each example has its own."
)


@lira.mistake("two variances", "each side got a variance of its own. Here both sides share one.")
def _(seen, inside, aimed):
    def side(m):
        mean = (seen * m).sum(0) / m.sum(0)
        spread = ((seen - mean).square() * m).sum(0) / m.sum(0) + 1e-6
        return -((aimed - mean) ** 2) / (2 * spread) - spread.log() / 2

    return side(inside) - side(~inside)


@lira.mistake(
    "mean of two",
    "the variances of the two sides were averaged. Each shadow counts once: a side with more counts more.",
)
def _(seen, inside, aimed):
    mean_in = (seen * inside).sum(0) / inside.sum(0)
    mean_out = (seen * ~inside).sum(0) / (~inside).sum(0)
    one = ((seen - mean_in).square() * inside).sum(0) / inside.sum(0)
    two = ((seen - mean_out).square() * ~inside).sum(0) / (~inside).sum(0)
    return ((aimed - mean_out) ** 2 - (aimed - mean_in) ** 2) / (one + two + 2e-6)


@lira.mistake(
    "moments", "the mean of squares less the square of a mean cancels in float32. Subtract before you square."
)
def _(seen, inside, aimed):
    mean_in = (seen * inside).sum(0) / inside.sum(0)
    mean_out = (seen * ~inside).sum(0) / (~inside).sum(0)
    many, n = inside.sum(0), len(seen)
    spread = (seen**2).mean(0) - (many * mean_in**2 + (n - many) * mean_out**2) / n + 1e-6
    return ((aimed - mean_out) ** 2 - (aimed - mean_in) ** 2) / (2 * spread)


@exercise(
    returns="list of float tensors, the shapes of `grads` without their first axis",
    points=2,
    no_gradient="private training differentiates no further",
)
def clip_and_add(grads, clip):
    # one sample after the other
    totals = [torch.zeros_like(g[0]) if len(g) else g.new_zeros(g.shape[1:]) for g in grads]
    for i in range(len(grads[0])):
        length = math.sqrt(math.fsum(v * v for g in grads for v in g[i].flatten().tolist()))
        factor = clip / length if length > clip else 1.0
        totals = [total + factor * g[i] for total, g in zip(totals, grads)]
    return totals


@clip_and_add.cases
def _():
    yield "the worked example", [torch.tensor([[3.0, 0.0], [0.3, 0.0]]), torch.tensor([[4.0], [0.4]])], 1.0
    yield "a matrix and a vector", [_draw(5, 3, 2, seed=50), _draw(5, 3, seed=51)], 1.0
    yield "four tensors", [_draw(3, *s, seed=52 + len(s)) for s in ((4, 2), (4,), (2, 4), (2,))], 0.5
    yield "one sample", [_draw(1, 4, seed=56), _draw(1, 1, seed=57)], 0.1
    yield "all of them short", [0.01 * _draw(4, 3, seed=58), 0.01 * _draw(4, 1, seed=59)], 2.0
    yield "exactly as long as allowed", [torch.tensor([[3.0], [3.0]]), torch.tensor([[4.0], [4.0]])], 5.0
    yield "a sample without gradient", [torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.zeros(2, 1)], 1.0
    yield (
        "samples of very different lengths",
        [_draw(4, 3, seed=60) * torch.tensor([1e-6, 1.0, 1e3, 1e6])[:, None]],
        1.0,
    )
    yield "no sample", [torch.zeros(0, 3, 2), torch.zeros(0, 3)], 1.0


@clip_and_add.usual
def clip_and_add(grads, clip):
    length = sum(g.flatten(1).square().sum(1) for g in grads).sqrt()
    factor = (clip / length).clamp(max=1)
    return [torch.einsum("n,n...->...", factor, g) for g in grads]


clip_and_add.slip(".clamp(max=1)", "", "stretched").says(
    "short gradients were stretched to the limit. Those that are short enough stay as they are."
)
clip_and_add.slip(".square().sum(1) for g in grads).sqrt()", ".norm(dim=1) for g in grads)", "sum of lengths").says(
    "the lengths of the tensors were added. A gradient is one long vector: add squares, then take the root."
)
clip_and_add.slip("factor = (clip / length).clamp(max=1)", "factor = torch.ones_like(length)", "unclipped").says(
    "nothing was clipped: a gradient longer than `clip` has to be shortened."
)
clip_and_add.slip("factor, g) for", "factor, g) / len(g) for", "mean").says(
    "return the sum over samples, not the mean."
)


clip_and_add.slip(".sum(1) for g in grads).sqrt()", ".sum(1) for g in grads)", "no root").says(
    "the length lacks its square root."
)
clip_and_add.slip("for g in grads).sqrt()", "for g in grads[:1]).sqrt()", "first tensor").says(
    "only the first tensor counts in the length. All of them do."
)


@clip_and_add.mistake("clipped after adding", "the sum was clipped. Each sample has to be, before anything is added.")
def _(grads, clip):
    totals = [g.sum(0) for g in grads]
    length = sum(t.square().sum() for t in totals).sqrt()
    return [t * (clip / length).clamp(max=1) for t in totals]


@clip_and_add.mistake(
    "each tensor alone", "each tensor was clipped by itself. The limit is for all of a sample's gradient."
)
def _(grads, clip):
    sums = []
    for g in grads:
        length = g.flatten(1).norm(dim=1)
        sums.append(torch.einsum("n,n...->...", (clip / length).clamp(max=1), g))
    return sums


@clip_and_add.mistake(
    "each number", "each number was cut off by itself, which turns the gradient. Scale all of it alike."
)
def _(grads, clip):
    return [g.clamp(-clip, clip).sum(0) for g in grads]


@exercise(
    returns="float",
    points=3,
    tolerance=1e-8,
)
def divergence(alpha, q, sigma):
    # the sum as it stands, in whole numbers and exact fractions of any size
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec = 60
        total, share = Decimal(0), Decimal(q)
        for k in range(alpha + 1):
            rest = Decimal(1) if k == alpha else (1 - share) ** (alpha - k)
            drawn = Decimal(1) if k == 0 else share**k
            weight = Decimal(math.comb(alpha, k)) * rest * drawn
            total += weight * (Decimal(k * (k - 1)) / (2 * Decimal(sigma) ** 2)).exp()
        return float(total.ln() / (alpha - 1))


@divergence.cases
def _():
    yield "the worked example", 2, 0.5, 1.0
    yield "a hundredth drawn", 8, 0.01, 1.0
    yield "half of them drawn", 16, 0.5, 4.0
    yield "all drawn", 4, 1.0, 2.0
    yield "all drawn, high order", 64, 1.0, 0.5
    yield "none drawn", 4, 0.0, 1.0
    yield "none drawn, high order", 64, 0.0, 0.2
    yield "lowest order", 2, 0.1, 0.8
    yield "odd order", 33, 0.2, 1.5
    yield "little noise", 64, 0.25, 0.2
    yield "much noise", 32, 0.25, 20.0
    yield "order 256", 256, 0.02, 1.1


@divergence.usual
def divergence(alpha, q, sigma):
    k = torch.arange(alpha + 1, dtype=torch.float64)
    top = torch.tensor(alpha + 1.0, dtype=torch.float64)
    ways = top.lgamma() - (k + 1).lgamma() - (top - k).lgamma()
    share = torch.tensor(q, dtype=torch.float64)
    chance = torch.xlogy(k, share) + torch.xlogy(alpha - k, 1 - share)
    grown = ways + chance + k * (k - 1) / (2 * sigma**2)
    return (grown.logsumexp(0) / (alpha - 1)).item()


divergence.slip("k * (k - 1) / (2", "k * (k + 1) / (2", "plus one").says("the exponent has k (k - 1), not k (k + 1).")
divergence.slip("k * (k - 1) / (2 *", "k * (k - 1) / (", "no two").says("the exponent is divided by two sigma squared.")
divergence.slip("sigma**2", "sigma", "sigma not squared").says("sigma has to be squared: the variance counts.")
divergence.slip("/ (alpha - 1)", "/ alpha", "by alpha").says("divide the logarithm by alpha - 1.")
divergence.slip("grown.logsumexp(0) / (alpha - 1)", "grown.logsumexp(0)", "undivided").says(
    "the logarithm still has to be divided by alpha - 1."
)
divergence.slip(
    "torch.xlogy(k, share) + torch.xlogy(alpha - k, 1 - share)",
    "torch.xlogy(alpha - k, share) + torch.xlogy(k, 1 - share)",
    "swapped",
).says("q and 1 - q are swapped: k counts how often the sample was drawn.")
divergence.slip("ways + chance", "chance", "no binomial").says(
    "the binomial coefficients are missing: each k can come about in many ways."
)
divergence.slip("grown.logsumexp(0)", "grown[1:].logsumexp(0)", "from one").says("the sum starts at k = 0.")
divergence.slip("grown.logsumexp(0)", "grown[:-1].logsumexp(0)", "no last").says(
    "the sum goes on to k = alpha, included."
)
divergence.slip("grown.logsumexp(0)", "grown.max()", "largest").says(
    "only the largest term was taken; the logarithm is that of the sum."
)
divergence.slip(
    "torch.tensor(q, dtype=torch.float64)",
    "torch.tensor(min(max(q, 1e-12), 1 - 1e-12), dtype=torch.float64)",
    "clamped",
).says("`q` was kept away from 0 and 1. Both ends are allowed, and a power of zero by zero is one.")
divergence.slip("grown.logsumexp(0)", "grown.exp().sum().log()", "overflow").says(
    "right for small exponents, but the exponential of a thousand is infinity. Stay in logarithms."
)


@exercise(
    returns="int64 tensor, shape of `update`, from 0 to `size` - 1",
    points=2,
    no_gradient="whole numbers",
)
def masked(update, me, shared, size):
    # one number after the other
    found = []
    for k, value in enumerate(update.tolist()):
        for other in range(len(shared)):
            if other > me:
                value += int(shared[other, k])
            elif other < me:
                value -= int(shared[other, k])
        found.append(value % size)
    return torch.tensor(found, dtype=torch.int64)


def _whole(*shape, size, seed):
    return torch.randint(0, size, shape, generator=torch.Generator().manual_seed(3660 + seed))


@masked.cases
def _():
    yield "the worked example", torch.tensor([7]), 1, torch.tensor([[5], [9], [4]]), 10
    for n, (clients, me, count, size) in enumerate([(4, 0, 3, 100), (4, 3, 3, 100), (5, 2, 1, 7), (2, 1, 6, 2**32)]):
        update, shared = _whole(count, size=size, seed=n), _whole(clients, count, size=size, seed=10 + n)
        yield f"client {me} of {clients}, {count} numbers below {size}", update, me, shared, size
    yield "alone", _whole(4, size=50, seed=20), 0, _whole(1, 4, size=50, seed=21), 50
    yield "goes below zero", torch.tensor([0, 1]), 2, torch.tensor([[9, 9], [8, 8], [7, 7]]), 10
    yield "goes above the size", torch.tensor([9, 9]), 0, torch.tensor([[1, 2], [9, 8], [9, 9]]), 10
    yield "lands on the size", torch.tensor([4]), 0, torch.tensor([[3], [6]]), 10
    yield (
        "many clients, numbers below 2**32",
        _whole(5, size=2**32, seed=22),
        17,
        _whole(40, 5, size=2**32, seed=23),
        2**32,
    )
    yield (
        "numbers below 4,000,000,007",
        _whole(5, size=4_000_000_007, seed=24),
        2,
        _whole(6, 5, size=4_000_000_007, seed=25),
        4_000_000_007,
    )
    yield "no numbers", torch.zeros(0, dtype=torch.int64), 1, torch.zeros(3, 0, dtype=torch.int64), 10


@masked.usual
def masked(update, me, shared, size):
    return (update + shared[me + 1 :].sum(0) - shared[:me].sum(0)) % size


masked.slip("shared[me + 1 :]", "shared[me:]", "own row").says(
    "row `me` was added too. A client shares no secret with itself."
)
masked.slip("- shared[:me].sum(0)", "+ shared[:me].sum(0)", "never cancels").says(
    "every secret was added, on both sides. One of the two has to subtract it, or nothing cancels."
)
masked.slip(" % size", "", "not wrapped").says("the result has to be wrapped into 0 to `size` - 1.")
masked.slip(
    "shared[me + 1 :].sum(0) - shared[:me].sum(0)", "shared[:me].sum(0) - shared[me + 1 :].sum(0)", "signs"
).says("the signs are the other way round: add what is shared with later clients, subtract the earlier ones'.")
masked.slip("shared[me + 1 :].sum(0) - shared[:me].sum(0)", "shared[me + 1 :].sum(0)", "half").says(
    "only later clients count here. What is shared with earlier ones has to be subtracted."
)


@masked.mistake("clamped", "numbers past the ends were cut off. They have to wrap around, or the sum is lost.")
def _(update, me, shared, size):
    return (update + shared[me + 1 :].sum(0) - shared[:me].sum(0)).clamp(0, size - 1)


@masked.mistake("sign kept", "below zero the remainder kept its minus sign; the result runs from 0 to `size` - 1.")
def _(update, me, shared, size):
    return torch.fmod(update + shared[me + 1 :].sum(0) - shared[:me].sum(0), size)


@masked.mistake("int32", "the numbers went through int32, which wraps at 2**32 whatever `size` is. Stay in int64.")
def _(update, me, shared, size):
    return ((update.int() + shared[me + 1 :].int().sum(0) - shared[:me].int().sum(0)) % size).long()


@masked.mistake("neighbours", "only the next and the previous client count here. All of them share a secret with you.")
def _(update, me, shared, size):
    after, before = shared[me + 1 : me + 2].sum(0), shared[max(me - 1, 0) : me].sum(0)
    return (update + after - before) % size


@masked.mistake("one wrap", "`size` was added or taken off once. With many clients the sum can be many sizes away.")
def _(update, me, shared, size):
    told = update + shared[me + 1 :].sum(0) - shared[:me].sum(0)
    return torch.where(told < 0, told + size, torch.where(told >= size, told - size, told))
