"""Lesson 21's counting, judge, denoiser, noise, sampler, rivals and property networks."""

import itertools
import math

import numpy as np
import pytest
import torch
from rdkit import Chem

from tinyfrontier.authoring import definitions
from tinyfrontier.models import DenoiserConfig, MoleculeDenoiser
from tinyfrontier.pretrained import load_molecules, molecule_set
from tinyfrontier.pretrained.molecules.recipe import halves, velocity_loss


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(21)


@pytest.fixture(scope="module")
def world():
    """SMILES, elements, positions and the half to learn from."""
    smiles, elements, positions = molecule_set()
    return smiles, elements, positions, halves(len(smiles))[0]


def test_molecules_by_valence_are_counted(lesson):
    """Four hydrides; the two-atom ones are 16 ways of joining CNOF once, twice or three times, without repeats."""
    assert lesson.counts(3) == [4, 19, 94]
    valence = {"C": 4, "N": 3, "O": 2, "F": 1}
    pairs = [(a, b) for i, a in enumerate("CNOF") for b in "CNOF"[i:]]
    assert sum(min(valence[a], valence[b], 3) for a, b in pairs) == 19


@pytest.mark.parametrize(
    ("letters", "places", "name"),
    [
        ("CCO", [[0, 0, 0], [1.52, 0, 0], [2.0, 1.33, 0]], "CCO"),
        ("CO", [[0, 0, 0], [1.22, 0, 0]], "C=O"),
        ("CN", [[0, 0, 0], [1.16, 0, 0]], "C#N"),
        ("CC", [[0, 0, 0], [1.2, 0, 0]], "C#C"),
        ("CC", [[0, 0, 0], [1.34, 0, 0]], "C=C"),
        ("CC", [[0, 0, 0], [2.5, 0, 0]], None),
        ("FCC", [[0, 0, 0], [1.35, 0, 0], [1.35, 1.2, 0]], "C#CF"),
        ("OO", [[0, 0, 0], [1.0, 0, 0]], None),
        ("CFC", [[0, 0, 0], [1.4, 0, 0], [2.8, 0, 0]], None),
    ],
)
def test_the_judge_reads_bonds_off_distances(lesson, letters, places, name):
    """Single, double and triple bonds; pieces, collisions and too many bonds are refused."""
    elements = torch.tensor([["CNOF".index(letter) for letter in letters]])
    names, _ = lesson.read_molecules(elements, torch.tensor([places]).float())
    assert names == [name]


def test_the_judge_knows_nearly_all_true_molecules(lesson, world):
    """Of the world's molecules 98 % or more are read back as what they are, whatever way they are turned."""
    smiles, elements, positions, _ = world
    turn = -torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    some = slice(None, None, 10)
    names, stable = lesson.read_molecules(elements[some], positions[some] @ turn + 3)
    assert np.mean([a == b for a, b in zip(names, smiles[some], strict=True)]) > 0.98
    assert stable > 0.99


def test_the_denoiser_is_the_packages(lesson):
    """The lesson's class takes the shipped weights and gives the same guesses and gradients."""
    theirs, mine = load_molecules(2).double(), lesson.Denoiser().double()
    mine.load_state_dict(theirs.state_dict())
    torch.manual_seed(0)
    given = torch.randn(3, 6, 3), torch.randn(3, 6, 4), torch.rand(3) + 0.1, torch.randn(3, 2)
    x, *rest = (part.double() for part in given)
    x.requires_grad_()
    for mine_out, their_out in zip(mine(x, *rest), theirs(x, *rest), strict=True):
        assert (mine_out - their_out).abs().max() < 1e-12
        grads = [torch.autograd.grad(out.square().sum(), x, retain_graph=True)[0] for out in (mine_out, their_out)]
        assert (grads[0] - grads[1]).abs().max() < 1e-9


def test_fresh_denoisers_have_the_same_shape(lesson):
    """Names and sizes of the weights agree with the package's."""
    theirs = MoleculeDenoiser(DenoiserConfig()).state_dict()
    assert {k: v.shape for k, v in lesson.Denoiser().state_dict().items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize("mirror", [1, -1])
def test_the_trained_denoiser_is_equivariant(lesson, mirror):
    """In float64, after training: turns with and without a mirror and renumbering, at rounding."""
    model = lesson.Denoiser().double()
    model.load_state_dict(load_molecules(1).double().state_dict())
    torch.manual_seed(4)
    x, h, angle = torch.randn(5, 6, 3).double(), torch.randn(5, 6, 4).double(), torch.rand(5).double() + 0.05
    x -= x.mean(dim=1, keepdim=True)
    turn, order, wish = mirror * torch.linalg.qr(torch.randn(3, 3).double())[0], torch.randperm(6), torch.zeros(5, 2)
    with torch.no_grad():
        out_x, out_h = model(x, h, angle, wish.double())
        moved_x, moved_h = model(x[:, order] @ turn, h[:, order], angle, wish.double())
    assert (moved_x - out_x[:, order] @ turn).abs().max() < 1e-12 * max(1, out_x.abs().max())
    assert (moved_h - out_h[:, order]).abs().max() < 1e-12 * max(1, out_h.abs().max())


def test_a_perfect_guess_goes_back_to_the_molecule(lesson):
    """With true velocities the steps end at the clean item, whatever the fresh noise."""
    torch.manual_seed(5)
    clean, z = torch.randn(2, 4, 3).double()
    angles = torch.linspace(math.pi / 2, 0, 9).tolist()
    for angle, lower in itertools.pairwise(angles):
        noise = (z - math.cos(angle) * clean) / math.sin(angle)
        velocity = math.cos(angle) * noise - math.sin(angle) * clean
        z = lesson.step_back(z, velocity, angle, lower, torch.randn(4, 3).double())
    assert (z - clean).abs().max() < 1e-9


def test_a_step_back_keeps_the_variance(lesson):
    """Noise around a known clean item stays Gaussian of the right width at the lower angle."""
    torch.manual_seed(6)
    noise, fresh = torch.randn(2, 200_000).double()
    z = lesson.step_back(math.sin(1.1) * noise, math.cos(1.1) * noise, 1.1, 0.7, fresh)  # the clean item is zero
    assert abs(z.std().item() - math.sin(0.7)) < 0.01


def test_samples_keep_their_middle_and_repeat(lesson):
    """Positions stay centred, the same seed draws the same, another seed and a wish do not."""
    model = load_molecules(0)
    elements, x = lesson.sample(model, 8, seed=1, steps=10)
    again = lesson.sample(model, 8, seed=1, steps=10)
    assert x.mean(dim=1).abs().max() < 1e-4
    assert torch.equal(elements, again[0])
    assert torch.equal(x, again[1])
    assert not torch.equal(x, lesson.sample(model, 8, seed=2, steps=10)[1])
    assert not torch.equal(x, lesson.sample(model, 8, seed=1, steps=10, strength=2)[1])


def test_guidance_mixes_two_guesses(lesson):
    """Strength 0 is without the wish, 1 with it, 2 as far beyond."""
    model, draw = load_molecules(0), torch.Generator().manual_seed(0)
    x, h = torch.randn(3, 6, 3, generator=draw), torch.randn(3, 6, 4, generator=draw)
    plain, wished, far = (lesson.guided_velocity(model, x, h, 0.8, s) for s in (0, 1, 2))
    angle, told = torch.full((3,), 0.8), torch.tensor([[lesson.WISH, 1.0]]).expand(3, 2)
    direct = model(x, h, angle, told)
    for a, b, c, d in zip(plain, wished, far, direct, strict=True):
        assert (b - d).abs().max() < 1e-4
        assert (c - (2 * b - a)).abs().max() < 1e-4


def test_the_path_holds_every_step(lesson):
    """Elements and positions after each step; the last is what is returned."""
    path = []
    elements, x = lesson.sample(load_molecules(0), 4, seed=0, steps=7, path=path)
    assert len(path) == 7
    assert torch.equal(path[-1][0], elements)
    assert torch.equal(path[-1][1], x)


def test_the_wish_moves_the_property(lesson, world):
    """The shipped network draws valid molecules, and richer ones when asked."""
    smiles, _, _, learn = world
    known = {smiles[i] for i in learn}
    plain, asked = (
        lesson.tally(lesson.read_molecules(*lesson.sample(load_molecules(0), 150, seed=8, strength=s))[0], known, set())
        for s in (0, 2)
    )
    assert plain["validity"] > 0.3
    assert asked["logp"] > plain["logp"] + 0.5
    assert asked["wanted"] > plain["wanted"]


def test_perturbing_by_nothing_changes_nothing(lesson, world):
    """Without jitter and change the examples come back; with change 1 every element is drawn anew."""
    smiles, elements, positions, learn = world
    same, x = lesson.perturbed(50, 0, learn, elements, positions, 0.0, 0.0)
    places = {tuple(place.flatten().tolist()) for place in positions[learn]}
    assert all(tuple(place.flatten().tolist()) in places for place in x)
    assert np.mean([name in smiles for name in lesson.read_molecules(same, x)[0]]) > 0.9
    anew, _ = lesson.perturbed(500, 0, learn, elements, positions, 0.0, 1.0)
    assert np.abs(np.bincount(anew.flatten(), minlength=4) / 3000 - 0.25).max() < 0.04


def test_edits_are_valid_one_step_changes(lesson):
    """Six heavy atoms, readable, never the start; the skeleton of bonds stays."""
    made = lesson.edited(60, 0, ["CCCCCO", "CC1CCC1F"])
    assert len(made) == 60
    assert not set(made) & {"CCCCCO", "CC1CCC1F"}
    for name in made:
        molecule = Chem.MolFromSmiles(name)
        assert molecule.GetNumAtoms() == 6
        assert molecule.GetNumBonds() in (5, 6)


def test_scores_are_shares_of_draws(lesson):
    """Designs are distinct and new; those hidden and wanted are among them."""
    scores = lesson.tally(["CCCC(C)C", "CCCC(C)C", "OCC(O)CO", None], {"OCC(O)CO"}, {"CCCC(C)C"})
    assert scores["validity"] == 0.75
    assert scores["designs"] == scores["hidden"] == scores["wanted"] == 0.25
    assert lesson.tally([None], set(), set())["logp"] == 0


def test_the_lessons_loss_is_the_recipes(lesson, world):
    """Trained for a few steps from one seed, the lesson's and the recipe's loss give the same numbers."""
    _, elements, positions, learn = world
    x, h = positions[learn], torch.nn.functional.one_hot(elements[learn], 4).float()
    value = torch.linspace(-1, 1, len(x))
    _, losses = lesson.short_denoiser(x, h, value, seed=3, steps=1)
    torch.manual_seed(3)
    model, draw = lesson.Denoiser(), torch.Generator().manual_seed(3)
    some = torch.randint(len(x), (64,), generator=draw)
    assert losses[0] == pytest.approx(velocity_loss(model, x[some], h[some], value[some], draw).item(), rel=1e-5)


def test_properties_ignore_the_order_of_atoms(lesson):
    """Renumbering a molecule does not change what the bond network says; its bonds do."""
    torch.manual_seed(7)
    model, kinds = lesson.BondNetwork(), torch.nn.functional.one_hot(torch.tensor([[0, 0, 1, 2]]), 4).float()
    orders = torch.tensor([[[0, 1, 0, 0], [1, 0, 2, 0], [0, 2, 0, 1], [0, 0, 1, 0]]])
    order = torch.tensor([2, 0, 3, 1])
    moved = model(kinds[:, order], orders[:, order][:, :, order])
    assert (moved - model(kinds, orders)).abs().max() < 1e-5
    assert (model(kinds, orders.clamp(max=1)) - model(kinds, orders)).abs().max() > 1e-3


def test_features_count(lesson):
    """Ethanol and ethane: elements by number; surroundings of radius 0 sum to the atoms."""
    tables = lesson.count_features([Chem.MolFromSmiles(text) for text in ("CCO", "CC")])
    assert tables["atom counts"][0].tolist() == [[2, 0, 1, 0], [2, 0, 0, 0]]
    assert tables["fingerprints"][0].sum(axis=1).tolist() == [3, 2]
    orders = lesson.bond_matrices([Chem.MolFromSmiles("C=CO")])
    assert orders.tolist() == [[[0, 2, 0], [2, 0, 1], [0, 1, 0]]]
