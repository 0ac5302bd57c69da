"""Thresholds and likenesses, and what a canary proves: a lower bound of epsilon from networks with it and without."""

import math

import torch
from scipy.stats import beta
from torch.nn import functional as F


def share_limits(hits, n, doubt=0.025):
    """Clopper and Pearson's lower and upper limit of a share, each wrong with a chance of at most `doubt`."""
    low = beta.ppf(doubt, hits, n - hits + 1) if hits else 0.0
    high = beta.ppf(1 - doubt, hits + 1, n - hits) if hits < n else 1.0
    return float(low), float(high)


def bound(right, of_members, wrong, of_others, delta):
    """The least epsilon with which so many right and wrong alarms agree, at 95 %; 0 if any does."""
    (low, _), (_, most) = share_limits(right, of_members), share_limits(wrong, of_others)
    pairs = ((low, most), (1 - most, 1 - low))  # alarms, and silences
    return max([0.0] + [math.log((p - delta) / r) for p, r in pairs if p > delta and r > 0])


def audit(scores, inside, delta):
    """Advantage, and lower bound of epsilon, of the best threshold above which a canary is named.

    A threshold is chosen on one half of the networks and judged on the other. The advantage is the mean of both
    ways; the bound is that of the second half alone.

    Args:
        scores: how sure each network is of the canary (m,).
        inside: whether it was trained on the canary (m,).
        delta: the chance in which the promise may fail.

    Raises:
        ValueError: if one of the halves lacks networks of either kind.
    """
    half = len(scores) // 2
    parts = slice(0, half), slice(half, None)
    if any(not inside[part].any() or inside[part].all() for part in parts):
        raise ValueError("inside must have both kinds in each half")

    def alarms(cut, part):
        says, truth = scores[part] > cut, inside[part]
        return int((says & truth).sum()), int(truth.sum()), int((says & ~truth).sum()), int((~truth).sum())

    def gain(counts):
        return counts[0] / counts[1] - counts[2] / counts[3]

    found = []
    for choose, judge in (parts, parts[::-1]):
        order = torch.sort(scores[choose]).values
        cut = max(((order[1:] + order[:-1]) / 2).tolist(), key=lambda cut: gain(alarms(cut, choose)))
        found.append(alarms(cut, judge))
    return sum(map(gain, found)) / 2, bound(*found[0], delta)


def best_cut(values, truth):
    """The threshold with the largest advantage."""
    order = values.flatten().argsort(descending=True)
    true = truth.flatten()[order].double()
    gain = true.cumsum(0) / true.sum() - (1 - true).cumsum(0) / (1 - true).sum()
    return values.flatten()[order[gain.argmax()]]


@torch.no_grad()
def alike(a, b):
    """Correlations (n, m) of images (n, 64) with images (m, 64)."""
    a, b = (F.normalize(z - z.mean(1, keepdim=True), dim=1) for z in (a, b))
    return a @ b.T
