"""Decks for the lessons' openings: whole, offline, described, and without an answer."""

import html
import re

import pytest

from tinyfrontier.authoring import slides
from tinyfrontier.authoring.lessons import finished
from tinyfrontier.authoring.maps import executed_cells, verdicts
from tinyfrontier.authoring.workshops import run_of_show

LESSONS = finished()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All decks as the site gets them."""
    made = tmp_path_factory.mktemp("decks") / "slides"
    slides.write_decks(made)
    return made


@pytest.fixture(params=LESSONS, ids=lambda lesson: lesson.stem)
def lesson(request):
    return request.param


@pytest.fixture
def deck(folder, lesson):
    """The text of a lesson's deck."""
    return (folder / f"{lesson.stem}.html").read_text(encoding="utf-8")


def test_a_deck_has_title_claim_picture_and_question(deck, lesson):
    """A deck of five to ten slides begins with the title and ends with the first question."""
    starts = re.findall(r"<section[^>]*><section[^>]*>\s*<(h\d)[^>]*>(.*?)</h\d>", deck)
    assert 5 <= len(starts) <= 10
    assert starts[0] == ("h1", f"{lesson.number:02d} · {lesson.front['title']}")
    assert starts[1][1].startswith("The claim")
    assert starts[-1] == ("h2", "Your guess")
    assert {tag for tag, _ in starts[1:]} == {"h2"}
    asked = next(row.questions[0] for row in run_of_show(lesson) if row.questions)
    for text in (asked.text, asked.options[0]):
        assert text.split("&")[0].split("'")[0].split('"')[0].split("<")[0] in deck
    assert deck.count("<li>") == (len(asked.options) if len(asked.options) > 1 else 0)


def test_pictures_have_their_words(deck, lesson):
    """The first picture is there, with the text alternative that the lesson's author wrote."""
    found = [html.unescape(re.search(r'alt="([^"]*)"', tag)[1]) for tag in re.findall(r"<img [^>]*>", deck)]
    cells = executed_cells(lesson)
    written = [
        [
            output["metadata"]["image/png"]["alt"]
            for output in cell.get("outputs", [])
            if "image/png" in output.get("data", {})
        ]
        for cell in cells
    ]
    assert found == next(texts for texts in written if texts)
    assert all(len(text) > 15 for text in found)


def test_nothing_comes_from_elsewhere(deck, folder, lesson):
    """What a deck loads lies beside it; there is no MathJax, require.js or jQuery, and no formula is left over."""
    loads = re.findall(r'<(?:script|link|img|iframe)[^>]*?(?:src|href)="([^"]+)"', deck)
    for address in loads:
        assert address.startswith("data:") or (folder / address).is_file(), address
    assert not re.search(r"mathjax|require\(|jquery|mermaid|unpkg|cdnjs", deck, re.I)
    shown = re.sub(r"<(script|style|code)\b.*?</\1>", " ", deck, flags=re.S)
    assert not re.search(r"\$[^$]+\$|formula\d+formula", shown)
    for link in re.findall(r'<a href="([^"]+)"', deck):
        assert re.match(r"https?://|\.\./lessons/\d\d_\w+\.html$", link), link


def test_no_answer_and_no_verdict(deck, lesson):
    """No line of code, no solution, no headline of the verdict, no revealed answer, no check's word."""
    for text in (
        "BEGIN SOLUTION",
        "raise NotImplementedError",
        "tinyfrontier-verdict",
        "Measured:",
        "✔",
        "✘",
        "Verdict:",
    ):
        assert text not in deck, text
    for record in verdicts():
        if record["lesson"] == lesson.number and record["headline"]:
            assert record["headline"] not in deck
    for cell in lesson.cells:
        if cell.kind == "code":
            for line in cell.source.splitlines():
                if len(line.strip()) > 40:
                    assert line.strip() not in deck, line


def test_reveal_stands_beside_the_decks_once(folder):
    """Its script, styles, speaker's view and licence are there, and no style fetches anything."""
    assert {
        path.relative_to(folder / "reveal").as_posix() for path in (folder / "reveal").rglob("*") if path.is_file()
    } == {
        *slides.REVEAL,
        "dist/theme/course.css",
    }
    for sheet in folder.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 5e6


def test_long_prose_is_cut_between_sentences():
    """A paragraph that is longer than a slide is halved; short ones share a slide; a fence stays whole."""
    sentence = "Seven words stand in this very sentence."
    cells = slides._prose("Title", [" ".join([sentence] * 20), "Short.", "```text\na\nb\n```"])
    texts = [cell.source for cell in cells]
    assert [text.split("\n")[0] for text in texts] == ["## Title", "## Title, continued"]
    assert "".join(texts).count(sentence) == 20
    assert texts[-1].endswith("```text\na\nb\n```")


def test_formulas_become_mathml():
    """A formula in a door is drawn by the browser; dollars in code stay."""
    page = next(slides.deck(lesson) for lesson in LESSONS if "$" in lesson.cells[0].source.split("\n## ")[0])
    assert "<math" in page
