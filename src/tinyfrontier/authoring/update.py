"""Fetch the newest edition of the course, by git, from a zip file, or from a folder; the student's work stays.

`python3 course.py update` runs this, then merges the copies in `my_work/`. Needs only the standard library, and git in
a git checkout.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePosixPath

from .my_work import FOLDER, ROOT, bring_up_to_date, date_of, replace

DERIVED = ("notebooks/", "solutions/")  # what the course can make again; a student's changes there are set aside
CODE = ("benchmarks", "src", "tests")  # here no old file may stay
_PRIVATE = {".git", ".venv", ".venv.lock", FOLDER, ".progress.json", "__pycache__", ".ipynb_checkpoints", "__MACOSX"}
_PRIVATE |= {".pytest_cache", ".ruff_cache", ".DS_Store", ".idea", ".vscode", ".virtual_documents", ".jupyter_cache"}
_IN_THE_WAY = re.compile(r"would be overwritten by merge:\n((?:\t.*\n)+)")
_REASONS = {
    r"Not possible to fast-forward|have diverged|divergent": (
        "you have made commits of your own, so the course cannot simply go on: `git pull --rebase` puts them on top"
    ),
    r"no tracking information|not currently on a branch|No remote repository|does not appear to be a git repo": (
        "this checkout does not know where the course comes from: give the new edition's zip file or folder instead, "
        "`python3 course.py update PATH`"
    ),
    r"Could not resolve host|unable to access|Could not read from remote|timed out|Connection refused": (
        "the course's server was not reached: check the network, or give the new edition's zip file or folder, "
        "`python3 course.py update PATH`"
    ),
    r"dubious ownership": "the course's folder belongs to somebody else: git prints above how to allow that",
    r"index\.lock": "another git is at work in this folder: wait for it, then start again",
    r"[Uu]nmerged|unfinished merge|not concluded your merge|in the middle of": (
        "an earlier merge was not finished: `git merge --abort` takes it back, then start again"
    ),
}


class UpdateError(RuntimeError):
    """The new edition could not be fetched; the message says why, and what to do. Nothing was changed."""


# ------------------------------------------------------------------------------------------------------ git


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run git in English; what it asks the student goes past us, to the terminal."""
    environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C"}
    command = ["git", "-c", "core.quotePath=false", *arguments]
    return subprocess.run(
        command,
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def pull(root: Path, now: datetime | None = None) -> list[str]:
    """`git pull --ff-only`; changed files of `notebooks/` and `solutions/` that stand in its way are set aside first.

    Args:
        root: the course's folder, a git checkout.
        now: the date that names what is set aside; None is the present.

    Returns:
        What was done, one line each.

    Raises:
        UpdateError: if git is missing, or refuses; the message says what to do.
    """
    if shutil.which("git") is None:
        raise UpdateError("git is not installed, and this course came by git: install it, then start again")
    lines = []
    before = _git(root, "rev-parse", "HEAD").stdout.strip()
    while True:
        done = _git(root, "pull", "--ff-only", "--no-rebase")
        if done.returncode == 0:
            break
        blocked = [name[1:] for group in _IN_THE_WAY.findall(done.stdout) for name in group.splitlines()]
        if not blocked:
            raise UpdateError(_reason(done.stdout))
        others = [name for name in blocked if not name.startswith(DERIVED)]
        if others:
            raise UpdateError(
                f"you have changed files that the new edition changes, too: {', '.join(others)}. Copy them to "
                f"{FOLDER}/ if you want to keep your changes, run `git checkout HEAD -- {' '.join(others)}` (delete "
                "them if git does not know them), then start again"
            )
        for name in blocked:
            lines.append(_set_aside(root, name, date_of(now)))
    after = _git(root, "rev-parse", "HEAD").stdout.strip()
    count = _git(root, "rev-list", "--count", f"{before}..{after}").stdout.strip()
    if before == after:
        return [*lines, "The course is the newest already."]
    return [*lines, f"The course is up to date: {count} change{'s' if count != '1' else ''} fetched."]


def _set_aside(root: Path, name: str, date: str) -> str:
    path = root / name
    kept = root / FOLDER / ".backup" / f"{path.stem}.from-{PurePosixPath(name).parts[0]}.{date}{path.suffix}"
    replace(kept, path.read_bytes())
    if _git(root, "checkout", "HEAD", "--", name).returncode:  # git does not know it
        path.unlink()
    return f"You had changed {name}; your version is {kept.relative_to(root).as_posix()}"


def _reason(output: str) -> str:
    for pattern, sentence in _REASONS.items():
        if re.search(pattern, output):
            return sentence if pattern != "dubious ownership" else f"{output.strip()}\n{sentence}"
    return f"`git pull --ff-only` failed:\n{output.strip()}"


# ------------------------------------------------------------------------------------------------------ a zip or folder


def _is_private(name: PurePosixPath) -> bool:
    return bool(_PRIVATE & set(name.parts)) or name.suffix in (".pyc", ".pyo") or "egg-info" in name.as_posix()


def _course_in(names: list[PurePosixPath]) -> PurePosixPath:
    """The folder inside a zip or folder that is the course.

    Raises:
        ValueError: if there is none.
    """
    tops = {PurePosixPath(), *(PurePosixPath(name.parts[0]) for name in names if len(name.parts) > 1)}
    have = set(names)
    for top in sorted(tops):
        if {top / "course.py", top / "pyproject.toml", top / "notebooks/00_start_here.ipynb"} <= have:
            return top
    raise ValueError("path must be a zip file or folder that holds the course: course.py, notebooks/ and the rest")


def _files_in_zip(archive: zipfile.ZipFile) -> dict[PurePosixPath, tuple[Callable[[], bytes], bool]]:
    found = {}
    for entry in archive.infolist():
        name, mode = PurePosixPath(entry.filename.replace("\\", "/")), entry.external_attr >> 16
        if not name.parts or name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
            raise ValueError(f"path must be a zip file whose files stay inside it, and this one has {entry.filename!r}")
        if entry.flag_bits & 1:
            raise ValueError("path must be a zip file without a password")
        if not entry.is_dir() and not stat.S_ISLNK(mode):
            found[name] = (lambda entry=entry: archive.read(entry), bool(mode & 0o100))
    return found


def _files_in_folder(folder: Path) -> dict[PurePosixPath, tuple[Callable[[], bytes], bool]]:
    found = {}
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _PRIVATE]
        for name in names:
            path = Path(here) / name
            relative = PurePosixPath(path.relative_to(folder).as_posix())
            if not path.is_symlink():
                found[relative] = (path.read_bytes, bool(path.stat().st_mode & 0o100))
    return found


def install(root: Path, path: Path, now: datetime | None = None) -> list[str]:
    """Replace the course's files by those of a newer edition; the student's work, progress and `.venv` stay.

    The files that it replaces or removes are kept in `my_work/.backup/course.DATE.zip`. Each file is replaced at once
    or not at all; after an interruption the same command goes on.

    Args:
        root: the course's folder.
        path: a zip file, or a folder, that holds the new edition, or has it in one folder inside.
        now: the date that names the backup; None is the present.

    Returns:
        What was done, one line each.

    Raises:
        ValueError: if `path` is no course, is this very course, or is a damaged zip file. Nothing was changed then.
    """
    root, path = Path(root), Path(path)
    if path.is_dir():
        if path.resolve() == root.resolve():
            raise ValueError("path must be another folder than the course's own")
        return _install(root, _files_in_folder(path), now)
    if not path.is_file():
        raise ValueError(f"path must be a zip file or a folder, and there is no {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            if broken:
                raise ValueError(f"path must be a whole zip file, and {broken} in it is damaged: fetch it again")
            return _install(root, _files_in_zip(archive), now)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"path must be a whole zip file, got {path.name}: {error}") from None


def _install(root: Path, files: dict, now: datetime | None) -> list[str]:
    top = _course_in(list(files))
    fresh = {
        name.relative_to(top): found
        for name, found in files.items()
        if name.is_relative_to(top) and not _is_private(name.relative_to(top))
    }
    changed, replaced = {}, []
    for name, (read, _) in fresh.items():
        here, content = root / name, read()
        if not here.is_file() or here.read_bytes() != content:
            changed[name] = content
            replaced += [name] * here.is_file()
    gone = [name for name in _old_files(root, fresh) if name not in fresh and not _is_private(name)]
    if not changed and not gone:
        return ["The course is this edition already."]
    lines = []
    if replaced or gone:
        lines.append(f"The course's old files are in {_keep(root, [*replaced, *gone], date_of(now))}")
    for name in sorted(changed, key=lambda name: (name.name == "course.py", name)):
        replace(root / name, changed[name])
        if fresh[name][1]:
            (root / name).chmod((root / name).stat().st_mode | 0o111)
    for name in gone:
        (root / name).unlink()
        _remove_empty(root, (root / name).parent)
    return [f"The course is up to date: {len(changed)} files new or changed, {len(gone)} removed.", *lines]


def _old_files(root: Path, fresh: dict) -> list[PurePosixPath]:
    """The course's files here that must not stay when they are not in the new edition: code, and retired lessons."""
    lessons = {name.stem for name in fresh if name.parts[0] == "lessons" and len(name.parts) == 2}
    found = [PurePosixPath(folder) / name for folder in CODE for name in _files_in_folder(root / folder)]
    for source in sorted((root / "lessons").glob("[0-9][0-9]_*.md")):
        if source.stem not in lessons:
            beside = _files_in_folder(source.with_suffix(""))
            found += [PurePosixPath("lessons") / source.stem / name for name in beside]
            single = (f"lessons/{source.name}", f"notebooks/{source.stem}.ipynb", f"solutions/{source.stem}.ipynb")
            found += [PurePosixPath(name) for name in single if (root / name).is_file()]
    return found


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _keep(root: Path, names: list[PurePosixPath], date: str) -> str:
    kept, turn = root / FOLDER / ".backup" / f"course.{date}.zip", 1
    while kept.exists():
        turn += 1
        kept = kept.with_name(f"course.{date}-{turn}.zip")
    kept.parent.mkdir(parents=True, exist_ok=True)
    half = kept.with_name(f".{kept.name}.new")
    with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name.as_posix(), (root / name).read_bytes())
    os.replace(half, kept)
    return kept.relative_to(root).as_posix()


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="course.py update", description=__doc__.split("\n")[0])
    parser.add_argument("path", nargs="?", help="a zip file or folder with the new edition; without it, git fetches it")
    options = parser.parse_args(arguments)
    try:
        # The present edition first: its copies are the base of the merge to come, and work done in notebooks/ is saved.
        report = bring_up_to_date(root)
        print("".join(line + "\n" for line in report.lines), end="")
        if options.path:
            lines = install(root, Path(options.path))
        elif (root / ".git").exists():
            lines = pull(root)
        else:
            raise UpdateError(
                "this course did not come by git: fetch the new edition as a zip file or folder, then "
                "`python3 course.py update PATH`"
            )
    except (ValueError, UpdateError, OSError) as error:
        print(f"The course was not updated: {error}.", file=sys.stderr)
        return 1
    print("".join(line + "\n" for line in lines), end="", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
