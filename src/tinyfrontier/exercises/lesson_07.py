"""Exercises of lesson 07: ring all-reduce, a split feed-forward layer, a pipeline's timetable, bytes held by a rank."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from .engine import Case, Exercise, Mistake


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


def ring_cases():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape, size=1.0):
        return size * torch.randn(*shape, generator=generator)

    return [
        Case("4 ranks, chunks of 3", (draw(4, 4, 3),)),
        Case("2 ranks, chunks of 1", (torch.tensor([[[1.0], [2.0]], [[10.0], [20.0]]]),)),
        Case("3 ranks, large and small numbers", (draw(3, 3, 2, size=100.0),)),
        Case("one rank alone", (draw(1, 1, 4),)),
        Case("5 ranks", (draw(5, 5, 2),)),
    ]


def _ring(parts, take, adds, steps=None):
    """A ring whose taken chunk, adding phase and number of turns can be wrong."""
    ranks = len(parts)
    states = [parts.clone()]
    for step in range(2 * (ranks - 1) if steps is None else steps(ranks)):
        before, after = states[-1], states[-1].clone()
        for rank in range(ranks):
            left, chunk = (rank - 1) % ranks, take(rank, step) % ranks
            arrived = before[left, chunk]
            after[rank, chunk] = arrived + after[rank, chunk] if adds(step, ranks) else arrived
        states.append(after)
    return torch.stack(states)


def _right_chunk(rank, step):
    return rank - step - 2


def _adding(step, ranks):
    return step < ranks - 1


def _always_adds(parts):
    return _ring(parts, _right_chunk, lambda step, ranks: True)


def _never_adds(parts):
    return _ring(parts, _right_chunk, lambda step, ranks: False)


def _half_way(parts):
    return _ring(parts, _right_chunk, _adding, lambda ranks: ranks - 1)


def _own_chunk(parts):
    return _ring(parts, lambda rank, step: rank - step - 1, _adding)


def _other_way(parts):
    return _ring(parts, lambda rank, step: rank + step, _adding)


def _average(parts):
    return ring_all_reduce(parts) / len(parts)


def tensor_parallel(x, w1, b1, w2, b2, ranks):
    partials = torch.zeros(ranks, len(x), w2.shape[0], dtype=x.dtype)
    for unit in range(len(w1)):
        owner = unit * ranks // len(w1)
        hidden = F.gelu(x @ w1[unit] + b1[unit])  # (batch,)
        partials[owner] += hidden[:, None] * w2[:, unit]
    partials[0] += b2
    return partials


def tensor_cases():
    generator = torch.Generator().manual_seed(2)

    def layer(batch, width, hidden, out, ranks):
        shapes = ((batch, width), (hidden, width), (hidden,), (out, hidden), (out,))
        return (*(torch.randn(*shape, generator=generator) for shape in shapes), ranks)

    return [
        Case("batch 3, width 4, hidden 8, 2 ranks", layer(3, 4, 8, 4, 2)),
        Case("one rank holds everything", layer(2, 5, 3, 5, 1)),
        Case("batch of one, 4 ranks", layer(1, 6, 12, 6, 4)),
        Case("one hidden unit a rank", layer(5, 2, 3, 2, 3)),
        Case("other width out than in", layer(4, 3, 6, 7, 3)),
    ]


def _whole(x, w1, b1, w2, b2):
    return F.linear(F.gelu(F.linear(x, w1, b1)), w2, b2)


def _pieces(w1, b1, w2, ranks):
    return zip(w1.chunk(ranks), b1.chunk(ranks), w2.chunk(ranks, dim=1))


def _bias_everywhere(x, w1, b1, w2, b2, ranks):
    return torch.stack([_whole(x, *piece, b2) for piece in _pieces(w1, b1, w2, ranks)])


def _bias_nowhere(x, w1, b1, w2, b2, ranks):
    return torch.stack([F.gelu(x @ up.T + bias) @ down.T for up, bias, down in _pieces(w1, b1, w2, ranks)])


def _no_first_bias(x, w1, b1, w2, b2, ranks):
    return tensor_parallel(x, w1, torch.zeros_like(b1), w2, b2, ranks)


def _already_summed(x, w1, b1, w2, b2, ranks):
    return _whole(x, w1, b1, w2, b2).expand(ranks, -1, -1).clone()


def _no_gelu(x, w1, b1, w2, b2, ranks):
    partials = torch.stack([(x @ up.T + bias) @ down.T for up, bias, down in _pieces(w1, b1, w2, ranks)])
    partials[0] += b2
    return partials


def _sum_returned(x, w1, b1, w2, b2, ranks):
    return _whole(x, w1, b1, w2, b2)


def gpipe(stages, micro):
    last = stages + micro - 1  # ticks of the forward half
    table = torch.zeros(stages, 2 * last, dtype=torch.long)
    for stage in range(stages):
        for m in range(micro):
            table[stage, stage + m] = m + 1
            # the backward half is the forward half seen in a mirror
            table[stage, 2 * last - 1 - stage - m] = -(m + 1)
    return table


def gpipe_cases():
    return [
        Case("3 stages, 2 micro-batches", (3, 2)),
        Case("4 stages, 8 micro-batches", (4, 8)),
        Case("one stage", (1, 3)),
        Case("one micro-batch", (4, 1)),
        Case("2 stages, 2 micro-batches", (2, 2)),
    ]


def _table(stages, micro, forward, backward, ticks):
    table = torch.zeros(stages, ticks, dtype=torch.long)
    for stage in range(stages):
        for m in range(micro):
            for tick, value in ((forward(stage, m), m + 1), (backward(stage, m), -(m + 1))):
                if 0 <= tick < ticks:
                    table[stage, tick] = value
    return table


def _backward_in_order(stages, micro):
    half = stages + micro - 1
    return _table(stages, micro, lambda p, m: p + m, lambda p, m: half + (stages - 1 - p) + m, 2 * half)


def _backward_from_the_first_stage(stages, micro):
    half = stages + micro - 1
    return _table(stages, micro, lambda p, m: p + m, lambda p, m: half + p + (micro - 1 - m), 2 * half)


def _no_waiting(stages, micro):
    return _table(stages, micro, lambda p, m: m, lambda p, m: 2 * micro - 1 - m, 2 * micro)


def _forward_only(stages, micro):
    return gpipe(stages, micro)[:, : stages + micro - 1]


def _signs_lost(stages, micro):
    return gpipe(stages, micro).abs()


def _from_zero(stages, micro):
    table = gpipe(stages, micro)
    return table - table.sign()


def _one_at_a_time(stages, micro):
    ticks = 2 * stages * micro
    return _table(stages, micro, lambda p, m: p + m * stages, lambda p, m: ticks - 1 - p - m * stages, ticks)


def state_bytes(parameters, ranks, stage, widths=(2, 2, 12)):
    held = []
    for kind, width in enumerate(widths):  # 0 weights, 1 gradients, 2 optimiser
        sharded_from = {0: 3, 1: 2, 2: 1}[kind]
        number = math.ceil(parameters / ranks) if stage >= sharded_from else parameters
        held.append(width * number)
    return tuple(held)


def state_cases():
    return [
        Case("1,000 parameters, 4 ranks, nothing sharded", (1000, 4, 0)),
        Case("ZeRO-1", (1000, 4, 1)),
        Case("ZeRO-2, 7 parameters on 2 ranks", (7, 2, 2)),
        Case("ZeRO-3, 10 parameters on 4 ranks", (10, 4, 3)),
        Case("one rank, ZeRO-3", (5, 1, 3)),
        Case("fp32 throughout, ZeRO-1", (137674, 4, 1, (4, 4, 8))),
        Case("175 billion on 992 ranks", (175_000_000_000, 992, 3)),
        Case("more ranks than parameters", (3, 8, 2)),
    ]


def _shares(order):
    """Shards the kinds in another order: `order[kind]` is the stage from which a kind is sharded."""

    def wrong(parameters, ranks, stage, widths=(2, 2, 12)):
        part = -(-parameters // ranks)
        return tuple(width * (part if stage >= begin else parameters) for width, begin in zip(widths, order))

    return wrong


def _rounded_down(parameters, ranks, stage, widths=(2, 2, 12)):
    part = parameters // ranks
    return tuple(width * (part if stage >= begin else parameters) for width, begin in zip(widths, (3, 2, 1)))


def _only_the_stage(parameters, ranks, stage, widths=(2, 2, 12)):
    part = -(-parameters // ranks)
    return tuple(width * (part if stage == begin else parameters) for width, begin in zip(widths, (3, 2, 1)))


def _default_widths(parameters, ranks, stage, widths=(2, 2, 12)):
    return state_bytes(parameters, ranks, stage)


def _all_ranks(parameters, ranks, stage, widths=(2, 2, 12)):
    return tuple(ranks * number for number in state_bytes(parameters, ranks, stage, widths))


EXERCISES = (
    Exercise(
        name="ring_all_reduce",
        reference=ring_all_reduce,
        cases=ring_cases,
        returns="float tensor (2 * (ranks - 1) + 1, ranks, ranks, size)",
        points=2,
        mistakes=(
            Mistake(
                "always adds",
                _always_adds,
                "the second half adds as well, so finished sums are added again. A finished sum replaces.",
            ),
            Mistake("never adds", _never_adds, "nothing is ever added: chunks are copied round the ring. Sum first."),
            Mistake(
                "stops half way",
                _half_way,
                "after one round each rank holds one finished chunk. A second round must spread them.",
            ),
            Mistake(
                "one chunk off",
                _own_chunk,
                "the chunk that is taken is off by one: it is the one that the left neighbour gives in this step.",
            ),
            Mistake(
                "chunks walk backwards",
                _other_way,
                "the chunk's number grows with the step. Going round the ring it falls.",
            ),
            Mistake("averaged", _average, "these are means. An all-reduce gives sums; the caller divides."),
        ),
    ),
    Exercise(
        name="tensor_parallel",
        reference=tensor_parallel,
        cases=tensor_cases,
        returns="float tensor (ranks, batch, width)",
        tolerance=1e-5,
        points=2,
        mistakes=(
            Mistake(
                "b2 on every rank",
                _bias_everywhere,
                "every rank adds `b2`, so the sum holds it `ranks` times. Who should add it?",
            ),
            Mistake("b2 forgotten", _bias_nowhere, "nobody adds `b2`. One rank has to."),
            Mistake("b1 forgotten", _no_first_bias, "`b1` is missing. It is split like the rows of `w1`."),
            Mistake(
                "already summed",
                _already_summed,
                "every rank returns the whole layer's output. Return each rank's own part; the sum comes later.",
            ),
            Mistake(
                "no GELU",
                _no_gelu,
                "the GELU is missing. Each rank can apply it alone, because it holds whole hidden units.",
            ),
            Mistake("sum returned", _sum_returned, "this is the finished output. Wanted are the parts, one a rank."),
        ),
    ),
    Exercise(
        name="gpipe",
        reference=gpipe,
        cases=gpipe_cases,
        returns="integer tensor (stages, 2 * (stages + micro - 1))",
        points=2,
        mistakes=(
            Mistake(
                "backward in the forward order",
                _backward_in_order,
                "the first micro-batch goes back first. Here the last one, which is at hand, does.",
            ),
            Mistake(
                "backward begins at the first stage",
                _backward_from_the_first_stage,
                "the backward half starts at stage 0. Gradients are born at the loss, in the last stage.",
            ),
            Mistake(
                "nobody waits",
                _no_waiting,
                "all stages begin at tick 0. A stage cannot start before the one in front of it has handed over.",
            ),
            Mistake("forward half only", _forward_only, "the backward half of the table is missing."),
            Mistake("signs lost", _signs_lost, "backward work must carry a minus sign."),
            Mistake("counted from zero", _from_zero, "micro-batch 0 is written as 0, and 0 means idle. Count from 1."),
            Mistake(
                "one micro-batch at a time",
                _one_at_a_time,
                "a micro-batch enters only when the one before it has left, so all stages but one are always idle.",
            ),
        ),
    ),
    Exercise(
        name="state_bytes",
        reference=state_bytes,
        cases=state_cases,
        returns="three whole numbers: weights, gradients, optimiser",
        points=1,
        mistakes=(
            Mistake(
                "weights first",
                _shares((1, 2, 3)),
                "stage 1 shards the weights here. ZeRO begins with what is largest and needed last.",
            ),
            Mistake(
                "gradients first",
                _shares((3, 1, 2)),
                "stage 1 shards the gradients here. It shards the optimiser's state.",
            ),
            Mistake(
                "rounded down",
                _rounded_down,
                "a share is rounded down, so some parameters belong to nobody. Round up: the last rank has padding.",
            ),
            Mistake(
                "only what the stage adds",
                _only_the_stage,
                "each stage shards one kind only. The stages add up: stage 2 does what stage 1 does, and more.",
            ),
            Mistake("widths ignored", _default_widths, "`widths` is ignored: the bytes are always 2, 2 and 12."),
            Mistake("all ranks together", _all_ranks, "these are the bytes of all ranks together. Wanted is one rank."),
        ),
    ),
)
