"""What lesson 03 records: a twin without the third task, settings picked aside, ten draws of labels, a field's text."""

from tinyfrontier.beside.lesson_03.field import gain

from tinyfrontier.data.documents import documentation
from tinyfrontier.pretrained.bert.recipe import Segments, bert_losses, trained
from tinyfrontier.pretrained.documents import PACKAGES
from tinyfrontier.pretrained.writing import keep_half

SETTINGS = {
    "characters": None,
    "twin_steps": 4600,
    "menu": [[rate, steps] for rate in (3e-4, 1e-3, 3e-3) for steps in (20, 60)],
    "longer": [[3e-3, 200]],
    "picking_draws": [30, 31],
    "draws": list(range(10)),
    "seeds": [1, 2],
    "field_steps": [125, 500, 2000],
    "other_rates": [1e-4, 1e-3],
}
QUICK = {
    "characters": 20_000,
    "twin_steps": 1,
    "menu": [[1e-3, 1]],
    "longer": [[3e-3, 1]],
    "picking_draws": [30],
    "draws": [0],
    "seeds": [1],
    "field_steps": [1],
    "other_rates": [1e-4, 1e-3],
}


def measure(lesson, *, characters, twin_steps, menu, longer, picking_draws, draws, seeds, field_steps, other_rates):
    """Accuracy by start, recipe and size; what going on with pretraining does to words and to labels."""
    corpus = documentation(PACKAGES, max_characters=characters)
    twin = trained(lesson.load_bert()[1], corpus.train, twin_steps, contrast=False)
    keep_half(twin)
    labels = labels_of(lesson, twin.state_dict(), menu, longer, picking_draws, draws)
    return losses_of(lesson, twin, corpus.test) | labels | field_of(lesson, draws, seeds, field_steps, other_rates)


def losses_of(lesson, twin, documents):
    """Held-out losses of the shipped model and of its twin, which differs by the contrastive task alone."""
    shipped, tokenizer = lesson.load_bert()
    segments = Segments(documents, tokenizer)
    models = {"shipped": shipped, "twin": twin}
    return {
        "losses": {
            name: {key: round(value, 4) for key, value in bert_losses(model, tokenizer, segments).items()}
            for name, model in models.items()
        }
    }


def labels_of(lesson, twin, menu, longer, picking_draws, draws):
    """Accuracy on the exam by start, recipe and size, with what was picked on the paper for picking.

    The network from scratch, which is the rival, may also try the settings in `longer`.
    """
    starts = {name: lambda draw, name=name: lesson.start_from(name, draw) for name in ("shipped", "shuffled", "fresh")}
    starts["twin"] = lambda draw: lesson.bert_with(twin)
    accuracy, picked, aside = ({start: {way: {} for way in lesson.RECIPES} for start in starts} for _ in range(3))
    for start, begin in starts.items():
        for recipe in lesson.RECIPES:
            offered = menu + longer if (start, recipe) == ("fresh", "mean") else menu
            for size in lesson.SIZES:
                found = pick_and_sit(lesson, begin, recipe, size, offered, picking_draws, draws)
                for part, value in zip((aside, picked, accuracy), found):
                    part[start][recipe][str(size)] = value
    frozen = {}
    for start in ("shipped", "twin"):
        bert = starts[start](0)
        for recipe in lesson.RECIPES:

            def read(texts, bert=bert, recipe=recipe):
                return lesson.vectors(bert, lesson.to_rows(texts), recipe)

            frozen[f"{start}, {recipe}"] = lesson.judge(read, draws).round(4).tolist()
    return {"accuracy": accuracy, "picked": picked, "aside": aside, "frozen": frozen}


def pick_and_sit(lesson, begin, recipe, size, menu, picking_draws, draws):
    """Best mean score on the paper for picking, the rate and steps that gave it, and its scores on the exam."""

    def score(draw, setting, paper):
        return lesson.tuned(begin(draw), recipe, size, draw, *setting, paper)

    scores = [sum(score(draw, setting, lesson.PICKING) for draw in picking_draws) for setting in menu]
    best = menu[scores.index(max(scores))]
    return (
        round(max(scores) / len(picking_draws), 4),
        best,
        [round(score(draw, best, lesson.EXAM), 4) for draw in draws],
    )


def field_of(lesson, draws, seeds, field_steps, other_rates):
    """Cost of hidden words and accuracy of a probe before and after; gains by length and by rate."""

    def hits_of(model):
        return lesson.field_hits(lambda texts: lesson.vectors(model, lesson.to_rows(texts)), draws)

    def rounded(values):
        return [round(float(value), 4) for value in values]

    before = lesson.bert_with(lesson.SHIPPED)
    base = hits_of(before)
    words, probe = {"before": [rounded(lesson.word_costs(before))]}, {"before": [rounded(base.mean(axis=(0, 2)))]}
    gains = {name: {} for name in ("over before", "of the control", "over the control")}
    runs = [(str(steps), seed, steps, 3e-4) for steps in field_steps for seed in seeds]
    runs += [(f"rate {rate:g}", seeds[0], field_steps[len(field_steps) // 2], rate) for rate in other_rates]
    for name, seed, steps, rate in runs:
        hits = {}
        for field in ("code", "docstrings"):
            model = lesson.go_on(field, seed, steps, rate)
            hits[field] = hits_of(model)
            if name == str(field_steps[-1]):
                words.setdefault(field, []).append(rounded(lesson.word_costs(model)))
                probe.setdefault(field, []).append(rounded(hits[field].mean(axis=(0, 2))))
        for kind, better, worse in (
            ("over before", hits["code"], base),
            ("of the control", hits["docstrings"], base),
            ("over the control", hits["code"], hits["docstrings"]),
        ):
            gains[kind].setdefault(name, []).append(rounded(gain(better, worse)))
    return {"words": words, "probe": probe, "gains": gains}
