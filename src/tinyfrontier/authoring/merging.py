"""Merge a student's notebook with a new edition of the lesson, cell by cell. Needs only the standard library.

Three notebooks meet: `base`, the edition from which the student's copy was made; `mine`, that copy as it is now; `new`,
the edition to come. Notebooks are the dictionaries that `json.load` gives. What a cell becomes:

| the student's cell | in the new edition | becomes |
|---|---|---|
| the course's, as it was | the same, changed, or gone | what the new edition says |
| an exercise with an answer | the same or changed | the answer; marked above if the task has changed |
| another of the course's, changed | the same | the student's |
| another of the course's, changed | changed or gone | the new one, and the student's below it, code switched off |
| the student's own | | stays, after the same neighbour |
| none: deleted | | the new one comes back |
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .cells import has_its_text, is_text_id

Notebook = dict[str, Any]
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MINE = "mine-"  # begins the ids that a merge gives to a student's cells
_OURS = "tinyfrontier"  # the key of the course's own metadata
_NOT_OWN = ("nbgrader", "deletable", "editable")  # a copied cell must not stand in for the graded one
_REQUIRED = {"kernelspec": ("display_name", "name"), "language_info": ("name",)}
_OUTPUTS = {
    "stream": {"name": str, "text": (str, list)},
    "display_data": {"data": dict, "metadata": dict},
    "execute_result": {"data": dict, "metadata": dict},
    "error": {"ename": str, "evalue": str, "traceback": list},
}
_BESIDE = (
    "**You had changed this cell, and so has the course.** The course's new version stands above, yours below{off}. "
    "Delete what you do not need, this note too."
)
_OFF = ", switched off: to run it, select it and press Y"
_GONE = (
    "**You had changed this cell, and the course no longer has it.** Yours is kept below{off}. "
    "Delete what you do not need, this note too."
)
_RETIRED = (
    "**The course no longer has this exercise, or has renamed it.** Your answer is kept below. "
    "Delete what you do not need, this note too."
)


@dataclass
class Merged:
    """A merged notebook, and what became of its cells."""

    notebook: Notebook = field(repr=False)
    answers: list[str] = field(default_factory=list)  # exercises whose answer was kept, by name
    marked: list[str] = field(default_factory=list)  # those of them whose task has changed
    changed: int = 0  # cells of the course that the student had changed, kept in their place
    beside: int = 0  # those kept below the course's new version
    own: int = 0  # the student's own cells
    back: int = 0  # cells that the student had deleted or emptied, and that came back
    new: int = 0  # cells that the new edition adds or words anew


def text_of(cell: dict) -> str:
    """A cell's text, which a notebook stores as one string or as a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def parse_notebook(content: bytes, name: str = "content") -> Notebook:
    """The notebook that a file holds.

    Raises:
        ValueError: if `content` is no notebook of format 4; the message names it by `name`.
    """
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no notebook: {error}") from None
    if not isinstance(notebook, dict):
        raise ValueError(f"{name} is no notebook: it holds a {type(notebook).__name__}")
    check_notebook(notebook, name)
    return notebook


def check_notebook(notebook: Any, name: str) -> None:
    """Refuse what cannot be merged.

    Raises:
        TypeError: if `notebook` is no dictionary.
        ValueError: if it is no notebook of format 4; both messages name it by `name`.
    """
    if not isinstance(notebook, dict):
        raise TypeError(f"{name} must be a notebook as a dict, got {type(notebook).__name__}")
    if notebook.get("nbformat") != 4 or not isinstance(notebook.get("cells"), list):
        raise ValueError(f"{name} must be a notebook of format 4, got format {notebook.get('nbformat')!r}")
    for cell in notebook["cells"]:
        source = cell.get("source", "") if isinstance(cell, dict) else None
        lines = source if isinstance(source, list) else [source]
        if not isinstance(cell, dict) or not all(isinstance(line, str) for line in lines):
            raise ValueError(f"{name} is no notebook: a cell is no cell, or its text is no text")


def dump_notebook(notebook: Notebook) -> bytes:
    """The notebook as it is written to disk; the same bytes as the build's for the same notebook."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a character, which only an escape can store
        return (json.dumps(notebook, indent=1, sort_keys=True) + "\n").encode()


# ------------------------------------------------------------------------------------------------------ cells


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _metadata(cell: dict) -> dict:
    metadata = cell.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _name_of(cell: dict) -> str:
    """The exercise that a cell of the course is, or ""."""
    cell_id = str(cell.get("id", ""))
    return cell_id.removeprefix("exercise-").replace("-", "_") if cell_id.startswith("exercise-") else ""


def _content(cell: dict) -> tuple[str, str]:
    """What a student can have written: the text and the pictures pasted into it."""
    pasted = cell.get("attachments")
    return text_of(cell), json.dumps(pasted, sort_keys=True) if pasted else ""


def _kind(cell: dict) -> str:
    return "exercise" if _name_of(cell) else str(cell.get("cell_type"))


def _defines(cell: dict, name: str) -> bool:
    """Whether a code cell defines the function of exercise `name`."""
    definition = rf"^(?:async\s+)?(?:def|class)\s+{re.escape(name)}\b"
    return cell.get("cell_type") == "code" and bool(re.search(definition, text_of(cell), re.MULTILINE))


def _is_valid_output(output: Any) -> bool:
    wanted = _OUTPUTS.get(output.get("output_type")) if isinstance(output, dict) else None
    return wanted is not None and all(isinstance(output.get(key), kind) for key, kind in wanted.items())


def _is_ours(cell: dict, key: str) -> bool:
    """Whether an earlier merge has noted `key` in a cell."""
    own = _metadata(cell).get(_OURS)
    return isinstance(own, dict) and key in own


def _shaped(cell: dict, kind: str, metadata: dict) -> dict:
    """A valid cell of type `kind` with another's text, pictures, and, if it is code, outputs; without an id."""
    shaped: dict[str, Any] = {"cell_type": kind, "metadata": metadata, "source": _lines(text_of(cell))}
    if kind == "code":
        outputs, count = cell.get("outputs"), cell.get("execution_count")
        shaped["outputs"] = [o for o in outputs if _is_valid_output(o)] if isinstance(outputs, list) else []
        shaped["execution_count"] = count if isinstance(count, int) and not isinstance(count, bool) else None
    elif isinstance(cell.get("attachments"), dict) and cell["attachments"]:
        shaped["attachments"] = cell["attachments"]
    return shaped


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]


def _note(text: str, about: str = "") -> dict:
    """A Markdown cell of the merge's own, which can be told from a student's, and from one that a student edited."""
    own = {"note": _fingerprint(text), **({"about": about} if about else {})}
    return {"cell_type": "markdown", "metadata": {_OURS: own}, "source": _lines(text)}


def _mark_of(cell: dict) -> str:
    """The exercise that an unedited mark speaks of, or ""."""
    own = _metadata(cell).get(_OURS)
    if cell.get("cell_type") != "markdown" or not isinstance(own, dict) or not isinstance(own.get("about"), str):
        return ""
    return own["about"] if own.get("note") == _fingerprint(text_of(cell)) else ""


# ------------------------------------------------------------------------------------------------------ matching


@dataclass
class _Entry:
    """A cell of the course: as it was when the copy was made, and which cell of the new edition it is now."""

    was: dict
    now: int | None


def _words(cell: dict) -> Counter:
    return Counter(re.findall(r"\w+|[^\w\s]", text_of(cell)))


def _alike(one: Counter, other: Counter) -> float:
    total = sum(one.values()) + sum(other.values())
    return 2 * sum((one & other).values()) / total if total else 0.0


def _successors(base: list[dict], new: list[dict]) -> list[int | None]:
    """For each cell of `base` the place in `new` of the same cell, or of the one that has replaced it."""
    places: dict[str, int] = {}
    for place, cell in enumerate(new):
        places.setdefault(str(cell.get("id")), place)
    found: list[int | None] = []
    taken: set[int] = set()
    for cell in base:
        place = places.get(str(cell.get("id")))
        found.append(place if place not in taken else None)
        taken |= {place} - {None}
    at = -1
    gaps: dict[int, list[int]] = {}
    for index, place in enumerate(found):
        if place is None:
            gaps.setdefault(at, []).append(index)
        else:
            at = place
    for at, lost in gaps.items():
        free = []
        while (candidate := at + 1 + len(free)) < len(new) and candidate not in taken:
            free.append(candidate)
        for index, place in _pairs(base, new, lost, free):
            found[index] = place
            taken.add(place)
    return found


def _pairs(base: list[dict], new: list[dict], lost: list[int], free: list[int]) -> list[tuple[int, int]]:
    """Which of the cells `free` of `new` have replaced which of the cells `lost` of `base`, the likest first."""
    base_words, new_words = {i: _words(base[i]) for i in lost}, {j: _words(new[j]) for j in free}
    candidates = []
    for i in lost:
        rivals = [j for j in free if _kind(base[i]) == _kind(new[j])]
        alone = len(rivals) == 1 and sum(_kind(base[k]) == _kind(base[i]) for k in lost) == 1
        for j in rivals:
            likeness = _alike(base_words[i], new_words[j])
            if alone or likeness >= 0.4:
                candidates.append((-likeness, i, j))
    pairs: list[tuple[int, int]] = []
    for _, i, j in sorted(candidates):
        if all(i != k and j != m for k, m in pairs):
            pairs.append((i, j))
    return pairs


def _without_base(mine: list[dict], new: list[dict]) -> list[dict]:
    """What can be known of a lost base: the cells that still have the text of their id, and those of `new`.

    Everything else that differs from `new` counts as the student's.
    """
    by_id = {str(cell.get("id")): cell for cell in new}
    found, seen = [], set()
    for cell in mine:
        cell_id, kind = str(cell.get("id", "")), str(cell.get("cell_type"))
        if cell_id in seen:
            continue
        if is_text_id(cell_id) and has_its_text(kind, text_of(cell), cell_id):
            found.append(cell)
        elif cell_id in by_id:
            found.append(by_id[cell_id])
        else:
            continue
        seen.add(cell_id)
    return found


def _match(entries: list[_Entry], mine: list[dict], new: list[dict]) -> list[int | None]:
    """Which entry each of the student's cells is: by id, then by text, then by the function of an exercise."""
    by_id: dict[str, int] = {}
    for index, entry in enumerate(entries):
        by_id.setdefault(str(entry.was.get("id")), index)
    found: list[int | None] = [None] * len(mine)
    free = set(range(len(entries)))
    for place, cell in enumerate(mine):
        index = by_id.get(str(cell.get("id", "")))
        if index in free:
            found[place] = index
            free.discard(index)
    by_text: dict[tuple, list[int]] = {}
    for index in sorted(free):
        was = entries[index].was
        if text_of(was).strip():
            by_text.setdefault((was.get("cell_type"), _content(was)), []).append(index)
    for place, cell in enumerate(mine):
        same = by_text.get((cell.get("cell_type"), _content(cell)))
        if same and found[place] is None and not str(cell.get("id", "")).startswith(_MINE):
            found[place] = same.pop(0)
            free.discard(found[place])
    for index in sorted(free):
        entry, name = entries[index], _name_of(entries[index].was)
        if not name or entry.now is None or _name_of(new[entry.now]) != name:
            continue
        for place, cell in enumerate(mine):
            other = None if found[place] is None else entries[found[place]].was
            elsewhere = other is not None and (_name_of(other) or _content(other) == _content(cell))
            if not elsewhere and _defines(cell, name):
                found[place] = index
                break
    return found


def _task(cells: list[dict], place: int) -> tuple[str, str]:
    """An exercise's specification: the words above it, from the heading of the exercise on, and its stub."""
    above: list[str] = []
    for cell in reversed(cells[:place]):
        if cell.get("cell_type") != "markdown" or _mark_of(cell):
            break
        above.insert(0, text_of(cell))
    text = "\n\n".join(above)
    headings = list(re.finditer(r"^#+ .*\bExercise\b", text, re.MULTILINE))
    text = text[headings[-1].start() :] if headings else (above or [""])[-1]
    return " ".join(text.split()), text_of(cells[place])


def _mark(name: str, was: tuple[str, str], now: tuple[str, str]) -> dict:
    words, code = was[0] != now[0], was[1] != now[1]
    what = " and ".join(["the words above"] * words + ["the first lines below"] * code)
    text = (
        f"**The course has changed this task since you began it** ({what}). Your answer is kept as it was: "
        "read the task again, run the check, then delete this note."
    )
    if words:
        old, new = was[0].split(), now[0].split()
        pieces = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        added = [" ".join(new[c:d]) for tag, _, _, c, d in pieces if tag in ("insert", "replace")]
        # as code, so that half a formula or half a link cannot spoil the page
        shown = [f"`{piece.replace('`', '')}`" for piece in added if piece.strip("` ") and len(piece) < 300]
        if shown and len(shown) <= 6:
            text += f"\n\nNew words: {' … '.join(shown)}"
    if code:
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", now[1])), 3)
        text += f"\n\nThe new cell began like this:\n\n{fence}text\n{now[1]}\n{fence}"
    return _note(text, about=name)


# ------------------------------------------------------------------------------------------------------ merging


def merge(base: Notebook | None, mine: Notebook, new: Notebook) -> Merged:
    """Bring a student's copy up to the new edition of its lesson; nothing that the student wrote is left out.

    Args:
        base: the edition from which the copy was made; None if it is lost. Then ids and function names decide, and all
            that differs from the new edition, and is not provably the course's own text, counts as the student's.
        mine: the student's copy; any notebook of format 4, also one whose ids are missing or repeated.
        new: the new edition, as the build writes it.

    Returns:
        A valid notebook of format 4.5 with unique ids; a copy that nobody touched becomes exactly `new`. Merging the
        result once more changes nothing. The arguments stay as they are.

    Raises:
        TypeError: if an argument is no dictionary.
        ValueError: if an argument is no notebook of format 4.
    """
    for name, notebook in (("base", base), ("mine", mine), ("new", new)):
        if notebook is not None or name != "base":
            check_notebook(notebook, name)
    return _Merge(base, mine, new).run()


class _Merge:
    def __init__(self, base: Notebook | None, mine: Notebook, new: Notebook):
        self.base, self.mine, self.new = base, mine, new
        self.old_cells = _without_base(mine["cells"], new["cells"]) if base is None else base["cells"]
        self.new_cells = new["cells"]
        successors = _successors(self.old_cells, self.new_cells)
        self.entries = [_Entry(cell, now) for cell, now in zip(self.old_cells, successors, strict=True)]
        known = {str(cell.get("id")) for cell in self.old_cells}
        for now, cell in enumerate(self.new_cells):  # a copy that a former, interrupted merge has already reached
            if str(cell.get("id")) not in known:
                self.entries.append(_Entry(cell, now))
        self.placed: dict[int, dict] = {}  # by place in the new edition: the cell that stands there
        self.before: dict[int, list[dict]] = {}  # marks
        self.after: dict[int, list[dict]] = {-1: []}
        self.reached: set[int] = set()
        self.result = Merged({})

    def run(self) -> Merged:
        mine = self.mine["cells"]
        matches = _match(self.entries, mine, self.new_cells)
        marks: dict[str, list[dict]] = {}
        for cell in mine:
            known = [text_of(mark) for mark in marks.get(_mark_of(cell), [])]
            if _mark_of(cell) and text_of(cell) not in known:
                marks.setdefault(_mark_of(cell), []).append(cell)
        # who stands at a place of the new edition: rather its own cell than one that it has replaced
        candidates = []
        for place, index in enumerate(matches):
            if index is not None and self.entries[index].now is not None:
                now, wanted = self.entries[index].now, self.new_cells[self.entries[index].now].get("id")
                rank = 0 if mine[place].get("id") == wanted else 1 if self.entries[index].was.get("id") == wanted else 2
                candidates.append((rank, place, now))
        holders: dict[int, int] = {}
        for _, place, now in sorted(candidates):
            holders.setdefault(now, place)
        at = -1
        for place, (cell, index) in enumerate(zip(mine, matches, strict=True)):
            if index is None:
                if not _mark_of(cell):
                    self._keep_own(at, cell)
                continue
            entry = self.entries[index]
            if entry.now is not None and holders[entry.now] == place:
                at = entry.now
                self._place(cell, entry)
            elif self._is_written(cell, entry):
                self._keep_beside(at, cell, entry)
        for now, cell in enumerate(self.new_cells):
            self.placed.setdefault(now, cell)
        self._mark(marks)
        before = {str(cell.get("id")): text_of(cell) for cell in self.old_cells}
        self.result.new = sum(before.get(str(cell.get("id"))) != text_of(cell) for cell in self.new_cells)
        gone = {entry.now for entry in self.entries[: len(self.old_cells)]} - {None} - self.reached
        self.result.back += len(gone)
        self.result.notebook = self._notebook()
        return self.result

    @staticmethod
    def _is_written(cell: dict, entry: _Entry) -> bool:
        """Whether the student has written something into a cell of the course."""
        return bool(text_of(cell).strip() or cell.get("attachments")) and _content(cell) != _content(entry.was)

    def _place(self, cell: dict, entry: _Entry) -> None:
        """Decide what stands at a cell's place in the new edition, and what below it."""
        now = self.new_cells[entry.now]
        self.reached.add(entry.now)
        same_cell = str(entry.was.get("id")) == str(now.get("id"))
        retyped = cell.get("cell_type") != entry.was.get("cell_type")
        unchanged = _content(entry.was) == _content(now) and entry.was.get("cell_type") == now.get("cell_type")
        if _content(cell) == _content(now) or not self._is_written(cell, entry):
            self._take_new(cell, entry, now)
        elif retyped:
            self._keep_own(entry.now, cell)
        elif same_cell and _name_of(now):
            self._take_mine(cell, entry, now)
            self.result.answers.append(_name_of(now))
        elif unchanged:
            self._take_mine(cell, entry, now)
            self.result.changed += 1
        else:
            self._keep_beside(entry.now, cell, entry)

    def _extra(self, cell: dict, entry: _Entry, now: dict) -> dict:
        """The new edition's metadata, with what a program or the student has added to the copy's."""
        known = {*_metadata(entry.was), *_metadata(now)}
        return {**{k: v for k, v in _metadata(cell).items() if k not in known}, **_metadata(now)}

    def _take_new(self, cell: dict, entry: _Entry, now: dict) -> None:
        if not text_of(cell).strip() and text_of(now).strip():
            self.result.back += 1
        if cell.get("cell_type") == now.get("cell_type") and _content(cell) == _content(now):
            taken = _shaped(cell, now["cell_type"], self._extra(cell, entry, now))
            self.placed[entry.now] = {**taken, "id": now["id"]}

    def _take_mine(self, cell: dict, entry: _Entry, now: dict) -> None:
        kept = _shaped(cell, now["cell_type"], self._extra(cell, entry, now))
        if cell.get("attachments") and now["cell_type"] != "code":
            kept["attachments"] = cell["attachments"]
        self.placed[entry.now] = {**kept, "id": now["id"]}

    def _keep_own(self, at: int, cell: dict, kind: str = "") -> None:
        kind = kind or str(cell.get("cell_type"))
        kind = kind if kind in ("code", "markdown") else "raw"
        metadata = {key: value for key, value in _metadata(cell).items() if key not in _NOT_OWN}
        if isinstance(metadata.get("tags"), list):
            metadata["tags"] = [tag for tag in metadata["tags"] if tag not in ("exercise", "check")]
            if not metadata["tags"]:
                del metadata["tags"]
        kept = _shaped(cell, kind, metadata)
        if cell.get("id") is not None:
            kept["id"] = cell["id"]
        self.after.setdefault(at, []).append(kept)
        self.result.own += not _is_ours(kept, "note")

    def _keep_beside(self, at: int, cell: dict, entry: _Entry) -> None:
        """Keep what cannot stand in its place any more, below a note that says so."""
        answer = bool(_name_of(entry.was))
        off = _OFF if cell.get("cell_type") == "code" and not answer else ""
        text = _RETIRED if answer else (_GONE if entry.now is None else _BESIDE).format(off=off)
        self.after.setdefault(at, []).append(_note(text))
        self._keep_own(at, {**cell, "id": None}, "raw" if off else "")
        self.result.own -= 1
        self.result.beside += 1

    def _mark(self, marks: dict[str, list[dict]]) -> None:
        """Put a mark above each kept answer whose task has changed, below the earlier marks that still stand there."""
        places = {_name_of(cell): place for place, cell in enumerate(self.old_cells) if _name_of(cell)}
        for now, cell in enumerate(self.new_cells):
            name = _name_of(cell)
            if name not in self.result.answers:
                continue
            kept = [_shaped(mark, "markdown", _metadata(mark)) for mark in marks.get(name, [])]
            task = _task(self.new_cells, now)
            was = _task(self.old_cells, places[name]) if name in places else task
            if was != task:
                mark = _mark(name, was, task)
                kept += [mark] * (text_of(mark) not in map(text_of, kept))
                self.result.marked.append(name)
            self.before[now] = kept

    def _notebook(self) -> Notebook:
        cells: list[dict] = []
        used = {str(cell.get("id")) for cell in self.new_cells}
        old = {str(cell.get("id")) for cell in self.old_cells}
        course = {text_of(cell) for cell in (*self.old_cells, *self.new_cells)}

        def add(cell: dict) -> None:
            wanted = cell.get("id")
            usable = isinstance(wanted, str) and _ID.fullmatch(wanted) and wanted not in used
            if usable and not wanted.startswith(_MINE):  # the next merge must not take it for one of the course's
                usable = wanted not in old and not is_text_id(wanted) and text_of(cell) not in course
            if not usable:
                stem = _MINE + _fingerprint(f"{cell['cell_type']}\n{text_of(cell)}")
                wanted, turn = stem, 1
                while wanted in used:
                    turn += 1
                    wanted = f"{stem}-{turn}"
            used.add(wanted)
            cells.append({**cell, "id": wanted})

        for own in self.after[-1]:
            add(own)
        for now in range(len(self.new_cells)):
            for mark in self.before.get(now, ()):
                add(mark)
            cells.append(self.placed[now])
            for own in self.after.get(now, ()):
                add(own)
        minor = max(
            [n for n in (self.mine.get("nbformat_minor"), self.new.get("nbformat_minor"), 5) if isinstance(n, int)]
        )
        return {"cells": cells, "metadata": self._merged_metadata(), "nbformat": 4, "nbformat_minor": minor}

    def _merged_metadata(self) -> dict:
        """The new edition's, with what JupyterLab has noted in the copy: the kernel, the state of the panels."""
        new, mine = _metadata(self.new), _metadata(self.mine)
        base = new if self.base is None else _metadata(self.base)
        merged = dict(new)
        for key, value in mine.items():
            if not all(isinstance(value, dict) and part in value for part in _REQUIRED.get(key, ())):
                continue
            added = key not in base and key not in new
            changed = self.base is not None and key in base and value != base[key]
            if key != _OURS and (added or changed):
                merged[key] = value
        return merged
