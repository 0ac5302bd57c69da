"""What lesson 27 records: regret of agents, real and foretold effects of six policies at three costs of staying in."""

import numpy as np

SETTINGS = {"seeds": [1, 2, 3, 4, 5], "costs": [0.01, 0.02, 0.04], "winters": 40, "runs": 2000, "keep": 20}
QUICK = {"seeds": [1, 2], "costs": [0.02], "winters": 2, "runs": 40, "keep": 4}


def measure(lesson, *, seeds, costs, winters, runs, keep):
    """`regret`, by cost a row of seeds by name; `towns`, by cost a row of seeds, each by name.

    A name's `ever` and `peak` are changes of the share ever ill and of the peak, one a policy. Names that end with
    "alone" were fitted to the curve of the ill alone. `usual` is the share ever ill and the peak before any policy,
    `drift` their change after as many winters without one.
    """
    found = {"regret": {}, "towns": {}}
    for cost in costs:
        losses = [lesson.regrets(seed, cost, winters) for seed in seeds]
        found["regret"][str(cost)] = {name: row(each[name] for each in losses) for name in losses[0]}
        found["towns"][str(cost)] = [town(lesson, seed, cost, winters, runs, keep) for seed in seeds]
        print(cost, flush=True)
    return found


def town(lesson, seed, cost, winters, runs, keep):
    """Real and foretold effects in one town."""
    home, kinds, prices = lesson.society(seed, cost)
    tables = lesson.learn_winters(home, kinds, prices, seed, winters)
    before = lesson.winter(home, lesson.habits(tables, kinds), seed)
    observed = np.array([before["ill"], before["stayed"]])
    again = max(1, winters * 3 // 4)
    learnt, first, drift = lesson.real_effects(home, kinds, prices, tables, seed, number=again)
    effects = {"real": learnt, "first": first}
    for name in (*lesson.MODELS, *lesson.TOLD):
        for end, theta in zip(
            ("", " alone"), lesson.calibrate(name, observed, [(0, 1), (0,)], seed, runs, keep, winters)
        ):
            effects[name + end] = lesson.foretold(name, theta, winters=winters, past=observed[1])
    short = {name: {"ever": row(each[:, 0]), "peak": row(each[:, 1])} for name, each in effects.items()}
    short["usual"] = {"ever": row([before["ever"]]), "peak": row([before["peak"]])}
    short["drift"] = {"ever": row([drift[0]]), "peak": row([drift[1]])}
    short["at home"] = {"ever": row([lesson.traced(home, lesson.habits(tables, kinds), seed)]), "peak": [0.0]}
    return short


def row(values):
    """A list of floats, as they are stored."""
    return [round(float(value), 4) for value in values]
