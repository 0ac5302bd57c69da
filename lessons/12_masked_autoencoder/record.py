"""What lesson 12 records: rates picked on draws of their own, ten draws of labels, shares hidden, controls as long."""

import numpy as np

SETTINGS = {
    "draws": list(range(10)),
    "picking": [20, 21, 22],
    "rates": [1e-3, 3e-3, 1e-2],
    "steps": [30, 240],
    "seeds": [0, 1],
    "lengths": [400, 1200, 3000],
}
QUICK = {"draws": [0, 1], "picking": [20], "rates": [1e-3], "steps": [1], "seeds": [0], "lengths": [2]}


def measure(lesson, *, draws, picking, rates, steps, seeds, lengths):
    """Fine-tuning from both starts, longer and with shifts; probes on shorter, longer and shuffled pretraining."""
    starts = {"MAE": lambda draw: lesson.shipped(draw % 3), "scratch": lesson.fresh}
    wholes = {"mean": False, "all tokens": True}
    picked, accuracy, longer, moved = {}, {}, {}, {}
    for start, make in starts.items():
        for reading, whole in wholes.items():
            name = f"{start}, {reading}"

            def tuned(number, draw, lr, length=60, judge="test", shifts=False, make=make, whole=whole):
                return round(lesson.tune(make(draw), number, draw, whole, lr, length, judge, shifts), 4)

            def table(lr, draws=draws, tuned=tuned, **kind):
                return [[tuned(n, d, lr, **kind) for n in lesson.LABELS] for d in draws]

            def scores(tuned=tuned, **kind):
                """Mean accuracy at each rate, by the training digits, on draws that serve for nothing else."""
                each = {r: [tuned(n, d, r, judge="train", **kind) for n in (1, 10) for d in picking] for r in rates}
                return {str(rate): round(float(np.mean(found)), 4) for rate, found in each.items()}

            picked[name] = scores()
            best = float(max(picked[name], key=picked[name].get))
            accuracy[name] = table(best)
            if whole:
                longer[name] = {str(length): table(best, length=length) for length in steps}
                kind = {"length": steps[-1], "shifts": True}
                rated = scores(**kind)
                moved[name] = {"picked": rated, "accuracy": table(float(max(rated, key=rated.get)), **kind)}
    found = {"picked": picked, "accuracy": accuracy, "longer": longer, "shifts": moved}
    return found | _pretrained(lesson, draws, seeds, lengths)


def _pretrained(lesson, draws, seeds, lengths):
    shuffled, shares, control = lesson.shuffled(lesson.TRAIN), {}, {}

    def probed(models):
        features = [lesson.frozen(model) for model in models]
        return [[round(lesson.linear(features[d % len(models)], n, d), 4) for n in lesson.LABELS] for d in draws]

    def trained(images, keep, steps):
        return [lesson.pretrain(images, keep, seed, steps)[0] for seed in seeds]

    for share, keep in lesson.RATIOS.items():
        models = trained(lesson.TRAIN, keep, lengths[0])
        errors = [round(lesson.painting_error(model, keep), 5) for model in models]
        shares[str(share)] = {"error": errors, "probe": probed(models)}
    for steps in lengths:
        control[str(steps)] = {
            "digits": probed(trained(lesson.TRAIN, 4, steps)), "shuffled": probed(trained(shuffled, 4, steps))
        }  # fmt: skip
    return {"shares": shares, "control": control}
