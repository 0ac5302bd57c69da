"""Numbers in words: ranges over seeds, formats, recorded ones."""

import math

import numpy as np
import pytest
import torch

from tinyfrontier.beside import Record
from tinyfrontier.show import recorded, spread
from tinyfrontier.show.spreads import describe


@pytest.mark.parametrize(
    ("values", "form", "unit", "text"),
    [
        ([0.534, 0.63], ".2f", "", "0.53 to 0.63"),
        ([0.63, 0.534, 0.6], ".2f", "", "0.53 to 0.63"),
        ([0.601, 0.602], ".2f", "", "0.60"),
        (0.5, None, "", "0.500"),
        ([0.531, 0.63], None, "", "0.531 to 0.630"),
        ([2.356, 10.04], None, "", "2.4 to 10.0"),
        (12345.6, None, "", "12,346"),
        (1234567, None, "", "1,234,567"),
        ([3, 7], None, "steps", "3 to 7 steps"),
        (0, None, "", "0"),
        (0.0, None, "", "0.00"),
        (1.5e-9, None, "", "1.5e-09"),
        (4.2e12, None, "", "4.2e+12"),
        ([0.53, 0.631], "%", "", "53 to 63 %"),
        ([0.531, 0.532], "%", "", "53 %"),
        (0.5312, ".1%", "of the labels", "53.1 % of the labels"),
        ([-0.001, 0.012], "+.2f", "", "0.00 to +0.01"),
        (-1.25, ".1f", "s", "-1.2 s"),
        (torch.tensor([1.5, 2.5], requires_grad=True), ".1f", "", "1.5 to 2.5"),
        (np.float32(2), ".1f", "", "2.0"),
        ([torch.tensor(1.0), 2], ".0f", "", "1 to 2"),
        ([[0.1, 0.2], [0.3, 0.4]], ".1f", "", "0.1 to 0.4"),
    ],
)
def test_a_range_reads_well(values, form, unit, text):
    """Lowest to highest, or one value where they agree in what is shown; unit and percent sign stand once."""
    assert spread(values, form, unit) == text


def test_bad_values_are_named():
    """Nothing, text, infinity and a format that is none are refused."""
    with pytest.raises(ValueError, match="at least one number; got none"):
        spread([])
    with pytest.raises(TypeError, match="values must be numbers, got str"):
        spread(["a"])
    with pytest.raises(ValueError, match="finite numbers, got nan"):
        spread([1.0, math.nan])
    with pytest.raises(TypeError, match="form must be text such as"):
        spread(1.0, 2)


def test_what_is_recorded_says_so():
    """The word stands behind the numbers, survives indexing, and reaches into mappings; text is left alone."""
    record = recorded({"loss": [2.4, 2.5], "steps": 300, "name": "dense", "curve": {"a": [1.0, 2.0]}})
    assert str(record["loss"]) == "2.40 to 2.50 (recorded)"
    assert spread(record["steps"], ",") == "300 (recorded)"
    assert spread(record["loss"][0], ".1f") == "2.4 (recorded)"
    assert record["name"] == "dense"
    assert len(record["curve"]["a"]) == 2
    assert np.mean(record["loss"]) == pytest.approx(2.45)
    assert recorded(record["loss"]) is record["loss"]
    assert str(recorded([{"loss": 2.0}])[0]["loss"]) == "2.00 (recorded)"


def test_a_lessons_record_keeps_its_names():
    """What `load_record` gives is still read by attribute after it was marked."""
    figures = Record(reward=Record(real=[1.5, 1.7], coin=[0.1]))
    assert str(recorded(figures).reward.real) == "1.50 to 1.70 (recorded)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (torch.tensor(True), "yes"),
        ((2.41, 1234), "2.41 / 1,234"),
        (([0.1, 0.2], [0.3]), "0.100 to 0.200 / 0.300"),
        ({"dense": 2.41, "top-1": [2.36, 2.37]}, "dense 2.41, top-1 2.36 to 2.37"),
        (["a", "b"], "['a', 'b']"),
        (None, "None"),
    ],
)
def test_anything_measured_becomes_short_text(value, text):
    """Truths are words, tuples several things, mappings named ones, lists seeds; the rest is its own text."""
    assert describe(value) == text
