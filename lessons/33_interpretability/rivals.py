"""What else may rank the sixteen blocks of an image: sampling orders, greedy searches, gradients, ink.

All but the gradients look at nothing but the game `v` (2^16,): the answer by the set of blocks that are shown, a bit a
block. Higher scores mean that a block counts more.
"""

from __future__ import annotations

import numpy as np
import torch

N = 16  # blocks of 2 x 2 pixels, in rows of four
BLOCK = np.arange(64) // 16 * 4 + np.arange(64) % 8 // 2  # block of each pixel, (64,)
FULL = 2**N - 1


def _check_game(v: np.ndarray) -> None:
    if not isinstance(v, np.ndarray) or v.shape != (2**N,):
        raise ValueError(f"v must be an array of shape ({2**N},), got {getattr(v, 'shape', type(v).__name__)}")


def orders(v: np.ndarray, calls: int, chance: np.random.Generator) -> np.ndarray:
    """Shapley values by random orders and their reverses: what each block adds when its turn comes, (16,).

    Raises:
        ValueError: if `v` is no game, or `calls` is below 34, one order and its reverse.
    """
    _check_game(v)
    if calls < 2 * (N + 1):
        raise ValueError(f"calls must be at least {2 * (N + 1)}, got {calls}")
    total, count = np.zeros(N), 0
    for _ in range(calls // (2 * (N + 1))):
        order = chance.permutation(N)
        for each in (order, order[::-1]):
            total[each] += np.diff(v[np.concatenate([[0], np.cumsum(1 << each)])])
            count += 1
    return total / count


def greedy(v: np.ndarray, adding: bool = False) -> np.ndarray:
    """16 for the block whose removal hurts most (or whose addition helps most), 15 for the next; 136 calls."""
    _check_game(v)
    now, scores, left = 0 if adding else FULL, np.zeros(N), list(range(N))
    for worth in range(N, 0, -1):
        best = max(left, key=lambda j: v[now ^ (1 << j)] if adding else -v[now ^ (1 << j)])
        scores[best], now = worth, now ^ (1 << best)
        left.remove(best)
    return scores


def over_blocks(pixels) -> np.ndarray:
    """Sums over each block, (16,), of numbers by pixel, (64,)."""
    return np.bincount(BLOCK, np.asarray(pixels, dtype=float), minlength=N)


def gradient(net, image: torch.Tensor, base: torch.Tensor, target: int, probability: bool = False) -> np.ndarray:
    """Gradient times what the image differs from the base, summed over blocks, (16,).

    It is the gradient of the class's score, or of its `probability`.
    """
    x = image[None].clone().requires_grad_()
    scores = net(x)
    (scores.softmax(1) if probability else scores)[0, target].backward()
    return over_blocks((image - base) * x.grad[0])


def integrated(net, image: torch.Tensor, base: torch.Tensor, target: int, steps: int = 32) -> np.ndarray:
    """Integrated gradients of the class's probability by the middle rule, (64,): Sundararajan et al., 2017."""
    along = (torch.arange(steps) + 0.5) / steps
    x = (base + along[:, None] * (image - base)).requires_grad_()
    net(x).softmax(1)[:, target].sum().backward()
    return ((image - base) * x.grad.mean(0)).double().numpy()
