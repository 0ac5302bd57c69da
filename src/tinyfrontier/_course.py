"""Which lesson a notebook is, and what the lessons' front matter says. Needs PyYAML; reads text files, runs nothing.

A notebook does not know its own name, and a reader may rename it; so the lesson's first cell says the number,
`check = checker(6)`, and whoever needs it asks here.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_open: list[int] = []


def open_lesson(number: int) -> None:
    """Say that this kernel works on lesson `number` from now on."""
    _open[:] = [number]


def current_lesson(given: int | None = None) -> int:
    """The number of the lesson at work: `given` if it is one, else what the first cell said.

    Raises:
        TypeError: if `given` is no integer.
        ValueError: if nobody said it.
    """
    if given is not None:
        if isinstance(given, bool) or not isinstance(given, int):
            raise TypeError(f"lesson must be an int, got {type(given).__name__}")
        return given
    if not _open:
        raise ValueError("lesson is not known; run the first cell, which says `check = checker(NN)`, or give lesson=NN")
    return _open[0]


def lesson_files(root: Path = ROOT) -> list[Path]:
    """The sources of the start page and of all finished lessons, in order."""
    return sorted((root / "lessons").glob("[0-9][0-9]_*.md"))


@lru_cache(maxsize=64)
def _front(path: Path, modified: int) -> dict:
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8").split("\n---", 1)[0].removeprefix("---"))


def front_matter(path: Path) -> dict:
    """The front matter of a lesson's source."""
    return _front(path, path.stat().st_mtime_ns)


def claims_in(front: dict) -> dict[str, tuple[str, list[str]]]:
    """The claims that a lesson's front matter makes, as `claims_of` gives them.

    `claim` is text, or, where there are several, a mapping of a short key to text, or to `{text: …, sections: […]}`.

    Raises:
        ValueError: if it is neither.
    """
    claim, sections = front.get("claim"), front.get("sections", [])
    found = {}
    for key, words in (claim if isinstance(claim, dict) else {"": claim}).items():
        text, own = (
            (words.get("text"), words.get("sections", sections)) if isinstance(words, dict) else (words, sections)
        )
        if not isinstance(text, str) or not text.strip() or not isinstance(own, list):
            raise ValueError("claim must be text, or a mapping of key to text or to `{text: …, sections: […]}`")
        found[str(key)] = (" ".join(text.split()), own)
    if not found:
        raise ValueError("claim must hold at least one claim; got none")
    return found


def claims_of(number: int, root: Path = ROOT) -> dict[str, tuple[str, list[str]]]:
    """A lesson's claims by key: the claim in words, and its sections; a lesson with one claim has the key "".

    Raises:
        ValueError: if lesson `number` has no source, or it makes no claim.
    """
    path = next((path for path in lesson_files(root) if int(path.name[:2]) == number), None)
    if path is None:
        raise ValueError(f"lesson must be that of a lesson with a source, got {number}; else give claim= and sections=")
    try:
        return claims_in(front_matter(path))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
