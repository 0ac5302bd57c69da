"""What lesson 32 compares with, and the bookkeeping of its exams."""

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsRegressor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
    return float(roc_auc_score(made_up, score))


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
