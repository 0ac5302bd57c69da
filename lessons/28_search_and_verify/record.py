"""What lesson 28 records: caps by searcher and seed, transfer, guides by seed, hard theorems by round."""

import itertools
import time

import numpy as np
from tinyfrontier.beside.lesson_28.programs import counts, priorities
from tinyfrontier.beside.lesson_28.rewriting import SIZES, arrows, features, rewritings, size, theorems

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    "tries": {"4": 1000, "5": 2000, "6": 1500, "7": 700},
    "picking": [100, 101, 102, 103, 104, 105],
    "picking_tries": 600,
    "guides": [1, 2, 3, 4, 5],
    "practice": 250,
    "exam": 200,
    "hard_exam": 100,
    "steps": 400,
    "hard": 60,
    "rounds": 4,
    "hard_seeds": [1, 2],
}
QUICK = {
    "seeds": [0],
    "tries": {"4": 8, "5": 8, "6": 8, "7": 8},
    "picking": [100],
    "picking_tries": 3,
    "guides": [1],
    "practice": 12,
    "exam": 2,
    "hard_exam": 2,
    "steps": 2,
    "hard": 2,
    "rounds": 2,
    "hard_seeds": [1],
}
LOOKS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 4500, 6000)


def rounded(values):
    """A list of floats, as they are stored."""
    return [round(float(value), 3) for value in values]


def measure(
    lesson,
    *,
    seeds,
    tries,
    picking,
    picking_tries,
    guides,
    practice,
    exam,
    hard_exam,
    steps,
    hard,
    rounds,
    hard_seeds,
):
    """Sizes by dimension, searcher, seed at `points` tries; proofs by guide, exam, seed: expansions, 0 for unproved.

    `first`: the try that found the largest; `transfer`: a program of a lower dimension in the next; `tried`: what the
    settings were picked from, on other seeds; `rounds`: hard theorems with a proof after each round, by start.
    """
    line, low = lesson.THIRD[1], lesson.THIRD[6]
    lesson.THIRD[7] = (line[:, None, :, None] * len(low) + low[:, None, :]).reshape(3 * len(low), -1)
    lesson.POINTS[7] = np.array(list(itertools.product(range(3), repeat=7)))
    lesson.READ[7] = counts(7)
    ways = {
        "orders": lesson.orders,
        "climb": lesson.climb,
        "programs": lesson.drawn,
        "evolved": lesson.evolved,
        "tables": lesson.tables,
        "symmetric": lesson.symmetric,
    }
    found = {
        "points": {},
        "sizes": {},
        "first": {},
        "cpu_seconds": {"cap": {}, "expansion": {}},
        "transfer": {"6": {}, "7": {}},
        "tried": {},
    }
    winners = {}
    for n, most in tries.items():
        found["points"][n] = [look for look in LOOKS if look <= most]
        found["sizes"][n], found["first"][n], found["cpu_seconds"]["cap"][n] = {}, {}, {}
        for name, way in ways.items():
            began = time.process_time()
            runs = [lesson.run(way, int(n), most, seed) for seed in seeds]
            spent = (time.process_time() - began) / most / len(seeds)
            found["cpu_seconds"]["cap"][n][name] = round(spent, 6)
            found["sizes"][n][name] = [[int(run[0][look - 1]) for look in found["points"][n]] for run in runs]
            found["first"][n][name] = [int((run[0] == run[0][-1]).argmax()) + 1 for run in runs]
            winners[n, name] = [run[2] for run in runs]
    for low, high in (("4", "6"), ("5", "6"), ("5", "7"), ("6", "7")):
        numbers = [priorities(program, lesson.READ[int(high)]) for program in winners[low, "evolved"]]
        found["transfer"][high][low] = [len(lesson.greedy_cap(each, lesson.THIRD[int(high)])) for each in numbers]
    best = {n: max(rows, key=lambda name: sum(row[-1] for row in rows[name])) for n, rows in found["sizes"].items()}
    found["doubled"] = {
        high: [2 * row[-1] for row in found["sizes"][low][best[low]]] for low, high in (("5", "6"), ("6", "7"))
    }
    found["shuffled"] = [int(lesson.run(lesson.shuffled, 6, tries["6"], seed)[0][-1]) for seed in seeds]

    def picked(way, n, **how):
        """Mean largest cap, and the mean number of tries to one of 96; all tries where none is."""
        runs = [lesson.run(way, n, picking_tries, seed, **how)[0] for seed in picking]
        soon = [int((run >= 96).argmax()) + 1 if run[-1] >= 96 else picking_tries for run in runs]
        return rounded((sum(run[-1] for run in runs) / len(picking), sum(soon) / len(picking)))

    for way, setting, values in (
        (lesson.climb, "forget", (3, 6, 10, 20)),
        (lesson.symmetric, "share", (2, 3, 5, 8)),
        (lesson.evolved, "heat", (0.5, 1.0, 3.0, 10.0)),
        (lesson.evolved, "islands", (1, 5, 10)),
        (lesson.evolved, "reset", (100, 250, 1000)),
    ):
        found["tried"][setting] = {
            str(n): {str(value): picked(way, n, **{setting: value}) for value in values} for n in (5, 6)
        }
    # part two
    rows = {
        name: {"test": [], "hard": []} for name in ("uniform", "hand", "walks", "learnt", "sizeless", "blind", "both")
    }
    own = {}
    for seed in guides:
        walks = theorems(practice, 5, 12, 100 + seed)
        terms = [walk[0] for walk in walks]
        exams = {
            "test": [walk[0] for walk in theorems(exam + practice, 5, 12, 200 + seed)],
            "hard": [walk[0] for walk in theorems(hard_exam, 14, 30, 300 + seed, 30)],
        }
        exams["test"] = [term for term in exams["test"] if term not in terms][:exam]
        learnt = own[seed] = lesson.learn(terms, seed, steps=steps)[0]
        sizeless = lesson.learn(terms, seed, steps=steps, hide=SIZES)[0]
        shown = [each for walk in walks for each in lesson.examples(walk)]
        copied = lesson.train(shown, seed, steps).scores
        for which, held_out in exams.items():
            for name, key, guide in (
                ("uniform", lesson.levin, lesson.uniform),
                ("hand", lesson.by_hand, lesson.uniform),
                ("walks", lesson.levin, copied),
                ("learnt", lesson.levin, learnt),
                ("sizeless", lesson.levin, sizeless),
                ("blind", lesson.by_both, lesson.uniform),
                ("both", lesson.by_both, learnt),
            ):
                rewritings.cache_clear()
                features.cache_clear()
                began = time.process_time()
                spent = lesson.exam(held_out, key, guide)
                count = sum(number or lesson.BUDGET for number in spent)
                rows[name][which].append([int(number) for number in spent])
                seconds = found["cpu_seconds"]["expansion"].setdefault(name, [])
                seconds.append(round((time.process_time() - began) / count, 6))
    found["proofs"] = rows
    other = [walk[0] for walk in theorems(exam, 5, 12, 50)]
    steep = [walk[0] for walk in theorems(hard_exam, 14, 30, 51, 30)]
    spare = lesson.learn([walk[0] for walk in theorems(practice, 5, 12, 100)], 0, steps=steps)[0]

    def weighed(arrow, weight):
        return lambda cost, depth, term: size(term) + arrow * arrows(term) + weight * depth

    def mixed(weight):
        return lambda cost, depth, term: lesson.by_hand(cost, depth, term) + weight * cost

    found["tried"]["hand"] = {
        f"{arrow} {weight}": rounded(lesson.rate(lesson.exam(each, weighed(arrow, weight))) for each in (other, steep))
        for arrow in (0, 1, 2, 3)
        for weight in (0, 0.25, 0.5, 1, 2)
    }
    age = itertools.count()
    found["tried"]["oldest"] = rounded(
        lesson.rate(lesson.exam(each, lambda cost, depth, term: (lesson.by_hand(cost, depth, term), next(age))))
        for each in (other, steep)
    )
    for name, guide in (("mix", spare), ("blind_mix", lesson.uniform)):
        found["tried"][name] = {
            str(weight): rounded(lesson.rate(lesson.exam(each, mixed(weight), guide)) for each in (other, steep))
            for weight in (0.03, 0.1, 0.3, 1, 3)
        }
    found["rounds"] = {"nothing": [], "easy": [], "hand": []}
    for seed in hard_seeds:
        terms = [walk[0] for walk in theorems(hard, 14, 30, 400 + seed, 30)]
        starts = {"nothing": {}, "easy": {"guide": own[seed]}, "hand": {"first": lesson.by_hand}}
        for name, start in starts.items():
            found["rounds"][name].append(lesson.learn(terms, seed, rounds, steps, **start)[1])
    return found
