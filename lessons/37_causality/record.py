"""What lesson 37 records: every way of learning under shift, tuned by three rules, in environments of four kinds.

IRM and V-REx are picked by a fourth rule too: the most accurate setting of those whose logits pass the test of
invariance on fresh pictures. The first and last kind are asked with more pictures as well.

All networks of a way (settings, seeds, environments left out) are trained side by side as one.
"""

import numpy as np
import torch
from tinyfrontier.beside.lesson_37.coloured import places, side_by_side, together

PLAIN = [(0.0, d) for d in (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)]
PRESSED = [(s, d) for s in (0.0, 1.0, 1e1, 1e2, 1e3, 1e4) for d in (0.0, 1e-3)]
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
MORE = {  # with more pictures, picked on the same environments
    "ERM": [(0.0, 0.0), (0.0, 1e-3), (0.0, 1e-2)],
    "IRM": [(1e1, 0.0), (1e2, 1e-3), (1e3, 1e-3)],
    "balanced": [(0.0, 0.0), (0.0, 1e-3), (0.0, 1e-2)],
    "grey": [(0.0, 1e-3), (0.0, 1e-2)],
}
TESTED = "IRM", "V-REx"
RULES = "held-out environments", "same environments", "the exam"
SETTINGS = {
    "environments": [[0.85, 0.8, 0.75], [0.9, 0.8, 0.7], [0.98, 0.8, 0.62], [0.9, 0.6, 0.3]],
    "tuning": [0, 1, 2],
    "seeds": [100, 101, 102, 103, 104],
    "steps": 200,
    "many": 2000,
}
QUICK = SETTINGS | {"tuning": [0], "seeds": [100], "steps": 4, "many": 500}
STOPS = 4  # times to stop at, evenly spaced


def p_values(lesson, net, pictures):
    """For each run, the p-value that its logit has one relation to the label in all environments."""
    with torch.no_grad():
        logits = net(pictures.x)
    logits = (logits / (logits.std(1, keepdim=True) + 1e-9)).numpy()
    rows = zip(logits, pictures.y.numpy(), pictures.environment.numpy(), strict=True)
    return [float(lesson.stays([z], y, place)[0]) for z, y, place in rows]


def one_way(lesson, how, sets, tests, seeds, steps, grid):
    """Accuracies {test: {(strength, decay, stop): one a run}}, each setting trained on each of the sets.

    Where the same environments are asked and the way is to be tested, p-values too, under "p".
    """
    runs, tested = len(sets), how in TESTED and "same" in tests
    taught, asked = side_by_side(sets * len(grid)), {k: side_by_side(v * len(grid)) for k, v in tests.items()}
    strength, decay = (torch.tensor(column).repeat_interleave(runs) for column in zip(*grid, strict=True))
    found = {name: {} for name in [*tests, "p"]}

    def watch(step, net):
        if (step + 1) % (steps // STOPS) == 0:
            for name, pictures in asked.items():
                scores = lesson.right(net, how, pictures).view(len(grid), runs).tolist()
                found[name] |= {(*pair, step + 1): row for pair, row in zip(grid, scores, strict=True)}
            if tested:
                values = p_values(lesson, net, asked["same"])
                for i, pair in enumerate(grid):
                    found["p"][(*pair, step + 1)] = values[i * runs : (i + 1) * runs]

    lesson.train(taught, how, strength, decay, seeds * len(grid), steps=steps, watch=watch)
    return found


def by_test(scores, runs):
    """Exam accuracy of each run, at the most accurate setting of those that pass; the least rejected if none does."""
    p, found = scores["p"], []
    for run in range(runs):
        passed = [k for k in p if p[k][run] > 0.05] or [max(p, key=lambda k: p[k][run])]
        found.append(round(scores["exam"][max(passed, key=lambda k: scores["same"][k][run])][run], 4))
    return found


def with_many(lesson, agreements, seeds, steps, count):
    """Exam accuracies with `count` pictures an environment, and the set of columns that each seed takes."""
    judged, found = [places(s, agreements, count) for s in seeds], {}
    tests = {"same": [together(p.held_out) for p in judged], "exam": [p.exam[0.1] for p in judged]}
    sets = [together(p.taught) for p in judged]
    for how, grid in MORE.items():
        scores = one_way(lesson, how, sets, tests, seeds, steps, grid)
        key = max(scores["same"], key=lambda k: np.mean(scores["same"][k]))
        found[how] = [round(v, 4) for v in scores["exam"][key]]
    return found | {"taken": [lesson.invariant(taught)[0] for taught in sets]}


def measure(lesson, *, environments, tuning, seeds, steps, many):
    """What each rule picks, and exam accuracies of each seed there, by environments, rule and way."""
    found, picked, tested, more = {}, {}, {}, {}
    for agreements in environments:
        name = ", ".join(f"{a:.0%}" for a in agreements)
        found[name], picked[name] = ({rule: {} for rule in RULES} for _ in range(2))
        tested[name] = {}
        tried, judged = ([places(s, agreements) for s in group] for group in (tuning, seeds))
        folds = [(i, place) for place in tried for i in range(len(agreements))]
        rest = [together(p.taught[:i] + p.taught[i + 1 :]) for i, p in folds]
        for how, grid in GRID.items():
            left = {"left out": [p.held_out[i] for i, p in folds]}
            ours = [s for s in tuning for _ in agreements]
            held = one_way(lesson, how, rest, left, ours, steps, grid)["left out"]
            tests = {"same": [together(p.held_out) for p in judged], "exam": [p.exam[0.1] for p in judged]}
            scores = one_way(lesson, how, [together(p.taught) for p in judged], tests, seeds, steps, grid)
            for rule, by in zip(RULES, (held, scores["same"], scores["exam"]), strict=True):
                key = max(by, key=lambda k: np.mean(by[k]))
                picked[name][rule][how] = list(key)
                found[name][rule][how] = [round(v, 4) for v in scores["exam"][key]]
            if how in TESTED:
                tested[name][how] = by_test(scores, len(seeds))
        if agreements in (environments[0], environments[-1]):
            more[name] = with_many(lesson, agreements, seeds[:3], steps, many)
    return {"exam": found, "picked": picked, "tested": tested, "more": more}
