"""Questions about the course's documents: which kind has a parameter? Made by rule; knows no model."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

KINDS = (
    "int",
    "float",
    "bool",
    "str",
    "array",
    "callable",
    "dict",
    "graph",
    "node",
    "list",
    "tuple",
    "scalar",
    "dtype",
)
SPELLINGS = {
    **dict.fromkeys(("integer", "ints", "integers"), "int"),
    **dict.fromkeys(("boolean", "bools"), "bool"),
    **dict.fromkeys(("string", "strings"), "str"),
    **dict.fromkeys(("array_like", "array-like", "ndarray", "arrays", "ndarrays", "array-likes"), "array"),
    **{"floats": "float", "function": "callable", "dictionary": "dict", "lists": "list", "tuples": "tuple"},
    **{"number": "scalar", "data-type": "dtype", "nodes": "node", "digraph": "graph"},
}
IDLE = set("none or a an the class of optional default mpltype func meth sparse networkx shape".split())


@dataclass(frozen=True)
class Question:
    """A parameter in the documents: `kind` is the right answer, `line` where it stands."""

    module: str
    entry: str
    name: str
    kind: str
    line: str


def meaning(written: str) -> str:
    """The kind that a written type names first: "array-like of shape (n,)" is an array. "?" where it names none."""
    text = written.lower().strip()
    if re.match(r"[{\[]?\s*['\"]", text):
        return "str"  # a choice of strings
    words = re.findall(r"[a-z_][\w.\-]*", re.sub(r"\([^()]*\)|[`~:{}\[\]*<>|]", " ", text))
    words = [word for word in (word.split(".")[-1] for word in words) if word not in IDLE]
    return SPELLINGS.get(words[0], words[0]) if words else "?"


def questions(documents) -> list[Question]:
    """Every parameter whose kind is one of `KINDS`, in the order of the documents."""
    found = []
    for document in documents:
        for entry, paragraphs in document.entries:
            inside = False
            for lines in (paragraph.splitlines() for paragraph in paragraphs):
                if len(lines) > 1 and set(lines[1].strip()) == {"-"}:
                    inside = lines[0].strip() == "Parameters"
                elif lines[0][0].isalpha() and not re.match(r"\w+ : ", lines[0]):
                    inside = False
                for line in lines if inside else ():
                    match = re.match(r"^(\w+) : (.+)$", line)
                    if match and meaning(match[2]) in KINDS:
                        found.append(Question(document.module, entry, match[1], meaning(match[2]), line[:70]))
    return found


def for_tuning(module: str) -> bool:
    """Whether a module's questions pick settings; the others are the exam."""
    return crc32(f"tune {module}".encode()) % 2 == 0


def some(items, count: int, seed: int = 0):
    """So many of the items, drawn without putting back; all of them where there are fewer."""
    order = np.random.default_rng(seed).permutation(len(items))[:count]
    return [items[place] for place in order]


class Library:
    """BM25 over all lines about parameters, each under its entry's name. `find` gives the best line for a question.

    The query is the last part of the entry's name and the parameter: a reader who forgot the module.
    """

    def __init__(self, shelf, k1: float = 1.5, b: float = 0.75):
        self.shelf = list(shelf)
        self.words = CountVectorizer(analyzer=lambda text: re.findall(r"[a-z]+|\d+", text.lower()))
        counts = self.words.fit_transform(f"{q.entry} {q.name} {q.name}" for q in self.shelf).astype(float).tocoo()
        length, holds = np.asarray(counts.sum(1))[:, 0], np.bincount(counts.col, minlength=counts.shape[1])
        rarity = np.log((len(self.shelf) - holds + 0.5) / (holds + 0.5))
        rarity = np.where(rarity < 0, 0.25 * rarity.mean(), rarity)  # as rank_bm25 does
        worn = k1 * (1 - b + b * length / length.mean())[counts.row]
        counts.data = rarity[counts.col] * counts.data * (k1 + 1) / (counts.data + worn)
        self.table = counts.tocsr().T

    def scores(self, asked):
        """BM25 scores (questions, shelf)."""
        texts = [f"{q.entry.split('.')[-1]} {q.name}" for q in asked]
        return (self.words.transform(texts).astype(float) @ self.table).toarray()

    def find(self, asked):
        """The best line of the shelf for each question."""
        return [self.shelf[place] for place in self.scores(asked).argmax(1)]


class Names:
    """What a table knows of a parameter's name, without a model: how often it was read, and with which kinds."""

    def __init__(self, read):
        self.kinds, self.all = defaultdict(Counter), Counter(q.kind for q in read)
        for q in read:
            self.kinds[q.name][q.kind] += 1

    def count(self, q, less: int = 0) -> int:
        """How often the name stands in what was read; `less` one where the question itself was read."""
        return sum(self.kinds[q.name].values()) - less

    def vote(self, q, kind: str, less: int = 0) -> float:
        """Share of the other lines with this name that have this kind, with half a vote for the general share."""
        here = self.kinds[q.name][kind] - less * (kind == q.kind)
        general = self.all[kind] / sum(self.all.values())
        return (here + 0.5 * general) / (self.count(q, less) + 0.5)

    def best(self, q, less: int = 0) -> str:
        """The table's own answer: the commonest kind of the name."""
        return max(KINDS, key=lambda kind: self.vote(q, kind, less))
