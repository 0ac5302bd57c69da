"""What lesson 31 compares with, and the bookkeeping of its exams.

A window of words, feedback, a vote of neighbours, a closed book, rows of pairs, intervals, interviews, spoilt labels.
"""

import re
from collections import Counter

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from tinyfrontier.beside.lesson_31.papers import SLOTS, TAGS, ask
from torch import nn
from torch.nn import functional as F

from tinyfrontier.training import fit, seed_everything

ASKING = {"time": "long|hours|duration", "gas": "gas|atmosphere", "value": "conduct"}  # or else heat


def plain(word: str) -> str:
    """A word without what is particular to one paper: digits become zeros, dopants one word."""
    return "X-doped" if word.endswith("-doped") else re.sub(r"\d", "0", word).lower()


def letters(text: str) -> list[str]:
    """Words of letters alone, lower case."""
    return re.findall(r"[a-z]+", text.lower())


def wanted(question: str) -> str:
    """The slot that a question asks for, by the words in it."""
    return next((slot for slot, words in ASKING.items() if re.search(words, question)), "heat")


def shared_rows(pairs, held, counter, rarity):
    """Unit rows of (1 + ln count) x rarity, in words that two texts to learn from hold.

    Args:
        pairs: what is learnt from.
        held: what is held out.
        counter: lists of words and a least number to a fitted counter of words.
        rarity: counts to a weight for each word.

    Returns:
        rows of whole pairs to learn from, of their queries and passages, of held-out queries and passages.
    """
    words = counter([query + passage for query, passage in zip(pairs.queries, pairs.passages)], 2)
    sides = (pairs.queries, pairs.passages, held.queries, held.passages)
    parts = [words.transform(side).astype(float) for side in sides]
    parts.insert(0, parts[0] + parts[1])
    weight = rarity(parts[0])
    for rows in parts:
        rows.data = 1 + np.log(rows.data)
    return [normalize(rows.multiply(weight).tocsr()) for rows in parts]


def fed_back(queries, rows, table, scores, first: int, much: float):
    """Scores after each query took in the words of its first passages.

    Args:
        queries: sparse counts (queries, words).
        rows: sparse weights of unit length (passages, words), what is taken in.
        table: what a word adds to a passage's score, sparse (passages, words).
        scores: of the first search (queries, passages).
        first: how many passages are taken in.
        much: their share beside the query's own words.
    """
    top = np.argsort(-scores, axis=1, kind="stable")[:, :first]
    more = sum(rows[top[:, place]] for place in range(first))
    wider = normalize(queries.astype(float)) + much * normalize(more)
    return (wider @ table.T).toarray()


def neighbours(held_asked, asked, told, held_told, power: float):
    """Scores by vote: queries to learn from lend their passages to the queries that they are near to.

    Args:
        held_asked: unit rows of held-out queries, sparse.
        asked: unit rows of the queries to learn from, sparse.
        told: of their passages.
        held_told: of held-out passages.
        power: of the cosine of two queries, the weight of a vote; nothing is learnt.
    """
    near = (held_asked @ asked.T).toarray().astype(np.float32) ** power
    return near @ (told @ held_told.T).toarray().astype(np.float32)


def ndcg(scores):
    """The nDCG of each query with one right passage, its own; ties at their middle rank: (queries,)."""
    own = np.diagonal(scores)[:, None]
    rank = (scores > own).sum(1) + ((scores == own).sum(1) + 1) / 2
    return 1 / np.log2(1 + rank)


def interval(more, modules, draws: int = 2000):
    """2.5 %, 50 % and 97.5 % of a mean over queries when whole modules are drawn anew."""
    sums = np.array([[more[modules == m].sum(), (modules == m).sum()] for m in np.unique(modules)])
    some = np.random.default_rng(0).integers(0, len(sums), (draws, len(sums)))
    total = sums[some].sum(1)
    return np.quantile(total[:, 0] / total[:, 1], [0.025, 0.5, 0.975])


def _around(paper, place: int, near: int, far: int) -> dict[str, int]:
    """Words by their distance, and, further off, by their side alone."""
    reach = range(max(-far, -place), min(far + 1, len(paper.words) - place))
    words = {step: plain(paper.words[place + step]) for step in reach}
    named = {f"{step} {word}": 1 for step, word in words.items() if abs(step) <= near}
    return named | {f"{step < 0} {word}": 1 for step, word in words.items()}


def train_window(papers, near: int = 5, far: int = 15, C: float = 1.0):
    """A function from papers to lists of probabilities (words, tags), by logistic regression on words around a word."""
    rows = DictVectorizer()
    x = rows.fit_transform([_around(p, i, near, far) for p in papers for i in range(len(p.words))])
    model = LogisticRegression(C=C, max_iter=200).fit(x, [TAGS.index(tag) for p in papers for tag in p.tags])

    def chances(paper):
        return model.predict_proba(rows.transform([_around(paper, i, near, far) for i in range(len(paper.words))]))

    return lambda others: [chances(paper) for paper in others]


def interview(seed: int, told, new, memory, library, others=()):
    """Right answers by group of questions and method, and confidences and single answers by group and method.

    Args:
        seed: of the ways to ask, and of the shuffled papers.
        told: papers whose facts the memory was told.
        new: papers that it was not.
        memory: questions to (answers, confidences).
        library: `find(questions)` gives (scores, confidences), a call with papers and slots gives answers.
        others: names and choices of facts by other readers, for the same papers.

    Returns:
        means, confidences, and whether each answer is right.
    """
    facts_of = {p.facts["sample"]: p.facts for p in told + new}
    usual = {slot: Counter(p.facts[slot] for p in told).most_common(1)[0][0] for slot in SLOTS}
    other = np.random.default_rng(seed).permutation(len(library.papers))
    groups = {"told, asked alike": (told, False), "told, asked anew": (told, True), "new papers": (new, True)}
    right, sure, single = {}, {}, {}
    for group, (papers, anew) in groups.items():
        asked, about, slots = zip(*ask([p.facts["sample"] for p in papers], seed, anew))
        truth = [facts_of[name][slot] for name, slot in zip(about, slots)]
        said, confidence = memory(asked)
        scores, share = library.find(asked)
        top, kind = scores.argmax(1), [wanted(question) for question in asked]
        answers = {
            "closed book": said,
            "with sources": library(top, kind),
            **{name: library(top, kind, picks) for name, picks in dict(others).items()},
            "shuffled papers": library(other[top], kind),
            "commonest answer": [usual[slot] for slot in slots],
        }
        good = {name: np.array([a == t for a, t in zip(row, truth)]) for name, row in answers.items()}
        source = np.array([library.papers[n].facts["sample"] == name for n, name in zip(top, about)])
        right[group] = {name: row.mean() for name, row in good.items()}
        right[group]["right paper found"] = source.mean()
        answered = max(1, good["with sources"].sum())
        right[group]["right answer, right paper"] = (good["with sources"] & source).sum() / answered
        sure[group] = {"closed book": confidence, "with sources": share}
        single[group] = good
    return right, sure, single


class Memory:
    """A closed book: it learns questions and answers by heart; called with questions, (answers, confidences).

    It is told, as a further word, which slot is asked for, as a library is.
    """

    def __init__(self, asked, answers, seed: int, steps: int, lr: float, width: int):
        seed_everything(seed)
        self.words = CountVectorizer(analyzer=lambda text: [*letters(text), f"wants {wanted(text)}"]).fit(asked)
        self.answers = sorted(set(answers))
        x, y = self._rows(asked), torch.tensor([self.answers.index(answer) for answer in answers])
        layers = nn.Linear(x.shape[1], width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, len(self.answers))
        self.net = nn.Sequential(*layers)

        def loss(generator):
            some = torch.randint(len(x), (128,), generator=generator)
            return F.cross_entropy(self.net(x[some]), y[some])

        fit(self.net, loss, steps=steps, lr=lr, seed=seed, label="memory")
        self.net.eval()

    def _rows(self, asked):
        return torch.tensor(self.words.transform(asked).toarray()).float()

    @torch.no_grad()
    def __call__(self, asked):
        """Answers and their probabilities."""
        sure, best = self.net(self._rows(asked)).softmax(-1).max(-1)
        return [self.answers[place] for place in best], sure.numpy()


def spoil(labels, share: float, draw, alike: bool = False):
    """Labels of which a share became wrong: any other one, or always the same neighbour; and which did."""
    kinds, bad = labels.max() + 1, draw.random(len(labels)) < share
    step = np.where(alike, kinds // 2, draw.integers(1, kinds, len(labels)))
    return np.where(bad, (labels + step) % kinds, labels), bad


def spent(x, said, true, low, more, looks: int, draw):
    """What there is to train on, rows and labels, by the way in which looks were spent.

    Args:
        x: rows that are labelled.
        said: their labels, some of them wrong.
        true: their right labels.
        low: the lower, the more suspect.
        more: further rows and their right labels.
        looks: how many labels an expert can give.
        draw: a generator, for looks at random.
    """
    suspects, some = np.argsort(low), draw.permutation(len(said))
    rest = suspects[looks:]

    def checked(places):
        return x, np.where(np.isin(np.arange(len(said)), places), true, said)

    return {
        "nothing done": (x, said),
        "suspects checked": checked(suspects[:looks]),
        "random ones checked": checked(some[:looks]),
        "new ones labelled": (sp.vstack([x, more[0][:looks]]), np.append(said, more[1][:looks])),
        "suspects dropped": (x[rest], said[rest]),
        "dropped, new ones labelled": (sp.vstack([x[rest], more[0][:looks]]), np.append(said[rest], more[1][:looks])),
    }
