"""Grading in seconds: a class of made-up students, each with a fault, and what becomes of each exercise."""

import csv
import io
import json
import os
import re
import signal
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from tinyfrontier.authoring import grading
from tinyfrontier.authoring.answers import Read, plan
from tinyfrontier.authoring.graded_calls import Nursery
from tinyfrontier.authoring.graded_check import run_task
from tinyfrontier.authoring.lessons import ROOT, lesson_path, read_lesson
from tinyfrontier.authoring.notebooks import STUB, to_notebook, to_text
from tinyfrontier.authoring.submissions import closure, find_submissions, pieces_of, plain_python, read_notebook
from tinyfrontier.exercises import exercises_of

pytestmark = pytest.mark.xdist_group("grading")

NAME = "01_self_attention.ipynb"
EXERCISES = ["attention", "causal_weights", "split_heads", "sinusoidal_positions"]
SECONDS = 2.0
LEFT_BEHIND = Path(tempfile.gettempdir()) / "left_behind"
UNIX = pytest.mark.skipif(os.name == "nt", reason="limits and signals of the operating system")


def plain(lesson: int = 1, solved: bool = True) -> dict:
    """A notebook as JSON: a student's who solved everything, or nothing."""
    notebook = json.loads(to_text(to_notebook(read_lesson(lesson_path(lesson)), solution=False)))
    right = json.loads(to_text(to_notebook(read_lesson(lesson_path(lesson)), solution=True)))
    answers = {cell["id"]: cell["source"] for cell in right["cells"]}
    for cell in notebook["cells"]:
        if solved and cell["id"].startswith("exercise-"):
            cell["source"] = [line for line in answers[cell["id"]] if "### " not in line]
    return notebook


def cell_of(notebook: dict, name: str, kind: str = "exercise") -> dict:
    return next(cell for cell in notebook["cells"] if cell["id"] == f"{kind}-{name.replace('_', '-')}")


def answering(**answers: str) -> dict:
    """A solved notebook in which some exercises have other answers."""
    notebook = plain()
    for name, source in answers.items():
        cell_of(notebook, name)["source"] = source
    return notebook


def body(name: str, *lines: str, before: str = "") -> str:
    """A function of an exercise's name whose body is these lines."""
    arguments = {"attention": "query, key, value", "causal_weights": "scores", "split_heads": "x, heads"}
    given = arguments.get(name, "tokens, width, base=10_000.0")
    return before + f"def {name}({given}):\n" + "".join(f"    {line}\n" for line in lines)


def loops_and_exits() -> dict:
    return answering(
        attention=body("attention", "while True:", "    pass"),
        causal_weights=body("causal_weights", "import os", "os._exit(0)"),
        split_heads=body("split_heads", "import sys", "sys.exit()"),
    )


def crashes_and_memory() -> dict:
    return answering(
        attention=body("attention", "import ctypes", "return ctypes.string_at(0)"),
        causal_weights=body("causal_weights", "import torch", "return torch.zeros(10**12)"),
        split_heads=body("split_heads", "whole = []", "while True:", "    whole.append(bytearray(2**24))"),
    )


def talks() -> dict:
    return answering(
        attention=body("attention", "return input('what? ')"),
        causal_weights=body("causal_weights", "while True:", "    print('and on')"),
        split_heads=body("split_heads", f"open({str(LEFT_BEHIND)!r}, 'w').write('x')", "return x"),
        sinusoidal_positions=body(
            "sinusoidal_positions", "import socket", "socket.create_connection(('192.0.2.1', 80), 1)"
        ),
    )


def moved_and_retyped() -> dict:
    notebook = plain()
    cell_of(notebook, "attention")["cell_type"] = "markdown"
    notebook["cells"].remove(cell_of(notebook, "causal_weights", "check"))
    notebook["cells"].append(cell_of(notebook, "split_heads"))
    notebook["cells"].remove(cell_of(notebook, "split_heads"))
    again = cell_of(notebook, "sinusoidal_positions")
    notebook["cells"].insert(3, {**again, "source": "".join(again["source"]).replace("angle.cos()", "angle.sin()")})
    return notebook


def deleted_and_renamed() -> dict:
    notebook = plain()
    notebook["cells"].remove(cell_of(notebook, "attention"))
    renamed = cell_of(notebook, "causal_weights")
    renamed["source"] = "".join(renamed["source"]).replace("def causal_weights", "def causal_weight")
    cell_of(notebook, "split_heads")["source"] = "def split_heads(x, heads):\n    return x.reshape(\n"
    cell_of(notebook, "sinusoidal_positions")["source"] = body("sinusoidal_positions", STUB)
    return notebook


def cheats() -> dict:
    spy = "m = __import__('importlib').import_module('tinyfrontier.exer' + 'cises.lesson_' + '01')"
    return answering(
        attention=body(
            "attention", "from tinyfrontier.exercises import lesson_01", "return lesson_01.attention(query, key, value)"
        ),
        causal_weights=body("causal_weights", spy, "return m.causal_weights.solution(scores)"),
        split_heads=body("split_heads", "import gc", "return [o for o in getattr(gc, 'get_' + 'objects')()][0]"),
        sinusoidal_positions=body(
            "sinusoidal_positions",
            f"text = open({str(ROOT)!r} + '/less' + 'ons/01_self_' + 'attention.md').read()",
            "return text",
        ),
    )


def patches() -> dict:
    patch = "import tinyfrontier.exercises.engine as engine\nengine.first_difference = lambda *a, **k: None\n"
    return answering(
        attention=body("attention", "return None", before=patch),
        causal_weights=body("causal_weights", "import sys", "return sys.modules['tinyfrontier.exercises']"),
        split_heads=body(
            "split_heads",
            "import inspect",
            "frame = getattr(inspect, 'current' + 'frame')()",
            "while frame:",
            "    for part in list(getattr(frame, 'f_' + 'locals').values()):",
            "        if hasattr(part, 'answer'):",
            "            part.answer = lambda request: ({'value': True, 'changed': []}, [])",
            "    frame = getattr(frame, 'f_' + 'back')",
            "return x",
        ),
    )


def own_helpers() -> dict:
    notebook = answering(
        attention="%matplotlib inline\nfrom math import sqrt as root\n!ls\n\ndef attention(query, key, value):\n"
        "    return soft(query @ key.mT * SCALE / root(query.shape[-1])) @ value\n\nprint('not run' + 1)\n",
        split_heads=exercises_of(1)["split_heads"].mistakes[0].source,
    )
    helper = "SCALE = float('1')\n\ndef soft(scores):\n    return scores.softmax(-1)\n\nraise SystemExit\n"
    notebook["cells"].append({"cell_type": "code", "id": "helper", "source": helper, "metadata": {}})
    return notebook


CLASS = {
    "ada": plain,
    "loops": loops_and_exits,
    "crash": crashes_and_memory,
    "talks": talks,
    "moved": moved_and_retyped,
    "deleted": deleted_and_renamed,
    "cheats": cheats,
    "patches": patches,
    "helpers": own_helpers,
    "unsolved": lambda: plain(solved=False),
    "stranger": lambda: plain(2),
}


def handed_in(folder: Path) -> None:
    """Twelve students in as many layouts as platforms have."""
    texts = {student: json.dumps(make()) for student, make in CLASS.items()}
    files = {
        f"ada/{NAME}": texts["ada"],
        f"01_self_attention_{'loops'}.ipynb": texts["loops"],
        f"submitted/crash/week1/{NAME}": texts["crash"],
        f"talks_12345_67890_{NAME}": texts["talks"],
        f"moved/my_work/{NAME}": texts["moved"],
        f"broken/{NAME}": texts["ada"][:-2000],
        f"stranger/{NAME}": texts["stranger"],
        f"helpers/{NAME}": texts["helpers"],
        f"helpers/{NAME[:-6]} (1).ipynb": texts["unsolved"],
        f"helpers/.ipynb_checkpoints/{NAME}": texts["cheats"],
        f"unsolved/{NAME}": texts["unsolved"],
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr(NAME, texts["patches"])
    with zipfile.ZipFile(folder / "platform.zip", "w") as packed:
        packed.writestr(f"Del Eted_123_assignsubmission_file_/{NAME}", texts["deleted"])
        packed.writestr(f"cheats_124_assignsubmission_file_/{NAME}", texts["cheats"])
        packed.writestr("patches/work.zip", inner.getvalue())


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class, graded: the folder of results, and each student's findings by exercise."""
    folder = tmp_path_factory.mktemp("class") / "handed_in"
    folder.mkdir()
    handed_in(folder)
    out = folder.with_name("graded")
    result = grading.grade(folder, out, seconds=SECONDS, memory_mib=400, workers=1)
    return out, folder, {one.student: one for one in result}


def of(graded, student: str) -> dict:
    return {found.exercise: found for found in graded[2][student].findings}


def test_every_student_is_found_whatever_the_layout(graded):
    """Folders, names in file names, nbgrader's layout, platforms' zips, a zip in a zip: twelve students, once each."""
    names = {*CLASS, "broken"} - {"deleted"} | {"Del Eted"}
    assert set(graded[2]) == names
    with open(graded[0] / "grades.csv", newline="", encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert set(rows) == names
    assert rows["ada"]["score"] == rows["ada"]["max_score"] == "7"
    assert set(rows["ada"]) == {"student", "score", "max_score", *(f"01 {name}" for name in EXERCISES), "flags"}
    assert len(list((graded[0] / "feedback").glob("*.html"))) == 12


ENDS = [
    ("loops", "attention", "too slow", "loop that never ends"),
    ("loops", "causal_weights", "exit", "ended the Python process"),
    ("loops", "split_heads", "exit", "ended the Python process"),
    ("crash", "attention", "crash", "crashed the Python process"),
    ("crash", "causal_weights", "memory", "out of memory"),
    ("crash", "split_heads", "memory", "out of memory"),
    ("talks", "attention", "input", "waits for the keyboard"),
    ("talks", "causal_weights", "output", "prints without end"),
    ("talks", "split_heads", "raised", "PermissionError"),
    ("talks", "sinusoidal_positions", "raised", "PermissionError"),
    ("Del Eted", "attention", "missing", "no cell defines `attention`"),
    ("Del Eted", "causal_weights", "renamed", "there is `causal_weight` instead. Under the right name it passes"),
    ("Del Eted", "split_heads", "syntax", "not valid Python: line 2"),
    ("Del Eted", "sinusoidal_positions", "not attempted", "not attempted yet"),
    ("cheats", "attention", "tampering", "imports `tinyfrontier.exercises.lesson_01`"),
    ("cheats", "causal_weights", "tampering", "where the checks are"),
    ("cheats", "split_heads", "tampering", "searches the memory"),
    ("cheats", "sinusoidal_positions", "tampering", "opens `01_self_attention.md`"),
    ("patches", "attention", "tampering", "imports `tinyfrontier.exercises.engine`"),
    ("patches", "causal_weights", "tampering", "`sys.modules`"),
    ("patches", "split_heads", "wrong", ""),
    ("broken", "attention", "unreadable", "broken JSON at line"),
    ("stranger", "attention", "another lesson", "the notebook of lesson 02, not of lesson 01"),
    ("unsolved", "attention", "not attempted", "not attempted yet"),
    ("helpers", "split_heads", "wrong", ""),
]


@UNIX
@pytest.mark.parametrize(("student", "exercise", "status", "words"), ENDS)
def test_each_fault_has_its_line_and_costs_its_exercise(graded, student, exercise, status, words):
    """The fault is named in the finding and on the student's page, and earns nothing."""
    found = of(graded, student)[exercise]
    assert (found.status, found.points) == (status, 0)
    assert words in found.line
    pages = [path.read_text(encoding="utf-8") for path in (graded[0] / "feedback").glob("*.html")]
    mine = next(page for page in pages if f"<h1>{student}</h1>" in page)
    assert f"data-status='{status}'" in mine


@UNIX
@pytest.mark.parametrize(
    ("student", "points"),
    [
        ("ada", 7),
        ("loops", 2),
        ("crash", 2),
        ("talks", 0),
        ("moved", 7),
        ("Del Eted", 0),
        ("cheats", 0),
        ("patches", 2),
        ("helpers", 6),
        ("unsolved", 0),
        ("broken", 0),
        ("stranger", 0),
    ],
)
def test_a_fault_costs_no_other_exercise(graded, student, points):
    """What is right beside a fault keeps its points."""
    assert graded[2][student].points == points


@pytest.mark.parametrize(
    ("exercise", "words"),
    [
        ("attention", "turned from code to text"),
        ("causal_weights", "check's cell is missing"),
        ("split_heads", "below its check"),
        ("sinusoidal_positions", "the last one, in cell"),
    ],
)
def test_moved_deleted_and_doubled_cells_cost_nothing(graded, exercise, words):
    """A right answer earns its points wherever it stands, and the page says what was odd."""
    found = of(graded, "moved")[exercise]
    assert found.status == "passed"
    assert any(words in note for note in found.notes)


def test_helpers_imports_and_constants_come_along(graded):
    """What a function needs from its own and later cells is there; magics and calls on the top level do not run."""
    assert of(graded, "helpers")["attention"].status == "passed"


def test_the_better_of_two_versions_counts(graded):
    """Two notebooks of one student: the page says which one counts."""
    assert any("2 versions were handed in" in remark for remark in graded[2]["helpers"].remarks)


def test_tampering_is_flagged_in_the_table(graded):
    """The instructor sees it without opening a page."""
    with open(graded[0] / "grades.csv", newline="", encoding="utf-8") as file:
        flags = {row["student"]: row["flags"] for row in csv.DictReader(file)}
    assert flags["cheats"].count("tampering") == 4
    assert flags["ada"] == ""
    assert not flags["moved"]


def test_nothing_is_written_outside(graded):
    """A graded function leaves no file behind."""
    assert not LEFT_BEHIND.exists()


def test_the_overview_counts_misconceptions_by_name(graded):
    """Table and picture: each exercise, who passed, and the names of the mistakes."""
    with open(graded[0] / "overview.csv", newline="", encoding="utf-8") as file:
        rows = {(row["exercise"], row["what"]): int(row["students"]) for row in csv.DictReader(file)}
    assert rows["split_heads", exercises_of(1)["split_heads"].mistakes[0].name] == 1
    assert rows["split_heads", "passed"] == sum(of(graded, name)["split_heads"].points for name in graded[2])
    assert "| 01 `attention` |" in (graded[0] / "overview.md").read_text(encoding="utf-8")
    assert (graded[0] / "overview.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_run_uses_what_is_there(graded, monkeypatch):
    """Nothing is computed twice, and the same submissions give the same grades; a lost result is computed again."""
    out, folder, before = graded
    right = next(path for path in (out / "cache").glob("*.json") if '"passed"' in path.read_text(encoding="utf-8"))
    kept, ran = json.loads(right.read_text(encoding="utf-8")), []
    monkeypatch.setattr(grading, "run_task", lambda *given: ran.append(given) or grading.Finding(**kept))
    for lost in (0, 1):
        again = grading.grade(folder, out, seconds=SECONDS, memory_mib=400, workers=1)
        assert {one.student: one for one in again} == before
        assert len(ran) == lost
        right.unlink()


def task_for(**answers: str) -> dict:
    read = Read.of(read_notebook(json.dumps(answering(**answers)).encode()))
    _, task, _ = plan(read, 1, next(iter(answers)))
    return {**task, "private": []}


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as nursery:
        yield nursery


def test_no_solution_is_in_the_graded_process(nursery):
    """What it has loaded, and what it was sent, hold neither the exercise's solution nor its mistakes."""
    task = task_for(attention=body("attention", "return query"))
    text = json.dumps({name: part for name, part in task.items() if name != "pieces"})
    assert "softmax" not in text
    loaded = body(
        "attention",
        "import sys",
        "found = sorted(name for name in vars(sys)['mod' + 'ules'] if 'lesson_' in name or 'exercises' in name)",
        "raise ValueError(str(found))",
    )
    found = run_task(task_for(attention=loaded), nursery, SECONDS)
    assert ["said", "ValueError: []"] in found.details


def test_it_works_without_forks():
    """Where processes cannot be forked, each is started anew and finds the same."""
    source = "".join(cell_of(plain(), "attention")["source"])
    with Nursery("spawn") as nursery:
        assert run_task(task_for(attention=source), nursery).status == "passed"


def test_lambdas_partials_and_decorators_are_answers():
    """A function may be bound by an assignment, too; that of the check is none."""
    assigned = "import torch\n\ndef other(q, k, v):\n    return v\n\nattention = torch.no_grad()(other)\n"
    task = task_for(attention=assigned + "attention = check(attention)\n")
    assert [text.strip().split("\n")[0] for _, text in task["student"]] == [
        "def other(q, k, v):",
        "attention = torch.no_grad()(other)",
    ]
    assert [text.strip() for _, text in task["course"]] == ["import torch"]
    assert not any("check(" in text for _, text in task["student"])


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("%time x = 1\ny = 2", "pass\ny = 2"),
        ("!pip list\nz = 1", "pass\nz = 1"),
        ("files = !ls\nz = 1", "files = None\nz = 1"),
        ("%%bash\nls", ""),
        ("x = 7 % 2", "x = 7 % 2"),
    ],
)
def test_magics_are_taken_out(source, kept):
    """A magic or a shell line does not make a cell unreadable, and line numbers stay."""
    assert plain_python(source) == kept


def test_only_what_is_needed_comes_along():
    """The pieces of a function are those whose names it looks up, and what these look up, in order."""
    source = "import math\nimport os\nA = 1\nB = A + 1\n\n"
    source += "def f(x, os=1):\n    C = 2\n    return math.pi * B * C + x\n\nC = 3\n"
    pieces = pieces_of(source, "cell")
    assert [piece.binds[0] for piece in closure({"f"}, pieces)] == ["math", "A", "B", "f"]


@pytest.mark.parametrize(
    ("place", "student"),
    [
        ("06_mixture_of_experts_Ada Lovelace.ipynb", "Ada Lovelace"),
        ("ada-lovelace_06_mixture_of_experts.ipynb", "ada-lovelace"),
        ("lovelaceada_LATE_123_456_06_mixture_of_experts-1.ipynb", "lovelaceada"),
        ("Ada Lovelace_99_assignsubmission_file_/06_mixture_of_experts.ipynb", "Ada Lovelace"),
        ("Ada Lovelace_99_assignsubmission_file_06_mixture_of_experts.ipynb", "Ada Lovelace"),
        ("submitted/ada/week1/06_mixture_of_experts.ipynb", "ada"),
        ("ada/week 1/notebooks/06_mixture_of_experts (2).ipynb", "ada"),
        ("ada/my answers.ipynb", "ada"),
        ("赵/06_mixture_of_experts.ipynb", "赵"),
    ],
)
def test_a_student_is_named_by_file_or_folder(tmp_path, place, student):
    """Names come from the file's name, from a platform's folder, or from the topmost folder."""
    for name in (place, "someone/06_mixture_of_experts.ipynb", "another_06_mixture_of_experts.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert {one.student for one in find_submissions(tmp_path)} == {student, "someone", "another"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"{", "broken JSON at line 1"),
        (b"[]", "no notebook"),
        (b'{"cells": 3}', "no notebook"),
        (b"\xff\xfe\x00", "not text"),
        (b"[" * 100_000, "no notebook"),
    ],
)
def test_a_damaged_file_says_what_is_wrong(data, words):
    """What is no notebook is named, not raised."""
    assert words in read_notebook(data).fault


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"folder": 3}, TypeError, "folder must be a path"),
        ({"folder": "nowhere"}, ValueError, "folder must be a folder or a zip"),
        ({"lesson": "01"}, TypeError, "lesson must be an int"),
        ({"lesson": 99}, ValueError, "number must be that of a lesson"),
        ({"seconds": 0}, ValueError, "seconds must be a positive number"),
        ({"memory_mib": -1}, ValueError, "memory_mib must be a positive number"),
        ({"workers": 0}, ValueError, "workers must be a positive number"),
    ],
)
def test_bad_arguments_are_named(tmp_path, given, error, words):
    """An error names the argument."""
    with pytest.raises(error, match=re.escape(words)):
        grading.grade(**{"folder": tmp_path, "out": tmp_path / "out", **given})


def test_an_empty_folder_is_one_sentence(tmp_path, capsys):
    """The command ends with a sentence, not with a traceback."""
    assert grading.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "folder must hold notebooks" in capsys.readouterr().err


@UNIX
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Landlock is Linux's")
def test_below_python_the_kernel_refuses():
    """Where Landlock is there, code that goes round Python's guard still reads no file of the course."""
    from tinyfrontier.authoring.lockdown import landlock

    process = os.fork()
    if process == 0:
        try:
            if not landlock(["/usr"], "/usr"):
                os._exit(3)
            open(ROOT / "README.md").close()
            os._exit(1)
        except PermissionError:
            os._exit(0)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code == 3:
        pytest.skip("this kernel has no Landlock")
    assert code == 0
