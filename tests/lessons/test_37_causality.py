"""Lesson 37's d-separation, back door and regression against networkx and SciPy; its coloured digits and rivals."""

import numpy as np
import pytest
import torch
from tinyfrontier.beside.lesson_37 import coloured, library
from tinyfrontier.beside.lesson_37.graphs import effects_of, random_graph, random_world
from tinyfrontier.beside.lesson_37.learning import grouped
from tinyfrontier.beside.lesson_37.rivals import (
    double_lasso,
    doubly_robust,
    logistic,
    stepwise,
    turned,
    weighted,
    without_graph,
)

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(37)


def test_separation_is_networkxs(lesson):
    """On 1,000 random graphs with random questions d-separation agrees with networkx."""
    chance = np.random.default_rng(99)
    for _ in range(1000):
        graph = random_graph(chance, chance.integers(2, 10), chance.uniform(0.1, 0.7))
        x, y, *rest = chance.permutation(len(graph)).tolist()
        given = set(rest[: chance.integers(len(rest) + 1)])
        assert lesson.separated(graph, x, y, given) == library.is_separated(graph, x, y, given)


def test_a_back_door_set_is_found_where_networkx_finds_one(lesson):
    """Sets exist for the same graphs, hold no effect of the treatment, and separate when its arrows are cut."""
    chance, found = np.random.default_rng(98), 0
    for _ in range(300):
        graph = random_graph(chance, 7, 0.4)
        t, y = sorted(chance.choice(7, 2, replace=False).tolist())
        seen = set(chance.permutation([v for v in graph if v not in (t, y)])[:3].tolist())
        z = lesson.back_door(graph, t, y, seen)
        assert (z is not None) == library.has_back_door_set(graph, t, y, seen)
        if z is not None:
            found += 1
            cut = {v: tuple(p for p in graph[v] if p != t) for v in graph}
            assert library.is_separated(cut, t, y, z)
            assert not z & effects_of(graph, t)
    assert 50 < found < 300


def test_effects_are_networkxs_descendants():
    """What lies below a variable is what networkx calls its descendants, and itself."""
    import networkx as nx

    graph = random_graph(np.random.default_rng(97), 9, 0.3)
    for v in graph:
        assert effects_of(graph, v) == nx.descendants(library.digraph(graph), v) | {v}


def test_regression_is_scipys_and_least_squares(lesson):
    """One column: SciPy's slope and error; several: NumPy's least squares."""
    chance = np.random.default_rng(96)
    values = {name: chance.normal(size=60) for name in "TABY"}
    values["Y"] += 2 * values["T"] - values["A"]
    assert np.allclose(lesson.regress(values, "T", "Y", ()), library.scipy_slope(values["T"], values["Y"]), atol=1e-10)
    table = np.column_stack([values["T"], values["A"], values["B"], np.ones(60)])
    expected = np.linalg.lstsq(table, values["Y"], rcond=None)[0][0]
    assert abs(lesson.regress(values, "T", "Y", {"A", "B"})[0] - expected) < 1e-10


def test_the_twins_are_one_table(lesson):
    """Cause and effect worlds imply the same covariances, and opposite effects of T on Y."""
    tables = []
    for model, sizes in ((lesson.CAUSE, {}), (lesson.EFFECT, {"T": 2**0.5, "W": 0.5**0.5})):
        noise = {v: sizes.get(v, 1.0) * np.eye(3)[i] for i, v in enumerate(model)}
        rows = lesson.run(model, noise)
        rows = np.stack([rows[v] for v in "WTY"])
        tables.append(rows @ rows.T)
    assert np.allclose(*tables)


def test_doing_cuts_the_arrows_into_what_is_set(lesson):
    """Causes stay as they were, the variable is what it was set to, effects follow."""
    noise = {v: np.arange(3.0) for v in "WTY"}
    before, after = lesson.run(lesson.CAUSE, noise), lesson.run(lesson.CAUSE, noise, {"T": 7.0})
    assert np.array_equal(before["W"], after["W"])
    assert (after["T"] == 7).all()
    assert np.allclose(after["Y"], noise["Y"] - 3.5 + 2 * after["W"])


def test_worlds_have_the_effect_that_doing_shows(lesson):
    """The truth of a random world is the sum over paths of products of weights."""
    for seed in range(5):
        world = random_world(seed, lesson.run)
        total = dict.fromkeys(world.model, 0.0) | {world.t: 1.0}
        for v, causes in world.model.items():
            if v != world.t:
                total[v] = sum(w * total[p] for p, w in causes.items())
        assert abs(total[world.y] - world.truth) < 1e-9
        assert len(world.seen) == 4


def test_other_lives_are_the_models_own(lesson):
    """Abduction, action, prediction with the true weights equals running the model again with the same noise."""
    chance = np.random.default_rng(95)
    noise = {v: chance.normal(size=20) for v in lesson.CAUSE}
    seen = np.column_stack(list(lesson.run(lesson.CAUSE, noise).values()))
    weights = np.array([[0, 0, 0], [1, 0, 0], [2, -0.5, 0]])
    truth = np.column_stack(list(lesson.run(lesson.CAUSE, noise, {"T": -1.0}).values()))
    assert np.allclose(lesson.would_have(weights, seen, 1, -1.0), truth)


def test_instruments_find_what_regression_misses(lesson):
    """With many rows and a strong instrument two stages find 0.5, and one instrument gives a ratio of covariances."""
    assert abs(lesson.with_instrument(1.0, 0.0, 0, n=100000)[1] - 0.5) < 0.03
    z, t, y = np.random.default_rng(94).normal(size=(3, 30))
    ratio = np.cov(z, y)[0, 1] / np.cov(z, t)[0, 1]
    assert abs(lesson.two_stages(z[:, None], t + z, y) - np.cov(z, y)[0, 1] / np.cov(z, t + z)[0, 1]) < 1e-9
    assert np.isfinite(ratio)


def test_the_penalty_is_autograds(lesson):
    """The closed form equals the squared slope that autograd finds, gradient included."""
    draw = torch.Generator().manual_seed(3)
    logits = torch.randn(25, generator=draw, dtype=torch.float64).requires_grad_()
    labels = (torch.rand(25, generator=draw) < 0.5).double()
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(scale * logits, labels)
    (slope,) = torch.autograd.grad(loss, scale, create_graph=True)
    ours, theirs = (torch.autograd.grad(p, logits)[0] for p in (lesson.penalty(logits, labels), slope**2))
    assert abs(float((lesson.penalty(logits, labels) - slope**2).detach())) < 1e-12
    rows = lesson.penalty(torch.stack([logits, 2 * logits]), torch.stack([labels, labels]))
    assert rows.shape == (2,)
    assert abs(float((rows[0] - slope**2).detach())) < 1e-12
    assert (ours - theirs).abs().max() < 1e-12


def test_estimators_find_an_effect_without_hidden_causes():
    """Weights and doubly robust estimates lie within four standard errors of the truth when all causes are seen."""
    chance = np.random.default_rng(93)
    w = chance.normal(size=(4000, 2))
    t = (w[:, 0] + 0.6 * chance.logistic(size=4000) > 0) * 1.0
    x = np.column_stack([w, t, 0.7 * t + w @ [1, -1] + chance.normal(size=4000)])
    for way in (weighted, doubly_robust):
        effect, error = way(x, 2, 3, {0, 1})
        assert abs(effect - 0.7) < 4 * error < 0.4
    assert stepwise(x, 2, 3, {0, 1}) == {0, 1}
    assert double_lasso(x, 2, 3, {0, 1}, 0.01) == {0, 1}
    assert double_lasso(x, 2, 3, set(), 0.01) == set()


def test_turned_arrows_leave_a_graph_without_cycles():
    """As many arrows as before; none turned changes nothing; a negative count is named."""
    import networkx as nx

    graph = {0: (), 1: (0,), 2: (0, 1), 3: (1, 2)}
    for k in (0, 1, 3):
        found = turned(graph, k, np.random.default_rng(k))
        assert nx.is_directed_acyclic_graph(library.digraph(found))
        assert sum(map(len, found.values())) == 5
    assert turned(graph, 0, np.random.default_rng(0)) == graph
    assert turned(graph, 1, np.random.default_rng(0)) != graph
    with pytest.raises(ValueError, match="count"):
        turned(graph, -1, np.random.default_rng(0))


def test_coloured_digits_agree_as_asked():
    """Colours agree with labels in the asked share, half the numbers are 0, and bad input is named."""
    place = coloured.places(1, (0.9, 0.6), count=3000)
    for pictures, share in zip(place.taught, (0.9, 0.6), strict=True):
        assert abs((pictures.y == pictures.colour).float().mean() - share) < 0.03
        halves = pictures.x.view(-1, 2, 24)
        assert (halves[torch.arange(3000), 1 - pictures.colour] == 0).all()
    both = coloured.together(place.taught)
    assert both.environment.bincount().tolist() == [3000, 3000]
    x = place.taught[0].x
    flipped = x.unflatten(-1, (2, -1)).flip(1).flatten(1)
    assert torch.equal(coloured.without_colour(x), coloured.without_colour(flipped))
    rows = coloured.side_by_side(place.taught)
    assert rows.x.shape == (2, 3000, 48)
    assert torch.equal(rows.y[1], place.taught[1].y)
    with pytest.raises(ValueError, match="agreement"):
        coloured.raw(np.arange(9), 3, 1.5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="agreements"):
        coloured.places(0, ())


def taught_twice(seed, count):
    """Two places side by side."""
    drawn = [coloured.places(s, (0.9, 0.7), count=count) for s in (seed, seed + 1)]
    return coloured.side_by_side([coloured.together(each.taught) for each in drawn])


def test_grey_learners_do_not_see_colour():
    """What grey learns from is the same whatever the colours, and balanced groups are cells of label and colour."""
    taught = taught_twice(2, 200)
    flipped = taught._replace(x=taught.x.unflatten(-1, (2, -1)).flip(2).flatten(2))
    grey, other = (grouped(each, "grey", [0, 1])[0] for each in (taught, flipped))
    assert torch.equal(grey, other)
    for how in ("balanced", "DRO by colour"):
        cells = grouped(taught, how, [0, 1])[2]
        assert cells.shape == (2, 4, 400)
        assert torch.allclose(cells.sum(-1), torch.ones(2, 4))
        assert torch.equal(cells.argmax(1), (2 * taught.y).long() + taught.colour)


def test_shuffled_environments_hold_the_same_pictures():
    """A run's pictures and labels are the same, in another order, and labels go with their pictures."""
    taught = taught_twice(4, 100)
    x, y, member = grouped(taught, "IRM, shuffled", [0, 1])
    assert torch.equal(member.argmax(1), taught.environment)
    for run in range(2):
        before = sorted(
            (*row.tolist(), label) for row, label in zip(taught.x[run], taught.y[run].tolist(), strict=True)
        )
        after = sorted((*row.tolist(), label) for row, label in zip(x[run], y[run].tolist(), strict=True))
        assert before == after
        assert not torch.equal(x[run], taught.x[run])


def test_networks_side_by_side_are_as_alone(lesson):
    """A run's network does not depend on its neighbours, for every way; seeds are told apart."""
    taught = taught_twice(6, 150)
    alone = type(taught)(*(part[:1] for part in taught))
    for how, strength in (("ERM", 0.0), ("IRM", 100.0), ("V-REx", 100.0), ("group DRO", 0.1), ("balanced", 0.0)):
        both = lesson.train(taught, how, torch.tensor([strength, 1.0]), torch.zeros(2), [5, 6], steps=12)
        one = lesson.train(alone, how, torch.tensor([strength]), torch.zeros(1), [5], steps=12)
        assert torch.allclose(both.first[0], one.first[0], atol=1e-3), how
        assert not torch.allclose(both.first[1], one.first[0], atol=1e-2)


def test_full_pressure_begins_after_a_tenth_of_the_steps(lesson):
    """Two strengths above 1 give one network before it, and two after it."""
    taught, seen = taught_twice(8, 100), {}
    same = type(taught)(*(part[[0, 0]] for part in taught))

    def watch(step, net):
        seen[step] = (net.first[0] - net.first[1]).abs().max().item()

    lesson.train(same, "IRM", torch.tensor([10.0, 1000.0]), torch.zeros(2), [5, 5], steps=20, watch=watch)
    assert seen[1] < 1e-5 < 1e-3 < seen[10]


def test_plain_training_leans_on_colour(lesson):
    """Right where colour agrees with the label, wrong where it is turned."""
    place = coloured.places(3, (0.9, 0.8, 0.7), count=300)
    taught = coloured.side_by_side([coloured.together(place.taught)])
    net = lesson.train(taught, "ERM", torch.zeros(1), torch.tensor([1e-3]), [0], steps=100)
    turned_round, same = (lesson.right(net, "ERM", coloured.side_by_side([place.exam[a]])) for a in (0.1, 0.9))
    assert turned_round.item() < 0.4 < 0.7 < same.item()


def test_other_lives_by_rivals(lesson):
    """Y less T times the right slope is the right graph's answer in worlds of sums; the curve knows products."""
    chance = np.random.default_rng(92)
    for world, way in (("confounder", "all columns"), ("mediator", "T alone"), ("collider", "before T")):
        (first, _), (now, truth) = (lesson.two_lives(world, n, chance) for n in (2000, 100))
        found = without_graph(list(lesson.SMALL[world]), first, now)[way]
        assert np.allclose(found, lesson.with_graph(lesson.SEEN[world], first, now), atol=1e-9)
        assert np.abs(found - truth).mean() < 0.1
    (first, _), (now, truth) = (lesson.two_lives("T times W", n, chance) for n in (2000, 100))
    assert np.abs(without_graph(["W", "T", "Y"], first, now)["curve, all columns"] - truth).mean() < 0.1


def test_arrows_turned_stay_turned():
    """With as many arrows as the graph has none is turned twice."""
    chain = {0: (), 1: (0,), 2: (1,), 3: (2,)}
    for seed in range(5):
        assert turned(chain, 3, np.random.default_rng(seed)) == {0: (1,), 1: (2,), 2: (3,), 3: ()}


def test_the_test_of_invariance_is_sklearns(lesson):
    """Coefficients, with a ridge too, and the likelihood ratio equal scikit-learn's, and chance passes at its level."""
    from scipy.stats import chi2
    from sklearn.linear_model import LogisticRegression

    chance = np.random.default_rng(91)
    x, where = chance.normal(size=(600, 2)), np.arange(600) % 3
    y = (x[:, 0] + x[:, 1] * (where == 2) + chance.logistic(size=600) > 0) * 1.0
    ridged = LogisticRegression(C=0.1, fit_intercept=False, tol=1e-10, max_iter=1000).fit(x, y)
    assert np.allclose(logistic(x, y, 10), ridged.coef_[0], atol=1e-6)

    def misfit(columns, wanted):
        model = LogisticRegression(C=1e8, tol=1e-10, max_iter=5000).fit(columns, wanted)
        return -model.predict_log_proba(columns)[np.arange(len(wanted)), wanted.astype(int)].sum()

    parts = sum(misfit(x[where == k], y[where == k]) for k in range(3))
    p, once = lesson.stays([*x.T], y, where)
    assert abs(once - misfit(x, y)) < 1e-4
    assert np.isclose(p, chi2.sf(2 * (misfit(x, y) - parts), 6), rtol=1e-3)
    passed = [lesson.stays([x[:, 0]], y, chance.permutation(where))[0] > 0.05 for _ in range(200)]
    assert 0.89 < np.mean(passed) < 0.99


def test_the_shape_is_taken_where_environments_differ(lesson):
    """Colour is rejected where its share differs much, and everything passes with environments of one kind."""
    taught = coloured.together(coloured.places(5, (0.95, 0.7, 0.4)).taught)
    best, p = lesson.invariant(taught)
    assert best == "shape"
    assert max(p["colour"], p["both"]) < 1e-6
    alike = coloured.together(coloured.places(5, (0.8, 0.8, 0.8)).taught)
    assert lesson.invariant(alike)[0] == "both"
