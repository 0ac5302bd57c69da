"""Where to begin: from what the start page's questions showed, what draws the reader, and what they have passed.

A proposal never forbids. It names a finished lesson whose prerequisites, as its front matter has them, are passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .._course import ROOT, front_matter, lesson_files
from ..exercises.progress import latest_lesson, passed_exercises
from .boxes import Html, link, prose
from .questions import SKILLS

# What draws a reader, and the lessons that it leads to, the first one first; those still planned are passed over. The
# routes themselves, with their minutes, stand in ROUTES.
INTERESTS = {
    "language": (2, 3, 4, 9),
    "pictures": (15, 11, 13, 16),
    "science": (24, 22, 18, 20),
    "trust": (38, 32, 34, 33, 24, 9),
}
ROUTES = "workshops/README.md"
DRAWN = "interest"  # its key among the answers of the start page

# Exercises that train a skill, by lesson. Each skill has some that need no lesson before.
TRAINS = {
    "shapes": {1: "split_heads", 11: "cosine_similarity", 13: "patchify"},
    "gradients": {22: "burgers_residual", 9: "bradley_terry_loss"},
    "probability": {1: "attention", 15: "add_noise", 11: "nt_xent", 2: "bits_per_byte"},
    "evaluation": {
        24: "spread_and_error",
        5: "bootstrap_losses",
        10: "pass_at_k",
        23: "crps",
        38: "percentile_interval",
    },
}


@dataclass(frozen=True)
class Lesson:
    """A finished lesson, as its front matter has it, and which of its exercises the reader has passed."""

    number: int
    stem: str
    title: str
    part: int
    sections: tuple[str, ...]
    minutes: int
    prerequisites: tuple[int, ...]
    exercises: tuple[str, ...]
    passed: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every exercise is passed."""
        return len(self.passed) == len(self.exercises)

    @property
    def following(self) -> str | None:
        """The first exercise that is not passed."""
        return next((name for name in self.exercises if name not in self.passed), None)

    def link(self, words: str = "") -> Html:
        """A link to the lesson's notebook."""
        return link(words or f"lesson {self.number:02d}, {self.title}", f"{self.stem}.ipynb")

    def exercise(self, name: str) -> str:
        """An exercise in words."""
        return f"exercise {self.exercises.index(name) + 1}, `{name}`"


def finished_lessons(root: Path = ROOT) -> dict[int, Lesson]:
    """The finished lessons by number, without the start page, with the reader's progress."""
    done, passed = {}, passed_exercises()
    for path in lesson_files(root):
        front = front_matter(path)
        number, names = front["number"], tuple(front["exercises"])
        if number > 0:
            have = tuple(name for name in names if name in passed.get(f"{number:02d}", []))
            done[number] = Lesson(
                number=number,
                stem=path.stem,
                title=front["title"],
                part=front["part"],
                sections=tuple(front["sections"]),
                minutes=front["minutes"],
                prerequisites=tuple(front["prerequisites"]),
                exercises=names,
                passed=have,
            )
    return done


def _may_begin(lesson: Lesson, done: Mapping[int, Lesson]) -> bool:
    return all(number in done and done[number].whole for number in lesson.prerequisites)


def way_to(interest: str | None, done: Mapping[int, Lesson]) -> list[Lesson]:
    """The finished lessons that an interest leads to, each after those that it builds on; without one, all lessons.

    Raises:
        ValueError: if `interest` is none of `INTERESTS`.
    """
    if interest is not None and interest not in INTERESTS:
        raise ValueError(f"interest must be one of {', '.join(INTERESTS)}, got {interest!r}")
    found: dict[int, Lesson] = {}

    def add(number: int) -> None:
        if number in done and number not in found:
            for needed in done[number].prerequisites:
                add(needed)
            found[number] = done[number]

    for number in sorted(done) if interest is None else INTERESTS[interest]:
        add(number)
    return list(found.values())


@dataclass(frozen=True)
class Proposal:
    """Where to begin and why.

    Attributes:
        lesson: the lesson; None where nothing is left to propose.
        interest: the route, one of `INTERESTS`, or None.
        strong: the skills whose questions were all answered rightly.
        practice: a lesson and the exercise in it for each skill with a wrong answer.
    """

    lesson: Lesson | None
    interest: str | None
    strong: tuple[str, ...]
    practice: Mapping[str, tuple[Lesson, str]]

    def why(self) -> str:
        """The reasons, in one or two sentences."""
        weak = [skill for skill in SKILLS if skill in self.practice]
        text = ""
        if self.strong and weak:
            text = f"You read {_listed(self.strong)} well, {_listed(weak)} less."
        elif weak:
            text = f"Some answers about {_listed(weak)} were a surprise: that is what lessons are for."
        elif self.strong:
            text = f"You read {_listed(self.strong)} well: take the exercises at a run and stay for the measurements."
        if self.lesson is None:
            return text
        trained = [skill for skill in weak if self.practice[skill][0] == self.lesson]
        does = f"trains {_listed(trained)}, and builds" if trained else "builds"
        before = _listed([f"{number:02d}" for number in self.lesson.prerequisites])
        on = f"on {before}, which you have passed" if before else "on no other"
        return f"{text} Lesson {self.lesson.number:02d} {does} {on}.".strip()

    def hints(self) -> list[Html]:
        """For each skill with a wrong answer, the exercise that trains it."""
        return [
            Html(f"{skill.capitalize()}: {prose(lesson.exercise(name))}, of {lesson.link()}.")
            for skill, (lesson, name) in self.practice.items()
        ]


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), *words[-1:]] if len(words) > 1 else words)


def propose(standing: Mapping[str, tuple[int, int]], interest: str | None, done: Mapping[int, Lesson]) -> Proposal:
    """Propose a lesson whose prerequisites are passed, on the way to what draws the reader.

    Among those that may come next it takes the one that trains most of the skills with a wrong answer, else the first.

    Args:
        standing: by skill, how many answers were right and how many were given.
        interest: one of `INTERESTS`, or None.
        done: the finished lessons.

    Raises:
        ValueError: if a skill or the interest is unknown.
    """
    strange = [skill for skill in standing if skill not in SKILLS]
    if strange:
        raise ValueError(f"standing must be about {', '.join(SKILLS)}, got {strange[0]!r}")
    given = {skill: standing[skill] for skill in SKILLS if standing.get(skill, (0, 0))[1]}
    weak = [skill for skill, (right, asked) in given.items() if right < asked]
    begin = None
    for way in (way_to(interest, done), list(done.values())):
        near = [lesson for lesson in way if not lesson.whole and _may_begin(lesson, done)]
        if near:
            begin = max(near, key=lambda lesson: sum(lesson.number in TRAINS[skill] for skill in weak))
            break
    practice = {}
    for skill in weak:
        fit = [done[number] for number in TRAINS[skill] if number in done and _may_begin(done[number], done)]
        fit.sort(key=lambda lesson: (lesson != begin, TRAINS[skill][lesson.number] in lesson.passed))
        if fit:
            practice[skill] = fit[0], TRAINS[skill][fit[0].number]
    strong = tuple(skill for skill in given if skill not in weak)
    return Proposal(begin, interest, strong, practice)


def next_exercise(proposal: Proposal, done: Mapping[int, Lesson]) -> tuple[Lesson, str] | None:
    """The first exercise not passed of the lesson that the reader is in, else of the proposed one, else of any."""
    latest = latest_lesson() or ""
    here = done.get(int(latest)) if latest.isdecimal() else None
    for lesson in (here, proposal.lesson, *done.values()):
        if lesson is not None and lesson.following:
            return lesson, lesson.following
    return None


def drawn_to(answers: Mapping[str, str]) -> str | None:
    """What draws a reader, by what they answered on the start page: one of `INTERESTS`, or None."""
    said = answers.get(DRAWN)
    return said if said in INTERESTS else None


def routes_link(root: Path = ROOT, words: str = "the routes") -> Html:
    """A link to the page of routes, or its words alone where this copy has no such page."""
    return link(words, f"../{ROUTES}") if (root / ROUTES).exists() else prose(words)
