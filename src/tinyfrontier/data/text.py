"""English text that ships with Python itself, the topics behind `help("for")`. Needs nothing else."""

import random
import sys
from dataclasses import dataclass
from numbers import Real

from .._rehearsal import at_most


@dataclass(frozen=True)
class TextCorpus:
    """A text in two parts that share no paragraph.

    Attributes:
        train: UTF-8 bytes to learn from.
        test: UTF-8 bytes held out.
        source: where the text comes from.
        licence: the terms it is shared under.
    """

    train: bytes
    test: bytes
    source: str
    licence: str


def check_split(test_share: float, seed: int) -> None:
    """Refuse a share of held-out text that is not between 0 and 1, and a seed that is not an int.

    Raises:
        TypeError: if `test_share` is not a number or `seed` is not an int.
        ValueError: if `test_share` is not between 0 and 1.
    """
    if isinstance(test_share, bool) or not isinstance(test_share, Real):
        raise TypeError(f"test_share must be a number, got {type(test_share).__name__}")
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must lie between 0 and 1, got {test_share}")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed must be an int, got {type(seed).__name__}")


def text_corpus(test_share: float = 0.1, seed: int = 0) -> TextCorpus:
    """Python's help topics, split into training and held-out bytes.

    About a fifth of the text is printed more than once, so every paragraph is kept at its first place alone,
    before the split. Whole topics are held out, drawn by `seed`. The text belongs to the Python version that
    runs: sizes differ a little between versions.

    Args:
        test_share: share of the bytes to hold out, between 0 and 1; met as nearly as whole topics allow.
        seed: which topics are held out.

    Raises:
        TypeError: if `test_share` is not a number or `seed` is not an int.
        ValueError: if `test_share` is not between 0 and 1.
    """
    check_split(test_share, seed)
    entries = _unique_entries()
    random.Random(seed).shuffle(entries)
    entries = entries[: at_most(len(entries), 24)]
    wanted = test_share * sum(map(len, entries))
    test, held = [], 0
    while len(entries) > 1 and held < wanted:
        # The longest topic is a seventh of the text: it would overshoot a small share by far.
        entry = next((e for e in entries if held + len(e) <= 1.2 * wanted), min(entries, key=len))
        entries.remove(entry)
        test.append(entry)
        held += len(entry)
    version = ".".join(map(str, sys.version_info[:2]))
    return TextCorpus(
        train=b"\n\n".join(entries),
        test=b"\n\n".join(test),
        source=f"help topics of Python {version} (pydoc_data.topics)",
        licence="PSF-2.0, Copyright Python Software Foundation",
    )


def _unique_entries() -> list[bytes]:
    """The help topics in alphabetical order, without any paragraph that stood earlier."""
    from pydoc_data.topics import topics

    seen, entries = set(), []
    for name in sorted(topics):
        paragraphs = []
        for paragraph in topics[name].split("\n\n"):
            paragraph = paragraph.strip("\n")
            if paragraph.strip() and paragraph.strip() not in seen:
                seen.add(paragraph.strip())
                paragraphs.append(paragraph)
        if paragraphs:
            entries.append("\n\n".join(paragraphs).encode())
    return entries
