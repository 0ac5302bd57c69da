"""What lesson 10 records: five seeds of small models and controls, other lengths, and how the rival was set."""

import random
from itertools import pairwise

from tinyfrontier.beside.lesson_10.programs import programming_problems
from tinyfrontier.beside.lesson_10.sandbox import Sandbox
from tinyfrontier.beside.lesson_10.slots import Chooser

from tinyfrontier.pretrained import load_programs

SETTINGS = {
    "seeds": [1, 2, 3, 4, 5],
    "steps": 450,
    "long_seeds": [1, 2],
    "lengths": [225, 900],
    "exam": 200,
    "runs": [1, 2, 3, 4, 5, 6, 7, 8],
    "cuts": {"seeds": [0, 1, 2], "requests": 20_000},
}
QUICK = {
    "seeds": [1],
    "steps": 2,
    "long_seeds": [1],
    "lengths": [1],
    "exam": 2,
    "runs": [1],
    "cuts": {"seeds": [0], "requests": 400},
}


def cut_out(problems, seed):
    """Problems without, and 400 at most with, a tenth of the pairs of neighbouring operations that they contain."""
    pairs = sorted({pair for problem in problems for pair in pairwise(problem.operations)})
    hidden = set(random.Random(seed).sample(pairs, len(pairs) // 10))
    novel = [bool(hidden & set(pairwise(problem.operations))) for problem in problems]
    kept = [problem for problem, new in zip(problems, novel, strict=True) if not new]
    return kept, [problem for problem, new in zip(problems, novel, strict=True) if new][:400]


def written(kept, asked, longest):
    """Share of the problems for which the rival, with runs of up to `longest` words, writes the very program."""
    answers = Chooser(kept, longest).write(asked)
    return round(sum(one == problem.program for (one,), problem in zip(answers, asked, strict=True)) / len(asked), 4)


def measure(lesson, *, seeds, steps, long_seeds, lengths, exam, runs, cuts):
    """pass@1 … pass@10 by seed, of models and controls; the same at other numbers of steps.

    `rival`: what the linear rival writes right on pairs cut out of the training requests (rows: cuts), by the
    longest run of words that it looks at (columns: `runs`).
    """
    tokenizer = load_programs()[1]
    known = programming_problems("train", 3000, operations=lesson.LIVE)
    asked = programming_problems("compositions", 200, operations=lesson.LIVE)[:exam]
    sources = {"trained": known, "control": lesson.dealt_out(known)}
    sandbox = Sandbox(lesson.WORKER)

    def passes(problems, seed, length):
        model, _ = lesson.train_writer(problems, tokenizer, seed, length)
        return [round(value, 4) for value in lesson.grade(model, tokenizer, asked, sandbox)["passes"]]

    requests = programming_problems("train", cuts["requests"])
    parts = [cut_out(requests, seed) for seed in cuts["seeds"]]
    return {
        "passes": {name: [passes(part, seed, steps) for seed in seeds] for name, part in sources.items()},
        "lengths": {
            name: {length: [passes(part, seed, length) for seed in long_seeds] for length in lengths}
            for name, part in sources.items()
        },
        "rival": {"runs": runs, "shares": [[written(*part, longest) for longest in runs] for part in parts]},
    }
