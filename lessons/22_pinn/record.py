"""What lesson 22 records: five fresh seeds of both optimisers, the control, the inverse problem and the fast wave."""

import time

SETTINGS = {"seeds": [3, 4, 5, 6, 7], "steps": 800, "rounds": 20, "inverse": 160, "rides": [100, 200, 400]}
QUICK = {"seeds": [3], "steps": 20, "rounds": 1, "inverse": 20, "rides": [5]}


class Stopwatch:
    """CPU seconds and errors at the stops of a run; what looking costs does not count."""

    def __init__(self, error_of):
        self.error_of, self.seconds, self.errors = error_of, [], []
        self.began, self.looked = time.process_time(), 0.0

    def stop(self, theta):
        """Note the time and the error of these weights."""
        now = time.process_time()
        self.seconds.append(round(now - self.began - self.looked, 3))
        self.errors.append(float(f"{self.error_of(theta):.4g}"))
        self.looked += time.process_time() - now


def measure(lesson, *, seeds, steps, rounds, inverse, rides):
    """Errors and seconds at each stop by method (rows: seeds), and one figure a seed of everything else.

    `costs` are mean squared residuals after training, `inverse` viscosities over the true one, found from the
    control's weights, `rides` the wave's errors by number of windows, a column a number of steps.
    """
    names = ("Levenberg-Marquardt", "Adam + L-BFGS", "finite differences")
    found = {name: {"errors": [], "cpu_seconds": []} for name in names}
    found |= {"wrong law": [], "costs": {"right law": [], "wrong law": []}, "inverse": {"network": [], "grid": []}}
    found["rides"] = {"steps": rides, "1": [], "5": []}

    def keep(name, watch):
        found[name]["errors"].append(watch.errors)
        found[name]["cpu_seconds"].append(watch.seconds)

    def short(number):
        return float(f"{number:.4g}")

    lesson.march(256)  # the first call pays for imports
    for seed in seeds:
        watch = Stopwatch(lesson.error_of)
        solved = lesson.train(lesson.fresh(seed), lesson.draw_points, steps, seed=seed, after=watch.stop)
        watch.stop(solved)
        watch.seconds, watch.errors = watch.seconds[5::5], watch.errors[5::5]
        keep(names[0], watch)
        watch = Stopwatch(lesson.error_of)
        lesson.classic(seed, rounds, after=watch.stop)
        keep(names[1], watch)
        grids = [lesson.grid_errors(parts) for parts in lesson.PARTS]
        found[names[2]]["errors"].append([short(error) for error, _ in grids])
        found[names[2]]["cpu_seconds"].append([round(seconds, 4) for _, seconds in grids])
        fooled = lesson.train(lesson.fresh(seed), lesson.draw_wrong, steps, seed=seed)
        found["wrong law"].append(short(lesson.error_of(fooled)))
        found["costs"]["right law"].append(short(lesson.cost_of(solved)))
        found["costs"]["wrong law"].append(short(lesson.cost_of(fooled, lesson.WRONG)))
        viscosities = lesson.identify(fooled, seed, inverse), lesson.identify_by_grid(seed)[0]
        for name, viscosity in zip(("network", "grid"), viscosities, strict=True):
            found["inverse"][name].append(round(viscosity / lesson.VISCOSITY, 4))
        for windows in (1, 5):
            found["rides"][str(windows)].append([short(lesson.ride(windows, seed, number)) for number in rides])
    return found
