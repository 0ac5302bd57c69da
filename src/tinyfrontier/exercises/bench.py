"""An exercise's cases and what its own functions answer on them, each computed once.

Beside the author's cases it derives those with extreme magnitudes, and the deeper runs: floats as double, gradients.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from .calls import Outcome, call, fresh
from .compare import first_difference
from .form import Case, Exercise

TIGHT = 1e-8  # doubles agree to here; single precision has an epsilon of 1.2e-7
OWN_LIMIT = 60.0


def map_floats(value: Any, change: Callable[[Any], Any], memo: dict[int, Any] | None = None) -> Any:
    """A copy of nested arguments in which `change` was applied to each float tensor, float array and module."""
    memo = {} if memo is None else memo
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, torch.nn.Module) or (
        isinstance(value, (torch.Tensor, np.ndarray)) and describes_floats(value)
    ):
        memo[id(value)] = change(value)
        return memo[id(value)]
    if type(value) in (list, tuple):
        return type(value)(map_floats(part, change, memo) for part in value)
    if type(value) is dict:
        return {key: map_floats(part, change, memo) for key, part in value.items()}
    return value


def describes_floats(value: torch.Tensor | np.ndarray) -> bool:
    """Whether a tensor or an array holds real floats."""
    return value.is_floating_point() if isinstance(value, torch.Tensor) else value.dtype.kind == "f"


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The parts of a nested result that are no tuple, list or dict, each with its place in it."""
    if isinstance(value, (tuple, list)):
        for index, part in enumerate(value):
            yield from leaves(part, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, f"{place}[{key!r}]")
    else:
        yield place, value


@dataclass
class Deep:
    """What the solution does on a case with doubles, gradients, or both; the student's function must do the same."""

    double: bool
    grad: bool
    value: Any
    carried: tuple[str, ...]  # places in the result that carry a gradient
    slopes: list[tuple[str, torch.Tensor | None]]  # per float argument the gradient of the projection
    tight: bool  # the solution keeps double precision, and the oracle confirms it


class Bench:
    """The cases of one exercise, built once, and the cached answers of its own functions."""

    def __init__(self, exercise: Exercise):
        self.exercise = exercise
        self.plain = exercise.build()
        self.cases = [*self.plain, *self._extremes()]
        self._answers: dict[tuple[Any, int], Outcome] = {}
        self._deep: dict[int, Deep | None] = {}
        self._doubles: list[Case] = []

    @classmethod
    def of(cls, exercise: Exercise) -> Bench:
        """The bench of an exercise; the same one each time."""
        if exercise.bench is None:
            exercise.bench = cls(exercise)
        return exercise.bench

    def fresh(self, index: int) -> Case:
        """Case `index` with arguments that nobody has touched."""
        return fresh(self.cases[index], lambda: self.exercise.build()[index])

    def _fresh_double(self, index: int) -> Case:
        """Case `index` built with double as the default dtype, so that it keeps its promises (sums of 1) to 1e-16."""
        if not self._doubles:
            self._doubles = self._built_double()
        return fresh(self._doubles[index], lambda: self._built_double()[index])

    def _built_double(self) -> list[Case]:
        usual = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            return self.exercise.build()
        finally:
            torch.set_default_dtype(usual)

    def answer(self, function: Callable, index: int, limit: float = OWN_LIMIT) -> Outcome:
        """What one of the exercise's own functions does on a case; computed once."""
        key = (function, index)
        if key not in self._answers:
            outcome = call(function, self.fresh(index), limit, quiet=True)
            outcome.args, outcome.kwargs = (), {}
            self._answers[key] = outcome
        return self._answers[key]

    def expected(self, index: int) -> Any:
        """The oracle's output on a case. An error of the oracle is the author's and is raised."""
        outcome = self.answer(self.exercise.oracle, index)
        if outcome.error is not None:
            raise outcome.error
        if outcome.too_slow:
            raise TimeoutError(f"the oracle of {self.exercise.name} took more than {OWN_LIMIT:g} s")
        return outcome.value

    def _extremes(self) -> list[Case]:
        """The first two cases in which they can be had, with the arguments that may be extreme made extreme."""
        made: list[Case] = []
        signature = inspect.signature(self.exercise.oracle)
        for name, worst in self.exercise.extreme.items():
            found = 0
            for case in self.plain:
                bound = signature.bind(*case.args, **case.kwargs)
                bound.apply_defaults()
                given = bound.arguments[name]
                values = worst if isinstance(worst, tuple) else (worst, -worst)
                variants = (
                    [_replaced(given, worst)]
                    if isinstance(worst, tuple)
                    else [_scaled(given, value) for value in values]
                )
                if any(variant is None for variant in variants):
                    continue
                for variant, value in zip(variants, values if len(variants) > 1 else [worst], strict=True):
                    bound.arguments[name] = variant
                    label = f"{case.label}, {name} at {_words(value)}"
                    made.append(dataclasses.replace(case, label=label, args=bound.args, kwargs=dict(bound.kwargs)))
                found += 1
                if found == 2:
                    break
            if not found:
                raise ValueError(f"extreme names {name}, which is a float in no case of {self.exercise.name}")
        return made

    def deep(self, index: int) -> Deep | None:
        """How the solution behaves on a case with doubles and gradients; None where neither applies."""
        if index not in self._deep:
            self._deep[index] = self._deepen(index)
        return self._deep[index]

    def deepened(self, index: int, double: bool, grad: bool) -> tuple[Case, list[tuple[str, torch.Tensor]]]:
        """A fresh case with its floats as doubles, with gradients, or both; and the tensors that require one."""
        case, wanted = self._fresh_double(index) if double else self.fresh(index), []

        def change(owner: str, value: Any) -> Any:
            wants = grad and owner not in self.exercise.constants
            if isinstance(value, np.ndarray):
                return value.astype(np.float64) if double else value
            if isinstance(value, torch.nn.Module):
                value = value.double() if double else value
                for name, parameter in value.named_parameters():
                    parameter.requires_grad_(wants)
                    if wants:
                        wanted.append((f"{owner}.{name}", parameter))
                return value
            value = value.detach()
            if double and value.dtype == torch.float32:
                value = value.double()
            if wants:
                value = value.clone().requires_grad_(True)
                wanted.append((owner, value))
            return value

        names = list(inspect.signature(self.exercise.oracle).parameters)
        owners = names + names[-1:] * len(case.args)  # what is left over belongs to the last, a starred one
        memo: dict[int, Any] = {}
        args = tuple(
            map_floats(value, partial(change, name), memo) for name, value in zip(owners, case.args, strict=False)
        )
        kwargs = {name: map_floats(value, partial(change, name), memo) for name, value in case.kwargs.items()}
        return dataclasses.replace(case, args=args, kwargs=kwargs), wanted

    def _deepen(self, index: int) -> Deep | None:
        exercise, usual = self.exercise, self.answer(self.exercise.solution, index)
        if usual.error is not None or usual.too_slow or index >= len(self.plain):
            return None
        want_grad, want_double = not exercise.no_gradient, not exercise.single and not usual.drew
        for double, grad in ((True, True), (True, False), (False, True)):
            if (double and not want_double) or (grad and not want_grad):
                continue
            case, wanted = self.deepened(index, double, grad)
            if not wanted and grad:
                continue
            outcome = call(exercise.solution, case, OWN_LIMIT, quiet=True)
            if outcome.error is not None or outcome.too_slow:
                continue
            try:
                if not double and first_difference(outcome.value, usual.value, max(1e-4, exercise.tolerance)):
                    continue
                slopes, carried = slopes_of(outcome.value, wanted) if grad else ([], ())
            except (RuntimeError, TypeError):
                continue
            tight = double and self._confirmed(index, outcome.value)
            if not carried and not tight:
                continue
            return Deep(double, grad and bool(carried), detached(outcome.value), carried, slopes, tight)
        return None

    def _confirmed(self, index: int, value: Any) -> bool:
        """Whether the oracle agrees with the solution's doubles far below single precision."""
        case, _ = self.deepened(index, True, False)
        outcome = call(self.exercise.oracle, case, OWN_LIMIT, quiet=True)
        if outcome.error is not None or outcome.too_slow:
            return False
        floats = [part for _, part in leaves(value) if isinstance(part, (torch.Tensor, np.ndarray))]
        wide = (torch.float64, np.dtype("float64"))
        if not any(part.dtype in wide for part in floats if describes_floats(part)):
            return False
        return first_difference(outcome.value, value, min(TIGHT, self.exercise.tolerance)) is None


def detached(value: Any) -> Any:
    """A nested result without its gradients."""
    return map_floats(value, lambda part: part.detach() if isinstance(part, torch.Tensor) else part)


def slopes_of(value: Any, wanted: list[tuple[str, torch.Tensor]]):
    """Gradient of a fixed random projection of a result by each tensor, and the places that carry a gradient."""
    total, carried = projection(value)
    if not carried:
        return [(name, None) for name, _ in wanted], ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = torch.autograd.grad(total, [leaf for _, leaf in wanted], allow_unused=True)
    return [(name, slope) for (name, _), slope in zip(wanted, found, strict=True)], carried


def projection(value: Any, places: tuple[str, ...] | None = None) -> tuple[Any, tuple[str, ...]]:
    """The sum of a result's floats with fixed random weights: those at `places`, or those that carry a gradient."""
    total, carried = 0.0, []
    generator = torch.Generator().manual_seed(20)
    for place, part in leaves(value):
        if not isinstance(part, torch.Tensor) or not part.is_floating_point():
            continue
        weights = torch.rand(part.shape, generator=generator, dtype=torch.float64) + 0.5
        if part.requires_grad if places is None else place in places:
            carried.append(place)
            total = total + (part.double() * weights).sum()
    return total, tuple(carried)


def _scaled(value: Any, size: float) -> Any:
    """Floats scaled so that the largest has this size and keeps its sign, or turns it for a negative size."""
    if isinstance(value, float):
        return math.copysign(size, value) if size > 0 else -math.copysign(-size, value)
    if not isinstance(value, (torch.Tensor, np.ndarray)) or not describes_floats(value):
        return None
    largest = float(abs(value).max()) if math.prod(value.shape) else 0.0
    if not largest or not math.isfinite(largest):
        return None
    return value * (size / largest)


def _replaced(value: Any, worst: tuple) -> Any:
    if isinstance(value, float):
        return float(worst[0])
    if not isinstance(value, (torch.Tensor, np.ndarray)) or not describes_floats(value) or not math.prod(value.shape):
        return None
    changed = copy.deepcopy(value)
    flat = changed.reshape(-1)
    for place in range(len(flat)):
        flat[place] = worst[place % len(worst)]
    return flat.reshape(value.shape)


def _words(worst: Any) -> str:
    return " and ".join(f"{value:g}" for value in worst) if isinstance(worst, tuple) else f"{worst:g}"
