"""Predict, then see, in a real browser: one click is the guess, the reveal answers it, a file keeps both."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.xdist_group("browser")]
RUN_SECONDS = 120

CELLS = [
    "from tinyfrontier.exercises import checker\nfrom tinyfrontier.show import predict\n\ncheck = checker(6)",
    'wins = predict("Which wins at equal time?", ["dense", "the mixture"])\nwins',
    'wins.reveal({"dense": 2.36, "the mixture": 2.41}, best=min)',
]


def test_a_click_is_a_guess_and_the_reveal_answers_it(notebook):
    """Run All shows the measured answer alone; after a click the same cell says what you said, and it is kept."""
    cells = [new_code_cell(source, id=f"cell{number}") for number, source in enumerate(CELLS)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(
        new_notebook(cells=cells, metadata=kernel), notebook.lab.folder / "course" / "notebooks" / "predict.ipynb"
    )
    notebook.open("predict.ipynb")
    notebook.run_all(RUN_SECONDS)
    assert notebook.errors() == []
    revealed = notebook.cell(2).locator(".tinyfrontier-prediction")
    expect(revealed).to_contain_text("Measured: dense, 2.36 against 2.41")

    notebook.run("cell1")
    question = notebook.cell(1).locator(".jp-Cell-outputArea")
    question.get_by_text("the mixture", exact=True).click()
    expect(question).to_contain_text("You say the mixture")
    notebook.run("cell2")
    expect(revealed).to_contain_text("A surprise. You said the mixture, measured: dense, 2.36 against 2.41")
    kept = json.loads(notebook.lab.progress.read_text(encoding="utf-8"))["guesses"]["06"]
    assert kept["Which wins at equal time?"]["guess"] == "the mixture"
