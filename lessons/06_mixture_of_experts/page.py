"""How lesson 06's panel draws a routed text: a page of coloured letters, and the bill below it. Needs matplotlib."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from tinyfrontier.show import COLOURS

COLUMNS = 48
ROWS = 4


def draw_page(ax: Axes, text: bytes, experts, keep, colours) -> None:
    """Each letter on the colours of its experts; white where it was dropped.

    Args:
        ax: where to draw.
        text: at most COLUMNS * ROWS bytes.
        experts: integers (bytes, 1 or 2), each byte's experts.
        keep: truths of the same shape, whether the assignment found a place.
        colours: one an expert.
    """
    page = np.full((ROWS * COLUMNS, 2), np.nan)
    page[: len(text)] = np.where(keep, experts, np.nan)  # top-1 fills both halves
    look = {"cmap": ListedColormap(colours), "vmin": -0.5, "vmax": len(colours) - 0.5, "alpha": 0.6}
    ax.imshow(page.reshape(ROWS, -1), aspect="auto", extent=(0, COLUMNS, ROWS, 0), **look)
    for place, value in enumerate(text):
        sign = chr(value) if 32 < value < 127 else "" if value in (10, 32) else "·"
        ax.text(place % COLUMNS + 0.5, place // COLUMNS + 0.5, sign, ha="center", va="center", size=12)
    ax.set_ylim(max(2, math.ceil(len(text) / COLUMNS)), 0)
    ax.set_axis_off()


def draw_bill(ax: Axes, experts, keep, capacity: int, colours) -> None:
    """Assignments an expert: full bars are served, empty frames are dropped, the dashed line is the capacity."""
    experts, keep, places = np.asarray(experts), np.asarray(keep), range(len(colours))
    ax.bar(places, np.bincount(experts.ravel(), minlength=len(colours)), color="white", edgecolor=colours)
    ax.bar(places, np.bincount(experts[keep], minlength=len(colours)), color=colours, alpha=0.6)
    ax.axhline(capacity, color=COLOURS["black"], linewidth=1, linestyle="--")
    ax.set(xlabel="expert", ylabel="assignments", xticks=places)


def routed(text: bytes, experts, keep, capacity: int, n_experts: int) -> plt.Figure:
    """The page above the bill."""
    colours = list(COLOURS.values())[:n_experts]
    figure, (page, bill) = plt.subplots(2, 1, figsize=(8, 4), height_ratios=(1.2, 1))
    draw_page(page, text, experts, keep, colours)
    draw_bill(bill, experts, keep, capacity, colours)
    return figure
