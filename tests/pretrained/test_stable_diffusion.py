"""The shipped text-to-image model: loads offline, is small and safe, draws what it is told, as its card says."""

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from tinyfrontier.data import drawn_right
from tinyfrontier.data.scenes import WORDS
from tinyfrontier.pretrained import card, figures_of, stable_diffusion_folder
from tinyfrontier.pretrained.stable_diffusion import recipe

FOLDER = stable_diffusion_folder()
FIGURES = figures_of("stable_diffusion")


@pytest.fixture(scope="module")
def pipe():
    loaded = StableDiffusionPipeline.from_pretrained(FOLDER)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def test_it_loads_offline_as_a_whole(pipe):
    """The folder holds every part; nothing is asked of a network, and all weights are float32 and for evaluation."""
    for network in (pipe.vae, pipe.text_encoder, pipe.unet):
        assert not network.training
        assert {weights.dtype for weights in network.parameters()} == {torch.float32}
    assert pipe.safety_checker is None


def test_the_files_are_small_and_safe():
    """Under 10 MB, weights in safetensors as float16, and beside them only text; no path of a machine in it."""
    files = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert {path.suffix for path in files} == {".safetensors", ".json", ".md"}
    assert sum(path.stat().st_size for path in files) < 10_000_000
    for path in files:
        if path.suffix == ".safetensors":
            assert {value.dtype for value in load_file(path).values() if value.is_floating_point()} == {torch.float16}
        else:
            assert not any(word in path.read_text() for word in ("/root", "/tmp", "/work", "/home"))


@pytest.mark.parametrize("held_out", [False, True])
def test_prompts_are_drawn_right(pipe, held_out):
    """Of forty of the measured prompts nearly all are drawn right, seen or held out."""
    scenes = recipe.prompts_of(40, held_out=held_out)
    images = recipe.draw(pipe, [scene.caption for scene in scenes], guidance=2, steps=20)
    assert drawn_right(images, scenes).float().mean() >= 0.95


def test_the_measured_shares_reach_the_floor():
    """The card's figures: 99 % of seen and 97 % of held-out prompts of 200 each."""
    assert FIGURES["prompts"] == 200
    assert FIGURES["seen"] >= 0.99
    assert FIGURES["held_out"] >= 0.97


def test_the_wrong_prompt_is_not_drawn(pipe):
    """Pictures show their own prompt: judged by the next prompt's scene they fail."""
    scenes = recipe.prompts_of(20, held_out=False)
    images = recipe.draw(pipe, [scene.caption for scene in scenes], guidance=2, steps=8)
    assert drawn_right(images, scenes[1:] + scenes[:1]).float().mean() <= 0.1


def test_the_pipeline_draws_with_its_defaults(pipe):
    """One call with a prompt alone gives one picture."""
    assert pipe("a small red circle left of a large blue square", num_inference_steps=2).images[0].size == (32, 32)


def test_the_same_seed_gives_the_same_picture(pipe):
    """Equal seeds give equal pictures, other seeds others."""

    def drawn(seed):
        return recipe.draw(pipe, ["a small green triangle above a large red circle"], guidance=3, steps=4, seed=seed)

    assert torch.equal(drawn(1), drawn(1))
    assert (drawn(1) - drawn(2)).abs().max() > 0.1


def test_every_word_is_one_token(pipe):
    """The captions' words are single tokens, other words are spelled, and the vocabulary is the recipe's."""
    assert all(len(pipe.tokenizer.tokenize(word)) == 1 for word in WORDS)
    assert len(pipe.tokenizer.tokenize("dragon")) > 1
    assert pipe.tokenizer.get_vocab() == recipe.tokenizer().get_vocab()
    assert (
        pipe.tokenizer("a", padding="max_length").input_ids == [0, recipe.tokenizer().get_vocab()["a</w>"]] + [1] * 14
    )


def test_latents_have_spread_one(pipe):
    """Scaled latents of pictures have mean 0 and spread 1 in every channel, and decode to the pictures."""
    images = recipe.render(recipe.prompts_of(60, held_out=False), seed=3)
    latents = recipe.latents_of(pipe.vae, images)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(4), rtol=0, atol=0.1)
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=0.1)
    with torch.no_grad():
        back = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample / 2 + 0.5
    assert (back - images).square().mean() < 10**-3.3


def test_the_cards_sizes_are_the_networks(pipe):
    """Each network has as many parameters as its figure says; the missing safety checker is named."""
    for name, size in FIGURES["parameters"].items():
        assert sum(weights.numel() for weights in getattr(pipe, name).parameters()) == size
        assert f"{size:,}" in card("stable_diffusion")
    assert "safety checker" in card("stable_diffusion")
