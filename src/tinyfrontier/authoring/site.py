"""The course as a static site that works offline: `python3 course.py site [--out FOLDER] [--with-solutions]`.

Sphinx and MyST-NB turn the executed solutions into pages; nothing is executed, and no page asks the network for
anything. Without `--with-solutions` a reader gets what a student gets: tasks with folded hints, no answers.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import io
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ..show import VERDICT_MIME
from ..show.verdicts import OUTCOMES
from .lessons import ROOT, Lesson, curriculum, find_lessons, read_lesson
from .maps import course_map_markdown, coverage_markdown, finished, verdicts
from .slides import write_decks
from .workshops import FOLDER, SLIDES, workshop_pages

FILES = Path(__file__).with_name("site_files")
BUILT = ".tinyfrontier-site"  # marks a folder that this program may replace
_RAW = "```{{raw}} html\n{}\n```\n"
COUNTED = {"lessons": "lessons", "slides": "decks of slides"}
TEACHING = "How to teach with it"
FOR_AUTHORS = "Contribute, licence"
SETTINGS = {
    "project": "Tiny Frontier",
    "language": "en",
    "extensions": ["myst_nb", "tinyfrontier.authoring.site_theme"],
    "html_theme": "furo",
    "html_title": "Tiny Frontier",
    "html_static_path": [str(FILES)],
    "html_css_files": ["course.css"],
    "html_js_files": [("filter.js", {"defer": "defer"})],
    "html_math_renderer": "mathml",
    "html_copy_source": False,
    "html_show_sphinx": False,
    "html_show_copyright": False,
    "html_use_index": False,
    "html_theme_options": {"top_of_page_buttons": []},
    "nb_execution_mode": "off",
    "nb_merge_streams": True,
    "myst_enable_extensions": ["dollarmath", "amsmath"],
    "myst_dmath_allow_digits": False,
    "myst_heading_anchors": 4,
    "pygments_style": "tinyfrontier.authoring.site_theme.Light",
    "pygments_dark_style": "github-dark-high-contrast",
}


def main(arguments: list[str] | None = None) -> int:
    """Build the site; return 1, with what Sphinx says, if a link or a heading is wrong."""
    parser = argparse.ArgumentParser(prog="course.py site", description="Builds the course as a static site.")
    parser.add_argument("--out", type=Path, default=ROOT / "site", metavar="FOLDER", help="where to (default: site/)")
    parser.add_argument("--with-solutions", action="store_true", help="show the answers and the instructor's cells")
    chosen = parser.parse_args(arguments)
    try:
        faults = build_site(chosen.out, with_solutions=chosen.with_solutions)
    except ValueError as error:
        print(f"course.py site: {error}", file=sys.stderr)
        return 1
    if faults:
        print(f"course.py site: not right yet:\n{faults}", file=sys.stderr)
        return 1
    files = [path for path in chosen.out.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    counts = [f"{len(list(chosen.out.glob(f'{folder}/*.html')))} {what}" for folder, what in COUNTED.items()]
    print(f"{', '.join(counts)}, {len(files)} files, {size:.1f} MB. Open", end=" ")
    print((chosen.out / "index.html").resolve())
    return 0


def build_site(out: Path, *, with_solutions: bool = False, root: Path = ROOT) -> str:
    """Write the site into the folder `out`, which is made, or replaced if an earlier site stands there.

    Returns what Sphinx complains of, one line a fault: an empty text means that the site is right.

    Raises:
        ValueError: if `out` holds something else.
    """
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    out = Path(out).resolve()
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / BUILT).exists())):
        raise ValueError(f"--out must be a new folder or one with an earlier site, got {out}")
    with tempfile.TemporaryDirectory() as scratch:
        pages, built, warned = Path(scratch, "pages"), Path(scratch, "site"), io.StringIO()
        write_pages(pages, with_solutions=with_solutions, root=root)
        with patch_docutils(), docutils_namespace():
            app = Sphinx(pages, pages, built, Path(scratch, "doctrees"), "html", None, None, warned, parallel=2)
            app.build()
        for name in ("objects.inv", ".buildinfo", "_sources", "jupyter_execute"):
            path = built / name
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        write_decks(built / "slides", root)
        (built / BUILT).write_text("made by course.py site, which replaces this folder\n", encoding="utf-8")
        (built / ".nojekyll").touch()  # some hosts of static pages hide folders that begin with _ without it
        if out.exists():
            shutil.rmtree(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(built, out)
    return "\n".join(line.replace(str(pages), "") for line in warned.getvalue().splitlines() if line.strip())


# ------------------------------------------------------------------------------------------------------ the pages


def write_pages(folder: Path, *, with_solutions: bool, root: Path = ROOT) -> None:
    """Write what Sphinx reads: a page a lesson, and those that say what the course is and what it found."""
    lessons = folder / "lessons"
    lessons.mkdir(parents=True)
    texts = {}
    for path in find_lessons(root):
        notebook = lesson_page(read_lesson(path, root), with_solutions=with_solutions, root=root)
        texts.update(alternatives(notebook))
        nbformat.write(notebook, lessons / f"{path.stem}.ipynb")
    (folder / "alternatives.json").write_text(json.dumps(texts), encoding="utf-8")
    (folder / "conf.py").write_text(f"globals().update({SETTINGS!r})\n", encoding="utf-8")
    readme = (root / "README.md").read_text(encoding="utf-8")
    sections = readme_sections(readme)
    home = "\n\n".join(text for title, text in sections.items() if title not in (TEACHING, FOR_AUTHORS))
    written = {
        "index": f"{on_site(home)}\n\n{_contents(root)}",
        "map": f"# Course map\n\n{on_site(course_map_markdown(root, 'notebooks/'))}\n\n## Section coverage\n\n"
        f"{on_site(coverage_markdown(root, 'notebooks/'))}\n",
        "ledger": ledger_page(root),
        "glossary": glossary_page(root),
        "teaching": f"{on_site(sections[TEACHING].replace('## ', '# ', 1))}\n\n{_slides_section(root)}\n\n"
        "```{toctree}\n:hidden:\n\nroom\n```\n",
        "room": on_site((root / "hub" / "README.md").read_text(encoding="utf-8")),
        **workshops_on_site(root),
    }
    (folder / FOLDER).mkdir()
    for name, text in written.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    shutil.copy(root / "lessons" / "signatures.png", lessons / "signatures.png")


def readme_sections(text: str) -> dict[str, str]:
    """The README's sections of the second level by title; what stands before the first is called ""."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    titles = ["", *parts[1::2]]
    return {
        title: (f"## {title}\n" if title else "") + body.strip() for title, body in zip(titles, parts[::2], strict=True)
    }


def on_site(markdown: str) -> str:
    """Markdown whose links lead to the repository's files, with links to the site's pages instead."""
    text = re.sub(r"\]\((?:\.\./)?notebooks/(\w+)\.ipynb", r"](lessons/\1.ipynb", markdown)
    for old, new in {
        r"\]\(lessons/README\.md#claims-ledger\)": "](ledger.md)",
        r"\]\(lessons/README\.md#section-coverage\)": "](map.md#section-coverage)",
        r"\]\(lessons/README\.md\)": "](map.md)",
        r"\]\(lessons/glossary\.md\)": "](glossary.md)",
        r"\]\(hub/README\.md\)": "](room.md)",
        rf"\]\({FOLDER}/README\.md\)": f"]({FOLDER}/index.md)",
        r"\[Read without installing\]\(solutions/\): every lesson is there executed, with its figures\.": (
            "Or stay here and read: every lesson is executed on these pages, with its figures."
        ),
    }.items():
        text = re.sub(old, new, text)
    return text


def workshops_on_site(root: Path = ROOT) -> dict[str, str]:
    """The pages of workshops as the site has them: links lead to its pages, and each run-of-show to its slides."""
    pages = {}
    for name, text in workshop_pages(root).items():
        stem = Path(name).stem
        text = (
            text.split("-->\n", 1)[1].replace("](../notebooks/", "](../lessons/").replace("](README.md)", "](index.md)")
        )
        text = text.replace(SLIDES.format(stem), f'<a href="../slides/{stem}.html">slides</a>')
        if stem == "README":
            inside = "\n".join(
                f"{lesson.number:02d} {lesson.front['title']} <{lesson.stem}>" for lesson in finished(root)
            )
            text += f"\n```{{toctree}}\n:hidden:\n\n{inside}\n```\n"
            stem = "index"
        else:
            before, table = text.split("\n| minute |", 1)
            text = f"{before}\n{_RAW.format('<div class=show>')}\n| minute |{table}\n{_RAW.format('</div>')}"
        pages[f"{FOLDER}/{stem}"] = text
    return pages


def _slides_section(root: Path) -> str:
    links = [
        f'<li><a href="slides/{lesson.stem}.html">{lesson.number:02d} {html.escape(lesson.front["title"])}</a></li>'
        for lesson in finished(root)
    ]
    lead = (
        "The opening of each lesson: its claim, its first picture, its first question, no answer. Arrow keys turn the "
        "slides, `S` opens the speaker's view, and `?print-pdf` behind the address lays them out for printing."
    )
    return f"## Slides\n\n{lead}\n\n<ul>{''.join(links)}</ul>\n"


def _contents(root: Path) -> str:
    done, course = finished(root), curriculum(root)
    start = "lessons/00_start_here"
    trees = [("The course", [start, "map", "ledger", "glossary", "teaching", f"{FOLDER}/index"])]
    for part, title in course["parts"].items():
        pages = [f"lessons/{lesson.stem}" for lesson in done if lesson.front["part"] == part]
        if pages:
            trees.append((f"Part {part} · {title}", pages))
    return "\n\n".join(
        "```{toctree}\n:hidden:\n:caption: " + caption + "\n\n" + "\n".join(pages) + "\n```" for caption, pages in trees
    )


# ---------------------------------------------------------------------------------------------------- the lessons


def lesson_page(lesson: Lesson, *, with_solutions: bool, root: Path = ROOT) -> NotebookNode:
    """A lesson as the site shows it: the student's copy with the outputs of the executed solution.

    Exercises and their checks stay without outputs, unless `with_solutions`, which takes the solution as it is.
    """
    executed = nbformat.read(root / "solutions" / f"{lesson.stem}.ipynb", as_version=4)
    if with_solutions:
        notebook = executed
    else:
        notebook = nbformat.read(root / "notebooks" / f"{lesson.stem}.ipynb", as_version=4)
        outputs = {cell.id: cell.get("outputs", []) for cell in executed.cells}
        for cell in notebook.cells:
            if cell.cell_type == "code" and not {"exercise", "check"} & set(cell.metadata.get("tags", ())):
                cell.outputs = outputs[cell.id]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _lesson_links(cell.source)
        else:
            cell.metadata = {"tags": ["instructors-cell"]} if "instructor" in cell.metadata.get("tags", ()) else {}
            cell.outputs = [_shown(output) for output in cell.outputs]
    return notebook


def _lesson_links(markdown: str) -> str:
    text = re.sub(r"\]\(\.\./notebooks/", "](", markdown)
    text = text.replace("](../lessons/README.md#claims-ledger)", "](../ledger.md)")
    text = text.replace("](../lessons/README.md)", "](../map.md)")
    return re.sub(r"\]\((?:\.\./lessons/)?glossary\.md\)", "](../glossary.md)", text)


def _shown(output: NotebookNode) -> NotebookNode:
    """An output with links to the site's pages, and at most one picture or box."""
    data = output.get("data", {})
    if "text/html" in data:
        data["text/html"] = re.sub(r"href='(\w+)\.ipynb'", r"href='\1.html'", data["text/html"])
    data.pop(VERDICT_MIME, None)  # the box beside it says the same
    if "image/png" in data or "text/html" in data:
        data.pop("text/plain", None)
    return output


def alternatives(notebook: NotebookNode) -> dict[str, str]:
    """The text alternative of each picture among a notebook's outputs, by the hash of the picture's bytes."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            encoded = output.get("data", {}).get("image/png")
            text = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            if encoded and text:
                found[hashlib.sha256(base64.b64decode(encoded)).hexdigest()] = text
    return found


# ----------------------------------------------------------------------------------------- the tables that are searched


def ledger_page(root: Path = ROOT) -> str:
    """All verdicts in a table that a reader can search, and narrow down by outcome, article, section and lesson."""
    records, titles = verdicts(root), {lesson.number: lesson for lesson in finished(root)}
    sections = sorted({section for record in records for section in record["sections"]})
    articles = curriculum(root)["articles"]
    choices = {
        "verdict": [(name, name) for name in OUTCOMES],
        "article": [(key, f"{key} · {about['title']}") for key, about in articles.items()],
        "section": [(section, section) for section in sections],
    }
    rows = []
    for record in records:
        figures = "".join(
            f"<li>{html.escape(name)}: <b>{html.escape(value)}</b></li>" for name, value in record["measured"]
        )
        measured = f"{html.escape(record['headline'])} <details><summary>figures</summary><ul>{figures}</ul></details>"
        outcome = f"<b>{html.escape(record['outcome'])}</b>"
        outcome += f" {html.escape(record['condition'])}" if record["condition"] else ""
        lesson = titles[record["lesson"]]
        link = f'<a href="lessons/{lesson.stem}.html">{lesson.number:02d} {html.escape(lesson.front["title"])}</a>'
        marks = {
            "verdict": [record["outcome"]],
            "article": sorted({re.match(r"[A-Z]+", section).group() for section in record["sections"]}),
            "section": record["sections"],
        }
        cells = [html.escape(record["claim"]), ", ".join(record["sections"]), outcome, measured, link]
        rows.append((marks, cells))
    names = ["claim", "sections", "verdict", "measured", "lesson"]
    lead = (
        "Each claim of the four articles that a lesson put to the test, with what was measured. The lesson computes "
        "its verdict itself, when it is executed."
    )
    return f"# Ledger\n\n{lead}\n\n{_searchable('claims', names, rows, choices)}\n"


def glossary_page(root: Path = ROOT) -> str:
    """All terms in English and Chinese in a table that a reader can search."""
    rows = []
    for lesson in finished(root):
        link = f'<a href="lessons/{lesson.stem}.html">{lesson.number:02d}</a>'
        for term, chinese, sentence in lesson.front.get("terms", []):
            texts = [f"<b>{html.escape(term)}</b>", f'<span lang="zh">{html.escape(chinese)}</span>']
            rows.append(({}, [*texts, html.escape(sentence), link]))
    rows.sort(key=lambda row: re.sub("<[^>]*>", "", row[1][0]).lower())
    names = ["term", "中文", "definition", "lesson"]
    lead = "Each term once, in the field's standard words, with the lesson that defines it."
    return f"# Glossary\n\n{lead}\n\n{_searchable('terms', names, rows, {})}\n"


def _searchable(what: str, names: list[str], rows: list, choices: dict) -> str:
    """A table as HTML whose controls `filter.js` brings to life; without a script it is the whole table."""
    controls = [f'<label>search <input type="search" name="words" aria-label="search the {what}"></label>']
    for name, options in choices.items():
        inner = "".join(f'<option value="{html.escape(key)}">{html.escape(text)}</option>' for key, text in options)
        controls.append(f'<label>{name} <select name="{name}"><option value="">all</option>{inner}</select></label>')
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = []
    for marks, cells in rows:
        about = "".join(f' data-{name}="{html.escape("|".join(values))}"' for name, values in marks.items())
        body.append(f"<tr{about}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "\n".join(
        [
            "```{raw} html",
            f'<form class="narrow" hidden data-what="{what}" aria-controls="{what}">{"".join(controls)}',
            f'<output aria-live="polite">{len(rows)} {what}</output></form>',
            '<div class="table-wrapper"><table class="searched docutils" id="' + what + '">',
            f"<thead><tr>{head}</tr></thead>",
            "<tbody>",
            *body,
            "</tbody></table></div>",
            "```",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
