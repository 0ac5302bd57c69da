"""Crystals of lesson 20: arrangements, substitution of elements, and the oracle, ASE's effective medium theory (EMT).

It knows nothing about networks, hulls or acquisition. `prototypes()` lists the ordered arrangements, `substitutions()`
puts elements into them, `relaxed_energy` asks the oracle, `load_energies` reads the answers that `oracle.py` stored.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zlib import crc32

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.neighborlist import neighbor_list
from ase.optimize import BFGS

ELEMENTS = ("Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt")
VOLUME = dict(zip(ELEMENTS, (15.93, 11.57, 16.77, 16.68, 10.60, 14.59, 15.08)))  # EMT's fcc, cubic angstrom an atom
LATTICES = {  # primitive vectors (rows) of cells that hold one atom and have volume 1
    "fcc": np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2 ** (1 / 3),
    "bcc": np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 4 ** (1 / 3),
}
LARGEST = 4  # atoms in a cell
CLOSEST = 1.5  # angstrom; bonds of these metals are 2.4 or longer
STORED = Path(__file__).with_name("oracle.csv")

Supercell = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Prototype:
    """An ordered arrangement of labels 0, 1, ... on a lattice.

    Attributes:
        lattice: "fcc" or "bcc".
        supercell: three rows of integers, the cell's vectors in units of the lattice's.
        labels: one label an atom; atoms of one label get one element.
        swaps: the ways to rename the labels that give the same arrangement, the unchanged one among them.
    """

    lattice: str
    supercell: Supercell
    labels: tuple[int, ...]
    swaps: tuple[tuple[int, ...], ...] = ()

    @property
    def kinds(self) -> int:
        """Number of different labels."""
        return max(self.labels) + 1


@dataclass(frozen=True)
class Crystal:
    """A prototype with one element for each of its labels."""

    prototype: Prototype
    elements: tuple[str, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """One element an atom."""
        return tuple(self.elements[label] for label in self.prototype.labels)

    @property
    def name(self) -> str:
        """Formula and lattice: "CuAu3 fcc"."""
        counts = ((element, self.symbols.count(element)) for element in ELEMENTS)
        return "".join(element + (str(n) if n > 1 else "") for element, n in counts if n) + f" {self.prototype.lattice}"

    def atoms(self) -> Atoms:
        """The crystal before relaxation, with the volume that its elements have by themselves."""
        side = sum(VOLUME[symbol] for symbol in self.symbols) / len(self.symbols)
        vectors = LATTICES[self.prototype.lattice] * side ** (1 / 3)
        supercell = np.array(self.prototype.supercell)
        return Atoms(self.symbols, positions=_points(supercell) @ vectors, cell=supercell @ vectors, pbc=True)


def _supercells(size: int) -> list[Supercell]:
    """All supercells of `size` lattice points, as lower triangular matrices (Hart & Forcade, 2008)."""
    found = []
    for a, c in itertools.product(range(1, size + 1), repeat=2):
        f, left = divmod(size, a * c)
        if f and not left:
            rest = itertools.product(range(a), range(a), range(c))
            found += [((a, 0, 0), (b, c, 0), (d, e, f)) for b, d, e in rest]
    return found


def _points(supercell) -> np.ndarray:
    """The lattice points inside a lower triangular supercell, in units of the lattice's vectors: (points, 3)."""
    return np.array(list(itertools.product(*map(range, np.diagonal(supercell)))))


def _labellings(size: int) -> list[tuple[int, ...]]:
    """All ways to label `size` atoms in which label k + 1 first stands after label k."""
    rows = [(0,)]
    for _ in range(size - 1):
        rows = [(*row, label) for row in rows for label in range(max(row) + 2)]
    return rows


@cache
def _shells(lattice: str, supercell: Supercell, shells: int = 6) -> np.ndarray:
    """How many atoms j stand in each of the nearest shells of atom i: (atoms i, shells, atoms j)."""
    points, inverse = _points(supercell), np.linalg.inv(np.array(supercell))
    steps = np.array(list(itertools.product(range(-4, 5), repeat=3)))
    lengths = np.round(np.linalg.norm(steps @ LATTICES[lattice], axis=1), 5)
    counts = np.zeros((len(points), shells, len(points)), int)
    for shell, length in enumerate(np.unique(lengths)[1 : shells + 1]):
        for i, step in itertools.product(range(len(points)), steps[lengths == length]):
            apart = (points[i] + step - points) @ inverse  # in cells: whole numbers for the atom that stands there
            counts[i, shell, np.abs(apart - np.round(apart)).max(axis=1).argmin()] += 1
    return counts


def _fingerprint(lattice: str, supercell: Supercell, labels: tuple[int, ...]) -> tuple:
    """A value that two labelled supercells of one infinite crystal share: what atoms see, refined three times."""
    counts, seen = _shells(lattice, supercell), list(labels)
    for _ in range(3):
        around = []
        for i in range(len(seen)):
            views = [Counter() for _ in counts[i]]
            for view, row in zip(views, counts[i]):
                for j, n in enumerate(row):
                    view[seen[j]] += int(n)
            around.append(crc32(repr((seen[i], [sorted((+view).items()) for view in views])).encode()))
        seen = around
    found = Counter(seen)
    common = math.gcd(*found.values())
    return lattice, tuple(sorted((key, n // common) for key, n in found.items()))


@cache
def prototypes() -> tuple[Prototype, ...]:
    """All different arrangements of 1 to 4 labels in cells of up to 4 atoms, smallest cells first, on both lattices."""
    found, known = [], set()
    for lattice, size in itertools.product(LATTICES, range(1, LARGEST + 1)):
        for supercell, labels in itertools.product(_supercells(size), _labellings(size)):
            names = list(itertools.permutations(range(max(labels) + 1)))
            prints = [_fingerprint(lattice, supercell, tuple(name[label] for label in labels)) for name in names]
            if known.isdisjoint(prints):
                known.update(prints)
                swaps = tuple(name for name, each in zip(names, prints) if each == prints[0])
                found.append(Prototype(lattice, supercell, labels, swaps))
    return tuple(found)


def substitutions(prototype: Prototype, elements: tuple[str, ...] = ELEMENTS) -> list[Crystal]:
    """All different crystals of `prototype`, with different elements for different labels.

    Raises:
        ValueError: if an element is unknown to EMT or stands twice.
    """
    unknown = [element for element in elements if element not in ELEMENTS]
    if unknown:
        raise ValueError(f"elements must be among {', '.join(ELEMENTS)}, got {', '.join(map(str, unknown))}")
    if len(set(elements)) < len(elements):
        raise ValueError(f"elements must differ, got {', '.join(elements)}")
    found, known = [], set()
    for chosen in itertools.permutations(elements, prototype.kinds):
        if chosen not in known:
            known.update(tuple(chosen[label] for label in swap) for swap in prototype.swaps)
            found.append(Crystal(prototype, chosen))
    return found


@cache
def pool() -> tuple[Crystal, ...]:
    """Every crystal of every prototype, in the order of the stored energies."""
    return tuple(crystal for prototype in prototypes() for crystal in substitutions(prototype))


def relaxed_energy(atoms: Atoms) -> float:
    """The oracle: EMT's energy an atom (eV) after volume, shape and places have relaxed; `atoms` stays as it is.

    Raises:
        TypeError: if `atoms` is not an `ase.Atoms`.
        ValueError: if it is empty or not periodic, holds an element that EMT does not know, or has atoms closer than
            1.5 angstrom (periodic images counted).
    """
    if not isinstance(atoms, Atoms):
        raise TypeError(f"atoms must be an ase.Atoms, got {type(atoms).__name__}")
    if not len(atoms):
        raise ValueError("atoms must hold an atom, got none")
    if not atoms.pbc.all() or not abs(atoms.cell.volume) > 0:
        raise ValueError(f"atoms must be periodic in three directions, got pbc {atoms.pbc.tolist()}")
    unknown = sorted(set(atoms.symbols) - set(ELEMENTS))
    if unknown:
        raise ValueError(f"atoms must be made of {', '.join(ELEMENTS)}, got {', '.join(unknown)}")
    shortest = min(neighbor_list("d", atoms, CLOSEST), default=CLOSEST)  # images of an atom count as well
    if shortest < CLOSEST:
        raise ValueError(f"atoms must be {CLOSEST} angstrom apart or more, got {shortest:.2f}")
    relaxing = atoms.copy()
    relaxing.calc = EMT()
    BFGS(FrechetCellFilter(relaxing), logfile=None).run(fmax=0.01, steps=200)
    return float(relaxing.get_potential_energy() / len(atoms))


def load_energies(path: Path = STORED) -> np.ndarray:
    """The oracle's answers for the whole `pool()`, in its order: relaxed energies an atom (crystals,), in eV.

    Raises:
        ValueError: if the file is missing, or was made for another pool.
    """
    if not Path(path).exists():
        raise ValueError(f"path must be a file that oracle.py has written, got {path}")
    head, *rows = Path(path).read_text(encoding="utf-8").splitlines()
    if head != header() or len(rows) != len(pool()):
        raise ValueError(f"path must hold the energies of this pool of crystals, got another's in {path}")
    return np.array([float(row.rpartition(",")[2]) for row in rows])


def header() -> str:
    """The first line of the stored energies, with a mark that changes with the pool and its order."""
    text = repr([(crystal.prototype.supercell, crystal.name, crystal.symbols) for crystal in pool()])
    return f"crystal,relaxed energy (eV an atom) of pool {crc32(text.encode()):08x}"
