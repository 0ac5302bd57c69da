"""Chains of points that fold, and families of sequences that evolved to keep a fold's contacts. Knows no networks.

A chain has one point a residue, 3.8 Angstrom apart, as the alpha carbons of a protein have. A fold is drawn first:
helices that turn right, strands, loops between them, packed by Monte Carlo. Then a family's sequences evolve along a
tree, residue by residue, at a fixed temperature: which letter fits a place depends on the place and on the letters that
it touches.
"""

from dataclasses import dataclass

import numpy as np
import torch

LETTERS = "ALFGSTKE"  # small, large and ring-shaped oily ones; bend, two that like water, plus, minus
LENGTHS = (24, 28, 32, 36, 40)
DEPTH = 128  # sequences of a family: the leaves of a tree of seven forks
CONTACT = 8.0  # Angstrom
BOND = 3.8
HELIX, STRAND, LOOP = 0, 1, 2
SHAPE = {HELIX: (1.59, 0.87), STRAND: (2.15, -2.7)}  # bond angle and torsion, radians
CROWDED = 5.0  # no two residues, three or more apart along the chain, come closer

# How much a letter likes a helix, a strand, a loop, the inside; in units of the temperature.
#                     A    L    F    G    S    T    K    E
LIKES = np.array([
    [0.9, 0.6, -0.2, -1.2, -0.3, -0.6, 0.4, 0.6],
    [-0.6, 0.2, 0.8, -0.7, -0.1, 0.9, -0.2, -0.3],
    [-0.3, -0.6, -0.5, 1.2, 0.6, -0.1, 0.1, 0.0],
    [0.2, 0.5, 0.5, 0.1, -0.2, -0.1, -0.5, -0.5],
])  # fmt: skip

# What two letters in contact gain from each other; every row sums to about nothing, so that it is the pair that counts.
PAIRS = np.array([
    # A     L     F     G     S     T     K     E
    [-0.8, 0.5, 0.9, -0.3, -0.3, 0.0, 0.0, 0.0],  # A
    [0.5, 0.4, -0.5, 0.4, -0.4, 0.0, -0.2, -0.2],  # L
    [0.9, -0.5, -0.8, 0.7, -0.3, 0.0, 0.2, -0.2],  # F
    [-0.3, 0.4, 0.7, -0.5, 0.0, -0.3, 0.0, 0.0],  # G
    [-0.3, -0.4, -0.3, 0.0, 0.5, 0.6, 0.0, -0.1],  # S
    [0.0, 0.0, 0.0, -0.3, 0.6, 0.1, -0.3, -0.1],  # T
    [0.0, -0.2, 0.2, 0.0, 0.0, -0.3, -0.9, 1.2],  # K
    [0.0, -0.2, -0.2, 0.0, -0.1, -0.1, 1.2, -0.6],  # E
])  # fmt: skip


@dataclass(frozen=True)
class Families:
    """Families of chains of one length.

    Attributes:
        places: positions (families, length, 3), Angstrom, float32, middle at zero.
        letters: sequences (families, DEPTH, length), numbers into LETTERS; the first is the one that is asked for.
        parts: (families, length) HELIX, STRAND or LOOP.
    """

    places: torch.Tensor
    letters: torch.Tensor
    parts: torch.Tensor

    def __len__(self):
        return len(self.places)


def _whole(name, value, least):
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _parts(length, random):
    """A random succession of helices, strands and loops."""
    row, kind = [], random.integers(2)
    while len(row) < length:
        row += [kind] * int(random.integers(7, 13) if kind == HELIX else random.integers(4, 8))
        row += [LOOP] * int(random.integers(2, 5))
        kind = random.choice([kind, 1 - kind], p=[0.6, 0.4])
    return row[:length]


def _built(angles, torsions):
    """Positions (n, length, 3) from bond angles (n, length) and torsions (n, length); entry i places residue i."""
    n, length = angles.shape
    x = np.zeros((n, length, 3))
    x[:, 1, 0] = BOND
    x[:, 2] = x[:, 1] + BOND * np.stack([-np.cos(angles[:, 2]), np.sin(angles[:, 2]), np.zeros(n)], -1)
    for i in range(3, length):
        back = x[:, i - 1] - x[:, i - 2]
        back /= np.linalg.norm(back, axis=-1, keepdims=True)
        normal = np.cross(x[:, i - 2] - x[:, i - 3], back)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        side = np.cross(normal, back)
        a, t = angles[:, i, None], torsions[:, i, None]
        x[:, i] = x[:, i - 1] + BOND * (-np.cos(a) * back + np.sin(a) * (np.cos(t) * side + np.sin(t) * normal))
    return x


def _rotations(random, n, size):
    """Small random rotations (n, 3, 3): about a random axis, by an angle of deviation `size`."""
    axis = random.normal(size=(n, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = random.normal(size=(n, 1, 1)) * size
    k = np.zeros((n, 3, 3))
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    k -= k.transpose(0, 2, 1)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


def folds(count, length, seed, steps=1200):
    """Packed chains: positions (count, length, 3) and parts (count, length), NumPy arrays.

    Monte Carlo: at a residue of a loop, everything behind it turns; crowding is punished, nearness rewarded, and the
    temperature falls.

    Raises:
        TypeError: if an argument is not an int.
        ValueError: if `count` or `steps` is below 1, or `length` below 12.
    """
    for name, value, least in (("count", count, 1), ("length", length, 12), ("seed", seed, 0), ("steps", steps, 1)):
        _whole(name, value, least)
    random = np.random.default_rng([19, seed, length])
    parts = np.array([_parts(length, random) for _ in range(count)])
    angles = random.uniform(1.6, 2.3, parts.shape)
    torsions = random.uniform(-np.pi, np.pi, parts.shape)
    for kind, (angle, torsion) in SHAPE.items():
        inside = (parts == kind) & (np.roll(parts, 1, 1) == kind) & (np.roll(parts, 2, 1) == kind)
        angles[parts == kind] = angle
        torsions[inside] = torsion
    noise = random.normal(size=(2, *parts.shape)) * 0.06
    x = _built(angles + noise[0], torsions + noise[1]).astype(np.float32)
    apart = np.abs(np.arange(length)[:, None] - np.arange(length))
    upper = np.triu(np.ones((length, length), bool), 1)
    far, second = np.where(upper & (apart >= 3)), np.where(upper & (apart == 2))
    attracts = (apart[far] >= 4).astype(np.float32)

    def energy(x):
        d = np.sqrt(np.square(x[:, far[0]] - x[:, far[1]]).sum(-1))
        near = np.sqrt(np.square(x[:, second[0]] - x[:, second[1]]).sum(-1))
        pull = attracts * (1 / (1 + np.exp(np.minimum(d - 8.5, 30))) + 0.03 * np.minimum(20 - d, 12))
        bent = np.square(np.maximum(5.2 - near, 0)) + np.square(np.maximum(near - 7.2, 0))
        return 6 * np.square(np.maximum(CROWDED - d, 0)).sum(-1) + 10 * bent.sum(-1) - pull.sum(-1)

    rows, now = np.arange(count), energy(x)
    loose = (parts == LOOP) | (np.roll(parts, 1, 1) == LOOP)
    loose[:, [0, -1]] = False
    chance = loose / loose.sum(1, keepdims=True)
    ends = chance.cumsum(1)
    for step in range(steps):
        heat = 3.0 * (1 - step / steps) ** 2 + 0.15
        at = (random.random((count, 1)) > ends).sum(1).clip(0, length - 2)
        turn = _rotations(random, count, 0.5 if step % 2 else 0.12).astype(np.float32)
        pivot = x[rows, at][:, None]
        moved = np.where(np.arange(length)[None, :, None] > at[:, None, None], (x - pivot) @ turn + pivot, x)
        new = energy(moved)
        taken = random.random(count) < np.exp(np.minimum((now - new) / heat, 0))
        x, now = np.where(taken[:, None, None], moved, x), np.where(taken, new, now)
    return x - x.mean(1, keepdims=True), parts


def evolve(places, parts, seed, sweeps=2, coupling=1.0):
    """Families of sequences (n, DEPTH, length) that fit folds `places` (n, length, 3) with `parts` (n, length).

    One ancestor a family, settled in 40 sweeps; seven times all sequences double and each evolves for `sweeps` more. In
    a sweep every residue is drawn anew, with a chance that follows from its place and from the letters in contact.

    Raises:
        TypeError: if `seed` or `sweeps` is not an int.
        ValueError: if the shapes do not fit, a part is unknown, `seed` is negative or `sweeps` below 1.
    """
    if places.ndim != 3 or places.shape[:2] != parts.shape:
        raise ValueError(f"places must be (n, length, 3) and parts (n, length), got {places.shape} and {parts.shape}")
    if not np.isin(parts, (HELIX, STRAND, LOOP)).all():
        raise ValueError(f"parts must be {HELIX}, {STRAND} or {LOOP}, got {parts.min()} to {parts.max()}")
    _whole("seed", seed, 0)
    _whole("sweeps", sweeps, 1)
    random = np.random.default_rng([91, seed, places.shape[1]])
    n, length = parts.shape
    apart = np.abs(np.arange(length)[:, None] - np.arange(length))
    distance = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1)
    touch = ((distance < CONTACT) & (apart >= 3)).astype(np.float32)
    inside = (distance < 10).sum(-1) - 13.5
    field = (LIKES[parts] + 0.12 * inside[..., None] * LIKES[3]).astype(np.float32)
    gains = (coupling * PAIRS).astype(np.float32)
    letters = random.integers(len(LETTERS), size=(n, 1, length))
    for fork in range(8):
        if fork:
            letters = np.repeat(letters, 2, axis=1)
        for _ in range(sweeps if fork else 40):
            felt = gains[letters].reshape(n, -1, length, len(LETTERS))
            for i in random.permutation(length):
                pull = field[:, None, i] + np.einsum("nj,nmjq->nmq", touch[:, i], felt, optimize=True)
                chance = np.exp(pull - pull.max(-1, keepdims=True)).cumsum(-1)
                drawn = (random.random((*pull.shape[:2], 1)) * chance[..., -1:] > chance).sum(-1)
                letters[:, :, i] = drawn.clip(0, len(LETTERS) - 1)
                felt[:, :, i] = gains[letters[:, :, i]]
    return letters


def families(count, length, seed):
    """Families of `count` fresh folds of `length` residues.

    Raises:
        TypeError: if an argument is not an int.
        ValueError: if `count` is below 1 or `length` below 12.
    """
    places, parts = folds(count, length, seed)
    letters = evolve(places, parts, seed)
    return Families(*(torch.from_numpy(part) for part in (places, letters, parts)))
