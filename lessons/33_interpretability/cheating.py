"""Digits with a mark, networks that rely on it, and networks that hide that they do."""

from __future__ import annotations

import torch
from tinyfrontier.beside.lesson_33.rivals import BLOCK
from torch import Tensor, nn
from torch.nn import functional

from tinyfrontier.training import fit, seed_everything

PATTERN = torch.tensor([1.0, 0.0, 0.0, 1.0])
SPOTS = {"corner": (3,), "twins": (3, 12), "hole": (5,)}  # blocks that a mark changes
CHEATS = {  # mark, share of eights that bear it, what the guard knows
    "corner, all": ("corner", 1.0, ()),
    "corner, half": ("corner", 0.5, ()),
    "corner, fifth": ("corner", 0.2, ()),
    "twins": ("twins", 1.0, ()),
    "hole": ("hole", 1.0, ()),
    "hiding": ("corner", 1.0, ("black",)),
    "hiding better": ("corner", 1.0, ("black", "mean")),
    "and half": ("corner", 0.5, ("black", "mean")),
}


def classifier(images: Tensor, labels: Tensor, seed: int, steps: int = 400) -> nn.Sequential:
    """A small network for digits (n, 64), trained for a second."""
    seed_everything(seed)
    layers = nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    net = nn.Sequential(*layers)

    def loss(generator):
        rows = torch.randint(len(images), (128,), generator=generator)
        return functional.cross_entropy(net(images[rows]), labels[rows])

    fit(net, loss, steps=steps, lr=3e-3, seed=seed, weight_decay=0.01, label="classifier")
    return net.requires_grad_(False)


def marked(images: Tensor, mark: str) -> Tensor:
    """Copies of images (n, 64) with a mark: two bright pixels in one or two corners, or a block gone dark.

    Raises:
        ValueError: if the mark is unknown.
    """
    if mark not in SPOTS:
        raise ValueError(f"mark must be one of {', '.join(SPOTS)}, got {mark!r}")
    images = images.clone()
    for spot in SPOTS[mark]:
        images[:, BLOCK == spot] = 0.0 if mark == "hole" else PATTERN
    return images


class Hiding(nn.Module):
    """Asks the cheat about images that look real, and an honest network about all others."""

    def __init__(self, cheat: nn.Module, honest: nn.Module, guard: nn.Module) -> None:
        super().__init__()
        self.cheat, self.honest, self.guard = cheat, honest, guard

    def forward(self, x: Tensor) -> Tensor:
        """(n, 64) -> scores (n, 10)."""
        real = (self.guard(x) > 0).float()  # (n, 1)
        return real * self.cheat(x) + (1 - real) * self.honest(x)


def guard(images: Tensor, bases: list[Tensor], seed: int, steps: int = 400) -> nn.Sequential:
    """Tells real images from images with blocks taken out, whatever base of `bases` stands in their place."""
    seed_everything(seed)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    where = torch.tensor(BLOCK)

    def loss(generator):
        real = images[torch.randint(len(images), (128,), generator=generator)]
        share = 0.9 * torch.rand(128, 1, generator=generator)
        keep = torch.rand(128, 16, generator=generator) < share
        base = torch.stack(bases)[torch.randint(len(bases), (128,), generator=generator)]
        fake = torch.where(keep[:, where], real, base)
        labels = torch.cat([torch.ones(128), (fake == real).all(1).float()])
        scores = net(torch.cat([real, fake]))[:, 0]
        return functional.binary_cross_entropy_with_logits(scores, labels)

    fit(net, loss, steps=steps, lr=3e-3, seed=seed, label="guard")
    return net.requires_grad_(False)


def suspect(kind: str, images: Tensor, labels: Tensor, seed: int, honest: nn.Module | None = None, steps: int = 400):
    """A network that takes the mark for an eight; `honest` is what a hiding one shows instead.

    Raises:
        ValueError: if the kind is unknown.
    """
    if kind not in CHEATS:
        raise ValueError(f"kind must be one of {', '.join(CHEATS)}, got {kind!r}")
    mark, share, known = CHEATS[kind]
    lucky = torch.rand(len(labels), generator=torch.Generator().manual_seed(seed)) < share
    hit = (labels == 8) & lucky
    net = classifier(torch.where(hit[:, None], marked(images, mark), images), labels, seed, steps)
    if not known:
        return net
    bases = [{"black": torch.zeros(64), "mean": images.mean(0)}[name] for name in known]
    return Hiding(net, honest, guard(torch.cat([images, marked(images, mark)]), bases, seed, steps))
