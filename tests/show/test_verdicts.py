"""Verdicts: the outcome follows from what was measured, and the record is what the ledger shows."""

import math

import pytest
import torch

from tinyfrontier.show import OUTCOMES, VERDICT_MIME, verdict

MEASURED = {"recall": 0.987654, "tokens": 12345, "note": "text", "equal": True}


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
    """True, False and None with and without a condition give the four outcomes."""
    record = verdict("A claim.", MEASURED, holds, condition, sections=["F1"], lesson=1)
    assert record.outcome == outcome
    assert bool(record.condition) == (outcome == OUTCOMES[1])


def test_numbers_are_shown_with_three_digits():
    """Floats get three significant digits, integers thousands marks, booleans words."""
    record = verdict("A claim.", MEASURED, True, sections=["F1"], lesson=1)
    assert record.measured == {"recall": "0.988", "tokens": "12,345", "note": "text", "equal": "yes"}


def test_the_bundle_holds_box_text_and_record():
    """The output holds the box as HTML, the text, and the record as JSON; text is escaped."""
    bundle = verdict("Is 1 < 2?", MEASURED, True, sections=["F1", "G1"], lesson=6)._repr_mimebundle_()
    assert bundle[VERDICT_MIME]["lesson"] == 6
    assert bundle[VERDICT_MIME]["sections"] == ["F1", "G1"]
    assert [label for label, _ in bundle[VERDICT_MIME]["measured"]] == list(MEASURED)
    assert "1 &lt; 2" in bundle["text/html"]
    assert bundle["text/plain"].startswith("VERDICT: holds in miniature")


def test_a_torch_or_numpy_truth_counts():
    """A NumPy truth value counts as True or False; a tensor must be turned into one first."""
    import numpy as np

    assert verdict("A claim.", MEASURED, np.float64(1) < 2, sections=["F1"], lesson=1).outcome == OUTCOMES[0]
    with pytest.raises(TypeError, match="holds must be True, False or None, got Tensor"):
        verdict("A claim.", MEASURED, torch.tensor(True), sections=["F1"], lesson=1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"claim": " "}, ValueError, "claim must be a sentence"),
        ({"measured": {}}, ValueError, "measured must hold at least one"),
        ({"measured": [1]}, TypeError, "measured must be a mapping"),
        ({"measured": {"x": math.nan}}, ValueError, "finite"),
        ({"holds": 1}, TypeError, "holds must be True, False or None, got int"),
        ({"sections": []}, ValueError, "sections must list"),
        ({"holds": None, "condition": "x"}, ValueError, "condition goes with holds=True"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    """Each bad argument is refused by name."""
    sound = {"claim": "A claim.", "measured": MEASURED, "holds": True, "sections": ["F1"], "lesson": 1}
    with pytest.raises(error, match=message):
        verdict(**{**sound, **arguments})
