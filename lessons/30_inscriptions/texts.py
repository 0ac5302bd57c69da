"""Documentation as inscriptions: letters alone, in capitals, without spaces, a text a module, held out by module.

A held-out paragraph that shares a run of thirty letters with a training text is left out. Knows the course's data
function and nothing else of the course.
"""

import re
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from tinyfrontier.data.documents import Documentation

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RUN = 30


@dataclass(frozen=True)
class Stone:
    """One module's text.

    Attributes:
        package: such as "numpy".
        module: dotted name.
        words: its words in capitals, letters alone.
    """

    package: str
    module: str
    words: tuple[str, ...]

    @property
    def letters(self) -> str:
        """The text without spaces."""
        return "".join(self.words)


@dataclass(frozen=True)
class Stones:
    """Texts in three parts, and how many held-out paragraphs there were and were left out."""

    train: list[Stone]
    tune: list[Stone]
    exam: list[Stone]
    paragraphs: int
    removed: int


def numbers_of(text: str) -> np.ndarray:
    """Letters as numbers 1 to 26, (n,) uint8."""
    return np.frombuffer(text.encode("ascii"), np.uint8) - 64


def _words(paragraph: str) -> tuple[str, ...]:
    return tuple(word.upper() for word in re.findall("[A-Za-z]+", paragraph))


def prose(paragraph: str) -> bool:
    """Whether a paragraph is nearly all letters and spaces, and no heading or code."""
    plain = sum((sign.isascii() and sign.isalpha()) or sign == " " for sign in paragraph)
    return len(paragraph) >= 80 and plain > 0.9 * len(paragraph) and ">>>" not in paragraph


def runs_of(text: str, run: int = RUN) -> np.ndarray:
    """A 64-bit hash of every run of `run` letters, (n - run + 1,)."""
    digits, base, count = numbers_of(text).astype(np.uint64), np.uint64(0x9E3779B97F4A7C15), len(text) - run + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    hashes = np.zeros(count, np.uint64)
    for k in range(run):
        hashes = hashes * base + digits[k : k + count]
    return hashes


def _all_runs(stones) -> np.ndarray:
    """Hashes of the runs of some texts, sorted."""
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *(runs_of(stone.letters) for stone in stones)]))


def _any_in(some: np.ndarray, known: np.ndarray) -> bool:
    """Whether any of `some` is among the sorted `known`."""
    if not len(known):
        return False
    places = np.searchsorted(known, some)
    return bool((known[np.minimum(places, len(known) - 1)] == some).any())


def for_tuning(module: str) -> bool:
    """Whether a held-out module picks settings; the others are the exam."""
    return crc32(f"stone {module}".encode()) % 2 == 0


def stones_of(docs: Documentation, least: int = 96) -> Stones:
    """The documents' prose as inscriptions of at least `least` letters."""

    def texts(documents):
        return [
            (doc.package, doc.module, [_words(paragraph) for paragraph in doc.paragraphs if prose(paragraph)])
            for doc in documents
        ]

    def whole(found):
        made = [Stone(package, module, sum(parts, ())) for package, module, parts in found]
        return [stone for stone in made if len(stone.letters) >= least]

    def apart(found, known):
        """`found` without the paragraphs that share a run with `known`, and how many those are."""
        kept, lost = [], 0
        for package, module, parts in found:
            fresh = [part for part in parts if not _any_in(runs_of("".join(part)), known)]
            lost += len(parts) - len(fresh)
            kept.append((package, module, fresh))
        return kept, lost

    train, held = whole(texts(docs.train)), texts(docs.test)
    known = _all_runs(train)
    held_apart, removed = apart(held, known)
    exam = whole([text for text in held_apart if not for_tuning(text[1])])
    tune, _ = apart([text for text in held_apart if for_tuning(text[1])], _all_runs(exam))
    return Stones(train, whole(tune), exam, sum(len(parts) for _, _, parts in held), removed)
