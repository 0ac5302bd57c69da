"""Predict, then see: the reader commits to a guess, and the measurement answers it. Needs ipywidgets.

`wins = predict("Which wins at equal time?", ["dense", "the mixture"])` stands before the experiment, and
`wins.reveal({"dense": dense_bits, "the mixture": moe_bits}, best=min)` after it. The answer is always computed from
what was measured. Without a guess (Run All, tests) the measured answer stands alone.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np

from .._course import current_lesson
from .._rehearsal import rehearsing
from ..exercises.progress import guesses, remember_guess
from .boxes import box, strong
from .panels import framed
from .spreads import as_numbers, describe, spread

CLOSE = 0.1  # a number counts as right within a tenth of the scale, unless the author says otherwise


class Prediction:
    """A question with its guess, and the answer once it is revealed.

    Attributes:
        question: what is asked.
        options: the answers to choose from; () where a number is asked.
        guess: what the reader chose, or None.
        answer: what was measured, in words; "" before `reveal`.
        right: whether the guess was right; None without a guess or before `reveal`.
    """

    def __init__(self, question: str, options: Sequence[str], low, high, unit: str, log: bool, lesson: int):
        self.question, self.options, self.lesson = question, tuple(options), lesson
        self.low, self.high, self.unit, self.log = low, high, unit, log
        self.guess: str | float | None = None
        self.answer, self.right = "", None
        self._measured: dict[str, Any] | None = None
        self._proving = False
        if self.options:
            self.control = widgets.RadioButtons(options=self.options, value=None, layout={"width": "98%"})
        elif log:
            self.control = widgets.FloatLogSlider(
                low, base=10, min=math.log10(low), max=math.log10(high), step=0.01, readout_format=".3g"
            )
        elif isinstance(low, int) and isinstance(high, int):
            self.control = widgets.IntSlider(low, min=low, max=high)
        else:
            self.control = widgets.FloatSlider(low, min=low, max=high, step=(high - low) / 100, readout_format=".3g")
        if not self.options:
            self.control.continuous_update = False
            self.control.description, self.control.layout.width = unit, "36em"
        self._note = widgets.HTML()
        known = guesses().get(f"{lesson:02d}", {}).get(question)
        self._settled = known is not None and "measured" in known  # the first guess counts, not one after the answer
        if known is not None and self._allows(known["guess"]):
            self.guess = self.control.value = known["guess"]
            self._say("Your guess from before. ")
        else:
            self._say()
        self.control.observe(self._chosen, names="value")

    def _allows(self, guess: Any) -> bool:
        if self.options:
            return guess in self.options
        return isinstance(guess, (int, float)) and not isinstance(guess, bool) and self.low <= guess <= self.high

    def _say(self, before: str = "") -> None:
        if self.guess is None:
            text = "Choose before you run on." if self.options else "Move the slider before you run on."
        else:
            text = f"{before}You say <b>{html.escape(self._shown(self.guess))}</b>. Run on and see."
        self._note.value = f'<div class="tinyfrontier-readout">{text}</div>'

    def _shown(self, guess: str | float) -> str:
        return guess if self.options else spread(float(f"{guess:.3g}"), ",.4g", self.unit)

    def _chosen(self, change: dict) -> None:
        self.guess = change["new"]
        if not self._proving:
            if self.guess is not None and not self._settled:
                remember_guess(self.lesson, self.question, self.guess)
            self._say()

    def choose(self, guess: str | float) -> None:
        """Answer as a reader would: an option, or a number on the scale.

        Raises:
            ValueError: if it is none of the options, or outside the scale.
        """
        if not self._allows(guess):
            wanted = ", ".join(self.options) if self.options else f"a number from {self.low:g} to {self.high:g}"
            raise ValueError(f"guess must be {'one of ' if self.options else ''}{wanted}, got {guess!r}")
        self.control.value = guess
        if self.guess is None:  # the slider stood there already
            self._chosen({"new": guess})

    # ------------------------------------------------------------------------------------------------- the answer

    def reveal(
        self,
        measured: Any = None,
        *,
        best: Any = None,
        answer: str | None = None,
        form: str | None = None,
        within: float | None = None,
        note: str = "",
    ) -> None:
        """Show what was measured, beside the guess if there is one, and keep both in the progress file.

        Args:
            measured: options: each option's number, or one number a seed, whose means are compared; an option without a
                number, such as "about the same", may be left out. A number's question: the number, or one a seed.
            best: options: `min` or `max`, whichever decides. Or give `answer`.
            answer: options: the right one, computed by the lesson from what it measured.
            form: how numbers are written, as for `spread`.
            within: number: how far off still counts as right; a tenth of the scale unless given (on a logarithmic scale
                in powers of ten).
            note: one sentence below the answer.

        Raises:
            TypeError: if `measured` is of the wrong kind.
            ValueError: if the answer is none of the options, `measured` names one that was not offered, or neither
                `best` nor `answer` decides.
        """
        try:
            if self.options:
                found = self._option_measured(measured, best, answer, form)
            elif best is not None or answer is not None:
                raise ValueError("best and answer decide between options; this question asks for a number")
            else:
                found = self._number_measured(measured, form, within)
        except ValueError:
            if not rehearsing():
                raise
            found = {
                "key": None,
                "low": math.inf,
                "high": -math.inf,
                "answer": "nothing, in a rehearsal",
                "chance": 0.0,
            }
        self._measured = {**found, "note": note}
        self._judge()
        if self.guess is not None and not self._settled and not rehearsing():
            result = {"measured": self.answer, "right": self.right, "chance": self._measured["chance"]}
            remember_guess(self.lesson, self.question, self.guess, **result)
            self._settled = True
        self.control.disabled = True
        again = "" if self.guess is not None else " Run this cell again to guess first."
        self._note.value = f'<div class="tinyfrontier-readout">Revealed below.{again}</div>'
        _show(self)

    def _option_measured(self, measured: Any, best: Any, answer: str | None, form: str | None) -> dict[str, Any]:
        if measured is None:
            measured = {}
        if not isinstance(measured, Mapping):
            raise TypeError(f"measured must be a mapping of option to number, got {type(measured).__name__}")
        strange = [option for option in measured if option not in self.options]
        if strange:
            raise ValueError(f"measured must be about the options {', '.join(self.options)}, got {strange[0]!r}")
        if answer is None:
            if best not in (min, max) or not measured:
                raise ValueError("best must be min or max of measured numbers, or give answer=, computed from them")
            answer = best(measured, key=lambda option: float(as_numbers(measured[option]).mean()))
        elif answer not in self.options:
            raise ValueError(f"answer must be one of {', '.join(self.options)}, got {answer!r}")
        values = {option: describe(value, form) for option, value in measured.items()}
        own, others = values.get(answer), [f"{values[o]} ({o})" for o in values if o != answer]
        words = [
            text for text in (own, f"against {', '.join(others)}" if own and others else ", ".join(others)) if text
        ]
        return {
            "key": answer,
            "answer": ", ".join([answer, " ".join(words)] if words else [answer]),
            "chance": self._blind,
        }

    @property
    def _blind(self) -> float:
        return 1 / len(self.options)

    def _number_measured(self, measured: Any, form: str | None, within: float | None) -> dict[str, Any]:
        numbers = as_numbers(measured).reshape(-1)
        scale = np.log10 if self.log else np.asarray
        width = float(scale(self.high) - scale(self.low))
        within = CLOSE * width if within is None else within
        low, high = float(scale(numbers.min())) - within, float(scale(numbers.max())) + within
        chance = max(0.0, min(high, float(scale(self.high))) - max(low, float(scale(self.low)))) / width
        return {"low": low, "high": high, "answer": spread(measured, form, self.unit), "chance": round(chance, 3)}

    def _judge(self) -> None:
        found = self._measured
        self.answer = found["answer"]
        if self.guess is None:
            self.right = None
        elif self.options:
            self.right = self.guess == found["key"]
        else:
            scaled = math.log10(self.guess) if self.log else self.guess
            self.right = found["low"] <= scaled <= found["high"]

    @property
    def text(self) -> str:
        """The answer in one line: "You said the mixture, measured: dense, 2.36 against 2.41 (the mixture)."."""
        measured = f"measured: {self.answer}."
        if self.guess is None:
            return measured[0].upper() + measured[1:]
        return f"You said {self._shown(self.guess)}, {measured}"

    def _box(self) -> str:
        kind = {None: "plain", True: "good", False: "mixed"}[self.right]
        mark = {None: "", True: "✔ As you said. ", False: "✘ A surprise. "}[self.right]
        lead = [strong(mark + self.text)]
        return box(
            self.question, kind=kind, lead=lead, note=self._measured["note"], name="prediction", status="revealed"
        )

    # ------------------------------------------------------------------------------------------------- the proof

    def prove(self) -> None:
        """Move the control through its answers and assert that what is revealed follows each; needs a revealed answer.

        Writes nothing into the progress file, puts the guess back and prints one line.

        Raises:
            AssertionError: if nothing was revealed, or what is shown does not follow the guess.
        """
        assert self._measured is not None, f"{self.question!r} was never revealed"
        tried = list(self.options) or list(dict.fromkeys((self.low, self._middle(), self.high)))
        kept, disabled, note = self.guess, self.control.disabled, self._note.value
        self._proving, seen, rights = True, set(), []
        try:
            for guess in tried:
                self.choose(guess)
                self._judge()
                assert self._shown(guess) in self.text, f"{guess} is not shown"
                assert self.answer in self.text
                assert html.escape(self.answer) in self._box()
                seen.add(self.text)
                rights.append(self.right)
        finally:
            if kept is None:
                self.control.value = None if self.options else self.low
                self.guess = None
            else:
                self.control.value = self.guess = kept
            self._proving, self.control.disabled, self._note.value = False, disabled, note
            self._judge()
        assert len(seen) == len(tried), "two answers show the same"
        assert not self.options or sum(rights) == 1, "exactly one option must be right"
        assert not all(rights), "every answer counts as right, so the question asks nothing"
        print(f"{len(tried)} answers tried, what is revealed followed every one")

    def _middle(self) -> float:
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return int(middle) if isinstance(self.low, int) and isinstance(self.high, int) and not self.log else middle

    # ------------------------------------------------------------------------------------------------- the page

    def _still(self) -> tuple[str, str]:
        """The question as it reads where widgets do not run: HTML and text."""
        if self.options:
            choice = [(f"○ {option}",) for option in self.options]
            words = " / ".join(self.options)
        else:
            words = f"a number from {self.low:,g} to {self.high:,g} {self.unit}".strip()
            choice = [(words,)]
        title = f"Predict: {self.question}"
        return box(title, choice, name="prediction", status="asked"), f"{title} ({words})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle = framed(f"Predict: {self.question}", self.control, self._note)
        bundle["text/html"], bundle["text/plain"] = self._still()
        return bundle


def _show(prediction: Prediction) -> None:
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(prediction.text)
    else:
        display({"text/plain": prediction.text, "text/html": prediction._box()}, raw=True)


def predict(
    question: str,
    options: Sequence[str] | None = None,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    log: bool = False,
    lesson: int | None = None,
) -> Prediction:
    """Ask for a guess before a result: one click, or one number on a scale.

    Args:
        question: one sentence; its answer is measured later in the notebook.
        options: two to six answers to choose from.
        low: lower end of the scale of a number.
        high: upper end.
        unit: unit of the number, such as "%" or "times".
        log: whether the scale is logarithmic.
        lesson: number of the lesson; what `checker(NN)` said unless given.

    Raises:
        TypeError: if an option is no text, or an end of the scale no number.
        ValueError: if there is no question, both or neither of options and scale, too few or equal options, or the
            scale's ends are not in order.
    """
    if not isinstance(question, str) or not question.strip() or "\n" in question.strip():
        raise ValueError(f"question must be one line of text, got {question!r}")
    if (options is None) == (low is None or high is None):
        raise ValueError("predict needs either options or both low and high")
    if options is not None:
        if isinstance(options, str) or not all(isinstance(option, str) for option in options):
            raise TypeError("options must be a list of texts")
        if not 2 <= len(set(options)) == len(options) <= 6:
            raise ValueError(f"options must be two to six different answers, got {list(options)!r}")
    else:
        for name, end in (("low", low), ("high", high)):
            if isinstance(end, bool) or not isinstance(end, (int, float)):
                raise TypeError(f"{name} must be a number, got {type(end).__name__}")
        if not low < high or (log and low <= 0):
            raise ValueError(f"low must be below high{' and above 0' if log else ''}, got {low} and {high}")
    return Prediction(" ".join(question.split()), options or (), low, high, unit, log, current_lesson(lesson))
