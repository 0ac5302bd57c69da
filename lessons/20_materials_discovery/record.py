"""What lesson 20 records: compounds found by each way of asking, errors and honesty by number of crystals seen."""

import functools

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4],
    "cheap_seeds": list(range(10)),
    "sizes": [50, 100, 200, 400, 800],
    "factors": [0.33, 1, 3],
}
QUICK = {"seeds": [0], "cheap_seeds": [0], "sizes": [50], "factors": [0.02, 0.02, 0.02]}


def measure(lesson, *, seeds, cheap_seeds, sizes, factors):
    """Compounds found {way: (seeds, rounds + 1)}; error and share within two deviations {model: (seeds, sizes)}."""
    shorter, network, longer = (
        functools.partial(lesson.ensemble, steps=round(factor * lesson.STEPS)) for factor in factors
    )
    free = {"each": lesson.BATCH}
    ways = {
        "random": (None, {}),
        "two metals": (None, {"among": lesson.MIXED & ((lesson.FRACTIONS > 0).sum(axis=1) == 2)}),
        "linear": (lesson.linear, {}),
        "linear, no limit": (lesson.linear, free),
        "process": (lesson.process, {"daring": 1.0}),
        "process, no limit": (lesson.process, {"daring": 1.0, **free}),
        "process, not daring": (lesson.process, {}),
        "network": (network, {}),
        "network, shorter": (shorter, {}),
        "network, longer": (longer, {}),
        "network, once": (network, {"learn": False}),
        "network, no limit": (network, free),
        "network, daring": (network, {"daring": 1.0}),
        "network, daring 3": (network, {"daring": 3.0}),
        "network, shuffled": (network, {"shuffle": True}),
    }
    found = {}
    for name, (model, options) in ways.items():
        own = cheap_seeds if model in (None, lesson.linear, lesson.process) else seeds
        found[name] = [lesson.curve(lesson.campaign(model, seed, **options)) for seed in own]
    models = {"network": network, "network, longer": longer, "process": lesson.process, "linear": lesson.linear}
    errors = {name: {"error": [], "covered": []} for name in models}
    for name, model in models.items():
        for seed in seeds:
            rows = [lesson.held_out(model, size, seed) for size in sizes]
            errors[name]["error"].append([round(row[0], 3) for row in rows])
            errors[name]["covered"].append([round(row[1], 4) for row in rows])
    return {"found": found, "errors": errors}
