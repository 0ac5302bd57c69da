"""Chains drawn in 3-D. Knows nothing of families and networks."""

from tinyfrontier.show import COLOURS

EDGE = {"edgecolors": COLOURS["grey"], "linewidths": 0.6}  # the middle of the colours is as pale as the page


def draw_chain(ax, places, colours="blue", title=""):
    """Draw a chain.

    Args:
        ax: matplotlib axes in 3-D.
        places: tensor (length, 3), Angstrom.
        colours: the name of one of the course's colours, or a number for each residue: red is 0.2, blue 0.9.
        title: of the axes.

    Raises:
        ValueError: if `places` has another shape.
    """
    if places.ndim != 2 or places.shape[1] != 3:
        raise ValueError(f"places must be (length, 3), got {tuple(places.shape)}")
    x, y, z = places.T.numpy()
    if isinstance(colours, str):
        ax.plot(x, y, z, color=COLOURS[colours], lw=2.5)
    else:
        ax.plot(x, y, z, color=COLOURS["grey"], lw=1)
        ax.scatter(x, y, z, c=colours, cmap="RdYlBu", vmin=0.2, vmax=0.9, s=45, depthshade=False, **EDGE)
    ax.set(title=title, xticks=[], yticks=[], zticks=[], xlim=(-14, 14), ylim=(-14, 14), zlim=(-14, 14))
    ax.set_box_aspect([1, 1, 1])
