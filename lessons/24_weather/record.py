"""What lesson 24 records: skill over draws of weather and seeds, what the network needs, costs, ensembles, planets."""

import time

from tinyfrontier.beside.lesson_24.atmosphere import Atmosphere, climate, resized

from tinyfrontier.pretrained.weather.recipe import DAYS, RUNS, make_weather, train

SETTINGS = {
    "draws": [11, 12, 13, 14, 15],
    "runs": 4,
    "seeds": [1, 2],
    "steps": 4000,
    "live_seeds": [1, 2, 3],
    "live_steps": 500,
    "looks": 5,
    "weather": [RUNS, DAYS],
    "amplitudes": [0.02, 0.05, 0.1, 0.2],
    "filters": [23.6, 8.0, 4.0, 2.0],
}
QUICK = {
    "draws": [11],
    "runs": 1,
    "seeds": [1],
    "steps": 1,
    "live_seeds": [1],
    "live_steps": 1,
    "looks": 1,
    "weather": [1, 12],
    "amplitudes": [0.1],
    "filters": [2.0],
}
PICKING = 10  # the draw on which the ensembles' disturbance is picked
APART = 15  # days between two first days of one run


def exam(lesson, draw, runs):
    """First days (3 x runs, 2, 64, 64) and the truth (days, 3 x runs, 2, 32, 32) of a draw of weather."""
    days = lesson.DAYS
    weather = climate(runs, 1 + 2 * APART + days, 2000 + draw)
    first = [0, APART, 2 * APART]
    starts = weather[:, first].flatten(0, 1)
    truth = [lesson.psi(weather[:, [day + n for day in first]].flatten(0, 1)) for n in range(1, days + 1)]
    return starts, lesson.torch.stack(truth)


def row(values):
    """A list of floats, as they are stored."""
    return [round(float(value), 4) for value in values]


def measure(lesson, *, draws, runs, seeds, steps, live_seeds, live_steps, looks, weather, amplitudes, filters):
    """Correlation by day: rows are draws, for `network` rows of rows, a seed each, the shipped one first.

    `days`: of networks by what they learnt from; `steps`: correlation on day 5 with the steps a day that were kept
    and with twice as many; `cpu_seconds`: of a day of one forecast; `crps`: by day; `tried`: CRPS on day 5 by
    disturbance, `filters`: correlation on day 5 by strength, both on another draw; `abroad`: correlation of network
    and of a solver that knows, by planet.
    """
    exams = [exam(lesson, draw, runs) for draw in draws]

    def skill(forecast):
        return [row(lesson.skill(forecast(starts), truth)) for starts, truth in exams]

    def network(net):
        return skill(lambda starts: lesson.roll(net, starts, lesson.DAYS))

    found = {
        "skill": {},
        "steps": {},
        "days": {},
        "cpu_seconds": {},
        "crps": {},
        "tried": {},
        "abroad": {},
        "filters": {},
    }
    for size, kept in lesson.STEPS.items():
        found["skill"][str(size)] = skill(lambda starts, size=size: lesson.solve(size, starts, lesson.DAYS))
        dear = Atmosphere(size, 2 * kept, filtering=lesson.FILTERING / 2)  # as much filtering a day
        fifth = [lesson.skill(lesson.psi(dear.run(resized(starts, size), 5)), truth[:5])[4] for starts, truth in exams]
        found["steps"][str(size)] = {"kept": [each[4] for each in found["skill"][str(size)]], "twice": row(fifth)}
    trained = [lesson.WEATHER[0]]
    for seed in seeds:
        days = make_weather(seed, *weather)
        trained.append(train(days, steps, seed)[0])
    found["skill"]["network"] = [network(net) for net in trained]
    order = lesson.torch.randperm(days.shape[1], generator=lesson.torch.Generator().manual_seed(0))
    parts = {"500": days[:1], "2000": days[: max(1, weather[0] // 4)], "shuffled": days[:, order]}
    found["days"] = {name: network(train(part, steps, seeds[-1])[0]) for name, part in parts.items()}
    found["days"]["8000"] = found["skill"]["network"][-1]
    found["days"]["one"] = network(train(days, 2 * steps, seeds[-1], ahead=1)[0])
    for name, hybrid in (("live emulator", False), ("live hybrid", True)):
        nets = [lesson.learn(hybrid, live_steps, seed) for seed in live_seeds]
        found["skill"][name] = [each for net in nets for each in network(net)]
    starts = lesson.torch.cat([starts for starts, _ in exams])[:32]

    def seconds(forecast):
        spent = []
        for _ in range(looks):
            began = time.process_time()
            forecast(starts, 10)
            spent.append(round((time.process_time() - began) / 10 / len(starts), 7))
        return spent

    def by_solver(size):
        return lambda starts, days: lesson.solver(size).run(resized(starts, size), days)

    found["cpu_seconds"] = {f"{size} cells": seconds(by_solver(size)) for size in lesson.STEPS}
    found["cpu_seconds"]["network"] = seconds(lambda starts, days: lesson.roll(lesson.WEATHER[0], starts, days))
    other = exam(lesson, PICKING, runs)
    for size, kept in lesson.STEPS.items():
        airs = [Atmosphere(size, kept, filtering=strength) for strength in filters]
        said = [lesson.psi(air.run(resized(other[0], size), 5)) for air in airs]
        found["filters"][str(size)] = row(lesson.skill(each, other[1][:5])[4] for each in said)

    def crps(name, starts, truth, amplitude=None):
        many = lesson.ensemble(name, starts, 10, amplitude=amplitude)
        unit = lesson.DEVIATION
        return row(lesson.crps(each / unit, true / unit) for each, true in zip(many, truth, strict=False))

    for name in lesson.AMPLITUDE:
        found["tried"][name] = [crps(name, *other, amplitude=amplitude)[4] for amplitude in amplitudes]
        found["crps"][name] = [crps(name, *each) for each in exams]
    for name, planet in lesson.PLANETS.items():
        found["abroad"][name] = [row(lesson.abroad(planet, starts[::3])) for starts, _ in exams]
    return found
