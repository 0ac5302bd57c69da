"""Every exercise of every lesson: the solution passes, the stub is not attempted, each known mistake is named."""

import pytest

from tinyfrontier.authoring.lessons import find_lessons, read_lesson
from tinyfrontier.authoring.mutants import exercise_cell, function_from, score
from tinyfrontier.authoring.notebooks import solution_code, strip_solution
from tinyfrontier.exercises import exercises_of
from tinyfrontier.exercises.compare import first_difference
from tinyfrontier.exercises.engine import run_check

LESSONS = [read_lesson(path) for path in find_lessons()]
EXERCISES = [
    pytest.param(exercise, id=f"lesson_{lesson.number:02d}-{name}")
    for lesson in LESSONS
    for name, exercise in exercises_of(lesson.number).items()
]
MISTAKES = [
    pytest.param(exercise, mistake, id=f"lesson_{lesson.number:02d}-{name}-{mistake.name}")
    for lesson in LESSONS
    for name, exercise in exercises_of(lesson.number).items()
    for mistake in exercise.mistakes
]


@pytest.mark.parametrize("lesson", [pytest.param(lesson, id=lesson.stem) for lesson in LESSONS])
def test_the_lesson_asks_exactly_the_exercises_of_its_file(lesson):
    """Front matter, notebook and exercises file name the same exercises in the same order; a lesson has two to five."""
    names = list(exercises_of(lesson.number))
    assert names == lesson.front["exercises"]
    if lesson.number > 0:
        assert 2 <= len(names) <= 5


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_solution_passes(exercise):
    """The lesson's own solution passes its check."""
    cell = exercise_cell(exercise.lesson, exercise.name)
    function = function_from(solution_code(cell), exercise.name, exercise.lesson)
    result = run_check(exercise, function)
    assert result.passed, str(result)
    assert result.function is function


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_stub_is_not_attempted(exercise):
    """What the student's copy contains before any work is reported as not attempted, not as wrong."""
    stub = strip_solution(exercise_cell(exercise.lesson, exercise.name).source)
    result = run_check(exercise, function_from(stub, exercise.name, exercise.lesson))
    assert result.status == "not attempted"
    assert result.function is exercise.reference


@pytest.mark.parametrize("exercise", EXERCISES)
def test_cases_are_fresh_equal_and_many(exercise):
    """There are at least four cases, and building them twice gives equal arguments in distinct objects."""
    first, second = exercise.cases(), exercise.cases()
    assert len(first) == len(second) >= 4
    assert len({case.label for case in first}) == len(first)
    for left, right in zip(first, second, strict=True):
        assert left is not right
        assert run_same(exercise, left, right)


def run_same(exercise, left, right) -> bool:
    """Whether the reference gives equal results on two buildings of a case."""
    from tinyfrontier.exercises.engine import _seed

    _seed(left.seed)
    one = exercise.reference(*left.args, **left.kwargs)
    _seed(right.seed)
    return first_difference(exercise.reference(*right.args, **right.kwargs), one, 0.0) is None


@pytest.mark.parametrize("exercise", EXERCISES)
def test_three_mistakes_or_more_have_their_own_hints(exercise):
    """Each exercise knows at least three mistakes, with distinct names and hints that are sentences."""
    hints = [mistake.hint for mistake in exercise.mistakes]
    assert len(hints) >= 3
    assert len(set(hints)) == len(hints) == len({mistake.name for mistake in exercise.mistakes})
    assert all(len(hint.split()) >= 6 for hint in hints)


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES)
def test_a_known_mistake_is_rejected_and_named(exercise, mistake):
    """The check rejects the wrong function and shows that mistake's own hint."""
    result = run_check(exercise, mistake.function)
    assert not result.passed
    assert result.mistake == mistake.name
    assert mistake.hint in str(result)
    assert result.function is exercise.reference


@pytest.mark.parametrize("exercise", EXERCISES)
def test_mutants_of_the_solution_are_rejected(exercise):
    """At least 95 % of the solution's non-equivalent syntactic mutants fail the check; survivors are listed."""
    cell = exercise_cell(exercise.lesson, exercise.name)
    row = score(exercise, solution_code(cell))
    print(
        f"{row.exercise}: {row.rejected} of {row.mutants - row.equivalent} rejected,"
        f" survivors: {row.survivors or 'none'}"
    )
    assert row.mutants - row.equivalent >= 3
    assert row.share >= 0.95, f"survivors: {row.survivors}"
    unknown = set(exercise.equivalent_mutants) - _all_descriptions(exercise, cell)
    assert not unknown, f"equivalent_mutants lists what is no mutant: {unknown}"


def _all_descriptions(exercise, cell) -> set[str]:
    from tinyfrontier.authoring.mutants import mutants

    return {description for description, _ in mutants(solution_code(cell), exercise.name)}
