"""The shipped masked autoencoders: small, quick to load, what their card says, and made by a recipe that runs."""

import json
import time

import pytest
import torch

from tinyfrontier.data import digits_split
from tinyfrontier.pretrained import card, load_mae
from tinyfrontier.pretrained.loading import HOME
from tinyfrontier.pretrained.masked_autoencoder import masked_error, write_card

FOLDER = HOME / "mae"


def config() -> dict:
    return json.loads((FOLDER / "config.json").read_text())


def test_loading_is_quick():
    """A network loads in under half a second once the libraries are in, for evaluation, in float32."""
    load_mae()
    start = time.process_time()
    model = load_mae(1)
    assert time.process_time() - start < 0.5
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_files_are_small_and_safe():
    """Weights under 1 MB, in safetensors; nothing that could hold a pickle."""
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert set(sizes) == {"README.md", "config.json", "model.safetensors"}
    assert sum(sizes.values()) < 1_000_000


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_stored_error_is_the_measured_one(seed):
    """On the held-out digits each network reaches its stored error, far below that of the mean digit."""
    measured = config()["measured"]
    error = masked_error(load_mae(seed), digits_split()[2])
    assert error == pytest.approx(measured["held_out_masked_mse"][seed], rel=0.01)
    assert error < 0.6 * measured["mean_digit_mse"]


def test_the_card_is_the_recipes():
    """The card is what the recipe writes for these weights, and has every part."""
    text = card("mae")
    assert text == write_card(config())
    for part in ("Size", "Data", "Training", "Losses", "Remake", "Meant for", "Limits", "CPU seconds", "CC BY 4.0"):
        assert part in text
    assert f"{sum(p.numel() for p in load_mae().parameters()):,} parameters" in text


def test_the_recipe_still_runs(tmp_path):
    """A few steps write the same three files, and the same ones again."""
    from tinyfrontier.pretrained import recipes

    for folder in ("one", "two"):
        recipes.main(["mae", "--out", str(tmp_path / folder), "--steps", "2"])
    written = [{p.name: p.read_bytes() for p in (tmp_path / f).iterdir()} for f in ("one", "two")]
    assert set(written[0]) == {"README.md", "config.json", "model.safetensors"}
    assert written[0]["model.safetensors"] == written[1]["model.safetensors"]


@pytest.mark.parametrize("seed", [3, -1, "0"])
def test_an_unknown_seed_is_refused(seed):
    """There are three networks; asking for another names them."""
    with pytest.raises(ValueError, match="seed must be 0 to 2"):
        load_mae(seed)
