"""What lesson 18 records: errors by number of samples and by length of training, symmetry after training, gravity."""

import functools

SETTINGS = {
    "seeds": [3, 4, 5, 6, 7],
    "digits_sizes": [50, 100, 500, 1212],
    "particles_sizes": [50, 100, 500, 3000],
    "longer_seeds": [3, 4, 5],
    "longer_digits": 100,
    "longer_particles": 500,
    "factors": [0.5, 1, 3],
    "gravity_size": 500,
}
QUICK = {
    "seeds": [3],
    "digits_sizes": [50],
    "particles_sizes": [50],
    "longer_seeds": [3],
    "longer_digits": 50,
    "longer_particles": 50,
    "factors": [0.01],
    "gravity_size": 50,
}
QUICK_FACTOR = 0.01  # a hundredth of the steps when there is one size only


def measure(
    lesson,
    *,
    seeds,
    digits_sizes,
    particles_sizes,
    longer_seeds,
    longer_digits,
    longer_particles,
    factors,
    gravity_size,
):
    """Each task: errors {network: (seeds, sizes)}, longer {network: (seeds, factors)}, symmetry and seconds."""
    factor = 1 if len(digits_sizes) > 1 else QUICK_FACTOR
    found = {}
    for task, race, symmetry, sizes, longer in (
        ("digits", lesson.digit_race, lesson.digit_symmetry, digits_sizes, longer_digits),
        ("particles", lesson.particle_race, lesson.particle_symmetry, particles_sizes, longer_particles),
    ):
        race = functools.cache(race)  # the usual length stands among the factors, too
        runs = [[race(size, seed, factor) for size in sizes] for seed in seeds]
        place = min(1, len(sizes) - 1)  # 100 samples
        more = [[race(longer, seed, n)[0] for n in factors] for seed in longer_seeds]
        models = [row[place][-1] for row in runs]
        found[task] = {
            "errors": _table([[run[0] for run in row] for row in runs]),
            "longer": _table(more),
            "symmetry": {name: [_short(symmetry(each[name])) for each in models] for name in models[0]},
            "cpu_seconds": {name: [round(row[place][1][name], 3) for row in runs] for name in models[0]},
        }
        if task == "particles":
            found[task]["training"] = _table([[run[2] for run in row] for row in runs])
    found["gravity"] = {name: [] for name in lesson.PARTICLE_STEPS}
    for name, row in found["gravity"].items():
        for seed in seeds:
            model = lesson.train_particles(name, gravity_size, seed, factor, lesson.GRAVITY)[0]
            row.append(_short(lesson.particle_errors(model, lesson.GRAVITY)[0]))
    return found


def _table(rows):
    """Rows of {name: value} as {name: rows of values}."""
    return {name: [[_short(cell[name]) for cell in row] for row in rows] for name in rows[0][0]}


def _short(value):
    return float(f"{value:.4g}")
