"""Train a small GPT on as many processes as torchrun starts: sharded data parallel times tensor parallel.

One machine, four processes, tensor parallel in pairs, which leaves two groups of sharded data parallel:

    torchrun --standalone --nproc-per-node 4 train.py --tensor 2

Several machines, the same file, this line on each of them (every machine names the same first one):

    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint FIRST_MACHINE:29500 train.py --tensor 8

With GPUs it uses one a process, and nccl; without, the processor and gloo. The result does not depend on the number of
processes: the same seed gives the same losses up to rounding. Needs PyTorch, safetensors and the course's package.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.utils.checkpoint import checkpoint

from tinyfrontier.data import text_corpus

# What is split over the ranks of a tensor-parallel group: whole heads, and the hidden units of the feed-forward layer.
SPLIT = {
    "query": ColwiseParallel(),
    "key": ColwiseParallel(),
    "value": ColwiseParallel(),
    "mix": RowwiseParallel(),
    "into": ColwiseParallel(),
    "out": RowwiseParallel(),
}


class Block(nn.Module):
    """Causal attention, then feed-forward; queries, keys and values have a matrix each, so that heads can be split."""

    def __init__(self, width: int, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.mix = (nn.Linear(width, width) for _ in range(4))
        self.into, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same shape."""
        y = self.norm1(x)
        # (batch, heads, tokens, head_dim); -1, because a rank of a tensor-parallel group has some of the heads only
        q, k, v = (
            part(y).unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.mix(mixed.transpose(1, 2).flatten(2))
        return x + self.out(F.gelu(self.into(self.norm2(x))))


class GPT(nn.Module):
    """A decoder over bytes. `recompute`: keep only the blocks' inputs, and run each block again when going back."""

    def __init__(self, width: int, layers: int, heads: int, context: int, recompute: bool) -> None:
        super().__init__()
        self.recompute = recompute
        self.token, self.place = nn.Embedding(256, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, width // heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 256)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, context + 1) -> mean cross-entropy of each next token, a number."""
        tokens, after = tokens[:, :-1], tokens[:, 1:]  # each (batch, context)
        x = self.token(tokens) + self.place.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.recompute else block(x)
        logits = self.head(self.norm(x)).float()  # (batch, context, 256)
        return F.cross_entropy(logits.flatten(0, 1), after.flatten())


def distribute(model: GPT, tensor: int, bf16: bool, device: str) -> tuple[nn.Module, int, int]:
    """Split the blocks over groups of `tensor` ranks, then shard everything over the groups.

    Returns the model, this rank's number among the groups, and the number of groups.

    Raises:
        ValueError: if `tensor` does not divide the number of processes.
    """
    world = dist.get_world_size()
    if tensor < 1 or world % tensor:
        raise ValueError(f"--tensor must divide the number of processes ({world}), got {tensor}")
    mesh = init_device_mesh(device, (world // tensor, tensor), mesh_dim_names=("data", "tensor"))
    policy = (
        MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32) if bf16 else MixedPrecisionPolicy()
    )
    for block in model.blocks:
        if tensor > 1:
            parallelize_module(block, mesh["tensor"], SPLIT)
        fully_shard(block, mesh=mesh["data"], mp_policy=policy)
    return fully_shard(model, mesh=mesh["data"], mp_policy=policy), mesh["data"].get_local_rank(), world // tensor


def windows(text: Tensor, seed: int, step: int, batch: int, context: int) -> Tensor:
    """The whole batch of one step, (batch, context + 1); every rank draws the same and takes its part."""
    generator = torch.Generator().manual_seed(1_000_003 * seed + step)
    starts = torch.randint(len(text) - context - 1, (batch,), generator=generator)
    return torch.stack([text[start : start + context + 1] for start in starts.tolist()])


def train(options: argparse.Namespace, device: str) -> dict:
    """Train, and return the record that `--out` writes."""
    torch.manual_seed(options.seed)  # every rank makes the same whole model, and keeps its part
    model = GPT(options.width, options.layers, options.heads, options.context, options.recompute)
    model, group, groups = distribute(model.to(device), options.tensor, options.bf16, device)
    parts = groups * options.accumulate
    if options.batch % parts:
        raise ValueError(f"--batch must be a multiple of groups x --accumulate ({parts}), got {options.batch}")
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.lr)
    text = torch.frombuffer(bytearray(text_corpus().train), dtype=torch.uint8).long()
    losses, began = [], time.perf_counter()
    for step in range(options.steps):
        whole = windows(text, options.seed, step, options.batch, options.context).to(device)
        mine = whole.chunk(groups)[group].chunk(options.accumulate)
        total = torch.zeros((), device=device)
        optimiser.zero_grad()
        for index, part in enumerate(mine):
            model.set_requires_gradient_sync(index == len(mine) - 1)  # gradients travel once a step
            loss = model(part) / len(mine)
            loss.backward()
            total += loss.detach()
        optimiser.step()
        dist.all_reduce(total)  # each group's loss is counted once for every rank of the group
        losses.append(total.item() / dist.get_world_size())
    weights = {name: whole_tensor(value) for name, value in model.state_dict().items()}
    held = sum(p.to_local().nbytes for p in model.parameters())
    record = {"world": dist.get_world_size(), "tensor": options.tensor, "losses": losses, "bytes_of_weights_held": held}
    record["seconds_a_step"] = (time.perf_counter() - began) / options.steps
    if options.out and dist.get_rank() == 0:
        folder = Path(options.out)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: value.cpu().contiguous() for name, value in weights.items()}, folder / "weights.safetensors")
        (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    return record


def whole_tensor(value: Tensor) -> Tensor:
    """A parameter put together from its parts; every rank has to ask for it."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8, help="sequences a step, over all processes together")
    parser.add_argument("--tensor", type=int, default=1, help="ranks that share each layer")
    parser.add_argument("--accumulate", type=int, default=1, help="micro-batches a step on each group")
    parser.add_argument("--bf16", action="store_true", help="compute in bf16; weights and optimiser stay in fp32")
    parser.add_argument("--recompute", action="store_true", help="activation checkpointing")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="folder for record.json and weights.safetensors")
    return parser.parse_args(given)


def main() -> None:
    """Join the other processes, train, and leave."""
    options = arguments()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=timedelta(minutes=5))
    try:
        record = train(options, device)
        if dist.get_rank() == 0:
            print(json.dumps(record))
    finally:
        with contextlib.suppress(Exception):  # a failure while leaving must not hide the one that made us leave
            dist.destroy_process_group()
    # All is written. The interpreter's own way out now and then aborts while gloo's threads still run, and torchrun
    # would take a finished run for a failed one.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
