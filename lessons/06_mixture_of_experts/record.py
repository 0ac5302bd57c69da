"""What lesson 06 records: four more seeds of every model, three lengths, learning rates, and times of a step."""

SETTINGS = {
    "seeds": [1, 2, 3, 4],
    "steps": 260,
    "long_seeds": [1, 2, 3],
    "lengths": [260, 520, 1040],
    "picking_seeds": [10, 11],
    "rates": [0.01, 0.02, 0.03, 0.06, 0.1],
    "long_rates": [0.01, 0.02, 0.03],
    "sizes": [[64, 128, 768], [64, 128, 3072], [256, 512, 3072]],
    "rounds": 15,
}
QUICK = {
    "seeds": [0],
    "steps": 2,
    "long_seeds": [0],
    "lengths": [2],
    "picking_seeds": [10],
    "rates": [0.01, 0.02],
    "long_rates": [0.02],
    "sizes": [[64, 128, 96]],
    "rounds": 1,
}
LONG = ("dense", "top-1", "top-2", "dense, more steps", "dense, wider", "dense + table of pairs")


def measure(lesson, *, seeds, steps, long_seeds, lengths, picking_seeds, rates, long_rates, sizes, rounds):
    """Bits per byte by model and seed, and by length; by rate, and at each model's best rate; loads; CPU times.

    Rates are picked on `picking_seeds`, the first of them for the longest runs; the runs at the best rate have others.
    """
    models = {name: (make, 1) for name, make in lesson.LAYERS.items()} | lesson.RIVALS
    controls = lesson.CONTROLS

    def run(name, seed, length, lr=lesson.LR):
        if name in controls:
            return lesson.train_model(controls[name], seed, balance=0.0, steps=length, lr=lr)
        make, times = models[name]
        return lesson.train_model(make, seed, steps=round(times * length), lr=lr)

    times = {str(tuple(size)): lesson.step_seconds(*size, rounds=rounds) for size in sizes}
    trained = {name: [run(name, seed, steps) for seed in seeds] for name in (*models, *controls)}
    longer = {
        length: {
            name: _bits(trained[name][seeds.index(seed)] for seed in long_seeds)
            if length == steps
            else _bits(run(name, seed, length) for seed in long_seeds)
            for name in LONG
        }
        for length in lengths
    }

    def tried(names, length, tries, picking):
        return {
            name: {rate: _mean(_bits(run(name, seed, length, rate) for seed in picking)) for rate in tries}
            for name in names
        }

    def at_best(by_rate, length, usual, others):
        best = {name: min(scores, key=scores.get) for name, scores in by_rate.items()}
        return {
            name: usual[name] if rate == lesson.LR else _bits(run(name, seed, length, rate) for seed in others)
            for name, rate in best.items()
        }

    bits = {name: _bits(runs) for name, runs in trained.items()}
    by_rate = tried(trained, steps, rates, picking_seeds)
    by_rate_long = tried(LONG, lengths[-1], long_rates, picking_seeds[:1])
    return {
        "cpu_seconds": {size: {name: round(value, 5) for name, value in row.items()} for size, row in times.items()},
        "bits": bits,
        "loads": {name: _loads(lesson, trained[name]) for name in ("top-1", "learned, gate p")},
        "lengths": longer,
        "rates": by_rate,
        "best_rate": at_best(by_rate, steps, bits, seeds),
        "long_rates": by_rate_long,
        "long_best_rate": at_best(by_rate_long, lengths[-1], longer[lengths[-1]], long_seeds),
    }


def _bits(runs):
    return [round(run.bits, 4) for run in runs]


def _mean(values):
    return round(sum(values) / len(values), 4)


def _loads(lesson, runs):
    """Shares of the busiest and the idlest expert, and what a capacity factor of 1.25 drops, by seed."""
    shares = [lesson.load_of(run) for run in runs]
    return {
        "busiest": [round(share.max().item(), 4) for share in shares],
        "idlest": [round(share.min().item(), 4) for share in shares],
        "dropped": [round(lesson.with_capacity(run.model, lesson.TEST[:20000], 1.25)[0], 4) for run in runs],
    }
