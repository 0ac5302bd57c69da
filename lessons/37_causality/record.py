"""What lesson 37 records: every way of learning under shift, tuned by three rules, in environments of four kinds.

All networks of a way (settings, seeds, environments left out) are trained side by side as one.
"""

import numpy as np
import torch
from tinyfrontier.beside.lesson_37.coloured import places, side_by_side, together

PLAIN = [(0.0, d) for d in (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)]
PRESSED = [(s, d) for s in (1e1, 1e2, 1e3, 1e4) for d in (0.0, 1e-3)]
WORST = [(s, d) for s in (0.01, 0.1, 0.5, 1.0) for d in (0.0, 1e-3)]
GRID = {
    "ERM": PLAIN,
    "group DRO": WORST,
    "V-REx": PRESSED,
    "IRM": PRESSED,
    "IRM, shuffled": PRESSED,
    "balanced": PLAIN,
    "DRO by colour": WORST,
    "grey": PLAIN,
}
RULES = "held-out environments", "same environments", "the exam"
SETTINGS = {
    "environments": [[0.85, 0.8, 0.75], [0.9, 0.8, 0.7], [0.98, 0.8, 0.62], [0.9, 0.6, 0.3]],
    "tuning": [0, 1, 2],
    "seeds": [100, 101, 102, 103, 104],
    "steps": 200,
}
QUICK = SETTINGS | {"tuning": [0], "seeds": [100], "steps": 4}
STOPS = 4  # times to stop at, evenly spaced


def one_way(lesson, how, sets, tests, seeds, steps):
    """Accuracies {test: {(strength, decay, stop): one a run}}, each setting trained on each of the sets."""
    grid, runs = GRID[how], len(sets)
    taught, asked = side_by_side(sets * len(grid)), {k: side_by_side(v * len(grid)) for k, v in tests.items()}
    strength, decay = (torch.tensor(column).repeat_interleave(runs) for column in zip(*grid, strict=True))
    found = {name: {} for name in tests}

    def watch(step, net):
        if (step + 1) % (steps // STOPS) == 0:
            for name, pictures in asked.items():
                scores = lesson.right(net, how, pictures).view(len(grid), runs).tolist()
                found[name] |= {(*pair, step + 1): row for pair, row in zip(grid, scores, strict=True)}

    lesson.train(taught, how, strength, decay, seeds * len(grid), steps=steps, watch=watch)
    return found


def measure(lesson, *, environments, tuning, seeds, steps):
    """What each rule picks, and exam accuracies of each seed there, by environments, rule and way."""
    found, picked = {}, {}
    for agreements in environments:
        name = ", ".join(f"{a:.0%}" for a in agreements)
        found[name], picked[name] = ({rule: {} for rule in RULES} for _ in range(2))
        tried, judged = ([places(s, agreements) for s in group] for group in (tuning, seeds))
        folds = [(i, place) for place in tried for i in range(len(agreements))]
        rest = [together(p.taught[:i] + p.taught[i + 1 :]) for i, p in folds]
        for how in GRID:
            left = {"left out": [p.held_out[i] for i, p in folds]}
            ours = [s for s in tuning for _ in agreements]
            held = one_way(lesson, how, rest, left, ours, steps)["left out"]
            tests = {"same": [together(p.held_out) for p in judged], "exam": [p.exam[0.1] for p in judged]}
            scores = one_way(lesson, how, [together(p.taught) for p in judged], tests, seeds, steps)
            for rule, by in zip(RULES, (held, scores["same"], scores["exam"]), strict=True):
                key = max(by, key=lambda k: np.mean(by[k]))
                picked[name][rule][how] = list(key)
                found[name][rule][how] = [round(v, 4) for v in scores["exam"][key]]
    return {"exam": found, "picked": picked}
