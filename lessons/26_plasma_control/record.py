"""What lesson 26 records: settings tuned on their own shots, five learners, what memory brings, unannounced changes."""

import itertools
import time

import numpy as np
from tinyfrontier.beside.lesson_26.tokamak import Machine

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4],
    "clone_rounds": 24,
    "ppo_rounds": 20,
    "longer": [56, [0, 1]],
    "memories": [4, 12],
    "memory_seeds": [0, 1],
    "draws": [101, 102, 103, 104, 105],
    "shots": 1000,
    "tuning": 150,
    "tries": 400,
    "shift_shots": 300,
}
QUICK = {
    "seeds": [0],
    "clone_rounds": 1,
    "ppo_rounds": 1,
    "longer": [1, [0]],
    "memories": [4],
    "memory_seeds": [0],
    "draws": [101],
    "shots": 10,
    "tuning": 2,
    "tries": 2,
    "shift_shots": 5,
}
GRIDS = {
    "LQG": {
        "grip": [1.0, 1.25, 1.4, 1.6],
        "growth": [1.0, 1.15],
        "effort": [0.003, 0.01, 0.03, 0.1],
        "shape": [1.5, 5.0],
        "agile": [4.0, 8.0, 16.0],
    },
    "adaptive LQG": {
        "effort": [0.01, 0.03, 0.1],
        "shape": [1.5, 5.0],
        "agile": [2.0, 3.0, 5.0],
        "trust": [0.5, 1.0],
        "memory": [1.0, 0.99, 0.97],
    },
}
SHIFTS = {"delay": [3, 4, 5, 6], "noise": [0.03, 0.06, 0.09, 0.12], "fade": [0.0, 0.3, 0.5, 0.7]}
KEPT = ("lost", "cost", "height", "shape", "power")


def say(*words):
    """Progress, for whoever waits."""
    print(*words, flush=True)


def search_pid(paid, tries):
    """Six constants: a third of the tries is drawn from wide ranges, the others near the best so far."""
    chance = np.random.default_rng(0)
    low, high = np.log([0.3, 1.0, 1e-4, 0.1, 0.1, 1e-4]), np.log([6.0, 60.0, 0.1, 1.0, 6.0, 0.1])
    best, least = None, np.inf
    for turn in range(tries):
        near = turn > tries // 3
        logs = np.log(best) + chance.normal(0, 0.3, 6) if near else chance.uniform(low, high)
        constants = [round(float(value), 5) for value in np.exp(np.minimum(logs, high))]
        cost = paid(constants)
        if cost < least:
            best, least = constants, cost
    return best, least


def measure(
    lesson,
    *,
    seeds,
    clone_rounds,
    ppo_rounds,
    longer,
    memories,
    memory_seeds,
    draws,
    shots,
    tuning,
    tries,
    shift_shots,
):
    """`tuned`: settings; `tried`: their cost on the tuning shots; `report`, `stages`: by draw and, for learners, seed;
    `memory`: lost by length of the clone's memory; `shifts`: lost by size, rows are seeds or draws.
    """
    found = {"tuned": {}, "tried": {}, "report": {}, "stages": {}, "memory": {}, "shifts": {}, "cpu_seconds": {}}

    def paid(controller, seed):
        return lesson.shoot(controller, shots=tuning, seed=seed)[0]["cost"]

    start = time.process_time()
    found["tuned"]["PID"], least = search_pid(lambda each: paid(lesson.Pid(*each), 1), tries)
    found["tried"]["PID"] = [round(float(least), 2)]
    makers = {"LQG": lesson.lqg, "adaptive LQG": lesson.Adaptive}
    for name, grid in GRIDS.items():
        every = [dict(zip(grid, each, strict=True)) for each in itertools.product(*grid.values())]
        every = every if tries > 2 else every[:2]
        costs = [paid(makers[name](**each), 1) for each in every]
        found["tuned"][name] = every[int(np.argmin(costs))]
        found["tried"][name] = [round(float(cost), 2) for cost in sorted(costs)]
        say(name, found["tuned"][name], found["tried"][name][:5], f"{time.process_time() - start:.0f} s")
    found["tuned"]["told"] = {key: found["tuned"]["adaptive LQG"][key] for key in ("effort", "shape", "agile")}
    say("PID", found["tuned"]["PID"])
    told = found["tuned"]["told"]

    def teacher():
        return lesson.Told(lesson.BANK, **told)

    def outcome(controller, draw):
        return lesson.shoot(controller, shots=shots, seed=draw)[0]

    def rows(results):
        return {key: [round(float(each[key]), 4) for each in results] for key in KEPT}

    rivals = {
        "PID": lesson.Pid(*found["tuned"]["PID"]),
        "LQG": lesson.lqg(**found["tuned"]["LQG"]),
        "adaptive LQG": lesson.Adaptive(**found["tuned"]["adaptive LQG"]),
        "LQG, told the grip": teacher(),
    }
    for name, controller in rivals.items():
        found["report"][name] = rows([outcome(controller, draw) for draw in draws])
        say(name, found["report"][name]["lost"], found["report"][name]["cost"])
    stages = {name: [] for name in ("clone", "clone + PPO", "longer clone", "LQG's clone", "LQG's clone + PPO")}
    learners, seconds = [], []
    for seed in seeds:
        began = time.process_time()
        learner = lesson.clone(lesson.Learner(seed=seed), teacher(), clone_rounds, seed=seed)
        seconds.append([round(time.process_time() - began, 1)])
        stages["clone"].append(outcome(learner, draws[seed % len(draws)]))
        began = time.process_time()
        lesson.ppo(learner, ppo_rounds, seed=seed)
        seconds[-1].append(round(time.process_time() - began, 1))
        stages["clone + PPO"].append(outcome(learner, draws[seed % len(draws)]))
        learners.append(learner)
        say("learner", seed, seconds[-1], *({k: round(float(v[-1][k]), 2) for k in KEPT} for v in stages.values() if v))
    for seed in longer[1]:
        began = time.process_time()
        learner = lesson.clone(lesson.Learner(seed=seed), teacher(), longer[0], seed=seed)
        seconds.append([round(time.process_time() - began, 1)])
        stages["longer clone"].append(outcome(learner, draws[seed % len(draws)]))
        say("longer", seed, seconds[-1], stages["longer clone"][-1])
    for seed in longer[1]:
        learner = lesson.clone(lesson.Learner(seed=seed), rivals["LQG"], clone_rounds // 3 + 1, seed=seed)
        stages["LQG's clone"].append(outcome(learner, draws[seed % len(draws)]))
        lesson.ppo(learner, ppo_rounds, seed=seed)
        stages["LQG's clone + PPO"].append(outcome(learner, draws[seed % len(draws)]))
        say("LQG's clone", seed, stages["LQG's clone"][-1], stages["LQG's clone + PPO"][-1])
    found["cpu_seconds"]["training"] = seconds
    found["stages"] = {name: rows(results) for name, results in stages.items()}
    found["report"] |= {name: found["stages"][name] for name in ("clone", "clone + PPO")}
    for memory in memories:
        pupils = [
            lesson.clone(lesson.Learner(memory, seed), teacher(), clone_rounds, seed=seed) for seed in memory_seeds
        ]
        results = [outcome(pupil, draws[seed % len(draws)]) for pupil, seed in zip(pupils, memory_seeds, strict=True)]
        found["memory"][str(memory)] = rows(results)["lost"]
        say("memory", memory, found["memory"][str(memory)])
    found["memory"]["32"] = [found["stages"]["clone"]["lost"][seeds.index(seed)] for seed in memory_seeds]
    for kind, sizes in SHIFTS.items():
        lost = {}
        for name in ("PID", "LQG", "adaptive LQG", "clone + PPO"):
            each = learners if name == "clone + PPO" else [rivals[name]] * len(draws)
            lost[name] = [
                [float(lesson.shoot(one, Machine(**{kind: size}), shift_shots, draw)[0]["lost"]) for size in sizes]
                for one, draw in zip(each, draws, strict=False)
            ]
            lost[name] = [[round(value, 2) for value in row] for row in lost[name]]
            say(kind, name, lost[name])
        found["shifts"][kind] = {"sizes": sizes, "lost": lost}
    return found
