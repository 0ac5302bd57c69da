"""The recipe of the shipped molecules and of the equivariant denoisers that learnt from half of them.

It grows all molecules of six heavy atoms, places them in space, and trains three networks, which differ in their seed
alone, on one half. A guess is of the velocity: with clean z and noise e, a noisy item is cos(angle) z + sin(angle) e,
and its velocity cos(angle) e - sin(angle) z (Salimans & Ho, 2022, arXiv 2202.00512).
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch
from rdkit import Chem
from rdkit.Chem import Crippen
from torch import Tensor

from ...data.molecules import embed_molecules, grow_molecules
from ...models import DenoiserConfig, MoleculeDenoiser
from ...training import fit, seed_everything
from .. import writing

SEEDS = 3
ATOMS = 6
SIZES = {"elements": 4, "width": 64, "layers": 4}
FORGET = 0.2  # how often the wish is withheld, so that the network can also work without


def halves(count: int) -> tuple[Tensor, Tensor]:
    """Numbers of the molecules to learn from and of the others, always the same."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    return order[: count // 2], order[count // 2 :]


def velocity_loss(model, x: Tensor, h: Tensor, wish: Tensor, generator: torch.Generator) -> Tensor:
    """Mean squared error of the guessed velocities of clean `x` (batch, n, 3), `h` (batch, n, 4), property (batch,)."""
    angle = math.pi / 2 * (0.001 + 0.998 * torch.rand(len(x), generator=generator) ** 1.5)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    noise_x, noise_h = (torch.randn(part.shape, generator=generator) for part in (x, h))
    noise_x = noise_x - noise_x.mean(dim=1, keepdim=True)
    told = (torch.rand(len(x), generator=generator) > FORGET).float()
    wishes = torch.stack([wish * told, told], dim=-1)
    guess_x, guess_h = model(cos * x + sin * noise_x, cos * h + sin * noise_h, angle, wishes)
    off_x, off_h = guess_x - (cos * noise_x - sin * x), guess_h - (cos * noise_h - sin * h)
    return torch.cat([off_x, off_h], dim=-1).square().mean()


@torch.no_grad()
def held_out_loss(model, x: Tensor, h: Tensor, wish: Tensor) -> float:
    """`velocity_loss` at noise that is always the same."""
    return velocity_loss(model, x, h, wish, torch.Generator().manual_seed(9)).item()


def make(folder: Path, steps: int = 20_000, seed: int = 0) -> dict:
    """Grow the molecules, train `SEEDS` networks; write all to `folder` and return what was measured."""
    start = time.process_time()
    smiles = grow_molecules(ATOMS)
    elements, positions = map(torch.from_numpy, embed_molecules(smiles))
    value = torch.tensor([Crippen.MolLogP(Chem.MolFromSmiles(text)) for text in smiles]).float()
    learn, others = halves(len(smiles))
    mean, deviation = value[learn].mean().item(), value[learn].std().item()
    h, wish = torch.nn.functional.one_hot(elements, 4).float(), (value - mean) / deviation
    grown, losses = round(time.process_time() - start), []
    weights = {"data.elements": elements, "data.positions": positions}
    for number in range(SEEDS):
        seed_everything(seed + number)
        model = MoleculeDenoiser(DenoiserConfig(**SIZES))

        def loss(generator: torch.Generator, model=model) -> Tensor:
            some = learn[torch.randint(len(learn), (64,), generator=generator)]
            return velocity_loss(model, positions[some], h[some], wish[some], generator)

        fit(model, loss, steps=steps, lr=6e-3, seed=seed + number, warmup=100, weight_decay=1e-6, clip=1.0)
        writing.keep_half(model)
        losses.append([round(held_out_loss(model, positions[i], h[i], wish[i]), 4) for i in (learn, others)])
        weights |= {f"{number}.{name}": value for name, value in model.state_dict().items()}
    measured = {
        "molecules": len(smiles),
        "logp_mean": round(mean, 4),
        "logp_deviation": round(deviation, 4),
        "loss_learnt": [pair[0] for pair in losses],
        "loss_others": [pair[1] for pair in losses],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps": steps,
        "seed": seed,
        "growing_cpu_seconds": grown,
        "cpu_seconds": round(time.process_time() - start),
    }
    figures = {"model": SIZES, "measured": measured}
    writing.write(folder, figures, write_card(figures), weights)
    (folder / "molecules.smi").write_text("\n".join(smiles) + "\n", encoding="utf-8")
    return measured


def write_card(figures: dict) -> str:
    """The card of the weights with these figures, in Markdown."""
    m = figures["measured"]
    learnt, others = (", ".join(f"{loss:.4f}" for loss in m[f"loss_{part}"]) for part in ("learnt", "others"))
    return writing.write_card(
        "molecules",
        "Molecules of six heavy atoms, and denoisers of them",
        f"All {m['molecules']:,} molecules of six atoms of C, N, O and F (hydrogens not counted) that a few rules "
        "allow, their shapes in space, and three E(3)-equivariant networks that take noise out of them; the networks "
        "differ in their seed alone.",
        size=f"{m['parameters']:,} parameters each: {SIZES['layers']} layers of width {SIZES['width']}. Stored as "
        "float16 in `model.safetensors` together with elements and positions, loaded as float32; SMILES in "
        "`molecules.smi`, in the same order.",
        data="grown bond by bond by `tinyfrontier.data.molecules`, placed by RDKit's ETKDG with seed 0 and relaxed "
        "with MMFF94; nothing was downloaded. Computed logP by RDKit's Crippen contributions.",
        training=f"{m['steps']:,} steps of AdamW with 64 molecules each of one half, seeds {m['seed']} to "
        f"{m['seed'] + SEEDS - 1}; {m['cpu_seconds']} CPU seconds on one thread for all three, "
        f"{m['growing_cpu_seconds']} of them for the molecules.",
        losses="mean squared error of the guessed velocities on the half that was learnt from: "
        f"{learnt}; on the other half: {others}.",
        meant_for="the lesson on designing molecules, whose samplers turn the guesses into molecules.",
        limits="it knows molecules of exactly six heavy atoms, one shape of each, no charges, no aromatic rings. "
        "Nothing says that they can be made, or are safe.",
    )
