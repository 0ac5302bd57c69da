"""What lesson 35 records: rivals tuned on one split and judged on others, the ladder of proofs, the wall by width."""

from tinyfrontier.beside.lesson_35.branching import branch
from tinyfrontier.beside.lesson_35.rivals import (
    attacked_copies,
    convolution,
    kernel_machine,
    logistic,
    neighbours,
    neighbours_proved,
    rounded,
    survivors,
)

SETTINGS = {
    "splits": [0, 1, 2, 3],
    "rest": 3,
    "tuning": 10,
    "ladders": [0, 1],
    "exam": 150,
    "images": 50,
    "widths": [16, 32, 64, 128],
    "tried": 6,
    "steps": 500,
    "nodes": 4000,
}
QUICK = {
    "splits": [0],
    "rest": 1,
    "tuning": 10,
    "ladders": [0],
    "exam": 4,
    "images": 4,
    "widths": [16],
    "tried": 1,
    "steps": 3,
    "nodes": 50,
}
EPS = (0.05, 0.1, 0.15)
WIDE = (64, 100, 100, 10)
GRID = {
    "network, attacks": (0.1, 0.15, 0.2),
    "convolution, attacks": (0.15, 0.2),
    "network, noise": (0.2, 0.3, 0.4),
    "convolution, noise": (0.4, 0.5),
    "kernel machine": (0.5, 1.0, 1.4),
    "logistic regression": (0.01, 0.1, 1.0),
}


def share(flags):
    """Mean of flags, rounded for the record."""
    return round(float(flags.float().mean()), 4)


def stands(lesson, scores, x, y, guides=()):
    """Accuracy clean and under attack at each radius; every guide lends its slopes in turn."""
    return [share(survivors(lesson, scores, x, y, eps, (None, *guides))) for eps in (0.0, *EPS)]


def kernel(x, y, width):
    """A kernel machine, and a smoother one that guides the attack on it."""
    scores = kernel_machine(x, y, width)
    return scores, [lambda z: scores(z, width / 3)]


def rival(lesson, name, setting, x, y, steps, seed):
    """A trained classifier and the guides of the attack on it."""
    model = convolution(seed) if name.startswith("convolution") else None
    if name == "kernel machine":
        return kernel(x, y, setting)
    if name == "logistic regression":
        return logistic(x, y, setting), []
    kind = name.split(", ")[1]
    count = steps * (1 + (model is not None)) * (1 if kind == "attacks" else 5)  # an attack of five steps costs as much
    return lesson.train(kind, x, y, WIDE, setting, count, seed, model=model), []


def wall(lesson, tuning, exam, widths, tried, steps, nodes):
    """Outcomes and nodes of branching and of the solver, by training and width."""
    rows_of = {}
    x, y, tx, ty = lesson.flat_digits(tuning)
    for kind in ("plain", "attacks", "box"):
        for width in widths:
            model = lesson.train(kind, x, y, (64, width, width, 10), 0.1, steps * (1 + (kind == "box")), 0)
            clean, labels = tx[:exam], ty[:exam]
            left, known = lesson.undecided(model, clean, labels, 0.1)
            chosen = left[:tried]
            rows = [branch(lesson, model, clean[i : i + 1], labels[i : i + 1], 0.1, nodes) for i in chosen]
            solver = [lesson.settle(model, known, clean, labels, i, 0.1)[::2] for i in chosen[:2] if width <= 64]
            unsure = sum(((low < 0) & (high > 0)).sum(1) for low, high in known)
            rows_of.setdefault(kind, {})[str(width)] = {
                "outcome": [outcome for outcome, _ in rows],
                "nodes": [used for _, used in rows],
                "unsure": unsure[chosen].tolist(),
                "left": len(left),
                "solver": [outcome for outcome, _ in solver],
                "solver nodes": [used for _, used in solver],
            }
            print(kind, width, rows_of[kind][str(width)], flush=True)
    return rows_of


def measure(lesson, *, splits, rest, tuning, ladders, exam, images, widths, tried, steps, nodes):
    """`tuned`: rows by rival and setting on the tuning split; `best`: the settings picked; `rivals`: rows by defence
    and split, of the first `rest` splits for all but the two leaders; `ladder`: attacked,
    exact, lines, box, open by training, radius and split; `opinions`: what the solver says where PGD broke and where
    lines proved; `wall`: outcomes and nodes by training and width, of branching and of the solver.
    """
    found = {"tuned": {}, "best": {}, "rivals": {}, "ladder": {}, "opinions": {}}
    x, y, tx, ty = lesson.flat_digits(tuning)
    tx, ty = tx[:exam], ty[:exam]
    for name, grid in GRID.items():
        rows = {}
        for setting in grid:
            scores, guides = rival(lesson, name, setting, x, y, steps, 0)
            rows[str(setting)] = stands(lesson, scores, tx, ty, guides)
        best = max(rows, key=lambda setting: sum(rows[setting][1:]))
        found["tuned"][name], found["best"][name] = rows, {"setting": float(best), "mean": sum(rows[best][1:]) / 3}
        print(name, rows, flush=True)
    for split in splits:
        x, y, tx, ty = lesson.flat_digits(split)
        tx, ty = tx[:exam], ty[:exam]
        rows = {}
        for name in GRID:
            if split in splits[rest:] and name not in ("convolution, attacks", "kernel machine"):
                continue
            scores, guides = rival(lesson, name, found["best"][name]["setting"], x, y, steps, split)
            rows[name] = stands(lesson, scores, tx, ty, guides)
        if split in splits[:rest]:
            plain = lesson.train("plain", x, y, WIDE, 0.1, steps, split)
            rows["plain"] = stands(lesson, plain, tx, ty)
            rows["plain, same time"] = stands(lesson, lesson.train("plain", x, y, WIDE, 0.1, 5 * steps, split), tx, ty)
            rows["rounded"] = stands(lesson, rounded(plain), tx, ty, [plain, rounded(plain, through=True)])
            width = found["best"]["kernel machine"]["setting"]
            copies = attacked_copies(lesson, x, y, width, 0.15)
            scores, guides = kernel(*copies, width)
            rows["kernel machine, attacks"] = stands(lesson, scores, tx, ty, guides)
            rows["nearest neighbour"] = stands(lesson, neighbours(x, y), tx, ty, [neighbours(x, y, 20)])
            few = tx[:images], ty[:images]
            rows["nearest neighbour, proved"] = [
                share(neighbours_proved(x, y, *few, *lesson.box_of(few[0], e))) for e in (0, *EPS)
            ]
        for name, row in rows.items():
            found["rivals"].setdefault(name, []).append(row)
        print(split, rows, flush=True)
    for split in ladders:
        x, y, tx, ty = lesson.flat_digits(split)
        for kind in ("plain", "attacks", "box"):
            model = lesson.train(kind, x, y, lesson.SMALL, 0.1, steps * (1 + (kind == "box")), split)
            row, told = found["ladder"].setdefault(kind, {}), found["opinions"].setdefault(kind, {})
            for eps in (0.0, *EPS):
                for name, flags in lesson.ladder(model, tx[:images], ty[:images], eps).items():
                    row.setdefault(str(eps), {}).setdefault(name, []).append(share(flags))
                if eps:
                    for name, outcomes in lesson.second_opinion(model, tx[:images], ty[:images], eps, 3).items():
                        told.setdefault(name, []).extend(outcomes)
            print(split, kind, row, told, flush=True)
    found["wall"] = wall(lesson, tuning, exam, widths, tried, steps, nodes)
    return found
