"""Panels: the picture follows the controls, and a still picture stands where widgets do not run."""

import base64

import matplotlib

matplotlib.use("agg")

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pytest

from tinyfrontier.show import panel


def draw(height, colour="red", words="", log=False):
    """A bar."""
    figure, axes = plt.subplots(figsize=(2, 2))
    axes.bar([0], [height], color=colour)
    axes.set_title(words)
    axes.set_yscale("log" if log else "linear")
    return figure, f"height {height}"


def sound():
    """A panel with one control of each kind."""
    return panel(
        draw,
        alt="A bar whose height follows the slider",
        title="Bars",
        height=widgets.IntSlider(2, min=1, max=5),
        colour=widgets.Dropdown(options=["red", "blue"]),
        words=widgets.Text("hello"),
        log=widgets.Checkbox(False),
    )


def test_moving_a_control_changes_picture_and_readout():
    """A new value redraws; going back restores the very picture."""
    play = sound()
    before = play.png
    play.set(height=4)
    assert play.png != before
    assert play.readout == "height 4"
    assert base64.b64encode(play.png).decode() in play._image.value
    play.set(height=2)
    assert play.png == before


def test_the_bundle_holds_widget_and_still_picture():
    """What the notebook stores is the widget view, the picture beside it, and the alternative as text."""
    play = sound()
    data, metadata = play._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert base64.b64decode(data["image/png"]) == play.png
    assert data["text/plain"].startswith("A bar whose height follows the slider")
    assert metadata["image/png"]["alt"] == "A bar whose height follows the slider"
    assert 'alt="A bar whose height follows the slider"' in play._image.value


def test_prove_moves_every_control(capsys):
    """The proof moves each control, prints one line and puts everything back."""
    play = sound()
    before = play.png
    play.prove()
    assert capsys.readouterr().out == "4 controls moved, the picture followed every one\n"
    assert play.png == before
    assert play.controls["words"].value == "hello"


def test_a_control_that_changes_nothing_is_caught():
    """The proof fails for a dead control and names it."""
    play = panel(
        lambda height, dead: draw(height),
        alt="A bar whose height follows the slider",
        height=widgets.FloatSlider(2, min=1, max=5),
        dead=widgets.IntSlider(2, min=1, max=5),
    )
    with pytest.raises(AssertionError, match="moving dead changes nothing"):
        play.prove()


def test_a_drawing_that_is_not_repeatable_is_caught():
    """The proof fails where the same values give another picture."""
    state = iter(range(1, 100))
    play = panel(
        lambda height: draw(next(state)),
        alt="A bar whose height follows nobody",
        height=widgets.IntSlider(2, min=1, max=5),
    )
    with pytest.raises(AssertionError, match="does not bring the picture back"):
        play.prove()


def test_an_error_while_drawing_is_shown_and_fails_the_proof():
    """A drawing that raises for some value shows the error in the readout; the proof raises it."""

    def fragile(height):
        if height > 4:
            raise ValueError("too high")
        return draw(height)

    play = panel(fragile, alt="A bar that breaks when too high", height=widgets.IntSlider(2, min=1, max=5))
    play.set(height=5)
    assert play.readout == "ValueError: too high"
    play.set(height=2)
    with pytest.raises(ValueError, match="too high"):
        play.prove()


def test_no_figure_stays_open():
    """Redrawing leaves no figure open."""
    plt.close("all")
    play = sound()
    play.set(height=3)
    assert plt.get_fignums() == []


def test_wrong_arguments_are_named():
    """A control that is none, no control at all, and a drawing that is none are refused by name."""
    with pytest.raises(TypeError, match="control 'height' must be an ipywidgets control, got int"):
        panel(draw, alt="A bar whose height is fixed", height=3)
    with pytest.raises(ValueError, match="controls must name at least one"):
        panel(draw, alt="A bar whose height is fixed")
    with pytest.raises(TypeError, match="draw must be a function, got str"):
        panel("draw", alt="A bar whose height is fixed", height=widgets.IntSlider())
    with pytest.raises(TypeError, match="draw must return a matplotlib Figure, got NoneType"):
        panel(lambda height: None, alt="A bar whose height is fixed", height=widgets.IntSlider())
    with pytest.raises(ValueError, match="depth is not a control of this panel; it has height"):
        panel(draw, alt="A bar whose height is fixed", height=widgets.IntSlider(2, min=1)).set(depth=2)
