"""What lesson 26 records: settings tuned on their own shots, learners, what memory brings, unannounced changes."""

import itertools
import time

import numpy as np
from tinyfrontier.beside.lesson_26.tokamak import Machine

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4],
    "clone_rounds": 24,
    "ppo_rounds": 20,
    "longer": 45,
    "longest": {"rounds": 45, "memory": 64, "batches": 400, "seeds": [0, 1]},
    "fixed_seeds": [0, 1],
    "drawn_seeds": [0, 1, 2],
    "memories": [4, 12],
    "memory_seeds": [0, 1],
    "draws": [101, 102, 103, 104, 105],
    "shots": 1000,
    "tuning": 150,
    "tries": [400, 192],
    "shift_shots": 300,
}
QUICK = {
    "seeds": [0],
    "clone_rounds": 1,
    "ppo_rounds": 1,
    "longer": 1,
    "longest": {"rounds": 1, "memory": 6, "batches": 3, "seeds": [0]},
    "fixed_seeds": [0],
    "drawn_seeds": [0],
    "memories": [4],
    "memory_seeds": [0],
    "draws": [101],
    "shots": 10,
    "tuning": 2,
    "tries": [2, 2],
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


RANGES = {
    "PID": {
        "height": [0.3, 6.0],
        "rate": [1.0, 60.0],
        "total": [1e-4, 0.1],
        "smooth": [0.1, 1.0],
        "shape": [0.1, 6.0],
        "steady": [1e-4, 0.1],
    },
    "LQG + integral": {
        "grip": [0.8, 2.0],
        "growth": [0.8, 1.5],
        "effort": [1e-5, 1.0],
        "shape": [0.5, 10.0],
        "agile": [0.05, 10.0],
        "drift": [1e-5, 0.1],
    },
}


def search(paid, make, ranges, tries, near=None):
    """A third of the tries is drawn from the ranges (in logarithms), the others near the best so far."""
    chance, best, least = np.random.default_rng(0), None, np.inf
    low, high = np.log(list(ranges.values())).T
    near = near or 0.05 * (high - low)
    for turn in range(tries):
        around = turn > tries // 3
        logs = np.log(best) + chance.normal(0, 1, len(low)) * near if around else chance.uniform(low, high)
        values = [round(float(value), 5) for value in np.exp(np.clip(logs, low, high))]
        cost = paid(make(**dict(zip(ranges, values, strict=True))))
        if cost < least:
            best, least = values, cost
    return dict(zip(ranges, best, strict=True)), least


def integral(lesson):
    """A class: LQG whose filter estimates a sixth number, a push on z that drifts, and whose command cancels it."""

    class Integral(lesson.Lqg):
        def __init__(self, grip, growth, drift, agile, **weights):
            super().__init__([(grip, growth)], agile=agile, **weights)
            m, A, C = self.machine, np.eye(6), np.zeros((2, 6))
            A[:5, :5], A[0, 5], C[:, :5] = self.A[0], 1, lesson.C
            W = np.diag([(agile * m.shake) ** 2, 0, 0, (m.shake / 2) ** 2, 0, drift**2])
            P, V = np.eye(6), m.noise**2 * np.eye(2)
            for _ in range(400):
                K = P @ C.T @ np.linalg.inv(C @ P @ C.T + V)
                P = A @ (P - K @ C @ P) @ A.T + W
            self.K, self.drifts, self.cancels = K[None, :5], K[5], 1 / (grip * m.grip)

        def start(self, plasma):
            super().start(plasma)
            self.drift = np.zeros(self.shots)

        def act(self, measured, wanted):
            self.drift = self.drift + (measured - self.x[:, 0][:, [0, 3]]) @ self.drifts
            command = super().act(measured, wanted)
            command[:, 0] -= np.clip(self.drift * self.cancels, -1, 1)
            return command

        def sent(self, command):
            super().sent(command)
            self.x[:, 0, 0] += self.drift

    return Integral


def measure(
    lesson,
    *,
    seeds,
    clone_rounds,
    ppo_rounds,
    longer,
    longest,
    fixed_seeds,
    drawn_seeds,
    memories,
    memory_seeds,
    draws,
    shots,
    tuning,
    tries,
    shift_shots,
):
    """`tuned`: settings; `tried`: their cost on the tuning shots; `report`, `stages`: by draw and, for learners, seed;
    `drawn`: the clone of drawn delays, at home; `memory`: lost by length of the clone's memory; `shifts`: lost by size,
    rows are seeds or draws.
    """
    found = {"tuned": {}, "tried": {}, "report": {}, "stages": {}, "memory": {}, "shifts": {}, "cpu_seconds": {}}

    def paid(controller, seed):
        return lesson.shoot(controller, shots=tuning, seed=seed)[0]["cost"]

    start = time.process_time()
    offset_free = integral(lesson)
    for name, make, most, near in (("PID", lesson.Pid, tries[0], 0.3), ("LQG + integral", offset_free, tries[1], None)):
        found["tuned"][name], least = search(lambda each: paid(each, 1), make, RANGES[name], most, near)
        found["tried"][name] = [round(float(least), 2)]
        say(name, found["tuned"][name], found["tried"][name], f"{time.process_time() - start:.0f} s")
    makers = {"LQG": lesson.lqg, "adaptive LQG": lesson.Adaptive}
    for name, grid in GRIDS.items():
        every = [dict(zip(grid, each, strict=True)) for each in itertools.product(*grid.values())]
        every = every if tries[1] > 2 else every[:2]
        costs = [paid(makers[name](**each), 1) for each in every]
        found["tuned"][name] = every[int(np.argmin(costs))]
        found["tried"][name] = [round(float(cost), 2) for cost in sorted(costs)]
        say(name, found["tuned"][name], found["tried"][name][:5], f"{time.process_time() - start:.0f} s")
    found["tuned"]["told"] = {key: found["tuned"]["adaptive LQG"][key] for key in ("effort", "shape", "agile")}
    told = found["tuned"]["told"]

    def teacher(delay=3):
        return lesson.Told(lesson.BANK, machine=Machine(delay=delay), **told)

    def outcome(controller, draw):
        return lesson.shoot(controller, shots=shots, seed=draw)[0]

    def rows(results):
        return {key: [round(float(each[key]), 4) for each in results] for key in KEPT}

    rivals = {
        "PID": lesson.Pid(**found["tuned"]["PID"]),
        "LQG": lesson.lqg(**found["tuned"]["LQG"]),
        "LQG + integral": offset_free(**found["tuned"]["LQG + integral"]),
        "adaptive LQG": lesson.Adaptive(**found["tuned"]["adaptive LQG"]),
        "LQG, told the grip": teacher(),
        "bank of delays": lesson.DelayBank(**found["tuned"]["adaptive LQG"]),
    }
    for name, controller in rivals.items():
        found["report"][name] = rows([outcome(controller, draw) for draw in draws])
        say(name, found["report"][name]["lost"], found["report"][name]["cost"])
    names = ("clone", "clone + PPO", "longer clone", "longest clone", "LQG's clone", "LQG's clone + PPO")
    stages, seconds = {name: [] for name in names}, {name: [] for name in names}

    def learnt(name, draw, learn, *given, **more):
        began = time.process_time()
        learner = learn(*given, **more)
        seconds[name].append(round(time.process_time() - began, 1))
        stages[name].append(outcome(learner, draws[draw % len(draws)]))
        say(name, draw, seconds[name][-1], {key: round(float(stages[name][-1][key]), 2) for key in KEPT})
        return learner

    def imitate(teachers, seed, rounds=clone_rounds, memory=32, **more):
        return lesson.clone(lesson.Learner(memory, seed), teachers, rounds, seed=seed, **more)

    learners, drawn = [], []
    for seed in seeds:
        learner = learnt("clone", seed, imitate, [teacher()], seed)
        learners.append(learnt("clone + PPO", seed, lesson.ppo, learner, ppo_rounds, seed=seed))
    for seed in drawn_seeds:
        drawn.append(imitate([teacher(delay) for delay in SHIFTS["delay"]], seed))
    found["drawn"] = rows([outcome(each, draws[seed]) for each, seed in zip(drawn, drawn_seeds, strict=True)])
    say("drawn", found["drawn"])
    for seed in fixed_seeds:
        learner = learnt("LQG's clone", seed, imitate, [rivals["LQG"]], seed)
        learnt("LQG's clone + PPO", seed, lesson.ppo, learner, ppo_rounds, seed=seed)
    for seed in seeds:
        learnt("longer clone", seed, imitate, [teacher()], seed, longer)
    for memory in memories:
        pupils = [imitate([teacher()], seed, memory=memory) for seed in memory_seeds]
        results = [outcome(pupil, draws[seed % len(draws)]) for pupil, seed in zip(pupils, memory_seeds, strict=True)]
        found["memory"][str(memory)] = rows(results)["lost"]
        say("memory", memory, found["memory"][str(memory)])
    for seed in longest["seeds"]:
        how = {key: longest[key] for key in ("rounds", "memory", "batches")}
        learnt("longest clone", seed, imitate, [teacher()], seed, **how)
    found["cpu_seconds"]["training"] = seconds
    found["stages"] = {name: rows(results) for name, results in stages.items()}
    found["report"] |= {name: found["stages"][name] for name in ("clone", "clone + PPO")}
    found["memory"]["32"] = [found["stages"]["clone"]["lost"][seeds.index(seed)] for seed in memory_seeds]
    players = {name: [rivals[name]] * len(draws) for name in ("LQG", "LQG + integral", "adaptive LQG")}
    players |= {"clone + PPO": learners, "bank of delays": [rivals["bank of delays"]] * len(draws[:3])}
    players["clone of drawn delays"] = drawn
    for kind, sizes in SHIFTS.items():
        lost = {}
        for name, each in players.items():
            lost[name] = [
                [float(lesson.shoot(one, Machine(**{kind: size}), shift_shots, draw)[0]["lost"]) for size in sizes]
                for one, draw in zip(each, draws, strict=False)
            ]
            lost[name] = [[round(value, 2) for value in row] for row in lost[name]]
            say(kind, name, lost[name])
        found["shifts"][kind] = {"sizes": sizes, "lost": lost}
    return found
