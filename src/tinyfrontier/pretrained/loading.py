"""Read the shipped weights: a model and the tokenizer that it was trained with. Trains nothing, downloads nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from safetensors.torch import load_file
from tokenizers import Tokenizer as _Tokenizer
from torch import Tensor, nn

from ..models import (
    BERT,
    GPT,
    BERTConfig,
    DenoiserConfig,
    Folder,
    Forecaster,
    GPTConfig,
    MoleculeDenoiser,
    ProteinModel,
    Restorer,
    RestorerConfig,
)

if TYPE_CHECKING:
    from transformers.models.vit_mae.modeling_vit_mae import ViTMAEForPreTraining

HOME = Path(__file__).parent
Model = TypeVar("Model", bound=nn.Module)
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
    return _filled(GPT(GPTConfig(**figures_of("gpt")["model"])), "gpt"), load_tokenizer("gpt")


def load_bert() -> tuple[BERT, Tokenizer]:
    """The shipped encoder and its tokenizer, in evaluation mode and float32; see `card("bert")`.

    Its vocabulary's special tokens are `[PAD]`, `[CLS]`, `[SEP]` and `[MASK]`.
    """
    return _filled(BERT(BERTConfig(**figures_of("bert")["model"])), "bert"), load_tokenizer("bert")


def load_programs() -> tuple[GPT, Tokenizer]:
    """The shipped writer of small programs and its tokenizer, in evaluation mode and float32; see `card("programs")`.

    It continues a request, then `<program>`, with the body of a function and `<end>`; the vocabulary's other special
    tokens are `<pad>` and `<unknown>`.
    """
    return _filled(GPT(GPTConfig(**figures_of("programs")["model"])), "programs"), load_tokenizer("programs")


def load_mae(seed: int = 0) -> ViTMAEForPreTraining:
    """One of the shipped masked autoencoders, in evaluation mode and float32; see `card("mae")`.

    It takes digits (batch, 1, 8, 8), less 0.305 and divided by 0.376.

    Raises:
        ValueError: if `seed` is not 0, 1 or 2.
    """
    from transformers.models.vit_mae.configuration_vit_mae import ViTMAEConfig
    from transformers.models.vit_mae.modeling_vit_mae import ViTMAEForPreTraining

    figures = figures_of("mae")
    seeds = len(figures["measured"]["held_out_masked_mse"])
    if seed not in range(seeds):
        raise ValueError(f"seed must be 0 to {seeds - 1}, got {seed!r}")
    return _filled(ViTMAEForPreTraining(ViTMAEConfig(**figures["model"])), "mae", f"{seed}.")


def load_molecules(seed: int = 0) -> MoleculeDenoiser:
    """One of the shipped denoisers of molecules, in evaluation mode and float32; see `card("molecules")`.

    Raises:
        ValueError: if `seed` is not 0, 1 or 2.
    """
    figures = figures_of("molecules")
    seeds = len(figures["measured"]["loss_others"])
    if seed not in range(seeds):
        raise ValueError(f"seed must be 0 to {seeds - 1}, got {seed!r}")
    return _filled(MoleculeDenoiser(DenoiserConfig(**figures["model"])), "molecules", f"{seed}.")


def molecule_set() -> tuple[list[str], Tensor, Tensor]:
    """All molecules that the denoisers' recipe grew: SMILES (n), elements (n, 6) into "CNOF", positions (n, 6, 3).

    Positions are in Angstrom, float32, their middle at zero.
    """
    stored = load_file(_folder("molecules") / "model.safetensors")
    smiles = (_folder("molecules") / "molecules.smi").read_text(encoding="utf-8").split()
    positions = stored["data.positions"].float()
    return smiles, stored["data.elements"].long(), positions - positions.mean(dim=1, keepdim=True)


def load_inscriptions() -> Restorer:
    """The shipped restorer of inscriptions, in evaluation mode and float32; see `card("inscriptions")`."""
    config = RestorerConfig(**figures_of("inscriptions")["model"])
    return _filled(Restorer(config), "inscriptions")


def load_weather() -> tuple[Forecaster, Tensor, Tensor]:
    """The shipped weather model, weather to learn from, and states to start from; see `card("weather")`.

    The model is in evaluation mode and float32. The weather is (runs, days, 2, 32, 32), the states (8, 2, 32, 32).
    """
    from ..beside.lesson_24.atmosphere import Atmosphere

    figures, stored = figures_of("weather"), load_file(_folder("weather") / "model.safetensors")
    air = Atmosphere(figures["grid"], figures["steps_a_day"])
    net = _filled(Forecaster(air, stored["net.scales"], **figures["model"]), "weather", "net.")
    return net, stored["live"].float(), stored["starts"].float()


def load_folding(seed: int = 0, shuffled: bool = False) -> Folder:
    """One of the shipped folding networks, in evaluation mode and float32; see `card("folding")`.

    Args:
        seed: which of the three trainings.
        shuffled: True for one that learnt from alignments with shuffled columns.

    Raises:
        ValueError: if `seed` is not 0, 1 or 2.
    """
    figures = figures_of("folding")
    seeds = len(figures["measured"]["loss"])
    if seed not in range(seeds):
        raise ValueError(f"seed must be 0 to {seeds - 1}, got {seed!r}")
    return _filled(Folder(**figures["model"]), "folding", f"{'shuffled' if shuffled else 'whole'}.{seed}.")


def folding_exam() -> dict[int, tuple[Tensor, Tensor]]:
    """The families that no folding network learnt from, by length: places (n, length, 3), letters (n, 128, length).

    Places are in Angstrom, float32; letters are numbers, and the first sequence is the one whose fold is asked for.
    """
    stored = load_file(_folder("folding") / "model.safetensors")
    lengths = sorted(int(name.split(".")[1]) for name in stored if name.startswith("exam.") and name.endswith("places"))
    return {n: (stored[f"exam.{n}.places"].float(), stored[f"exam.{n}.letters"].long()) for n in lengths}


def load_proteins(seed: int = 0, shuffled: bool = False) -> ProteinModel:
    """One of the shipped language models of proteins, in evaluation mode and float32; see `card("proteins")`.

    Args:
        seed: which of the three trainings.
        shuffled: True for one that learnt from families with shuffled columns.

    Raises:
        ValueError: if `seed` is not 0, 1 or 2.
    """
    figures = figures_of("proteins")
    seeds = len(figures["measured"]["loss"])
    if seed not in range(seeds):
        raise ValueError(f"seed must be 0 to {seeds - 1}, got {seed!r}")
    return _filled(ProteinModel(**figures["model"]), "proteins", f"{'shuffled' if shuffled else 'whole'}.{seed}.")


def stable_diffusion_folder() -> Path:
    """The folder of the shipped text-to-image model, for `StableDiffusionPipeline.from_pretrained`.

    See `card("stable_diffusion")`.
    """
    return HOME / "stable_diffusion"


def load_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of the weights called `name`, alone."""
    return Tokenizer(_Tokenizer.from_file(str(_folder(name) / "tokenizer.json")))


def card(name: str) -> str:
    """What the weights called `name` ("gpt", "bert", ...) are, in Markdown: data, licences, size, cost, limits.

    Raises:
        ValueError: if there are no such weights.
    """
    return (_folder(name) / "README.md").read_text(encoding="utf-8")


def figures_of(name: str) -> dict:
    """What was measured when the weights called `name` were made, and their sizes.

    Raises:
        ValueError: if there are no such weights.
    """
    return json.loads((_folder(name) / "figures.json").read_text(encoding="utf-8"))


def _folder(name: str) -> Path:
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    return HOME / name


def _filled(model: Model, name: str, prefix: str = "") -> Model:
    """`model` with the stored weights whose names start with `prefix`."""
    stored = load_file(_folder(name) / "model.safetensors")
    model.load_state_dict(
        {key.removeprefix(prefix): value.float() for key, value in stored.items() if key.startswith(prefix)}
    )
    return model.eval()
