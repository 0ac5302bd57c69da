"""Lesson 35's attacks, proofs and exact answers, against SciPy, against everything tried, and against each other."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.stats import binomtest, norm
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from tinyfrontier.beside.lesson_35 import branching
from tinyfrontier.beside.lesson_35.branching import branch
from tinyfrontier.beside.lesson_35.rivals import kernel_machine, neighbours, neighbours_proved, rounded, survivors

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(35)


@pytest.fixture(scope="module")
def digits(lesson):
    """Training and test digits of one split."""
    return lesson.flat_digits(3)


@pytest.fixture(scope="module")
def model(lesson, digits):
    """A small network, briefly trained."""
    return lesson.train("plain", *digits[:2], (64, 12, 12, 10), 0.1, 80, 0)


def test_a_box_is_the_linear_programs(lesson):
    """Both ends of each output equal SciPy's linear program's."""
    draw = torch.Generator().manual_seed(0)
    lower = torch.rand(2, 5, generator=draw, dtype=torch.float64)
    upper = lower + torch.rand(2, 5, generator=draw, dtype=torch.float64)
    weight, bias = (torch.randn(*s, generator=draw, dtype=torch.float64) for s in ((3, 5), (3,)))
    low, high = lesson.box_through(lower, upper, weight, bias)
    for i in range(2):
        ends = np.stack([lower[i], upper[i]], 1)
        for j in range(3):
            assert abs(linprog(weight[j], bounds=ends).fun + bias[j] - low[i, j]) < 1e-9
            assert abs(-linprog(-weight[j], bounds=ends).fun + bias[j] - high[i, j]) < 1e-9


@pytest.mark.parametrize("eps", [0.0, 0.03, 0.1])
def test_no_proof_is_above_any_point(lesson, digits, model, eps):
    """Margins proved by boxes and by lines are below the margins of what attacks find; at radius 0 they are equal."""
    clean, labels = digits[2][:20], digits[3][:20]
    worst, _ = lesson.pgd(model, clean, labels, eps)
    there = model(worst)
    gaps = there.gather(1, labels[:, None]) - there
    box, lines = lesson.box_margins(model, clean, labels, eps), lesson.line_margins(model, clean, labels, eps)[0]
    assert (box <= gaps + 1e-4).all()
    assert (lines <= gaps + 1e-4).all()
    if eps == 0:
        assert (box - gaps).abs().max() < 1e-4
        assert (lines - gaps).abs().max() < 1e-4


def test_lines_hold_the_relu(lesson):
    """Between the ends no point of the ReLU is above the line above or below the line below."""
    draw = torch.Generator().manual_seed(1)
    lower = 2 * torch.rand(200, generator=draw) - 1.5
    upper = lower + torch.rand(200, generator=draw) + 0.01
    below, above, offset = lesson.relax(lower, upper)
    for part in torch.linspace(0, 1, 21):
        z = lower + part * (upper - lower)
        assert (below * z <= z.relu() + 1e-6).all()
        assert (above * z + offset >= z.relu() - 1e-6).all()


def test_the_program_is_what_a_grid_finds(lesson):
    """On networks of two inputs the least excess equals that of a fine grid."""
    side = torch.linspace(0.1, 0.9, 401)
    grid, middle = torch.cartesian_prod(side, side), torch.tensor([[0.5, 0.5]])
    square = [part[0].double().numpy() for part in lesson.box_of(middle, 0.4)]
    for seed in range(3):
        tiny = lesson.network(2, 4, 3, 10, seed=seed)
        label = tiny(middle).argmax(1)
        known = lesson.line_margins(tiny, middle, label, 0.4)[1]
        ends = [(a[0].double().numpy(), b[0].double().numpy()) for a, b in known]
        out = tiny(grid).detach()
        for t in [t for t in range(10) if t != label][:3]:
            row, level = (lesson.contrast(label)[0, t] @ part for part in (tiny[-1].weight, tiny[-1].bias))
            row, level = row.detach().double().numpy(), level.item() + 100
            found = lesson.smallest_excess(tiny, ends, *square, row, level, nodes=1000)
            assert abs(found.fun - 100 - (out[:, label][:, 0] - out[:, t]).min().item()) < 5e-3


def test_the_ladder_is_in_order(lesson, digits, model):
    """Proved digits are exactly right, exactly right ones survive attacks; a breaking image lies in the box."""
    clean, labels = digits[2][:12], digits[3][:12]
    for eps in (0.03, 0.08):
        row = lesson.ladder(model, clean, labels, eps)
        assert not (row["exact"] & ~row["attacked"]).any()
        assert not ((row["box"] | row["lines"]) & ~row["exact"] & ~row["open"]).any()
    known = lesson.line_margins(model, clean, labels, 0.3)[1]
    outcome, image, _ = lesson.settle(model, known, clean, labels, 0, 0.3)
    assert outcome == "broken"
    assert (image - clean[0]).abs().max() < 0.3 + 1e-5
    assert lesson.margin(model(image[None]), labels[:1]).item() <= 0


def test_branching_and_the_solver_agree(lesson, digits, model):
    """Of the undecided digits, both settle the same way; a broken one is broken by the network itself."""
    clean, labels = digits[2][:120], digits[3][:120]
    left, known = lesson.undecided(model, clean, labels, 0.08)
    assert left
    for i in left[:6]:
        outcome = lesson.settle(model, known, clean, labels, i, 0.08)[0]
        lines, nodes = branch(lesson, model, clean[i : i + 1], labels[i : i + 1], 0.08, nodes=3000)
        assert {outcome, lines} != {"proved", "broken"}
        assert "open" not in (outcome, lines)
        assert nodes >= 1
    with pytest.raises(ValueError, match="nodes"):
        branch(lesson, model, clean[:1], labels[:1], 0.08, nodes=0)


def test_branching_gives_up_at_its_limit(lesson, digits, model):
    """With one node nothing is proved that lines alone do not prove."""
    clean, labels = digits[2][:120], digits[3][:120]
    for i in lesson.undecided(model, clean, labels, 0.08)[0][:4]:
        assert branch(lesson, model, clean[i : i + 1], labels[i : i + 1], 0.08, nodes=1)[0] in ("open", "broken")


def test_a_second_opinion_never_differs(lesson, digits, model):
    """The solver proves nothing that PGD broke and breaks nothing that lines proved, without being told."""
    for eps in (0.04, 0.08):
        told = lesson.second_opinion(model, digits[2][:60], digits[3][:60], eps, 2)
        assert "proved" not in told["broken"]
        assert "broken" not in told["proved"]
        assert told["proved"]


def test_aimed_attacks_only_add(lesson, digits, model):
    """Nothing survives the whole judge that PGD alone breaks, and at radius 0 it is plain accuracy."""
    clean, labels = digits[2][:60], digits[3][:60]
    alive = survivors(lesson, model, clean, labels, 0.05)
    assert not (alive & (lesson.pgd(model, clean, labels, 0.05)[1] <= 0)).any()
    plain = survivors(lesson, model, clean, labels, 0.0)
    assert (plain == (model(clean).argmax(1) == labels)).all()


def test_attacks_stay_in_the_box(lesson, digits, model):
    """PGD never leaves the box or the range of pixels, and its margins are those of its images."""
    clean, labels = digits[2][:30], digits[3][:30]
    worst, least = lesson.pgd(model, clean, labels, 0.07)
    assert (worst - clean).abs().max() < 0.07 + 1e-6
    assert worst.min() >= 0
    assert worst.max() <= 1
    assert (lesson.margin(model(worst), labels) - least).abs().max() < 1e-5


@pytest.mark.parametrize(("hits", "n"), [(60, 100), (999, 1000), (17, 17)])
def test_a_radius_is_the_binomial_tests(lesson, hits, n):
    """The lower limit is SciPy's exact one-sided one."""
    low = binomtest(hits, n, alternative="greater").proportion_ci(0.99, "exact").low
    assert abs(lesson.sure_radius(hits, n, 2.0, 0.01) - max(0, 2 * norm.ppf(low))) < 1e-9


def test_rivals_are_scikit_learns(digits):
    """Kernel machine and nearest neighbour answer as scikit-learn's do."""
    x, y, tx, _ = digits
    theirs = OneVsRestClassifier(SVC(C=10, gamma=1.0)).fit(x.numpy(), y.numpy()).decision_function(tx.numpy())
    assert np.abs(kernel_machine(x, y, 1.0)(tx).numpy() - theirs).max() < 1e-3
    near = KNeighborsClassifier(1).fit(x.numpy(), y.numpy()).predict(tx.numpy())
    assert (neighbours(x, y)(tx).argmax(1).numpy() == near).mean() > 0.99


def test_a_neighbours_proof_is_never_broken(lesson, digits):
    """No attack on the nearest neighbour changes an answer that was proved."""
    x, y, tx, ty = (part[:40] if n > 1 else part for n, part in enumerate(digits))
    proved = neighbours_proved(x, y, tx, ty, *lesson.box_of(tx, 0.1))
    least = lesson.pgd(neighbours(x, y), tx, ty, 0.1, guide=neighbours(x, y, 20))[1]
    assert proved.any()
    assert (least[proved] > 0).all()


def test_rounding_and_widths_are_checked(digits):
    """Rounding keeps whole levels; bad arguments are named."""
    assert rounded(lambda z: z)(torch.tensor([0.2, 0.6, 0.9])).tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(ValueError, match="levels"):
        rounded(None, 1)
    with pytest.raises(ValueError, match="width"):
        kernel_machine(*digits[:2], 0)


def test_a_settled_case_is_one_linear_program(lesson, digits, model):
    """Where every neuron is settled the linear program gives what lines give, and its image has that margin."""
    clean, labels = digits[2][:1], digits[3][:1]
    margins, known = lesson.line_margins(model, clean, labels, 1e-4)
    ends = [(low[0], high[0]) for low, high in known]
    assert not any(((low < 0) & (high > 0)).any() for low, high in ends)
    rows = lesson.contrast(labels)[0][[t for t in range(10) if t != labels.item()]]
    folded = [(rows @ part).detach().double().numpy() for part in (model[-1].weight, model[-1].bias)]
    with torch.no_grad():
        value, image = branching._least([*model[::2]], ends, lesson.box_of(clean, 1e-4), *folded)
    assert abs(value - lesson.least_of(margins, labels).item()) < 1e-4
    assert abs(value - lesson.margin(model(torch.tensor(image)[None].float()), labels).item()) < 1e-4
