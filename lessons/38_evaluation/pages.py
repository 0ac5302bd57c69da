"""The course's GPT, and pages of documentation that it has read or not, as lesson 38 examines it on them."""

from __future__ import annotations

from functools import cache

import torch

from tinyfrontier.data import documentation
from tinyfrontier.models import GPT
from tinyfrontier.pretrained import load_gpt
from tinyfrontier.pretrained.loading import Tokenizer

LENGTH = 48
PACKAGES = ("numpy", "networkx")


@cache
def reader() -> tuple[GPT, Tokenizer]:
    """The shipped GPT and its tokenizer, loaded once."""
    return load_gpt()


def windows(paragraphs: list[str]) -> torch.Tensor:
    """Beginnings of paragraphs as tokens (n, 49), each after the end mark; short paragraphs are left out."""
    tokenizer = reader()[1]
    end = tokenizer.special["<|end|>"]
    encoded = tokenizer.encode_many(paragraphs)
    return torch.tensor([[end, *tokens[:LENGTH]] for tokens in encoded if len(tokens) >= LENGTH])


@cache
def piles() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Pages that the GPT has read and pages that it has not, as `windows` by package.

    Which modules were held out depends on their names alone, so that this is known for any version of the packages.
    """
    pages = documentation(PACKAGES)
    found = []
    for part in (pages.train, pages.test):
        texts: dict[str, list[str]] = {name: [] for name in PACKAGES}
        for document in part:
            texts[document.package] += [p for p in document.paragraphs if len(p) < 900]
        found.append({name: windows(paragraphs) for name, paragraphs in texts.items()})
    return found[0], found[1]


@cache
def _pages_read() -> torch.Tensor:
    return torch.cat([*piles()[0].values()])


def _count(rows: torch.Tensor) -> torch.Tensor:
    size = reader()[1].vocabulary
    pairs = torch.zeros(size, size)
    at = rows[:, :-1].flatten(), rows[:, 1:].flatten()
    pairs.index_put_(at, torch.ones(()), accumulate=True)
    often = (pairs.sum(0) + 1) / (pairs.sum() + size)
    return ((pairs + 100 * often) / (pairs.sum(1, keepdim=True) + 100)).log()


@cache
def word_pairs() -> torch.Tensor:
    """Log-chance of each token (columns) after each other (rows), counted in the pages read."""
    return _count(_pages_read())


def pairs_without(rows: torch.Tensor) -> torch.Tensor:
    """The same table, counted in the pages read that are not among `rows`."""
    left = {tuple(row) for row in rows.tolist()}
    return _count(torch.stack([row for row in _pages_read() if tuple(row.tolist()) not in left]))
