"""Searches without an acquisition function: designs fixed beforehand, simplex, steps, zoom, and a forest's guess.

Also two curious policies for bandits. Places are rows of the unit cube; a laboratory has `dimensions`, `noise` and
`run(place)`. Draws nothing.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.stats import qmc
from sklearn.ensemble import RandomForestRegressor

GRIDS = {2: (6, 5), 3: (4, 3, 3)}  # points along each axis, 30 or a few more
KINDS = ("random", "grid", "Sobol")
EVEN = 14 / 30  # share of its experiments that zoom spends on an even plan
NEARER = (1, 0.5, 0.3, 0.15)  # half-widths of its four batches, as shares of the first


def _whole(name, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def design(kind, dimensions, count, seed):
    """`count` places (count, dimensions) that are fixed before the first experiment.

    Args:
        kind: "random", "grid" (cell centres of a grid of about 30 cells, in random order) or "Sobol" (scrambled).
        dimensions: 1 or more; a grid has 2 or 3.
        count: number of places.
        seed: of the order, the scrambling or the draw.

    Raises:
        TypeError: if a number is not an int.
        ValueError: if `kind` is unknown, or a number is out of range.
    """
    _whole("dimensions", dimensions, 1)
    _whole("count", count, 1)
    _whole("seed", seed, 0)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    chance = np.random.default_rng([7, seed])
    if kind == "random":
        return chance.random((count, dimensions))
    if kind == "Sobol":
        power = max(5, int(np.ceil(np.log2(count))))
        return qmc.Sobol(dimensions, seed=seed).random_base2(power)[:count]
    if dimensions not in GRIDS:
        raise ValueError(f"dimensions must be one of {', '.join(map(str, GRIDS))} for a grid, got {dimensions}")
    axes = [(np.arange(cells) + 0.5) / cells for cells in GRIDS[dimensions]]
    every = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, dimensions)
    if count > len(every):
        raise ValueError(f"count must be at most {len(every)} for this grid, got {count}")
    return chance.permutation(every)[:count]


class _NoBudgetError(Exception):
    """The last experiment has been made."""


def local_search(kind, laboratory, start, count, size, seed, centre=None):
    """Search from the best of the first places.

    Args:
        kind: "simplex" (Nelder-Mead; a simplex that has shrunk to nothing starts anew at a random place), "steps" (a
            normal step from the best result so far, steps shrinking to a third until the end) or "zoom" (four
            even batches, each in a smaller box than the last around what is believed best).
        laboratory: where the experiments are made.
        start: the first places (n, d).
        count: all experiments, those at `start` included.
        size: edge of the first simplex, deviation of the first step, or half the width of the first box.
        seed: of the steps, the batches and new starts.
        centre: for zoom, `centre(x, y)` is the place (d,) believed best; the best result so far without it.

    Returns:
        All places (count, d) and results (count,); a failed experiment (nan) counted as the worst result so far.

    Raises:
        ValueError: if `kind` is unknown, `size` is not above 0, or `count` is below the number of first places.
    """
    if kind not in ("simplex", "steps", "zoom"):
        raise ValueError(f"kind must be simplex, steps or zoom, got {kind!r}")
    if not size > 0:
        raise ValueError(f"size must be above 0, got {size}")
    if count < len(start):
        raise ValueError(f"count must be at least the {len(start)} first places, got {count}")
    chance, d = np.random.default_rng([8, seed]), laboratory.dimensions
    places, results = [], []

    def loss(place):
        if len(places) == count:
            raise _NoBudgetError
        place = np.clip(place, 0, 1)
        result = laboratory.run(place)
        places.append(place)
        results.append(result if np.isfinite(result) else min(results, default=0.0))
        return -results[-1]

    for place in start:
        loss(place)
    best = places[int(np.argmax(results))]
    try:
        while kind == "simplex":
            away = np.where(best < 0.5, size, -size)
            corners = np.clip(np.vstack([best, best + np.diag(away)]), 0, 1)
            options = {"initial_simplex": corners, "xatol": 0.02, "fatol": max(laboratory.noise, 1e-9)}
            minimize(loss, best, method="Nelder-Mead", bounds=[(0, 1)] * d, options=options)
            best = chance.random(d)
        while kind == "steps":
            best = places[int(np.argmax(results))]
            left = (count - len(places)) / max(1, count - len(start))
            loss(best + size * (1 + 2 * left) / 3 * chance.standard_normal(d))
        for batch, nearer in enumerate(NEARER):
            end = len(start) + (batch + 1) * (count - len(start)) // len(NEARER)
            best = places[int(np.argmax(results))] if centre is None else centre(np.array(places), np.array(results))
            for step in qmc.Sobol(d, seed=chance).random_base2(5)[: end - len(places)]:
                loss(best + size * nearer * (2 * step - 1))
    except _NoBudgetError:
        pass
    return np.array(places), np.array(results)


def search(name, laboratory, seed, count, first, setting=0.2, centre=None):
    """Places (count, d) and results (count,) of a search that no acquisition function leads.

    Args:
        name: "random", "grid", "Sobol", "simplex", "steps" or "zoom".
        laboratory: where the experiments are made.
        seed: of the design, the steps and new starts.
        count: of experiments.
        first: how many of a Sobol design a simplex or steps begin with; zoom begins with nearly half of all.
        setting: size of the simplex, the steps or the first box.
        centre: for zoom, as in `local_search`.
    """
    if name in KINDS:
        x = design(name, laboratory.dimensions, count, seed)
        return x, np.array([laboratory.run(place) for place in x])
    start = design("Sobol", laboratory.dimensions, max(1, round(EVEN * count)) if name == "zoom" else first, seed)
    return local_search(name, laboratory, start, count, setting, seed, centre)


def forest_guess(x, y, places, leaf, trees=20):
    """Mean and deviation (m,), (m,) of what the trees of a random forest say at places (m, d), learnt from x and y.

    Raises:
        ValueError: if x and y differ in length.
        TypeError: if `leaf` (the least number of results a leaf) or `trees` is not an int.
    """
    _whole("leaf", leaf, 1)
    _whole("trees", trees, 1)
    if len(x) != len(y):
        raise ValueError(f"y must have one result a place, got {len(y)} for {len(x)}")
    forest = RandomForestRegressor(trees, min_samples_leaf=leaf, random_state=0).fit(x, y)
    said = np.array([tree.predict(np.asarray(places)) for tree in forest.estimators_])
    return said.mean(0), said.std(0)


def spend(laboratory, choose, plan, budget):
    """Experiments until the hours are gone.

    Args:
        laboratory: it has `run`, `hours`, `truth` and `highest`.
        choose: called with all places (n, d) and results (n,), nan for a lost batch, once three batches held; returns
            the next place and the one that it would recommend now.
        plan: an iterator of places for the time before.
        budget: hours; the last experiment may end after them, but counts for nothing.

    Returns:
        Hours spent and regret of what was recommended then, (steps, 2), and the number of lost batches.

    Raises:
        ValueError: if `budget` is not above 0.
    """
    if not budget > 0:
        raise ValueError(f"budget must be above 0, got {budget}")
    x, y, trace, spent = [], [], [], 0.0
    while spent <= budget:
        if np.isfinite(y).sum() < 3:
            place = next(plan)
        else:
            place, advice = choose(np.array(x), np.array(y))
            trace.append((spent, float(laboratory.highest - laboratory.truth(advice[None])[0])))
        x.append(place)
        y.append(laboratory.run(place))
        spent += float(laboratory.hours(place[None])[0])
    return np.array(trace).reshape(-1, 2), int(np.isnan(y).sum())


def confident(width, hope=2):
    """A policy for `bandit`: mean of each arm, untried counting as 1 / hope, and a bonus for few tries (UCB)."""

    def choose(wins, tries, t, chance):
        bonus = width * np.sqrt(np.log(t + 1) / (tries + 1))
        return ((wins + 1) / (tries + hope) + bonus + 1e-9 * chance.random(wins.shape)).argmax(1)

    return choose


def drawing(wins, tries, t, chance):
    """A policy for `bandit`, Thompson sampling: the best arm of one draw from what is believed of each."""
    return chance.beta(wins + 1, tries - wins + 1).argmax(1)
