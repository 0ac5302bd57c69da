"""The one HTML box of the course: check, verdict, course map, doctor, panels and predictions are all drawn with it.

It needs only the standard library, so that a check can be shown without loading matplotlib.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from .palette import COLOURS

KINDS = {
    "plain": COLOURS["blue"],
    "good": COLOURS["green"],
    "mixed": COLOURS["orange"],
    "bad": COLOURS["vermilion"],
    "open": COLOURS["grey"],
}
_CELL = "text-align:left;vertical-align:baseline;padding:1px 14px 1px 0"


class Html(str):
    """Text that is HTML already and goes into a box as it is."""


def prose(text: object) -> Html:
    """Text as HTML: escaped, and what stands between backticks becomes code."""
    if isinstance(text, Html):
        return text
    return Html(re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(str(text))))


def link(text: str, address: str) -> Html:
    """A link for a box."""
    return Html(f"<a href='{html.escape(address, quote=True)}'>{html.escape(text)}</a>")


def code(text: str) -> Html:
    """Text as code, for instance a tensor's numbers."""
    return Html(f"<code>{html.escape(text)}</code>")


def strong(text: object, kind: str | None = None) -> Html:
    """Text in bold, in the colour of a kind if one is given."""
    colour = f" style='color:{KINDS[kind]}'" if kind else ""
    return Html(f"<b{colour}>{prose(text)}</b>")


def box(
    title: object,
    rows: Iterable[Sequence[object] | str] = (),
    *,
    kind: str = "plain",
    lead: Sequence[object] = (),
    head: Sequence[object] = (),
    note: object = "",
    name: str = "",
    status: str = "",
) -> str:
    """A box with a title, a table and a note, as HTML.

    Args:
        title: the line on top, in bold.
        rows: the table's rows, each a sequence of cells; a row that is one text is a heading over all columns.
        kind: which colour the bar at its side has: one of `KINDS`.
        lead: lines between title and table.
        head: names of the columns.
        note: what stands below the table.
        name: what the box is, for style sheets and tests: class `tinyfrontier-NAME`.
        status: a word for the state, for tests and screen readers.

    Text is escaped; `names` between backticks become code. Cells may be made by `link`, `code` or `strong`.

    Raises:
        ValueError: if `kind` is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    rows = list(rows)
    width = max((len(row) for row in (*rows, head) if not isinstance(row, str)), default=1)
    lines = []
    if head:
        lines.append("<tr>" + "".join(f"<th style='{_CELL}'>{prose(cell)}</th>" for cell in head) + "</tr>")
    for row in rows:
        if isinstance(row, str):
            lines.append(f"<tr><th style='{_CELL};padding-top:8px' colspan='{width}'>{prose(row)}</th></tr>")
        else:
            lines.append("<tr>" + "".join(f"<td style='{_CELL}'>{prose(cell)}</td>" for cell in row) + "</tr>")
    table = f"<table style='margin:4px 0'>{''.join(lines)}</table>" if lines else ""
    about = f" class='tinyfrontier-{name}'" if name else ""
    state = f" role='status' data-status='{html.escape(status, quote=True)}'" if status else ""
    words = "".join(f"<div style='margin:3px 0'>{prose(line)}</div>" for line in lead if line)
    below = f"<div style='margin:3px 0'>{prose(note)}</div>" if note else ""
    return (
        f"<div{about}{state} style='border-left:5px solid {KINDS[kind]};padding:4px 12px;margin:6px 0;max-width:60em'>"
        f"<div><b>{prose(title)}</b></div>{words}{table}{below}</div>"
    )
