"""Read the shipped weights: a model and the tokenizer that it was trained with. Trains nothing, downloads nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from safetensors.torch import load_file
from tokenizers import Tokenizer as _Tokenizer

from ..models import BERT, GPT, BERTConfig, GPTConfig

HOME = Path(__file__).parent
NAMES = tuple(sorted(path.parent.name for path in HOME.glob("*/README.md")))


class Tokenizer:
    """Text to token numbers and back, over a `tokenizers` model in a JSON file.

    Attributes:
        vocabulary: number of tokens.
        special: the numbers of the tokens that no text can produce, by name.
    """

    def __init__(self, tokenizer: _Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.vocabulary = tokenizer.get_vocab_size()
        self.special = {token.content: number for number, token in tokenizer.get_added_tokens_decoder().items()}

    def encode(self, text: str) -> list[int]:
        """The token numbers of `text`, without special tokens."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def encode_many(self, texts: Iterable[str]) -> list[list[int]]:
        """`encode` for each of `texts`, quicker than one by one."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of token numbers, special tokens included."""
        return self._tokenizer.decode([int(token) for token in tokens], skip_special_tokens=False)

    def token(self, number: int) -> str:
        """The text of one token, as it stands in a sentence."""
        return self.decode([number])

    def save(self, path: Path) -> None:
        """Write the JSON file that this tokenizer can be read from."""
        self._tokenizer.save(str(path), pretty=False)

    def __len__(self) -> int:
        return self.vocabulary


def load_gpt() -> tuple[GPT, Tokenizer]:
    """The shipped decoder and its tokenizer, in evaluation mode and float32; see `card("gpt")`.

    Its vocabulary's special token `<|end|>` stands between two documents.
    """
    model = GPT(GPTConfig(**_read_config("gpt")))
    return _filled(model, "gpt"), load_tokenizer("gpt")


def load_bert() -> tuple[BERT, Tokenizer]:
    """The shipped encoder and its tokenizer, in evaluation mode and float32; see `card("bert")`.

    Its vocabulary's special tokens are `[PAD]`, `[CLS]`, `[SEP]` and `[MASK]`.
    """
    model = BERT(BERTConfig(**_read_config("bert")))
    return _filled(model, "bert"), load_tokenizer("bert")


def load_programs() -> tuple[GPT, Tokenizer]:
    """The shipped writer of small programs and its tokenizer, in evaluation mode and float32; see `card("programs")`.

    It continues a request, then `<program>`, with the body of a function and `<end>`; the vocabulary's other special
    tokens are `<pad>` and `<unknown>`.
    """
    model = GPT(GPTConfig(**_read_config("programs")))
    return _filled(model, "programs"), load_tokenizer("programs")


def stable_diffusion_folder() -> Path:
    """The folder of the shipped text-to-image model, for `StableDiffusionPipeline.from_pretrained`.

    See `card("stable_diffusion")`.
    """
    return HOME / "stable_diffusion"


def load_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of the weights called `name`, alone."""
    return Tokenizer(_Tokenizer.from_file(str(_folder(name) / "tokenizer.json")))


def card(name: str) -> str:
    """What the weights called `name` ("gpt", "bert", "programs") are, in Markdown: data, licences, size, cost, limits.

    Raises:
        ValueError: if there are no such weights.
    """
    return (_folder(name) / "README.md").read_text(encoding="utf-8")


def _folder(name: str) -> Path:
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    return HOME / name


def _read_config(name: str) -> dict:
    return json.loads((_folder(name) / "config.json").read_text(encoding="utf-8"))["model"]


def _filled(model: GPT | BERT, name: str) -> GPT | BERT:
    stored = load_file(_folder(name) / "model.safetensors")
    model.load_state_dict({key: value.float() for key, value in stored.items()})
    return model.eval()
