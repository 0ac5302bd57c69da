"""Places to choose from, and the place to recommend, for any model that says mean and deviation at places.

A model has `x`, the places (n, d) that it has learnt, and is called with places (m, d). Knows no laboratory.
"""

import numpy as np


def somewhere(model, chance, count=512):
    """Places to choose from (5 / 4 count, d): all over the unit cube, and near the one that is believed best.

    Raises:
        ValueError: if `count` is below 4.
    """
    if count < 4:
        raise ValueError(f"count must be at least 4, got {count}")
    best = model.x[model(model.x)[0].argmax()]
    width = chance.choice([0.02, 0.06, 0.15], (count // 4, 1))
    near = best + width * chance.standard_normal((count // 4, len(best)))
    return np.vstack([chance.random((count, len(best))), near.clip(0, 1)])


def advice(model, chance):
    """The place (d,) at which the model expects the highest result: what is recommended in the end."""
    places = np.vstack([model.x, somewhere(model, chance)])
    best = places[model(places)[0].argmax()]
    near = np.vstack([best, (best + 0.02 * chance.standard_normal((200, len(best)))).clip(0, 1)])
    return near[model(near)[0].argmax()]


def best_seen(x, y, counts):
    """The places (counts, d) with the best results among the first so many."""
    return np.array([x[np.argmax(y[:count])] for count in counts])
