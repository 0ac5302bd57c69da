"""Lesson 28's calculus: Boolean terms, twenty axioms, every rewriting of a term, theorems. Knows no search, no network.

A term is a leaf ("p", "q", "r", "T" for true, "F" for false) or a tuple: ("~", term), or an operator and two terms, as
in ("|", "p", ("~", "p")). In axioms "a", "b" and "c" stand for any term.
"""

import random
from functools import lru_cache

import numpy as np

TEXT = """(a > b) = (~a | b); ~~a = a; ~(a & b) = (~a | ~b); ~(a | b) = (~a & ~b); (a | ~a) = T; (a & ~a) = F;
(a | T) = T; (a & T) = a; (a | F) = a; (a & F) = F; ~T = F; ~F = T; (a | a) = a; (a & a) = a; (a | b) = (b | a);
(a & b) = (b & a); ((a | b) | c) = (a | (b | c)); ((a & b) & c) = (a & (b & c));
(a | (b & c)) = ((a | b) & (a | c)); (a & (b | c)) = ((a & b) | (a & c))"""
LARGEST = 40  # signs of the largest term that a search looks at
BACK = (0, 2, 3, 16, 17, 18, 19)  # axioms that a search also uses from right to left


def parse(text):
    """The term that is written as `text`, such as "(p > ~q)"; two-sided operators stand in brackets.

    Raises:
        TypeError: if `text` is no text.
        ValueError: if it is not exactly one term.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, got {type(text).__name__}")
    signs = text.replace(" ", "")

    def term(at):
        if signs[at] == "~":
            inner, end = term(at + 1)
            return ("~", inner), end
        if signs[at] == "(":
            left, middle = term(at + 1)
            right, end = term(middle + 1)
            if signs[middle] not in "&|>" or signs[end] != ")":
                raise IndexError
            return (signs[middle], left, right), end + 1
        if signs[at] not in "abcpqrTF":
            raise IndexError
        return signs[at], at + 1

    try:
        found, end = term(0)
        if end != len(signs):
            raise IndexError
    except IndexError:
        raise ValueError(f"text must be one term such as '(p > ~q)', got {text!r}") from None
    return found


def show(term):
    """The term as text, outer brackets left out."""
    if isinstance(term, str):
        return term
    parts = [part if isinstance(part, str) or part[0] == "~" else (part, show(part)) for part in term[1:]]
    words = [f"({part[1]})" if isinstance(part, tuple) and part[0] != "~" else show(part) for part in parts]
    return f"~{words[0]}" if term[0] == "~" else f"{words[0]} {term[0]} {words[1]}"


AXIOMS = [tuple(parse(side) for side in axiom.split(" = ")) for axiom in TEXT.replace("\n", " ").split("; ")]
MOVES = [(number, 0) for number in range(len(AXIOMS))] + [(number, 1) for number in BACK]


@lru_cache(None)
def size(term):
    """The number of signs of a term, brackets not counted."""
    return 1 if isinstance(term, str) else 1 + sum(map(size, term[1:]))


@lru_cache(None)
def arrows(term):
    """The number of its signs that are >."""
    return 0 if isinstance(term, str) else (term[0] == ">") + sum(map(arrows, term[1:]))


def altered(term, rng):
    """The term with one sign exchanged for another of its kind, or for itself; `rng` is a `random.Random`."""
    if isinstance(term, str) or rng.random() < 0.3:
        kinds = "pqrTF" if isinstance(term, str) else "~" if term[0] == "~" else "&|>"
        new = rng.choice(kinds)
        return new if isinstance(term, str) else (new, *term[1:])
    place = rng.randrange(1, len(term))
    return (*term[:place], altered(term[place], rng), *term[place + 1 :])


def _match(pattern, term, known):
    if isinstance(pattern, str):
        if pattern not in "abc":
            return known if pattern == term else None
        if pattern in known:
            return known if known[pattern] == term else None
        return {**known, pattern: term}
    if isinstance(term, str) or term[0] != pattern[0]:
        return None
    for part, other in zip(pattern[1:], term[1:]):
        known = _match(part, other, known)
        if known is None:
            return None
    return known


def _fill(pattern, known):
    if isinstance(pattern, str):
        return known.get(pattern, pattern)
    return (pattern[0], *(_fill(part, known) for part in pattern[1:]))


def _flat(term, operator):
    if not isinstance(term, str) and term[0] == operator:
        return _flat(term[1], operator) + _flat(term[2], operator)
    return [term]


@lru_cache(100_000)
def _clash(term):
    """Whether a chain of | or & holds some x and ~x, and whether it holds something twice."""
    if isinstance(term, str) or term[0] not in "&|":
        return 0, 0
    chain = _flat(term, term[0])
    return int(any(("~", part) in chain for part in chain)), int(len(set(chain)) < len(chain))


LOCAL = len(MOVES) + 11
FEATURES = LOCAL + 10
SIZES = (len(MOVES), len(MOVES) + 1, LOCAL + 6)  # the features that tell a size


def _kind(term):
    return "" if isinstance(term, str) else term[0]


MOVES_OF = {  # operator: the moves whose start has it
    kind: [(move, *(AXIOMS[number][:: 1 - 2 * back])) for move, (number, back) in enumerate(MOVES)
           if _kind(AXIOMS[number][back]) == kind]
    for kind in "~&|>"
}  # fmt: skip


@lru_cache(100_000)
def _local(term):
    """Every rewriting of the whole of `term`: the moves and the new terms."""
    found = []
    for move, left, right in MOVES_OF[term[0]] if not isinstance(term, str) else ():
        known = _match(left, term, {})
        if known is not None and (new := _fill(right, known)) != term:
            found.append((move, new))
    return found


@lru_cache(100_000)
def _local_features(term):
    """The features of `_local(term)`: (n, LOCAL)."""
    rows, before = np.zeros((len(_local(term)), LOCAL), dtype=np.float32), _clash(term)
    for row, (move, new) in zip(rows, _local(term)):
        after, kind = _clash(new), _kind(new)
        row[move] = 1
        row[len(MOVES) :] = [
            *((size(new) - size(term)) / 4, size(term) / 10, new == "T", new == "F", *after),
            *(after[0] - before[0], after[1] - before[1], kind == "~", kind == "|", kind == "&"),
        ]
    return rows


def _places(term, path=(), parent="", sibling=None):
    yield term, path, parent, sibling
    if not isinstance(term, str):
        for place in range(1, len(term)):
            beside = term[3 - place] if len(term) == 3 else None
            yield from _places(term[place], (*path, place), term[0], beside)


def _put(term, path, new):
    if not path:
        return new
    return (*term[: path[0]], _put(term[path[0]], path[1:], new), *term[path[0] + 1 :])


@lru_cache(100_000)
def rewritings(term):
    """The terms that one use of an axiom makes of `term`, at most LARGEST signs each: a list, in a fixed order."""
    whole = size(term)
    return [
        _put(term, path, new)
        for part, path, _, _ in _places(term)
        for _, new in _local(part)
        if whole - size(part) + size(new) <= LARGEST
    ]


@lru_cache(20_000)
def features(term):
    """What a network reads of each of `rewritings(term)`: float32 (n, FEATURES).

    Of the place: which axiom and direction, change of size, size, what the new part is, whether its chain holds an x
    and ~x or something twice, and whether that is new. Around it: what it stands in, how deep, the whole term's size,
    and whether its neighbour is its negation, the same, or a constant.
    """
    whole, rows, around = size(term), [np.zeros((0, LOCAL), np.float32)], []
    for part, path, parent, sibling in _places(term):
        found = _local(part)
        if not found:
            continue
        table = _local_features(part)
        fits = [whole - size(part) + size(new) <= LARGEST for _, new in found]
        rows.append(table if all(fits) else table[fits])
        stands = [parent == kind for kind in ("", "~", "|", "&", ">")] + [len(path) / 5, whole / 20]
        for fit, (_, new) in zip(fits, found):
            if fit:
                opposite = sibling is not None and (sibling == ("~", new) or new == ("~", sibling))
                around.append([*stands, opposite, sibling == new, sibling in ("T", "F")])
    right = np.array(around, dtype=np.float32).reshape(len(around), FEATURES - LOCAL)
    return np.concatenate([np.concatenate(rows), right], axis=1)


def _any_term(rng, depth):
    if depth == 0 or rng.random() < 0.5:
        return rng.choice("pqr")
    operator = rng.choice("~&|>")
    parts = [_any_term(rng, depth - 1) for _ in range(1 if operator == "~" else 2)]
    return (operator, *parts)


def _letters(pattern):
    return {pattern} & set("abc") if isinstance(pattern, str) else set().union(*map(_letters, pattern[1:]))


def _backwards(rng, term):
    """One axiom used from its result to its start, anywhere in `term`: the new term."""
    ways = []
    for part, path, _, _ in _places(term):
        for number, back in MOVES:
            left, right = AXIOMS[number][back], AXIOMS[number][1 - back]
            known = _match(right, part, {})
            if known is not None:  # an axiom that makes anything longer fits everywhere: seldom
                ways.append((0.1 if isinstance(right, str) and right in "abc" else 1, path, left, known))
    _, path, left, known = rng.choices(ways, [way[0] for way in ways])[0]
    free = {letter: _any_term(rng, 1) for letter in sorted(_letters(left) - set(known))}
    return _put(term, path, _fill(left, known | free))


def walk(rng, steps, largest):
    """A proof, theorem first and "T" last: a random walk from "T" backwards; None if it grows over `largest` signs.

    None, too, if it finds no way on: each new term has to be small enough, and one where it has not been.

    Constants that are left at the end become (x | ~x) or (x & ~x), each by one more step.
    """
    terms, tries = ["T"], 0
    while len(terms) <= steps:
        tries += 1
        if tries > 50 * steps:
            return None
        new = _backwards(rng, terms[-1])
        if size(new) <= largest and new not in terms:
            terms.append(new)
    while True:
        constants = [(part, path) for part, path, _, _ in _places(terms[-1]) if part in ("T", "F")]
        if not constants:
            return terms[::-1] if size(terms[-1]) <= largest + 6 else None
        part, path = constants[0]
        thing = _any_term(rng, 1)
        terms.append(_put(terms[-1], path, ("|" if part == "T" else "&", thing, ("~", thing))))


def theorems(count, shortest, longest, seed, largest=24):
    """So many different proofs, each a list of terms, the theorem first and "T" last, of `shortest` to `longest` steps.

    Raises:
        ValueError: if `count` is negative or the lengths are not 2 <= shortest <= longest.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    if not 2 <= shortest <= longest:
        raise ValueError(f"lengths must be 2 <= shortest <= longest, got {shortest} and {longest}")
    rng, found = random.Random(seed), {}
    while len(found) < count:
        proof = walk(rng, rng.randint(shortest - 1, longest - 1), largest)
        if proof and shortest <= len(proof) - 1 <= longest:
            found.setdefault(proof[0], proof)
    return list(found.values())
