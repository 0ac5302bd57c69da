"""What lesson 29 records: forty campaigns a landscape, an objective without signal, hours, laws and false alarms."""

import numpy as np
from tinyfrontier.beside.lesson_29.candidates import best_seen
from tinyfrontier.beside.lesson_29.laboratory import LAWLESS, LAWS, OUTSIDE, Laboratory, Nature, distance, graded
from tinyfrontier.beside.lesson_29.rivals import design, forest_guess, local_search, search, spend

SETTINGS = {
    "seeds": 40,
    "tuning_seeds": 8,
    "experiments": 30,
    "places": ["Hartmann", "reactor", "Branin"],
    "law_seeds": 20,
    "law_noise": [0.003, 0.01, 0.03],
    "lawless": 60,
    "law_experiments": 30,
    "budget": 80,
}
QUICK = {
    "seeds": 1,
    "tuning_seeds": 1,
    "experiments": 16,
    "places": ["Hartmann", "reactor", "Branin"],
    "law_seeds": 1,
    "law_noise": [0.01, 0.03],
    "lawless": 1,
    "law_experiments": 7,
    "budget": 20,
}
TRIED = {  # three settings each, where there is one to choose
    "EI": ("margin", [0.0, 0.05, 0.2]),
    "UCB": ("deviations", [1.0, 2.0, 3.0]),
    "Thompson": ("heat", [0.5, 1.0, 1.5]),
    "greedy": ("share", [0.0, 0.1, 0.3]),
    "forest": ("leaf", [1, 2, 3]),
    "simplex": ("size", [0.1, 0.2, 0.4]),
    "steps": ("size", [0.05, 0.1, 0.2]),
    "zoom": ("half-width", [0.1, 0.2, 0.3]),
    "Sobol": ("", [None]),
    "grid": ("", [None]),
    "random": ("", [None]),
}
COUNTS = (15, 30)
DRAWN = ("EI", "greedy", "Sobol")  # whose medians are recorded after every experiment
R2 = (0.9, 0.99, 0.998, 0.9995)


def row(values, digits=4):
    """A list of floats, as they are stored."""
    return [round(float(value), digits) for value in values]


def thompson(lesson):
    """A score: one function drawn from all that the model holds possible."""

    def draw(gp, places, chance, heat=1.0):
        among = lesson.kernel(gp.x, gp.x, gp.height, gp.lengths) + gp.noise * np.eye(len(gp.x))
        across = lesson.kernel(gp.x, places, gp.height, gp.lengths)
        half = np.linalg.solve(np.linalg.cholesky(among), across)
        left = lesson.kernel(places, places, gp.height, gp.lengths) - half.T @ half
        root = np.linalg.cholesky(left + 1e-6 * gp.height * np.eye(len(places)))
        return gp(places)[0] + heat * gp.scale * root @ chance.standard_normal(len(places))

    return draw


def forest(lesson):
    """A score: expected improvement by a random forest; of the process only the data are used."""

    def improvement(gp, places, chance, leaf=1):
        return lesson.expected_improvement(*forest_guess(gp.x, gp.y, places, leaf), gp.y.max())

    return improvement


def searched(lesson, place, name, setting, seed, experiments, counts):
    """Regret after so many experiments, by both ways to recommend."""
    lab = Laboratory(place, seed)
    scores = {
        "EI": lesson.ei,
        "UCB": lesson.ucb,
        "Thompson": thompson(lesson),
        "greedy": lesson.greedy,
        "forest": forest(lesson),
    }
    if name in scores:
        x, y, said = lesson.campaign(lab, scores[name], seed, experiments, **{TRIED[name][0]: setting})
        said = said[[n - lesson.FIRST for n in counts]]
    else:
        x, y = search(name, lab, seed, experiments, lesson.FIRST, setting, lesson.believed)
        said = lesson.replay(x, y, seed, counts)
    return {"model": lesson.regret(lab, said), "seen": lesson.regret(lab, best_seen(x, y, counts))}


def campaigns(lesson, place, seeds, tuning_seeds, experiments):
    """Regrets at 15 and 30 (seeds,), median curves, and what was chosen, by name.

    The setting with the smallest product of both medians on other seeds; for each count the better way to recommend.
    """
    regrets, curve, chosen = {str(count): {} for count in COUNTS}, {}, {}
    few, every = [min(count, experiments) for count in COUNTS], list(range(lesson.FIRST, experiments + 1))
    for name, (_, settings) in TRIED.items():
        tried = []
        for setting in settings:
            runs = [searched(lesson, place, name, setting, 100 + k, experiments, few) for k in range(tuning_seeds)]
            ways = []
            for at in range(len(COUNTS)):
                middle = {by: np.median([run[by][at] for run in runs]) for by in ("model", "seen")}
                ways.append(min((value, by) for by, value in middle.items()))
            tried.append((float(np.prod([max(value, 1e-3) for value, _ in ways])), setting, ways))
        _, setting, ways = min(tried, key=lambda each: each[0])
        counts = every if name in DRAWN else few
        runs = [searched(lesson, place, name, setting, k, experiments, counts) for k in range(seeds)]
        for count, number, (_, by) in zip(COUNTS, few, ways, strict=True):
            regrets[str(count)][name] = row(run[by][counts.index(number)] for run in runs)
        if name in DRAWN:
            curve[name] = row(np.median([run[ways[-1][1]] for run in runs], 0))
        chosen[name] = [setting, *(by for _, by in ways)]
    return regrets, curve, chosen


def blind(lesson, view, name, seed):
    """Regret after 30 experiments of EI or Sobol on Hartmann's landscape, by both ways to recommend."""
    lab, counts = graded(Laboratory("Hartmann", seed), lesson.VIEWS[view]), [lesson.LAST]
    if name == "EI":
        x, y, said = lesson.campaign(lab, lesson.ei, seed)
    else:
        x, y = search(name, lab, seed, lesson.LAST, lesson.FIRST)
        said = lesson.replay(x, y, seed, counts)
    ways = {"model": said[-1:], "seen": best_seen(x, y, counts)}
    return {by: float(lesson.regret(lab, places)[0]) for by, places in ways.items()}


def without_signal(lesson, seeds, tuning_seeds):
    """Regret after 30 experiments, by what the laboratory tells; the way to recommend is picked on other seeds."""
    found = {}
    for view in lesson.VIEWS:
        found[view] = {}
        for name in ("EI", "Sobol"):
            tried = [blind(lesson, view, name, 100 + k) for k in range(tuning_seeds)]
            by = min(("model", "seen"), key=lambda by, tried=tried: np.median([each[by] for each in tried]))
            found[view][name] = row(blind(lesson, view, name, k)[by] for k in range(seeds))
    return found


def by_hours(lesson, seeds, tuning_seeds, budget):
    """Regret at a quarter, a half and all of the budget, rows are seeds; and the batches lost, by machine.

    The simplex's size is the one with the lowest regret at the end on other seeds.
    """
    limits = [budget / 4, budget / 2, budget]
    machines = {
        "minds both": {},
        "ignores hours": {"per_hour": False},
        "lost = worst": {"failures": "worst"},
        "forgets the lost": {"failures": "forgotten"},
    }
    found, lost = {}, {}
    for name, how in machines.items():
        runs = []
        for k in range(seeds):
            lab, plan = Laboratory("reactor", k, hazards=True), iter(design("Sobol", 3, 256, k))
            runs.append(spend(lab, lesson.thrifty(lab, np.random.default_rng([3, k]), **how), plan, budget))
        found[name] = [at_limits(trace, limits) for trace, _ in runs]
        lost[name] = [count for _, count in runs]
    ends = {
        size: np.median([rival_of_hours(lesson, "simplex", size, 100 + k, limits)[0][-1] for k in range(tuning_seeds)])
        for size in TRIED["simplex"][1]
    }
    for name, size in (("Sobol", None), ("simplex", min(ends, key=ends.get))):
        runs = [rival_of_hours(lesson, name, size, k, limits) for k in range(seeds)]
        found[name], lost[name] = [list(each) for each in zip(*runs, strict=True)]
    return found, lost


def rival_of_hours(lesson, name, size, seed, limits):
    """Regrets at the limits, and lost batches, of a rival that minds no hours; a lost batch counts as the worst."""
    lab = Laboratory("reactor", seed, hazards=True)
    if name == "Sobol":
        x = design("Sobol", 3, 64, seed)
        y = np.array([lab.run(place) for place in x])
    else:
        x, y = local_search(name, lab, design("Sobol", 3, 5, seed), 64, size, seed)
    spent, safe, trace = np.cumsum(lab.hours(x)), lab.safe(x), []
    within = spent <= limits[-1]
    for n in range(3, int(within.sum()) + 1):
        if safe[:n].sum() >= 3:
            good = safe[:n]
            gp = lesson.GaussianProcess(x[:n][good], y[:n][good])
            best = x[:n][good][gp(x[:n][good])[0].argmax()]
            trace.append((spent[n - 1], float(lesson.regret(lab, best[None])[0])))
    return at_limits(trace, limits), int((~safe[within]).sum())


def at_limits(trace, limits):
    """The last regret within each limit of hours; the first one there is, where the limit came before it."""
    trace = [tuple(each) for each in trace] or [(0.0, 68.0)]
    return row([([after for spent, after in trace if spent <= limit] or [trace[0][1]])[-1] for limit in limits])


def rules_of(lesson, steps):
    """By rule: the step at which it stops, or None."""
    rich = np.log(20)
    rules = {
        "R² > 0.9": lambda step: step.r2 > R2[0],
        "R² > 0.99, of one mind": lambda step: step.r2 > R2[1] and step.dissent <= 0.01,
        "R² > 0.998, of one mind": lambda step: step.r2 > R2[2] and step.dissent <= 0.01,
        "R² > 0.9995, of one mind": lambda step: step.r2 > R2[3] and step.dissent <= 0.01,
        "the bet alone": lambda step: step.wealth >= rich,
        "the bet, of one mind": lesson.sure,
    }
    return {name: next((step for step in steps if rule(step)), None) for name, rule in rules.items()}


def is_right(lesson, fit, truth):
    """Whether the hypothesis can be the truth exactly."""
    return bool(distance(lambda c: lesson.BOOK.formula(fit.law, c), truth) < 1e-6)


def laws(lesson, law_seeds, noise, how, experiments):
    """By law and rule: [experiments, right] of each seed, or None; whether the last word is right; intervals."""
    found, final, hits = {}, {}, []
    for name in LAWS:
        found[name], final[name] = {}, []
        for seed in range(law_seeds):
            nature = Nature(name, seed, noise)
            steps = lesson.investigate(nature, seed, how, experiments, stop=False)[2]
            known = {}
            for rule, step in rules_of(lesson, steps).items():
                if step is not None and step.fit.law.text not in known:
                    known[step.fit.law.text] = is_right(lesson, step.fit, nature.truth)
                stopped = None if step is None else [step.count, known[step.fit.law.text]]
                found[name].setdefault(rule, []).append(stopped)
            final[name].append(is_right(lesson, steps[-1].fit, nature.truth))
            step = rules_of(lesson, steps)["the bet, of one mind"]
            if step is not None and known[step.fit.law.text]:
                hits += inside(lesson, step, nature)
    return found, final, hits


def inside(lesson, step, nature):
    """Whether the 95 % intervals of factor and constant hold those with which the formula is the truth."""
    fit, width, best = step.fit, step.fit.width, None
    grid = np.exp(np.linspace(-1, 1, 4001) * max(3 * width[-1], 0.02)) * fit.constant if len(width) > 1 else [1.0]
    for c in grid:
        values = lesson.BOOK.formula(fit.law, c)
        factor = values @ nature.truth / (values @ values)
        off = ((nature.truth - factor * values) ** 2).sum()
        if np.isfinite(off) and (best is None or off < best[0]):
            best = off, factor, c
    found = [bool(abs(best[1] - fit.factor) <= width[0])]
    return found + ([bool(abs(np.log(best[2] / fit.constant)) <= width[1])] if len(width) > 1 else [])


def alarms(lesson, kinds, tries, experiments):
    """By kind of nature and rule, in how many of `tries` it cries law; and how far the bet's formula is from a truth.

    Args:
        lesson: the lesson's definitions.
        kinds: natures that are lawless, or whose law is outside the grammar.
        tries: natures of each kind.
        experiments: at most, in each.
    """
    cried, off = {}, []
    for kind in kinds:
        cried[kind] = {}
        for seed in range(tries):
            nature = Nature(kind, seed)
            stops = rules_of(lesson, lesson.investigate(nature, seed, "bold", experiments, stop=False)[2])
            for rule, step in stops.items():
                cried[kind][rule] = cried[kind].get(rule, 0) + (step is not None)
            step = stops["the bet, of one mind"]
            if step is not None and kind in OUTSIDE:
                off.append(float(np.abs(step.fit.mean - nature.truth).max() / np.ptp(nature.truth)))
    return cried, row(off)


def measure(
    lesson,
    *,
    seeds,
    tuning_seeds,
    experiments,
    places,
    law_seeds,
    law_noise,
    lawless,
    law_experiments,
    budget,
):
    """All that the lesson shows as recorded.

    `regret`: by landscape, experiments and search, one number a seed; `curve`: medians by experiments; `chosen`:
    settings and way to recommend; `signal`, `hours`, `lost`: see above; `laws`: by noise and choice of experiments;
    `final`: whether the last word is right; `inside`: how many intervals at the stop hold the truth, and of how many;
    `false`: alarms of `tries` lawless natures; `outside`: of as many laws that the grammar cannot write, with `off`,
    the largest error of the formulas of which the bet was sure, as shares of the truth's range.
    """
    found = {"regret": {}, "curve": {}, "chosen": {}, "laws": {}, "final": {}, "inside": {}}
    for place in places:
        every = campaigns(lesson, place, seeds, tuning_seeds, experiments)
        found["regret"][place], found["curve"][place], found["chosen"][place] = every
        print(place, {name: float(np.median(values)) for name, values in every[0]["30"].items()}, flush=True)
    found["signal"] = without_signal(lesson, seeds, tuning_seeds)
    found["hours"], found["lost"] = by_hours(lesson, max(1, seeds // 2), tuning_seeds, budget)
    for noise in law_noise:
        ways = ("random", "disagree", "bold") if noise == 0.01 else ("bold",)
        parts = {how: laws(lesson, law_seeds, noise, how, law_experiments) for how in ways}
        found["laws"][str(noise)] = {how: part[0] for how, part in parts.items()}
        found["final"][str(noise)] = {how: part[1] for how, part in parts.items()}
        found["inside"][str(noise)] = {how: [sum(part[2]), len(part[2])] for how, part in parts.items()}
        print("laws with noise", noise, found["inside"][str(noise)], flush=True)
    found["false"], _ = alarms(lesson, LAWLESS, lawless, law_experiments)
    found["outside"], found["off"] = alarms(lesson, OUTSIDE, lawless, law_experiments)
    found["tries"] = lawless
    return found
