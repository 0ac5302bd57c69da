"""How the course shows things: the figure style, pictures with text alternatives, panels, and the verdict box.

It draws what it is given; it knows no lesson and trains nothing.
"""

from .._lazy import lazy_names

_HOMES = {
    "COLOURS": "figures",
    "OUTCOMES": "verdicts",
    "Panel": "panels",
    "VERDICT_MIME": "verdicts",
    "Verdict": "verdicts",
    "label_lines": "figures",
    "panel": "panels",
    "picture": "figures",
    "use_style": "figures",
    "verdict": "verdicts",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy_names(__name__, _HOMES)
