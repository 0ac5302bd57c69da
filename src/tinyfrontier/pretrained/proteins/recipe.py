"""The recipe of the shipped language models of proteins: three that read sequences, three that read shuffled ones.

`lessons/25_variant_effects/families.py` draws families; a model sees one sequence at a time, with some letters hidden,
and is told neither which family it comes from nor what it is worth.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ...beside.lesson_25.families import families
from ...models.protein import LETTERS, MASK, ProteinModel
from ...training import fit, seed_everything
from .. import writing

SEEDS = 3
FAMILIES = 6000
DEPTH = 3  # sequences of each
HIDDEN = 0.15  # share of letters to guess
SIZES = {"width": 48, "blocks": 4, "reach": 3}


def school(seed: int, count: int) -> Tensor:
    """Sequences to learn from, (count, DEPTH, LENGTH)."""
    return families(count, DEPTH, seed).letters


def shuffled(letters: Tensor, seed: int) -> Tensor:
    """Families (n, depth, length) with their columns in another order, the same one for a family's sequences."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(len(letters), 1, letters.shape[-1], generator=generator).argsort(-1)
    return letters.gather(-1, order.expand_as(letters))


def hidden(letters: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Tokens with some letters hidden, and which: of ten, eight are masked, one is replaced, one stays (lesson 03)."""
    chosen = torch.rand(letters.shape, generator=generator) < HIDDEN
    lot = torch.rand(letters.shape, generator=generator)
    tokens = torch.where(chosen & (lot < 0.8), MASK, letters)
    other = torch.randint(LETTERS, letters.shape, generator=generator)
    return torch.where(chosen & (lot > 0.9), other, tokens), chosen


def train(letters: Tensor, steps: int, seed: int) -> tuple[ProteinModel, list[float]]:
    """A model of sequences (families, depth, length), and its losses."""
    seed_everything(seed)
    net, rows = ProteinModel(**SIZES), letters.flatten(0, 1)

    def loss(generator: torch.Generator) -> Tensor:
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        tokens, chosen = hidden(batch, generator)
        return functional.cross_entropy(net(tokens)[chosen], batch[chosen])

    history = fit(net, loss, steps=steps, lr=4e-3, seed=seed, warmup=50, weight_decay=0.01, clip=1.0)
    writing.keep_half(net)
    return net.eval(), history.losses


def make(folder: Path, steps: int = 3000, seed: int = 0) -> dict:
    """Draw the families, train the models, write all to `folder`, return what was measured."""
    began = time.process_time()
    letters = school(seed + 1, FAMILIES)
    drawn = round(time.process_time() - began)
    lessons = {"whole": letters, "shuffled": shuffled(letters, seed)}
    ways = {kind: partial(train, lesson, steps) for kind, lesson in lessons.items()}
    net, weights, losses = writing.trained(ways, range(seed, seed + SEEDS))
    measured = {
        "sequences": FAMILIES * DEPTH,
        "loss": losses["whole"],
        "loss_shuffled": losses["shuffled"],
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "steps": steps,
        "seed": seed,
        "cpu_seconds_families": drawn,
        "cpu_seconds": round(time.process_time() - began),
    }
    figures = {"model": SIZES, "measured": measured}
    writing.write(folder, figures, write_card(figures), weights)
    return measured


def write_card(figures: dict) -> str:
    """The card of the weights with these figures, in Markdown."""
    m = figures["measured"]
    return writing.write_card(
        "proteins",
        "Tiny protein language models",
        "Chains of 40 residues with hidden letters to a guess of each letter.",
        size=f"{m['parameters']:,} parameters each: four gated convolutions, width {figures['model']['width']}. Stored "
        "as float16 in `model.safetensors`, loaded as float32. Three learnt from sequences, three from families whose "
        "columns stood in another order.",
        data=f"made by `lessons/25_variant_effects/families.py`: {m['sequences']:,} sequences, three of each family.",
        training=f"{m['steps']:,} steps of 64 sequences; seeds {m['seed']} to {m['seed'] + 2}; {m['cpu_seconds']} CPU "
        f"seconds on one thread for all six, {m['cpu_seconds_families']} for the families.",
        losses=f"cross-entropy of hidden letters (nats) at the end {', '.join(f'{x:.2f}' for x in m['loss'])}; "
        f"shuffled {', '.join(f'{x:.2f}' for x in m['loss_shuffled'])}.",
        meant_for="the lesson on variants.",
        limits="it knows the proteins of one made-up world. It says nothing about any real variant or patient.",
    )
