"""An instructor can grade with nbgrader: its metadata in every notebook, its commands on the start page."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tinyfrontier.authoring.lessons import ROOT
from tinyfrontier.authoring.mutants import exercise_cell
from tinyfrontier.authoring.notebooks import solution_code
from tinyfrontier.exercises import exercises_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nbgrader")]

PAGE, EXERCISE = "00_start_here", "mean_squared_error"
ASSIGNMENT = "week1"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb")) + sorted((ROOT / "solutions").glob("*.ipynb"))


def right_answer() -> str:
    """The exercise's solution, as the lesson has it."""
    return solution_code(exercise_cell(0, EXERCISE))


def wrong_answer() -> str:
    """A known mistake, under the name that the exercise asks for."""
    source = exercises_of(0)[EXERCISE].mistakes[0].source
    return "import torch\n\n\n" + re.sub(r"^def \w+", f"def {EXERCISE}", source)


def exercise_cell_of(notebook):
    return next(cell for cell in notebook.cells if cell.id == f"exercise-{EXERCISE.replace('_', '-')}")


class Course:
    """A grading folder as an instructor has one, and nbgrader's own commands in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        private = {
            f"JUPYTER_{kind}_DIR": str(folder / f"jupyter-{kind.lower()}") for kind in ("CONFIG", "DATA", "RUNTIME")
        }
        # nbgrader calls alembic by its bare name, so the environment's own programs must be found
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        self.progress = folder / "progress.json"
        self.environment = {
            **os.environ,
            **private,
            "IPYTHONDIR": str(folder / "ipython"),
            "PATH": path,
            "TINYFRONTIER_PROGRESS": str(self.progress),
        }

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def released(self):
        return nbformat.read(self.folder / "release" / ASSIGNMENT / f"{PAGE}.ipynb", as_version=4)

    def submit(self, student: str, answer: str | None) -> None:
        """Hand in the released copy, with the exercise's cell replaced by `answer` unless it is None."""
        notebook = self.released()
        if answer is not None:
            exercise_cell_of(notebook).source = answer
        target = self.folder / "submitted" / student / ASSIGNMENT / f"{PAGE}.ipynb"
        target.parent.mkdir(parents=True)
        nbformat.write(notebook, target)

    def scores(self) -> dict[str, tuple[float, float]]:
        """Each student's score and the most that could be had, from nbgrader's own export."""
        self.run("export", "--to", "grades.csv")
        with open(self.folder / "grades.csv", newline="", encoding="utf-8") as file:
            return {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Course:
    """A course folder with the start page released as an assignment."""
    course = Course(tmp_path_factory.mktemp("grading"))
    source = course.folder / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / f"{PAGE}.ipynb", source)
    course.run("generate_assignment", ASSIGNMENT)
    return course


@pytest.fixture(scope="module")
def graded(course) -> dict[str, tuple[float, float]]:
    """The scores of four students: right, a known mistake, an untouched stub, right with words on stderr."""
    course.submit("right", right_answer())
    course.submit("wrong", wrong_answer())
    course.submit("unattempted", None)
    course.submit(
        "talkative",
        "import sys, warnings\n"
        + right_answer().replace(
            "    return ",
            "    warnings.warn('mind the shapes')\n    print('here', file=sys.stderr)\n    return ",
        ),
    )
    course.run("autograde", ASSIGNMENT, "--Execute.timeout=180")  # as the README tells instructors
    return course.scores()


def test_released_copy_holds_a_stub_and_no_solution(course):
    """What nbgrader hands out has the specification and a line that raises; no solution, no outputs."""
    notebook = course.released()
    stub = exercise_cell_of(notebook).source
    assert f"def {EXERCISE}" in stub
    assert "raise NotImplementedError" in stub
    text = "\n".join(cell.source for cell in notebook.cells)
    body = right_answer().split('"""')[-1].strip()
    assert body
    assert body not in text
    assert "BEGIN SOLUTION" not in text
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_every_lesson_can_be_released(course):
    """`generate_assignment` takes all solutions at once, and leaves no solution in any of them."""
    source = course.folder / "source" / "everything"
    source.mkdir()
    paths = [path for path in NOTEBOOKS if path.parent.name == "solutions"]
    for path in paths:
        shutil.copy(path, source)
    course.run("generate_assignment", "everything")
    for path in paths:
        notebook = nbformat.read(course.folder / "release" / "everything" / path.name, as_version=4)
        stubs = [cell.source for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]
        lesson, text = notebook.metadata["tinyfrontier"]["lesson"], "\n".join(cell.source for cell in notebook.cells)
        assert len(stubs) == len(exercises_of(lesson)), path.name
        for name, stub in zip(exercises_of(lesson), stubs, strict=True):
            assert "raise NotImplementedError" in stub
            assert "SOLUTION" not in stub
            assert solution_code(exercise_cell(lesson, name)).split('"""')[-1].strip() not in text


def test_released_check_is_locked(course):
    """Students cannot edit or delete the check, and nbgrader restores it when grading."""
    check = next(cell for cell in course.released().cells if cell.id == f"check-{EXERCISE.replace('_', '-')}")
    assert check.metadata["deletable"] is False
    assert check.metadata["editable"] is False
    assert check.metadata["nbgrader"]["locked"] is True


def test_right_answer_gets_full_points(graded):
    """The lesson's own solution earns all points of its exercise."""
    points = exercises_of(0)[EXERCISE].points
    assert graded["right"] == (points, points)


@pytest.mark.parametrize("student", ["wrong", "unattempted"])
def test_anything_else_gets_no_points(graded, student):
    """A known mistake and an untouched stub earn nothing, since the check raises while nbgrader runs it."""
    assert graded[student] == (0, exercises_of(0)[EXERCISE].points)


def test_words_on_the_error_stream_cost_no_points(graded):
    """To nbgrader a word on stderr in a check's cell is a failure; a check keeps warnings away from it."""
    assert graded["talkative"] == graded["right"]


def test_feedback_names_the_mistake(course, graded):
    """The page that nbgrader writes for a student holds the check's diagnosis."""
    course.run("generate_feedback", ASSIGNMENT)
    page = (course.folder / "feedback" / "wrong" / ASSIGNMENT / f"{PAGE}.html").read_text(encoding="utf-8")
    assert exercises_of(0)[EXERCISE].mistakes[0].hint.split(",")[0] in page


def test_grading_leaves_the_instructors_own_ticks_alone(course, graded):
    """A student's pass is not written into the progress file of whoever grades."""
    assert graded["right"][0] > 0
    assert not course.progress.exists(), "grading ticked an exercise on the instructor's own start page"


def test_there_are_notebooks_to_look_at():
    """The test below sees both folders."""
    assert {path.parent.name for path in NOTEBOOKS} == {"notebooks", "solutions"}


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in NOTEBOOKS])
def test_metadata_is_valid(path):
    """The validator accepts it, grade ids are unique, and each exercise has one graded check worth points."""
    from nbgrader.nbgraderformat import MetadataValidator

    notebook = nbformat.read(path, as_version=4)
    MetadataValidator().validate_nb(notebook)
    cells = {cell.metadata["nbgrader"]["grade_id"]: cell for cell in notebook.cells if "nbgrader" in cell.metadata}
    assert len(cells) == sum("nbgrader" in cell.metadata for cell in notebook.cells)
    exercises = exercises_of(notebook.metadata["tinyfrontier"]["lesson"])
    assert set(cells) == {*exercises, *(f"check-{name}" for name in exercises)}
    for name, exercise in exercises.items():
        answer, check = cells[name].metadata["nbgrader"], cells[f"check-{name}"].metadata["nbgrader"]
        assert (answer["solution"], answer["grade"], answer["locked"]) == (True, False, False)
        assert (check["solution"], check["grade"], check["locked"]) == (False, True, True)
        assert check["points"] == exercise.points > 0
        # with a bare value on its last line, a check's output would be read as partial credit
        assert "check(" in cells[f"check-{name}"].source.strip().split("\n")[-1].split("=", 1)[1]
