"""What every way of learning in lesson 37 shares: what it learns from, and networks side by side; it knows no loss."""

import torch
from tinyfrontier.beside.lesson_37.coloured import without_colour


def grouped(taught, how, seeds):
    """What a way learns from: x (runs, n, 48), y (runs, n), weights (runs, groups, n).

    Args:
        taught: `Pictures` side by side. A group is an environment, or for some ways a cell of label and colour.
        how: the way's name.
        seeds: one a run, for the shuffling.
    """
    x, y, colour, group = taught
    if how == "grey":
        x = without_colour(x)
    if how in ("balanced", "DRO by colour"):
        group = (2 * y).long() + colour
    if how == "IRM, shuffled":
        draws = [torch.Generator().manual_seed(seed) for seed in seeds]
        order = torch.stack([torch.randperm(y.shape[1], generator=draw) for draw in draws])
        x, y = x[torch.arange(len(x))[:, None], order], y.gather(1, order)
    member = torch.nn.functional.one_hot(group).float().mT
    return x, y, member / member.sum(-1, keepdim=True)


class Networks(torch.nn.Module):
    """Networks (48, 16, 1), one a seed: pictures (runs, n, 48) to logits (runs, n)."""

    def __init__(self, seeds):
        super().__init__()
        draws = [torch.Generator().manual_seed(seed) for seed in seeds]
        sizes = {"first": (48, 16), "bias": (1, 16), "last": (16, 1), "offset": (1, 1)}
        for name, size in sizes.items():
            start = torch.stack([torch.randn(size, generator=draw) for draw in draws])
            start *= (size[0] > 1) / size[0] ** 0.5  # biases begin at 0
            setattr(self, name, torch.nn.Parameter(start))

    def forward(self, x):
        """Logits (runs, n)."""
        return ((x @ self.first + self.bias).relu() @ self.last + self.offset)[..., 0]
