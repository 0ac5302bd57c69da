"""Exercises of lesson 29: a Gaussian process, expected improvement, description length, winnings of a bet."""

import math

import numpy as np

from .form import exercise


def _chance(seed):
    return np.random.default_rng([29, seed])


def _covariances(places, new, height, length, seed=0):
    """K, K* and results at random places."""
    chance = _chance(seed)
    x, z = chance.random((places, 2)), chance.random((new, 2))
    among, across = (height * np.exp(-((x[:, None] - o) ** 2).sum(-1) / (2 * length**2)) for o in (x, z))
    return among, across, height, chance.normal(size=places)


@exercise(returns="two float arrays (m,)", points=3)
def posterior(among, across, height, noise, y):
    # one new place after the other, by the formula of the text
    whole = among + noise * np.eye(len(y))
    means, deviations = [], []
    for column in across.T:
        weights = np.linalg.solve(whole, column)
        means.append(float(weights @ y))
        deviations.append(math.sqrt(max(height - float(weights @ column), 0.0)))
    return np.array(means), np.array(deviations)


@posterior.cases
def _():
    yield "the worked example", np.array([[1.0]]), np.array([[0.5]]), 1.0, 1.0, np.array([2.0])
    among, across, height, y = _covariances(8, 5, 1.0, 0.3)
    yield "eight results, five new places", among, across, height, 0.1, y
    among, across, height, y = _covariances(5, 9, 2.5, 0.5, 1)
    yield "more new places than results", among, across, height, 0.3, y
    among, across, height, y = _covariances(6, 6, 4.0, 0.4, 2)
    yield "as many new places as results", among, across, height, 0.05, y
    among, across, height, y = _covariances(7, 1, 0.3, 0.2, 3)
    yield "one new place", among, across, height, 0.01, y
    among, across, height, y = _covariances(4, 0, 1.0, 0.2, 4)
    yield "no new place", among, across, height, 0.01, y
    among, across, height, y = _covariances(5, 4, 3.0, 0.4, 5)
    yield "results far from zero", among, across, height, 0.2, y + 50
    x = np.array([[0.0], [0.3], [0.9]])
    near = np.exp(-((x - x.T) ** 2) / 0.02)
    yield "at the measured places, hardly any noise", near, near, 1.0, 1e-14, np.array([1.0, -2.0, 0.5])
    for height in (0.2, 0.8, 3.0, 0.8 * 2**40, 3.0 * 2**40):  # rounding goes below zero, by no route above
        one = np.array([[height]])
        yield f"at the only measured place, height {height:.3g}", one, one, height, 1e-20, np.array([1.5])
    yield "at a measured place, much noise", near, near[:, :1], 1.0, 4.0, np.array([1.0, -2.0, 0.5])
    same = np.ones((4, 4)) * 2.0
    yield "one place measured four times", same, 2.0 * np.ones((4, 2)), 2.0, 0.5, np.array([1.0, 2.0, 3.0, 4.0])
    yield "new places that nothing tells about", np.eye(3), np.zeros((3, 2)), 1.0, 0.1, np.array([1.0, 2.0, 3.0])


@posterior.usual
def posterior(among, across, height, noise, y):
    lower = np.linalg.cholesky(among + noise * np.eye(len(y)))
    half = np.linalg.solve(lower, across)  # (n, m)
    mean = half.T @ np.linalg.solve(lower, y)
    return mean, np.sqrt(np.maximum(height - (half**2).sum(0), 0))


posterior.slip(" + noise * np.eye(len(y))", "", "no noise").says(
    "the noise is missing: results are values plus noise, so s stands on the diagonal of K."
)
posterior.slip("noise * np.eye(len(y))", "noise", "noise everywhere").says(
    "the noise was added to every entry of K. Each result has a noise of its own: it stands on the diagonal alone."
)
posterior.slip("noise * np.eye(len(y))", "noise**2 * np.eye(len(y))", "square of the noise").says(
    "the noise was squared. `noise` is a variance already."
)
posterior.slip(
    "np.sqrt(np.maximum(height - (half**2).sum(0), 0))", "np.maximum(height - (half**2).sum(0), 0)", "variance"
).says("these are variances. The deviation is the square root.")
posterior.slip("np.maximum(height - (half**2).sum(0), 0)", "height - (half**2).sum(0)", "below zero").says(
    "at a measured place rounding makes the variance a little negative, and its root is not a number. Take at least 0."
)
posterior.slip("height - (half**2)", "height + noise - (half**2)", "of a result").says(
    "this is the deviation of a new result, noise included. Asked for is that of the value itself."
)
posterior.slip("height - (half**2)", "1 - (half**2)", "height one").says(
    "the variance before any result is `height`, not 1."
)
posterior.slip("np.linalg.solve(lower, y)", "y", "half a solve").says(
    "y was not divided by L. Both sides are: the mean is V^T times L^-1 y."
)


@posterior.mistake("L for K", "one triangular factor was taken for the whole matrix: K + s I is L times its transpose.")
def _(among, across, height, noise, y):
    lower = np.linalg.cholesky(among + noise * np.eye(len(y)))
    weights = np.linalg.solve(lower, across)
    return weights.T @ y, np.sqrt(np.maximum(height - (across * weights).sum(0), 0))


@posterior.mistake("transposed", "L was transposed: with L L^T = K + s I the first solve is by L itself.")
def _(among, across, height, noise, y):
    upper = np.linalg.cholesky(among + noise * np.eye(len(y))).T
    half = np.linalg.solve(upper, across)
    return half.T @ np.linalg.solve(upper, y), np.sqrt(np.maximum(height - (half**2).sum(0), 0))


@posterior.mistake(
    "centred", "the mean of y was taken away and added again. This process has mean zero: use y as it is."
)
def _(among, across, height, noise, y):
    lower = np.linalg.cholesky(among + noise * np.eye(len(y)))
    half = np.linalg.solve(lower, across)
    mean = y.mean() + half.T @ np.linalg.solve(lower, y - y.mean())
    return mean, np.sqrt(np.maximum(height - (half**2).sum(0), 0))


@posterior.mistake("less its mean", "the mean of y was taken away and never came back. Use y as it is.")
def _(among, across, height, noise, y):
    lower = np.linalg.cholesky(among + noise * np.eye(len(y)))
    half = np.linalg.solve(lower, across)
    return half.T @ np.linalg.solve(lower, y - y.mean()), np.sqrt(np.maximum(height - (half**2).sum(0), 0))


@posterior.mistake(
    "sign dropped",
    "a variance a little below zero was turned positive, and its root is no longer small. Its deviation is 0.",
)
def _(among, across, height, noise, y):
    lower = np.linalg.cholesky(among + noise * np.eye(len(y)))
    half = np.linalg.solve(lower, across)
    return half.T @ np.linalg.solve(lower, y), np.sqrt(np.abs(height - (half**2).sum(0)))


@posterior.mistake(
    "a floor above zero",
    "the variance was kept above a small number. What is a little below zero counts as 0, and so does its root.",
)
def _(among, across, height, noise, y):
    lower = np.linalg.cholesky(among + noise * np.eye(len(y)))
    half = np.linalg.solve(lower, across)
    return half.T @ np.linalg.solve(lower, y), np.sqrt(np.maximum(height - (half**2).sum(0), 1e-10))


@posterior.mistake("covariance", "the variances at new places stand on the diagonal; a whole matrix was returned.")
def _(among, across, height, noise, y):
    half = np.linalg.solve(np.linalg.cholesky(among + noise * np.eye(len(y))), across)
    mean = half.T @ np.linalg.solve(np.linalg.cholesky(among + noise * np.eye(len(y))), y)
    return mean, np.sqrt(np.maximum(height - half.T @ half, 0))


@exercise(
    returns="float array (m,)",
    points=2,
    tolerance=1e-11,  # a tiny unit is a unit, too
    # where the deviation is 0 this branch is not taken, whatever it says
    equivalent_mutants=[
        "1 -> 0 in z = gain / np.where(known, 1, deviation)",
        "1 -> 2 in z = gain / np.where(known, 1, deviation)",
    ],
)
def expected_improvement(mean, deviation, best):
    # by the tail's own integral, place by place
    from scipy.special import erfc

    found = []
    for mu, sigma in zip(mean.tolist(), deviation.tolist()):
        gain = mu - best
        if sigma == 0:
            found.append(max(gain, 0.0))
            continue
        z = gain / sigma
        density = math.exp(-min(z * z / 2, 700.0)) / math.sqrt(2 * math.pi)
        found.append(gain * float(erfc(-z / math.sqrt(2))) / 2 + sigma * (density if z * z < 1400 else 0.0))
    return np.array(found)


@expected_improvement.cases
def _():
    yield "the worked example", np.array([1.0]), np.array([1.0]), 1.0
    chance = _chance(10)
    yield "seven guesses", chance.normal(size=7), chance.random(7) + 0.1, 0.3
    yield "one guess", np.array([2.0]), np.array([0.5]), 1.0
    yield "no guess", np.zeros(0), np.zeros(0), 1.0
    yield "known, above, at and below the best", np.array([3.0, 1.0, -2.0]), np.zeros(3), 1.0
    yield "known among unsure", np.array([3.0, 1.0, 0.5, -2.0]), np.array([0.0, 1.0, 0.0, 2.0]), 1.0
    yield "a best below zero", np.array([-3.0, -1.0, 0.5]), np.array([0.4, 1.5, 0.3]), -2.0
    yield "far above", np.array([1e8, 50.0]), np.array([1.0, 1.0]), 0.0
    yield "far below", np.array([-1e8, -50.0]), np.array([1.0, 1.0]), 0.0
    yield "a large unit, seven deviations below", np.array([-7e12, -6e12, -5e12]), np.full(3, 1e12), 0.0
    yield "deviations of unlike size", np.array([0.1, 0.1, 0.1]), np.array([1e-3, 1.0, 1e3]), 0.2
    yield "far from zero", 1000 + np.array([0.5, -0.5]), np.array([1.0, 2.0]), 1000.0
    yield "a tiny deviation", np.array([1.0, 1.0 + 1e-9]), np.array([1e-9, 1e-9]), 1.0
    yield "whole numbers", np.array([3, 0, 1]), np.array([1, 2, 0]), 1.0


@expected_improvement.usual
def expected_improvement(mean, deviation, best):
    from scipy.special import ndtr

    gain, known = mean - best, deviation == 0
    z = gain / np.where(known, 1, deviation)
    unsure = gain * ndtr(z) + deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.where(known, np.maximum(gain, 0), unsure)


expected_improvement.slip("mean - best", "best - mean", "downwards").says(
    "this is the improvement where small results are good. Here large ones are: the gain is the mean less the best."
)
expected_improvement.slip("np.where(known, np.maximum(gain, 0), unsure)", "unsure", "known places").says(
    "where the deviation is 0 the improvement is the gain, if there is one; half of it or another number came out."
)
expected_improvement.slip("np.maximum(gain, 0)", "0 * gain", "nothing to learn").says(
    "where the deviation is 0 you returned 0. A known value above the best improves on it all the same."
)
expected_improvement.slip("np.maximum(gain, 0)", "gain", "negative gain").says(
    "a known value below the best improves nothing: 0, not a negative number."
)
expected_improvement.slip(" / np.sqrt(2 * np.pi)", "", "density").says(
    "the normal density has the square root of 2 pi below the line."
)
expected_improvement.slip("+ deviation * np.exp", "+ np.exp", "deviation").says(
    "the second term is the deviation times the density; the deviation is missing."
)
expected_improvement.slip("gain * ndtr(z)", "z * ndtr(z)", "z for gain").says(
    "the first term is the gain itself times the probability, not z: units would not agree."
)
expected_improvement.slip("-(z**2) / 2", "-(z**2)", "half").says(
    "the exponent of the normal density is minus z squared over 2."
)


@expected_improvement.mistake("probability", "this is the probability of an improvement. How large it is matters, too.")
def _(mean, deviation, best):
    from scipy.special import ndtr

    return np.where(deviation == 0, (mean > best) * 1.0, ndtr((mean - best) / np.where(deviation == 0, 1, deviation)))


@expected_improvement.mistake("variance", "z was divided by the variance. It is the gain over the deviation.")
def _(mean, deviation, best):
    from scipy.special import ndtr

    gain, known = mean - best, deviation == 0
    z = gain / np.where(known, 1, deviation) ** 2
    unsure = gain * ndtr(z) + deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.where(known, np.maximum(gain, 0), unsure)


@expected_improvement.mistake(
    "divided by zero", "a deviation of 0 gives 0 / 0. Divide by 1 there, and choose the other formula afterwards."
)
def _(mean, deviation, best):
    from scipy.special import ndtr

    with np.errstate(all="ignore"):
        z = (mean - best) / deviation
        return (mean - best) * ndtr(z) + deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


@expected_improvement.mistake(
    "lost digits", "right near the best, but far below it 1 + erf is a difference of nearly equal numbers. Take ndtr."
)
def _(mean, deviation, best):
    from scipy.special import erf

    gain, known = mean - best, deviation == 0
    z = gain / np.where(known, 1, deviation)
    unsure = gain * (1 + erf(z / np.sqrt(2))) / 2 + deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.where(known, np.maximum(gain, 0), unsure)


@expected_improvement.mistake(
    "propped up",
    "the deviation was kept from 0 by a small number. Where it is 0 the answer is exact, and units may be tiny.",
)
def _(mean, deviation, best):
    from scipy.special import ndtr

    safe = np.maximum(deviation, 1e-6)
    z = (mean - best) / safe
    return (mean - best) * ndtr(z) + safe * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


@expected_improvement.mistake(
    "a little more",
    "a small number was added to the deviation. Where it is 0 the answer is exact, and units may be tiny.",
)
def _(mean, deviation, best):
    from scipy.special import ndtr

    z = (mean - best) / (deviation + 1e-9)
    return (mean - best) * ndtr(z) + deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


@expected_improvement.mistake(
    "without doubt", "this is the improvement of the mean. The mean of the improvement counts lucky values, too."
)
def _(mean, deviation, best):
    return np.maximum(mean - best, 0.0)


@expected_improvement.mistake(
    "swapped",
    "density and distribution changed places: the gain goes with the distribution, the deviation with the density.",
)
def _(mean, deviation, best):
    from scipy.special import ndtr

    gain, known = mean - best, deviation == 0
    z = gain / np.where(known, 1, deviation)
    unsure = gain * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) + deviation * ndtr(z)
    return np.where(known, np.maximum(gain, 0), unsure)


@expected_improvement.mistake(
    "clipped first",
    "the gain was cut at 0 before z. A mean below the best has a negative gain, and still may improve with luck.",
)
def _(mean, deviation, best):
    from scipy.special import ndtr

    gain = np.maximum(mean - best, 0)
    z = gain / np.where(deviation == 0, 1, deviation)
    unsure = gain * ndtr(z) + deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.where(deviation == 0, gain, unsure)


@expected_improvement.mistake("density alone", "the first term is missing: the gain times the probability of a gain.")
def _(mean, deviation, best):
    z = (mean - best) / np.where(deviation == 0, 1, deviation)
    unsure = deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.where(deviation == 0, np.maximum(mean - best, 0), unsure)


@expected_improvement.mistake("probability alone", "the second term is missing: the deviation times the density.")
def _(mean, deviation, best):
    from scipy.special import ndtr

    gain = mean - best
    z = gain / np.where(deviation == 0, 1, deviation)
    return np.where(deviation == 0, np.maximum(gain, 0), gain * ndtr(z))


@exercise(returns="float array", points=2)
def description_length(squares, count, constants, symbols, words, resolution):
    found = []
    for rest, k, m in zip(squares.ravel().tolist(), constants.ravel().tolist(), symbols.ravel().tolist()):
        mean = max(rest / count, resolution * resolution)
        found.append(count * math.log(mean) / 2 + k * math.log(count) / 2 + m * math.log(words))
    return np.array(found).reshape(squares.shape)


@description_length.cases
def _():
    def hypotheses(*shape, seed=0):
        chance = _chance(20 + seed)
        return chance.random(shape) * 5, chance.integers(1, 3, shape), chance.integers(1, 6, shape)

    yield "the worked example", np.array([8.0]), 2, np.array([1]), np.array([3]), 10, 0.1
    squares, constants, symbols = hypotheses(6)
    yield "six hypotheses", squares, 12, constants, symbols, 13, 1e-3
    squares, constants, symbols = hypotheses(2, 3, seed=1)
    yield "a table of hypotheses", squares, 7, constants, symbols, 13, 0.01
    yield "no hypothesis", np.zeros(0), 5, np.zeros(0, int), np.zeros(0, int), 13, 0.01
    yield "one result", np.array([0.5, 2.0]), 1, np.array([1, 2]), np.array([4, 1]), 13, 0.1
    yield "a perfect fit", np.array([0.0, 1e-30]), 10, np.array([1, 2]), np.array([2, 5]), 13, 0.1
    yield (
        "just above and below the resolution",
        np.array([0.0404, 0.0396]),
        4,
        np.array([1, 1]),
        np.array([1, 1]),
        13,
        0.1,
    )
    yield "a coarse instrument", np.array([8.0, 50.0, 400.0]), 10, np.array([1, 2, 1]), np.array([3, 3, 5]), 13, 3.0
    yield "no constant, no symbol", np.array([3.0]), 9, np.array([0]), np.array([0]), 2, 0.5
    yield "large squares", np.array([1e9, 1e-9]), 20, np.array([2, 1]), np.array([5, 1]), 13, 1e-6
    yield "a grammar of one word", np.array([2.0, 5.0]), 6, np.array([1, 2]), np.array([3, 4]), 1, 0.1


@description_length.usual
def description_length(squares, count, constants, symbols, words, resolution):
    left = count / 2 * np.log(np.maximum(squares / count, resolution**2))
    return left + constants / 2 * np.log(count) + symbols * np.log(words)


description_length.slip("squares / count", "squares", "sum for mean").says(
    "the logarithm is of the mean square: squares over the number of results."
)
description_length.slip("resolution**2", "resolution", "not squared").says(
    "a mean square is compared with the square of the resolution."
)
description_length.slip("np.maximum(squares / count, resolution**2)", "squares / count", "no end").says(
    "a perfect fit would be worth infinitely much. A mean square below the resolution squared counts as that."
)
description_length.slip("np.maximum(squares / count, resolution**2)", "squares / count + resolution**2", "added").says(
    "the resolution was added to the mean square. It is a floor: take the larger of both."
)
description_length.slip("left = count / 2", "left = count", "twice").says("the first term carries n / 2, not n.")
description_length.slip("constants / 2", "constants", "dear constants").says(
    "a constant costs half the logarithm of n: its precision grows with the root of n."
)
description_length.slip("np.log(words)", "words", "no logarithm").says(
    "a symbol costs the logarithm of the number of words that it is chosen from."
)
description_length.slip(" + symbols * np.log(words)", "", "free symbols").says(
    "symbols cost nothing in your function. A longer formula has to pay for its length."
)
description_length.slip("return left +", "return -left +", "upside down").says(
    "a better fit must make the description shorter: the first term was turned over."
)
description_length.slip("np.log(np.maximum", "np.log2(np.maximum", "bits").says(
    "the first term is in bits, the others in nats. Use the natural logarithm throughout."
)


@description_length.mistake(
    "the shortest alone", "one number came out, the shortest. Return the length of each hypothesis, an array."
)
def _(squares, count, constants, symbols, words, resolution):
    left = count / 2 * np.log(np.maximum(squares / count, resolution**2))
    return np.min(left + constants / 2 * np.log(count) + symbols * np.log(words))


@exercise(
    returns="a float array (n,) and an int or None",
    points=3,
    # NumPy's integer is as good as Python's
    equivalent_mutants=[
        "int(there[0]) -> there[0] in return (wealth, int(there[0]) + 1 if len(there) else None)",
    ],
)
def first_sure(law, rivals, alpha):
    totals, wealth, when = [0.0] * len(rivals), [], None
    for n in range(len(law)):
        totals = [total + float(law[n]) - float(rival[n]) for total, rival in zip(totals, rivals)]
        wealth.append(min(totals))
        if when is None and wealth[-1] >= -math.log(alpha):
            when = n + 1
    return np.array(wealth), when


@first_sure.cases
def _():
    yield "the worked example", np.array([0.0, 3.0]), np.array([[-2.0, 1.0], [-1.0, -2.0]]), 0.05
    chance = _chance(30)
    law, rivals = chance.normal(size=12), chance.normal(size=(2, 12)) - 0.6
    yield "twelve experiments, two rivals", law, rivals, 0.05
    yield "one rival", law, rivals[:1], 0.05
    yield "three rivals", law + 0.5, np.vstack([rivals, rivals.mean(0)]), 0.01
    yield "never", law - 3, rivals, 0.05
    yield "no experiment", np.zeros(0), np.zeros((2, 0)), 0.05
    yield "no experiment, an easy start", np.zeros(0), np.zeros((1, 0)), 1.0
    yield "one experiment, enough", np.array([4.0]), np.array([[0.0]]), 0.05
    yield "one experiment, too little", np.array([2.9]), np.array([[0.0]]), 0.05
    yield "reached exactly", np.array([0.0, math.log(2), -5.0]), np.zeros((1, 3)), 0.5
    yield "reached exactly at the start", np.array([0.0, -1.0]), np.zeros((2, 2)), 1.0
    yield "just missed", np.array([math.log(2) - 1e-9, -1.0]), np.zeros((1, 2)), 0.5
    yield "rich, then poor, then rich", np.array([4.0, -9.0, 12.0]), np.zeros((2, 3)), 0.05
    yield (
        "the hardest rival changes",
        np.array([1.0, 1.0, 1.0, 1.0]),
        np.array([[-3.0, 3, -3, 3], [3.0, -3, 3, -9]]),
        0.5,
    )
    yield "sure of a loser", np.array([-1e4, 1e4, 1.0]), np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, -9.0]]), 0.05
    yield "huge winnings", np.array([1e4, 1e4]), np.array([[-1e4, -1e4]]), 0.001
    yield "as many rivals as experiments", np.array([2.0, 2.0]), np.array([[0.0, 1.0], [1.5, -1.0]]), 0.1
    yield (
        "each rival beaten at some time, both together later",
        np.zeros(3),
        np.array([[-4.0, 4.0, -4.0], [0.0, -4.0, 0.0]]),
        0.05,
    )


@first_sure.usual
def first_sure(law, rivals, alpha):
    wealth = np.cumsum(law - rivals, axis=1).min(axis=0)
    there = np.flatnonzero(wealth >= -np.log(alpha))
    return wealth, int(there[0]) + 1 if len(there) else None


first_sure.slip(
    "np.cumsum(law - rivals, axis=1).min(axis=0)", "np.cumsum((law - rivals).min(axis=0))", "hardest each time"
).says(
    "you took the hardest rival anew at each experiment, and added up. First add up against each rival, then compare."
)
first_sure.slip(".min(axis=0)", ".max(axis=0)", "easiest rival").says(
    "this is the wealth against the rival that is easiest to beat. The law has to beat them all: take the smallest."
)
first_sure.slip(".min(axis=0)", ".mean(axis=0)", "mean rival").says(
    "the winnings were averaged over rivals. Against the right one the bound then no longer holds: take the smallest."
)
first_sure.slip("wealth >= -np.log(alpha)", "wealth > -np.log(alpha)", "reaching it").says(
    "wealth that reaches 1 / alpha exactly is enough: >= and not >."
)
first_sure.slip("wealth >= -np.log(alpha)", "wealth >= 1 / alpha", "logarithm").says(
    "the log wealth was compared with 1 / alpha itself. Compare logarithms."
)
first_sure.slip("int(there[0]) + 1", "int(there[0])", "counted from zero").says(
    "you returned the index of the experiment. Asked for is how many have been made: one more."
)
first_sure.slip("there[0]", "there[-1]", "last time").says(
    "this is the last time that the wealth is enough. The machine stops at the first."
)
first_sure.slip("law - rivals", "rivals - law", "the other side").says(
    "this is what the rivals win from the law. The winnings are the law's log density less the rival's."
)
first_sure.slip("if len(there) else None", "if len(there) else len(law)", "never").says(
    "where the wealth never suffices the answer is None: the machine is not sure at the end, either."
)


@first_sure.mistake("one by one", "each experiment was judged alone. Winnings multiply: their logarithms add up.")
def _(law, rivals, alpha):
    wealth = (law - rivals).min(axis=0)
    there = np.flatnonzero(wealth >= -np.log(alpha))
    return wealth, int(there[0]) + 1 if len(there) else None


@first_sure.mistake("not in logarithms", "the wealth itself was returned. Return its logarithm, which cannot overflow.")
def _(law, rivals, alpha):
    with np.errstate(over="ignore"):
        wealth = np.exp(np.cumsum(law - rivals, axis=1).min(axis=0))
    there = np.flatnonzero(wealth >= 1 / alpha)
    return wealth, int(there[0]) + 1 if len(there) else None


@first_sure.mistake(
    "at the end", "only the wealth at the end was looked at. The first time counts, whatever comes after."
)
def _(law, rivals, alpha):
    wealth = np.cumsum(law - rivals, axis=1).min(axis=0)
    return wealth, len(law) if len(law) and wealth[-1] >= -np.log(alpha) else None


@first_sure.mistake(
    "argmax of nothing", "where the wealth never suffices, argmax says 0. Ask first whether it does at all."
)
def _(law, rivals, alpha):
    wealth = np.cumsum(law - rivals, axis=1).min(axis=0)
    return wealth, int(np.argmax(wealth >= -np.log(alpha))) + 1


@first_sure.mistake(
    "each at its time",
    "each rival was beaten at some time, not all at once. The wealth against the hardest has to reach 1 / alpha.",
)
def _(law, rivals, alpha):
    totals = np.cumsum(law - rivals, axis=1)
    first = [np.flatnonzero(total >= -np.log(alpha)) for total in totals]
    beaten = all(len(each) for each in first)
    return totals.min(axis=0), int(max(each[0] for each in first)) + 1 if beaten else None


@first_sure.mistake(
    "alpha itself", "the wealth has to reach 1 / alpha. Yours is compared with alpha, and is rich too soon."
)
def _(law, rivals, alpha):
    wealth = np.cumsum(law - rivals, axis=1).min(axis=0)
    there = np.flatnonzero(wealth >= np.log(alpha))
    return wealth, int(there[0]) + 1 if len(there) else None


@first_sure.mistake(
    "the start, too", "the wealth before the first experiment was returned as well. One number an experiment."
)
def _(law, rivals, alpha):
    wealth = np.concatenate([[0.0], np.cumsum(law - rivals, axis=1).min(axis=0)])
    there = np.flatnonzero(wealth >= -np.log(alpha))
    return wealth, int(there[0]) if len(there) else None
