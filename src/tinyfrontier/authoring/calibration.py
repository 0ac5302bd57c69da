"""How fast is this machine now? A fixed small training job, so that costs can be told in seconds of one machine.

A second of CPU time is no property of a notebook: the same work takes two or three times as long where cores are slow,
shared or throttled. The job is the lessons' own mix, about half of it interpreted Python and small tensors, because a
machine may do matrix products as fast as ever and everything else at a third of the speed.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

# Reference = 1.0: CPU seconds of one round of `job` on the machine on which the budgets of lessons 01 to 17 were first
# measured. The figure was taken on 2026-11-25 on two quiet cores of another machine (AMD EPYC, 1 MiB of L2 a core,
# Python 3.11.7, torch 2.13.0 CPU build, one thread): a round took 0.385 s, median of 40, and the solutions of lessons
# 01, 05 and 11, at 37.3, 23.6 and 30.2 s on the reference machine, took 1.43 times as long; 0.385 / 1.43 = 0.27.
REFERENCE_SECONDS = 0.27
SECONDS_WANTED, SECONDS_LIMIT, CELL_SECONDS_LIMIT = 30.0, 45.0, 20.0  # reference seconds of one solution, of one cell
PEAK_MIB_LIMIT = 1536.0
ROUNDS = 6


@dataclass(frozen=True)
class Speed:
    """What the job took here, the reference machine's time = 1: above 1 this machine is slower.

    Attributes:
        cpu: by CPU time of this process; costs are divided by it.
        wall: by the clock on the wall, which also counts waiting for a core; limits on waiting are multiplied by it.
    """

    cpu: float
    wall: float

    def reference_seconds(self, cpu_seconds: float) -> float:
        """CPU seconds measured here, as seconds of the reference machine."""
        return cpu_seconds / self.cpu

    def patience(self, reference_seconds: float) -> float:
        """Seconds on the wall after which a cell of that cost is hung: 20 times its share, never under 300."""
        return max(300.0, 20 * reference_seconds * max(1.0, self.wall))

    def __str__(self) -> str:
        return f"{self.cpu:.2f} x the reference machine's CPU time, {self.wall:.2f} x its time on the wall"


def _count_pairs(text: bytes, merges: int) -> int:
    tokens = list(text)
    for new in range(256, 256 + merges):
        pair = Counter(itertools.pairwise(tokens)).most_common(1)[0][0]
        kept, at = [], 0
        while at < len(tokens):
            if at + 1 < len(tokens) and (tokens[at], tokens[at + 1]) == pair:
                kept.append(new)
                at += 2
            else:
                kept.append(tokens[at])
                at += 1
        tokens = kept
    return len(tokens)


def _train(steps: int, generator: torch.Generator) -> float:
    embed, first, second = nn.Embedding(64, 64), nn.Linear(64, 192), nn.Linear(192, 64)
    parts = nn.ModuleList([embed, first, second, nn.LayerNorm(64)])
    optimiser = torch.optim.AdamW(parts.parameters(), lr=1e-3)
    for _ in range(steps):
        tokens = torch.randint(64, (8, 32), generator=generator)
        hidden = embed(tokens)
        query, key, value = parts[3](hidden).view(8, 32, 4, 16).transpose(1, 2).unsqueeze(0).expand(3, -1, -1, -1, -1)
        mixed = ((query @ key.mT) / 4).softmax(-1) @ value
        hidden = hidden + mixed.transpose(1, 2).reshape(8, 32, 64)
        logits = second(F.gelu(first(hidden)))
        loss = F.cross_entropy(logits[:, :-1].reshape(-1, 64), tokens[:, 1:].reshape(-1))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return loss.item()


def job() -> tuple[int, float, float]:
    """One round: merge byte pairs, train a small block, multiply matrices; returns what it computed."""
    generator = torch.Generator().manual_seed(0)
    text = bytes(torch.randint(97, 113, (20_000,), generator=generator).tolist())
    pairs = _count_pairs(text, 30)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loss = _train(120, generator)
    matrix = torch.randn(384, 384, generator=generator)
    for _ in range(40):
        matrix = matrix @ matrix
        matrix = matrix / matrix.norm()
    return pairs, loss, float(matrix.norm())


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def calibrate(rounds: int = ROUNDS) -> Speed:
    """Run the job and compare it with the reference; medians over `rounds`, after one round to warm up.

    Raises:
        ValueError: if `rounds` is not a positive int.
    """
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise ValueError(f"rounds must be a positive int, got {rounds!r}")
    cpu, wall = [], []
    with _one_thread():
        job()
        for _ in range(rounds):
            began, clock = time.process_time(), time.perf_counter()
            job()
            cpu.append(time.process_time() - began)
            wall.append(time.perf_counter() - clock)
    return Speed(statistics.median(cpu) / REFERENCE_SECONDS, statistics.median(wall) / REFERENCE_SECONDS)


def mean_speed(*speeds: Speed) -> Speed:
    """The mean of calibrations taken around a run.

    Raises:
        ValueError: if there is none.
    """
    if not speeds:
        raise ValueError("speeds must hold at least one Speed, got none")
    return Speed(*(statistics.mean(getattr(speed, name) for speed in speeds) for name in ("cpu", "wall")))


if __name__ == "__main__":
    print(calibrate())
