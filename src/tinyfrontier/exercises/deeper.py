"""What a check tries once every value is right: do gradients flow, is double precision kept?"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .bench import TIGHT, Bench, Deep, describes_floats, detached, leaves, projection, slopes_of
from .calls import call
from .compare import brief, first_difference

CUT = "the gradient is cut off"
SINGLE = "computed in single precision"
# name in the code of a function -> how a student writes it
_CUTTERS = {
    "item": "`.item()`",
    "detach": "`.detach()`",
    "numpy": "`.numpy()`",
    "tolist": "`.tolist()`",
    "data": "`.data`",
    "no_grad": "`torch.no_grad()`",
    "inference_mode": "`torch.inference_mode()`",
    "tensor": "`torch.tensor(...)`",
    "as_tensor": "`torch.as_tensor(...)` of plain numbers",
    "from_numpy": "`torch.from_numpy(...)`",
    "asarray": "NumPy",
    "array": "NumPy",
    "np": "NumPy",
    "float": "`float(...)`",
    "int": "`int(...)`",
    "math": "`math`",
    "round": "`round`",
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with a function whose values are right."""

    status: str
    headline: str
    mistake: str
    hint: str
    details: tuple[tuple[str, str], ...] = ()


def cut_hint(function: Callable) -> str:
    """One sentence on what cuts the gradient, with the culprit named where the function's code shows one."""
    names: set[str] = set()
    while hasattr(function, "__wrapped__"):
        if function.__code__.co_name == "decorate_context":
            names.add("no_grad")
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    waiting = [code] if code else []
    while waiting:
        part = waiting.pop()
        names.update(part.co_names)
        waiting += [constant for constant in part.co_consts if inspect.iscode(constant)]
    found = [said for name, said in _CUTTERS.items() if name in names]
    why = "Training needs the slope of the result, so stay with tensors from the arguments to the `return`."
    if found:
        return f"{found[0]} in your function leaves PyTorch's record of how the result was computed. {why}"
    return f"the result no longer knows how it was computed (detached, or made from plain numbers). {why}"


def deeper_problem(bench: Bench, function: Callable, limit: float) -> Problem | None:
    """The first fault of gradients or precision, on all plain cases, or None."""
    for index, case in enumerate(bench.plain):
        deep = bench.deep(index)
        found = _problem_on(bench, function, index, deep, limit) if deep else None
        if found:
            label = ("case", f"{index + 1} of {len(bench.cases)}, {case.label}")
            return Problem(found.status, found.headline, found.mistake, found.hint, (label, *found.details))
    return None


def _problem_on(bench: Bench, function: Callable, index: int, deep: Deep, limit: float) -> Problem | None:
    case, wanted = bench.deepened(index, deep.double, deep.grad)
    outcome = call(function, case, limit, quiet=True)
    if outcome.too_slow:
        return Problem("too slow", f"stopped after {limit:g} s when gradients were asked for.", "", "")
    if outcome.error is not None:
        return _error_on(bench, function, index, deep, limit, outcome.error)
    if deep.grad and _has_slope(deep):
        given = dict(leaves(outcome.value))
        for place in deep.carried:
            part = given.get(place)
            if not isinstance(part, torch.Tensor) or not part.requires_grad:
                return cut(function)
    found = _precision(bench, deep, outcome.value)
    if found or not deep.grad or not any(part.requires_grad for part in _tensors(outcome.value)):
        return found
    return _slopes(bench, function, index, deep, outcome.value, wanted, limit)


def _tensors(value) -> list[torch.Tensor]:
    return [part for _, part in leaves(value) if isinstance(part, torch.Tensor)]


def _has_slope(deep: Deep) -> bool:
    """Whether the result depends on any input at all: zeros made anew are right where the true slope is zero."""
    return any(slope is not None and bool((slope != 0).any()) for _, slope in deep.slopes)


def cut(function: Callable) -> Problem:
    """The report of a result that carries no gradient."""
    return Problem("wrong", "the values are right, but no gradient flows through them.", CUT, cut_hint(function))


def _error_on(bench, function, index, deep, limit, error) -> Problem:
    said = (("said", f"{type(error).__name__}: {str(error).strip().splitlines()[0][:160] if str(error) else ''}"),)
    if deep.grad:
        case, _ = bench.deepened(index, deep.double, False)
        if call(function, case, limit, quiet=True).error is None:
            found = cut(function)
            headline = "your function fails as soon as its inputs require a gradient."
            return Problem("wrong", headline, found.mistake, found.hint, said)
    headline = "right in single precision, but your function fails on float64 inputs."
    hint = "tensors made inside are float32 whatever comes in. Make them with `dtype=` and `device=` of the input."
    return Problem("wrong", headline, SINGLE, hint, said)


def _precision(bench: Bench, deep: Deep, value) -> Problem | None:
    tolerance = max(1e-4, bench.exercise.tolerance)
    if not deep.double:
        return None
    difference = first_difference(detached(value), deep.value, tolerance)
    if difference is not None:
        sides = (("where", difference.where), ("yours", difference.yours), ("expected", difference.expected))
        headline = "right in single precision, wrong on float64 inputs."
        return Problem("wrong", headline, "wrong in double precision", "", sides)
    if not deep.tight:
        return None
    hint = "with float64 inputs the result must be as exact as float64 is. Something inside is made, or turned, into "
    hint += "float32: `.float()`, or a new tensor without `dtype=`."
    yours = dict(leaves(value))
    for place, part in leaves(deep.value):
        mine = yours.get(place)
        if isinstance(part, torch.Tensor) and isinstance(mine, torch.Tensor) and describes_floats(part):
            if part.dtype == torch.float64 and mine.dtype != torch.float64:
                sides = (("yours", str(mine.dtype)), ("expected", str(part.dtype)))
                return Problem("wrong", "float64 inputs come back in less precision.", SINGLE, hint, sides)
    difference = first_difference(detached(value), deep.value, min(TIGHT, bench.exercise.tolerance))
    if difference is None:
        return None
    sides = (("where", difference.where), ("off by", _off(difference)))
    return Problem("wrong", "on float64 inputs the result is only as exact as float32.", SINGLE, hint, sides)


def _off(difference) -> str:
    try:
        return f"{abs(float(difference.yours) - float(difference.expected)):.1e}"
    except ValueError:
        return f"{difference.yours} against {difference.expected}"


def _slopes(bench, function, index, deep, value, wanted, limit) -> Problem | None:
    """Compare gradients; where they differ, the function's own finite differences decide.

    A right answer may use what the specification promises of its inputs (rows that sum to 1) and then slopes differ off
    that promise; its gradient is still the slope of what it computes. One that detaches a part is not. Where one of the
    solution's own slopes is infinite (a root at 0), another right answer may get 0 times infinity: nan is excused.
    """
    try:
        mine, _ = slopes_of(value, wanted)
    except RuntimeError as error:
        said = (("said", brief(str(error).splitlines()[0])),)
        return Problem("wrong", "the values are right, but backward fails.", CUT, cut_hint(function), said)
    edge = any(slope is not None and not torch.isfinite(slope).all() for _, slope in deep.slopes)
    for place, ((name, left), (_, right)) in enumerate(zip(mine, deep.slopes, strict=True)):
        left = torch.zeros_like(wanted[place][1]) if left is None else left
        right = torch.zeros_like(left) if right is None else right
        keep = torch.isfinite(right) & ~(left.isnan() & edge)
        size = float(right[keep].abs().max()) if keep.any() else 0.0
        rough = (1e-6 if deep.double else 2e-3) * max(size, 1e-6)
        if not keep.any() or bool(((left - right)[keep].abs() <= rough).all()):
            continue
        honest = _is_own_slope(bench, function, index, deep, place, left, limit)
        usual = _is_own_slope(bench, bench.exercise.solution, index, deep, place, right, limit)
        if honest is None or (honest and usual is not False):
            continue
        where = (("gradient for", name), ("yours", brief(left.flatten()[:4].tolist())))
        where += (("expected", brief(right.flatten()[:4].tolist())),)
        if honest:
            return Problem("wrong", "the values are right, the gradient is not.", "a wrong gradient", "", where)
        headline = f"the values are right, but the gradient that reaches `{name}` is not their slope."
        return Problem("wrong", headline, CUT, cut_hint(function), where)
    return None


def _is_own_slope(bench, function, index, deep, place, slope, limit) -> bool | None:
    """Whether `slope` is the derivative of what the function computes, along one direction; None at a kink."""
    step = 1e-6 if deep.double else 1e-2
    sums = []
    for sign in (-1, 0, 1):
        case, wanted = bench.deepened(index, deep.double, True)
        leaf = wanted[place][1]
        generator = torch.Generator().manual_seed(3)
        way = torch.randn(leaf.shape, generator=generator, dtype=torch.float64).to(leaf.dtype)
        with torch.no_grad():
            leaf.add_(sign * step * way)
        outcome = call(function, case, limit, quiet=True)
        if outcome.error is not None or outcome.too_slow:
            return None
        sums.append(float(projection(detached(outcome.value), deep.carried)[0]))
    before, middle, after = ((sums[1] - sums[0]) / step, (sums[2] - sums[0]) / (2 * step), (sums[2] - sums[1]) / step)
    size = max(abs(before), abs(after), 1e-3)
    rough = 1e-3 if deep.double else 5e-2
    if not abs(before - after) <= rough * size:
        return None
    return abs(float((slope * way).sum()) - middle) <= rough * size
