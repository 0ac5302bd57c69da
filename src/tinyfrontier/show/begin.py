"""Where to begin: the start page's questions, one click each, and the proposal that follows. Needs ipywidgets.

Answers are kept in the progress file. The first click counts, since the measured answer stands below it from then on.
"""

from __future__ import annotations

import html
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from .._course import ROOT
from ..exercises.progress import forget_start, remember_start, start_answers
from .boxes import Html, box, prose, strong
from .panels import framed
from .proposals import DRAWN, INTERESTS, Proposal, drawn_to, finished_lessons, propose, routes_link
from .questions import BY_KEY, QUESTIONS, Question, measured, standing

TITLE = "Eight questions, one click each"
DRAWS = "What draws you here?"
_WRAPPED = {"flex_flow": "row wrap"}  # options go below each other on a narrow page
_LINES = "display:block;white-space:pre-wrap;overflow-wrap:anywhere;background:none;padding:2px 0"


class WhereToBegin:
    """The questions, the answers so far, and the proposal.

    Attributes:
        answers: the options chosen, by the question's key.
        interest: what draws the reader: one of `INTERESTS`, or None.
        proposal: where to begin.
        buttons: by the question's key (or "interest") and option.
    """

    def __init__(self, root: Path = ROOT):
        self.root = root
        self._lessons = finished_lessons(root)
        self._read()
        self.buttons: dict[str, dict[str, widgets.Button]] = {}
        self._below = {question.key: _Page() for question in QUESTIONS}
        self._result = _Page()
        self._again = widgets.Button(description="Ask me again", layout={"width": "auto", "align_self": "flex-start"})
        self._again.on_click(lambda _: self.forget())
        rows: list[widgets.Widget] = []
        for number, question in enumerate(QUESTIONS, 1):
            rows += [_words(f"<b>{number}</b> {prose(question.asks)}"), self._row(question.key, question.options)]
            rows.append(self._below[question.key])
        rows += [_words(f"<b>{DRAWS}</b>"), self._row(DRAWN, tuple(INTERESTS)), self._result, self._again]
        self.column = widgets.VBox(rows)
        self._show()

    def _read(self) -> None:
        known = start_answers()
        self.answers = {q.key: known[q.key] for q in QUESTIONS if known.get(q.key) in q.options}
        self.interest = drawn_to(known)

    def _row(self, key: str, options: tuple[str, ...]) -> widgets.Box:
        self.buttons[key] = {}
        for option in options:
            button = widgets.Button(description=option, layout={"width": "auto"})
            button.on_click(partial(self._clicked, key, option))
            self.buttons[key][option] = button
        return widgets.Box(list(self.buttons[key].values()), layout=_WRAPPED)

    def _clicked(self, key: str, option: str, _: widgets.Button) -> None:
        if key == DRAWN:
            self.prefer(option)
        elif key not in self.answers:
            self.choose(key, option)

    # ------------------------------------------------------------------------------------------------ what readers do

    def choose(self, key: str, option: str) -> None:
        """Answer a question as a reader does, by one click.

        Raises:
            ValueError: if there is no such question or option, or the question is answered.
        """
        if key not in BY_KEY:
            raise ValueError(f"key must be one of {', '.join(BY_KEY)}, got {key!r}")
        if option not in BY_KEY[key].options:
            raise ValueError(f"option must be one of {', '.join(BY_KEY[key].options)}, got {option!r}")
        if key in self.answers:
            raise ValueError(f"key must be that of an open question; {key!r} is answered, and `forget` asks again")
        self.answers[key] = option
        remember_start(key, option)
        self._show()

    def prefer(self, interest: str) -> None:
        """Say what draws you here; it may change at any time.

        Raises:
            ValueError: if `interest` is none of `INTERESTS`.
        """
        if interest not in INTERESTS:
            raise ValueError(f"interest must be one of {', '.join(INTERESTS)}, got {interest!r}")
        self.interest = interest
        remember_start(DRAWN, interest)
        self._show()

    def forget(self) -> None:
        """Forget the answers, here and in the progress file, and ask again. What was passed and predicted stays."""
        self.answers, self.interest = {}, None
        forget_start()
        self._show()

    # ------------------------------------------------------------------------------------------------ what they see

    @property
    def _begun(self) -> bool:
        return bool(self.answers) or self.interest is not None

    @property
    def proposal(self) -> Proposal:
        """Where to begin, by the answers so far."""
        return propose(standing(self.answers), self.interest, self._lessons)

    def _show(self) -> None:
        for question in QUESTIONS:
            said = self.answers.get(question.key)
            self._below[question.key].show("" if said is None else self._answer(question))
            for option, button in self.buttons[question.key].items():
                button.disabled = said is not None
                button.button_style = "info" if option == said else ""
        for option, button in self.buttons[DRAWN].items():
            button.button_style = "info" if option == self.interest else ""
        self._again.layout.display = "" if len(self.answers) == len(QUESTIONS) else "none"
        self._result.show(self._conclusion())

    def _answer(self, question: Question) -> Html:
        """What was measured, beside the answer if there is one, and what shows it."""
        found, said = measured(question.key), self.answers.get(question.key)
        if said is None:
            words = strong(f"Measured: {found.option}.")
        elif said == found.option:
            words = strong(f"✔ As you said: {found.option}.")
        else:
            words = strong(f"✘ You said {said}. Measured: {found.option}.")
        place = f"lesson {question.lesson:02d}, “{question.place}”"
        lesson = self._lessons.get(question.lesson)
        return Html(
            f"<div style='margin:2px 0 8px'>{words} {prose(question.note)}"
            f"<code style='{_LINES}'>{html.escape(question.code)}\n# {html.escape(found.result)}</code>"
            f"Taught in {lesson.link(place) if lesson else prose(place)}.</div>"
        )

    def _conclusion(self) -> str:
        if not self._begun:
            lead: list[Any] = [
                "A proposal comes with your first click, and it forbids nothing. The page works without it."
            ]
            return box("Nothing answered yet", kind="open", lead=lead, name="proposal", status="open")
        found = self.proposal
        if found.lesson is None:
            lead = [strong("You have passed every exercise that there is."), found.why()]
        else:
            title = Html(f"<b>Begin with {found.lesson.link()}.</b>")
            lead = [title, found.why(), *found.hints()]
        if self.interest is None:
            route = Html(f"Say what draws you here, and the proposal follows. All ways: {routes_link(self.root)}.")
        else:
            route = Html(f"Your route: <b>{self.interest}</b>, among {routes_link(self.root)}.")
        open_ = len(QUESTIONS) - len(self.answers)
        note = f"{open_} of {len(QUESTIONS)} questions are open." if open_ and self.answers else ""
        return box("Proposed for you", kind="good", lead=[*lead, route], note=note, name="proposal", status="proposed")

    def _still(self) -> str:
        """Questions, folded answers and proposal as HTML, for pages on which widgets do not run."""
        lines = []
        for number, question in enumerate(QUESTIONS, 1):
            fold = " open" if question.key in self.answers else ""
            lines.append(
                Html(
                    f"<b>{number}</b> {prose(question.asks)}<br>{' · '.join(map(html.escape, question.options))}"
                    f"<details{fold}><summary>what was measured</summary>{self._answer(question)}</details>"
                )
            )
        lines.append(Html(f"<b>{DRAWS}</b> {' · '.join(INTERESTS)}"))
        note: Any = "In the notebook each option is a button, and a proposal follows from the answers."
        return box(TITLE, lead=lines, note=Html(self._conclusion()) if self._begun else note, name="begin")

    def __str__(self) -> str:
        if not self._begun:
            return f"{TITLE}: none answered yet."
        found = self.proposal
        begin = (
            f"begin with lesson {found.lesson.number:02d}, {found.lesson.title}" if found.lesson else "all is passed"
        )
        route = f" Route: {self.interest}." if self.interest else ""
        return f"{len(self.answers)} of {len(QUESTIONS)} questions answered: {begin}. {found.why()}{route}"

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {**framed(TITLE, self.column), "text/html": self._still(), "text/plain": str(self)}

    # ------------------------------------------------------------------------------------------------ the proof

    def prove(self) -> None:
        """Click every option, and assert that what was measured and a proposal that may be followed stand below each.

        Writes nothing into the progress file, puts the answers back and prints one line.

        Raises:
            AssertionError: if a question has not exactly one right option, or a page does not follow a click.
        """
        kept, clicks = (self.answers, self.interest), 0
        try:
            for question in QUESTIONS:
                rights = 0
                for option in question.options:
                    self.answers = {question.key: option}
                    self._show()
                    page, clicks = self._below[question.key].html, clicks + 1
                    right, given = standing(self.answers)[question.skill]
                    assert html.escape(measured(question.key).option) in page, (
                        f"{question.key} shows no measured answer"
                    )
                    assert given == 1
                    assert ("✔" in page) == bool(right), f"{question.key}: {option} is not judged"
                    assert (question.skill in self.proposal.practice) != bool(right), f"{option} changes no proposal"
                    rights += right
                assert rights == 1, f"{question.key} has {rights} right options"
            for interest in INTERESTS:
                self.answers, self.interest = {}, interest
                self._show()
                lesson, clicks = self.proposal.lesson, clicks + 1
                assert lesson is None or all(self._lessons[number].whole for number in lesson.prerequisites)
                assert lesson is None or f"{lesson.stem}.ipynb" in self._result.html, f"{interest} leads nowhere"
        finally:
            self.answers, self.interest = kept
            self._show()
        print(f"{clicks} clicks, the page followed every one")


class _Page(widgets.Output):
    """HTML whose links open in the notebook's own application, as those of a cell's output do."""

    def show(self, page: str) -> None:
        self.html = page
        shown = {"output_type": "display_data", "data": {"text/html": page}, "metadata": {}}
        self.outputs = (shown,) if page else ()


def _words(text: str) -> widgets.HTML:
    return widgets.HTML(
        f"<div style='font-size:var(--jp-content-font-size1);line-height:1.5;margin-top:8px'>{text}</div>"
    )


def where_to_begin(root: Path = ROOT) -> WhereToBegin:
    """Eight questions of one click each, and a proposal where to begin, for the start page."""
    return WhereToBegin(root)
