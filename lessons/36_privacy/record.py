"""What lesson 36 records: leaks against accuracy, audits, wrong labels, federations, inversions, the price of noise."""

import math

import torch
from tinyfrontier.beside.lesson_36.audit import audit, bound
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
STOPS = (30, 50, 80)
TRIES = ((60, 0.5), (60, 1.0), (60, 2.0), (90, 0.5))  # steps and rates of private trainings
FAMILIES = {  # trainings without noise: settings and most steps
    "plain": ({"lr": 0.1, "clipping": False}, 60),
    "clipped": ({"lr": 0.5}, 60),
    "clipped, start x 4": ({"lr": 0.5, "wide": 4}, 110),
    "clipped, start x 6": ({"lr": 1.0, "wide": 6}, 80),
    "clipped, start x 10": ({"lr": 2.0, "wide": 10}, 80),
}
RATES = (0.3, 1.0, 3.0)
LOCAL = (1, 5, 20, 50)
ROUNDS = {5: (40, 200), 20: (10, 40, 200)}
NOISES = (0.0, 0.03, 0.1, 0.3, 1.0)


def mean(values):
    """A mean, rounded for the record."""
    return round(float(torch.as_tensor(values, dtype=torch.float64).mean()), 4)


def silent(lesson, family, steps, watch=None):
    """A training of one of the families without noise, as a function of images, labels and members."""
    how = FAMILIES[family][0]
    return lambda x, y, m: lesson.keep_private(x, y, m, math.inf, 0, steps=steps, watch=watch, **how)


def trainings(lesson, tuned, steps):
    """Each way of training but the rivals, as a function of images, labels and members."""

    def stopped(at, decay=0.0):
        return lambda x, y, m: lesson.train(lesson.LINEAR, x, y, m, min(at, steps), 0, batch=256, decay=decay)

    def private(eps):
        count, lr = tuned[eps]
        return lambda x, y, m: lesson.keep_private(x, y, m, eps, 0, steps=min(count, steps), lr=lr)

    ways = {f"private, epsilon {eps}": private(eps) for eps in EPSILONS}
    ways |= {f"stopped early, {at} steps": stopped(at) for at in STOPS}
    ways["weight decay, 3"] = stopped(100, 3.0)
    return ways


def rivals_of(lesson, goals, tuning, models, nets, steps):
    """For each epsilon the training without noise that is as accurate, within a point, and leaks the canary least."""
    x, y, tx, ty, member = lesson.game(tuning, models=models)
    cx, cy, among, inside = lesson.canary_game(tuning, nets)
    tried, rivals = {}, {}
    for family, (_, most) in FAMILIES.items():
        path = []
        watch = lambda weights, path=path: path.append(mean(lesson.accuracy(weights, tx, ty)))  # noqa: E731 - short
        silent(lesson, family, min(most, steps), watch)(x, y, member)
        for eps, goal in goals.items():
            at = min(range(len(path)), key=lambda k: abs(path[k] - goal))
            if abs(path[at] - goal) <= 0.01 or steps < 10:
                made = silent(lesson, family, at + 1)(cx, cy, among)
                leak = round(lesson.asked(made, cx, cy, inside)[0], 4)
                tried.setdefault(str(eps), []).append([family, at + 1, path[at], leak])
    for eps, rows in tried.items():
        rivals[eps] = min(rows, key=lambda row: row[-1])[:2]
    print(goals, tried, rivals, flush=True)
    return rivals, tried


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
    tuned, goals = {}, {}
    for eps in EPSILONS:
        rows = {}
        for count, lr in TRIES:
            ways = trainings(lesson, dict.fromkeys(EPSILONS, (count, lr)), steps)
            rows[count, lr] = usual(lesson, ways[f"private, epsilon {eps}"], tuning, models)
        tuned[eps] = max(rows, key=lambda key: rows[key][0])
        goals[eps] = rows[tuned[eps]][0]
        print(eps, tuned[eps], rows, flush=True)
    rivals, tried = rivals_of(lesson, goals, tuning, models, nets, steps)
    ways = trainings(lesson, tuned, steps)
    ways |= {f"no noise, for epsilon {e}": silent(lesson, *pair) for e, pair in rivals.items()}
    strengths = {s: noisy_optimum(lesson, tuning, models, s, steps) for s in (10, 30)}
    strength = max(strengths, key=lambda s: strengths[s][0])
    frontier = {}
    for n, split in enumerate(splits):
        x, y, member, inside = lesson.canary_game(split, nets)
        for name, way in ways.items():
            if n < 1 or "epsilon" in name:
                row = usual(lesson, way, split, models)
                row.append(round(lesson.asked(way(x, y, member), x, y, inside)[0], 4))
                frontier.setdefault(name, []).append(row)
        if n < 1:
            sigma = lesson.noise_for(8, 1.0, 1)
            made, shorten = output_noise(x, y, member, strength, sigma, steps=min(steps, 150))
            caught = round(lesson.asked(made, shorten(x), y, inside)[0], 4)
            row = [*noisy_optimum(lesson, split, models, strength, steps), caught]
            frontier.setdefault("output noise, epsilon 8", []).append(row)
        print(split, {name: rows[-1] for name, rows in frontier.items()}, flush=True)
    audits = {}
    for name, how in (("private, epsilon 1", {}), ("noise for 1, not clipped", {"clipping": False})):
        for split in splits[:3]:
            x, y, member, inside = lesson.canary_game(split, audited)
            made = lesson.keep_private(x, y, member, 1, 7 + split, steps=min(60, steps), **how)
            gain, least = audit(lesson.confidence(made, x[-1:], y[-1:])[:, 0], inside, lesson.DELTA)
            audits.setdefault(name, []).append([round(gain, 4), round(least, 4)])
        print(name, audits[name], flush=True)
    half = audited // 4
    return {
        "frontier": frontier,
        "rivals": rivals,
        "tried": tried,
        "tuned": {str(eps): list(pair) for eps, pair in tuned.items()},
        "strength": strength,
        "audit": audits,
        "ceiling": round(bound(half, half, 0, half, lesson.DELTA), 4),
    }


def federation(lesson, splits, tuning, rounds):
    """Figures of the second claim, and what noise costs; as many steps in all as there are rounds of one."""

    def run(split, kind, steps, lr, count=rounds, turns=0, **how):
        x, y, tx, ty, _ = lesson.game(split, wrong=0.0)
        if kind == "pooled":
            parts, how = torch.arange(len(y))[None], {"batch": 320}
        elif kind.startswith("alone"):
            parts = lesson.deal(y, kind.split(", ")[1], split)
            made = [lesson.federate(x, y, part[None], start(split), 1, count, lr) for part in parts]
            return mean([lesson.accuracy(m, tx, ty).item() for m in made])
        else:
            parts = lesson.deal(y, kind, split)
        made = lesson.federate(x, y, parts, start(split), turns or max(1, count // steps), steps, lr, **how)
        return mean(lesson.accuracy(made, tx, ty))

    def start(split):
        return lesson.networks(1, lesson.FED, split)

    def best(kind, steps, **how):
        return max(RATES, key=lambda lr: run(tuning, kind, steps, lr, **how))

    out = {"federated": {}, "alone": {}, "cost": {}, "rates": {}, "rounds": {}}
    for kind in ("alike", "two classes", "one class"):
        for steps in LOCAL:
            lr = best(kind, steps)
            out["rates"][f"{kind}, {steps}"] = lr
            out["federated"].setdefault(kind, {})[str(steps)] = [run(s, kind, steps, lr) for s in splits]
        print(kind, out["federated"][kind], flush=True)
    for kind in ("two classes", "one class"):
        for steps, turns in ROUNDS.items():
            for count in turns:
                count = max(1, count * rounds // 200)
                few = min(count, 1000 // steps)  # long ones are tuned at a thousand steps
                lr = best(kind, steps, turns=few)
                rows = [run(s, kind, steps, lr, turns=count) for s in splits]
                out["rounds"].setdefault(kind, {}).setdefault(str(steps), {})[str(count)] = rows
        print(kind, out["rounds"][kind], flush=True)
    lr = best("pooled", 1)
    out["pooled"] = [run(s, "pooled", 1, lr) for s in splits]
    out["pooled_longer"] = [run(s, "pooled", 1, lr, count=5 * rounds) for s in splits]
    for kind in ("alike", "two classes"):
        lr = best(f"alone, {kind}", 1)
        out["alone"][kind] = [run(s, f"alone, {kind}", 1, lr) for s in splits]
    for noise in NOISES:
        how = {"clip": 0.5, "noise": noise}
        lr = best("alike", 10, **how)
        out["cost"][str(noise)] = [run(s, "alike", 10, lr, **how) for s in splits]
    print(out["pooled"], out["alone"], out["cost"], flush=True)
    return out


def blurred(seen, z, seed):
    """Changes (m, parameters) with noise, in units of each one's length."""
    chance = torch.Generator().manual_seed(seed)
    return seen + z * seen.norm(dim=1, keepdim=True) * torch.randn(seen.shape, generator=chance)


def inversions(lesson, draws, rounds):
    """Figures of the third claim: shares named by digits in the sum, and by noise in one change."""
    weights = lesson.networks(1, lesson.FED, 0)
    x, y, *_ = lesson.game(0, wrong=0.0)
    trained = lesson.federate(x, y, lesson.deal(y, "alike"), weights, max(1, rounds // 10), 10, 0.3)
    inverted, noisy, base = {}, {str(z): [] for z in NOISES}, []
    listed = {state: {str(z): [] for z in NOISES} for state in ("fresh", "trained")}
    sums = {state: [] for state in listed}
    for draw in draws:
        rows, many = lesson.some(1, 20, draw), lesson.some(1, 100, draw)
        for state, held in (("fresh", weights), ("trained", trained)):
            for pictures, attempts in ((1, 10), (4, 10), (10, 6), (40, 2), (100, 1)):
                chosen = lesson.some(pictures, attempts, draw)
                seen = lesson.change_of(held, x[chosen], y[chosen], 1)
                share = round(lesson.named(lesson.invert(held, seen, y[chosen]), chosen, x), 4)
                inverted.setdefault(state, {}).setdefault(str(pictures), []).append(share)
            seen = lesson.change_of(held, x[many], y[many], 1)
            for z in NOISES:
                found = lesson.nearest(held, blurred(seen, z, draw), x, y)
                listed[state][str(z)].append(mean(found == many[:, 0]))
            sums[state].append([round(v, 4) for v in lesson.sum_named(held, lesson.SIZES, x, y, draw)])
        base.append(round(lesson.named(lesson.class_means(x, y)[y[rows]], rows, x), 4))
        seen = lesson.change_of(weights, x[rows], y[rows], 1)
        for z in NOISES:
            found = lesson.invert(weights, blurred(seen, z, draw), y[rows])
            noisy[str(z)].append(round(lesson.named(found, rows, x), 4))
    print(inverted, noisy, listed, sums, base, flush=True)
    return {"inverted": inverted, "noisy": noisy, "listed": listed, "sums": sums, "mean_digit": base}


def measure(lesson, *, splits, tuning, models, nets, audited, steps, draws, rounds):
    """`frontier`: accuracy, strongest attack and canary by training and split; `rivals`: of equal accuracy, by
    epsilon, out of `tried`; `audit`: advantage and lower bound, `ceiling` the most that can be proved; `wrong`: attacks
    by share of wrong labels; `federated`, `rounds`, `pooled`, `alone`: accuracy; `cost`: by noise; `inverted`, `noisy`
    and `mean_digit`: shares of digits named; `listed` and `sums`: by an attacker with a list.
    """
    wrong = {}
    for share in (0.0, 0.1, 0.3):
        for split in splits[:1]:
            x, y, _, _, member = lesson.game(split, share, models)
            made = lesson.train(lesson.WIDE, x, y, member, steps, 0)
            row = {name: round(value, 4) for name, value in lesson.attack(made, x, y, member).items()}
            wrong.setdefault(str(share), []).append(row)
    print(wrong, flush=True)
    figures = privacy(lesson, splits, tuning, models, nets, audited, steps)
    figures |= federation(lesson, splits[:3], tuning, rounds)
    return figures | inversions(lesson, draws, rounds) | {"wrong": wrong}
