"""Lesson 23's weather, rivals, networks and scores, and the forest world beside it, against formulas and libraries."""

import math

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from scoringrules import crps_ensemble
from tinyfrontier.beside.lesson_23.forests import forest_trees, places
from tinyfrontier.beside.lesson_23.rivals import hints, local_regression, shapes

from tinyfrontier.authoring import definitions

F64 = torch.float64


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(23)


@pytest.fixture(scope="module")
def days(lesson):
    """Six mornings, (6, 172, 200)."""
    return lesson.mornings(6, seed=0)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def test_the_regions_share_no_row(lesson):
    """Between training and exam lie more rows than a patch is high."""
    assert lesson.SOUTH[0] - lesson.NORTH[-1] > lesson.SIDE
    assert lesson.SOUTH[-1] == lesson.HEIGHT.shape[0] - 1


def test_mornings_repeat_and_differ_by_seed(lesson, days):
    """The same seed gives the same mornings, another seed others."""
    assert torch.equal(lesson.mornings(6, seed=0), days)
    assert not torch.equal(lesson.mornings(6, seed=1), days)


def test_ground_in_shadow_gets_no_sun(lesson):
    """A low sun leaves more cells dark than a high one; flat ground gets the sine of the altitude at most times."""
    low, high = (lesson.sunlight(math.radians(angle)) for angle in (3, 40))
    assert (low == 0).mean() > (high == 0).mean() + 0.1
    assert low.min() == 0
    assert abs(np.median(high) - math.sin(math.radians(40))) < 0.1


def test_matched_fields_have_the_coarse_means(lesson, days):
    """Whatever a method adds, its block means are the coarse values."""
    t, z = lesson.draw(days, lesson.SOUTH, 5, torch.Generator().manual_seed(0))
    coarse = lesson.coarsen(t)
    for field in (lesson.by_lapse(coarse, z), lesson.by_regression(coarse, z)):
        assert (lesson.coarsen(field) - coarse).abs().max() < 1e-4


def test_regression_finds_a_rate_that_it_was_not_told(lesson, days):
    """Where temperature is a plain function of height, the patch's regression leaves little of bicubic's error."""
    _, z = lesson.draw(days, lesson.SOUTH, 6, torch.Generator().manual_seed(1))
    t = 10 - 4.2 * z
    coarse = lesson.coarsen(t)
    left = (lesson.by_regression(coarse, z) - t).square().mean()
    assert left < 0.2 * (lesson.enlarge(coarse) - t).square().mean()


def test_the_networks_step_is_the_schedulers(lesson):
    """Our DDIM step equals diffusers' at the first, a middle and the last step."""
    library = DDIMScheduler(
        lesson.TIMES, beta_start=0.001, beta_end=0.12, clip_sample=False, timestep_spacing="trailing"
    )
    library.set_timesteps(25)
    noisy, guess = torch.randn(2, 1, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    for now in (99, 51, 7):
        theirs = library.step(guess, now, noisy).prev_sample
        assert (lesson.ddim_step(noisy, guess, lesson.KEPT[now], lesson.KEPT[now - 4]) - theirs).abs().max() < 1e-5


def test_scores_are_the_librarys(lesson):
    """The fair CRPS equals scoringrules'; a single member scores its absolute error."""
    members, truth = noise(5, 40), noise(40, seed=1)
    theirs = crps_ensemble(truth.numpy(), members.numpy(), m_axis=0, estimator="fair")
    assert np.abs(lesson.crps(members, truth).numpy() - theirs).max() < 1e-12
    field, true = noise(1, 3, 1, 32, 32), noise(3, 1, 32, 32, seed=2)
    found = lesson.scores(field, true)
    assert abs(found["CRPS"] - float((field[0] - true).abs().mean())) < 1e-6


def test_power_adds_up_to_the_variation(lesson):
    """A wave's power stands in its ring; equal fields have a share of one everywhere."""
    x = torch.arange(16, dtype=F64) * 2 * math.pi / 16
    power = lesson.ring_power(torch.cos(3 * x).expand(16, 16))
    assert int(power.argmax()) == 3
    assert power[3] > 0.999 * power.sum()
    field = noise(2, 1, 32, 32)
    assert np.allclose(lesson.power_share(field, field), 1)


def test_an_untrained_network_adds_nothing_wild(lesson, days):
    """Refining keeps shape and block means, with weights as they are born."""
    t, z = lesson.draw(days, lesson.NORTH, 3, torch.Generator().manual_seed(2))
    torch.manual_seed(0)
    with torch.no_grad():
        field = lesson.refine(lesson.UNet(3, 1), lesson.coarsen(t), z)
    assert field.shape == t.shape
    assert (lesson.coarsen(field) - lesson.coarsen(t)).abs().max() < 1e-4


def test_hints_are_one_row_a_cell(lesson, days):
    """Thirty-one finite numbers for each fine cell; a level ground has no slopes and no depth."""
    t, z = lesson.draw(days, lesson.NORTH, 2, torch.Generator().manual_seed(4))
    rows = hints(lesson.coarsen(t), z)
    assert rows.shape == (2 * 32 * 32, 31)
    assert np.isfinite(rows).all()
    assert shapes(torch.full((1, 1, 32, 32), 0.7))[:, 1:].abs().max() < 1e-5


def test_photographs_repeat_and_lose_some_forest():
    """The same seed gives the same places; a few cells in a hundred are lost; reflectances lie in (0, 1]."""
    photos, lost = places(40, seed=1)
    again = places(40, seed=1)
    assert torch.equal(photos, again[0])
    assert torch.equal(lost, again[1])
    assert 0.01 < lost.float().mean() < 0.15
    assert 0 < photos.min() < photos.max() <= 1


def test_trees_see_lost_forest_in_new_places():
    """Chances of a loss are far higher on lost cells than on others."""
    score = forest_trees(*places(60, seed=2), seed=0, cells=20_000, rounds=20)
    photos, lost = places(20, seed=3)
    chance = score(photos)
    assert chance.shape == lost.shape
    assert chance[lost].mean() > chance[~lost].mean() + 0.4


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: places(0, 0), ValueError, "count"),
        (lambda: places(2.0, 0), TypeError, "count"),
        (lambda: places(2, -1), ValueError, "seed"),
        (lambda: forest_trees(torch.zeros(2, 5, 32, 32), torch.zeros(2, 32, 32), 0, 9, 1), ValueError, "photos"),
        (lambda: shapes([1.0]), TypeError, "z"),
        (lambda: shapes(torch.zeros(32, 32)), ValueError, "z"),
        (lambda: local_regression(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 32, 32)), ValueError, "coarse"),
        (lambda: hints(torch.zeros(2, 1, 8, 8), torch.zeros(1, 1, 32, 32)), ValueError, "z"),
    ],
)
def test_bad_input_is_named(call, error, word):
    """The message names the argument."""
    with pytest.raises(error, match=word):
        call()
