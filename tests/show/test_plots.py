"""Curves, bars and images: direct labels, bands over seeds, recorded lines, and axes that a lesson can add to."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from tinyfrontier.show import COLOURS, bars, curves, images, recorded, use_style

ALT = "A line that falls from one to zero"


@pytest.fixture(autouse=True)
def style():
    """The course's style, and no figure left open."""
    with plt.rc_context():
        use_style()
        yield
    plt.close("all")


@pytest.fixture
def sent(monkeypatch):
    """What reaches the notebook."""
    outputs = []
    monkeypatch.setattr("IPython.display.display", lambda data, **more: outputs.append((data, more["metadata"])))
    return outputs


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    "draw",
    [
        lambda **more: curves(None, {"loss": [1, 0]}, xlabel="step", ylabel="loss", **more),
        lambda **more: bars({"loss": 1.0}, xlabel="loss", **more),
        lambda **more: images([np.eye(3)], **more),
    ],
    ids=["curves", "bars", "images"],
)
def test_alt_shows_it_and_no_alt_gives_the_axes(draw, sent):
    """With `alt` the figure is shown and closed; without it the axes come back; a poor `alt` is refused."""
    assert draw(alt=ALT, signature=True) is None
    assert sent[0][0]["text/plain"] == ALT
    assert sent[0][1]["image/png"] == {"alt": ALT, "signature": True}
    assert plt.get_fignums() == []
    ax = draw()
    assert isinstance(ax, plt.Axes)
    assert len(sent) == 1
    own = plt.subplots()[1]
    assert draw(ax=own) is own
    with pytest.raises(ValueError, match="alt must be one line"):
        draw(alt="short")
    with pytest.raises(ValueError, match="signature goes with alt"):
        draw(signature=True)
    with pytest.raises(TypeError, match="ax must be matplotlib axes, got str"):
        draw(ax="axes")


def test_curves_are_labelled_at_their_ends():
    """Each curve, level and mark carries its name in the figure; there is no legend."""
    ax = curves(
        [1, 2, 4],
        {"a": [1, 2, 3], "b": torch.tensor([3.0, 2.0, 1.0])},
        xlabel="size (bytes)",
        ylabel="loss (nats)",
        log="x",
        levels={"chance": 2.5},
        marks={"here": 2},
    )
    assert sorted(texts(ax)) == ["a", "b", "chance", "here"]
    assert ax.get_legend() is None
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("size (bytes)", "loss (nats)", "log")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "4"]


@pytest.mark.parametrize(("middle", "heights"), [("mean", [2.0, 4.0]), ("median", [1.0, 2.0])])
def test_seeds_become_a_line_in_a_band(middle, heights):
    """Three seeds give one line at their mean or median, and a band from the lowest to the highest."""
    seeds = [[0.0, 1.0], [1.0, 2.0], [5.0, 9.0]]
    ax = curves([0, 1], {"a": seeds}, xlabel="x", ylabel="y", middle=middle)
    assert list(ax.get_lines()[0].get_ydata()) == heights
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (0, 9)


def test_recorded_curves_are_dashed_and_say_so():
    """A recorded line is dashed with hollow dots, its label says "recorded"; a live one is neither."""
    ax = curves([0, 1], {"old": recorded([[1, 2], [2, 3]]), "new": [2, 1]}, xlabel="x", ylabel="y")
    old, new = ax.get_lines()
    assert (old.get_linestyle(), old.get_markerfacecolor()) == ("--", "white")
    assert new.get_linestyle() == "-"
    assert sorted(texts(ax)) == ["new", "old (recorded)"]


def test_a_line_keeps_the_colour_it_is_given():
    """A colour's name in the palette is enough; the others take theirs in turn."""
    ax = curves(None, {"a": [1, 2], "b": [2, 1]}, xlabel="x", ylabel="y", colours={"b": "vermilion"})
    assert [to_hex(line.get_color()).upper() for line in ax.get_lines()] == [COLOURS["blue"], COLOURS["vermilion"]]


def test_each_line_may_have_its_own_places():
    """A mapping for x serves lines of different length."""
    ax = curves({"a": [1, 2, 3], "b": [2, 4]}, {"a": [1, 1, 1], "b": [2, 2]}, xlabel="x", ylabel="y")
    assert [list(line.get_xdata()) for line in ax.get_lines()] == [[1, 2, 3], [2, 4]]


@pytest.mark.parametrize(
    ("x", "lines", "more", "error", "message"),
    [
        ([1, 2], {}, {}, ValueError, "lines must hold at least one curve"),
        ([1, 2], [[1, 2]], {}, TypeError, "lines must be a mapping"),
        ([1, 2], {"a": [1, 2, 3]}, {}, ValueError, r"lines\['a'\] must be .* with 2 points as in x, got \(3,\)"),
        ([1, 2], {"a": ["x", "y"]}, {}, TypeError, "must be numbers"),
        ([1, 2], {"a": [1, 2]}, {"log": "z"}, ValueError, "log must be '', 'x', 'y' or 'xy', got 'z'"),
        ([1, 2], {"a": [1, 2]}, {"middle": "mode"}, ValueError, "middle must be 'mean' or 'median'"),
    ],
)
def test_bad_curves_are_named(x, lines, more, error, message):
    """Each bad argument is refused by name."""
    with pytest.raises(error, match=message):
        curves(x, lines, xlabel="x", ylabel="y", **more)


def test_bars_carry_their_numbers():
    """The number or range stands at the bar's end; seeds are dots; a recorded bar is hatched and says so."""
    values = {"a": [0.5, 0.7], "b": 0.25, "c": recorded(0.9)}
    ax = bars(values, xlabel="accuracy", form="%", levels={"chance": 0.1})
    assert texts(ax) == ["50 to 70 %", "25 %", "90 % (recorded)", "chance"]
    assert [round(bar.get_width(), 3) for bar in ax.patches] == [0.6, 0.25, 0.9]
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [False, False, True]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(values)
    assert list(ax.get_lines()[0].get_xdata()) == [0.5, 0.7]
    ax = bars({"a": [2.3, 2.4], "b": recorded([9.0])}, xlabel="bits", dots=True, log=True)
    assert not ax.patches
    assert [list(line.get_xdata()) for line in ax.get_lines()] == [[2.3, 2.4], [9.0]]
    assert ax.get_lines()[1].get_markerfacecolor() == "white"
    assert ax.get_xscale() == "log"
    with pytest.raises(ValueError, match="at least one bar"):
        bars({}, xlabel="x")


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4), (3, 4, 4), (4, 4, 3)])
def test_images_of_every_layout_are_drawn(shape):
    """One image or three channels, channels first or last, as a row of two."""
    ax = images([np.zeros(shape), np.ones(shape)], ["zero", "one"])
    assert len(ax.images) == 2
    assert texts(ax) == ["zero", "one"]


def test_images_come_as_rows_grids_and_mappings():
    """A tensor of many is a row that can be cut; a mapping of images labels each; a mapping of rows labels rows."""
    many = torch.zeros(10, 1, 8, 8)
    assert len(images(many).images) == 10
    cut = images(many, across=5)
    assert sorted({image.get_extent()[0] for image in cut.images}) == pytest.approx([1.08 * n for n in range(5)])
    assert texts(images({"a": many[0], "b": many[1]})) == ["a", "b"]
    rows = images({"first": many[:3], "second": many[3:6]}, columns=["x", "y", "z"])
    assert len(rows.images) == 6
    assert sorted(texts(rows)) == ["first", "second", "x", "y", "z"]
    assert len(images([[many[0], many[1]], [many[2]]]).images) == 3


def test_all_images_share_one_scale():
    """The darkest of all images is the scale's end for each, unless limits are given."""
    pair = [np.full((2, 2), 1.0), np.full((2, 2), 5.0)]
    assert {image.get_clim() for image in images(pair).images} == {(1.0, 5.0)}
    assert {image.get_clim() for image in images(pair, limits=(0, 10)).images} == {(0, 10)}
    figure = images(pair, colourbar="brightness").figure
    assert [ax.get_ylabel() for ax in figure.axes] == ["", "brightness"]


def test_bad_images_are_named():
    """No image, a shape that is none, and too many labels are refused."""
    with pytest.raises(ValueError, match="at least one image"):
        images([])
    with pytest.raises(ValueError, match="an image must be"):
        images([np.zeros(5)])
    with pytest.raises(ValueError, match="labels must be at most 1, one an image, got 2"):
        images([np.eye(2)], ["a", "b"])
