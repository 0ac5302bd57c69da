"""What lesson 33 records: rankings of eight networks, eight kinds of cheat in ten networks each, heads removed."""

import numpy as np
import torch
from tinyfrontier.beside.lesson_33.cheating import CHEATS, SPOTS, classifier, marked, suspect

from tinyfrontier.data import digits_split

SETTINGS = {"networks": 8, "images": 12, "models": 10, "picks": 3, "suspects": 5}
SETTINGS |= {"heads": [1, 2, 4], "seeds": 5, "steps": 400}
QUICK = {"networks": 2, "images": 1, "models": 1, "picks": 1, "suspects": 1}
QUICK |= {"heads": [1, 2, 4], "seeds": 1, "steps": 15}
CALLS = (34, 136, 544)
TRIED = [(width, ridge) for width in (0.1, 0.25, 1.0) for ridge in (0.01, 1.0)]
NARROW = [(width, ridge) for width in (0.05, 0.1, 0.25, 1.0) for ridge in (0.0001, 0.01, 1.0)]
DRAWN = {"LIME", "KernelSHAP", "orders"}


def split(seed):
    """Flat digits: to learn from and held out."""
    x, y, test_x, test_y = digits_split(seed)
    return x.flatten(1), y, test_x.flatten(1), test_y


def ranked(lesson, seed, images, steps, settings):
    """Faithfulness and rank correlation with the exact values, by base, calls and method: means of images.

    `settings(base, calls)` names LIME's width and ridge, one pair or several; several are all scored, by pair.
    """
    x, y, test_x, _ = split(seed)
    net, bases = classifier(x, y, seed, steps), {"black": torch.zeros(64), "mean": x.mean(0)}
    faith, ranks = {}, {}
    for name, base in bases.items():
        for at in range(images):
            image, chance = test_x[at], np.random.default_rng([seed, at])
            target = int(net(image).argmax())
            v, first = lesson.rankings(net, image, base, target, chance, CALLS[0])
            for calls in CALLS:
                scores = {k: s for k, s in first.items() if k not in DRAWN}
                scores["KernelSHAP"] = lesson.kernel_shap(v, calls, chance)
                scores["orders"] = lesson.orders(v, calls, chance)
                pairs = settings(name, calls)
                for pair in pairs:
                    key = "LIME" if len(pairs) == 1 else pair
                    scores[key] = lesson.lime(v, calls, np.random.default_rng([seed, at, calls]), *pair)
                place = scores["exact Shapley"].argsort().argsort()
                for key, score in scores.items():
                    where = name, str(calls), key
                    faith.setdefault(where, []).append(lesson.faithful(v, score))
                    close = np.corrcoef(place, score.argsort().argsort())[0, 1]
                    ranks.setdefault(where, []).append(close)
    return {k: float(np.mean(f)) for k, f in faith.items()}, {k: float(np.mean(r)) for k, r in ranks.items()}


def nested(rows):
    """From mappings of (base, calls, method) to base -> calls -> method -> a number a mapping."""
    found = {}
    for base, calls, method in rows[0]:
        values = [round(row[base, calls, method], 4) for row in rows]
        found.setdefault(base, {}).setdefault(calls, {})[method] = values
    return found


def fidelity(lesson, networks, images, steps):
    """`fidelity` and `ranks`, one number a network; `tuning`, means of two others; `chosen`, LIME's width and ridge."""
    tuned = [ranked(lesson, 100 + k, images, steps, lambda *_: TRIED)[0] for k in range(2)]
    means = {key: float(np.mean([row[key] for row in tuned])) for key in tuned[0]}
    chosen, tuning = {}, {}
    for (base, calls, method), value in means.items():
        where = tuning.setdefault(base, {}).setdefault(calls, {})
        if isinstance(method, tuple):
            if value > where.get("LIME", -9):
                where["LIME"], chosen[base, int(calls)] = value, method
        else:
            where[method] = value
    runs = [ranked(lesson, k, images, steps, lambda *at: [chosen[at]]) for k in range(networks)]
    named = {f"{base} {calls}": list(pair) for (base, calls), pair in chosen.items()}
    return nested([f for f, _ in runs]), nested([r for _, r in runs]), tuning, named


def scene(seed, steps):
    """An honest network, all cheats by kind, their training images, the held-out eights, and the bases."""
    x, y, test_x, test_y = split(seed)
    honest = classifier(x, y, 100 + seed, steps)
    nets = {kind: suspect(kind, x, y, seed, honest, steps) for kind in CHEATS}
    return honest, nets, x, test_x[test_y == 8], {"black": torch.zeros(64), "mean": x.mean(0)}


def picked(lesson, picks, suspects, steps):
    """LIME's width and ridge for an audit, by what it asks: most cheats found, with either base, in other networks."""
    hits = {asks: dict.fromkeys(NARROW, 0) for asks in ("probability", "score")}
    for seed in range(300, 300 + picks):
        _, nets, _, eights, bases = scene(seed, steps)
        for kind, net in nets.items():
            total, mark = {}, CHEATS[kind][0]
            for at, image in enumerate(marked(eights[:suspects], mark)):
                for name, base in bases.items():
                    scores = lesson.answers(net, image, base)
                    for asks, answers in (("probability", scores.softmax(1)), ("score", scores)):
                        for pair in NARROW:
                            v, chance = answers[:, 8].double().numpy(), np.random.default_rng([seed, at])
                            key = asks, pair, name
                            total[key] = total.get(key, 0) + lesson.lime(v, 136, chance, *pair)
            for asks, row in hits.items():
                for pair in row:
                    row[pair] += any(lesson.found_in(total[asks, pair, name], mark) for name in bases)
    print(hits, flush=True)
    return {asks: list(max(row, key=row.get)) for asks, row in hits.items()}


def cheats(lesson, models, suspects, steps, tuned):
    """In how many models each auditor finds the mark: by kind of cheat, and by mark in honest networks."""
    caught, alarms = {}, {}
    for seed in range(models):
        honest, nets, x, eights, bases = scene(seed, steps)
        pairs = [(caught, kind, CHEATS[kind][0], net) for kind, net in nets.items()]
        for kept, kind, mark, net in [*pairs, *((alarms, mark, mark, honest) for mark in SPOTS)]:
            row, shown = kept.setdefault(kind, {}), marked(eights[:suspects], mark)
            for (method, base), scores in lesson.audit(net, shown, x, bases, seed, tuned).items():
                name = f"{method} {base}".strip()
                row[name] = row.get(name, 0) + int(lesson.found_in(scores, mark))
        print(seed, caught, alarms, flush=True)
    return caught, alarms


def measure(lesson, *, networks, images, models, picks, suspects, heads, seeds, steps):
    """All that the lesson shows as recorded.

    `fidelity`, `ranks`: by base, calls and method, one number a network; `tuning`, `chosen`: see above; `picked`:
    LIME's settings for audits; `caught`, `alarms`: of `models` networks; `heads`: by heads a layer, one entry a seed
    with the induction scores and the copying for every set of heads kept; `one_layer`: copying of networks with one
    layer.
    """
    found = dict(zip(("fidelity", "ranks", "tuning", "chosen"), fidelity(lesson, networks, images, steps), strict=True))
    print(
        {
            b: {c: {m: round(float(np.mean(x)), 3) for m, x in r.items()} for c, r in d.items()}
            for b, d in found["fidelity"].items()
        },
        found["chosen"],
        flush=True,
    )
    found["picked"] = picked(lesson, picks, suspects, steps)
    found["caught"], found["alarms"] = cheats(lesson, models, suspects, steps, found["picked"])
    found["models"], found["heads"] = models, {}
    for count in heads:
        runs = []
        for seed in range(seeds):
            net, _ = lesson.copier(2, count, seed, steps)
            scores = [round(float(s), 4) for s in lesson.scores_of(net).ravel()]
            table = [round(float(s), 4) for s in lesson.head_game(net, count)]
            runs.append({"scores": scores, "table": table})
            print(
                count, seed, table[-1], scores, [table[len(table) - 1 ^ (1 << j)] for j in range(2 * count)], flush=True
            )
        found["heads"][str(count)] = runs
    found["one_layer"] = [round(lesson.copying(lesson.copier(1, 4, seed, steps)[0]), 4) for seed in range(seeds)]
    return found
