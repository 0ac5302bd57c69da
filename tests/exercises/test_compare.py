"""Comparison of results: the first difference, its kind and its place."""

import numpy as np
import pytest
import torch

from tinyfrontier.exercises.compare import brief, describe, first_difference


@pytest.mark.parametrize(
    "value",
    [
        torch.full((2, 3), 0.1),
        torch.tensor([float("nan"), float("inf")]),
        torch.tensor([True, False]),
        np.arange(3.0),
        3,
        2.5,
        float("nan"),
        "text",
        None,
        True,
        (1, [2.0, {"a": torch.ones(2)}]),
        {},
    ],
    ids=repr,
)
def test_a_value_equals_itself(value):
    """No difference is found between a value and itself, NaN and infinity included."""
    assert first_difference(value, value) is None


@pytest.mark.parametrize(
    ("yours", "expected", "kind", "where"),
    [
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.1]), "value", "result[1]"),
        (torch.ones(2), torch.ones(3), "shape", "result"),
        (torch.ones(2, dtype=torch.long), torch.ones(2), "type", "result"),
        (torch.tensor([True]), torch.tensor([1]), "type", "result"),
        (np.ones(2), torch.ones(2), "type", "result"),
        ([1, 2], [1, 3], "value", "result[1]"),
        ([1], [1, 2], "shape", "result"),
        ({"a": 1}, {"b": 1}, "shape", "result"),
        ({"a": 1}, {"a": 2}, "value", "result['a']"),
        (1.5, 2, "type", "result"),
        (True, 1, "type", "result"),
        (1, True, "type", "result"),
        ("a", "b", "value", "result"),
        ((1, torch.tensor([0.0])), (1, torch.tensor([1.0])), "value", "result[1][0]"),
    ],
)
def test_the_first_difference_is_found(yours, expected, kind, where):
    """Kind and place of the first difference are right."""
    found = first_difference(yours, expected)
    assert found is not None
    assert found.kind == kind
    assert found.where.split(" (")[0] == where


def test_floats_agree_within_the_tolerance_only():
    """The tolerance is absolute plus relative, and is kept."""
    assert first_difference(1000.009, 1000.0, 1e-5) is None
    assert first_difference(1000.03, 1000.0, 1e-5) is not None
    assert first_difference(torch.tensor(1e-6), torch.tensor(0.0), 1e-5) is None


def test_widths_of_numbers_may_differ():
    """float64 against float32, and a one-element tensor against a float, are no differences."""
    assert first_difference(torch.ones(2, dtype=torch.float64), torch.ones(2)) is None
    assert first_difference(torch.tensor(2.0), 2.0) is None
    assert first_difference(3, 3.0) is None


def test_what_cannot_be_compared_is_an_error():
    """An expected value of an unknown type is the author's fault and is said so."""
    with pytest.raises(TypeError, match="cannot compare"):
        first_difference(object(), object())


def test_texts_are_short():
    """Descriptions name shape and type; long values are cut."""
    assert describe(torch.ones(2, 3)) == "tensor (2, 3) of float32"
    assert "return" in describe(None)
    assert len(brief("x" * 500)) <= 120


@pytest.mark.parametrize(
    "array",
    [
        np.array([3.0, 2.0, 1.0])[::-1],
        np.broadcast_to(np.array([1.0, 2.0, 3.0]), (3,)),
        np.arange(1.0, 7.0, 1.0)[:3],
        np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], order="F")[0],
        np.array([1.0, 2.0, 3.0], dtype=">f8"),
    ],
    ids=["backwards", "read-only", "a part", "a row of columns", "swapped bytes"],
)
def test_an_array_counts_by_its_numbers_however_it_lies_in_memory(array):
    """Views that NumPy hands out are answers as good as copies, and stay as they are."""
    before = array.copy()
    assert first_difference(array, np.array([1.0, 2.0, 3.0])) is None
    assert first_difference(array, np.array([1.0, 2.0, 4.0])).where.split(" (")[0] == "result[2]"
    assert (array == before).all()


@pytest.mark.parametrize("array", [np.array([1, None]), np.array(["a", "b"])])
def test_an_array_of_something_else_is_of_the_wrong_type(array):
    """Objects and texts where numbers are wanted are named, not a crash."""
    assert first_difference(array, np.array([1.0, 2.0])).kind == "type"
