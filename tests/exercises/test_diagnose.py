"""General diagnoses: each names a wrong toy answer of its kind, and none is claimed of other answers."""

import math

import numpy as np
import pytest
import torch

from tinyfrontier.exercises import exercise, run_check
from tinyfrontier.exercises.diagnose import diagnose
from tinyfrontier.exercises.diagnose_errors import explain_error, unused_arguments
from tinyfrontier.exercises.diagnosis import Pair


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


INPUTS = [drawn(3, 4, seed=1), drawn(1, 5, seed=2), drawn(6, 2, seed=3), drawn(4, 4, seed=4)]


def named(wrong, right, inputs=INPUTS):
    """The name of the diagnosis of one function in the place of another."""
    sizes = [(*getattr(x, "shape", ()), x.numel() if isinstance(x, torch.Tensor) else len(x)) for x in inputs]
    pairs = [Pair(wrong(x), right(x), size) for x, size in zip(inputs, sizes, strict=True)]
    found = diagnose(pairs, 1e-5)
    return found.name if found else ""


NUMBERS = {
    "the sign": (lambda x: -x, lambda x: x),
    "the reciprocal": (lambda x: 1 / x, lambda x: x),
    "a square too many": (lambda x: x**2, lambda x: x.abs()),
    "a root too many": (lambda x: x.abs().sqrt(), lambda x: x.abs()),
    "an exponential is missing": (lambda x: x, lambda x: x.exp()),
    "a logarithm is missing": (lambda x: x.exp(), lambda x: x),
    "a logarithm and a sign are missing": (lambda x: x.sigmoid(), lambda x: -x.sigmoid().log()),
    "the complement": (lambda x: 1 - x, lambda x: x),
    "absolute values are missing": (lambda x: x, lambda x: x.abs()),
    "negative numbers are not cut": (lambda x: x, lambda x: x.relu()),
    "a sigmoid is missing": (lambda x: x, lambda x: x.sigmoid()),
    "not rounded": (lambda x: 3 * x, lambda x: (3 * x).round()),
    "not rounded down": (lambda x: 3 * x, lambda x: (3 * x).floor()),
    "not rounded up": (lambda x: 3 * x, lambda x: (3 * x).ceil()),
    "a softmax is missing": (lambda x: x, lambda x: x.softmax(-1)),
    "a log-softmax is missing": (lambda x: x, lambda x: x.log_softmax(-1)),
    "rows not scaled to sum 1": (lambda x: x.exp(), lambda x: 2 * x.softmax(-1) / 2),
    "rows not scaled to length 1": (lambda x: x, lambda x: torch.nn.functional.normalize(x, dim=-1)),
    "not summed up": (lambda x: x, lambda x: x.cumsum(-1)),
    "a running sum": (lambda x: x.cumsum(-1), lambda x: x),
    "the mean is not taken away": (lambda x: x, lambda x: x - x.mean(-1, keepdim=True)),
    "halved": (lambda x: x / 2, lambda x: x),
    "doubled": (lambda x: x * 2, lambda x: x),
    "the base of the logarithm": (lambda x: x / math.log(2), lambda x: x),
    "shares against per cent": (lambda x: x, lambda x: 100 * x),
    "a constant factor": (lambda x: 3 * x, lambda x: 0.7 * x),
    "a sum instead of a mean": (lambda x: x.sum(0, keepdim=True), lambda x: x.mean(0, keepdim=True)),
    "a mean instead of a sum": (lambda x: x.mean(1), lambda x: x.sum(1)),
    "not divided by a root": (lambda x: x, lambda x: x / len(x) ** 0.5),
    "divided by a root": (lambda x: x / len(x) ** 0.5, lambda x: x),
    "a factor": (lambda x: x * (1 + x.numel() ** 1.3), lambda x: x),
    "off by one": (lambda x: x + 1e-9, lambda x: x + 1),
    "a constant offset": (lambda x: x, lambda x: x + 0.3),
    "an offset": (lambda x: x, lambda x: x + x.max()),
    "reversed": (lambda x: x.flip(0), lambda x: x),
    "axes swapped": (lambda x: x.T, lambda x: x),
    "another order": (lambda x: x[:, torch.tensor([1, 0, *range(2, x.shape[1])])], lambda x: x),
    "shifted by one": (lambda x: torch.cat([x[:, :1] * 0 + 9, x[:, :-1]], 1), lambda x: x),
    "only the last": (lambda x: torch.cat([x[:-1], x[-1:] * 3 + 1]), lambda x: x),
    "only the first": (lambda x: torch.cat([x[:1] * 3 + 1, x[1:]]), lambda x: x),
    "all zeros": (lambda x: x * 0, lambda x: x),
    "not finite": (lambda x: x.log(), lambda x: x * 3),
    "overflow or underflow": (lambda x: (1000 * x).exp().log(), lambda x: 1000 * x),
    "zeros are missing": (lambda x: x, lambda x: x * (x.cos() > 0.8)),
    "too many zeros": (lambda x: x * (x.cos() > 0.8), lambda x: x),
    "infinity in other places": (
        lambda x: x.masked_fill(x > 1, -torch.inf),
        lambda x: x.masked_fill(x < 0, -torch.inf),
    ),
    "the wrong axis": (lambda x: x.softmax(0), lambda x: x.softmax(1)),
    "rows do not sum to 1": (lambda x: x.sigmoid() ** 2, lambda x: x.softmax(1)),
    "negative numbers": (lambda x: x**3, lambda x: x.exp() + 1),
    "above 1": (lambda x: 2 + x.cos(), lambda x: x.sigmoid()),
    "not whole numbers": (lambda x: x.sin(), lambda x: (3 * x).round()),
    "an axis of size 1": (lambda x: x.sum(1, keepdim=True), lambda x: x.sum(1)),
    "the shape alone": (lambda x: x.flatten(), lambda x: x),
    "other axes": (lambda x: x.T.flatten(), lambda x: x),
    "not averaged": (lambda x: x, lambda x: x.mean()),
    "not summed": (lambda x: x, lambda x: x.sum()),
    "averaged over all": (lambda x: x.mean(), lambda x: x),
    "not summed over an axis": (lambda x: x, lambda x: x.sum(1)),
    "summed over too much": (lambda x: x.sum(1), lambda x: x),
    "not spread out": (lambda x: x.mean(), lambda x: x.mean().expand(x.shape)),
    "repeated": (lambda x: x[:, None].expand(len(x), 2, x.shape[1]), lambda x: x[:, None]),
    "too short": (lambda x: x[:-1], lambda x: x),
    "too long": (lambda x: torch.cat([x, x]), lambda x: x),
    "the wrong kind": (lambda x: x.tolist(), lambda x: x),
    "the wrong dtype": (lambda x: x.round(), lambda x: x.round().long()),
    "nothing returned": (lambda x: None, lambda x: x),
    "a function returned": (lambda x: x.sum, lambda x: x.sum()),
    "the opposite": (lambda x: x <= 0, lambda x: x > 0),
    "always True": (lambda x: x == x, lambda x: x > 0),
    "allows too much": (lambda x: x > -0.5, lambda x: x > 0),
    "allows too little": (lambda x: x > 0.5, lambda x: x > 0),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_wrong_numbers_are_named(name):
    """Each general mistake with tensors is recognised by its name, or by a name that is as true."""
    wrong, right = NUMBERS[name]
    same = {"averaged over all": {"not spread out", "averaged over all"}, "not spread out": {"averaged over all"}}
    assert named(wrong, right) in {name, *same.get(name, ())}


def test_more_of_the_same_kinds_on_square_inputs():
    """Diagonals and triangles of square tables are told apart, and asymmetry is seen."""
    tables = [drawn(n, n, seed=n) for n in (3, 4, 5)]
    assert named(lambda x: x + torch.eye(len(x)) * 3, lambda x: x, tables) == "the diagonal"
    assert named(lambda x: x + x.exp().triu(1), lambda x: x, tables) == "above the diagonal"
    assert named(lambda x: x + x.exp().tril(-1), lambda x: x, tables) == "below the diagonal"
    assert named(lambda x: x.cos(), lambda x: x + x.T, tables) == "not symmetric"
    masks = [(x > 0) | (x.T > 5) for x in tables]
    assert named(lambda x: x.T, lambda x: x, masks) == "axes swapped"
    assert named(lambda x: x ^ torch.eye(len(x), dtype=bool), lambda x: x, masks) == "the diagonal"


TEXTS = ["Two words\nand More, of it", "a b\nc d\ne", "One line\nTwo lines\nThree"]
WORDS = {
    "a trailing newline": lambda t: t + "\n",
    "spaces at the ends": lambda t: " " + t + " ",
    "upper and lower case": str.swapcase,
    "spaces": lambda t: t.replace(" ", ""),
    "lines in another order": lambda t: "\n".join(t.splitlines()[::-1]),
    "punctuation": lambda t: t.replace("\n", "; "),
    "reversed": lambda t: t[::-1],
    "the last line is missing": lambda t: "\n".join(t.splitlines()[:-1]),
    "the first line is missing": lambda t: "\n".join(t.splitlines()[1:]),
    "one line too many at the end": lambda t: t + "\nEnd",
    "one line too many at the start": lambda t: "Start\n" + t,
    "the last character is missing": lambda t: t[:-1],
    "the first character is missing": lambda t: t[1:],
    "cut off": lambda t: t[:-3],
    "the beginning is missing": lambda t: t[3:],
    "goes on too long": lambda t: t + "abc",
    "starts too early": lambda t: "abc" + t,
}


@pytest.mark.parametrize("name", WORDS)
def test_wrong_texts_are_named(name):
    """Each way in which texts differ in one respect is recognised."""
    assert named(WORDS[name], str, TEXTS) == name


LISTS = [[3, 1, 1, 2], [9, 7, 7, 7, 8], [5, 5, 6]]
ITEMS = {
    "reversed": (lambda x: x[::-1], list),
    "not sorted": (list, sorted),
    "another order": (lambda x: x[1:] + x[:1], list),
    "the last item is missing": (lambda x: x[:-1], list),
    "the first item is missing": (lambda x: x[1:], list),
    "one item too many at the end": (lambda x: [*x, 0], list),
    "one item too many at the start": (lambda x: [0, *x], list),
    "duplicates": (list, lambda x: list(dict.fromkeys(x))),
    "duplicates lost": (lambda x: list(dict.fromkeys(x)), list),
    "items are missing": (lambda x: [x[0], x[-1]], lambda x: [x[0], 11, 12, x[-1]]),
    "too many items": (lambda x: [x[0], 11, 12, x[-1]], lambda x: [x[0], x[-1]]),
    "the wrong kind": (torch.tensor, list),
    "results swapped": (lambda x: (x[0], x[-1] + 20), lambda x: (x[-1] + 20, x[0])),
    "item 1 alone": (lambda x: (x[0], x[1] ** 2 + x[0], 1), lambda x: (x[0], x[1], 1)),
}


@pytest.mark.parametrize("name", ITEMS)
def test_wrong_lists_are_named(name):
    """Each way in which lists differ in order, ends or number of items is recognised."""
    pairs = [Pair(ITEMS[name][0](x), ITEMS[name][1](x)) for x in LISTS]
    assert diagnose(pairs, 1e-5).name == name


def test_dicts_are_compared_by_key():
    """Keys that are missing, too many or of another kind, and one wrong value, are named."""
    right = [{"a": 1, "b": 2}, {"a": 3, "b": 4}]

    def name(change):
        return diagnose([Pair(change(d), d) for d in right], 1e-5).name

    assert name(lambda d: {"a": d["a"]}) == "keys are missing"
    assert name(lambda d: {**d, "c": 0}) == "too many keys"
    assert name(lambda d: {**d, "b": d["b"] ** 2 + d["a"]}) == "'b' alone"
    assert diagnose([Pair({"1": 2}, {1: 2})], 1e-5).name == "the kind of the keys"
    assert diagnose([Pair(["ab", "c"], ["a", "bc"])], 1e-5).name == "cut in other places"
    assert diagnose([Pair("3", 3), Pair("4", 4)], 1e-5).name == "the wrong kind"


def test_a_diagnosis_must_hold_on_every_case():
    """What holds on one case alone is not claimed."""
    assert named(lambda x: -x if len(x) == 3 else x.exp() * 3 - 5, lambda x: x.sin() - 9) == ""
    assert named(lambda x: x.T if len(x) == 4 else x * x + 0.1, lambda x: x) not in {"axes swapped", "reversed"}


def test_right_results_have_no_diagnosis():
    """Nothing is said of results that are right, whatever their kind."""
    for value in (torch.ones(2, 3), np.ones(3), 3, "text", [1, "a"], {"a": (1.0, None)}, True):
        assert diagnose([Pair(value, value)], 1e-5) is None


def test_ragged_and_mixed_results_do_not_stop_a_diagnosis():
    """Results that no array can hold are compared as far as it goes."""
    ragged = [[1, 2], [3]]
    assert diagnose([Pair(ragged, [[1, 2], [4]])], 1e-5) is None
    assert diagnose([Pair((torch.ones(2), "a"), (torch.zeros(2), "a"))] * 2, 1e-5).name != ""


def test_a_forgotten_argument_is_named_by_the_factor():
    """A factor that equals an argument on every case, or its inverse or root, is told by the argument's name."""

    @exercise(returns="float tensor")
    def scaled(values, beta):
        return values / beta

    scaled.cases(
        lambda: [(f"beta {beta}", drawn(5, seed=index), beta) for index, beta in enumerate((0.3, 1.7, 4.0, 9.0))]
    )
    assert run_check(scaled, lambda values, beta: values * (beta / beta)).mistake == "a factor `beta`"
    assert run_check(scaled, lambda values, beta: (values.exp() + beta * 0).sin()).mistake != "a factor `beta`"
    assert run_check(scaled, lambda values, beta: values.exp().sin()).mistake == "`beta` is not used"


@pytest.mark.parametrize(
    ("raising", "name"),
    [
        (lambda: torch.ones(2, 3) @ torch.ones(2, 3), "shapes do not fit"),
        (lambda: torch.ones(2, 3) + torch.ones(2, 4), "shapes do not fit"),
        (lambda: np.ones(3) + np.ones(4), "shapes do not fit"),
        (lambda: torch.ones(6).view(4), "shapes do not fit"),
        (lambda: torch.ones(2, 3).T.view(6), "`view` after a permutation"),
        (lambda: torch.ones(3).sum(2), "an axis that does not exist"),
        (lambda: torch.ones(3)[0, 0], "the number of axes"),
        (lambda: torch.ones(2, 2) @ torch.ones(2, 2).double(), "mixed dtypes"),
        (lambda: [1][3], "an index past the end"),
        (lambda: torch.ones(3)[7], "an index past the end"),
        (lambda: {}["a"], "a missing key"),
        (lambda: None + 1, "None in between"),
        (lambda: 1 / 0, "a division by zero"),
        (lambda: max([]), "nothing to work on"),
        (lambda: nowhere, "an unknown name"),  # noqa: F821 - the missing name is the point
        (lambda: [].numel(), "an unknown attribute"),
        (lambda: math.sqrt(1, 2), "the wrong arguments"),
        (lambda: len("abc")[0], "a number in place of a list"),
    ],
)
def test_errors_are_explained(raising, name):
    """The message of an error is turned into what lies behind it."""
    try:
        raising()
    except Exception as error:
        found = explain_error(error)
    assert found is not None
    assert found.name == name


def test_unused_arguments_are_seen_in_the_code():
    """Arguments that a function never reads are found, also with inner functions."""

    def answer(used, kept, lost, inner, default=3):
        kept = kept
        return [used + inner for _ in range(3)]

    assert unused_arguments(answer) == ("lost", "default")
    assert unused_arguments(len) == ()


def test_few_right_or_few_wrong_cases_are_listed():
    """An answer that is right on one case only, or wrong on one only, is told which."""

    @exercise(returns="int")
    def total(numbers):
        return sum(numbers)

    total.cases(lambda: [("nothing", []), ("one", [7]), ("two", [1, 9]), ("four", [3, 1, 4, 6]), ("big", [50, 3, 8])])
    only = run_check(total, lambda numbers: numbers[0] * 3 + 1 if numbers else 0)
    assert only.mistake == "right on a special case only"
    assert "right only on: nothing" in only.hint
    error = run_check(total, lambda numbers: numbers[0] + sum(numbers[1:]))
    assert error.mistake == "an index past the end"
    assert "Right on 4 of 5 cases, wrong on: nothing." in error.headline
