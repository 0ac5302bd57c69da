"""Simulated laboratories: an experiment at a place of the unit cube gives a noisy result, costs hours, and may fail.

`Laboratory` has something to be made best, `Nature` a law to be found, or none. Knows no models and draws nothing.
"""

import copy
import math

import numpy as np
from scipy.optimize import minimize_scalar

_HARTMANN = {
    "height": np.array([1.0, 1.2, 3.0, 3.2]),
    "steep": np.array([[3.0, 10, 30], [0.1, 10, 35], [3.0, 10, 30], [0.1, 10, 35]]),
    "centre": 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]),
}


def hartmann(x):
    """Hartmann's function of three variables, turned over: a sum of four bumps, (n, 3) -> (n,); highest 3.86278."""
    far = (_HARTMANN["steep"] * (x[:, None] - _HARTMANN["centre"]) ** 2).sum(-1)
    return np.exp(-far) @ _HARTMANN["height"]


def branin(x):
    """Branin's function of two variables, turned over: three equal peaks, (n, 2) -> (n,); highest -0.397887."""
    a, b = 15 * x[:, 0] - 5, 15 * x[:, 1]
    bend = b - 5.1 * a**2 / (4 * math.pi**2) + 5 * a / math.pi - 6
    return -(bend**2 + 10 * (1 - 1 / (8 * math.pi)) * np.cos(a) + 10)


def reactor_settings(x):
    """Temperature (300 to 400 K), hours (0.1 to 10, logarithmic) and catalyst (0.1 to 3 %) of places (n, 3)."""
    return 300 + 100 * x[:, 0], 0.1 * 100 ** x[:, 1], 0.1 + 2.9 * x[:, 2]


def reactor(x):
    """Yield in percent of B in A -> B -> C, both steps faster when hot (Arrhenius), (n, 3) -> (n,).

    The catalyst speeds up the first step, saturating; much of it also eats the product.
    """
    kelvin, hours, catalyst = reactor_settings(x)
    first = 1.5 * np.exp(-6000 * (1 / kelvin - 1 / 350)) * catalyst / (0.5 + catalyst)
    second = (0.15 * np.exp(-11000 * (1 / kelvin - 1 / 350)) + 0.03) * (1 + 0.3 * catalyst**2)
    gap = np.where(np.abs(second - first) < 1e-9, 1e-9, second - first)
    return 100 * first / gap * (np.exp(-first * hours) - np.exp(-second * hours))


def _holds(x):
    """Where a hot reactor with much catalyst holds: outside, the batch is lost."""
    kelvin, _, catalyst = reactor_settings(x)
    return (kelvin - 300) / 100 + catalyst / 3 < 1


def hills(x):
    """Two hills over one setting, the narrow one higher, (n, 1) -> (n,); highest 1.0544213."""
    x = x[:, 0]
    return np.exp(-(((x - 0.74) / 0.08) ** 2)) + 0.7 * np.exp(-(((x - 0.3) / 0.17) ** 2)) + 0.1 * np.sin(12 * x)


SHIFT = 0.1  # at most, along each axis; the highest place stays inside
LANDSCAPES = {  # result of a place, number of settings, highest result, deviation of the noise
    "Hartmann": (hartmann, 3, 3.8627797, 0.1),
    "reactor": (reactor, 3, 68.1635987, 3.0),
    "Branin": (branin, 2, -0.3978874, 3.0),
    "hills": (hills, 1, 1.0544213, 0.05),
}


class Laboratory:
    """One laboratory with its noise; each seed shifts the landscape a little, so that no fixed plan is always lucky.

    Args:
        name: a key of `LANDSCAPES`.
        seed: of the shift and the noise; the first experiment's noise is the same wherever it takes place.
        noise: deviation of the noise, or None for the landscape's own.
        hazards: whether hot reactors run away; only the reactor has hazards.

    Raises:
        TypeError: if `seed` is not an int, or `noise` no number.
        ValueError: if `name` is unknown, `noise` is negative or not finite, or hazards are asked of another landscape.
    """

    def __init__(self, name, seed=0, noise=None, hazards=False):
        if name not in LANDSCAPES:
            raise ValueError(f"name must be one of {', '.join(LANDSCAPES)}, got {name!r}")
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise TypeError(f"seed must be an int, got {type(seed).__name__}")
        if noise is not None and (isinstance(noise, bool) or not isinstance(noise, (int, float))):
            raise TypeError(f"noise must be a number, got {type(noise).__name__}")
        if noise is not None and not (math.isfinite(noise) and noise >= 0):
            raise ValueError(f"noise must be finite and not negative, got {noise}")
        if hazards and name != "reactor":
            raise ValueError(f"hazards must be False but for the reactor, got {hazards!r} for {name!r}")
        self.name, self.hazards = name, hazards
        self._result, self.dimensions, self.highest, self.noise = LANDSCAPES[name]
        self.noise = self.noise if noise is None else float(noise)
        self._chance = np.random.default_rng([29, int(seed)])
        self._shift = self._chance.uniform(-SHIFT, SHIFT, self.dimensions)

    def truth(self, x):
        """The results without noise (n,) of places (n, d), also of those that fail."""
        return self._result(np.asarray(x, float) + self._shift)

    def safe(self, x):
        """Whether experiments at places (n, d) give a result at all (n,)."""
        x = np.asarray(x, float)
        return _holds(x + self._shift) if self.hazards else np.ones(len(x), bool)

    def run(self, x):
        """The noisy result (a float) of an experiment at place x (d,), or nan if it failed.

        Raises:
            ValueError: if x has another shape or leaves the unit cube.
        """
        x = np.asarray(x, float)
        if x.shape != (self.dimensions,) or not ((x >= 0) & (x <= 1)).all():
            raise ValueError(f"x must be {self.dimensions} numbers from 0 to 1, got {x}")
        noise = self.noise * self._chance.standard_normal()
        return float(self.truth(x[None])[0] + noise) if self.safe(x[None])[0] else math.nan

    def hours(self, x):
        """What experiments at places (n, d) cost: an hour each, and for the reactor its time and its heating."""
        if self.name != "reactor":
            return np.ones(len(x))
        kelvin, hours, _ = reactor_settings(np.asarray(x, float) + self._shift)
        return 0.5 + hours + (kelvin - 300) / 100


def graded(laboratory, cuts):
    """The same laboratory, which tells only how many of the cuts a result reaches; None for every digit."""
    if cuts is None:
        return laboratory
    coarse, run = copy.copy(laboratory), laboratory.run
    coarse.run = lambda place: float(np.sum(run(place) >= np.array(cuts)))
    return coarse


def bandit(choose, pulls=1000, runs=300, arms=10, seed=0):
    """Mean regret a pull after 1, 2, ... pulls, (pulls, runs), of arms that pay 1 with unknown, uniform rates.

    Args:
        choose: `choose(wins, tries, t, chance)` gets wins and tries so far (runs, arms) and the number of the
            pull from 0; it returns an arm a run, (runs,).
        pulls: of each run.
        runs: each with rates of its own.
        arms: to choose from.
        seed: of rates and payoffs.

    Raises:
        ValueError: if a number is below 1.
    """
    for name, value in (("pulls", pulls), ("runs", runs), ("arms", arms)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    chance, rows = np.random.default_rng(seed), np.arange(runs)
    rate = chance.random((runs, arms))
    wins, tries, lost = np.zeros_like(rate), np.zeros_like(rate), np.zeros((pulls, runs))
    for t in range(pulls):
        arm = choose(wins, tries, t, chance)
        lost[t] = rate.max(1) - rate[rows, arm]
        wins[rows, arm] += chance.random(runs) < rate[rows, arm]
        tries[rows, arm] += 1
    return lost.cumsum(0) / np.arange(1, pulls + 1)[:, None]


# What the machine that seeks laws may look at: 40 settings from 0.2 to 5, without units.
SETTINGS = np.geomspace(0.2, 5, 40)
LAWS = {  # form of the law; c is drawn for each nature, and a factor stands before
    "Kepler": lambda x, c: x**1.5,
    "Michaelis-Menten": lambda x, c: x / (c + x),
    "pendulum": lambda x, c: np.sqrt(x),
    "decay": lambda x, c: np.exp(-c * x),
    "Arrhenius": lambda x, c: np.exp(-c / x),
    "Hill": lambda x, c: x**2 / (c + x**2),
}
OUTSIDE = {  # laws that need more than five symbols, or functions that the grammar lacks
    "power and rest": lambda x, c: x**0.7 + 0.5 * c,
    "two decays": lambda x, c: np.exp(-c * x) + 0.5 * np.exp(-0.2 * c * x),
    "inhibition": lambda x, c: x / (c + x + x**2 / 4),
    "damped swing": lambda x, c: np.exp(-x / 3) * np.cos(c * x),
    "Planck": lambda x, c: x**3 / np.expm1(c * x),
}
LAWLESS = ("noise", "heavy noise", "smooth 0.3", "smooth 0.12", "smooth 0.05")


class Nature:
    """Something to measure at 40 settings: a law with noise, or none.

    Args:
        name: a key of `LAWS` or of `OUTSIDE`, or of `LAWLESS`: normal or lognormal noise whatever the setting, or a
            smooth random curve with the named length (1 is the whole range of log x) and a little noise.
        seed: of the constants, the curve and the noise.
        noise: deviation of a law's noise, as a share of its range over the settings.

    Attributes:
        truth: results without noise at the 40 settings, (40,).
        factor, constant: of a law.
        deviation: of the noise.

    Raises:
        TypeError: if `seed` is not an int, or `noise` no number.
        ValueError: if `name` is unknown, or `noise` is negative or not finite.
    """

    def __init__(self, name, seed=0, noise=0.01):
        forms = LAWS | OUTSIDE
        if name not in forms and name not in LAWLESS:
            raise ValueError(f"name must be one of {', '.join([*forms, *LAWLESS])}, got {name!r}")
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise TypeError(f"seed must be an int, got {type(seed).__name__}")
        if isinstance(noise, bool) or not isinstance(noise, (int, float)):
            raise TypeError(f"noise must be a number, got {type(noise).__name__}")
        if not (math.isfinite(noise) and noise >= 0):
            raise ValueError(f"noise must be finite and not negative, got {noise}")
        chance = self._chance = np.random.default_rng([30, int(seed)])
        self.name, self.factor, self.constant, self._heavy = name, math.nan, math.nan, name == "heavy noise"
        if name in forms:
            self.factor, self.constant = chance.uniform(1, 5), math.exp(chance.uniform(math.log(0.5), math.log(3)))
            self.truth = self.factor * forms[name](SETTINGS, self.constant)
            self.deviation = noise * np.ptp(self.truth)
        elif name.startswith("smooth"):
            place = np.log(SETTINGS / SETTINGS[0]) / np.log(SETTINGS[-1] / SETTINGS[0])
            near = np.exp(-(((place[:, None] - place) / float(name.split()[1])) ** 2) / 2)
            self.truth = 3 + np.linalg.cholesky(near + 1e-8 * np.eye(len(place))) @ chance.standard_normal(len(place))
            self.deviation = 0.05
        else:
            self.truth, self.deviation = np.full(len(SETTINGS), 0.0 if self._heavy else 3.0), 1.0

    def run(self, place):
        """The noisy result (a float) at setting number `place`.

        Raises:
            ValueError: if there is no such setting.
        """
        if not 0 <= place < len(SETTINGS):
            raise ValueError(f"place must be from 0 to {len(SETTINGS) - 1}, got {place}")
        result = self.truth[place] + self.deviation * self._chance.standard_normal()
        return float(np.exp(result) if self._heavy else result)


def distance(form, truth):
    """How far a formula stays from a truth (40,) with its best factor and constant, as a share of the truth's size.

    `form(c)` gives the formula's values (40,) with constant c; a law is found when the distance is but rounding.
    """

    def off(logarithm):
        with np.errstate(all="ignore"):
            values = np.broadcast_to(form(math.exp(logarithm)), truth.shape)
        size = values @ values
        if not (np.isfinite(size) and size > 0):
            return 1.0
        return float(np.linalg.norm(truth - values * (values @ truth / size)) / np.linalg.norm(truth))

    grid = np.linspace(math.log(0.01), math.log(100), 400)
    best = int(np.argmin([off(each) for each in grid]))
    around = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return min(minimize_scalar(off, bounds=around, method="bounded", options={"xatol": 1e-12}).fun, off(grid[best]))
