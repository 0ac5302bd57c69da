"""The shipped weights: small, quick to load, what their cards say, and made by a recipe that still runs."""

from importlib import import_module

import pytest
import torch

from tinyfrontier.models import BERT, GPT
from tinyfrontier.pretrained import card, figures_of, load_bert, load_gpt
from tinyfrontier.pretrained.loading import HOME, NAMES

LOADERS = {"bert": load_bert, "gpt": load_gpt}
DOCUMENTED = sorted(LOADERS)


def recipe_of(name: str):
    return import_module(f"tinyfrontier.pretrained.{name}.recipe")


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_model_loads_with_its_tokenizer(name):
    """A model with its tokenizer loads for evaluation, in float32."""
    model, tokenizer = LOADERS[name]()
    assert isinstance(model, {"bert": BERT, "gpt": GPT}[name])
    assert not model.training
    assert len(tokenizer) == model.config.vocabulary
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_files_are_small_and_safe(name):
    """Weights under 3 MB, in safetensors; nothing that could hold a pickle."""
    sizes = {path.name: path.stat().st_size for path in (HOME / name).iterdir() if path.is_file()}
    assert set(sizes) == {"README.md", "figures.json", "model.safetensors", "recipe.py", "tokenizer.json"}
    assert sizes["model.safetensors"] < 3_000_000
    assert sum(sizes.values()) < 3_500_000


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_stored_loss_is_the_measured_one(name):
    """On a page that was never published, the weights reach the loss that was written down with them."""
    assert abs(recipe_of(name).sample_loss(*LOADERS[name]()) - figures_of(name)["measured"]["sample_nats"]) < 1e-2


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_the_recipes(name):
    """The card is what the recipe writes for these weights, and has every part."""
    text = card(name)
    assert text == recipe_of(name).write_card(figures_of(name))
    for part in ("Size", "Data", "Training", "Losses", "Remake", "Meant for", "Limits", "CPU seconds"):
        assert part in text
    assert f"-m tinyfrontier.pretrained {name}`" in text


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_card_names_size_and_licence(name):
    """The number of parameters is the model's, and the terms of the text are there."""
    parameters = sum(p.numel() for p in LOADERS[name]()[0].parameters())
    assert f"{parameters:,} parameters" in card(name)
    assert "PSF-2.0" in card(name)


def test_a_card_needs_every_part():
    """A part that is missing or unknown is named."""
    from tinyfrontier.pretrained.writing import PARTS, write_card

    parts = {part.lower().replace(" ", "_"): "x" for part in PARTS}
    assert "- **Meant for**: x" in write_card("gpt", "Title", "What.", **parts)
    with pytest.raises(ValueError, match="parts must be size, data"):
        write_card("gpt", "Title", "What.", **{key: value for key, value in parts.items() if key != "limits"})
    with pytest.raises(ValueError, match="colour"):
        write_card("gpt", "Title", "What.", **parts, colour="red")


def test_the_decoder_has_learned_documentation():
    """It needs far fewer bits than its uniform guess, and continues a heading as documentation does."""
    model, tokenizer = load_gpt()
    assert figures_of("gpt")["measured"]["held_out_bits_per_byte"] < 2
    for heading, rule in (("Parameters", "----------"), ("Returns", "-------")):
        tokens = torch.tensor([tokenizer.encode(f"\n\n{heading}\n")])
        assert tokenizer.token(model.generate(tokens, 1, temperature=0)[0, -1]) == rule


def test_the_decoders_tokenizer_loses_nothing():
    """Any text comes back as it was, and no text makes the end mark."""
    tokenizer = load_gpt()[1]
    text = "  def f(x):\n\treturn 'héllo 世界'  # ≤\n\n"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode_many([text, "a"]) == [tokenizer.encode(text), tokenizer.encode("a")]
    assert list(tokenizer.special) == ["<|end|>"]
    assert "".join(map(tokenizer.token, tokenizer.encode("the mean of"))) == "the mean of"


def test_the_encoder_fills_a_masked_word():
    """Hidden words of stock phrases come back among its five best guesses."""
    model, tokenizer = load_bert()
    special = tokenizer.special
    assert list(special) == ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    for before, after, word in (
        ("the number of iterations. the default", "none.", " is"),
        ("import numpy as", ">>> np.array", " np"),
        ("return", "if the graph is directed, false otherwise.", " true"),
        ("x : array-like of", "(n_samples, n_features)", " shape"),
    ):
        tokens = [
            special["[CLS]"],
            *tokenizer.encode(before),
            special["[MASK]"],
            *tokenizer.encode(after),
            special["[SEP]"],
        ]
        logits = model.word_logits(model(torch.tensor([tokens])))[0, tokens.index(special["[MASK]"])]
        assert word in [tokenizer.token(t) for t in logits.topk(5).indices]


def test_an_unknown_name_is_refused():
    """Asking for weights that are not there names those that are."""
    with pytest.raises(ValueError, match="molecules, programs, proteins, stable_diffusion, weather, got 'llama'"):
        card("llama")
