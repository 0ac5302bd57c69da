"""Requests in words, each with a small Python function that answers it. Standard library only; nothing is executed.

A request asks for up to two steps (keep some numbers, change each number, cut or reorder the list) and one ending
(sort, add up, count, ...). It is a grammar, not English: every operation has a handful of wordings, and a request
joins them.

Two kinds of requests are kept out of training, for good:
- *compositions*: a tenth of all ordered pairs of neighbouring operations. No training request asks for such a pair.
- *wordings*: one wording of each operation. Its words all occur in training, the wording never does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod

from tinyfrontier._rehearsal import at_most

SPLITS = ("train", "compositions", "wordings")
HEADER = "def f(xs):"
NUMBERS = range(2, 10)
# Chosen so that programs which differ in one number or one sign give different answers somewhere.
INPUTS: tuple[tuple[int, ...], ...] = (
    (),
    (5,),
    (-4, 3),
    (0, 0, 1),
    (2, 7, 1, 8, -2, 8, -1),
    (9, -9, 3, 0, 3, -6, 9),
    (12, -7, 4, 6, 10, -3, 5, 1, -8, 2),
    (-1, -2, -3, -4, -5, -6),
    (8, 5, 6, 7, 4, 9, 3, 4, 11, 2, 12, 10),
    tuple(range(-12, 13)),
)
PREFIXES = ("", "", "please", "given a list of numbers ,", "write a function to")
JOINTS = (",", "then", ", then", "and then")
VERBS = ("return", "compute", "find")


@dataclass(frozen=True)
class Operation:
    """One thing that a request can ask for.

    Attributes:
        name: a short name.
        code: lines of Python that do it to `xs`, four spaces less indented than in a function; N stands for the number.
        act: does the same to a list, given the number; the answers come from here.
        wordings: how training requests ask for it.
        held_out: how only the exam asks for it.
        noun: the same as a phrase about `{}`, what comes before.
        ending: whether it ends a program (else it is a step).
    """

    name: str
    code: str
    act: Callable[[list, int], object]
    wordings: tuple[str, ...]
    held_out: str
    noun: str
    ending: bool = False

    @property
    def numbered(self) -> bool:
        """Whether it needs a number."""
        return "N" in self.code.replace("None", "")


@dataclass(frozen=True)
class Problem:
    """A request and one program that answers it.

    Attributes:
        request: words in lower case, digits and commas, separated by single spaces.
        program: source of a function `f` of one list of integers.
        operations: names of the operations in the order in which they are done; the last is the ending.
        numbers: the number of each operation, 0 where it needs none.
    """

    request: str
    program: str
    operations: tuple[str, ...]
    numbers: tuple[int, ...]

    def answers(self) -> list:
        """What the request asks for on each of `INPUTS`, computed without running the program."""
        results = []
        for values in INPUTS:
            result = list(values)
            for name, number in zip(self.operations, self.numbers, strict=True):
                result = OPERATIONS[name].act(result, number)
            results.append(result)
        return results


def _keep(name: str, condition: str, test: Callable, wordings: tuple, held_out: str, noun: str) -> Operation:
    code = f"xs = [x for x in xs if {condition}]"
    return Operation(name, code, lambda xs, n: [x for x in xs if test(x, n)], wordings, held_out, noun)


def _each(name: str, formula: str, change: Callable, wordings: tuple, held_out: str, noun: str) -> Operation:
    code = f"xs = [{formula} for x in xs]"
    return Operation(name, code, lambda xs, n: [change(x, n) for x in xs], wordings, held_out, noun)


def _end(name: str, code: str, act: Callable, wordings: tuple, held_out: str, noun: str) -> Operation:
    return Operation(name, code, lambda xs, n: act(xs), wordings, held_out, noun, ending=True)


def _quicksort(before: str, after: str) -> str:
    return (
        "def q(a):\n    if len(a) < 2:\n        return a\n    p = a[0]\n"
        f"    return q([x for x in a if x {before} p]) + [x for x in a if x == p] + q([x for x in a if x {after} p])\n"
        "return q(xs)"
    )


_ALL = (
    _keep(
        "even",
        "x % 2 == 0",
        lambda x, n: x % 2 == 0,
        ("keep the even numbers", "keep only numbers that are even", "remove the odd numbers"),
        "drop numbers that are odd",
        "the even numbers in {}",
    ),
    _keep(
        "odd",
        "x % 2 == 1",
        lambda x, n: x % 2 == 1,
        ("keep the odd numbers", "drop the even numbers", "remove numbers that are even"),
        "keep only numbers that are odd",
        "the odd numbers in {}",
    ),
    _keep(
        "positive",
        "x > 0",
        lambda x, n: x > 0,
        ("keep the positive numbers", "keep only numbers that are positive", "keep numbers greater than zero"),
        "keep everything that is positive",
        "the positive numbers in {}",
    ),
    _keep(
        "negative",
        "x < 0",
        lambda x, n: x < 0,
        ("keep the negative numbers", "keep only numbers that are negative", "drop everything that is not negative"),
        "keep numbers less than zero",
        "the negative numbers in {}",
    ),
    _keep(
        "above",
        "x > N",
        lambda x, n: x > n,
        ("keep numbers greater than N", "keep the numbers above N", "remove everything up to N"),
        "keep only numbers above N",
        "the numbers above N in {}",
    ),
    _keep(
        "below",
        "x < N",
        lambda x, n: x < n,
        ("keep numbers less than N", "keep the numbers below N", "keep only numbers under N"),
        "keep everything less than N",
        "the numbers below N in {}",
    ),
    _keep(
        "multiple",
        "x % N == 0",
        lambda x, n: x % n == 0,
        ("keep the multiples of N", "keep numbers divisible by N", "keep only numbers that are divisible by N"),
        "keep everything that is divisible by N",
        "the multiples of N in {}",
    ),
    _keep(
        "unequal",
        "x != N",
        lambda x, n: x != n,
        ("remove every N", "drop all numbers equal to N", "keep numbers different from N"),
        "remove all numbers equal to N",
        "the numbers different from N in {}",
    ),
    _each(
        "square",
        "x * x",
        lambda x, n: x * x,
        ("square each number", "square them", "multiply each number by itself"),
        "square everything",
        "the squares of {}",
    ),
    _each(
        "times",
        "x * N",
        lambda x, n: x * n,
        ("multiply each number by N", "multiply them by N", "multiply everything by N"),
        "multiply every number by N",
        "N times {}",
    ),
    _each(
        "plus",
        "x + N",
        lambda x, n: x + n,
        ("add N to each number", "add N to everything", "increase them by N"),
        "increase each number by N",
        "N more than each of {}",
    ),
    _each(
        "minus",
        "x - N",
        lambda x, n: x - n,
        ("subtract N from each number", "subtract N from everything", "decrease them by N"),
        "decrease each number by N",
        "N less than each of {}",
    ),
    _each(
        "negate",
        "-x",
        lambda x, n: -x,
        ("negate each number", "flip the sign of each number", "change the sign of everything"),
        "flip the sign of everything",
        "the negatives of {}",
    ),
    _each(
        "absolute",
        "abs(x)",
        lambda x, n: abs(x),
        ("take the absolute value of each number", "take absolute values", "remove the sign of each number"),
        "take the absolute value of everything",
        "the absolute values of {}",
    ),
    _each(
        "halve",
        "x // 2",
        lambda x, n: x // 2,
        ("halve each number", "halve them", "divide each number by 2 rounding down"),
        "halve everything",
        "the halves of {}",
    ),
    _each(
        "remainder",
        "x % N",
        lambda x, n: x % n,
        ("take each number modulo N", "take them modulo N", "replace each number by its remainder modulo N"),
        "take everything modulo N",
        "the remainders modulo N of {}",
    ),
    Operation(
        "first",
        "xs = xs[:N]",
        lambda xs, n: xs[:n],
        ("keep the first N numbers", "take the first N", "keep only the first N"),
        "take only the first N numbers",
        "the first N of {}",
    ),
    Operation(
        "last",
        "xs = xs[-N:]",
        lambda xs, n: xs[-n:],
        ("keep the last N numbers", "take the last N", "keep only the last N"),
        "take only the last N numbers",
        "the last N of {}",
    ),
    Operation(
        "skip",
        "xs = xs[N:]",
        lambda xs, n: xs[n:],
        ("skip the first N numbers", "drop the first N", "remove the first N numbers"),
        "drop the first N numbers",
        "all but the first N of {}",
    ),
    Operation(
        "reverse",
        "xs = xs[::-1]",
        lambda xs, n: xs[::-1],
        ("reverse the order", "reverse the list", "turn the list around"),
        "turn the order around",
        "the reverse of {}",
    ),
    Operation(
        "unique",
        "xs = list(dict.fromkeys(xs))",
        lambda xs, n: [x for i, x in enumerate(xs) if x not in xs[:i]],
        ("remove duplicates", "drop repeated numbers", "keep each number once"),
        "drop duplicates",
        "the different numbers in {}",
    ),
    _end(
        "list",
        "return xs",
        list,
        ("return the list", "give the result", "return them"),
        "return the result",
        "{}",
    ),
    _end(
        "ascending",
        "return sorted(xs)",
        sorted,
        ("sort in ascending order", "sort them", "sort the list", "sort the numbers from smallest to largest"),
        "sort them in ascending order",
        "the ascending order of {}",
    ),
    _end(
        "descending",
        "return sorted(xs, reverse=True)",
        lambda xs: sorted(xs, reverse=True),
        ("sort in descending order", "sort the list from largest to smallest", "sort in reverse order"),
        "sort them in descending order",
        "the descending order of {}",
    ),
    _end(
        "by size",
        "return sorted(xs, key=abs)",
        lambda xs: sorted(xs, key=abs),
        ("sort by absolute value", "order them by absolute value", "sort in order of absolute value"),
        "sort them by absolute value",
        "the order by absolute value of {}",
    ),
    _end(
        "sum",
        "return sum(xs)",
        sum,
        ("add them up", "return the sum", "sum everything", "add up the numbers"),
        "add everything up",
        "the sum of {}",
    ),
    _end(
        "largest",
        "return max(xs, default=None)",
        lambda xs: max(xs, default=None),
        ("return the largest", "find the maximum", "return the biggest number"),
        "find the largest number",
        "the largest of {}",
    ),
    _end(
        "smallest",
        "return min(xs, default=None)",
        lambda xs: min(xs, default=None),
        ("return the smallest", "find the minimum", "find the smallest number"),
        "return the smallest number",
        "the smallest of {}",
    ),
    _end(
        "count",
        "return len(xs)",
        len,
        ("count them", "return how many there are", "count the numbers"),
        "return how many numbers there are",
        "the count of {}",
    ),
    _end(
        "product",
        "t = 1\nfor x in xs:\n    t *= x\nreturn t",
        prod,
        ("multiply them together", "return the product", "multiply everything together"),
        "multiply the numbers together",
        "the product of {}",
    ),
    _end(
        "running",
        "t = 0\nys = []\nfor x in xs:\n    t += x\n    ys.append(t)\nreturn ys",
        lambda xs: list(accumulate(xs)),
        ("return the running totals", "return the running sum", "compute the cumulative sums"),
        "return the cumulative sums",
        "the running totals of {}",
    ),
    _end(
        "quicksort",
        _quicksort("<", ">"),
        sorted,
        ("sort with quicksort", "quicksort the list", "use quicksort", "use quicksort to sort in ascending order"),
        "use quicksort to sort them",
        "the quicksort of {}",
    ),
    _end(
        "quicksort down",
        _quicksort(">", "<"),
        lambda xs: sorted(xs, reverse=True),
        (
            "sort with quicksort in descending order",
            "quicksort them from largest to smallest",
            "use quicksort to sort in descending order",
        ),
        "use quicksort to sort from largest to smallest",
        "the descending quicksort of {}",
    ),
)
OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _ALL}
LONG = {"quicksort", "quicksort down"}  # their programs are long enough with one step before them


def _pairs() -> list[tuple[str, str]]:
    """All ordered pairs of neighbours that a program may contain."""
    steps = [operation.name for operation in _ALL if not operation.ending]
    return [(a, b) for a in steps for b in OPERATIONS if a != b]


def _draw_held_out() -> frozenset[tuple[str, str]]:
    pairs = _pairs()
    random.Random(10).shuffle(pairs)
    return frozenset(pairs[: len(pairs) // 10])


HELD_OUT_PAIRS = _draw_held_out()


def programming_problems(
    split: str, count: int, seed: int = 0, operations: Sequence[str] | None = None
) -> tuple[Problem, ...]:
    """Draw `count` different requests with their programs.

    Args:
        split: "train"; "compositions", whose requests contain a pair of neighbouring operations that no training
            request contains; or "wordings", which ask for pairs that training has, every operation in the one wording
            that training never uses.
        count: how many; at least 1.
        seed: which ones. Two seeds of one split may share requests; two splits never do.
        operations: names of the operations to draw from, at least one of them an ending; None for all.

    Raises:
        TypeError: if `count` or `seed` is not an int.
        ValueError: if `split` or an operation is unknown, `count` is below 1, or there are too few different requests.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    for name, value in (("count", count), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    chosen = tuple(OPERATIONS) if operations is None else tuple(operations)
    for name in chosen:
        if name not in OPERATIONS:
            raise ValueError(f"operations must be among {', '.join(OPERATIONS)}; got {name!r}")
    if not any(OPERATIONS[name].ending for name in chosen):
        raise ValueError(f"operations must contain an ending, got {', '.join(chosen) or 'none'}")
    count = at_most(count, 400 if split == "train" else 40)
    found: dict[str, Problem] = {}
    for tries, problem in enumerate(_endless(split, random.Random(f"{split} {seed}"), chosen)):
        found.setdefault(problem.request, problem)
        if len(found) == count:
            return tuple(found.values())
        if tries > 50 * count + 1000:
            raise ValueError(f"count must be at most about {len(found)} for these operations, got {count}")
    raise ValueError(f"operations must allow a request of the split {split!r}, got {', '.join(chosen)}")


def _endless(split: str, rng: random.Random, chosen: tuple[str, ...]) -> Iterator[Problem]:
    steps = [name for name in chosen if not OPERATIONS[name].ending]
    endings = [name for name in chosen if OPERATIONS[name].ending]
    if split == "compositions" and not any(a in steps and b in chosen for a, b in HELD_OUT_PAIRS):
        return
    while True:
        ending = rng.choice(endings)
        longest = 1 if ending in LONG else 2
        length = min(rng.choices((0, 1, 2), (1, 3, 6))[0], longest, len(steps))
        names = (*rng.sample(steps, length), ending)
        if names == ("list",):
            continue
        novel = any(pair in HELD_OUT_PAIRS for pair in pairwise(names))
        if novel != (split == "compositions"):
            continue
        numbers = tuple(rng.choice(NUMBERS) if OPERATIONS[name].numbered else 0 for name in names)
        request = _order(names, numbers, rng, split) if split == "wordings" or rng.random() < 0.7 else ""
        yield Problem(request or _noun(names, numbers, rng), program_of(names, numbers), names, numbers)


def program_of(names: Sequence[str], numbers: Sequence[int]) -> str:
    """Source of the function that does the operations `names` with `numbers` in order."""
    lines = [HEADER]
    for name, number in zip(names, numbers, strict=True):
        operation = OPERATIONS[name]
        code = operation.code.replace("N", str(number)) if operation.numbered else operation.code
        lines += [f"    {line}" for line in code.split("\n")]
    return "\n".join(lines)


def _order(names: Sequence[str], numbers: Sequence[int], rng: random.Random, split: str) -> str:
    """The request as orders, in the order in which things are done."""
    parts = [rng.choice(PREFIXES)]
    for place, (name, number) in enumerate(zip(names, numbers)):
        operation = OPERATIONS[name]
        wording = operation.held_out if split == "wordings" else rng.choice(operation.wordings)
        if place:
            parts.append(rng.choice(JOINTS))
        parts.append(wording.replace("N", str(number)))
    return " ".join(part for part in parts if part)


def _noun(names: Sequence[str], numbers: Sequence[int], rng: random.Random) -> str:
    """The request as one nested phrase, which names what is done last first."""
    phrase = rng.choice(("the list", "the numbers"))
    for name, number in zip(names, numbers):
        phrase = OPERATIONS[name].noun.replace("N", str(number)).format(phrase)
    return f"{rng.choice(VERBS)} {phrase}"
