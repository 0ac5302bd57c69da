"""The recipe of the shipped folding networks, three that read whole alignments and three that read shuffled ones.

It folds chains, lets their families evolve (`lessons/19_protein_folding/chains.py`), trains the networks on alignments
of 1 to 128 sequences, and writes them beside the families of the exam.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ...beside.lesson_19.chains import DEPTH, LENGTHS, families
from ...models.folding import Folder, folding_loss, pair_features
from ...training import fit, seed_everything
from .. import writing

SEEDS = 3
FAMILIES = 160  # of each length, to learn from
EXAM = 20  # of each length, that no network sees
SIZES = {"width": 32, "blocks": 2}


def school(seed: int, count: int) -> dict[int, tuple[Tensor, Tensor]]:
    """By length: places (count, length, 3) and letters (count, DEPTH, length) of fresh families."""
    grown = {length: families(count, length, seed) for length in LENGTHS}
    return {length: (each.places, each.letters) for length, each in grown.items()}


def shuffled(letters: Tensor, generator: torch.Generator) -> Tensor:
    """Alignments (n, depth, length) whose columns are permuted, each for itself; the first row stays."""
    order = torch.rand(letters[:, 1:].shape, generator=generator).argsort(1)
    return torch.cat([letters[:, :1], letters[:, 1:].gather(1, order)], dim=1)


def draw(lesson: dict, generator: torch.Generator, size: int, shuffle: bool) -> tuple[Tensor, Tensor]:
    """A batch of alignments of one length and one depth, and their places."""
    length = LENGTHS[int(torch.randint(len(LENGTHS), (), generator=generator))]
    places, letters = lesson[length]
    some = torch.randperm(len(places), generator=generator)[:size]
    depth = int(2 ** (7 * torch.rand((), generator=generator)) + 0.5)
    rows = torch.rand(len(some), DEPTH, generator=generator).argsort(1)[:, :depth]
    letters = letters[some].gather(1, rows[..., None].expand(-1, -1, length))
    return shuffled(letters, generator) if shuffle else letters, places[some]


def train(
    lesson: dict,
    steps: int,
    seed: int,
    shuffle: bool = False,
    size: int = 8,
    instead: Callable[[int, int], nn.Module] | None = None,
) -> tuple[Folder, list[float]]:
    """A network and its losses, from `school`'s families; `instead` makes a layer for each triangle update.

    It is told the number of the block and which of its two updates is replaced, both from 0.
    """
    seed_everything(seed)
    net = Folder(**SIZES)
    for number, block in enumerate(net.blocks if instead else ()):
        for place in (0, 1):
            block.parts[place] = instead(number, place)

    def loss(generator: torch.Generator) -> Tensor:
        letters, places = draw(lesson, generator, size, shuffle)
        return folding_loss(net(pair_features(letters)), places)

    history = fit(net, loss, steps=steps, lr=3e-3, seed=seed, warmup=50, clip=1.0)
    writing.keep_half(net)
    return net.eval(), history.losses


def make(folder: Path, steps: int = 1400, seed: int = 0) -> dict:
    """Grow the families, train the networks, write all to `folder`, return what was measured."""
    began = time.process_time()
    lesson, exam = school(seed + 1, FAMILIES), school(seed + 1000, EXAM)
    grown = round(time.process_time() - began)
    ways = {"whole": partial(train, lesson, steps), "shuffled": partial(train, lesson, steps, shuffle=True)}
    net, weights, losses = writing.trained(ways, range(seed, seed + SEEDS))
    for length, (places, letters) in exam.items():
        weights |= {f"exam.{length}.places": places, f"exam.{length}.letters": letters}
    measured = {
        "families": len(LENGTHS) * FAMILIES,
        "loss": losses["whole"],
        "loss_shuffled": losses["shuffled"],
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "steps": steps,
        "seed": seed,
        "cpu_seconds_families": grown,
        "cpu_seconds": round(time.process_time() - began),
    }
    figures = {"model": SIZES, "measured": measured}
    writing.write(folder, figures, write_card(figures), weights)
    return measured


def write_card(figures: dict) -> str:
    """The card of the weights with these figures, in Markdown."""
    m = figures["measured"]
    return writing.write_card(
        "folding",
        "Tiny folding networks",
        "Alignments of chains of 24 to 40 residues with eight letters to places, distances and a confidence.",
        size=f"{m['parameters']:,} parameters each: two blocks of triangle updates and a mover in local frames, width "
        f"{figures['model']['width']}. Stored as float16 in `model.safetensors`, loaded as float32. Three learnt from "
        "alignments, three from alignments with shuffled columns. With them, the hundred families of the exam.",
        data=f"made by `lessons/19_protein_folding/chains.py`: {m['families']} families of 128 sequences.",
        training=f"{m['steps']:,} steps of eight alignments each; seeds {m['seed']} to {m['seed'] + 2}; "
        f"{m['cpu_seconds']} CPU seconds on one thread for all six, {m['cpu_seconds_families']} for the families.",
        losses=f"at the end of training {', '.join(f'{x:.2f}' for x in m['loss'])}; "
        f"shuffled {', '.join(f'{x:.2f}' for x in m['loss_shuffled'])}.",
        meant_for="the lesson on folding.",
        limits="it knows chains of this one made-up world, and nothing of proteins.",
    )
