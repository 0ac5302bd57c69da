"""What lesson 30 records: gaps filled by every method, readers with the machine, its confidence, and packages told."""

import time

import numpy as np
from tinyfrontier.beside.lesson_30.counting import NGrams
from tinyfrontier.beside.lesson_30.judging import (
    answers,
    ask_network,
    ask_ngrams,
    ask_reader,
    fit_weights,
    gaps_of,
    interval,
    score_all,
)
from tinyfrontier.beside.lesson_30.matching import Matches, ask_matches
from tinyfrontier.beside.lesson_30.origin import by_network, by_runs, pieces_of
from tinyfrontier.beside.lesson_30.reading import Reader
from tinyfrontier.beside.lesson_30.texts import numbers_of, runs_of, stones_of

from tinyfrontier.data.documents import documentation
from tinyfrontier.pretrained import load_inscriptions
from tinyfrontier.pretrained.inscriptions.recipe import TEST_SHARE, line_of

SETTINGS = {
    "each": 100,
    "tuning": 30,
    "seeds": [0, 1, 2],
    "short_steps": 150,
    "orders": [8, 10, 12],
    "trusts": [0.4, 0.6, 0.8],
    "strange": [-4.0, -6.5],
    "steep": [0.3, 0.6, 0.8, 1.0, 1.3, 2.0],
    "pieces": 1000,
    "packages": ["python", "numpy", "scipy", "sklearn", "matplotlib", "networkx"],
}
QUICK = {
    "each": 2,
    "tuning": 2,
    "seeds": [0],
    "short_steps": 2,
    "orders": [6],
    "trusts": [0.6],
    "strange": [-4.0],
    "steep": [0.8],
    "pieces": 20,
    "packages": ["python", "networkx"],
}
METHODS = {
    "network": (["network"], ["network"]),
    "n-grams": (["n-grams"], ["ahead", "back"]),
    "dictionary": (["dictionary"], ["dictionary"]),
    "n-grams + dictionary": (["n-grams", "dictionary"], ["ahead", "back", "dictionary"]),
    "network + n-grams": (["network", "n-grams"], ["network", "ahead", "back"]),
    "network + dictionary": (["network", "dictionary"], ["network", "dictionary"]),
    "all three": (["network", "n-grams", "dictionary"], ["network", "ahead", "back", "dictionary"]),
}
MACHINES = ("network", "n-grams", "network + n-grams", "all three")
LOOKED_UP = {
    "look-up": (["look-up"], ["look-up"]),
    "n-grams + dictionary + same text": (
        ["n-grams", "dictionary", "same text"],
        ["ahead", "back", "dictionary", "same text"],
    ),
}
NEAR = 16
LEVELS = {"300 words": (300, False), "all words": (None, False), "words and pairs": (None, True)}


def rounded(values):
    """Floats as they are stored."""
    return [round(float(value), 4) for value in values]


def say(*words):
    """A line of progress."""
    print(*words, flush=True)


def hits(gaps, said):
    """Whether the first answer is right, (gaps,)."""
    return np.array([bool(texts) and texts[0] == gap.truth for gap, texts in zip(gaps, said)], float)


def summed(lesson, gaps, said):
    """Top 1, top 20 and errors of letters, over all gaps with intervals, and by length."""
    right, modules = hits(gaps, said), [gap.module for gap in gaps]
    within = np.array([gap.truth in texts for gap, texts in zip(gaps, said)], float)
    length = np.array([gap.length for gap in gaps])
    first = [texts[0] if texts else "" for texts in said]
    lengths = sorted(set(length.tolist()))

    def error(some):
        return lesson.letter_error([first[i] for i in some], [gaps[i].truth for i in some])

    return {
        "top 1": rounded([right.mean(), *interval(right, modules)]),
        "top 20": rounded([within.mean(), *interval(within, modules)]),
        "error": round(error(range(len(gaps))), 4),
        "top 1 by length": rounded(right[length == n].mean() for n in lengths),
        "top 20 by length": rounded(within[length == n].mean() for n in lengths),
        "error by length": rounded(error(np.flatnonzero(length == n)) for n in lengths),
    }


def mean_and_interval(values, modules):
    """The mean of one number a gap, and its interval over modules."""
    return rounded([values.mean(), *interval(values, modules)])


def add_machine(gaps, machine, weights, readers):
    """Write a method's 20 fillings and their weighted scores into the gaps, and what the readers make of each."""
    proposers, judges = METHODS[machine]
    for gap, said in zip(gaps, answers(gaps, proposers, judges, weights)):
        name = f"20 of {machine}"
        gap.by[name] = said
        gap.scores[name] = {text: sum(w * gap.scores[j][text] for w, j in zip(weights, judges)) for text in said}
        for level, reader in readers:
            known = gap.scores[level]
            known |= {text: reader.judge(gap.around(text)) for text in said if text not in known}


def picked_grams(line, gaps, orders, tried):
    """The n-grams, read onwards and backwards, and the share of the first that are best on tuning gaps."""
    best = None
    for smoothing in ("kn", "wb"):
        for order in orders:
            grams = NGrams(line, order, smoothing), NGrams(line[::-1].copy(), order, smoothing)
            for share in (0.0, 0.5, 1.0):
                ask_ngrams(*grams, gaps, share)
                level = hits(gaps, [gap.by["n-grams"] for gap in gaps]).mean()
                tried.append([smoothing, order, share, round(float(level), 4)])
                if best is None or level > best[0]:
                    best = level, (smoothing, order, share), grams
        say(tried)
    return best[1], best[2]


def picked_reader(texts, gaps, trusts, strange, tried):
    """The trust in pairs and the price of strange letters that are best on tuning gaps."""
    best = None
    for trust in trusts:
        for price in strange:
            reader = Reader(texts, trust=trust, strange=price)
            ask_reader(reader, gaps)
            level = hits(gaps, [gap.by["dictionary"] for gap in gaps]).mean()
            tried.append([trust, price, round(float(level), 4)])
            if best is None or level > best[0]:
                best = level, (trust, price)
    say(tried)
    return best[1]


def look_up(gaps, half, line, stones, steeps, tried):
    """Ask the training text for the best match, and the rest of each gap's own text, with the steepness picked."""
    whole = Matches(line, 4)
    own = {stone.module: numbers_of(stone.letters) for stone in stones.tune + stones.exam}
    rest = {module: Matches(signs, 2) for module, signs in own.items()}
    ways = {
        "look-up": whole.found,
        "same text": lambda gap: rest[gap.module].found(
            gap, own[gap.module].tobytes().find(gap.letters.astype(np.uint8).tobytes())
        ),
    }
    for name, way in ways.items():
        found = [way(gap) for gap in gaps]
        levels = []
        for steep in steeps:
            ask_matches(gaps[:half], found[:half], steep, name)
            levels.append(hits(gaps[:half], [gap.by[name] for gap in gaps[:half]]).mean())
            tried.append([name, steep, round(float(levels[-1]), 4)])
        ask_matches(gaps, found, steeps[int(np.argmax(levels))], name, 20 if name == "look-up" else 8)
    say(tried)


def stands_in_training(gaps, stones):
    """Whether a run of letters that holds the gap and one on each side also stands in a training text, (gaps,)."""
    known, found = np.unique(np.concatenate([runs_of(stone.letters, NEAR) for stone in stones.train])), []
    for gap in gaps:
        runs = runs_of(gap.text, NEAR)
        first = np.arange(len(runs))
        runs = runs[(first < gap.start) & (first + NEAR > gap.start + gap.length)]
        found.append(bool(np.isin(runs, known[np.minimum(np.searchsorted(known, runs), len(known) - 1)]).any()))
    return np.array(found)


def measure(lesson, *, each, tuning, seeds, short_steps, orders, trusts, strange, steep, pieces, packages):
    """Shares of gaps restored, gains with intervals, confidence, readers of three levels, packages told."""
    began, spent = time.process_time(), {}

    def lap(name):
        nonlocal began
        spent[name], began = round(time.process_time() - began, 1), time.process_time()
        say(name, spent[name])

    stones = stones_of(documentation(packages, test_share=TEST_SHARE))
    line, texts = line_of(stones.train), [stone.words for stone in stones.train]
    lap("reading")
    tune, exam = gaps_of(stones.tune, tuning, 1), gaps_of(stones.exam, each, 2)
    tried = {"n-grams": [], "dictionary": [], "look-up": []}
    half = gaps_of(stones.tune, max(1, tuning // 2), 3)  # the reader is slow
    (smoothing, order, share), grams = picked_grams(line.numpy(), tune, orders, tried["n-grams"])
    lap("tuning n-grams")
    trust, price = picked_reader(texts, half, trusts, strange, tried["dictionary"])
    lap("tuning the dictionary")
    net = load_inscriptions()
    readers = {name: Reader(texts, most, pairs, trust, price) for name, (most, pairs) in LEVELS.items()}
    level_3 = list(LEVELS)[-1]
    for gaps in (tune, exam):
        ask_network(net, gaps)
        ask_ngrams(*grams, gaps, share)
        for name, reader in readers.items():
            ask_reader(reader, gaps, name)
        for gap in gaps:  # the best reader is the dictionary
            gap.by["dictionary"], gap.scores["dictionary"] = gap.by[level_3], gap.scores[level_3]
            gap.mine = {name: gap.by.pop(name) for name in LEVELS}
    look_up(tune + exam, len(tune), line.numpy(), stones, steep, tried["look-up"])
    for gaps in (tune, exam):
        for gap in gaps:
            gap.looked_up = gap.by.pop("look-up")  # its fillings are weighed by no other method
        score_all(gaps, net, grams, {level_3: readers[level_3]})
        for gap in gaps:
            gap.by["look-up"] = gap.looked_up
    lap("filling gaps")
    modules, methods, weights, right = [gap.module for gap in exam], {}, {}, {}
    for name, (proposers, judges) in METHODS.items():
        weights[name] = fit_weights(tune, proposers, judges)
        said = answers(exam, proposers, judges, weights[name])
        methods[name], right[name] = summed(lesson, exam, said), hits(exam, said)
        say(name, rounded(weights[name]), methods[name]["top 1"], methods[name]["top 1 by length"])
    looked_up = {}
    for name, (proposers, judges) in LOOKED_UP.items():
        said = answers(exam, proposers, judges, fit_weights(tune, proposers, judges))
        looked_up[name], right[name] = summed(lesson, exam, said), hits(exam, said)
        say(name, looked_up[name]["top 1"])
    near = stands_in_training(exam, stones)
    near_right = {
        name: rounded(right[name][some].mean() if some.any() else 0 for some in (near, ~near)) for name in METHODS
    }
    people = {"alone": {}}
    for level in LEVELS:
        right[level] = hits(exam, [gap.mine[level] for gap in exam])
        people["alone"][level] = mean_and_interval(right[level], modules)
    for machine in MACHINES:
        some = list(LEVELS) if machine in ("network", "network + n-grams") else [level_3]
        for gaps in (tune, exam):
            add_machine(gaps, machine, weights[machine], [(level, readers[level]) for level in some])
        people[machine] = {"alone": methods[machine]["top 1"]}
        for level in some:
            both = fit_weights(tune, [f"20 of {machine}"], [f"20 of {machine}", level])
            weights[f"{machine}, {level}"] = both
            ways = {"picks": ([level], np.ones(1)), "weighs": ([f"20 of {machine}", level], both)}
            for way, (judges, how) in ways.items():
                name = f"{machine}, {level}, {way}"
                right[name] = hits(exam, answers(exam, [f"20 of {machine}"], judges, how))
                people[machine].setdefault(level, {})[way] = mean_and_interval(right[name], modules)
        say(machine, people[machine])
    pairs = [
        *(("network", rival) for rival in ("n-grams", "dictionary", "n-grams + dictionary")),
        ("network + n-grams", "network"),
        ("network + n-grams", "n-grams"),
        ("n-grams + dictionary", "n-grams"),
        ("all three", "n-grams + dictionary"),
        *((f"{machine}, {level}, {way}", rival) for machine in MACHINES for level in people[machine]
          if level in LEVELS for way in ("picks", "weighs") for rival in (machine, level)),
        ("network + dictionary", f"network, {level_3}, weighs"),
        ("network + dictionary", "dictionary"),
        (f"network + n-grams, {level_3}, weighs", "all three"),
        (f"network + n-grams, {level_3}, weighs", "n-grams + dictionary"),
        ("network", "look-up"),
        ("n-grams + dictionary + same text", "n-grams + dictionary"),
    ]  # fmt: skip
    gains = {f"{a} - {b}": mean_and_interval(right[a] - right[b], modules) for a, b in pairs}
    lap("weighing")
    short, some = {"true": [], "shuffled": []}, exam[::4]
    for seed in seeds:
        for kind in short:
            small = lesson.learn(line, short_steps, seed, kind == "shuffled")
            ask_network(small, some, "short")
            short[kind].append(round(float(hits(some, [gap.by["short"] for gap in some]).mean()), 4))
        say(short)
    lap("short trainings")
    return {
        "texts": {
            "paragraphs": stones.paragraphs,
            "removed": stones.removed,
            "letters": len(line),
            "modules": [len(stones.train), len(stones.tune), len(stones.exam)],
            "words": len(readers[level_3].words),
        },
        "picked": {"smoothing": smoothing, "order": order, "share": share, "trust": trust, "strange": price},
        "tried": tried,
        "weights": {name: rounded(values) for name, values in weights.items()},
        "methods": methods,
        "people": people,
        "gains": gains,
        "looked up": looked_up,
        "near": {"share": round(float(near.mean()), 4), "right": near_right},
        "short": short | {"shipped": round(float(right["network"][::4].mean()), 4), "gaps": len(some)},
        "confidence": confidence(lesson, tune, exam),
        "origin": origin(net, stones, packages, pieces),
        "cpu_seconds": spent,
    }


def confidence(lesson, tune, exam):
    """Calibration error before and after a temperature that tuning gaps picked; chances and hits, gap by gap."""

    def told(gaps):
        points = [np.array([gap.scores["network"][text] for text in gap.by["network"]]) for gap in gaps]
        return points, np.array([gap.by["network"][0] == gap.truth for gap in gaps], float)

    points, right = told(tune)
    grid = np.round(np.arange(0.5, 3.01, 0.05), 2)
    loss = [lesson.surprise(lesson.sureness(points, heat), right) for heat in grid]
    heat = float(grid[int(np.argmin(loss))])
    points, right = told(exam)
    sure = {name: lesson.sureness(points, t) for name, t in (("as it is", 1.0), ("with temperature", heat))}
    length = np.array([gap.length for gap in exam])
    return {
        "temperature": heat,
        "error": {name: round(float(lesson.calibration_error(s, right)), 4) for name, s in sure.items()},
        "sure": {name: rounded(s) for name, s in sure.items()},
        "right": right.astype(int).tolist(),
        "length": length.tolist(),
    }


def origin(net, stones, packages, pieces):
    """Share of pieces whose package is told, settings picked on the tuning modules, with intervals over modules."""
    learn, labels, _ = pieces_of(stones.train, packages, pieces, 5)
    tune, tune_labels, _ = pieces_of(stones.tune, packages, max(2, pieces // 5), 6)
    exam, exam_labels, modules = pieces_of(stones.exam, packages, max(2, pieces // 5), 7)
    ways = {
        "letter runs": lambda c: by_runs((learn, labels), (tune, exam), c),
        "network": lambda c: by_network(net, (learn, labels), (tune, exam), c),
    }
    found, chances = {}, {}
    for name, way in ways.items():
        best = None
        for strength in (1.0, 10.0, 100.0, 1000.0) if name == "letter runs" else (0.001, 0.01, 0.1):
            first, second = way(strength)
            level = (first.argmax(1) == tune_labels).mean()
            if best is None or level > best[0]:
                best = level, strength, first, second
        chances[name] = best[2], best[3]
        right = (best[3].argmax(1) == exam_labels).astype(float)
        found[name] = {"right": rounded([right.mean(), *interval(right, modules)]), "strength": best[1]}
        say(name, found[name])
    mixed = []
    for part in (0, 1):
        logs = [np.log(chances[name][part] + 1e-12) for name in ways]
        mixed.append(logs)
    shares = np.linspace(0, 1, 11)
    levels = [((s * mixed[0][0] + (1 - s) * mixed[0][1]).argmax(1) == tune_labels).mean() for s in shares]
    s = shares[int(np.argmax(levels))]
    right = ((s * mixed[1][0] + (1 - s) * mixed[1][1]).argmax(1) == exam_labels).astype(float)
    found["both"] = {"right": rounded([right.mean(), *interval(right, modules)]), "strength": round(float(s), 1)}
    return found
