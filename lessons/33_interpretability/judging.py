"""What the records say: who is clearly ahead, what is left when heads are removed; and small maps to look at."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

FREE = {"gradient": 2, "occlusion": 17, "both": 34, "integrated": 64, "greedy": 136}  # calls of the model


def clearly(a, b) -> bool:
    """Whether a is ahead of b by more than 2.4 standard errors of paired differences: 95 % for eight pairs."""
    gap = np.array(a) - np.array(b)
    return bool(gap.mean() > 2.4 * gap.std(ddof=1) / np.sqrt(len(gap)))


def within(calls: int) -> list[str]:
    """The names of the simple rivals that need no more than so many calls of the model."""
    return ["orders", *(name for name, cost in FREE.items() if cost <= calls)]


def without_one(run) -> np.ndarray:
    """Copying without each head in turn, (heads,), from a network's `table`.

    A table's place is the number of the set of heads that is kept, a bit a head, the first layer's lowest.
    """
    table = np.array(run["table"])
    everything = len(table) - 1
    return table[everything ^ (1 << np.arange(everything.bit_length()))]


def removals(runs) -> dict[str, list[float]]:
    """Copying, one number a network: intact, and without one head or another; `runs` hold `scores` and `table`."""
    found = {"intact": [], "best-scored gone": [], "another gone, worst": [], "layer 2 gone": []}
    for run in runs:
        table, single, best = run["table"], without_one(run), int(np.argmax(run["scores"]))
        values = table[-1], single[best], np.delete(single, best).min(), table[2 ** (len(single) // 2) - 1]
        for row, value in zip(found.values(), values, strict=True):
            row.append(float(value))
    return found


def maps(rows, size):
    """A figure of small maps: rows of mappings from title to numbers (4, 4), red above zero, or to images (8, 8)."""
    fig, axes = plt.subplots(len(rows), len(rows[0]), figsize=size, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for ax, (title, values) in zip(line, row.items(), strict=True):
            values = np.asarray(values)
            top = np.abs(values).max() or 1
            grey = values.size == 64
            look = {"cmap": "gray", "vmin": 0, "vmax": 1} if grey else {"cmap": "RdBu_r", "vmin": -top, "vmax": top}
            ax.imshow(values if grey else values.reshape(4, 4), **look)
            ax.set_title(title, fontsize=10)
            ax.set_axis_off()
    return fig
