"""Numbers as the course writes them: one value, or the range that several seeds gave. Needs NumPy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Recorded:
    """Numbers that were loaded from a recipe's record and not measured here; whatever shows them says so."""

    values: Any

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(as_numbers(self.values), dtype=dtype)

    def __getitem__(self, index) -> Recorded:
        return Recorded(as_numbers(self.values)[index])

    def __len__(self) -> int:
        return len(as_numbers(self.values))

    def __str__(self) -> str:
        return spread(self)


def recorded(values: Any) -> Any:
    """Mark numbers as recorded: `spread`, `curves`, `bars` and `verdict` then add the word "recorded".

    Args:
        values: a number, a sequence of them, or a mapping (such as a `load_record(NN).figures`) or a list of mappings,
            whose values are marked one by one.
    """
    if isinstance(values, Mapping):
        kind = type(values) if isinstance(values, dict) else dict
        return kind({key: recorded(value) for key, value in values.items()})
    if isinstance(values, list) and values and isinstance(values[0], Mapping):
        return [recorded(value) for value in values]
    return values if isinstance(values, (str, bool, type(None), Recorded)) else Recorded(values)


def as_numbers(values: Any) -> np.ndarray:
    """Numbers of any kind (Python, NumPy, a tensor with or without gradient, recorded) as an array.

    Raises:
        TypeError: if they are no numbers.
    """
    if isinstance(values, Recorded):
        values = values.values
    if isinstance(values, (list, tuple)):
        values = [as_numbers(value) for value in values]
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"values must be numbers, got {type(values).__name__} with {array.dtype}")
    return array


def _usual_form(numbers: np.ndarray) -> str:
    """Integers with thousands marks; three digits of the largest for other numbers."""
    if numbers.dtype.kind in "biu":
        return ",d"
    largest = float(np.abs(numbers).max())
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest > 0 else 2
    return f",.{decimals}f" if decimals <= 6 and largest < 1e7 else ".3g"


def _format(number: float, template: str) -> str:
    text = format(number, template)
    return text if any(digit in text for digit in "123456789") else text.removeprefix("-")


def spread(values: Any, form: str | None = None, unit: str = "") -> str:
    """What seeds gave, in words: "0.53 to 0.63", or one value where they agree in what is shown.

    Args:
        values: one number, or several of any shape.
        form: a format such as ".2f", ",", "+.1f", ".0%" or "%" (whole percents); without it integers get thousands
            marks and other numbers three digits, counted on the largest.
        unit: written once, behind the numbers.

    Raises:
        TypeError: if `values` are no numbers, or `form` is no text.
        ValueError: if there is none, or one is not finite.
    """
    if form is not None and not isinstance(form, str):
        raise TypeError(f"form must be text such as '.2f' or '%', got {type(form).__name__}")
    numbers = as_numbers(values).reshape(-1)
    if not numbers.size:
        raise ValueError("values must hold at least one number; got none")
    if not np.isfinite(numbers).all():
        raise ValueError(f"values must be finite numbers, got {numbers[~np.isfinite(numbers)][0]}")
    if form is None:
        form = _usual_form(numbers)
    elif form == "%":
        form = ".0%"
    ends = [_format(number.item(), form) for number in (numbers.min(), numbers.max())]
    if form.endswith("%"):
        ends, unit = [end.removesuffix("%") for end in ends], f"% {unit}".strip()
    text = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
    text = f"{text} {unit}" if unit else text
    return f"{text} (recorded)" if isinstance(values, Recorded) else text


def describe(value: Any, form: str | None = None) -> str:
    """Anything measured as short text, the way verdicts and predictions show it.

    Text stays as it is, truths become yes and no, a number or a list, array or tensor of them goes through `spread`,
    a tuple is several things, "2.41 / 2.36", and a mapping several named ones, "dense 2.41, top-1 2.36".
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {describe(each, form)}" for name, each in value.items())
    if isinstance(value, tuple):
        return " / ".join(describe(each, form) for each in value)
    try:
        numbers = as_numbers(value)
    except (TypeError, ValueError):
        return str(value)
    if numbers.dtype.kind == "b":
        return ", ".join("yes" if each else "no" for each in numbers.reshape(-1))
    return spread(value, form)
