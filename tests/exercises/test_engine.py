"""The check engine: every way in which a student's function can go wrong gets a clear report."""

import time

import pytest
import torch

from tinyfrontier.exercises import Case, CheckFailed, Exercise, Mistake, checker, exercises_of
from tinyfrontier.exercises import engine as engine_module
from tinyfrontier.exercises.engine import run_check
from tinyfrontier.exercises.progress import passed_exercises


def double(values):
    """The reference of the toy exercise."""
    return values * 2


def cases():
    """Two cases of the toy exercise."""
    return [Case("three numbers", (torch.arange(3.0),)), Case("a batch of one", (torch.full((1, 2), 4.0),))]


TOY = Exercise(
    name="double",
    reference=double,
    cases=cases,
    mistakes=(
        Mistake("square", lambda values: values**2, "this squares the values instead of doubling them"),
        Mistake("half", lambda values: values / 2, "this halves the values instead of doubling them"),
        Mistake(
            "crash on batches",
            lambda values: values.view(3) * 2,
            "this works only for three numbers at a time",
        ),
    ),
    returns="a float tensor of the input's shape",
)


def test_a_right_function_passes_and_is_returned():
    """A right answer passes all cases and is handed back."""

    def answer(values):
        return values + values

    result = run_check(TOY, answer)
    assert result.status == "passed"
    assert result.function is answer
    assert "2 cases" in str(result)


def test_a_wrong_value_shows_yours_expected_and_where():
    """The first differing number is shown with its place and both sides."""
    result = run_check(TOY, lambda values: values * 2 + (values == 2))
    details = dict(result.details)
    assert result.status == "wrong"
    assert details["yours"] == "5"
    assert details["expected"] == "4"
    assert details["where"].startswith("result[2]")
    assert details["case"] == "1 of 2, three numbers"
    assert result.function is double


def test_a_known_mistake_is_named():
    """A function that does what a known mistake does gets that mistake's hint, and no other."""
    result = run_check(TOY, lambda values: values * values)
    assert result.mistake == "square"
    assert "squares the values" in str(result)
    assert "squares the values" in result._repr_html_()


def test_a_mistake_must_match_on_every_case():
    """Equality with a known mistake on one case alone is no diagnosis."""
    result = run_check(TOY, lambda values: values**2 if values.dim() == 1 else values * 3)
    assert not result.passed
    assert result.mistake == ""


def test_a_mistake_that_raises_is_recognised_by_its_kind_of_error():
    """A student's error of the same kind on the same case as a known mistake's is diagnosed."""
    result = run_check(TOY, lambda values: values.reshape(3) * 2)
    assert result.status == "raised"
    assert result.mistake == "crash on batches"


def test_the_wrong_shape_is_reported_as_a_shape():
    """A wrong shape is told apart from wrong numbers."""
    result = run_check(TOY, lambda values: (values * 2)[None])
    assert "shape" in result.headline
    assert dict(result.details)["yours"] == "shape (1, 3)"


@pytest.mark.parametrize("value", [None, 3.0, "text", [0.0, 2.0, 4.0]])
def test_the_wrong_type_says_what_is_wanted(value):
    """A wrong type is reported with what the function should return."""
    result = run_check(TOY, lambda values: value)
    assert "wrong type" in result.headline
    assert TOY.returns in result.headline


def test_an_integer_tensor_is_not_a_float_tensor():
    """The kind of a tensor is part of its type."""
    result = run_check(TOY, lambda values: (values * 2).long())
    assert "wrong type" in result.headline


def test_a_stub_is_not_attempted():
    """NotImplementedError from the first case means that nothing was tried yet."""

    def stub(values):
        raise NotImplementedError

    result = run_check(TOY, stub)
    assert result.status == "not attempted"
    assert result.function is double


def test_an_error_is_one_report_with_the_line_not_a_traceback():
    """A function that raises gets the error's kind, its message and the line of its own code."""

    def answer(values):
        return values @ torch.zeros(99)

    result = run_check(TOY, answer)
    assert result.status == "raised"
    assert "RuntimeError" in result.headline
    assert "torch.zeros(99)" in dict(result.details)["in"]
    assert len(str(result).splitlines()) <= 6


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_errors_that_end_programs_do_not_end_the_notebook(error):
    """Even SystemExit and its kin become a report."""

    def answer(values):
        raise error

    assert run_check(TOY, answer).status == "raised"


def test_changing_an_input_is_reported():
    """A function that changes its argument in place is told so, though its result is right."""
    result = run_check(TOY, lambda values: values.mul_(2))
    assert result.status == "changed its inputs"
    assert not result.passed


@pytest.mark.parametrize("caught", [Exception, OSError])
def test_a_loop_that_never_ends_is_stopped(caught):
    """A function that loops past the limit is stopped within it, even if it catches exceptions."""

    def answer(values):
        while True:
            try:
                sum(range(100))
            except caught:
                pass

    start = time.monotonic()
    result = run_check(TOY, answer, time_limit=0.3)
    assert result.status == "too slow"
    assert "0.3 s" in result.headline
    assert time.monotonic() - start < 3


def test_the_time_limit_is_ten_seconds():
    """The course promises ten seconds."""
    assert engine_module.TIME_LIMIT == 10.0


def test_a_check_does_not_disturb_the_notebooks_random_numbers():
    """Random numbers drawn after a check are those that would have come without it."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run_check(TOY, double)
    assert torch.equal(torch.rand(3), expected)


def test_random_functions_are_seeded_alike():
    """Functions that draw random numbers see the same stream as the reference."""
    noisy = Exercise(
        name="noisy",
        reference=lambda values: values + torch.randn(values.shape),
        cases=cases,
        mistakes=(),
        returns="a float tensor",
    )
    assert run_check(noisy, lambda values: torch.randn(values.shape) + values).passed
    assert not run_check(noisy, lambda values: values + torch.rand(values.shape)).passed


def test_strict_mode_raises(monkeypatch, tmp_path):
    """In strict mode and under nbgrader a check that does not pass raises; one that passes does not."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "progress.json"))
    check = checker(0)

    def mean_squared_error(prediction, target):
        return (prediction - target).abs().mean()

    assert check(mean_squared_error) is exercises_of(0)["mean_squared_error"].reference
    for variable, value in (("TINYFRONTIER_STRICT", "1"), ("NBGRADER_EXECUTION", "autograde")):
        with monkeypatch.context() as context:
            context.setenv(variable, value)
            with pytest.raises(CheckFailed, match="mean absolute error"):
                check(mean_squared_error)
    assert passed_exercises() == {}


def test_a_pass_is_remembered(monkeypatch, tmp_path):
    """A passed check is written to the progress file."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "progress.json"))

    def mean_squared_error(prediction, target):
        return ((prediction - target) ** 2).mean()

    assert checker(0)(mean_squared_error) is mean_squared_error
    assert passed_exercises() == {"00": ["mean_squared_error"]}


def test_the_courses_own_function_does_not_count_as_an_answer(monkeypatch, tmp_path):
    """Running a check twice after a failure does not pass with the course's own function."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "progress.json"))
    check = checker(0)
    own = check(lambda prediction, target: None, name="mean_squared_error")
    assert check(own, name="mean_squared_error") is own
    assert passed_exercises() == {}


def test_bad_arguments_are_named():
    """Wrong use of the checker says what was given and what is wanted."""
    with pytest.raises(ValueError, match="lesson 99 has no exercises"):
        checker(99)
    with pytest.raises(TypeError, match="lesson must be an int, got str"):
        checker("01")
    with pytest.raises(TypeError, match="without brackets"):
        checker(0)(3.0)
    with pytest.raises(ValueError, match=r"mean_squared_error.*got 'double'"):
        checker(0)(double)
