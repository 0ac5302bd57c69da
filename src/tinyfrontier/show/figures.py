"""The figure style, and pictures that carry a one-line text alternative. Needs matplotlib and IPython."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .palette import COLOURS

__all__ = ["COLOURS", "check_alt", "label_lines", "picture", "to_png", "use_style"]


def use_style() -> None:
    """Switch matplotlib to the course's style."""
    plt.style.use(Path(__file__).with_name("tinyfrontier.mplstyle"))


def check_alt(alt: str) -> str:
    """Return the text alternative if it is one line of 10 to 400 characters.

    Raises:
        TypeError: if `alt` is not text.
        ValueError: if it is too short to tell anything, too long, or more than one line.
    """
    if not isinstance(alt, str):
        raise TypeError(f"alt must be text, got {type(alt).__name__}")
    if "\n" in alt.strip() or not 10 <= len(alt.strip()) <= 400:
        raise ValueError(f"alt must be one line of 10 to 400 characters that says what the picture shows, got {alt!r}")
    return alt.strip()


def to_png(figure: Figure) -> bytes:
    """The figure as PNG bytes; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def picture(figure: Figure, alt: str, signature: bool = False) -> None:
    """Show a figure in the notebook with its text alternative, and close it.

    Args:
        figure: a matplotlib figure.
        alt: one line that says what the picture shows, for those who do not see it.
        signature: True for the lesson's one signature result, which the build gathers into the README's picture.

    Raises:
        TypeError: if `figure` is not a matplotlib figure or `alt` is not text.
        ValueError: if `alt` is not one line of 10 to 400 characters.
    """
    from IPython.display import display

    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a matplotlib Figure, got {type(figure).__name__}")
    alt = check_alt(alt)
    png = to_png(figure)
    plt.close(figure)
    about = {"alt": alt, "signature": True} if signature else {"alt": alt}
    display({"image/png": png, "text/plain": alt}, raw=True, metadata={"image/png": about})


def label_lines(axes: Axes, *, pad: float = 4.0, size: float = 10) -> None:
    """Write each labelled line's label at its right end, in its colour, moved apart where labels would overlap.

    Lines whose label starts with an underscore are left alone. Works for linear and logarithmic axes.

    Args:
        axes: the axes whose lines are labelled.
        pad: gap between the line's end and its label, in points.
        size: font size, in points.
    """
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) and not line.get_label().startswith("_")]
    if not lines:
        raise ValueError("axes holds no labelled lines; give plot(..., label=...) first")
    figure = axes.get_figure()
    figure.draw_without_rendering()
    ends = []
    for line in lines:
        x, y = float(line.get_xdata()[-1]), float(line.get_ydata()[-1])
        ends.append([axes.transData.transform((x, y))[1] * 72 / figure.dpi, x, y, line])
    ends.sort(key=lambda end: end[0])
    gap = size * 1.25
    heights = [end[0] for end in ends]
    for _ in range(50):
        for i in range(len(heights) - 1):
            overlap = gap - (heights[i + 1] - heights[i])
            if overlap > 1e-6:
                heights[i] -= overlap / 2
                heights[i + 1] += overlap / 2
    for (at, x, y, line), height in zip(ends, heights, strict=True):
        axes.annotate(
            line.get_label(),
            (x, y),
            xytext=(pad, height - at),
            textcoords="offset points",
            color=line.get_color(),
            size=size,
            va="center",
            annotation_clip=False,
        )
