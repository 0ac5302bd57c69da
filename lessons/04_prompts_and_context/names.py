"""Lesson 04's task with words: parameter names and their kinds, read from documentation. Depends on no model."""

import random
import re
from collections import Counter, defaultdict

KINDS = ("int", "float", "bool", "str", "array", "callable")
SPELLINGS = {
    **{kind: kind for kind in KINDS},
    **{"integer": "int", "boolean": "bool", "string": "str", "function": "callable"},
    **dict.fromkeys(("array_like", "array-like", "ndarray"), "array"),
}


def parameters(documents):
    """(name, type as written) of every parameter in sections headed Parameters, in the style called numpydoc."""
    for document in documents:
        inside = False
        for paragraph in document.paragraphs:
            first, second = (*paragraph.splitlines(), "")[:2]
            if second and set(second) == {"-"}:
                inside = first == "Parameters"
            elif first[0].isupper():  # back at the left margin: a sentence, so the section is over
                inside = False
            if inside:
                yield from re.findall(r"^(\w\w+) : (.+)$", paragraph, re.MULTILINE)


def kind_of(written):
    """One of KINDS for a type as written in documentation, by its first word, or None."""
    start = re.split(r"[,;(]", written.lower())[0].split()
    return None if "or" in start or not start else SPELLINGS.get(start[0])


def commonest_kinds(documents):
    """The kind that each parameter name has most often: {name: kind}, in alphabetical order."""
    counts = defaultdict(Counter)
    for name, written in parameters(documents):
        counts[name][kind_of(written)] += 1
    best = {name: counts[name].most_common(1)[0][0] for name in sorted(counts)}
    return {name: kind for name, kind in best.items() if kind}


def word_task(docs):
    """The exam's [(name, kind)] from held-out modules, in random order, and {name: kind} of the modules read."""
    items = list(commonest_kinds(docs.test).items())
    random.Random(0).shuffle(items)
    return items, commonest_kinds(docs.train)
