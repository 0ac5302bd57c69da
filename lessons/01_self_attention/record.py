"""What lesson 01 records: the ladder with more seeds, longer training, a wider state, and how rates were picked."""

SETTINGS = {
    "seeds": [1, 2, 3, 4],
    "lags": [2, 4, 8, 16, 32, 64],
    "hard": [64],
    "longer": 4,
    "picking": [10, 11],
    "tried": [8, 64],
}
QUICK = {"seeds": [1], "lags": [2], "hard": [8], "longer": 1, "picking": [10], "tried": [8]}
RATES = [5e-3, 1e-2, 2e-2, 4e-2]


def measure(lesson, *, seeds, lags, hard, longer, picking, tried):
    """Accuracies: {contestant: (seeds, lags)}, {contestant: (seeds, hard lags)} after more steps, one value a seed."""

    def right(name, lag, seed, **kind):
        return round(lesson.echo(name, lag, seed, **kind)[1], 4)

    def table(name, lags, seeds, **kind):
        return [[right(name, lag, seed, **kind) for lag in lags] for seed in seeds]

    few = seeds[:3]
    names, far = list(lesson.CONTESTANTS), lags[-1]
    shape = {"width": 16, "state": 392, "low": 0.99, "lr": 2e-2}
    narrow = [lesson.echo("linear recurrence", far, seed, longer=0.74, **shape) for seed in few]
    return {
        "ladder": {name: table(name, lags, seeds) for name in names},
        "longer": {name: table(name, hard, few, longer=longer) for name in names if name not in names[::3]},
        "wider": [right("linear recurrence", lags[-1], seed, state=392) for seed in few],
        "remembering": [right("linear recurrence", far, seed, low=0.99, lr=2e-2) for seed in few],
        "narrow": [round(run[1], 4) for run in narrow],
        "narrow_seconds": [round(run[2] / lesson.echo("attention", far, seed)[2], 2) for run, seed in zip(narrow, few)],
        "narrow_timed": [right("linear recurrence", far, seed, **shape, longer=0.27) for seed in few],
        "wide_open": [right("LSTM", 16, seed, forget=4.0) for seed in few],
        "picked": {name: {rate: table(name, tried, picking, lr=rate) for rate in RATES} for name in names[:3]},
    }
