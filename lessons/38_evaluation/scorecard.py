"""Ten measures of a yes-or-no forecaster, all so that more is better, and forecasters to pick from."""

from __future__ import annotations

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NAMES = (
    "accuracy",
    "balanced",
    "precision",
    "recall",
    "specificity",
    "F1",
    "AUC",
    "log score",
    "Brier score",
    "calibration",
)


def ten(chance: np.ndarray, truth: np.ndarray, threshold: float) -> np.ndarray:
    """The ten measures, in the order of `NAMES`, of forecast chances (n,) of truths (n,) that are 0 or 1.

    Accuracy to F1 judge the answers, which are yes from `threshold` on; the others judge the chances. Log score, Brier
    score and calibration error (ten bins) have their signs turned.

    Raises:
        ValueError: if only one of the two answers is true anywhere.
    """
    yes, true = chance >= threshold, truth == 1
    if true.all() or not true.any():
        raise ValueError("truth must hold both answers")
    hit, alarm = (yes & true).sum(), (yes & ~true).sum()
    missed, quiet = (~yes & true).sum(), (~yes & ~true).sum()
    recall, specificity = hit / (hit + missed), quiet / (quiet + alarm)
    auc = (rankdata(chance)[true].sum() - true.sum() * (true.sum() + 1) / 2) / (true.sum() * (~true).sum())
    kept = np.clip(chance, 1e-6, 1 - 1e-6)
    bins = np.minimum((chance * 10).astype(int), 9)
    apart = np.bincount(bins, chance, 10) - np.bincount(bins, truth, 10)
    return np.array(
        [
            (hit + quiet) / len(truth),
            (recall + specificity) / 2,
            hit / max(hit + alarm, 1),
            recall,
            specificity,
            2 * hit / max(2 * hit + alarm + missed, 1),
            auc,
            np.log(np.where(true, kept, 1 - kept)).mean(),
            -((chance - truth) ** 2).mean(),
            -np.abs(apart).sum() / len(truth),
        ]
    )


def ranks(table: np.ndarray) -> np.ndarray:
    """For each column, the share of rows that a row beats, ties counting half: (rows, columns) in [0, 1]."""
    return (rankdata(table, axis=0) - 0.5) / len(table)


DATA = {
    "digits": lambda: (load_digits().data, load_digits().target == 8),
    "cancer": lambda: (load_breast_cancer().data, load_breast_cancer().target == 0),
    "diabetes": lambda: (load_diabetes().data, load_diabetes().target > 200),
}


def forecasters(data: str, count: int, seed: int) -> np.ndarray:
    """Ten measures of `count` forecasters on rows to pick by and on an exam: (2, count, 10).

    Each is a logistic regression with one of five penalties, its classes weighted or not, whose scores are stretched by
    a factor from 1/4 to 4 and shifted by up to 3 either way, all drawn at random. All say yes from a chance of one half
    on, so that the answers follow from the chances, and no measure judges what another cannot see.

    Raises:
        ValueError: if `data` is not in `DATA`.
    """
    if data not in DATA:
        raise ValueError(f"data must be one of {sorted(DATA)}, got {data!r}")
    draw = np.random.default_rng([5, seed])
    x, y = DATA[data]()
    learn, *judging = np.array_split(draw.permutation(len(x)), 3)
    bases = []
    for penalty in (0.001, 0.01, 0.1, 1, 100):
        for weight in (None, "balanced"):
            line = LogisticRegression(C=penalty, class_weight=weight, max_iter=1000)
            line = make_pipeline(StandardScaler(), line).fit(x[learn], y[learn])
            bases.append([line.decision_function(x[part]) for part in judging])
    settings = zip(draw.integers(10, size=count), draw.uniform(-2, 2, count), draw.uniform(-3, 3, count), strict=True)
    table = [
        [
            ten(expit(score * 2**stretch + shift), y[part].astype(int), 0.5)
            for score, part in zip(bases[k], judging, strict=True)
        ]
        for k, stretch, shift in settings
    ]
    return np.array(table).swapaxes(0, 1)
