"""Letter n-grams as sorted arrays, their smoothed chances, and beams that fill a gap from either side.

A letter is a number 1 to 26, 0 stands between two texts; up to twelve are packed into one integer, five bits each.
Knows nothing of the course.
"""

import numpy as np

SIGNS = 27
BITS = 5


def packed(signs: np.ndarray, n: int) -> np.ndarray:
    """All runs of `n` signs as integers, (len(signs) - n + 1,) int64."""
    codes = np.zeros(len(signs) - n + 1, np.int64)
    for k in range(n):
        codes = codes << BITS | signs[k : len(codes) + k]
    return codes


class NGrams:
    """Interpolated n-grams of `signs`, smoothed by Kneser-Ney ("kn") or Witten-Bell ("wb")."""

    def __init__(self, signs: np.ndarray, order: int, smoothing: str = "kn"):
        self.order, self.smoothing, self.tables = order, smoothing, []
        seen = [np.unique(packed(signs.astype(np.int64), n), return_counts=True) for n in range(1, order + 1)]
        for n in range(1, order + 1):
            codes, counts = seen[n - 1]
            if smoothing == "kn" and n < order:  # in how many surroundings, not how often
                longer = seen[n][0] & ((1 << BITS * n) - 1)
                codes, counts = np.unique(longer, return_counts=True)
            contexts, starts, kinds = np.unique(codes >> BITS, return_index=True, return_counts=True)
            totals = np.add.reduceat(counts, starts)
            ones, twos = (counts == 1).sum(), (counts == 2).sum()
            discount = max(0.1, ones / max(1, ones + 2 * twos))  # never 0: nothing unseen is impossible
            letters = (codes & (SIGNS + 4)).astype(np.int8)
            self.tables.append((contexts, starts, kinds, totals, letters, counts.astype(np.float32), discount))

    def chances(self, contexts: np.ndarray, order: int | None = None) -> np.ndarray:
        """Chances of the next sign after packed contexts (n,) of at least `order - 1` signs: (n, 27)."""
        result = np.full((len(contexts), SIGNS), 1 / SIGNS)
        for n in range(1, (order or self.order) + 1):
            known, starts, kinds, totals, letters, counts, discount = self.tables[n - 1]
            wanted = contexts & ((1 << BITS * (n - 1)) - 1)
            place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
            rows = np.flatnonzero(known[place] == wanted)
            if not len(rows):
                break
            place = place[rows]
            many, total = kinds[place], totals[place].astype(float)
            which = np.repeat(np.arange(len(rows)), many)
            flat = np.arange(len(which)) - np.repeat(np.cumsum(many) - many, many) + starts[place][which]
            if self.smoothing == "kn":
                own, left = counts[flat] - discount, discount * many / total
            else:
                own, left, total = counts[flat], many / (total + many), total + many
            part = result[rows] * left[:, None]
            part[which, letters[flat]] += own / total[which]
            result[rows] = part
        return result


def last_signs(signs: np.ndarray, many: int) -> np.ndarray:
    """The last `many` signs of each row (rows, n) as one integer, with 0 where there are fewer."""
    codes = np.zeros(len(signs), np.int64)
    for column in signs[:, max(0, signs.shape[1] - many) :].T:
        codes = codes << BITS | column
    return codes


def log_chance(grams: NGrams, contexts: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Log-probability of `signs` (rows, n), one after the other, behind packed `contexts` (rows,): (rows,)."""
    keep, total = (1 << BITS * (grams.order - 1)) - 1, np.zeros(len(contexts))
    for column in signs.T.astype(np.int64):
        unique, back = np.unique(contexts, return_inverse=True)
        total += np.log(grams.chances(unique)[back, column])
        contexts = (contexts << BITS | column) & keep
    return total


def beam(grams: NGrams, left: np.ndarray, gap: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Fill `gap` letters behind each of `left` (items, n): letters (items, width, gap), log-probabilities."""
    items, keep = len(left), (1 << BITS * (grams.order - 1)) - 1
    contexts = last_signs(left, grams.order - 1)[:, None]
    scores, filled = np.zeros((items, 1)), np.zeros((items, 1, 0), np.int64)
    for _ in range(gap):
        here = contexts.shape[1]
        chances = grams.chances(contexts.ravel())[:, 1:].reshape(items, here, 26)  # no end inside a gap
        spread = (scores[:, :, None] + np.log(chances)).reshape(items, -1)
        best = np.argsort(-spread, axis=1, kind="stable")[:, :width]
        parent, letter = best // 26, best % 26 + 1
        scores = np.take_along_axis(spread, best, 1)
        filled = np.concatenate([np.take_along_axis(filled, parent[..., None], 1), letter[..., None]], axis=2)
        contexts = (np.take_along_axis(contexts, parent, 1) << BITS | letter) & keep
    return filled, scores


def both_sides(ahead, back, left, right, gap, width):
    """Candidates from both beams and two scores of each: what is read onwards, and what is read backwards.

    Args:
        ahead: n-grams of the text.
        back: n-grams of the text turned round.
        left: letters before the gap, (items, n).
        right: letters behind it, (items, m).
        gap: how many letters are missing.
        width: fillings that each beam keeps.

    Returns:
        letters (items, 2 * width, gap), and log-probabilities (items, 2 * width, 2): of gap and right side given
        the left, and of gap and left side given the right.
    """
    reach = ahead.order - 1
    near, far = left[:, ::-1][:, :reach], right[:, :reach]  # each beginning at the gap
    first, second = beam(ahead, left, gap, width)[0], beam(back, right[:, ::-1], gap, width)[0][:, :, ::-1]
    filled = np.concatenate([first, second], axis=1)
    items, many = filled.shape[:2]
    flat = filled.reshape(-1, gap)

    def score(grams, before, letters, behind):
        contexts = np.repeat(last_signs(before, reach), many)
        return log_chance(grams, contexts, np.concatenate([letters, np.repeat(behind, many, 0)], axis=1))

    onwards = score(ahead, left, flat, far)
    backwards = score(back, right[:, ::-1], flat[:, ::-1], near)
    return filled, np.stack([onwards, backwards], axis=-1).reshape(items, many, 2)


def ranked(filled: np.ndarray, scores: np.ndarray, most: int = 20) -> list[list[tuple[str, float]]]:
    """The best `most` distinct fillings of each item with their scores, best first."""
    result = []
    for letters, points in zip(filled, scores):
        seen = {}
        for place in np.argsort(-points, kind="stable"):
            text = "".join(chr(64 + number) for number in letters[place])
            if text not in seen:
                seen[text] = float(points[place])
                if len(seen) == most:
                    break
        result.append(list(seen.items()))
    return result
