"""What a page may weigh: counted on a toy, then held for every lesson."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tinyfrontier.authoring.bands import count_words, outside_bands, page_weight
from tinyfrontier.authoring.lessons import ROOT

PICTURE = new_output("display_data", {"image/png": "iVBORw0KGgo="})
SOLUTIONS = sorted((ROOT / "solutions").glob("[0-9][0-9]_*.ipynb"))[1:]


def page(*cells):
    return page_weight(new_notebook(cells=list(cells)))


def test_words_are_those_that_one_reads():
    """Formulas, fences, tags and addresses do not count; a hyphenated word is one."""
    assert count_words("A well-kept *page* $$x + y$$ <b>is</b> https://some.where/page 42 ```code```") == 4


def test_a_page_is_counted():
    """Wide lines, long cells, lines without blanks, minutes, predictions, and the place of the first picture."""
    found = page(
        new_markdown_cell("one two three *2 lines · 10 minutes · difficulty 1 of 5*"),
        new_code_cell("x = 1\n\ny = 2"),
        new_code_cell("guess = predict('?', ['a', 'b'])\n" + "x = 1\n" * 15 + "y = '" + "a" * 100 + "'"),
        new_code_cell("draw()", outputs=[PICTURE]),
        new_markdown_cell("after"),
    )
    assert found["code lines over 96 columns"] == 1
    assert found["cells over 15 lines"] == 1
    assert found["code lines"] == 2 + 17 + 1
    assert found["minutes"] == 11
    assert found["code cells before the first picture"] == 2
    assert found["plots without prose after them"] == 0
    assert found["predictions"] == 1


@pytest.mark.parametrize(
    ("text", "dense"), [("1, 2, 3 and 4", 0), ("1, 2, 3, 4 and 5", 1), ("| 1 | 2 | 3 | 4 | 5 |", 0)]
)
def test_numbers_crowd_a_paragraph(text, dense):
    """Five numbers are too many for a paragraph, not for a table."""
    assert page(new_markdown_cell(text))["paragraphs with more than 4 numbers"] == dense


def test_a_picture_wants_prose():
    """A plot with code after it is counted, and so is one that ends the page; instructors' cells are not in the way."""
    draw = [new_code_cell("draw()", outputs=[PICTURE]) for _ in range(2)]
    assert page(*draw)["plots without prose after them"] == 2
    held = new_code_cell("assert True", metadata={"tags": ["instructor"]})
    assert page(draw[0], held, new_markdown_cell("See?"))["plots without prose after them"] == 0


def test_what_is_outside_is_said():
    """A page that is too short is told what is missing, with the band."""
    outside = outside_bands(new_notebook(cells=[new_markdown_cell("short"), new_code_cell("x = 1")]))
    assert "1 words (2500 to 4000)" in outside
    assert "0 predictions (2 to 4)" in outside
    assert not any("96 columns" in words for words in outside)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_every_lesson_is_inside_its_bands(path):
    """No lesson's page is wider, longer or denser than a page may be."""
    assert outside_bands(nbformat.read(path, as_version=4)) == []
