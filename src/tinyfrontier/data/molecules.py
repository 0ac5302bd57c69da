"""All small molecules of C, N, O and F that a few rules allow, grown bond by bond, and their shapes in space.

Nothing is downloaded: RDKit (BSD licence) names each molecule once, and its ETKDG method with the MMFF94 force field
places the atoms. Stereoisomers and charges are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

VALENCE = {"C": 4, "N": 3, "O": 2, "F": 1}
ELEMENTS = "".join(VALENCE)


def grow_molecules(atoms: int) -> list[str]:
    """Canonical SMILES of all molecules with `atoms` heavy atoms of C, N, O and F that obey four rules.

    The rules: no bond between two of N, O and F; no atom with two double bonds; at most one ring; in a ring no triple
    bond, no double bond in one of fewer than five atoms, and nothing aromatic.

    Raises:
        ValueError: if `atoms` is not a positive int.
    """
    if isinstance(atoms, bool) or not isinstance(atoms, int) or atoms < 1:
        raise ValueError(f"atoms must be a positive int, got {atoms!r}")
    from rdkit import Chem

    level = {}
    for element in ELEMENTS:
        one = Chem.RWMol()
        one.AddAtom(Chem.Atom(element))
        level[_name(one)] = one
    for _ in range(atoms - 1):
        grown = {_name(new): new for old in level.values() for new in _with_atom(old) if _plain(new)}
        for old in list(grown.values()):
            grown |= {_name(new): new for new in _with_ring(old) if _plain(new) and _calm_ring(new)}
        level = grown
    return sorted(name for name in level if not set(name) & set("cno"))  # lower case: aromatic


def embed_molecules(smiles: Iterable[str], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Elements (n, atoms), numbers into `ELEMENTS`, and positions (n, atoms, 3) in Angstrom with their middle at zero.

    Each molecule gets its hydrogens, one conformer by ETKDG (Riniker & Landrum, 2015, doi 10.1021/acs.jcim.5b00654)
    from `seed`, and is relaxed with MMFF94; then the hydrogens are taken away.

    Raises:
        ValueError: if a molecule cannot be read, or placed, or differs from the first in its number of atoms.
    """
    from rdkit import Chem, RDLogger
    from rdkit.Chem import AllChem

    RDLogger.DisableLog("rdApp.*")
    elements, positions = [], []
    for text in smiles:
        bare = Chem.MolFromSmiles(text)
        if bare is None:
            raise ValueError(f"smiles must be readable molecules, got {text!r}")
        whole = Chem.AddHs(bare)
        if AllChem.EmbedMolecule(whole, randomSeed=seed) != 0 or AllChem.MMFFOptimizeMolecule(whole, maxIters=2000):
            raise ValueError(f"smiles must be molecules that can be placed in space, got {text!r}")
        if positions and bare.GetNumAtoms() != len(positions[0]):
            raise ValueError(f"smiles must all have {len(positions[0])} heavy atoms, got {text!r}")
        places = whole.GetConformer().GetPositions()[: bare.GetNumAtoms()]  # hydrogens come last
        positions.append(places - places.mean(axis=0))
        elements.append([ELEMENTS.index(atom.GetSymbol()) for atom in bare.GetAtoms()])
    return np.array(elements), np.array(positions, dtype=np.float32)


def _name(molecule) -> str:
    from rdkit import Chem

    whole = Chem.Mol(molecule)
    Chem.SanitizeMol(whole)
    return Chem.MolToSmiles(whole)


def _room(molecule) -> list[int]:
    """Bonds that each atom can still make."""
    used = [sum(int(bond.GetBondTypeAsDouble()) for bond in atom.GetBonds()) for atom in molecule.GetAtoms()]
    return [VALENCE[atom.GetSymbol()] - n for atom, n in zip(molecule.GetAtoms(), used, strict=True)]


def _bonded(molecule, i: int, j: int, order: int, element: str | None = None):
    from rdkit import Chem

    new = Chem.RWMol(molecule)
    if element is not None:
        new.AddAtom(Chem.Atom(element))
    new.AddBond(i, j, Chem.BondType.values[order])
    return new


def _with_atom(molecule) -> Iterator:
    for i, room in enumerate(_room(molecule)):
        for element, valence in VALENCE.items():
            for order in range(1, min(room, valence, 3) + 1):
                yield _bonded(molecule, i, molecule.GetNumAtoms(), order, element)


def _with_ring(molecule) -> Iterator:
    room = _room(molecule)
    for i, j in itertools.combinations(range(len(room)), 2):
        if molecule.GetBondBetweenAtoms(i, j) is None:
            for order in range(1, min(room[i], room[j], 3) + 1):
                yield _bonded(molecule, i, j, order)


def _plain(molecule) -> bool:
    """No bond between two of N, O and F; no atom with two double bonds."""
    for bond in molecule.GetBonds():
        if "C" not in (bond.GetBeginAtom().GetSymbol(), bond.GetEndAtom().GetSymbol()):
            return False
    return all(sum(bond.GetBondTypeAsDouble() == 2 for bond in atom.GetBonds()) < 2 for atom in molecule.GetAtoms())


def _calm_ring(molecule) -> bool:
    """One ring; no triple bond in it, and a double bond only if it has five atoms or more."""
    from rdkit import Chem

    whole = Chem.Mol(molecule)
    Chem.FastFindRings(whole)
    rings = whole.GetRingInfo().BondRings()
    if len(rings) != 1:
        return not rings
    orders = {whole.GetBondWithIdx(bond).GetBondTypeAsDouble() for bond in rings[0]}
    return 3 not in orders and (2 not in orders or len(rings[0]) >= 5)
