"""A masked language model of proteins: letters in, a guess of each letter out. Knows nothing of families or training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LETTERS = 20
MASK = 20  # the token in place of a hidden letter


class ResidueBlock(nn.Module):
    """Self-attention that knows how far apart two residues are, then two layers a residue; both added to their input."""

    def __init__(self, width: int, heads: int, reach: int) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.apart = nn.Parameter(torch.zeros(heads, 2 * reach - 1))
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(n, length, width) -> the same shape."""
        n, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        place = torch.arange(length, device=x.device)
        bias = self.apart[:, place[:, None] - place + self.reach - 1]  # (heads, length, length)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, length, width))
        return x + self.feed(self.norm2(x))


class ProteinModel(nn.Module):
    """Logits of each residue's letter, (n, length, 20), from tokens (n, length): letters 0 to 19, or MASK.

    Args:
        width: numbers that describe one residue.
        blocks: attention blocks.
        heads: attention heads a block; must divide `width`.
        reach: longest chain.

    Raises:
        ValueError: if a chain is longer than `reach`.
    """

    def __init__(self, width: int = 64, blocks: int = 3, heads: int = 4, reach: int = 40) -> None:
        super().__init__()
        self.reach = reach
        self.enter = nn.Embedding(LETTERS + 1, width)
        self.blocks = nn.Sequential(*(ResidueBlock(width, heads, reach) for _ in range(blocks)))
        self.norm, self.leave = nn.LayerNorm(width), nn.Linear(width, LETTERS)

    def forward(self, tokens: Tensor) -> Tensor:
        """The logits."""
        if tokens.shape[-1] > self.reach:
            raise ValueError(f"tokens must be chains of at most {self.reach} residues, got {tokens.shape[-1]}")
        return self.leave(self.norm(self.blocks(self.enter(tokens))))
