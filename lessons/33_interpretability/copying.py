"""Repeated random tokens, and a network of attention alone that learns to copy them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tinyfrontier.training import fit, seed_everything

VOCABULARY, LENGTH, WIDTH = 24, 32, 64
SHORT, LONG = 6, 14  # periods


def repeated(generator: torch.Generator, rows: int) -> tuple[Tensor, Tensor]:
    """Tokens (rows, 32), each row some 6 to 14 different ones again and again; and the periods (rows, 1)."""
    period = torch.randint(SHORT, LONG + 1, (rows, 1), generator=generator)
    once = torch.rand(rows, VOCABULARY, generator=generator).argsort(1)[:, :LONG]
    return once.gather(1, torch.arange(LENGTH)[None] % period), period


class Copier(nn.Module):
    """Layers of attention with residuals and nothing else; positions reach queries and keys alone."""

    def __init__(self, layers: int, heads: int) -> None:
        super().__init__()
        if WIDTH % heads:
            raise ValueError(f"heads must divide {WIDTH}, got {heads}")
        self.heads = heads
        self.token = nn.Embedding(VOCABULARY, WIDTH)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, WIDTH))
        self.pairs = nn.ModuleList(nn.Linear(WIDTH, 2 * WIDTH, bias=False) for _ in range(layers))
        self.value = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(layers))
        self.out = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(layers + 1))
        self.last = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, tokens: Tensor, keep: Tensor | None = None, seen: list | None = None) -> Tensor:
        """Scores for each next token.

        Args:
            tokens: (rows, t) integers.
            keep: (layers, heads), 0 where a head's output is replaced by zero; None keeps all.
            seen: a list to which each layer's attention (rows, heads, t, t) and values (rows, heads, t, d) are added.
        """
        rows, t = tokens.shape
        x = self.token(tokens)
        future = torch.full((t, t), -torch.inf).triu(1)
        for layer, (pairs, value, out) in enumerate(zip(self.pairs, self.value, self.out, strict=True)):
            read = self.norms[layer](x)
            q, k = pairs(read + self.place[:t]).view(rows, t, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
            v = value(read).view(rows, t, self.heads, -1).transpose(1, 2)  # (rows, heads, t, d)
            attention = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + future).softmax(-1)
            if seen is not None:
                seen.append((attention, v))
            mixed = attention @ v
            if keep is not None:
                mixed = mixed * keep[layer][:, None, None]
            x = x + out(mixed.transpose(1, 2).flatten(2))
        return self.last(self.norms[-1](x))


def copying(net: Copier, keep: Tensor | None = None, rows: int = 64, seed: int = 99) -> float:
    """Share of repeated tokens that the network foretells; `keep` (layers, heads) is 0 where a head is removed."""
    tokens, period = repeated(torch.Generator().manual_seed(seed), rows)
    with torch.no_grad():
        right = net(tokens[:, :-1], keep).argmax(-1) == tokens[:, 1:]
    return right[torch.arange(LENGTH - 1)[None] >= period].float().mean().item()


def copier(layers: int, heads: int, seed: int, steps: int = 400) -> tuple[Copier, list[float]]:
    """A network trained to foretell repeated tokens, and its losses."""
    seed_everything(seed)
    net, late = Copier(layers, heads), torch.arange(LENGTH - 1)[None]

    def loss(generator):
        tokens, period = repeated(generator, 64)
        scores = net(tokens[:, :-1]).transpose(1, 2)
        each = nn.functional.cross_entropy(scores, tokens[:, 1:], reduction="none")
        return each[late >= period].mean()

    how = {"warmup": 20, "betas": (0.9, 0.98), "clip": 1.0, "label": "copying"}
    return net, fit(net, loss, steps=steps, lr=3e-3, seed=seed, **how).losses


def guessing(rows: int = 4096) -> float:
    """Share of repeated tokens that a random token of the row foretells: the mean of one over the period."""
    _, period = repeated(torch.Generator().manual_seed(1), rows)
    late = torch.arange(LENGTH - 1)[None] >= period
    return float((1 / period.expand_as(late)[late]).mean())
