"""Derive everything that is derived: `python3 course.py build [06 ...] [--check] [--force]`.

Student notebooks and solutions from the lessons' sources, then course map, ledger, coverage, signature picture, routes
and runs-of-show from both. A solution is executed only where its cells, or the course's own files that it read, have
changed since; so a second build changes nothing. What it cost is measured in seconds of the reference machine, and a
solution over budget is not written; `--force` executes all the same, writes it, and says so in the front matter.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from . import maps
from .bands import outside_bands
from .calibration import (
    CELL_SECONDS_LIMIT,
    PEAK_MIB_LIMIT,
    SECONDS_LIMIT,
    SECONDS_WANTED,
    Speed,
    calibrate,
    mean_speed,
)
from .kernels import Cost, execute
from .lessons import ROOT, Lesson, LessonError, find_lessons, lesson_path, read_lesson
from .notebooks import MEASURED, freeze, is_executed, skeleton, to_notebook, to_text
from .workshops import FOLDER, workshop_pages

MINUTES_LINE = re.compile(r"^minutes: .*$", re.M)
BUDGET_LINE = re.compile(r"^budget: \{.*\}$", re.M)


def student_path(lesson: Lesson, root: Path) -> Path:
    """Where the student's copy stands."""
    return root / "notebooks" / f"{lesson.stem}.ipynb"


def solution_path(lesson: Lesson, root: Path) -> Path:
    """Where the executed solution stands."""
    return root / "solutions" / f"{lesson.stem}.ipynb"


def write_budget(path: Path, cost: Cost, *, forced: bool = False) -> None:
    """Write the measured cost, in reference seconds, into the front matter's budget line.

    Raises:
        LessonError: if the source has no budget line of the form `budget: {reference_seconds: 0, peak_mib: 0}`.
    """
    text = path.read_text(encoding="utf-8")
    slowest = max(cost.cells.values(), default=0.0)
    line = f"reference_seconds: {cost.cpu_seconds:.1f}, slowest_cell: {slowest:.1f}, peak_mib: {cost.peak_mib:.0f}"
    line = f"budget: {{{line}{', forced: true' if forced else ''}}}"
    text, number = BUDGET_LINE.subn(line, text, count=1)
    if not number:
        raise LessonError(f"{path}:1: front matter lacks the line `budget: {{reference_seconds: 0, peak_mib: 0}}`")
    path.write_text(text, encoding="utf-8")


def write_minutes(lesson: Lesson, root: Path = ROOT) -> Lesson:
    """Write the computed minutes into the front matter where they differ; returns the lesson as it then stands."""
    if lesson.front["minutes"] == lesson.minutes():
        return lesson
    text = lesson.path.read_text(encoding="utf-8")
    lesson.path.write_text(MINUTES_LINE.sub(f"minutes: {lesson.minutes()}", text, count=1), encoding="utf-8")
    return read_lesson(lesson.path, root)


def over_budget(cost: Cost) -> list[str]:
    """What a cost in reference seconds is over, one phrase each; empty within budget."""
    faults = []
    if cost.cpu_seconds > SECONDS_LIMIT:
        faults.append(f"{cost.cpu_seconds:.1f} reference s (limit {SECONDS_LIMIT:.0f})")
    faults += [
        f"cell {cell} with {seconds:.1f} reference s (limit {CELL_SECONDS_LIMIT:.0f})"
        for cell, seconds in cost.cells.items()
        if seconds > CELL_SECONDS_LIMIT
    ]
    if cost.peak_mib > PEAK_MIB_LIMIT:
        faults.append(f"a peak of {cost.peak_mib:.0f} MiB (limit {PEAK_MIB_LIMIT:.0f})")
    return faults


def in_reference_seconds(cost: Cost, speed: Speed) -> Cost:
    """The same cost with its CPU seconds told in seconds of the reference machine."""
    cells = {cell: round(speed.reference_seconds(seconds), 2) for cell, seconds in cost.cells.items()}
    return Cost(speed.reference_seconds(cost.cpu_seconds), cost.peak_mib, cells, cost.files)


def digest(path: Path) -> str:
    """A short hash of a file's content; of Python only what runs counts, not comment lines and blank ones."""
    content = path.read_bytes()
    if path.suffix == ".py":
        lines = (line.rstrip() for line in content.splitlines())
        content = b"\n".join(line for line in lines if line and not line.lstrip().startswith(b"#"))
    return hashlib.sha256(content).hexdigest()[:12]


def newer_files(lesson: Lesson, root: Path = ROOT) -> list[str]:
    """The course's own files that the stored solution read and that have changed, or gone, since it was executed."""
    try:
        built_from = nbformat.read(solution_path(lesson, root), as_version=4).metadata["tinyfrontier"]["built_from"]
    except (OSError, KeyError):
        return []
    here = {name: (ROOT if name.startswith("src/") else root) / name for name in built_from}
    return [name for name, path in here.items() if not path.is_file() or digest(path) != built_from[name]]


def changed_lessons(root: Path = ROOT) -> list[int]:
    """Numbers of the lessons whose source, exercises or modules changed since their stored solutions were executed."""
    lessons = _read_all(find_lessons(root), root)
    return [lesson.number for lesson in lessons if stale(lesson, root) or newer_files(lesson, root)]


def stale(lesson: Lesson, root: Path = ROOT) -> list[str]:
    """What is stale about a lesson's two notebooks, one sentence each; empty if they are fresh."""
    found = []
    if lesson.front["minutes"] != lesson.minutes():
        found.append(f"lessons/{lesson.path.name}: `minutes` is {lesson.front['minutes']}, computed {lesson.minutes()}")
    student = student_path(lesson, root)
    if not student.exists():
        found.append(f"notebooks/{student.name} is missing")
    elif student.read_text(encoding="utf-8") != to_text(to_notebook(lesson, solution=False)):
        found.append(f"notebooks/{student.name} does not follow from lessons/{lesson.path.name}")
    solution = solution_path(lesson, root)
    if not solution.exists():
        found.append(f"solutions/{solution.name} is missing")
    else:
        built = nbformat.read(solution, as_version=4)
        if skeleton(built) != skeleton(to_notebook(lesson, solution=True)):
            found.append(f"solutions/{solution.name} does not follow from lessons/{lesson.path.name}")
        elif not is_executed(built):
            found.append(f"solutions/{solution.name} holds cells that were not executed, or an error")
    return found


def stale_pages(root: Path = ROOT) -> list[str]:
    """Which generated pages do not follow from the lessons and solutions; empty if all are fresh."""
    found = []
    page = root / "lessons" / "README.md"
    if not page.exists() or page.read_text(encoding="utf-8") != maps.lessons_readme(root):
        found.append("lessons/README.md does not follow from the lessons")
    glossary = root / "lessons" / "glossary.md"
    if not glossary.exists() or glossary.read_text(encoding="utf-8") != maps.glossary_markdown(root):
        found.append("lessons/glossary.md does not follow from the lessons' terms")
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    if text != maps.fill_regions(text, root):
        found.append("README.md: a generated region does not follow from the lessons")
    pages = workshop_pages(root)
    for name, wanted in pages.items():
        page = root / name
        if not page.exists() or page.read_text(encoding="utf-8") != wanted:
            found.append(f"{name} does not follow from the lessons and lessons/curriculum.yml")
    found += [f"{name} belongs to no finished lesson" for name in _left_behind(pages, root)]
    sheet = root / maps.SIGNATURES
    if not sheet.exists() or maps.signatures_digest(root).encode() not in sheet.read_bytes():
        found.append(f"{maps.SIGNATURES} does not follow from the solutions")
    return found


def _left_behind(pages: dict[str, str], root: Path) -> list[str]:
    """Pages of workshops that stand in their folder and are none of `pages`."""
    standing = sorted(path.relative_to(root).as_posix() for path in (root / FOLDER).glob("*.md"))
    return [name for name in standing if name not in pages]


def plain(text: str) -> str:
    """Text without the terminal's colour codes."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _stopped_at(lesson: Lesson, notebook: nbformat.NotebookNode) -> str:
    """`file:line` of the last cell that a kernel began to run."""
    begun = [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count]
    failed = [cell for cell in lesson.cells if cell.kind == "code"][: len(begun) or 1][-1]
    return f"lessons/{lesson.path.name}:{failed.line}"


def reuse_outputs(notebook: nbformat.NotebookNode, built: nbformat.NotebookNode) -> bool:
    """Take the outputs over from an executed solution whose code cells are the same; False if they are not."""
    new = [cell for cell in notebook.cells if cell.cell_type == "code"]
    old = [cell for cell in built.cells if cell.cell_type == "code"]
    if not is_executed(built) or [cell.source for cell in new] != [cell.source for cell in old]:
        return False
    for cell, executed in zip(new, old, strict=True):
        cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
    for key in MEASURED:
        if key in built.metadata["tinyfrontier"]:
            notebook.metadata["tinyfrontier"][key] = built.metadata["tinyfrontier"][key]
    return True


def build_lesson(lesson: Lesson, root: Path = ROOT, *, force: bool = False) -> str:
    """Write a lesson's two notebooks; execute the solution if its cells or its files changed, or `force` is set.

    Returns what was done, in words.

    Raises:
        LessonError: if a cell fails, or the solution is over budget and `force` is not set.
    """
    for folder in ("notebooks", "solutions"):
        (root / folder).mkdir(exist_ok=True)
    lesson = write_minutes(lesson, root)
    student = student_path(lesson, root)
    text = to_text(to_notebook(lesson, solution=False))
    if not student.exists() or student.read_text(encoding="utf-8") != text:
        student.write_text(text, encoding="utf-8")
    solution = solution_path(lesson, root)
    newer = newer_files(lesson, root)
    if not force and not newer and not stale(lesson, root):
        return "up to date"
    notebook = to_notebook(lesson, solution=True)
    if not force and not newer and solution.exists() and reuse_outputs(notebook, nbformat.read(solution, as_version=4)):
        solution.write_text(to_text(notebook), encoding="utf-8")
        return "only prose changed, outputs kept" + _page_words(lesson, notebook)
    before = calibrate()
    try:
        cost = execute(notebook, root / "notebooks", strict=True, speed=before)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise LessonError(f"{_stopped_at(lesson, notebook)}: the cell failed\n{plain(str(error))}") from None
    speed = mean_speed(before, calibrate())
    cost = in_reference_seconds(cost, speed)
    words = f"executed in {cost.cpu_seconds:.1f} reference s ({speed.cpu:.2f} here), peak {cost.peak_mib:.0f} MiB"
    faults = over_budget(cost)
    if faults and not force:
        raise LessonError(
            f"lessons/{lesson.path.name}:1: over budget: {'; '.join(faults)}. "
            "Make it cheaper; --force writes it all the same"
        )
    freeze(notebook)
    notebook.metadata["tinyfrontier"]["cell_seconds"] = {
        cell: seconds for cell, seconds in cost.cells.items() if seconds >= 0.1
    }
    notebook.metadata["tinyfrontier"]["built_from"] = {name: digest(ROOT / name) for name in cost.files}
    solution.write_text(to_text(notebook), encoding="utf-8")
    write_budget(lesson.path, cost, forced=bool(faults))
    if faults:
        words += f"; OVER BUDGET, forced: {'; '.join(faults)}"
    elif cost.cpu_seconds > SECONDS_WANTED:
        words += f"; over the {SECONDS_WANTED:.0f} s that are wanted"
    return words + _page_words(lesson, notebook)


def _page_words(lesson: Lesson, notebook: nbformat.NotebookNode) -> str:
    outside = outside_bands(notebook) if lesson.number else []
    return f"; page outside its bands: {', '.join(outside)}" if outside else ""


def build_pages(root: Path = ROOT) -> None:
    """Write the generated pages and the signature picture where they changed."""
    (root / "lessons" / "README.md").write_text(maps.lessons_readme(root), encoding="utf-8")
    (root / "lessons" / "glossary.md").write_text(maps.glossary_markdown(root), encoding="utf-8")
    readme = root / "README.md"
    readme.write_text(maps.fill_regions(readme.read_text(encoding="utf-8"), root), encoding="utf-8")
    pages = workshop_pages(root)
    (root / FOLDER).mkdir(exist_ok=True)
    for name, text in pages.items():
        (root / name).write_text(text, encoding="utf-8")
    for name in _left_behind(pages, root):
        (root / name).unlink()
    sheet = root / maps.SIGNATURES
    if not sheet.exists() or maps.signatures_digest(root).encode() not in sheet.read_bytes():
        sheet.write_bytes(maps.compose_signatures(root))


def _read_all(paths: list[Path], root: Path) -> list[Lesson]:
    lessons, faults = [], []
    for path in paths:
        try:
            lessons.append(read_lesson(path, root))
        except LessonError as error:
            faults.append(str(error))
    if faults:
        raise LessonError("\n".join(faults))
    return lessons


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The build's command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="course.py build", description=__doc__.split("\n")[0])
    parser.add_argument("lessons", nargs="*", metavar="NN", help="lesson numbers; all if none is given")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a derived file is stale")
    parser.add_argument(
        "--force", action="store_true", help="execute even where nothing changed, and write what is over budget"
    )
    options = parser.parse_args(arguments)
    try:
        paths = [lesson_path(number, root) for number in options.lessons] or find_lessons(root)
        if options.check:
            lessons = _read_all(paths, root)
            found = [fault for lesson in lessons for fault in stale(lesson, root)]
            found += [] if options.lessons else stale_pages(root)
            for lesson in lessons:
                for name in newer_files(lesson, root):
                    print(f"note: {name} has changed since solutions/{lesson.stem}.ipynb was executed")
            for fault in found:
                print(f"stale: {fault}")
            if found:
                print("run `python3 course.py build` and commit what it writes")
                return 1
            print(f"fresh: {len(lessons)} sources and all that is derived from them")
            return 0
        for lesson in _read_all(paths, root):
            print(f"{lesson.stem}: ", end="", flush=True)
            print(build_lesson(lesson, root, force=options.force), flush=True)
        try:
            build_pages(root)
        except LessonError as error:
            if not options.lessons:
                raise
            print(f"the generated pages wait for another lesson to be mended:\n{error}", file=sys.stderr)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
