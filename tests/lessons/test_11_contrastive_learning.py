"""Lesson 11's own code: NT-Xent equals the library's, augmentations keep their promises, few-label draws are fair."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions
from tinyfrontier.data import digits_split


@pytest.fixture(scope="module")
def lesson():
    return definitions(11)


def vectors(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
@pytest.mark.parametrize(("images", "width"), [(2, 1), (3, 5), (17, 8), (64, 33)])
def test_nt_xent_equals_the_library_in_value_and_gradient(lesson, images, width, temperature):
    """NT-Xent and its gradient equal pytorch-metric-learning's NTXentLoss in double precision."""
    pair = 3 * vectors(2, images, width, seed=images)
    mine, theirs = pair.clone().requires_grad_(), pair.clone().requires_grad_()
    loss, other = lesson.nt_xent(*mine, temperature), lesson.library_nt_xent(*theirs, temperature)
    assert_same_as_library(loss, other, tolerance=1e-12, relative=1e-10)
    loss.backward()
    other.backward()
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-8, atol=1e-11)


def test_nt_xent_of_one_image_is_zero(lesson):
    """With one image there is a single answer, so the loss is 0 and so is its gradient."""
    pair = vectors(2, 1, 6).requires_grad_()
    loss = lesson.nt_xent(*pair, 0.5)
    loss.backward()
    assert loss.item() == 0
    assert pair.grad.abs().max() == 0


def test_nt_xent_of_the_worked_example(lesson):
    """Two images at right angles, both views equal, temperature 1: log((e + 2) / e)."""
    z = torch.eye(2)
    assert lesson.nt_xent(z, z, 1.0).item() == pytest.approx(math.log((math.e + 2) / math.e), abs=1e-6)


def test_nt_xent_does_not_change_its_inputs_and_ignores_lengths(lesson):
    """Only directions count, and the arguments are left alone."""
    z1, z2 = vectors(5, 4, seed=1), vectors(5, 4, seed=2)
    before = z1.clone(), z2.clone()
    torch.testing.assert_close(lesson.nt_xent(z1, z2, 0.3), lesson.nt_xent(7 * z1, 0.01 * z2, 0.3))
    assert torch.equal(z1, before[0])
    assert torch.equal(z2, before[1])


def test_cosine_similarity_equals_pytorch(lesson):
    """The matrix of similarities equals F.cosine_similarity on all pairs."""
    a, b = vectors(7, 5), vectors(4, 5, seed=3)
    torch.testing.assert_close(lesson.cosine_similarity(a, b), F.cosine_similarity(a[:, None], b[None, :], dim=2))


def test_uniformity_equals_the_mean_over_all_ordered_pairs(lesson):
    """Each unordered pair once gives the same mean as every ordered pair without the diagonal."""
    z = F.normalize(vectors(9, 3, seed=4), dim=1)
    kernel = (-2 * torch.cdist(z, z).pow(2)).exp()
    expected = kernel[~torch.eye(9, dtype=torch.bool)].mean().log()
    torch.testing.assert_close(lesson.uniformity(z), expected)


def test_alignment_runs_from_same_to_opposite(lesson):
    """Alignment is 0 for equal views and 4 for opposite ones."""
    z = F.normalize(vectors(6, 3, seed=5), dim=1)
    assert lesson.alignment(z, z).item() == 0
    assert lesson.alignment(z, -z).item() == pytest.approx(4)


@pytest.mark.parametrize("name", ["unaltered", "flips", "noise", "affine", "affine + noise"])
def test_every_augmentation_keeps_shape_and_follows_its_generator(lesson, name):
    """Shapes stay, the input stays, equal generators give equal views, and only "unaltered" gives the image itself."""
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(6))
    before = images.clone()
    first, again = (lesson.AUGMENTATIONS[name](images, torch.Generator().manual_seed(1)) for _ in range(2))
    other = lesson.AUGMENTATIONS[name](images, torch.Generator().manual_seed(2))
    assert first.shape == images.shape
    assert torch.equal(first, again)
    assert torch.equal(images, before)
    assert torch.equal(first, other) == (name == "unaltered")


def test_a_map_with_all_limits_at_zero_is_the_identity(lesson):
    """Without turn, stretch, shear and shift the affine augmentation changes nothing."""
    maps = lesson.random_maps(3, torch.Generator(), degrees=0, stretch=0, shear=0, shift=0)
    torch.testing.assert_close(maps, torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(3, 2, 3))


def test_maps_are_rotation_times_shear_times_stretch(lesson):
    """The linear part has the determinant of its stretches, and the shift stays inside its limit in pixels."""
    only_turned = lesson.random_maps(50, torch.Generator().manual_seed(0), stretch=0, shear=0.5, shift=0.7)
    torch.testing.assert_close(torch.linalg.det(only_turned[:, :, :2]), torch.ones(50))
    assert only_turned[:, :, 2].abs().max() * 4 <= 0.7


def test_draws_are_nested_balanced_and_free_of_test_images(lesson):
    """Every draw holds each digit equally often, without repeats, and asking for more keeps the first choices."""
    _, labels, _, _ = digits_split(seed=0)
    few, many = (lesson.draw_rows(labels, seed=3, draws=4, most=most) for most in (10, 40))
    assert few.shape == (4, 10, 10)
    assert (many[:, :, :10] == few).all()
    for draw in many:
        assert len(set(draw.ravel().tolist())) == 400
        assert (labels[draw] == torch.arange(10)[:, None]).all()


def test_pretraining_is_repeatable_and_lowers_the_loss(lesson):
    """Two runs with one seed give the same network; a dozen steps already lower the loss."""
    images, _, _, _ = digits_split(seed=0)
    runs = [lesson.pretrain(lesson.affine_and_noise, images, seed=0, steps=12) for _ in range(2)]
    assert runs[0][2].losses == runs[1][2].losses
    assert runs[0][2].losses[-1] < runs[0][2].losses[0] - 0.3
    with torch.no_grad():
        assert torch.equal(runs[0][0](images[:9]), runs[1][0](images[:9]))


def test_collapsed_views_cost_the_logarithm_of_the_number_of_answers(lesson):
    """If all views coincide the loss is log(2N - 1) at every temperature."""
    z = torch.ones(6, 3)
    for temperature in (0.05, 1.0, 10.0):
        assert lesson.nt_xent(z, z, temperature).item() == pytest.approx(math.log(11), abs=1e-5)


@pytest.mark.parametrize("reader", ["linear probe", "label spreading"])
def test_few_label_accuracy_has_a_row_for_each_draw(lesson, reader):
    """Both readers return (draws, counts), all between chance and 1 for raw pixels, higher with more labels."""
    split = digits_split(seed=0)
    scores = lesson.few_label_accuracy(torch.nn.Flatten(), split, 0, lesson.READERS[reader])
    assert scores.shape == (lesson.DRAWS, 3)
    assert ((scores > 0.3) & (scores < 1)).all()
    assert (np.diff(scores.mean(axis=0)) > 0).all()


def test_label_spreading_equals_the_iteration_of_its_paper(lesson):
    """The matrix gives the answers that F = keep S F + (1 - keep) Y converges to, step by step."""
    images, labels, test, _ = digits_split(seed=0)
    train, test = (lesson.features(torch.nn.Flatten(), part[:200]) for part in (images, test))
    rows = np.array([int((labels[:200] == digit).nonzero()[0]) for digit in range(10)])
    distance = np.linalg.norm(train[:, None] - train[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    ties = np.zeros((200, 200))
    np.put_along_axis(ties, distance.argsort(axis=1)[:, :5], 1, axis=1)
    ties = np.maximum(ties, ties.T)
    share = ties / np.sqrt(np.outer(ties.sum(axis=0), ties.sum(axis=0)))
    start = np.zeros((200, 10))
    start[rows, labels[rows]] = 1
    flow = start
    for _ in range(3000):
        flow = 0.99 * share @ flow + 0.01 * start
    nearest = np.linalg.norm(test[:, None] - train[None], axis=2).argsort(axis=1)[:, :5]
    expected = flow[nearest].sum(axis=1).argmax(axis=1)
    assert (lesson.label_spreading(train, test)(rows, labels.numpy()[rows]) == expected).all()


def test_spread_labels_keeps_most_labels_and_beats_chance(lesson):
    """Every training image gets a label, most of them right, from one label a class."""
    images, labels, _, _ = digits_split(seed=0)
    rows = lesson.draw_rows(labels, seed=0)[0][:, 0]
    given = lesson.spread_labels(images, rows, labels)
    assert given.shape == labels.shape
    assert (given == labels).float().mean() > 0.7


def test_trained_accuracy_has_a_row_for_each_draw(lesson, monkeypatch):
    """Networks trained on few labels give (draws, counts), with and without self-training."""
    monkeypatch.setattr(lesson, "LABELS", (1, 5))
    for self_training in (False, True):
        scores = lesson.trained_accuracy(digits_split(seed=0), 0, 1, 12, self_training)
        assert scores.shape == (1, 2)
        assert (scores > 0.15).all()


def test_low_temperature_breaks_classes_apart_on_the_circle(lesson):
    """In the panel, 40 steps at temperature 0.1 spread a class over more than twice the angle of temperature 2."""
    widths = {}
    for temperature in (0.1, 2.0):
        path = lesson.descend(lesson.start_angles(), temperature, 40)
        middle = path[-1].view(2, 3, 3).mean(0)
        widths[temperature] = (middle[:, 2] - middle[:, 0]).mean().item()
    assert widths[0.1] > 2 * widths[2.0]
