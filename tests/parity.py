"""One comparison for every test that holds own code against a library: the same values, the same gradients."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def assert_same_as_library(
    own: Tensor,
    library: Tensor,
    *,
    tolerance: float,
    gradients: Iterable[Tensor | tuple[Tensor, Tensor]] = (),
    gradient_tolerance: float | None = None,
    relative: float = 0.0,
) -> None:
    """Values agree within `tolerance`, and so do the gradients of one random sum of all values.

    Args:
        own: what the own code gives.
        library: what the library gives, of the same shape and type.
        tolerance: largest difference of a value.
        gradients: leaves that both results depend on; or pairs of leaves, the own and the library's.
        gradient_tolerance: largest difference of a gradient; `tolerance` if it is None.
        relative: share of the library's value by which both may differ beyond that.

    Raises:
        AssertionError: if a value, a shape or a type differs, or if gradients are all zero, which would prove nothing.
    """
    torch.testing.assert_close(own, library, rtol=relative, atol=tolerance)
    pairs = [leaf if isinstance(leaf, tuple) else (leaf, leaf) for leaf in gradients]
    if not pairs:
        return
    weight = torch.randn(own.shape, generator=torch.Generator().manual_seed(0), dtype=own.dtype)
    found = [
        torch.autograd.grad((values * weight).sum(), [pair[side] for pair in pairs], retain_graph=True)
        for side, values in enumerate((own, library))
    ]
    assert any(gradient.any() for gradient in found[1])
    limit = tolerance if gradient_tolerance is None else gradient_tolerance
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=relative, atol=limit)
