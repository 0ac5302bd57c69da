"""Interactive panels: controls on top, one picture below, redrawn when a control moves. Needs ipywidgets.

A panel's picture is also its still picture, so a page makes sense where widgets do not run.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from .boxes import KINDS
from .figures import check_alt, to_png


class Panel:
    """Controls and a picture that follows them.

    Attributes:
        controls: the widgets by name.
        png: the picture that is shown, as PNG bytes.
        readout: the line of text below the picture, "" if the drawing gives none.
    """

    def __init__(self, draw: Callable, *, alt: str, title: str = "", controls: dict[str, widgets.Widget]):
        if not callable(draw):
            raise TypeError(f"draw must be a function, got {type(draw).__name__}")
        if not controls:
            raise ValueError("controls must name at least one widget; got none")
        for name, control in controls.items():
            if not isinstance(control, widgets.ValueWidget):
                raise TypeError(f"control {name!r} must be an ipywidgets control, got {type(control).__name__}")
        self.draw, self.alt, self.title, self.controls = draw, check_alt(alt), title, controls
        self.png, self.readout = b"", ""
        for name, control in controls.items():
            if hasattr(control, "description") and not control.description:
                control.description = name.replace("_", " ")
            if hasattr(control, "description"):
                control.style = {"description_width": "initial"}
            if control.layout.width is None and not isinstance(control, widgets.Checkbox):
                control.layout.width, control.layout.max_width = "36em", "98%"  # room for a long name or a sentence
            if hasattr(control, "continuous_update"):
                control.continuous_update = False
            control.observe(self._redraw, names="value")
        self._image = widgets.HTML()
        self._words = widgets.HTML()
        self.update()

    def update(self) -> None:
        """Draw again with the controls' present values.

        Raises:
            TypeError: if the drawing function returns no matplotlib figure.
        """
        drawn = self.draw(**{name: control.value for name, control in self.controls.items()})
        figure, words = drawn if isinstance(drawn, tuple) else (drawn, "")
        if not isinstance(figure, Figure):
            raise TypeError(f"draw must return a matplotlib Figure, got {type(figure).__name__}")
        self.png, self.readout = to_png(figure), str(words)
        plt.close(figure)
        encoded = base64.b64encode(self.png).decode("ascii")
        self._image.value = (
            f'<img class="tinyfrontier-panel" alt="{html.escape(self.alt)}" style="max-width:100%" '
            f'src="data:image/png;base64,{encoded}">'
        )
        self._words.value = f'<div class="tinyfrontier-readout">{html.escape(self.readout)}</div>'

    def _redraw(self, change: dict) -> None:
        try:
            self.update()
        except Exception as error:  # an error in a widget's callback would vanish in the log
            self.readout = f"{type(error).__name__}: {error}"
            self._words.value = f'<div class="tinyfrontier-readout">{html.escape(self.readout)}</div>'

    def set(self, **values: Any) -> None:
        """Move controls, as a reader would: `play.set(head=2)`.

        Raises:
            ValueError: if a name is not one of the panel's controls.
        """
        for name, value in values.items():
            if name not in self.controls:
                raise ValueError(f"{name} is not a control of this panel; it has {', '.join(self.controls)}")
            self.controls[name].value = value

    def prove(self) -> None:
        """Move every control through its values and assert that each changes the picture, without an error.

        Puts the controls back and prints one line with their number.

        Raises:
            AssertionError: if a control changes nothing, or drawing fails.
        """
        for name, control in self.controls.items():
            start, first = control.value, self.png
            changed = False
            for value in _other_values(control):
                control.value = value
                self.update()
                changed |= self.png != first
            control.value = start
            self.update()
            assert changed, f"moving {name} changes nothing in the picture"
            assert self.png == first, f"putting {name} back does not bring the picture back"
        number = len(self.controls)
        print(f"{number} {'control' if number == 1 else 'controls'} moved, the picture followed every one")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle = framed(self.title, *self.controls.values(), self._image, self._words)
        bundle["image/png"] = base64.b64encode(self.png).decode("ascii")
        bundle["text/plain"] = f"{self.alt} {self.readout}".strip()
        return bundle, {"image/png": {"alt": self.alt, "panel": True}}


def framed(title: str, *rows: widgets.Widget) -> dict[str, Any]:
    """The output of widgets below each other that look like the course's box: with its title and its bar."""
    head = [widgets.HTML(f"<b>{html.escape(title)}</b>")] if title else []
    column = widgets.VBox([*head, *rows])
    column.layout.border_left, column.layout.padding = f"5px solid {KINDS['plain']}", "4px 12px"
    bundle = column._repr_mimebundle_()
    return dict(bundle[0] if isinstance(bundle, tuple) else bundle)


def _other_values(control: widgets.ValueWidget) -> list:
    """Up to three values of a control other than the present one: both ends and the middle, or other options."""
    if hasattr(control, "options"):
        options = [option[1] if isinstance(option, tuple) else option for option in control.options]
        return [option for option in options if option != control.value][:3]
    if isinstance(control, (widgets.Checkbox, widgets.ToggleButton)):
        return [not control.value]
    if isinstance(control, (widgets.Text, widgets.Textarea)):
        return ["the cat saw the dog and the dog saw the cat"]
    low, high = control.min, control.max
    if isinstance(control, widgets.FloatLogSlider):
        low, high = control.base**low, control.base**high
    middle = (low + high) / 2
    if isinstance(low, int) and isinstance(high, int):
        middle = (low + high) // 2
    return [value for value in (low, middle, high) if value != control.value]


def panel(draw: Callable, *, alt: str, title: str = "", **controls: widgets.Widget) -> Panel:
    """Make a panel: `panel(draw, alt="…", head=IntSlider(min=0, max=3))`.

    Args:
        draw: called with every control's value by name; returns a matplotlib figure, or a figure and a line of text.
        alt: one line that says what the picture shows.
        title: a line above the controls.
        controls: ipywidgets controls by the name of the argument that they set.

    Raises:
        TypeError: if `draw` is no function, returns no figure, or a control is not an ipywidgets control.
        ValueError: if there is no control, or `alt` is not one line of 10 to 400 characters.
    """
    return Panel(draw, alt=alt, title=title, controls=controls)
