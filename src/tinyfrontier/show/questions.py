"""The start page's eight questions. Each answer is measured: the line of code that is shown is the line that is run.

No key is typed here: a question holds code, and how its result reads as one of the options. Needs torch, which loads
when the first answer is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

SKILLS = ("shapes", "gradients", "probability", "evaluation")
FAILED = "none: an error"  # how an option says that the line cannot run


@dataclass(frozen=True)
class Question:
    """One question of the start page.

    Attributes:
        key: its name in the progress file.
        skill: one of `SKILLS`.
        asks: the question; code stands between backticks.
        options: the answers to choose from.
        line: the expression that gives the answer.
        read: the option that a result means.
        note: one sentence on what the result teaches.
        lesson: number of the lesson that teaches it.
        place: the heading there.
        given: statements before the line.
    """

    key: str
    skill: str
    asks: str
    options: tuple[str, ...]
    line: str
    read: Callable[[Any], str]
    note: str
    lesson: int
    place: str
    given: str = ""

    @property
    def code(self) -> str:
        """What is run, to be copied below `import torch`."""
        return f"{self.given}\n{self.line}" if self.given else self.line


@dataclass(frozen=True)
class Answer:
    """What a question's line gave: the right option, and the result as it is shown."""

    option: str
    result: str


def _softmax_moves(weights: Any) -> str:
    before, after = weights
    if (before - after).abs().max() < 1e-6:
        return "stay as they are"
    return "favour the largest more" if after.max() > before.max() else "become more alike"


def _noise(leads: Any) -> str:
    doubtful = [bool(lead < 2) for lead in leads]  # a lead below two standard errors is what chance gives, too
    return {(True, False): "the 2 points", (False, True): "the 1 point", (True, True): "both"}.get(
        tuple(doubtful), "neither"
    )


def _tenth(share: Any) -> str:
    return min(("50 %", "75 %", "100 %"), key=lambda option: abs(float(option[:-2]) / 100 - float(share)))


QUESTIONS = (
    Question(
        key="scores",
        skill="shapes",
        asks="Queries `q` and keys `k` have the shape (2, 4, 10, 8): texts, heads, tokens, numbers a token. "
        "Every query meets every key of its head in `q @ k.mT`. Its shape?",
        options=("(2, 4, 10, 10)", "(2, 4, 10, 8)", "(2, 4, 8, 8)"),
        given="q = k = torch.ones(2, 4, 10, 8)",
        line="(q @ k.mT).shape",
        read=lambda shape: str(tuple(shape)),
        note="A score for each pair of tokens; the 8 numbers are summed away.",
        lesson=1,
        place="Scores: who asks whom",
    ),
    Question(
        key="broadcasting",
        skill="shapes",
        asks="Predictions have the shape (5, 1), targets the shape (5,). The shape of their difference?",
        options=("(5,)", "(5, 1)", "(5, 5)", FAILED),
        line="(torch.ones(5, 1) - torch.ones(5)).shape",
        read=lambda shape: str(tuple(shape)),
        note="Every prediction minus every target: a loss made of it is wrong, and nothing complains.",
        lesson=1,
        place="Exercise 4 · Sinusoidal positions",
    ),
    Question(
        key="gradient",
        skill="gradients",
        asks="The loss is `(w * 2 - 5) ** 2`, and `w` is 1. The gradient with respect to `w`?",
        options=("12: a smaller w is better", "-12: a larger w is better", "-6: a larger w is better"),
        given="w = torch.tensor(1.0, requires_grad=True)",
        line="torch.autograd.grad((w * 2 - 5) ** 2, w)[0]",
        read=lambda slope: f"{float(slope):.0f}: a {'larger' if slope < 0 else 'smaller'} w is better",
        note="Twice the error of -3, times the 2 that stands at `w`. A step goes against the sign.",
        lesson=22,
        place="What is left of the law",
    ),
    Question(
        key="softmax",
        skill="probability",
        asks="A softmax turns the scores 1, 2, 3 into weights. Add 100 to each score. The weights …",
        options=("favour the largest more", "stay as they are", "become more alike"),
        line="torch.tensor([[1.0, 2, 3], [101, 102, 103]]).softmax(dim=1)",
        read=_softmax_moves,
        note="Only the gaps between scores count.",
        lesson=1,
        place="Softmax: from scores to weights",
    ),
    Question(
        key="bits",
        skill="probability",
        asks="A model gives each of the 256 bytes the same probability. Its cross-entropy, in bits a byte?",
        options=("1 bit", "5.55 bits", "8 bits", "256 bits"),
        given="no_idea, byte = torch.zeros(1, 256), torch.tensor([65])",
        line="torch.nn.functional.cross_entropy(no_idea, byte) / torch.tensor(2.0).log()",
        read=lambda bits: f"{float(bits):.3g} bit{'' if f'{float(bits):.3g}' == '1' else 's'}",
        note="The logarithm of 256 to base 2. In nats it is 5.55: PyTorch counts in nats.",
        lesson=2,
        place="One number to compare all: bits per byte",
    ),
    Question(
        key="leak",
        skill="evaluation",
        asks="A table of 100 rows, the labels are coin flips. By mistake each row stands in it twice. You hold out one "
        "row at a time and give it the label of the row nearest to it. How many are right, about?",
        options=("50 %", "75 %", "100 %"),
        given="rows, coins = torch.randn(100, 4).repeat(2, 1), torch.randint(2, (100,)).repeat(2)\n"
        "nearest = torch.cdist(rows, rows).fill_diagonal_(torch.inf).argmin(dim=1)",
        line="(coins[nearest] == coins).float().mean()",
        read=_tenth,
        note="Each row's twin stayed with the others and told its label: the exam leaked, nothing was learnt.",
        lesson=11,
        place="Pixels do not know what stays the same",
    ),
    Question(
        key="constant",
        skill="evaluation",
        asks="Of 100 held-out scans 10 show a tumour. A model says “none” to every scan. Its accuracy?",
        options=("0 %", "50 %", "90 %"),
        given="tumour = torch.arange(100) < 10",
        line="(torch.zeros(100) == tumour).float().mean()",
        read=lambda share: f"{100 * float(share):.0f} %",
        note="A score says little until the score of a constant stands beside it.",
        lesson=24,
        place="Two ways to score a day",
    ),
    Question(
        key="seeds",
        skill="evaluation",
        asks="Accuracy in per cent, five seeds each. A: 71 74 69 76 70, and B: 75 72 78 70 75, ahead by 2 points. "
        "C: 72.1 71.9 72.2 72.0 71.8, and D: 73.1 72.9 73.2 73.0 72.8, ahead by 1 point. Which lead may well be noise?",
        options=("the 2 points", "the 1 point", "both", "neither"),
        given="ab = torch.tensor([[71.0, 74, 69, 76, 70], [75, 72, 78, 70, 75]])\n"
        "cd = torch.tensor([[72.1, 71.9, 72.2, 72.0, 71.8], [73.1, 72.9, 73.2, 73.0, 72.8]])",
        line="[x.mean(1).diff().item() / (x.var(1).sum() / 5).sqrt().item() for x in (ab, cd)]",
        read=_noise,
        note="Leads in standard errors. Below 2, five other seeds may turn it round.",
        lesson=15,
        place="Judge it",
    ),
)
BY_KEY: Mapping[str, Question] = {question.key: question for question in QUESTIONS}


def _shown(result: Any) -> str:
    if isinstance(result, Exception):
        return f"{type(result).__name__}: {result}"
    if hasattr(result, "tolist"):
        result = result.tolist()
    if isinstance(result, list):
        return f"[{', '.join(map(_shown, result))}]"
    if isinstance(result, tuple):
        return str(tuple(result))
    return f"{result:.2f}".removesuffix(".00") if isinstance(result, float) else str(result)


@lru_cache(maxsize=len(QUESTIONS))
def measured(key: str) -> Answer:
    """Run a question's code and read the answer off its result; random numbers of the reader's stay as they were.

    Raises:
        ValueError: if there is no question `key`, or its result reads as none of its options.
    """
    import torch

    if key not in BY_KEY:
        raise ValueError(f"question must be one of {', '.join(BY_KEY)}, got {key!r}")
    question, names = BY_KEY[key], {"torch": torch}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            exec(question.given, names)
            result = eval(question.line, names)
            option = question.read(result)
        except RuntimeError as error:
            result, option = error, FAILED
    if option not in question.options:
        raise ValueError(f"{key} was measured as {option!r}, which is none of {', '.join(question.options)}")
    return Answer(option, _shown(result))


def standing(answers: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """How many answers were right and how many were given, by skill; what is no answer to a question does not count."""
    counts = dict.fromkeys(SKILLS, (0, 0))
    for question in QUESTIONS:
        said = answers.get(question.key)
        if said in question.options:
            right, given = counts[question.skill]
            counts[question.skill] = right + (said == measured(question.key).option), given + 1
    return counts
