"""The recipe of the shipped encoder: tokenizer, training, measuring, card."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from tokenizers import Regex, models, normalizers
from tokenizers import Tokenizer as _Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from ...data.documents import Document, Documentation, documentation
from ...models import BERT, BERTConfig
from ...training import fit, seed_everything
from ..documents import IGNORED, PACKAGES, awaken, card_of, sample_windows, store, train_tokenizer
from ..loading import Tokenizer
from ..writing import keep_half

BATCHES = 32  # held-out batches that the encoder is measured on
PAD, CLS, SEP, MASK = SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")
WORDS = {
    "title": "Tiny BERT",
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


def make(folder: Path, steps: int = 4600, seed: int = 0) -> dict:
    """Train the encoder on masked words, next sentences and same documents; write it to `folder`."""
    start = time.process_time()
    corpus = documentation(PACKAGES)
    tokenizer = Tokenizer(_lower_case(corpus, vocabulary=4096))
    model = trained(tokenizer, corpus.train, steps, seed)
    keep_half(model)
    measured = {**bert_losses(model, tokenizer, Segments(corpus.test, tokenizer)), "steps": steps, "seed": seed}
    measured["sample_nats"] = sample_loss(model, tokenizer)
    return store(folder, model, tokenizer, corpus, measured, start, "bert", WORDS)


def trained(
    tokenizer: Tokenizer, documents: tuple[Document, ...], steps: int, seed: int = 0, contrast: bool = True
) -> BERT:
    """A fresh encoder that has read `documents`; without `contrast` its twin, which has BERT's two losses alone."""
    train = Segments(documents, tokenizer)
    seed_everything(seed)
    model = BERT(BERTConfig(vocabulary=len(tokenizer), context=128, layers=2, heads=4, width=128))
    _awaken(model)

    def loss(generator: torch.Generator) -> Tensor:
        # Batches this small leave time for more steps.
        with torch.autocast("cpu", torch.bfloat16):
            words, order = mlm_and_nsp(model, tokenizer, *train.pairs(10, generator), generator)
            more_words, kinship = mlm_and_contrast(model, tokenizer, *train.kin(28, generator), generator)
        both = words + more_words + order
        return both + kinship if contrast else both

    fit(model, loss, steps=steps, lr=3e-3, seed=seed, warmup=200, weight_decay=0.05, betas=(0.9, 0.98), clip=1.0)
    return model.eval()


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


def _lower_case(corpus: Documentation, vocabulary: int) -> _Tokenizer:
    """Byte-level BPE in lower case, all white space as one space.

    BERT used WordPiece. The library's WordPiece trainer breaks ties by chance, so its vocabulary cannot be remade.
    """
    tokenizer = _Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    return train_tokenizer(corpus, vocabulary, list(SPECIAL), tokenizer, prefix_space=True)


def _awaken(model: BERT) -> None:
    """Start with small embeddings, too: they are the output layer as well."""
    awaken(model)
    nn.init.normal_(model.token.weight, std=0.05)


@torch.no_grad()
def sample_loss(model: BERT, tokenizer: Tokenizer) -> float:
    """The loss on sample.txt, to recognise the stored weights by: nats for every seventh token, behind `[MASK]`."""
    windows = sample_windows(model, tokenizer)
    hidden_words = (torch.arange(windows.shape[1]) % 7 == 3).expand_as(windows)
    hidden = model(windows.masked_fill(hidden_words, tokenizer.special[MASK]))
    return functional.cross_entropy(model.word_logits(hidden[hidden_words]), windows[hidden_words]).item()


def write_card(figures: dict) -> str:
    """The card of the weights with these figures, in Markdown."""
    return card_of("bert", figures, WORDS)
