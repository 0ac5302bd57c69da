"""Pictures carry a text alternative; the style holds; labels stand at the ends of lines."""

import itertools

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest

from tinyfrontier.show import COLOURS, label_lines, picture, use_style
from tinyfrontier.show.figures import to_png


@pytest.fixture(autouse=True)
def style():
    """The course's style, and no figure left open."""
    with plt.rc_context():
        use_style()
        yield
    plt.close("all")


def test_a_picture_publishes_png_and_metadata(monkeypatch):
    """A PNG, the alternative, and the signature mark only where asked for reach the notebook; the figure is closed."""
    plt.close("all")
    sent = []
    monkeypatch.setattr("IPython.display.display", lambda data, **more: sent.append((data, more)))
    for signature in (True, False):
        figure, _ = plt.subplots()
        picture(figure, "An empty pair of axes", signature=signature)
    assert sent[0][0]["image/png"].startswith(b"\x89PNG")
    assert sent[0][0]["text/plain"] == "An empty pair of axes"
    assert sent[0][1]["metadata"]["image/png"]["signature"] is True
    assert "signature" not in sent[1][1]["metadata"]["image/png"]
    assert plt.get_fignums() == []


@pytest.mark.parametrize("alt", ["", "short", "two\nlines of text here", "x" * 401])
def test_a_poor_alternative_is_refused(alt):
    """An alternative that is empty, too short, too long or more than one line is refused by name."""
    with pytest.raises(ValueError, match="alt must be one line"):
        picture(plt.figure(), alt)


def test_wrong_types_are_named():
    """A figure that is none, or an alternative that is no text, is refused by name."""
    with pytest.raises(TypeError, match="figure must be a matplotlib Figure, got str"):
        picture("figure", "A sound alternative")
    with pytest.raises(TypeError, match="alt must be text, got int"):
        picture(plt.figure(), 3)


def test_the_same_figure_gives_the_same_bytes():
    """Drawing twice gives equal PNG bytes, at most 100 dots an inch."""

    def draw():
        figure, axes = plt.subplots()
        axes.plot([3, 1, 2])
        return figure

    assert to_png(draw()) == to_png(draw())
    assert plt.rcParams["savefig.dpi"] <= 100


def test_the_colours_are_distinct_and_in_the_cycle():
    """Eight distinct colours; the cycle uses them."""
    assert len(set(COLOURS.values())) == len(COLOURS)
    cycle = {f"#{colour}".upper().replace("##", "#") for colour in plt.rcParams["axes.prop_cycle"].by_key()["color"]}
    assert cycle <= {colour.upper() for colour in COLOURS.values()}


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_labels_stand_at_the_ends_without_overlap(scale):
    """Each labelled line gets its label beside its end, and close ends get labels that do not overlap."""
    figure, axes = plt.subplots()
    for height, name in ((1.0, "first"), (1.001, "second"), (5.0, "third")):
        axes.plot([1, 2, 3], [1, 2, height], label=name)
    axes.plot([1, 2], [1, 1])
    axes.set_yscale(scale)
    label_lines(axes)
    figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.y0)
    assert sorted(text.get_text() for text in axes.texts) == ["first", "second", "third"]
    assert all(lower.y1 <= upper.y0 + 1 for lower, upper in itertools.pairwise(boxes))


def test_labelling_nothing_is_an_error():
    """Axes without labelled lines are refused."""
    _, axes = plt.subplots()
    with pytest.raises(ValueError, match="no labelled lines"):
        label_lines(axes)
