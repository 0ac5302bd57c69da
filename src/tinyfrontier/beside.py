"""What lies beside a lesson in `lessons/NN_slug/`: modules of its own, and results that were recorded.

A module `lessons/10_code_generation/programs.py` is imported as `tinyfrontier.beside.lesson_10.programs`, from a
notebook in any folder. A record is what a lesson cannot afford to measure live; `load_record(10)` reads it, and
`python -m tinyfrontier.authoring.records 10` measures it anew.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

LESSONS = Path(__file__).resolve().parents[2] / "lessons"
__path__: list[str] = []  # a package of the folders below, each a package of the files in it


def _lend(folder: Path) -> None:
    name = f"lesson_{folder.name[:2]}"
    module = ModuleType(f"{__name__}.{name}", f"Modules in lessons/{folder.name}/.")
    module.__path__ = [str(folder)]
    sys.modules[module.__name__] = globals()[name] = module


for _folder in sorted(LESSONS.glob("[0-9][0-9]_*/")):
    _lend(_folder)


class Record(dict):
    """Recorded results; `record.figures.loss` is `record["figures"]["loss"]`. Keys that were numbers are text."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(f"the record has no {name!r}; it has {', '.join(self) or 'nothing'}")
        return self[name]

    @property
    def note(self) -> str:
        """What to write where a recorded number is shown: "recorded: seeds 0, 1, 2; steps 400"."""

        def text(value: Any) -> str:
            return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

        return "recorded: " + "; ".join(f"{name} {text(value)}" for name, value in self["settings"].items())


def folder_of(lesson: int, lessons: Path = LESSONS) -> Path:
    """The folder beside lesson number `lesson`.

    Raises:
        ValueError: if the lesson has none.
    """
    found = sorted(lessons.glob(f"{int(lesson):02d}_*/"))
    if not found:
        have = ", ".join(path.name[:2] for path in sorted(lessons.glob("[0-9][0-9]_*/")))
        raise ValueError(f"lesson must be one with a folder beside it ({have or 'none has'}), got {lesson}")
    return found[0]


def load_record(lesson: int, lessons: Path = LESSONS) -> Record:
    """The recorded results of lesson number `lesson`: `settings`, `figures`, `cpu_seconds`, `made_with`, `digest`.

    Raises:
        ValueError: if nothing is recorded for that lesson.
    """
    path = folder_of(lesson, lessons) / "record.json"
    if not path.exists():
        raise ValueError(f"lesson must be one with a record, got {lesson}: {path.parent.name}/record.json is missing")
    return json.loads(path.read_text(encoding="utf-8"), object_hook=Record)
