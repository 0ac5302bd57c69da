"""A new edition of the course, by git, as a zip file, or as a folder: what comes, what stays, what is said."""

import os
import shutil
import subprocess
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from tinyfrontier.authoring import my_work, update

from .test_my_work import ANSWER, NOTEBOOKS, answer, code, dump_notebook, lesson, listing, notebook, own, publish, texts

NOON = datetime(2026, 5, 4, 12, 0, 0)
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(autouse=True)
def nothing_open(monkeypatch):
    """No JupyterLab of this machine has a say in a test, nor has this machine's configuration of git."""
    monkeypatch.setattr(my_work, "open_notebooks", lambda folder: set())
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "a teacher")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "teacher@example.org")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def make_course(folder: Path) -> Path:
    for name in ("notebooks", "solutions", "lessons", "src"):
        (folder / name).mkdir(parents=True)
    for name, text in {"course.py": "1", "pyproject.toml": "", "src/old.py": "", ".gitignore": "/my_work/\n"}.items():
        (folder / name).write_text(text)
    for name in ("00_start_here", "01_sums"):
        publish(folder, lesson(), name)
        (folder / f"lessons/{name}.md").write_text("source")
        (folder / f"solutions/{name}.ipynb").write_bytes(dump_notebook(lesson()))
    return folder


@pytest.fixture
def teacher(tmp_path):
    return make_course(tmp_path / "teacher")


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a new edition")


@pytest.fixture
def student(teacher, tmp_path):
    """A clone of the teacher's repository."""
    git(teacher, "init", "-q", "-b", "main")
    commit(teacher)
    git(tmp_path, "clone", "-q", str(teacher), "student")
    return tmp_path / "student"


# ---------------------------------------------------------------------------------------------------- git


@needs_git
def test_a_pull_brings_the_new_edition_and_the_answers_stay(teacher, student, capsys):
    """From the first copy over an answer to the merge after the pull."""
    my_work.bring_up_to_date(student)
    answer(student)
    publish(teacher, lesson("Add two."))
    commit(teacher)
    assert update.main([], student) == 0
    assert "up to date: 1 change fetched" in capsys.readouterr().out
    my_work.bring_up_to_date(student)
    assert ANSWER in texts(own(student))
    assert git(student, "status", "--porcelain") == ""
    assert update.main([], student) == 0
    assert "newest already" in capsys.readouterr().out


@needs_git
def test_changed_solutions_do_not_stop_a_pull(teacher, student, capsys):
    """A solution that was executed again is set aside, said, and replaced; one that nobody changes stays."""
    my_work.bring_up_to_date(student)
    for name in ("00_start_here", "01_sums"):
        (student / f"solutions/{name}.ipynb").write_text("executed here")
    publish(teacher, lesson("Add two."), "01_sums")
    (teacher / "solutions/01_sums.ipynb").write_bytes(dump_notebook(lesson("Add two.")))
    commit(teacher)
    assert update.main([], student) == 0
    assert "You had changed solutions/01_sums.ipynb; your version is my_work/.backup/01_sums.from-solutions." in (
        capsys.readouterr().out
    )
    assert b"executed here" in listing(student).values()
    assert (student / "solutions/01_sums.ipynb").read_bytes() == dump_notebook(lesson("Add two."))
    assert (student / "solutions/00_start_here.ipynb").read_text() == "executed here"


@needs_git
def test_a_file_that_git_does_not_know_is_set_aside_too(teacher, student):
    """A notebook of the student's under the very name that the new edition brings."""
    my_work.bring_up_to_date(student)
    (student / "solutions/02_more.ipynb").write_text("mine")
    (teacher / "solutions/02_more.ipynb").write_text("the course's")
    commit(teacher)
    assert update.main([], student) == 0
    assert (student / "solutions/02_more.ipynb").read_text() == "the course's"
    assert b"mine" in listing(student).values()


@needs_git
def test_other_changed_files_are_named_with_what_to_do(teacher, student, capsys):
    """A changed source is the student's to decide on: nothing is touched, and the sentence says how to go on."""
    (student / "src/old.py").write_text("mine")
    (teacher / "src/old.py").write_text("new")
    commit(teacher)
    assert update.main([], student) == 1
    message = capsys.readouterr().err
    assert "you have changed files that the new edition changes, too: src/old.py" in message
    assert "git checkout HEAD -- src/old.py" in message
    assert (student / "src/old.py").read_text() == "mine"


@needs_git
def test_own_commits_are_told_from_a_server_out_of_reach(teacher, student, capsys):
    """Each reason why git refuses gets a sentence that says what to do."""
    (teacher / "src/new.py").write_text("")
    commit(teacher)
    (student / "src/own.py").write_text("")
    commit(student)
    assert update.main([], student) == 1
    assert "you have made commits of your own" in capsys.readouterr().err
    git(student, "reset", "-q", "--hard", "HEAD~1")
    git(student, "remote", "set-url", "origin", "http://127.0.0.1:9/x")
    assert update.main([], student) == 1
    assert "server was not reached" in capsys.readouterr().err
    git(student, "remote", "remove", "origin")
    assert update.main([], student) == 1
    assert "does not know where the course comes from" in capsys.readouterr().err


def test_a_course_that_did_not_come_by_git_asks_for_a_path(teacher, capsys):
    """Without git's folder there is nothing to pull."""
    assert update.main([], teacher) == 1
    assert "did not come by git" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- zip and folder


def zipped(folder: Path, path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, top + file.relative_to(folder).as_posix())
    return path


@pytest.fixture
def fresh(tmp_path):
    """A new edition: lesson 01 has changed, a lesson is new, the start page's source too, one module is gone."""
    folder = make_course(tmp_path / "fresh")
    publish(folder, lesson("Add two."))
    publish(folder, lesson(), "02_more")
    (folder / "lessons/02_more.md").write_text("source")
    (folder / "src/old.py").unlink()
    (folder / "src/new.py").write_text("new")
    (folder / "course.py").write_text("2")
    (folder / ".ci").mkdir()
    (folder / ".ci/run").write_text("run")
    (folder / ".ci/run").chmod(0o755)
    (folder / "my_work").mkdir()
    (folder / "my_work/01_sums.ipynb").write_text("the teacher's own")
    (folder / ".progress.json").write_text("the teacher's own")
    return folder


@pytest.mark.parametrize("form", ["folder", "zip", "zip with a folder inside"])
def test_a_new_edition_replaces_the_course_and_not_the_work(teacher, fresh, tmp_path, form, capsys):
    """Files come, go and change; answers and progress stay; the old files are kept in one zip."""
    my_work.bring_up_to_date(teacher)
    answer(teacher)
    (teacher / ".progress.json").write_text("mine")
    path = fresh if form == "folder" else zipped(fresh, tmp_path / "new.zip", "course-1.2/" if "inside" in form else "")
    assert update.main([str(path)], teacher) == 0
    assert "6 files new or changed, 1 removed" in capsys.readouterr().out
    my_work.bring_up_to_date(teacher)
    assert ANSWER in texts(own(teacher))
    assert own(teacher, "02_more") == lesson()
    assert (teacher / ".progress.json").read_text() == "mine"
    assert (teacher / "course.py").read_text() == "2"
    assert not (teacher / "src/old.py").exists()
    assert os.name == "nt" or os.access(teacher / ".ci/run", os.X_OK)
    kept = next((teacher / "my_work/.backup").glob("course.*.zip"))
    with zipfile.ZipFile(kept) as archive:
        assert archive.namelist() == ["course.py", "notebooks/01_sums.ipynb", "src/old.py"]
        assert archive.read("course.py") == b"1"
    assert update.main([str(path)], teacher) == 0
    assert "this edition already" in capsys.readouterr().out


def test_a_retired_lesson_goes_and_a_students_own_files_stay(teacher, fresh):
    """The lesson's source, folder and notebooks go, the copy stays, and scratch files beside them as well."""
    my_work.bring_up_to_date(teacher)
    old = answer(teacher)
    (teacher / "lessons/01_sums").mkdir()
    (teacher / "lessons/01_sums/train.py").write_text("")
    (teacher / "notebooks/Untitled.ipynb").write_bytes(dump_notebook(notebook(code("1", "own"))))
    for name in ("lessons/01_sums.md", "notebooks/01_sums.ipynb", "solutions/01_sums.ipynb"):
        (fresh / name).unlink()
    update.install(teacher, fresh, NOON)
    my_work.bring_up_to_date(teacher)
    left = {path.relative_to(teacher).as_posix() for path in teacher.rglob("*") if "01_sums" in path.name}
    assert left == {"my_work/01_sums.ipynb"}
    assert listing(teacher)["01_sums.ipynb"] == old
    assert (teacher / "notebooks/Untitled.ipynb").exists()


def test_an_interrupted_installation_goes_on(teacher, fresh, monkeypatch):
    """Killed between two files, the same command ends the work, and both backups hold what was replaced."""
    my_work.bring_up_to_date(teacher)
    replace, left = update.replace, [3]

    def interrupt(path, content):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        replace(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(update, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            update.install(teacher, fresh, NOON)
    assert (teacher / "course.py").read_text() == "1"  # the way in comes last
    update.install(teacher, fresh, NOON)
    assert (teacher / "course.py").read_text() == "2"
    assert len(list((teacher / "my_work/.backup").glob("course.*.zip"))) == 2


def test_what_is_no_course_changes_nothing(teacher, fresh, tmp_path, capsys):
    """Missing, damaged, foreign and treacherous paths are refused in one sentence, and no file is touched."""
    my_work.bring_up_to_date(teacher)
    whole = zipped(fresh, tmp_path / "whole.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    damaged = bytearray(whole)
    damaged[len(whole) // 3] ^= 0xFF
    (tmp_path / "damaged.zip").write_bytes(damaged)
    (tmp_path / "text.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "foreign.zip", "w") as archive:
        archive.writestr("holiday.txt", "sun")
    with zipfile.ZipFile(zipped(fresh, tmp_path / "treacherous.zip"), "a") as archive:
        archive.writestr("../outside.txt", "out")
    before = {path: path.read_bytes() for path in teacher.rglob("*") if path.is_file()}
    for name in ("missing.zip", "half.zip", "damaged.zip", "text.zip", "foreign.zip", "treacherous.zip", "."):
        path = teacher if name == "." else tmp_path / name
        assert update.main([str(path)], teacher) == 1, name
        assert "path must be" in capsys.readouterr().err, name
    assert {path: path.read_bytes() for path in teacher.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "outside.txt").exists()


def test_the_real_course_is_recognised(tmp_path):
    """The folder of this course is one that `update` accepts."""
    root = NOTEBOOKS[0].parents[1]
    files = update._files_in_folder(root)
    assert str(update._course_in(list(files))) == "."
    assert {name for name in map(str, files) if not update._is_private(update.PurePosixPath(name))} >= {"course.py"}
    assert update._is_private(update.PurePosixPath("my_work/.backup/01_sums.ipynb"))
