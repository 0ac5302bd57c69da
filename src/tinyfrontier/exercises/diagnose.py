"""General diagnoses of wrong results: what would have to be done to yours to get what is expected?

Each is claimed only if it holds on every case that the function finished. Knows nothing of exercises.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import torch

from .diagnose_numbers import arrays_of, numbers
from .diagnosis import Diagnosis, Pair, close, first_difference_or_type, kind_of, plain


def diagnose(pairs: list[Pair], tolerance: float) -> Diagnosis | None:
    """The first general diagnosis that holds on all pairs, or None."""
    if not any(first_difference_or_type(pair, tolerance) for pair in pairs):
        return None
    for found in (_kinds(pairs, tolerance), _texts(pairs), _truths(pairs), _structures(pairs, tolerance)):
        if found:
            return found
    arrays = arrays_of(pairs, tolerance)
    return numbers(arrays, tolerance) if arrays else None


# --- kinds of values


def _kinds(pairs: list[Pair], tolerance: float) -> Diagnosis | None:
    """Right values in the wrong kind of thing."""
    if any(pair.yours is None and pair.expected is not None for pair in pairs):
        if all(pair.yours is None for pair in pairs):
            return Diagnosis("nothing returned", "the function ends without `return`, so it gives None.")
        return Diagnosis("nothing returned at times", "on some paths the function ends without `return`.")
    if all(isinstance(pair.yours, str) != isinstance(pair.expected, str) for pair in pairs):
        if all(str(pair.yours) == str(pair.expected) for pair in pairs):
            first = pairs[0]
            return Diagnosis(
                "the wrong kind",
                f"the value is right, but as {kind_of(first.yours)}; wanted is {kind_of(first.expected)}.",
            )
    if all(callable(pair.yours) and not isinstance(pair.yours, torch.nn.Module) for pair in pairs):
        return Diagnosis("a function returned", "a function is returned, not its result. Are the brackets missing?")
    for pair in pairs:
        left, right = plain(pair.yours), plain(pair.expected)
        if isinstance(left, list) and len(left) == 1 and not isinstance(right, list):
            left = left[0]
        if isinstance(right, list) and len(right) == 1 and not isinstance(left, list):
            right = right[0]
        try:
            if not close(left, right, tolerance):
                return None
        except (TypeError, ValueError):
            return None
    for pair in pairs:
        if not first_difference_or_type(pair, tolerance):
            continue
        yours, expected = pair.yours, pair.expected
        if isinstance(yours, torch.Tensor) and isinstance(expected, torch.Tensor):
            if yours.shape == expected.shape and yours.dtype != expected.dtype:
                hint = f"the values are right, but of {yours.dtype}; wanted is {expected.dtype}."
                return Diagnosis("the wrong dtype", hint.replace("torch.", ""))
            return None
        if type(yours) is not type(expected):
            hint = f"the values are right, but in {kind_of(yours)}; wanted is {kind_of(expected)}."
            return Diagnosis("the wrong kind", hint)
        return Diagnosis("the wrong kind inside", "the values are right, but some are of another kind than wanted.")
    return None


# --- texts and truth values


def _lines_sorted(text: str) -> list[str]:
    return sorted(text.splitlines())


_TEXT = (
    ("a trailing newline", lambda t: t.rstrip("\n"), "only newlines at the end differ."),
    ("spaces at the ends", lambda t: t.strip(), "only spaces or newlines at the ends differ."),
    ("upper and lower case", lambda t: t.lower(), "only upper and lower case differ."),
    ("spaces", lambda t: " ".join(t.split()), "only the spaces, or line ends, between words differ."),
    ("spaces", lambda t: "".join(t.split()), "only the spaces differ: some are missing or too many."),
    ("quotes", lambda t: t.replace('"', "'"), "only the kind of quotation marks differs."),
    ("lines in another order", _lines_sorted, "the lines are right, but stand in another order."),
    ("words in another order", lambda t: sorted(t.split()), "the words are right, but stand in another order."),
    ("punctuation", lambda t: re.sub(r"\W", "", t), "only punctuation and spaces differ."),
)


def _texts(pairs: list[Pair]) -> Diagnosis | None:
    """Texts that differ in one respect only."""
    if not all(isinstance(pair.yours, str) and isinstance(pair.expected, str) for pair in pairs):
        return None
    texts = [(pair.yours, pair.expected) for pair in pairs]
    for name, change, hint in _TEXT:
        if all(change(left) == change(right) for left, right in texts):
            return Diagnosis(name, hint)
    if all(left[::-1] == right for left, right in texts):
        return Diagnosis("reversed", "the text comes out backwards.")
    wrong = [(left, right) for left, right in texts if left != right]
    for unit, cut in (("line", lambda t: t.splitlines()), ("word", str.split), ("character", list)):
        parts = [(cut(left), cut(right)) for left, right in wrong]
        found = _ends(parts, unit)
        if found:
            return found
    return None


def _ends(parts: list[tuple[list, list]], unit: str) -> Diagnosis | None:
    """Sequences that lack something, or have too much, at one end."""
    if not parts:
        return None
    if all(left == right[:-1] for left, right in parts):
        return Diagnosis(f"the last {unit} is missing", f"all is right, but the last {unit} is missing.")
    if all(left == right[1:] for left, right in parts):
        return Diagnosis(f"the first {unit} is missing", f"all is right, but the first {unit} is missing.")
    if all(left[:-1] == right for left, right in parts if left) and all(left for left, _ in parts):
        return Diagnosis(f"one {unit} too many at the end", f"all is right, but a {unit} stands behind the end.")
    if all(left[1:] == right for left, right in parts if left) and all(left for left, _ in parts):
        return Diagnosis(f"one {unit} too many at the start", f"all is right, but a {unit} stands before the start.")
    if all(len(left) < len(right) and left == right[: len(left)] for left, right in parts):
        return Diagnosis("cut off", f"what is there is right, but it stops too early: {unit}s are missing at the end.")
    if all(len(left) < len(right) and left == right[len(right) - len(left) :] for left, right in parts):
        return Diagnosis("the beginning is missing", f"what is there is right, but {unit}s are missing at the start.")
    if all(len(left) > len(right) and left[: len(right)] == right for left, right in parts):
        return Diagnosis("goes on too long", f"the start is right, but it goes on: {unit}s are too many at the end.")
    if all(len(left) > len(right) and left[len(left) - len(right) :] == right for left, right in parts):
        return Diagnosis("starts too early", f"the end is right, but {unit}s are too many at the start.")
    return None


def _truths(pairs: list[Pair]) -> Diagnosis | None:
    """Truth values turned round, or always the same."""
    arrays = []
    for pair in pairs:
        try:
            left, right = np.asarray(plain(pair.yours)), np.asarray(plain(pair.expected), dtype=object)
        except ValueError:  # nested lists of different lengths
            return None
        if right.shape != left.shape or left.dtype != bool or {type(v) for v in right.flatten()} - {bool}:
            return None
        arrays.append((left, right.astype(bool)))
    if all((left != right).all() for left, right in arrays):
        return Diagnosis("the opposite", "every answer is the opposite of what is wanted: true and false are swapped.")
    flat_left = np.concatenate([left.flatten() for left, _ in arrays])
    flat_right = np.concatenate([right.flatten() for _, right in arrays])
    if all(left.ndim == 2 and left.shape[0] == left.shape[1] for left, _ in arrays):
        if all((left.T == right).all() for left, right in arrays):
            return Diagnosis("axes swapped", "rows and columns of the mask are swapped.")
        off = [(left != right) & ~np.eye(len(left), dtype=bool) for left, right in arrays]
        if not any(part.any() for part in off):
            return Diagnosis("the diagonal", "only the diagonal is wrong: does a place count itself?")
    for value in (True, False):
        if (flat_left == value).all() and (flat_right != value).any() and len(flat_left) > 3:
            return Diagnosis(f"always {value}", f"the answer is {value} everywhere, whatever comes in.")
    for value, word in ((True, "allows too much"), (False, "allows too little")):
        wrong = flat_left != flat_right
        if wrong.any() and (flat_left[wrong] == value).all() and (flat_right == value).any():
            more = "never False where True is wanted" if value else "never True where False is wanted"
            return Diagnosis(
                word,
                f"every wrong answer is {value}; it is {more}. A condition is missing or too "
                f"{'weak' if value else 'strict'}.",
            )
    return None


# --- lists, tuples, dicts


def _structures(pairs: list[Pair], tolerance: float) -> Diagnosis | None:
    """Sequences and dicts that differ in order, ends or keys."""
    if all(isinstance(p.yours, dict) and isinstance(p.expected, dict) for p in pairs):
        return _dicts(pairs, tolerance)
    if not all(isinstance(p.yours, (list, tuple)) and isinstance(p.expected, (list, tuple)) for p in pairs):
        return None
    parts = [(plain(p.yours), plain(p.expected)) for p in pairs]
    rounded = [(list(map(_key, left)), list(map(_key, right))) for left, right in parts]
    wrong = [(left, right) for left, right in rounded if left != right]
    if not wrong:
        return None
    if all(isinstance(p.expected, tuple) and len(p.expected) == 2 for p in pairs):
        if all(left == right[::-1] for left, right in rounded):
            return Diagnosis("results swapped", "both results are right, but the wrong one comes first.")
    if all(left == right[::-1] for left, right in rounded):
        return Diagnosis("reversed", "the items are right, but in reverse order.")
    if all(sorted(left) == sorted(right) for left, right in rounded):
        if all(right == sorted(right) for _, right in rounded if len(right) > 1):
            return Diagnosis("not sorted", "the items are right, but not in order.")
        return Diagnosis("another order", "the items are right, but stand in another order.")
    found = _ends(wrong, "item")
    if found:
        return found
    if all(set(left) == set(right) for left, right in rounded):
        if all(len(left) >= len(right) for left, right in rounded):
            return Diagnosis("duplicates", "the items are right, but some come more than once.")
        return Diagnosis("duplicates lost", "the items are right, but what should come several times comes once.")
    if all(set(left) <= set(right) and len(left) < len(right) for left, right in wrong):
        return Diagnosis("items are missing", "every item is right, but some are missing.")
    if all(set(left) >= set(right) and len(left) > len(right) for left, right in wrong):
        return Diagnosis("too many items", "all wanted items are there, but others as well.")
    if all(p.expected and all(isinstance(item, str) for item in (*p.yours, *p.expected)) for p in pairs):
        return _list_of_texts(pairs)
    places = {place for left, right in wrong for place, (a, b) in enumerate(zip(left, right, strict=False)) if a != b}
    same_length = all(len(left) == len(right) for left, right in rounded)
    kinds_differ = any(type(a) is not type(b) for p in pairs for a, b in zip(p.yours, p.expected, strict=False))
    if not all(isinstance(p.expected, tuple) and len(p.expected) > 1 for p in pairs):
        return None
    if same_length and len(places) == 1 and len({len(right) for _, right in rounded}) == 1 and len(rounded[0][1]) < 6:
        (place,) = places
        inner = diagnose(
            [dataclasses.replace(p, yours=p.yours[place], expected=p.expected[place]) for p in pairs], tolerance
        )
        if inner:
            return Diagnosis(inner.name, f"item {place} of the result alone is wrong: {inner.hint}")
        if not kinds_differ:
            return Diagnosis(f"item {place} alone", f"of the {len(rounded[0][1])} results only item {place} is wrong.")
    return None


def _list_of_texts(pairs: list[Pair]) -> Diagnosis | None:
    joined = [Pair("".join(p.yours), "".join(p.expected)) for p in pairs]
    if all(pair.yours == pair.expected for pair in joined):
        return Diagnosis("cut in other places", "the texts together are right, but cut in other places.")
    if all(len(p.yours) == len(p.expected) for p in pairs):
        return _texts([Pair(a, b) for p in pairs for a, b in zip(p.yours, p.expected, strict=True)])
    return None


def _dicts(pairs: list[Pair], tolerance: float) -> Diagnosis | None:
    wrong = [p for p in pairs if set(p.yours) != set(p.expected)]
    if wrong:
        if all({str(key) for key in p.yours} == {str(key) for key in p.expected} for p in pairs):
            return Diagnosis("the kind of the keys", "the keys are right, but of another kind (text against number).")
        if all(set(p.yours) < set(p.expected) for p in wrong):
            return Diagnosis("keys are missing", "every key is right, but some are missing.")
        if all(set(p.yours) > set(p.expected) for p in wrong):
            return Diagnosis("too many keys", "all wanted keys are there, but others as well.")
        return None
    places = {key for p in pairs for key in p.expected if not close(plain(p.yours[key]), plain(p.expected[key]), 1e-5)}
    if len(places) == 1 and any(len(p.expected) > 1 for p in pairs):
        (key,) = places
        inner = diagnose(
            [dataclasses.replace(p, yours=p.yours[key], expected=p.expected[key]) for p in pairs if key in p.expected],
            tolerance,
        )
        name = inner.name if inner else f"{key!r} alone"
        return Diagnosis(name, f"only {key!r} is wrong" + (f": {inner.hint}" if inner else "."))
    return None


def _key(value: Any) -> Any:
    """Something to sort and compare items by; floats to five digits."""
    return repr(_rounded(value))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return [_rounded(part) for part in value] if isinstance(value, list) else value
