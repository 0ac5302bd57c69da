"""Exercises: the check engine, and one file a lesson with its exercises, cases and known mistakes.

A notebook needs one line: `check = checker(1)`; then `attention = check(attention)` after the exercise's cell.
"""

from .engine import Case, CheckFailed, Exercise, Mistake, Result, checker, exercises_of

__all__ = ["Case", "CheckFailed", "Exercise", "Mistake", "Result", "checker", "exercises_of"]
