"""What a diagnosis is, what it is made from, and how two results are compared. Knows no diagnosis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .compare import first_difference


@dataclass(frozen=True)
class Diagnosis:
    """A short name of a general mistake and one helpful sentence."""

    name: str
    hint: str


@dataclass(frozen=True)
class Pair:
    """On one case: what was returned, what was expected; sizes in the arguments, and arguments that are numbers."""

    yours: Any
    expected: Any
    sizes: tuple[int, ...] = ()
    numbers: tuple[tuple[str, float], ...] = ()


Arrays = list[tuple[np.ndarray, np.ndarray, Pair]]


def first_difference_or_type(pair: Pair, tolerance: float) -> bool:
    """Whether a pair differs; a result that cannot be compared differs."""
    try:
        return first_difference(pair.yours, pair.expected, tolerance) is not None
    except TypeError:
        return True


def plain(value: Any) -> Any:
    """A result as nested lists of numbers and texts, whatever held them."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().tolist()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value


def kind_of(value: Any) -> str:
    """What a result is, in words, with its article."""
    if isinstance(value, torch.Tensor):
        return "a tensor"
    if isinstance(value, np.ndarray):
        return "a NumPy array"
    names = {bool: "True or False", int: "an int", float: "a float", str: "a text", dict: "a dict", bytes: "bytes"}
    return names.get(type(value), f"a {type(value).__name__}")


def close(left: Any, right: Any, tolerance: float) -> bool:
    """Whether two plain results agree, ints and floats alike."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(close(a, b, tolerance) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(close(left[key], right[key], tolerance) for key in left)
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        nothing = math.isnan(left) and math.isnan(right)
        return left == right or math.isclose(left, right, rel_tol=tolerance, abs_tol=tolerance) or nothing
    return type(left) is type(right) and left == right
