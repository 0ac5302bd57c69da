"""The start page's views of the course: the map with ticks, how far the reader is, how their predictions did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .._course import ROOT, lesson_files
from ..exercises.progress import guesses, start_answers
from .boxes import Html, box, link, prose, strong
from .proposals import Lesson, drawn_to, finished_lessons, next_exercise, propose
from .questions import standing

SECOND_LOOK = 6  # as many surprises as one reads


class _View:
    """Something that a notebook shows as a box and a terminal as text."""

    def _repr_html_(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return str(self)


def _curriculum(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "lessons" / "curriculum.yml").read_text(encoding="utf-8"))


def _passed(lessons: list[Lesson]) -> str:
    return f"{sum(len(lesson.passed) for lesson in lessons)} of {sum(len(lesson.exercises) for lesson in lessons)}"


class CourseMap(_View):
    """The course map as the start page shows it, with the reader's ticks; links open the notebooks beside it."""

    def __init__(self, root: Path = ROOT):
        self.done = finished_lessons(root)
        curriculum = _curriculum(root)
        self.rows, self.parts = curriculum["lessons"], curriculum["parts"]

    def _progress(self, number: int) -> str:
        return _passed([self.done[number]])

    def _lines(self) -> Iterator[tuple[Any, ...] | str]:
        part = None
        for row in self.rows:
            if row["part"] != part:
                part = row["part"]
                yield f"Part {part} · {self.parts[part]}"
            number = row["number"]
            if number in self.done:
                lesson = self.done[number]
                name, sections = lesson.link(lesson.title), ", ".join(lesson.sections)
                yield f"{number:02d}", name, sections, lesson.minutes, "done", self._progress(number)
            else:
                yield f"{number:02d}", row["title"], ", ".join(row["sections"]), "", "planned", ""

    def _repr_html_(self) -> str:
        head = ("no.", "lesson", "article sections", "minutes", "state", "exercises passed")
        return box("The course map", self._lines(), head=head, name="map")

    def __str__(self) -> str:
        lines = []
        for row in self.rows:
            state = (
                f"done, exercises passed: {self._progress(row['number'])}" if row["number"] in self.done else "planned"
            )
            lines.append(f"{row['number']:02d} {row['title']}: {state}")
        return "\n".join(lines)


def course_map(root: Path = ROOT) -> CourseMap:
    """The course map for the start page: part, lesson, sections, minutes, done or planned, the reader's progress."""
    return CourseMap(root)


class HowFar(_View):
    """Exercises passed in each part, and the one that comes next.

    Attributes:
        parts: each part's name and its finished lessons.
        next: the lesson and the name of its exercise that comes next; None where all are passed.
    """

    def __init__(self, root: Path = ROOT):
        done = finished_lessons(root)
        self.parts = [
            (f"Part {part} · {title}", [lesson for lesson in done.values() if lesson.part == part])
            for part, title in _curriculum(root)["parts"].items()
        ]
        said = start_answers()
        self.next = next_exercise(propose(standing(said), drawn_to(said), done), done)

    def _conclusion(self) -> tuple[str, Lesson | None]:
        if self.next is None:
            return "Every exercise is passed.", None
        lesson, name = self.next
        return f"Next: {lesson.exercise(name)}, of ", lesson

    def _repr_html_(self) -> str:
        words, lesson = self._conclusion()
        rows = [(part, _passed(lessons)) for part, lessons in self.parts if lessons]
        last = Html(f"{prose(words)}{lesson.link()}.") if lesson else words
        head = ("part", "exercises passed")
        return box("How far you are", rows, head=head, note=last, name="progress")

    def __str__(self) -> str:
        words, lesson = self._conclusion()
        lines = [f"{part}: {_passed(lessons)}" for part, lessons in self.parts if lessons]
        last = f"{words.replace('`', '')}lesson {lesson.number:02d}, {lesson.title}." if lesson else words
        return "\n".join([*lines, last])


def how_far(root: Path = ROOT) -> HowFar:
    """Exercises passed in each part and the next one, for the start page: first in the lesson that the reader is in."""
    return HowFar(root)


class Calibration(_View):
    """How often the reader's predictions were right, and which surprises are worth a second look.

    Attributes:
        revealed: the guesses whose answer is known, as (lesson, question, facts).
        right: how many of them were right.
        by_chance: how many would be right on average if one guessed blindly.
    """

    def __init__(self, root: Path = ROOT):
        self.stems = {path.name[:2]: path.stem for path in lesson_files(root)}
        self.revealed = [
            (lesson, question, facts)
            for lesson, asked in sorted(guesses().items())
            for question, facts in asked.items()
            if isinstance(facts.get("right"), bool)
        ]
        self.right = sum(facts["right"] for _, _, facts in self.revealed)
        self.by_chance = sum(
            chance for *_, facts in self.revealed if isinstance(chance := facts.get("chance", 0.0), (int, float))
        )

    @property
    def surprises(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The wrong guesses, those first that were the likeliest to be right by chance: the firmest wrong beliefs."""
        wrong = [entry for entry in self.revealed if not entry[2]["right"]]
        return sorted(wrong, key=lambda entry: -float(entry[2].get("chance") or 0))

    def conclusion(self) -> str:
        """Sum it up in one or two sentences."""
        if not self.revealed:
            return (
                "No predictions yet. Each lesson asks you for some before it shows a result: commit to one, then see."
            )
        number = len(self.revealed)
        text = f"Right in {self.right} of {number}; guessing blindly would give about {self.by_chance:.0f}."
        if number >= 10 and self.right > 0.9 * number:
            return f"{text} Hardly a surprise left: the later lessons may be the better use of your time."
        return text

    def _repr_html_(self) -> str:
        rows: list[Any] = []
        surprises = self.surprises[:SECOND_LOOK]
        for lesson, question, facts in surprises:
            place = link(lesson, f"{self.stems[lesson]}.ipynb") if lesson in self.stems else lesson
            rows.append((place, question, facts["guess"], strong(facts.get("measured", ""))))
        lead = ["Worth a second look:"] if rows else []
        head = ("lesson", "question", "you said", "measured") if rows else ()
        lead = [self.conclusion(), *lead]
        return box(
            "Your predictions", rows, kind="plain" if self.revealed else "open", head=head, lead=lead, name="guesses"
        )

    def __str__(self) -> str:
        lines = [self.conclusion()]
        for lesson, question, facts in self.surprises[:SECOND_LOOK]:
            lines.append(f"{lesson} {question} You said {facts['guess']}, measured: {facts.get('measured', '')}.")
        return "\n".join(lines)


def calibration(root: Path = ROOT) -> Calibration:
    """How often the reader's predictions were right, for the start page."""
    return Calibration(root)
