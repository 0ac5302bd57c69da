"""Ten measures of a yes-or-no forecaster, all so that more is better."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

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
