"""How the course shows things: figure style, plots, numbers, panels, predictions, the verdict, and the one HTML box.

It draws what it is given and trains nothing. The start page's views stand here too: the machine's check (`doctor`), the
questions that propose where to begin, how far the reader is, the course map and the reader's calibration.
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
    "how_far": "course",
    "images": "plots",
    "label_lines": "figures",
    "panel": "panels",
    "picture": "figures",
    "predict": "predictions",
    "recorded": "spreads",
    "spread": "spreads",
    "use_style": "figures",
    "verdict": "verdicts",
    "where_to_begin": "begin",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy_names(__name__, _HOMES)
