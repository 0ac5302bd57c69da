"""What lesson 38 records: leaks at three doses, an exam read once to sixteen times, optimised measures, the ledger."""

import numpy as np
from tinyfrontier.beside.lesson_38.ledger import gather

from tinyfrontier.beside import load_record

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4],
    "models": ["neighbour", "forest", "line"],
    "copies": [0, 1, 2, 4, 8, 16],
    "tries": [10, 100, 1000],
    "exam": 60,
    "splits": 200,
}
QUICK = {"seeds": [0], "models": ["line"], "copies": [1], "tries": [3], "exam": 6, "splits": 3}


def measure(lesson, *, seeds, models, copies, tries, exam, splits):
    """`leaks`: leaky, honest, vault by kind, dose, model and seed, and with labels from a coin; `reading`: AUC by
    detector, copies and seed; `optimised`: mean rank over ten measures, and its own, by data, tries, measure and seed;
    `close`: accuracies of two close methods by split; `ledger`: the comparisons behind verdicts.
    """
    found = {"leaks": {}, "coins": {}, "reading": {}, "optimised": {}}
    for kind, leak in lesson.LEAKS.items():
        for name in models:
            make = lesson.MODELS[name]
            for dose in lesson.DOSES[kind]:
                rows = [np.round(leak(make, dose, seed), 4).tolist() for seed in seeds]
                found["leaks"].setdefault(kind, {}).setdefault(str(dose), {})[name] = rows
            rows = [np.round(leak(make, lesson.DOSES[kind][-1], seed, coin=True), 4).tolist() for seed in seeds]
            found["coins"].setdefault(kind, {})[name] = rows
        print(kind, found["leaks"][kind], found["coins"][kind], flush=True)
    for seed in seeds:
        members, others, filler = lesson.exam_of(seed, exam)
        twin = lesson.taught(members, filler, 0, seed + 100)
        for times in copies:
            model = lesson.taught(members, filler, times, seed)
            for name, auc in lesson.detect(model, members, others, twin).items():
                found["reading"].setdefault(name, {}).setdefault(str(times), []).append(round(auc, 4))
        print(seed, found["reading"], flush=True)
    for data in lesson.DATA:
        for seed in seeds:
            for count in tries:
                for name, scores in lesson.optimised(data, count, seed).items():
                    row = found["optimised"].setdefault(data, {}).setdefault(str(count), {})
                    row.setdefault(name, []).append(np.round(scores, 4).tolist())
        print(data, {n: np.mean(r, 0).round(2).tolist() for n, r in row.items()}, flush=True)
    found["close"] = {name: np.round(v, 4).tolist() for name, v in lesson.close_race(splits).items()}
    found["ledger"] = gather(load_record)
    return found
