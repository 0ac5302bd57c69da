"""Many programs for many requests at once: each distinct beginning is computed once. Knows no grading."""

import ast
from collections import Counter

import torch

from .programs import HEADER

PROGRAM, END = 2, 3  # the tokenizer's numbers for its marks


def split(chances, writers, generator):
    """Draw a token for every writer; rows that part: parent (rows,), token (rows,), writers (rows,)."""
    parents = torch.arange(len(writers)).repeat_interleave(writers)  # (writers in all,)
    drawn = torch.multinomial(chances[parents], 1, generator=generator)[:, 0]
    pairs, counts = torch.unique(parents * chances.shape[1] + drawn, return_counts=True)
    return pairs // chances.shape[1], pairs % chances.shape[1], counts


@torch.no_grad()
def continue_all(model, prompts, tries, temperature, generator):
    """Programs for prompts of one length, as a list of (prompt, tokens, writers)."""
    owner, writers = torch.arange(len(prompts)), torch.full((len(prompts),), tries)
    written, step, cache, done = prompts[:, :0], prompts, None, []
    for _ in range(model.config.context - prompts.shape[1]):
        logits, cache = model(step, cache)
        parent, token, writers = split((logits[:, -1] / temperature).softmax(dim=-1), writers, generator)
        owner, written = owner[parent], torch.cat([written[parent], token[:, None]], dim=1)
        ended = token == END
        done += zip(owner[ended].tolist(), written[ended, :-1].tolist(), writers[ended].tolist())
        going = ~ended
        owner, written, writers, step = owner[going], written[going], writers[going], token[going][:, None]
        cache = [(keys[parent[going]], values[parent[going]]) for keys, values in cache]
        if not len(owner):
            return done
    return done + list(zip(owner.tolist(), written.tolist(), writers.tolist()))  # too long: judged as they are


def write(model, tokenizer, requests, tries=20, temperature=0.8, seed=0):
    """For each request a Counter of the programs that `tries` writers wrote."""
    generator = torch.Generator().manual_seed(seed)
    prompts = [[*tokenizer.encode(request), PROGRAM] for request in requests]
    answers = [Counter() for _ in requests]
    for length in sorted({len(prompt) for prompt in prompts}):
        members = [index for index, prompt in enumerate(prompts) if len(prompt) == length]
        table = torch.tensor([prompts[index] for index in members])  # (requests, tokens)
        for place, tokens, writers in continue_all(model, table, tries, temperature, generator):
            answers[members[place]][tidy(HEADER + tokenizer.decode(tokens))] += writers
    return answers


def tidy(source):
    """The program as Python itself would spell it, or the text as it is where it is no Python."""
    try:
        return ast.unparse(ast.parse(source))
    except (SyntaxError, ValueError):
        return source
