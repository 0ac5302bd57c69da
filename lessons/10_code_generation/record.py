"""What lesson 10 records: five seeds of small models and of their controls, and two of them at other lengths."""

from tinyfrontier.beside.lesson_10.programs import programming_problems
from tinyfrontier.beside.lesson_10.sandbox import Sandbox

from tinyfrontier.pretrained import load_programs

SETTINGS = {"seeds": [1, 2, 3, 4, 5], "steps": 450, "long_seeds": [1, 2], "lengths": [225, 900], "exam": 200}
QUICK = {"seeds": [1], "steps": 2, "long_seeds": [1], "lengths": [1], "exam": 2}


def measure(lesson, *, seeds, steps, long_seeds, lengths, exam):
    """pass@1 … pass@10 by seed, of models and controls; the same at other numbers of steps."""
    tokenizer = load_programs()[1]
    known = programming_problems("train", 3000, operations=lesson.LIVE)
    asked = programming_problems("compositions", 200, operations=lesson.LIVE)[:exam]
    sources = {"trained": known, "control": lesson.dealt_out(known)}
    sandbox = Sandbox(lesson.WORKER)

    def passes(problems, seed, length):
        model, _ = lesson.train_writer(problems, tokenizer, seed, length)
        return [round(value, 4) for value in lesson.grade(model, tokenizer, asked, sandbox)["passes"]]

    return {
        "passes": {name: [passes(part, seed, steps) for seed in seeds] for name, part in sources.items()},
        "lengths": {
            name: {length: [passes(part, seed, length) for seed in long_seeds] for length in lengths}
            for name, part in sources.items()
        },
    }
