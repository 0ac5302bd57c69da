"""Verdicts: the outcome follows from what was measured, and the record is what the ledger shows."""

import math

import numpy as np
import pytest
import torch

from tinyfrontier import _course
from tinyfrontier._course import claims_of, front_matter, lesson_files, open_lesson
from tinyfrontier.show import OUTCOMES, VERDICT_MIME, recorded, spread, verdict
from tinyfrontier.show.verdicts import read_record

MEASURED = {"recall": 0.987654, "tokens": 12345, "note": "text", "equal": True}
HEADLINE = "The mixture reaches 2.40 where dense ends at 2.52."


@pytest.fixture(autouse=True)
def lesson():
    """Lesson 6 is at work, as its first cell says."""
    open_lesson(6)
    yield
    _course._open.clear()


@pytest.mark.parametrize(
    ("holds", "condition", "outcome"),
    [
        (True, None, OUTCOMES[0]),
        (True, "at equal time", OUTCOMES[1]),
        (False, None, OUTCOMES[2]),
        (False, "at equal time", OUTCOMES[2]),
        (None, None, OUTCOMES[3]),
    ],
)
def test_the_outcome_follows(holds, condition, outcome):
    """True, False and None with and without a condition give the four outcomes, in both forms of the call."""
    for record in (
        verdict(MEASURED, holds, headline=HEADLINE, condition=condition),
        verdict("A claim.", MEASURED, holds, condition, sections=["F1"], lesson=1),
        verdict(claim="A claim.", measured=MEASURED, holds=holds, condition=condition, sections=["F1"], lesson=1),
        verdict("A claim.", measured=MEASURED, holds=holds, condition=condition, sections=["F1"], lesson=1),
    ):
        assert record.outcome == outcome
        assert bool(record.condition) == (outcome == OUTCOMES[1])
    assert record.claim == "A claim."


def test_claim_and_sections_come_from_the_front_matter():
    """The lesson that the first cell named gives claim and sections; `lesson=` names another."""
    front = front_matter(lesson_files()[6])
    record = verdict(MEASURED, True, headline=HEADLINE)
    assert (record.lesson, record.claim) == (6, " ".join(front["claim"].split()))
    assert list(record.sections) == front["sections"]
    other = verdict(MEASURED, True, headline=HEADLINE, lesson=11)
    assert (other.lesson, other.claim == record.claim) == (11, False)


def test_the_checker_says_which_lesson_it_is():
    """`checker(14)` in the first cell is enough; without it a verdict says what to do."""
    from tinyfrontier.exercises import checker

    _course._open.clear()
    with pytest.raises(
        ValueError, match=r"lesson is not known; run the first cell, which says `check = checker\(NN\)`"
    ):
        verdict(MEASURED, True, headline=HEADLINE)
    checker(14)
    assert verdict(MEASURED, True, headline=HEADLINE).lesson == 14


def test_one_of_several_claims_is_named_by_its_key(tmp_path, monkeypatch):
    """A lesson with two claims asks which; a claim may have sections of its own."""
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "06_two.md").write_text(
        "---\nnumber: 6\nsections: [F1, L1.1]\nclaim:\n  reach: It reaches\n    far.\n"
        "  size: {text: It is large., sections: [L1.1]}\n---\n\n# 06 · Two\n"
    )
    assert claims_of(6, tmp_path) == {"reach": ("It reaches far.", ["F1", "L1.1"]), "size": ("It is large.", ["L1.1"])}
    monkeypatch.setattr("tinyfrontier.show.verdicts.claims_of", lambda number: claims_of(number, tmp_path))
    assert verdict(MEASURED, True, headline=HEADLINE, claim="size").sections == ("L1.1",)
    with pytest.raises(ValueError, match=r"claim must be one of lesson 06's claims \('reach', 'size'\), got None"):
        verdict(MEASURED, True, headline=HEADLINE)
    with pytest.raises(ValueError, match="got 'sise'"):
        verdict(MEASURED, True, headline=HEADLINE, claim="sise")


def test_every_finished_lesson_has_a_claim():
    """Each lesson's front matter gives at least one claim with sections."""
    for path in lesson_files()[1:]:
        for words, sections in claims_of(int(path.name[:2])).values():
            assert words.endswith(".")
            assert sections
    with pytest.raises(ValueError, match="lesson must be that of a lesson with a source, got 99"):
        claims_of(99)


def test_values_are_formatted():
    """Numbers, truths, ranges over seeds, several things, chosen formats and recorded numbers become short text."""
    measured = {
        **MEASURED,
        "seeds": [2.356, 2.369],
        "pair": (2.4, 1234),
        "named": {"dense": 2.41, "top-1": np.array([2.36, 2.37])},
        "percent": spread([0.53, 0.63], "%"),
        "loaded": recorded([1.0, 2.0]),
    }
    assert verdict(measured, True, headline=HEADLINE).measured == {
        "recall": "0.988",
        "tokens": "12,345",
        "note": "text",
        "equal": "yes",
        "seeds": "2.36 to 2.37",
        "pair": "2.40 / 1,234",
        "named": "dense 2.41, top-1 2.36 to 2.37",
        "percent": "53 to 63 %",
        "loaded": "1.00 to 2.00 (recorded)",
    }


def test_the_bundle_holds_box_text_and_record():
    """The output holds the box as HTML, the text, and the record as JSON; text is escaped."""
    record = verdict(MEASURED, True, headline="1 < 2", condition="3 < 4")
    bundle = record._repr_mimebundle_()
    assert bundle[VERDICT_MIME]["lesson"] == 6
    assert bundle[VERDICT_MIME]["sections"] == list(record.sections)
    assert bundle[VERDICT_MIME]["headline"] == "1 < 2"
    assert [label for label, _ in bundle[VERDICT_MIME]["measured"]] == list(MEASURED)
    assert "1 &lt; 2" in bundle["text/html"]
    assert "Holds if: 3 &lt; 4" in bundle["text/html"]
    assert bundle["text/plain"].startswith("VERDICT: holds if …\n")
    assert "1 < 2" in bundle["text/plain"]


def test_a_rehearsal_is_called_one(monkeypatch):
    """Under rehearsal box, text and record say so, and what a few steps spoil does not raise."""
    monkeypatch.setenv("TINYFRONTIER_REHEARSAL", "1")
    record = verdict({"loss": math.nan, "steps": [3, 4]}, None, headline="x" * 200, condition="it had converged")
    bundle = record._repr_mimebundle_()
    assert bundle[VERDICT_MIME]["rehearsal"] is True
    assert "Rehearsal, not a result. Verdict: cannot be checked" in bundle["text/html"]
    assert bundle["text/plain"].startswith("Rehearsal, not a result. VERDICT: ")
    assert record.measured == {"loss": "not measured", "steps": "3 to 4"}


@pytest.mark.parametrize("value", [None, "", "0"])
def test_an_ordinary_run_knows_nothing_of_rehearsals(monkeypatch, value):
    """Without the switch neither box, text nor record has the word, and a number that is none is refused."""
    monkeypatch.delenv("TINYFRONTIER_REHEARSAL", raising=False)
    if value is not None:
        monkeypatch.setenv("TINYFRONTIER_REHEARSAL", value)
    assert "rehearsal" not in str(verdict(MEASURED, True, headline=HEADLINE)._repr_mimebundle_()).lower()
    with pytest.raises(ValueError, match=r"measured\['x'\]: values must be finite"):
        verdict({"x": math.nan}, True, headline=HEADLINE)


def test_records_of_earlier_versions_are_read():
    """An old record gets today's outcome and the keys that it lacks; a new one stays as it is."""
    old = {"lesson": 1, "measured": [["a", "1"]], "outcome": "holds in miniature", "condition": ""}
    assert read_record(old) == {**old, "outcome": "holds", "headline": ""}
    assert read_record({**old, "outcome": "cannot be tested small, here is the arithmetic"})["outcome"] == OUTCOMES[3]
    new = verdict(MEASURED, True, headline=HEADLINE)._repr_mimebundle_()[VERDICT_MIME]
    assert read_record(new) == new


def test_a_torch_or_numpy_truth_counts():
    """A NumPy truth value counts as True or False; a tensor must be turned into one first."""
    assert verdict(MEASURED, np.float64(1) < 2, headline=HEADLINE).outcome == OUTCOMES[0]
    with pytest.raises(TypeError, match="holds must be True, False or None, got Tensor"):
        verdict(MEASURED, torch.tensor(True), headline=HEADLINE)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"claim": " "}, ValueError, "claim must be a sentence"),
        ({"measured": {}}, ValueError, "measured must hold at least one"),
        ({"measured": [1]}, TypeError, "measured must be a mapping"),
        ({"measured": {"x": math.inf}}, ValueError, "finite"),
        ({"holds": 1}, TypeError, "holds must be True, False or None, got int"),
        ({"sections": []}, ValueError, "sections must list"),
        ({"holds": None, "condition": "x"}, ValueError, "condition goes with holds=True"),
        ({"headline": ""}, ValueError, "headline must be one sentence"),
        ({"headline": "x" * 141}, ValueError, "at most 140 characters, got 141"),
        ({"headline": "two\nlines"}, ValueError, "headline must be one line"),
        ({"headline": 3}, TypeError, "headline must be text, got int"),
        ({"lesson": "6"}, TypeError, "lesson must be an int, got str"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    """Each bad argument is refused by name."""
    with pytest.raises(error, match=message):
        verdict(**{"measured": MEASURED, "holds": True, "headline": HEADLINE, **arguments})


def test_a_forgotten_holds_is_named():
    """A call without `holds` is no verdict, and one with too many arguments none either."""
    with pytest.raises(TypeError, match="holds must be True, False or None, got str"):
        verdict(MEASURED, headline=HEADLINE)
    with pytest.raises(TypeError, match="got 1 arguments more"):
        verdict(MEASURED, True, None, "more", headline=HEADLINE)
