"""An E(3)-equivariant denoiser of molecules: atoms in space and their elements, after Hoogeboom et al. (2022).

All molecules of a batch have the same number of atoms, so there are no masks. It knows nothing of noise schedules or
chemistry.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class DenoiserConfig:
    """Sizes of a `MoleculeDenoiser`.

    Attributes:
        elements: kinds of atoms.
        width: numbers that an atom holds between layers.
        layers: rounds of messages.
    """

    elements: int = 4
    width: int = 64
    layers: int = 4


def distance_features(x: Tensor) -> Tensor:
    """Distances of all pairs, plain and spread over 25 bumps from 0.6 to 4.2: (..., n, 3) -> (..., n, n, 26)."""
    apart = x[..., :, None, :] - x[..., None, :, :]
    far = (apart.square().sum(-1, keepdim=True) + 1e-8).sqrt()
    bumps = torch.linspace(0.6, 4.2, 25, dtype=x.dtype, device=x.device)
    return torch.cat([far, torch.exp(-(((far - bumps) / 0.2) ** 2))], dim=-1)


class EquivariantLayer(nn.Module):
    """One round of messages between all atoms: positions follow turns, mirrors and shifts, features ignore them."""

    def __init__(self, width: int):
        super().__init__()
        self.me, self.other = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.far = nn.Linear(52, width, bias=False)
        self.message = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.gate, self.push = nn.Linear(width, 1), nn.Linear(width, 1, bias=False)
        self.update = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))
        nn.init.xavier_uniform_(self.push.weight, gain=0.01)

    def forward(self, x: Tensor, h: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Positions (batch, n, 3), features (batch, n, width) and `distance_features` of the start: both anew."""
        far = torch.cat([distance_features(x), start], dim=-1)
        message = self.message(self.me(h)[:, :, None] + self.other(h)[:, None] + self.far(far))  # (batch, i, j, width)
        message = message * torch.sigmoid(self.gate(message))
        apart = x[:, :, None] - x[:, None]
        x = x + (apart / (far[..., :1] + 1) * self.push(message)).mean(dim=2)
        return x, h + self.update(torch.cat([h, message.sum(dim=2)], dim=-1))


class MoleculeDenoiser(nn.Module):
    """Guesses, for noisy positions and elements, how both move on the way to noise."""

    def __init__(self, config: DenoiserConfig):
        super().__init__()
        self.embed = nn.Linear(config.elements + 5, config.width)
        self.layers = nn.ModuleList(EquivariantLayer(config.width) for _ in range(config.layers))
        self.read = nn.Linear(config.width, config.elements)

    def forward(self, x: Tensor, h: Tensor, angle: Tensor, wish: Tensor) -> tuple[Tensor, Tensor]:
        """A guess for positions and one for elements.

        Args:
            x: noisy positions (batch, n, 3) with their middle at zero.
            h: noisy one-hot elements (batch, n, elements).
            angle: how far on the way to noise (batch,), above 0, at most pi / 2.
            wish: the wanted property and 1, or two zeros (batch, 2).

        Returns:
            positions' guess (batch, n, 3) with its middle at zero, elements' guess (batch, n, elements).
        """
        time = torch.stack([angle.cos(), angle.sin(), angle.sin().log()], dim=-1)
        known = torch.cat([time, wish], dim=-1)[:, None].expand(-1, x.shape[1], -1)
        start, moved, features = distance_features(x), x, self.embed(torch.cat([h, known], dim=-1))
        for layer in self.layers:
            moved, features = layer(moved, features, start)
        guess = moved - x
        return guess - guess.mean(dim=1, keepdim=True), self.read(features)
