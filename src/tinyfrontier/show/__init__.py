"""How the course shows things: figure style, plots, numbers, panels, predictions, the verdict, and the one HTML box.

It draws what it is given and trains nothing. The start page's views stand here too: the machine's check (`doctor`), the
course map and the reader's calibration.
"""

from .._lazy import lazy_names

_HOMES = {
    "COLOURS": "palette",
    "OUTCOMES": "verdicts",
    "Panel": "panels",
    "Prediction": "predictions",
    "VERDICT_MIME": "verdicts",
    "Verdict": "verdicts",
    "bars": "plots",
    "box": "boxes",
    "calibration": "course",
    "course_map": "course",
    "curves": "plots",
    "doctor": "machine",
    "images": "plots",
    "label_lines": "figures",
    "panel": "panels",
    "picture": "figures",
    "predict": "predictions",
    "recorded": "spreads",
    "spread": "spreads",
    "use_style": "figures",
    "verdict": "verdicts",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy_names(__name__, _HOMES)
