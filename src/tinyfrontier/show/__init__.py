"""How the course shows things: the figure style, pictures with text alternatives, panels, and the verdict box.

It draws what it is given; it knows no lesson and trains nothing.
"""

from .figures import COLOURS, label_lines, picture, use_style
from .panels import Panel, panel
from .verdicts import OUTCOMES, VERDICT_MIME, Verdict, verdict

__all__ = [
    "COLOURS",
    "OUTCOMES",
    "VERDICT_MIME",
    "Panel",
    "Verdict",
    "label_lines",
    "panel",
    "picture",
    "use_style",
    "verdict",
]
