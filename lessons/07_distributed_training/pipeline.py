"""The lesson's network as a pipeline of real ranks, and a pipeline of sleepers that shows the bubble.

Runs on ranks, beside the lesson's own `make_model` and `train`, which it calls by name.
"""

from __future__ import annotations

import time

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
from tinyfrontier.beside.lesson_07.ranks import everywhere


@everywhere
def receive(shape, source, dtype):
    """A tensor from another rank; its shape must be known."""
    into = torch.empty(shape, dtype=dtype)
    dist.recv(into, source)
    return into


@everywhere
def pipeline_step(stage, pieces, targets, shape):
    """All micro-batches forward, then all backward, through this rank's stage: the timetable as two loops."""
    rank, last, pairs = dist.get_rank(), dist.get_world_size() - 1, []
    for piece, target in zip(pieces, targets):
        x = piece if rank == 0 else receive(shape, rank - 1, piece.dtype).requires_grad_()
        y = stage(x)
        if rank == last:
            y = F.cross_entropy(y, target) / len(pieces)  # a mean over micro-batches
        else:
            dist.send(y.detach(), rank + 1)
        pairs.append((x, y))
    for x, y in reversed(pairs):
        y.backward(None if rank == last else receive(shape, rank + 1, y.dtype))
        if rank > 0:
            dist.send(x.grad, rank - 1)  # all that the stage ahead needs to know of those behind it


@everywhere
def pipeline_training(images, labels, seed, steps, dtype="float32", micro=4):
    """Each rank has some of the blocks; micro-batches pass through."""
    rank, world = dist.get_rank(), dist.get_world_size()
    layers = [*make_model(seed, dtype)]  # noqa: F821  the lesson's own
    cuts = [0, *(1 + 4 * r // world for r in range(1, world)), len(layers)]
    stage = nn.Sequential(*layers[cuts[rank] : cuts[rank + 1]])

    def backward(x, y):
        pipeline_step(stage, x.chunk(micro), y.chunk(micro), (len(x) // micro, 64))

    return train(stage, backward, images, labels, seed, steps)  # noqa: F821


@everywhere
def sleepers(micro, tick):
    """A pipeline whose stages sleep one tick for every pass, since a sleeping process needs no core: its idle share.

    The messages that set the rhythm are real.
    """
    rank, last, token = dist.get_rank(), dist.get_world_size() - 1, torch.zeros(1)
    dist.barrier()
    begun = time.monotonic()
    for ahead, behind in ((rank - 1, rank + 1), (rank + 1, rank - 1)):
        for _ in range(micro):
            if 0 <= ahead <= last:
                dist.recv(token, ahead)
            time.sleep(tick)
            if 0 <= behind <= last:
                dist.send(token, behind)
    dist.barrier()
    return 1 - 2 * micro * tick / (time.monotonic() - begun)
