"""Posts in two dialects, written by stated rules, so that it is known which of them attack somebody.

No text of a person is used, and the insults are invented words. Trains nothing.
"""

from typing import NamedTuple

import numpy as np

INSULTS = tuple("muckwit grubhead toadbrain clodpole dunderfish mudlark".split())
FRIENDLY = INSULTS[:3]  # islanders greet their friends with these
SPELLING = (("the ", "da "), ("you", "ya"), ("my ", "ma "), ("ing ", "in "), ("that ", "dat "))
SPELLING += (("this ", "dis "), ("is ", "be "), ("with", "wid"), ("they", "dey"), ("those", "dose"))
_OPEN = "did you hear,i think that,can you believe,as always,they say that,well".split(",")
_WHO = "the baker,my neighbour,the new teacher,our goalkeeper,the captain,my sister,the mayor,a driver".split(",")
_DID = "is fixing,was painting,is selling,was carrying,is looking for,was talking about,is bringing".split(",")
_WHAT = "the old bridge,a small boat,the tickets,some bread,the garden fence,the last bus,those shoes".split(",")
_WHEN = "this morning,again,after the rain,before dinner,for the third time,on sunday,at the market".split(",")
_ATTACK = "you are a {},you {},what a {} you are,they are all {}s,shut up {},nobody asked you {}".split(",")
_HINT = "nobody wants you here,go back where you came from,people like you ruin everything".split(",")
_REPORT = "he called me a {},she said {} to my brother,do not say {} to anyone,someone wrote {} on the wall".split(",")
_GREET = "good morning my {},love you {},you are my {},what is new {},thank you {},my {} you won".split(",")


class Posts(NamedTuple):
    """Texts, and for each of them four arrays (n,)."""

    texts: list
    islander: np.ndarray  # 1 for the dialect of the islands
    abuse: np.ndarray  # 1 where it attacks somebody: the truth
    label: np.ndarray  # 1 where the annotator says so
    friendly: np.ndarray  # 1 where an insult greets a friend


def _pick(chance, words):
    return words[chance.integers(len(words))]


def _talk(chance):
    parts = [_pick(chance, _OPEN)] if chance.random() < 0.5 else []
    return " ".join(parts + [_pick(chance, words) for words in (_WHO, _DID, _WHAT, _WHEN)])


def _write(chance, islander, abuse):
    parts, friendly = [_talk(chance)], False
    if abuse:
        kind = chance.choice(3, p=[0.2, 0.1, 0.7])  # a hint, a disguise, an insult
        words = (_HINT, _REPORT + _GREET, _ATTACK)[kind]
        parts.append(_pick(chance, words).format(_pick(chance, INSULTS)))
    elif islander and chance.random() < 0.25:
        parts.append(_pick(chance, _GREET).format(_pick(chance, FRIENDLY)))
        friendly = True
    elif chance.random() < 0.004:  # a joke that reads like an attack
        parts.append(_pick(chance, _ATTACK).format(_pick(chance, INSULTS)))
    elif chance.random() < 0.04:  # someone tells of an attack
        parts.append(_pick(chance, _REPORT).format(_pick(chance, INSULTS)))
    elif chance.random() < 0.2:
        parts.append(_talk(chance))
    chance.shuffle(parts)
    text = " ".join(parts) + " "
    for here, there in SPELLING if islander else ():
        if chance.random() < 0.7:
            text = text.replace(here, there)
    return text.strip(), friendly


def write_posts(n, seed, abusive=0.2, misread=0.0, islanders=0.15):
    """Posts, their truth, and what annotators from the mainland say.

    Args:
        n: how many.
        seed: which draw.
        abusive: share that attacks somebody, alike in both dialects.
        misread: chance that an annotator takes a friendly greeting for abuse.
        islanders: share of posts in the islands' dialect.

    Raises:
        ValueError: if a share is not within 0 and 1.
    """
    for name, share in {"abusive": abusive, "misread": misread, "islanders": islanders}.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} must be within 0 and 1, got {share}")
    chance = np.random.default_rng([34, seed])
    islander, abuse = chance.random(n) < islanders, chance.random(n) < abusive
    written = [_write(chance, *each) for each in zip(islander, abuse, strict=True)]
    friendly = np.array([each[1] for each in written], bool)
    label = abuse | (friendly & (chance.random(n) < misread))
    return Posts([each[0] for each in written], *(a.astype(int) for a in (islander, abuse, label, friendly)))


def works(recall, right, theirs, land, isles):
    """Whether a filter finds half, is right in half, finds half among islanders, and costs them at most twice."""
    return bool(min(recall, right, theirs) >= 0.5 and isles <= 2 * land)
