"""The verdict box that closes a lesson, and the record that the build gathers into the claims ledger."""

from __future__ import annotations

import html
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

VERDICT_MIME = "application/vnd.tinyfrontier.verdict+json"
OUTCOMES = (
    "holds in miniature",
    "holds with a condition",
    "does not hold",
    "cannot be tested small, here is the arithmetic",
)
_COLOURS = dict(zip(OUTCOMES, ("#009E73", "#E69F00", "#D55E00", "#0072B2"), strict=True))


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
    """

    lesson: int
    sections: tuple[str, ...]
    claim: str
    measured: dict[str, str]
    outcome: str
    condition: str = ""

    def __str__(self) -> str:
        lines = [f"VERDICT: {self.outcome}", f"  claim: {self.claim}"]
        if self.condition:
            lines.append(f"  condition: {self.condition}")
        return "\n".join(lines + [f"  {label}: {value}" for label, value in self.measured.items()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left;padding:1px 14px 1px 0'>{html.escape(label)}</td>"
            f"<td style='text-align:left'><b>{html.escape(value)}</b></td></tr>"
            for label, value in self.measured.items()
        )
        condition = f"<div><i>Condition:</i> {html.escape(self.condition)}</div>" if self.condition else ""
        return (
            f"<div style='border:2px solid {_COLOURS[self.outcome]};border-radius:6px;padding:8px 14px;max-width:46em'>"
            f"<div style='font-size:115%'><span style='color:{_COLOURS[self.outcome]}'>&#9632;</span> "
            f"<b>Verdict: {self.outcome}</b></div>"
            f"<div style='margin:4px 0'><i>Claim:</i> {html.escape(self.claim)}</div>{condition}"
            f"<table style='margin:4px 0'>{rows}</table></div>"
        )

    def _repr_mimebundle_(self, **_) -> dict:
        # pairs, because a notebook is stored with its keys sorted, and the author's order is worth keeping
        record = {**asdict(self), "sections": list(self.sections), "measured": list(map(list, self.measured.items()))}
        return {VERDICT_MIME: record, "text/html": self._repr_html_(), "text/plain": str(self)}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    if isinstance(value, numbers.Real):
        if not math.isfinite(value):
            raise ValueError(f"measured must hold finite numbers, got {value}")
        return f"{float(value):.3g}"
    return str(value)


def verdict(
    claim: str,
    measured: Mapping[str, object],
    holds: bool | None,
    condition: str | None = None,
    *,
    sections: Sequence[str],
    lesson: int,
) -> Verdict:
    """Close a lesson: put the claim beside what was measured.

    Args:
        claim: the article's claim, in your words.
        measured: label to number or short text; numbers are shown with three significant digits.
        holds: computed from the measured numbers; None where the claim cannot be tested small.
        condition: the condition under which it holds (only with `holds=True`).
        sections: section ids of the article.
        lesson: number of the lesson.

    Raises:
        TypeError: if `holds` is not a bool or None, or `measured` is not a mapping.
        ValueError: if the claim or `measured` is empty, a number is not finite, or there is a condition without
            `holds=True`.
    """
    if not isinstance(claim, str) or not claim.strip():
        raise ValueError(f"claim must be a sentence, got {claim!r}")
    if not isinstance(measured, Mapping):
        raise TypeError(f"measured must be a mapping of label to number or text, got {type(measured).__name__}")
    if not measured:
        raise ValueError("measured must hold at least one number; got none")
    if holds is not None and not isinstance(holds, bool):
        if type(holds).__name__ not in ("bool_", "bool"):
            raise TypeError(f"holds must be True, False or None, got {type(holds).__name__}")
        holds = bool(holds)
    if not isinstance(sections, (list, tuple)) or not sections:
        raise ValueError(f"sections must list the article's section ids, got {sections!r}")
    if condition and holds is False:
        condition = None
    if condition and holds is None:
        raise ValueError("condition goes with holds=True; a claim that cannot be tested small has none")
    if holds is None:
        outcome = OUTCOMES[3]
    elif not holds:
        outcome = OUTCOMES[2]
    else:
        outcome = OUTCOMES[1] if condition else OUTCOMES[0]
    texts = {str(label): _text(value) for label, value in measured.items()}
    return Verdict(lesson, tuple(sections), " ".join(claim.split()), texts, outcome, condition or "")
