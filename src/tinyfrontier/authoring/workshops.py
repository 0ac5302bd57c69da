"""What an instructor needs to teach a lesson: its run-of-show, minute by minute, and the page of all routes.

Derived from the lessons' sources, the questions in the executed solutions, and the exercises' known mistakes.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from pathlib import Path

from .._course import claims_in
from .bands import exact_minutes
from .lessons import ROOT, Cell, Lesson, curriculum, finished
from .maps import cell_text, executed_cells
from .routes import Route, duration, routes

__all__ = ["FOLDER", "Question", "Row", "questions", "routes_page", "run_of_show", "show_page", "workshop_pages"]
FOLDER = "workshops"
STUCK = 3  # known mistakes that are named for each exercise: the first ones of its list
CONTINUED = ", continued"
SAY = 230  # about so many characters of a section's beginning are what to say
DERIVED = "<!-- Derived by `python3 course.py build` from {}; edit that instead. -->"
SLIDES = "slides: `slides/{}.html` of the site"
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_HEADING = re.compile(r"^(##|###) (.+)$")
_EXERCISE_FACTS = re.compile(r"\*(\d+ lines?) · (\d+) minutes? · difficulty (\d) of 5\*")
_NO_PROSE = ("|", "- ", "* ", "#", "$$", "<", ">", "```", "~~~")
_ALONE = re.compile(r"\*\*[^*]+\*\*")  # a bold line is a title
_SENTENCE = re.compile(r"(?<=[.!?:])(?<!al\.)(?<!e\.g\.)(?<!vs\.)\s+(?=[A-Z0-9`$*\"“])")


@dataclass(frozen=True)
class Question:
    """A question that a lesson asks before a result: its words, and the options, or the range of the number."""

    text: str
    options: tuple[str, ...]


@dataclass
class Row:
    """A stretch of a lesson: a section, an exercise, or the rest of a section behind its exercise.

    Attributes:
        heading: its title.
        start: the minute at which it begins.
        minutes: how long it takes.
        cells: first and last number that its code cells bear in a student's copy after Run All; None without code.
        say: what to say: the claim, or the section's first sentences.
        questions: what the class is asked in it.
        exercise: name of the function to write, or "".
        facts: the exercise's minutes and difficulty in words, or "".
    """

    heading: str
    start: int = 0
    minutes: int = 0
    cells: tuple[int, int] | None = None
    say: str = ""
    questions: list[Question] = field(default_factory=list)
    exercise: str = ""
    facts: str = ""
    prose: list[str] = field(default_factory=list, repr=False)
    code_lines: int = 0

    @property
    def exact(self) -> float:
        """Its minutes before rounding, by the formula by which the build computes a lesson's."""
        return exact_minutes("\n\n".join(self.prose), self.code_lines)


# ------------------------------------------------------------------------------------------------------ the run-of-show


def questions(lesson: Lesson, root: Path = ROOT) -> dict[str, list[Question]]:
    """The questions that a lesson asks, by the source of the code cell that asks them, from its executed solution."""
    found: dict[str, list[Question]] = {}
    for cell in executed_cells(lesson, root):
        for output in cell.get("outputs", []):
            page = output.get("data", {}).get("text/html", "")
            if "data-status='asked'" not in page:
                continue
            title = html.unescape(re.search(r"<b>Predict: (.*?)</b>", page, re.S)[1])
            rows = [html.unescape(text) for text in re.findall(r"<td[^>]*>(.*?)</td>", page, re.S)]
            options = tuple(text.removeprefix("○ ") for text in rows)
            found.setdefault(cell.source, []).append(Question(title, options))
    return found


def run_of_show(lesson: Lesson, root: Path = ROOT) -> list[Row]:
    """The lesson's stretches in order; their minutes add up to those of its front matter."""
    asked = questions(lesson, root)
    rows = [Row("The door", say=" ".join(text for text, _ in claims_in(lesson.front).values()))]
    section, number = "The door", 0
    after_check = False
    for cell in lesson.cells:
        if cell.kind == "markdown":
            for heading, text in _split(cell.source):
                if heading is None and not text.strip():
                    continue
                if heading and not heading.startswith("### "):
                    section = heading.removeprefix("## ")
                    rows.append(Row(section))
                elif heading:
                    _begin_exercise(rows, heading.removeprefix("### "))
                elif after_check:
                    rows.append(Row(section + CONTINUED))
                after_check = False
                _add_prose(rows[-1], heading, text)
            continue
        if after_check and "instructor" not in cell.tags:
            rows.append(Row(section + CONTINUED))
            after_check = False
        if "instructor" not in cell.tags:
            number += 1
        _add_code(rows[-1], cell, number)
        rows[-1].questions += asked.get(cell.source, [])
        after_check = after_check or "check" in cell.tags
    return _folded(_timed(rows, lesson.front["minutes"]))


def _timed(rows: list[Row], minutes: int) -> list[Row]:
    scale = minutes / (sum(row.exact for row in rows) or 1)  # within a rounding 1: the same words, counted piecewise
    passed = 0.0
    for row in rows:
        row.start = min(round(passed * scale), minutes)
        passed += row.exact
    for row, end in zip(rows, [row.start for row in rows[1:]] + [minutes], strict=True):
        row.minutes = end - row.start
    return rows


def _folded(rows: list[Row]) -> list[Row]:
    """The rows without those that are a sentence behind an exercise, less than a minute; their cells stay counted."""
    kept = rows[:1]
    for row in rows[1:]:
        if row.minutes or row.questions or not row.heading.endswith(CONTINUED):
            kept.append(row)
        elif row.cells:
            kept[-1].cells = (kept[-1].cells[0] if kept[-1].cells else row.cells[0], row.cells[1])
    for row in kept:
        row.say = row.say or f"The claim once more: {kept[0].say}"
    return kept


def _split(markdown: str) -> list[tuple[str | None, str]]:
    """Markdown cut before each section and each exercise: the heading's line, None before the first, and the text."""
    pieces: list[tuple[str | None, list[str]]] = [(None, [])]
    fenced = False
    for line in markdown.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else _HEADING.match(line)
        if heading and (heading[1] == "##" or heading[2].startswith("Exercise ")):
            pieces.append((line, [line]))
        else:
            pieces[-1][1].append(line)
    return [(heading, "\n".join(lines)) for heading, lines in pieces]


def _begin_exercise(rows: list[Row], title: str) -> None:
    """A new row for an exercise; a section that has nothing but its heading before it becomes a part of its title."""
    last = rows[-1]
    bare = not last.code_lines and not last.questions and len(last.prose) == 1 and last.prose[0].count("\n") == 0
    if bare and last.prose[0].startswith("## "):
        last.heading = f"{last.heading.rstrip('.')}. {title}"
    else:
        rows.append(Row(title))


def _add_prose(row: Row, heading: str | None, text: str) -> None:
    row.prose.append(text.strip())
    facts = _EXERCISE_FACTS.search(text)
    if facts:
        row.facts = f"{facts[2]} min to write {facts[1]}, difficulty {facts[3]} of 5"
    if not row.say:
        row.say = beginning(text)


def _add_code(row: Row, cell: Cell, number: int) -> None:
    row.code_lines += cell.code_lines
    if "exercise" in cell.tags:
        row.exercise = cell.name
    if "instructor" not in cell.tags:
        row.cells = (row.cells[0] if row.cells else number, number)


def beginning(markdown: str) -> str:
    """The first sentences of the first paragraph of prose, about `SAY` characters of them; "" if there is none.

    Where a text has nothing but a list, its first point takes the paragraph's place.
    """
    listed = [line.removeprefix("- ") for line in re.findall(r"^- .+(?:\n[ \t]+\S.*)*", markdown, re.M)]
    for paragraph in [*re.split(r"\n\s*\n", markdown), *listed[:1]]:
        text = paragraph.strip()
        if not text or text.startswith(_NO_PROSE) or _EXERCISE_FACTS.match(text) or _ALONE.fullmatch(text):
            continue
        sentences = _SENTENCE.split(" ".join(text.split("$$")[0].split()))
        said = sentences[0]
        for sentence in sentences[1:]:
            if len(said) + len(sentence) > SAY:
                break
            said += f" {sentence}"
        return said.rstrip(":,").strip()
    return ""


# ------------------------------------------------------------------------------------------------------------ the pages


def workshop_pages(root: Path = ROOT) -> dict[str, str]:
    """The text of every page of the folder `workshops/`, by its path from the course's folder."""
    pages = {f"{FOLDER}/README.md": routes_page(root)}
    for lesson in finished(root):
        pages[f"{FOLDER}/{lesson.stem}.md"] = show_page(lesson, root)
    return pages


def show_page(lesson: Lesson, root: Path = ROOT) -> str:
    """The text of a lesson's run-of-show."""
    from ..exercises import exercises_of

    front = lesson.front
    facts = [f"{front['minutes']} minutes", _counted(len(front["exercises"]), "exercise")]
    titles = {row["number"]: row["title"] for row in curriculum(root)["lessons"]}
    if front["prerequisites"]:
        facts.append("after " + ", ".join(f"{number:02d} {titles[number]}" for number in front["prerequisites"]))
    lines = ["| minute | part | say | ask | where they get stuck |", "|---|---|---|---|---|"]
    known = exercises_of(lesson.number) if front["exercises"] else {}
    for row in run_of_show(lesson, root):
        cells = "" if row.cells is None else f"In [{row.cells[0]}]"
        if row.cells and row.cells[1] > row.cells[0]:
            cells += f" to [{row.cells[1]}]"
        part = "<br>".join(filter(None, [f"**{row.heading}**", row.facts, cells]))
        ask = "<br>".join(f"{_literal(q.text)} *{_literal(' / '.join(q.options))}*" for q in row.questions)
        mistakes = known[row.exercise].mistakes[:STUCK] if row.exercise else ()
        stuck = "<br>".join(f"**{_literal(m.name)}**: {_literal(m.hint)}" for m in mistakes)
        lines.append(
            f"| {row.start} | "
            + " | ".join(cell_text(text) for text in (part, plain_links(row.say), ask, stuck))
            + " |"
        )
    lines.append(f"| {front['minutes']} | **End** | | | |")
    facts += [f"[notebook](../notebooks/{lesson.stem}.ipynb)", SLIDES.format(lesson.stem), "[all routes](README.md)"]
    derived = DERIVED.format(f"lessons/{lesson.path.name}, its solution, and its exercises")
    return f"""{derived}

# {lesson.number:02d} · {front["title"]}: run-of-show

{" · ".join(facts)}

A minute is 150 words or 20 lines of code; an exercise takes what it says of itself. `In [n]` is the number at a code
cell's left in the students' copy after *Run All*. Ask before you run the cell, and let everybody commit to an answer.

{chr(10).join(lines)}
"""


def routes_page(root: Path = ROOT) -> str:
    """The text of `workshops/README.md`: the routes, session by session, and all runs-of-show."""
    ways = routes(root)
    table = ["| route | for | time | lessons | minutes |", "|---|---|---|---|---|"]
    for way in ways:
        lessons = str(len(way.lessons)) + (" nearest" if way.meanwhile else "")
        anchor = re.sub(r"[^a-z0-9]+", "-", way.name.lower()).strip("-")
        table.append(
            f"| [{way.name}](#{anchor}) | {cell_text(way.audience)} | {_time(way)} | {lessons} | {way.total} |"
        )
    shows = [
        f"- [{lesson.number:02d} {lesson.front['title']}]({lesson.stem}.md), {lesson.front['minutes']} minutes"
        for lesson in finished(root)
    ]
    parts = [_route_section(way) for way in ways]
    return f"""{DERIVED.format("`routes` in lessons/curriculum.yml and the lessons' front matter")}

# Workshops

Each route takes its goals and, before them, all that they build on. Minutes are the lessons' own: reading, running and
the exercises. What a session leaves over is for breaks, for questions and for whoever needs longer. A lesson has a
**run-of-show**, which says minute by minute what to say, what to ask, and where students get stuck, and **slides** for
its opening, which `python3 course.py site` writes into `site/slides/`; they need no network.

{chr(10).join(table)}

{chr(10).join(parts)}
## Runs-of-show

{chr(10).join(shows)}
"""


def _route_section(way: Route) -> str:
    lines = [f"## {way.name}", "", f"For {way.audience}. {_time(way, sentence=True)}"]
    if way.meanwhile:
        numbers = len(way.to_come)
        lines += [
            "",
            f"**None of its {numbers} lessons is finished yet.** Until they are, these finished ones are nearest:",
            "",
        ]
        titles = {lesson.number: lesson for lesson in way.lessons}
        lines += [f"- {_show_link(titles[number])}: {why}." for number, why in way.meanwhile.items()]
    elif not way.lessons:
        lines += ["", "**None of its lessons is finished yet.**"]
    if way.lessons:
        lines += ["", f"| {way.unit} | lessons | minutes |", "|---|---|---|"]
        for place, session in enumerate(way.sessions, start=1):
            minutes = sum(lesson.front["minutes"] for lesson in session)
            lines.append(f"| {place} | {'<br>'.join(_show_link(lesson) for lesson in session)} | {minutes} |")
        lines.append(f"| | **together** | **{way.total}** |")
    if way.left_out:
        lines += ["", "If time is left: " + ", ".join(_show_link(lesson) for lesson in way.left_out) + "."]
    if way.to_come:
        lines += ["", "To come: " + ", ".join(f"{number:02d} {title}" for number, title in way.to_come) + "."]
    return "\n".join([*lines, ""])


def _time(way: Route, *, sentence: bool = False) -> str:
    number = way.available or len(way.sessions)
    each = f"{_counted(number, way.unit)}, {'up to ' if not sentence else ''}{way.minutes} minutes each"
    if number == 1:
        each = f"{way.minutes} minutes"
    if not sentence:
        return each
    return (
        f"Time: {_counted(number, way.unit)} of at most {way.minutes} minutes; the lessons take {duration(way.total)}."
    )


def _show_link(lesson: Lesson) -> str:
    return f"[{lesson.number:02d} {lesson.front['title']}]({lesson.stem}.md)"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def plain_links(markdown: str, kept: str = r"https?:") -> str:
    """Markdown whose links to files are words; those to the web, or with a beginning that `kept` matches, stay."""
    return re.sub(rf"\[([^\]]+)\]\((?!{kept})[^)]*\)", r"\1", markdown)


def _literal(text: str) -> str:
    """Plain text as Markdown that reads the same; what stands in backticks is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts = [text.replace("`", "\\`")]
    escaped = [re.sub(r"([*_<>$\[\]])", r"\\\1", part) if place % 2 == 0 else part for place, part in enumerate(parts)]
    return "`".join(escaped)
