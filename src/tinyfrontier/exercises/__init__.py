"""Exercises: the check engine, and one file a lesson that declares its exercises, cases and known mistakes.

A notebook needs one line: `check = checker(1)`; then `attention = check(attention)` after the exercise's cell.
"""

from .engine import CheckFailed, Result, checker, exercises_of, run_check
from .form import Case, Exercise, Mistake, case, exercise

__all__ = [
    "Case",
    "CheckFailed",
    "Exercise",
    "Mistake",
    "Result",
    "case",
    "checker",
    "exercise",
    "exercises_of",
    "run_check",
]
