"""Lesson 20's hull, graphs, network, rivals and campaign, against ASE, SciPy and scikit-learn."""

import numpy as np
import pytest
import torch
from ase.neighborlist import neighbor_list
from ase.phasediagram import PhaseDiagram
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(20)


def counts_of(lesson, place):
    """Atoms of each element in a crystal of the pool."""
    symbols = lesson.POOL[place].symbols
    return {element: symbols.count(element) for element in sorted(set(symbols))}


@pytest.mark.parametrize("metals", [("Cu", "Pt"), ("Al", "Ag", "Au"), ("Al", "Cu", "Ni", "Pt")])
def test_both_hulls_equal_ase(lesson, metals):
    """The linear program and the small hulls give the decomposition energies of ase.phasediagram."""
    columns = [lesson.ELEMENTS.index(metal) for metal in metals]
    inside = np.flatnonzero(lesson.FRACTIONS[:, columns].sum(axis=1) > 0.999)
    draw = np.random.default_rng(0)
    known = np.union1d(lesson.PURE, draw.choice(inside, min(60, len(inside) // 2), replace=False))
    known = known[np.isin(known, inside)]
    totals = [(counts_of(lesson, k), lesson.FORMATION[k] * len(lesson.POOL[k].symbols)) for k in known]
    diagram, fast = PhaseDiagram(totals, verbose=False), lesson.pool_hull(np.union1d(known, lesson.PURE))
    for place in draw.choice(inside, 20, replace=False):
        theirs = diagram.decompose(**counts_of(lesson, place))[0] / len(lesson.POOL[place].symbols)
        slow = lesson.hull_energy(lesson.FRACTIONS[known], lesson.FORMATION[known], lesson.FRACTIONS[place])
        assert slow == pytest.approx(theirs, abs=1e-7)
        assert fast[place] == pytest.approx(theirs, abs=1e-7)


def test_nothing_lies_below_the_whole_hull_and_knowing_more_never_raises_it(lesson):
    """The hull of all crystals is below each of them; the hull of some is nowhere below the hull of all."""
    assert (lesson.FORMATION >= lesson.HULL - 1e-9).all()
    some = np.concatenate([lesson.PURE, np.arange(100, 5000, 37)])
    less = lesson.pool_hull(some)
    assert (less >= lesson.HULL - 1e-9).all()
    assert (less[some] <= lesson.FORMATION[some] + 1e-9).all()
    assert lesson.pool_hull(lesson.PURE) == pytest.approx(0, abs=1e-9)


def test_a_compound_is_found_by_any_of_its_crystals_on_the_hull(lesson):
    """Asking about everything finds all 41, about the elements none, and a crystal off the hull does not count."""
    everything = np.arange(len(lesson.POOL))
    assert lesson.found(everything) == len(lesson.COMPOUNDS) == 41
    assert lesson.found(lesson.PURE) == lesson.found([]) == 0
    assert lesson.found(everything[~lesson.ON_HULL]) == 0
    assert lesson.found(np.flatnonzero(lesson.ON_HULL)) == 41


def test_every_prototype_has_the_neighbours_that_ase_finds(lesson):
    """Edges and counts equal ase.neighborlist's; 18 neighbours an atom on fcc, 14 on bcc."""
    for prototype in lesson.prototypes():
        atoms = next(c for c in lesson.POOL if c.prototype == prototype).atoms()
        assert lesson.same_neighbours(atoms)
        _, count = lesson.neighbour_edges(atoms)
        assert count.sum() == (18 if prototype.lattice == "fcc" else 14) * len(atoms)


def test_a_batch_is_its_crystals_side_by_side(lesson):
    """The network gives each crystal the same energy alone, in a batch, and as any ase crystal."""
    torch.manual_seed(0)
    net, places = lesson.CrystalNet(), [5, 4321, 77, 2000, 77]
    with torch.no_grad():
        together = net(lesson.graph_of(places))
        alone = torch.cat([net(lesson.graph_of([place])) for place in places])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    outside = [lesson.energy_of(net, lesson.POOL[place].atoms()) for place in places]
    assert outside == pytest.approx(together.tolist(), abs=1e-4)


def test_the_network_is_invariant_and_sees_what_matters(lesson):
    """Turned, repeated or renumbered crystals keep their energy; another element, order or volume does not."""
    torch.manual_seed(1)
    net = lesson.CrystalNet()
    atoms = next(c for c in lesson.POOL if c.name == "AlCuAgAu fcc").atoms()
    turned, larger, other = atoms.copy(), atoms.copy(), atoms.copy()
    turned.rotate(70, (1, -2, 0.5), rotate_cell=True)
    larger.set_cell(atoms.cell * 1.05, scale_atoms=True)
    other.symbols[1] = "Ni"
    own = lesson.energy_of(net, atoms)
    for same in (turned, atoms.repeat((1, 2, 1)), atoms[[3, 1, 0, 2]]):
        assert lesson.energy_of(net, same) == pytest.approx(own, abs=1e-5)
    for different in (larger, other):
        assert abs(lesson.energy_of(net, different) - own) > 1e-4
    pair = [k for k, c in enumerate(lesson.POOL) if c.name == "Cu2Au2 fcc"]
    with torch.no_grad():
        assert net(lesson.graph_of(pair)).std() > 1e-4  # same composition, other arrangements


def test_descriptors_count_pairs_as_ase_does(lesson):
    """The column of copper-gold pairs in the first shell follows the shares that ase.neighborlist counts."""
    x = lesson.descriptors()
    assert x.shape == (len(lesson.POOL), 65)
    assert np.abs(x.mean(axis=0)).max() < 1e-4
    copper, gold = lesson.ELEMENTS.index("Cu"), lesson.ELEMENTS.index("Au")
    column = 7 + list(zip(*np.triu_indices(7))).index((copper, gold))
    places, shares = list(range(0, len(lesson.POOL), 25)), []
    for place in places:
        atoms = lesson.POOL[place].atoms()
        i, j = neighbor_list("ij", atoms, 1.2 * (atoms.get_volume() / len(atoms)) ** (1 / 3))
        pairs = [{atoms.symbols[a], atoms.symbols[b]} == {"Cu", "Au"} for a, b in zip(i, j)]
        shares.append(np.mean(pairs))
    assert np.std(shares) > 0
    assert np.corrcoef(shares, x[places, column])[0, 1] == pytest.approx(1, abs=1e-4)


def test_the_gaussian_process_equals_scikit_learns(lesson):
    """With the length and the noise that ours has picked, mean and deviation are the library's."""
    draw = np.random.default_rng(3)
    asked = np.concatenate([lesson.PURE, draw.choice(np.flatnonzero(lesson.MIXED), 60, replace=False)])
    y, x = lesson.FORMATION[asked], lesson.descriptors()
    mine, doubt = lesson.process(asked, y, 0)
    fits = []
    for length in (4, 8, 16, 32):
        for noise in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1):
            kernel = RBF(length, "fixed") + WhiteKernel(noise, "fixed")
            alike = kernel(x[asked])
            scale = (y - y.mean()) @ np.linalg.solve(alike, y - y.mean()) / len(y)
            model = GaussianProcessRegressor(kernel, optimizer=None, alpha=0)
            model.fit(x[asked], (y - y.mean()) / np.sqrt(scale))
            fits.append((model.log_marginal_likelihood_value_ - len(y) / 2 * np.log(scale), scale, model))
    _, scale, model = max(fits, key=lambda row: row[0])
    theirs, deviation = model.predict(x[::50], return_std=True)
    assert mine[::50] == pytest.approx(theirs * np.sqrt(scale) + y.mean(), abs=1e-7)
    away = np.setdiff1d(np.arange(0, len(x), 50), asked) // 50
    assert doubt[::50][away] == pytest.approx(deviation[away] * np.sqrt(scale), rel=1e-4)


def test_training_fits_what_it_has_seen_and_repeats(lesson):
    """A network learns forty crystals better than their mean, and the same seed gives the same network."""
    asked = np.flatnonzero(lesson.MIXED)[::135]
    energies = lesson.FORMATION[asked]
    first = lesson.train_network(asked, energies, seed=0, steps=150)
    assert np.abs(first[asked] - energies).mean() < 0.3 * np.abs(energies - energies.mean()).mean()
    assert np.array_equal(first, lesson.train_network(asked, energies, seed=0, steps=150))
    mean, spread = lesson.ensemble(asked, energies, seed=0, steps=5)
    assert mean.shape == spread.shape == (len(lesson.POOL),)
    assert (spread > 0).mean() > 0.99


def test_a_campaign_pays_for_every_answer_and_asks_nothing_twice(lesson):
    """300 different crystals, no elements; the model sees the answers to what was asked and nothing else."""
    seen = []

    def model(known, answers, seed):
        seen.append(len(known))
        assert np.array_equal(answers, lesson.FORMATION[known])
        return np.zeros(len(lesson.POOL)), np.zeros(len(lesson.POOL))

    asked = lesson.campaign(model, 0)
    assert len(set(asked.tolist())) == len(asked) == 300
    assert not set(asked.tolist()) & set(lesson.PURE.tolist())
    assert seen == [len(lesson.PURE) + n for n in (50, 100, 150, 200, 250)]
    for turn in range(1, 6):
        batch = lesson.GROUP[asked[50 * turn : 50 * (turn + 1)]]
        assert len(set(batch.tolist())) == 50  # one of each composition


def test_a_campaign_with_the_truth_finds_everything_at_once(lesson):
    """A model that knows every energy has all compounds after two rounds; chance has few; the options act."""

    def truth(known, answers, seed):
        return lesson.FORMATION, np.zeros(len(lesson.POOL))

    values = lesson.curve(lesson.campaign(truth, 1))
    assert values[2] == 41
    assert max(lesson.curve(lesson.campaign(None, 1))) < 15
    binary = (lesson.FRACTIONS > 0).sum(axis=1) == 2
    assert binary[lesson.campaign(None, 1, among=lesson.MIXED & binary)].all()
    log = []
    lesson.campaign(truth, 1, learn=False, log=log)
    assert [len(row[0]) for row in log] == [50, 100, 150, 200, 250]


def test_shuffled_answers_are_the_same_numbers_in_another_order(lesson):
    """The control keeps the answers' values and breaks their tie to the crystals."""
    rows = []

    def model(known, answers, seed):
        rows.append((np.sort(answers), np.sort(lesson.FORMATION[known]), answers, lesson.FORMATION[known]))
        return np.zeros(len(lesson.POOL)), np.zeros(len(lesson.POOL))

    lesson.campaign(model, 2, shuffle=True)
    for mixed, true, answers, own in rows:
        assert np.array_equal(mixed, true)
        assert not np.array_equal(answers, own)


def test_chance_agrees_with_draws(lesson):
    """The expected number of compounds after n random calls is the mean over many random orders."""
    draw, allowed = np.random.default_rng(0), np.flatnonzero(lesson.MIXED)
    for calls in (100, 1000):
        drawn = [lesson.found(draw.choice(allowed, calls, replace=False)) for _ in range(300)]
        assert lesson.chance(calls)[0] == pytest.approx(np.mean(drawn), abs=0.6)
    assert lesson.chance(len(allowed))[0] == pytest.approx(41)


def test_the_networks_work_is_that_of_its_matrices(lesson):
    """A step costs three passes of 64 crystals, a reading of the pool one, for each member: counted from the layers."""

    def forward(graph):
        layers = [m for m in lesson.CrystalNet().named_modules() if isinstance(m[1], torch.nn.Linear)]
        rows = {"message": len(graph.hears), "update": len(graph.kind), "energy": len(graph.kind)}
        return sum(rows[name.split(".")[0]] * layer.weight.numel() for name, layer in layers)

    reading, step = lesson.network_work(0), lesson.network_work(1) - lesson.network_work(0)
    assert reading == lesson.MEMBERS * forward(lesson.whole_pool())
    batch = lesson.graph_of(range(0, len(lesson.POOL), 85))
    assert int(batch.owner[-1]) == 63
    assert step == lesson.MEMBERS * 3 * forward(batch)
