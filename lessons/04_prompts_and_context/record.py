"""What lesson 04 records: five fresh seeds, other lengths, few tasks in training, other examples and wordings."""

import torch

from tinyfrontier.data import documentation

SETTINGS = {
    "seeds": [3, 4, 5, 6, 7],
    "length": 900,
    "lengths": [300, 2700],
    "tasks": [1, 4, 16, 64, 256],
    "draws": list(range(1, 11)),
    "characters": None,
    "names": None,
}
QUICK = {
    "seeds": [3],
    "length": 1,
    "lengths": [1],
    "tasks": [1],
    "draws": [1],
    "characters": 300_000,
    "names": 12,
}


def measure(lesson, *, seeds, length, lengths, tasks, draws, characters, names):
    """Errors of networks after each example or the last, by seed; shares and changes of the language model."""
    exam = lesson.EXAM
    networks = [lesson.train(seed, steps=length)[0] for seed in seeds]
    found = {
        "error": [_plain(lesson.exam_error(model, *exam)) for model in networks],
        "shuffled": [_plain(lesson.exam_error(model, *lesson.shuffled(*exam)))[-1] for model in networks],
        "shifts": {
            name: [round(lesson.shifted(model, **change)[0], 4) for model in networks]
            for name, change in lesson.SHIFTS.items()
        },
        "rivals": {
            name: _plain(lesson.relative_error(lesson.after_each(rival, *exam[:2]), exam[2]))
            for name, rival in lesson.RIVALS.items()
        },
        "steps": {},
    }
    for steps in lengths:
        longer = [lesson.train(seed, steps=steps)[0] for seed in seeds[:3]]
        found["steps"][steps] = [_plain(lesson.exam_error(model, *exam))[-1] for model in longer]
    fed = {
        number: [
            _plain(lesson.exam_error(lesson.train(seed, lesson.only(number, seed), length)[0], *exam))
            for seed in seeds[:3]
        ]
        for number in tasks
    }
    found["one_task"] = fed[tasks[0]]
    found["tasks"] = {number: [errors[-1] for errors in by_seed] for number, by_seed in fed.items()}
    return found | _asked(lesson, draws, characters, names)


def _plain(values):
    return [round(float(value), 4) for value in values]


def _asked(lesson, draws, characters, number):
    items, known = lesson.word_task(documentation(lesson.PACKAGES, max_characters=characters))
    names = [name for name, _ in items][:number]
    truth = torch.tensor([lesson.KINDS.index(kind) for _, kind in items])[:number]
    pool = {name: kind for name, kind in known.items() if name not in {name for name, _ in items}}
    half, (gpt, words) = len(names) // 2, lesson.load_gpt()

    def ends(changes):
        return [round(end, 4) for end in lesson.interval(changes)]

    additions = {}
    for base in lesson.BASES:
        gains = {kind: lesson.gain(gpt, words, names, truth, base, texts) for kind, texts in lesson.ADDITIONS.items()}
        other = gains["something else"].mean(dim=0)
        additions[base] = {
            kind: {
                "each": _plain(gained.mean(dim=1)),
                "ends": ends(gained.mean(dim=0)),
                "against_something_else": ends(gained.mean(dim=0) - other),
            }
            for kind, gained in gains.items()
        }

    def right(shape, shots, wrong=False, part=slice(half, None)):
        examples = [lesson.draw_examples(pool, shots, draw, wrong) for draw in draws]
        return _plain(lesson.shown(gpt, words, names[part], truth[part], shape, drawn) for drawn in examples)

    def both(shape, shots):
        choice = right(shape, shots, part=slice(half))
        return {"right": right(shape, shots), "wrong": right(shape, shots, wrong=True), "choice": choice}

    shapes = {shape: {n: both(shape, n) for n in lesson.COUNTS} for shape in lesson.SHAPES}
    return {"additions": additions, "shapes": shapes}
