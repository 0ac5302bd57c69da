"""Lesson 20's crystals: arrangements, substitutions, the oracle, and its stored answers."""

from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list
from tinyfrontier.beside.lesson_20 import crystals


def test_arrangements_of_two_elements_are_as_many_as_published():
    """On fcc and on bcc: 2, 3 and 12 binary arrangements with 2, 3 and 4 atoms (Hart & Forcade, 2008)."""
    found = Counter((p.lattice, len(p.labels)) for p in crystals.prototypes() if p.kinds == 2)
    assert found == {(lattice, size): n for lattice in ("fcc", "bcc") for size, n in ((2, 2), (3, 3), (4, 12))}


def test_substitutions_leave_out_what_a_swap_of_labels_repeats():
    """Each crystal stands once: swapping A and B of an AB arrangement that looks the same either way adds none."""
    for prototype in crystals.prototypes():
        made = crystals.substitutions(prototype)
        count = np.prod([len(crystals.ELEMENTS) - k for k in range(prototype.kinds)])
        assert len(made) == len(set(made)) == count / len(prototype.swaps)


def test_the_pool_holds_known_structures_of_copper_and_gold():
    """CuAu (L1_0) and Cu3Au (L1_2) are among the fcc crystals: by their counts of first neighbours."""
    wanted = {"CuAu fcc": {("Cu", 4, 8), ("Au", 4, 8)}, "Cu3Au fcc": {("Cu", 8, 4), ("Au", 0, 12)}}
    for name, rows in wanted.items():
        found = []
        for crystal in crystals.pool():
            if crystal.name == name:
                atoms = crystal.atoms()
                i, j = neighbor_list("ij", atoms, 1.3 * (atoms.get_volume() / len(atoms)) ** (1 / 3))
                same = [sum(atoms.symbols[b] == symbol for b in j[i == a]) for a, symbol in enumerate(atoms.symbols)]
                found.append({(symbol, n, 12 - n) for symbol, n in zip(atoms.symbols, same)})
        assert rows in found, name


def test_a_crystal_starts_with_the_volume_of_its_elements():
    """Before relaxation the volume is the sum of the volumes that the elements have alone."""
    for crystal in crystals.pool()[::100]:
        atoms = crystal.atoms()
        assert atoms.get_volume() == pytest.approx(sum(crystals.VOLUME[symbol] for symbol in atoms.symbols))
        assert len(atoms) == len(crystal.symbols)
        assert atoms.pbc.all()


@pytest.mark.parametrize("element", crystals.ELEMENTS)
def test_elements_have_the_volume_that_the_table_says(element):
    """The relaxed fcc metal is the element's lowest energy, at the volume that the starting guess uses."""
    close, loose = crystals.relaxed_energy(bulk(element)), crystals.relaxed_energy(bulk(element, "bcc", a=3.1))
    assert close < loose
    side = (4 * crystals.VOLUME[element]) ** (1 / 3)
    stretched = Atoms(element, cell=np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * side / 2, pbc=True)
    stretched.calc = EMT()
    assert stretched.get_potential_energy() - close < 1e-3


def test_stored_energies_are_the_oracles():
    """A dozen crystals asked anew give the stored answers, to a tenth of a meV."""
    stored, pool = crystals.load_energies(), crystals.pool()
    assert len(stored) == len(pool) == 5418
    for place in np.linspace(0, len(pool) - 1, 12).astype(int):
        assert crystals.relaxed_energy(pool[place].atoms()) == pytest.approx(stored[place], abs=1e-4)


def test_the_oracle_leaves_its_crystal_alone_and_lowers_the_energy():
    """Positions, cell and calculator of the caller stay; a stretched start ends at the same energy."""
    atoms = bulk("Cu")
    before = atoms.copy()
    relaxed = crystals.relaxed_energy(atoms)
    assert atoms == before
    assert atoms.calc is None
    atoms.set_cell(atoms.cell * 1.03, scale_atoms=True)
    assert crystals.relaxed_energy(atoms) == pytest.approx(relaxed, abs=1e-4)


def test_a_supercell_and_a_moved_cell_have_the_same_energy():
    """The energy an atom does not depend on which cell describes the crystal."""
    crystal = next(c for c in crystals.pool() if c.name == "CuAu3 fcc")
    once, twice = crystal.atoms(), crystal.atoms().repeat((2, 1, 1))
    twice.translate((0.3, -1, 2))
    assert crystals.relaxed_energy(once) == pytest.approx(crystals.relaxed_energy(twice), abs=2e-4)


@pytest.mark.parametrize(
    ("atoms", "error", "words"),
    [
        ("CuAu", TypeError, "atoms must be an ase.Atoms, got str"),
        (Atoms(cell=[3, 3, 3], pbc=True), ValueError, "atoms must hold an atom, got none"),
        (Atoms("Cu", cell=[3, 3, 3]), ValueError, "periodic in three directions"),
        (Atoms("Cu", pbc=True), ValueError, "periodic in three directions"),
        (bulk("Fe"), ValueError, "made of Al, Cu, Ag, Au, Ni, Pd, Pt, got Fe"),
        (
            Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 0.4]], cell=[4, 4, 4], pbc=True),
            ValueError,
            "1.5 angstrom apart or more, got 0.40",
        ),
        (Atoms("Cu", cell=[4, 4, 0.9], pbc=True), ValueError, "1.5 angstrom apart or more, got 0.90"),
    ],
)
def test_bad_crystals_are_named(atoms, error, words):
    """A wrong type, no atoms, an open cell, an unknown element, overlapping atoms and images."""
    with pytest.raises(error, match=words):
        crystals.relaxed_energy(atoms)


@pytest.mark.parametrize(
    ("elements", "words"), [(("Cu", "Fe"), "must be among .* got Fe"), (("Cu", "Cu"), "must differ, got Cu, Cu")]
)
def test_bad_elements_are_named(elements, words):
    """Substituting an unknown element, or one element twice."""
    with pytest.raises(ValueError, match=words):
        crystals.substitutions(crystals.prototypes()[1], elements)


def test_bad_files_are_named(tmp_path):
    """A missing file, energies of another pool, and a file that was cut off."""
    with pytest.raises(ValueError, match="path must be a file that"):
        crystals.load_energies(tmp_path / "none.csv")
    whole = crystals.STORED.read_text(encoding="utf-8")
    for name, text in (("other.csv", "crystal,energy\nCu fcc,0.1\n"), ("short.csv", whole[: len(whole) // 2])):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="of this pool of crystals"):
            crystals.load_energies(tmp_path / name)


def test_each_stored_row_names_its_crystal():
    """The names in the file are those of the pool, in its order."""
    rows = crystals.STORED.read_text(encoding="utf-8").splitlines()[1:]
    assert [row.rpartition(",")[0] for row in rows] == [crystal.name for crystal in crystals.pool()]
