"""How every recipe stores what it made: weights as float16 in safetensors, figures, tokenizer and the card."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from .loading import Tokenizer

PARTS = ("Size", "Data", "Training", "Losses", "Remake", "Meant for", "Limits")


@torch.no_grad()
def keep_half(model: nn.Module) -> None:
    """Keep what float16 keeps, so that the stored model is the measured one."""
    for parameter in model.parameters():
        parameter.copy_(parameter.half().float())


def as_half(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights by name, as float16."""
    return {name: value.half().contiguous() for name, value in weights.items()}


def trained(
    ways: Mapping[str, Callable[[int], tuple[nn.Module, list[float]]]], seeds: Iterable[int]
) -> tuple[nn.Module, dict[str, Tensor], dict[str, list[float]]]:
    """Train the same network in several ways, with several seeds each.

    Args:
        ways: from a seed to a trained network and the losses of its steps, by name.
        seeds: of the trainings; the first of a way is stored as number 0.

    Returns:
        the last network, all weights by `way.number.name`, and the means of each training's last 200 losses by way.
    """
    weights, losses = {}, {way: [] for way in ways}
    for way, train in ways.items():
        for number, seed in enumerate(seeds):
            net, each = train(seed)
            losses[way].append(round(sum(each[-200:]) / len(each[-200:]), 4))
            weights |= {f"{way}.{number}.{name}": value for name, value in net.state_dict().items()}
    return net, weights, losses


def rounded(measured: dict) -> dict:
    """Figures with at most four decimals."""
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in measured.items()}


def write(
    folder: Path,
    figures: dict,
    card: str,
    weights: dict[str, Tensor] | None = None,
    tokenizer: Tokenizer | None = None,
) -> None:
    """Write figures.json and README.md, the card, to `folder`, which is made where it is missing.

    With `weights` also model.safetensors, with a `tokenizer` also tokenizer.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if weights is not None:
        (folder / "model.safetensors").write_bytes(save(as_half(weights)))
    if tokenizer is not None:
        tokenizer.save(folder / "tokenizer.json")
    (folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")


def write_card(name: str, title: str, what: str, **parts: str) -> str:
    """The card of the weights called `name`, in Markdown.

    Args:
        name: of the folder and the recipe.
        title: the card's heading.
        what: one sentence or two.
        parts: the text of each of `PARTS` in lower case, spaces as `_`. What `remake` says follows the command.

    Raises:
        ValueError: if a part is missing, or one is given that a card does not have.
    """
    known = {part.lower().replace(" ", "_"): part for part in PARTS}
    if known.keys() - {"remake"} - parts.keys() or parts.keys() - known.keys():
        raise ValueError(f"parts must be {', '.join(known)} (remake may be missing), got {', '.join(parts)}")
    command = f"`.venv/bin/python -m tinyfrontier.pretrained {name}`."
    parts["remake"] = f"{command} {parts.get('remake', '')}".strip()
    lines = "\n".join(f"- **{label}**: {parts[key]}" for key, label in known.items())
    return f"# {title}\n\n{what}\n\n{lines}\n"
