"""The course map, the claims ledger, the section coverage table and the signature picture: derived, not written."""

from __future__ import annotations

import base64
import hashlib
import io
from functools import lru_cache
from pathlib import Path

import nbformat

from ..show import VERDICT_MIME, course_map
from ..show.verdicts import OUTCOMES, read_record
from .lessons import ROOT, Lesson, curriculum, finished, section_ids
from .routes import paths_markdown, runs_of

__all__ = [
    "SIGNATURES",
    "cell_text",
    "compose_signatures",
    "course_map",
    "course_map_markdown",
    "coverage_markdown",
    "executed_cells",
    "fill_regions",
    "finished",
    "ledger_markdown",
    "lessons_readme",
    "signature_pictures",
    "signatures_digest",
    "tally",
    "verdicts",
]
SIGNATURES = "lessons/signatures.png"


@lru_cache(maxsize=64)
def _solution(path: Path, modified: float):
    return nbformat.read(path, as_version=4)


def executed_cells(lesson: Lesson, root: Path = ROOT) -> list:
    """The cells of a lesson's executed solution, to read and not to change; none where there is no solution."""
    path = root / "solutions" / f"{lesson.stem}.ipynb"
    return _solution(path, path.stat().st_mtime).cells if path.exists() else []


def _outputs(lesson: Lesson, root: Path):
    for cell in executed_cells(lesson, root):
        yield from cell.get("outputs", [])


def verdicts(root: Path = ROOT) -> list[dict]:
    """The verdict records in the executed solutions, in the order of the lessons."""
    return [
        read_record(output["data"][VERDICT_MIME])
        for lesson in finished(root)
        for output in _outputs(lesson, root)
        if VERDICT_MIME in output.get("data", {})
    ]


def tally(root: Path = ROOT) -> dict[str, int]:
    """How many of the finished lessons' claims have which outcome, in the order of `OUTCOMES`."""
    outcomes = [record["outcome"] for record in verdicts(root)]
    return {outcome: outcomes.count(outcome) for outcome in OUTCOMES}


def tally_sentence(root: Path = ROOT) -> str:
    """The ledger in one sentence: so many claims, and how many hold, hold if, do not hold, cannot be checked."""
    counts = tally(root)
    words = ", ".join(
        f"{number} {outcome if number != 1 else _SINGULAR.get(outcome, outcome)}"
        for outcome, number in zip(_PLURAL, counts.values(), strict=True)
    )
    return (
        f"**{sum(counts.values())} claims measured: {words}.** "
        "The [ledger](lessons/README.md#claims-ledger) has the numbers behind each."
    )


_PLURAL = ("hold", "hold under a stated condition", "do not hold", "cannot be checked by measuring")
_SINGULAR = {
    "hold": "holds",
    "hold under a stated condition": "holds under a stated condition",
    "do not hold": "does not hold",
}


def findings_markdown(root: Path = ROOT, notebooks: str = "notebooks/") -> str:
    """A line a finished lesson with its finding, and what is to come, part by part."""
    done = {lesson.number: lesson for lesson in finished(root)}
    found: dict[int, dict] = {}
    for record in verdicts(root):
        if record["headline"] or not found.get(record["lesson"], {}).get("headline"):
            found[record["lesson"]] = record  # the last of several, as it closes the lesson
    course = curriculum(root)
    lines = []
    for part, title in course["parts"].items():
        rows = [row for row in course["lessons"] if row["part"] == part]
        planned = [row["number"] for row in rows if row["number"] not in done]
        to_come = f" To come: {_runs(planned)}." if planned else ""
        heading = f"**Part {part} · {title}.**{to_come}"
        if len(planned) == len(rows) and lines and lines[-1].startswith("**"):
            lines[-1] += f" {heading}"  # parts without a lesson share a line
        else:
            lines += ["", heading]
        for row in rows:
            if row["number"] in done:
                link = _source_link(done[row["number"]], notebooks)
                lines.append(f"- {row['number']:02d} {link}. {_finding(found, row)}")
    return "\n".join(lines).strip()


def _runs(numbers: list[int]) -> str:
    """Ascending numbers as text: "18 to 21, 23 to 31"."""
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs_of(numbers))


def _finding(found: dict[int, dict], row: dict) -> str:
    record = found.get(row["number"])
    if record is None:
        return ""
    return record["headline"] or f"{record['claim'].rstrip('.')}: {record['outcome'].removesuffix(' if')}" + (
        ", with a condition." if record["outcome"].endswith(" if") else "."
    )


def signature_pictures(root: Path = ROOT) -> list[tuple[Lesson, bytes, str]]:
    """The signature pictures of the finished flagship lessons: the lesson, PNG bytes, text alternative."""
    found = []
    for lesson in finished(root):
        if lesson.number not in curriculum(root)["flagships"]:
            continue
        for output in _outputs(lesson, root):
            about = output.get("metadata", {}).get("image/png", {})
            if about.get("signature"):
                found.append((lesson, base64.b64decode(output["data"]["image/png"]), about["alt"]))
    return found


def _source_link(lesson: Lesson, folder: str) -> str:
    return f"[{lesson.front['title']}]({folder}{lesson.stem}.ipynb)"


def course_map_markdown(root: Path = ROOT, notebooks: str = "notebooks/") -> str:
    """The course map as Markdown tables, one a part; `notebooks` is the link prefix from the page it stands on."""
    done = {lesson.number: lesson for lesson in finished(root)}
    course = curriculum(root)
    lines = []
    for part, title in course["parts"].items():
        lines += [
            f"**Part {part} · {title}**",
            "",
            "| no. | lesson | sections | minutes | state |",
            "|---|---|---|---|---|",
        ]
        for row in course["lessons"]:
            if row["part"] != part:
                continue
            lesson = done.get(row["number"])
            name = _source_link(lesson, notebooks) if lesson else row["title"]
            sections = ", ".join(lesson.front["sections"] if lesson else row["sections"])
            minutes = lesson.front["minutes"] if lesson else ""
            lines.append(
                f"| {row['number']:02d} | {name} | {sections} | {minutes} | {'done' if lesson else 'planned'} |"
            )
        lines.append("")
    return "\n".join(lines).strip()


def cell_text(text: str) -> str:
    """Text as it may stand in a cell of a Markdown table: on one line, bars escaped."""
    return " ".join(text.split()).replace("|", "\\|")


def ledger_markdown(root: Path = ROOT) -> str:
    """The claims ledger as a Markdown table: claim, sections, what was measured, verdict, lesson."""
    records = verdicts(root)
    lines = ["| claim | sections | measured | verdict | lesson |", "|---|---|---|---|---|"]
    for record in records:
        measured = "; ".join(f"{label}: **{value}**" for label, value in record["measured"])
        outcome = f"**{record['outcome']}**" + (f": {record['condition']}" if record["condition"] else "")
        lines.append(
            f"| {cell_text(record['claim'])} | {', '.join(record['sections'])} | {cell_text(measured)} "
            f"| {cell_text(outcome)} | {record['lesson']:02d} |"
        )
    return "\n".join(lines)


def coverage_markdown(root: Path = ROOT, notebooks: str = "../notebooks/") -> str:
    """Every section of the four articles with the lessons that serve it; planned lessons are marked as planned."""
    done = {lesson.number: lesson for lesson in finished(root)}
    rows = curriculum(root)["lessons"]
    lines = ["| section | title | lessons |", "|---|---|---|"]
    for section, title in section_ids(root).items():
        serving = []
        for row in rows:
            lesson = done.get(row["number"])
            sections = lesson.front["sections"] if lesson else row["sections"]
            if any(own == section or own.startswith(f"{section}.") for own in sections):
                serving.append(
                    f"{row['number']:02d} {_source_link(lesson, notebooks)}"
                    if lesson
                    else f"{row['number']:02d} {row['title']} (planned)"
                )
        lines.append(f"| {section} | {title} | {'; '.join(serving)} |")
    return "\n".join(lines)


def lessons_readme(root: Path = ROOT) -> str:
    """The text of `lessons/README.md`: course map, ledger and coverage."""
    articles = curriculum(root)["articles"]
    sources = "\n".join(f"- **{key}** · {article['title']} ({article['date']})" for key, article in articles.items())
    return f"""<!-- Derived by `python3 course.py build`; edit the lessons and lessons/curriculum.yml instead. -->

# Lessons

One text file a lesson; `notebooks/` and `solutions/` are derived from it. New words are in the [glossary](glossary.md).

## Course map

{course_map_markdown(root, "../notebooks/")}

## Claims ledger

Each line is computed by the lesson's verdict cell when its solution is executed.

{ledger_markdown(root)}

## Section coverage

The sections of the four articles and the lessons that serve them:

{sources}

{coverage_markdown(root)}
"""


def glossary_markdown(root: Path = ROOT) -> str:
    """The text of `lessons/glossary.md`: the terms of all lessons' front matter, sorted, each with its lesson.

    Raises:
        ValueError: if two lessons define the same term.
    """
    rows: dict[str, str] = {}
    for lesson in finished(root):
        for term, chinese, sentence in lesson.front.get("terms", []):
            if term in rows:
                raise ValueError(f"terms: {term!r} of lesson {lesson.number:02d} is in an earlier lesson's terms, too")
            rows[term] = f"| {cell_text(term)} | {cell_text(chinese)} | {cell_text(sentence)} | {lesson.number:02d} |"
    table = "\n".join(rows[term] for term in sorted(rows, key=str.lower))
    return f"""<!-- Derived by `python3 course.py build` from `terms` in the lessons' front matter. -->

# Glossary

Each term once, in the field's standard words. The last column names the lesson that defines it.

| term | 中文 | definition | lesson |
|---|---|---|---|
{table}
"""


def fill_regions(text: str, root: Path = ROOT) -> str:
    """`README.md` with its generated regions filled: what stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.

    Raises:
        ValueError: if a region's marker is missing.
    """
    alts = "; ".join(alt.split(". ")[0].split(";")[0].rstrip(".") for _, _, alt in signature_pictures(root))
    regions = {
        "signatures": f"![{alts}]({SIGNATURES})",
        "lessons": findings_markdown(root),
        "routes": paths_markdown(root),
        "tally": tally_sentence(root),
    }
    for name, content in regions.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"README.md lacks the markers {begin} and {end}")
        head, rest = text.split(begin, 1)
        tail = rest.split(end, 1)[1]
        text = f"{head}{begin}\n\n{content}\n\n{end}{tail}"
    return text


def signatures_digest(root: Path = ROOT) -> str:
    """A hash of the signature pictures; stored in the composed picture, so that its freshness can be told."""
    digest = hashlib.sha256()
    for lesson, png, _ in signature_pictures(root):
        digest.update(f"{lesson.stem} {lesson.front['title']}".encode() + png)
    return digest.hexdigest()


def compose_signatures(root: Path = ROOT, columns: int = 2) -> bytes:
    """The flagship lessons' signature pictures on one sheet, as PNG bytes."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from ..show import use_style

    use_style()
    pictures = signature_pictures(root)
    rows = max(1, -(-len(pictures) // columns))
    figure, axes = plt.subplots(rows, columns, figsize=(6 * columns, 4.1 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, (lesson, png, _) in zip(axes.flat, pictures, strict=False):
        ax.imshow(plt.imread(io.BytesIO(png)), interpolation="antialiased")
        ax.set_title(f"{lesson.number:02d} · {lesson.front['title']}", size=13, weight="bold")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None, "Description": signatures_digest(root)})
    plt.close(figure)
    return buffer.getvalue()
