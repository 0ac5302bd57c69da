"""What lesson 03 records: ten draws of labels, both recipes for every start, 2,000 steps on a field's text."""

SETTINGS = {"draws": list(range(10)), "few": 3, "mean_steps": [40, 160], "seeds": [1, 2], "field_steps": 2000}
QUICK = {"draws": [0], "few": 1, "mean_steps": [1], "seeds": [1], "field_steps": 1}


def measure(lesson, *, draws, few, mean_steps, seeds, field_steps):
    """Exam accuracy by start, recipe and size; what going on with pretraining does to words and to labels.

    The recipe "mean" is tried on the first `few` draws alone, for several lengths.
    """

    def score(start, recipe, size, draw, steps):
        return round(lesson.tuned(lesson.start_from(start, draw), recipe, size, draw, steps), 4)

    accuracy = {}
    for start in ("shipped", "shuffled", "fresh"):
        found = accuracy[start] = {}
        found["pooler"] = {
            str(size): [score(start, "pooler", size, draw, lesson.STEPS[size]) for draw in draws]
            for size in lesson.SIZES
        }
        found["mean"] = {
            str(steps): {
                str(size): [score(start, "mean", size, draw, steps) for draw in draws[:few]]
                for size in (lesson.SIZES if start == "fresh" else lesson.SIZES[1:2])
            }
            for steps in mean_steps
        }
    before = lesson.bert_with(lesson.SHIPPED)
    base = lesson.field_hits(before, draws)
    words, gains = {"before": [[round(cost, 3) for cost in lesson.word_costs(before)]]}, {"over before": []}
    gains["of the control"], gains["over the control"] = [], []
    for seed in seeds:
        found = {}
        for field in ("code", "docstrings"):
            model = lesson.go_on(field, seed, field_steps)
            words.setdefault(field, []).append([round(cost, 3) for cost in lesson.word_costs(model)])
            found[field] = lesson.field_hits(model, draws)
        for name, better, worse in (
            ("over before", found["code"], base),
            ("of the control", found["docstrings"], base),
            ("over the control", found["code"], found["docstrings"]),
        ):
            gains[name].append([round(value, 4) for value in lesson.gain(better, worse)])
    return {"accuracy": accuracy, "words": words, "gains": gains}
