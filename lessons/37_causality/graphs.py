"""Graphs as dicts from each variable to its direct causes: what lies below, random ones, worlds that follow them."""

from collections import namedtuple
from itertools import count

import numpy as np

World = namedtuple("World", "model t y seen values truth")


def effects_of(graph, t):
    """The variable t and everything below it."""
    found, todo = set(), [t]
    while todo:
        v = todo.pop()
        found.add(v)
        todo += [c for c in graph if v in graph[c]]
    return found


def random_graph(chance, size, dense=0.35):
    """A random graph whose variables are numbered in causal order."""
    return {v: tuple(u for u in range(v) if chance.random() < dense) for v in range(size)}


def random_world(seed, run, size=8, hidden=2, n=1000):
    """A random world in which t acts on y and is a switch, and neither hardly anybody nor nearly everybody is treated.

    Args:
        seed: of everything.
        run: the lesson's function from a structural model and its noise to values.
        size: how many variables.
        hidden: how many of them nobody sees.
        n: how many people.
    """
    for draw in count():
        chance = np.random.default_rng([3, seed, draw])
        model = {v: dict.fromkeys(p) for v, p in random_graph(chance, size).items()}
        for causes in model.values():
            causes.update({p: chance.choice([-1, 1]) * chance.uniform(0.4, 1) for p in causes})
        t, y = sorted(chance.choice(size, 2, replace=False).tolist())
        rest = chance.permutation([v for v in model if v not in (t, y)])
        noise = {v: chance.normal(size=n) for v in model}
        noise[t] = 0.6 * chance.logistic(size=n)
        values = run(model, noise, switch=t)
        if y in effects_of(model, t) and 0.1 < values[t].mean() < 0.9:
            high, low = (run(model, noise, {t: k}, t)[y].mean() for k in (1, 0))
            return World(model, t, y, set(rest[hidden:].tolist()), values, high - low)
