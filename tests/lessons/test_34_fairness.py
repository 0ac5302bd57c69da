"""Lesson 34's rates, costs and constraint against fairlearn, its regression against scikit-learn, and its twins."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from tinyfrontier.beside.lesson_34 import library
from tinyfrontier.beside.lesson_34.judging import best_cut, from_then_on, judge, passes, shares, worst_of
from tinyfrontier.beside.lesson_34.posts import works, write_posts
from tinyfrontier.beside.lesson_34.real import drawn
from tinyfrontier.beside.lesson_34.rivals import closing, two_bars

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(34)


@pytest.fixture(scope="module")
def people(lesson):
    """A thousand people whose committee loses files."""
    return lesson.world(1000, 77, dice=0.4)


def test_rates_are_fairlearns(lesson, people):
    """Selection rate, TPR and FPR equal MetricFrame's, and their spans fairlearn's differences."""
    x, group, _, label = people
    decision = (x[:, 0] > 0.2).astype(int)
    ours = lesson.rates(label, decision, group)
    assert np.abs(ours - library.frame(label, decision, group)).max() < 1e-12
    parity, odds = library.differences(label, decision, group)
    assert abs(np.ptp(ours[:, 0]) - parity) < 1e-12
    assert abs(np.ptp(ours[:, 1:], axis=0).max() - odds) < 1e-12


def test_costs_are_fairlearns(lesson, people):
    """What a yes is worth at given prices equals the reduction's signed weights."""
    _, group, _, label = people
    prices = np.array([[0.2, 0.0], [0.5, 0.9]])
    ours = lesson.cost_weights(label, group, prices[0] - prices[1])
    assert np.abs(ours - library.costs(label, group, prices)).max() < 1e-12


def test_reweighing_unlinks_label_and_group(lesson, people):
    """With the weights each group has the same share of label 1, and all weights sum to the number of people."""
    _, group, _, label = people
    weight = lesson.reweigh(label, group)
    share = [np.average(label[group == k], weights=weight[group == k]) for k in (0, 1)]
    assert abs(share[0] - share[1]) < 1e-12
    assert abs(weight.sum() - len(label)) < 1e-9


def test_regression_is_scikit_learns(lesson, people):
    """Newton's steps reach scikit-learn's weighted optimum."""
    x, group, _, label = people
    table, weight = np.column_stack([x, np.ones(len(x))]), lesson.reweigh(label, group)
    theirs = LogisticRegression(C=1 / (len(x) * 1e-4), solver="newton-cholesky", tol=1e-10, fit_intercept=False)
    theirs.fit(table, label, sample_weight=weight * len(x) / weight.sum())
    assert np.abs(lesson.logistic(x, label, weight, steps=20) - theirs.coef_[0]).max() < 1e-4


def test_twins_differ_in_the_truth_alone(lesson):
    """Lower skill, and a higher bar with marks that understate, give the same columns and labels at any strength."""
    for strength in (0.2, 0.7, 1.3):
        one, other = lesson.world(500, 5, behind=strength), lesson.world(500, 5, bar=strength, test=strength)
        assert [np.array_equal(a, b) for a, b in zip(one, other, strict=True)] == [True, True, False, True]


def test_places_stay_as_many(lesson, people):
    """Equal selection rates keep the number of yeses, up to rounding in each group."""
    x, group, _, label = people
    score = lesson.chances(lesson.logistic(x, label), x)
    yes = [lesson.admit(score, group, part) for part in (0, 0.5, 1)]
    assert np.array_equal(yes[0], score > 0.5)
    assert max(abs(each.sum() - yes[0].sum()) for each in yes) <= 2
    assert abs(yes[2][group == 0].mean() - yes[2][group == 1].mean()) < 0.01


def test_mixture_keeps_its_bound(lesson, people):
    """Shares sum to one, and the gap on the training people is within eps."""
    x, group, _, label = people
    models = lesson.game(x, label, group, rounds=12)
    shares = lesson.mixture(models, x, label, group, 0.04)
    yes = shares @ [lesson.chances(b, x) > 0.5 for b in models]
    assert abs(shares.sum() - 1) < 1e-9
    assert abs(yes[group == 0].mean() - yes[group == 1].mean()) < 0.04 + 1e-6


def test_posts_keep_their_rules():
    """Labels are right unless greetings are misread; mainlanders greet without insults; bad shares are named."""
    right, misread = write_posts(500, 3), write_posts(500, 3, misread=1.0)
    assert np.array_equal(right.label, right.abuse)
    assert np.array_equal(misread.label, misread.abuse | misread.friendly)
    assert not (right.friendly & (1 - right.islander)).any()
    with pytest.raises(ValueError, match="misread"):
        write_posts(5, 0, misread=1.5)


def made_up_runs(seeds=10, each=10):
    """Runs in which one audit measures the true gap, and the other always says 0.3."""
    gaps = np.tile([0.0, 0.04, 0.1, 0.15, 0.3], each // 5)
    return [("kind", seed, gap, {"exact": gap, "deaf": 0.3}) for seed in range(seeds) for gap in gaps]


def test_audits_are_judged_by_other_seeds(lesson):
    """An audit that measures the gap finds all; a constant one cannot tell; too few models say nothing."""
    runs = made_up_runs()
    found = judge(runs, lesson.logistic, lesson.chances)
    assert found["exact"]["all"] == found["exact"]["kind"] == [1.0, 0.0]
    assert passes(found["exact"])
    assert not passes(found["deaf"])
    assert 0.04 <= best_cut(runs, "exact") < 0.15
    assert shares(runs[:5], np.ones(5, bool)) == [None, None]


def test_enough_is_the_size_from_which_on_all_pass():
    """A pass that a larger size does not keep is luck."""
    assert from_then_on({50: True, 100: False, 200: True, 400: True}) == 200
    assert from_then_on({50: True, 100: False}) is None
    assert from_then_on({50: True, 100: True}) == 50
    assert worst_of([{"cuts": [0.1], "all": [0.5, 0.9], "a": [0.9, None], "b": [0.8, 0.1]}]) == (0.8, 0.1)


def test_two_bars_keep_their_bound(lesson, people):
    """The best pair of bars is within the bound, and is right at least as often as the same bar for both."""
    x, group, _, label = people
    score = lesson.chances(lesson.logistic(x, label), x)
    yes = score > two_bars(score, label, group, 0.05)[group]
    assert abs(yes[group == 0].mean() - yes[group == 1].mean()) <= 0.05
    free = score > two_bars(score, label, group, 1)[group]
    assert (free == label).mean() >= ((score > 0.5) == label).mean()


def test_closing_picks_on_some_seeds_and_reports_others():
    """The mildest setting that is within the bound on the first seeds; nothing for a way that never gets there."""
    values = np.zeros((5, 3, 4))
    values[..., 0] = [0.2, 0.04, 0.0]
    values[..., 3] = [0.9, 0.88, 0.8]
    far = values + np.array([1, 0, 0, 0])
    found = closing({"near": values, "far": far})
    assert found["near"]["setting"] == 1
    assert np.allclose(found["near"]["lost"], [0.02, 0.02])
    assert found["far"]["lost"] == []


def test_intervals_hold_what_was_measured():
    """Values are those of all patients, intervals hold them, and the first setting loses nothing of itself."""
    chance = np.random.default_rng(5)
    label, group = chance.integers(2, size=200), chance.integers(2, size=200)
    yes = [chance.integers(2, size=200) for _ in range(2)]
    gap, right, lost = drawn(yes, label, group)
    assert abs(gap[0, 0] - (yes[0][group == 0].mean() - yes[0][group == 1].mean())) < 1e-12
    assert abs(right[1, 0] - (yes[1] == label).mean()) < 1e-12
    assert (gap[:, 1] < gap[:, 0]).all()
    assert (gap[:, 0] < gap[:, 2]).all()
    assert np.allclose(lost[0], 0)


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        ((0.5, 0.5, 0.5, 0.1, 0.2), True),
        ((0.49, 0.9, 0.9, 0.1, 0.1), False),
        ((0.9, 0.49, 0.9, 0.1, 0.1), False),
        ((0.9, 0.9, 0.49, 0.1, 0.1), False),
        ((0.9, 0.9, 0.9, 0.1, 0.21), False),
    ],
)
def test_a_filter_works_at_its_bounds(row, holds):
    """Each of the four promises can fail alone, and holds at its bound."""
    assert works(*row) is holds


def test_a_cut_keeps_its_promise(lesson):
    """The lowest cut with the wanted precision; none is higher than every score."""
    score, bad = np.linspace(1, 0, 1000), np.r_[np.ones(100, int), np.zeros(900, int)]
    cut = lesson.cut_for(score, bad, 0.5)
    tpr, fpr = (score[bad == 1] >= cut).mean(), (score[bad == 0] >= cut).mean()
    assert lesson.precision(tpr, fpr) >= 0.5
    lower = score[np.flatnonzero(score == cut)[0] + 1]
    assert lesson.precision((score[bad == 1] >= lower).mean(), (score[bad == 0] >= lower).mean()) < 0.5
    assert lesson.cut_for(score, 1 - bad, 0.9999) == 1
