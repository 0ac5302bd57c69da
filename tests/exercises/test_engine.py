"""The check engine: every way in which a student's function can go wrong gets a clear report."""

import importlib
import random
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyfrontier.exercises import CheckFailed, case, checker, exercise, exercises_of
from tinyfrontier.exercises import engine as engine_module
from tinyfrontier.exercises.calls import same_input
from tinyfrontier.exercises.engine import run_check
from tinyfrontier.exercises.progress import passed_exercises


@exercise(returns="a float tensor of the input's shape")
def double(values):
    return values * 2


@double.cases
def _():
    yield "three numbers", torch.arange(3.0)
    yield "a batch of one", torch.full((1, 2), 4.0)


@double.usual
def double(values):
    return 2 * values


double.slip("2 * values", "values**2", "square", "this squares the values instead of doubling them")
double.slip("2 * values", "values / 2", "half").says("this halves the values instead of doubling them")


@double.mistake("crash on batches", "this works only for three numbers at a time")
def _(values):
    return values.view(3) * 2


TOY = double


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
    assert result.function is double.solution


def test_a_known_mistake_is_named():
    """A function that does what a known mistake does gets that mistake's hint, and no other."""
    result = run_check(TOY, lambda values: values * values)
    assert result.mistake == "square"
    assert "squares the values" in str(result)
    assert "squares the values" in result._repr_html_()


def test_a_mistake_must_match_on_every_case():
    """Equality with a known mistake on one case alone is no diagnosis."""
    result = run_check(TOY, lambda values: values**2 if values.dim() == 1 else values.exp() * 3)
    assert not result.passed
    assert result.mistake not in {mistake.name for mistake in TOY.mistakes}


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
    assert result.function is double.solution


def test_an_error_is_one_report_with_the_line_not_a_traceback():
    """A function that raises gets the error's kind, its message and the line of its own code."""

    def answer(values):
        return values @ torch.zeros(99)

    result = run_check(TOY, answer)
    assert result.status == "raised"
    assert "RuntimeError" in result.headline
    assert "torch.zeros(99)" in dict(result.details)["in"]
    assert "torch.zeros(99)" in dict(run_check(TOY, lambda values: values @ torch.zeros(99)).details)["in"]
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
    assert result.mistake == "changes its inputs"
    assert not result.passed


def test_a_set_that_was_changed_is_seen():
    """An emptied set or dictionary of sets is no longer the same input; an equal one is."""
    assert same_input(({"a"}, {"b": {1}}), ({"a"}, {"b": {1}}))
    assert not same_input({"a"}, set())
    assert not same_input({"b": {1}}, {"b": {1, 2}})


@pytest.mark.parametrize("caught", [Exception, OSError])
def test_a_loop_that_never_ends_is_stopped(caught):
    """A function that loops past the limit is stopped within it, even if it catches exceptions."""

    def answer(values):
        while True:
            try:
                sum(range(100))
            except caught:
                pass

    result = run_check(TOY, answer, time_limit=0.3)
    assert result.status == "too slow"
    assert "0.3 s" in result.headline


def test_the_time_limit_is_ten_seconds():
    """The course promises ten seconds."""
    assert engine_module.TIME_LIMIT == 10.0


def test_a_check_does_not_disturb_the_notebooks_random_numbers():
    """Random numbers drawn after a check are those that would have come without it."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run_check(TOY, double.solution)
    assert torch.equal(torch.rand(3), expected)


def test_random_functions_are_seeded_alike():
    """Functions that draw random numbers see the same stream as the oracle."""

    @exercise(returns="a float tensor")
    def noisy(values):
        return values + torch.randn(values.shape)

    noisy.cases(double.build)
    assert run_check(noisy, lambda values: torch.randn(values.shape) + values).passed
    assert not run_check(noisy, lambda values: values + torch.rand(values.shape)).passed


def test_strict_mode_raises(monkeypatch, tmp_path):
    """In strict mode and under nbgrader a check that does not pass raises; one that passes does not."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "progress.json"))
    check = checker(0)

    def mean_squared_error(prediction, target):
        return (prediction - target).abs().mean()

    assert check(mean_squared_error) is exercises_of(0)["mean_squared_error"].solution
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
        checker(0)(double.solution)


def test_a_known_mistake_has_its_source():
    """A slip's text is the edited solution, a wrong function's its own; neither shows a decorator."""
    square, _, crash = TOY.mistakes
    assert square.source == "def double(values):\n    return values**2\n"
    assert crash.source.startswith("def _(values):\n    return values.view(3)")


@pytest.mark.parametrize("old", ["values * 2", "values", "nowhere"])
def test_a_slip_must_edit_one_place(old):
    """Text that the solution does not contain, or contains twice, is the author's fault and is said so."""
    with pytest.raises(ValueError, match="old must occur once in the solution of double"):
        TOY.slip(old, "0", "never", "")


def test_an_extreme_argument_must_exist():
    """`extreme` names arguments of the function, and floats."""
    with pytest.raises(ValueError, match=r"extreme must name arguments of .*nothing"):
        exercise(returns="", extreme={"nothing": 1.0})(lambda values: values)

    counts = exercise(returns="int", extreme={"count": 1e4})(lambda count: count)
    counts.cases(lambda: [("one", 1)])
    with pytest.raises(ValueError, match="extreme names count, which is a float in no case"):
        run_check(counts, lambda count: count)


def test_keywords_and_seeds_reach_the_function():
    """`case` passes keyword arguments, `.seeded` sets the seed of the call."""

    @exercise(returns="float tensor")
    def drawn(size, scale=1.0):
        return torch.randn(size) * scale

    drawn.cases(lambda: [case("scaled", 3, scale=2.0), case("seeded", 3).seeded(5), ("plain", 3)])
    assert run_check(drawn, lambda size, scale=1.0: scale * torch.randn(size)).passed
    torch.manual_seed(5)
    expected = torch.randn(3)
    assert torch.equal(engine_module.Bench.of(drawn).expected(1), expected)
    assert not torch.equal(engine_module.Bench.of(drawn).expected(2), expected)


def test_cases_are_built_once_and_given_fresh():
    """However many mistakes are tried, cases are built once; no function sees another's changes."""
    built = []

    @exercise(returns="a float tensor")
    def first(values):
        return values[0] + 1

    @first.cases
    def _():
        built.append(1)
        for label in ("one", "two"):
            yield label, [torch.ones(3)]

    for number in range(9):
        first.mistake(f"number {number}", "")(lambda values, number=number: values[0].add_(number + 7))
    assert run_check(first, lambda values: values[0] * 9).mistake == "number 1"
    assert run_check(first, lambda values: values[0].mul_(9)).status == "changed its inputs"
    assert run_check(first, lambda values: values[0] + 1).passed
    assert len(built) == 2  # once in single, once in double precision


def test_cases_with_unknown_objects_are_built_again():
    """An argument that the engine cannot copy safely comes from a new building of the cases."""

    @exercise(returns="int")
    def total(numbers):
        return sum(numbers)

    total.cases(lambda: [("three", iter([1, 2, 3])), ("none", iter([]))])
    assert run_check(total, lambda numbers: sum(list(numbers))).passed
    assert not run_check(total, lambda numbers: len(list(numbers))).passed


def default_dtype(values):
    torch.set_default_dtype(torch.float64)
    return values * 2


def seed_of_torch(values):
    torch.manual_seed(0)
    return values * 2 + 0 * torch.rand(values.shape)


def seed_of_numpy(values):
    np.random.seed(0)
    return values * 2 + 0 * float(np.random.rand())


def seed_of_python(values):
    random.seed(0)
    return values * 2 + 0 * random.random()


def errors_of_numpy(values):
    np.seterr(all="ignore")
    return values * 2


def gradient_mode(values):
    torch.set_grad_enabled(False)
    return values * 2


def printing(values):
    torch.set_printoptions(precision=2)
    return values * 2


def printing_of_numpy(values):
    np.set_printoptions(precision=2)
    return values * 2


def threads(values):
    torch.set_num_threads(torch.get_num_threads() + 1)
    return values * 2


def device(values):
    torch.set_default_device("meta")
    return values * 2


@pytest.mark.parametrize(
    ("answer", "named", "read"),
    [
        (default_dtype, "changes PyTorch's default dtype", torch.get_default_dtype),
        (seed_of_torch, "changes PyTorch's random seed", torch.get_rng_state().sum),
        (seed_of_numpy, "changes NumPy's random seed", lambda: np.random.get_state()[1].tolist()),
        (seed_of_python, "changes Python's random seed", random.getstate),
        (errors_of_numpy, "changes NumPy's error settings (np.seterr)", np.geterr),
        (gradient_mode, "changes PyTorch's gradient mode", torch.is_grad_enabled),
        (threads, "changes PyTorch's number of threads", torch.get_num_threads),
        (device, "changes PyTorch's default device", torch.get_default_device),
        (printing, "changes PyTorch's print options", lambda: dict(vars(torch._tensor_str.PRINT_OPTS))),
        (printing_of_numpy, "changes NumPy's print options", np.get_printoptions),
    ],
)
def test_changed_global_state_is_named_and_put_back(answer, named, read):
    """What holds for the whole notebook is as before after a check, and an answer that changes it does not pass."""
    before = read()
    result = run_check(TOY, answer)
    assert result.status == "changed global state"
    assert result.mistake == named
    assert read() == before


def test_drawing_numbers_and_a_generator_of_ones_own_change_nothing():
    """Ordinary drawing from the global generators, local generators, and a fork of the state are no fault."""

    def answer(values):
        own = torch.Generator().manual_seed(3)
        with torch.random.fork_rng():
            torch.manual_seed(9)
            torch.rand(2)
        np.random.rand(2)
        return values * 2 + 0 * torch.rand(values.shape, generator=own) * torch.rand(values.shape)

    assert run_check(TOY, answer).passed


def test_what_the_solution_changes_may_be_changed():
    """An exercise whose solution seeds by specification accepts answers that do."""

    @exercise(returns="float tensor")
    def drawn(seed):
        torch.manual_seed(seed)
        return torch.rand(3)

    drawn.cases(lambda: [(f"seed {seed}", seed) for seed in range(4)])
    assert run_check(drawn, lambda seed: torch.rand(3, generator=torch.manual_seed(seed))).passed


CUTS = {
    "item": lambda values: (
        torch.full_like(values, 2.0) * torch.tensor([v.item() for v in values.flatten()]).view_as(values)
    ),
    "detach": lambda values: values.detach() * 2,
    "data": lambda values: values.data * 2,
    "numpy": lambda values: torch.from_numpy(values.numpy() * 2),
    "tolist": lambda values: torch.tensor(values.tolist()) * 2,
    "no_grad": torch.no_grad()(lambda values: values * 2),
}


@pytest.mark.parametrize("how", CUTS)
def test_a_cut_gradient_is_rejected_and_named(how):
    """Right values through which no gradient flows do not pass; the report says what cuts it."""
    result = run_check(TOY, CUTS[how])
    assert not result.passed
    assert result.mistake == "the gradient is cut off"
    assert how in result.hint


def test_a_known_mistake_may_be_a_cut_gradient():
    """A known mistake with right values is rejected for its gradient, and answers like it read its hint."""

    @exercise(returns="float tensor")
    def twice(values):
        return values * 2

    twice.cases(double.build)
    twice.mistake("detached on purpose", "the teacher is detached here, and should learn.")(lambda v: (v * 2).detach())
    result = run_check(twice, lambda values: values.data * 2)
    assert result.mistake == "detached on purpose"


def test_state_is_put_back_after_an_error_and_after_a_stop():
    """Neither an exception nor a function that is stopped leaves a changed default dtype behind."""

    def raising(values):
        torch.set_default_dtype(torch.float64)
        raise ValueError

    def endless(values):
        torch.set_default_dtype(torch.float64)
        while True:
            pass

    assert run_check(TOY, raising).status == "changed global state"
    assert run_check(TOY, endless, time_limit=0.2).status == "too slow"
    assert torch.get_default_dtype() == torch.float32


def test_a_plain_number_where_a_tensor_should_train_is_a_cut():
    """A float in place of a tensor is named as a cut gradient."""
    loss = exercises_of(0)["mean_squared_error"]
    result = run_check(loss, lambda prediction, target: ((prediction - target) ** 2).mean().item())
    assert result.mistake == "the gradient is cut off"


def test_a_gradient_cut_in_part_is_found():
    """A factor that is taken out of the record changes the slope though not the values."""

    @exercise(returns="float tensor")
    def square(values):
        return values**2

    square.cases(double.build)
    assert run_check(square, lambda values: values * values).passed
    result = run_check(square, lambda values: values * values.detach())
    assert result.mistake == "the gradient is cut off"
    assert dict(result.details)["gradient for"] == "values"


def test_slopes_may_differ_off_what_the_specification_promises():
    """Two functions that agree wherever the promised inputs lie are both right, though their slopes differ."""

    @exercise(returns="float tensor ()")
    def entropy(shares):
        return -(shares * shares.log()).sum()

    entropy.cases(lambda: [(f"{n} shares", torch.full((n,), 1 / n)) for n in (2, 3, 5, 8)])
    assert run_check(entropy, lambda shares: -(shares * shares.log()).sum() + 3 * (shares.sum() - 1)).passed


def test_a_result_that_depends_on_nothing_needs_no_gradient():
    """Where the true slope is zero, zeros made anew are right; a detached result is still found where it is not."""

    @exercise(returns="float tensor")
    def steps(values):
        return torch.cat([values[1:] - values[:-1], 0 * values[:1]])

    steps.cases(lambda: [(f"{n} values", torch.arange(float(n)) ** 2) for n in (1, 2, 5)])

    def filled(values, cut=False):
        result = torch.zeros_like(values)
        if len(values) > 1:
            result[:-1] = (values[1:] - values[:-1]).detach() if cut else values[1:] - values[:-1]
        return result

    assert run_check(steps, filled).passed
    assert run_check(steps, lambda values: filled(values, cut=True)).mistake == "the gradient is cut off"


def test_switching_on_an_inputs_gradient_is_a_change():
    """The caller's tensor must not begin to require gradients."""

    @exercise(returns="float tensor")
    def double(values):
        return 2 * values

    double.cases(lambda: [("three", torch.arange(3.0))])
    result = run_check(double, lambda values: 2 * values.requires_grad_())
    assert result.status == "changed its inputs"
    assert run_check(double, lambda values: 2 * values.clone().requires_grad_()).passed


def test_an_infinite_slope_excuses_nan_beside_it():
    """At a root of 0, one root of a quotient is as right as a quotient of roots; a nan elsewhere is still found."""

    @exercise(returns="float tensor")
    def ratio(top, bottom):
        return top.sqrt() / bottom.sqrt()

    ratio.cases(lambda: [(f"{n} of 9", torch.tensor([float(n)]), torch.tensor([9.0])) for n in range(4)])
    assert run_check(ratio, lambda top, bottom: (top / bottom).sqrt()).passed
    assert not run_check(ratio, lambda top, bottom: (top / bottom.detach()).sqrt()).passed

    @exercise(returns="float tensor")
    def norm(values):
        return torch.zeros(()) if not values.any() else values.norm()

    @norm.cases
    def _():
        yield "ones", torch.ones(3)
        yield "a zero among them", torch.tensor([0.0, 3.0, 4.0])

    assert not run_check(norm, lambda values: values.abs().sqrt().pow(4).sum().sqrt()).passed


def test_a_gradient_on_purpose_is_part_of_the_specification():
    """Where the solution passes a gradient that is not its slope (straight through), the answer must too."""

    @exercise(returns="float tensor")
    def rounded(values):
        return values + (values.round() - values).detach()

    rounded.cases(lambda: [(f"{n} numbers", torch.linspace(-2.1, 3.3, n)) for n in (2, 3, 5, 8)])
    assert run_check(rounded, lambda values: (values.round() - values).detach() + values).passed
    assert run_check(rounded, lambda values: values.round()).mistake == "a wrong gradient"


def test_gradients_reach_into_modules_and_nested_arguments():
    """Parameters of a module and tensors inside a dict must keep their gradients."""

    @exercise(returns="float tensor")
    def read(model, batch):
        return model(batch["x"])

    @read.cases
    def _():
        torch.manual_seed(0)
        for n in range(1, 5):
            yield f"{n} rows", torch.nn.Linear(2, 1), {"x": torch.randn(n, 2)}

    assert run_check(read, lambda model, batch: batch["x"] @ model.weight.T + model.bias).passed
    result = run_check(read, lambda model, batch: batch["x"] @ model.weight.detach().T + model.bias)
    assert result.mistake == "the gradient is cut off"
    assert dict(result.details)["gradient for"] == "model.weight"


@pytest.mark.parametrize(
    "answer",
    [
        lambda values: (values.float() * 2).to(values.dtype),
        lambda values: values.float() * 2,
        lambda values: torch.cat([values, torch.zeros(0, *values.shape[1:])]).float() * 2,
        lambda values: (values.flatten() @ torch.eye(values.numel()) * 2).view_as(values),
    ],
)
def test_single_precision_inside_is_named(answer):
    """Doubles that pass through float32, come back as float32, or fail to mix with it are rejected by name."""

    @exercise(returns="float tensor")
    def twice(values):
        return values * 2

    twice.cases(
        lambda: [(f"{n} numbers", torch.rand(n, generator=torch.Generator().manual_seed(n))) for n in (2, 3, 5)]
    )
    result = run_check(twice, answer)
    assert not result.passed
    assert result.mistake == "computed in single precision"


def test_reasons_switch_gradients_and_precision_off():
    """An exercise may say why plain numbers, or single precision, are right."""

    @exercise(returns="float tensor", no_gradient="a table to print", single="the figure has three digits")
    def twice(values):
        return values * 2

    twice.cases(double.build)
    assert run_check(twice, lambda values: values.float().detach() * 2).passed


def test_arguments_named_constant_may_be_detached():
    """No gradient is asked for through a constant argument; through the others it still is."""

    @exercise(returns="float tensor (n,)", constants=("old",))
    def ratio(new, old):
        return new / old

    @ratio.cases
    def _():
        yield "two", torch.tensor([1.0, 2.0]), torch.tensor([4.0, 5.0])
        yield case("by name", torch.tensor([3.0]), old=torch.tensor([2.0]))

    assert run_check(ratio, lambda new, old: new / old).passed
    assert run_check(ratio, lambda new, old: new / old.detach()).passed
    assert not run_check(ratio, lambda new, old: new.detach() / old).passed
    with pytest.raises(ValueError, match=r"constants must name arguments of ratio, got \['young'\]"):
        exercise(returns="float", constants=("young",))(ratio.oracle)


def test_extreme_values_are_tried_and_overflow_is_named():
    """Scores scaled to 10,000 and minus 10,000 find an exponential that overflows; a stable answer passes."""

    @exercise(returns="float tensor ()", extreme={"scores": 1e4})
    def total(scores):
        return scores.logsumexp(0)

    total.cases(lambda: [(f"{n} scores", torch.linspace(-1, 2, n)) for n in (2, 3, 5, 8)])
    result = run_check(total, lambda scores: scores.exp().sum().log())
    assert result.mistake == "overflow or underflow"
    assert "scores at 10000" in dict(result.details)["case"]
    largest = run_check(total, lambda scores: scores.max() + (scores - scores.max()).exp().sum().log())
    assert largest.passed, str(largest)


def test_extreme_values_may_replace():
    """A tuple of values takes the place of the floats: probabilities 0 and 1."""

    @exercise(returns="float tensor", extreme={"chances": (0.0, 1.0)})
    def entropy(chances):
        return torch.special.entr(chances)

    entropy.cases(lambda: [(f"{n} chances", torch.linspace(0.1, 0.9, n)) for n in (2, 3, 5, 8)])
    result = run_check(entropy, lambda chances: -chances * chances.log())
    assert result.mistake == "overflow or underflow"
    assert "chances at 0 and 1" in dict(result.details)["case"]


def test_a_fault_on_some_cases_is_told_with_their_labels():
    """The headline counts the right cases and names those that are wrong."""

    @exercise(returns="int")
    def length(text):
        return len(text)

    length.cases(lambda: [("a word", "word"), ("two", "of us"), ("long", "x" * 30), ("an empty text", "")])
    result = run_check(length, lambda text: len(text) or 1)
    assert "Right on 3 of 4 cases, wrong on: an empty text." in result.headline
    assert result.mistake == "right but for a special case"
    assert "an empty text" in result.hint


@pytest.mark.parametrize(
    ("expected", "wrong", "headline"),
    [
        ("abc", "abd", "the text is not right"),
        ([1, 2], [1, 3], "the length is right, but not all the items"),
        ([1, 2], [1], "the length is not right"),
        (3, 4, "the number is not right"),
        (True, False, "the answer is not right"),
        ({"a": 1}, {"a": 2}, "the keys are right, but not all the values"),
        (torch.ones(2), torch.zeros(2), "the shape is right, the numbers are not"),
    ],
)
def test_headlines_suit_the_kind_of_the_result(expected, wrong, headline):
    """Texts, lists and numbers are never said to have a shape."""
    toy = exercise(returns="something")(lambda given: expected)
    toy.cases(lambda: [("one", 1), ("two", 2)])
    assert run_check(toy, lambda given: wrong).headline.startswith(headline)


def test_a_failed_check_goes_on_with_the_solution_not_the_oracle():
    """What an unsolved notebook runs is the usual solution; the oracle may be slow."""
    assert run_check(TOY, lambda values: values).function is double.solution
    assert double.solution is not double.oracle


def test_calling_an_exercise_calls_its_solution():
    """Other exercises of the file may use it under the name that it has in the lesson."""
    assert torch.equal(double(torch.ones(2)), torch.full((2,), 2.0))


def test_the_example_in_contributing_works(tmp_path, monkeypatch):
    """The exercise that CONTRIBUTING shows is under 40 lines, passes, and names its mistakes."""
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"   ```python\n(.*?)   ```", text, re.S)
    source = textwrap.dedent(block)
    assert sum(bool(line.strip()) for line in source.splitlines()) < 40
    (tmp_path / "contributed_example.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    softmax = importlib.import_module("contributed_example").softmax
    assert run_check(softmax, softmax.solution).passed
    assert run_check(softmax, lambda scores: scores.softmax(-1)).passed
    assert [run_check(softmax, mistake.function).mistake for mistake in softmax.mistakes] == [
        "columns",
        "overflow",
        "hard",
    ]
