"""The recipe of the weights that write small Python functions: tokenizer, training, measuring, card.

Requests and programs come from `lessons/10_code_generation/programs.py`; what is held out there never gets here before
the measuring. A sequence is the request's words, `<program>`, the function's body in Python tokens, `<end>`. Nothing is
executed: a program counts as right here when it is the grammar's own, token by token.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Regex, models, pre_tokenizers
from tokenizers import Tokenizer as _Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from ...beside.lesson_10.programs import HEADER, Problem, programming_problems
from ...models import GPT, GPTConfig
from ...training import fit, seed_everything
from .. import writing
from ..loading import Tokenizer

PAD, UNKNOWN, PROGRAM, END = SPECIAL = ("<pad>", "<unknown>", "<program>", "<end>")
# A word, a digit, an operator, or the end of a line together with the indent of the next.
PIECE = r"\n *|[A-Za-z_]+|\d|//|[=!<>*+]=|[^\sA-Za-z_\d]"
# Words without which a request still says the same. Some are hidden in training, so that a stranger does no harm.
FILLERS = frozenset("please given a list of write function to the return compute find numbers number".split())
IGNORED = -100  # cross_entropy's mark for "no target here"
REQUESTS = 20_000  # training requests; a pass over them is about 1.2 million tokens
EXAM = 400  # held-out requests a kind


def make(folder: Path, steps: int = 2200, seed: int = 0) -> dict:
    """Train a decoder to continue requests with programs; write it to `folder` and return what was measured."""
    start = time.process_time()
    train = programming_problems("train", REQUESTS)
    tokenizer = Tokenizer(words_and_python(train))
    seed_everything(seed)
    model = GPT(GPTConfig(vocabulary=len(tokenizer), context=128, layers=3, heads=4, width=128))
    _awaken(model)
    buckets = by_length([sequence(tokenizer, problem) for problem in train])
    # by the root of their sizes: there are few short requests, and they are what a reader tries first
    shares = torch.tensor([bucket.numel() ** 0.5 for bucket in buckets])
    unknown, program = tokenizer.special[UNKNOWN], tokenizer.special[PROGRAM]
    fillers = torch.zeros(len(tokenizer), dtype=torch.bool)
    fillers[[tokenizer.encode(word)[0] for word in sorted(FILLERS)]] = True

    def loss(generator: torch.Generator) -> Tensor:
        bucket = buckets[int(torch.multinomial(shares, 1, generator=generator))]
        # about as many tokens in a batch of long programs as in one of short programs
        rows = torch.randint(len(bucket), (max(8, 1800 // bucket.shape[1]),), generator=generator)
        tokens = bucket[rows]  # (batch, tokens)
        in_request = (tokens == program).cumsum(1) == 0
        hidden = in_request & fillers[tokens] & (torch.rand(tokens.shape, generator=generator) < 0.1)
        inputs = tokens.masked_fill(hidden, unknown)[:, :-1]
        targets = tokens.masked_fill(in_request | (tokens == program), IGNORED)[:, 1:]
        with torch.autocast("cpu", torch.bfloat16):  # halves the time; weights and optimiser stay in float32
            logits, _ = model(inputs)
        return functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED)

    fit(model, loss, steps=steps, lr=3e-3, seed=seed, warmup=100, weight_decay=0.1, betas=(0.9, 0.98), clip=1.0)
    model.eval()
    writing.keep_half(model)
    measured = {}
    for split in ("compositions", "wordings"):
        exam = programming_problems(split, EXAM)
        measured[f"{split}_exact"] = exact_share(model, tokenizer, exam)
        measured[f"{split}_nats"] = program_nats(model, tokenizer, exam)
    measured |= {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "requests": REQUESTS,
        "steps": steps,
        "seed": seed,
        "cpu_seconds": round(time.process_time() - start),
    }
    return _write(folder, model, tokenizer, measured)


def words_and_python(problems: Iterable[Problem]) -> _Tokenizer:
    """A tokenizer whose tokens are the words and the pieces of Python that occur in `problems`."""
    cutter = pre_tokenizers.Split(Regex(PIECE), behavior="removed", invert=True)
    pieces = {text for p in problems for side in (p.request, body(p)) for text, _ in cutter.pre_tokenize_str(side)}
    vocabulary = {piece: number for number, piece in enumerate((*SPECIAL, *sorted(pieces)))}
    tokenizer = _Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = cutter
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def body(problem: Problem) -> str:
    """The program without its first line, which is always the same."""
    return problem.program.removeprefix(HEADER)


def sequence(tokenizer: Tokenizer, problem: Problem) -> list[int]:
    """Token numbers of request, `<program>`, the program's body and `<end>`."""
    middle, end = tokenizer.special[PROGRAM], tokenizer.special[END]
    return [*tokenizer.encode(problem.request), middle, *tokenizer.encode(body(problem)), end]


def by_length(sequences: Sequence[list[int]], width: int = 8) -> list[Tensor]:
    """The sequences as tables (sequences, tokens) of similar lengths, filled up with token 0, `<pad>`."""
    groups: dict[int, list[Tensor]] = {}
    for tokens in sequences:
        groups.setdefault(-(-len(tokens) // width), []).append(torch.tensor(tokens))
    return [nn.utils.rnn.pad_sequence(groups[key], batch_first=True) for key in sorted(groups)]


@torch.no_grad()
def exact_share(model: GPT, tokenizer: Tokenizer, problems: Sequence[Problem]) -> float:
    """Share of requests that the model, taking the likeliest token each time, answers with the grammar's program.

    Checked in one pass: the program comes out if each of its tokens is the likeliest after those before it.
    """
    right = 0
    for table in by_length([sequence(tokenizer, problem) for problem in problems]):
        guesses = model(table[:, :-1])[0].argmax(-1)  # (sequences, tokens - 1)
        wanted = _program_tokens(tokenizer, table)[:, 1:]
        right += int((~wanted | (guesses == table[:, 1:])).all(1).sum())
    return right / len(problems)


@torch.no_grad()
def program_nats(model: GPT, tokenizer: Tokenizer, problems: Sequence[Problem]) -> float:
    """Mean cost of a whole program, given its request, in nats."""
    nats = 0.0
    for table in by_length([sequence(tokenizer, problem) for problem in problems]):
        targets = table.masked_fill(~_program_tokens(tokenizer, table), IGNORED)[:, 1:]
        logits = model(table[:, :-1])[0].flatten(0, 1)
        nats += functional.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED, reduction="sum").item()
    return nats / len(problems)


def _program_tokens(tokenizer: Tokenizer, table: Tensor) -> Tensor:
    """True where `table` (sequences, tokens) holds a token of a program or its `<end>`."""
    middle = table == tokenizer.special[PROGRAM]
    return (middle.cumsum(1) > 0) & ~middle & (table != tokenizer.special[PAD])


def _awaken(model: GPT) -> None:
    """Start with branches that add nothing: learns faster than GPT-2's start at this width."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and layer is not model.head:
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
    for block in model.blocks:
        nn.init.zeros_(block.attention.out.weight)
        nn.init.zeros_(block.feed.out.weight)
    nn.init.normal_(model.token.weight, std=0.05)
    nn.init.normal_(model.position.weight, std=0.02)


def _write(folder: Path, model: GPT, tokenizer: Tokenizer, measured: dict) -> dict:
    measured = writing.rounded(measured)
    source = "requests and programs made by `lessons/10_code_generation/programs.py`"
    figures = {"model": vars(model.config), "measured": measured, "source": source, "licence": "the course's own"}
    writing.write(folder, figures, write_card(figures), model.state_dict(), tokenizer)
    return measured


def write_card(figures: dict) -> str:
    """The card of the weights with these figures, in Markdown."""
    m, size = figures["measured"], figures["model"]
    return writing.write_card(
        "programs",
        "Tiny programmer",
        "A decoder with GPT-2's architecture that continues a request in words with the body of a small Python "
        "function.",
        size=f"{m['parameters']:,} parameters: {size['layers']} layers, width {size['width']}, {size['heads']} heads, "
        f"context {size['context']}, vocabulary {size['vocabulary']:,} (words and Python tokens). Stored as float16 "
        "in `model.safetensors`, loaded as float32.",
        data=f"{m['requests']:,} {figures['source']}; {figures['licence']}. A tenth of all ordered pairs of "
        "neighbouring operations and one wording of each operation are held out.",
        training=f"{m['steps']:,} steps of AdamW, seed {m['seed']}, about 1,800 tokens each, some filler words hidden; "
        f"{m['cpu_seconds']} CPU seconds on one thread, measuring included. bfloat16 arithmetic: a processor without "
        "it needs longer.",
        losses=f"on {EXAM} held-out requests of each kind; a program is exact if it is the grammar's own, token by "
        f"token:\n  - held-out compositions: {m['compositions_exact']:.3f} exact, {m['compositions_nats']:.3f} nats a "
        f"program\n  - held-out wordings: {m['wordings_exact']:.3f} exact, {m['wordings_nats']:.3f} nats a program",
        meant_for="the lesson on writing programs, to draw many candidates, run them in a sandbox and count.",
        limits=f"it knows a grammar of requests about lists of integers, {size['vocabulary']} tokens in all, not "
        "English and not Python. A word that it never saw is `<unknown>` to it. What it writes may be wrong and must "
        "be run in a sandbox only.",
    )
