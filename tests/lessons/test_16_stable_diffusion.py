"""Lesson 16 holds its own parts of Stable Diffusion against diffusers, layer by layer and as a whole."""

import copy

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import Attention

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions
from tinyfrontier.data import captioned_scenes, parse_caption, render
from tinyfrontier.pretrained import stable_diffusion_folder

PROMPTS = ["a small red circle left of a large blue square", "a large green triangle"]


@pytest.fixture(scope="module")
def lesson():
    return definitions(16)


@pytest.fixture(scope="module")
def pipe():
    loaded = StableDiffusionPipeline.from_pretrained(stable_diffusion_folder())
    loaded.set_progress_bar_config(disable=True)
    return loaded


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("batch", "cells", "tokens", "heads"), [(1, 1, 1, 1), (2, 9, 5, 4), (3, 16, 7, 2)])
def test_cross_attention_equals_diffusers(lesson, batch, cells, tokens, heads):
    """Every head, odd lengths, forward and gradient equal the library's attention layer."""
    torch.manual_seed(0)
    layer = Attention(query_dim=12, cross_attention_dim=6, heads=heads, dim_head=4)
    x, words = random(batch, cells, 12, seed=1).requires_grad_(), random(batch, tokens, 6, seed=2).requires_grad_()
    ours = layer.to_out[0](
        lesson.cross_attention(x, words, layer.to_q.weight, layer.to_k.weight, layer.to_v.weight, heads)
    )
    theirs = layer(x, encoder_hidden_states=words)
    leaves = [x, words]
    assert_same_as_library(ours, theirs, tolerance=1e-6, relative=1e-5, gradients=leaves, gradient_tolerance=1e-5)


@pytest.mark.parametrize("t", [0, 1, 500, 998, 999])
def test_clean_and_noise_equal_the_schedulers(lesson, pipe, t):
    """The two parts are the scheduler's, and its noise and v come back from them."""
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    scheduler.set_timesteps(1000)
    clean, noise = random(3, 4, 8, 8, seed=3), random(3, 4, 8, 8, seed=4)
    times = torch.full((3,), t)
    noisy, v = scheduler.add_noise(clean, noise, times), scheduler.get_velocity(clean, noise, times)
    found = lesson.clean_and_noise(v, noisy, scheduler.alphas_cumprod[t])
    torch.testing.assert_close(found[0], clean, rtol=0, atol=1e-5)
    torch.testing.assert_close(found[1], noise, rtol=0, atol=1e-5)
    torch.testing.assert_close(found[0], scheduler.step(v, t, noisy).pred_original_sample, rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100])
def test_times_equal_the_schedulers(lesson, pipe, steps):
    """The times are those of the library's trailing spacing."""
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    scheduler.set_timesteps(steps)
    assert lesson.times_of(steps) == scheduler.timesteps.tolist()


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_the_loop_equals_the_scheduler(lesson, pipe, steps):
    """Whatever the guess, every item of the path is the scheduler's."""
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    scheduler.set_timesteps(steps)
    start = random(2, 4, 3, 5, seed=5)
    times, alpha_bars = lesson.times_of(steps), scheduler.alphas_cumprod
    path = lesson.sample_latents(lambda x, t: torch.sin(2 * x + t), start, times, alpha_bars)
    assert len(path) == steps + 1
    latents = start
    for t, ours in zip(scheduler.timesteps, path[1:], strict=True):
        latents = scheduler.step(torch.sin(2 * latents + int(t)), t, latents).prev_sample
        torch.testing.assert_close(ours, latents, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("w", "steps"), [(1.001, 4), (2.0, 8), (7.5, 20)])
def test_own_pictures_equal_the_pipelines(lesson, pipe, w, steps):
    """Several prompts at once, own loop and the pipeline's: the same pictures for the same seed."""
    generator = torch.Generator().manual_seed(6)
    settings = {"guidance_scale": w, "num_inference_steps": steps, "output_type": "pt"}
    theirs = pipe(PROMPTS, generator=generator, **settings).images
    path = lesson.latent_path(pipe, pipe.unet, PROMPTS, w, steps, seed=6)
    assert (lesson.to_images(pipe.vae, path[-1]) - theirs).abs().max() < 1e-4


def test_guidance_asks_once_and_is_linear(lesson):
    """One call with a doubled batch; 0 ignores the words, 1 follows them, 2 goes as far again."""
    calls = []

    def predict(latents, t, states):
        calls.append(len(latents))
        return latents + states.mean((1, 2)).view(-1, 1, 1, 1) * t

    latents, told, untold = random(3, 4, 2, 2, seed=7), random(3, 5, 6, seed=8), random(1, 5, 6, seed=9)
    a, b, c = (lesson.guided(predict, latents, 10, told, untold, w) for w in (0.0, 1.0, 2.0))
    assert calls == [6, 6, 6]
    torch.testing.assert_close(a, latents + 10 * untold.mean())
    torch.testing.assert_close(b, latents + 10 * told.mean((1, 2)).view(-1, 1, 1, 1))
    torch.testing.assert_close(c - b, b - a, rtol=1e-4, atol=1e-4)


def test_text_states_equal_the_pipelines(lesson, pipe):
    """The states are those that the pipeline encodes, the empty caption's too."""
    told, untold = pipe.encode_prompt(PROMPTS, "cpu", 1, True)
    torch.testing.assert_close(lesson.states_of(pipe, PROMPTS), told, rtol=0, atol=1e-5)
    torch.testing.assert_close(lesson.states_of(pipe, [""]).expand_as(untold), untold, rtol=0, atol=1e-5)


def test_beliefs_are_the_clean_parts(lesson, pipe):
    """What is read off a path equals what was taken apart at each step."""
    alpha_bars, times, guesses = pipe.scheduler.alphas_cumprod, lesson.times_of(5), []

    def guess(x, t):
        guesses.append(torch.sin(x + t))
        return guesses[-1]

    path = lesson.sample_latents(guess, random(2, 4, 8, 8, seed=10), times, alpha_bars)
    for belief, x, v, t in zip(lesson.beliefs_of(path, times, alpha_bars), path, guesses, times, strict=False):
        torch.testing.assert_close(belief, lesson.clean_and_noise(v, x, alpha_bars[t])[0], rtol=0, atol=1e-3)


def test_the_easy_world_is_large_and_keeps_its_pairs_apart(lesson):
    """Only large things; no held-out scene among those to learn from; a fixed choice without repeats."""
    learned, held_out = lesson.easy(held_out=False), lesson.easy(held_out=True)
    assert all(thing.size == "large" for scene in learned + held_out for thing in (scene.first, scene.second))
    assert not any(scene.held_out for scene in learned)
    assert all(scene.held_out for scene in held_out)
    chosen = lesson.some(learned, 60, seed=1)
    assert chosen == lesson.some(learned, 60, seed=1)
    assert len(set(chosen)) == 60


def test_the_shipped_network_draws_the_easy_world_right(lesson, pipe):
    """The judge's share is high for the right prompts and next to nothing for the wrong ones."""
    scenes = lesson.some(lesson.easy(held_out=True), 10, seed=2)
    assert lesson.right(pipe, pipe.unet, scenes) >= 0.8
    wrong = [scene.caption for scene in scenes[1:] + scenes[:1]]
    assert lesson.right(pipe, pipe.unet, scenes, prompts=wrong) <= 0.2


def test_the_loss_is_that_of_v(lesson, pipe):
    """Guessing 0 costs about the variance of v, a fresh U-Net more than the shipped one, and gradients reach all."""
    images = captioned_scenes(40, seed=12)
    latents, states = lesson.to_latents(pipe.vae, images.images), lesson.states_of(pipe, images.captions)
    kept, empty = states.clone(), lesson.states_of(pipe, [""])[0]

    def loss(unet):
        generator = torch.Generator().manual_seed(13)
        return lesson.v_loss(unet, latents, states, empty, pipe.scheduler.alphas_cumprod, generator, batch=16)

    class Zero:
        def __call__(self, noisy, t, encoder_hidden_states):
            self.sample = torch.zeros_like(noisy)
            return self

    fresh = UNet2DConditionModel.from_config(pipe.unet.config)
    value = loss(fresh)
    value.backward()
    assert loss(pipe.unet) < 0.5 * value
    assert loss(Zero()).item() == pytest.approx(1, abs=0.2)
    assert all(weights.grad is not None for weights in fresh.parameters())
    assert torch.equal(states, kept)


def test_training_hands_out_the_average_and_goes_on(lesson, pipe):
    """Each stop yields its step, an average that is neither the start nor the last weights, and every loss so far."""
    latents, states = random(8, 4, 8, 8, seed=14), random(8, 16, 64, seed=15)
    unet = lesson.fresh_unet(pipe, seed=0)
    before = copy.deepcopy(unet.conv_in.weight.detach())
    seen = []
    for step, average, losses in lesson.train_unet(
        unet, latents, states, states[0], pipe.scheduler.alphas_cumprod, (2, 3)
    ):
        left, last = average.conv_in.weight.clone(), unet.conv_in.weight.detach()
        assert (left - last).abs().max() < (before - last).abs().max()
        assert not torch.equal(left, last)
        assert not any(weights.requires_grad for weights in average.parameters())
        seen.append((step, len(losses), left))
    assert [(step, count) for step, count, _ in seen] == [(2, 2), (3, 3)]
    assert not torch.equal(seen[0][2], seen[1][2])


def test_a_pause_changes_nothing(lesson, pipe):
    """The same steps with and without a stop on the way leave the same average."""
    latents, states = random(8, 4, 8, 8, seed=16), random(8, 16, 64, seed=17)
    inputs = latents, states, states[0], pipe.scheduler.alphas_cumprod
    ends = [list(lesson.train_unet(lesson.fresh_unet(pipe), *inputs, stops))[-1] for stops in ((3,), (1, 3))]
    assert ends[0][2] == ends[1][2]
    torch.testing.assert_close(ends[0][1].conv_out.weight, ends[1][1].conv_out.weight, rtol=0, atol=0)


def test_fresh_networks_are_fresh_and_seeded(lesson, pipe):
    """The U-Net and the text encoder have the shipped shapes, other weights, and the same ones for the same seed."""
    for make, shipped in ((lesson.fresh_unet, pipe.unet), (lesson.untrained_encoder, pipe.text_encoder)):
        one, same, other = (make(pipe, seed=seed).state_dict() for seed in (1, 1, 2))
        theirs = shipped.state_dict()
        assert one.keys() == theirs.keys()
        name = max(theirs, key=lambda name: theirs[name].numel())
        assert torch.equal(one[name], same[name])
        assert not torch.equal(one[name], other[name])
        assert not torch.equal(one[name], theirs[name])


def test_a_part_is_exchanged_and_the_others_stay(lesson, pipe):
    """The new pipeline holds the given part and shares the rest; the old one keeps its own."""
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    other = lesson.with_part(pipe, scheduler=scheduler)
    assert other.scheduler is scheduler
    assert pipe.scheduler is not scheduler
    assert other.unet is pipe.unet


def test_look_up_finds_the_nearest_caption(lesson):
    """The latents of the caption with most words in the same places are found, with and without "of"."""
    known = [
        "a small red circle above a large blue square",
        "a large red circle below a large blue square",
        "a large red circle left of a large blue square",
    ]
    latents = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 4, 8, 8)
    asked = [known[1], "a small red circle below a small blue square", "a large red square left of a large blue circle"]
    assert lesson.looked_up(asked, known, latents)[:, 0, 0, 0].tolist() == [1, 0, 2]
    assert lesson.words_in_place(known).sum(1).tolist() == [9, 9, 9]


def test_regression_learns_products_of_two_words(lesson):
    """What depends on two words at once is learned for captions that were never seen together."""
    scenes = lesson.easy(held_out=False)
    captions = [scene.caption for scene in scenes]

    def latents_of(scenes):
        value = [
            2.0 * (s.relation == "left of" and s.first.colour == "red") + (s.second.shape == "circle") for s in scenes
        ]
        return torch.tensor(value).view(-1, 1, 1, 1).expand(-1, 4, 8, 8)

    held_out = lesson.easy(held_out=True)
    found = lesson.regressed([scene.caption for scene in held_out], captions, latents_of(scenes))
    assert (found - latents_of(held_out)).abs().max() < 0.2


def test_the_word_gate_is_blind_to_spelling(lesson):
    """The word gate stops the plain request only; the picture gate sees the thing itself."""
    assert not lesson.word_gate("a large red triangle above a small blue circle")
    assert lesson.word_gate("a large RED triangle above a small blue circle")
    pictures = render([parse_caption("a large red triangle"), parse_caption("a large red circle")], seed=1)
    assert [lesson.picture_gate(one) for one in pictures] == [False, True]
