"""What a lesson's page may weigh: line width, long cells, words, code, minutes, and how soon it shows something.

Reads a solution as it was executed. Knows nothing of the sources and executes nothing.
"""

import re

from nbformat import NotebookNode

COLUMNS = 96  # a page beside JupyterLab's file browser shows about 90
LONG_CELL = 15
BANDS = {  # what is counted: the least and the most
    f"code lines over {COLUMNS} columns": (0, 0),
    f"cells over {LONG_CELL} lines": (0, 3),
    "code lines": (350, 550),
    "words": (2500, 4000),
    "minutes": (60, 100),
    "code cells before the first picture": (0, 4),
    "paragraphs with more than 4 numbers": (0, 0),
    "plots without prose after them": (0, 0),
    "predictions": (2, 4),
}
_NO_PARAGRAPH = ("|", "-", "#", "$$", "<", "*")
_NUMBER = re.compile(r"(?<![\w.])\d[\d,.]*(?![\w])")


def count_words(prose: str) -> int:
    """Words of Markdown prose; formulas, code fences, tags and addresses are none."""
    plain = re.sub(r"\$\$.*?\$\$|```.*?```|<[^>\n]+>|https?://\S+", " ", prose, flags=re.S)
    return len(re.findall(r"[A-Za-z\u4e00-\u9fff]+(?:['-][A-Za-z]+)*", plain))


def exact_minutes(prose: str, code_lines: int) -> float:
    """Minutes that a page, or a part of one, takes, before rounding.

    Words / 150, lines of code / 20, and what its exercises say of themselves.
    """
    exercises = sum(map(int, re.findall(r"\*\d+ lines? · (\d+) minutes?", prose)))
    return count_words(prose) / 150 + code_lines / 20 + exercises


def count_minutes(prose: str, code_lines: int) -> int:
    """Minutes that a page takes, as the front matter has them."""
    return round(exact_minutes(prose, code_lines))


def page_weight(notebook: NotebookNode) -> dict[str, int]:
    """What a page weighs, under the names of `BANDS`.

    Args:
        notebook: an executed solution.
    """
    cells = [cell for cell in notebook.cells if cell.source.strip()]
    code = [place for place, cell in enumerate(cells) if cell.cell_type == "code"]
    lines = [[line for line in cells[place].source.split("\n") if line.strip()] for place in code]
    prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    plots = [place for place in code if any("image/png" in out.get("data", {}) for out in cells[place].outputs)]
    paragraphs = [text for text in re.split(r"\n\s*\n", prose) if not text.lstrip().startswith(_NO_PARAGRAPH)]
    bare = [re.sub(r"\$.*?\$|`.*?`|\(.*?\)", "", text, flags=re.S) for text in paragraphs]
    total = sum(map(len, lines))
    counts = (
        sum(len(line) > COLUMNS for cell in lines for line in cell),
        sum(len(cell) > LONG_CELL for cell in lines),
        total,
        count_words(prose),
        count_minutes(prose, total),
        code.index(plots[0]) if plots else len(code),
        sum(len(_NUMBER.findall(text)) > 4 for text in bare),
        sum(not _explained(cells[place + 1 :]) for place in plots),
        sum(len(re.findall(r"^\w+ = predict\(", cells[place].source, re.M)) for place in code),
    )
    return dict(zip(BANDS, counts, strict=True))


def _explained(following: list[NotebookNode]) -> bool:
    """Whether prose comes next for a student, who does not see the instructors' cells."""
    seen = (cell for cell in following if "instructor" not in cell.metadata.get("tags", []))
    return next((cell.cell_type == "markdown" for cell in seen), False)


def outside_bands(notebook: NotebookNode) -> list[str]:
    """What a page has too little or too much of, in words such as `"612 code lines (350 to 550)"`."""
    found = []
    for name, count in page_weight(notebook).items():
        least, most = BANDS[name]
        if not least <= count <= most:
            found.append(f"{count} {name} ({least} to {most})" if most else f"{count} {name}")
    return found
