"""What a restoring network is asked: training batches, beams that fill a gap, and log-probabilities of fillings.

Knows the shapes of the network's inputs alone, and nothing of the course.
"""

import torch
from torch import Tensor
from torch.nn import functional

MISSING = 27
LONGEST = 10
TOLD = 8  # letters on either side of a gap that it is told


def practice(signs: Tensor, count: int, generator: torch.Generator, gaps: int = 4, span: int = 96):
    """A batch of pieces of `signs` (n,), with `gaps` gaps of 1 to 10 letters each, one in each stretch of the piece.

    Returns:
        shown (count, span), told, behind (count, questions, TOLD), where, left (count, questions): what the network
        takes.
        letters and asked (count, questions): what is right, and which questions are real ones.
    """
    first = torch.randint(TOLD, len(signs) - span, (count,), generator=generator)
    pieces = signs[first[:, None] + torch.arange(-TOLD, span)]  # (count, TOLD + span)
    stretch, steps = span // gaps, torch.arange(LONGEST)
    length = torch.randint(1, LONGEST + 1, (count, gaps), generator=generator)
    room = torch.rand(count, gaps, generator=generator) * (stretch - length + 1)
    start = room.long() + torch.arange(gaps) * stretch
    where = (start[..., None] + steps).flatten(1).clamp(max=span - 1)
    asked = (steps < length[..., None]).flatten(1)
    left = (length[..., None] - steps).clamp(min=0).flatten(1)
    shown = pieces[:, TOLD:].clone()
    shown.scatter_(1, torch.where(asked, where, start[:, :1]), MISSING)
    real_first = torch.argsort((~asked).long(), dim=1, stable=True)[:, : int(asked.sum(1).max())]
    where, left, asked = (part.gather(1, real_first) for part in (where, left, asked))
    rows = torch.arange(count)[:, None]
    told = pieces.unfold(1, TOLD, 1)[rows, where]  # ends just before the place
    beyond = functional.pad(shown, (0, TOLD)).unfold(1, TOLD, 1)  # may hold the next gap: no letter of it is told
    behind = beyond[rows, (where + left).clamp(max=span)]
    return shown, told, behind, where, left, pieces.gather(1, where + TOLD), asked


def damaged(letters: Tensor, start: Tensor, gap: int) -> Tensor:
    """`letters` (items, n) with MISSING in `gap` places from `start` (items,)."""
    return letters.scatter(1, start[:, None] + torch.arange(gap), MISSING)


def questions(letters: Tensor, start: Tensor, filled: Tensor) -> Tensor:
    """The letters before each place of each candidate (items, width, gap): (items, width, gap, TOLD)."""
    before = letters.gather(1, start[:, None] + torch.arange(-TOLD, 0))
    line = torch.cat([before[:, None].expand(-1, filled.shape[1], -1), filled], dim=2)
    return line.unfold(2, TOLD, 1)[:, :, :-1]


def _behind(letters: Tensor, start: Tensor, gap: int, many: int) -> Tensor:
    """The letters behind each gap, `many` times: (items, many, TOLD)."""
    found = letters.gather(1, start[:, None] + gap + torch.arange(TOLD))
    return found[:, None].expand(-1, many, -1)


@torch.no_grad()
def log_chances(net, letters: Tensor, start: Tensor, filled: Tensor) -> Tensor:
    """Log-probability of each candidate (items, width, gap): (items, width)."""
    items, width, gap = filled.shape
    told = questions(letters, start, filled).flatten(1, 2)
    step, behind = torch.arange(gap).repeat(width), _behind(letters, start, gap, width * gap)
    out = net(damaged(letters, start, gap), told, behind, start[:, None] + step, (gap - step).expand(items, -1))
    out = out[..., 1:27].log_softmax(-1).unflatten(1, (width, gap))
    return out.gather(3, filled[..., None] - 1)[..., 0].sum(2)


@torch.no_grad()
def beam(net, letters: Tensor, start: Tensor, gap: int, width: int = 20) -> tuple[Tensor, Tensor]:
    """The best fillings (items, width, gap), letter by letter from the left, and their log-probabilities."""
    items, shown = len(letters), damaged(letters, start, gap)
    filled, scores = torch.ones(items, 1, gap, dtype=torch.long), torch.zeros(items, 1)
    for step in range(gap):
        told = questions(letters, start, filled)[:, :, step]
        where, left = (start + step)[:, None].expand(told.shape[:2]), torch.full(told.shape[:2], gap - step)
        behind = _behind(letters, start, gap, told.shape[1])
        spread = scores[..., None] + net(shown, told, behind, where, left)[..., 1:27].log_softmax(-1)
        scores, best = spread.flatten(1).sort(dim=1, descending=True, stable=True)
        scores, best = scores[:, :width], best[:, :width]
        filled = filled.gather(1, (best // 26)[..., None].expand(-1, -1, gap)).clone()
        filled[:, :, step] = best % 26 + 1
    return filled, scores
