"""The verdict box that closes a lesson, and the record that the build gathers into the claims ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .._course import claims_of, current_lesson
from .._rehearsal import rehearsing
from .boxes import box, strong
from .spreads import describe

VERDICT_MIME = "application/vnd.tinyfrontier.verdict+json"
OUTCOMES = ("holds", "holds if", "does not hold", "cannot be checked")
HEADLINE_LENGTH = 140
_KINDS = dict(zip(OUTCOMES, ("good", "mixed", "bad", "plain"), strict=True))
_FORMER = {
    "holds in miniature": OUTCOMES[0],
    "holds with a condition": OUTCOMES[1],
    "cannot be tested small, here is the arithmetic": OUTCOMES[3],
}


@dataclass(frozen=True)
class Verdict:
    """One line of the claims ledger.

    Attributes:
        lesson: number of the lesson.
        sections: section ids of the article that makes the claim.
        claim: the article's claim, in the course's words.
        measured: what was measured, label to short text.
        outcome: one of `OUTCOMES`.
        condition: the condition under which the claim holds, or "".
        headline: the one comparison that decides, in one sentence.
        rehearsal: True if the cells above ran only a few steps, so that the numbers mean nothing.
    """

    lesson: int
    sections: tuple[str, ...]
    claim: str
    measured: dict[str, str]
    outcome: str
    condition: str = ""
    headline: str = ""
    rehearsal: bool = False

    @property
    def _title(self) -> str:
        mark = "Rehearsal, not a result. " if self.rehearsal else ""
        return f"{mark}Verdict: {self.outcome}{' …' if self.condition else ''}"

    def __str__(self) -> str:
        lines = [self._title.replace("Verdict", "VERDICT"), f"  claim: {self.claim}"]
        lines += [f"  {self.headline}"] if self.headline else []
        lines += [f"  condition: {self.condition}"] if self.condition else []
        return "\n".join(lines + [f"  {label}: {value}" for label, value in self.measured.items()])

    def _repr_html_(self) -> str:
        return box(
            self._title,
            [(label, strong(value)) for label, value in self.measured.items()],
            kind=_KINDS[self.outcome],
            lead=(
                self.headline and strong(self.headline),
                f"Claim: {self.claim}",
                self.condition and f"Holds if: {self.condition}",
            ),
            name="verdict",
        )

    def _repr_mimebundle_(self, **_) -> dict:
        # pairs, because a notebook is stored with its keys sorted, and the author's order is worth keeping
        record = {**asdict(self), "sections": list(self.sections), "measured": list(map(list, self.measured.items()))}
        if not self.rehearsal:
            del record["rehearsal"]
        return {VERDICT_MIME: record, "text/html": self._repr_html_(), "text/plain": str(self)}


def read_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """A stored record in today's form: what earlier versions called an outcome has today's name, no key is missing."""
    outcome = record["outcome"]
    return {"headline": "", "condition": "", **record, "outcome": _FORMER.get(outcome, outcome)}


def _values(measured: Mapping[str, object], rehearsal: bool) -> dict[str, str]:
    texts = {}
    for label, value in measured.items():
        try:
            texts[str(label)] = describe(value)
        except ValueError as error:
            if not rehearsal:
                raise ValueError(f"measured[{label!r}]: {error}") from None
            texts[str(label)] = "not measured"
    return texts


def _claim(claim: str | None, sections: Sequence[str] | None, lesson: int) -> tuple[str, Sequence[str]]:
    """The words and sections of a claim: given in full, or named by its key in the front matter."""
    if claim is not None and sections is not None:
        return claim, sections
    claims = claims_of(lesson)
    if claim is None and len(claims) == 1:
        claim = next(iter(claims))
    if claim not in claims:
        keys = ", ".join(repr(key) for key in claims)
        raise ValueError(f"claim must be one of lesson {lesson:02d}'s claims ({keys}), got {claim!r}")
    words, own = claims[claim]
    return words, own if sections is None else sections


def verdict(
    *given: Any,
    measured: Mapping[str, object] | None = None,
    holds: Any = "missing",
    headline: str = "",
    condition: str | None = None,
    claim: str | None = None,
    sections: Sequence[str] | None = None,
    lesson: int | None = None,
) -> Verdict:
    """Close a lesson: `verdict(measured, holds, headline=…, condition=…)`.

    Args:
        given: `measured` and `holds`, in this order. (Lessons of the first kind put the claim's text before them.)
        measured: label to what was measured: text, a truth, a number, a list or array with one number a seed
            ("2.36 to 2.41"), a tuple of several things ("a / b"), a mapping of named ones. `spread(values, "%")`
            chooses another format, `recorded(values)` adds the word.
        holds: computed from the measured numbers; None where nothing that could be measured would decide the claim.
        headline: one short sentence with the one comparison that decides; shown in the README.
        condition: what must be the case for the claim to hold, to be read after "holds if"; ignored unless it holds.
        claim: the claim's key in the front matter, where the lesson makes several.
        sections: section ids of the article; from the front matter unless given.
        lesson: number of the lesson; what `checker(NN)` said unless given.

    Raises:
        TypeError: if `holds` is not a bool or None, or `measured` is not a mapping.
        ValueError: if `measured` is empty, a number is not finite, the headline is missing, longer than 140 characters
            or more than one line, the claim is unknown, or there is a condition although the claim cannot be checked.
            While the notebook only rehearses, numbers may be anything.
    """
    given, old = list(given), bool(given) and isinstance(given[0], str)
    if old:
        claim = given.pop(0)
    if given:
        measured = given.pop(0)
    if given:
        holds = given.pop(0)
    if given:
        condition = given.pop(0)
    if given:
        raise TypeError(f"verdict takes measured and holds, then names; got {len(given)} arguments more")
    old = old or (claim is not None and sections is not None and lesson is not None)
    rehearsal = rehearsing()
    if claim is not None and (not isinstance(claim, str) or not claim.strip()):
        raise ValueError(f"claim must be a sentence or a key, got {claim!r}")
    if not isinstance(measured, Mapping):
        raise TypeError(f"measured must be a mapping of label to number or text, got {type(measured).__name__}")
    if not measured:
        raise ValueError("measured must hold at least one number; got none")
    if holds is not None and not isinstance(holds, bool):
        if type(holds).__name__ not in ("bool_", "bool"):
            raise TypeError(f"holds must be True, False or None, got {type(holds).__name__}")
        holds = bool(holds)
    if sections is not None and (not isinstance(sections, (list, tuple)) or not sections):
        raise ValueError(f"sections must list the article's section ids, got {sections!r}")
    headline = _headline(headline, required=not old, cut=rehearsal)
    if condition and holds is None and not rehearsal:
        raise ValueError("condition goes with holds=True; a claim that cannot be checked has none")
    number = current_lesson(lesson)
    words, own = _claim(claim, sections, number)
    if holds is None:
        outcome = OUTCOMES[3]
    elif not holds:
        outcome = OUTCOMES[2]
    else:
        outcome = OUTCOMES[1] if condition else OUTCOMES[0]
    condition = condition if outcome == OUTCOMES[1] else ""
    texts = _values(measured, rehearsal)
    return Verdict(number, tuple(own), " ".join(words.split()), texts, outcome, condition, headline, rehearsal)


def _headline(headline: str, *, required: bool, cut: bool) -> str:
    if not isinstance(headline, str):
        raise TypeError(f"headline must be text, got {type(headline).__name__}")
    headline = headline.strip()
    if cut:
        return headline[:HEADLINE_LENGTH]
    if required and not headline:
        raise ValueError("headline must be one sentence with the comparison that decides; got none")
    if len(headline) > HEADLINE_LENGTH or "\n" in headline:
        raise ValueError(f"headline must be one line of at most {HEADLINE_LENGTH} characters, got {len(headline)}")
    return headline
