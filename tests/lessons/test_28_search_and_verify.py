"""Lesson 28's caps, programs, calculus, verifier, search, against brute force, a sandbox, z3 and a promised bound."""

import inspect
import itertools
import math
import random

import numpy as np
import pytest
from tinyfrontier.beside.lesson_10.sandbox import Sandbox
from tinyfrontier.beside.lesson_28 import programs as grammar_module
from tinyfrontier.beside.lesson_28 import rewriting

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(28)


@pytest.fixture(scope="module")
def proofs():
    """Thirty short proofs."""
    return rewriting.theorems(30, 5, 12, seed=7)


def is_line(three):
    return all(sum(column) % 3 == 0 for column in zip(*three))


def test_the_table_of_thirds_completes_lines(lesson):
    """A pair of different points and its third are a line of three; a point's third with itself is itself."""
    points, third = lesson.space(3)
    for i, j in itertools.combinations(range(27), 2):
        assert is_line([points[i], points[j], points[third[i, j]]])
        assert third[i, j] not in (i, j)
    assert (np.diag(third) == np.arange(27)).all()


@pytest.mark.parametrize("way", ["orders", "climb", "drawn", "evolved", "tables", "shuffled", "symmetric"])
def test_every_searcher_ends_with_a_cap(lesson, way):
    """The best cap passes the verifier, is as large as said, and sizes never fall."""
    sizes, best, _ = lesson.run(getattr(lesson, way), 4, 40, seed=3)
    assert lesson.is_cap(lesson.POINTS[4][best])
    assert len(best) == sizes[-1]
    assert (np.diff(sizes) >= 0).all()
    again = lesson.run(getattr(lesson, way), 4, 40, seed=3)[0]
    assert (sizes == again).all()


def test_a_table_gives_equal_counts_equal_priority(lesson):
    """Points whose chosen counts agree share a number; shuffled counts keep how many kinds there are."""
    priority, names = next(lesson.tables(4, 5))
    kinds = {tuple(lesson.READ[4][name][point] for name in names): priority[point] for point in range(81)}
    assert len(set(kinds.values())) == len(kinds)
    assert all(kinds[tuple(lesson.READ[4][name][p] for name in names)] == priority[p] for p in range(81))
    other, same = next(lesson.shuffled(4, 5))
    assert same == names
    assert len(set(other)) == len(set(priority))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_symmetry_takes_lines_to_lines_and_its_priority_is_kept(lesson, seed):
    """The first move with few orbits, made again from the seed, keeps thirds and every point's priority."""
    priority, said = next(lesson.symmetric(4, seed))
    points, third = lesson.space(4)
    rng, kinds = np.random.default_rng(seed), 81
    while kinds > 81 / 5:
        order, signs = rng.permutation(4), rng.choice([1, 2], 4)
        shift = rng.integers(0, 3, 4) * rng.integers(0, 2)
        move = (points[:, order] * signs + shift) % 3 @ [27, 9, 3, 1]
        orbits = {point: {point} for point in range(81)}
        for point, reached in orbits.items():
            while (point := move[point]) not in reached:
                reached.add(point)
        kinds = len({min(reached) for reached in orbits.values()})
        if kinds > 81 / 5:
            continue
        assert (priority[move] == priority).all()
        assert (third[move][:, move] == move[third]).all()
        assert len(set(priority)) == kinds
        assert said == f"{kinds} orbits"


def test_doubling_a_cap_gives_a_cap(lesson):
    """Two copies with a new digit 0 and 1 hold no line; a third copy with 2 holds one."""
    cap = lesson.POINTS[3][lesson.greedy_cap(np.zeros(27), lesson.THIRD[3])]
    copies = [np.insert(cap, 0, digit, axis=1) for digit in range(3)]
    assert lesson.is_cap(np.concatenate(copies[:2]))
    assert not lesson.is_cap(np.concatenate(copies))


@pytest.mark.parametrize("n", [2, 3])
def test_the_counts_of_hyperplanes_are_right(lesson, n):
    """Cuts, and how many hyperplanes hold a pair and a threesome off a line, as the equations say."""
    points, _ = lesson.space(n)
    normals = [w for w in itertools.product(range(3), repeat=n) if any(w) and w[[d > 0 for d in w].index(True)] == 1]
    assert len(normals) == (3**n - 1) // 2
    side = np.array([(points @ np.array(w)) % 3 for w in normals])  # (cuts, points)
    for i, j in itertools.combinations(range(3**n), 2):
        assert (side[:, i] == side[:, j]).sum() == (3 ** (n - 1) - 1) // 2
    for i, j, k in itertools.combinations(range(3**n), 3):
        if not is_line([points[i], points[j], points[k]]):
            held = (side[:, i] == side[:, j]) & (side[:, j] == side[:, k])
            assert held.sum() == (3 ** (n - 2) - 1) // 2


def test_counting_allows_the_caps_that_exist(lesson):
    """A real cap of nine points meets the equations; ten points and more than a square's four do not."""
    assert lesson.counts_allow(3, 9, 4) == "sat"
    assert lesson.counts_allow(3, 10, 4) == "unsat"
    assert lesson.counts_allow(4, 21, 9) == "unsat"
    assert lesson.counts_allow(5, 45, 20) == "sat"


def test_programs_mean_the_same_in_and_out_of_the_sandbox(lesson):
    """Forty random programs give the same priorities computed at once and point by point by the worker."""
    rng, sandbox = random.Random(1), Sandbox(grammar_module.WORKER)
    for _ in range(40):
        program = grammar_module.random_program(rng, 4)
        program = grammar_module.offspring(rng, program, grammar_module.random_program(rng))
        said = sandbox.run(grammar_module.function(program), lesson.POINTS[4].tolist())
        assert said == grammar_module.priorities(program, lesson.READ[4]).tolist()


def test_the_worker_keeps_programs_in(lesson):
    """Loops end, files and imports are out of reach, and an honest program still runs after them."""
    sandbox = Sandbox(grammar_module.WORKER)
    assert sandbox.run("def f(x):\n    while True: pass", [[0]]) == "out of time"
    assert sandbox.run("def f(x):\n    return open('x')", [[0]]) == "NameError"
    assert sandbox.run("import os\ndef f(x):\n    return 1", [[0]]) == "ImportError"
    assert sandbox.run("def f(x):\n    return x[0] + 1", [[2]]) == [3]


def test_offspring_stay_in_the_grammar():
    """Children are no longer than the longest program, and remainders are by 2, 3 or 4."""
    rng = random.Random(2)
    population = [grammar_module.random_program(rng, 4) for _ in range(20)]
    for _ in range(300):
        child = grammar_module.offspring(rng, *rng.sample(population, 2))
        assert len(list(grammar_module.parts(child))) <= grammar_module.MOST
        assert all(p[2] in "234" for _, p in grammar_module.parts(child) if p[0] == "%")
        population[rng.randrange(20)] = child


def test_bad_input_is_named():
    """Public functions say which argument is wrong, what was given, and what is wanted."""
    with pytest.raises(ValueError, match="n must be 2 to 8, got 1"):
        grammar_module.counts(1)
    with pytest.raises(TypeError, match="text must be a string"):
        rewriting.parse(3)
    for text in ("", "(p >", "p q", "(p ? q)", "(p > q", "x"):
        with pytest.raises(ValueError, match="text must be one term"):
            rewriting.parse(text)
    with pytest.raises(ValueError, match="count must not be negative"):
        rewriting.theorems(-1, 2, 3, 0)
    with pytest.raises(ValueError, match="lengths must be"):
        rewriting.theorems(1, 5, 4, 0)


def test_what_is_shown_can_be_parsed(proofs):
    """Text and term translate into each other, outer brackets aside."""
    for term in itertools.chain(*proofs):
        text = rewriting.show(term)
        assert rewriting.parse(text if isinstance(term, str) or term[0] == "~" else f"({text})") == term


def test_signs_are_counted_and_altered():
    """Arrows are counted at every depth; an altered term keeps its size and its shape."""
    term = rewriting.parse("((p > q) > ~(q > (r | T)))")
    assert (rewriting.arrows(term), rewriting.arrows("p"), rewriting.size(term)) == (3, 0, 10)
    rng = random.Random(1)
    others = [rewriting.altered(term, rng) for _ in range(50)]
    assert {rewriting.size(other) for other in others} == {10}
    assert len(set(others)) > 5


def test_among_equals_the_newest_is_expanded_first(lesson, proofs):
    """With a key that tells nothing apart, each expansion goes one step deeper."""
    depths = []

    def key(cost, depth, term):
        depths.append(depth)
        return 0.0

    proof, spent = lesson.best_first(proofs[0][0], key, budget=5)
    assert proof is None
    assert sorted(set(depths)) == list(range(1, spent + 1))


def test_walks_are_proofs_and_theorems_hold_no_constants(lesson, proofs):
    """Verifier and z3 accept every walk; its theorem is of p, q, r and its length as ordered."""
    for walk in proofs:
        assert lesson.is_proof(walk[0], walk)
        assert lesson.agrees(walk)
        assert 5 <= len(walk) - 1 <= 12
        assert not set(rewriting.show(walk[0])) & set("TF")


def test_a_walk_that_finds_no_way_on_gives_up(monkeypatch):
    """Where every new term has been seen, the walk ends with None and not never."""
    monkeypatch.setattr(rewriting, "_backwards", lambda rng, term: "T")
    assert rewriting.walk(random.Random(0), 5, 24) is None


def test_rewritings_are_steps_and_features_stand_beside_them(lesson, proofs):
    """Each neighbour follows by one axiom, none is missing that the moves allow, and each has its row of features."""
    for walk in proofs[:10]:
        near = rewriting.rewritings(walk[0])
        assert all(lesson.follows(walk[0], term, rewriting.AXIOMS) for term in near)
        assert all(rewriting.size(term) <= rewriting.LARGEST for term in near)
        assert rewriting.features(walk[0]).shape == (len(near), rewriting.FEATURES)
        assert all(after in rewriting.rewritings(before) for before, after in itertools.pairwise(walk))


def test_the_verifier_is_short_and_refuses(lesson, proofs):
    """Forty lines at most; empty proofs, other theorems, gaps and ends before T are refused, as is a false step."""
    lines = "".join(inspect.getsource(part) for part in (lesson.match, lesson.follows, lesson.is_proof))
    assert len([line for line in lines.splitlines() if line.strip()]) <= 40
    walk = proofs[0]
    assert not lesson.is_proof(walk[0], [])
    assert not lesson.is_proof("p", walk)
    assert not lesson.is_proof(walk[0], walk[:-1])
    assert not lesson.is_proof(walk[0], [walk[0], "T"])
    assert not lesson.is_proof("p", ["p", "T"])
    assert not lesson.agrees(["p", "T"])


def test_mutants_differ_and_none_is_accepted_wrongly(lesson, proofs):
    """No mutant is its proof, and what the verifier accepts z3 finds sound."""
    rng = random.Random(5)
    for walk in proofs:
        for name, mutant in lesson.mutants(walk, rng):
            if name != "another sign, too":  # the second change may take back the first
                assert mutant != walk
            assert not lesson.is_proof(walk[0], mutant) or lesson.agrees(mutant)


def test_levin_search_keeps_its_promise(lesson, proofs):
    """With any guide, a proof of depth d and probability pi is found within d / pi expansions."""
    for walk in proofs:
        proof, spent = lesson.best_first(walk[0], lesson.levin, lesson.uniform, budget=300)
        if proof:
            chance = sum(-math.log(len(rewriting.rewritings(term))) for term in proof[:-1])
            assert math.log(spent) <= math.log(len(proof) - 1) - chance + 1e-9
            assert lesson.is_proof(walk[0], proof)


def test_a_guide_that_knows_is_followed(lesson, proofs):
    """A guide that prefers a known proof's moves needs no more expansions than that proof has steps."""
    walk = min(proofs, key=len)
    following = dict(itertools.pairwise(walk))

    def guide(term):
        near = rewriting.rewritings(term)
        return np.array([30.0 * (new == following.get(term)) for new in near])

    proof, spent = lesson.best_first(walk[0], lesson.levin, guide)
    assert lesson.is_proof(walk[0], proof)
    assert spent <= len(walk) - 1


def test_training_raises_the_right_moves(lesson, proofs):
    """After some steps a guide gives the examples' moves more probability than a uniform one does."""
    data = [each for walk in proofs for each in lesson.examples(walk)]
    guide = lesson.train(data, 0, 60)
    gain = [
        float(guide(rows).log_softmax(0)[right].detach()) + math.log(len(rows)) for rows, right in data if len(rows)
    ]
    assert np.mean(gain) > 0.3
    blind = lesson.train(data, 0, 1, hide=rewriting.SIZES)
    rows = data[0][0].clone()
    rows[:, list(rewriting.SIZES)] += 3
    assert (blind(rows) - blind(data[0][0])).abs().max() == 0
