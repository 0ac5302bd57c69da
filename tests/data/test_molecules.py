"""Small molecules: grown without gaps or repeats, obedient to the rules, placed in space, bad input refused."""

import itertools

import numpy as np
import pytest
from rdkit import Chem

from tinyfrontier.data.molecules import ELEMENTS, VALENCE, embed_molecules, grow_molecules


def obeys(molecule):
    """The four rules, written anew."""
    whole = Chem.Mol(molecule)
    if any(atom.GetIsAromatic() for atom in whole.GetAtoms()):
        return False
    hetero = any(
        not {bond.GetBeginAtom().GetSymbol(), bond.GetEndAtom().GetSymbol()} & {"C"} for bond in whole.GetBonds()
    )
    crowded = any(sum(b.GetBondTypeAsDouble() == 2 for b in atom.GetBonds()) > 1 for atom in whole.GetAtoms())
    rings = whole.GetRingInfo().BondRings()
    tense = any(
        order == 3 or (order == 2 and len(ring) < 5)
        for ring in rings
        for order in (whole.GetBondWithIdx(bond).GetBondTypeAsDouble() for bond in ring)
    )
    return not (hetero or crowded or tense or len(rings) > 1)


def slow(atoms):
    """All molecules of so many atoms by trying every element and every bond order of every pair."""
    pairs = list(itertools.combinations(range(atoms), 2))
    kinds = [None, Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE]
    found = set()
    for letters in itertools.combinations_with_replacement(ELEMENTS, atoms):
        for orders in itertools.product(range(4), repeat=len(pairs)):
            used = [sum(o for pair, o in zip(pairs, orders, strict=True) if i in pair) for i in range(atoms)]
            if any(n > VALENCE[letter] for n, letter in zip(used, letters, strict=True)):
                continue
            new = Chem.RWMol()
            for letter in letters:
                new.AddAtom(Chem.Atom(letter))
            for (i, j), order in zip(pairs, orders, strict=True):
                if order:
                    new.AddBond(i, j, kinds[order])
            Chem.SanitizeMol(new)
            text = Chem.MolToSmiles(new)
            if "." not in text and obeys(new):
                found.add(text)
    return sorted(found)


@pytest.mark.parametrize("atoms", [1, 2, 3, 4])
def test_growing_finds_what_trying_everything_finds(atoms):
    """Bond by bond, nothing is missed and nothing is there twice."""
    assert grow_molecules(atoms) == slow(atoms)


def test_larger_ones_obey_the_rules():
    """Each of the five-atom molecules has five atoms, its canonical name, and breaks no rule."""
    names = grow_molecules(5)
    assert len(names) == len(set(names)) == 928
    for name in names:
        molecule = Chem.MolFromSmiles(name)
        assert molecule.GetNumAtoms() == 5
        assert Chem.MolToSmiles(molecule) == name
        assert obeys(molecule)


def test_molecules_get_places():
    """Ethanol, dimethyl ether and propyne: elements by number, bonds of their usual length, the middle at zero."""
    elements, positions = embed_molecules(["CCO", "COC", "C#CC"])
    assert elements.tolist() == [[0, 0, 2], [0, 2, 0], [0, 0, 0]]
    first = np.linalg.norm(positions[:, 0] - positions[:, 1], axis=-1)
    assert np.abs(first - [1.52, 1.41, 1.20]).max() < 0.03
    assert np.abs(positions.mean(axis=1)).max() < 1e-5


def test_the_same_seed_gives_the_same_places():
    """Two calls agree; another seed may fold a chain otherwise."""
    assert np.array_equal(embed_molecules(["CCCCO"], seed=3)[1], embed_molecules(["CCCCO"], seed=3)[1])


@pytest.mark.parametrize("atoms", [0, -1, 2.0, True, "3"])
def test_a_wrong_number_of_atoms_is_refused(atoms):
    """Atoms are counted in positive ints."""
    with pytest.raises(ValueError, match="atoms must be a positive int"):
        grow_molecules(atoms)


@pytest.mark.parametrize(("smiles", "words"), [(["C(C"], "readable molecules"), (["CCO", "CC"], "3 heavy atoms")])
def test_wrong_molecules_are_refused(smiles, words):
    """What cannot be read, and another number of atoms, are named."""
    with pytest.raises(ValueError, match=words):
        embed_molecules(smiles)
