"""What lesson 01 records: the ladder with more seeds, rivals with more to spend, and how rates were picked."""

SETTINGS = {
    "seeds": [1, 2, 3, 4],
    "lags": [2, 4, 8, 16, 32, 64],
    "longer": 4,
    "budgets": [0.5, 2],
    "picking": [10, 11],
    "tried": [8, 64],
}
QUICK = {"seeds": [1], "lags": [2], "longer": 1, "budgets": [0.5, 2], "picking": [10], "tried": [8]}
RATES = [5e-3, 1e-2, 2e-2, 4e-2]


def measure(lesson, *, seeds, lags, longer, budgets, picking, tried):
    """Accuracies: {contestant: (seeds, lags)}, one value a seed at the longest lag with more to spend."""

    def right(name, lag, seed, **kind):
        return round(lesson.echo(name, lag, seed, **kind)[1], 4)

    def table(name, lags, seeds, **kind):
        return [[right(name, lag, seed, **kind) for lag in lags] for seed in seeds]

    few = seeds[:3]
    names, far = list(lesson.CONTESTANTS), lags[-1]
    return {
        "ladder": {name: table(name, lags, seeds) for name in names},
        "longer": [right("LSTM", far, seed, longer=longer) for seed in few],
        "wider": [right("LSTM", far, seed, state=216) for seed in few],
        "budgets": {
            name: [[right(name, far, seed, longer=share) for share in budgets] for seed in few] for name in names[:3]
        },
        "wide_open": [right("LSTM", 16, seed, forget=4.0) for seed in few],
        "picked": {name: {rate: table(name, tried, picking, lr=rate) for rate in RATES} for name in names[:3]},
    }
