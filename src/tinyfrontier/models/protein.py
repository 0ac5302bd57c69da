"""A masked language model of proteins: letters in, a guess of each out. Knows nothing of families or training."""

from __future__ import annotations

from torch import Tensor, nn

LETTERS = 20
MASK = 20  # the token in place of a hidden letter


class Residues(nn.Module):
    """x plus a gated convolution along the chain (Dauphin et al., 2017, arXiv 1612.08083); (n, length, width)."""

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv1d(width, 2 * width, 2 * reach + 1, padding=reach)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        change, gate = self.mix(self.norm(x).transpose(1, 2)).chunk(2, dim=1)  # (n, width, length)
        return x + self.out((change * gate.sigmoid()).transpose(1, 2))


class ProteinModel(nn.Module):
    """Logits of each residue's letter, (n, length, 20), from tokens (n, length): letters 0 to 19, or MASK.

    Convolutions in place of attention, as in CARP (Yang et al., 2024, Cell Systems).

    Args:
        width: numbers that describe one residue.
        blocks: gated convolutions.
        reach: neighbours to each side that a block looks at.
    """

    def __init__(self, width: int = 48, blocks: int = 4, reach: int = 3) -> None:
        super().__init__()
        self.enter = nn.Embedding(LETTERS + 1, width)
        self.blocks = nn.Sequential(*(Residues(width, reach) for _ in range(blocks)))
        self.norm, self.leave = nn.LayerNorm(width), nn.Linear(width, LETTERS)

    def forward(self, tokens: Tensor) -> Tensor:
        """The logits."""
        return self.leave(self.norm(self.blocks(self.enter(tokens))))
