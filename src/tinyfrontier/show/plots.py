"""Plots that the lessons draw again and again: curves, bars and images, with direct labels and a text alternative.

Each draws in the course's style. Give `alt` and the figure is shown at once; leave it out and the axes come back, so
that a lesson adds what is its own and shows them by `picture(axes.figure, alt)`. With `ax` it draws into axes of yours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from .figures import check_alt, label_lines, picture
from .palette import COLOURS
from .spreads import Recorded, as_numbers, spread

_CYCLE = ("blue", "orange", "green", "vermilion", "purple", "sky", "black")


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is None:
        return plt.subplots(figsize=size)[1]
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be matplotlib axes, got {type(ax).__name__}")
    return ax


def _finish(ax: Axes, alt: str, signature: bool) -> Axes | None:
    if not alt:
        if signature:
            raise ValueError("signature goes with alt; without alt, mark it in picture(figure, alt, signature=True)")
        return ax
    picture(ax.figure, alt, signature)
    return None


def _colour(wanted: Mapping[str, str] | None, label: str, default: str) -> str:
    name = (wanted or {}).get(label, default)
    return COLOURS.get(name, name)


def curves(
    x: Any,
    lines: Mapping[str, Any],
    *,
    xlabel: str,
    ylabel: str,
    alt: str = "",
    title: str = "",
    log: str = "",
    middle: str = "mean",
    levels: Mapping[str, float] | None = None,
    marks: Mapping[str, float] | None = None,
    colours: Mapping[str, str] | None = None,
    xlim: tuple | None = None,
    ylim: tuple | None = None,
    size: tuple[float, float] = (6.4, 3.6),
    ax: Axes | None = None,
    signature: bool = False,
) -> Axes | None:
    """Curves with their names at their ends; several seeds become a line in a band from lowest to highest.

    Args:
        x: the places, (points,); None counts 0, 1, 2, …; a mapping gives each line its own.
        lines: label to heights, (points,) or (seeds, points). What `recorded` marks is dashed and says so.
        xlabel: name of the x axis, with its unit.
        ylabel: name of the y axis, with its unit.
        alt: one line that says what the picture shows; then it is shown.
        title: a line above.
        log: which axes are logarithmic: "", "x", "y" or "xy".
        middle: how seeds are summed up: "mean" or "median".
        levels: label to a height that is drawn as a dotted line, such as chance.
        marks: label to a place that is drawn as a dotted line from bottom to top.
        colours: label to a name in `COLOURS`, for lines that keep their colour through a lesson.
        xlim: ends of the x axis.
        ylim: ends of the y axis.
        size: width and height in inches.
        ax: axes to draw into.
        signature: True for the lesson's signature result (with `alt`).

    Returns the axes, or None if it was shown.

    Raises:
        TypeError: if `lines` is no mapping or holds no numbers.
        ValueError: if there are no lines, their shapes do not fit `x`, or `log` or `middle` is unknown.
    """
    if not isinstance(lines, Mapping):
        raise TypeError(f"lines must be a mapping of label to heights, got {type(lines).__name__}")
    if not lines:
        raise ValueError("lines must hold at least one curve; got none")
    if log not in ("", "x", "y", "xy"):
        raise ValueError(f"log must be '', 'x', 'y' or 'xy', got {log!r}")
    if middle not in ("mean", "median"):
        raise ValueError(f"middle must be 'mean' or 'median', got {middle!r}")
    if alt:
        check_alt(alt)
    drawn = []
    for label, heights in lines.items():
        y = np.atleast_2d(as_numbers(heights).astype(float))  # (seeds, points)
        places = x.get(label) if isinstance(x, Mapping) else x
        places = np.arange(y.shape[-1]) if places is None else as_numbers(places)
        if y.ndim != 2 or places.shape != y.shape[1:]:
            raise ValueError(
                f"lines[{label!r}] must be (points,) or (seeds, points) with {places.size} points as in x, "
                f"got {as_numbers(heights).shape}"
            )
        drawn.append((label, places, y, isinstance(heights, Recorded)))
    ax = _axes(ax, size)
    spare = cycle(_CYCLE)
    for label, places, y, old in drawn:
        colour = _colour(colours, label, next(spare))
        centre = getattr(np, middle)(y, axis=0)
        few = "o" if len(places) <= 15 else ""
        style = {"ls": "--", "mfc": "white"} if old else {}
        ax.plot(places, centre, marker=few, color=colour, label=f"{label} (recorded)" if old else label, **style)
        if len(y) > 1:
            ax.fill_between(places, y.min(axis=0), y.max(axis=0), color=colour, alpha=0.2, lw=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if "x" in log:
        ax.set_xscale("log")
        every = np.unique(np.concatenate([places for _, places, _, _ in drawn]))
        if len(every) <= 10:
            ax.set_xticks(every, [f"{place:,g}" for place in every])
            ax.minorticks_off()
    if "y" in log:
        ax.set_yscale("log")
    if xlim is not None:
        ax.set_xlim(xlim)
    if ylim is not None:
        ax.set_ylim(ylim)
    left, right = ax.get_xlim()
    for label, height in (levels or {}).items():
        ax.plot([left, right], [height] * 2, ":", color=COLOURS["black"], lw=1.2, label=label)
    ax.set_xlim(left, right)
    for label, place in (marks or {}).items():
        ax.axvline(place, ls=":", color=COLOURS["grey"], lw=1.2)
        ax.annotate(
            label, (place, 1), xycoords=("data", "axes fraction"), xytext=(4, 0), textcoords="offset points",
            color="#5f5f5f", size=10, va="top",
        )  # fmt: skip
    label_lines(ax, pad=7)
    return _finish(ax, alt, signature)


def bars(
    values: Mapping[str, Any],
    *,
    xlabel: str,
    alt: str = "",
    title: str = "",
    form: str | None = None,
    unit: str = "",
    dots: bool = False,
    log: bool = False,
    levels: Mapping[str, float] | None = None,
    colours: Mapping[str, str] | None = None,
    xlim: tuple | None = None,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
    signature: bool = False,
) -> Axes | None:
    """One horizontal bar a name, with the number at its end; several seeds become their mean and dots.

    Args:
        values: label to a number, or to one a seed. What `recorded` marks is hatched or hollow, and says so.
        xlabel: name of the axis, with its unit.
        alt: one line that says what the picture shows; then it is shown.
        title: a line above.
        form: how the numbers are written, as for `spread`.
        unit: unit of the numbers, as for `spread`.
        dots: dots alone instead of bars, where zero means nothing or the axis is logarithmic.
        log: whether the axis is logarithmic.
        levels: label to a value that is drawn as a dotted line, such as chance.
        colours: label to a name in `COLOURS`; the others are blue.
        xlim: ends of the axis.
        size: width and height in inches; by the number of bars unless given.
        ax: axes to draw into.
        signature: True for the lesson's signature result (with `alt`).

    Returns the axes, or None if it was shown.

    Raises:
        TypeError: if `values` is no mapping of numbers.
        ValueError: if it is empty.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"values must be a mapping of label to numbers, got {type(values).__name__}")
    if not values:
        raise ValueError("values must hold at least one bar; got none")
    if alt:
        check_alt(alt)
    ax = _axes(ax, size or (6.4, 0.8 + 0.34 * len(values)))
    near = {"va": "center", "size": 10, "bbox": {"fc": "white", "ec": "none", "pad": 1, "alpha": 0.8}}
    for row, (label, value) in enumerate(values.items()):
        numbers, old = as_numbers(value).reshape(-1).astype(float), isinstance(value, Recorded)
        colour = _colour(colours, label, "blue")
        fill = {"color": "white", "edgecolor": colour, "hatch": "///"} if old else {"color": colour, "alpha": 0.75}
        if dots:
            ax.plot(numbers, [row] * len(numbers), "o", color=colour, **({"mfc": "white"} if old else {}))
        else:
            ax.barh(row, numbers.mean(), height=0.7, **fill)
        if len(numbers) > 1 and not dots:
            ax.plot(numbers, [row] * len(numbers), ".", color=COLOURS["black"], ms=5)
        end = (numbers.max() if dots else max(numbers.max(), 0), row)
        ax.annotate(spread(value, form, unit), end, xytext=(6, 0), textcoords="offset points", **near)
    ax.set_yticks(range(len(values)), list(values))
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(xlabel)
    if title:
        ax.set_title(title, pad=20 if levels else 6)
    if log:
        ax.set_xscale("log")
    if xlim is not None:
        ax.set_xlim(xlim)
    for label, place in (levels or {}).items():
        ax.axvline(place, ls=":", color=COLOURS["black"], lw=1.2)
        ax.annotate(
            label, (place, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
            size=10, ha="center",
        )  # fmt: skip
    return _finish(ax, alt, signature)


def _pixels(image: Any) -> np.ndarray:
    """An image as (height, width) or (height, width, 3), whichever of the usual layouts it had."""
    array = as_numbers(image)
    if array.ndim == 3 and array.shape[0] == 1:
        return array[0]
    if array.ndim == 3 and array.shape[0] in (3, 4) and array.shape[-1] not in (3, 4):
        return array.transpose(1, 2, 0)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4)):
        return array
    raise ValueError(f"an image must be (h, w), (1, h, w), (3, h, w) or (h, w, 3), got {array.shape}")


def _is_image(thing: Any) -> bool:
    if isinstance(thing, (list, tuple)) and not isinstance(thing[0], (list, tuple, int, float)):
        return False  # a list of images
    shape = as_numbers(thing).shape
    return len(shape) == 2 or (len(shape) == 3 and (shape[0] in (1, 3) or shape[-1] in (3, 4)))


def images(
    pictures: Any,
    labels: Sequence[Any] | None = None,
    *,
    alt: str = "",
    title: str = "",
    across: int | None = None,
    columns: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
    cmap: str = "gray_r",
    colourbar: str = "",
    cell: float | None = None,
    ax: Axes | None = None,
    signature: bool = False,
) -> Axes | None:
    """Images in a row or a grid, labelled.

    An image is (h, w), (1, h, w), (3, h, w) or (h, w, 3); images of different sizes share the cell's width.

    Args:
        pictures: a row: a sequence of images, or a mapping of label to image. A grid: a sequence of rows, or a mapping
            of a row's label to its images.
        labels: a line above each image, in their order (row by row).
        alt: one line that says what the picture shows; then it is shown.
        title: a line above.
        across: cuts one long row into rows of this many.
        columns: names above the columns.
        limits: the numbers that are white and black; the lowest and highest of all images unless given. For images of
            one channel.
        cmap: colour map for images of one channel.
        colourbar: name of the colour scale; drawn if given.
        cell: width of an image in inches; by their number unless given.
        ax: axes to draw into.
        signature: True for the lesson's signature result (with `alt`).

    Returns the axes, or None if it was shown.

    Raises:
        ValueError: if there are no images, one has another shape, or there are more labels than images.
    """
    if alt:
        check_alt(alt)
    names: list[str] = []
    if isinstance(pictures, Mapping):
        rows = list(pictures.values())
        if rows and _is_image(rows[0]):
            labels, rows = list(pictures), [rows]
        else:
            names = [str(name) for name in pictures]
    else:
        rows = list(pictures)
        rows = [rows] if rows and _is_image(rows[0]) else rows
    grid = [[_pixels(image) for image in row] for row in rows]
    if across and len(grid) == 1:
        grid = [grid[0][start : start + across] for start in range(0, len(grid[0]), across)]
    number, width = sum(map(len, grid)), max(map(len, grid), default=0)
    if not number:
        raise ValueError("pictures must hold at least one image; got none")
    if labels is not None and len(labels) > number:
        raise ValueError(f"labels must be at most {number}, one an image, got {len(labels)}")
    flat = [image for row in grid for image in row if image.ndim == 2]
    low, high = limits or (min((i.min() for i in flat), default=0), max((i.max() for i in flat), default=1))
    cell = cell or min(1.6, (9.0 - (1.5 if names else 0)) / width)
    tall = max(image.shape[0] / image.shape[1] for row in grid for image in row)
    gap, down = 0.08, tall + 0.08 + (0.22 / cell * (1 + max(str(text).count("\n") for text in labels)) if labels else 0)
    ax = _axes(ax, (cell * width * (1 + gap) + 0.2, cell * down * len(grid) + (0.3 if columns or title else 0.1)))
    texts, drawn = list(labels or ()), None
    for at, row in enumerate(grid):
        for place, image in enumerate(row):
            left, top = place * (1 + gap), at * down
            bottom = top + image.shape[0] / image.shape[1]
            shade = {"cmap": cmap, "vmin": low, "vmax": high} if image.ndim == 2 else {}
            image = image if image.ndim == 2 or image.dtype.kind in "iu" else image.clip(0, 1)
            shown = ax.imshow(image, extent=(left, left + 1, bottom, top), **shade)
            drawn = shown if image.ndim == 2 else drawn
            if texts:
                ax.text(left + 0.5, top - 0.03, texts.pop(0), ha="center", va="bottom", size=9)
            if columns and at == 0 and place < len(columns):
                ax.annotate(
                    columns[place], (left + 0.5, top), xytext=(0, 16 if labels else 3), textcoords="offset points",
                    ha="center", va="bottom", size=10,
                )  # fmt: skip
        if names:
            ax.text(-gap, at * down + tall / 2, names[at], ha="right", va="center", size=10)
    ax.set(xlim=(0, width * (1 + gap) - gap), ylim=(len(grid) * down - (down - tall), 0), aspect="equal")
    ax.axis("off")
    if title:
        ax.set_title(title, pad=22 if columns or labels else 6)
    if colourbar and drawn is not None:
        ax.figure.colorbar(drawn, ax=ax, label=colourbar, shrink=0.9)
    return _finish(ax, alt, signature)
