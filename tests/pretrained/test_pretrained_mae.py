"""The shipped masked autoencoders: small, quick to load, what their card says, and made by a recipe that runs."""

import pytest
import torch

from tinyfrontier.data import digits_split
from tinyfrontier.pretrained import card, figures_of, load_mae
from tinyfrontier.pretrained.loading import HOME
from tinyfrontier.pretrained.mae.recipe import masked_error

FOLDER = HOME / "mae"


def test_a_network_loads():
    """A network loads for evaluation, in float32."""
    model = load_mae(1)
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_files_are_small_and_safe():
    """Weights under 1 MB, in safetensors; nothing that could hold a pickle."""
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.is_file()}
    assert set(sizes) == {"README.md", "figures.json", "model.safetensors", "recipe.py"}
    assert sum(sizes.values()) < 1_000_000


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_stored_error_is_the_measured_one(seed):
    """On the held-out digits each network reaches its stored error, far below that of the mean digit."""
    measured = figures_of("mae")["measured"]
    error = masked_error(load_mae(seed), digits_split()[2])
    assert error == pytest.approx(measured["held_out_masked_mse"][seed], rel=0.01)
    assert error < 0.6 * measured["mean_digit_mse"]


def test_the_card_names_size_and_licence():
    """The number of parameters is the network's, and the terms of the digits are there."""
    assert f"{sum(p.numel() for p in load_mae().parameters()):,} parameters" in card("mae")
    assert "CC BY 4.0" in card("mae")


@pytest.mark.parametrize("seed", [3, -1, "0"])
def test_an_unknown_seed_is_refused(seed):
    """There are three networks; asking for another names them."""
    with pytest.raises(ValueError, match="seed must be 0 to 2"):
        load_mae(seed)
