"""Routes through the course: the goals that `routes` in lessons/curriculum.yml names, and all that they build on.

A route is ordered (prerequisites first, then by number), its minutes are summed, and it is fitted to the time that
there is. Only finished lessons count. Reads front matter alone: no notebook, no exercise.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .lessons import ROOT, Lesson, curriculum, finished

__all__ = ["Route", "in_order", "numbers_in_words", "paths_markdown", "routes", "runs_of", "spread_out"]
_NEEDED = ("name", "for", "unit", "minutes")
_KNOWN = (*_NEEDED, "sessions", "goals", "part", "meanwhile")


@dataclass(frozen=True)
class Route:
    """A way through the course.

    Attributes:
        name: such as "Half a day".
        audience: for whom it is.
        unit: what one session is: "session", "day", "week".
        minutes: how long a session may last.
        available: how many sessions there are at most; None if as many as needed.
        sessions: the finished lessons of each session, in order.
        to_come: numbers and titles of the goals that are planned, not finished.
        left_out: finished goals for which the time does not suffice.
        meanwhile: where no goal is finished yet: why each of the nearest finished lessons is taken instead, by number.
    """

    name: str
    audience: str
    unit: str
    minutes: int
    available: int | None
    sessions: tuple[tuple[Lesson, ...], ...]
    to_come: tuple[tuple[int, str], ...]
    left_out: tuple[Lesson, ...]
    meanwhile: dict[int, str]

    @property
    def lessons(self) -> list[Lesson]:
        """All lessons of the route, in order."""
        return [lesson for session in self.sessions for lesson in session]

    @property
    def total(self) -> int:
        """Minutes of all its lessons."""
        return sum(lesson.front["minutes"] for lesson in self.lessons)


def in_order(goals: Iterable[int], done: dict[int, Lesson]) -> list[Lesson]:
    """The goals and all finished lessons that they build on: prerequisites first, then by number.

    Args:
        goals: numbers of finished lessons.
        done: the finished lessons by number.

    Raises:
        ValueError: if lessons are each other's prerequisites.
    """
    needed: set[int] = set()
    waiting = list(goals)
    while waiting:
        number = waiting.pop()
        if number in done and number not in needed:
            needed.add(number)
            waiting += done[number].front["prerequisites"]
    before = {number: needed & set(done[number].front["prerequisites"]) for number in needed}
    ready = [number for number in needed if not before[number]]
    heapq.heapify(ready)
    order = []
    while ready:
        number = heapq.heappop(ready)
        order.append(done[number])
        for later in needed:
            if number in before[later]:
                before[later].discard(number)
                if not before[later]:
                    heapq.heappush(ready, later)
    if len(order) < len(needed):
        circle = sorted(number for number in needed if before[number])
        raise ValueError(f"prerequisites must not lead in a circle, as they do among lessons {circle}")
    return order


def spread_out(lessons: list[Lesson], minutes: int, available: int | None) -> list[tuple[Lesson, ...]] | None:
    """Spread lessons over sessions, each as full as the order allows; None if they do not fit.

    Args:
        lessons: in the order in which they are taken.
        minutes: how long a session may last.
        available: how many sessions there are; None for as many as needed.
    """
    sessions: list[list[Lesson]] = []
    left = 0
    for lesson in lessons:
        own = lesson.front["minutes"]
        if own > minutes:
            return None
        if own > left or not sessions:
            sessions.append([])
            left = minutes
        sessions[-1].append(lesson)
        left -= own
    if available is not None and len(sessions) > available:
        return None
    return [tuple(session) for session in sessions]


def routes(root: Path = ROOT) -> list[Route]:
    """The routes that lessons/curriculum.yml lists, worked out from what is finished.

    A goal that is planned is named as one to come; a goal for which the time does not suffice, with all that it builds
    on, is left out, and the next one is tried.

    Raises:
        ValueError: if a route lacks a line, has an unknown one, or names a lesson that is not in the curriculum.
    """
    course = curriculum(root)
    rows = {row["number"]: row for row in course["lessons"]}
    done = {lesson.number: lesson for lesson in finished(root)}
    return [_route(entry, course["parts"], rows, done) for entry in course.get("routes", [])]


def _route(entry: dict, parts: dict, rows: dict[int, dict], done: dict[int, Lesson]) -> Route:
    name = entry.get("name", "without a name")
    for key in _NEEDED:
        if key not in entry:
            raise ValueError(f"routes: {name!r} lacks the key `{key}`")
    for key in entry:
        if key not in _KNOWN:
            raise ValueError(f"routes: {name!r} has the unknown key `{key}`; known keys: {', '.join(_KNOWN)}")
    if ("goals" in entry) == ("part" in entry):
        raise ValueError(f"routes: {name!r} needs either `goals` or `part`")
    if "part" in entry and entry["part"] not in parts:
        raise ValueError(f"routes: {name!r} names part {entry['part']!r}, which is not in lessons/curriculum.yml")
    goals = entry["goals"] if "goals" in entry else [n for n, row in rows.items() if row["part"] == entry["part"]]
    meanwhile = dict(entry.get("meanwhile", {}))
    for number in [*goals, *meanwhile]:
        if number not in rows:
            raise ValueError(f"routes: {name!r} names lesson {number}, which is not in lessons/curriculum.yml")
    to_come = tuple((number, rows[number]["title"]) for number in goals if number not in done)
    reached = [number for number in goals if number in done]
    if reached:
        meanwhile = {}
    meanwhile = {number: why for number, why in meanwhile.items() if number in done}
    minutes, available = entry["minutes"], entry.get("sessions")
    chosen: list[int] = []
    left_out: list[Lesson] = []
    for number in reached or meanwhile:
        if spread_out(in_order([*chosen, number], done), minutes, available) is None:
            left_out.append(done[number])
        else:
            chosen.append(number)
    sessions = tuple(spread_out(in_order(chosen, done), minutes, available) or ())
    meanwhile = {number: why for number, why in meanwhile.items() if number in chosen}
    fields = (name, entry["for"], entry["unit"], minutes, available, sessions, to_come, tuple(left_out), meanwhile)
    return Route(*fields)


# ---------------------------------------------------------------------------------------------------------- in words


def runs_of(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers cut where one is not the successor of the one before."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def numbers_in_words(numbers: Iterable[int]) -> str:
    """Numbers of lessons as text, three or more in a row as a range: "01, 11 to 17"."""
    words = []
    for run in runs_of(numbers):
        words += [f"{run[0]:02d} to {run[-1]:02d}"] if len(run) > 2 else [f"{number:02d}" for number in run]
    return ", ".join(words)


def duration(minutes: int) -> str:
    """Minutes as hours and minutes: "3 h 15 min"."""
    hours, rest = divmod(minutes, 60)
    return " ".join([f"{hours} h"] * (hours > 0) + [f"{rest} min"] * (rest > 0 or not hours))


def paths_markdown(root: Path = ROOT) -> str:
    """One line a route: its lessons by number, and how long they take."""
    lines = []
    for route in routes(root):
        words = numbers_in_words(lesson.number for lesson in route.lessons)
        if not words:
            words = "to come"
        elif route.meanwhile:
            words = f"its lessons are to come; nearest today: {words} ({duration(route.total)})"
        else:
            words += f" ({duration(route.total)})"
        lines.append(f"- **{route.name}**: {words}.")
    return "\n".join(lines)
