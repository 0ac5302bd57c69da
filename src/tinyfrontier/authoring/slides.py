"""Slides for the opening of each lesson: its door, as a reveal.js deck that needs no network.

The rule, instead of marks in the lessons: the title with the claim; the prose up to the first picture; that picture;
the paragraph behind it; the first question that asks for a prediction. No code, no answer, no verdict. nbconvert's
exporter writes the decks, reveal.js' own files come with the package sphinx-revealjs and are copied beside them.
"""

from __future__ import annotations

import html
import re
import shutil
from importlib import resources
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from .._course import claims_in
from .lessons import ROOT, Cell, Lesson, curriculum, finished
from .maps import executed_cells
from .site_theme import mathml
from .workshops import Row, plain_links, run_of_show

__all__ = ["deck", "door", "write_decks"]
TEMPLATES = Path(__file__).with_name("site_files")
REVEAL = ("dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js", "LICENSE")
WIDTH, HEIGHT = 960, 700
WORDS = 105  # on one slide of prose
CLAIMS = 3  # that fit under a title
BESIDE = 45  # words that leave room for a picture on the same slide
_MATH = re.compile(r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|\$(.+?)\$", re.S)
_LEAD = re.compile(r"^\*\*(?P<title>[^*]+?)\.\*\*\s*")


def write_decks(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write a deck a finished lesson into `folder`, and reveal.js once beside them; returns the decks' paths."""
    (folder / "reveal" / "dist" / "theme").mkdir(parents=True)
    (folder / "reveal" / "plugin" / "notes").mkdir(parents=True)
    shutil.copy(TEMPLATES / "deck" / "course.css", folder / "reveal" / "dist" / "theme" / "course.css")
    with resources.as_file(resources.files("sphinx_revealjs") / "_static" / "revealjs") as source:
        for name in REVEAL:
            shutil.copy(source / name, folder / "reveal" / name)
    exporter = _exporter()
    written = []
    for lesson in finished(root):
        written.append(folder / f"{lesson.stem}.html")
        written[-1].write_text(deck(lesson, root, exporter), encoding="utf-8")
    return written


def _exporter():
    from nbconvert import SlidesExporter

    return SlidesExporter(
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="deck",
        reveal_url_prefix="reveal",
        reveal_theme="course",
        reveal_width=str(WIDTH),
        reveal_height=str(HEIGHT),
        exclude_anchor_links=True,
        # the deck's own template asks for none of these; without addresses no other can
        mathjax_url="",
        require_js_url="",
        jquery_url="",
        mermaid_js_url="",
    )


def deck(lesson: Lesson, root: Path = ROOT, exporter=None) -> str:
    """A lesson's deck as one page of HTML; formulas are MathML."""
    formulas: list[str] = []

    def kept(found: re.Match) -> str:
        if found[1]:
            return found[1]
        formulas.append(mathml(found[2] or found[3], block=bool(found[2])))
        return f"formula{len(formulas) - 1}formula"  # Markdown leaves a word as it is

    notebook = door(lesson, root)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _MATH.sub(kept, cell.source)
    page, _ = (exporter or _exporter()).from_notebook_node(notebook)
    return re.sub(r"formula(\d+)formula", lambda found: formulas[int(found[1])], page)


# ------------------------------------------------------------------------------------------------------------ the door


def door(lesson: Lesson, root: Path = ROOT) -> NotebookNode:
    """A lesson's door as a notebook whose cells say which slide they begin."""
    outputs = [cell.get("outputs", []) for cell in executed_cells(lesson, root)]
    first = next((place for place, found in enumerate(outputs) if _pictures(found)), 0)
    cells = [*_title(lesson, root), *_opening(lesson.cells[0].source)]
    if first:
        cells += _picture(lesson.cells, first, _pictures(outputs[first]))
    cells += _guess(run_of_show(lesson, root), lesson)
    title = f"{lesson.number:02d} · {lesson.front['title']}: slides"
    return new_notebook(cells=cells, metadata={"title": title})


def _pictures(outputs: list[NotebookNode]) -> list[NotebookNode]:
    return [output for output in outputs if "image/png" in output.get("data", {})]


def _slide(markdown: str, kind: str = "slide") -> NotebookNode:
    words = plain_links(markdown, kept=r"https?:|\.\./")  # the lesson's page lies one folder up
    return new_markdown_cell(words, metadata={"slideshow": {"slide_type": kind}})


def _title(lesson: Lesson, root: Path) -> list[NotebookNode]:
    front = lesson.front
    part = f"Part {front['part']} · {curriculum(root)['parts'][front['part']]} · {front['minutes']} minutes"
    texts = [text for text, _ in claims_in(front).values()]
    claims = "\n>\n".join(f"> {text}" for text in texts)
    note = "The claim is the course's wording of what the articles say. The lesson puts it to the test."
    title = f"# {lesson.number:02d} · {front['title']}\n\n{part}"
    if len(texts) > CLAIMS:
        return [_slide(title), _slide(f"## The claims\n\n{claims}"), _slide(note, "notes")]
    return [_slide(f"{title}\n\n{claims}"), _slide(note, "notes")]


def _opening(markdown: str) -> list[NotebookNode]:
    """The prose under the title, which begins with the claim in bold."""
    text = markdown.split("\n", 1)[1].split("\n## ")[0].strip()
    lead = _LEAD.match(text)
    title = lead["title"] if lead else "The claim"
    return _prose(title, _paragraphs(text[lead.end() :] if lead else text))


def _paragraphs(markdown: str) -> list[str]:
    """Paragraphs of Markdown; a fence is one."""
    parts = re.split(r"(```.*?```)", markdown, flags=re.S)
    found = []
    for place, part in enumerate(parts):
        found += [part] if place % 2 else [text.strip() for text in re.split(r"\n\s*\n", part)]
    return [text for text in found if text]


def _prose(title: str, paragraphs: list[str]) -> list[NotebookNode]:
    """Paragraphs on as many slides as they need; a long one is cut between sentences."""
    pieces = []
    for paragraph in paragraphs:
        whole = paragraph.startswith("```") or len(paragraph.split()) <= WORDS
        pieces += [paragraph] if whole else _halves(paragraph)
    slides: list[list[str]] = []
    room = 0
    for piece in pieces:
        words = _weight(piece)
        if words > room or not slides:
            slides.append([])
            room = WORDS
        slides[-1].append(piece)
        room -= words
    names = [title] + [f"{title}, continued"] * (len(slides) - 1)
    return [_slide("\n\n".join([f"## {name}", *texts])) for name, texts in zip(names, slides, strict=True)]


def _weight(piece: str) -> int:
    """The room that a piece takes, in words: a line of code takes that of eight."""
    return 8 * piece.count("\n") if piece.startswith("```") else len(piece.split())


def _halves(paragraph: str) -> list[str]:
    sentences = re.split(r"(?<=[.!?])(?<!al\.)\s+(?=[A-Z*`$])", paragraph)
    half, pieces = len(paragraph.split()) / 2, [""]
    for sentence in sentences:
        if len(pieces[-1].split()) >= half and len(pieces) < 2:
            pieces.append("")
        pieces[-1] = f"{pieces[-1]} {sentence}".strip()
    return pieces


def _picture(cells: tuple[Cell, ...], place: int, pictures: list[NotebookNode]) -> list[NotebookNode]:
    """What leads to the picture, the picture, and the paragraph behind it."""
    title, before = "One picture", []
    for cell in cells[1:place]:
        if cell.kind != "markdown":
            continue
        head, section, rest = cell.source.rpartition("## ")
        if section and head[-1:] in ("", "\n"):
            title, _, text = rest.partition("\n")
            before = _paragraphs(text)
        elif title != "One picture":
            before += _paragraphs(cell.source)
        else:
            before = _paragraphs(cell.source)
    beside = [before.pop()] if before and _weight(before[-1]) <= BESIDE else []
    slides = _prose(title, before) if before else []
    for output in pictures:
        name = f"{title}, continued" if slides else title
        slides.append(_slide("\n\n".join([f"## {name}", *beside])))
        beside = []
        alone = new_output("display_data", {"image/png": output["data"]["image/png"]}, metadata=output["metadata"])
        slides.append(new_code_cell("", outputs=[alone]))
    behind = next((cell for cell in cells[place + 1 :] if "instructor" not in cell.tags), None)
    if behind is not None and behind.kind == "markdown":
        text = _paragraphs(behind.source)[0]
        if not text.startswith("#"):
            slides += _prose("What to look at", [text])
    return slides


def _guess(rows: list[Row], lesson: Lesson) -> list[NotebookNode]:
    row = next((row for row in rows if row.questions), None)
    if row is None:
        return []
    question = row.questions[0]
    if len(question.options) > 1:
        options = "".join(f"<li>{html.escape(option)}</li>" for option in question.options)
        options = f"<ol>{options}</ol>"
    else:
        options = f"<p>Say {html.escape(question.options[0])}.</p>"
    where = f"[the lesson](../lessons/{lesson.stem}.html)"
    text = f"<p><strong>{html.escape(question.text)}</strong></p>\n\n{options}\n\n"
    text += f"Write your answer down. Then open {where}: it comes to this in minute {row.start}."
    note = f"Nothing here tells the answer. Let everybody commit to one; the lesson asks again in minute {row.start}."
    return [_slide(f"## Your guess\n\n{text}"), _slide(note, "notes")]
