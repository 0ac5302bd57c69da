"""Exercises of lesson 32: a conformal bar, the same with weights, and how far answers disagree."""

import math
from collections import Counter

import numpy as np

from .form import exercise


def _chance(seed):
    return np.random.default_rng([32, seed])


@exercise(returns="float", points=2)
def threshold(scores, level):
    # the smallest score that enough of the others do not exceed, counted one by one
    n, wanted = len(scores), (len(scores) + 1) * level - 1e-9
    bars = [float(s) for s in scores if sum(float(other) <= float(s) for other in scores) >= wanted]
    return min(bars) if bars and wanted <= n else math.inf


@threshold.cases
def _():
    yield "the worked example", np.array([0.1, 0.4, 0.2, 0.3]), 0.6
    yield "twenty scores in no order", _chance(0).random(20), 0.8
    yield "a rank that is whole: 19 scores, 0.9", _chance(1).random(19), 0.9
    yield "a rank that is whole: 9 scores, 0.7", np.arange(9.0), 0.7
    yield "a rank that is whole but for rounding", np.arange(99.0), 0.55
    yield "one score too few: 8 scores, 0.9", np.arange(8.0), 0.9
    yield "as many as are needed: 9 scores, 0.9", np.arange(9.0), 0.9
    yield "a level that needs more", _chance(2).random(30), 0.99
    yield "ties", np.array([1.0, 1.0, 1.0, 2.0, 2.0, 3.0]), 0.5
    yield "one score, half", np.array([4.0]), 0.5
    yield "one score, more than half", np.array([4.0]), 0.51
    yield "no score", np.zeros(0), 0.5
    yield "a low level", _chance(3).normal(size=50), 0.02
    yield "negative scores", -_chance(4).random(40), 0.9
    yield "rank just above a whole number", np.arange(20.0), 0.81


@threshold.usual
def threshold(scores, level):
    rank = math.ceil((len(scores) + 1) * level - 1e-9)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


threshold.slip("(len(scores) + 1) * level", "len(scores) * level", "one forgotten").says(
    "the new case itself was forgotten: the rank is taken among n + 1, or the promise is missed by a little."
)
threshold.slip("[rank - 1]", "[min(rank, len(scores) - 1)]", "one place too far").says(
    "one place too far: the score of rank 1 stands at place 0."
)
threshold.slip("math.ceil(", "math.floor(", "rounded down").says(
    "the rank was rounded down. It is the smallest whole number that is not below (n + 1) times the level."
)
threshold.slip(
    "float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf",
    "float(np.sort(scores)[min(rank, len(scores)) - 1]) if len(scores) else math.inf",
    "the largest",
).says("where the rank exceeds n, no score is enough: the bar is infinite, not the largest score.")
threshold.slip("rank <= len(scores)", "rank < len(scores)", "the last rank").says(
    "a rank of n is still there: it is the largest score. Only beyond it the bar is infinite."
)
threshold.slip(" - 1e-9", "", "rounding").says(
    "99 scores at 0.55: 100 * 0.55 is a little more than 55 in floating point. Take 1e-9 away before rounding up."
)
threshold.slip("np.sort(scores)", "np.asarray(scores)", "not sorted").says(
    "the scores were taken as they came. Rank counts from the smallest: sort them first."
)


@threshold.mistake("interpolated", "this lies between two scores. Take a score itself: no interpolation.")
def _(scores, level):
    n = len(scores)
    return float(np.quantile(scores, min(1, (n + 1) * level / n))) if n and (n + 1) * level - 1e-9 <= n else math.inf


@threshold.mistake("the other tail", "the bar was counted from the top: a share of `level` lies above it.")
def _(scores, level):
    rank = math.ceil((len(scores) + 1) * (1 - level) - 1e-9)
    return float(np.sort(scores)[rank - 1]) if 1 <= rank <= len(scores) else math.inf


threshold.slip("np.sort(scores)", "np.sort(scores)[::-1]", "largest first").says(
    "the scores were sorted from the largest down. Rank 1 is the smallest."
)


@threshold.mistake("distinct scores", "equal scores were counted once. Each has a rank of its own.")
def _(scores, level):
    rank, ranked = math.ceil((len(scores) + 1) * level - 1e-9), np.unique(scores)
    return float(ranked[rank - 1]) if rank <= len(ranked) else math.inf


threshold.slip("math.ceil((len(scores) + 1) * level - 1e-9)", "round((len(scores) + 1) * level)", "nearest rank").says(
    "the rank was rounded to the nearest whole number. Round it up."
)


@threshold.mistake("a share of n", "the rank was taken among n, and so there always is one. It is taken among n + 1.")
def _(scores, level):
    return float(np.sort(scores)[math.ceil(len(scores) * level) - 1]) if len(scores) else math.inf


threshold.slip("[rank - 1]) if rank <= len(scores)", "[rank]) if rank < len(scores)", "rank as a place").says(
    "the rank was taken for a place. The score of rank 1 stands at place 0."
)


@threshold.mistake(
    "a quantile", "this is a quantile of the n scores, between two of them. Take the score of rank k itself."
)
def _(scores, level):
    return float(np.quantile(scores, level)) if len(scores) else math.inf


threshold.slip("math.inf", "math.nan", "not a number").says(
    "where the rank exceeds n, the bar is infinite: math.inf, no other value."
)


@exercise(returns="float array (m,)", points=3)
def weighted_threshold(scores, weights, new, level):
    # for each new case, add up weights from the lowest score on, score by score
    pairs, bars = sorted(zip(scores.tolist(), weights.tolist(), strict=True)), []
    for other in np.asarray(new).tolist():
        wanted, held, bar = level * (sum(weights.tolist()) + other) * (1 - 1e-9), 0.0, math.inf
        for score, weight in pairs:
            held += weight
            if held >= wanted:
                bar = score
                break
        bars.append(bar)
    return np.array(bars, dtype=float)


@weighted_threshold.cases
def _():
    yield "the worked example", np.array([0.3, 0.1, 0.2]), np.array([1.0, 1.0, 2.0]), np.array([1.0, 4.0]), 0.6
    draw = _chance(10)
    yield "twelve scores, five new", draw.random(12), draw.random(12) + 0.1, draw.random(5) + 0.1, 0.7
    yield "weights all one: a whole rank", draw.random(9), np.ones(9), np.ones(3), 0.9
    yield "weights all one: none is enough", draw.random(8), np.ones(8), np.ones(2), 0.9
    yield "weights all ten", draw.random(19), 10 * np.ones(19), 10 * np.ones(2), 0.9
    yield "one score, one new", np.array([2.0]), np.array([3.0]), np.array([1.0]), 0.75
    yield "one score, not enough", np.array([2.0]), np.array([3.0]), np.array([1.0]), 0.76
    yield "no new case", np.array([2.0, 1.0]), np.array([3.0, 1.0]), np.zeros(0), 0.5
    yield "a new case that outweighs all", draw.random(6), np.ones(6), np.array([0.0, 1.0, 100.0]), 0.8
    yield "weights of zero", np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.5]), 0.4
    yield "a sum that is met but for rounding", np.arange(10.0), np.full(10, 0.1), np.array([0.1, 0.0]), 0.5
    yield "a share that is met but for rounding", np.arange(99.0), np.ones(99), np.array([1.0, 1.5]), 0.55
    yield "ties", np.array([1.0, 1.0, 2.0, 2.0]), np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 5.0]), 0.3
    yield "heavy low scores", -draw.random(15), np.linspace(5, 1, 15), draw.random(4), 0.9


@weighted_threshold.usual
def weighted_threshold(scores, weights, new, level):
    order = np.argsort(scores)
    held = np.cumsum(weights[order])  # (n,)
    wanted = level * (held[-1] + new) * (1 - 1e-9)
    place = np.searchsorted(held, wanted)  # the first sum that reaches what is wanted
    return np.append(scores[order], np.inf)[place]


weighted_threshold.slip("(held[-1] + new)", "(held[-1] + 0 * new)", "new case forgotten").says(
    "the new case's own weight is missing from the sum of all weights."
)
weighted_threshold.slip("np.cumsum(weights[order])", "np.cumsum(weights)", "weights left behind").says(
    "the scores were sorted and their weights were not. Each weight travels with its score."
)
weighted_threshold.slip(
    "np.append(scores[order], np.inf)[place]",
    "scores[order][np.minimum(place, len(scores) - 1)]",
    "the largest",
).says("where all weights together do not reach the share, the bar is infinite, not the largest score.")
weighted_threshold.slip(" * (1 - 1e-9)", "", "rounding").says(
    "0.55 times 100 is a little more than 55 in floating point. Lower what is wanted by one part in a billion."
)
weighted_threshold.slip("np.append(scores[order], np.inf)", "np.append(scores, np.inf)", "not sorted").says(
    "the place is right, but it was looked up in the scores as they came. Sort them first."
)


@weighted_threshold.mistake("no weights", "the weights of the scores were not used: each counted as one.")
def _(scores, weights, new, level):
    rank = math.ceil((len(scores) + 1) * level - 1e-9)
    bar = np.sort(scores)[rank - 1] if rank <= len(scores) else np.inf
    return np.full(len(new), bar)


weighted_threshold.slip("(held[-1] + new)", "(len(scores) + 1 + 0 * new)", "n for the sum").says(
    "the share was taken of a count. It is a share of all the weights."
)
weighted_threshold.slip("level * (", "(1 - level) * (", "the other tail").says(
    "a share of 1 - level was wanted. The low scores together weigh `level`."
)
weighted_threshold.slip("(held[-1] + new)", "(held[-1] + new.sum() + 0 * new)", "all new cases").says(
    "all new weights were added up. Each new case has a bar of its own."
)
weighted_threshold.slip("np.cumsum(weights[order])", "np.cumsum(weights[order] / weights.sum())", "old shares").says(
    "the old weights were made to add up to one and the new ones were not: all weights have one scale."
)
weighted_threshold.slip("np.inf)[place]", "[np.inf] * 2)[place + 1]", "one place too far").says(
    "this is the score behind the one that reaches the share."
)
weighted_threshold.slip("np.argsort(scores)", "np.argsort(-scores)", "largest first").says(
    "weights were added up from the largest score down. Begin with the smallest."
)
weighted_threshold.slip("level * (held[-1] + new)", "(level * held[-1] + new)", "level of the old").says(
    "`level` is a share of all weights, the new one included."
)


@exercise(
    returns="float",
    points=1,
    equivalent_mutants=[
        "float(-(shares * np.log(shares)).sum()) -> -(shares * np.log(shares)).sum() in "
        "return float(-(shares * np.log(shares)).sum())"  # NumPy's float64 is a float
    ],
)
def disagreement(answers):
    # the sum over answers, of each its share times what its share is a surprise of
    total = 0.0
    for answer in answers:
        total += -math.log(sum(other == answer for other in answers) / len(answers))
    return total / len(answers)


@disagreement.cases
def _():
    yield "the worked example", ["int", "int", "str", "int"]
    yield "all alike", ["array"] * 6
    yield "all unlike", ["int", "str", "bool", "float", "dict"]
    yield "one answer", ["int"]
    yield "two against two", ["int", "str", "str", "int"]
    yield "ten answers", ["a", "b", "a", "c", "a", "b", "d", "a", "a", "e"]
    yield "capitals count", ["Int", "int"]
    yield "an empty answer is an answer", ["", "int", ""]


@disagreement.usual
def disagreement(answers):
    shares = np.array(list(Counter(answers).values())) / len(answers)
    return float(-(shares * np.log(shares)).sum())


disagreement.slip("np.log(shares)", "np.log2(shares)", "bits").says("these are bits. Take the natural logarithm.")
disagreement.slip("float(-(", "float((", "sign").says("the sign is missing: an entropy is never below zero.")
disagreement.slip(" / len(answers)", "", "counts").says("these are counts. Divide by the number of answers.")
disagreement.slip("(shares * np.log(shares))", "np.log(shares)", "not weighted").says(
    "each logarithm counts by its share."
)


disagreement.slip("Counter(answers)", "Counter(map(str.lower, answers))", "lower case").says(
    "capitals were made small first. Strings count as the same when they are equal."
)


@disagreement.mistake("how many", "this is how many answers differ. How often each came matters, too.")
def _(answers):
    return float(np.log(len(set(answers))))


@disagreement.mistake("minority", "this is the share outside the commonest answer, not the entropy.")
def _(answers):
    return 1 - max(Counter(answers).values()) / len(answers)


@disagreement.mistake("pairs", "this is the chance that two answers differ, not the entropy.")
def _(answers):
    return 1 - sum((n / len(answers)) ** 2 for n in Counter(answers).values())


@disagreement.mistake("scaled", "this is the entropy as a share of its largest value. Do not divide.")
def _(answers):
    shares = np.array(list(Counter(answers).values())) / len(answers)
    return float(-(shares * np.log(shares)).sum() / np.log(max(len(shares), 2)))


@disagreement.mistake(
    "each answer's term", "each answer was counted as often as it came. One term for each *different* answer."
)
def _(answers):
    shares = np.array([answers.count(answer) for answer in answers]) / len(answers)
    return float(-(shares * np.log(shares)).sum())


@disagreement.mistake(
    "empty ones left out", "empty answers were left out. An empty string is an answer like any other."
)
def _(answers):
    return disagreement([answer for answer in answers if answer])


@disagreement.mistake("share of kinds", "this is the number of kinds by the number of answers, not the entropy.")
def _(answers):
    return len(set(answers)) / len(answers)
