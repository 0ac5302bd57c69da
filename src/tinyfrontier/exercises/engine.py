"""The check engine: runs a student's function on an exercise's cases and says what happened, in words.

It knows nothing of any lesson: `exercises_of(1)` imports the lesson's own file, `lesson_01.py`, when it is asked for.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .._course import open_lesson
from ..show.boxes import box, code
from . import calls, form
from .bench import Bench, leaves
from .calls import call, random_state_kept, same_input
from .compare import Difference, describe, first_difference
from .deeper import Problem, cut, deeper_problem
from .diagnose import diagnose
from .diagnose_errors import explain_error, unused_arguments
from .diagnosis import Diagnosis, Pair
from .form import Mistake
from .progress import remember_pass

TIME_LIMIT = 10.0
OVERFLOW = Diagnosis(
    "overflow or underflow",
    "right for ordinary numbers, wrong for very large or small ones. Subtract the maximum before `exp`; use "
    "`log_softmax`, `logsigmoid`, `logsumexp` rather than a logarithm of the result; mask with minus infinity, not "
    "-1e4.",
)


class CheckFailed(AssertionError):
    """Raised instead of shown where a wrong answer must stop the run (strict mode, autograding)."""


@dataclass(frozen=True)
class Result:
    """What a check found.

    Attributes:
        status: "passed", "not attempted", "wrong", "raised", "changed its inputs", "changed global state" or
            "too slow".
        exercise: name of the exercise.
        headline: one sentence.
        details: (label, text) pairs: the case, yours, expected, where.
        hint: the hint of the known mistake or of the general diagnosis, or "".
        mistake: name of the known mistake or of the general diagnosis, or "".
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


def _wrong_place(error: BaseException, name: str) -> str:
    """The line of the student's own code on which an error arose, as "line 3: `code`"; "" if it cannot be told."""
    if hasattr(error, "place"):  # it arose in another process, which tells
        return error.place
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in (__file__, calls.__file__)
    ]
    own = [frame for frame in frames if frame.name == name] or frames[:1]
    if not own:
        return ""
    frame = own[-1]
    first = frame.lineno
    return f"line {first}: {frame.line}" if frame.line else f"line {first}"


def _sizes(value: tuple) -> Iterator[int]:
    """The sizes that occur in arguments: lengths of axes, and numbers of elements of one, two or all axes."""
    for _, part in leaves(value):
        shape = tuple(getattr(part, "shape", ())) if isinstance(part, (torch.Tensor, np.ndarray)) else ()
        yield from shape
        yield math.prod(shape)
        yield from (math.prod(shape[start:end]) for start in range(len(shape)) for end in range(start + 2, len(shape)))
    yield from (len(part) for part in value if isinstance(part, (list, tuple, str)))


def _agrees(yours: Any, theirs: Any, tolerance: float) -> bool:
    try:
        return first_difference(yours, theirs, tolerance) is None
    except TypeError:
        return False


IN_PLACE = Diagnosis(
    "changes its inputs",
    "an operation ending in `_`, `+=` and its kin, `sort()`, or an assignment to a part of the argument writes into "
    "what the caller still holds. Make a new tensor or list.",
)


def _in_place(bench: Bench, function: Callable, limit: float) -> bool:
    """Whether a function changes its arguments on any case."""
    for index, case in enumerate(bench.cases):
        outcome = call(function, bench.fresh(index), limit, quiet=True)
        if not same_input((case.args, case.kwargs), (outcome.args, outcome.kwargs)):
            return True
    return False


def _known(bench: Bench, outputs: list[Any], limit: float) -> Iterator[Mistake]:
    """The known mistakes whose outputs equal the student's on every case that the student's function finished."""
    for mistake in bench.exercise.mistakes:
        for index, output in enumerate(outputs):
            theirs = bench.answer(mistake.function, index, limit)
            if isinstance(output, Exception) or theirs.error is not None:
                if type(output) is not type(theirs.error):
                    break
            elif theirs.too_slow or not _agrees(output, theirs.value, bench.exercise.tolerance):
                break
        else:
            yield mistake


def _general(bench: Bench, function: Callable, outputs: list[Any], wrong: list[int]) -> Diagnosis | None:
    """A diagnosis that needs no known mistake."""
    done = [index for index, output in enumerate(outputs) if not isinstance(output, BaseException)]
    failed = [output for output in outputs if isinstance(output, BaseException)]
    if wrong[0] >= len(bench.plain):
        return OVERFLOW
    found = _of_values(bench, function, outputs, done) if any(index in done for index in wrong) else None
    unused = [name for name in unused_arguments(function) if name not in unused_arguments(bench.exercise.solution)]
    if found is None and failed and (len(failed) == len(outputs) or len(failed) == len(wrong)):
        found = explain_error(failed[0])
    if found is None and unused:
        found = Diagnosis(f"`{unused[0]}` is not used", f"your function never reads `{unused[0]}`, and it matters.")
    return found or _special_cases(bench, outputs, wrong)


def _of_values(bench: Bench, function: Callable, outputs: list[Any], done: list[int]) -> Diagnosis | None:
    names = list(inspect.signature(bench.exercise.oracle).parameters)
    pairs = []
    for index in done:
        case = bench.cases[index]
        given = {**dict(zip(names, case.args, strict=False)), **case.kwargs}
        numbers = tuple((name, float(part)) for name, part in given.items() if type(part) in (int, float))
        sizes = tuple({size for size in _sizes(case.args) if size})
        pairs.append(Pair(outputs[index], bench.expected(index), sizes, numbers))
    try:
        found = diagnose(pairs, bench.exercise.tolerance)
    except Exception:  # a guess must never take the report of the fault itself away
        return None
    if found and found.name.startswith("the wrong kind") and _wants_gradient(bench):
        if not any(isinstance(part, torch.Tensor) for pair in pairs for _, part in leaves(pair.yours)):
            problem = cut(function)
            return Diagnosis(problem.mistake, problem.hint)
    return found


def _special_cases(bench: Bench, outputs: list[Any], wrong: list[int]) -> Diagnosis | None:
    """Which cases are wrong, or which alone are right, where these are few."""
    total, right = len(outputs), [index for index in range(len(outputs)) if index not in wrong]

    def labels(chosen: list[int]) -> str:
        return "; ".join(bench.cases[index].label for index in chosen)

    if len(wrong) <= total / 2:
        many = "these cases" if len(wrong) > 1 else "one case"
        said = (
            f"your function is right on {len(right)} of {total} cases. What is special about {many}: {labels(wrong)}?"
        )
        return Diagnosis("right but for a special case", said)
    if right and len(right) <= total / 3:
        said = f"your function is right only on: {labels(right)}. What do the other cases have that {{}} not?"
        return Diagnosis("right on a special case only", said.format("these do" if len(right) > 1 else "this one does"))
    return None


def _wants_gradient(bench: Bench) -> bool:
    return any((deep := bench.deep(index)) and deep.grad for index in range(len(bench.plain)))


def run_check(
    exercise: form.Exercise, function: Callable, *, time_limit: float = TIME_LIMIT, explain: bool = True
) -> Result:
    """Run `function` on every case of `exercise` and report the first thing that is wrong.

    Values come first, on ordinary cases and on those with extreme magnitudes; then gradients and double precision.
    Without `explain` it stops at the first fault and looks for no diagnosis.

    Raises:
        TypeError: if `function` is not callable.
    """
    if not callable(function):
        raise TypeError(f"function must be a function, got {describe(function)}; pass its name without brackets")
    with random_state_kept(), torch.enable_grad():
        return _run_check(Bench.of(exercise), function, time_limit, explain)


def _run_check(bench: Bench, function: Callable, time_limit: float, explain: bool) -> Result:
    exercise = bench.exercise

    def report(status: str, headline: str, **more) -> Result:
        return Result(status, exercise.name, headline, function=exercise.solution, **more)

    total = len(bench.cases)
    outputs: list[Any] = []
    wrong: list[int] = []
    problem: Result | None = None
    for index in range(total):
        if problem is not None and not explain:
            return problem
        case = bench.fresh(index)
        outcome = call(function, case, time_limit)
        label = ("case", f"{index + 1} of {total}, {case.label}")
        if outcome.too_slow:
            return problem or report(
                "too slow",
                f"stopped after {time_limit:g} s. Is there a loop that never ends?",
                details=(label,),
            )
        if isinstance(outcome.error, NotImplementedError) and index == 0:
            return report("not attempted", "not attempted yet. Replace the `raise` line with your code.")
        changed = [name for name in outcome.changed if name not in bench.answer(exercise.solution, index).changed]
        if changed:
            return report(
                "changed global state",
                f"your function changes {changed[0]} for the whole notebook. It was put back.",
                details=(label,),
                mistake=f"changes {changed[0]}",
                hint="a function should leave what belongs to the whole notebook as it is. Use an argument (`dtype=`, "
                "`device=`), a generator of your own, or a `with` block that puts things back.",
            )
        if outcome.error is not None:
            outputs.append(outcome.error)
            wrong.append(index)
            if problem is None:
                place = _wrong_place(outcome.error, getattr(function, "__name__", ""))
                said = f"{type(outcome.error).__name__}: {brief_error(outcome.error)}"
                problem = report(
                    "raised",
                    f"your function raised {type(outcome.error).__name__}.",
                    details=(label, ("said", said)) + ((("in", place),) if place else ()),
                )
            continue
        outputs.append(outcome.value)
        if not same_input((bench.cases[index].args, bench.cases[index].kwargs), (outcome.args, outcome.kwargs)):
            wrong.append(index)
            problem = problem or report(
                "changed its inputs",
                "your function changes an argument in place. Work on a copy: the caller still needs the original.",
                details=(label,),
            )
            continue
        difference = first_difference(outcome.value, bench.expected(index), exercise.tolerance)
        if difference is not None:
            wrong.append(index)
            problem = problem or report("wrong", _headline(difference, exercise), details=(label, *_sides(difference)))
    if problem is None:
        deeper = deeper_problem(bench, function, time_limit)
        if deeper is None:
            return Result("passed", exercise.name, f"passed, {total} cases.", function=function)
        return _deeper_result(bench, deeper, outputs if explain else [], time_limit)
    if not explain:
        return problem
    found: Mistake | Diagnosis | None
    if problem.status == "changed its inputs":
        known = _known(bench, outputs, time_limit)
        found = next((mistake for mistake in known if _in_place(bench, mistake.function, time_limit)), IN_PLACE)
    else:
        found = next(_known(bench, outputs, time_limit), None) or _general(bench, function, outputs, wrong)
    right = total - len(wrong)
    headline = problem.headline
    if right and problem.status in ("wrong", "raised"):
        labels = "; ".join(bench.cases[index].label for index in wrong)
        where = f", wrong on: {labels}" if len(wrong) <= 2 else ""
        headline += f" Right on {right} of {total} cases{where}."
    hint, name = (found.hint, found.name) if found else ("", "")
    return report(problem.status, headline, details=problem.details, hint=hint, mistake=name)


def _deeper_result(bench: Bench, found: Problem, outputs: list[Any], limit: float) -> Result:
    """The report of a fault behind right values; under the name of a known mistake that has the same fault."""
    name, hint = found.mistake, found.hint
    for mistake in _known(bench, outputs, limit) if outputs else ():
        theirs = deeper_problem(bench, mistake.function, limit)
        if theirs and theirs.mistake == found.mistake:
            name, hint = mistake.name, mistake.hint
            break
    solution = bench.exercise.solution
    return Result(found.status, bench.exercise.name, found.headline, found.details, hint, name, solution)


def brief_error(error: BaseException) -> str:
    """The first line of an error's message, shortened."""
    text = str(error).strip().split("\n")[0]
    return text if len(text) <= 200 else text[:199] + "…"


_WRONG = {
    "text": "the text is not right.",
    "number": "the number is not right.",
    "truth value": "the answer is not right.",
    "tensor": "the shape is right, the numbers are not.",
    "items": "the length is right, but not all the items.",
    "dict": "the keys are right, but not all the values.",
}


def _headline(difference: Difference, exercise: form.Exercise) -> str:
    if difference.kind == "type":
        return f"it returns the wrong type. Wanted: {exercise.returns}."
    if difference.kind == "shape":
        what = {"items": "length is", "dict": "keys are"}.get(difference.of, "shape is")
        return f"the {what} not right. Wanted: {exercise.returns}."
    return _WRONG[difference.of]


def _sides(difference: Difference) -> tuple[tuple[str, str], ...]:
    return (("where", difference.where), ("yours", difference.yours), ("expected", difference.expected))


def strict() -> bool:
    """Whether a check that does not pass must raise: `TINYFRONTIER_STRICT` is set, or nbgrader is grading."""
    return os.environ.get("TINYFRONTIER_STRICT", "") not in ("", "0") or bool(os.environ.get("NBGRADER_EXECUTION"))


def _words_while_grading() -> contextlib.AbstractContextManager:
    """Under nbgrader, send what a student's function says to stdout: one word on stderr would cost all points."""
    return contextlib.redirect_stderr(sys.stdout) if os.environ.get("NBGRADER_EXECUTION") else contextlib.nullcontext()


@functools.cache
def _declared(name: str) -> tuple[form.Exercise, ...]:
    """The exercises of a module in order of definition."""
    module = importlib.import_module(name)
    found = {id(value): value for value in vars(module).values() if isinstance(value, form.Exercise)}
    return tuple(exercise for exercise in found.values() if exercise.oracle.__module__ == name)


def exercises_of(lesson: int) -> dict[str, form.Exercise]:
    """The exercises of a lesson by name, in the order in which the lesson asks them.

    Raises:
        ValueError: if the lesson has no exercises file.
    """
    if isinstance(lesson, bool) or not isinstance(lesson, int):
        raise TypeError(f"lesson must be an int, got {type(lesson).__name__}")
    name = f"{__package__}.lesson_{lesson:02d}"
    try:
        return {exercise.name: exercise for exercise in _declared(name)}
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ValueError(f"lesson {lesson} has no exercises; wanted is the number of a finished lesson") from None


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
        if function is exercise.solution:
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
    "CheckFailed",
    "Result",
    "checker",
    "exercises_of",
    "run_check",
]
