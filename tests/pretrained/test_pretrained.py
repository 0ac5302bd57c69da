"""The shipped weights: small, quick to load, what their cards say, and made by a recipe that still runs."""

import json
import time

import pytest
import torch

from tinyfrontier.models import BERT, GPT
from tinyfrontier.pretrained import card, load_bert, load_gpt
from tinyfrontier.pretrained.loading import HOME

LOADERS = {"bert": load_bert, "gpt": load_gpt}
NAMES = sorted(LOADERS)


def config(name: str) -> dict:
    return json.loads((HOME / name / "config.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_loading_is_quick(name):
    """A model with its tokenizer loads in under half a second once the libraries are in."""
    LOADERS[name]()
    start = time.process_time()
    model, tokenizer = LOADERS[name]()
    assert time.process_time() - start < 0.5
    assert isinstance(model, {"bert": BERT, "gpt": GPT}[name])
    assert not model.training
    assert len(tokenizer) == model.config.vocabulary
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_small_and_safe(name):
    """Weights under 3 MB, in safetensors; nothing that could hold a pickle."""
    sizes = {path.name: path.stat().st_size for path in (HOME / name).iterdir()}
    assert set(sizes) == {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    assert sizes["model.safetensors"] < 3_000_000
    assert sum(sizes.values()) < 3_500_000


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_loss_is_the_measured_one(name):
    """On a page that was never published, the weights reach the loss that was written down with them."""
    from tinyfrontier.pretrained.recipes import sample_loss

    assert abs(sample_loss(*LOADERS[name]()) - config(name)["measured"]["sample_nats"]) < 1e-2


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_the_recipes(name):
    """The card is what the recipe writes for these weights, and has every part."""
    from tinyfrontier.pretrained.recipes import write_card

    text = card(name)
    assert text == write_card(config(name))
    for part in ("Size", "Data", "Training", "Losses", "Remake", "Meant for", "Limits", "CPU seconds", "PSF-2.0"):
        assert part in text
    parameters = sum(p.numel() for p in LOADERS[name]()[0].parameters())
    assert f"{parameters:,} parameters" in text


def test_the_decoder_has_learned_documentation():
    """It needs far fewer bits than its uniform guess, and continues a heading as documentation does."""
    model, tokenizer = load_gpt()
    assert config("gpt")["measured"]["held_out_bits_per_byte"] < 2
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


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_still_runs(name, tmp_path, monkeypatch):
    """A few steps on a little text write the same four files, and the same ones again."""
    from tinyfrontier.data import documentation
    from tinyfrontier.pretrained import recipes

    little = documentation(("networkx",), max_characters=60_000, test_share=0.3)
    monkeypatch.setattr(recipes, "documentation", lambda packages: little)
    monkeypatch.setattr(recipes, "BATCHES", 1)
    for folder in ("one", "two"):
        recipes.main([name, "--out", str(tmp_path / folder), "--steps", "2"])
    written = [{p.name: p.read_bytes() for p in (tmp_path / f).iterdir()} for f in ("one", "two")]
    assert set(written[0]) == {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    assert all(written[0][n] == written[1][n] for n in ("model.safetensors", "tokenizer.json"))


def test_an_unknown_name_is_refused():
    """Asking for weights that are not there names those that are."""
    with pytest.raises(ValueError, match="name must be one of bert, gpt, mae, programs, stable_diffusion, got 'llama'"):
        card("llama")
