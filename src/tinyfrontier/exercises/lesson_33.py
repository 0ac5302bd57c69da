"""Exercises of lesson 33: Shapley values, insertion minus deletion, LIME's linear surrogate, the induction score."""

import itertools
import math

import numpy as np

from .form import exercise


def _chance(seed):
    return np.random.default_rng([33, seed])


@exercise(returns="float array (n,)", points=3)
def shapley(v):
    # every order of the players, one after the other
    n = int(math.log2(len(v)) + 0.5)
    total = np.zeros(n)
    for order in itertools.permutations(range(n)):
        members = 0
        for player in order:
            total[player] += v[members + 2**player] - v[members]
            members += 2**player
    return total / math.factorial(n)


@shapley.cases
def _():
    yield "the worked example", np.array([0.0, 1.0, 2.0, 5.0])
    yield "one player", np.array([0.5, 2.0])
    yield "three players", _chance(0).normal(size=8)
    yield "four players", _chance(1).normal(size=16)
    yield "six players", _chance(2).random(64)
    yield "nobody is worth something", np.array([3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 4.0])
    yield "either of two is enough", np.array([0.0, 1.0, 1.0, 1.0])
    yield "a player who adds nothing", np.array([0.0, 0.0, 2.0, 2.0, 5.0, 5.0, 9.0, 9.0])
    yield "values below zero", -_chance(3).random(32)


@shapley.usual
def shapley(v):
    from scipy.special import comb

    n = len(v).bit_length() - 1
    sets = np.arange(len(v))
    size = sum(sets >> j & 1 for j in range(n))  # (2**n,)
    found = []
    for j in range(n):
        without = sets[sets >> j & 1 == 0]
        gain = v[without | 1 << j] - v[without]
        found.append((gain / (n * comb(n - 1, size[without]))).sum())
    return np.array(found)


shapley.slip(" / (n * comb(n - 1, size[without]))).sum()", ").mean()", "every set alike").says(
    "all sets have the same weight (Banzhaf's value). The weight depends on how many are there: 1 / (n * C(n-1, |S|))."
)
shapley.slip("n * comb(n - 1, size[without])", "comb(n - 1, size[without])", "no division by n").says(
    "n times too large: the number of players stands below the line, too."
)
shapley.slip("comb(n - 1, size[without])", "comb(n, size[without])", "C(n, |S|)").says(
    "the set S is chosen among the n - 1 others: C(n-1, |S|), not C(n, |S|)."
)
shapley.slip("return np.array(found)", "return np.array(found[::-1])", "last player first").says(
    "right values, last player first. Player 0 is the lowest bit."
)


@shapley.mistake(
    "leave one out", "only the whole group was asked: what is lost when a player leaves it. Average all sets."
)
def _(v):
    n = len(v).bit_length() - 1
    return np.array([v[-1] - v[len(v) - 1 - 2**j] for j in range(n)])


@shapley.mistake("alone", "only the empty set was asked: what a player brings alone. Average over all sets.")
def _(v):
    n = len(v).bit_length() - 1
    return np.array([v[2**j] - v[0] for j in range(n)])


@shapley.mistake(
    "first and last", "only the first and the last place in the order were averaged. There are sizes between."
)
def _(v):
    n = len(v).bit_length() - 1
    return np.array([(v[-1] - v[len(v) - 1 - 2**j] + v[2**j] - v[0]) / 2 for j in range(n)])


@shapley.mistake("one order", "only the order 0, 1, 2, ... was tried. Average over all orders, or go through all sets.")
def _(v):
    n = len(v).bit_length() - 1
    return np.diff(v[[2**j - 1 for j in range(n + 1)]])


@exercise(returns="a float", points=1)
def faithful(v, scores):
    # block after block, by hand
    left = sorted(range(len(scores)), key=lambda j: (-float(scores[j]), j))
    here, away = [0], [len(v) - 1]
    for block in left:
        here.append(here[-1] + 2**block)
        away.append(away[-1] - 2**block)
    return sum(float(v[s]) for s in here) / len(here) - sum(float(v[s]) for s in away) / len(away)


@faithful.cases
def _():
    yield "the worked example", np.array([0.0, 1.0, 2.0, 5.0]), np.array([0.3, 0.1])
    yield "the other order", np.array([0.0, 1.0, 2.0, 5.0]), np.array([0.1, 0.3])
    yield "one block", np.array([0.5, 2.0]), np.array([-1.0])
    yield "four blocks", _chance(10).random(16), np.array([0.1, -0.4, 0.9, 0.3])
    yield "six blocks", _chance(11).random(64), _chance(12).normal(size=6)
    yield "equal scores", _chance(13).random(32), np.array([0.5, 0.5, 0.7, 0.5, 0.7])
    yield "all scores equal", _chance(14).random(256), np.zeros(8)
    yield "many equal scores", _chance(16).random(2**12), np.array([1.0, 0.0] * 6)
    yield "scores below zero", _chance(15).random(16), np.array([-3.0, -1.0, -2.0, -4.0])


@faithful.usual
def faithful(v, scores):
    order = np.argsort(-scores, kind="stable")
    there = np.concatenate([[0], np.cumsum(1 << order)])  # numbers of the sets
    return v[there].mean() - v[len(v) - 1 - there].mean()


faithful.slip("-scores", "scores", "worst first").says("the blocks come by rising score. The best comes first.")
faithful.slip(
    "v[there].mean() - v[len(v) - 1 - there].mean()", "v[len(v) - 1 - there].mean() - v[there].mean()", "sign"
).says("the sign is turned round: insertion less deletion.")
faithful.slip("np.concatenate([[0], np.cumsum(1 << order)])", "np.cumsum(1 << order)", "n values").says(
    "the curves start after the first step. Both ends belong to them: n + 1 values each."
)
faithful.slip("len(v) - 1 - there].mean()", "there].mean() * 0", "insertion alone").says(
    "this is the insertion curve alone. Take the mean of the deletion curve away."
)


faithful.slip('np.argsort(-scores, kind="stable")', 'np.argsort(scores, kind="stable")[::-1]', "ties backwards").says(
    "of equal scores the higher number came first. The lower number comes first."
)
faithful.slip(
    "v[there].mean() - v[len(v) - 1 - there].mean()", "v[there].sum() - v[len(v) - 1 - there].sum()", "sum"
).says("the curves were summed up. Take their means.")
faithful.slip("np.cumsum(1 << order)", "1 << order", "one at a time").says(
    "each block was shown or removed alone. They come on top of each other."
)


@exercise(
    returns="float array (n,)",
    points=2,
    equivalent_mutants=[  # weighted and centred sets add up to zero, so that any constant in the answers cancels
        "answers - np.average(answers, weights=weights) -> answers + np.average(answers, weights=weights)"
        " in y = answers - np.average(answers, weights=weights)",
        "answers - np.average(answers, weights=weights) -> answers"
        " in y = answers - np.average(answers, weights=weights)",
        "np.average(answers, weights=weights) -> np.average(answers)"
        " in y = answers - np.average(answers, weights=weights)",
    ],
)
def surrogate(sets, answers, weights, ridge):
    # one large least-squares problem: a column of ones for the constant, and rows that pull coefficients to zero
    m, n = len(sets), len(sets[0])
    root = np.sqrt(np.asarray(weights, dtype=np.float64))[:, None]
    above = root * np.hstack([np.ones((m, 1)), np.asarray(sets, dtype=np.float64)])
    below = np.hstack([np.zeros((n, 1)), math.sqrt(ridge) * np.eye(n)])
    right = np.concatenate([root[:, 0] * np.asarray(answers, dtype=np.float64), np.zeros(n)])
    return np.linalg.lstsq(np.vstack([above, below]), right, rcond=None)[0][1:]


def _samples(m, n, seed):
    chance = _chance(seed)
    sets = (chance.random((m, n)) < 0.5).astype(float)
    return sets, sets @ chance.normal(size=n) + 0.3 * chance.normal(size=m) + 2, chance.random(m) + 0.1


@surrogate.cases
def _():
    yield "the worked example", np.array([[0.0], [1.0]]), np.array([0.0, 1.0]), np.ones(2), 0.5
    yield "forty samples of six blocks", *_samples(40, 6, 20), 0.1
    yield "a heavy ridge", *_samples(30, 4, 21), 50.0
    yield "fewer samples than blocks", *_samples(5, 9, 22), 0.5
    yield "as many samples as blocks", *_samples(7, 7, 28), 0.3
    yield "one block", *_samples(8, 1, 23), 0.2
    yield "one sample", np.array([[1.0, 0.0, 1.0]]), np.array([0.7]), np.array([2.0]), 1.0
    sets, answers, weights = _samples(20, 5, 24)
    yield "large weights", sets, answers, 100 * weights, 1.0
    yield "integers", sets.astype(int), answers, weights, 0.5
    yield "answers far from zero", sets, answers + 1000, weights, 0.5
    yield "some weights are zero", sets, answers, weights * (np.arange(20) % 3 > 0), 0.5
    yield "one weight is not zero", sets, answers, (np.arange(20) == 4) * 1.0, 0.5
    yield "a block that is always shown", np.hstack([sets, np.ones((20, 1))]), answers, weights, 0.5
    yield "hardly any ridge", sets, answers, weights, 1e-9


@surrogate.usual
def surrogate(sets, answers, weights, ridge):
    z = sets - np.average(sets, axis=0, weights=weights)  # (m, n)
    y = answers - np.average(answers, weights=weights)
    heavy = z * weights[:, None]
    return np.linalg.solve(heavy.T @ z + ridge * np.eye(z.shape[1]), heavy.T @ y)


surrogate.slip("sets - np.average(sets, axis=0, weights=weights)", "sets * 1.0", "no constant").says(
    "the sets were not centred, so that there is no free constant. Take their weighted means away."
)
surrogate.slip("z * weights[:, None]", "z", "no weights").says(
    "the weights are missing in the normal equations: Z^T W Z and Z^T W y."
)
surrogate.slip("z * weights[:, None]", "z * weights[:, None] ** 2", "squared weights").says(
    "the weights were squared: multiply one side by them, or both by their roots."
)
surrogate.slip(" + ridge * np.eye(z.shape[1])", " + 1e-12 * np.eye(z.shape[1])", "no ridge").says(
    "the ridge is missing: it stands on the diagonal of Z^T W Z."
)
surrogate.slip("ridge * np.eye(z.shape[1])", "ridge", "ridge everywhere").says(
    "the ridge was added to every entry. It stands on the diagonal alone."
)
surrogate.slip("ridge * np.eye", "ridge**2 * np.eye", "squared ridge").says(
    "the ridge was squared. Add it as it is given."
)


surrogate.slip("z * weights[:, None]", "z * (weights / weights.sum())[:, None]", "weights made to sum to one").says(
    "the weights were divided by their sum. Use them as they are."
)


@surrogate.mistake("plain means", "the constant was fitted by plain means. They must be weighted, as the squares are.")
def _(sets, answers, weights, ridge):
    z = sets - sets.mean(0)
    heavy = z * weights[:, None]
    return np.linalg.solve(heavy.T @ z + ridge * np.eye(z.shape[1]), heavy.T @ (answers - answers.mean()))


@surrogate.mistake("constant shrunk", "the constant was shrunk by the ridge as well. It is free.")
def _(sets, answers, weights, ridge):
    z = np.hstack([np.ones((len(sets), 1)), sets])
    heavy = z * weights[:, None]
    return np.linalg.solve(heavy.T @ z + ridge * np.eye(z.shape[1]), heavy.T @ answers)[1:]


@surrogate.mistake("constant returned", "the constant came along. Return the coefficients of the blocks alone.")
def _(sets, answers, weights, ridge):
    means = np.average(sets, axis=0, weights=weights)
    z, y = sets - means, answers - np.average(answers, weights=weights)
    heavy = z * weights[:, None]
    found = np.linalg.solve(heavy.T @ z + ridge * np.eye(z.shape[1]), heavy.T @ y)
    return np.concatenate([[np.average(answers, weights=weights) - means @ found], found])


@exercise(
    returns="float array (heads,)",
    points=2,
    # the last column is empty, so that rolling the flat table does the same
    equivalent_mutants=["np.roll(same, 1, axis=1) -> np.roll(same, 1) in after = np.roll(same, 1, axis=1)"],
)
def induction_score(attention, tokens):
    # head by head, position by position
    found = []
    for head in attention:
        scores = []
        for i in range(len(tokens)):
            earlier = [s for s in range(i) if tokens[s] == tokens[i]]
            if earlier:
                scores.append(sum(float(head[i][s + 1]) for s in earlier))
        found.append(sum(scores) / len(scores) if scores else 0.0)
    return np.array(found)


def _looks(heads, t, seed):
    raw = np.tril(_chance(seed).random((heads, t, t)) + 0.01)
    return raw / raw.sum(-1, keepdims=True)


@induction_score.cases
def _():
    yield "the worked example", _looks(1, 3, 30), np.array([5, 7, 5])
    yield "three heads, twelve positions", _looks(3, 12, 31), np.array([1, 4, 2, 6, 1, 4, 2, 6, 1, 4, 2, 6])
    yield "one position", _looks(2, 1, 32), np.array([3])
    yield "nothing repeats", _looks(2, 5, 33), np.arange(5)
    yield "the same token all along", _looks(2, 6, 34), np.zeros(6, dtype=int)
    yield "directly repeated", _looks(2, 4, 35), np.array([1, 2, 2, 3])
    yield "only the last one repeats", _looks(2, 5, 36), np.array([0, 1, 2, 3, 1])
    yield "two positions that repeat", _looks(1, 2, 37), np.array([4, 4])
    yield "random tokens", _looks(4, 15, 38), _chance(39).integers(0, 5, size=15)
    yield "attention that sees the future", _chance(40).random((2, 7, 7)), np.array([1, 2, 1, 3, 1, 2, 4])
    yield "as many heads as positions", _looks(5, 5, 41), np.array([1, 2, 1, 2, 1])


@induction_score.usual
def induction_score(attention, tokens):
    same = np.tril(tokens[:, None] == tokens, -1)  # (t, t): column s < row i, same token
    after = np.roll(same, 1, axis=1)  # column s + 1
    repeats = same.any(1)
    score = (attention * after).sum(-1)[:, repeats]  # (heads, repeats)
    return score.mean(1) if repeats.any() else np.zeros(len(attention))


induction_score.slip("np.roll(same, 1, axis=1)", "same", "the token itself").says(
    "this is attention to earlier copies of the token itself. An induction head looks at what FOLLOWED them: s + 1."
)
induction_score.slip("[:, repeats]", "", "over all positions").says(
    "the mean runs over all positions. Only those whose token stood earlier count."
)
induction_score.slip("np.roll(same, 1, axis=1)", "np.roll(same, -1, axis=1)", "the one before").says(
    "the table was moved the wrong way: this is the place before the earlier token, not after it."
)
induction_score.slip("np.tril(tokens[:, None] == tokens, -1)", "np.tril(tokens[:, None] == tokens)", "itself").says(
    "a position counts as its own repetition. Only earlier ones, s < i, do."
)
induction_score.slip("same.any(1)", "same.any(0)", "columns").says(
    "the positions that repeat were taken from the columns: those are repeated later. Take rows."
)
induction_score.slip(" if repeats.any() else np.zeros(len(attention))", "", "nothing repeats").says(
    "where no token repeats the mean of nothing is not a number. The answer is zeros."
)


def _of_earlier(attention, tokens, taken):
    """Mean over the positions that repeat of what `taken` makes of attention (heads, earlier places)."""
    scores = []
    for i in range(len(tokens)):
        earlier = np.flatnonzero(tokens[:i] == tokens[i])
        if len(earlier):
            scores.append(taken(attention[:, i, earlier + 1]))
    return np.mean(scores, axis=0) if scores else np.zeros(len(attention))


@induction_score.mistake("the latest alone", "only the latest earlier place was looked at. Sum over all of them.")
def _(attention, tokens):
    return _of_earlier(attention, tokens, lambda looks: looks[:, -1])


@induction_score.mistake("the first alone", "only the first earlier place was looked at. Sum over all of them.")
def _(attention, tokens):
    return _of_earlier(attention, tokens, lambda looks: looks[:, 0])


@induction_score.mistake("mean of places", "the earlier places of one position were averaged. Sum over them.")
def _(attention, tokens):
    return _of_earlier(attention, tokens, lambda looks: looks.mean(1))


induction_score.slip("np.roll(same, 1, axis=1)", "np.tril(np.roll(same, 1, axis=1), -1)", "never itself").says(
    "where the token stood directly before, s + 1 is the position itself. It counts."
)
induction_score.slip("attention * after", "attention.transpose(0, 2, 1) * after", "rows and columns").says(
    "rows and columns changed places: row i is the position that looks."
)
