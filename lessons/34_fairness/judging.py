"""How audits are judged: a run is a kind of world, a seed, a model's true gap, and what each audit measures."""

import numpy as np

WRONGING, FINE = 0.15, 0.05  # true gaps; what lies between is not counted


def shares(runs, name, cut):
    """Share of wronging models and of fine models in which an audit cries; None where there are none."""
    true, said = np.array([run[2] for run in runs]), np.array([run[3][name] for run in runs])
    kinds = true >= WRONGING, true <= FINE
    return [float((said > cut)[who].mean()) if who.any() else None for who in kinds]


def best_cut(runs, name):
    """The middle one of the cuts with the most detections less false alarms."""
    tried = np.linspace(0, 1, 101)
    gain = np.array([np.subtract(*shares(runs, name, cut)) for cut in tried])
    return float(np.median(tried[gain > gain.max() - 1e-9]))


def mark(share):
    """A share as text, a dash where there is none."""
    return "  - " if share is None else f"{share:4.0%}"
