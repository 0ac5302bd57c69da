"""A GPT of the OPT family on a cluster, on paper: what a GPU holds, what it sends, and how long it takes.

Knows nothing of the lesson's ranks. Sizes are those of Zhang et al., 2022 (arXiv 2205.01068, table 1); activations
follow Korthikanti et al., 2022 (arXiv 2205.05198, section 4).
"""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from tinyfrontier.show import COLOURS, bars

OPT = {"1.3B": (24, 32, 2048), "13B": (40, 40, 5120), "66B": (64, 72, 9216), "175B": (96, 96, 12288)}
VOCABULARY, CONTEXT = 50272, 2048
BATCH = 1024  # sequences a step: 2 million tokens
TRAINED = 300e9  # tokens in all
RATE = 147e12  # FLOP/s of one GPU, the paper's best
ROOM = 80  # GB of one A100


def parameters_of(layers: int, heads: int, width: int) -> int:
    """Parameters of a GPT: 12 width^2 a block, and the tables of tokens and places; biases and norms left out."""
    return 12 * layers * width**2 + (VOCABULARY + CONTEXT) * width


def layout(model: str, gpus: int, tensor: int, stages: int, micro: int) -> tuple[int, int, int, int]:
    """Data parallel groups, parameters of a share, micro-batches a step, bytes of a micro-batch between two blocks."""
    groups = max(1, gpus // (tensor * stages))
    own = parameters_of(*OPT[model]) // (tensor * stages)
    return groups, own, max(1, BATCH // (groups * micro)), 2 * micro * CONTEXT * OPT[model][2]


def memory(model: str, gpus: int, tensor: int, stages: int, zero: int, micro: int, recompute: bool) -> dict[str, float]:
    """Weights, gradients, Adam and activations of one GPU, in GB; 1F1B keeps a micro-batch for each stage."""
    (layers, heads, width), (groups, own, turns, between) = OPT[model], layout(model, gpus, tensor, stages, micro)
    share = -(-own // groups)
    kinds = (("weights", 2, 3), ("gradients", 2, 2), ("Adam", 12, 1))  # name, bytes, first stage that shards it
    held = {name: size * (share if zero >= first else own) for name, size, first in kinds}
    block = between / 2 * (10 + 24 / tensor + 5 * heads * CONTEXT / (width * tensor))
    kept = (between if recompute else block) * layers / stages * min(turns, stages)
    held["activations"] = kept + (block if recompute else 0)  # one block at a time is there in full
    return {name: value / 1e9 for name, value in held.items()}


def traffic(
    model: str, gpus: int, tensor: int, stages: int, zero: int, micro: int, recompute: bool
) -> dict[str, float]:
    """Gigabytes that one GPU sends in a step, by purpose.

    Gradients once, and at stage 3 the weights twice for every micro-batch; two all-reduces a block each way, and two
    more where the forward pass is repeated; activations and their gradients at the pipeline's cuts.
    """
    groups, own, turns, between = layout(model, gpus, tensor, stages, micro)
    passes = 2 * turns + 1 if zero == 3 else 2
    sums = (6 if recompute else 4) * OPT[model][0] / stages * turns
    sent = {
        "data": passes * 2 * own * (groups - 1) / groups,
        "tensor": sums * 2 * (tensor - 1) / tensor * between,
        "pipeline": 2 * turns * between if stages > 1 else 0,
    }
    return {name: value / 1e9 for name, value in sent.items()}


def duration(model: str, gpus: int, tensor: int, stages: int, micro: int, recompute: bool) -> tuple[float, float]:
    """Share of the time lost in the bubble, and days for all tokens at `RATE`."""
    groups, _, turns, _ = layout(model, gpus, tensor, stages, micro)
    bubble = (stages - 1) / (turns + stages - 1)
    operations = (8 if recompute else 6) * parameters_of(*OPT[model]) * TRAINED
    return bubble, operations / (groups * tensor * stages * RATE * (1 - bubble)) / 86400


def draw(model: str, gpus: int, tensor: int, stages: int, zero: int, micro: int, recompute: bool) -> tuple[Figure, str]:
    """The plan as a picture and one line."""
    held = memory(model, gpus, tensor, stages, zero, micro, recompute)
    sent = traffic(model, gpus, tensor, stages, zero, micro, recompute)
    bubble, days = duration(model, gpus, tensor, stages, micro, recompute)
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 2.6), width_ratios=(1.6, 1))
    total, at = sum(held.values()), 0.0
    for (name, value), colour in zip(held.items(), ("blue", "sky", "green", "orange")):
        left.barh(0, value, left=at, color=COLOURS[colour], label=f"{name} {value:,.1f}")
        at += value
    left.axvline(ROOM, color=COLOURS["vermilion"])
    left.set(xlabel=f"held by a GPU (GB), red line: {ROOM}", yticks=[], ylim=(-0.5, 1.5))
    left.set(xlim=(0, max(100, 1.05 * total)))
    left.set_title(f"bubble {bubble:.0%}, {days:,.0f} days for 300 billion tokens", size=10)
    left.legend(ncols=2, loc="upper left", fontsize=9)
    shown = {name: max(value, 0.01) for name, value in sent.items()}
    bars(shown, xlabel="sent by a GPU in a step (GB)", log=True, xlim=(0.01, 1e6), form=",.4g", ax=right)
    right.set_xticks([0.01, 1, 100, 1e4], ["0.01", "1", "100", "10,000"])
    right.minorticks_off()
    groups, fits = layout(model, gpus, tensor, stages, micro)[0], "fits" if total < ROOM else "DOES NOT FIT"
    text = f"{groups} groups x {tensor} tensor x {stages} stages: {total:,.1f} GB held, {fits}; "
    return fig, text + f"{sum(sent.values()):,.1f} GB sent"
