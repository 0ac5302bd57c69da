"""What is to be run for an exercise: the student's function, what it needs, and the course's own definitions.

Cells are parsed and never run here. Code that only a cheat writes is named before it runs (`tampering_in`); what it
does not see, the graded process refuses.
"""

from __future__ import annotations

import ast
import difflib
import functools
import re
from dataclasses import dataclass, field

from . import STUDENT_CODE
from .cells import named_id
from .lessons import defines, lesson_path, read_lesson
from .notebooks import solution_code, strip_solution
from .submissions import Notebook, Piece, closure, is_stub, pieces_of

UNLOADED = "tinyfrontier.exercises"


@dataclass
class Finding:
    """What became of one exercise of one student.

    Attributes:
        exercise: its name.
        status: "passed", "not attempted", "wrong", "raised", "changed its inputs", "changed global state", "too slow",
            "memory", "crash", "exit", "input", "output", "tampering", "syntax", "missing", "renamed", "unreadable",
            "another lesson" or "absent".
        line: one sentence.
        details: (label, text) pairs, as the check gives them.
        hint: the hint of the mistake, or "".
        mistake: the mistake's name, or "".
        notes: remarks that cost nothing.
        points: what it earns.
        worth: what it could earn.
    """

    exercise: str
    status: str
    line: str
    details: list[list[str]] = field(default_factory=list)
    hint: str = ""
    mistake: str = ""
    notes: list[str] = field(default_factory=list)
    points: int = 0
    worth: int = 0


# ------------------------------------------------------------------------------------------- the course's own part


@functools.lru_cache(maxsize=64)
def _cells(lesson: int) -> tuple:
    return tuple(cell for cell in read_lesson(lesson_path(lesson)).cells if cell.kind == "code")


@functools.lru_cache(maxsize=64)
def _own(lesson: int) -> frozenset[str]:
    """All statements of a lesson's cells, solved and unsolved, as `Piece.same` writes them."""
    found = set()
    for cell in _cells(lesson):
        for text in (solution_code(cell), strip_solution(cell.source)):
            found.update(piece.same for piece in pieces_of(text, "lesson"))
    return frozenset(found)


def _without_calls(piece: Piece) -> bool:
    return isinstance(piece.tree, ast.Assign) and not any(isinstance(part, ast.Call) for part in ast.walk(piece.tree))


@functools.lru_cache(maxsize=256)
def course_pieces(lesson: int, exercise: str) -> tuple[Piece, ...]:
    """What the lesson defines before an exercise, with the solutions of others, and imports from all of its cells."""
    found: list[Piece] = []
    before = True
    for number, cell in enumerate(_cells(lesson)):
        here = "exercise" in cell.tags and cell.name == exercise
        for piece in pieces_of(solution_code(cell), f"<lesson {lesson:02d}> cell {number}"):
            imports = isinstance(piece.tree, (ast.Import, ast.ImportFrom))
            if exercise in piece.binds or UNLOADED in ast.unparse(piece.tree) or "instructor" in cell.tags:
                continue
            if imports or (before and (defines(piece.tree) or _without_calls(piece))):
                found.append(piece)
        before = before and not here
    return tuple(found)


def exercise_names(lesson: int) -> list[str]:
    """The exercises of a lesson, in order."""
    return [cell.name for cell in _cells(lesson) if "exercise" in cell.tags]


# ------------------------------------------------------------------------------------------------- the student's


_FORBIDDEN = {
    "modules": "looks into `sys.modules`",
    "get_objects": "searches the memory of the process",
    "get_referrers": "searches the memory of the process",
    "get_referents": "searches the memory of the process",
    "_getframe": "looks at the code that calls it",
    "currentframe": "looks at the code that calls it",
    "getouterframes": "looks at the code that calls it",
    "f_back": "looks at the code that calls it",
    "f_globals": "looks at the code that calls it",
    "tb_frame": "looks at the code that calls it",
    "__subclasses__": "searches the classes of the process",
    "addaudithook": "touches the guard",
}
_OWNERS = {"modules": {"sys"}}
_PRIVATE = re.compile(r"tinyfrontier[./](exercises|authoring)|\blesson_\d\d\b|\b(solutions|lessons)/\d\d_")


def tampering_in(tree: ast.AST) -> str:
    """What a piece of code does that only a cheat does, in words; "" if nothing."""
    texts = {id(part.value) for part in ast.walk(tree) if isinstance(part, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if re.match(r"tinyfrontier\.(exercises|authoring)\b", name) and name != "tinyfrontier.exercises.checker":
                return f"imports `{name}`, where the checks are"
            if name.split(".")[-1] in _FORBIDDEN and name.split(".")[0] in ("sys", "gc", "inspect"):
                return _FORBIDDEN[name.split(".")[-1]]
        if isinstance(node, ast.Attribute):
            owners = _OWNERS.get(node.attr)
            owned = owners is None or (isinstance(node.value, ast.Name) and node.value.id in owners)
            if node.attr in _FORBIDDEN and owned:
                return _FORBIDDEN[node.attr]
            if re.match(r"tinyfrontier\.(exercises|authoring)\b", ast.unparse(node)):
                return f"reaches for `{ast.unparse(node)[:60]}`, where the checks are"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            if _PRIVATE.search(node.value):
                return f"names `{node.value[:60]}`, where answers are"
    return ""


def _is_check(piece: Piece) -> bool:
    """`attention = check(attention)` binds the name, but is no answer."""
    tree = piece.tree
    return isinstance(tree, ast.Assign) and any(
        isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "check"
        for part in ast.walk(tree.value)
    )


def _is_future(piece: Piece) -> bool:
    return isinstance(piece.tree, ast.ImportFrom) and piece.tree.module == "__future__"


@dataclass
class Read:
    """A notebook, parsed: its pieces, the cells that are no Python, and those that were turned to text."""

    notebook: Notebook
    pieces: list[Piece]
    broken: list[tuple[int, str, SyntaxError]]
    texts: list[Piece]
    future: bool

    @classmethod
    def of(cls, notebook: Notebook) -> Read:
        """Parse a notebook's cells."""
        pieces, broken, texts, future = [], [], [], False
        for number, (kind, source, _) in enumerate(notebook.cells, start=1):
            file = f"{STUDENT_CODE}cell {number}"
            try:
                if kind == "code":
                    found = pieces_of(source, file, number)
                    future |= any(_is_future(piece) and "annotations" in piece.binds for piece in found)
                    pieces += [piece for piece in found if not _is_future(piece)]
                elif "def " in source:
                    fenced = "\n".join("" if line.startswith("```") else line for line in source.split("\n"))
                    texts += pieces_of(fenced, file, number)
            except SyntaxError as error:
                if kind == "code":
                    broken.append((number, source, error))
        return cls(notebook, pieces, broken, texts, future)


def _answers(name: str, read: Read) -> tuple[list[Piece], list[str]]:
    """The pieces that define an exercise's function, and remarks on where they were found."""
    notes: list[str] = []
    found = [piece for piece in read.pieces if name in piece.binds and not _is_check(piece)]
    if not any(not is_stub(piece) for piece in found):
        turned = [piece for piece in read.texts if name in piece.binds and not is_stub(piece)]
        if turned:
            notes.append(f"cell {turned[-1].cell} had been turned from code to text; its code was graded all the same.")
            return turned[-1:], notes
        return found[-1:], notes
    real = [piece for piece in found if not is_stub(piece)]
    functions = [piece for piece in real if not isinstance(piece.tree, ast.Assign)]
    if len({piece.same for piece in functions}) > 1:
        places = " and ".join(str(piece.cell) for piece in functions)
        notes.append(f"`{name}` is defined in cells {places}; the last one, in cell {functions[-1].cell}, was graded.")
    elif len(functions) > 1:
        notes.append(f"the cell with `{name}` is there {len(functions)} times, each time the same.")
    kept = functions[-1:] if functions else []
    return [piece for piece in real if piece in kept or isinstance(piece.tree, ast.Assign)], notes


def _position_notes(name: str, answer: Piece, read: Read) -> list[str]:
    ids = [known for _, _, known in read.notebook.cells]
    own, check = named_id("exercise", name), named_id("check", name)
    notes = []
    if check not in ids:
        notes.append("the check's cell is missing; the answer was graded all the same.")
    elif ids.index(check) + 1 < answer.cell:
        notes.append(f"the answer stands in cell {answer.cell}, below its check; it was graded all the same.")
    elif any(ids) and own in ids and ids[answer.cell - 1] != own:
        notes.append(f"the answer stands in another cell than the exercise's (cell {answer.cell}).")
    return notes


def plan(read: Read, lesson: int, name: str) -> tuple[Finding | None, dict | None, list[str]]:
    """What is to be run for an exercise, or a finding where nothing can be; and remarks."""
    answers, notes = _answers(name, read)
    asked, ids = name, [known for _, _, known in read.notebook.cells]
    own = named_id("exercise", name)
    if not answers or all(is_stub(piece) for piece in answers):
        for number, source, error in read.broken:
            if re.search(rf"\bdef\s+{name}\b", source) or ids[number - 1] == own:
                line = f"cell {number} is not valid Python: line {error.lineno}, {error.msg}."
                return Finding(name, "syntax", line), None, notes
    if not answers:
        others = set(exercise_names(lesson))
        added = [
            piece for piece in read.pieces if isinstance(piece.tree, ast.FunctionDef) and piece.same not in _own(lesson)
        ]
        added = [piece for piece in added if not others & set(piece.binds)]
        near = [piece for piece in added if ids[piece.cell - 1] == own]
        near = near or [p for p in added if difflib.get_close_matches(p.binds[0], [name], cutoff=0.75)]
        if not near:
            return Finding(name, "missing", f"no cell defines `{name}`: was its cell deleted?"), None, notes
        answers, asked = near[-1:], near[-1].binds[0]
    elif all(is_stub(piece) for piece in answers):
        return Finding(name, "not attempted", "not attempted yet."), None, notes
    notes += _position_notes(name, answers[-1], read)
    task = _task(read, lesson, name, asked, answers)
    in_cell = [piece for piece in read.pieces if piece.cell == answers[-1].cell and piece.same not in _own(lesson)]
    for piece in [*task.pop("pieces"), *in_cell]:
        if said := tampering_in(piece.tree):
            return Finding(name, "tampering", TAMPERED.format(said)), None, notes
    return None, task, notes


def _task(read: Read, lesson: int, name: str, asked: str, answers: list[Piece]) -> dict:
    """What the graded process gets."""
    others = set(exercise_names(lesson)) - {asked}
    mine = [
        piece
        for piece in [*read.pieces, *(answers if answers[-1] in read.texts else ())]
        if not others & set(piece.binds) and (asked not in piece.binds or piece in answers)
        if piece.same not in _own(lesson) or piece in answers
    ]
    student = closure({asked}, mine)
    needs = set().union(*(piece.needs for piece in student))
    stars = [piece for piece in mine if "*" in piece.binds]
    student = [piece for piece in mine if piece in student or piece in stars]
    course = closure(needs, list(course_pieces(lesson, name)))
    load = {
        alias.name if isinstance(piece.tree, ast.Import) else piece.tree.module
        for piece in course
        if isinstance(piece.tree, (ast.Import, ast.ImportFrom))
        for alias in piece.tree.names
    }
    used = {piece.file: read.notebook.cells[piece.cell - 1][1] for piece in student}
    return {
        "lesson": lesson,
        "asked": name,
        "name": asked,
        "course": [(piece.file, piece.text) for piece in course],
        "student": [(piece.file, piece.text) for piece in student],
        "sources": used,
        "flags": 0x1000000 if read.future else 0,
        "load": sorted(module for module in load if module),
        "pieces": student,
    }


TAMPERED = "flagged as tampering: it {}. No points; please talk to your instructor."


def remarks_on(read: Read, lesson: int) -> list[str]:
    """What other cells do to the checker; they are not run."""
    found, names = [], set(exercise_names(lesson))
    answers = {piece.cell for piece in read.pieces if names & set(piece.binds)}
    for number, (kind, source, _) in enumerate(read.notebook.cells, start=1):
        if kind != "code" or number in answers or any(source.strip() == cell.source.strip() for cell in _cells(lesson)):
            continue
        try:
            said = tampering_in(ast.parse(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if said:
            found.append(f"cell {number} {said}; it was not run.")
    return found
