"""What lesson 32 compares with, and the bookkeeping of its exams."""

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

from tinyfrontier.training import fit

MODELS = {
    "a line": LinearRegression(),
    "a forest": RandomForestRegressor(100, random_state=0),
    "the nearest patient": KNeighborsRegressor(1),
}


def unusual(x, known):
    """How far each image is from its five nearest known ones, in deviations over all of x."""
    far = NearestNeighbors(n_neighbors=5).fit(known).kneighbors(x)[0].mean(1)
    return (far - far.mean()) / far.std()


def bolder(x, y, penalties=(0.01, 0.1, 1, 10)):
    """Logistic regression with the penalty that does best on the last third."""
    cut = 2 * len(x) // 3
    made = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=500)) for c in penalties]
    best = max(
        made, key=lambda m: m.fit(x[:cut], y[:cut]).predict_log_proba(x[cut:])[range(len(x) - cut), y[cut:]].mean()
    )
    return best.fit(x, y)


def dropout(x, y, seed, steps, rate, draws=30):
    """A network that drops hidden units at this rate, in training and in use; gives scores (draws, n, classes)."""
    draw, d, classes = torch.Generator().manual_seed(seed), x.shape[1], int(y.max()) + 1
    into, out = torch.randn(d, 64, generator=draw) * (2 / d) ** 0.5, torch.randn(64, classes, generator=draw) * 64**-0.5
    parts = [part.requires_grad_() for part in (into, torch.zeros(64), out, torch.zeros(classes))]
    inputs, labels = torch.tensor(x).float(), torch.tensor(y)

    def scores(some, generator):
        hidden = torch.relu(some @ parts[0] + parts[1])
        kept = torch.rand(hidden.shape, generator=generator) >= rate
        return (hidden * kept / (1 - rate)) @ parts[2] + parts[3]

    def loss(generator):
        some = torch.randint(len(inputs), (64,), generator=generator)
        return F.cross_entropy(scores(inputs[some], generator), labels[some])

    fit(parts, loss, steps=steps, lr=1e-2, seed=seed)

    @torch.no_grad()
    def tell(new):
        generator = torch.Generator().manual_seed(seed)
        new = torch.tensor(new).float()
        return torch.stack([scores(new, generator) for _ in range(draws)]).double().numpy()

    return tell


def by_folds(lesson, x, y, seed, steps, folds=5):
    """Networks that each leave out one fold; the temperature fits the scores that each gives to its own fold."""
    fold = np.random.default_rng([9, seed]).permutation(len(x)) % folds
    nets = [lesson.Networks(x[fold != k], y[fold != k], 10 * seed + k, steps=steps) for k in range(folds)]
    left_out = np.zeros((len(x), int(y.max()) + 1))
    for k, net in enumerate(nets):
        left_out[fold == k] = net(x[fold == k])[0]
    heat = lesson.best_heat(left_out, y)
    return lambda new: np.mean([lesson.chances(net(new), heat) for net in nets], 0)


def naive_sets(chances, level):
    """The likeliest classes, until their probabilities add up to the level: (n, classes) of booleans."""
    order = np.argsort(-chances, 1)
    before = np.cumsum(np.take_along_axis(chances, order, 1), 1) - np.take_along_axis(chances, order, 1)
    sets = np.zeros(chances.shape, bool)
    np.put_along_axis(sets, order, before < level, 1)
    return sets


def odds(x, here, there):
    """Weights exp(score) at all rows of x, from a logistic regression that tells rows here from rows there."""
    both = np.concatenate([x[here], x[there]])
    place = np.repeat([0, 1], [len(here), len(there)])
    return np.exp(LogisticRegression(max_iter=300).fit(both, place).decision_function(x))


def separation(score, made_up):
    """The chance that a made-up answer has a higher score than a right one; ties count half."""
    ranks, bad = rankdata(score), made_up.sum()
    return float((ranks[made_up].sum() - bad * (bad + 1) / 2) / (bad * (len(score) - bad)))


def false_alarms(score, made_up, recall=0.8):
    """Share of right answers that are flagged, too, when this share of the made-up ones is."""
    bar = np.sort(score[made_up])[::-1][int(np.ceil(recall * made_up.sum())) - 1]
    return float((score[~made_up] >= bar).mean())


def after_looking(score, before, after, share):
    """Accuracy when the share with the highest scores is looked up; ties in the order of the questions."""
    first = np.argsort(-score, kind="stable")[: round(share * len(score))]
    return float(np.where(np.isin(np.arange(len(score)), first), after, before).mean())


def by_module(modules, draws=500, seed=0):
    """Bootstrap samples of questions, drawn by whole modules."""
    names, draw = sorted(set(modules)), np.random.default_rng(seed)
    places = {name: np.flatnonzero(np.array(modules) == name) for name in names}
    return [np.concatenate([places[n] for n in draw.choice(names, len(names))]) for _ in range(draws)]


def interval(measure, samples):
    """The 95 % interval of a measure of questions."""
    return [float(v) for v in np.percentile([measure(some) for some in samples], (2.5, 97.5))]
