"""What lesson 36 records: leaks against accuracy, audits, wrong labels, federations, inversions, the price of noise."""

import math

import torch
from tinyfrontier.beside.lesson_36.audit import audit
from tinyfrontier.beside.lesson_36.many import output_noise

SETTINGS = {
    "splits": [0, 1, 2],
    "tuning": 10,
    "models": 64,
    "nets": 128,
    "audited": 300,
    "steps": 400,
    "draws": [0, 1, 2],
    "rounds": 200,
}
QUICK = {
    "splits": [0],
    "tuning": 10,
    "models": 50,
    "nets": 24,
    "audited": 24,
    "steps": 2,
    "draws": [0],
    "rounds": 20,
}
EPSILONS = (1, 2, 4, 8)
STOPS = (30, 50, 100, 200)
DECAYS = (1.0, 3.0, 10.0)
TRIES = ((60, 0.5), (60, 0.25))
RATES = (0.1, 0.3, 1.0)
LOCAL = (1, 5, 20, 50)
NOISES = (0.0, 0.01, 0.03, 0.1, 0.3)


def mean(values):
    """A mean, rounded for the record."""
    return round(float(torch.as_tensor(values, dtype=torch.float64).mean()), 4)


def trainings(lesson, tuned, steps):
    """Each way of training as a function of images, labels and members."""

    def stopped(at, decay=0.0):
        return lambda x, y, m: lesson.train(lesson.LINEAR, x, y, m, min(at, steps), 0, batch=256, decay=decay)

    def private(eps, **how):
        count, lr = tuned[eps]
        return lambda x, y, m: lesson.keep_private(x, y, m, eps, 0, steps=min(count, steps), lr=lr, **how)

    ways = {f"private, epsilon {eps}": private(eps) for eps in EPSILONS}
    ways |= {f"stopped early, {at} steps": stopped(at) for at in STOPS}
    ways |= {f"weight decay, {decay:g}": stopped(100, decay) for decay in DECAYS}
    ways["clipped, no noise"] = lambda x, y, m: lesson.keep_private(x, y, m, math.inf, 0, steps=min(60, steps))
    ways["private network, epsilon 8"] = private(8, widths=(64, 32, 10))
    return ways


def usual(lesson, way, split, models):
    """Accuracy, and the strongest of the attacks."""
    x, y, tx, ty, member = lesson.game(split, models=models)
    made = way(x, y, member)
    return [mean(lesson.accuracy(made, tx, ty)), round(max(lesson.attack(made, x, y, member).values()), 4)]


def noisy_optimum(lesson, split, models, strength, steps):
    """Accuracy and strongest attack of output perturbation at epsilon 8."""
    x, y, tx, ty, member = lesson.game(split, models=models)
    made, shorten = output_noise(x, y, member, strength, lesson.noise_for(8, 1.0, 1), steps=min(steps, 150))
    hits = max(lesson.attack(made, shorten(x), y, member).values())
    return [mean(lesson.accuracy(made, shorten(tx), ty)), round(hits, 4)]


def privacy(lesson, splits, tuning, models, nets, audited, steps):
    """Figures of the first claim."""
    tuned, first = {}, {}
    for eps in EPSILONS:
        rows = {}
        for count, lr in TRIES:
            ways = trainings(lesson, dict.fromkeys(EPSILONS, (count, lr)), steps)
            rows[count, lr] = usual(lesson, ways[f"private, epsilon {eps}"], tuning, models)
        tuned[eps] = max(rows, key=lambda key: rows[key][0])
        print(eps, tuned[eps], rows, flush=True)
    ways = trainings(lesson, tuned, steps)
    for name, way in ways.items():
        first[name] = usual(lesson, way, tuning, models)
    plain = [name for name in ways if "private" not in name]
    rivals = {}
    for eps in EPSILONS:
        good = [name for name in plain if first[name][0] >= first[f"private, epsilon {eps}"][0] - 0.01]
        rivals[str(eps)] = min(good or plain, key=lambda name: first[name][1])
    print(first, rivals, flush=True)
    strengths = {s: noisy_optimum(lesson, tuning, models, s, steps) for s in (10, 30, 100)}
    strength = max(strengths, key=lambda s: strengths[s][0])
    frontier = {}
    for split in splits:
        x, y, member, inside = lesson.canary_game(split, nets)
        for name, way in ways.items():
            row = usual(lesson, way, split, models)
            row.append(round(lesson.asked(way(x, y, member), x, y, inside)[0], 4))
            frontier.setdefault(name, []).append(row)
        made, shorten = output_noise(x, y, member, strength, lesson.noise_for(8, 1.0, 1), steps=min(steps, 150))
        caught = round(lesson.asked(made, shorten(x), y, inside)[0], 4)
        row = [*noisy_optimum(lesson, split, models, strength, steps), caught]
        frontier.setdefault("output noise, epsilon 8", []).append(row)
        print(split, {name: rows[-1] for name, rows in frontier.items()}, flush=True)
    x, y, member, inside = lesson.canary_game(splits[0], audited)
    audits = {}
    for name, eps, how in [(f"private, epsilon {e}", e, {}) for e in EPSILONS] + [
        ("noise for 1, not clipped", 1, {"clipping": False})
    ]:
        made = lesson.keep_private(x, y, member, eps, 7, steps=min(60, steps), **how)
        gain, least = audit(lesson.confidence(made, x[-1:], y[-1:])[:, 0], inside, lesson.DELTA)
        audits[name] = [round(gain, 4), round(least, 4)]
        print(name, audits[name], flush=True)
    return {
        "frontier": frontier,
        "rivals": rivals,
        "tuned": {str(eps): list(pair) for eps, pair in tuned.items()},
        "strength": strength,
        "audit": audits,
    }


def federation(lesson, splits, tuning, rounds):
    """Figures of the second claim, and what noise costs; as many steps in all as there are rounds of one."""

    def run(split, kind, steps, lr, count=rounds, **how):
        x, y, tx, ty, _ = lesson.game(split, wrong=0.0)
        if kind == "pooled":
            parts, how = torch.arange(len(y))[None], {"batch": 320}
        elif kind.startswith("alone"):
            parts = lesson.deal(y, kind.split(", ")[1], split)
            made = [lesson.federate(x, y, part[None], start(split), 1, count, lr) for part in parts]
            return mean([lesson.accuracy(m, tx, ty).item() for m in made])
        else:
            parts = lesson.deal(y, kind, split)
        made = lesson.federate(x, y, parts, start(split), max(1, count // steps), steps, lr, **how)
        return mean(lesson.accuracy(made, tx, ty))

    def start(split):
        return lesson.networks(1, lesson.FED, split)

    def best(kind, steps, **how):
        return max(RATES, key=lambda lr: run(tuning, kind, steps, lr, **how))

    out = {"federated": {}, "alone": {}, "cost": {}, "rates": {}}
    for kind in ("alike", "two classes", "one class"):
        for steps in LOCAL:
            lr = best(kind, steps)
            out["rates"][f"{kind}, {steps}"] = lr
            out["federated"].setdefault(kind, {})[str(steps)] = [run(s, kind, steps, lr) for s in splits]
        print(kind, out["federated"][kind], flush=True)
    lr = max((*RATES, 3.0), key=lambda lr: run(tuning, "pooled", 1, lr))
    out["pooled"] = [run(s, "pooled", 1, lr) for s in splits]
    for kind in ("alike", "two classes"):
        lr = best(f"alone, {kind}", 1)
        out["alone"][kind] = [run(s, f"alone, {kind}", 1, lr) for s in splits]
    for noise in NOISES:
        how = {"clip": 0.5, "noise": noise}
        lr = best("alike", 10, **how)
        out["cost"][str(noise)] = [run(s, "alike", 10, lr, **how) for s in splits]
    print(out["pooled"], out["alone"], out["cost"], flush=True)
    return out


def inversions(lesson, draws, rounds):
    """Figures of the third claim: shares named by digits in the sum, and by noise in one change."""
    weights = lesson.networks(1, lesson.FED, 0)
    x, y, *_ = lesson.game(0, wrong=0.0)
    trained = lesson.federate(x, y, lesson.deal(y, "alike"), weights, max(1, rounds // 10), 10, 0.3)
    inverted, noisy, base = {}, {str(z): [] for z in NOISES}, []
    for draw in draws:
        for state, held in (("fresh", weights), ("trained", trained)):
            for pictures, attempts in ((1, 10), (4, 10), (10, 6), (40, 2), (100, 1)):
                rows = lesson.some(pictures, attempts, draw)
                seen = lesson.change_of(held, x[rows], y[rows], 1)
                share = round(lesson.named(lesson.invert(held, seen, y[rows]), rows, x), 4)
                inverted.setdefault(state, {}).setdefault(str(pictures), []).append(share)
        rows = lesson.some(1, 20, draw)
        seen = lesson.change_of(weights, x[rows], y[rows], 1)
        base.append(round(lesson.named(lesson.class_means(x, y)[y[rows]], rows, x), 4))
        for z in NOISES:
            chance = torch.Generator().manual_seed(draw)
            blurred = seen + z * seen.norm(dim=1, keepdim=True) * torch.randn(seen.shape, generator=chance)
            noisy[str(z)].append(round(lesson.named(lesson.invert(weights, blurred, y[rows]), rows, x), 4))
    print(inverted, noisy, base, flush=True)
    return {"inverted": inverted, "noisy": noisy, "mean_digit": base}


def measure(lesson, *, splits, tuning, models, nets, audited, steps, draws, rounds):
    """`frontier`: accuracy, strongest attack and canary by training and split; `rivals`: of equal accuracy, by
    epsilon; `audit`: advantage and lower bound; `wrong`: attacks by share of wrong labels; `federated`, `pooled`,
    `alone`: accuracy; `cost`: by noise; `inverted`, `noisy`, `mean_digit`: shares of digits named.
    """
    wrong = {}
    for share in (0.0, 0.1, 0.3):
        for split in splits[-1:]:
            x, y, _, _, member = lesson.game(split, share, models)
            made = lesson.train(lesson.WIDE, x, y, member, steps, 0)
            row = {name: round(value, 4) for name, value in lesson.attack(made, x, y, member).items()}
            wrong.setdefault(str(share), []).append(row)
    print(wrong, flush=True)
    figures = privacy(lesson, splits, tuning, models, nets, audited, steps)
    figures |= federation(lesson, splits, tuning, rounds)
    return figures | inversions(lesson, draws, rounds) | {"wrong": wrong}
