"""The student's copies in `my_work/`: made from `notebooks/`, brought up to each new edition without losing a word.

`python3 course.py lab` and `python3 course.py update` run this. In `my_work/`:

| file | is |
|---|---|
| `NN_slug.ipynb` | the student's copy |
| `.base/NN_slug.ipynb` | the edition from which it was made: it tells the student's changes from the course's |
| `.backup/NN_slug.DATE.ipynb` | the copy as it was before it was merged or set aside |

Each file is replaced at once or not at all, the copy before its base: after an interruption the next run goes on.
Needs only the standard library, unless somebody has worked in `notebooks/`: then these are derived anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from .cells import STUB, has_its_text, is_text_id
from .merging import Merged, Notebook, dump_notebook, merge, parse_notebook, text_of

ROOT = Path(__file__).resolve().parents[3]
FOLDER = "my_work"
ATTEMPTS = 3  # to merge a copy that somebody is saving at the same time


@dataclass
class Report:
    """What a run did: one line each, in `lines`; `failed` if something could not be done."""

    lines: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    failed: bool = False

    def say(self, name: str, text: str) -> None:
        """Add one line about a notebook."""
        self.lines.append(f"{name.removesuffix('.ipynb')}: {text}")


def date_of(now: datetime | None = None) -> str:
    """The date by which backups are named; None is the present."""
    return (now or datetime.now()).strftime("%Y-%m-%d_%H-%M-%S")


def replace(path: Path, content: bytes) -> None:
    """Write a file at once or not at all; a link is followed, and the file keeps its permissions.

    Raises:
        OSError: if it cannot be written; then the old file is as it was.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):
            shutil.copymode(path, beside)
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def is_pristine(notebook: Notebook) -> bool:
    """Whether a notebook in `notebooks/` is as the build wrote it: nobody has worked in it, or even run it."""
    metadata = notebook.get("metadata", {})
    if metadata.get("tinyfrontier", {}).get("kind") != "student" or "version" in metadata.get("language_info", {}):
        return False
    for cell in notebook["cells"]:
        cell_id, kind = str(cell.get("id", "")), str(cell.get("cell_type"))
        if cell.get("outputs") or cell.get("execution_count"):
            return False
        if cell_id.startswith("exercise-"):
            if STUB not in text_of(cell):
                return False
        elif not cell_id.startswith("check-") and not (
            is_text_id(cell_id) and has_its_text(kind, text_of(cell), cell_id)
        ):
            return False
    return True


def open_notebooks(folder: Path) -> set[str] | None:
    """Names of the notebooks in `folder` that are open, with a kernel, in a JupyterLab on this machine.

    None if a JupyterLab is running there that does not tell.
    """
    try:
        from jupyter_core.paths import jupyter_runtime_dir
    except ImportError:
        return set()
    found: set[str] = set()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for path in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        try:
            server = json.loads(path.read_text(encoding="utf-8"))
            served = Path(server["root_dir"]).resolve()
            address, token = str(server["url"]), server.get("token") or os.environ.get("JUPYTERHUB_API_TOKEN", "")
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if served != folder.resolve() and served not in folder.resolve().parents:
            continue
        request = urllib.request.Request(f"{address}api/sessions", headers={"Authorization": f"token {token}"})
        try:
            with opener.open(request, timeout=5) as answer:
                sessions = json.load(answer)
            paths = [served / session["path"] for session in sessions]
        except OSError as error:
            if isinstance(getattr(error, "reason", error), ConnectionRefusedError):
                continue  # it has ended without tidying up
            return None
        except (ValueError, KeyError, TypeError):
            return None
        found |= {path.name for path in paths if path.parent.resolve() == folder.resolve()}
    return found


def _plural(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def summary(merged: Merged) -> str:
    """What a merge did, in words."""
    kept = []
    if merged.answers:
        kept.append(f"{_plural(len(merged.answers), 'answer')} ({', '.join(sorted(merged.answers))})")
    if merged.own:
        kept.append(f"{_plural(merged.own, 'cell')} of your own")
    if merged.changed:
        kept.append(f"{_plural(merged.changed, 'cell')} of the course that you changed")
    if merged.beside:
        kept.append(f"{_plural(merged.beside, 'cell')} below a note, because the course has changed there too")
    parts = [f"{_plural(merged.new, 'cell')} new or changed" if merged.new else "no new text"]
    if kept:
        parts.append("kept " + ", ".join(kept))
    if merged.back:
        parts.append(f"{_plural(merged.back, 'deleted cell')} back")
    if merged.marked:
        parts.append(f"the task has changed, see the note there: {', '.join(merged.marked)}")
    return "; ".join(parts)


class MyWork:
    """The folder `my_work/` of the course in `root`.

    Args:
        root: the course's folder.
        now: the date that names backups; None is the present.
    """

    def __init__(self, root: Path = ROOT, now: datetime | None = None):
        self.root = Path(root)
        self.folder = self.root / FOLDER
        self.bases, self.backups = self.folder / ".base", self.folder / ".backup"
        self.date = date_of(now)
        self.report = Report()
        self._open: set[str] | bool | None = False

    # -- the whole folder

    def bring_up_to_date(self) -> Report:
        """Make the copies that are missing, merge those whose lesson has changed, and tell what was done."""
        names = sorted(path.name for path in (self.root / "notebooks").glob("*.ipynb"))
        fresh_start = not self.folder.is_dir()
        try:
            for folder in (self.bases, self.backups):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.report.failed = True
            self.report.lines.append(f"{self.folder} cannot be written ({error.strerror}), so there are no own copies.")
            return self.report
        self._sweep()
        retired = self._retired(names)
        for name in names:
            try:
                self._bring(name, retired)
            except OSError as error:
                self.report.failed = True
                self.report.say(name, f"could not be brought up to date ({error.strerror or error}); it is as it was")
        for name in retired:
            self._retire(name)
        made = self.report.made
        if made and fresh_start:
            line = (
                f"{FOLDER}/ holds your own {_plural(len(made), 'notebook')}: work there, updates keep what you write."
            )
            self.report.lines.insert(0, line)
        elif made:
            self.report.lines.append(f"new in {FOLDER}/: " + ", ".join(name.removesuffix(".ipynb") for name in made))
        return self.report

    def _sweep(self) -> None:
        """Remove what a killed run has half written an hour ago or earlier."""
        for folder in (self.folder, self.bases, self.backups):
            for path in folder.glob(".*.ipynb.*.new"):
                with suppress(OSError):
                    if path.stat().st_mtime < time.time() - 3600:
                        path.unlink()

    # -- one notebook

    def _bring(self, name: str, retired: list[str]) -> None:
        course = self._edition(name)
        if course is None:
            return
        copy, base = self.folder / name, self.bases / name
        if not copy.exists():
            content = self._carried_over(name, course, retired) or course
            replace(base, course)  # first: a base without a copy is made again, a copy without its base is not as good
            replace(copy, content)
            self.report.made.append(name)
            return
        for _ in range(ATTEMPTS):
            if self._update(name, course):
                return
        self.report.failed = True
        self.report.say(name, "is being saved by another program; close it there, then start again")

    def _update(self, name: str, course: bytes) -> bool:
        """Bring one existing copy up to date; False if somebody saved it meanwhile."""
        copy, base = self.folder / name, self.bases / name
        before = copy.stat()
        content = copy.read_bytes()
        old = base.read_bytes() if base.exists() else None
        try:
            mine = parse_notebook(content, name)
        except ValueError:
            self._set_aside(name, content, course)
            return True
        if old == course:
            return True
        if self._is_open(name):
            how = "is" if self._open else "may be"
            self.report.say(name, f"{how} open in JupyterLab, and stays as it is: end JupyterLab, then start again")
            return True
        merged = merge(self._parsed(old), mine, parse_notebook(course, f"notebooks/{name}"))
        text = dump_notebook(merged.notebook)
        if text != content:
            kept = self._back_up(name, content) if content != old else None
            now = copy.stat()
            if (now.st_mtime_ns, now.st_size) != (before.st_mtime_ns, before.st_size):
                return False
            replace(copy, text)
            where = f"; the old copy is {kept.relative_to(self.root).as_posix()}" if kept else ""
            self.report.say(name, f"{summary(merged)}{where}")
        replace(base, course)
        return True

    @staticmethod
    def _parsed(old: bytes | None) -> Notebook | None:
        try:
            return None if old is None else parse_notebook(old, "base")
        except ValueError:
            return None

    def _is_open(self, name: str) -> bool:
        if self._open is False:  # asked only when something has to be merged
            self._open = open_notebooks(self.folder)
        return self._open is None or name in self._open

    def _back_up(self, name: str, content: bytes) -> Path:
        """Keep a copy under its date; the same content is kept once."""
        stem, suffix = Path(name).stem, Path(name).suffix
        path, turn = self.backups / f"{stem}.{self.date}{suffix}", 1
        while path.exists() and path.read_bytes() != content:
            turn += 1
            path = self.backups / f"{stem}.{self.date}-{turn}{suffix}"
        if not path.exists():
            replace(path, content)
        return path

    def _set_aside(self, name: str, content: bytes, course: bytes) -> None:
        kept = self._back_up(name, content)
        replace(self.bases / name, course)
        replace(self.folder / name, course)
        where = kept.relative_to(self.root).as_posix()
        self.report.say(name, f"cannot be read any more, so a new copy was made; the old one is {where}")

    # -- the course's side

    def _edition(self, name: str) -> bytes | None:
        """The course's own text of a notebook, also where somebody has worked in `notebooks/` instead of `my_work/`."""
        path = self.root / "notebooks" / name
        content = path.read_bytes()
        try:
            if is_pristine(parse_notebook(content, name)):
                return content
        except (ValueError, AttributeError):
            pass
        course = self._derived(name)
        if course is None:
            if (self.root / "lessons" / f"{Path(name).stem}.md").exists():
                self.report.failed = True
                self.report.say(name, f"notebooks/{name} was edited, and cannot be made anew from lessons/: left alone")
            return None  # else it is nobody's but the student's, who happens to work in notebooks/
        if course != content:
            self._take_over(name, content, course)
            try:
                replace(path, course)
            except OSError:  # a course that only its owner may write
                self.report.say(name, f"notebooks/{name} was edited and cannot be put back")
        return course

    def _derived(self, name: str) -> bytes | None:
        source = self.root / "lessons" / f"{Path(name).stem}.md"
        try:
            from .lessons import read_lesson
            from .notebooks import to_notebook, to_text

            return to_text(to_notebook(read_lesson(source, self.root), solution=False)).encode()
        except (OSError, ValueError, ImportError):
            return None

    def _take_over(self, name: str, edited: bytes, course: bytes) -> None:
        """Bring work done in `notebooks/` over to `my_work/`."""
        kept = self._back_up(f"{Path(name).stem}.from-notebooks.ipynb", edited)
        where = kept.relative_to(self.root).as_posix()
        try:
            merged = merge(None, parse_notebook(edited, name), parse_notebook(course, name))
        except ValueError:
            self.report.say(name, f"notebooks/{name} could not be read and was put back; the old one is {where}")
            return
        if not (merged.answers or merged.own or merged.changed or merged.beside):
            return  # it was run, and nothing was written
        copy = self.folder / name
        if copy.exists():
            copy = self.folder / f"{Path(name).stem} (from notebooks).ipynb"
            turn = 1
            while copy.exists():
                turn += 1
                copy = self.folder / f"{Path(name).stem} (from notebooks {turn}).ipynb"
        else:
            replace(self.bases / name, course)
        replace(copy, dump_notebook(merged.notebook))
        there = copy.relative_to(self.root).as_posix()
        self.report.say(name, f"you had worked in notebooks/{name}: it is now {there}, work there ({summary(merged)})")

    # -- lessons that were retired or renamed

    def _retired(self, names: list[str]) -> list[str]:
        have = {path.name for path in self.bases.glob("*.ipynb")} - set(names)
        return sorted(name for name in have if (self.folder / name).exists())

    def _retire(self, name: str) -> None:
        """Say once that a lesson is gone; the copy stays."""
        try:
            content, base = (self.folder / name).read_bytes(), self.bases / name
            if content != base.read_bytes():
                self.report.say(name, f"is no longer in the course; your copy stays in {FOLDER}/")
            else:
                self.report.say(name, f"is no longer in the course; the copy, untouched, stays in {FOLDER}/")
            base.unlink()
        except OSError as error:
            self.report.say(name, f"is no longer in the course ({error.strerror})")

    def _carried_over(self, name: str, course: bytes, retired: list[str]) -> bytes | None:
        """The new copy of a renamed lesson with what the student wrote under the old name; None if there is nothing."""
        new = parse_notebook(course, f"notebooks/{name}")
        exercises = {cell["id"] for cell in new["cells"] if str(cell.get("id")).startswith("exercise-")}
        for old in retired:
            try:
                base = parse_notebook((self.bases / old).read_bytes(), old)
                mine = parse_notebook((self.folder / old).read_bytes(), old)
            except (OSError, ValueError):
                continue
            same_lesson = old[2:] == name[2:] or old[:2] == name[:2]
            if not same_lesson or not exercises & {cell.get("id") for cell in base["cells"]}:
                continue
            merged = merge(base, mine, new)
            self.report.say(name, f"was called {Path(old).stem}; brought over from there: {summary(merged)}")
            return dump_notebook(merged.notebook)
        return None


def bring_up_to_date(root: Path = ROOT, now: datetime | None = None) -> Report:
    """Make and merge the copies in `my_work/` of the course in `root`.

    Args:
        root: the course's folder, with `notebooks/` in it.
        now: the date that names backups; None is the present.

    Returns:
        What was done, one line a notebook, none for those in which nothing changed. A notebook that cannot be written
        stays as it was and sets `failed`.

    Raises:
        ValueError: if `root` holds no notebooks.
    """
    if not any((Path(root) / "notebooks").glob("*.ipynb")):
        raise ValueError(f"root must be the course's folder, with notebooks/ in it, got {root}")
    return MyWork(root, now).bring_up_to_date()


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="my_work", description=__doc__.split("\n")[0])
    parser.add_argument("--say-all", action="store_true", help="say so, too, where nothing had to be done")
    options = parser.parse_args(arguments)
    try:
        report = bring_up_to_date(root)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for line in report.lines or [f"Your notebooks in {FOLDER}/ are up to date."] * options.say_all:
        print(line)
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())
