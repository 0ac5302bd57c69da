"""The check engine: runs a student's function on an exercise's cases and says what happened, in words.

It knows nothing of any lesson: `exercises_of(1)` imports the lesson's own file, `lesson_01.py`, when it is asked for.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import os
import random
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .._course import open_lesson
from ..show.boxes import box, code
from .compare import Difference, brief, describe, first_difference
from .progress import remember_pass

TIME_LIMIT = 10.0


@dataclass(frozen=True)
class Case:
    """One call of the function: a label for the report, the arguments, and the seed set before the call."""

    label: str
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Mistake:
    """A known mistake: its name, a wrong function that makes it, and the hint that a student who made it reads."""

    name: str
    function: Callable
    hint: str


@dataclass(frozen=True)
class Exercise:
    """An exercise of a lesson.

    Attributes:
        name: name of the function that the student writes.
        reference: the course's own implementation; its outputs are what is expected.
        cases: returns fresh, always equal `Case`s at every call (so no run sees another's changes).
        mistakes: known mistakes, three or more.
        returns: what the function returns, in words, for the report of a wrong type.
        tolerance: how far floats may differ, absolute plus relative.
        points: what an instructor's gradebook gives for it.
        equivalent_mutants: mutants of the solution that compute the same, as the mutation test prints them.
        lesson: number of the lesson; filled in by `exercises_of`.
    """

    name: str
    reference: Callable
    cases: Callable[[], list[Case]]
    mistakes: tuple[Mistake, ...]
    returns: str
    tolerance: float = 1e-5
    points: int = 1
    equivalent_mutants: tuple[str, ...] = ()
    lesson: int = 0


class CheckFailed(AssertionError):
    """Raised instead of shown where a wrong answer must stop the run (strict mode, autograding)."""


@dataclass(frozen=True)
class Result:
    """What a check found.

    Attributes:
        status: "passed", "not attempted", "wrong", "raised", "changed its inputs" or "too slow".
        exercise: name of the exercise.
        headline: one sentence.
        details: (label, text) pairs: the case, yours, expected, where.
        hint: the known mistake's hint, or "".
        mistake: name of the known mistake, or "".
        function: the student's function if it passed, else the course's own.
    """

    status: str
    exercise: str
    headline: str
    details: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    mistake: str = ""
    function: Callable | None = field(default=None, repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """True if every case came out right."""
        return self.status == "passed"

    def __str__(self) -> str:
        mark = {"passed": "✔", "not attempted": "○"}.get(self.status, "✘")
        lines = [f"{mark} {self.exercise}: {self.headline}"]
        lines += [f"    {label}: {text}" for label, text in self.details]
        if self.hint:
            lines.append(f"    likely mistake: {self.hint}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        kind = {"passed": "good", "not attempted": "open"}.get(self.status, "bad")
        head, *_ = str(self).split("\n")
        rows = [(label, code(text)) for label, text in self.details]
        hint = self.hint and f"Likely mistake: {self.hint}"
        return box(head, rows, kind=kind, note=hint, name="check", status=self.status)


class _Interrupted(BaseException):
    """Thrown into a student's function that has run too long; not an Exception, so that it is not caught there."""


@dataclass
class _Outcome:
    value: Any = None
    error: BaseException | None = None
    too_slow: bool = False
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _call(function: Callable, case: Case, limit: float) -> _Outcome:
    """Call in a worker thread, so that a loop that never ends cannot take the notebook with it."""
    outcome = _Outcome(args=case.args, kwargs=case.kwargs)

    def work() -> None:
        try:
            _seed(case.seed)
            outcome.value = function(*case.args, **case.kwargs)
        except _Interrupted:
            outcome.too_slow = True
        except BaseException as error:  # a student's function may raise anything, SystemExit too
            outcome.error = error

    worker = threading.Thread(target=work, name=f"check {getattr(function, '__name__', 'function')}", daemon=True)
    worker.start()
    worker.join(limit)
    if worker.is_alive():
        for _ in range(20):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(_Interrupted))
            worker.join(0.1)
            if not worker.is_alive():
                break
        return _Outcome(too_slow=True, args=case.args, kwargs=case.kwargs)
    return outcome


def _same_input(before: Any, after: Any) -> bool:
    """Whether an argument still holds what it held; objects the engine cannot look into count as unchanged."""
    if isinstance(before, torch.nn.Module):
        left, right = before.state_dict(), after.state_dict()
        return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)
    if isinstance(before, torch.Tensor):
        return (
            before.shape == after.shape
            and before.dtype == after.dtype
            and bool(torch.isclose(before.detach(), after.detach(), rtol=0, atol=0, equal_nan=True).all())
        )
    if isinstance(before, np.ndarray):
        return before.shape == after.shape and bool(np.array_equal(before, after, equal_nan=before.dtype.kind == "f"))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_same_input(before[key], after[key]) for key in before)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(_same_input, before, after))
    if isinstance(before, (int, float, str, bytes, bool, type(None))):
        return before == after or before != before
    return True


def _wrong_place(error: BaseException, name: str) -> str:
    """The line of the student's own code on which an error arose, as "line 3: `code`"; "" if it cannot be told."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    own = [frame for frame in frames if frame.name == name] or frames[:1]
    if not own:
        return ""
    frame = own[-1]
    first = frame.lineno
    return f"line {first}: {frame.line}" if frame.line else f"line {first}"


def _expected(exercise: Exercise, index: int) -> Any:
    case = exercise.cases()[index]
    _seed(case.seed)
    return exercise.reference(*case.args, **case.kwargs)


def _diagnose(exercise: Exercise, outputs: list[Any], limit: float) -> Mistake | None:
    """The known mistake whose outputs equal the student's on every case that the student's function finished."""
    for mistake in exercise.mistakes:
        for index, output in enumerate(outputs):
            outcome = _call(mistake.function, exercise.cases()[index], limit)
            if isinstance(output, Exception) or outcome.error is not None:
                if type(output) is not type(outcome.error):
                    break
                continue
            try:
                if outcome.too_slow or first_difference(output, outcome.value, exercise.tolerance):
                    break
            except TypeError:
                break
        else:
            return mistake
    return None


def _with_random_state_kept(function: Callable) -> Callable:
    """A check seeds the global generators; the notebook's own stream of random numbers must not notice."""

    @functools.wraps(function)
    def kept(*args, **kwargs):
        python, numpy, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
        try:
            return function(*args, **kwargs)
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            torch.set_rng_state(torch_state)

    return kept


@_with_random_state_kept
def run_check(exercise: Exercise, function: Callable, *, time_limit: float = TIME_LIMIT) -> Result:
    """Run `function` on every case of `exercise` and report the first thing that is wrong.

    Raises:
        TypeError: if `function` is not callable.
    """
    if not callable(function):
        raise TypeError(f"function must be a function, got {describe(function)}; pass its name without brackets")

    def report(status: str, headline: str, **more) -> Result:
        return Result(status, exercise.name, headline, function=exercise.reference, **more)

    total = len(exercise.cases())
    outputs: list[Any] = []
    problem: Result | None = None
    for index in range(total):
        case = exercise.cases()[index]
        outcome = _call(function, case, time_limit)
        label = ("case", f"{index + 1} of {total}, {case.label}")
        if outcome.too_slow:
            return problem or report(
                "too slow",
                f"stopped after {time_limit:g} s. Is there a loop that never ends?",
                details=(label,),
            )
        if isinstance(outcome.error, NotImplementedError) and index == 0:
            return report("not attempted", "not attempted yet. Replace the `raise` line with your code.")
        if outcome.error is not None:
            outputs.append(outcome.error)
            if problem is None:
                place = _wrong_place(outcome.error, function.__name__)
                said = f"{type(outcome.error).__name__}: {brief_error(outcome.error)}"
                problem = report(
                    "raised",
                    f"your function raised {type(outcome.error).__name__}.",
                    details=(label, ("said", said)) + ((("in", place),) if place else ()),
                )
            continue
        outputs.append(outcome.value)
        if problem is not None:
            continue
        fresh = exercise.cases()[index]
        if not _same_input((fresh.args, fresh.kwargs), (outcome.args, outcome.kwargs)):
            problem = report(
                "changed its inputs",
                "your function changes an argument in place. Work on a copy: the caller still needs the original.",
                details=(label,),
            )
            continue
        difference = first_difference(outcome.value, _expected(exercise, index), exercise.tolerance)
        if difference is not None:
            problem = report("wrong", _headline(difference, exercise), details=(label, *_sides(difference)))
    if problem is None:
        return Result("passed", exercise.name, f"passed, {total} cases.", function=function)
    mistake = _diagnose(exercise, outputs, time_limit)
    if mistake is None:
        return problem
    return Result(
        problem.status,
        exercise.name,
        problem.headline,
        problem.details,
        mistake.hint,
        mistake.name,
        exercise.reference,
    )


def brief_error(error: BaseException) -> str:
    """The first line of an error's message, shortened."""
    text = str(error).strip().split("\n")[0]
    return text if len(text) <= 200 else text[:199] + "…"


def _headline(difference: Difference, exercise: Exercise) -> str:
    if difference.kind == "type":
        return f"it returns the wrong type. Wanted: {exercise.returns}."
    if difference.kind == "shape":
        return f"the shape is not right. Wanted: {exercise.returns}."
    return "the shape is right, the numbers are not."


def _sides(difference: Difference) -> tuple[tuple[str, str], ...]:
    return (("where", difference.where), ("yours", difference.yours), ("expected", difference.expected))


def strict() -> bool:
    """Whether a check that does not pass must raise: `TINYFRONTIER_STRICT` is set, or nbgrader is grading."""
    return os.environ.get("TINYFRONTIER_STRICT", "") not in ("", "0") or bool(os.environ.get("NBGRADER_EXECUTION"))


def _words_while_grading() -> contextlib.AbstractContextManager:
    """Under nbgrader, send what a student's function says to stdout: one word on stderr would cost all points."""
    return contextlib.redirect_stderr(sys.stdout) if os.environ.get("NBGRADER_EXECUTION") else contextlib.nullcontext()


def exercises_of(lesson: int) -> dict[str, Exercise]:
    """The exercises of a lesson by name, in the order in which the lesson asks them.

    Raises:
        ValueError: if the lesson has no exercises file.
    """
    if isinstance(lesson, bool) or not isinstance(lesson, int):
        raise TypeError(f"lesson must be an int, got {type(lesson).__name__}")
    name = f"{__package__}.lesson_{lesson:02d}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ValueError(f"lesson {lesson} has no exercises; wanted is the number of a finished lesson") from None
    return {exercise.name: Exercise(**{**vars(exercise), "lesson": lesson}) for exercise in module.EXERCISES}


def checker(lesson: int) -> Callable[[Callable], Callable]:
    """The `check` function of a lesson.

    `attention = check(attention)` runs the exercise of that name, shows the report, and returns the student's function
    if it passed, else the course's own, so that the cells below always run. In strict mode it raises `CheckFailed`.

    Raises:
        ValueError: if the lesson has no exercises.
    """
    exercises = exercises_of(lesson)
    open_lesson(lesson)

    def check(function: Callable, name: str | None = None) -> Callable:
        if not callable(function):
            raise TypeError(f"function must be a function, got {describe(function)}; pass its name without brackets")
        wanted = name or getattr(function, "__name__", "")
        if wanted not in exercises:
            known = ", ".join(exercises)
            raise ValueError(f"function must be one of this lesson's exercises ({known}), got {wanted!r}")
        exercise = exercises[wanted]
        if function is exercise.reference:
            result = Result(
                "not attempted",
                wanted,
                "this is the course's own function. Run the cell with yours again, then this one.",
                function=function,
            )
        else:
            with _words_while_grading():
                result = run_check(exercise, function)
        if strict() and not result.passed:
            raise CheckFailed(str(result))
        if result.passed:
            remember_pass(lesson, wanted)
        _display(result)
        return result.function

    return check


def _display(result: Result) -> None:
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(result)
    else:
        display({"text/plain": str(result), "text/html": result._repr_html_()}, raw=True)


__all__ = [
    "Case",
    "CheckFailed",
    "Exercise",
    "Mistake",
    "Result",
    "brief",
    "checker",
    "exercises_of",
    "run_check",
]
