"""Find the first difference between what a student's function returned and what was expected.

Knows tensors, arrays, numbers, strings and nested tuples, lists and dicts of them; nothing about exercises.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Difference:
    """One difference: its kind ("type", "shape" or "value"), where it is, both sides as short text, and in what.

    `of` is "tensor", "number", "text", "truth value", "items" (of a list or tuple) or "dict".
    """

    kind: str
    where: str
    yours: str
    expected: str
    of: str = "tensor"


def describe(value: Any) -> str:
    """A short name for a value's type, with shape and dtype for tensors and arrays."""
    if isinstance(value, torch.Tensor):
        return f"tensor {tuple(value.shape)} of {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return f"NumPy array {value.shape} of {value.dtype}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}"
    if value is None:
        return "None (is there a `return`?)"
    return type(value).__name__


def brief(value: Any, limit: int = 120) -> str:
    """A value as text of at most `limit` characters."""
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(value).replace("\n", " ")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _kind(tensor: torch.Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "bool"
    if tensor.is_complex():
        return "complex"
    return "float" if tensor.is_floating_point() else "integer"


def _compare_tensors(yours: torch.Tensor, expected: torch.Tensor, tolerance: float, where: str):
    if tuple(yours.shape) != tuple(expected.shape):
        return Difference("shape", where, f"shape {tuple(yours.shape)}", f"shape {tuple(expected.shape)}")
    if _kind(yours) != _kind(expected):
        return Difference("type", where, f"{_kind(yours)} ({yours.dtype})", f"{_kind(expected)} ({expected.dtype})")
    left, right = yours.detach().cpu(), expected.detach().cpu()
    if left.is_sparse:
        left = left.to_dense()
    if _kind(right) in ("bool", "integer"):
        wrong = left.to(torch.int64) != right.to(torch.int64)
    else:
        wide = torch.complex128 if right.is_complex() else torch.float64
        left, right = left.to(wide), right.to(wide)
        wrong = ~torch.isclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not wrong.any():
        return None
    index = tuple(wrong.nonzero()[0].tolist())
    share = f" ({int(wrong.sum())} of {wrong.numel()} numbers differ)" if wrong.numel() > 1 else ""
    place = f"{where}[{', '.join(map(str, index))}]" if index else where
    return Difference("value", place + share, brief(yours.detach()[index]), brief(expected.detach()[index]))


def _compare_texts(yours: str | bytes, expected: str | bytes, where: str) -> Difference:
    """Where two texts part: the number of the first differing character, and what stands around it."""
    place = next((i for i, (a, b) in enumerate(zip(yours, expected, strict=False)) if a != b), None)
    place = min(len(yours), len(expected)) if place is None else place
    start = max(0, place - 20) if max(len(yours), len(expected)) > 100 else 0
    left, right = (("…" if start else "") + brief(text[start:]) for text in (yours, expected))
    where = f"{where} (the first difference is at character {place})"
    return Difference("value", where, left, right, "text")


def _inside(found: Difference, of: str) -> Difference:
    """A difference in a part: wrong numbers and answers are reported as those of the whole, tensors and texts not."""
    return dataclasses.replace(found, of=of) if found.of in ("number", "truth value") else found


def first_difference(yours: Any, expected: Any, tolerance: float = 1e-5, where: str = "result") -> Difference | None:
    """The first place where `yours` differs from `expected`, or None.

    Floats agree within `tolerance`, absolute plus relative; NaN equals NaN; integers, booleans and text agree exactly.
    The kind of a tensor (bool, integer, float) must match, its width (float32, float64) need not.
    """
    if isinstance(expected, torch.Tensor):
        if not isinstance(yours, torch.Tensor):
            return Difference("type", where, describe(yours), describe(expected))
        return _compare_tensors(yours, expected, tolerance, where)
    if isinstance(expected, np.ndarray):
        if not isinstance(yours, np.ndarray):
            return Difference("type", where, describe(yours), describe(expected))
        try:
            # Copied in order: PyTorch takes no array that runs backwards, such as x[::-1], or whose bytes are swapped.
            ours = torch.from_numpy(np.array(yours, dtype=yours.dtype.newbyteorder("="), order="C"))
        except TypeError:  # an array of objects or of texts
            return Difference("type", where, describe(yours), describe(expected))
        return _compare_tensors(ours, torch.from_numpy(expected), tolerance, where)
    if isinstance(expected, bool) or expected is None or isinstance(expected, (str, bytes)):
        if type(yours) is not type(expected):
            return Difference("type", where, describe(yours), describe(expected))
        if yours == expected:
            return None
        if isinstance(expected, (str, bytes)):
            return _compare_texts(yours, expected, where)
        return Difference("value", where, brief(yours), brief(expected), "truth value")
    if isinstance(expected, numbers.Real):
        if isinstance(yours, torch.Tensor) and yours.numel() == 1:
            yours = yours.item()
        whole = isinstance(expected, numbers.Integral)
        wanted = numbers.Integral if whole else numbers.Real
        if isinstance(yours, bool) or not isinstance(yours, wanted):
            return Difference("type", where, describe(yours), "int" if whole else "float")
        same = (
            yours == expected
            if whole
            else math.isclose(yours, expected, rel_tol=tolerance, abs_tol=tolerance)
            or (math.isnan(yours) and math.isnan(expected))
        )
        return None if same else Difference("value", where, brief(yours), brief(expected), "number")
    if isinstance(expected, (tuple, list)):
        if not isinstance(yours, (tuple, list)):
            return Difference("type", where, describe(yours), describe(expected))
        if len(yours) != len(expected):
            return Difference("shape", where, f"{len(yours)} items", f"{len(expected)} items", "items")
        for index, (left, right) in enumerate(zip(yours, expected, strict=True)):
            found = first_difference(left, right, tolerance, f"{where}[{index}]")
            if found:
                return _inside(found, "items")
        return None
    if isinstance(expected, dict):
        if not isinstance(yours, dict):
            return Difference("type", where, describe(yours), describe(expected))
        if set(yours) != set(expected):
            return Difference(
                "shape",
                where,
                f"keys {brief(sorted(yours, key=str))}",
                f"keys {brief(sorted(expected, key=str))}",
                "dict",
            )
        for key, right in expected.items():
            found = first_difference(yours[key], right, tolerance, f"{where}[{key!r}]")
            if found:
                return _inside(found, "dict")
        return None
    raise TypeError(f"expected holds a {type(expected).__name__}, which the course cannot compare")
