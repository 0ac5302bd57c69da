"""Lesson 38's folds, intervals and measures against scikit-learn and SciPy, and its ledger against the records."""

import html
import json
import re

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap
from sklearn import metrics
from sklearn.model_selection import TimeSeriesSplit
from tinyfrontier.beside.lesson_38 import ledger
from tinyfrontier.beside.lesson_38.scorecard import NAMES, ranks, ten
from tinyfrontier.beside.lesson_38.tasks import days, patients

from tinyfrontier.authoring import definitions
from tinyfrontier.beside import LESSONS, load_record

ROOT = LESSONS.parent


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(38)


@pytest.mark.parametrize(("n", "folds", "gap"), [(30, 4, 0), (31, 4, 3), (100, 7, 5), (9, 1, 2)])
def test_folds_from_the_past_are_scikit_learns(lesson, n, folds, gap):
    """Each fold trains and tests on the rows of TimeSeriesSplit."""
    theirs = TimeSeriesSplit(max(folds, 2), gap=gap).split(np.zeros(n)) if folds > 1 else None
    ours = lesson.past_folds(n, folds, gap)
    assert len(ours) == folds
    assert ours[-1][2] == n
    for (end, start, stop), (a, b) in zip(ours, theirs or []):
        assert np.array_equal(a, np.arange(end))
        assert np.array_equal(b, np.arange(start, stop))


def test_folds_share_no_row_and_groups_stay_whole(lesson):
    """Shuffled folds test every row once; folds by group have no group on both sides."""
    parts = lesson.shuffled(23, 1)
    assert sorted(np.concatenate([b for _, b in parts])) == [*range(23)]
    assert not any(set(a) & set(b) for a, b in parts)
    groups = np.arange(30) % 7
    for a, b in lesson.together(groups, 2, 3):
        assert not set(groups[a]) & set(groups[b])
        assert len(a) + len(b) == 30


@pytest.mark.parametrize("kind", ["duplicates", "time", "groups", "preparation"])
def test_no_fold_touches_the_vault(lesson, kind, monkeypatch):
    """What is scored in the vault was in no training or test fold."""
    seen = {}

    def three(make, x, y, rows, vault, leaky, honest):
        seen.update(rows=rows, vault=vault)
        return 0.0, 0.0, 0.0

    monkeypatch.setattr(lesson, "three", three)
    lesson.LEAKS[kind](lesson.MODELS["line"], lesson.DOSES[kind][-1], 1)
    assert not set(seen["rows"]) & set(seen["vault"])
    if kind == "time":
        assert seen["rows"].max() + 20 < seen["vault"].min()


def test_least_likely_of_all_is_the_mean(lesson):
    """With the share 1 the detector is the plain mean, and a smaller share is never above it."""
    logp = -torch.rand(5, 9, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(lesson.least_likely(logp, 1.0), logp.mean(1))
    assert (lesson.least_likely(logp, 0.3) <= logp.mean(1)).all()


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_the_bootstrap_is_scipys(lesson, level):
    """The percentile interval equals SciPy's, draw by draw."""
    values = np.random.default_rng(1).normal(size=40)
    rows = np.random.default_rng(2).integers(0, 40, (500, 40))
    theirs = bootstrap(
        (values,), np.mean, n_resamples=500, method="percentile", confidence_level=level, rng=np.random.default_rng(2)
    ).confidence_interval
    assert np.abs(np.subtract(lesson.percentile_interval(values, rows, level), theirs)).max() < 1e-12


def test_holm_lies_between_raw_and_bonferroni(lesson):
    """Adjusted p-values are at least the raw ones, at most Bonferroni's, and the smallest is Bonferroni's."""
    p = np.random.default_rng(3).random(12) ** 3
    paid = lesson.holm(p)
    assert (paid >= p).all()
    assert (paid <= np.minimum(1, 12 * p) + 1e-12).all()
    assert paid.min() == pytest.approx(min(1, 12 * p.min()))


def test_intervals_cover_as_computed(lesson):
    """The exact interval covers at least as often as promised; coverage agrees with a simulation."""
    for n in (10, 37):
        assert lesson.coverage(n, 0.9, "exact") >= 0.95
    hits = np.random.default_rng(0).binomial(20, 0.95, 4000)
    low, high = np.array(
        [np.quantile(np.random.default_rng(k).binomial(20, k / 20, 20_000) / 20, [0.025, 0.975]) for k in range(21)]
    ).T
    covered = ((low[hits] <= 0.95 + 1e-9) & (high[hits] >= 0.95 - 1e-9)).mean()
    assert abs(covered - lesson.coverage(20, 0.95, "bootstrap")) < 0.03


def test_ten_measures_are_scikit_learns():
    """Nine of the ten equal scikit-learn's; ranks are shares beaten."""
    draw = np.random.default_rng(4)
    truth = draw.integers(2, size=200)
    chance = np.clip(0.5 * truth + 0.5 * draw.random(200), 0.01, 0.99)
    found, said = dict(zip(NAMES, ten(chance, truth, 0.6))), chance >= 0.6
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, said))
    assert found["balanced"] == pytest.approx(metrics.balanced_accuracy_score(truth, said))
    assert found["precision"] == pytest.approx(metrics.precision_score(truth, said))
    assert found["recall"] == pytest.approx(metrics.recall_score(truth, said))
    assert found["specificity"] == pytest.approx(metrics.recall_score(truth, said, pos_label=0))
    assert found["F1"] == pytest.approx(metrics.f1_score(truth, said))
    assert found["AUC"] == pytest.approx(metrics.roc_auc_score(truth, chance))
    assert found["log score"] == pytest.approx(-metrics.log_loss(truth, chance))
    assert found["Brier score"] == pytest.approx(-metrics.brier_score_loss(truth, chance))
    assert ranks(np.array([[1.0], [3.0], [3.0], [2.0]]))[:, 0].tolist() == [0.125, 0.75, 0.75, 0.375]
    with pytest.raises(ValueError, match="both answers"):
        ten(chance, np.ones(200), 0.5)


def test_a_seal_opens_only_with_its_salt(lesson):
    """A short answer is found by trying, unless it was salted; another answer has another seal."""
    options = ["a", "b", "c"]
    assert lesson.guess(lesson.seal("b"), options) == "b"
    assert lesson.guess(lesson.seal("b", b"salt"), options) is None
    assert lesson.guess(lesson.seal("b", b"salt"), options, b"salt") == "b"


def test_tasks_say_what_they_are():
    """Shapes, and bad arguments by name."""
    assert patients(3)[0].shape == (442, 285)
    x, y = days(5)
    assert x.shape == (1002, 5)
    assert set(y) == {0, 1}
    assert not np.array_equal(days(5, 1)[0], days(5, 2)[0])
    with pytest.raises(ValueError, match="degree"):
        patients(4)
    with pytest.raises(ValueError, match="horizon"):
        days(0)


@pytest.mark.parametrize("case", ledger.COMPARISONS, ids=lambda case: f"{case[0]}, {case[1]}")
def test_each_flag_is_tied_to_its_verdict(case):
    """The words from which a flag was read stand in a verdict of that lesson; gone, the flag has to be read anew."""
    (path,) = (ROOT / "solutions").glob(f"{case[0]:02}_*.ipynb")
    shown = [
        re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", "".join(output["data"].get("text/html", "")))))
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if "verdict" in cell["metadata"].get("tags", [])
        for output in cell["outputs"]
        if "data" in output
    ]
    assert any(case[7] in text for text in shown)


def test_the_ledger_reads_every_record():
    """Every path leads to numbers, at least three a method, and pairs are of one length."""
    cases = ledger.gather(load_record)
    assert len(cases) == len(ledger.COMPARISONS)
    assert all(min(len(case["one"]), len(case["two"])) >= 3 for case in cases)
    assert not next(case["ahead"] for case in cases if case["lesson"] == 15)


def test_a_path_that_is_gone_is_named():
    """A changed record is told by the name that is missing."""
    with pytest.raises(KeyError, match="'gone'"):
        ledger.pick({"here": 1}, ["gone"])
    assert ledger.pick({"a": [[1, 2], [3, 4]]}, ["a", ledger.EACH, 1]) == [2, 4]
