"""A reader with a dictionary: words of the training text, alone and in pairs, that fit into an inscription.

A text without spaces is cut into words, and a gap is a run of unknown letters ("?") that any fitting word may fill.
Knows nothing of the course.
"""

from collections import Counter

import numpy as np
import scipy.sparse as sp

LONGEST = 18


class Reader:
    """Knows the `most` commonest words of some texts, and which word follows which if `pairs`.

    A word's chance is `trust` times its share behind the word before, and the rest its share of all words; each letter
    that belongs to no known word costs `strange`.

    Attributes:
        words: what it knows, commonest first.
    """

    def __init__(self, texts, most: int | None = None, pairs: bool = True, trust: float = 0.6, strange: float = -4.0):
        counts = Counter(word for words in texts for word in words if len(word) <= LONGEST)
        self.words = [word for word, count in counts.most_common(most) if count > 1]
        self.number = {word: place for place, word in enumerate(self.words)}
        own = np.array([counts[word] for word in self.words], float)
        self.single = own / sum(counts.values())
        self.trust, self.strange = trust if pairs else 0.0, strange
        size = len(self.words)
        self.after = sp.csr_matrix((size, size))
        if pairs:
            said = [self.number.get(word, -1) for words in texts for word in (*words, "")]
            first, second = np.array(said[:-1]), np.array(said[1:])
            both = (first >= 0) & (second >= 0)
            table = sp.coo_matrix((np.ones(both.sum()), (first[both], second[both])), (size, size)).tocsr()
            self.after = sp.diags(1 / np.maximum(own, 1)) @ table
        lengths = np.array([len(word) for word in self.words])
        self.by_length = {}
        for n in range(1, LONGEST + 1):
            some = np.flatnonzero(lengths == n)
            letters = np.array([[ord(sign) for sign in self.words[i]] for i in some], np.uint8).reshape(len(some), n)
            self.by_length[n] = some, letters
        self._row = np.zeros(size)

    def _fits(self, text: str, place: int) -> np.ndarray:
        """Numbers of the words that may begin at `place`, (n,)."""
        found = []
        for n in range(1, min(LONGEST, len(text) - place) + 1):
            part = text[place : place + n]
            if "?" not in part:
                found += [self.number[part]] if part in self.number else []
                continue
            some, letters = self.by_length[n]
            fits = np.ones(len(some), bool)
            for k, sign in enumerate(part):
                if sign != "?":
                    fits &= letters[:, k] == ord(sign)
            found += some[fits].tolist()
        return np.array(found, int)

    def _log_chances(self, last: int, words: np.ndarray) -> np.ndarray:
        """Log-probabilities of `words` behind word number `last`, -1 for none."""
        chances = self.single[words]
        if self.trust and last >= 0:
            begin, end = self.after.indptr[last : last + 2]
            self._row[self.after.indices[begin:end]] = self.after.data[begin:end]
            chances = self.trust * self._row[words] + (1 - self.trust) * chances
            self._row[self.after.indices[begin:end]] = 0
        return np.log(chances)

    def read(self, text: str, width: int = 24, most: int = 20) -> list[tuple[str, float]]:
        """The best `most` readings of `text`, whose unknown letters are "?": what fills them, log-probabilities."""
        ends = [{} for _ in range(len(text) + 1)]  # position: {(last word, filling): score}
        ends[0][-1, ""] = 0.0
        for place in range(len(text)):
            best = sorted(ends[place].items(), key=lambda pair: -pair[1])[:width]
            fits = self._fits(text, place)
            for (last, filled), score in best:
                if text[place] != "?":
                    _better(ends[place + 1], (-1, filled), score + self.strange)
                if not len(fits):
                    continue
                scores = score + self._log_chances(last, fits)
                keep = np.argsort(-scores)[: 4 * width] if len(scores) > 4 * width else range(len(scores))
                for i in keep:
                    word = self.words[fits[i]]
                    part = text[place : place + len(word)]
                    new = filled + "".join(sign for sign, old in zip(word, part) if old == "?")
                    _better(ends[place + len(word)], (int(fits[i]), new), float(scores[i]))
        result = {}
        for (_, filled), score in ends[-1].items():
            _better(result, filled, score)
        return sorted(result.items(), key=lambda pair: -pair[1])[:most]

    def judge(self, text: str) -> float:
        """Log-probability of the best way to cut a text without gaps into words."""
        return self.read(text, 4, 1)[0][1]


def _better(table: dict, key, score: float) -> None:
    if score > table.get(key, -np.inf):
        table[key] = score
