"""Exercises of lesson 25: AUC with ties, log-likelihood ratios, columns with pseudocounts, cuts for three classes."""

import math

import torch
from torch.nn import functional as F

from .form import exercise


def _drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _whole(high, *shape, seed=0, low=0):
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed))


# a tensor of one number is taken for a float; there is no length below 0
@exercise(
    returns="float",
    points=3,
    equivalent_mutants=[
        "0 -> -1 in if len(harmless) in (0, len(scores)):",
        "float((below + up_to).double().mean() / 2 / len(harmless)) -> "
        "(below + up_to).double().mean() / 2 / len(harmless) "
        "in return float((below + up_to).double().mean() / 2 / len(harmless))",
    ],
)
def auc(scores, harmful):
    pairs = [
        1.0 if bad > good else 0.5 if bad == good else 0.0
        for bad, is_bad in zip(scores.tolist(), harmful.tolist())
        for good, other in zip(scores.tolist(), harmful.tolist())
        if is_bad and not other
    ]
    return sum(pairs) / len(pairs) if pairs else math.nan


@auc.cases
def _():
    yield (
        "the worked example",
        torch.tensor([3.0, 1.0, 2.0, 1.0]),
        torch.tensor([True, True, False, False]),
    )
    yield "forty scores", _drawn(40), _drawn(40, seed=1) > 0.3
    yield "few harmful ones", _drawn(30, seed=2), _drawn(30, seed=3) > 1.2
    yield "whole numbers with many ties", _whole(4, 50, seed=4).float(), _drawn(50, seed=5) > 0
    yield "negative scores", -3 - _drawn(20, seed=6).abs(), _drawn(20, seed=7) > 0
    yield "one of each, in order", torch.tensor([0.0, 1.0]), torch.tensor([False, True])
    yield "one of each, turned round", torch.tensor([1.0, 0.0]), torch.tensor([False, True])
    yield "all alike", torch.ones(6), torch.tensor([True, False, True, False, False, True])
    yield "no harmful one", _drawn(5), torch.zeros(5, dtype=torch.bool)
    yield "no harmless one", _drawn(5), torch.ones(5, dtype=torch.bool)
    yield "huge scores", 1e6 * _drawn(12, seed=8), _drawn(12, seed=9) > 0


@auc.usual
def auc(scores, harmful):
    harmless = scores[~harmful].sort().values
    if len(harmless) in (0, len(scores)):
        return math.nan
    below = torch.searchsorted(harmless, scores[harmful])
    up_to = torch.searchsorted(harmless, scores[harmful], right=True)
    return float((below + up_to).double().mean() / 2 / len(harmless))


auc.slip("(below + up_to)", "(below + below)", "ties lose").says(
    "right without ties. A tie counts half: harmless ones with an equal score were taken as if they stood above."
)
auc.slip("(below + up_to)", "(up_to + up_to)", "ties win").says(
    "right without ties. A tie counts half: harmless ones with an equal score were taken as if they stood below."
)
auc.slip("scores[~harmful]", "scores", "among all").says(
    "the harmful ones are compared with all variants, each other included. A pair has one of each kind."
)
auc.slip("return math.nan", "return 0.5", "empty").says(
    "right where both groups have members. If one is empty there is no pair: the answer is math.nan."
)


auc.slip(".sort().values", "", "unsorted").says(
    "the search went through scores that are not sorted. torch.searchsorted finds places in a sorted tensor only."
)


@auc.mistake(
    "ranks", "right without ties. Counting ranks gives equal scores different ones; let each tie count half instead."
)
def _(scores, harmful):
    many, few = harmful.sum(), (~harmful).sum()
    if not many or not few:
        return math.nan
    rank = scores.argsort().argsort().double() + 1
    return float((rank[harmful].sum() - many * (many + 1) / 2) / (many * few))


@auc.mistake("order", "the order is turned round: the share of pairs in which the harmless one scores higher.")
def _(scores, harmful):
    bad, good = scores[harmful], scores[~harmful]
    return float(((bad[:, None] < good) + 0.5 * (bad[:, None] == good)).double().mean())


@auc.mistake(
    "accuracy", "this is the share of right calls at one cut, the mean score. The AUC looks at pairs, at no cut."
)
def _(scores, harmful):
    return float(((scores > scores.mean()) == harmful).double().mean())


@exercise(returns="float tensor (..., length, 20)", points=1, tolerance=1e-3, extreme={"logits": 1e3})
def log_ratio(logits, wild):
    rows = logits.reshape(-1, logits.shape[-1])
    own = torch.stack([row[letter] for row, letter in zip(rows, wild.flatten().tolist())])
    return (own[:, None] - rows).reshape(logits.shape)


@log_ratio.cases
def _():
    yield "the worked example", torch.tensor([[2.0, 0.0, 5.0]]), torch.tensor([0])
    yield "two sequences of five", _drawn(2, 5, 20), _whole(20, 2, 5)
    yield "one sequence, no batch", _drawn(7, 20, seed=1), _whole(20, 7, seed=1)
    yield "models, families, sites", _drawn(3, 2, 4, 20, seed=2), _whole(20, 3, 2, 4, seed=2)
    yield "a batch of one site", _drawn(1, 1, 20, seed=3), _whole(20, 1, 1, seed=3)
    yield "as many sites as letters", _drawn(2, 20, 20, seed=4), _whole(20, 2, 20, seed=4)
    yield "a sure model", 50 * _drawn(2, 6, 20, seed=5), _whole(20, 2, 6, seed=5)


@log_ratio.usual
def log_ratio(logits, wild):
    own = logits.gather(-1, wild[..., None])  # (..., length, 1)
    return own - logits


log_ratio.slip("own - logits", "logits - own", "sign").says(
    "right but for the sign. A letter that is rarer than the wild type's gets a number above 0: wild type first."
)
log_ratio.slip("own - logits", "(own - logits).exp()", "ratio").says(
    "this is the ratio of the probabilities, not its logarithm."
)
log_ratio.slip("own - logits", "own.softmax(-1).log() - logits.log_softmax(-1)", "own sum").says(
    "this is how surprising the new letter is, as if the wild letter's probability were 1. Take that from the softmax "
    "over all letters, too."
)


@log_ratio.mistake(
    "overflow", "right for small logits. At 1,000 a probability is 0 and its logarithm infinite: stay with logits."
)
def _(logits, wild):
    log = logits.softmax(-1).log()
    return log.gather(-1, wild[..., None]) - log


@log_ratio.mistake(
    "odds", "this compares log-odds, p / (1 - p). The logarithms of the probabilities themselves are asked for."
)
def _(logits, wild):
    odds = torch.logit(logits.softmax(-1))
    return odds.gather(-1, wild[..., None]) - odds


@log_ratio.mistake("sites", "the softmax ran over the sites. Each site has its own distribution, over letters.")
def _(logits, wild):
    log = logits.log_softmax(-2)
    return log.gather(-1, wild[..., None]) - log


@log_ratio.mistake(
    "difference", "probabilities were subtracted. The ratio of two of them, as a logarithm, is asked for."
)
def _(logits, wild):
    p = logits.softmax(-1)
    return p.gather(-1, wild[..., None]) - p


@exercise(
    returns="float tensor (families, length, 20)",
    points=2,
    single="counts are whole numbers, which become single precision beside a Python float",
)
def column_profile(letters, prior, weight):
    found = torch.zeros_like(prior)
    families, depth, length = letters.shape
    rows = []
    for family in range(families):
        for site in range(length):
            column = [int(letters[family, row, site]) for row in range(depth)]
            column = [letter for letter in column if letter >= 0]
            for letter in range(prior.shape[-1]):
                invented = weight * prior[family, site, letter]
                rows.append((column.count(letter) + invented) / (len(column) + weight))
    return torch.stack(rows).reshape(found.shape) if rows else found


def _opinion(*shape, seed=0):
    return (2 * _drawn(*shape, seed=seed)).softmax(-1)


@column_profile.cases
def _():
    flat = torch.full((1, 1, 20), 0.05)
    yield "the worked example", torch.tensor([[[0], [0], [1], [-1]]]), flat, 1.0
    yield "two families of three", _whole(20, 2, 3, 5), _opinion(2, 5, 20), 2.0
    yield "gaps here and there", _whole(20, 2, 6, 4, seed=1, low=-5).clamp(min=-1), _opinion(2, 4, 20, seed=1), 0.5
    yield "one sequence", _whole(20, 3, 1, 4, seed=2), _opinion(3, 4, 20, seed=2), 5.0
    yield "a column of gaps", torch.full((1, 4, 2), -1), _opinion(1, 2, 20, seed=3), 3.0
    yield "no sequence", torch.zeros(1, 0, 3, dtype=torch.long), _opinion(1, 3, 20, seed=4), 1.0
    yield "a heavy prior", _whole(20, 1, 5, 3, seed=5), _opinion(1, 3, 20, seed=5), 100.0
    yield "a light prior", _whole(20, 1, 5, 3, seed=6), _opinion(1, 3, 20, seed=6), 0.01
    yield "the first and the last letter", torch.tensor([[[0, 19], [19, 0]]]), _opinion(1, 2, 20, seed=7), 1.0
    yield "as many families as sequences", _whole(20, 4, 4, 4, seed=8, low=-1), _opinion(4, 4, 20, seed=8), 1.5


@column_profile.usual
def column_profile(letters, prior, weight):
    counts = F.one_hot(letters + 1, 21)[..., 1:].sum(1)  # (families, length, 20)
    total = counts.sum(-1, keepdim=True)
    return (counts + weight * prior) / (total + weight)


column_profile.slip("(total + weight)", "(total + 20 * weight)", "twenty weights").says(
    "the prior sums to 1, so it adds its weight once to the total, not once a letter."
)
column_profile.slip("(counts + weight * prior)", "(counts + weight)", "no prior").says(
    "each letter got the same invented count. The prior says how the weight is shared out."
)
column_profile.slip("total = counts.sum(-1, keepdim=True)", "total = letters.shape[1]", "gaps counted").says(
    "right without gaps. A gap is no letter: n counts only the letters of the column."
)
column_profile.slip(".sum(1)", ".sum(0)[:, :, :].sum(0)", "families mixed").says(
    "the families were counted together. Each has its own alignment."
)


@column_profile.mistake(
    "frequencies first", "frequencies and prior were averaged: with few letters the prior must weigh more."
)
def _(letters, prior, weight):
    counts = F.one_hot(letters + 1, 21)[..., 1:].sum(1)
    return (counts / counts.sum(-1, keepdim=True).clamp(min=1) + weight * prior) / (1 + weight)


@column_profile.mistake(
    "mean first",
    "a mean over the sequences was mixed with the prior. Add counts, so that many letters outvote the prior.",
)
def _(letters, prior, weight):
    share = F.one_hot(letters + 1, 21)[..., 1:].float().mean(1)
    return (share + weight * prior) / (1 + weight)


@column_profile.mistake(
    "gap is a letter", "right without gaps. A gap was counted as letter 0: shift the letters by one and drop the gaps."
)
def _(letters, prior, weight):
    counts = F.one_hot(letters.clamp(min=0), 20).sum(1)
    return (counts + weight * prior) / (counts.sum(-1, keepdim=True) + weight)


_ABOVE = "in above = bad.flip(0).cumsum(0).double() / total.flip(0).cumsum(0)"
_BELOW = "in below = (total - bad).cumsum(0).double() / total.cumsum(0)"
_PAIR = "in return (float(low.max()) if len(low) else -math.inf, float(high.min()) if len(high) else math.inf)"


# one axis is the first and the last; quotients of few whole numbers are told apart in single precision too
@exercise(
    returns="pair of floats",
    points=3,
    equivalent_mutants=[
        f"bad.flip(0).cumsum(0).double() -> bad.flip(0).cumsum(0) {_ABOVE}",
        f"0 -> -1 {_ABOVE}",
        f"(total - bad).cumsum(0).double() -> (total - bad).cumsum(0) {_BELOW}",
        f"0 -> -1 {_BELOW}",
        "0 -> -1 in high, low = (levels[above.flip(0) >= precision], levels[below >= precision])",
        f"float(low.max()) -> low.max() {_PAIR}",
        f"float(high.min()) -> high.min() {_PAIR}",
    ],
)
def thresholds(scores, harmful, precision):
    pairs = list(zip(scores.tolist(), harmful.tolist()))
    low, high = -math.inf, math.inf
    for cut, _ in pairs:
        above = [bad for score, bad in pairs if score >= cut]
        below = [bad for score, bad in pairs if score <= cut]
        if above.count(True) / len(above) >= precision:
            high = min(high, cut)
        if below.count(False) / len(below) >= precision:
            low = max(low, cut)
    return low, high


@thresholds.cases
def _():
    yield (
        "the worked example",
        torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]),
        torch.tensor([False, False, True, False, True]),
        0.75,
    )
    scores = _drawn(60)
    yield "sixty variants", scores, scores + _drawn(60, seed=1) > 0, 0.8
    yield "a good judge", scores, scores + 0.3 * _drawn(60, seed=2) > 0.2, 0.9
    yield "a blind judge", _drawn(60, seed=3), _drawn(60, seed=4) > 0, 0.95
    yield "ties", _whole(5, 40, seed=5).float(), _whole(5, 40, seed=5) + _drawn(40, seed=6) > 2, 0.7
    yield "exactly nine of ten", torch.arange(20.0), torch.arange(20) % 10 == 9, 0.9
    yield "exactly nine of ten above", torch.arange(20.0), torch.arange(20) % 10 != 5, 0.9
    yield "a dip that recovers", torch.arange(8.0), torch.tensor([0, 0, 1, 0, 1, 1, 0, 1]).bool(), 0.75
    yield "all harm", _drawn(5), torch.ones(5, dtype=torch.bool), 0.9
    yield "none harms", _drawn(5), torch.zeros(5, dtype=torch.bool), 0.9
    yield "one variant", torch.tensor([2.0]), torch.tensor([True]), 0.9
    yield "none reaches it", torch.tensor([0.0, 1.0]), torch.tensor([True, False]), 0.9
    yield "full precision", torch.arange(6.0), torch.tensor([0, 0, 1, 0, 1, 1]).bool(), 1.0


@thresholds.usual
def thresholds(scores, harmful, precision):
    levels, place = scores.unique(return_inverse=True)
    total = torch.bincount(place)
    bad = torch.bincount(place[harmful], minlength=len(levels))
    above = bad.flip(0).cumsum(0).double() / total.flip(0).cumsum(0)
    below = (total - bad).cumsum(0).double() / total.cumsum(0)
    high, low = levels[above.flip(0) >= precision], levels[below >= precision]
    return (
        float(low.max()) if len(low) else -math.inf,
        float(high.min()) if len(high) else math.inf,
    )


thresholds.slip("levels[above.flip(0) >= precision]", "levels[above.flip(0) > precision]", "strictly above").says(
    "right unless a precision is met exactly. A share equal to the wanted one is enough."
)
thresholds.slip("levels[below >= precision]", "levels[below > precision]", "strictly below").says(
    "right unless the low cut's precision is met exactly. A share equal to the wanted one is enough."
)
thresholds.slip("float(high.min())", "float(high.max())", "most careful").says(
    "the highest cut that is precise enough classifies next to nothing. Take the lowest: call as many as possible."
)
thresholds.slip("(total - bad).cumsum(0)", "bad.cumsum(0)", "wrong class").says(
    "for the low cut the share of harmful ones was taken. Its class is called harmless: count these."
)
thresholds.slip("else -math.inf", "else float(levels.min())", "never empty").says(
    "right where some cut is precise enough. If none is, the class must stay empty: minus or plus infinity."
)


@thresholds.mistake(
    "one by one",
    "right without ties. Variants with the same score stand on the same side of a cut: count them together.",
)
def _(scores, harmful, precision):
    order = scores.argsort(descending=True, stable=True)
    said, bad = scores[order].double(), harmful[order].double()
    n = torch.arange(1, len(bad) + 1)
    high, low = said[bad.cumsum(0) / n >= precision], said.flip(0)[(1 - bad).flip(0).cumsum(0) / n >= precision]
    return (float(low.max()) if len(low) else -math.inf, float(high.min()) if len(high) else math.inf)


@thresholds.mistake(
    "first dip", "the search ended at the first cut that fails. A later one may be precise enough again."
)
def _(scores, harmful, precision):
    levels = scores.unique().tolist()
    low, high = -math.inf, math.inf
    for cut in reversed(levels):
        if float(harmful[scores >= cut].double().mean()) < precision:
            break
        high = cut
    for cut in levels:
        if float((~harmful[scores <= cut]).double().mean()) < precision:
            break
        low = cut
    return low, high


@thresholds.mistake(
    "one less",
    "right unless a precision is met exactly: 1 - 0.9 is a little less than 0.1. Take the right share.",
)
def _(scores, harmful, precision):
    low, high = -math.inf, math.inf
    for cut in scores.unique().tolist():
        if float((~harmful[scores >= cut]).double().mean()) <= 1 - precision:
            high = min(high, cut)
        if float(harmful[scores <= cut].double().mean()) <= 1 - precision:
            low = max(low, cut)
    return low, high


@thresholds.mistake(
    "strict", "variants with the very score of a cut were left out of its class. At or above, at or below: they belong."
)
def _(scores, harmful, precision):
    low, high = -math.inf, math.inf
    for cut in scores.unique().tolist():
        if (scores > cut).any() and float(harmful[scores > cut].double().mean()) >= precision:
            high = min(high, cut)
        if (scores < cut).any() and float((~harmful[scores < cut]).double().mean()) >= precision:
            low = max(low, cut)
    return low, high


@thresholds.mistake(
    "recall",
    "this is recall, the share of the harmful that a class catches. Precision is the share of a class that harms.",
)
def _(scores, harmful, precision):
    low, high = -math.inf, math.inf
    for cut in scores.unique().tolist():
        if int(harmful[scores >= cut].sum()) >= precision * max(1, int(harmful.sum())):
            high = min(high, cut)
        if int((~harmful[scores <= cut]).sum()) >= precision * max(1, int((~harmful).sum())):
            low = max(low, cut)
    return low, high
