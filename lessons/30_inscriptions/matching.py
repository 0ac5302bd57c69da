"""A bare look-up: what stands in a text where most letters on both sides of a gap agree.

Knows nothing of the course but its neighbours in this folder.
"""

import numpy as np
from tinyfrontier.beside.lesson_30.counting import packed
from tinyfrontier.beside.lesson_30.judging import EDGE, SPAN, text_of


class Matches:
    """Every place of a text, found by the `near` letters before or behind a gap."""

    def __init__(self, signs: np.ndarray, near: int):
        around = np.zeros(EDGE, np.int64)
        self.signs, self.near = np.concatenate([around, signs.astype(np.int64), around]), near
        codes = packed(self.signs, near)
        self.order = np.argsort(codes, kind="stable")
        self.codes = codes[self.order]

    def _places(self, run: np.ndarray) -> np.ndarray:
        code = packed(run, self.near)[0]
        return self.order[np.searchsorted(self.codes, code) : np.searchsorted(self.codes, code, "right")]

    def found(self, gap, hidden: int | None = None) -> dict[str, list[int]]:
        """Fillings that stand in the text, and for each place how many letters next to the gap agree.

        Places in the piece that begins at `hidden` are left out.
        """
        end = gap.start + gap.length
        left, right = gap.letters[gap.start - EDGE : gap.start], gap.letters[end : end + EDGE]
        places = np.union1d(self._places(left[-self.near :]) + self.near, self._places(right[: self.near]) - gap.length)
        places = places[(places >= EDGE) & (places + gap.length + EDGE <= len(self.signs))]
        if hidden is not None:
            begin = hidden + EDGE
            places = places[(places + gap.length <= begin) | (places >= begin + SPAN)]
        steps = np.arange(EDGE)
        before = self.signs[places[:, None] - 1 - steps] == left[::-1]
        behind = self.signs[places[:, None] + gap.length + steps] == right
        agree = np.cumprod(before, 1).sum(1) + np.cumprod(behind, 1).sum(1)
        result = {}
        for signs, many in zip(self.signs[places[:, None] + np.arange(gap.length)].tolist(), agree.tolist()):
            if 0 not in signs:
                result.setdefault(text_of(signs), []).append(many)
        return result


def ask_matches(gaps, found, steep: float, name: str, most: int = 20) -> None:
    """Propose what was `found`, one dictionary a gap; each place weighs exp(steep * agreeing letters)."""
    for gap, fillings in zip(gaps, found):
        points = {text: np.logaddexp.reduce([3 * steep, *(steep * np.array(many))]) for text, many in fillings.items()}
        gap.scores[name] = _Known(points, 3 * steep)
        gap.by[name] = sorted(points, key=lambda text: -points[text])[:most]


class _Known(dict):
    """Scores, with one for all that was not found."""

    def __init__(self, points, otherwise):
        super().__init__(points)
        self.otherwise = otherwise

    def __missing__(self, text):
        return self.otherwise
