"""For authors: build, freshness check, course map, and the environment doctor.

The top floor: it may import every other room, and no room imports it. Names load when first used.
"""

from .._lazy import lazy_names

STUDENT_CODE = "<your code> "  # how the file name of a student's cell begins, to the grader and in graded processes
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
__getattr__ = lazy_names(__name__, _HOMES)
