"""What lesson 13 records: the race over seeds, sizes and steps, and how its settings were picked."""

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4],
    "long_seeds": [0, 1, 2, 3, 4],
    "letter_seeds": [0, 1, 2],
    "picking_seeds": [10, 11, 12],
    "sizes": [40, 100, 250, 600, 1347],
    "scrambled_sizes": [100, 250, 1347],
    "steps": [160, 500, 1000],
    "letter_sizes": [1600, 6400, 25600],
    "letter_steps": [300, 1000, 3000],
    "patience": 9000,
    "fonts": [2, 4, 10],
}
QUICK = {
    "seeds": [0],
    "long_seeds": [0],
    "letter_seeds": [0],
    "picking_seeds": [10],
    "sizes": [40],
    "scrambled_sizes": [40],
    "steps": [2],
    "letter_sizes": [400],
    "letter_steps": [1, 2],
    "patience": 3,
    "fonts": [2],
}
RATES = {"CNN": [2.5e-3, 5e-3, 1e-2, 2e-2], "ViT": [1.5e-3, 3e-3, 6e-3, 1.2e-2]}
STRENGTHS = [1, 3, 10, 30]


def measure(
    lesson,
    *,
    seeds,
    long_seeds,
    letter_seeds,
    picking_seeds,
    sizes,
    scrambled_sizes,
    steps,
    letter_sizes,
    letter_steps,
    patience,
    fonts,
    parts=None,
):
    """Accuracies by network: digits (seeds, sizes), longer training by steps, letters by exam."""
    largest = sizes[-1]
    tasks = {
        "picked": lambda: _picked(lesson, picking_seeds, min(steps[0], lesson.STEPS)),
        "digits": lambda: _table(lesson, seeds, sizes, steps[0]),
        "scrambled": lambda: _table(lesson, seeds, scrambled_sizes, steps[0], shuffled=True),
        "few_longer": lambda: {n: _table(lesson, long_seeds, [min(100, largest)], n) for n in steps},
        "slid": lambda: {n: _slid(lesson, long_seeds, largest, n) for n in steps},
        "starts": lambda: {n: _starts(lesson, long_seeds, n) for n in steps},
    }
    for n in fonts:
        if n != 4:
            tasks[f"fonts_{n}"] = lambda n=n: _by_fonts(lesson, letter_seeds, letter_sizes[-1], letter_steps[-1], n)
    tasks["patient"] = lambda: _patient(lesson, letter_seeds, letter_sizes[-1], patience, fonts[-1])
    for seed in letter_seeds:
        tasks[f"letters_{seed}"] = lambda seed=seed: _letters(lesson, seed, letter_sizes, letter_steps)
    found = {name: task() for name, task in tasks.items() if parts is None or name in parts}
    return found if parts else joined(found)


def joined(found):
    """The figures, with the letters of all seeds in one table each."""
    figures = {name: part for name, part in found.items() if not name.startswith(("letters_", "fonts_"))}
    each = [part for name, part in found.items() if name.startswith("letters_")]
    figures["fonts"] = {name[6:]: part for name, part in found.items() if name.startswith("fonts_")}
    figures["letters"] = _stacked([one["letters"] for one in each])
    figures["letters_by_steps"] = _stacked([one["letters_by_steps"] for one in each])
    figures["letter_distances"] = [one["distances"] for one in each]
    return figures


def _stacked(tables):
    """Tables {exam: {name: row}} of several seeds as {exam: {name: [row, ...]}}."""
    return {e: {n: [table[e][n] for table in tables] for n in tables[0][e]} for e in tables[0]}


def _picked(lesson, seeds, steps):
    """Mean accuracy on 347 training digits that were held back, by setting: [from 100, from 1,000 digits]."""
    images, labels, *_ = lesson.digit_data()
    found = {name: {} for name in (*RATES, "SVM")}

    def mean(score):
        rows = []
        for size in (100, 1000):
            each = []
            for seed in seeds:
                order = lesson.order_of(len(images), seed)
                each.append(score(seed, order[:size], order[1000:]))
            rows.append(round(sum(each) / len(each), 4))
        return rows

    for name, rates in RATES.items():
        for rate in rates:

            def score(seed, some, rest, name=name, rate=rate):
                model = lesson.make(name, seed)
                lesson.train(name, model, images[some], labels[some], seed, steps, rate=rate)
                return lesson.accuracy(model, images[rest], labels[rest])

            found[name][rate] = mean(score)
    for strength in STRENGTHS:

        def rival(_, some, rest, strength=strength):
            return lesson.svm_scores(images[some], labels[some], [(images[rest], labels[rest])], strength)[0]

        found["SVM"][strength] = mean(rival)
    return found


def _table(lesson, seeds, sizes, steps, **kind):
    """{name: (seeds, sizes)}."""
    rows = [[lesson.race(size, seed, steps, **kind)[1] for size in sizes] for seed in seeds]
    return {name: [[round(score[name], 4) for score in row] for row in rows] for name in rows[0][0]}


def _slid(lesson, seeds, size, steps):
    """{"plain" or "with shifts": {name: [[accuracy, on slid digits] a seed]}} and the attention distances."""
    found = {"distances": []}
    for kind, shifts in (("plain", False), ("with shifts", True)):
        found[kind] = {name: [] for name in RATES}
        for seed in seeds:
            models, scores = lesson.race(size, seed, steps, shifts=shifts)
            for name, model in models.items():
                moved = lesson.accuracy(model, *lesson.slid_exam())
                found[kind][name].append([round(scores[name], 4), round(moved, 4)])
            if not shifts:
                found["distances"].append(_distances(lesson, models["ViT"], lesson.digit_data()[2]))
    return found


def _starts(lesson, seeds, steps):
    """{start: [accuracy a seed]}."""
    return {
        name: [
            round(lesson.accuracy(lesson.with_spread(spread, seed, steps), *lesson.digit_data()[2:]), 4)
            for seed in seeds
        ]
        for name, spread in lesson.STARTS.items()
    }


def _letters(lesson, seed, sizes, steps):
    """One seed: by size after the most steps, by steps at the largest size, distances of the last ViT."""
    learned, exams = lesson.letter_data(sizes[-1], seed)
    found = {
        key: {exam: {name: [] for name in (*RATES, "SVM")} for exam in exams} for key in ("letters", "letters_by_steps")
    }
    for key, size, n in [("letters", s, steps[-1]) for s in sizes] + [
        ("letters_by_steps", sizes[-1], n) for n in steps[:-1]
    ]:
        some = learned[0][:size], learned[1][:size]
        models = {name: lesson.letter_network(name, some, seed, n) for name in RATES}
        for exam, (images, labels) in exams.items():
            for name, model in models.items():
                found[key][exam][name].append(round(lesson.accuracy(model, images, labels), 4))
        if key == "letters":
            for exam, score in zip(exams, lesson.svm_scores(*some, exams.values())):
                found[key][exam]["SVM"].append(round(score, 4))
            distances = _distances(lesson, models["ViT"], next(iter(exams.values()))[0])
    for exam in exams:
        del found["letters_by_steps"][exam]["SVM"]
    return {**found, "distances": distances}


def _by_fonts(lesson, seeds, size, steps, fonts):
    """{exam: {name: [accuracy a seed]}} after letters from this many fonts."""
    found = {}
    for seed in seeds:
        learned, exams = lesson.letter_data(size, seed, fonts)
        models = {name: lesson.letter_network(name, learned, seed, steps) for name in RATES}
        rivals = lesson.svm_scores(*learned, exams.values())
        for (exam, (images, labels)), rival in zip(exams.items(), rivals):
            scores = {name: lesson.accuracy(model, images, labels) for name, model in models.items()}
            for name, score in {**scores, "SVM": rival}.items():
                found.setdefault(exam, {}).setdefault(name, []).append(round(score, 4))
    return found


def _patient(lesson, seeds, size, steps, fonts):
    """{exam: [accuracy of the ViT a seed]} after many more steps."""
    found = {}
    for seed in seeds:
        learned, exams = lesson.letter_data(size, seed, fonts)
        model = lesson.letter_network("ViT", learned, seed, steps)
        for exam, (images, labels) in exams.items():
            found.setdefault(exam, []).append(round(lesson.accuracy(model, images, labels), 4))
    return found


def _distances(lesson, model, images):
    """[block][head] in pixels."""
    return [[round(value, 3) for value in block.tolist()] for block in lesson.head_distances(model, images)]
