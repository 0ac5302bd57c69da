"""What lesson 28 records: caps by searcher and seed, transfer, guides by seed, hard theorems by round."""

import time

from tinyfrontier.beside.lesson_28.programs import counts, priorities
from tinyfrontier.beside.lesson_28.rewriting import SIZES, features, rewritings, size, theorems

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    "tries": {"4": 1000, "5": 4500, "6": 1500, "7": 500},
    "picking": [100, 101, 102],
    "picking_tries": 500,
    "guides": [1, 2, 3, 4, 5],
    "practice": 250,
    "exam": 100,
    "hard_exam": 60,
    "steps": 400,
    "hard": 100,
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
    lesson.READ[7] = counts(7)
    ways = {
        "orders": lesson.orders,
        "climb": lesson.climb,
        "programs": lesson.drawn,
        "evolved": lesson.evolved,
        "tables": lesson.tables,
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

    def mean_size(way, n, **how):
        return sum(lesson.run(way, n, picking_tries, seed, **how)[0][-1] for seed in picking) / len(picking)

    for name, way, setting, values in (
        ("forget", lesson.climb, "forget", (3, 6, 10, 20)),
        ("heat", lesson.evolved, "heat", (0.5, 1.0, 3.0, 10.0)),
        ("islands", lesson.evolved, "islands", (1, 5, 10)),
    ):
        found["tried"][name] = {
            str(n): {str(value): round(float(mean_size(way, n, **{setting: value})), 2) for value in values}
            for n in (5, 6)
        }
    # part two
    rows = {name: {"test": [], "hard": []} for name in ("uniform", "size", "walks", "learnt", "sizeless", "both")}
    for seed in guides:
        walks = theorems(practice, 5, 12, 100 + seed)
        terms = [walk[0] for walk in walks]
        exams = {
            "test": [walk[0] for walk in theorems(exam + practice, 5, 12, 200 + seed)],
            "hard": [walk[0] for walk in theorems(hard_exam, 14, 30, 300 + seed, 30)],
        }
        exams["test"] = [term for term in exams["test"] if term not in terms][:exam]
        learnt = lesson.learn(terms, seed, steps=steps)[0]
        sizeless = lesson.learn(terms, seed, steps=steps, hide=SIZES)[0]
        shown = [each for walk in walks for each in lesson.examples(walk)]
        copied = lesson.train(shown, seed, steps).scores
        for which, held_out in exams.items():
            for name, key, guide in (
                ("uniform", lesson.levin, lesson.uniform),
                ("size", lesson.by_size, lesson.uniform),
                ("walks", lesson.levin, copied),
                ("learnt", lesson.levin, learnt),
                ("sizeless", lesson.levin, sizeless),
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

    def weighed(weight):
        return lambda cost, depth, term: size(term) + weight * depth

    def mixed(weight):
        return lambda cost, depth, term: cost + weight * size(term)

    found["tried"]["weight"] = {
        str(weight): rounded(lesson.rate(lesson.exam(each, weighed(weight))) for each in (other, steep))
        for weight in (0, 0.25, 0.5, 1, 2, 4)
    }
    found["tried"]["mix"] = {
        str(weight): rounded(lesson.rate(lesson.exam(each, mixed(weight), learnt)) for each in (other, steep))
        for weight in (0.1, 0.5, 1, 2, 4)
    }
    found["rounds"] = {"nothing": [], "easy": [], "hand": []}
    for seed in hard_seeds:
        terms = [walk[0] for walk in theorems(hard, 14, 30, 400 + seed, 30)]
        easy = lesson.learn([w[0] for w in theorems(practice, 5, 12, 100 + seed)], seed, steps=steps)[0]
        starts = {"nothing": {}, "easy": {"guide": easy}, "hand": {"first": lesson.by_size}}
        for name, start in starts.items():
            found["rounds"][name].append(lesson.learn(terms, seed, rounds, steps, **start)[1])
    return found
