"""What a canary proves: a lower bound of epsilon from networks trained with it and without it."""

import math

import torch
from scipy.stats import beta


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
    """Advantage, and lower bound of epsilon, of the best threshold.

    The threshold and its side are chosen on the first half of the networks and judged on the second.

    Args:
        scores: what each network says of the canary (m,).
        inside: whether it was trained on the canary (m,).
        delta: the chance in which the promise may fail.

    Raises:
        ValueError: if one of the halves lacks networks of either kind.
    """
    half = len(scores) // 2
    if any(not part.any() or part.all() for part in (inside[:half], inside[half:])):
        raise ValueError("inside must have both kinds in each half")

    def alarms(cut, side, part):
        says, truth = side * scores[part] > side * cut, inside[part]
        return int((says & truth).sum()), int(truth.sum()), int((says & ~truth).sum()), int((~truth).sum())

    def gain(counts):
        return counts[0] / counts[1] - counts[2] / counts[3]

    first, second = slice(0, half), slice(half, None)
    middles = torch.sort(scores[:half]).values
    cuts = [(cut, side) for cut in ((middles[1:] + middles[:-1]) / 2).tolist() for side in (1, -1)]
    best = max(cuts, key=lambda pair: gain(alarms(*pair, first)))
    counts = alarms(*best, second)
    return gain(counts), bound(*counts, delta)
