"""A network that forecasts tomorrow's weather from today's, alone or on top of a solver. Knows no equations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LARGEST = 5  # changes of a day, in their own deviations, that tanh lets through


class Gated(nn.Module):
    """x plus a gated 3 x 3 convolution of it on a periodic grid; (n, width, y, x) to the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, 2 * width, 3, padding=1, padding_mode="circular")

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        change, gate = self.mix(x).chunk(2, dim=1)
        return x + change * gate.sigmoid()


class Forecaster(nn.Module):
    """q a day later, from q of two layers (n, 2, size, size).

    Args:
        air: has `stream(q)`, the stream function, and `tidy(q)`, which takes mean and smallest waves away.
        scales: (4, 2, 1, 1), deviations of q, stream function, what is to be added to q, and its stream function.
        hybrid: whether it is also given a solver's forecast, which it corrects.
        width: channels.
        blocks: gated blocks.

    Raises:
        ValueError: if a hybrid is called without a solver's forecast, or another one with it.
    """

    def __init__(self, air: Any, scales: Tensor, hybrid: bool = False, width: int = 32, blocks: int = 4) -> None:
        super().__init__()
        self.air, self.hybrid = air, hybrid
        self.register_buffer("scales", scales.clone())
        self.enter = nn.Conv2d(4 * (6 if hybrid else 4), width, 1)
        self.blocks = nn.Sequential(*(Gated(width) for _ in range(blocks)))
        self.leave = nn.Conv2d(width, 4 * 2, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, q: Tensor, solved: Tensor | None = None) -> Tensor:
        """The forecast, (n, 2, size, size); `solved` is the solver's, of the same shape."""
        if self.hybrid == (solved is None):
            raise ValueError(f"solved must be given if and only if hybrid is True; hybrid is {self.hybrid}")
        fields = [q / self.scales[0], self.air.stream(q) / self.scales[1]]
        if solved is not None:
            fields.append(solved / self.scales[0])
        patches = functional.pixel_unshuffle(torch.cat(fields, dim=1), 2)  # (n, 4 x fields, size / 2, size / 2)
        change = functional.pixel_shuffle(self.leave(self.blocks(self.enter(patches))), 2)
        start = q if solved is None else solved
        return self.air.tidy(start + self.scales[2] * LARGEST * torch.tanh(change / LARGEST))
