"""What lesson 14 records: five models on sixteen seeds, and other steps, rates, decays and names left out on three."""

SETTINGS = {
    "seeds": [3, 4, 5, 6, 7, 8, 9, 10, 20, 21, 22, 23, 24, 25, 26, 27],
    "few_seeds": [3, 4, 5],
    "steps": 450,
    "linear_steps": 6000,
    "other_steps": [225, 900],
    "other_rates": [0.003, 0.012],
    "other_decays": [0.1, 3.0],
    "other_names": [
        [["red", "square"], ["green", "triangle"]],
        [["yellow", "circle"], ["blue", "square"]],
    ],
}
QUICK = {
    "seeds": [3],
    "few_seeds": [3],
    "steps": 2,
    "linear_steps": 2,
    "other_steps": [1],
    "other_rates": [0.003],
    "other_decays": [0.1],
    "other_names": SETTINGS["other_names"],
}


def measure(
    lesson, *, seeds, few_seeds, steps, linear_steps, other_steps, other_rates, other_decays, other_names
):  # fmt: skip
    """Recall@1 (mean of both ways) of every group and the share of single things named right, a number a seed.

    Also the zero-shot tasks, and the step at which each kind of word is first right.
    """
    pools, answers = lesson.make_pools(), lesson.make_pools(lesson.answers)
    mixed = [lesson.shuffled(pool, 7) for pool in pools]
    both = {"CLIP": (lesson.CLIP, pools), "labels": (lesson.Labelled, answers)}

    def scores(model, never=lesson.NEVER_SEEN):
        found = {group: sum(ways) / 2 for group, ways in lesson.both_ways(model, never).items()}
        return {key: round(value, 4) for key, value in (found | lesson.naming(model, never)).items()}

    def few(**settings):
        return {
            name: _lists([scores(lesson.train(make, pool, seed, **settings)[0]) for seed in few_seeds])
            for name, (make, pool) in both.items()
        }

    runs = {name: [] for name in ("CLIP", "labels", "labels, linear", "bag of words", "shuffled captions")}
    tasks = {name: [] for name in ("CLIP", "bag of words", "shuffled captions")}
    first = []
    for seed in seeds:
        log = {}
        models = {
            "CLIP": lesson.train(lesson.CLIP, pools, seed, steps, after_step=lesson.watch_words(log)),
            "labels": lesson.train(lesson.Labelled, answers, seed, steps),
            "labels, linear": lesson.train(
                lambda: lesson.Labelled(linear=True), answers, seed, linear_steps, rate=0.02, decay=0.01
            ),
            "bag of words": lesson.train(lesson.make_bag, pools, seed, steps),
            "shuffled captions": lesson.train(lesson.CLIP, mixed, seed, steps),
        }
        first.append(lesson.first_right(log))
        for name, (model, _) in models.items():
            runs[name].append(scores(model))
            if name in tasks:
                tasks[name].append({task: round(lesson.zero_shot(model, task), 4) for task in lesson.TASKS})
    never = {}
    for names in other_names:
        left_out = tuple(map(tuple, names))
        told = {"CLIP": lesson.tokens_of, "labels": lesson.answers}
        never[", ".join(map(" ".join, names))] = {
            name: _lists(
                [
                    scores(lesson.train(make, lesson.make_pools(told[name], left_out), seed, steps)[0], left_out)
                    for seed in few_seeds
                ]
            )
            for name, (make, _) in both.items()
        }
    return {
        "runs": {name: _lists(rows) for name, rows in runs.items()},
        "tasks": {name: _lists(rows) for name, rows in tasks.items()},
        "first_right": _lists(first),
        "steps": {str(number): few(steps=number) for number in other_steps},
        "rate": {str(rate): few(steps=steps, rate=rate) for rate in other_rates},
        "decay": {str(decay): few(steps=steps, decay=decay) for decay in other_decays},
        "never": never,
    }


def _lists(rows):
    """One mapping of lists instead of a list of mappings."""
    return {key: [row[key] for row in rows] for key in rows[0]}
