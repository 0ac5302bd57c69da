"""Exercises of lesson 27, societies of agents: one day of an epidemic, the closest runs, learning from a day."""

import math

import numpy as np

from .form import exercise


@exercise(returns="integer array (people,)", points=2)
def one_day(state, home, stays, draws, catch, at_home, recover):
    """Person by person."""
    share = sum(each == 1 for each in state.tolist()) / len(state)
    after = []
    for person, now in enumerate(state.tolist()):
        with_me = [other for other in range(len(state)) if home[other] == home[person]]
        force = catch * share * (0.1 if stays[person] else 1) + at_home * sum(state[k] == 1 for k in with_me)
        if now == 0 and draws[0, person] < 1 - math.exp(-force):
            now = 1
        elif now == 1 and draws[1, person] < 1 - math.exp(-recover):
            now = 2
        after.append(now)
    return np.array(after)


@one_day.cases
def _():
    def some(people, houses, seed, ill=0.3):
        draw = np.random.default_rng(seed)
        state = draw.choice(3, people, p=[0.9 - ill, ill, 0.1])
        return state, draw.integers(0, houses, people), draw.random(people) < 0.5, draw.random((2, people))

    yield (
        "the worked example",
        np.array([0, 1, 0, 0, 2]),
        np.array([0, 0, 1, 1, 1]),
        np.array([False, False, False, True, False]),
        np.array([[0.3, 0.0, 0.1, 0.1, 0.0], [0.0, 0.1, 0.0, 0.0, 0.0]]),
        1.0,
        0.5,
        0.2,
    )
    yield "many people", *some(400, 150, 0), 0.9, 0.3, 0.4
    yield "many people in few households", *some(300, 20, 1), 0.4, 0.05, 0.2
    yield "everybody alone", *some(200, 200, 2)[:1], np.arange(200), *some(200, 200, 2)[2:], 1.5, 0.7, 0.5
    yield "nobody ill", *some(50, 20, 3, ill=0.0), 0.8, 0.4, 0.3
    yield "no contacts outside", *some(200, 60, 4), 0.0, 0.6, 0.3
    yield "no contacts at home", *some(200, 60, 5), 1.2, 0.0, 0.3
    yield "a force above one", *some(200, 60, 6), 4.0, 1.0, 2.0
    zeros = np.zeros((2, 4))
    yield "a draw at the chance", np.array([0, 0, 1, 2]), np.arange(4), np.zeros(4, bool), zeros, 0.0, 0.4, 0.0
    yield "one person", np.array([1]), np.array([0]), np.array([True]), np.array([[0.0], [0.1]]), 0.4, 0.2, 0.2


@one_day.usual
def one_day(state, home, stays, draws, catch, at_home, recover):
    ill = state == 1
    outside = catch * ill.mean() * np.where(stays, 0.1, 1.0)
    inside = at_home * np.bincount(home, weights=ill)[home]
    caught = (state == 0) & (draws[0] < 1 - np.exp(-outside - inside))
    cured = ill & (draws[1] < 1 - np.exp(-recover))
    return state + caught + cured


one_day.slip("np.where(stays, 0.1, 1.0)", "1.0", "staying in ignored").says(
    "who stays in is caught as often as who goes out. Staying in divides contacts outside by ten."
)
one_day.slip("np.where(stays, 0.1, 1.0)", "np.where(stays, 0.0, 1.0)", "nobody at the door").says(
    "who stays in has no contacts outside at all in your town. One tenth of them is left."
)
one_day.slip(
    "at_home * np.bincount(home, weights=ill)[home]",
    "at_home * np.bincount(home, weights=ill)[home] * np.where(stays, 0.1, 1.0)",
    "staying in helps at home",
).says("staying in changed the risk at home as well. It takes away contacts outside alone.")
one_day.slip(
    "np.bincount(home, weights=ill)[home]", "(np.bincount(home, weights=ill) / np.bincount(home))[home]", "home share"
).says("you took the share of the household that is ill. The force at home counts the ill, one by one.")
one_day.slip(
    "np.bincount(home, weights=ill)[home]", "(np.bincount(home, weights=ill)[home] > 0)", "anybody at home"
).says("one ill person at home counts as much as three in your town. The force at home grows with their number.")
one_day.slip("np.bincount(home, weights=ill)[home]", "ill.sum()", "one household").says(
    "everybody's household has all the ill of the town. Count them house by house."
)
one_day.slip("1 - np.exp(-outside - inside)", "outside + inside", "force for chance").says(
    "you compared the draw with the force itself. The chance is one less the exponential of minus the force."
)
one_day.slip("ill.mean()", "ill.sum()", "number for share").says(
    "the force outside goes with the share of the town that is ill, not with their number."
)
one_day.slip("(draws[1] < 1", "(draws[0] < 1", "one row of draws").says(
    "you used the first row of draws for recovering too. It has a row of its own, the second."
)
one_day.slip("cured = ill &", "cured = (ill | caught) &", "cured on the first day").says(
    "who is caught today may be immune tomorrow in your town. Decide by today's states."
)
one_day.slip("caught = (state == 0)", "caught = (state != 1)", "the immune are caught").says(
    "the immune are caught as well. Only state 0 can be."
)


@exercise(returns="array (keep, k)", points=1)
def closest_runs(theta, simulated, observed, keep):
    """Each run's distance by itself; sorted by distance, then by number."""
    apart = []
    for number, run in enumerate(simulated):
        squares = [(a - b) ** 2 for a, b in zip(run.tolist(), observed.tolist()) if not math.isnan(b)]
        apart.append((sum(squares) / len(squares), number))
    return theta[[number for _, number in sorted(apart)[:keep]]]


@closest_runs.cases
def _():
    def some(runs, k, days, keep, seed, gaps=()):
        draw = np.random.default_rng(seed)
        observed = draw.normal(size=days)
        observed[list(gaps)] = np.nan
        return draw.normal(size=(runs, k)), draw.normal(size=(runs, days)), observed, keep

    theta = np.array([[1.0], [2.0], [3.0], [4.0]])
    near = np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 3.0], [9.0, 9.0]])
    yield "the worked example", theta, near, np.array([1.0, 3.0]), 2
    yield "a day without data", theta, near, np.array([np.nan, 0.5]), 2
    yield "many runs", *some(200, 3, 14, 20, 0)
    yield "some days without data", *some(100, 2, 9, 10, 1, gaps=(0, 4, 5))
    one_far = np.array([[3.0, 0.0, 0.0, 0.0], [1.6, 1.6, 1.6, 1.6], [0.1, 3.5, 0.0, 0.0], [1.4, 1.4, 1.4, 0.0]])
    yield "one day far off, or all a little", theta, one_far, np.zeros(4), 3
    yield "both ways off", theta, np.array([[2.0, -2.0], [1.0, 1.5], [-1.0, 0.5], [3.0, -3.0]]), np.zeros(2), 2
    ties = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [-1.0, 0.0]] * 10)
    yield "equally close ones", np.arange(40.0)[:, None], ties, np.zeros(2), 25
    yield "all are kept", *some(6, 2, 5, 6, 2)
    yield "none is kept", *some(6, 2, 5, 0, 3)
    yield "one day", *some(8, 2, 1, 3, 4)


@closest_runs.usual
def closest_runs(theta, simulated, observed, keep):
    apart = np.nanmean((simulated - observed) ** 2, axis=1)
    order = np.argsort(apart, kind="stable")
    return theta[order[:keep]]


closest_runs.slip("np.argsort(apart", "np.argsort(-apart", "the farthest").says(
    "you kept the runs that are farthest from the data."
)
closest_runs.slip("np.nanmean", "np.mean", "nan spreads").says(
    "a day without data makes every distance nan, and then the order means nothing. Leave such days out."
)
closest_runs.slip("(simulated - observed) ** 2", "np.abs(simulated - observed)", "absolute").says(
    "you took mean absolute differences. The distance squares them, so that one day far off counts for more."
)
closest_runs.slip("(simulated - observed) ** 2", "(simulated - observed)", "signs cancel").says(
    "too many on one day and too few on another cancel out in your distance. Square the differences first."
)
closest_runs.slip(', kind="stable"', "", "ties in any order").says(
    'of equally close ones the earlier comes first. `np.argsort` promises that with `kind="stable"`.'
)
closest_runs.slip("theta[order[:keep]]", "theta[np.sort(order[:keep])]", "order lost").says(
    "these are the right runs in the order in which they were drawn. The closest stands first."
)
closest_runs.slip("theta[order[:keep]]", "theta[order][-keep:]", "the last").says(
    "you kept the end of the order. The closest runs stand at its beginning."
)


@exercise(returns="array (situations, 2)", points=2, tolerance=1e-8)
def learn_day(table, now, then, stays, caught, cost, rate, foresight):
    """Person by person, choice by choice."""
    new = np.array(table, dtype=float)
    for choice in (0, 1):
        worths = []
        for stayed, ill in zip(stays.tolist(), caught.tolist()):
            if int(stayed) == choice:
                worth = -cost if stayed else 0.0
                worth += -1.0 if ill else foresight * max(table[then].tolist())
                worths.append(worth)
        if worths:
            part = min(1.0, rate * len(worths))
            new[now, choice] = (1 - part) * table[now, choice] + part * sum(worths) / len(worths)
    return new


@learn_day.cases
def _():
    def some(people, seed, situations=4, risk=0.3, now=1, then=2, rate=0.01):
        draw = np.random.default_rng(seed)
        stays, caught = draw.random(people) < 0.4, draw.random(people) < risk
        return draw.normal(size=(situations, 2)), now, then, stays, caught, 0.2, rate, 0.8

    table = np.array([[0.0, 0.0], [-0.5, -0.2]])
    yield "the worked example", table, 0, 1, np.array([True, False]), np.array([False, True]), 0.1, 0.5, 0.8
    yield "forty people", *some(40, 0)
    yield "the same situation tomorrow", *some(30, 1, now=3, then=3)
    yield "the same situation, a large step", *some(12, 9, now=0, then=0, rate=0.1)
    yield "nobody caught", *some(30, 2, risk=0.0)
    yield "everybody caught", *some(30, 3, risk=1.0)
    yield "more than one step's worth of people", *some(300, 4)
    quiet = np.random.default_rng(5).normal(size=(3, 2))
    yield "nobody stays in", quiet, 0, 1, np.zeros(5, bool), np.arange(5) > 2, 0.3, 0.1, 0.9
    yield "everybody stays in", quiet, 2, 0, np.ones(5, bool), np.arange(5) > 3, 0.3, 0.1, 0.9
    yield "nobody is well", quiet, 1, 1, np.zeros(0, bool), np.zeros(0, bool), 0.3, 0.1, 0.9
    yield "no foresight", *some(20, 6)[:-1], 0.0
    yield "full foresight", *some(20, 7)[:-1], 1.0


@learn_day.usual
def learn_day(table, now, then, stays, caught, cost, rate, foresight):
    new = table.copy()
    worth = -cost * stays - caught + np.where(caught, 0.0, foresight * table[then].max())
    for choice in (0, 1):
        mine = worth[stays == choice]
        if len(mine):
            new[now, choice] += min(1.0, rate * len(mine)) * (mine.mean() - table[now, choice])
    return new


learn_day.slip("np.where(caught, 0.0, foresight * table[then].max())", "foresight * table[then].max()", "after").says(
    "the caught go on deciding in your version. Their last term is 0: they have no next morning as somebody well."
)
learn_day.slip("table[then].max()", "table[then].mean()", "mean of tomorrow").says(
    "you took the mean of tomorrow's two values. Q-learning expects the better choice tomorrow."
)
learn_day.slip("table[then].max()", "table[now].max()", "today for tomorrow").says(
    "you looked up today's situation. What comes next is the situation `then`."
)
learn_day.slip("-cost * stays - caught", "-caught", "a day in is free").says(
    "a day in costs nothing in your version. Whoever stays in pays `cost`, caught or not."
)
learn_day.slip("-cost * stays - caught", "np.where(caught, -1.0, -cost * stays)", "the caught pay no cost").says(
    "who stayed in and was caught pays nothing for the day in. The cost is due either way."
)
learn_day.slip("mine.mean()", "mine.sum()", "sum of worths").says(
    "you moved towards the sum of the worths. It is their mean; their number counts in the size of the step."
)
learn_day.slip("min(1.0, rate * len(mine))", "rate", "one step for all").says(
    "the step does not grow with the number of people who made the choice."
)
learn_day.slip("min(1.0, rate * len(mine))", "rate * len(mine)", "past the goal").says(
    "with many people your step is longer than the way. It is at most 1."
)
learn_day.slip("foresight * table", "table", "no discount").says(
    "tomorrow counts as much as today in your version. Multiply by the foresight."
)
learn_day.slip("mine = worth[stays == choice]", "mine = worth", "everybody's worth").says(
    "both choices learn from everybody. Each learns from those who made it."
)


@learn_day.mistake("one after the other", "the second choice learnt from a table that the first had changed already.")
def _(table, now, then, stays, caught, cost, rate, foresight):
    new = table.copy()
    for choice in (0, 1):
        worth = -cost * stays - caught + np.where(caught, 0.0, foresight * new[then].max())
        mine = worth[stays == choice]
        if len(mine):
            new[now, choice] += min(1.0, rate * len(mine)) * (mine.mean() - new[now, choice])
    return new


@learn_day.mistake("one step a person", "you made a step for each person in turn. It is one step, towards their mean.")
def _(table, now, then, stays, caught, cost, rate, foresight):
    new = table.copy()
    worth = -cost * stays - caught + np.where(caught, 0.0, foresight * table[then].max())
    for choice in (0, 1):
        for each in worth[stays == choice]:
            new[now, choice] += min(1.0, rate) * (each - new[now, choice])
    return new
