"""Every exercise of every lesson: the solution passes, the stub is not attempted, each known mistake is named."""

import ast
import re

import pytest

from tinyfrontier.authoring.lessons import find_lessons, lesson_path, read_lesson
from tinyfrontier.authoring.mutants import exercise_cell, function_from, mutants, score
from tinyfrontier.authoring.notebooks import solution_code, strip_solution
from tinyfrontier.exercises import exercises_of
from tinyfrontier.exercises.bench import Bench, describes_floats, detached, leaves
from tinyfrontier.exercises.calls import fresh, same_input
from tinyfrontier.exercises.deeper import CUT
from tinyfrontier.exercises.engine import run_check
from tinyfrontier.exercises.form import source_of

NUMBERS = [int(path.stem[:2]) for path in find_lessons()]
ALL = [exercise for number in NUMBERS for exercise in exercises_of(number).values()]


def label(exercise):
    return f"lesson_{exercise.lesson:02d}-{exercise.name}"


EXERCISES = pytest.mark.parametrize("exercise", [pytest.param(one, id=label(one)) for one in ALL])
MISTAKES = pytest.mark.parametrize(
    ("exercise", "mistake"),
    [pytest.param(one, mistake, id=f"{label(one)}-{mistake.name}") for one in ALL for mistake in one.mistakes],
)


def solution_of(exercise) -> str:
    """The solution's code in the lesson."""
    return solution_code(exercise_cell(exercise.lesson, exercise.name))


@pytest.mark.parametrize("number", [pytest.param(number, id=f"lesson_{number:02d}") for number in NUMBERS])
def test_the_lesson_asks_exactly_the_exercises_of_its_file(number):
    """Front matter, notebook and exercises file name the same exercises in the same order; a lesson has two to five."""
    names = list(exercises_of(number))
    assert names == read_lesson(lesson_path(number)).front["exercises"]
    if number > 0:
        assert 2 <= len(names) <= 5


@EXERCISES
def test_the_solution_passes(exercise):
    """The lesson's own solution passes its check, and so does what an unsolved notebook goes on with."""
    function = function_from(solution_of(exercise), exercise.name, exercise.lesson)
    result = run_check(exercise, function)
    assert result.passed, str(result)
    assert result.function is function
    result = run_check(exercise, exercise.solution)
    assert result.passed, str(result)


def written(source: str, name: str) -> tuple[str, str]:
    """Arguments and body of a function, without comments and docstring."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    (function,) = (node for node in functions if node.name == name)
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return ast.unparse(function.args), "\n".join(ast.unparse(statement) for statement in body)


@EXERCISES
def test_the_usual_solution_is_the_lessons(exercise):
    """The solution in the exercises file and that in the lesson are the same code."""
    assert written(source_of(exercise.solution), exercise.name) == written(solution_of(exercise), exercise.name)


@EXERCISES
def test_the_stub_is_not_attempted(exercise):
    """What the student's copy contains before any work is reported as not attempted, not as wrong."""
    stub = strip_solution(exercise_cell(exercise.lesson, exercise.name).source)
    result = run_check(exercise, function_from(stub, exercise.name, exercise.lesson))
    assert result.status == "not attempted"
    assert result.function is exercise.solution


@EXERCISES
def test_cases_are_fresh_equal_and_many(exercise):
    """There are at least four cases; a second building, and a fresh copy, equal the first and share nothing with it."""
    first, second = exercise.build(), exercise.build()
    assert len(first) == len(second) >= 4
    assert len({case.label for case in first}) == len(first)
    for index, (left, right) in enumerate(zip(first, second, strict=True)):
        copied = fresh(left, lambda index=index: exercise.build()[index])
        for other in (right, copied):
            assert same_input((left.args, left.kwargs), (other.args, other.kwargs))
            assert not shared(left) & shared(other)


def shared(case) -> set[int]:
    """Where a case's tensors and arrays keep their numbers; empty ones keep none."""
    parts = [part for _, part in leaves([*case.args, *case.kwargs.values()])]
    tensors = {part.data_ptr() for part in parts if hasattr(part, "data_ptr") and part.numel()}
    return tensors | {part.__array_interface__["data"][0] for part in parts if hasattr(part, "__array_interface__")}


@EXERCISES
def test_a_detached_result_is_rejected_and_named(exercise):
    """Where the solution carries a gradient, the same values without it do not pass, and the report says why."""
    bench = Bench.of(exercise)
    if not any((deep := bench.deep(index)) and deep.grad for index in range(len(bench.plain))):
        pytest.skip("no gradient in this exercise")
    result = run_check(exercise, lambda *args, **kwargs: detached(exercise.solution(*args, **kwargs)))
    assert not result.passed
    assert result.mistake in {CUT, *(mistake.name for mistake in exercise.mistakes)}


@EXERCISES
def test_the_oracle_keeps_the_precision_that_the_solution_keeps(exercise):
    """On double inputs the solution's doubles are confirmed by the oracle, unless the exercise says why not."""
    bench = Bench.of(exercise)
    for index, case in enumerate(bench.plain):
        deep = bench.deep(index)
        if deep and deep.double:
            parts = [part for _, part in leaves(deep.value) if hasattr(part, "dtype") and describes_floats(part)]
            assert deep.tight or not any("float64" in str(part.dtype) for part in parts), case.label


@EXERCISES
def test_extreme_values_are_promised_by_the_lesson(exercise):
    """Where a check tries extreme magnitudes the oracle is finite there, and the exercise's text says "exact"."""
    bench = Bench.of(exercise)
    for index in range(len(bench.plain), len(bench.cases)):
        for _, part in leaves(bench.expected(index)):
            assert not hasattr(part, "isnan") or not part.isnan().any(), bench.cases[index].label
    if exercise.extreme:
        text = lesson_path(exercise.lesson).read_text(encoding="utf-8")
        before = text[: text.index(f'tags=["exercise"] name="{exercise.name}"')]
        assert re.search(r"\bexact\b", before[before.rindex("\n### ") :])


@EXERCISES
def test_three_mistakes_or_more_have_their_own_hints(exercise):
    """Each exercise knows at least three mistakes, with distinct names and hints that are sentences."""
    hints = [mistake.hint for mistake in exercise.mistakes]
    assert len(hints) >= 3
    assert len(set(hints)) == len(hints) == len({mistake.name for mistake in exercise.mistakes})
    assert all(len(hint.split()) >= 6 for hint in hints)


@MISTAKES
def test_a_known_mistake_is_rejected_and_named(exercise, mistake):
    """The check rejects the wrong function and shows that mistake's own hint."""
    result = run_check(exercise, mistake.function)
    assert not result.passed
    assert result.mistake == mistake.name
    assert mistake.hint in str(result)
    assert result.function is exercise.solution


@EXERCISES
def test_mutants_of_the_solution_are_rejected(exercise):
    """At least 95 % of the solution's non-equivalent syntactic mutants fail the check; survivors are listed."""
    source = solution_of(exercise)
    row = score(exercise, source)
    print(
        f"{row.exercise}: {row.rejected} of {row.mutants - row.equivalent} rejected,"
        f" survivors: {row.survivors or 'none'}"
    )
    assert row.mutants - row.equivalent >= 3
    assert row.share >= 0.95, f"survivors: {row.survivors}"
    unknown = set(exercise.equivalent_mutants) - {description for description, _ in mutants(source, exercise.name)}
    assert not unknown, f"equivalent_mutants lists what is no mutant: {unknown}"
