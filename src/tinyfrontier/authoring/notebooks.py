"""Turn a lesson's source into its two notebooks, the student's copy and the solution. Needs nbformat; runs nothing."""

from __future__ import annotations

import base64
import io

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from .cells import START_LINK, STUB, named_id, text_id
from .lessons import BEGIN, END, Cell, Lesson

MEASURED = ("built_from", "cell_seconds")  # what the build notes in a solution; freshness does not compare it
_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}


def strip_solution(source: str) -> str:
    """The student's version of an exercise cell: each solution region becomes one line that raises.

    The stub does not tell how long the solution is.
    """
    kept, inside = [], False
    for line in source.split("\n"):
        if line.strip() == BEGIN:
            indent = line[: len(line) - len(line.lstrip())]
            kept.append(indent + STUB)
            inside = True
        elif line.strip() == END:
            inside = False
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def solution_code(cell: Cell) -> str:
    """An exercise cell's source without the marker lines."""
    return "\n".join(line for line in cell.source.split("\n") if line.strip() not in (BEGIN, END))


def _ids(lesson: Lesson) -> list[str]:
    """Stable cell ids: exercises and checks by name, all others by a hash of type and source."""
    seen: dict[str, int] = {}
    ids = []
    for cell in lesson.cells:
        if cell.name and ("exercise" in cell.tags or "check" in cell.tags):
            kind = "exercise" if "exercise" in cell.tags else "check"
            plain = named_id(kind, cell.name)
        else:
            plain = text_id(cell.kind, cell.source)
        seen[plain] = seen.get(plain, 0) + 1
        ids.append(plain if seen[plain] == 1 else f"{plain}-{seen[plain]}")
    return ids


def _points(lesson: Lesson, name: str) -> int:
    from ..exercises import exercises_of

    exercises = exercises_of(lesson.number)
    if name not in exercises:
        known = ", ".join(exercises)
        raise ValueError(f"lesson {lesson.number} has no exercise `{name}` in its exercises file; it has {known}")
    return exercises[name].points


def _nbgrader(lesson: Lesson, cell: Cell) -> dict:
    if "exercise" in cell.tags:
        return {
            "grade": False,
            "grade_id": cell.name,
            "locked": False,
            "schema_version": 3,
            "solution": True,
            "task": False,
        }
    return {
        "grade": True,
        "grade_id": f"check-{cell.name}",
        "locked": True,
        "points": _points(lesson, cell.name),
        "schema_version": 3,
        "solution": False,
        "task": False,
    }


def _facts_line(lesson: Lesson) -> str:
    """The line under the title: where the lesson stands in the course, taken from its front matter."""
    front = lesson.front
    number = len(front["exercises"])
    parts = [
        f"Part {front['part']}",
        f"article sections {', '.join(front['sections'])}",
        f"{front['minutes']} minutes",
        f"{number} exercise{'s' if number != 1 else ''}",
    ]
    if front["prerequisites"]:
        parts.append("after lesson " + ", ".join(f"{n:02d}" for n in front["prerequisites"]))
    return f"*{' · '.join(parts)}* · {START_LINK}"


def _markdown(lesson: Lesson, cell: Cell, first: bool) -> str:
    if not first or lesson.number == 0:
        return cell.source
    title, _, rest = cell.source.partition("\n")
    return f"{title}\n\n{_facts_line(lesson)}\n{rest}"


def to_notebook(lesson: Lesson, *, solution: bool) -> NotebookNode:
    """The notebook of a lesson, without outputs.

    Args:
        lesson: the source, as `read_lesson` gives it.
        solution: True for the instructor's copy (complete), False for the student's (solutions stripped, cells tagged
            "instructor" dropped).
    """
    cells = []
    for index, (cell, cell_id) in enumerate(zip(lesson.cells, _ids(lesson), strict=True)):
        if cell.kind == "markdown":
            cells.append(new_markdown_cell(_markdown(lesson, cell, index == 0), id=cell_id))
            continue
        if "instructor" in cell.tags and not solution:
            continue
        source = cell.source
        metadata: dict = {"tags": list(cell.tags)} if cell.tags else {}
        if "exercise" in cell.tags or "check" in cell.tags:
            metadata["nbgrader"] = _nbgrader(lesson, cell)
        if "exercise" in cell.tags and not solution:
            source = strip_solution(source)
        if "check" in cell.tags:
            metadata["deletable"], metadata["editable"] = False, False
        cells.append(new_code_cell(source, id=cell_id, metadata=metadata))
    own = {
        "kind": "solution" if solution else "student",
        "lesson": lesson.number,
        "source": f"lessons/{lesson.path.name}",
    }
    notebook = new_notebook(cells=cells, metadata={**_METADATA, "tinyfrontier": own})
    nbformat.validate(notebook)
    return notebook


def to_text(notebook: NotebookNode) -> str:
    """The notebook as the text that is written to disk: the same notebook gives the same bytes."""
    return nbformat.writes(notebook, version=4, indent=1, ensure_ascii=False, sort_keys=True).rstrip("\n") + "\n"


def skeleton(notebook: NotebookNode) -> list[tuple]:
    """What freshness compares: each cell's type, id, source and metadata, not its outputs; the notebook's metadata."""
    cells = [(cell.cell_type, cell.id, cell.source, dict(cell.metadata)) for cell in notebook.cells]
    metadata = dict(notebook.metadata)
    metadata["tinyfrontier"] = {k: v for k, v in metadata.get("tinyfrontier", {}).items() if k not in MEASURED}
    return [*cells, ("metadata", metadata)]


def quantised(encoded: str, colours: int = 128) -> str:
    """A PNG in base64 with at most `colours` colours, or as it was where that is not smaller.

    What the file says of itself (its texts and its resolution) stays.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    plain = encoded.strip()
    with Image.open(io.BytesIO(base64.b64decode(plain))) as image:
        opaque = "A" not in image.getbands() or image.getchannel("A").getextrema()[0] == 255
        if not opaque or image.mode == "P":
            return plain
        about, texts, dpi = PngInfo(), getattr(image, "text", {}), image.info.get("dpi")
        for key, value in texts.items():
            about.add_text(key, value)
        # no dithering: it would put dots into flat areas, which also compress worse
        few = image.convert("RGB").quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        few.save(buffer, "png", optimize=True, pnginfo=about, **({"dpi": dpi} if dpi else {}))
    small = base64.b64encode(buffer.getvalue()).decode("ascii")
    return small if len(small) < len(plain) else plain


def freeze(notebook: NotebookNode) -> None:
    """Make an executed notebook storable: widgets become their still, pictures get few colours, run times go.

    Raises:
        ValueError: if a widget leaves neither a still picture nor HTML behind.
    """
    notebook.metadata.pop("widgets", None)
    notebook.metadata.update(_METADATA)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            data = output.get("data")
            if data is None:
                continue
            widget = data.pop("application/vnd.jupyter.widget-view+json", None) is not None
            if widget and not {"image/png", "text/html"} & set(data):
                raise ValueError(f"a widget without a still picture or HTML in the cell:\n{cell.source}")
            if "image/png" in data:
                data["image/png"] = quantised(data["image/png"])


def is_executed(notebook: NotebookNode) -> bool:
    """Whether every code cell was run and none ended in an error."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return all(cell.execution_count for cell in code) and not any(
        output.output_type == "error" for cell in code for output in cell.outputs
    )
