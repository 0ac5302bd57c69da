"""Digits in two colours, in environments that differ in what the colour tells; it knows no way of learning.

A picture is 48 numbers: 24 principal directions of its grey image, in the first half if it is red, else in the second.
"""

from collections import namedtuple

import numpy as np
import torch

from tinyfrontier.data.digit_images import digits

DIRECTIONS = 24
Pictures = namedtuple("Pictures", "x y colour environment")  # (n, 48), (n,), (n,), (n,)
Places = namedtuple("Places", "taught held_out exam")  # two lists of Pictures, and a dict by agreement


def raw(rows, count, agreement, chance, noise=0.25):
    """Grey images (count, 8, 8) moved by up to a pixel, labels with noise, and colours.

    Args:
        rows: which of the 1,797 digits to draw from.
        count: how many, with replacement.
        agreement: chance that the colour is the label, 0 to 1.
        chance: NumPy's generator.
        noise: chance that a label is turned around.

    Raises:
        ValueError: if `agreement` or `noise` is no probability.
    """
    for name, value in {"agreement": agreement, "noise": noise}.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be between 0 and 1, got {value}")
    bunch = digits()
    row, move = chance.choice(rows, count), chance.integers(-1, 2, (count, 2))
    images = bunch.images[row, 0].numpy()
    for step in {tuple(m) for m in move.tolist()}:
        mine = (move == step).all(1)
        images[mine] = np.roll(images[mine], step, (1, 2))
    large = bunch.labels[row].numpy() >= 5
    label = large ^ (chance.random(count) < noise)
    colour = label ^ (chance.random(count) >= agreement)
    return images, label.astype(int), colour.astype(int)


def places(seed, agreements, count=400, exam=(0.1, 0.5, 0.9)):
    """Environments to learn from, others of the same kind to tune on, and exams.

    No digit of one of the three is in another.

    Args:
        seed: of everything.
        agreements: of colour and label, one an environment.
        count: pictures to learn from, an environment.
        exam: agreements of the exams.

    Raises:
        ValueError: if there is no environment.
    """
    if not len(agreements):
        raise ValueError("agreements must name at least one environment, got none")
    chance = np.random.default_rng([37, seed])
    first, second, last = np.split(chance.permutation(1797), [1000, 1300])
    taught = [raw(first, count, a, chance) for a in agreements]
    held = [raw(second, 400, a, chance) for a in agreements]
    tests = {a: raw(last, 1500, a, chance) for a in exam}
    grey = np.concatenate([images.reshape(-1, 64) for images, _, _ in taught])
    axes = np.linalg.svd(grey, full_matrices=False)[2][:DIRECTIONS].T
    axes = axes / (grey @ axes).std()

    def pack(drawn, environment=0):
        images, label, colour = drawn
        x = np.zeros((len(label), 2, DIRECTIONS), "float32")
        x[np.arange(len(label)), colour] = images.reshape(-1, 64) @ axes
        numbers = torch.tensor(x).flatten(1), torch.tensor(label).float(), torch.tensor(colour)
        return Pictures(*numbers, torch.full((len(label),), environment))

    return Places(
        [pack(each, i) for i, each in enumerate(taught)],
        [pack(each, i) for i, each in enumerate(held)],
        {a: pack(each) for a, each in tests.items()},
    )


def together(sets):
    """Several Pictures as one, environments counted anew."""
    parts = [each._replace(environment=torch.full_like(each.environment, i)) for i, each in enumerate(sets)]
    return Pictures(*(torch.cat(part) for part in zip(*parts, strict=True)))


def side_by_side(sets):
    """Several Pictures of one size, each for a run of its own: x (runs, n, 48), and the rest (runs, n)."""
    return Pictures(*(torch.stack(part) for part in zip(*sets, strict=True)))


def painted(images, colour):
    """RGB images (n, 8, 8, 3), colour 0 red and 1 green."""
    found = np.zeros((*images.shape, 3))
    found[np.arange(len(images)), :, :, colour] = images
    return found


def without_colour(x):
    """The same pictures (..., 48), half of each colour."""
    grey = x.unflatten(-1, (2, -1)).sum(-2)
    return torch.cat([grey, grey], -1) / 2
