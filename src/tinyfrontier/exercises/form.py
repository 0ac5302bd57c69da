"""The short form in which a lesson's exercises are declared; it knows nothing of how they are checked.

`@exercise(returns=...)` stands above the oracle: obvious, slow, the specification as code. Then follow `@NAME.cases`
(a generator of `label, *arguments`), `@NAME.usual` (the lesson's solution), and mistakes: `NAME.slip(old, new,
name).says(hint)` is one edit of the solution's text, `@NAME.mistake(name, hint)` a wrong function.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import linecache
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One call of the function: a label for the report, the arguments, and the seed set before the call."""

    label: str
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)
    seed: int = 0

    def seeded(self, seed: int) -> Case:
        """The same call with another seed for the global random generators."""
        return dataclasses.replace(self, seed=seed)


def case(label: str, *arguments: Any, **keywords: Any) -> Case:
    """Make a case that has keyword arguments.

    `yield case("a tight clip", new, old, clip=0.05)`; `.seeded(3)` behind it sets the seed before the call.
    """
    return Case(label, arguments, keywords)


@dataclass(eq=False)
class Mistake:
    """A known mistake: its name, a wrong function that makes it, and the hint that whoever made it reads."""

    name: str
    function: Callable
    hint: str = ""

    def says(self, hint: str) -> None:
        """Give the hint behind a slip, where it does not fit into the same line."""
        self.hint = hint

    @functools.cached_property
    def source(self) -> str:
        """The wrong function as text, without decorators."""
        return getattr(self.function, "source", None) or source_of(self.function)


def source_of(function: Callable) -> str:
    """A function's own text, without decorators and indentation."""
    text = textwrap.dedent(inspect.getsource(function))
    return "\n".join(text.splitlines()[ast.parse(text).body[0].lineno - 1 :]) + "\n"


class _Edited:
    """A function made from text when it is first called: by then its module is complete."""

    def __init__(self, source: str, name: str, module: dict):
        self.source, self.__name__, self._module = source, name, module

    @functools.cached_property
    def _function(self) -> Callable:
        namespace = dict(self._module)
        file = f"<slip {self.__name__} {id(self)}>"
        linecache.cache[file] = (len(self.source), None, self.source.splitlines(keepends=True), file)
        exec(compile(self.source, file, "exec"), namespace)
        return namespace[self.__name__]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)


class Exercise:
    """An exercise of a lesson; calling it calls its usual solution.

    Attributes:
        name: name of the function that the student writes.
        oracle: the specification as code, slow and obvious; its outputs are what is expected.
        solution: the lesson's solution; what later cells use until the student's own is right.
        mistakes: known mistakes.
        returns: what the function returns, in words, for the report of a wrong type.
        points: what an instructor's gradebook gives for it.
        tolerance: how far floats may differ, absolute plus relative.
        extreme: per argument what it may be at worst: a number (floats are scaled until the largest has this size, with
            either sign) or a tuple (floats are replaced by these values in turn).
        no_gradient: why an answer need not carry gradients although the solution does; "" if it must.
        constants: arguments through which no gradient is asked for, so that an answer may detach them.
        single: why an answer need not compute in double precision on double inputs; "" if it must.
        equivalent_mutants: mutants of the solution that compute the same, as the mutation test prints them.
    """

    def __init__(
        self,
        oracle: Callable,
        *,
        returns: str,
        points: int = 1,
        tolerance: float = 1e-5,
        extreme: dict[str, float | tuple] | None = None,
        no_gradient: str = "",
        constants: Iterable[str] = (),
        single: str = "",
        equivalent_mutants: Iterable[str] = (),
    ):
        self.name, self.oracle, self.returns = oracle.__name__, oracle, returns
        self.points, self.tolerance = points, tolerance
        self.extreme, self.no_gradient, self.single = dict(extreme or {}), no_gradient, single
        self.constants, self.equivalent_mutants = tuple(constants), tuple(equivalent_mutants)
        self.solution: Callable = oracle
        self.mistakes: tuple[Mistake, ...] = ()
        self._cases: Callable[[], Iterable] = tuple
        self.bench: Any = None  # what the check engine keeps between checks
        for setting, names in (("extreme", self.extreme), ("constants", self.constants)):
            unknown = set(names) - set(inspect.signature(oracle).parameters)
            if unknown:
                raise ValueError(f"{setting} must name arguments of {self.name}, got {sorted(unknown)}")

    def __repr__(self) -> str:
        return f"<exercise {self.name} of lesson {self.lesson}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the solution."""
        return self.solution(*args, **kwargs)

    @property
    def lesson(self) -> int:
        """Number of the lesson in whose file the exercise stands; 0 for one that stands elsewhere."""
        found = re.search(r"lesson_(\d+)$", self.oracle.__module__)
        return int(found[1]) if found else 0

    def cases(self, generator: Callable[[], Iterable]) -> Callable[[], Iterable]:
        """Decorator: a generator of `(label, *arguments)` tuples or `case(label, *arguments, **keywords)`."""
        self._cases, self.bench = generator, None
        return generator

    def usual(self, function: Callable) -> Exercise:
        """Decorator: the lesson's solution. It may bear the exercise's name, which stays the exercise's."""
        self.solution, self.bench = function, None
        return self

    def slip(self, old: str, new: str, name: str, hint: str = "") -> Mistake:
        """A known mistake that is one edit of the solution's text; a long hint follows as `.says(hint)`.

        Raises:
            ValueError: unless `old` occurs exactly once in the solution.
        """
        source = source_of(self.solution)
        if source.count(old) != 1:
            raise ValueError(f"old must occur once in the solution of {self.name}, got {source.count(old)} of {old!r}")
        edited = _Edited(source.replace(old, new), self.solution.__name__, self.solution.__globals__)
        self.mistakes += (Mistake(name, edited, hint),)
        return self.mistakes[-1]

    def mistake(self, name: str, hint: str) -> Callable[[Callable], Callable]:
        """Decorator: a known mistake that is a wrong function."""

        def declare(function: Callable) -> Callable:
            self.mistakes += (Mistake(name, function, hint),)
            return function

        return declare

    def build(self) -> list[Case]:
        """All cases, built anew: equal at every call, and no object shared between two calls."""
        return [made if isinstance(made, Case) else Case(made[0], tuple(made[1:])) for made in self._cases()]


def exercise(**settings: Any) -> Callable[[Callable], Exercise]:
    """Decorator: makes an exercise of its oracle. Settings are `Exercise`'s attributes; `returns` is required."""
    return lambda oracle: Exercise(oracle, **settings)
