"""What the recipes of `gpt` and `bert` share: the text, the kind of tokenizer, the start, the page to know them by.

Both read documentation that is already on this computer. It belongs to the installed versions, so remade weights
differ a little from the shipped ones.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from tokenizers import Tokenizer as _Tokenizer
from tokenizers import decoders, pre_tokenizers, trainers
from torch import Tensor, nn

from ..data.documents import LICENCES, Documentation
from ..models import BERT, GPT
from .loading import HOME, Tokenizer
from .writing import rounded, write, write_card

PACKAGES = tuple(LICENCES)
IGNORED = -100  # cross_entropy's mark for "no target here"


def train_tokenizer(
    corpus: Documentation, vocabulary: int, special: list[str], tokenizer: _Tokenizer, prefix_space: bool
) -> _Tokenizer:
    """A byte-level tokenizer, trained on the documents to learn from."""
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((document.text for document in corpus.train), trainer)
    return tokenizer


def awaken(model: GPT | BERT) -> None:
    """Start with branches that add nothing: learns faster than a deviation of 0.02 at this width."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
    for block in model.blocks:
        nn.init.zeros_(block.attention.out.weight)
        nn.init.zeros_(block.feed.out.weight)


def sample_windows(model: GPT | BERT, tokenizer: Tokenizer) -> Tensor:
    """Windows (n, context) of sample.txt, a page of documentation that exists nowhere else."""
    tokens = torch.tensor(tokenizer.encode((HOME / "sample.txt").read_text(encoding="utf-8")))
    length = model.config.context
    return tokens[: len(tokens) // length * length].view(-1, length)


def store(
    folder: Path,
    model: GPT | BERT,
    tokenizer: Tokenizer,
    corpus: Documentation,
    measured: dict,
    start: float,
    name: str,
    words: dict,
) -> dict:
    """Write weights, tokenizer, figures and card; return what was measured."""
    measured |= {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "train_characters": sum(len(document.text) for document in corpus.train),
        "cpu_seconds": round(time.process_time() - start),
    }
    measured = rounded(measured)
    figures = {"model": vars(model.config), "measured": measured, "source": corpus.source, "licence": corpus.licence}
    write(folder, figures, card_of(name, figures, words), model.state_dict(), tokenizer)
    return measured


def card_of(name: str, figures: dict, words: dict) -> str:
    """The card of the weights with these figures; `words` are what differs between the two."""
    m, size = figures["measured"], figures["model"]
    licences = "\n".join(f"  - {line}" for line in figures["licence"].split("; "))
    losses = "\n".join(f"  - {text}: {m[key]:.3f}" for key, text in words["losses"].items())
    return write_card(
        name,
        words["title"],
        words["what"],
        size=f"{m['parameters']:,} parameters: {size['layers']} layers, width {size['width']}, {size['heads']} heads, "
        f"context {size['context']}, vocabulary {size['vocabulary']:,} ({words['tokenizer']}). Stored as float16 in "
        "`model.safetensors`, loaded as float32.",
        data=f"{figures['source']}; {m['train_characters'] / 1e6:.1f} million characters to learn from, read from the "
        "installed packages. A tenth of the modules is held out; no paragraph stands in both parts. The text itself "
        f"is not here. Its terms:\n{licences}",
        training=f"{m['steps']:,} steps of AdamW, seed {m['seed']}, {words['batch']}; {m['cpu_seconds']} CPU seconds "
        "on one thread, reading and measuring included. bfloat16 arithmetic: a processor without it needs longer.",
        losses=f"on the held-out modules, and on `sample.txt` beside this folder:\n{losses}",
        remake="Other versions of the packages bring other text, so the numbers move a little.",
        meant_for=words["use"],
        limits=words["limits"],
    )
