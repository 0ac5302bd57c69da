"""Do the checks catch small errors? Make syntactic mutants of each solution and see which ones a check lets pass.

`python -m tinyfrontier.authoring.mutants [06 ...]` prints the table. The idea is mutation testing (DeMillo, Lipton &
Sayward, 1978).
"""

from __future__ import annotations

import ast
import copy
import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..exercises import Exercise, exercises_of
from ..exercises.engine import run_check
from .lessons import Cell, find_lessons, lesson_path, read_lesson
from .notebooks import solution_code

MUTANT_SECONDS = 3.0
_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


@dataclass(frozen=True)
class Score:
    """How an exercise's check did: number of mutants, how many it rejected, how many are equivalent, who survived."""

    exercise: str
    mutants: int
    rejected: int
    equivalent: int
    survivors: tuple[str, ...]

    @property
    def share(self) -> float:
        """Share of the non-equivalent mutants that the check rejected, 0 to 1."""
        return self.rejected / max(1, self.mutants - self.equivalent)


def function_from(source: str, name: str, lesson: int) -> Callable:
    """The function `name` of an exercise cell's source, run in the namespace of the lesson's exercises file."""
    module = importlib.import_module(f"tinyfrontier.exercises.lesson_{lesson:02d}")
    namespace = dict(vars(module))
    exec(compile(source, f"<exercise {name}>", "exec"), namespace)
    return namespace[name]


@functools.lru_cache(maxsize=4)
def _exercise_cells(path: Path, changed: int) -> tuple[Cell, ...]:
    """A lesson's exercise cells; `changed` is the file's time, so that an edited lesson is read anew."""
    return tuple(read_lesson(path).tagged("exercise"))


def exercise_cell(lesson: int, name: str) -> Cell:
    """The cell of an exercise in the lesson's source."""
    path = lesson_path(lesson)
    cells = [cell for cell in _exercise_cells(path, path.stat().st_mtime_ns) if cell.name == name]
    if not cells:
        raise ValueError(f"name must be an exercise of lesson {lesson}, got {name!r}")
    return cells[0]


def _number(node: ast.expr) -> int | float | None:
    """The value of a number literal, with its sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _number(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    return None


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    """Every small change to one node."""
    number = _number(node) if isinstance(node, ast.expr) else None
    if number is not None:
        changed = {number + 1, number - 1} | ({-2} if number == -1 else set()) | ({-1} if number == -2 else set())
        for value in sorted(changed):
            yield ast.parse(repr(value), mode="eval").body
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    if isinstance(node, ast.BinOp):
        if type(node.op) in _OPERATORS:
            yield ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)
        yield node.left
        yield node.right
    if isinstance(node, ast.UnaryOp):
        yield node.operand
    if isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        yield ast.Compare(node.left, [_COMPARISONS[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    if isinstance(node, ast.Call):
        for index in range(len(node.keywords)):
            yield ast.Call(node.func, node.args, node.keywords[:index] + node.keywords[index + 1 :])
        is_method = isinstance(node.func, ast.Attribute)
        from_module = is_method and isinstance(node.func.value, ast.Name) and node.func.value.id in _MODULES
        if is_method and not from_module:
            yield node.func.value
        elif node.args and not isinstance(node.args[0], ast.Starred):
            yield node.args[0]
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        changed = copy.copy(node)
        changed.test = ast.UnaryOp(ast.Not(), node.test)
        yield changed
    if isinstance(node, ast.AugAssign):
        yield ast.Pass()
        if type(node.op) in _OPERATORS:
            yield ast.AugAssign(node.target, _OPERATORS[type(node.op)](), node.value)


_MODULES = {"torch", "F", "nn", "math", "np", "numpy", "random"}


class _Swap(ast.NodeTransformer):
    def __init__(self, target: ast.AST, replacement: ast.AST):
        self.target, self.replacement = target, replacement

    def visit(self, node: ast.AST) -> ast.AST:
        return self.replacement if node is self.target else self.generic_visit(node)


def _line(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).split("\n")[0]


def mutants(source: str, name: str) -> Iterator[tuple[str, str]]:
    """All mutants of the function `name` in `source`: pairs of a description and the changed source."""
    tree = ast.parse(source)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    for statement in body:
        yield from _mutants_within(tree, statement)


def _mutants_within(tree: ast.Module, statement: ast.stmt) -> Iterator[tuple[str, str]]:
    skip: set[int] = set()
    for node in ast.walk(statement):
        if id(node) in skip:
            continue
        if isinstance(node, ast.expr) and _number(node) is not None:
            skip.update(id(child) for child in ast.walk(node))
        for annotation in ("annotation", "returns"):
            if getattr(node, annotation, None) is not None:
                skip.update(id(child) for child in ast.walk(getattr(node, annotation)))
        for replacement in _replacements(node):
            changed = _Swap(node, replacement).visit(_shallow(tree, node))
            text = ast.unparse(ast.fix_missing_locations(changed))
            yield f"{_line(node)} -> {_line(replacement)} in {_line(statement)}", text


def _shallow(tree: ast.Module, target: ast.AST) -> ast.Module:
    """A copy of the tree in which `target` itself is shared, so that it can still be found by identity."""
    return copy.deepcopy(tree, {id(target): target})


def score(exercise: Exercise, source: str) -> Score:
    """Run the check of `exercise` on every mutant of `source`. Mutants that do not load count as rejected."""
    total = rejected = equivalent = 0
    survivors = []
    seen = {ast.unparse(ast.parse(source))}
    for description, text in mutants(source, exercise.name):
        if text in seen:
            continue
        seen.add(text)
        total += 1
        try:
            function = function_from(text, exercise.name, exercise.lesson)
            passed = run_check(exercise, function, time_limit=MUTANT_SECONDS, explain=False).passed
        except Exception:
            passed = False
        if not passed:
            rejected += 1
        elif description in exercise.equivalent_mutants:
            equivalent += 1
        else:
            survivors.append(description)
    return Score(exercise.name, total, rejected, equivalent, tuple(survivors))


def score_lesson(lesson: int) -> list[Score]:
    """The scores of all exercises of a lesson."""
    return [
        score(exercise, solution_code(exercise_cell(lesson, name))) for name, exercise in exercises_of(lesson).items()
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print a table for the lessons asked for, or for all; exit code 1 if a check rejects less than 95 %."""
    chosen = arguments if arguments else [path.stem[:2] for path in find_lessons()]
    weak = False
    print(f"{'exercise':<38}{'mutants':>8}{'rejected':>9}{'equivalent':>11}{'share':>8}")
    for lesson in chosen:
        for row in score_lesson(int(lesson)):
            name = f"{int(lesson):02d} {row.exercise}"
            print(f"{name:<38}{row.mutants:>8}{row.rejected:>9}{row.equivalent:>11}{row.share:>8.1%}")
            for survivor in row.survivors:
                print(f"    survived: {survivor}")
            weak |= row.share < 0.95
    return int(weak)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
