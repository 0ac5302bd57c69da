"""Exercise files with a table `EXERCISES = (...)` at their end, until each of them is in the short form."""

from __future__ import annotations

from collections.abc import Callable

from . import form


class Exercise(form.Exercise):
    """An exercise declared as one call; its reference is both oracle and solution."""

    def __init__(self, name: str, reference: Callable, cases: Callable, mistakes: tuple = (), **settings):
        settings.setdefault("no_gradient", "declared in the old form")
        settings.setdefault("single", "declared in the old form")
        super().__init__(reference, **settings)
        self.name, self.mistakes, self._cases, self.solution = name, tuple(mistakes), cases, reference
