"""Exercises of lesson 38: folds from the past, the least likely tokens, a bootstrap interval, paying for each try."""

from itertools import combinations

import numpy as np
import torch

from .form import exercise


@exercise(returns="list of triples of whole numbers", points=2)
def past_folds(n, folds, gap):
    # from the last test backwards
    size, stop, found = n // (folds + 1), n, []
    for _ in range(folds):
        found.insert(0, (stop - size - gap, stop - size, stop))
        stop -= size
    return found


@past_folds.cases
def _():
    yield "the worked example", 10, 3, 1
    yield "nothing left over, no gap", 12, 3, 0
    yield "three left over", 23, 4, 2
    yield "one fold", 9, 1, 0
    yield "one fold, a gap", 9, 1, 3
    yield "a hundred items", 100, 7, 5
    yield "many small tests", 50, 20, 1
    yield "the smallest", 2, 1, 0
    yield "one below a multiple", 11, 3, 0


@past_folds.usual
def past_folds(n, folds, gap):
    size = n // (folds + 1)
    starts = range(n - folds * size, n, size)
    return [(start - gap, start, start + size) for start in starts]


past_folds.slip("start - gap", "start", "no gap").says("training must stop `gap` items before the test starts.")
past_folds.slip("n // (folds + 1)", "n // folds", "no room to learn").says(
    "the data are cut into `folds + 1` parts: the first test needs something before it to learn from."
)
past_folds.slip(
    "range(n - folds * size, n, size)", "range(size, (folds + 1) * size, size)", "left over at the end"
).says("what is left over belongs to the first training: the last test ends with the last item.")
past_folds.slip("start + size)", "start + size - 1)", "last item, not end").says(
    "the third number is where the test ends, one past its last item."
)
past_folds.slip("start - gap", "start - gap - 1", "gap too wide").says("one item too many is left out before the test.")
past_folds.slip("start - gap", "start - gap + 1", "gap too narrow").says("one item of the gap is used for training.")


@past_folds.mistake("latest first", "the folds are right, in the wrong order: the earliest test comes first.")
def _(n, folds, gap):
    size = n // (folds + 1)
    return [(n - k * size - gap, n - k * size, n - (k - 1) * size) for k in range(1, folds + 1)]


def _logp(rows, tokens, seed):
    return -5 * torch.rand(rows, tokens, generator=torch.Generator().manual_seed(3800 + seed))


@exercise(returns="float tensor (n,)", points=1, extreme={"logp": 1e4})
def least_likely(logp, share):
    # one row after the other
    k, found = int(share * logp.shape[1]), []
    k = k if k > 0 else 1
    for row in logp:
        found.append(sum(torch.sort(row).values[i] for i in range(k)) / k)
    return torch.stack(found) if found else logp.sum(1)


@least_likely.cases
def _():
    yield "the worked example", torch.tensor([[-1.0, -4.0, -2.0, -3.0, -5.0]]), 0.5
    yield "three rows of ten, a fifth", _logp(3, 10, 1), 0.2
    yield "less than one token", _logp(2, 4, 2), 0.1
    yield "all tokens", _logp(4, 7, 3), 1.0
    yield "one token", _logp(3, 1, 4), 0.3
    yield "just below two", _logp(3, 10, 5), 0.19
    yield "a half of nine", _logp(2, 9, 6), 0.5
    yield "three quarters of four", _logp(5, 4, 7), 0.75
    yield "ties", torch.tensor([[-2.0, -2.0, -1.0, -2.0]]), 0.5
    yield "ties at the edge", torch.tensor([[-3.0, -2.0, -2.0, -1.0]]), 0.5
    yield "no row", _logp(0, 5, 8), 0.4


@least_likely.usual
def least_likely(logp, share):
    k = max(1, int(share * logp.shape[1]))
    return logp.sort(1).values[:, :k].mean(1)


least_likely.slip("logp.sort(1)", "logp.sort(1, descending=True)", "most likely").says(
    "these are the most likely tokens. The least likely have the smallest log-likelihoods."
)
least_likely.slip("max(1, int(share * logp.shape[1]))", "int(share * logp.shape[1])", "none").says(
    "for a small share nothing is left to average: take at least one token."
)
least_likely.slip("int(share * logp.shape[1])", "round(share * logp.shape[1])", "rounded").says(
    "the number of tokens is rounded down, not to the nearest."
)
least_likely.slip(":k].mean(1)", ":k].sum(1)", "sum").says("the mean is asked for, not the sum.")
least_likely.slip("[:, :k]", "[:, k - 1 : k]", "the k-th alone").says(
    "average all k tokens, not only the last of them."
)
least_likely.slip("logp.sort(1).values[:, :k]", "logp[:, :k]", "unsorted").says(
    "the first tokens were taken, not the least likely."
)


@least_likely.mistake(
    "all rows at once", "the least likely tokens of all rows together were taken; each row has its own."
)
def _(logp, share):
    k = max(1, int(share * logp.shape[1]))
    return logp.flatten().sort().values[:k].mean().expand(len(logp)).clone()


def _redraws(draws, n, seed):
    draw = np.random.default_rng([38, seed])
    return draw.normal(size=n), draw.integers(n, size=(draws, n))


@exercise(returns="two floats", points=1)
def percentile_interval(values, rows, level):
    # mean after mean, then sorted, then between two neighbours
    means = sorted(sum(float(values[i]) for i in row) / len(row) for row in rows)
    ends = []
    for place in ((1 - level) / 2, (1 + level) / 2):
        at = place * (len(means) - 1)
        below = min(int(at), len(means) - 1)
        above = min(below + 1, len(means) - 1)
        ends.append(means[below] + (at - below) * (means[above] - means[below]))
    return tuple(ends)


@percentile_interval.cases
def _():
    yield "the worked example", np.array([0.0, 1.0]), np.array([[0, 0], [0, 1], [1, 1]]), 0.5
    yield "forty draws of nine", *_redraws(40, 9, 1), 0.95
    yield "a narrow level", *_redraws(25, 6, 2), 0.2
    yield "ninety percent", *_redraws(101, 5, 3), 0.9
    yield "one draw", *_redraws(1, 4, 4), 0.95
    yield "one value", *_redraws(7, 1, 5), 0.95
    yield "hits and misses", (np.arange(20) % 5 > 0).astype(float), _redraws(60, 20, 6)[1], 0.95
    yield "fewer draws than values", *_redraws(4, 11, 7), 0.8


@percentile_interval.usual
def percentile_interval(values, rows, level):
    low, high = np.quantile(values[rows].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return low, high


percentile_interval.slip("[(1 - level) / 2, (1 + level) / 2]", "[1 - level, level]", "one side each").says(
    "all of 1 - level lies on each side. It is shared: half of it below, half above."
)
percentile_interval.slip(".mean(1), [", ".flatten(), [", "items").says(
    "these are quantiles of single values. Take the mean of each redraw first."
)
percentile_interval.slip(".mean(1), [", ".mean(0), [", "wrong axis").says(
    "the mean runs over the draws. It runs along each row."
)
percentile_interval.slip(".mean(1), [", ".sum(1), [", "sums").says("the means are asked for, not the sums.")
percentile_interval.slip("return low, high", "return high, low", "swapped").says(
    "the two ends changed places: low comes first, then high."
)


@percentile_interval.mistake(
    "normal curve", "mean and 1.96 standard deviations is another interval. Take quantiles of the means."
)
def _(values, rows, level):
    from scipy.stats import norm

    means = values[rows].mean(1)
    half = norm.ppf((1 + level) / 2) * means.std()
    return float(means.mean() - half), float(means.mean() + half)


@exercise(returns="float array (m,)", points=2)
def holm(p):
    # an idea is rejected when every set of ideas that holds it is rejected by Bonferroni: the worst such set
    found = []
    for i in range(len(p)):
        others = [j for j in range(len(p)) if j != i]
        sets = [(i, *more) for size in range(len(p)) for more in combinations(others, size)]
        found.append(max(min(1.0, len(s) * min(float(p[j]) for j in s)) for s in sets))
    return np.array(found, dtype=float)


@holm.cases
def _():
    draw = np.random.default_rng(38)
    yield "the worked example", np.array([0.03, 0.01, 0.04])
    yield "in order", np.array([0.001, 0.02, 0.3])
    yield "from the largest", np.array([0.9, 0.2, 0.01, 0.004])
    yield "one", np.array([0.2])
    yield "none", np.array([])
    yield "ties", np.array([0.02, 0.5, 0.02, 0.02])
    yield "above one", np.array([0.6, 0.7, 0.8])
    yield "zero and one", np.array([1.0, 0.0, 0.5])
    yield "seven small ones", draw.random(7) / 20
    yield "six of all sizes", draw.random(6)


@holm.usual
def holm(p):
    order = np.argsort(p)
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(raised, 1)
    return found


holm.slip("found[order] = np.minimum(raised, 1)", "found[:] = np.minimum(raised, 1)", "sorted").says(
    "the results are in sorted order. Put each back where its p-value stood."
)
holm.slip("p[order] * np.arange(len(p), 0, -1)", "p[order] * len(p)", "Bonferroni").says(
    "every p-value was multiplied by m: that is Bonferroni. The next smallest pays m - 1, and so on."
)
holm.slip(
    "np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))",
    "p[order] * np.arange(len(p), 0, -1)",
    "no running maximum",
).says("a result may not be smaller than the one before it in sorted order.")
holm.slip("np.minimum(raised, 1)", "raised", "above one").says("a p-value is at most 1.")
holm.slip("np.arange(len(p), 0, -1)", "np.arange(1, len(p) + 1)", "wrong way round").says(
    "the smallest p-value is multiplied by m, the largest by 1."
)
holm.slip("np.arange(len(p), 0, -1)", "np.arange(len(p) - 1, -1, -1)", "one too few").says(
    "the multipliers run from m to 1; yours end at 0."
)


@holm.mistake(
    "Benjamini and Hochberg",
    "this limits the share of false discoveries, not the chance of any. Holm multiplies by m, m - 1, …",
)
def _(p):
    order = np.argsort(p)
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty(len(p))
    found[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1)
    return found


@holm.mistake(
    "back by the wrong order", "the results went back by the order itself; use `found[order] = …`, or sort the order."
)
def _(p):
    order = np.argsort(p)
    return np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)[order]
