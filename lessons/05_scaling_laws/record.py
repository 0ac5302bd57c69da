"""What lesson 05 records: the ladder and the large model with six other seeds."""

import torch

from tinyfrontier.data import documentation

SETTINGS = {"firsts": [3, 6], "widths": [14, 20, 26, 34, 44, 56, 120], "ratio": 20}
QUICK = {"firsts": [3], "widths": [4, 6], "ratio": 1}


def measure(lesson, *, firsts, widths, ratio):
    """Sizes, and held-out bits per byte of each seed (rows) at each size (columns)."""
    docs = documentation(("python",))
    parts = [torch.tensor(list(part.encode("ascii", "ignore"))) for part in (docs.train_text, docs.test_text)]
    sizes, rows = [lesson.matrix_weights(width) for width in widths], []
    for first in firsts:
        text = lesson.prepare(*parts, first=first)
        steps = [max(1, round(ratio * size / lesson.BATCH)) for size in sizes]
        columns = [lesson.train_readers(width, {step}, text)[step] for width, step in zip(widths, steps, strict=True)]
        rows += [[round(value, 4) for value in row] for row in torch.stack(columns, dim=1).tolist()]
    return {"sizes": sizes, "ladder": rows}
