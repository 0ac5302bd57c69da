"""What lesson 35 records: defences and rivals on four splits, the ladder of proofs on three, the wall by width."""

import time

import torch
from tinyfrontier.beside.lesson_35.rivals import (
    blurred,
    convolution,
    kernel_machine,
    logistic,
    neighbours,
    neighbours_proved,
    rounded,
)

SETTINGS = {
    "splits": [0, 1, 2],
    "tuning": 10,
    "ladders": [0, 1],
    "exam": 100,
    "images": 50,
    "widths": [16, 32, 64],
    "tried": 3,
    "steps": 500,
}
QUICK = {"splits": [0], "tuning": 10, "ladders": [0], "exam": 4, "images": 4, "widths": [16], "tried": 1, "steps": 3}
EPS = (0.05, 0.1, 0.15)
WIDE = (64, 100, 100, 10)


def share(flags):
    """Mean of flags, rounded for the record."""
    return round(float(flags.float().mean()), 4)


def stands(lesson, scores, x, y, guides=()):
    """Accuracy clean and under attack at each radius; every guide lends its slopes in turn."""
    row = [share(lesson.margin(scores(x), y) > 0)]
    for eps in EPS:
        alive = torch.ones(len(x), dtype=torch.bool)
        for number, guide in enumerate((None, *guides)):
            alive &= (
                lesson.pgd(scores, x, y, eps, steps=30, restarts=1 if guides else 2, seed=number, guide=guide)[1] > 0
            )
        row.append(share(alive))
    return row


def kernel_row(lesson, x, y, tx, ty, width):
    """A kernel machine's row; smoother kernels guide the attack too."""
    scores = kernel_machine(x, y, width)
    guides = [lambda z: scores(z, width / 3)]
    return stands(lesson, scores, tx, ty, guides)


def measure(lesson, *, splits, tuning, ladders, exam, images, widths, tried, steps):
    """`tuned`: rows on the tuning split; `rivals`: rows by defence and split, `cpu_seconds` of training; `ladder`:
    attacked, exact, lines, box, open by training, radius and split; `wall`: outcomes by training and width.
    """
    found = {"tuned": {}, "rivals": {}, "cpu_seconds": {}, "ladder": {}, "wall": {}}
    x, y, tx, ty = lesson.flat_digits(tuning)
    tx, ty = tx[:exam], ty[:exam]
    options = {f"attacks {e}": ("attacks", e, steps) for e in (0.1, 0.13)}
    options |= {f"noise {e}": ("noise", e, 5 * steps) for e in (0.2, 0.3)}
    for name, (kind, eps, count) in options.items():
        found["tuned"][name] = stands(lesson, lesson.train(kind, x, y, WIDE, eps, count, 0), tx, ty)
        print(name, found["tuned"][name], flush=True)
    for width in (0.3, 1.0):
        found["tuned"][f"kernel {width}"] = kernel_row(lesson, x, y, tx, ty, width)
        print(width, found["tuned"][f"kernel {width}"], flush=True)
    best = {
        k: max((n for n in found["tuned"] if n.startswith(k)), key=lambda n: found["tuned"][n][2])
        for k in ("attacks", "noise", "kernel")
    }
    best = {kind: float(name.split()[1]) for kind, name in best.items()}
    found["best"] = best
    for split in splits:
        x, y, tx, ty = lesson.flat_digits(split)
        tx, ty = tx[:exam], ty[:exam]
        rows = {}
        for name, kind, eps, count in (
            ("plain", "plain", 0.1, steps),
            ("plain, same time", "plain", 0.1, 5 * steps),
            ("noise, same time", "noise", best["noise"], 5 * steps),
            ("attacks", "attacks", best["attacks"], steps),
        ):
            began = time.process_time()
            model = lesson.train(kind, x, y, WIDE, eps, count, split)
            found["cpu_seconds"].setdefault(name, []).append(round(time.process_time() - began, 2))
            rows[name] = stands(lesson, model, tx, ty)
            if name == "plain":
                rough, soft = rounded(model), blurred(model)
                rows["rounded, naive"] = [
                    share(lesson.margin(rough(lesson.pgd(model, tx, ty, e)[0] if e else tx), ty) > 0) for e in (0, *EPS)
                ]
                rows["rounded, adaptive"] = stands(lesson, rough, tx, ty, [model, rounded(model, through=True)])
                rows["blurred, adaptive"] = stands(lesson, soft, tx, ty)
        model = lesson.train("attacks", x, y, WIDE, best["attacks"], steps, split, model=convolution(split))
        rows["convolution, attacks"] = stands(lesson, model, tx, ty)
        rows["logistic regression"] = stands(lesson, logistic(x, y), tx, ty)
        rows["kernel machine"] = kernel_row(lesson, x, y, tx, ty, best["kernel"])
        rows["nearest neighbour"] = stands(lesson, neighbours(x, y), tx, ty, [neighbours(x, y, h) for h in (10, 50)])
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
            row = found["ladder"].setdefault(kind, {})
            for eps in (0.0, *EPS):
                rungs = lesson.ladder(model, tx[:images], ty[:images], eps)
                for name, flags in rungs.items():
                    row.setdefault(str(eps), {}).setdefault(name, []).append(share(flags))
            print(split, kind, row, flush=True)
    x, y, tx, ty = lesson.flat_digits(tuning)
    for kind in ("plain", "attacks", "box"):
        for width in widths:
            model = lesson.train(kind, x, y, (64, width, width, 10), 0.1, steps * (1 + (kind == "box")), 0)
            clean, labels = tx[:images], ty[:images]
            left, known = lesson.undecided(model, clean, labels, 0.1)
            began = time.process_time()
            rows = [lesson.settle(model, known, clean, labels, i, 0.1)[::2] for i in left[:tried]]
            cell = {"outcome": [o for o, _ in rows], "nodes": [n for _, n in rows], "left": len(left)}
            cell["switches"] = [
                int(sum(((low[i] < 0) & (high[i] > 0)).sum() for low, high in known)) for i in left[:tried]
            ]
            cell["cpu_seconds"] = round(time.process_time() - began, 1)
            found["wall"].setdefault(kind, {})[str(width)] = cell
            print(kind, width, cell, flush=True)
    return found
