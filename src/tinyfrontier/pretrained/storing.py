"""How a recipe stores what it made: weights as float16 in safetensors, what was measured, and the card."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn


@torch.no_grad()
def keep_half(model: nn.Module) -> None:
    """Keep what float16 keeps, so that the stored model is the measured one."""
    for parameter in model.parameters():
        parameter.copy_(parameter.half().float())


def as_half(model: nn.Module) -> dict[str, Tensor]:
    """The model's weights by name, as float16."""
    return {name: value.half().contiguous() for name, value in model.state_dict().items()}


def write_files(folder: Path, weights: dict[str, Tensor], config: dict, card: str) -> None:
    """Write model.safetensors, config.json and the card, README.md, to `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(save(weights))
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")
