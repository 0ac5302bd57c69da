"""Grade a class in seconds: `python3 course.py grade FOLDER [--lesson 06] [--out OUT]`.

Of each notebook only the exercises are run, one process each (`graded_process`), and their values are checked in
another (`graded_calls`, which says what this protects from). Results are kept by a hash of the code that was run and of
the course, so that an interrupted run continues and equal answers get equal grades.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path

from .answers import Finding, Read, exercise_names, plan, remarks_on
from .graded_check import MEMORY_MIB, SECONDS, run_task
from .lessons import ROOT, find_lessons, lesson_path
from .submissions import Notebook, Submitted, find_submissions, lesson_in_name, read_notebook


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


@functools.cache
def course_version() -> str:
    """A hash of what decides a grade besides lesson and answer: the checks, the grader, Python and PyTorch."""
    from importlib.metadata import version

    here = Path(__file__).parent
    sources = [*sorted((here.parent / "exercises").glob("*.py"))]
    sources += [
        here / f"{name}.py"
        for name in (
            "answers",
            "grading",
            "graded_process",
            "graded_calls",
            "graded_check",
            "lockdown",
            "submissions",
            "wire",
        )
    ]
    total = hashlib.sha256(f"{sys.version_info[:2]} {version('torch')}".encode())
    for path in sources:
        total.update(path.read_bytes())
    return total.hexdigest()


# ------------------------------------------------------------------------------------------------------- running


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
        Finalize(None, _nursery.close, exitpriority=10)  # a pool's workers do not run atexit
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
    read = []
    for one in found:
        notebook, named = read_notebook(one.data), lesson_in_name(one.place)
        holds = notebook.lesson if notebook.lesson is not None else named or asked
        read.append((one, notebook, named, holds))
        if holds in known and named in (None, holds):
            lessons.add(holds)
    lessons = {asked} if asked is not None else lessons
    for one, notebook, named, holds in read:
        student = students.setdefault(one.student, _Student(one.student))
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
    read = Read.of(notebook)
    entries = []
    for name in exercise_names(lesson):
        finding, task, notes = plan(read, lesson, name)
        key = ""
        if task is not None:
            key = task_key(task, seconds, memory_mib)
            tasks.setdefault(key, {**task, "private": private})
        renamed = task["name"] if task is not None and task["name"] != name else ""
        entries.append((name, finding, key, notes, renamed))
    return one, entries, remarks_on(read, lesson)


@functools.cache
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
