"""Tokens of documentation, whether each stands inside round brackets, and what a table of last tokens says."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import torch

from tinyfrontier.data import documentation
from tinyfrontier.pretrained import load_gpt

WINDOWS, TOKENS, LEARN, SKIP = 160, 128, 110, 8  # the first 110 windows are learnt from


def windows(package: str):
    """The course's GPT, tokens (160, 128) of a package's docstrings, and whether a bracket is open behind each."""
    net, tokenizer = load_gpt()
    text = documentation(packages=(package,), max_characters=400_000).train_text
    tokens = torch.tensor(tokenizer.encode(text)[: WINDOWS * TOKENS]).view(WINDOWS, TOKENS)
    inside = np.zeros((WINDOWS, TOKENS), dtype=int)
    pieces = {int(one): tokenizer.token(int(one)) for one in tokens.unique()}
    for row, line in enumerate(tokens.tolist()):
        depth = 0
        for column, token in enumerate(line):
            for sign in pieces[token]:
                depth = max(0, depth + (sign == "(") - (sign == ")"))
            inside[row, column] = depth > 0
    return net.eval(), tokens, inside


def states(net, tokens) -> list[np.ndarray]:
    """Vectors (160, 120, width) after the embedding and after each block; the first 8 tokens of a window left out."""
    hidden = []
    handles = [net.drop.register_forward_hook(lambda _, __, out: hidden.append(out))]
    handles += [block.register_forward_hook(lambda _, __, out: hidden.append(out[0])) for block in net.blocks]
    with torch.no_grad():
        net(tokens)
    for handle in handles:
        handle.remove()
    return [each[:, SKIP:].numpy() for each in hidden]


def table_accuracy(tokens, labels, last: int) -> float:
    """Accuracy of a table: the usual label after the last tokens that were seen, shorter ones where they were not."""
    counts, lines = defaultdict(Counter), tokens.tolist()
    for line, row in zip(lines[:LEARN], labels[:LEARN], strict=True):
        for at in range(SKIP, TOKENS):
            for length in range(last + 1):
                counts[tuple(line[at + 1 - length : at + 1])][row[at]] += 1
    right = []
    for line, row in zip(lines[LEARN:], labels[LEARN:], strict=True):
        for at in range(SKIP, TOKENS):
            keys = (tuple(line[at + 1 - length : at + 1]) for length in range(last, -1, -1))
            known = next(counts[key] for key in keys if key in counts)
            right.append(known.most_common(1)[0][0] == row[at])
    return float(np.mean(right))
