"""The recipe of the shipped decoder: tokenizer, training, measuring, card."""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer as _Tokenizer
from tokenizers import models
from torch import Tensor, nn
from torch.nn import functional

from ...data.documents import Document, Documentation, documentation
from ...models import GPT, GPTConfig
from ...training import fit, seed_everything
from ..documents import IGNORED, PACKAGES, awaken, card_of, sample_windows, store, train_tokenizer
from ..loading import Tokenizer
from ..writing import keep_half

END = "<|end|>"
WORDS = {
    "title": "Tiny GPT",
    "what": "A decoder with GPT-2's architecture that continues the documentation of Python's scientific packages.",
    "tokenizer": "byte-level BPE",
    "batch": "16 windows of 128 tokens each",
    "losses": {"held_out_bits_per_byte": "bits per byte, held out", "sample_nats": "nats per token of the sample"},
    "use": "lessons on language models, prompts and LoRA, as a base that is quick to load and to fine-tune.",
    "limits": "it knows the form of documentation, not facts: names, numbers and claims in what it writes are made up. "
    "English only, 128 tokens at a time. Nothing was done to keep it from writing anything unwanted that its sources "
    "contain.",
}


def make(folder: Path, steps: int = 6000, seed: int = 0) -> dict:
    """Train the decoder on documents joined by `<|end|>`; write it to `folder` and return what was measured."""
    start = time.process_time()
    corpus = documentation(PACKAGES)
    tokenizer = Tokenizer(_byte_level(corpus, vocabulary=2048))
    train = _one_line(corpus.train, tokenizer)
    seed_everything(seed)
    model = GPT(GPTConfig(vocabulary=len(tokenizer), context=128, layers=3, heads=4, width=128, tied=False))
    _awaken(model)

    def loss(generator: torch.Generator) -> Tensor:
        starts = torch.randint(len(train) - model.config.context - 1, (16, 1), generator=generator)
        window = train[starts + torch.arange(model.config.context + 1)]  # (batch, context + 1)
        # bfloat16 halves the time; the weights and the optimiser stay in float32.
        with torch.autocast("cpu", torch.bfloat16):
            logits, _ = model(window[:, :-1])
        return functional.cross_entropy(logits.float().flatten(0, 1), window[:, 1:].flatten())

    # 4e-3 is what a model this narrow takes without diverging; decay keeps two passes over the text from overfitting.
    fit(model, loss, steps=steps, lr=4e-3, seed=seed, warmup=100, weight_decay=0.1, betas=(0.9, 0.95), clip=1.0)
    model.eval()
    keep_half(model)
    per_byte = bits_per_byte(model, tokenizer, [document.text for document in corpus.test])
    measured = {"held_out_bits_per_byte": per_byte, "train_tokens": len(train), "steps": steps, "seed": seed}
    measured["sample_nats"] = sample_loss(model, tokenizer)
    return store(folder, model, tokenizer, corpus, measured, start, "gpt", WORDS)


@torch.no_grad()
def bits_per_byte(model: GPT, tokenizer: Tokenizer, texts: list[str]) -> float:
    """Bits that `model` needs for each byte of `texts`, windows side by side, each starting from `<|end|>` alone."""
    context, end = model.config.context, tokenizer.special[END]
    windows = []
    for tokens in tokenizer.encode_many(texts):
        windows += [tokens[i : i + context] for i in range(0, len(tokens), context)]
    nats = 0.0
    for first in range(0, len(windows), 64):
        some = windows[first : first + 64]
        targets = nn.utils.rnn.pad_sequence([torch.tensor(w) for w in some], batch_first=True, padding_value=IGNORED)
        inputs = functional.pad(targets.clamp(min=0)[:, :-1], (1, 0), value=end)  # (batch, tokens)
        logits, _ = model(inputs)
        nats += functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        ).item()
    return nats / math.log(2) / sum(len(text.encode()) for text in texts)


def _byte_level(corpus: Documentation, vocabulary: int) -> _Tokenizer:
    """Byte-level BPE: any text can be encoded, and decoding gives it back exactly."""
    return train_tokenizer(corpus, vocabulary, [END], _Tokenizer(models.BPE()), prefix_space=False)


def _one_line(documents: tuple[Document, ...], tokenizer: Tokenizer) -> Tensor:
    """All documents' tokens behind one another, `<|end|>` after each."""
    end = tokenizer.special[END]
    tokens = tokenizer.encode_many(document.text for document in documents)
    return torch.tensor([token for document in tokens for token in (*document, end)])


def _awaken(model: GPT) -> None:
    """Start with an even guess, too."""
    awaken(model)
    nn.init.zeros_(model.head.weight)
    nn.init.normal_(model.token.weight, std=0.5)
    nn.init.normal_(model.position.weight, std=0.1)


@torch.no_grad()
def sample_loss(model: GPT, tokenizer: Tokenizer) -> float:
    """The loss on sample.txt, to recognise the stored weights by: nats for each next token of its first windows."""
    windows = sample_windows(model, tokenizer)
    logits = model(windows)[0][:, :-1]
    return functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()).item()


def write_card(figures: dict) -> str:
    """The card of the weights with these figures, in Markdown."""
    return card_of("gpt", figures, WORDS)
