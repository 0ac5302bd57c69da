"""Find students' notebooks in whatever a platform hands out, and take out of them what an exercise needs.

Nothing of a notebook is run here: cells are parsed, and only definitions are taken.
"""

from __future__ import annotations

import ast
import io
import json
import re
import symtable
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath

from .lessons import ROOT, find_lessons

LARGEST = 50 * 2**20  # bytes of one notebook, and of what one zip may hold of them
_GENERIC = {"notebooks", "my_work", "submitted", "submissions", "source", "release", "content", "home", "solutions"}
_SKIPPED = {".ipynb_checkpoints", "__MACOSX", ".backup", ".git", ".venv"}
_MOODLE = re.compile(r"_\d+_assignsubmission_(?:file|onlinetext)_?$")
_CANVAS = re.compile(r"(?:_LATE)?_\d+_\d+$")
_VERSION = re.compile(r"(?:[ _-]*(?:\(\d+\)|copy\d*|v\d+|final|version ?\d+|-\d+))+$|^\d+$", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"(?:week|assignment|homework|hw|ps|sheet|lesson|lab)[ _-]?\d*$|\d\d(?:_\w+)?$", re.IGNORECASE)


@dataclass
class Submitted:
    """One file that somebody handed in: whose it is, where it lay, what it holds."""

    student: str
    place: str
    data: bytes = field(repr=False)


@dataclass
class Notebook:
    """A notebook's cells: (kind, source, id or grade id), and which lesson it says it is; `fault` if unreadable."""

    cells: list[tuple[str, str, str]] = field(default_factory=list)
    lesson: int | None = None
    fault: str = ""


# ---------------------------------------------------------------------------------------------------- finding


def _files(folder: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if _SKIPPED & set(parts) or not path.is_file():
            continue
        if path.suffix.lower() in (".ipynb", ".zip"):
            if path.suffix.lower() == ".zip" or path.stat().st_size <= LARGEST:
                yield from _opened(PurePosixPath(*parts), path.read_bytes(), 0)
            else:
                yield PurePosixPath(*parts), b""


def _opened(place: PurePosixPath, data: bytes, depth: int) -> Iterator[tuple[PurePosixPath, bytes]]:
    """A file, or the notebooks within it if it is a zip; a damaged zip counts as a damaged notebook."""
    if place.suffix.lower() != ".zip":
        yield place, data
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            left = 20 * LARGEST
            for entry in sorted(packed.infolist(), key=lambda entry: entry.filename):
                inner = PurePosixPath(entry.filename.replace("\\", "/"))
                if entry.is_dir() or _SKIPPED & set(inner.parts) or ".." in inner.parts:
                    continue
                if inner.suffix.lower() not in (".ipynb", ".zip") or depth > 2:
                    continue
                left -= entry.file_size
                if entry.file_size > (LARGEST if inner.suffix.lower() == ".ipynb" else 10 * LARGEST) or left < 0:
                    yield place / inner, b""
                    continue
                yield from _opened(place / inner, packed.read(entry), depth + 1)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        yield place.with_suffix(".ipynb"), b"damaged zip"


def _clean(name: str) -> str:
    name = _CANVAS.sub("", _MOODLE.sub("", name.strip(" _-")))
    return unicodedata.normalize("NFC", name.strip(" _-"))


def _named(stem: str) -> str:
    """The student in a file's name, beside the lesson's: `06_mixture_of_experts_ada` or `ada_123_456_06_mixture…`."""
    for lesson in sorted((path.stem for path in find_lessons()), key=len, reverse=True):
        found = re.search(rf"(?:^|[ _-]){lesson}(?:$|[ _(-])", stem)
        if found:
            start = found.start() + (stem[found.start()] in " _-")
            before, after = stem[:start], stem[start + len(lesson) :]
            return _clean(before) or _clean(_VERSION.sub("", after))
    return ""


def _student(parts: tuple[str, ...], stem: str) -> str:
    if named := _named(stem):
        return named
    folders = [part for part in parts if part.lower() not in _GENERIC and not _ASSIGNMENT.fullmatch(part)]
    plain = [part.removesuffix(".zip").removesuffix(".ZIP") for part in folders]
    for part, whole in zip(plain, plain, strict=True):
        if _MOODLE.search(part):
            return _clean(whole)
    lower = [part.lower() for part in parts]
    if "submitted" in lower and lower.index("submitted") + 1 < len(parts):
        return _clean(parts[lower.index("submitted") + 1])
    if len(plain) > 1 and folders[0].lower().endswith(".zip"):
        plain = plain[1:]
    if plain:
        inside = _named(plain[0])
        return inside or _clean(plain[0])
    return _clean(stem)


def find_submissions(folder: str | Path) -> list[Submitted]:
    """All notebooks under a folder, in zips too, each with the student whose it is.

    Whose it is: a name beside the lesson's in the file's name, else nbgrader's `submitted/STUDENT`, else the topmost
    folder (or zip) that is not one for all.

    Raises:
        TypeError: if `folder` is no path.
        ValueError: if `folder` is no folder or zip, or holds no notebook.
    """
    if not isinstance(folder, (str, Path)):
        raise TypeError(f"folder must be a path, got {type(folder).__name__}")
    root = Path(folder)
    if root.is_file() and root.suffix.lower() == ".zip":
        found = [
            (PurePosixPath(*place.parts[1:]), data)
            for place, data in _opened(PurePosixPath("x.zip"), root.read_bytes(), 0)
        ]
    elif root.is_dir():
        found = list(_files(root))
    else:
        raise ValueError(f"folder must be a folder or a zip of notebooks, got {str(folder)!r}")
    if not found:
        raise ValueError(f"folder must hold notebooks (.ipynb), got {str(folder)!r}, which has none")
    wrapped = 0
    while len({place.parts[wrapped] for place, _ in found if len(place.parts) > wrapped}) == 1 and all(
        len(place.parts) > wrapped + 2 for place, _ in found
    ):
        if (
            found[0][0].parts[wrapped].lower() == "submitted"
            or len({place.parts[wrapped + 1] for place, _ in found}) == 1
        ):
            break
        wrapped += 1
    return [
        Submitted(_student(place.parts[wrapped:-1], place.stem) or "unknown", str(place), data) for place, data in found
    ]


# ---------------------------------------------------------------------------------------------------- reading


def read_notebook(data: bytes) -> Notebook:
    """Cells and lesson of a notebook, whatever state it is in."""
    if not data:
        return Notebook(fault="the file is empty, or larger than 50 MB")
    if data == b"damaged zip":
        return Notebook(fault="the zip file is damaged")
    try:
        raw = json.loads(data.decode("utf-8-sig"))
        cells = raw["cells"]
        assert isinstance(cells, list)
    except UnicodeDecodeError:
        return Notebook(fault="the file is not text in UTF-8")
    except json.JSONDecodeError as error:
        return Notebook(fault=f"the file is no notebook any more: broken JSON at line {error.lineno} ({error.msg})")
    except (KeyError, TypeError, AssertionError, RecursionError, ValueError):
        return Notebook(fault="the file is JSON, but no notebook: it has no cells")
    found = []
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        source, about = cell.get("source", ""), cell.get("metadata") or {}
        source = "".join(map(str, source)) if isinstance(source, list) else str(source)
        grade = about.get("nbgrader") if isinstance(about, dict) else None
        name = grade.get("grade_id") if isinstance(grade, dict) else None
        known = str(cell.get("id", ""))
        if name and not known.startswith(("exercise-", "check-")):
            known = str(name) if str(name).startswith("check-") else f"exercise-{name}"
        found.append((str(cell.get("cell_type", "raw")), source, known.replace("_", "-")))
    own = raw.get("metadata", {}).get("tinyfrontier", {}) if isinstance(raw.get("metadata"), dict) else {}
    lesson = own.get("lesson") if isinstance(own, dict) else None
    if not isinstance(lesson, int):
        told = re.search(r"^\s*check\s*=\s*checker\((\d+)\)", "\n".join(text for _, text, _ in found), re.MULTILINE)
        lesson = int(told[1]) if told else None
    return Notebook(found, lesson)


# ------------------------------------------------------------------------------------------------ definitions


@dataclass(frozen=True)
class Piece:
    """One top-level statement that defines names: where it stands, its text (lines kept by padding), what it needs."""

    file: str
    text: str
    binds: tuple[str, ...]
    needs: frozenset[str]
    tree: ast.stmt = field(compare=False, repr=False)
    cell: int = 0

    @cached_property
    def same(self) -> str:
        """The statement without layout and comments, to compare with."""
        return ast.dump(self.tree)


def free_names(text: str) -> frozenset[str]:
    """The names that a piece of code looks up outside itself."""
    found: set[str] = set()

    def visit(table: symtable.SymbolTable) -> None:
        outside = table.get_type() == "module"
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (symbol.is_global() or outside):
                found.add(symbol.get_name())
        for child in table.get_children():
            visit(child)

    visit(symtable.symtable(text, "piece", "exec"))
    return frozenset(found)


def _targets(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))
    elif isinstance(node, (ast.If, ast.Try)):
        parts = [*node.body, *node.orelse, *getattr(node, "finalbody", [])]
        parts += [inner for handler in getattr(node, "handlers", []) for inner in handler.body]
        for part in parts:
            yield from _targets(part)


def plain_python(source: str) -> str:
    """A cell's source in which magics and shell lines are `pass`, so that it can be parsed; line numbers stay."""
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    lines = source.split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    cell_magic = re.match(r"\s*%%(\w+)", lines[first]) if lines else None
    if cell_magic and cell_magic[1] not in ("time", "timeit", "capture", "prun"):
        return ""
    for place, line in enumerate(lines):
        if re.match(r"\s*[%!]", line) or re.match(r"\s*\?|\s*[\w.]+\?{1,2}\s*$", line):
            lines[place] = line[: len(line) - len(line.lstrip())] + "pass"
        elif re.match(r"\s*[\w, ]+=\s*[%!]", line):
            lines[place] = re.sub(r"=\s*[%!].*", "= None", line)
    return "\n".join(lines)


def pieces_of(source: str, file: str, cell: int = 0) -> list[Piece]:
    """The statements of a cell that define something.

    Raises:
        SyntaxError: if the cell is no Python.
    """
    return list(_pieces(source, file, cell))


@lru_cache(maxsize=2048)  # a class shares most of its cells
def _pieces(source: str, file: str, cell: int) -> tuple[Piece, ...]:
    source = plain_python(source)
    try:
        tree = ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error) or "nested too deeply") from None
    lines, found = source.split("\n"), []
    for node in tree.body:
        binds = tuple(_targets(node))
        if not binds:
            continue
        first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", []))])
        alone = all(other is node or other.end_lineno < first or other.lineno > node.end_lineno for other in tree.body)
        own = "\n".join(lines[first - 1 : node.end_lineno]) if alone and node.col_offset == 0 else ast.unparse(node)
        try:
            needs = free_names(own)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise SyntaxError(str(error)) from None
        found.append(Piece(file, "\n" * (first - 1) + own + "\n", binds, needs, node, cell))
    return tuple(found)


def is_stub(piece: Piece) -> bool:
    """Whether a function's body is the line that the course's stub has, or nothing."""
    if not isinstance(piece.tree, ast.FunctionDef):
        return False
    body = [
        part for part in piece.tree.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
    ]
    return not body or (
        len(body) == 1 and isinstance(body[0], ast.Raise) and "NotImplementedError" in ast.unparse(body[0])
    )


def closure(wanted: frozenset[str] | set[str], pieces: list[Piece]) -> list[Piece]:
    """The pieces that bind the names wanted, and what these need in turn, in their own order."""
    known: dict[str, list[Piece]] = {}
    for piece in pieces:
        for name in piece.binds:
            known.setdefault(name, []).append(piece)
    chosen: dict[int, Piece] = {}
    waiting, seen = list(wanted), set(wanted)
    while waiting:
        for piece in known.get(waiting.pop(), ()):
            if id(piece) in chosen:
                continue
            chosen[id(piece)] = piece
            fresh = (piece.needs | set(piece.binds)) - seen
            seen |= fresh
            waiting += fresh
    return [piece for piece in pieces if id(piece) in chosen]


@lru_cache(maxsize=256)
def _lesson_stems(root: Path = ROOT) -> dict[int, str]:
    return {int(path.stem[:2]): path.stem for path in find_lessons(root)}


def lesson_in_name(place: str) -> int | None:
    """The lesson that a file's name tells, or None."""
    stem = PurePosixPath(place).stem
    for number, known in _lesson_stems().items():
        if known in stem:
            return number
    found = re.search(r"(?:^|[ _-])(\d\d)(?:[ _.-]|$)", stem)
    return int(found[1]) if found and int(found[1]) in _lesson_stems() else None
