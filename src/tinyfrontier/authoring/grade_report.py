"""What grading leaves behind: `grades.csv`, one page a student, and the class at a glance as table and picture."""

from __future__ import annotations

import csv
import hashlib
import html
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ..show.boxes import box, code

if TYPE_CHECKING:
    from .grading import Finding, Graded

_KINDS = {"passed": "good", "not attempted": "open", "absent": "open", "missing": "open", "tampering": "bad"}
_UNGRADED = {"absent", "not attempted", "missing", "unreadable", "another lesson", "renamed"}
_NAMES = {
    "wrong": "wrong, no known misconception",
    "raised": "raises an error",
    "too slow": "a loop that never ends",
    "memory": "out of memory",
    "crash": "crashes Python",
    "exit": "ends the program",
    "input": "asks the keyboard",
    "output": "prints without end",
    "syntax": "not valid Python",
    "missing": "no such function",
}


def misconception(finding: Finding) -> str:
    """The name under which the overview counts what is not passed: the mistake's own, else the kind of failure."""
    return finding.mistake or _NAMES.get(finding.status, finding.status)


def _by_student(graded: list[Graded]) -> dict[str, list[Graded]]:
    found: dict[str, list[Graded]] = {}
    for one in graded:
        found.setdefault(one.student, []).append(one)
    return found


def _safe(text: str) -> str:
    """Text for a table's cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def page_name(student: str) -> str:
    """The file name of a student's page: letters of the name, and a few signs that keep two of one name apart."""
    plain = re.sub(r"[^\w-]+", "_", student).strip("_")[:60] or "student"
    return plain + ".html" if plain == student else f"{plain}_{hashlib.sha256(student.encode()).hexdigest()[:6]}.html"


def _rows(graded: list[Graded]) -> tuple[list[str], list[list[str]]]:
    columns = list(dict.fromkeys(f"{one.lesson:02d} {found.exercise}" for one in graded for found in one.findings))
    rows = []
    for student, lessons in _by_student(graded).items():
        points = {f"{one.lesson:02d} {found.exercise}": str(found.points) for one in lessons for found in one.findings}
        total, worth = sum(one.points for one in lessons), sum(f.worth for one in lessons for f in one.findings)
        flags = [f"tampering: {f.exercise}" for one in lessons for f in one.findings if f.status == "tampering"]
        flags += [remark for one in lessons for remark in one.remarks]
        row = [_safe(student), str(total), str(worth), *(points.get(name, "") for name in columns)]
        rows.append([*row, _safe(" | ".join(flags))])
    return ["student", "score", "max_score", *columns, "flags"], rows


def page(student: str, lessons: list[Graded]) -> str:
    """One student's feedback as a page of HTML that needs nothing else."""
    parts = []
    for one in lessons:
        worth = sum(found.worth for found in one.findings)
        parts.append(f"<h2>Lesson {one.lesson:02d}: {one.points} of {worth} points</h2>")
        parts += [f"<p>{html.escape(remark)}</p>" for remark in one.remarks]
        for found in one.findings:
            title = f"{found.exercise}: {found.points} of {found.worth} points"
            rows = [(label, code(text)) for label, text in found.details]
            hint = f"Likely mistake: {found.hint}" if found.hint else ""
            lead = [found.line, *(f"Note: {note}" for note in found.notes)]
            kind = _KINDS.get(found.status, "bad")
            parts.append(box(title, rows, kind=kind, lead=lead, note=hint, name="grade", status=found.status))
    name, body = html.escape(student), "\n".join(parts)
    style = "body{font:16px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em}"
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>{name}</title>"
        f"<meta name='viewport' content='width=device-width'><style>{style}</style></head>\n"
        f"<body><h1>{name}</h1>\n{body}\n</body></html>\n"
    )


def overview(graded: list[Graded]) -> list[tuple[int, str, int, Counter]]:
    """For each exercise: lesson, name, how many passed, and how often each misconception occurred."""
    found: dict[tuple[int, str], tuple[list[int], Counter]] = {}
    for one in graded:
        for finding in one.findings:
            passed, names = found.setdefault((one.lesson, finding.exercise), ([0], Counter()))
            if finding.status == "passed":
                passed[0] += 1
            else:
                names[misconception(finding)] += 1
    return [(lesson, name, passed[0], names) for (lesson, name), (passed, names) in found.items()]


def _overview_text(rows: list[tuple[int, str, int, Counter]], students: int) -> str:
    lines = ["# The class at a glance", "", f"{students} students. ![Answers by exercise](overview.png)", ""]
    lines += ["| exercise | passed | what the others did, and how many |", "|---|---|---|"]
    for lesson, name, passed, names in rows:
        others = ", ".join(f"{what} ({count})" for what, count in names.most_common())
        lines.append(f"| {lesson:02d} `{name}` | {passed} | {others.replace('|', '/') or '-'} |")
    return "\n".join(lines) + "\n"


def _picture(graded: list[Graded], rows: list[tuple[int, str, int, Counter]], target: Path) -> None:
    """A bar an exercise: passed, wrong, nothing to grade; beside it the commonest misconception."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from ..show.palette import COLOURS

    groups = {"passed": COLOURS["green"], "wrong": COLOURS["vermilion"], "nothing to grade": COLOURS["grey"]}
    counts = {}
    for one in graded:
        for found in one.findings:
            ungraded = found.status in _UNGRADED
            group = "passed" if found.status == "passed" else "nothing to grade" if ungraded else "wrong"
            counts.setdefault((one.lesson, found.exercise), Counter())[group] += 1
    figure = Figure(figsize=(10, 1.1 + 0.62 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, (lesson, name, _, names) in enumerate(rows):
        left = 0
        for group, colour in groups.items():
            width = counts[lesson, name][group]
            axes.barh(place, width, left=left, color=colour, height=0.6, label=group if place == 0 else None)
            if width:
                axes.text(left + width / 2, place, str(width), ha="center", va="center", color="white", size=10)
            left += width
        said = [(what, count) for what, count in names.most_common() if what not in _UNGRADED][:2]
        words = "\n".join(f"{count} × {what}" for what, count in said)
        axes.annotate(words, (left, place), (8, 0), textcoords="offset points", va="center", size=9)
    axes.set_yticks(range(len(rows)), [f"{lesson:02d} {name}" for lesson, name, *_ in rows])
    axes.invert_yaxis()
    students = max(sum(count.values()) for count in counts.values())
    axes.set_xlim(0, 1.75 * students)
    axes.set_xticks([0, students])
    axes.set_xlabel("students", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines["bottom"].set_bounds(0, students)
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    figure.savefig(target, dpi=110)


def write_reports(graded: list[Graded], out: Path) -> None:
    """Write `grades.csv`, `feedback/`, `overview.md`, `overview.csv` and `overview.png` into a folder."""
    head, rows = _rows(graded)
    with open(out / "grades.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
    (out / "feedback").mkdir(exist_ok=True)
    for old in (out / "feedback").glob("*.html"):
        old.unlink()
    for student, lessons in _by_student(graded).items():
        (out / "feedback" / page_name(student)).write_text(page(student, lessons), encoding="utf-8")
    table = overview(graded)
    (out / "overview.md").write_text(_overview_text(table, len(_by_student(graded))), encoding="utf-8")
    with open(out / "overview.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["lesson", "exercise", "what", "students"])
        for lesson, name, passed, names in table:
            writer.writerow([f"{lesson:02d}", name, "passed", passed])
            writer.writerows([f"{lesson:02d}", name, _safe(what), count] for what, count in names.most_common())
    _picture(graded, table, out / "overview.png")


def summary(graded: list[Graded], out: Path) -> str:
    """What the command prints: how many, the flags, and where the files are."""
    students = _by_student(graded)
    lines = [f"{len(students)} students graded; grades, feedback and overview are in {out}"]
    for one in graded:
        lines += [f"  {one.student}: {f.exercise} {f.line}" for f in one.findings if f.status == "tampering"]
    return "\n".join(lines)
