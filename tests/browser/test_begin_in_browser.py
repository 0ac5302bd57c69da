"""Where to begin, in a real browser: a click is an answer, a proposal opens its lesson, the next visit knows both."""

import json

import pytest
from playwright.sync_api import expect

from tinyfrontier.show.proposals import finished_lessons

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.xdist_group("browser")]
RUN_SECONDS = 120
QUESTION = "where_to_begin()"


def panel(notebook):
    """The panel's part of the page."""
    cells = notebook.state()["cells"]
    index = next(index for index, cell in enumerate(cells) if QUESTION in cell["source"])
    return notebook.cell(index).locator(".jp-Cell-outputArea")


def test_a_click_answers_and_the_proposal_opens_its_lesson(notebook):
    """A click shows what was measured, an interest proposes a lesson, a reload finds both, a link opens the lesson."""
    notebook.lab.progress.unlink(missing_ok=True)
    notebook.open("00_start_here.ipynb")
    notebook.run_all(RUN_SECONDS)
    page = panel(notebook)
    expect(page).to_contain_text("Nothing answered yet")
    page.get_by_role("button", name="(5, 1)", exact=True).click()
    expect(page).to_contain_text("You said (5, 1). Measured: (5, 5).")
    expect(page.get_by_role("button", name="(5,)", exact=True)).to_be_disabled()
    page.get_by_role("button", name="pictures", exact=True).click()
    expect(page.locator(".tinyfrontier-proposal")).to_contain_text("Your route: pictures")
    kept = json.loads(notebook.lab.progress.read_text(encoding="utf-8"))["start"]
    assert kept == {"broadcasting": "(5, 1)", "interest": "pictures"}

    notebook.open("00_start_here.ipynb")
    notebook.run_all(RUN_SECONDS)
    page = panel(notebook)
    expect(page).to_contain_text("You said (5, 1). Measured: (5, 5).")
    lesson = finished_lessons()[11]
    page.get_by_role("link", name=f"lesson 11, {lesson.title}").first.click()
    notebook.wait_until_ready(f"notebooks/{lesson.stem}.ipynb")


def test_the_questions_fit_a_narrow_page(notebook):
    """At 375 pixels no question, option or answer is wider than the page's output."""
    notebook.lab.progress.unlink(missing_ok=True)
    notebook.page.set_viewport_size({"width": 375, "height": 800})
    notebook.open("00_start_here.ipynb")
    notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    notebook.run_all(RUN_SECONDS)
    page = panel(notebook)
    for option in ("the 1 point", "-6: a larger w is better", "language"):
        page.get_by_role("button", name=option, exact=True).click()
    expect(page).to_contain_text("You said the 1 point")
    wide = """area => [...area.querySelectorAll("*")]
        .filter(part => getComputedStyle(part).display !== "inline" && part.scrollWidth > part.clientWidth + 1)
        .map(part => part.className + " " + part.textContent.slice(0, 40))"""
    assert page.locator(".widget-vbox").first.evaluate(wide) == []
