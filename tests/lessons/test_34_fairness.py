"""Lesson 34's rates, costs and constraint against fairlearn, its regression against scikit-learn, and its twins."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from tinyfrontier.beside.lesson_34 import library
from tinyfrontier.beside.lesson_34.posts import write_posts

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
