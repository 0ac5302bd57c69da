"""Two tasks of lesson 38 on data that ship with scikit-learn and matplotlib: patients, and a share's price.

Nothing here splits anything: that is the lesson's.
"""

from __future__ import annotations

import numpy as np
from matplotlib.cbook import get_sample_data
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures

LAGS = (5, 10, 20, 40)


def patients(degree: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Columns (442, p) of scikit-learn's diabetes data, and whose disease has gone on further than the median.

    Args:
        degree: products of up to so many of the ten columns are added: 10, 65 or 285 columns for 1, 2 or 3.

    Raises:
        ValueError: if `degree` is not 1, 2 or 3.
    """
    if degree not in (1, 2, 3):
        raise ValueError(f"degree must be 1, 2 or 3, got {degree!r}")
    x, y = load_diabetes(return_X_y=True)
    x = PolynomialFeatures(degree, include_bias=False).fit_transform(x / x.std(0))
    return x, (y > np.median(y)).astype(int)


def days(horizon: int, walk: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """What the last days of a share's price looked like (n, 5), and whether it stood higher `horizon` days later.

    The price is Google's, 1,047 days from 2004 to 2008, matplotlib's sample data.

    Args:
        horizon: trading days to look ahead, at least 1.
        walk: None for the real price; else the seed of a random walk in its place, which nobody can foretell.

    Raises:
        ValueError: if `horizon` is below 1 or above 200.
    """
    if not 1 <= horizon <= 200:
        raise ValueError(f"horizon must be from 1 to 200, got {horizon!r}")
    price = np.log(get_sample_data("goog.npz")["price_data"]["adj_close"].astype(float))
    if walk is not None:
        price = np.random.default_rng([38, walk]).normal(0, 0.02, len(price)).cumsum()
    now = np.arange(max(LAGS), len(price) - horizon)
    steps = np.diff(price, prepend=price[0])
    restless = [steps[day - 19 : day + 1].std() for day in now]
    past = [price[now] - price[now - lag] for lag in LAGS]
    return np.stack([*past, restless], axis=1), (price[now + horizon] > price[now]).astype(int)
