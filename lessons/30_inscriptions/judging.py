"""Gaps to fill, the candidates that each method proposes with every method's score, and how scores are weighed.

Knows nothing of the course but its neighbours in this folder.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.optimize import minimize
from tinyfrontier.beside.lesson_30.counting import NGrams, both_sides, last_signs, log_chance
from tinyfrontier.beside.lesson_30.network import beam, log_chances
from tinyfrontier.beside.lesson_30.texts import numbers_of

SPAN, EDGE = 96, 24


@dataclass
class Gap:
    """A piece of text with a gap.

    Attributes:
        letters: the whole piece, as numbers (96,).
        start, length: the gap.
        module: where it stands.
        scores: method: {filling: its score}, for every filling that any method proposed.
        by: method: its own fillings, best first.
    """

    letters: np.ndarray
    start: int
    length: int
    module: str
    scores: dict = field(default_factory=dict)
    by: dict = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The whole piece."""
        return text_of(self.letters)

    @property
    def truth(self) -> str:
        """What is missing."""
        return self.text[self.start : self.start + self.length]

    def around(self, filling: str) -> str:
        """`filling` with the letters of both sides that all readers look at."""
        end = self.start + self.length
        return self.text[self.start - EDGE : self.start] + filling + self.text[end : end + EDGE]


def text_of(numbers) -> str:
    """Numbers 1 to 26 as letters."""
    return "".join(chr(64 + int(number)) for number in numbers)


def gaps_of(stones, each: int, seed: int, lengths=range(1, 11)) -> list[Gap]:
    """`each` gaps of every length, in modules drawn one as likely as another."""
    draw, found = np.random.default_rng(seed), []
    for length in lengths:
        for _ in range(each):
            stone = stones[draw.integers(len(stones))]
            letters = numbers_of(stone.letters).astype(np.int64)
            first = draw.integers(len(letters) - SPAN + 1)
            start = draw.integers(EDGE, SPAN - EDGE - length + 1)
            found.append(Gap(letters[first : first + SPAN], int(start), length, stone.module))
    return found


def _same_length(gaps, most: int):
    """Batches of gaps of one length, at most `most` each."""
    for length in sorted({gap.length for gap in gaps}):
        same = [gap for gap in gaps if gap.length == length]
        for place in range(0, len(same), most):
            yield length, same[place : place + most]


def ask_network(net, gaps, name: str = "network", width: int = 20) -> None:
    """Propose by beam search of `net`, under `name`."""
    for length, some in _same_length(gaps, 25):
        letters = torch.from_numpy(np.stack([gap.letters for gap in some]))
        filled, scores = beam(net, letters, torch.tensor([gap.start for gap in some]), length, width)
        for gap, fillings, points in zip(some, filled.tolist(), scores.tolist()):
            gap.by[name] = [text_of(filling) for filling in fillings]
            gap.scores[name] = dict(zip(gap.by[name], points))


def ask_ngrams(ahead: NGrams, back: NGrams, gaps, share: float = 0.5, width: int = 60) -> None:
    """Propose by beams from both sides, ranked by `share` of what reads onwards and the rest of what reads back."""
    for length, some in _same_length(gaps, 200):
        left = np.stack([gap.letters[gap.start - EDGE : gap.start] for gap in some])
        right = np.stack([gap.letters[gap.start + length :][:EDGE] for gap in some])
        filled, scores = both_sides(ahead, back, left, right, length, width)
        for gap, fillings, pairs in zip(some, filled, scores):
            known = {text_of(filling): pair for filling, pair in zip(fillings, pairs)}
            points = {text: share * one + (1 - share) * two for text, (one, two) in known.items()}
            gap.by["n-grams"] = sorted(points, key=lambda text: -points[text])[:20]
            gap.scores["ahead"] = {text: known[text][0] for text in gap.by["n-grams"]}
            gap.scores["back"] = {text: known[text][1] for text in gap.by["n-grams"]}


def ask_reader(reader, gaps, name: str = "dictionary") -> None:
    """Propose by words."""
    for gap in gaps:
        gap.scores[name] = dict(reader.read(gap.around("?" * gap.length)))
        gap.by[name] = list(gap.scores[name])


def score_all(gaps, net=None, grams=None, readers=None) -> None:
    """Every method's score of every proposed filling, where it is missing."""
    for gap in gaps:
        pool = list(dict.fromkeys(text for texts in gap.by.values() for text in texts))
        if net is not None and (rest := [text for text in pool if text not in gap.scores["network"]]):
            filled = torch.from_numpy(np.stack([numbers_of(text) for text in rest])).long()[None]
            points = log_chances(net, torch.from_numpy(gap.letters)[None], torch.tensor([gap.start]), filled)[0]
            gap.scores["network"] |= dict(zip(rest, points.tolist()))
        if grams is not None and (rest := [text for text in pool if text not in gap.scores["ahead"]]):
            letters = np.stack([numbers_of(gap.around(text)) for text in rest]).astype(np.int64)
            for name, model, line in zip(("ahead", "back"), grams, (letters, letters[:, ::-1])):
                reach = model.order - 1
                behind = line[:, EDGE : EDGE + gap.length + reach]
                points = log_chance(model, last_signs(line[:, :EDGE], reach), behind)
                gap.scores[name] |= dict(zip(rest, points.tolist()))
        for name, reader in (readers or {}).items():
            known = gap.scores.setdefault(name, {})
            known |= {text: reader.judge(gap.around(text)) for text in pool if text not in known}


def options(gap: Gap, proposers, judges) -> tuple[list[str], np.ndarray]:
    """Fillings of some proposers, and the scores of some judges for each, (fillings, judges)."""
    pool = list(dict.fromkeys(text for name in proposers for text in gap.by[name]))
    return pool, np.array([[gap.scores[name][text] for name in judges] for text in pool]).reshape(-1, len(judges))


def fit_weights(gaps, proposers, judges) -> np.ndarray:
    """Weights of the judges' scores under which the right fillings are likeliest among the proposed ones."""
    cases = []
    for gap in gaps:
        pool, scores = options(gap, proposers, judges)
        if gap.truth in pool:
            cases.append((scores - scores.max(0), pool.index(gap.truth)))

    def loss(weights):
        total, slope = 0.0, np.zeros(len(weights))
        for scores, right in cases:
            points = scores @ weights
            chances = np.exp(points - points.max())
            chances /= chances.sum()
            total -= np.log(chances[right] + 1e-300)
            slope += chances @ scores - scores[right]
        return total / len(cases), slope / len(cases)

    return minimize(loss, np.full(len(judges), 0.5), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(judges)).x


def answers(gaps, proposers, judges, weights) -> list[list[str]]:
    """Up to 20 fillings of each gap, best first."""
    found = []
    for gap in gaps:
        pool, scores = options(gap, proposers, judges)
        order = np.argsort(-(scores @ weights), kind="stable")[:20] if pool else []
        found.append([pool[place] for place in order])
    return found


def interval(values: np.ndarray, modules, draws: int = 2000) -> list[float]:
    """The middle 95 % of the mean of `values` when modules are drawn anew."""
    names, number = np.unique(modules, return_inverse=True)
    total, count = np.bincount(number, values), np.bincount(number)
    some = np.random.default_rng(0).integers(len(names), size=(draws, len(names)))
    return np.quantile(total[some].sum(1) / count[some].sum(1), [0.025, 0.975]).tolist()
