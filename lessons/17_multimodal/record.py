"""What lesson 17 records: its families and their control on six seeds, at fewer steps and gentler rates as well."""

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4, 5],
    "few_seeds": [0, 1, 2],
    "steps": 800,
    "other_steps": [200, 400],
    "other_rates": [0.01, 0.02],
    "adapt_steps": 40,
}
QUICK = {"seeds": [0], "few_seeds": [0], "steps": 2, "other_steps": [1], "other_rates": [0.01], "adapt_steps": 1}


def measure(lesson, *, seeds, few_seeds, steps, other_steps, other_rates, adapt_steps):
    """Shares of right answers, one a seed: per family, exam and direction; per route; after forty steps."""
    tokens, exams = lesson.make_data()
    mixed = lesson.shuffled(tokens)
    one, need = lesson.ALIKE[:2]
    runs = {name: [] for name in (*lesson.FAMILIES, "captions shuffled")}
    direct, heard, words = [], [], {name: [] for name in lesson.FAMILIES}
    adapted, heat = {name: [] for name in lesson.GENTLE}, {str(t): [] for t in lesson.HEATS}
    for seed in seeds:
        families = {name: lesson.grow(family, tokens, seed, steps) for name, family in lesson.FAMILIES.items()}
        for name, models in families.items():
            runs[name].append(lesson.scores(models, exams))
            words[name].append(lesson.routes(models, exams["seen"], "words"))
        direct.append(lesson.routes(families[one], exams["seen"]))
        heard.append(lesson.heard(families[one], exams["seen"][2]))
        for t in lesson.HEATS:
            share = lesson.score(families[one], exams["seen"], "words", "picture", temperature=t)
            heat[str(t)].append(round(share, 4))
        control = lesson.grow(lesson.FAMILIES[one], mixed, seed, steps)
        runs["captions shuffled"].append(lesson.scores(control, exams))
        alone = families["three, twice the room"]
        starts = families[one]["all"], alone["picture"], alone["sound"], None
        starts = dict(zip(lesson.GENTLE, starts, strict=True))
        for name, share in lesson.forty_steps(starts, tokens, exams, seed, adapt_steps).items():
            adapted[name].append(share)
    pairs = lesson.PAIRS + lesson.STRANGERS
    met = [
        lesson.routes({"all": lesson.train(pairs, 48, 0.03, seed, tokens, steps)}, exams["seen"]) for seed in few_seeds
    ]

    def shorter(name, number, rate=None):
        """Held-out answers of a family's model of pictures (or of its one model) after so many steps, by direction."""
        knows, (width, usual) = next(iter(lesson.FAMILIES.get(name, lesson.FAMILIES[one]).items()))
        family, data = {knows: (width, rate or usual)}, mixed if name == "captions shuffled" else tokens
        directions = [pair for pair in lesson.PAIRS if knows == "all" or "picture" in pair]
        rows = []
        for seed in seeds:
            grown = lesson.grow(family, data, seed, number)
            rows.append({f"{a} to {b}": lesson.score(grown, exams["held out"], a, b) for a, b in directions})
        return _lists(rows)

    return {
        "runs": {name: {exam: _lists([row[exam] for row in rows]) for exam in exams} for name, rows in runs.items()},
        "direct": _lists(direct),
        "heard": _lists(heard),
        "heat": heat,
        "through words": {name: _lists(rows) for name, rows in words.items()},
        "met": _lists(met),
        "adapted": adapted,
        "steps": {str(number): {name: shorter(name, number) for name in runs} for number in other_steps},
        "rates": {
            str(rate): {name: shorter(name, max(other_steps), rate) for name in (one, need)} for rate in other_rates
        },
    }


def _lists(rows):
    """One mapping of lists instead of a list of mappings."""
    return {key: [round(row[key], 4) for row in rows] for key in rows[0]}
