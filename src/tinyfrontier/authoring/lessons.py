"""Read a lesson's source, check its form, and load what it defines. Needs jupytext and PyYAML; runs no lesson."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import jupytext
import yaml

from .._course import claims_in
from .bands import count_minutes

ROOT = Path(__file__).resolve().parents[3]
TAGS = ("exercise", "check", "instructor", "panel", "verdict", "nbval-check-output")
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_PAGE_KEYS = {"number": int, "slug": str, "title": str, "minutes": int, "exercises": list, "budget": dict}
_LESSON_KEYS = {**_PAGE_KEYS, "part": int, "sections": list, "claim": (str, dict), "prerequisites": list}
_TERMS = "terms"  # new words for the glossary; may be missing
_FENCE = re.compile(r"^(?P<indent>[ \t>*+\-\d.]*?)(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)$")


class LessonError(ValueError):
    """A lesson's source is malformed; the message holds one `file:line: what is wrong` for each fault."""


@dataclass(frozen=True)
class Cell:
    """One cell: "code" or "markdown", its text, the line on which it starts, its tags and name."""

    kind: str
    source: str
    line: int
    tags: tuple[str, ...] = ()
    name: str = ""

    @property
    def code_lines(self) -> int:
        """Lines of code, blank ones and the solution's markers left out; 0 for prose."""
        lines = self.source.split("\n") if self.kind == "code" else []
        return sum(bool(line.strip()) and line.strip() not in (BEGIN, END) for line in lines)


@dataclass(frozen=True)
class Lesson:
    """A lesson's source: its front matter and its cells. `number` 0 is the start page."""

    path: Path
    front: dict
    cells: tuple[Cell, ...] = field(repr=False)

    @property
    def number(self) -> int:
        """The lesson's number; 0 for the start page."""
        return self.front["number"]

    @property
    def stem(self) -> str:
        """The name that source and notebooks share, such as `06_mixture_of_experts`."""
        return self.path.stem

    def minutes(self) -> int:
        """Minutes that the lesson takes: words / 150, lines of code / 20, and what its exercises say of themselves."""
        prose = "\n\n".join(cell.source for cell in self.cells if cell.kind == "markdown")
        return count_minutes(prose, sum(cell.code_lines for cell in self.cells))

    def tagged(self, tag: str) -> list[Cell]:
        """The cells that carry a tag."""
        return [cell for cell in self.cells if tag in cell.tags]


@lru_cache(maxsize=4)
def curriculum(root: Path = ROOT) -> dict:
    """The whole course as `lessons/curriculum.yml` lists it: articles with sections, parts, and 44 lessons."""
    return yaml.safe_load((root / "lessons" / "curriculum.yml").read_text(encoding="utf-8"))


def section_ids(root: Path = ROOT) -> dict[str, str]:
    """All section ids of the four articles, with their titles."""
    return {
        key: title for article in curriculum(root)["articles"].values() for key, title in article["sections"].items()
    }


def find_lessons(root: Path = ROOT) -> list[Path]:
    """The sources of the start page and of all finished lessons, in order."""
    return sorted(path for path in (root / "lessons").glob("[0-9][0-9]_*.md"))


def finished(root: Path = ROOT) -> list[Lesson]:
    """The finished lessons (those with a source), in order, without the start page."""
    return [lesson for path in find_lessons(root) if (lesson := read_lesson(path, root)).number > 0]


def lesson_path(number: int | str, root: Path = ROOT) -> Path:
    """The source of lesson `number`.

    Raises:
        ValueError: if there is none.
    """
    found = [path for path in find_lessons(root) if int(path.stem[:2]) == int(number)]
    if not found:
        have = ", ".join(path.stem[:2] for path in find_lessons(root))
        raise ValueError(f"number must be that of a lesson with a source ({have}), got {number}")
    return found[0]


def _split_front_matter(text: str, path: Path) -> tuple[dict, str, int]:
    lines = text.split("\n")
    if lines[0].strip() != "---":
        raise LessonError(f"{path}:1: front matter is missing; the file must start with a line of three dashes")
    for end in range(1, len(lines)):
        if lines[end].strip() == "---":
            break
    else:
        raise LessonError(f"{path}:1: front matter is not closed; end it with a line of three dashes")
    try:
        front = yaml.safe_load("\n".join(lines[1:end]))
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 2
        raise LessonError(
            f"{path}:{line}: front matter is not valid YAML: {getattr(error, 'problem', error)}"
        ) from None
    if not isinstance(front, dict):
        raise LessonError(f"{path}:2: front matter must be a list of `key: value` lines")
    return front, "\n".join(lines[end + 1 :]), end + 2


def _line_of_key(text: str, key: str) -> int:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith(f"{key}:"):
            return number
    return 1


def _front_faults(front: dict, text: str, path: Path, root: Path) -> list[str]:
    faults = []
    keys = _PAGE_KEYS if front.get("number") == 0 else _LESSON_KEYS
    for key, kind in keys.items():
        if key not in front:
            faults.append(f"{path}:1: front matter lacks the key `{key}`")
        elif not isinstance(front[key], kind) or isinstance(front[key], bool):
            found, wanted = type(front[key]).__name__, getattr(kind, "__name__", "text, or a mapping of key to text")
            faults.append(f"{path}:{_line_of_key(text, key)}: front matter key `{key}` must be {wanted}, got {found}")
    for key in front:
        if key not in keys and key != _TERMS:
            known = ", ".join([*keys, _TERMS])
            faults.append(
                f"{path}:{_line_of_key(text, str(key))}: unknown front matter key `{key}`; known keys: {known}"
            )
    terms = front.get(_TERMS, [])
    if not isinstance(terms, list):
        faults.append(f"{path}:{_line_of_key(text, _TERMS)}: front matter key `{_TERMS}` must be a list, got {terms!r}")
    for term in terms if isinstance(terms, list) else []:
        if not (isinstance(term, list) and len(term) == 3 and all(isinstance(part, str) and part for part in term)):
            faults.append(
                f"{path}:{_line_of_key(text, _TERMS)}: a term must be [English, Chinese, one sentence], got {term!r}"
            )
    if faults:
        return faults
    if path.stem != f"{front['number']:02d}_{front['slug']}":
        faults.append(
            f"{path}:{_line_of_key(text, 'slug')}: the file must be named {front['number']:02d}_{front['slug']}.md"
        )
    if front["number"] == 0:
        return faults
    known = section_ids(root)
    try:
        claimed = [section for _, own in claims_in(front).values() for section in own]
    except ValueError as error:
        faults.append(f"{path}:{_line_of_key(text, 'claim')}: {error}")
        claimed = []
    for section in dict.fromkeys([*front["sections"], *claimed]):
        if section not in known:
            line = _line_of_key(text, "sections")
            faults.append(f"{path}:{line}: unknown section id `{section}`; known ids: {', '.join(known)}")
    rows = {row["number"]: row for row in curriculum(root)["lessons"]}
    row = rows.get(front["number"])
    if row is None:
        faults.append(
            f"{path}:{_line_of_key(text, 'number')}: number {front['number']} is not in lessons/curriculum.yml"
        )
    else:
        for key in ("slug", "title", "part"):
            if row[key] != front[key]:
                line = _line_of_key(text, key)
                faults.append(f"{path}:{line}: `{key}` is {front[key]!r}, but lessons/curriculum.yml says {row[key]!r}")
    for number in front["prerequisites"]:
        if number not in rows:
            faults.append(
                f"{path}:{_line_of_key(text, 'prerequisites')}: prerequisite {number} is not a lesson's number"
            )
    return faults


def _fences(body: str, first: int, path: Path) -> tuple[list[int], list[str]]:
    """Lines of the code cells' opening fences, and the faults of fences that would become cells by accident."""
    opens, faults = [], []
    lines = body.split("\n")
    inside: tuple[str, int, bool] | None = None
    details = 0
    for at, line in enumerate(lines):
        match = _FENCE.match(line)
        number = at + first
        if inside is not None:
            marks, _, is_cell = inside
            if (
                match
                and match["marks"][0] == marks[0]
                and len(match["marks"]) >= len(marks)
                and not match["info"].strip()
            ):
                if is_cell and at + 1 < len(lines) and lines[at + 1].strip():
                    faults.append(f"{path}:{number + 1}: leave a blank line after a code cell")
                inside = None
            continue
        if not match:
            details += line.count("<details") - line.count("</details>")
            continue
        info = match["info"].strip()
        language = re.split(r"[\s{]", info, maxsplit=1)[0].strip("{}").lower() if info else ""
        if not language and info.startswith("{"):
            language = info.strip("{} ").split()[0].lower()
        is_python = language in ("python", "python3", "py", "ipython", "ipython3")
        is_cell = False
        if is_python:
            glued = at > 0 and lines[at - 1].strip() != ""
            tidy = match["marks"] == "```" and match["indent"] == "" and info.split()[0] == "python"
            if not tidy or glued or details > 0:
                faults.append(
                    f"{path}:{number}: a bare python fence in prose would become a cell; write ```text for code "
                    "to read, or set a real cell apart with blank lines, at the start of the line, outside <details>"
                )
                is_cell = tidy
            else:
                is_cell = True
            if is_cell:
                opens.append(number)
        inside = (match["marks"], number, is_cell)
    if inside is not None:
        faults.append(f"{path}:{inside[1]}: this fence is not closed")
    return opens, faults


def _solution_faults(cell: Cell, path: Path) -> list[str]:
    faults, open_line, regions = [], None, 0
    for at, line in enumerate(cell.source.split("\n")):
        number = cell.line + 1 + at
        if line.strip() == BEGIN:
            if open_line is not None:
                faults.append(f"{path}:{number}: a solution region begins inside the one of line {open_line}")
            open_line, regions = number, regions + 1
        elif line.strip() == END:
            if open_line is None:
                faults.append(f"{path}:{number}: a solution region ends that never began")
            open_line = None
    if open_line is not None:
        faults.append(f"{path}:{open_line}: the solution region is not closed; end it with `{END}`")
    if "exercise" in cell.tags and regions == 0:
        faults.append(f"{path}:{cell.line}: exercise `{cell.name}` has no solution region ({BEGIN} … {END})")
    if "exercise" not in cell.tags and regions:
        faults.append(f'{path}:{cell.line}: a solution region stands outside an exercise; tag the cell "exercise"')
    return faults


def _cell_faults(lesson: Lesson) -> list[str]:
    path, faults = lesson.path, []
    exercises: dict[str, Cell] = {}
    checks: dict[str, Cell] = {}
    code = [cell for cell in lesson.cells if cell.kind == "code"]
    for cell in code:
        where = f"{path}:{cell.line}"
        for tag in cell.tags:
            if tag not in TAGS:
                faults.append(f"{where}: unknown tag `{tag}`; known tags: {', '.join(TAGS)}")
        if not cell.source.strip():
            faults.append(f"{where}: this code cell is empty")
        try:
            tree = ast.parse(cell.source)
        except SyntaxError as error:
            faults.append(f"{path}:{cell.line + (error.lineno or 1)}: not valid Python: {error.msg}")
            tree = ast.Module([], [])
        faults += _solution_faults(cell, path)
        for tag, table in (("exercise", exercises), ("check", checks)):
            if tag not in cell.tags:
                continue
            if not cell.name:
                faults.append(f'{where}: a cell tagged "{tag}" needs a name, such as name="attention"')
            elif cell.name in table:
                first = table[cell.name].line
                faults.append(f"{where}: duplicate {tag} name `{cell.name}`, first used on line {first}")
            else:
                table[cell.name] = cell
        if "exercise" in cell.tags and cell.name:
            defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
            if cell.name not in defined and not any("not valid Python" in fault for fault in faults):
                faults.append(f"{where}: exercise `{cell.name}` must define a function of that name")
    for name, cell in exercises.items():
        if name not in checks:
            faults.append(f"{path}:{cell.line}: exercise `{name}` has no check cell")
        elif checks[name].line < cell.line:
            faults.append(f"{path}:{checks[name].line}: the check of `{name}` stands before its exercise")
    for name, cell in checks.items():
        if name not in exercises:
            faults.append(f"{path}:{cell.line}: check `{name}` has no exercise of that name")
    listed = lesson.front["exercises"]
    if not faults and listed != list(exercises):
        line = _line_of_key(path.read_text(encoding="utf-8"), "exercises")
        faults.append(f"{path}:{line}: front matter lists the exercises {listed}, the cells are {list(exercises)}")
    if lesson.number == 0:
        return faults
    opening = f"# {lesson.number:02d} · "
    if not lesson.cells or not lesson.cells[0].source.startswith(opening):
        faults.append(f"{path}:1: the lesson's text must begin with the title, `{opening}…`")
    for name in exercises:
        hints = _hints_around(lesson, name)
        if hints != 3:
            faults.append(
                f"{path}:{exercises[name].line}: exercise `{name}` needs three <details> hints beside it, found {hints}"
            )
    for tag in ("panel", "verdict"):
        if not lesson.tagged(tag):
            faults.append(f'{path}:1: the lesson has no cell tagged "{tag}"')
    for cell in lesson.tagged("panel"):
        later = [other for other in code if other.line > cell.line]
        if not later or "instructor" not in later[0].tags or ".prove()" not in later[0].source:
            faults.append(
                f'{path}:{cell.line}: a panel must be followed by an "instructor" cell that calls .prove() on it'
            )
    return faults


def _hints_around(lesson: Lesson, name: str) -> int:
    """Number of hints in the prose between an exercise's cell and its check."""
    count, between = 0, False
    for cell in lesson.cells:
        if cell.kind == "code" and cell.name == name:
            between = "exercise" in cell.tags
        elif between and cell.kind == "markdown":
            count += cell.source.count("<details>")
    return count


def read_lesson(path: str | Path, root: Path = ROOT) -> Lesson:
    """Read and check a lesson's source.

    Raises:
        LessonError: if it is malformed; the message names file, line and what is wrong, one line for each fault.
    """
    state = Path(path).stat()
    return _read(Path(path), root, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=128)  # one run of the build asks for each lesson about eight times
def _read(path: Path, root: Path, modified: int, size: int) -> Lesson:
    shown = path.relative_to(root) if path.is_absolute() and path.is_relative_to(root) else path
    text = path.read_text(encoding="utf-8")
    front, body, first = _split_front_matter(text, shown)
    faults = _front_faults(front, text, shown, root)
    opens, fence_faults = _fences(body, first, shown)
    faults += fence_faults
    if faults:
        raise LessonError("\n".join(faults))
    cells, code_seen = [], 0
    for cell in jupytext.reads(body, fmt="md").cells:
        if cell.cell_type != "code":
            if cell.source.strip():
                cells.append(Cell("markdown", cell.source.strip("\n"), 0))
            continue
        if code_seen >= len(opens):
            raise LessonError(f"{shown}:{first}: jupytext finds more code cells than there are ```python fences")
        name = cell.metadata.get("name", "")
        cells.append(Cell("code", cell.source, opens[code_seen], tuple(cell.metadata.get("tags", ())), name))
        code_seen += 1
    if code_seen != len(opens):
        raise LessonError(f"{shown}:{opens[code_seen]}: jupytext does not read this fence as a cell")
    lesson = Lesson(path, front, tuple(cells))
    faults = [fault.replace(str(path), str(shown)) for fault in _cell_faults(lesson)]
    if faults:
        raise LessonError("\n".join(faults))
    return lesson


def definitions(lesson: int | str | Path) -> ModuleType:
    """A module with every import, function, class and UPPER_CASE constant of a lesson; nothing else of it is run.

    Tests and benchmarks use it to hold the very code that the lesson shows; tracebacks point into the lesson's source.

    Raises:
        ValueError: if the lesson has no source.
    """
    path = Path(lesson) if isinstance(lesson, Path) else lesson_path(lesson)
    module = ModuleType(f"lesson_{path.stem}")
    module.__file__ = str(path)
    for cell in read_lesson(path).cells:
        if cell.kind != "code":
            continue
        tree = ast.parse(cell.source)
        tree.body = [node for node in tree.body if defines(node)]
        if tree.body:
            ast.increment_lineno(tree, cell.line)
            # without dont_inherit this file's `annotations` feature would hold in the lesson, and break its dataclasses
            exec(compile(tree, str(path), "exec", dont_inherit=True), module.__dict__)
    return module


def defines(node: ast.stmt) -> bool:
    """Whether `definitions` runs this statement of a lesson."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
        return True
    if not isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return all(isinstance(target, ast.Name) and target.id.isupper() for target in targets)
