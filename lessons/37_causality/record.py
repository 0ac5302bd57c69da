"""What lesson 37 records: every way of learning under shift, tuned by three rules, in environments of three gaps."""

from functools import cache

import numpy as np
from tinyfrontier.beside.lesson_37.coloured import places, together

PLAIN = [(0.0, 0.0), (0.0, 1e-3), (0.0, 3e-3)]  # strength and decay
PRESSED = [(1e2, 0.0), (1e3, 0.0), (1e4, 0.0)]
GRID = {
    "ERM": PLAIN,
    "group DRO": [(0.01, 0.0), (0.1, 0.0), (0.1, 1e-3)],
    "V-REx": PRESSED,
    "IRM": PRESSED,
    "IRM, shuffled": PRESSED,
    "balanced": PLAIN,
    "grey": PLAIN,
}
SETTINGS = {"gaps": [0.05, 0.1, 0.18], "tuning": [0], "seeds": [100, 101, 102, 103, 104], "steps": 150}
QUICK = {"gaps": [0.1], "tuning": [0], "seeds": [100], "steps": 3}
STOPS = 3  # times to stop at, evenly spaced


def agreements(gap):
    """Of colour and label in the three environments."""
    return 0.8 + gap, 0.8, 0.8 - gap


@cache
def drawn(seed, gap):
    """The places of one seed, drawn once."""
    return places(seed, agreements(gap))


def one_way(lesson, how, gap, tuning, seeds, steps):
    """Scores by (setting, stop): on held-out environments, on the same ones, and on the exams, a row a seed."""
    held, same, exam = {}, {}, {}
    for setting in GRID[how]:
        for seed in tuning:
            place = drawn(seed, gap)
            for out in range(3):
                taught = together([each for i, each in enumerate(place.taught) if i != out])

                def left_out(step, net, setting=setting, place=place, out=out):
                    if (step + 1) % (steps // STOPS) == 0:
                        score = lesson.right(net, how, place.held_out[out])
                        held.setdefault((*setting, step + 1), []).append(score)

                lesson.train(taught, how, *setting, seed=seed, steps=steps, watch=left_out)
        for seed in seeds:
            place = drawn(seed, gap)

            def examined(step, net, setting=setting, place=place):
                if (step + 1) % (steps // STOPS) == 0:
                    key = (*setting, step + 1)
                    mean = np.mean([lesson.right(net, how, each) for each in place.held_out])
                    same.setdefault(key, []).append(float(mean))
                    row = {str(a): lesson.right(net, how, each) for a, each in place.exam.items()}
                    exam.setdefault(key, []).append(row)

            lesson.train(together(place.taught), how, *setting, seed=seed, steps=steps, watch=examined)
    return held, same, exam


def measure(lesson, *, gaps, tuning, seeds, steps):
    """What each rule picks, and exam accuracies of each seed there, by gap, rule, way and agreement."""
    found, picked = {}, {}
    for gap in gaps:
        for how in GRID:
            held, same, exam = one_way(lesson, how, gap, tuning, seeds, steps)
            turned = {key: [row["0.1"] for row in rows] for key, rows in exam.items()}
            rules = {"held-out environments": held, "same environments": same, "the exam": turned}
            for rule, scores in rules.items():
                key = max(scores, key=lambda k: np.mean(scores[k]))
                rows = {a: [row[a] for row in exam[key]] for a in exam[key][0]}
                picked.setdefault(str(gap), {}).setdefault(rule, {})[how] = list(key)
                found.setdefault(str(gap), {}).setdefault(rule, {})[how] = rows
    return {"exam": found, "picked": picked}
