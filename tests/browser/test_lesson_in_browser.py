"""What a student does, in a real browser: open JupyterLab, run a lesson, move a panel, solve an exercise."""

import json
import re

import pytest
from playwright.sync_api import expect

from tinyfrontier.authoring.lessons import lesson_path, read_lesson
from tinyfrontier.authoring.mutants import exercise_cell
from tinyfrontier.authoring.notebooks import solution_code
from tinyfrontier.exercises import exercises_of
from tinyfrontier.exercises.engine import run_check

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.xdist_group("browser")]
RUN_SECONDS = 180  # a lesson's budget is 45 CPU seconds; the machine may be shared
FIRST_LESSON = 1


def cell_id(kind: str, exercise: str) -> str:
    """The id that the build gives an exercise's cell ("exercise") or its check's ("check")."""
    return f"{kind}-{exercise.replace('_', '-')}"


def known_mistake(lesson: int, name: str) -> tuple[str, str]:
    """Code that makes one of the exercise's known mistakes, fit to stand alone in a notebook's cell, and its hint."""
    exercise = exercises_of(lesson)[name]
    for mistake in exercise.mistakes:
        code = re.sub(r"^def \w+", f"def {name}", mistake.source)
        code = "import math\n\nimport torch\nimport torch.nn.functional as F\n\n\n" + code.rstrip()
        namespace: dict = {}
        exec(code, namespace)
        if run_check(exercise, namespace[name]).mistake == mistake.name:
            return code, mistake.hint
    raise AssertionError(f"no known mistake of {name} stands alone")


def report(notebook, name: str):
    """The report below an exercise's check."""
    return notebook.cell(notebook.index(cell_id("check", name))).locator(".tinyfrontier-check")


def output_with(notebook, source: str):
    """The output below the first cell whose code contains `source`, scrolled into view."""
    cells = notebook.state()["cells"]
    index = next(index for index, cell in enumerate(cells) if cell["type"] == "code" and source in cell["source"])
    return notebook.cell(index).locator(".jp-Cell-outputArea")


def test_start_page_runs_and_opens_a_lesson(notebook):
    """The start page shows the doctor's table and the course map; a finished lesson's title opens its notebook."""
    notebook.open("00_start_here.ipynb")
    notebook.run_all(RUN_SECONDS)
    assert notebook.errors() == []
    assert "OK" in output_with(notebook, "doctor()").locator("table").inner_text()

    lesson = read_lesson(lesson_path(FIRST_LESSON))
    course_map = output_with(notebook, "course_map()").locator("table")
    course_map.get_by_role("link", name=lesson.front["title"], exact=True).click()
    notebook.wait_until_ready(f"notebooks/{lesson.stem}.ipynb")


def test_first_lesson_is_run_played_with_and_solved(notebook):
    """A student runs lesson 1, moves its panel by keyboard, is told of a mistake, puts it right, and it is kept."""
    lesson = read_lesson(lesson_path(FIRST_LESSON))
    name = lesson.front["exercises"][0]
    notebook.open(f"{lesson.stem}.ipynb")
    notebook.run_all(RUN_SECONDS)
    assert notebook.errors() == []
    expect(report(notebook, name)).to_have_attribute("data-status", "not attempted")

    panel = output_with(notebook, lesson.tagged("panel")[0].source)
    picture, readout = panel.locator("img.tinyfrontier-panel"), panel.locator(".tinyfrontier-readout")
    at_first = picture.get_attribute("src"), readout.inner_text()
    panel.get_by_role("slider").first.focus()
    notebook.page.keyboard.press("ArrowRight")
    expect(picture).not_to_have_attribute("src", at_first[0])
    expect(readout).not_to_have_text(at_first[1])
    notebook.page.keyboard.press("ArrowLeft")
    expect(picture).to_have_attribute("src", at_first[0])
    expect(readout).to_have_text(at_first[1])

    mistaken, hint = known_mistake(lesson.number, name)
    notebook.write(cell_id("exercise", name), mistaken)
    notebook.run(cell_id("exercise", name))
    notebook.run(cell_id("check", name))
    expect(report(notebook, name)).to_contain_text(hint.split("`")[0])  # what stands in backticks is shown as code

    notebook.write(cell_id("exercise", name), solution_code(exercise_cell(lesson.number, name)))
    notebook.run(cell_id("exercise", name))
    notebook.run(cell_id("check", name))
    expect(report(notebook, name)).to_have_attribute("data-status", "passed")
    expect(report(notebook, name)).to_contain_text("passed")
    record = json.loads(notebook.lab.progress.read_text(encoding="utf-8"))
    assert record["passed"] == {f"{lesson.number:02d}": [name]}
