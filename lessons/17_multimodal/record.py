"""What lesson 17 records: four families, their control and other lengths on six seeds; the rest on three."""

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4, 5],
    "few_seeds": [0, 1, 2],
    "steps": 400,
    "other_steps": [200, 800],
    "other_rates": [0.01, 0.02],
    "adapt_steps": 40,
}
QUICK = {"seeds": [0], "few_seeds": [0], "steps": 2, "other_steps": [1], "other_rates": [0.01], "adapt_steps": 1}
DRAWS = {"one model": "all", "three, room by need": "picture"}  # families of one size, and who draws


def measure(lesson, *, seeds, few_seeds, steps, other_steps, other_rates, adapt_steps):
    """Shares of right answers, one a seed: per family, exam and direction; per route; after forty steps."""
    tokens, exams = lesson.make_data()
    mixed = lesson.shuffled(tokens)
    runs = {name: [] for name in (*lesson.FAMILIES, "captions shuffled")}
    direct, heard, words = [], [], {name: [] for name in lesson.FAMILIES}
    adapted = {name: [] for name in lesson.GENTLE}
    for seed in seeds:
        families = {name: lesson.grow(family, tokens, seed, steps) for name, family in lesson.FAMILIES.items()}
        for name, models in families.items():
            runs[name].append(lesson.scores(models, exams))
            words[name].append(lesson.routes(models, exams["seen"], "words"))
        direct.append(lesson.routes(families["one model"], exams["seen"]))
        heard.append(lesson.heard(families["one model"], exams["seen"][2]))
        control = lesson.grow(lesson.FAMILIES["one model"], mixed, seed, steps)
        runs["captions shuffled"].append(lesson.scores(control, exams))
        for name, score in lesson.forty_steps(families, tokens, exams, seed, adapt_steps).items():
            adapted[name].append(score)
    pairs = lesson.PAIRS + lesson.STRANGERS
    met = [
        lesson.routes({"all": lesson.train(pairs, 48, 0.03, seed, tokens, steps)}, exams["seen"]) for seed in few_seeds
    ]

    def drawing(seeds, number, rate=None):
        """Held-out captions drawn right by the two families of one size, trained otherwise."""
        shares = {}
        for name, knows in DRAWS.items():
            width, usual = lesson.FAMILIES[name][knows]
            family = {knows: (width, rate or usual)}
            grown = [lesson.grow(family, tokens, seed, number) for seed in seeds]
            shares[name] = [round(lesson.score(each, exams["held out"], "words", "picture"), 4) for each in grown]
        return shares

    return {
        "runs": {name: {exam: _lists([row[exam] for row in rows]) for exam in exams} for name, rows in runs.items()},
        "direct": _lists(direct),
        "heard": _lists(heard),
        "through words": {name: _lists(rows) for name, rows in words.items()},
        "met": _lists(met),
        "adapted": adapted,
        "drawing, other steps": {str(number): drawing(seeds, number) for number in other_steps},
        "drawing, other rates": {str(rate): drawing(few_seeds, steps, rate) for rate in other_rates},
    }


def _lists(rows):
    """One mapping of lists instead of a list of mappings."""
    return {key: [round(row[key], 4) for row in rows] for key in rows[0]}
