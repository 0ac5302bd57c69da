"""Two savings of activation memory inside one process: the batch in parts, and blocks that are run again."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn as nn
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode


def kept_bytes(model: nn.Module, loss: Callable[[], Tensor]) -> int:
    """Bytes that autograd keeps between forward and backward of `loss()`, weights not counted; runs both."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        value = loss()
    value.backward()
    return sum(kept.values())


def activations(
    model: nn.Sequential, x: Tensor, y: Tensor, parts: int = 1, again: bool = False
) -> tuple[int, int, Tensor]:
    """One step's gradients, with the batch in `parts`, or with the blocks run `again` on the way back.

    Args:
        model: a layer, blocks, a layer; its gradients are set anew.
        x: inputs (batch, width).
        y: labels (batch,).
        parts: how many micro-batches, one after the other.
        again: whether to keep each block's input alone (activation checkpointing).

    Returns:
        Bytes of activations kept at most, FLOPs, and all gradients end to end.
    """
    first, *blocks, last = model
    model.zero_grad()

    def loss(x: Tensor, y: Tensor) -> Tensor:
        h = first(x)
        for block in blocks:
            h = checkpoint(block, h, use_reentrant=False) if again else block(h)
        return nn.functional.cross_entropy(last(h), y) / parts  # gradients add up to that of the mean

    kept = []
    with FlopCounterMode(display=False) as counter:
        for some, their in zip(x.chunk(parts), y.chunk(parts)):
            some, their = some.clone(), their.clone()  # a view would keep the whole batch
            kept.append(kept_bytes(model, lambda some=some, their=their: loss(some, their)))
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    return max(kept), counter.get_total_flops(), gradient
