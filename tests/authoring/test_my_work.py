"""A student's copies: what a merge keeps, that nothing is ever lost, and what happens to the files."""

import copy
import json
import random
import re
import threading
from collections import Counter
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import nbformat
import pytest

from tinyfrontier.authoring import my_work
from tinyfrontier.authoring.cells import STUB, has_its_text, is_text_id, text_id
from tinyfrontier.authoring.lessons import ROOT, find_lessons, read_lesson
from tinyfrontier.authoring.merging import dump_notebook, merge, parse_notebook, text_of
from tinyfrontier.authoring.notebooks import to_notebook, to_text

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ASK = my_work.open_notebooks
NOON = datetime(2026, 5, 4, 12, 0, 0)
METADATA = {
    "kernelspec": {"display_name": "Python 3", "name": "python3"},
    "tinyfrontier": {"kind": "student", "lesson": 1},
}


def cell(kind: str, source: str, cell_id: str = "", **metadata) -> dict:
    made = {"cell_type": kind, "id": cell_id or text_id(kind, source), "metadata": metadata}
    made["source"] = source.splitlines(keepends=True)
    return {**made, "execution_count": None, "outputs": []} if kind == "code" else made


def words(source: str, cell_id: str = "", **metadata) -> dict:
    return cell("markdown", source, cell_id, **metadata)


def code(source: str, cell_id: str = "", **metadata) -> dict:
    return cell("code", source, cell_id, **metadata)


def exercise(name: str, docstring: str = "Add.") -> dict:
    source = f'def {name}(x):\n    """{docstring}"""\n    {STUB}'
    graded = {"grade_id": name, "solution": True, "grade": False}
    return code(source, f"exercise-{name}", tags=["exercise"], nbgrader=graded)


def check(name: str) -> dict:
    return code(f"{name} = check({name})", f"check-{name}", tags=["check"], editable=False, nbgrader={"grade": True})


def notebook(*cells: dict) -> dict:
    return {"cells": list(copy.deepcopy(cells)), "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def lesson(task: str = "Add one.", docstring: str = "Add.", middle: str = "x = 1\nprint(x)") -> dict:
    return notebook(
        words("# 01 · A lesson"),
        code(middle),
        words(f"### Exercise 1 · Sum\n\n{task}"),
        exercise("total", docstring),
        check("total"),
        words("The sum of all things is a thing, too."),
        code("print(total(1))"),
    )


def write(cell: dict, source: str) -> None:
    cell["source"] = source.splitlines(keepends=True)


def texts(merged: dict) -> list[str]:
    return [text_of(cell) for cell in merged["cells"]]


def at(notebook: dict, cell_id: str) -> dict:
    return next(cell for cell in notebook["cells"] if cell["id"] == cell_id)


ANSWER = 'def total(x):\n    """Add."""\n    return x + 1  # 我的'


@pytest.fixture
def mine():
    answered = lesson()
    write(at(answered, "exercise-total"), ANSWER)
    return answered


# ---------------------------------------------------------------------------------------------------- one merge


def test_an_answer_stays_and_the_rest_becomes_new(mine):
    """The answered exercise keeps its text, its place and its grading; changed and added cells come in."""
    new = lesson(middle="x = 1\nprint(x, flush=True)")
    new["cells"].insert(1, words("A new paragraph."))
    merged = merge(lesson(), mine, new)
    assert texts(merged.notebook) == [*texts(new)[:4], ANSWER, *texts(new)[5:]]
    assert at(merged.notebook, "exercise-total")["metadata"]["nbgrader"]["grade_id"] == "total"
    assert (merged.answers, merged.new, merged.marked) == (["total"], 2, [])


def test_own_cells_stay_after_the_same_neighbour(mine):
    """Notes stand where they stood, at the top, after a cell that was reworded, and at the end; their order stays."""
    for place, source in ((7, "last"), (2, "second"), (2, "first"), (0, "top")):
        mine["cells"].insert(place, words(source, f"own-{source}"))
    merged = merge(lesson(), mine, lesson(middle="x = 1\nprint(x + 0)"))
    shown = texts(merged.notebook)
    assert shown[0] == "top"
    assert shown[2:5] == ["x = 1\nprint(x + 0)", "first", "second"]
    assert shown[-1] == "last"
    assert merged.own == 4


def test_deleted_and_emptied_text_comes_back(mine):
    """What the student deleted, or emptied, is there again."""
    mine["cells"] = [cell for cell in mine["cells"] if "sum of all" not in text_of(cell)]
    write(mine["cells"][1], " \n")
    merged = merge(lesson(), mine, lesson(middle="x = 2"))
    assert texts(merged.notebook)[1] == "x = 2"
    assert "The sum of all things is a thing, too." in texts(merged.notebook)
    assert merged.back == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": "Add two, and take `lists`."}, "the words above"),
        ({"docstring": "Add two."}, "the first lines below"),
        ({"task": "Add two.", "docstring": "Add two."}, "the words above and the first lines below"),
    ],
)
def test_an_answer_to_a_changed_task_is_marked(mine, change, says):
    """The note stands right above the answer, tells what is new, and shows new first lines; the answer stays."""
    merged = merge(lesson(), mine, lesson(**change))
    place = texts(merged.notebook).index(ANSWER)
    mark = texts(merged.notebook)[place - 1]
    assert "has changed this task since you began it" in mark
    assert f"({says})" in mark
    assert ("Add two." in mark) == ("docstring" in change)
    assert merged.marked == ["total"]


def test_an_unanswered_exercise_is_not_marked():
    """Where nothing was written, the new task simply stands there."""
    new = lesson("Add two.", "Add two.")
    merged = merge(lesson(), lesson(), new)
    assert merged.notebook == new


def test_a_mark_stays_until_the_student_deletes_it_and_goes_with_the_answer(mine):
    """A second change adds a note; one that was written into is the student's; without an answer there is none."""

    def marks(merged) -> list[str]:
        return [text for text in texts(merged.notebook) if "has changed this task" in text]

    first = merge(lesson(), mine, lesson("Add two.")).notebook
    second = marks(merge(lesson("Add two."), first, lesson("Add three.")))
    assert ["`two.`" in text for text in second] == [True, False]
    assert "`three.`" in second[1]
    assert len(marks(merge(lesson("Add two."), first, lesson("Add two.", middle="x = 3")))) == 1
    deleted = copy.deepcopy(first)
    deleted["cells"] = [cell for cell in deleted["cells"] if "has changed this task" not in text_of(cell)]
    assert not marks(merge(lesson("Add two."), deleted, lesson("Add two.", middle="x = 3")))
    emptied = copy.deepcopy(first)
    write(at(emptied, "exercise-total"), "")
    assert merge(lesson("Add two."), emptied, lesson("Add four.")).notebook == lesson("Add four.")
    noted = copy.deepcopy(first)
    write(noted["cells"][3], text_of(noted["cells"][3]) + "\nMy remark.")
    kept = marks(merge(lesson("Add two."), noted, lesson("Add five.")))
    assert [text.endswith("My remark.") for text in kept] == [True, False]


def test_a_changed_cell_of_the_course_stays_while_the_course_leaves_it_alone(mine):
    """A student's own number of steps survives a change elsewhere."""
    write(mine["cells"][1], "x = 7\nprint(x)")
    merged = merge(lesson(), mine, lesson("Add two."))
    assert texts(merged.notebook)[1] == "x = 7\nprint(x)"
    assert merged.changed == 1


def test_where_both_changed_a_cell_both_stay_and_the_old_code_is_off(mine):
    """The course's new cell runs; the student's stands below a note as raw text, so that it runs only if wanted."""
    write(mine["cells"][1], "x = 7\nprint(x)")
    write(mine["cells"][5], "The sum of all things is mine.")
    new = lesson(middle="x = 1\nprint(x, 2)")
    write(new["cells"][5], "The sum of all things is a thing.")
    new["cells"][5]["id"] = text_id("markdown", text_of(new["cells"][5]))
    cells = merge(lesson(), mine, new).notebook["cells"]
    assert [cell["cell_type"] for cell in cells[1:4]] == ["code", "markdown", "raw"]
    assert [text_of(cell) for cell in (cells[1], cells[3])] == ["x = 1\nprint(x, 2)", "x = 7\nprint(x)"]
    assert "switched off" in text_of(cells[2])
    assert [text_of(cell) for cell in cells[-4::2]] == ["The sum of all things is a thing.", text_of(mine["cells"][5])]


def test_an_answer_to_a_retired_or_renamed_exercise_stays_code(mine):
    """The function is still defined, below a note."""
    new = lesson()
    new["cells"][3:5] = [exercise("entire"), check("entire")]
    cells = merge(lesson(), mine, new).notebook["cells"]
    place = [text_of(cell) for cell in cells].index(ANSWER)
    assert cells[place]["cell_type"] == "code"
    assert "no longer has this exercise, or has renamed it" in text_of(cells[place - 1])
    assert "nbgrader" not in cells[place]["metadata"]
    again = merge(new, notebook(*cells), lesson())
    assert again.answers == ["total"]  # the exercise is back, and so is its answer


def test_an_answer_is_found_by_its_function_when_its_id_is_lost(mine):
    """An answer typed into a new cell, or merged into a neighbour, takes the exercise's place."""
    at(mine, "exercise-total")["id"] = "something-else"
    assert merge(lesson(), mine, lesson(middle="x = 3")).answers == ["total"]
    joined = lesson()
    joined["cells"][3:5] = [code(f"{ANSWER}\n\ntotal = check(total)", "check-total")]
    merged = merge(lesson(), joined, lesson(middle="x = 3"))
    assert merged.answers == ["total"]
    assert text_of(at(merged.notebook, "check-total")) == "total = check(total)"


def test_an_exercise_turned_into_prose_comes_back_and_the_prose_stays(mine):
    """A cell retyped by accident: the exercise is code again, and the words that were written are kept below."""
    at(mine, "exercise-total")["cell_type"] = "markdown"
    for key in ("outputs", "execution_count"):
        del at(mine, "exercise-total")[key]
    cells = merge(lesson(), mine, lesson(middle="x = 3")).notebook["cells"]
    assert [(cell["cell_type"], STUB in text_of(cell)) for cell in cells[3:5]] == [("code", True), ("markdown", False)]
    assert text_of(cells[4]) == ANSWER


def test_a_copied_graded_cell_is_not_graded_twice(mine):
    """A duplicate stays, with an id of its own and without what makes it count."""
    mine["cells"].insert(5, copy.deepcopy(at(mine, "check-total")))
    merged = merge(lesson(), mine, lesson(middle="x = 3")).notebook
    graded = [cell["metadata"]["nbgrader"] for cell in merged["cells"] if "nbgrader" in cell["metadata"]]
    assert len(graded) == 2
    assert len({cell["id"] for cell in merged["cells"]}) == len(merged["cells"])


def test_outputs_stay_where_the_code_is_the_same(mine):
    """What was shown is not thrown away for a change elsewhere, and an old result never stands under new code."""
    for cell in mine["cells"]:
        if cell["cell_type"] == "code":
            cell.update(execution_count=3, outputs=[{"output_type": "stream", "name": "stdout", "text": ["1\n"]}])
    merged = merge(lesson(), mine, lesson(middle="x = 3")).notebook
    shown = [bool(cell["outputs"]) for cell in merged["cells"] if cell["cell_type"] == "code"]
    assert shown == [False, True, True, True]


def test_pictures_pasted_into_a_note_stay(mine):
    """Attachments are the student's, also in a cell of the course whose words are untouched."""
    mine["cells"][5]["attachments"] = {"a.png": {"image/png": "AAAA"}}
    merged = merge(lesson(), mine, lesson(middle="x = 3")).notebook
    assert merged["cells"][5]["attachments"] == {"a.png": {"image/png": "AAAA"}}


def test_without_a_base_ids_and_functions_decide(mine):
    """Text whose id proves that it is the course's is replaced; answers, and what proves nothing, stay."""
    mine["cells"].insert(2, code("mine = 1", "own"))
    new = lesson("Add two.", middle="x = 3")
    merged = merge(None, mine, new)
    assert texts(merged.notebook)[:3] == ["# 01 · A lesson", "x = 3", "mine = 1"]
    assert merged.marked == ["total"]
    assert merge(None, lesson(), new).notebook == new


@pytest.mark.parametrize(
    ("broken", "error", "says"),
    [
        ([], TypeError, "mine must be a notebook as a dict, got list"),
        ({"nbformat": 3, "worksheets": []}, ValueError, "mine must be a notebook of format 4, got format 3"),
        ({"nbformat": 4, "cells": [{"source": [1]}]}, ValueError, "mine is no notebook"),
    ],
)
def test_what_cannot_be_merged_is_named(broken, error, says):
    """Arguments that are no notebooks are refused, and the message says which."""
    with pytest.raises(error, match=re.escape(says)):
        merge(lesson(), broken, lesson())


def test_a_damaged_cell_becomes_a_valid_one(mine):
    """Unknown cell types, missing and forbidden keys, bad ids and outputs do not make the result invalid."""
    mine["cells"] += [
        {"cell_type": "heading", "level": 2, "source": "A heading", "metadata": {}},
        {"cell_type": "code", "source": "1 + 1", "metadata": None, "id": "not valid!"},
        {"cell_type": "code", "source": "2", "metadata": {}, "outputs": [{"output_type": "stream"}], "id": 7},
        {"cell_type": "markdown", "source": "3", "metadata": {"tags": ["exercise"]}, "outputs": []},
        {"source": "half a sign: \ud83d"},
    ]
    merged = merge(lesson(), mine, lesson(middle="x = 3")).notebook
    again = parse_notebook(dump_notebook(merged))
    nbformat.validate(nbformat.from_dict(again))
    assert texts(again)[-5:] == ["A heading", "1 + 1", "2", "3", "half a sign: \ud83d"]


# ---------------------------------------------------------------------------------------------------- nothing is lost


def student_at_work(draw: random.Random, notebook: dict, changes: int) -> None:
    """Edit, add, empty, delete, split, duplicate, join, move and retype cells, as people and programs do."""
    cells = notebook["cells"]

    def scribble() -> str:
        return draw.choice(
            ("y = {}", "# note {}\n\n", "`{}`", "def total(x):\n    return {}\n", "é{}\u2028", "")
        ).format(draw.randrange(10**6))

    def new_id() -> str | None:
        return draw.choice((f"own-{draw.randrange(10**9)}", draw.choice(cells).get("id") if cells else None, None))

    for _ in range(changes):
        place = draw.randrange(len(cells)) if cells else 0
        what = draw.choice("edit edit answer add split duplicate delete join move retype empty run noid".split())
        if what == "add" or not cells:
            cells.insert(place + draw.randrange(2), cell(draw.choice(("code", "markdown", "raw")), scribble(), "x"))
            added = next(c for c in cells if c["id"] == "x") if not any(c.get("id") is None for c in cells) else None
            for c in [added] if added else [c for c in cells if c.get("id") == "x"]:
                c["id"] = new_id()
                if c["id"] is None:
                    del c["id"]
            continue
        it = cells[place]
        text = text_of(it)
        cut = draw.randrange(len(text) + 1)
        if what == "edit":
            write(it, text[:cut] + scribble() + text[cut:])
        elif what == "answer":
            write(it, text.replace(STUB, f"return {draw.randrange(10**6)}"))
        elif what == "split":
            rest = copy.deepcopy(it)
            write(it, text[:cut])
            write(rest, text[cut:])
            cells.insert(place + 1, {**rest, **({"id": made} if (made := new_id()) else {})})
            if draw.random() < 0.3:  # some programs leave the id with the second half
                it["id"], cells[place + 1]["id"] = f"own-{draw.randrange(10**9)}", it.get("id")
        elif what == "duplicate":
            cells.insert(
                draw.randrange(len(cells) + 1), {**copy.deepcopy(it), **({"id": i} if (i := new_id()) else {})}
            )
        elif what == "delete":
            cells.pop(place)
        elif what == "join" and place + 1 < len(cells):
            write(it, text + "\n" + text_of(cells.pop(place + 1)))
        elif what == "move":
            cells.insert(draw.randrange(len(cells)), cells.pop(place))
        elif what == "retype":
            for key in ("outputs", "execution_count", "attachments"):
                it.pop(key, None)
            it["cell_type"] = draw.choice(("code", "markdown", "raw"))
        elif what == "empty":
            write(it, draw.choice(("", " \n")))
        elif what == "run" and it["cell_type"] == "code":
            it.update(execution_count=5, outputs=[{"output_type": "stream", "name": "stdout", "text": "1\n"}])
        elif what == "noid":
            it.pop("id", None)


def course_at_work(draw: random.Random, notebook: dict, changes: int) -> None:
    """Reword, add, drop and move cells, and change tasks, with ids as the build gives them."""
    cells = notebook["cells"]
    for _ in range(changes):
        place = draw.randrange(len(cells))
        what = draw.choice(("reword", "reword", "add", "drop", "move", "task", "rename"))
        it = cells[place]
        named = it["id"].startswith(("exercise-", "check-"))
        if what == "reword" and not named:
            write(it, f"{text_of(it)} {draw.randrange(100)}")
            it["id"] = text_id(it["cell_type"], text_of(it))
        elif what == "add":
            cells.insert(place, cell(draw.choice(("code", "markdown")), f"new = {draw.randrange(10**6)}"))
        elif what == "drop" and len(cells) > 3:
            cells.pop(place)
        elif what == "move":
            cells.insert(draw.randrange(len(cells)), cells.pop(place))
        elif what == "task" and it["id"].startswith("exercise-"):
            write(it, text_of(it).replace('"""', f'"""{draw.randrange(10)}', 1))
        elif what == "rename" and it["id"].startswith("exercise-"):
            name = f"f{draw.randrange(10**6)}"
            cells[place] = exercise(name)
    seen: dict[str, int] = {}
    for it in cells:
        plain = it["id"] if not is_text_id(it["id"]) else text_id(it["cell_type"], text_of(it))
        seen[plain] = seen.get(plain, 0) + 1
        it["id"] = plain if seen[plain] == 1 else f"{plain}-{seen[plain]}"


def prove_that_nothing_is_lost(base: dict, mine: dict, new: dict, thorough: bool) -> None:
    """Every text that is not the course's stands in the merged copy; merging again, from any base, changes nothing."""
    course = {text_of(cell) for edition in (base, new) for cell in edition["cells"]}
    for known in (base, None):
        before = json.dumps((known, mine, new)) if thorough else ""
        merged = merge(known, mine, new).notebook
        assert not thorough or before == json.dumps((known, mine, new)), "an argument was changed"
        ids = [cell["id"] for cell in merged["cells"]]
        assert len(set(ids)) == len(ids)
        if thorough:
            nbformat.validate(nbformat.from_dict(merged))
        there = Counter(texts(merged))
        written = [text_of(cell) for cell in mine["cells"] if "tinyfrontier" not in cell["metadata"]]
        lost = Counter(text for text in written if text.strip() and text not in course) - there
        assert not lost
        missing = [cell["id"] for cell in new["cells"] if cell["id"] not in ids]
        assert not missing
        again = parse_notebook(dump_notebook(merged))
        for later in (new, known, None) if thorough else (new, known):  # an interruption leaves the older base
            assert merge(later, again, new).notebook == merged, later is new


@pytest.mark.parametrize("block", range(4))
def test_no_change_by_a_student_is_ever_lost(block):
    """1,000 random cases in four blocks, every fourth with a second day's work and a second update."""
    for seed in range(250 * block, 250 * (block + 1)):
        draw = random.Random(seed)
        base = lesson() if seed % 2 else notebook(*lesson()["cells"], words("Rest."), exercise("half"), check("half"))
        mine, new = copy.deepcopy(base), copy.deepcopy(base)
        student_at_work(draw, mine, draw.randrange(12))
        course_at_work(draw, new, draw.randrange(6))
        try:
            prove_that_nothing_is_lost(base, mine, new, thorough=seed % 4 == 0)
            assert merge(base, base, new).notebook == new
            if seed % 4:
                continue
            merged, newest = merge(base, mine, new).notebook, copy.deepcopy(new)
            student_at_work(draw, merged, draw.randrange(4))
            course_at_work(draw, newest, draw.randrange(4))
            prove_that_nothing_is_lost(new, merged, newest, thorough=seed % 4 == 0)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def neighbours(notebook: dict) -> dict[str, str]:
    """For each own cell the nearest cell of the course before it, "top" if there is none."""
    ids = [cell["id"] for cell in notebook["cells"]]
    own_places = [place for place, cell_id in enumerate(ids) if cell_id.startswith("own-")]
    return {ids[p]: next((i for i in reversed(ids[:p]) if not i.startswith("own-")), "top") for p in own_places}


def test_own_cells_follow_their_neighbour_through_any_update():
    """200 random updates: each own cell stands behind the cell of the course behind which it stood, if that is left."""
    for seed in range(200):
        draw = random.Random(seed)
        mine, new = lesson(), lesson()
        for number in range(4):
            mine["cells"].insert(draw.randrange(len(mine["cells"]) + 1), words(f"note {number}", f"own-{number}"))
        course_at_work(draw, new, draw.randrange(8))
        left = {"top", *(cell["id"] for cell in new["cells"])}
        before, after = neighbours(mine), neighbours(merge(lesson(), mine, new).notebook)
        assert set(before) == set(after)
        for note, neighbour in before.items():
            assert after[note] == neighbour or neighbour not in left, (seed, note)


def test_nothing_is_lost_in_a_real_notebook():
    """The same on a lesson of the course as it is, 10 times."""
    base = parse_notebook((ROOT / "notebooks" / "06_mixture_of_experts.ipynb").read_bytes())
    for seed in range(10):
        draw = random.Random(seed)
        mine, new = copy.deepcopy(base), copy.deepcopy(base)
        student_at_work(draw, mine, 30)
        course_at_work(draw, new, 20)
        prove_that_nothing_is_lost(base, mine, new, thorough=seed < 2)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_notebook_is_known_as_the_courses_own(path):
    """Ids prove the text of each notebook, so a lost base costs nothing; the bytes come back as they were."""
    content = path.read_bytes()
    course = parse_notebook(content)
    assert my_work.is_pristine(course)
    assert dump_notebook(merge(None, course, course).notebook) == content
    for cell in course["cells"]:
        if is_text_id(cell["id"]):
            assert has_its_text(cell["cell_type"], text_of(cell), cell["id"])


# ---------------------------------------------------------------------------------------------------- the folder


@pytest.fixture
def ask_jupyterlab():
    """The function that the next fixture replaces."""
    return ASK


@pytest.fixture(autouse=True)
def nothing_open(monkeypatch):
    """No JupyterLab of this machine has a say in a test."""
    monkeypatch.setattr(my_work, "open_notebooks", lambda folder: set())


@pytest.fixture
def course(tmp_path):
    """A course with two lessons' notebooks, as `bring_up_to_date` sees it."""
    (tmp_path / "notebooks").mkdir()
    for name in ("00_start_here", "01_sums"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_bytes(dump_notebook(lesson()))
    return tmp_path


def publish(course: Path, new: dict, name: str = "01_sums") -> None:
    (course / "notebooks" / f"{name}.ipynb").write_bytes(dump_notebook(new))


def own(course: Path, name: str = "01_sums") -> dict:
    return json.loads((course / "my_work" / f"{name}.ipynb").read_text(encoding="utf-8"))


def answer(course: Path, source: str = ANSWER) -> bytes:
    """Solve the exercise of lesson 01 in the copy; the file's new bytes."""
    mine = own(course)
    write(at(mine, "exercise-total"), source)
    content = dump_notebook(mine)
    (course / "my_work" / "01_sums.ipynb").write_bytes(content)
    return content


def listing(course: Path) -> dict[str, bytes]:
    files = sorted(path for path in (course / "my_work").rglob("*") if path.is_file())
    return {path.relative_to(course / "my_work").as_posix(): path.read_bytes() for path in files}


def test_the_first_start_copies_and_the_second_does_nothing(course):
    """Copies and bases are the notebooks, byte for byte; then nothing is said, and no file is written."""
    report = my_work.bring_up_to_date(course, NOON)
    assert report.lines == ["my_work/ holds your own 2 notebooks: work there, updates keep what you write."]
    notebook = dump_notebook(lesson())
    assert set(listing(course).values()) == {notebook}
    assert set(listing(course)) == {f"{f}{n}.ipynb" for f in ("", ".base/") for n in ("00_start_here", "01_sums")}
    assert my_work.bring_up_to_date(course, NOON).lines == []


def test_an_update_merges_backs_up_and_tells(course):
    """The answer is in the new copy, the old copy is in .backup under its date, and one line says what happened."""
    my_work.bring_up_to_date(course, NOON)
    old = answer(course)
    publish(course, lesson("Add two."))
    report = my_work.bring_up_to_date(course, NOON)
    assert report.lines == [
        "01_sums: 1 cell new or changed; kept 1 answer (total); the task has changed, see the note there: total; "
        "the old copy is my_work/.backup/01_sums.2026-05-04_12-00-00.ipynb"
    ]
    assert ANSWER in texts(own(course))
    assert (course / "my_work/.backup/01_sums.2026-05-04_12-00-00.ipynb").read_bytes() == old
    before = listing(course)
    assert my_work.bring_up_to_date(course, NOON).lines == []
    assert listing(course) == before


def test_an_untouched_copy_becomes_the_new_notebook_without_a_backup(course):
    """Byte for byte, as if it had been made today."""
    my_work.bring_up_to_date(course, NOON)
    publish(course, lesson("Add two.", middle="x = 9"))
    my_work.bring_up_to_date(course, NOON)
    assert listing(course)["01_sums.ipynb"] == dump_notebook(lesson("Add two.", middle="x = 9"))
    assert not list((course / "my_work/.backup").iterdir())


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"nbformat": 4, "cells": 3}'])
def test_what_is_no_notebook_any_more_is_set_aside_and_said(course, damage):
    """The damaged file is kept as it is, a new copy stands in its place."""
    my_work.bring_up_to_date(course, NOON)
    (course / "my_work/01_sums.ipynb").write_bytes(damage)
    line = my_work.bring_up_to_date(course, NOON).lines[0]
    assert "01_sums: cannot be read any more, so a new copy was made; the old one is my_work/.backup/01_sums." in line
    assert own(course) == lesson()
    assert damage in listing(course).values()


def test_a_backup_never_takes_anothers_place(course):
    """Two within a second get two names."""
    my_work.bring_up_to_date(course, NOON)
    first = answer(course)
    publish(course, lesson("Add two."))
    my_work.bring_up_to_date(course, NOON)
    second = answer(course, ANSWER + "  # again")
    publish(course, lesson("Add three."))
    my_work.bring_up_to_date(course, NOON)
    assert {first, second} <= set(listing(course).values())


@pytest.mark.parametrize("stage", range(1, 7))
def test_an_interrupted_update_leaves_the_old_copy_or_the_new_one(course, monkeypatch, stage):
    """Killed at any replacement of a file: the copy is whole, nothing is lost, and the next run ends the work."""
    my_work.bring_up_to_date(course, NOON)
    old = answer(course)
    for name in ("00_start_here", "01_sums"):
        publish(course, lesson("Add two."), name)
    left, replace = [stage], my_work.os.replace

    def interrupt(*names):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        replace(*names)

    with monkeypatch.context() as patch:
        patch.setattr(my_work.os, "replace", interrupt)
        if stage <= 5:  # two for the untouched copy, three for the answered one
            with pytest.raises(KeyboardInterrupt):
                my_work.bring_up_to_date(course, NOON)
        else:
            my_work.bring_up_to_date(course, NOON)
    assert not [name for name in listing(course) if name.endswith(".new")]
    whole = merge(lesson(), parse_notebook(old), lesson("Add two.")).notebook
    assert own(course) in (parse_notebook(old), whole)
    my_work.bring_up_to_date(course, NOON)
    assert own(course) == whole
    assert own(course, "00_start_here") == lesson("Add two.")
    assert old in listing(course).values()


def test_a_copy_that_is_saved_meanwhile_is_merged_as_it_is_then(course, monkeypatch):
    """What JupyterLab writes between reading and replacing is not overwritten."""
    my_work.bring_up_to_date(course, NOON)
    answer(course)
    publish(course, lesson("Add two."))
    back_up, saved = my_work.MyWork._back_up, []

    def save_meanwhile(self, name, content):
        if not saved:
            saved.append(answer(course, ANSWER + "\n# saved just now"))
        return back_up(self, name, content)

    monkeypatch.setattr(my_work.MyWork, "_back_up", save_meanwhile)
    my_work.bring_up_to_date(course, NOON)
    assert ANSWER + "\n# saved just now" in texts(own(course))


def test_a_copy_that_never_rests_is_left_alone(course, monkeypatch):
    """After three attempts it is said, and the copy is the one that was saved last."""
    my_work.bring_up_to_date(course, NOON)
    answer(course)
    publish(course, lesson("Add two."))
    turn, back_up = [], my_work.MyWork._back_up

    def save_meanwhile(self, name, content):
        turn.append(answer(course, ANSWER + "#" * (len(turn) + 1)))
        return back_up(self, name, content)

    monkeypatch.setattr(my_work.MyWork, "_back_up", save_meanwhile)
    report = my_work.bring_up_to_date(course, NOON)
    assert report.failed
    assert "is being saved by another program" in report.lines[-1]
    assert listing(course)["01_sums.ipynb"] == turn[-1]


@pytest.mark.parametrize("told", [{"01_sums.ipynb"}, None], ids=["this one", "it does not tell"])
def test_a_notebook_that_is_open_in_jupyterlab_waits(course, monkeypatch, told):
    """An open copy stays as it is until it is closed."""
    my_work.bring_up_to_date(course, NOON)
    old = answer(course)
    publish(course, lesson("Add two."))
    monkeypatch.setattr(my_work, "open_notebooks", lambda folder: told)
    line = my_work.bring_up_to_date(course, NOON).lines[0]
    assert f"01_sums: {'is' if told else 'may be'} open in JupyterLab, and stays as it is" in line
    assert listing(course)["01_sums.ipynb"] == old
    monkeypatch.setattr(my_work, "open_notebooks", lambda folder: set())
    assert "kept 1 answer" in my_work.bring_up_to_date(course, NOON).lines[0]


@pytest.fixture
def jupyterlab(tmp_path, monkeypatch):
    """What a running JupyterLab tells: the note of its address, and the sessions that it answers with."""
    answers = {"code": 200, "sessions": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answers["asked"] = (self.path, self.headers["Authorization"])
            self.send_response(answers["code"])
            self.end_headers()
            self.wfile.write(json.dumps(answers["sessions"]).encode())

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    note = {"root_dir": str(tmp_path), "token": "abc", "url": f"http://127.0.0.1:{server.server_port}/"}
    (runtime / "jpserver-1.json").write_text(json.dumps(note))
    (runtime / "jpserver-2.json").write_text("{")
    yield answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_running_jupyterlab_is_asked_what_is_open(tmp_path, jupyterlab, ask_jupyterlab):
    """It names the open notebooks of the folder; one that refuses to tell may have any of them open."""
    folder = tmp_path / "my_work"
    jupyterlab["sessions"] = [{"path": "my_work/01_sums.ipynb"}, {"path": "elsewhere/02_x.ipynb"}]
    assert ask_jupyterlab(folder) == {"01_sums.ipynb"}
    assert jupyterlab["asked"] == ("/api/sessions", "token abc")
    assert ask_jupyterlab(tmp_path.parent / "another course" / "my_work") == set()
    jupyterlab["code"] = 403
    assert ask_jupyterlab(folder) is None


def test_a_jupyterlab_that_has_ended_has_nothing_open(tmp_path, monkeypatch, ask_jupyterlab):
    """A note that a killed server left behind does not hold an update back."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    note = {"root_dir": str(tmp_path), "token": "", "url": "http://127.0.0.1:9/"}
    (tmp_path / "jpserver-1.json").write_text(json.dumps(note))
    assert ask_jupyterlab(tmp_path / "my_work") == set()


def test_a_retired_lessons_copy_stays(course):
    """It is said once that the lesson is gone."""
    my_work.bring_up_to_date(course, NOON)
    old = answer(course)
    (course / "notebooks/01_sums.ipynb").unlink()
    assert my_work.bring_up_to_date(course, NOON).lines == [
        "01_sums: is no longer in the course; your copy stays in my_work/"
    ]
    assert my_work.bring_up_to_date(course, NOON).lines == []
    assert listing(course)["01_sums.ipynb"] == old


@pytest.mark.parametrize("name", ["01_adding", "02_sums"], ids=["renamed", "renumbered"])
def test_a_renamed_lesson_takes_the_answers_along(course, name):
    """The new copy has the answer, and the old copy stays."""
    my_work.bring_up_to_date(course, NOON)
    old = answer(course)
    (course / "notebooks/01_sums.ipynb").unlink()
    publish(course, lesson("Add two."), name)
    lines = my_work.bring_up_to_date(course, NOON).lines
    assert f"{name}: was called 01_sums; brought over from there: 1 cell new or changed; kept 1 answer" in lines[0]
    assert ANSWER in texts(own(course, name))
    assert listing(course)["01_sums.ipynb"] == old
    assert my_work.bring_up_to_date(course, NOON).lines == []


def test_a_copy_that_cannot_be_written_stays_and_is_said(course, monkeypatch):
    """A full or locked disk costs one notebook its update, not the others, and nothing that was written."""
    my_work.bring_up_to_date(course, NOON)
    old = answer(course)
    for name in ("00_start_here", "01_sums"):
        publish(course, lesson("Add two."), name)
    replace = my_work.os.replace

    def refuse(source, target):
        if Path(target).name == "01_sums.ipynb" and Path(target).parent.name == "my_work":
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(my_work.os, "replace", refuse)
    report = my_work.bring_up_to_date(course, NOON)
    assert report.failed
    assert report.lines[1:] == ["01_sums: could not be brought up to date (Permission denied); it is as it was"]
    assert listing(course)["01_sums.ipynb"] == old
    assert own(course, "00_start_here") == lesson("Add two.")


def test_a_folder_that_cannot_be_made_is_one_sentence(course):
    """A file in the way, or a course that may not be written, is told once."""
    (course / "my_work").write_text("in the way")
    report = my_work.bring_up_to_date(course, NOON)
    assert report.failed
    assert len(report.lines) == 1
    with pytest.raises(ValueError, match="root must be the course's folder"):
        my_work.bring_up_to_date(course / "lessons")


# ---------------------------------------------------------------------------------------------------- real lessons


@pytest.fixture
def real(tmp_path):
    """A course with the start page and its source."""
    for folder in ("lessons", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "lessons/curriculum.yml").write_bytes((ROOT / "lessons/curriculum.yml").read_bytes())
    source = find_lessons()[0]
    (tmp_path / "lessons" / source.name).write_bytes(source.read_bytes())
    text = to_text(to_notebook(read_lesson(tmp_path / "lessons" / source.name, tmp_path), solution=False))
    (tmp_path / "notebooks/00_start_here.ipynb").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("copied", [False, True], ids=["before the first copy", "beside a copy"])
def test_work_done_in_notebooks_moves_to_my_work(real, copied):
    """An answer written into the course's own notebook is brought over, and that notebook is the course's again."""
    if copied:
        my_work.bring_up_to_date(real, NOON)
    path = real / "notebooks/00_start_here.ipynb"
    course = path.read_bytes()
    edited = course.replace(
        json.dumps(STUB)[1:-1].encode(), b"return ((prediction - target) ** 2).mean()  # in notebooks"
    )
    assert edited != course
    path.write_bytes(edited)
    lines = my_work.bring_up_to_date(real, NOON).lines
    name = "00_start_here (from notebooks)" if copied else "00_start_here"
    assert f"you had worked in notebooks/00_start_here.ipynb: it is now my_work/{name}.ipynb" in lines[-1]
    assert "# in notebooks" in "".join(texts(own(real, name)))
    assert path.read_bytes() == course
    assert edited in listing(real).values()
    assert my_work.bring_up_to_date(real, NOON).lines == []


def test_a_notebook_that_was_only_run_is_put_back_quietly(real):
    """Outputs in `notebooks/` are no work of the student's, and would stop the next pull."""
    path = real / "notebooks/00_start_here.ipynb"
    course = path.read_bytes()
    run = json.loads(course)
    next(cell for cell in run["cells"] if cell["cell_type"] == "code")["execution_count"] = 1
    run["metadata"]["language_info"]["version"] = "3.11.7"
    path.write_bytes(dump_notebook(run))
    assert len(my_work.bring_up_to_date(real, NOON).lines) == 1
    assert path.read_bytes() == course


def test_a_students_own_file_in_notebooks_is_not_the_courses(course):
    """A scratch notebook there is neither copied nor touched."""
    scratch = course / "notebooks/Untitled.ipynb"
    scratch.write_bytes(dump_notebook(notebook(code("1 + 1", "own"))))
    my_work.bring_up_to_date(course, NOON)
    assert "Untitled.ipynb" not in listing(course)
    assert scratch.exists()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_relative_links_lead_somewhere_from_my_work(path):
    """A copy in `my_work/` finds what the notebook links: the other copies, and the pages in `lessons/`."""
    copies = {path.name for path in NOTEBOOKS}
    for cell in parse_notebook(path.read_bytes())["cells"]:
        if cell["cell_type"] != "markdown":
            continue
        for link in re.findall(r"\]\(([^()\s]+)\)|(?:src|href)=\"([^\"]+)\"", text_of(cell)):
            target = "".join(link).split("#")[0]
            if target and "://" not in target and not target.startswith("mailto:"):
                assert target in copies or (ROOT / "my_work" / target).resolve().exists(), target


def test_code_reads_no_file_by_a_relative_path():
    """No cell of a student's copy depends on the folder in which the notebook lies."""
    relative = re.compile(r"\b(?:open|Path|read_csv|load|imread|load_file)\(f?\"(?!/)[\w./-]*[./]\w+\"")
    for path in NOTEBOOKS:
        for cell in parse_notebook(path.read_bytes())["cells"]:
            if cell["cell_type"] == "code":
                assert not relative.search(text_of(cell)), (path.name, text_of(cell))
                assert "../" not in text_of(cell), (path.name, text_of(cell))
