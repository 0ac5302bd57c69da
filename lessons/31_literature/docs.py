"""Real questions and passages, made by rule from documentation that is installed with the course's packages.

A docstring's first paragraph sums up what the next ones explain: it is the query, and the first paragraph of prose
below is the passage that answers it. Knows the course's data function and nothing else of the course.
"""

import re
from dataclasses import dataclass
from zlib import crc32

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from tinyfrontier.data.documents import Documentation

ENDINGS = ("ation", "ing", "ed", "es", "s")
NAMES = r"numpy|scipy|sklearn|scikit|matplotlib|pyplot|networkx|python|\b(np|mpl|plt|nx)\b"


@dataclass(frozen=True)
class Pairs:
    """Queries and their passages, both as lists of words, with the text and the module of each pair."""

    queries: list[list[str]]
    passages: list[list[str]]
    texts: list[tuple[str, str]]
    modules: list[str]


def words_of(text: str) -> list[str]:
    """Lower-case words without stop words, each cut of a usual ending."""
    found = [word for word in re.findall(r"[a-z]{2,}", text.lower()) if word not in ENGLISH_STOP_WORDS]
    return [next((w[: -len(e)] for e in ENDINGS if w.endswith(e) and len(w) - len(e) >= 3), w) for w in found]


def _prose(paragraph: str) -> bool:
    code = any(mark in paragraph for mark in ("---", "===", ">>>", "::"))
    return not code and not paragraph.startswith("..") and 15 <= len(paragraph.split()) <= 200


def pairs_of(documents) -> Pairs:
    """All pairs of summary and first passage in some documents."""
    found = Pairs([], [], [], [])
    for document in documents:
        for _, (summary, *rest) in document.entries:
            passage = next((paragraph for paragraph in rest if _prose(paragraph)), None)
            if passage is None or not 4 <= len(summary.split()) <= 40 or "---" in summary or "===" in summary:
                continue
            query, answer = words_of(summary), words_of(passage)
            if query and answer:
                found.queries.append(query)
                found.passages.append(answer)
                found.texts.append((" ".join(summary.split()), " ".join(passage.split())))
                found.modules.append(document.module)
    return found


def for_tuning(module: str) -> bool:
    """Whether a held-out module's queries pick settings; the others are the exam."""
    return crc32(f"half {module}".encode()) % 2 == 0


def labelled(docs: Documentation, most: int = 4) -> tuple[list[str], list[int], list[str], list[int]]:
    """Passages without the packages' names, and the number of the package that each stands in.

    Returns:
        texts and labels of the training documents, then of the held-out ones; at most `most` passages a module.
    """
    packages = list(dict.fromkeys(document.package for document in docs.train))
    parts = []
    for documents in (docs.train, docs.test):
        texts, labels = [], []
        for document in documents:
            prose = [paragraph.lower() for paragraph in document.paragraphs if _prose(paragraph)][:most]
            texts += [re.sub(NAMES, " ", paragraph) for paragraph in prose]
            labels += [packages.index(document.package)] * len(prose)
        parts += [texts, labels]
    return tuple(parts)
