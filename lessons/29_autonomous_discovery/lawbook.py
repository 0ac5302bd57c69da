"""Fits factor and constant of many hypotheses y = a g(x, c), and tells what each expects and how sure it is.

Knows a list of hypotheses (text, size, values) and the settings at which they can be tested; nothing of how they are
made, compared or tested.
"""

import math
from collections import namedtuple

import numpy as np
from scipy.stats import t as student

STEP = 1e-5  # of the logarithm of c, for slopes


class Fit(namedtuple("Fit", "law constants factor constant squares mean deviation freedom width")):
    """A hypothesis fitted to results.

    `mean` and `deviation` (settings,) are what it expects of the next result, with `freedom` degrees of freedom of
    Student's t; `width` half the widths of the 95 % intervals of the factor and of the logarithm of the constant.
    """


class Lawbook:
    """Hypotheses whose values at all settings are kept in one table.

    Args:
        laws: hypotheses with `text`, `size` and `values` (constants, settings), or (1, settings) without a constant.
        settings: where results can be had, (settings,).
        constants: the grid of c, (constants,), evenly spaced in the logarithm.
        functions: what a text may call, by name.
        resolution: the smallest deviation that an instrument can tell.

    Attributes:
        sizes, constants_of: symbols and constants (the factor included) of each hypothesis.

    Raises:
        ValueError: if there is no hypothesis, or `resolution` is not above 0.
    """

    def __init__(self, laws, settings, constants, functions, resolution):
        if not laws:
            raise ValueError("laws must hold at least one hypothesis, got none")
        if not resolution > 0:
            raise ValueError(f"resolution must be above 0, got {resolution}")
        self.laws, self.settings, self.grid, self.functions = list(laws), settings, constants, functions
        self.resolution = resolution
        self.table = np.concatenate([law.values for law in self.laws])  # (rows, settings)
        self.rows = np.cumsum([0] + [len(law.values) for law in self.laws])
        self.sizes = np.array([law.size for law in self.laws])
        self.constants_of = np.array([1 + (len(law.values) > 1) for law in self.laws])

    def formula(self, law, c):
        """Values of a hypothesis without its factor: (settings,), or (constants, settings) for c of (constants, 1)."""
        with np.errstate(all="ignore"):
            return eval(law.text, {"x": self.settings, "c": c, **self.functions}) + np.zeros(len(self.settings))

    def _best_factors(self, values, places, y):
        weight = np.bincount(places, minlength=len(self.settings)).astype(float)
        sums = np.bincount(places, y, len(self.settings))
        size = np.maximum(values**2 @ weight, 1e-12)
        factor = values @ sums / size
        return factor, np.maximum(np.dot(y, y) - factor**2 * size, 0)

    def squares(self, places, y):
        """Squared residuals (laws,) of results y (n,) at settings places (n,), with the best constant of the grid."""
        return np.minimum.reduceat(self._best_factors(self.table, places, y)[1], self.rows[:-1])

    def fit(self, which, places, y):
        """Hypothesis number `which` with its best factor and constant, as a `Fit`."""
        law, c, width = self.laws[which], self.grid, math.log(self.grid[1] / self.grid[0])
        rows, count = law.values, int(self.constants_of[which])
        for _ in range(5 if count > 1 else 1):  # zoom in on the best constant
            clean = np.nan_to_num(rows, nan=0, posinf=0, neginf=0)
            factors, squares = self._best_factors(clean, places, y)
            at = int(np.argmin(squares))
            here = float(c[at])
            c = here * np.exp(np.linspace(-width, width, 15))
            rows, width = self.formula(law, c[:, None]), width / 6
        factor, left = float(factors[at]), float(squares[at])
        slopes = [self.formula(law, here)]
        if count > 1:
            up, down = (self.formula(law, here * math.exp(sign * STEP)) for sign in (1, -1))
            slopes.append(factor * (up - down) / (2 * STEP))
        slopes = np.nan_to_num(np.array(slopes).T)  # (settings, constants)
        freedom = max(len(places) - slopes.shape[1], 1)
        noise = max(left, len(places) * self.resolution**2) / freedom
        unsure = noise * np.linalg.pinv(slopes[places].T @ slopes[places])
        deviation = np.sqrt(noise + np.einsum("pi,ij,pj->p", slopes, unsure, slopes))
        half = student.ppf(0.975, freedom) * np.sqrt(unsure.diagonal())
        return Fit(law, count, factor, here, left, factor * slopes[:, 0], deviation, freedom, half)
