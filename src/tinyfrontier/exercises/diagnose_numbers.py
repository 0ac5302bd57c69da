"""Diagnoses of numbers: factors, offsets, axes, order, places, shapes. Each must hold on every case."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from .diagnosis import Arrays, Diagnosis, Pair, plain


def _array(value: Any) -> np.ndarray | None:
    """Numbers in a tensor, an array, a list or alone, as doubles."""
    try:
        array = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else plain(value))
    except (ValueError, TypeError):
        return None
    return array.astype(np.float64) if array.dtype.kind in "fiub" else None


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)) and any(isinstance(v, (torch.Tensor, np.ndarray, list, tuple)) for v in value):
        for part in value:
            yield from _flat(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _flat(part)
    else:
        yield value


def arrays_of(pairs: list[Pair], tolerance: float) -> Arrays:
    """The parts of all results as pairs of arrays; parts that are right on every case are left out."""
    rows = []
    for pair in pairs:
        left, right = list(_flat(pair.yours)), list(_flat(pair.expected))
        if len(left) != len(right):
            return []
        rows.append([(_array(a), _array(b), pair) for a, b in zip(left, right, strict=True)])
    if len({len(row) for row in rows}) != 1:
        rows = [[part] for row in rows for part in row]
    kept: Arrays = []
    for column in zip(*rows, strict=True):
        if any(a is None or b is None for a, b, _ in column):
            if any(a is not None or b is not None for a, b, _ in column):
                return []
            continue
        if not all(_same(a, b, tolerance) for a, b, _ in column):
            kept += column
    return kept


def _same(left: np.ndarray, right: np.ndarray, tolerance: float) -> bool:
    return left.shape == right.shape and bool(
        np.isclose(left, right, rtol=max(tolerance, 1e-5), atol=max(tolerance, 1e-6), equal_nan=True).all()
    )


def _softmax(values: np.ndarray, axis: int) -> np.ndarray:
    exps = np.exp(values - values.max(axis, keepdims=True))
    return exps / exps.sum(axis, keepdims=True)


# name, what turns yours into what is expected, hint
_CHANGES: tuple[tuple[str, Callable[[np.ndarray], np.ndarray], str], ...] = (
    ("the sign", lambda y: -y, "every number has the wrong sign."),
    ("the reciprocal", lambda y: 1 / y, "this is one divided by what is wanted: a ratio is upside down."),
    ("a square too many", lambda y: np.sqrt(y), "this is the square of what is wanted: a root is missing."),
    ("a root too many", lambda y: y**2, "this is the root of what is wanted: leave the root out, or square."),
    ("an exponential is missing", np.exp, "this is the logarithm of what is wanted: take the exponential."),
    ("a logarithm is missing", np.log, "this is the exponential of what is wanted: take the logarithm."),
    ("a logarithm and a sign are missing", lambda y: -np.log(y), "minus the logarithm of this is what is wanted."),
    ("the complement", lambda y: 1 - y, "this is one minus what is wanted."),
    ("the opposite of the complement", lambda y: y - 1, "this is what is wanted plus one."),
    ("absolute values are missing", np.abs, "negative numbers should be positive: absolute values are wanted."),
    ("negative numbers are not cut", lambda y: np.maximum(y, 0), "what is negative should be 0."),
    ("a sigmoid is missing", lambda y: 1 / (1 + np.exp(-y)), "the sigmoid of this is what is wanted."),
    ("not rounded", np.round, "what is wanted is this, rounded."),
    ("not rounded down", np.floor, "what is wanted is this, rounded down."),
    ("not rounded up", np.ceil, "what is wanted is this, rounded up."),
    ("a softmax is missing", lambda y: _softmax(y, -1), "the softmax of this over the last axis is what is wanted."),
    (
        "a log-softmax is missing",
        lambda y: np.log(_softmax(y, -1)),
        "the log-softmax of this over the last axis is what is wanted.",
    ),
    (
        "rows not scaled to sum 1",
        lambda y: y / y.sum(-1, keepdims=True),
        "scaled so that each row sums to 1 this is what is wanted.",
    ),
    (
        "rows not scaled to length 1",
        lambda y: y / np.sqrt((y**2).sum(-1, keepdims=True)),
        "scaled so that each row has length 1 this is what is wanted.",
    ),
    ("not summed up", lambda y: np.cumsum(y, -1), "the running sum of this is what is wanted."),
    ("a running sum", lambda y: np.diff(y, axis=-1, prepend=0), "this is the running sum of what is wanted."),
    (
        "summed from the wrong end",
        lambda y: np.flip(np.cumsum(np.flip(np.diff(y, axis=-1, prepend=0), -1), -1), -1),
        "the running sum starts at the other end.",
    ),
    ("the mean is not taken away", lambda y: y - y.mean(-1, keepdims=True), "each row should have mean 0."),
)


_FACTORS = (
    (2.0, "halved", "twice this is wanted: is something halved, or counted once instead of twice?"),
    (0.5, "doubled", "half of this is wanted: is something counted twice?"),
    (math.log(2), "the base of the logarithm", "bits where nats are wanted: the logarithm has another base."),
    (
        1 / math.log(2),
        "the base of the logarithm",
        "nats where bits are wanted: the logarithm has another base.",
    ),
    (math.log(10), "the base of the logarithm", "logarithm to base 10 where the natural one is wanted."),
    (1 / math.log(10), "the base of the logarithm", "natural logarithm where base 10 is wanted."),
    (100.0, "shares against per cent", "a share where per cent are wanted."),
    (0.01, "shares against per cent", "per cent where a share is wanted."),
)


def numbers(arrays: Arrays, tolerance: float) -> Diagnosis | None:
    """Numbers that are right up to a shape, an order or a simple function."""
    sound = [(left, right) for left, right, _ in arrays]
    same_shapes = all(left.shape == right.shape for left, right in sound)
    with np.errstate(all="ignore"):
        if not same_shapes:
            return _shapes(sound, tolerance)
        broken = any((~np.isfinite(left) & np.isfinite(right)).any() for left, right in sound)
        if any(np.isinf(right).any() for _, right in sound):
            if any((np.isinf(left) != np.isinf(right)).any() for left, right in sound):
                hint = "infinity (what is shut out) stands in other places than wanted."
                return Diagnosis("infinity in other places", hint)
        if broken:
            agree = all(_same(np.where(np.isfinite(left), left, right), right, tolerance) for left, right in sound)
            name = "not finite" if not agree else "overflow or underflow"
            hint = (
                "NaN or infinity stands where a finite number is wanted. Look for an exponential of something large, a "
                "logarithm of 0, 0 divided by 0; `log_softmax`, `logsigmoid` and `logsumexp` take both steps at once."
            )
            return Diagnosis(name, hint)
        if all(not left.any() for left, _ in sound) and sum(right.size for _, right in sound) > 1:
            return Diagnosis("all zeros", "the result is 0 everywhere: is it ever filled in?")
        for name, change, hint in _CHANGES:
            if _holds(sound, change, tolerance):
                return Diagnosis(name, hint)
        for find in (_factor, _orders, _shifts, _offset, _single_places, _zeros, _properties):
            found = find(arrays, tolerance)
            if found:
                return found
    return None


def _holds(sound: list[tuple[np.ndarray, np.ndarray]], change: Callable, tolerance: float) -> bool:
    """Whether a change turns yours into what is expected everywhere; what has no number changes nothing."""
    for left, right in sound:
        try:
            changed = change(left) if left.size else left
        except (ValueError, IndexError, np.exceptions.AxisError):
            return False
        if not _same(np.asarray(changed), right, tolerance):
            return False
    return True


def _ratio(left: np.ndarray, right: np.ndarray, tolerance: float) -> float | None:
    """The one factor between both, None if there is none, NaN if both are zero."""
    if not left.any() and not right.any():
        return math.nan
    if not left.any() or not right.any():
        return None
    factor = float((left * right).sum() / (left * left).sum())
    return factor if factor and np.allclose(left * factor, right, rtol=max(tolerance, 1e-4), atol=tolerance) else None


def _factor(arrays: Arrays, tolerance: float) -> Diagnosis | None:
    ratios = [_ratio(left, right, tolerance) for left, right, _ in arrays]
    known = [ratio for ratio in ratios if ratio is not None and ratio == ratio]
    enough = sum(left.size for (left, _, _), ratio in zip(arrays, ratios, strict=True) if ratio == ratio) > 1
    if any(ratio is None for ratio in ratios) or not known or not enough:
        return None
    used = [pair for (_, _, pair), ratio in zip(arrays, ratios, strict=True) if ratio == ratio]
    sizes = [pair.sizes for pair in used]
    flipped = all(ratio < 0 for ratio in known)
    amounts = [abs(ratio) for ratio in known]
    if max(known) - min(known) <= 1e-3 * max(amounts) and len(known) > 1:
        if all(abs(amount - 1) < 0.02 for amount in amounts):
            return None
        for factor, name, hint in _FACTORS:
            if all(math.isclose(amount, factor, rel_tol=1e-3) for amount in amounts):
                return Diagnosis(name, hint + (" The sign is wrong too." if flipped else ""))
        return Diagnosis("a constant factor", f"every number should be {known[0]:.4g} times as large.")
    tail = " The sign is wrong too." if flipped else ""
    found = _argument(amounts, used)
    if found:
        return Diagnosis(found.name, found.hint + tail)
    if _match([1 / amount for amount in amounts], sizes):
        hint = "too large by one of the input's sizes: things are added up that should be averaged."
        return Diagnosis("a sum instead of a mean", hint + tail)
    if _match(amounts, sizes):
        hint = "too small by one of the input's sizes: things are averaged that should be added up."
        return Diagnosis("a mean instead of a sum", hint + tail)
    roots = [tuple(math.sqrt(size) for size in case) for case in sizes]
    if _match([1 / amount for amount in amounts], roots):
        return Diagnosis("not divided by a root", "too large by the root of a size: divide by it." + tail)
    if _match(amounts, roots):
        return Diagnosis("divided by a root", "too small by the root of a size: do not divide by it." + tail)
    less = [tuple((size - 1) / size for size in case if size > 1) for case in sizes]
    if _match(amounts, less):
        return Diagnosis("n - 1 instead of n", "divided by one less than there are (n - 1); wanted is n." + tail)
    if _match([1 / amount for amount in amounts], less):
        return Diagnosis("n instead of n - 1", "divided by how many there are (n); wanted is n - 1." + tail)
    if len(known) >= 3 and all(left.size > 1 for left, _, _ in arrays):
        return Diagnosis(
            "a factor",
            "right up to a factor, another on each case: something that depends on the "
            "input is multiplied or divided wrongly." + tail,
        )
    return None


def _argument(amounts: list[float], used: list[Pair]) -> Diagnosis | None:
    """A factor that is, on every case, the same argument, or its inverse, root or square."""
    names = {name for pair in used for name, _ in pair.numbers}
    for name in sorted(names):
        values = [dict(pair.numbers).get(name) for pair in used]
        if any(value is None or value <= 0 for value in values) or len({round(value, 6) for value in values}) < 2:
            continue
        for power, done in (
            (1, "multiplied by"),
            (-1, "divided by"),
            (0.5, "multiplied by the root of"),
            (-0.5, "divided by the root of"),
            (2, "multiplied by the square of"),
            (-2, "divided by the square of"),
        ):
            if all(math.isclose(a, value**power, rel_tol=1e-3) for a, value in zip(amounts, values, strict=True)):
                return Diagnosis(f"a factor `{name}`", f"{done} `{name}` this is what is wanted.")
    return None


def _match(amounts: list[float], sizes: list[tuple]) -> bool:
    """Whether each case's factor is 1 or one of that case's sizes."""
    cases = zip(amounts, sizes, strict=True)
    return all(any(math.isclose(amount, size, rel_tol=1e-4) for size in (1, *case)) for amount, case in cases)


def _offset(arrays: Arrays, tolerance: float) -> Diagnosis | None:
    gaps = [right - left for left, right, _ in arrays if left.size]
    values = np.concatenate([gap.flatten() for gap in gaps])
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    shift = float(values.mean())
    if np.abs(values - shift).max() <= max(1e-4 * abs(shift), 1e-6):
        if abs(abs(shift) - 1) < 1e-6:
            word = "small" if shift > 0 else "large"
            return Diagnosis("off by one", f"every number is too {word} by one: where does counting start?")
        return Diagnosis("a constant offset", f"every number is off by the same {abs(shift):.4g}.")
    each = [float(gap.mean()) for gap in gaps if gap.size > 1]
    if len(each) >= 3 and all(np.abs(gap - gap.mean()).max() <= 1e-4 * max(abs(gap.mean()), 1e-2) for gap in gaps):
        return Diagnosis("an offset", "every number of a case is off by the same amount, another on each case.")
    if all(gap.ndim >= 1 for gap in gaps):
        rows = [gap - gap.mean(-1, keepdims=True) for gap in gaps]
        if all(np.abs(row).max() <= 1e-4 * max(np.abs(gap).max(), 1e-2) for row, gap in zip(rows, gaps, strict=True)):
            if any(gap.shape[-1] > 2 for gap in gaps):
                return Diagnosis(
                    "an offset a row", "each row is off by one amount: a term of the row is missing or too much."
                )
    return None


def _orders(arrays: Arrays, tolerance: float) -> Diagnosis | None:
    """The right numbers in other places."""
    sound = [(left, right) for left, right, _ in arrays]
    most = max(left.ndim for left, _ in sound)
    for axis in range(1, most + 1):
        if _holds(sound, lambda y, a=axis: np.flip(y, -a) if y.ndim >= a else y, tolerance):
            where = "" if most == 1 else f" along axis {-axis}"
            return Diagnosis("reversed", f"the numbers are right, but in reverse order{where}.")
    if all(left.ndim == most for left, _ in sound) and 2 <= most <= 4:
        for order in itertools.permutations(range(most)):
            if order != tuple(range(most)) and _holds(sound, lambda y, o=order: y.transpose(o), tolerance):
                return Diagnosis("axes swapped", "the numbers are right, but axes are swapped.")
    if any(left.size > 2 for left, _ in sound):
        flat = all(left.ndim <= 1 for left, _ in sound)
        if flat and _holds(sound, lambda y: np.sort(y, -1) if y.ndim else y, tolerance):
            return Diagnosis("not sorted", "the numbers are right, but not sorted in ascending order.")
        if flat and _holds(sound, lambda y: np.flip(np.sort(y, -1), -1) if y.ndim else y, tolerance):
            return Diagnosis("not sorted", "the numbers are right, but not sorted in descending order.")
        if all(_same(np.sort(left, None), np.sort(right, None), tolerance) for left, right in sound):
            varied = any(len(np.unique(right)) > 2 for _, right in sound)
            if varied:
                return Diagnosis("another order", "the numbers are right, but stand in other places.")
    return None


def _shifts(arrays: Arrays, tolerance: float) -> Diagnosis | None:
    """Results that are shifted by one place along an axis."""
    sound = [(left, right) for left, right, _ in arrays]
    for axis in range(1, max(left.ndim for left, _ in sound) + 1):
        if not any(left.ndim >= axis and left.shape[-axis] >= 3 for left, _ in sound):
            continue
        for late in (True, False):
            ok = True
            for left, right in sound:
                if left.ndim < axis or left.shape[-axis] < 2:
                    continue
                a, b = np.moveaxis(left, -axis, 0), np.moveaxis(right, -axis, 0)
                ok &= _same(a[1:], b[:-1], tolerance) if late else _same(a[:-1], b[1:], tolerance)
            varied = any(len(np.unique(right)) > 2 for _, right in sound)
            if ok and varied:
                word = "late" if late else "early"
                return Diagnosis("shifted by one", f"the numbers are right, but come one place too {word}.")
    return None


def _single_places(arrays: Arrays, tolerance: float) -> Diagnosis | None:
    """Results that are wrong at one end of an axis, or on one side of the diagonal, only."""
    wrong = [
        (~np.isclose(left, right, rtol=max(tolerance, 1e-5), atol=max(tolerance, 1e-6), equal_nan=True))
        for left, right, _ in arrays
    ]
    most = max(part.ndim for part in wrong)
    if not most or not any(part.size > 2 for part in wrong):
        return None
    for axis in range(1, most + 1):
        for end, word in ((0, "first"), (-1, "last")):
            rest = [np.delete(part, end, -axis) if part.ndim >= axis and part.shape[-axis] else part for part in wrong]
            if any(part.size for part in rest) and not any(part.any() for part in rest):
                if sum(part.size for part in rest) >= 2:
                    where = "" if most == 1 else f" along axis {-axis}"
                    return Diagnosis(f"only the {word}", f"only what stands {word}{where} is wrong, all else is right.")
    square = [part for part in wrong if part.ndim >= 2 and part.shape[-1] == part.shape[-2]]
    if len(square) == len(wrong):
        if all(not np.where(np.eye(part.shape[-1], dtype=bool), False, part).any() for part in square):
            return Diagnosis("the diagonal", "only the diagonal is wrong: does something meet itself there?")
        if not any(np.tril(part).any() for part in square):
            return Diagnosis("above the diagonal", "only what stands above the diagonal is wrong.")
        if not any(np.triu(part).any() for part in square):
            return Diagnosis("below the diagonal", "only what stands below the diagonal is wrong.")
    return None


def _reduced(values: np.ndarray, reduce: Callable, axis: int) -> np.ndarray:
    return reduce(values, -axis) if values.ndim >= axis else values


def _zeros(arrays: Arrays, tolerance: float) -> Diagnosis | None:
    """Results that are right but where something should be, or should not be, zero."""
    wrong = [
        ~np.isclose(a, b, rtol=max(tolerance, 1e-5), atol=max(tolerance, 1e-6), equal_nan=True) for a, b, _ in arrays
    ]
    should = np.concatenate([(right == 0)[bad] for bad, (_, right, _) in zip(wrong, arrays, strict=True)])
    zeros = np.concatenate([(left == 0)[bad] for bad, (left, _, _) in zip(wrong, arrays, strict=True)])
    if len(should) < 3:
        return None
    if should.all() and any((right != 0).any() for _, right, _ in arrays):
        return Diagnosis(
            "zeros are missing", "all is right but what should be 0 and is not: something is not left out."
        )
    if zeros.all() and any((left != 0).any() for left, _, _ in arrays):
        return Diagnosis("too many zeros", "all is right but for places where 0 stands and another number should.")
    return None


def _properties(arrays: Arrays, tolerance: float) -> Diagnosis | None:
    """What every expected result has and some of yours lack."""
    wide = [(left, right) for left, right, _ in arrays if left.ndim and left.size > 1]
    every = [(left, right) for left, right, _ in arrays]

    def sums(index: int, axis: int) -> bool:
        return all(pair[index].ndim >= -axis and np.allclose(pair[index].sum(axis), 1, atol=1e-4) for pair in wide)

    if wide and all((right >= 0).all() for _, right in wide) and sums(1, -1) and not sums(0, -1):
        if any(left.ndim > 1 and left.shape[-1] > 1 for left, _ in wide) and sums(0, -2):
            return Diagnosis("the wrong axis", "each column sums to 1; each row should: the axis is not the right one.")
        return Diagnosis("rows do not sum to 1", "each row should sum to 1, and yours do not.")
    if all((right >= 0).all() for _, right in every) and any((left < 0).any() for left, _ in every):
        return Diagnosis("negative numbers", "negative numbers come out where none can be.")
    if all(((right >= 0) & (right <= 1)).all() for _, right in every) and any(
        (left > 1 + 1e-6).any() for left, _ in every
    ):
        return Diagnosis("above 1", "numbers above 1 come out; all should lie between 0 and 1.")
    square = [(left, right) for left, right in wide if left.ndim >= 2 and left.shape[-1] == left.shape[-2]]
    if square and len(square) == len(every):
        if all(_same(right, right.swapaxes(-1, -2), tolerance) for _, right in square):
            if any(not _same(left, left.swapaxes(-1, -2), tolerance) for left, _ in square):
                return Diagnosis("not symmetric", "the table should be symmetric, and yours is not.")
    if all((right == np.round(right)).all() for _, right in every) and any(right.any() for _, right in every):
        if any(np.isfinite(left).all() and (left != np.round(left)).any() for left, _ in every):
            return Diagnosis("not whole numbers", "whole numbers are wanted, and yours are not.")
    flat = [left for left, right in wide if len(np.unique(right)) > 1]
    if len(flat) > 1 and all(len(np.unique(left)) == 1 for left in flat):
        return Diagnosis("one number everywhere", "the same number stands everywhere: an axis was added up too early.")
    return None


def _shapes(sound: list[tuple[np.ndarray, np.ndarray]], tolerance: float) -> Diagnosis | None:
    """The right numbers in another shape, or part of them."""
    if all(_same(left.squeeze(), right.squeeze(), tolerance) for left, right in sound):
        extra = any(left.ndim > right.ndim for left, right in sound)
        word = "too many: `squeeze` it away, or sum without `keepdim`" if extra else "missing: `[:, None]` adds one"
        return Diagnosis("an axis of size 1", f"the numbers are right, but an axis of size 1 is {word}.")
    most = {left.ndim for left, _ in sound}
    if len(most) == 1 and 2 <= (dims := most.pop()) <= 5:
        for order in itertools.permutations(range(dims)):
            if order != tuple(range(dims)) and _holds(sound, lambda y, o=order: y.transpose(o), tolerance):
                return Diagnosis("axes swapped", "the numbers are right, but axes are swapped.")
    if all(left.size == right.size for left, right in sound):
        if all(_same(left.reshape(right.shape), right, tolerance) for left, right in sound):
            return Diagnosis("the shape alone", "the numbers are right and in order, but in another shape.")
        if all(_same(np.sort(left, None), np.sort(right, None), tolerance) for left, right in sound):
            return Diagnosis("other axes", "the numbers are right, but axes are merged or ordered differently.")
    for name, reduce, hint in (
        ("not averaged", np.mean, "the mean of all these numbers is what is wanted."),
        ("not summed", np.sum, "the sum of all these numbers is what is wanted."),
    ):
        if all(not right.ndim and _same(np.asarray(reduce(left)), right, tolerance) for left, right in sound):
            return Diagnosis(name, hint)
    for axis in range(1, 4):
        for name, reduce, word in (("summed", np.sum, "summed"), ("averaged", np.mean, "averaged")):
            inner = functools.partial(_reduced, reduce=reduce, axis=axis)
            if _holds(sound, inner, tolerance):
                return Diagnosis(f"not {name} over an axis", f"axis {-axis} of this should still be {word} away.")
            if all(right.ndim > left.ndim for left, right in sound):
                try:
                    if all(_same(left, inner(right), tolerance) for left, right in sound):
                        return Diagnosis(f"{name} over too much", f"axis {-axis} was {word} away, but is wanted.")
                except (ValueError, np.exceptions.AxisError):
                    pass
    for name, reduce in (("averaged over all", np.mean), ("summed over all", np.sum)):
        if all(not left.ndim and _same(left, np.asarray(reduce(right)), tolerance) for left, right in sound):
            return Diagnosis(name, "one number comes out of everything; one for each row (or item) is wanted.")
    if _spread(sound, tolerance):
        return Diagnosis("not spread out", "the numbers are right, but not repeated over the whole wanted shape.")
    if _spread([(right, left) for left, right in sound], tolerance):
        return Diagnosis("repeated", "the numbers are right, but repeated: two shapes were broadcast.")
    return _lengths(sound, tolerance)


def _spread(sound: list[tuple[np.ndarray, np.ndarray]], tolerance: float) -> bool:
    """Whether each first array, broadcast, is the second."""
    try:
        return all(_same(np.broadcast_to(small, large.shape), large, tolerance) for small, large in sound)
    except ValueError:
        return False


def _lengths(sound: list[tuple[np.ndarray, np.ndarray]], tolerance: float) -> Diagnosis | None:
    """Results that are a piece of what is wanted, or hold it as a piece."""
    if any(left.ndim != right.ndim or not left.ndim for left, right in sound):
        return None
    for axis in range(1, max(left.ndim for left, _ in sound) + 1):
        starts, ends = True, True
        signs = set()
        for left, right in sound:
            if left.ndim < axis:
                return None
            a, b = np.moveaxis(left, -axis, 0), np.moveaxis(right, -axis, 0)
            if a.shape[1:] != b.shape[1:]:
                starts = ends = False
                break
            n = min(len(a), len(b))
            signs.add(np.sign(len(a) - len(b)))
            starts &= _same(a[:n], b[:n], tolerance)
            ends &= _same(a[len(a) - n :], b[len(b) - n :], tolerance)
        signs.discard(0)
        if len(signs) == 1 and (starts or ends):
            where = "end" if starts else "start"
            if signs == {-1}:
                return Diagnosis("too short", f"what is there is right, but numbers are missing at the {where}.")
            return Diagnosis("too long", f"what is wanted is there, but numbers are too many at the {where}.")
    return None
