"""From source to notebooks: what the student's copy leaves out, stable ids, nbgrader metadata, frozen widgets."""

import base64
import io

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image

from tinyfrontier.authoring.calibration import CELL_SECONDS_LIMIT, SECONDS_LIMIT
from tinyfrontier.authoring.lessons import ROOT, find_lessons, read_lesson
from tinyfrontier.authoring.notebooks import (
    STUB,
    freeze,
    is_executed,
    quantised,
    skeleton,
    strip_solution,
    to_notebook,
    to_text,
)

from .toy import TOY, course_folder


@pytest.fixture
def lesson(tmp_path):
    """The toy page."""
    root = course_folder(tmp_path)
    return read_lesson(root / "lessons" / "00_start_here.md", root)


def test_the_student_sees_no_solution(lesson):
    """Solution lines and instructor cells are gone; a stub of one line stands in their place."""
    text = to_text(to_notebook(lesson, solution=False))
    assert "error**2" not in text
    assert "SOLUTION" not in text
    assert "SECRET" not in text
    assert text.count("NotImplementedError") == 1


def test_the_stub_does_not_tell_the_length_of_the_solution():
    """Solutions of one and of three lines leave the same stub, and what stands around them stays."""
    head, tail = "def f():\n    ### BEGIN SOLUTION", "    ### END SOLUTION\n    after()"
    short = strip_solution(f"{head}\n    a()\n{tail}")
    assert short == strip_solution(f"{head}\n    a()\n    b()\n    c()\n{tail}")
    assert short == f"def f():\n    {STUB}\n    after()"


def test_the_solution_is_complete(lesson):
    """The instructor's copy holds the solution with its markers, and the instructor cells."""
    text = to_text(to_notebook(lesson, solution=True))
    assert "error**2" in text
    assert "### BEGIN SOLUTION" in text
    assert "SECRET" in text


def test_the_same_source_gives_the_same_bytes(lesson):
    """Two builds write equal text."""
    for solution in (True, False):
        assert to_text(to_notebook(lesson, solution=solution)) == to_text(to_notebook(lesson, solution=solution))


def test_ids_change_only_where_the_source_changed(tmp_path, lesson):
    """Exercises and checks keep their ids when their source changes; other cells' ids follow their text."""
    before = [cell.id for cell in to_notebook(lesson, solution=True).cells]
    (tmp_path / "lessons" / "00_start_here.md").write_text(
        TOY.replace("error**2", "error * error").replace("Words between.", "Other words."), encoding="utf-8"
    )
    after = read_lesson(tmp_path / "lessons" / "00_start_here.md", tmp_path)
    changed = [
        (old, new.id) for old, new in zip(before, to_notebook(after, solution=True).cells, strict=True) if old != new.id
    ]
    assert len(changed) == 1
    assert "exercise-mean-squared-error" in before
    assert "check-mean-squared-error" in before


def test_equal_cells_get_distinct_ids(tmp_path):
    """A cell that stands twice gets two ids."""
    root = course_folder(tmp_path)
    path = root / "lessons" / "00_start_here.md"
    path.write_text(TOY + "\n```python\nimport torch\n```\n", encoding="utf-8")
    ids = [cell.id for cell in to_notebook(read_lesson(path, root), solution=True).cells]
    assert len(set(ids)) == len(ids)


def test_exercises_and_checks_carry_nbgraders_metadata(lesson):
    """The exercise is a solution cell, the check a locked test cell with points."""
    cells = {cell.id: cell for cell in to_notebook(lesson, solution=False).cells}
    answer = cells["exercise-mean-squared-error"].metadata.nbgrader
    check = cells["check-mean-squared-error"].metadata.nbgrader
    assert (answer.solution, answer.grade, answer.locked) == (True, False, False)
    assert (check.solution, check.grade, check.locked) == (False, True, True)
    assert check.points == 1
    assert answer.grade_id != check.grade_id


def test_widgets_are_frozen_to_their_picture():
    """A widget view is replaced by the still picture or HTML beside it; without either, freezing fails."""
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
    png = base64.b64encode(drawn())
    output = nbformat.v4.new_output("display_data", data={**view, "image/png": png.decode() + "\n"})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("panel", outputs=[output])])
    notebook.metadata["widgets"] = {"state": {}}
    freeze(notebook)
    assert list(notebook.cells[0].outputs[0]["data"]) == ["image/png"]
    assert "widgets" not in notebook.metadata
    words = nbformat.v4.new_output("display_data", data={**view, "text/html": "<p>asked</p>"})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("predict", outputs=[words])])
    freeze(notebook)
    assert notebook.cells[0].outputs[0]["data"] == {"text/html": "<p>asked</p>"}
    bare = nbformat.v4.new_output("display_data", data=dict(view))
    with pytest.raises(ValueError, match="without a still picture"):
        freeze(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("panel", outputs=[bare])]))


def drawn(**metadata) -> bytes:
    """A figure with lines, text and a gradient, as PNG bytes."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(5, 2.5))
    left.plot([0, 3, 1, 2], label="a line")
    right.imshow(np.linspace(0, 1, 4096).reshape(64, 64), cmap="viridis")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None, **metadata})
    plt.close(figure)
    return buffer.getvalue()


def test_pictures_get_few_colours_where_that_is_smaller():
    """A figure shrinks by half or more, looks the same, keeps its texts, and is the same at every run."""
    before = drawn(Description="kept")
    encoded = base64.b64encode(before).decode()
    small = quantised(encoded)
    assert small == quantised(encoded)
    assert len(small) < len(encoded) / 2
    assert quantised(small) == small
    one, two = (Image.open(io.BytesIO(data)) for data in (before, base64.b64decode(small)))
    assert len(two.getcolors()) <= 128
    assert two.text["Description"] == "kept"
    assert two.size == one.size
    old, new = (np.asarray(image.convert("RGB"), dtype=float) for image in (one, two))
    assert (new[0, 0] == 255).all()
    assert np.abs(old - new).mean() < 2
    assert plt.imread(io.BytesIO(base64.b64decode(small))).shape[:2] == old.shape[:2]


def test_a_picture_that_few_colours_do_not_shrink_stays():
    """A picture with transparent parts, and one that is smaller as it is, are left alone."""
    for image in (Image.new("RGBA", (40, 40), (255, 0, 0, 100)), Image.new("1", (8, 8))):
        buffer = io.BytesIO()
        image.save(buffer, "png")
        encoded = base64.b64encode(buffer.getvalue()).decode()
        assert quantised(f"{encoded}\n") == encoded


def test_an_error_counts_as_not_executed():
    """A notebook with an unexecuted cell or an error output is not fit to ship."""
    cell = nbformat.v4.new_code_cell("1")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert not is_executed(notebook)
    cell.execution_count = 1
    assert is_executed(notebook)
    cell.outputs = [nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])]
    assert not is_executed(notebook)


@pytest.mark.parametrize("path", find_lessons(), ids=lambda path: path.stem)
def test_the_shipped_solution_is_whole(path):
    """A shipped solution is executed, without error, stderr or widget ids, is small, and its pictures have texts."""
    file = ROOT / "solutions" / f"{path.stem}.ipynb"
    notebook = nbformat.read(file, as_version=4)
    assert is_executed(notebook)
    assert skeleton(notebook) == skeleton(to_notebook(read_lesson(path), solution=True))
    assert file.stat().st_size < 1.5e6
    assert "widget-view" not in file.read_text(encoding="utf-8")
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", f"{cell.source}\nprints to stderr: {output.text}"
            if "image/png" in output.get("data", {}):
                assert len(output.metadata["image/png"]["alt"]) >= 10, cell.source


@pytest.mark.parametrize("path", find_lessons()[1:], ids=lambda path: path.stem)
def test_a_lesson_ships_one_signature_picture(path):
    """Each lesson marks exactly one of its pictures as the signature result."""
    notebook = nbformat.read(ROOT / "solutions" / f"{path.stem}.ipynb", as_version=4)
    marked = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.get("metadata", {}).get("image/png", {}).get("signature")
    ]
    assert len(marked) == 1


@pytest.mark.parametrize("path", find_lessons(), ids=lambda path: path.stem)
def test_the_measured_budget_is_within_the_limits(path):
    """The cost that the build wrote into the front matter is measured; where it is over budget, it says so."""
    budget = read_lesson(path).front["budget"]
    assert budget["reference_seconds"] > 0.5
    assert 50 < budget["peak_mib"] <= 1536
    over = budget["reference_seconds"] > SECONDS_LIMIT or budget.get("slowest_cell", 0) > CELL_SECONDS_LIMIT
    assert budget.get("forced", False) is over
