"""What lesson 05 records: the ladder, the large model and the joint law with eighteen other seeds."""

import torch

from tinyfrontier.data import documentation

WIDTHS = [14, 20, 26, 34, 44, 56, 120]
SETTINGS = {"firsts": [3, 6, 12, 15, 18, 21], "widths": WIDTHS, "wider": 72, "ratio": 20}
QUICK = {"firsts": [3], "widths": [4, 6], "wider": 5, "ratio": 1}


def measure(lesson, *, firsts, widths, wider, ratio):
    """Sizes, bits per byte of each seed (rows) at each, and the joint law's guesses (series, leasts, seeds)."""
    docs = documentation(("python",))
    parts = [torch.tensor(list(part.encode("ascii", "ignore"))) for part in (docs.train_text, docs.test_text)]
    sizes, rows, joint = [lesson.matrix_weights(width) for width in widths], [], []
    goal = torch.tensor([[sizes[-1], ratio * sizes[-1]]]).double()
    for first in firsts:
        text = lesson.prepare(*parts, first=first)
        family, columns = {}, []
        for width, size in zip(widths, sizes, strict=True):
            last = max(1, round(ratio * size / lesson.BATCH))
            marks = {last} if size == sizes[-1] else {last} | lesson.stops(size)
            family[size] = lesson.train_readers(width, marks, text)
            columns.append(family[size][last])
        rows += [[round(value, 4) for value in row] for row in torch.stack(columns, dim=1).tolist()]
        del family[sizes[-1]]  # the joint law is to foretell it
        size = lesson.matrix_weights(wider)
        family[size] = lesson.train_readers(wider, lesson.stops(size), text)
        laws = [lesson.joint_laws(family, least)[2] for least in lesson.LEAST]
        guesses = [lesson.two_powers(law, goal)[0][:, 0] for law in laws]
        joint.append([[round(value, 4) for value in guess.tolist()] for guess in guesses])
    return {"sizes": sizes, "ladder": rows, "joint": joint}
