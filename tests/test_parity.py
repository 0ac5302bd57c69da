"""The comparison with libraries accepts what is equal and rejects wrong values, shapes and gradients."""

import pytest
import torch

from parity import assert_same_as_library


def leaf():
    return torch.linspace(-1, 2, 6, dtype=torch.double).requires_grad_()


def test_equal_functions_pass():
    """Two ways to write a square agree, on one leaf and on a pair of equal leaves."""
    x, y = leaf(), leaf()
    assert_same_as_library(x**2, x * x, tolerance=1e-12, gradients=[x])
    assert_same_as_library(x**2, y * y, tolerance=1e-12, gradients=[(x, y)])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x**2 + 1e-3,
        lambda x: (x**2)[None],
        lambda x: (x**2).float(),
        lambda x: x * x.detach(),
        lambda x: torch.full_like(x, torch.nan) * x,
    ],
)
def test_what_differs_is_rejected(wrong):
    """A wrong value, another shape, another type, half a gradient and nan are told."""
    x = leaf()
    with pytest.raises(AssertionError):
        assert_same_as_library(wrong(x), x**2, tolerance=1e-6, gradients=[x])


def test_gradients_that_are_all_zero_prove_nothing():
    """Where no gradient arrives, the comparison says so instead of passing."""
    x = leaf()
    with pytest.raises(AssertionError):
        assert_same_as_library(0 * x, 0 * x, tolerance=1e-6, gradients=[x])
