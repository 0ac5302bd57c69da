"""Lesson 15 holds its own diffusion code against diffusers, SciPy and closed forms."""

import numpy as np
import pytest
import scipy.linalg
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions

SHAPES = [(1, 2), (3, 1, 8, 8), (2, 3, 5, 7)]


@pytest.fixture(scope="module")
def lesson():
    return definitions(15)


@pytest.fixture
def schedulers(lesson):
    settings = {"trained_betas": lesson.BETAS.tolist(), "clip_sample": False, "timestep_spacing": "trailing"}
    return DDPMScheduler(lesson.STEPS, **settings), DDIMScheduler(lesson.STEPS, **settings)


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pairs(lesson, steps):
    times = lesson.timesteps(steps)
    return zip(times, torch.cat([lesson.ALPHA_BARS[times[1:]], torch.ones(1)]), strict=True)


def test_schedule_equals_diffusers(lesson, schedulers):
    """The running product of the schedule is the library's."""
    torch.testing.assert_close(lesson.ALPHA_BARS, schedulers[0].alphas_cumprod, rtol=0, atol=1e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_add_noise_equals_diffusers(lesson, schedulers, shape):
    """Noising a batch, each item to its own time, equals the library's add_noise, forward and gradient."""
    clean, noise = random(*shape, seed=1).requires_grad_(), random(*shape, seed=2)
    t = torch.arange(shape[0]) * 33
    ours, theirs = lesson.add_noise(clean, noise, t, lesson.ALPHA_BARS), schedulers[0].add_noise(clean, noise, t)
    assert_same_as_library(ours, theirs, tolerance=1e-6, gradients=[clean])


@pytest.mark.parametrize("steps", [100, 50, 25, 20, 10, 5, 4, 2, 1])
def test_timesteps_equal_diffusers(lesson, schedulers, steps):
    """A sampler with fewer steps visits the times of the library's trailing spacing."""
    schedulers[1].set_timesteps(steps)
    assert lesson.timesteps(steps) == schedulers[1].timesteps.tolist()


@pytest.mark.parametrize("steps", [100, 20, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_ddpm_step_equals_diffusers(lesson, schedulers, shape, steps):
    """Every stochastic step equals DDPMScheduler.step with the same dice."""
    schedulers[0].set_timesteps(steps)
    for t, a_prev in pairs(lesson, steps):
        noisy, noise = random(*shape, seed=t), random(*shape, seed=t + 1000)
        clean = lesson.predict_clean(noisy, noise, lesson.ALPHA_BARS[t])
        ours = lesson.ddpm_step(noisy, clean, lesson.ALPHA_BARS[t], a_prev, random(*shape, seed=7))
        theirs = schedulers[0].step(noise, t, noisy, generator=torch.Generator().manual_seed(7)).prev_sample
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("steps", [100, 20, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_ddim_step_equals_diffusers(lesson, schedulers, shape, steps):
    """Every deterministic step equals DDIMScheduler.step, and so does its gradient with respect to the guess."""
    schedulers[1].set_timesteps(steps)
    for t, a_prev in pairs(lesson, steps):
        noisy, noise = random(*shape, seed=t), random(*shape, seed=t + 1000).requires_grad_()
        clean = lesson.predict_clean(noisy, noise, lesson.ALPHA_BARS[t])
        ours = lesson.ddim_step(noisy, clean, lesson.ALPHA_BARS[t], a_prev)
        theirs = schedulers[1].step(noise, t, noisy).prev_sample
        assert_same_as_library(ours, theirs, tolerance=1e-6, relative=1e-6, gradients=[noise], gradient_tolerance=1e-4)


def test_exact_noise_is_the_least_squares_guess(lesson):
    """No shift of the exact guess on the ring lowers its squared error, and its loss is below that of guessing zero."""
    points = lesson.ring_points(20_000, torch.Generator().manual_seed(1))

    def loss(change):
        predict = lambda noisy, t: lesson.exact_noise(noisy, t) * (1 + change) + change  # noqa: E731 - one line
        return lesson.noise_loss(predict, points, torch.Generator().manual_seed(2)).item()

    assert loss(0) < min(loss(0.05), loss(-0.05))
    assert loss(0) < loss(-1)


def test_sampling_with_the_exact_guess_reaches_the_ring(lesson):
    """Both samplers put more than four in five points near a cloud's centre, and fill every cloud."""
    start = random(600, 2, seed=3)
    for dice in (None, torch.Generator().manual_seed(4)):
        end = lesson.generate(lesson.exact_noise, start, lesson.timesteps(100), dice)[-1]
        assert lesson.share_on_ring(end) > 0.8
        assert torch.bincount(torch.cdist(end, lesson.CENTRES).argmin(1), minlength=6).min() > 60


def test_generate_returns_the_whole_way(lesson):
    """A run keeps the start and one item a step, and leaves the start unchanged."""
    start = random(5, 2, seed=5)
    kept = start.clone()
    path = lesson.generate(lesson.exact_noise, start, lesson.timesteps(10))
    assert len(path) == 11
    assert torch.equal(path[0], kept)


def test_unet_uses_time_and_label_and_trains(lesson):
    """The U-Net keeps the image's shape, guesses zero at first, and after a step depends on time and label."""
    torch.manual_seed(0)
    net = lesson.UNet()
    images, t = random(3, 1, 8, 8, seed=6), torch.tensor([0, 50, 99])
    labels = torch.tensor([0, 9, lesson.NO_LABEL])
    assert torch.count_nonzero(net(images, t, labels)) == 0
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)
    for _ in range(10):
        optimiser.zero_grad()
        (net(images, t, labels) - images).square().mean().backward()
        optimiser.step()
    base = net(images, t, labels)
    assert base.shape == images.shape
    assert (base - net(images, t.flip(0), labels)).abs().max() > 1e-3
    assert (base - net(images, t, labels.flip(0))).abs().max() > 1e-3


def test_hidden_time_makes_the_point_network_blind(lesson):
    """A blind PointNet gives the same guess at every time, a seeing one does not."""
    torch.manual_seed(0)
    points = random(4, 2, seed=8)
    for blind in (True, False):
        net = lesson.PointNet(blind=blind)
        guesses = [net(points, torch.full((4,), t)) for t in (0, 99)]
        assert torch.equal(*guesses) == blind


@pytest.mark.parametrize("dimensions", [2, 3, 32])
def test_frechet_equals_the_matrix_root(lesson, dimensions):
    """The distance from eigenvalues equals the one from SciPy's matrix square root."""
    mix = random(dimensions, dimensions, seed=9)
    a, b = random(300, dimensions, seed=10) @ mix, random(200, dimensions, seed=11) + 0.5
    cov_a, cov_b = (np.atleast_2d(np.cov(x.double().numpy().T)) for x in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    expected = (a.mean(0) - b.mean(0)).square().sum().item() + np.trace(cov_a + cov_b - 2 * root)
    assert lesson.frechet(a, b) == pytest.approx(expected, rel=1e-5)


def test_gaussian_draws_keep_mean_and_spread(lesson):
    """Draws from the fitted Gaussian have the images' pixel means and deviations."""
    images = 0.2 * random(200, 1, 8, 8, seed=12) + 0.3 * random(1, 1, 8, 8, seed=13)
    draws = lesson.gaussian_draws(images, 4000)
    assert draws.shape == (4000, 1, 8, 8)
    torch.testing.assert_close(draws.mean(0), images.mean(0), rtol=0, atol=0.04)
    torch.testing.assert_close(draws.std(0), images.std(0), rtol=0, atol=0.04)


def test_many_gaussians_a_digit_stay_closer_to_the_training_digits(lesson):
    """Draws come in the order of the wanted digits, and more Gaussians a digit lie nearer to training digits."""
    few, many = (lesson.gaussians_a_digit(number, 0) for number in (1, 12))
    assert few.shape == many.shape == (450, 1, 8, 8)
    assert lesson.nearest(many).values.median() < lesson.nearest(few).values.median() - 0.2
    zeros, ones = few[::10], few[1::10]
    assert (zeros[:, 0, 3:5, 3:5].mean() < ones[:, 0, 3:5, 3:5].mean()) == (
        lesson.TRAIN[lesson.TRAIN_LABELS == 0][:, 0, 3:5, 3:5].mean()
        < lesson.TRAIN[lesson.TRAIN_LABELS == 1][:, 0, 3:5, 3:5].mean()
    )


def test_told_apart_is_chance_for_real_digits_and_certain_for_noise(lesson):
    """The second judge cannot tell training from test digits, and always tells noise."""
    real, _ = lesson.real_draw(3)
    assert 0.4 < lesson.told_apart(real) < 0.6
    assert lesson.told_apart(random(450, 1, 8, 8, seed=16).clamp(-1, 1)) > 0.95


def test_measures_of_the_test_digits_themselves(lesson):
    """Compared with themselves, test digits are at distance 0, and their diversity is 1."""
    distance, _, agreement, novel = lesson.measures(lesson.Judge(), lesson.TEST, lesson.TEST_LABELS)
    assert distance == pytest.approx(0, abs=1e-3)
    assert 0 <= agreement <= 1
    assert novel == pytest.approx(lesson.nearest(lesson.TEST).values.median().item())
    assert lesson.diversity(lesson.TEST, lesson.TEST_LABELS) == pytest.approx(1)


def test_a_sampler_steps_back_to_the_next_time_and_then_to_clean(lesson):
    """Each time steps back to the alpha-bar of the next, and the last one to 1."""
    assert lesson.earlier([99, 49, 9]).tolist() == [*lesson.ALPHA_BARS[[49, 9]].tolist(), 1.0]


def test_guidance_moves_linearly_from_untold_to_told(lesson):
    """Guidance 0 ignores the label, 1 is the labelled guess, and 2 goes as far again."""
    torch.manual_seed(0)
    net = lesson.UNet()
    torch.nn.init.normal_(net.leave[2].weight)
    images, t, labels = random(4, 1, 8, 8, seed=15), torch.tensor([3, 30, 60, 99]), torch.arange(4)
    with torch.no_grad():
        guesses = [lesson.guided_noise(net, images, t, labels, w) for w in (0.0, 1.0, 2.0)]
        told, untold = net(images, t, labels), net(images, t, torch.full_like(labels, lesson.NO_LABEL))
    torch.testing.assert_close(guesses[0], untold)
    torch.testing.assert_close(guesses[1], told)
    torch.testing.assert_close(guesses[2] - guesses[1], told - untold, rtol=1e-4, atol=1e-5)
