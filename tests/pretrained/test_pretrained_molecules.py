"""The shipped molecules and denoisers: small, quick to load, what their card says, and made by a recipe that runs."""

import pytest
import torch
from rdkit import Chem
from rdkit.Chem import Crippen

from tinyfrontier.data.molecules import grow_molecules
from tinyfrontier.models import MoleculeDenoiser
from tinyfrontier.pretrained import card, figures_of, load_molecules, molecule_set
from tinyfrontier.pretrained.loading import HOME
from tinyfrontier.pretrained.molecules.recipe import halves, held_out_loss

FOLDER = HOME / "molecules"


def clean():
    """Positions, elements as one-hot rows and scaled logP of all molecules."""
    smiles, elements, positions = molecule_set()
    measured = figures_of("molecules")["measured"]
    value = torch.tensor([Crippen.MolLogP(Chem.MolFromSmiles(text)) for text in smiles]).float()
    wish = (value - measured["logp_mean"]) / measured["logp_deviation"]
    return positions, torch.nn.functional.one_hot(elements, 4).float(), wish


def test_a_network_loads():
    """A network loads for evaluation, in float32."""
    model = load_molecules(1)
    assert isinstance(model, MoleculeDenoiser)
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_files_are_small_and_safe():
    """Weights and molecules under 1.5 MB, in safetensors and text; nothing that could hold a pickle."""
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.is_file()}
    assert set(sizes) == {"README.md", "figures.json", "model.safetensors", "molecules.smi", "recipe.py"}
    assert sum(sizes.values()) < 1_500_000


def test_the_molecules_are_all_that_the_rules_allow():
    """The stored list is what grows, its atoms are those of its SMILES, and every middle is at zero."""
    smiles, elements, positions = molecule_set()
    assert smiles == grow_molecules(6)
    letters = [[atom.GetSymbol() for atom in Chem.MolFromSmiles(text).GetAtoms()] for text in smiles[::50]]
    assert [["CNOF"[k] for k in row] for row in elements[::50].tolist()] == letters
    assert positions.shape == (len(smiles), 6, 3)
    assert positions.mean(dim=1).abs().max() < 1e-5


def test_the_halves_share_nothing():
    """Each molecule is in one half, and the split is the same each time."""
    learn, others = halves(101)
    assert sorted(torch.cat([learn, others]).tolist()) == list(range(101))
    assert len(learn) == 50
    assert torch.equal(learn, halves(101)[0])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_stored_loss_is_the_measured_one(seed):
    """On both halves each network reaches its stored loss."""
    x, h, wish = clean()
    for half, name in zip(halves(len(x)), ("learnt", "others"), strict=True):
        loss = held_out_loss(load_molecules(seed), x[half], h[half], wish[half])
        assert loss == pytest.approx(figures_of("molecules")["measured"][f"loss_{name}"][seed], rel=0.01)


def test_the_card_names_size_and_source():
    """The number of parameters is the network's, and the card says where the molecules come from."""
    assert f"{sum(p.numel() for p in load_molecules().parameters()):,} parameters" in card("molecules")
    assert "nothing was downloaded" in card("molecules")
    assert f"{len(molecule_set()[0]):,} molecules" in card("molecules")


@pytest.mark.parametrize("seed", [3, -1, "0"])
def test_an_unknown_seed_is_refused(seed):
    """There are three networks; asking for another names them."""
    with pytest.raises(ValueError, match="seed must be 0 to 2"):
        load_molecules(seed)
