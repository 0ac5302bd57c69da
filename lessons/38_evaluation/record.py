"""What lesson 38 records: leaks at three doses, audits of pages, an exam read up to eight times, optimised measures."""

import numpy as np
from tinyfrontier.beside.lesson_38.scorecard import DATA

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4],
    "walks": 10,
    "models": ["neighbour", "forest", "line"],
    "audits": 5,
    "exams": 5,
    "copies": [0, 1, 2, 4, 8],
    "exam": 60,
    "rounds": 20,
    "tries": [10, 100, 1000],
    "splits": 200,
}
QUICK = {
    "seeds": [0],
    "walks": 1,
    "models": ["neighbour", "forest", "line"],
    "audits": 1,
    "exams": 1,
    "copies": [1],
    "exam": 6,
}
QUICK |= {"rounds": 1, "tries": [3], "splits": 3}


def measure(lesson, *, seeds, walks, models, audits, exams, copies, exam, rounds, tries, splits):
    """`leaks`: leaky, honest, vault by kind, dose, model and seed or walk; `coins`: with labels from a coin; `audits`:
    AUC on pages read and unread by draw; `reading`: AUC by detector, copies and seed; `optimised`: mean rank over ten
    measures and rank in its own by data, tries, measure and seed; `close`: accuracies of two close methods by split.
    """
    found = {"leaks": {}, "coins": {}, "audits": {}, "reading": {}, "optimised": {}}
    for kind, leak in lesson.LEAKS.items():
        drawn = range(walks) if kind == "time" else seeds
        for name in models:
            make = lesson.MODELS[name]
            for dose in lesson.DOSES[kind]:
                rows = [np.round(leak(make, dose, seed), 4).tolist() for seed in drawn]
                found["leaks"].setdefault(kind, {}).setdefault(str(dose), {})[name] = rows
            if kind != "time":
                rows = [np.round(leak(make, lesson.DOSES[kind][-1], seed, coin=True), 4).tolist() for seed in drawn]
                found["coins"].setdefault(kind, {})[name] = rows
        print(
            kind,
            {d: {m: np.mean(r, 0).round(3).tolist() for m, r in b.items()} for d, b in found["leaks"][kind].items()},
            flush=True,
        )
    for seed in range(audits):
        for name, auc in lesson.audit(seed).items():
            found["audits"].setdefault(name, []).append(round(float(auc), 4))
    print(found["audits"], flush=True)
    for seed in range(exams):
        members, others, filler = lesson.exam_of(seed, exam)
        twin = lesson.taught(members, filler, 0, seed + 100)
        for times in copies:
            model = lesson.taught(members, filler, times, seed)
            for name, auc in lesson.detect(model, members, others, twin).items():
                found["reading"].setdefault(name, {}).setdefault(str(times), []).append(round(float(auc), 4))
    print(found["reading"], flush=True)
    for data in DATA:
        for seed in range(rounds):
            for count, picked in lesson.optimised(data, tries, seed).items():
                row = found["optimised"].setdefault(data, {}).setdefault(str(count), {})
                for name, worth in picked.items():
                    row.setdefault(name, []).append(np.round(worth, 4).tolist())
        print(data, {n: np.mean(r, 0).round(3).tolist() for n, r in row.items()}, flush=True)
    found["close"] = {name: np.round(v, 4).tolist() for name, v in lesson.close_race(splits).items()}
    return found
