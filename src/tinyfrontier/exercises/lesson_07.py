"""Exercises of lesson 07: ring all-reduce, a split feed-forward layer, a pipeline's timetable, bytes held by a rank."""

import math

import torch
import torch.nn.functional as F

from .form import exercise


@exercise(
    returns="float tensor (2 * (ranks - 1) + 1, ranks, ranks, size)",
    points=2,
    no_gradient="what goes round the ring are finished gradients, plain numbers",
)
def ring_all_reduce(parts):
    ranks = len(parts)
    states = [parts.clone()]
    for step in range(2 * (ranks - 1)):
        before, after = states[-1], states[-1].clone()
        for rank in range(ranks):
            left, chunk = (rank - 1) % ranks, (rank - step - 2) % ranks
            after[rank, chunk] = before[left, chunk]
            if step < ranks - 1:
                after[rank, chunk] += before[rank, chunk]
        states.append(after)
    return torch.stack(states)


@ring_all_reduce.cases
def _():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape, size=1.0):
        return size * torch.randn(*shape, generator=generator)

    yield "4 ranks, chunks of 3", draw(4, 4, 3)
    yield "2 ranks, chunks of 1", torch.tensor([[[1.0], [2.0]], [[10.0], [20.0]]])
    yield "3 ranks, large and small numbers", draw(3, 3, 2, size=100.0)
    yield "one rank alone", draw(1, 1, 4)
    yield "5 ranks", draw(5, 5, 2)


@ring_all_reduce.usual
def ring_all_reduce(parts):
    ranks, states = len(parts), [parts]
    for step in range(2 * (ranks - 1)):
        state = states[-1].clone()
        for rank in range(ranks):
            chunk = (rank - step - 2) % ranks
            taken = states[-1][rank - 1, chunk]
            state[rank, chunk] = taken + state[rank, chunk] if step < ranks - 1 else taken
        states.append(state)
    return torch.stack(states)


ring_all_reduce.slip(" if step < ranks - 1 else taken", "", "always adds").says(
    "the second half adds as well, so finished sums are added again. A finished sum replaces."
)
ring_all_reduce.slip("taken + state[rank, chunk] if step < ranks - 1 else taken", "taken", "never adds").says(
    "nothing is ever added: chunks are copied round the ring. Sum first."
)
ring_all_reduce.slip("range(2 * (ranks - 1))", "range(ranks - 1)", "stops half way").says(
    "after one round each rank holds one finished chunk. A second round must spread them."
)
ring_all_reduce.slip("step - 2", "step - 1", "one chunk off").says(
    "the chunk that is taken is off by one: it is the one that the left neighbour gives in this step."
)
ring_all_reduce.slip("(rank - step - 2)", "(rank + step)", "chunks walk backwards").says(
    "the chunk's number grows with the step. Going round the ring it falls."
)
ring_all_reduce.slip("torch.stack(states)", "torch.stack(states) / ranks", "averaged").says(
    "these are means. An all-reduce gives sums; the caller divides."
)
ring_all_reduce.slip("states.append(state)", "states = [state] * (len(states) + 1)", "one state for all").says(
    "all states are the last one: the same tensor stands in the list again and again. Keep a copy of each."
)
ring_all_reduce.slip("[rank - 1,", "[(rank + 1) % ranks,", "from the right neighbour").says(
    "the chunk comes from the right neighbour. Rank r takes from r - 1."
)
ring_all_reduce.slip("step < ranks - 1", "step < ranks", "one sum too many").says(
    "one step too many adds: the first W - 1 steps do, numbered 0 to W - 2. A finished sum replaces."
)
ring_all_reduce.slip("step < ranks - 1", "step < ranks - 2", "one sum too few").says(
    "the last step of the first half overwrites already, so a rank's part is lost from the sum."
)
ring_all_reduce.slip("(rank - step - 2)", "(-step - 2)", "the same chunk everywhere").says(
    "all ranks take the same chunk in a step. Each takes another one, so that all of them work at once."
)


@exercise(returns="float tensor (ranks, batch, width)", points=2, tolerance=1e-5)
def tensor_parallel(x, w1, b1, w2, b2, ranks):
    partials = torch.zeros(ranks, len(x), w2.shape[0], dtype=x.dtype)
    for unit in range(len(w1)):
        owner = unit * ranks // len(w1)
        hidden = F.gelu(x @ w1[unit] + b1[unit])  # (batch,)
        partials[owner] += hidden[:, None] * w2[:, unit]
    partials[0] += b2
    return partials


@tensor_parallel.cases
def _():
    generator = torch.Generator().manual_seed(2)

    def layer(batch, width, hidden, out, ranks):
        shapes = ((batch, width), (hidden, width), (hidden,), (out, hidden), (out,))
        return (*(torch.randn(*shape, generator=generator) for shape in shapes), ranks)

    yield "batch 3, width 4, hidden 8, 2 ranks", *layer(3, 4, 8, 4, 2)
    yield "one rank holds everything", *layer(2, 5, 3, 5, 1)
    yield "batch of one, 4 ranks", *layer(1, 6, 12, 6, 4)
    yield "one hidden unit a rank", *layer(5, 2, 3, 2, 3)
    yield "other width out than in", *layer(4, 3, 6, 7, 3)
    yield "batch, widths and hidden all 4", *layer(4, 4, 4, 4, 2)


@tensor_parallel.usual
def tensor_parallel(x, w1, b1, w2, b2, ranks):
    parts = []
    for up, bias, down in zip(w1.chunk(ranks), b1.chunk(ranks), w2.chunk(ranks, dim=1)):
        hidden = F.gelu(F.linear(x, up, bias))  # (batch, hidden / ranks)
        parts.append(F.linear(hidden, down, None if parts else b2))
    return torch.stack(parts)


tensor_parallel.slip("None if parts else b2", "b2", "b2 on every rank").says(
    "every rank adds `b2`, so the sum holds it `ranks` times. Who should add it?"
)
tensor_parallel.slip("None if parts else b2", "None", "b2 forgotten", "nobody adds `b2`. One rank has to.")
tensor_parallel.slip("F.linear(x, up, bias)", "F.linear(x, up)", "b1 forgotten").says(
    "`b1` is missing. It is split like the rows of `w1`."
)
tensor_parallel.slip(
    "torch.stack(parts)", "torch.stack(parts).sum(0).expand(ranks, -1, -1).clone()", "already summed"
).says("every rank returns the whole layer's output. Return each rank's own part; the sum comes later.")
tensor_parallel.slip("F.gelu(F.linear(x, up, bias))", "F.linear(x, up, bias)", "no GELU").says(
    "the GELU is missing. Each rank can apply it alone, because it holds whole hidden units."
)
tensor_parallel.slip("torch.stack(parts)", "torch.stack(parts).sum(0)", "sum returned").says(
    "this is the finished output. Wanted are the parts, one a rank."
)
tensor_parallel.slip("None if parts else b2", "b2 / ranks", "b2 shared out").says(
    "each rank adds a share of `b2`. The sum is right, but here rank 0 adds it whole, and nobody else."
)
tensor_parallel.slip("None if parts else b2", "b2 if len(parts) == ranks - 1 else None", "b2 on the last rank").says(
    "the last rank adds `b2`. The sum is right, but here it is rank 0 that adds it."
)
tensor_parallel.slip("bias))  #", "bias), approximate='tanh')  #", "approximate GELU").says(
    "GELU was approximated by a tanh. Wanted is the exact one, `F.gelu` as it is."
)
tensor_parallel.slip("F.gelu(F", "F.relu(F", "ReLU", "a ReLU stands where the GELU should: negative units are cut off.")
tensor_parallel.slip("F.gelu(F.linear(x, up, bias))", "F.linear(x, F.gelu(up), bias)", "GELU of the weights").says(
    "the GELU was applied to the weights. It is applied to the hidden units."
)
tensor_parallel.slip(
    "zip(w1.chunk(ranks), b1.chunk(ranks), w2.chunk(ranks, dim=1))",
    "((w1[r::ranks], b1[r::ranks], w2[:, r::ranks]) for r in range(ranks))",
    "dealt out like cards",
    "rank r has every `ranks`-th hidden unit. The sum is right, but a rank holds a run of neighbours.",
)
tensor_parallel.slip(
    "b1.chunk(ranks)", "(b1[: len(w1) // ranks] for _ in range(ranks))", "first piece of b1 everywhere"
).says("every rank adds the first piece of `b1`. The r-th run of hidden units has the r-th run of `b1`.")
tensor_parallel.slip(
    "F.linear(hidden, down, None if parts else b2)",
    "F.gelu(F.linear(hidden, down, None if parts else b2))",
    "GELU at the end too",
).says("a GELU stands behind the second matrix as well. It stands between the two.")


@exercise(returns="integer tensor (stages, 2 * (stages + micro - 1))", points=2)
def gpipe(stages, micro):
    last = stages + micro - 1  # ticks of the forward half
    table = torch.zeros(stages, 2 * last, dtype=torch.long)
    for stage in range(stages):
        for m in range(micro):
            table[stage, stage + m] = m + 1
            # the backward half is the forward half seen in a mirror
            table[stage, 2 * last - 1 - stage - m] = -(m + 1)
    return table


@gpipe.cases
def _():
    yield "3 stages, 2 micro-batches", 3, 2
    yield "4 stages, 8 micro-batches", 4, 8
    yield "one stage", 1, 3
    yield "one micro-batch", 4, 1
    yield "2 stages, 2 micro-batches", 2, 2
    yield "one stage, one micro-batch", 1, 1
    yield "more micro-batches than a byte counts", 2, 130


@gpipe.usual
def gpipe(stages, micro):
    half = torch.zeros(stages, stages + micro - 1, dtype=torch.long)
    for stage in range(stages):
        half[stage, stage : stage + micro] = torch.arange(1, micro + 1)
    return torch.cat([half, -half.flip(1)], dim=1)


gpipe.slip("-half.flip(1)", "-half.flip(0)", "backward in the forward order").says(
    "the first micro-batch goes back first. Here the last one, which is at hand, does."
)
gpipe.slip("-half.flip(1)", "torch.where(half > 0, half - micro - 1, 0)", "backward begins at the first stage").says(
    "the backward half starts at stage 0. Gradients are born at the loss, in the last stage."
)


@gpipe.mistake(
    "nobody waits",
    "all stages begin at tick 0. A stage cannot start before the one in front of it has handed over.",
)
def _(stages, micro):
    row = torch.arange(1, micro + 1)
    return torch.cat([row, -row.flip(0)]).repeat(stages, 1)


gpipe.slip("torch.cat([half, -half.flip(1)], dim=1)", "half", "forward half only").says(
    "the backward half of the table is missing."
)
gpipe.slip("-half", "half", "signs lost", "backward work must carry a minus sign.")
gpipe.slip("torch.arange(1, micro + 1)", "torch.arange(micro)", "counted from zero").says(
    "micro-batch 0 is written as 0, and 0 means idle. Count from 1."
)


@gpipe.mistake(
    "one micro-batch at a time",
    "a micro-batch enters only when the one before it has left, so all stages but one are always idle.",
)
def _(stages, micro):
    half = torch.zeros(stages, stages * micro, dtype=torch.long)
    for stage in range(stages):
        half[stage, stage::stages] = torch.arange(1, micro + 1)
    return torch.cat([half, -half.flip(1)], dim=1)


gpipe.slip(
    "half[stage, stage : stage + micro]", "half[stages - 1 - stage, stage : stage + micro]", "last stage first"
).says("the last stage begins. The input enters at stage 0.")
gpipe.slip("stages + micro - 1, dtype", "stages + micro, dtype", "ticks between the halves").says(
    "ticks in which nobody works stand between the halves. The last stage turns round at once."
)
gpipe.slip("-half.flip(1)", "-(half - half.sign()).flip(1)", "backward counted from zero").says(
    "the forward half counts micro-batches from 1, the backward half from 0."
)
gpipe.slip("[half, -half.flip(1)], dim=1", "[half, -half.flip(1)[:, 1:]], dim=1", "one tick for both").says(
    "the table is a tick short: the last forward and the first backward pass take a tick each."
)


@exercise(returns="three whole numbers: weights, gradients, optimiser", points=1)
def state_bytes(parameters, ranks, stage, widths=(2, 2, 12)):
    held = []
    for kind, width in enumerate(widths):  # 0 weights, 1 gradients, 2 optimiser
        sharded_from = {0: 3, 1: 2, 2: 1}[kind]
        number = math.ceil(parameters / ranks) if stage >= sharded_from else parameters
        held.append(width * number)
    return tuple(held)


@state_bytes.cases
def _():
    yield "1,000 parameters, 4 ranks, nothing sharded", 1000, 4, 0
    yield "ZeRO-1", 1000, 4, 1
    yield "ZeRO-2, 7 parameters on 2 ranks", 7, 2, 2
    yield "ZeRO-3, 10 parameters on 4 ranks", 10, 4, 3
    yield "one rank, ZeRO-3", 5, 1, 3
    yield "fp32 throughout, ZeRO-1", 137674, 4, 1, (4, 4, 8)
    yield "weights in 32 bits, gradients in 16", 137674, 4, 2, (4, 2, 12)
    yield "one parameter left over for 4,000 ranks", 8001, 4000, 3
    yield "175 billion on 992 ranks", 175_000_000_000, 992, 3
    yield "more ranks than parameters", 3, 8, 2


@state_bytes.usual
def state_bytes(parameters, ranks, stage, widths=(2, 2, 12)):
    share = -(-parameters // ranks)
    kinds = zip(widths, (3, 2, 1))  # bytes a place, first stage that shards it
    return tuple(width * (share if stage >= first else parameters) for width, first in kinds)


state_bytes.slip("(3, 2, 1)", "(1, 2, 3)", "weights first").says(
    "stage 1 shards the weights here. ZeRO begins with what is largest and needed last."
)
state_bytes.slip("(3, 2, 1)", "(3, 1, 2)", "gradients first").says(
    "stage 1 shards the gradients here. It shards the optimiser's state."
)
state_bytes.slip("-(-parameters // ranks)", "parameters // ranks", "rounded down").says(
    "a share is rounded down, so some parameters belong to nobody. Round up: the last rank has padding."
)
state_bytes.slip("stage >= first", "stage == first", "only what the stage adds").says(
    "each stage shards one kind only. The stages add up: stage 2 does what stage 1 does, and more."
)
state_bytes.slip("zip(widths,", "zip((2, 2, 12),", "widths ignored").says(
    "`widths` is ignored: the bytes are always 2, 2 and 12."
)
state_bytes.slip("width * (", "ranks * width * (", "all ranks together").says(
    "these are the bytes of all ranks together. Wanted is one rank."
)
state_bytes.slip("stage >= first", "stage > first", "one stage late").says(
    "each kind is sharded one stage too late: stage 1 shards the optimiser already."
)
state_bytes.slip("-(-parameters // ranks)", "parameters // ranks + 1", "always one more").says(
    "one place more is held even where the parameters divide evenly. Round up only if something is left over."
)
state_bytes.slip("(3, 2, 1)", "(0, 0, 0)", "everything sharded").says(
    "all three kinds are sharded at every stage. Look up from which stage on each of them is."
)


@state_bytes.mistake(
    "bytes rounded, not places", "the bytes are divided and rounded up. A parameter cannot be cut: round its places."
)
def _(parameters, ranks, stage, widths=(2, 2, 12)):
    return tuple(
        -(-width * parameters // ranks) if stage >= first else width * parameters
        for width, first in zip(widths, (3, 2, 1))
    )
