"""What lesson 02 records: more seeds, longer runs, ten more exams, and counting in 22 MB of text."""

import random

import numpy as np
import torch

from tinyfrontier.data import documentation, text_corpus
from tinyfrontier.pretrained.documents import PACKAGES

SETTINGS = {
    "seeds": [1, 2, 3],
    "steps": [235, 500, 1500],
    "tuning": [46, 150, 300],
    "exams": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    "tuned_exams": 5,
    "orders": 12,
    "modules": 60,
    "characters": None,
}
QUICK = {
    "seeds": [1],
    "steps": [1],
    "tuning": [1],
    "exams": [1],
    "tuned_exams": 1,
    "orders": 2,
    "modules": 2,
    "characters": 20_000,
}


def bits(costs):
    """The mean of the best order, which is chosen on the exam."""
    return round(float(costs.mean(axis=-1).min()), 3)


def mixed(left, right):
    """Bits per byte when each of two tables has half of the bet, the best orders of both."""
    return min(bits(-np.log2((2.0**-one + 2.0**-right) / 2)) for one in left)


def measure(lesson, *, seeds, steps, tuning, exams, tuned_exams, orders, modules, characters):
    """Held-out bits per byte of counting and of GPTs: on the manual, with other topics held out, on documentation.

    `both` counted in the documentation that the shipped GPT read and in the manual; `documentation` in the first alone.
    """
    shipped, words = lesson.load_gpt()
    model, end = lesson.copy_of(shipped), words.special["<|end|>"]
    library = documentation(PACKAGES, max_characters=characters)
    unread = [document.text for document in random.Random(0).sample(library.test, modules)]
    corpora = [text_corpus(), *(text_corpus(seed=seed) for seed in exams)]
    pieces = [module.encode() for module in unread] + [corpus.test for corpus in corpora]
    counted = lesson.ngram_costs(library.train_text.encode(), b"".join(pieces), orders, "Kneser-Ney")
    counted = np.split(counted, np.cumsum([len(piece) for piece in pieces])[:-1], axis=1)
    large, manual = np.concatenate(counted[:modules], axis=1), counted[modules:]
    best = large.mean(axis=1).argmin()
    scores = [lesson.exam(model, torch.tensor([end, *words.encode(module)]), module) for module in unread]
    found = {
        "large": {
            "orders": [round(float(value), 3) for value in large.mean(axis=1)],
            "bytes": [len(piece) for piece in pieces[:modules]],
            "counted": [round(float(part[best].mean()), 3) for part in counted[:modules]],
            "gpt": [round(score, 3) for score in scores],
        }
    }

    def as_tokens(part):
        return torch.tensor(words.encode(part.decode()))

    def tuned(corpus, seed, count):
        model = lesson.fine_tune(shipped, as_tokens(corpus.train), seed, count)
        return round(lesson.exam(model, as_tokens(corpus.test), corpus.test.decode()), 3)

    names = ["xz", "bz2", "Kneser-Ney", "documentation", "both", "shipped GPT"]
    found["exams"] = {name: [] for name in names}
    for corpus, docs in zip(corpora, manual):
        own = lesson.ngram_costs(corpus.train, corpus.test, min(orders, 9), "Kneser-Ney")
        row = [lesson.compressor_bits(name, corpus.train, corpus.test) for name in ("xz", "bz2")]
        row += [bits(own), bits(docs), mixed(docs, own)]
        row.append(lesson.exam(model, as_tokens(corpus.test), corpus.test.decode()))
        for name, value in zip(names, row):
            found["exams"][name].append(round(value, 3))
    found["tuned"] = {count: [tuned(corpora[0], seed, count) for seed in seeds] for count in tuning}
    found["tuned_exams"] = [tuned(corpus, seeds[0], tuning[-1]) for corpus in corpora[1 : tuned_exams + 1]]

    corpus, text = corpora[0], corpora[0].test.decode()
    tokenizer = lesson.learn_bpe(corpus.train.decode())
    train, test = (torch.tensor(tokenizer.encode(part.decode()).ids) for part in (corpus.train, corpus.test))
    shuffled = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(0))]

    def trained(tokens, seed, count):
        return round(lesson.exam(lesson.train_gpt(tokens, seed, count)[0], test, text), 3)

    found["scratch"] = {count: [trained(train, seed, count) for seed in seeds] for count in steps}
    found["control"] = [trained(shuffled, seed, steps[0]) for seed in seeds]
    return found
