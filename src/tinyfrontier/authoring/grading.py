"""Grade a class in seconds: `python3 course.py grade FOLDER [--lesson 06] [--out OUT]`.

Of each notebook only the exercises are run, one process each (`graded_process`), and their values are checked in
another (`graded_calls`, which says what this protects from). Results are kept by a hash of the code that was run and of
the course, so that an interrupted run continues and equal answers get equal grades.
"""

from __future__ import annotations

import argparse
import ast
import atexit
import difflib
import functools
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

from . import STUDENT_CODE
from .lessons import ROOT, defines, find_lessons, lesson_path, read_lesson
from .notebooks import solution_code, strip_solution
from .submissions import (
    Notebook,
    Piece,
    Submitted,
    closure,
    find_submissions,
    free_names,
    is_stub,
    lesson_in_name,
    pieces_of,
    read_notebook,
)

SECONDS = 10.0
MEMORY_MIB = 1536
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


@dataclass
class Graded:
    """One student's lesson: findings in the lesson's order, remarks on the whole notebook, and which file it was."""

    student: str
    lesson: int
    findings: list[Finding]
    remarks: list[str] = field(default_factory=list)
    place: str = ""

    @property
    def points(self) -> int:
        """The sum over the exercises."""
        return sum(finding.points for finding in self.findings)


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


@functools.cache
def course_version() -> str:
    """A hash of what decides a grade besides lesson and answer: the checks, the grader, Python and PyTorch."""
    from importlib.metadata import version

    here = Path(__file__).parent
    sources = [*sorted((here.parent / "exercises").glob("*.py"))]
    sources += [here / f"{name}.py" for name in ("grading", "graded_process", "graded_calls", "submissions", "wire")]
    total = hashlib.sha256(f"{sys.version_info[:2]} {version('torch')}".encode())
    for path in sources:
        total.update(path.read_bytes())
    return total.hexdigest()


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


@dataclass
class _Read:
    """A notebook, parsed: its pieces, the cells that are no Python, and those that were turned to text."""

    notebook: Notebook
    pieces: list[Piece]
    broken: list[tuple[int, str, SyntaxError]]
    texts: list[Piece]
    future: bool

    @classmethod
    def of(cls, notebook: Notebook) -> _Read:
        pieces, broken, texts, future = [], [], [], False
        for number, (kind, source, _) in enumerate(notebook.cells, start=1):
            file = f"{STUDENT_CODE}cell {number}"
            try:
                if kind == "code":
                    found = pieces_of(source, file, number)
                    future |= any("from __future__ import annotations" in ast.unparse(piece.tree) for piece in found)
                    pieces += [piece for piece in found if "from __future__" not in ast.unparse(piece.tree)]
                elif "def " in source:
                    fenced = "\n".join("" if line.startswith("```") else line for line in source.split("\n"))
                    texts += pieces_of(fenced, file, number)
            except SyntaxError as error:
                if kind == "code":
                    broken.append((number, source, error))
        return cls(notebook, pieces, broken, texts, future)


def _answers(name: str, read: _Read) -> tuple[list[Piece], list[str]]:
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


def _position_notes(name: str, answer: Piece, read: _Read) -> list[str]:
    ids = [known for _, _, known in read.notebook.cells]
    own, check = f"exercise-{name.replace('_', '-')}", f"check-{name.replace('_', '-')}"
    notes = []
    if check not in ids:
        notes.append("the check's cell is missing; the answer was graded all the same.")
    elif ids.index(check) + 1 < answer.cell:
        notes.append(f"the answer stands in cell {answer.cell}, below its check; it was graded all the same.")
    elif any(ids) and own in ids and ids[answer.cell - 1] != own:
        notes.append(f"the answer stands in another cell than the exercise's (cell {answer.cell}).")
    return notes


def plan(read: _Read, lesson: int, name: str) -> tuple[Finding | None, dict | None, list[str]]:
    """What is to be run for an exercise, or a finding where nothing can be; and remarks."""
    answers, notes = _answers(name, read)
    asked, ids = name, [known for _, _, known in read.notebook.cells]
    own = f"exercise-{name.replace('_', '-')}"
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
            return Finding(name, "tampering", _TAMPERED.format(said)), None, notes
    return None, task, notes


def _task(read: _Read, lesson: int, name: str, asked: str, answers: list[Piece]) -> dict:
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


_TAMPERED = "flagged as tampering: it {}. No points; please talk to your instructor."


# ------------------------------------------------------------------------------------------------------- running


_FATES = {
    "too slow": "stopped after {seconds:g} s of computing. Is there a loop that never ends?",
    "memory": "out of memory: it wanted more than {memory} MiB.",
    "crash": "it crashed the Python process ({said}).",
    "exit": "it ended the Python process (`exit`). A function returns; it does not end the program.",
    "input": "it waits for the keyboard with `input()`. A function gets all it needs as arguments.",
    "output": "it prints without end.",
    "malformed": "it came back with something that cannot be read.",
}


def _fate_of(function, result) -> str:
    """The word for how a process ended, or for what all of its errors have in common; "" for an ordinary result."""
    if function.fate:
        return function.fate
    said = " ".join(text for label, text in (result.details if result else ()) if label == "said").lower()
    if "MemoryError" in function.trouble or "can't allocate memory" in said or "not enough memory" in said:
        return "memory"
    known = {"SystemExit": "exit", "KeyboardInterrupt": "exit", "InputAsked": "input", "TooMuchOutput": "output"}
    return next((fate for kind, fate in known.items() if kind in function.trouble), "")


def _code_of(task: dict):
    """The code of the student's function, compiled to be read by a diagnosis; it is never run."""
    for file, text in reversed(task["student"]):
        try:
            parts = compile(text, file, "exec", dont_inherit=True).co_consts
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None, False
        for part in parts:
            if getattr(part, "co_name", "") == task["name"]:
                wraps = [ast.unparse(one) for node in tree.body for one in getattr(node, "decorator_list", [])]
                return part, any("no_grad" in text or "inference_mode" in text for text in wraps)
    return None, False


def run_task(task: dict, nursery, seconds: float = SECONDS, memory_mib: int = MEMORY_MIB) -> Finding:
    """Run one exercise's check on one student's function.

    Args:
        task: as `plan` makes it.
        nursery: a `graded_calls.Nursery`.
        seconds: CPU time of one call.
        memory_mib: memory beyond what an idle process holds.
    """
    import torch

    from ..exercises import exercises_of
    from ..exercises.engine import run_check
    from .graded_calls import Elsewhere
    from .wire import cloudpickle

    torch.set_num_threads(1)
    exercise = exercises_of(task["lesson"])[task["asked"]]
    module = sys.modules[exercise.oracle.__module__]
    cloudpickle.register_pickle_by_value(module)
    function = Elsewhere(nursery, task, seconds, memory_mib * 2**20)
    try:
        result = None
        if "error" in function.loaded:
            told = function.loaded["error"]
            kind, text = str(told["kinds"][0]), str(told["text"]).split("\n")[0][:200]
            function.trouble.add(kind)
            line = f"your code cannot be loaded: {kind}: {text}"
            found = Finding(task["asked"], "raised", line, [["in", told["place"]]] if told.get("place") else [])
        elif not function.fate:
            function.imitate(*_code_of(task))
            result = run_check(exercise, function, time_limit=10 * seconds + 120)
            details = [[label, text] for label, text in result.details]
            found = Finding(task["asked"], result.status, result.headline, details, result.hint, result.mistake)
        else:
            found = Finding(task["asked"], "wrong", "")
        if found.status != "passed" or function.fate:
            _explain_fate(found, function, result, seconds, memory_mib)
        return found
    finally:
        cloudpickle.unregister_pickle_by_value(module)
        function.close()


def _explain_fate(found: Finding, function, result, seconds: float, memory_mib: int) -> None:
    fate = _fate_of(function, result)
    if fate == "tampering":
        found.status, found.line, found.details = "tampering", _TAMPERED.format(function.said), []
    elif fate:
        found.status = "crash" if fate == "malformed" else fate
        found.line = _FATES[fate].format(seconds=seconds, memory=memory_mib, said=_signal_name(function.said))
        found.details = [pair for pair in found.details if pair[0] == "case"]
    if fate:
        found.hint = found.mistake = ""


def _signal_name(code: str) -> str:
    import signal

    try:
        return f"signal {signal.Signals(-int(code)).name}"
    except ValueError:
        return f"exit code {code}"


def task_key(task: dict, seconds: float, memory_mib: int) -> str:
    """A hash of all that decides a finding."""
    told = {name: part for name, part in task.items() if name != "private"}
    text = json.dumps([course_version(), told, seconds, memory_mib], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


_nursery = None


def _work(task: dict, seconds: float, memory_mib: int) -> Finding:
    """In a worker: its own warm parent, made on first use."""
    global _nursery
    if _nursery is None:
        from .graded_calls import Nursery

        _nursery = Nursery()
        atexit.register(_nursery.close)
    return run_task(task, _nursery, seconds, memory_mib)


def _run_all(tasks: dict[str, dict], cache: Path, seconds: float, memory_mib: int, workers: int, method: str | None):
    """Run what is not cached, with a progress bar; each result is kept at once."""
    from tqdm import tqdm

    def keep(key: str, found: Finding) -> None:
        beside = cache / f"{key}.new"
        beside.write_text(json.dumps(asdict(found), ensure_ascii=False), encoding="utf-8")
        os.replace(beside, cache / f"{key}.json")

    left = {key: task for key, task in tasks.items() if not (cache / f"{key}.json").exists()}
    with tqdm(total=len(tasks), initial=len(tasks) - len(left), desc="exercises", unit="") as bar:
        if workers == 1 and left:
            from .graded_calls import Nursery

            with Nursery(method) as nursery:
                for key, task in left.items():
                    keep(key, run_task(task, nursery, seconds, memory_mib))
                    bar.update()
        elif left:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                futures = {pool.submit(_work, task, seconds, memory_mib): key for key, task in left.items()}
                try:
                    for future in as_completed(futures):
                        keep(futures[future], future.result())
                        bar.update()
                except BaseException as error:
                    pool.shutdown(wait=False, cancel_futures=True)
                    if isinstance(error, BrokenProcessPool):
                        raise RuntimeError(
                            "a grading process was ended from outside; run the command again to go on"
                        ) from None
                    raise


# ------------------------------------------------------------------------------------------------------ the class


def _lesson_of(notebook: Notebook, place: str, asked: int | None) -> int | None:
    return notebook.lesson if notebook.lesson is not None else lesson_in_name(place) or asked


def _remarks(read: _Read, lesson: int) -> list[str]:
    """What other cells do to the checker; they are not run."""
    found = []
    answers = {piece.cell for piece in read.pieces if set(exercise_names(lesson)) & set(piece.binds)}
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


class _Student:
    """All that one student handed in, by the lesson that it holds and the lesson that it is named after."""

    def __init__(self, name: str):
        self.name = name
        self.versions: dict[int, list[tuple[Submitted, Notebook]]] = {}
        self.strays: dict[int, tuple[Submitted, int]] = {}
        self.broken: dict[int, tuple[Submitted, Notebook]] = {}


def _sorted_out(found: Iterable[Submitted], asked: int | None) -> tuple[dict[str, _Student], list[int]]:
    known = {int(path.stem[:2]) for path in find_lessons()}
    students: dict[str, _Student] = {}
    lessons: set[int] = set()
    read = [(one, read_notebook(one.data)) for one in found]
    for one, notebook in read:
        named, holds = lesson_in_name(one.place), _lesson_of(notebook, one.place, asked)
        if holds in known and named in (None, holds):
            lessons.add(holds)
    lessons = {asked} if asked is not None else lessons
    for one, notebook in read:
        student = students.setdefault(one.student, _Student(one.student))
        named, holds = lesson_in_name(one.place), _lesson_of(notebook, one.place, asked)
        wanted = named if named in lessons else min(lessons, default=None) if len(lessons) == 1 else None
        if notebook.fault:
            if wanted is not None:
                student.broken[wanted] = (one, notebook)
        elif holds in lessons:
            student.versions.setdefault(holds, []).append((one, notebook))
        elif wanted is not None and holds is not None:
            student.strays[wanted] = (one, holds)
    return students, sorted(lesson for lesson in lessons if exercise_names(lesson))


def grade(
    folder: str | Path,
    out: str | Path,
    lesson: int | None = None,
    *,
    seconds: float = SECONDS,
    memory_mib: int = MEMORY_MIB,
    workers: int | None = None,
    method: str | None = None,
) -> list[Graded]:
    """Grade every notebook under a folder and write grades, feedback and the class's overview.

    Of two versions by one student the better one counts.

    Args:
        folder: what was handed in, in any layout, or a zip.
        out: where to write; results of an earlier run there are used again.
        lesson: the lesson to grade; None for all that are found.
        seconds: CPU time that one call of a function may take.
        memory_mib: memory that a function may take.
        workers: processes that grade side by side; None for as many as there are cores.
        method: "fork", "spawn" or None for what the system can.

    Raises:
        TypeError: if `lesson` is no integer.
        ValueError: if `folder` holds no notebook, `lesson` is none of the course, or a limit is not positive.
    """
    from .grade_report import write_reports

    if lesson is not None and (isinstance(lesson, bool) or not isinstance(lesson, int)):
        raise TypeError(f"lesson must be an int, got {type(lesson).__name__}")
    for name, value in (
        ("seconds", seconds),
        ("memory_mib", memory_mib),
        ("workers", 1 if workers is None else workers),
    ):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ValueError(f"{name} must be a positive number, got {value!r}")
    if lesson is not None:
        lesson_path(lesson)
    target = Path(out)
    (target / "cache").mkdir(parents=True, exist_ok=True)
    students, lessons = _sorted_out(find_submissions(folder), lesson)
    if not lessons:
        raise ValueError("folder must hold notebooks of the course's lessons with exercises; none was recognised")
    private = [str(Path(folder).resolve()), str(target.resolve())]
    tasks: dict[str, dict] = {}
    planned: dict[tuple[str, int], list] = {}
    for student in students.values():
        for number in lessons:
            versions = student.versions.get(number, [])
            planned[student.name, number] = [
                _planned(*one, number, tasks, private, seconds, memory_mib) for one in versions
            ]
    workers = workers or max(1, min(os.cpu_count() or 1, len(tasks)))
    _run_all(tasks, target / "cache", seconds, memory_mib, workers, method)
    graded = [
        _graded(student, number, planned[student.name, number], target / "cache")
        for student in sorted(students.values(), key=lambda student: student.name.lower())
        for number in lessons
    ]
    write_reports(graded, target)
    return graded


def _planned(one: Submitted, notebook: Notebook, lesson: int, tasks: dict, private: list[str], seconds, memory_mib):
    read = _Read.of(notebook)
    entries = []
    for name in exercise_names(lesson):
        finding, task, notes = plan(read, lesson, name)
        key = ""
        if task is not None:
            key = task_key(task, seconds, memory_mib)
            tasks.setdefault(key, {**task, "private": private})
        renamed = task["name"] if task is not None and task["name"] != name else ""
        entries.append((name, finding, key, notes, renamed))
    return one, entries, _remarks(read, lesson)


def _worth(lesson: int) -> dict[str, int]:
    """Points by exercise, as nbgrader's metadata in the student's notebook gives them."""
    path = ROOT / "notebooks" / f"{lesson_path(lesson).stem}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    about = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    points = {one["grade_id"].removeprefix("check-"): one["points"] for one in about if one.get("grade")}
    return {name: points[name] for name in exercise_names(lesson)}


def _graded(student: _Student, lesson: int, versions: list, cache: Path) -> Graded:
    worth = _worth(lesson)
    best: Graded | None = None
    for one, entries, remarks in versions:
        findings = []
        for name, finding, key, notes, renamed in entries:
            if finding is None:
                finding = Finding(**json.loads((cache / f"{key}.json").read_text(encoding="utf-8")))
            finding.notes = list(notes)
            finding.worth = worth[name]
            if renamed:
                known = "it passes" if finding.status == "passed" else f"it does not pass: {finding.line}"
                finding.status, finding.mistake = "renamed", ""
                finding.line = f"no cell defines `{name}`; there is `{renamed}` instead. Under the right name {known}"
                finding.line = finding.line.rstrip(".") + "."
            finding.points = worth[name] if finding.status == "passed" else 0
            findings.append(finding)
        this = Graded(student.name, lesson, findings, list(remarks), one.place)
        if best is None or this.points > best.points:
            best = this
    if best is not None:
        if len(versions) > 1:
            others = ", ".join(f"`{one.place}`" for one, *_ in versions if one.place != best.place)
            best.remarks.insert(
                0, f"{len(versions)} versions were handed in; the better one counts, `{best.place}`, not {others}."
            )
        if lesson in student.broken:
            place, notebook = student.broken[lesson]
            best.remarks.append(f"`{place.place}` was left out: {notebook.fault}.")
        return best
    if lesson in student.broken:
        one, notebook = student.broken[lesson]
        status, line, place = "unreadable", notebook.fault + ".", one.place
    elif lesson in student.strays:
        one, holds = student.strays[lesson]
        status, place = "another lesson", one.place
        line = f"what was handed in is the notebook of lesson {holds:02d}, not of lesson {lesson:02d}."
    else:
        status, line, place = "absent", f"no notebook of lesson {lesson:02d} was handed in.", ""
    findings = [Finding(name, status, line, worth=points) for name, points in worth.items()]
    return Graded(student.name, lesson, findings, [], place)


def main(arguments: list[str] | None = None) -> int:
    """The command line; exit code 1 with one sentence where nothing can be graded."""
    parser = argparse.ArgumentParser(prog="course.py grade", description="Grade students' notebooks, exercises only.")
    parser.add_argument("folder", help="what was handed in: a folder in any layout, or a zip")
    parser.add_argument("--lesson", type=int, help="the lesson to grade; else all that are found")
    parser.add_argument("--out", help="where to write (default: FOLDER_graded, beside FOLDER)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="computing time of one call of a function")
    parser.add_argument("--memory", type=int, default=MEMORY_MIB, help="memory of a function in MiB")
    parser.add_argument("--workers", type=int, help="processes side by side (default: one a core)")
    given = parser.parse_args(arguments)
    folder = Path(given.folder)
    out = Path(given.out) if given.out else folder.resolve().with_name(folder.resolve().stem + "_graded")
    try:
        graded = grade(folder, out, given.lesson, seconds=given.seconds, memory_mib=given.memory, workers=given.workers)
    except (ValueError, RuntimeError) as error:
        print(f"course.py grade: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on where it was.", file=sys.stderr)
        return 130
    from .grade_report import summary

    print(summary(graded, out))
    return 0


if __name__ == "__main__":
    sys.exit(main())


__all__ = ["Finding", "Graded", "course_version", "free_names", "grade", "plan", "run_task", "tampering_in"]
