"""Rendered photographs of forest from space, before and after, and boosted trees that look at them, for lesson 23.

It depends on NumPy, SciPy, scikit-learn and torch alone. Nothing here is measured: reflectances are typical values.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from sklearn.ensemble import HistGradientBoostingClassifier

SIDE = 32  # cells of a picture
COVERS = {  # reflectance in red, near infrared, shortwave infrared
    "evergreen": (0.03, 0.30, 0.10),
    "summer": (0.04, 0.36, 0.14),
    "leafless": (0.09, 0.20, 0.18),
    "crop": (0.06, 0.40, 0.18),
    "stubble": (0.17, 0.26, 0.32),
    "bare": (0.16, 0.24, 0.30),
    "cloud": (0.50, 0.50, 0.35),
}
COVERS = {name: np.array(value)[:, None, None] for name, value in COVERS.items()}


def places(count, seed):
    """Two photographs of so many places, and where forest was lost between them.

    Both dates have clouds with shadows, haze and noise; fields are harvested, some woods drop their leaves.

    Args:
        count: number of places, at least 1.
        seed: a whole number of at least 0.

    Returns:
        float32 tensor (count, 6, 32, 32): red, near infrared, shortwave infrared before, then after;
        bool tensor (count, 32, 32).

    Raises:
        TypeError: if an argument is no int.
        ValueError: if it is too small.
    """
    for name, value, least in (("count", count, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an int, got {type(value).__name__}")
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    rng = np.random.default_rng(seed)
    photos, lost = zip(*[_place(rng) for _ in range(count)], strict=True)
    return torch.tensor(np.stack(photos), dtype=torch.float32), torch.tensor(np.stack(lost))


def forest_trees(photos, lost, seed, cells, rounds):
    """Boosted trees on bands and greenness of a cell, and on their means over 3 and 7 cells.

    Args:
        photos: float tensor (count, 6, 32, 32), as from `places`.
        lost: bool tensor (count, 32, 32).
        seed: which cells.
        cells: number of cells to learn from; all, if there are fewer.
        rounds: number of trees.

    Returns a function from photographs (count, 6, 32, 32) to the chance of a loss (count, 32, 32).

    Raises:
        ValueError: if the shapes are others.
    """
    if photos.shape[1:] != (6, SIDE, SIDE) or lost.shape != (len(photos), SIDE, SIDE):
        raise ValueError(
            "photos and lost must be (count, 6, 32, 32) and (count, 32, 32), "
            f"got {tuple(photos.shape)}, {tuple(lost.shape)}"
        )
    some = np.random.default_rng(seed).permutation(lost.numel())[:cells]
    trees = HistGradientBoostingClassifier(max_iter=rounds, random_state=0)
    trees.fit(_around(photos)[some], lost.flatten().numpy()[some])

    def score(new):
        chance = trees.predict_proba(_around(new))[:, 1]
        return torch.tensor(chance, dtype=torch.float32).view(-1, SIDE, SIDE)

    return score


def _around(photos):
    red, near = photos[:, [0, 3]], photos[:, [1, 4]]
    parts = torch.cat([photos, (near - red) / (near + red)], dim=1)
    wide = [F.avg_pool2d(parts, side, 1, side // 2) for side in (3, 7)]
    return torch.cat([parts, *wide], dim=1).permute(0, 2, 3, 1).flatten(0, 2).numpy()


def _place(rng):
    farm, autumn = _boxes(rng, 6, 14), rng.uniform()
    lost = _boxes(rng, 3, 10) & ~farm
    wood = np.where(_patchy(rng, 4) > rng.normal(0.3, 0.5), 1, 0)  # 1: drops its leaves
    brown = (1 - autumn) * COVERS["summer"] + autumn * COVERS["leafless"]
    pictures = []
    for leaves, cleared in ((COVERS["summer"], 0 * lost), (brown, lost)):
        field = COVERS["stubble"] if rng.uniform() < 0.4 else COVERS["crop"]
        ground = np.where(cleared, COVERS["bare"], np.where(wood, leaves, COVERS["evergreen"]))
        pictures.append(_photograph(rng, np.where(farm, field, ground)))
    return np.concatenate(pictures), lost


def _boxes(rng, low, high):
    """Up to three rectangles with sides low ... high - 1: a mask (32, 32)."""
    mask = np.zeros((SIDE, SIDE), bool)
    for _ in range(rng.integers(4)):
        (h, w), (top, left) = rng.integers(low, high, 2), rng.integers(SIDE, size=2)
        mask[max(top - h // 2, 0) : top + h // 2 + 1, max(left - w // 2, 0) : left + w // 2 + 1] = True
    return mask


def _patchy(rng, size):
    """A random field (32, 32) of mean 0 and deviation 1."""
    field = gaussian_filter(rng.normal(size=(SIDE, SIDE)), size, mode="wrap")
    return (field - field.mean()) / field.std()


def _photograph(rng, ground):
    """What the satellite gets of the ground (3, 32, 32): texture, haze, clouds, their shadows, noise."""
    light = np.exp(0.15 * _patchy(rng, 1) + 0.1 * rng.normal())
    thick = np.clip(0.7 * (_patchy(rng, 4) - rng.uniform(0, 2.5)), 0, 0.9)
    shadow = np.roll(thick, (3, 3), (0, 1))
    seen = (1 - thick) * ground * light * (1 - 0.6 * shadow) + thick * COVERS["cloud"]
    return np.clip(seen + 0.015 * rng.normal(size=seen.shape), 0.005, 1)
