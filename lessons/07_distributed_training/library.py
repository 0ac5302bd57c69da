"""The lesson's training by PyTorch's own classes: DDP, FSDP2, DTensor, and the last two together.

Runs on ranks, beside the lesson's own `make_model` and `train`, which it calls by name.
"""

from __future__ import annotations

import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
from tinyfrontier.beside.lesson_07.ranks import everywhere


@everywhere
def wrap(kind, model, world):
    """One of PyTorch's ways; returns the wrapped model and in how many parts the batch is split."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    if kind == "DDP":
        return nn.parallel.DistributedDataParallel(model), world
    tensor = {"FSDP2": 1, "DTensor": world, "FSDP2 x DTensor": 2}[kind]
    mesh = init_device_mesh("cpu", (world // tensor, tensor), mesh_dim_names=("data", "tensor"))
    for block in model[1:-1]:
        if tensor > 1:
            parallelize_module(block, mesh["tensor"], {"into": ColwiseParallel(), "out": RowwiseParallel()})
        if world > tensor:
            fully_shard(block, mesh=mesh["data"])
    return fully_shard(model, mesh=mesh["data"]) if world > tensor else model, world // tensor


@everywhere
def library_training(images, labels, seed, steps, kind, dtype="float32"):
    """Data parallel as in the lesson, without a word about messages."""
    rank, world = dist.get_rank(), dist.get_world_size()
    model, parts = wrap(kind, make_model(seed, dtype), world)  # noqa: F821  the lesson's own
    part = rank * parts // world

    def backward(x, y):
        F.cross_entropy(model(x.chunk(parts)[part]), y.chunk(parts)[part]).backward()

    return train(model, backward, images, labels, seed, steps)  # noqa: F821
