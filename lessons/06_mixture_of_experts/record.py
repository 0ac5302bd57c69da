"""What lesson 06 records: four more seeds of every model, three lengths, three rates, and times of a training step."""

SETTINGS = {
    "seeds": [1, 2, 3, 4],
    "steps": 260,
    "long_seeds": [1, 2, 3],
    "lengths": [260, 520, 1040],
    "picking_seeds": [10, 11],
    "rates": [0.01, 0.02, 0.03],
    "sizes": [[64, 128, 768], [64, 128, 3072], [256, 512, 3072]],
    "rounds": 15,
}
QUICK = {
    "seeds": [0],
    "steps": 2,
    "long_seeds": [0],
    "lengths": [2],
    "picking_seeds": [10],
    "rates": [0.02],
    "sizes": [[64, 128, 96]],
    "rounds": 1,
}
LONG = ("dense", "top-1", "top-2", "dense, more steps", "dense, wider", "dense + table of pairs")
TUNED = ("dense", "top-1", "top-2", "dense, wider")


def measure(lesson, *, seeds, steps, long_seeds, lengths, picking_seeds, rates, sizes, rounds):
    """Bits per byte by model and seed; by length; mean by rate; loads; CPU time of a step against the dense layer."""
    models = {name: (make, 1) for name, make in lesson.LAYERS.items()} | lesson.RIVALS
    controls = lesson.CONTROLS

    def run(name, seed, length, **settings):
        if name in controls:
            return lesson.train_model(controls[name], seed, balance=0.0, steps=length, **settings)
        make, times = models[name]
        return lesson.train_model(make, seed, steps=round(times * length), **settings)

    times = {str(tuple(size)): lesson.time_ratios(*size, rounds=rounds) for size in sizes}
    trained = {name: [run(name, seed, steps) for seed in seeds] for name in (*models, *controls)}
    return {
        "time": {size: {name: round(ratio, 3) for name, ratio in ratios.items()} for size, ratios in times.items()},
        "bits": {name: _bits(runs) for name, runs in trained.items()},
        "loads": {name: _loads(lesson, trained[name]) for name in ("top-1", "learned, gate p")},
        "rates": {
            name: {rate: _mean(_bits(run(name, seed, steps, lr=rate) for seed in picking_seeds)) for rate in rates}
            for name in TUNED
        },
        "lengths": {
            length: {
                name: _bits(trained[name][seeds.index(seed)] for seed in long_seeds)
                if length == steps
                else _bits(run(name, seed, length) for seed in long_seeds)
                for name in LONG
            }
            for length in lengths
        },
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
