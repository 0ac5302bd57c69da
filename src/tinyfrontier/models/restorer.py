"""A network that restores letters: it reads a damaged text once and answers questions about the missing places."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SIGNS = 28  # 0 between two texts, 26 letters, 27 a missing one


@dataclass(frozen=True)
class RestorerConfig:
    """Sizes: of the vectors, of the table of runs, of the text, of the letters told on each side; and the dropout."""

    width: int = 64
    layers: int = 3
    heads: int = 4
    entries: int = 65_536
    piece: int = 16
    span: int = 96
    told: int = 8
    dropout: float = 0.1


class Layer(nn.Module):
    """Attention to the text, then two dense layers; text and questions (batch, n, width) to the same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, text: int) -> Tensor:
        """All attend to the first `text` places alone, so that no question sees another one."""
        batch, places, width = x.shape
        parts = self.ask(self.norm_1(x)).view(batch, places, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (batch, heads, places, width / heads)
        seen = functional.scaled_dot_product_attention(query, key[:, :, :text], value[:, :, :text])
        x = x + self.answer(seen.transpose(1, 2).reshape(batch, places, width))
        return x + self.think(self.norm_2(x))


class Restorer(nn.Module):
    """Letters of missing places, from a damaged text and the letters already filled in before each place."""

    def __init__(self, config: RestorerConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.near = nn.Embedding((2 * config.told + 5) * SIGNS, width)
        self.runs = nn.Embedding(config.entries, config.piece)
        self.around, self.before = nn.Linear(2 * config.piece, width), nn.Linear(9 * config.piece, width)
        self.drop = nn.Dropout(config.dropout)
        self.place, self.left = nn.Embedding(config.span, width), nn.Embedding(12, width)
        self.layers = nn.ModuleList(Layer(width, config.heads) for _ in range(config.layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, SIGNS)
        for table in (self.near, self.place, self.left):
            nn.init.normal_(table.weight, std=0.02)
        nn.init.normal_(self.runs.weight, std=0.05)

    def _look_up(self, *runs: Tensor) -> Tensor:
        """Vectors of some runs of letters (..., n) side by side; runs share the table's entries by chance."""
        found = []
        for run in runs:
            code = torch.zeros_like(run[..., 0])
            for sign in run.unbind(-1):
                code = (code * 31 + sign * 7919 + 1) % 1_000_003
            found.append(self.runs(code % self.config.entries))
        return self.drop(torch.cat(found, dim=-1))

    def _embed_text(self, shown: Tensor) -> Tensor:
        """(batch, span) to (batch, span, width): the five letters around each place."""
        five = functional.pad(shown, (2, 2)).unfold(1, 5, 1)
        offset = SIGNS * (2 * self.config.told + torch.arange(5))
        text = self.near(five + offset).sum(2) + self.around(self._look_up(five[..., 1:4], five))
        return text + self.place.weight[: shown.shape[1]]

    def read(self, shown: Tensor) -> Tensor:
        """What it makes of a damaged text (batch, span): (batch, span, width)."""
        x = self._embed_text(shown)
        for layer in self.layers:
            x = layer(x, shown.shape[1])
        return self.norm(x)

    def forward(self, shown: Tensor, told: Tensor, behind: Tensor, where: Tensor, left: Tensor) -> Tensor:
        """Logits (batch, questions, 28) of the letters in asked places.

        Args:
            shown: the text with 27 in missing places, (batch, span).
            told: the letters before each place, (batch, questions, told).
            behind: the letters behind the end of each place's gap, of the same shape.
            where: the places, (batch, questions).
            left: how many letters of the gap are missing from there on, (batch, questions).
        """
        both = torch.cat([told, behind], dim=-1)
        runs = [told[..., -n:] for n in (3, 4, 5, 6)]
        far = 30 + left[..., None]  # a sign of its own for each distance to the gap's end
        runs += [torch.cat([far, behind[..., :n]], dim=-1) for n in (3, 4, 5)]
        runs += [torch.cat([told[..., -n:], far, behind[..., :n]], dim=-1) for n in (2, 3)]
        question = self.near(both + SIGNS * torch.arange(both.shape[-1])).sum(2) + self.before(self._look_up(*runs))
        question = question + self.place(where) + self.left(left)
        x, text = torch.cat([self._embed_text(shown), question], dim=1), shown.shape[1]
        for layer in self.layers:
            x = layer(x, text)
        return self.out(self.norm(x[:, text:]))
