"""The recipe of the shipped restorer of inscriptions: documentation without spaces, of which letters are missing.

Each piece of 96 letters loses four runs of 1 to 10 letters; the network is asked for each missing letter, from the
damaged piece and the letters before the place (Assael et al., 2022, doi 10.1038/s41586-022-04448-z, do the like).
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...beside.lesson_30.network import practice
from ...beside.lesson_30.texts import numbers_of, stones_of
from ...data.documents import documentation
from ...models import Restorer, RestorerConfig
from ...training import fit, seed_everything
from .. import writing

SIZES = {"width": 64, "layers": 2, "heads": 2}
TEST_SHARE = 0.2


def line_of(stones) -> Tensor:
    """All letters of some texts as numbers, with a 0 behind each text, (n,)."""
    return torch.from_numpy(np.concatenate([np.append(numbers_of(stone.letters), 0) for stone in stones])).long()


def gap_loss(net, signs: Tensor, count: int, generator: torch.Generator, gaps: int = 4) -> Tensor:
    """Mean cross-entropy, in nats a letter, of missing letters in `count` pieces of `signs`."""
    *inputs, letters, asked = practice(signs, count, generator, gaps)
    return functional.cross_entropy(net(*inputs)[asked], letters[asked])


@torch.no_grad()
def held_out_loss(net, signs: Tensor) -> float:
    """`gap_loss` of pieces that are always the same."""
    return gap_loss(net, signs, 1000, torch.Generator().manual_seed(9), 2).item()


def make(folder: Path, steps: int = 8_000, seed: int = 0) -> dict:
    """Train the network, write it to `folder`, return what was measured."""
    began = time.process_time()
    stones = stones_of(documentation(test_share=TEST_SHARE))
    signs = line_of(stones.train)
    seed_everything(seed)
    net = Restorer(RestorerConfig(**SIZES))
    run = fit(net, lambda g: gap_loss(net, signs, 32, g), steps=steps, lr=8e-3, seed=seed, warmup=100,
              weight_decay=0.01, clip=1.0)  # fmt: skip
    writing.keep_half(net)
    measured = {
        "letters": len(signs),
        "loss_learnt": round(run.mean_of_last(200), 4),
        "loss_tuning": round(held_out_loss(net.eval(), line_of(stones.tune)), 4),
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "steps": steps,
        "seed": seed,
        "cpu_seconds": round(time.process_time() - began),
    }
    figures = {"model": SIZES, "measured": measured}
    writing.write(folder, figures, write_card(figures), net.state_dict())
    return measured


def write_card(figures: dict) -> str:
    """The card of the weights with these figures, in Markdown."""
    m = figures["measured"]
    return writing.write_card(
        "inscriptions",
        "Restorer of inscriptions",
        "A network that fills gaps of 1 to 10 letters in a piece of 96 letters without spaces.",
        size=f"{m['parameters']:,} parameters: {SIZES['layers']} layers of width {SIZES['width']}, most of them in a "
        "table of runs of letters. Stored as float16 in `model.safetensors`, loaded as float32.",
        data=f"{m['letters']:,} letters of docstrings of Python, NumPy, SciPy, scikit-learn, Matplotlib and NetworkX; "
        "a fifth of the modules was held out.",
        training=f"{m['steps']:,} steps of AdamW with 32 pieces each, seed {m['seed']}; {m['cpu_seconds']} CPU seconds "
        "on one thread.",
        losses=f"nats a missing letter: {m['loss_learnt']:.3f} on the texts learnt from, {m['loss_tuning']:.3f} on "
        "held-out ones with two gaps a piece.",
        meant_for="the lesson on restoring inscriptions.",
        limits="it knows the English of programmers' documentation, in capital letters.",
    )
