"""For authors: build, freshness check, course map, and the environment doctor.

The top floor: it may import every other room, and no room imports it. Names load when first used.
"""

import importlib

_HOMES = {
    "Lesson": "lessons",
    "LessonError": "lessons",
    "course_map": "maps",
    "curriculum": "lessons",
    "definitions": "lessons",
    "find_lessons": "lessons",
    "read_lesson": "lessons",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
