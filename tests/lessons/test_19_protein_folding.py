"""Lesson 19's world, scores and network, against SciPy, scikit-learn, an independent lDDT and the package's classes."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from sklearn.metrics import mutual_info_score
from tinyfrontier.beside.lesson_19 import agreement, chains, coupling, drawing

from tinyfrontier.authoring import definitions
from tinyfrontier.models import Folder, folding
from tinyfrontier.pretrained import folding_exam, load_folding


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(19)


@pytest.fixture(scope="module")
def few():
    """Six families of short chains."""
    return chains.families(6, 24, seed=3)


def cloud(*shape, seed=0):
    return 6 * torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotation(seed):
    return torch.from_numpy(Rotation.random(random_state=seed).as_matrix())


def slow_lddt(model, truth):
    """LDDT of each residue, written from the paper's words with NumPy and loops."""
    scores = []
    for i in range(len(truth)):
        kept = []
        for j in range(len(truth)):
            real = np.sqrt(((truth[i] - truth[j]) ** 2).sum())
            if j == i or real >= 15.0:
                continue
            error = abs(np.sqrt(((model[i] - model[j]) ** 2).sum()) - real)
            kept += [error < 0.5, error < 1.0, error < 2.0, error < 4.0]
        scores.append(np.mean(kept) if kept else 0.0)
    return np.array(scores)


@pytest.mark.parametrize("seed", range(5))
def test_lddt_is_that_of_an_independent_implementation(lesson, seed):
    """Residue by residue, for shaken chains of unlike spread."""
    truth = cloud(20, seed=seed) * (1 + seed / 2)
    model = truth + cloud(20, seed=seed + 50) * 0.1 * (seed + 1)
    own = lesson.lddt(model, truth).numpy()
    assert np.abs(own - slow_lddt(model.numpy(), truth.numpy())).max() < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_superposition_is_scipys(lesson, seed):
    """The moved chain equals `align_vectors`' for chains, and for mirror images too."""
    truth = cloud(11, seed=seed)
    for model in (cloud(11, seed=seed + 9), truth @ rotation(seed) + 4, -truth @ rotation(seed)):
        x, y = model - model.mean(0), truth - truth.mean(0)
        library = Rotation.align_vectors(y.numpy(), x.numpy())[0].apply(x.numpy()) + truth.mean(0).numpy()
        assert np.abs(lesson.superpose(model, truth).numpy() - library).max() < 1e-9


def test_information_is_that_of_a_library(lesson):
    """With scikit-learn's mutual information of columns and the correction written out."""
    letters = torch.randint(8, (40, 7), generator=torch.Generator().manual_seed(1))
    raw = np.array(
        [[0.0 if i == j else mutual_info_score(letters[:, i], letters[:, j]) for j in range(7)] for i in range(7)]
    )
    mean = raw.sum(1) / 6
    expected = (raw - np.outer(mean, mean) / mean.mean()) * (1 - np.eye(7))
    assert np.abs(lesson.information(letters).numpy() - expected).max() < 1e-5


def test_chains_are_chains(few):
    """Bonds of 3.8 Angstrom, middles at zero, helices that turn right, letters that are letters, no crowd."""
    bonds = (few.places[:, 1:] - few.places[:, :-1]).norm(dim=-1)
    assert (bonds - chains.BOND).abs().max() < 1e-3
    assert few.places.mean(1).abs().max() < 1e-3
    helix = few.parts == chains.HELIX
    inside = helix[:, 3:] & helix[:, 2:-1] & helix[:, 1:-2] & helix[:, :-3]
    assert (folding.winding(few.places)[inside] > 0.2).all()
    assert 0 <= few.letters.min()
    assert few.letters.max() < len(chains.LETTERS)
    far = torch.triu_indices(24, 24, 3)
    assert (folding.between(few.places)[:, *far] > 3.5).float().mean() > 0.995
    assert len(few) == 6
    assert few.letters.shape == (6, chains.DEPTH, 24)


def test_the_same_seed_gives_the_same_families():
    """And another seed others."""
    one, again, other = (chains.families(2, 24, seed) for seed in (5, 5, 6))
    assert torch.equal(one.places, again.places)
    assert torch.equal(one.letters, again.letters)
    assert not torch.equal(one.letters, other.letters)


def test_without_coupling_columns_are_independent(lesson):
    """Families that evolve without pair gains leave no trace of contacts; with them they do."""
    places, parts = chains.folds(12, 28, seed=2)
    found = {}
    for strength in (0.0, 1.0):
        letters = torch.from_numpy(chains.evolve(places, parts, 2, coupling=strength))
        found[strength] = float(lesson.precision(lesson.information(letters), torch.from_numpy(places)).mean())
    assert found[0.0] < 0.35 < found[1.0] - 0.1


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: chains.families(0, 24, 1), ValueError, "count"),
        (lambda: chains.families(2.0, 24, 1), TypeError, "count"),
        (lambda: chains.families(2, 5, 1), ValueError, "length"),
        (lambda: chains.families(2, 24, -1), ValueError, "seed"),
        (lambda: chains.folds(2, 24, 1, steps=0), ValueError, "steps"),
        (lambda: chains.folds(True, 24, 1), TypeError, "count"),
        (lambda: chains.evolve(np.zeros((2, 20, 3)), np.zeros((2, 21), int), 1), ValueError, "places"),
        (lambda: chains.evolve(np.zeros((2, 20, 3)), np.zeros((2, 20), int), 1, sweeps=0), ValueError, "sweeps"),
        (lambda: chains.evolve(np.zeros((2, 20, 3)), np.full((2, 20), 3), 1), ValueError, "parts"),
        (lambda: load_folding(3), ValueError, "seed"),
        (lambda: coupling.direct_coupling(torch.zeros(4, 5).long()), ValueError, "letters"),
        (lambda: coupling.direct_coupling(torch.full((1, 4, 5), 8)), ValueError, "letters"),
        (lambda: coupling.direct_coupling(torch.zeros(1, 4, 5).long(), 0.0), ValueError, "share"),
        (lambda: agreement.agreement({8: {"lddt": [], "trust": []}}), ValueError, "expected at 8"),
        (lambda: agreement.agreement({}), ValueError, "tests"),
        (lambda: drawing.draw_chain(None, torch.zeros(4, 2)), ValueError, "places"),
    ],
)
def test_bad_input_is_named(call, error, word):
    """The message names the argument."""
    with pytest.raises(error, match=word):
        call()


def test_the_expected_lddt_is_a_mean_over_draws(lesson):
    """Of distances drawn from the odds, at the bins' middles, each as a neighbour or not: summed in loops."""
    generator = torch.Generator().manual_seed(5)
    places = cloud(7, seed=3).float()
    odds = (3 * torch.randn(7, 7, 18, generator=generator)).softmax(-1)
    slow = []
    for i in range(7):
        kept, near = 0.0, 0.0
        for j in set(range(7)) - {i}:
            said = float((places[i] - places[j]).norm())
            share = [np.mean([abs(said - b - 3.5) < bound for bound in (0.5, 1, 2, 4)]) for b in range(18)]
            chance = float(odds[i, j, :12].sum())
            kept, near = kept + chance * float(odds[i, j].numpy() @ np.array(share)), near + chance
        slow.append(kept / near)
    assert np.abs(lesson.expected_lddt(places[None], odds[None])[0].numpy() - slow).max() < 1e-5


def test_agreement_is_numpys_correlation():
    """By chain, by residue, by residue inside chains, over two depths and two lengths; 0 where nothing varies."""
    random = np.random.default_rng(0)
    tests = {
        depth: {
            name: [torch.from_numpy(random.random((5, length)) + 0.1 * depth) for length in (6, 9)]
            for name in ("lddt", "trust", "expected")
        }
        for depth in (1, 8)
    }
    rows = {
        name: [row.numpy() for t in tests.values() for x in t[name] for row in x]
        for name in ("lddt", "trust", "expected")
    }
    told = agreement.agreement(tests)
    for name in ("trust", "expected"):
        ways = {
            name: lambda rows: [row.mean() for row in rows],
            f"{name}, residues": lambda rows: np.concatenate(rows),
            f"{name}, inside": lambda rows: np.concatenate([row - row.mean() for row in rows]),
        }
        for key, way in ways.items():
            assert abs(told[key] - np.corrcoef(way(rows["lddt"]), way(rows[name]))[0, 1]) < 1e-9
    assert abs(told["depth"] - np.corrcoef([row.mean() for row in rows["lddt"]], [0] * 10 + [1] * 10)[0, 1]) < 1e-6
    assert agreement.agreement({8: tests[8]})["depth"] == 0


def test_the_lessons_network_is_the_packages(lesson):
    """With the shipped weights both classes give the same fold, confidence, and loss."""
    net, (places, letters) = load_folding(), folding_exam()[28]
    own = lesson.Folder()
    own.load_state_dict(net.state_dict())
    letters, places = letters[:3, :16], places[:3]
    features = lesson.pair_features(letters)
    assert torch.allclose(features, folding.pair_features(letters), atol=1e-6)
    with torch.no_grad():
        one, other = own(features), net(features)
        assert (one["path"][-1] - other["path"][-1]).abs().max() < 1e-3
        assert (one["trust"] - other["trust"]).abs().max() < 1e-4
        assert abs(float(lesson.folding_loss(one, places) - folding.folding_loss(other, places))) < 1e-4


def test_moves_turn_with_the_chain():
    """A turned and shifted start gives turned and shifted places; a mirrored one does not give mirrored ones."""
    torch.manual_seed(0)
    net = Folder().double()
    z, places = torch.randn(1, 9, 9, 32, dtype=torch.float64), cloud(1, 9, seed=4)
    expected, turn = folding.between(cloud(1, 9, seed=5)), rotation(7)
    with torch.no_grad():
        moved = net.move(z, expected, places)[0]
        again = net.move(z, expected, places @ turn + 3)[0]
        mirrored = net.move(z, expected, -places)[0]
    assert (again - (moved @ turn + 3)).abs().max() < 1e-9
    assert (mirrored + moved).abs().max() > 1e-3


def test_scaling_gives_back_the_distances_and_the_frame_error_sees_the_hand(lesson):
    """Exact distances are kept; turning keeps the frame error at zero, mirroring does not."""
    places = cloud(2, 10, seed=6)
    assert (lesson.between(lesson.scaled(lesson.between(places))) - lesson.between(places)).abs().max() < 1e-5
    assert lesson.frame_error(places @ rotation(2) + 1, places).max() < 0.02
    assert lesson.frame_error(-places, places).min() > 1


def test_direct_coupling_leaves_out_the_detour(lesson):
    """In a chain of copies the ends are linked less than neighbours, and couplings say so more clearly."""
    generator = torch.Generator().manual_seed(8)
    first = torch.randint(8, (4000,), generator=generator)
    columns = [first]
    for _ in range(2):
        keep = torch.rand(4000, generator=generator) < 0.8
        columns.append(torch.where(keep, columns[-1], torch.randint(8, (4000,), generator=generator)))
    columns += [torch.randint(8, (4000,), generator=generator) for _ in range(3)]
    letters = torch.stack(columns, 1)
    direct, shared = coupling.direct_coupling(letters[None], 0.1)[0], lesson.information(letters)
    assert direct[0, 2] / direct[0, 1] < 0.5 * shared[0, 2] / shared[0, 1]


def test_what_ships_folds_new_families():
    """On fresh families the network is nearer with more sequences, and its confidence goes with its lDDT."""
    fresh, net = chains.families(10, 28, seed=77), load_folding()
    scores = []
    with torch.no_grad():
        for depth in (1, 128):
            guess = net(folding.pair_features(fresh.letters[:, :depth]))
            scores.append(torch.stack([folding.lddt(guess["path"][-1], fresh.places), guess["trust"]]))
    assert scores[1][0].mean() > scores[0][0].mean() + 0.05
    assert np.corrcoef(torch.cat(scores, 1).flatten(1).numpy())[0, 1] > 0.4
