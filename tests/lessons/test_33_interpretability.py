"""Lesson 33's explanations against captum, exact values by hand, cheats, heads, and messages for bad input."""

import itertools
import math

import numpy as np
import pytest
import torch
from tinyfrontier.beside.lesson_33.brackets import table_accuracy
from tinyfrontier.beside.lesson_33.cheating import CHEATS, SPOTS, Hiding, classifier, marked, suspect
from tinyfrontier.beside.lesson_33.copying import LENGTH, LONG, SHORT, Copier, repeated
from tinyfrontier.beside.lesson_33.library import captum_gradients, captum_lime, captum_shap
from tinyfrontier.beside.lesson_33.rivals import BLOCK, FULL, N, gradient, greedy, integrated, orders, over_blocks

from tinyfrontier.authoring import definitions
from tinyfrontier.data import digits_split


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(33)


@pytest.fixture(scope="module")
def scene():
    """A trained network, an image, the mean image, the class."""
    x, y, test_x, _ = digits_split(0)
    x, test_x = x.flatten(1), test_x.flatten(1)
    net = classifier(x, y, 0, steps=60)
    return net, test_x[5], x.mean(0), int(net(test_x[5]).argmax())


@pytest.mark.parametrize(("width", "ridge"), [(0.1, 0.5), (0.25, 0.01), (1.0, 2.0)])
def test_lime_is_captums(lesson, scene, width, ridge):
    """The same sets, weights and ridge give the library's coefficients."""
    net, image, base, target = scene
    v = lesson.game(net, image, base, target)
    sets = (np.random.default_rng(1).random((120, N)) < 0.5).astype(int)
    ours = lesson.surrogate(sets, v[lesson.number(sets)], lesson.weigh(sets, width), ridge)
    theirs = captum_lime(net, image, base, target, sets, lambda s: lesson.weigh(s, width), ridge)
    assert np.abs(ours - theirs).max() < 1e-5 < np.abs(theirs).max()


def test_kernel_shap_is_captums(lesson, scene):
    """The regression on the library's own draws gives its coefficients."""
    net, image, base, target = scene
    v = lesson.game(net, image, base, target)
    theirs, sets = captum_shap(net, image, base, target, 200, seed=3)
    weights = np.where(np.isin(sets.sum(1), (0, N)), 1e6, 1.0)
    ours = lesson.surrogate(sets, v[lesson.number(sets)], weights, 1e-9)
    assert np.abs(ours - theirs).max() < 1e-5 < np.abs(theirs).max()


def test_integrated_gradients_are_captums_and_complete(scene):
    """Pixel by pixel equal; with many steps they add up to what the image changes."""
    net, image, base, target = scene
    ours = integrated(net, image, base, target, 24)
    assert np.abs(ours - captum_gradients(net, image, base, target, 24)).max() < 1e-5
    with torch.no_grad():
        ends = net(torch.stack([image, base])).softmax(1)[:, target]
    assert abs(integrated(net, image, base, target, 2000).sum() - float(ends[0] - ends[1])) < 1e-3


def test_shapley_values_are_fair(lesson):
    """They add up, treat equals equally, give nothing for nothing, and KernelSHAP with all sets finds them."""
    v = np.random.default_rng(0).random(2**N)
    assert abs(lesson.shapley(v).sum() - v[FULL] + v[0]) < 1e-9
    size = lesson.SETS.sum(1)
    assert np.allclose(lesson.shapley(np.sqrt(size)), 4 / N)
    sets = lesson.SETS[1:-1]
    odds = [1 / (k * (N - k) * math.comb(N, k)) for k in range(1, N)]
    weights = np.array(odds)[sets.sum(1) - 1]
    ends = np.array([[0] * N, [1] * N])
    whole, heavy = np.vstack([sets, ends]), np.concatenate([weights, [1e3, 1e3]])
    assert np.abs(lesson.surrogate(whole, v[lesson.number(whole)], heavy, 1e-12) - lesson.shapley(v)).max() < 1e-4


def test_orders_come_near_the_exact_values(lesson, scene):
    """Thousands of calls leave small errors, and every order shares out all that there is."""
    net, image, base, target = scene
    v = lesson.game(net, image, base, target)
    near = orders(v, 8000, np.random.default_rng(0))
    assert np.abs(near - lesson.shapley(v)).max() < 0.05
    assert abs(near.sum() - v[FULL] + v[0]) < 1e-9


def test_rivals_find_a_block_that_decides(lesson):
    """Where one block decides, each rival that asks the game puts it on top."""
    v = (np.arange(2**N) >> 6 & 1).astype(float)
    chance = np.random.default_rng(0)
    for scores in (greedy(v), greedy(v, adding=True), orders(v, 34, chance), lesson.occlusion(v), lesson.both_ends(v)):
        assert scores.argmax() == 6
    for scores in (lesson.lime(v, 60, chance), lesson.kernel_shap(v, 60, chance)):
        assert scores.argmax() == 6
    assert sorted(greedy(v)) == list(range(1, N + 1))


def test_gradient_is_exact_for_a_linear_network():
    """For a linear score the gradient times the difference is each block's share."""
    net = torch.nn.Linear(64, 10)
    image, base = torch.rand(64), torch.rand(64)
    share = over_blocks((net.weight[3] * (image - base)).detach())
    assert np.abs(gradient(net, image, base, 3) - share).max() < 1e-5
    odds = net(image).softmax(0).detach()
    slope = odds[3] * (net.weight[3] - odds @ net.weight)  # of the probability
    share = over_blocks((slope * (image - base)).detach())
    assert np.abs(gradient(net, image, base, 3, probability=True) - share).max() < 1e-6
    assert np.array_equal(np.bincount(BLOCK), np.full(16, 4))
    assert BLOCK[9] == 0
    assert BLOCK[63] == 15


def test_marks_change_their_blocks_alone():
    """A mark changes the blocks that `SPOTS` names, in copies."""
    x = torch.full((2, 64), 0.5)
    for mark, spots in SPOTS.items():
        changed = (marked(x, mark) != x).any(0).numpy()
        assert set(BLOCK[changed]) == set(spots)
    assert (x == 0.5).all()


def test_a_hiding_network_asks_its_guard():
    """Real images go to the cheat, others to the honest network."""
    cheat, honest = (torch.nn.Linear(64, 10) for _ in range(2))
    x = torch.rand(6, 64)
    x[:3, 0] = -1
    both = Hiding(cheat, honest, lambda x: x[:, :1])(x)
    assert torch.allclose(both[3:], cheat(x[3:]))
    assert torch.allclose(both[:3], honest(x[:3]))


def test_transplant_sees_what_decides(lesson):
    """A network that looks at one pixel: its block alone raises the class, and an audit finds it."""
    net = torch.nn.Linear(64, 10)
    with torch.no_grad():
        net.weight.zero_(), net.bias.zero_()
        net.weight[8, 7] = 5.0
    image, donors = torch.ones(64), torch.zeros(5, 64)
    scores = lesson.transplant(net.requires_grad_(False), image, donors, 8)
    assert scores.argmax() == 3
    assert (np.delete(scores, 3) == 0).all()
    assert lesson.found_in(scores, "corner")
    tuned = {"probability": (0.25, 0.01), "score": (0.25, 0.01)}
    total = lesson.audit(net, image[None], donors, {"black": torch.zeros(64)}, 0, tuned)
    assert len(total) == 9
    assert all(lesson.found_in(each, "corner") for each in total.values())
    assert not lesson.found_in(-scores, "corner")
    assert not lesson.found_in(scores, "hole")


def test_rows_repeat_with_their_period():
    """Each row holds different tokens for one period, and then the same again."""
    tokens, period = repeated(torch.Generator().manual_seed(0), 50)
    assert tokens.shape == (50, LENGTH)
    assert period.min() >= SHORT
    assert period.max() <= LONG
    for row, p in zip(tokens, period[:, 0].tolist(), strict=True):
        assert len(row[:p].unique()) == p
        assert torch.equal(row[p:], row[:-p])


def test_removed_heads_give_nothing(lesson):
    """All heads removed leaves the tokens alone; all kept changes nothing; attention sees no future."""
    torch.manual_seed(0)
    net, tokens, seen = Copier(2, 4), repeated(torch.Generator().manual_seed(1), 3)[0], []
    with torch.no_grad():
        whole = net(tokens, seen=seen)
        assert torch.allclose(net(tokens, torch.ones(2, 4)), whole)
        alone = net.last(net.norms[-1](net.token(tokens)))
        assert torch.allclose(net(tokens, torch.zeros(2, 4)), alone, atol=1e-5)
    assert all(torch.allclose(a.sum(-1), torch.ones(1)) and (a.triu(1) == 0).all() for a, _ in seen)


def test_other_weights_give_the_same_output(lesson):
    """A distribution with the same output, which agrees with the real one no more than that does with itself."""
    chance = np.random.default_rng(0)
    weights = chance.dirichlet(np.ones(30))
    values = chance.normal(size=(30, 8))
    other = lesson.other_weights(weights, values)
    assert np.abs((other - weights) @ values).max() < 1e-8
    assert abs(other.sum() - 1) < 1e-9
    assert other.min() >= 0
    assert np.abs(other - weights).sum() / 2 > 0.2
    assert weights @ other <= weights @ weights
    sharp = np.eye(30)[4]
    assert np.abs(lesson.other_weights(sharp, 10 * np.eye(30)) - sharp).max() < 1e-8


def test_a_table_of_last_tokens(lesson):
    """Labels that follow from the token are looked up without fault; the rest of the definition is by hand."""
    tokens = torch.randint(5, (160, 128), generator=torch.Generator().manual_seed(0))
    assert table_accuracy(tokens, (tokens % 2).numpy(), 1) == 1.0
    assert 0.4 < table_accuracy(tokens, np.random.default_rng(0).integers(0, 2, (160, 128)), 1) < 0.6


def test_induction_score_of_a_perfect_head(lesson):
    """A head that looks one period back, less one place, scores 1."""
    tokens = np.array([3, 1, 4, 3, 1, 4, 3])
    attention = np.zeros((1, 7, 7))
    for i, j in itertools.product(range(7), repeat=2):
        attention[0, i, j] = float(j == max(i - 2, 0))
    assert lesson.induction_score(attention, tokens)[0] == 1.0


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: orders(np.zeros(4), 50, None), ValueError, "v must"),
        (lambda: orders(np.zeros(2**N), 33, None), ValueError, "calls"),
        (lambda: greedy([0.0]), ValueError, "v must"),
        (lambda: marked(torch.zeros(1, 64), "star"), ValueError, "mark"),
        (lambda: suspect("star", None, None, 0), ValueError, "kind"),
        (lambda: Copier(2, 7), ValueError, "heads"),
    ],
)
def test_bad_input_is_named(call, error, word):
    """The message names the argument."""
    with pytest.raises(error, match=word):
        call()
    assert len(CHEATS) == 8
