"""Which exercises a reader has passed, what they predicted, and what they answered on the start page, in one small JSON
file. Needs only the standard library.

The file stands in the course's folder (`.progress.json`); `TINYFRONTIER_PROGRESS` names another place, or is `off`.
Deleting the file loses nothing but the ticks, the guesses and the answers on the start page. Its form:

    {"version": 2,
     "latest": "06",
     "start": {"scores": "(2, 4, 10, 10)", "interest": "science"},
     "passed": {"01": ["attention"]},
     "guesses": {"06": {"which wins at equal time?": {"guess": "the mixture", "measured": "dense", "right": false, …}}}}
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

VERSION = 2


def progress_path() -> Path | None:
    """Where progress is kept, or None when it is switched off."""
    chosen = os.environ.get("TINYFRONTIER_PROGRESS", "")
    if chosen.lower() == "off" or os.environ.get("NBGRADER_EXECUTION"):  # a student's pass is not the grader's own
        return None
    if chosen:
        return Path(chosen)
    return Path(__file__).resolve().parents[3] / ".progress.json"


def _read() -> dict[str, Any]:
    """What the file holds; {} if there is none, it is damaged, or progress is switched off."""
    path = progress_path()
    if path is None:
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write(**parts: Any) -> bool:
    """Replace parts of the file, at once or not at all; False if it could not be written."""
    path = progress_path()
    if path is None:
        return False
    record = {**_read(), **parts, "version": VERSION}
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=".progress-", delete=False
        ) as file:
            temporary = file.name
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        return False
    return True


def _part(name: str, kind: type) -> dict[str, Any]:
    part = _read().get(name)
    if not isinstance(part, dict):
        return {}
    return {str(lesson): found for lesson, found in part.items() if isinstance(found, kind)}


def passed_exercises() -> dict[str, list[str]]:
    """Names of the exercises passed so far, by lesson number as text ("01"); a damaged file counts as empty."""
    return {lesson: sorted(map(str, names)) for lesson, names in _part("passed", list).items()}


def remember_pass(lesson: int, name: str) -> bool:
    """Add one passed exercise to the file; False if it could not be written, which is no reason to stop."""
    passed = passed_exercises()
    key = f"{lesson:02d}"
    if name in passed.get(key, []) and latest_lesson() == key:
        return True
    return _write(passed={**passed, key: sorted({*passed.get(key, []), name})}, latest=key)


def latest_lesson() -> str | None:
    """Number, as text, of the lesson in which an exercise was passed or a guess was made last; None if nobody knows."""
    latest = _read().get("latest")
    return latest if isinstance(latest, str) else None


def guesses() -> dict[str, dict[str, dict[str, Any]]]:
    """What the reader predicted: by lesson number as text, by question; a damaged file counts as empty.

    Each holds "guess" (an option, or a number), and once it was revealed "measured" (text), "right", and "chance": how
    often somebody would be right who guesses blindly.
    """
    return {
        lesson: {question: fact for question, fact in asked.items() if isinstance(fact, dict) and "guess" in fact}
        for lesson, asked in _part("guesses", dict).items()
    }


def remember_guess(lesson: int, question: str, guess: str | float, **result: Any) -> bool:
    """Keep one guess, with its result once that is known; False if it could not be written.

    Args:
        lesson: number of the lesson.
        question: what was asked; a guess about the same question replaces the former one.
        guess: the option chosen, or the number.
        result: `measured`, `right` and `chance`, as `guesses` describes them.
    """
    kept = guesses()
    key = f"{lesson:02d}"
    return _write(guesses={**kept, key: {**kept.get(key, {}), question: {"guess": guess, **result}}}, latest=key)


def start_answers() -> dict[str, str]:
    """What the reader answered on the start page, by the question's key; a damaged file counts as empty."""
    return _part("start", str)


def remember_start(key: str, answer: str) -> bool:
    """Keep one answer of the start page; False if it could not be written."""
    return _write(start={**start_answers(), key: answer})


def forget_start() -> bool:
    """Forget the answers of the start page and nothing else; False if the file could not be written."""
    return _write(start={})
