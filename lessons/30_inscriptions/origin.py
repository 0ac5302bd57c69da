"""Which package a piece of text comes from: by counts of letter runs, and by what the restoring network makes of it.

Knows the network's `read` alone, and nothing of the course.
"""

import re

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tinyfrontier.beside.lesson_30.texts import numbers_of

NAMES = re.compile("NUMPY|SCIPY|SKLEARN|SCIKITLEARN|SCIKIT|MATPLOTLIB|PYPLOT|NETWORKX|PYTHON")
SPAN = 96


def pieces_of(stones, packages, each: int, seed: int) -> tuple[list[str], np.ndarray, list[str]]:
    """`each` pieces of 96 letters a package, without the packages' names; their packages' numbers and modules."""
    draw, texts, labels, modules = np.random.default_rng(seed), [], [], []
    for number, package in enumerate(packages):
        named = [(NAMES.sub("", stone.letters), stone.module) for stone in stones if stone.package == package]
        own = [(letters, module) for letters, module in named if len(letters) >= SPAN]
        for _ in range(each):
            letters, module = own[draw.integers(len(own))]
            first = draw.integers(len(letters) - SPAN + 1)
            texts.append(letters[first : first + SPAN])
            labels.append(number)
            modules.append(module)
    return texts, np.array(labels), modules


@torch.no_grad()
def marks_of(net, texts) -> np.ndarray:
    """Mean, largest and smallest of what the network makes of each place: (texts, 3 width)."""
    found = []
    for first in range(0, len(texts), 100):
        letters = torch.from_numpy(np.stack([numbers_of(text) for text in texts[first : first + 100]])).long()
        seen = net.read(letters)
        found.append(torch.cat([seen.mean(1), seen.amax(1), seen.amin(1)], dim=1))
    return torch.cat(found).numpy()


def by_runs(learn, others, strength: float = 10.0) -> list[np.ndarray]:
    """Chances of each package for lists of texts, from TF-IDF of runs of 2 to 5 letters of (texts, labels)."""
    texts, labels = learn
    counts = TfidfVectorizer(analyzer="char", ngram_range=(2, 5), min_df=3, sublinear_tf=True, dtype=np.float32)
    model = LogisticRegression(C=strength, max_iter=200).fit(counts.fit_transform(texts), labels)
    return [model.predict_proba(counts.transform(other)) for other in others]


def by_network(net, learn, others, strength: float = 0.1) -> list[np.ndarray]:
    """The same from the network's marks."""
    texts, labels = learn
    scale = StandardScaler().fit(own := marks_of(net, texts))
    model = LogisticRegression(C=strength, max_iter=500).fit(scale.transform(own), labels)
    return [model.predict_proba(scale.transform(marks_of(net, other))) for other in others]
