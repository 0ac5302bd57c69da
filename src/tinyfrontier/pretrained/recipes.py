"""Remake the shipped weights: `python -m tinyfrontier.pretrained.recipes gpt` (or another name of `RECIPES`).

The recipes of `gpt` and `bert` stand here. Each reads documentation that is already on this computer, trains a
tokenizer and a model on it, measures the model on held-out modules, and writes model.safetensors, tokenizer.json and
config.json beside the card. The documentation belongs to the installed versions, so remade weights differ a little
from the shipped ones. The other recipes stand in the modules that `RECIPES` names.
"""

from __future__ import annotations

import argparse
import math
import time
from importlib import import_module
from pathlib import Path

import torch
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as _Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from ..data.documents import LICENCES, Document, Documentation, documentation
from ..models import BERT, GPT, BERTConfig, GPTConfig
from ..training import fit, seed_everything
from .loading import HOME, Tokenizer
from .storing import as_half, keep_half, write_files

PACKAGES = tuple(LICENCES)
IGNORED = -100  # cross_entropy's mark for "no target here"
BATCHES = 32  # held-out batches that the encoder is measured on
END = "<|end|>"
PAD, CLS, SEP, MASK = BERT_SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")


def gpt(folder: Path, steps: int = 6000, seed: int = 0) -> dict:
    """Train the decoder on documents joined by `<|end|>`; write it to `folder` and return what was measured."""
    start = time.process_time()
    corpus = documentation(PACKAGES)
    tokenizer = Tokenizer(_gpt_tokenizer(corpus, vocabulary=2048))
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
    return _write(folder, model, tokenizer, corpus, measured, start)


def bert(folder: Path, steps: int = 4600, seed: int = 0) -> dict:
    """Train the encoder on masked words, next sentences and same documents; write it to `folder`."""
    start = time.process_time()
    corpus = documentation(PACKAGES)
    tokenizer = Tokenizer(_bert_tokenizer(corpus, vocabulary=4096))
    train, test = (Segments(part, tokenizer) for part in (corpus.train, corpus.test))
    seed_everything(seed)
    model = BERT(BERTConfig(vocabulary=len(tokenizer), context=128, layers=2, heads=4, width=128))
    _awaken(model)

    def loss(generator: torch.Generator) -> Tensor:
        # Batches this small leave time for more steps.
        with torch.autocast("cpu", torch.bfloat16):
            words, order = mlm_and_nsp(model, tokenizer, *train.pairs(10, generator), generator)
            more_words, kinship = mlm_and_contrast(model, tokenizer, *train.kin(28, generator), generator)
        return words + more_words + order + kinship

    fit(model, loss, steps=steps, lr=3e-3, seed=seed, warmup=200, weight_decay=0.05, betas=(0.9, 0.98), clip=1.0)
    model.eval()
    keep_half(model)
    measured = {**bert_losses(model, tokenizer, test), "steps": steps, "seed": seed}
    return _write(folder, model, tokenizer, corpus, measured, start)


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


class Segments:
    """Documents as token numbers, from which pairs of neighbouring or related segments are drawn."""

    def __init__(self, documents: tuple[Document, ...], tokenizer: Tokenizer) -> None:
        self.special = tokenizer.special
        self.documents: list[Tensor] = []
        self.joints: list[tuple[int, int]] = []  # (document, token at which a paragraph starts)
        self.joints_of: list[list[int]] = []
        for document in documents:
            paragraphs = tokenizer.encode_many(document.paragraphs)
            offset, joints = 0, []
            for paragraph in paragraphs:
                joints.append(offset)
                offset += len(paragraph)
            if len(joints) < 4:  # too short to hold two different segments
                continue
            self.joints += [(len(self.documents), joint) for joint in joints[1:]]
            self.joints_of.append(joints)
            self.documents.append(torch.tensor([token for paragraph in paragraphs for token in paragraph]))

    def pairs(self, batch: int, generator: torch.Generator, length: int = 62) -> tuple[Tensor, Tensor, Tensor]:
        """Token numbers and types (batch, 2 * length + 3), and order (batch,): 0 where the second text follows."""
        order = torch.randint(2, (batch,), generator=generator)
        first, second = self._draw(batch, generator), self._draw(batch, generator)
        rows, types = [], []
        for (a, joint), other, apart in zip(first, second, order.tolist()):
            b, start = other if apart else (a, joint)
            left = self.documents[a][max(0, joint - length) : joint].tolist()
            right = self.documents[b][start : start + length].tolist()
            rows.append([self.special[CLS], *left, self.special[SEP], *right, self.special[SEP]])
            types.append([0] * (len(left) + 2) + [1] * (len(right) + 1))
        return self._padded(rows), self._padded(types, 0), order

    def kin(self, batch: int, generator: torch.Generator, length: int = 46) -> tuple[Tensor, Tensor]:
        """Two segments of the same document in each row: two tensors (batch, length + 2)."""
        sides: tuple[list, list] = ([], [])
        for document, joint in self._draw(batch, generator):
            joints = self.joints_of[document]
            other = joints[torch.randint(len(joints), (), generator=generator)]
            if other == joint:
                other = joints[0]
            for side, start in zip(sides, (joint, other)):
                segment = self.documents[document][start : start + length].tolist()
                side.append([self.special[CLS], *segment, self.special[SEP]])
        return self._padded(sides[0]), self._padded(sides[1])

    def _draw(self, batch: int, generator: torch.Generator) -> list[tuple[int, int]]:
        return [self.joints[i] for i in torch.randint(len(self.joints), (batch,), generator=generator).tolist()]

    def _padded(self, rows: list[list[int]], value: int | None = None) -> Tensor:
        value = self.special[PAD] if value is None else value
        return nn.utils.rnn.pad_sequence([torch.tensor(r) for r in rows], batch_first=True, padding_value=value)


def masked(tokens: Tensor, tokenizer: Tokenizer, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hide 15 % of the words: of these 80 % become `[MASK]`, 10 % a random token, 10 % stay. Inputs and targets."""
    special = tokenizer.special
    usable = (tokens != special[PAD]) & (tokens != special[CLS]) & (tokens != special[SEP])
    chosen = usable & (torch.rand(tokens.shape, generator=generator) < 0.15)
    fate = torch.rand(tokens.shape, generator=generator)
    randoms = torch.randint(len(special), len(tokenizer), tokens.shape, generator=generator)
    inputs = tokens.masked_fill(chosen & (fate < 0.8), special[MASK])
    inputs = torch.where(chosen & (fate >= 0.9), randoms, inputs)
    return inputs, tokens.masked_fill(~chosen, IGNORED)


def mlm_and_nsp(
    model: BERT, tokenizer: Tokenizer, tokens: Tensor, types: Tensor, order: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The two losses of BERT, in nats: a masked word, and whether the second text follows the first."""
    inputs, targets = masked(tokens, tokenizer, generator)
    hidden = model(inputs, types, tokens != tokenizer.special[PAD])
    return _words(model, hidden, targets), functional.cross_entropy(model.next_sentence_logits(hidden).float(), order)


def mlm_and_contrast(
    model: BERT, tokenizer: Tokenizer, left: Tensor, right: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Masked words, and which segment in the batch comes from the same document (InfoNCE, arXiv 1807.03748)."""
    width = max(left.shape[1], right.shape[1])
    pad = tokenizer.special[PAD]
    tokens = torch.cat([functional.pad(side, (0, width - side.shape[1]), value=pad) for side in (left, right)])
    inputs, targets = masked(tokens, tokenizer, generator)
    hidden = model(inputs, None, tokens != pad)
    a, b = functional.normalize(model.pool(hidden).float(), dim=-1).chunk(2)  # each (batch, width)
    scores = a @ b.T / 0.07  # SimCLR's and CLIP's usual temperature
    same = torch.arange(len(a))
    kinship = (functional.cross_entropy(scores, same) + functional.cross_entropy(scores.T, same)) / 2
    return _words(model, hidden, targets), kinship


@torch.no_grad()
def bert_losses(model: BERT, tokenizer: Tokenizer, segments: Segments) -> dict[str, float]:
    """Held-out MLM loss in nats, MLM accuracy, NSP accuracy, and same-document accuracy among 48."""
    generator = torch.Generator().manual_seed(1)
    found: dict[str, list[float]] = {"mlm_nats": [], "mlm_accuracy": [], "nsp_accuracy": [], "kin_nats": []}
    for _ in range(BATCHES):
        tokens, types, order = segments.pairs(16, generator)
        inputs, targets = masked(tokens, tokenizer, generator)
        hidden = model(inputs, types, tokens != tokenizer.special[PAD])
        chosen = targets != IGNORED
        logits = model.word_logits(hidden[chosen])  # (chosen, vocabulary)
        found["mlm_nats"].append(functional.cross_entropy(logits, targets[chosen]).item())
        found["mlm_accuracy"].append((logits.argmax(-1) == targets[chosen]).float().mean().item())
        found["nsp_accuracy"].append((model.next_sentence_logits(hidden).argmax(-1) == order).float().mean().item())
        found["kin_nats"].append(mlm_and_contrast(model, tokenizer, *segments.kin(48, generator), generator)[1].item())
    return {f"held_out_{name}": sum(values) / BATCHES for name, values in found.items()}


def _words(model: BERT, hidden: Tensor, targets: Tensor) -> Tensor:
    chosen = targets != IGNORED  # the head is dear, so it runs where a word is hidden only
    return functional.cross_entropy(model.word_logits(hidden[chosen]).float(), targets[chosen])


def _gpt_tokenizer(corpus: Documentation, vocabulary: int) -> _Tokenizer:
    """Byte-level BPE: any text can be encoded, and decoding gives it back exactly."""
    return _trained(corpus, vocabulary, [END], _Tokenizer(models.BPE()), prefix_space=False)


def _bert_tokenizer(corpus: Documentation, vocabulary: int) -> _Tokenizer:
    """Byte-level BPE in lower case, all white space as one space.

    BERT used WordPiece. The library's WordPiece trainer breaks ties by chance, so its vocabulary cannot be remade.
    """
    tokenizer = _Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    return _trained(corpus, vocabulary, list(BERT_SPECIAL), tokenizer, prefix_space=True)


def _trained(
    corpus: Documentation, vocabulary: int, special: list[str], tokenizer: _Tokenizer, prefix_space: bool
) -> _Tokenizer:
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


def _one_line(documents: tuple[Document, ...], tokenizer: Tokenizer) -> Tensor:
    """All documents' tokens behind one another, `<|end|>` after each."""
    end = tokenizer.special[END]
    tokens = tokenizer.encode_many(document.text for document in documents)
    return torch.tensor([token for document in tokens for token in (*document, end)])


def _awaken(model: GPT | BERT) -> None:
    """Start with branches that add nothing and an even guess: learns faster than a deviation of 0.02 at this width."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
    for block in model.blocks:
        nn.init.zeros_(block.attention.out.weight)
        nn.init.zeros_(block.feed.out.weight)
    if isinstance(model, GPT):
        nn.init.zeros_(model.head.weight)
        nn.init.normal_(model.token.weight, std=0.5)
        nn.init.normal_(model.position.weight, std=0.1)
    else:  # the embedding is the output layer too, so it starts small
        nn.init.normal_(model.token.weight, std=0.05)


@torch.no_grad()
def sample_loss(model: GPT | BERT, tokenizer: Tokenizer) -> float:
    """The loss on sample.txt, a page of documentation that exists nowhere else, to recognise the stored weights by.

    Nats for each token of its first windows of 128: the next token for the decoder, for the encoder every seventh
    token, hidden behind `[MASK]`.
    """
    tokens = torch.tensor(tokenizer.encode((HOME / "sample.txt").read_text(encoding="utf-8")))
    length = model.config.context
    windows = tokens[: len(tokens) // length * length].view(-1, length)  # (windows, context)
    if isinstance(model, GPT):
        logits = model(windows)[0][:, :-1]
        return functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()).item()
    hidden_words = (torch.arange(length) % 7 == 3).expand_as(windows)
    hidden = model(windows.masked_fill(hidden_words, tokenizer.special[MASK]))
    return functional.cross_entropy(model.word_logits(hidden[hidden_words]), windows[hidden_words]).item()


def _write(
    folder: Path, model: GPT | BERT, tokenizer: Tokenizer, corpus: Documentation, measured: dict, start: float
) -> dict:
    measured |= {
        "sample_nats": sample_loss(model, tokenizer),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "train_characters": sum(len(document.text) for document in corpus.train),
        "cpu_seconds": round(time.process_time() - start),
    }
    measured = {name: round(value, 4) if isinstance(value, float) else value for name, value in measured.items()}
    config = {"model": vars(model.config), "measured": measured, "source": corpus.source, "licence": corpus.licence}
    write_files(folder, as_half(model), config, write_card(config))
    tokenizer.save(folder / "tokenizer.json")
    return measured


def write_card(config: dict) -> str:
    """The card of the weights that `config` describes, in Markdown."""
    is_gpt = "tied" in config["model"]
    m = config["measured"]
    size = config["model"]
    title, name, words = ("Tiny GPT", "gpt", GPT_CARD) if is_gpt else ("Tiny BERT", "bert", BERT_CARD)
    licences = "\n".join(f"  - {line}" for line in config["licence"].split("; "))
    losses = "\n".join(f"  - {text}: {m[key]:.3f}" for key, text in words["losses"].items())
    return f"""# {title}

{words["what"]}

- **Size**: {m["parameters"]:,} parameters: {size["layers"]} layers, width {size["width"]}, {size["heads"]} heads, \
context {size["context"]}, vocabulary {size["vocabulary"]:,} ({words["tokenizer"]}). Stored as float16 in \
`model.safetensors`, loaded as float32.
- **Data**: {config["source"]}; {m["train_characters"] / 1e6:.1f} million characters to learn from, read from the \
installed packages. A tenth of the modules is held out; no paragraph stands in both parts. The text itself is not \
here. Its terms:
{licences}
- **Training**: {m["steps"]:,} steps of AdamW, seed {m["seed"]}, {words["batch"]}; {m["cpu_seconds"]} CPU seconds on \
one thread, reading and measuring included. bfloat16 arithmetic: a processor without it needs longer.
- **Losses** on the held-out modules, and on `sample.txt` beside this folder:
{losses}
- **Remake**: `python -m tinyfrontier.pretrained.recipes {name}`. Other versions of the packages bring other text, so \
the numbers move a little.
- **Meant for**: {words["use"]}
- **Limits**: {words["limits"]}
"""


GPT_CARD = {
    "what": "A decoder with GPT-2's architecture that continues the documentation of Python's scientific packages.",
    "tokenizer": "byte-level BPE",
    "batch": "16 windows of 128 tokens each",
    "losses": {"held_out_bits_per_byte": "bits per byte, held out", "sample_nats": "nats per token of the sample"},
    "use": "lessons on language models, prompts and LoRA, as a base that is quick to load and to fine-tune.",
    "limits": "it knows the form of documentation, not facts: names, numbers and claims in what it writes are made up. "
    "English only, 128 tokens at a time. Nothing was done to keep it from writing anything unwanted that its sources "
    "contain.",
}
BERT_CARD = {
    "what": "An encoder with BERT's architecture that has read the documentation of Python's scientific packages.",
    "tokenizer": "byte-level BPE in lower case",
    "batch": "each with masked words and next sentences (10 pairs of segments, as in BERT) and masked words and same "
    "documents (28 pairs, contrastive, which BERT did not have)",
    "losses": {
        "held_out_mlm_nats": "nats per masked token, held out",
        "held_out_mlm_accuracy": "share of masked tokens filled right, held out",
        "held_out_nsp_accuracy": "share of next sentences told right, held out (chance 0.5)",
        "held_out_kin_nats": "nats to tell the same document among 48, held out (chance 3.871)",
        "sample_nats": "nats per masked token of the sample",
    },
    "use": "lessons on masked language models and fine-tuning with few labels.",
    "limits": "it has read one kind of English text only, in lower case, 128 tokens at a time; its vectors tell "
    "packages and topics apart better than they tell what a sentence says.",
}
# Recipe, and the module of this package that holds a function of that name; loaded when it is asked for.
RECIPES = {
    "bert": "recipes",
    "gpt": "recipes",
    "mae": "masked_autoencoder",
    "programs": "programs",
    "stable_diffusion": "stable_diffusion",
}


def main(arguments: list[str] | None = None) -> None:
    """Run one recipe and print what it measured."""
    parser = argparse.ArgumentParser(prog="python -m tinyfrontier.pretrained.recipes", description=main.__doc__)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--out", type=Path, help="folder to write to (default: over the shipped files)")
    parser.add_argument("--steps", type=int, help="training steps (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    options = {} if given.steps is None else {"steps": given.steps}
    recipe = getattr(import_module(f".{RECIPES[given.name]}", __package__), given.name)
    measured = recipe(given.out or HOME / given.name, seed=given.seed, **options)
    for name, value in measured.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
