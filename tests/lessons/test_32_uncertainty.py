"""Lesson 32's temperature, bars and library, against the field's libraries, and by cases made by hand."""

import numpy as np
import pytest
from rank_bm25 import BM25Okapi
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score
from tinyfrontier.beside.lesson_32.library import calibrated, mapie_intervals, mapie_sets
from tinyfrontier.beside.lesson_32.questions import Library, Names, Question, meaning, questions, some
from tinyfrontier.beside.lesson_32.rivals import after_looking, by_folds, dropout, false_alarms, naive_sets, separation

from tinyfrontier.authoring import definitions
from tinyfrontier.data.documents import Document


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(32)


@pytest.fixture(scope="module")
def told():
    """Scores of 300 cases and their classes, too sure of themselves."""
    draw = np.random.default_rng(0)
    scores = 4 * draw.normal(size=(300, 10))
    return scores, (scores + 4 * draw.normal(size=(300, 10))).argmax(1)


def test_temperature_is_scikit_learns(lesson, told):
    """One temperature, chosen by the lesson, gives scikit-learn's probabilities."""
    scores, y = told
    own = lesson.chances(scores[None], lesson.best_heat(scores, y))
    assert np.abs(own - calibrated("temperature", scores, y, scores)).max() < 1e-5


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99])
def test_sets_and_intervals_are_mapies(lesson, told, level):
    """The lesson's bar gives mapie's sets and mapie's intervals."""
    p, y = lesson.chances(told[0][None]), told[1]
    bar = lesson.threshold(1 - p[range(200), y[:200]], level)
    assert ((1 - p[200:] <= bar) == mapie_sets(p[:200], y[:200], p[200:], level)).all()
    guess = told[0][:, 0]
    reach = lesson.threshold(np.abs(guess[:200] - y[:200]), level)
    own = np.stack([guess[200:] - reach, guess[200:] + reach], 1)
    assert np.abs(own - mapie_intervals(guess[:200], y[:200], guess[200:], level)).max() < 1e-9


def test_weights_of_one_change_nothing(lesson):
    """With equal weights the weighted bar is the bar."""
    scores = np.random.default_rng(1).random(37)
    for level in (0.1, 0.5, 0.9, 0.99):
        assert lesson.weighted_threshold(scores, np.ones(37), np.ones(1), level)[0] == lesson.threshold(scores, level)


def test_one_stratum_changes_nothing_and_ten_have_bars_of_their_own(lesson):
    """One part is exercise 1; of ten, each new case gets the bar of the part that it falls in."""
    draw = np.random.default_rng(2)
    place, scores = np.arange(200.0), draw.random(200)
    assert (
        lesson.by_strata(scores, place, np.array([3.0, 500.0]), 0.9, parts=1) == lesson.threshold(scores, 0.9)
    ).all()
    bars = lesson.by_strata(scores, place, np.array([-1.0, 105.0, 500.0]), 0.9)
    assert bars.tolist() == [lesson.threshold(scores[k : k + 20], 0.9) for k in (0, 100, 180)]


def test_folds_and_dropout_learn(lesson):
    """Rivals that nobody trains well are none: on two clear classes both are right and tell probabilities."""
    draw = np.random.default_rng(3)
    y = np.arange(200) % 2
    x = draw.normal(size=(200, 4)) + 4 * y[:, None]
    told = by_folds(lesson, x, y, 0, 60)(x)
    dropped = dropout(x, y, 0, 60, 0.5)(x)
    assert dropped.shape == (30, 200, 2)
    assert (dropped[0] != dropped[1]).any()
    for p in (told, lesson.chances(dropped)):
        assert np.abs(p.sum(1) - 1).max() < 1e-9
        assert (p.argmax(1) == y).mean() > 0.97


def test_disagreement_is_scipys_entropy(lesson):
    """Entropy of counts, in nats."""
    assert abs(lesson.disagreement(list("aabbbc")) - entropy([2, 3, 1])) < 1e-12


def test_a_kind_is_what_is_named_first():
    """Spellings, options and dotted names are reduced to a kind."""
    wanted = {
        "array-like of shape (n,)": "array",
        "{'a', 'b'}, optional": "str",
        "None or int": "int",
        "NetworkX graph": "graph",
        "`numpy.ndarray`": "array",
        "(N,) array_like": "array",
        "bool, default: True": "bool",
        "": "?",
    }
    assert {text: meaning(text) for text in wanted} == wanted


def test_questions_come_from_sections_of_parameters():
    """Only lines under the heading Parameters become questions."""
    text = ("Does.", "Parameters\n----------\naxis : int\n    Which.\nb : {'x'}", "Returns\n-------\nc : float")
    found = questions([Document("numpy", "numpy.m", (("numpy.m.f", text),))])
    assert [(q.name, q.kind, q.line) for q in found] == [("axis", "int", "axis : int"), ("b", "str", "b : {'x'}")]


def test_the_library_is_rank_bm25s():
    """Scores are rank-bm25's, and the right line is found."""
    shelf = [
        Question("m", f"m.f{k}.do_{w}", w, "int", f"{w} : int") for k, w in enumerate("axis copy size tol".split())
    ]
    shelf.append(Question("m", "m.g.copy_axis", "axis", "str", "axis : str"))
    own, split = Library(shelf), Library(shelf).words.build_analyzer()
    theirs = BM25Okapi([split(f"{q.entry} {q.name} {q.name}") for q in shelf])
    for q, row in zip(shelf, own.scores(shelf), strict=True):
        query = set(split(f"{q.entry.split('.')[-1]} {q.name}"))
        assert row.argmax() == np.argmax(theirs.get_scores(split(f"{q.entry.split('.')[-1]} {q.name}")))
        assert query
        assert np.abs(row - theirs.get_scores(split(f"{q.entry.split('.')[-1]} {q.name}"))).max() < 1e-9
    assert own.find(shelf[3:4]) == [shelf[3]]


def test_a_read_question_does_not_vote_for_itself():
    """`less` takes the question itself out of the table."""
    one = Question("m", "m.f", "axis", "int", "axis : int")
    other = Question("m", "m.g", "axis", "str", "axis : str")
    names = Names([one, other])
    assert names.best(one, less=1) == "str"
    assert names.count(one, less=1) == 1


def test_exams_count_what_they_say():
    """AUC with ties, false alarms at a recall, accuracy after looking, sets that add up."""
    bad = np.array([True, True, False, False])
    assert separation(np.array([2.0, 1.0, 1.0, 0.0]), bad) == 0.875
    draw = np.random.default_rng(4)
    score, wrong = draw.integers(0, 9, 200) / 9, draw.random(200) < 0.3
    assert abs(separation(score, wrong) - roc_auc_score(wrong, score)) < 1e-12
    assert false_alarms(np.array([2.0, 1.0, 1.0, 0.0]), bad) == 0.5
    assert after_looking(np.array([3.0, 2.0, 1.0, 0.0]), ~bad * 1.0, np.ones(4), 0.25) == 0.75
    assert naive_sets(np.array([[0.5, 0.3, 0.2]]), 0.5).tolist() == [[True, False, False]]
    assert naive_sets(np.array([[0.5, 0.3, 0.2]]), 0.6).tolist() == [[True, True, False]]
    assert sorted(some([1, 2, 3], 5)) == [1, 2, 3]
