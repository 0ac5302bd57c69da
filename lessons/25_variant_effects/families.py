"""Families of small proteins under a known fitness, and the true effect of every variant. Knows no networks.

Real alignments and measured variants cannot be downloaded here, so a world stands in for them. A family has a
structure (helices, strands, loops; inside and outside), an ancestor, a few sites that do the family's work, and pairs
of sites that touch. Together they make a Potts model: what a letter is worth at a place, and what two letters in
contact are worth to each other. Sequences are drawn by Gibbs sampling: a fitter one is exponentially more frequent.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from Bio.Align import substitution_matrices
from Bio.Data.IUPACData import protein_weights
from Bio.SeqUtils.ProtParamData import kd

LETTERS = "ARNDCQEGHILKMFPSTWYV"  # the order of BLOSUM62
LENGTH = 40
HELIX, STRAND, LOOP = 0, 1, 2
SWEEPS = 25
TOUCH = 3  # a site has at most so many contacts

_HALF_BIT = np.log(2) / 2  # BLOSUM62 is told in half-bits
_MATRIX = np.array(substitution_matrices.load("BLOSUM62"))[:20, :20]
OILY = np.array([kd[letter] for letter in LETTERS]) / 3.0  # hydropathy of Kyte & Doolittle, about -1.5 to 1.5
_mass = np.array([protein_weights[letter] for letter in LETTERS])
BULKY = (_mass - _mass.mean()) / _mass.std()
CHARGE = np.array([{"K": 1.0, "R": 1.0, "D": -1.0, "E": -1.0}.get(letter, 0.0) for letter in LETTERS])
OFTEN = np.log([0.078, 0.051, 0.045, 0.054, 0.019, 0.043, 0.063, 0.074, 0.022, 0.051, 0.091, 0.057, 0.022, 0.039, 0.052,
                0.071, 0.058, 0.013, 0.032, 0.064])  # fmt: skip

# How a letter suits a helix, a strand, a loop, in units of the temperature: invented, after textbooks' tendencies.
# The columns are those of LETTERS.
SUITS = np.array([
    [0.9, 0.4, -0.5, -0.3, -0.5, 0.4, 0.7, -1.3, -0.1, 0.1, 0.7, 0.4, 0.6, 0.0, -2.2, -0.5, -0.5, 0.0, -0.2, -0.2],
    [-0.5, -0.1, -0.8, -1.0, 0.4, -0.1, -0.5, -1.1, -0.1, 1.0, 0.2, -0.3, 0.2, 0.7, -1.8, -0.2, 0.6, 0.6, 0.8, 1.1],
    [-0.4, -0.1, 0.7, 0.6, 0.0, -0.2, -0.2, 1.2, 0.1, -0.7, -0.5, 0.0, -0.5, -0.4, 1.1, 0.4, 0.1, -0.3, -0.1, -0.6],
])  # fmt: skip
# Sites that work: motifs that unrelated families share, a dot for a place that does not matter. Invented.
MOTIFS = (
    "H..D..S C..C....H G.G.GK S...K.Y D.D.E W.P.W H.H..E C...C.G R.D.H K.E..N G..P.R E..H.H Y..N.D D.S.T P.W.R N.C.H"
).split()


def _pairs():
    """What two letters in contact gain from each other (20, 20): opposite charges, oil with oil, large with small."""
    table = -1.3 * np.outer(CHARGE, CHARGE) + 0.35 * np.outer(OILY, OILY) - 0.35 * np.outer(BULKY, BULKY)
    cystine = LETTERS.index("C")
    table[cystine, cystine] += 2.0
    return table


PAIRS = _pairs()


@dataclass(frozen=True)
class Families:
    """Families of one length.

    Attributes:
        letters: sequences (families, depth, LENGTH), numbers into LETTERS; the first is the wild type.
        sites: what each letter is worth at each place (families, LENGTH, 20), float32.
        touching: contacts (families, LENGTH, TOUCH), the other site's number or -1.
        parts: (families, LENGTH) HELIX, STRAND or LOOP.
        inside: (families, LENGTH), 1 where a site is buried, 0 where it faces outwards.
        working: (families, LENGTH), True at the sites that do the family's work.
    """

    letters: torch.Tensor
    sites: torch.Tensor
    touching: torch.Tensor
    parts: torch.Tensor
    inside: torch.Tensor
    working: torch.Tensor

    def __len__(self):
        return len(self.letters)


def _whole(name, value, least):
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _structure(random):
    """Parts (LENGTH,), inside (LENGTH,), and contacts as a list of pairs."""
    parts, inside, blocks = [], [], []
    kind = int(random.integers(2))
    while len(parts) < LENGTH:
        size = int(random.integers(8, 14) if kind == HELIX else random.integers(4, 8))
        phase = random.uniform(0, 2 * np.pi)
        turn = np.deg2rad(100) if kind == HELIX else np.pi
        buried = np.cos(phase + turn * np.arange(size)) > (0.1 if kind == HELIX else 0)
        blocks.append((kind, len(parts), size))
        parts += [kind] * size
        inside += list(buried)
        loop = int(random.integers(2, 5))
        parts += [LOOP] * loop
        inside += [False] * loop
        kind = int(random.choice([kind, 1 - kind]))
    parts, inside = np.array(parts[:LENGTH]), np.array(inside[:LENGTH])
    pairs = []
    for kind, start, size in blocks:
        reach = 4 if kind == HELIX else 2
        pairs += [(i, i + reach) for i in range(start, start + size - reach)]
    for (one, start, size), (other, begin, length) in pairwise(blocks):
        if one == other == STRAND:  # a hairpin: antiparallel strands
            pairs += [(start + size - 1 - k, begin + k) for k in range(min(size, length))]
    core = [i for i in range(LENGTH) if inside[i]]
    random.shuffle(core)
    pairs += [(i, j) for i, j in zip(core[::2], core[1::2], strict=False) if abs(i - j) > 5]
    return parts, inside, [(i, j) for i, j in pairs if max(i, j) < LENGTH]


def _table(pairs):
    """Contacts (LENGTH, TOUCH) from pairs, those that find room at both ends."""
    found = [[] for _ in range(LENGTH)]
    for i, j in pairs:
        if j not in found[i] and len(found[i]) < TOUCH and len(found[j]) < TOUCH:
            found[i].append(j)
            found[j].append(i)
    return np.array([row + [-1] * (TOUCH - len(row)) for row in found])


def _sampled(logits, random):
    """One letter a row of logits (..., 20), by Gumbel's trick."""
    return (logits + random.gumbel(size=logits.shape).astype(np.float32)).argmax(-1)


def _contact_values(letters, touching, site):
    """What each letter at `site` gains from its contacts (families, depth, 20)."""
    gain = 0
    padded = np.concatenate([PAIRS, np.zeros((1, 20))]).astype(np.float32)
    for slot in range(TOUCH):
        other = touching[:, site, slot]
        beside = np.take_along_axis(letters, np.maximum(other, 0)[:, None, None], axis=2)[..., 0]
        gain = gain + padded[np.where(other[:, None] < 0, 20, beside)]
    return gain


def families(count, depth, seed, *, membrane=0.0, constraint=1.0):
    """Draw families and their sequences.

    Args:
        count: number of families.
        depth: sequences of each, the wild type among them, drawn independently of each other.
        seed: whole number; the same one gives the same families.
        membrane: 0 for proteins in water, whose outside likes water; 1 for those in a membrane, whose outside likes
            oil; between them in proportion.
        constraint: factor on how much a site clings to its ancestor.

    Raises:
        TypeError: if a number is of the wrong kind.
        ValueError: if `count` or `depth` is below 1, `seed` below 0, or `membrane` outside of 0 to 1.
    """
    for name, value, least in (("count", count, 1), ("depth", depth, 1), ("seed", seed, 0)):
        _whole(name, value, least)
    for name, value, most in (("membrane", membrane, 1.0), ("constraint", constraint, np.inf)):
        if not 0 <= value <= most:
            raise ValueError(f"{name} must be from 0 to {most}, got {value}")
    random = np.random.default_rng(seed)
    drawn = [_structure(random) for _ in range(count)]
    parts, inside = (np.stack([each[k] for each in drawn]) for k in (0, 1))
    touching = np.stack([_table(each[2]) for each in drawn])
    outside = -0.9 + 2.2 * membrane
    likes = OFTEN + 1.2 * SUITS[parts] + np.where(inside, 1.5, outside)[..., None] * OILY
    ancestor = _sampled(likes, random)
    working = np.zeros((count, LENGTH), dtype=bool)
    for row in range(count):
        for half, number in enumerate(random.choice(len(MOTIFS), 2, replace=False)):
            motif = MOTIFS[number]
            start = half * LENGTH // 2 + int(random.integers(LENGTH // 2 - len(motif) + 1))
            for place, letter in enumerate(motif, start):
                if letter != ".":
                    working[row, place], ancestor[row, place] = True, LETTERS.index(letter)
    clings = np.where(inside, 0.6, 0.2) * random.gamma(3, 1 / 3, (count, LENGTH))
    clings = constraint * np.where(working, 2.5, clings)
    sites = (likes + clings[..., None] * 2 * _HALF_BIT * _MATRIX[ancestor]).astype(np.float32)
    letters = np.repeat(ancestor[:, None], depth, axis=1)
    for _ in range(SWEEPS):
        for site in random.permutation(LENGTH):
            values = sites[:, None, site] + _contact_values(letters, touching, site)
            letters[:, :, site] = _sampled(values, random)
    return Families(
        *(torch.from_numpy(np.ascontiguousarray(x)) for x in (letters, sites, touching, parts, inside * 1.0, working))
    )


def effects(world):
    """The change of fitness (families, LENGTH, 20) when a wild type's letter is replaced; 0 for the letter itself."""
    letters, touching = world.letters[:, :1].numpy(), world.touching.numpy()
    gains = np.stack([_contact_values(letters, touching, site)[:, 0] for site in range(LENGTH)], axis=1)
    values = world.sites + torch.from_numpy(gains)
    return values - values.gather(-1, world.letters[:, 0, :, None])
