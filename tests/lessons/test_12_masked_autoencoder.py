"""Lesson 12's masked autoencoder against transformers', piece by piece and as a whole."""

import pytest
import torch
from transformers.models.vit_mae.configuration_vit_mae import ViTMAEConfig
from transformers.models.vit_mae.modeling_vit_mae import ViTMAEForPreTraining

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions
from tinyfrontier.pretrained import figures_of

SIZES = figures_of("mae")["model"]


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(12)


def library(ratio=0.75, seed=0):
    """The library's network with random weights everywhere, in double precision."""
    torch.manual_seed(seed)
    model = ViTMAEForPreTraining(ViTMAEConfig(**(SIZES | {"mask_ratio": ratio}))).double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return model


@pytest.mark.parametrize(("ratio", "keep"), [(0.75, 4), (0.5, 8), (0.25, 12), (0.9, 1)])
def test_the_network_equals_the_library(lesson, ratio, keep):
    """With the same weights and noise: hidden patches, painting, loss, and the gradient at the pixels."""
    theirs, mine = library(ratio), lesson.MAE().double()
    mine.load_state_dict(lesson.renamed(theirs))
    images = torch.randn(3, 1, 8, 8, dtype=torch.double, requires_grad=True)
    noise = torch.rand(3, 16, generator=torch.Generator().manual_seed(keep))
    painted, hidden = mine(images, noise, keep)
    expected = theirs(images, noise=noise)
    assert torch.equal(hidden, expected.mask.float())
    assert (painted - expected.logits).abs().max() < 1e-9
    loss = lesson.masked_mse(painted, lesson.patchify(images), hidden)
    assert_same_as_library(loss, expected.loss, tolerance=1e-9, gradients=[images], gradient_tolerance=1e-8)


@pytest.mark.parametrize(("batch", "patches", "width", "keep"), [(1, 5, 1, 2), (3, 16, 7, 4), (2, 9, 3, 9)])
def test_masking_equals_the_library(lesson, batch, patches, width, keep):
    """Kept tokens, mask and restoring order are those of transformers' random_masking."""
    embeddings = library().vit.embeddings
    embeddings.config.mask_ratio = 1 - keep / patches
    tokens, noise = torch.randn(batch, patches, width), torch.rand(batch, patches)
    for ours, theirs in zip(lesson.random_masking(tokens, noise, keep), embeddings.random_masking(tokens, noise)):
        assert torch.equal(ours, theirs)


def test_patches_come_back(lesson):
    """Assembling patches gives the images again, and patches are those of the library."""
    images = torch.randn(4, 1, 8, 8)
    patches = lesson.patchify(images)
    assert torch.equal(lesson.assemble(patches), images)
    assert torch.equal(patches, library().patchify(images))


def test_what_is_filled_in_is_the_kept_or_the_mask(lesson):
    """Every kept token returns to its place; every other place holds the mask token."""
    tokens, noise, mask = torch.randn(2, 16, 3), torch.rand(2, 16), torch.full((3,), 9.0)
    kept, hidden, restore = lesson.random_masking(tokens, noise, 5)
    filled = lesson.fill_in(kept, mask, restore)
    assert torch.equal(filled[hidden == 0], tokens[hidden == 0])
    assert (filled[hidden == 1] == 9).all()


def test_visible_patches_do_not_enter_the_loss(lesson):
    """Changing what is painted over visible patches leaves the loss and brings no gradient."""
    painted, target = torch.randn(2, 16, 4, requires_grad=True), torch.randn(2, 16, 4)
    hidden = (torch.rand(2, 16) < 0.5).float()
    (gradient,) = torch.autograd.grad(lesson.masked_mse(painted, target, hidden), painted)
    assert (gradient[hidden == 0] == 0).all()
    assert (gradient[hidden == 1] != 0).all()


def test_shuffling_keeps_every_patch(lesson):
    """The control's images hold the same patches in another order, each image its own."""
    images = torch.randn(6, 1, 8, 8)
    before, after = (lesson.patchify(x).sum(-1) for x in (images, lesson.shuffled(images)))
    assert torch.allclose(before.sort(dim=1).values, after.sort(dim=1).values)
    assert (before != after).float().mean() > 0.5


def test_hiding_paints_grey_and_filling_paints_patches(lesson):
    """Only hidden patches change when an image is covered or filled."""
    images = torch.rand(1, 1, 8, 8)
    hidden = torch.zeros(1, 16)
    hidden[0, 5] = 1
    for changed in (lesson.covered(images, hidden), lesson.filled_with(images, torch.full((1, 16, 4), 0.35), hidden)):
        assert (changed[0, 0, 2:4, 2:4] == 0.35).all()
        assert int((changed != images).sum()) == 4


def test_leads_are_taken_draw_by_draw(lesson):
    """The lead is the mean of differences, its doubt twice their standard error; equal leads have no doubt."""
    before = torch.rand(10, 3)
    mean, doubt = lesson.gain(before + torch.tensor([0.1, 0.0, -0.2]), before)
    assert mean.tolist() == pytest.approx([0.1, 0.0, -0.2], abs=1e-6)
    assert doubt.tolist() == pytest.approx([0.0] * 3, abs=1e-6)
    mean, doubt = lesson.gain([[0.0], [2.0]], [[0.0], [0.0]])
    assert (mean[0], doubt[0]) == (1.0, pytest.approx(2.0))


@pytest.mark.parametrize("number", [1, 5])
def test_a_draw_has_as_many_labels_of_each_class(lesson, number):
    """Each class is drawn equally often, no digit twice, and another draw differs."""
    chosen = lesson.draw_labels(number, 3)
    labels = lesson.DIGITS[1][chosen]
    assert torch.bincount(labels, minlength=10).tolist() == [number] * 10
    assert len(set(chosen.tolist())) == 10 * number
    assert not torch.equal(chosen, lesson.draw_labels(number, 4))
    assert torch.equal(chosen, lesson.draw_labels(number, 3))


def test_fine_tuning_can_be_judged_without_the_held_out_digits(lesson, monkeypatch):
    """Judged on training digits, accuracy does not depend on the held-out ones."""
    monkeypatch.setattr(lesson, "TEST", None)
    assert 0 <= lesson.tune(lesson.fresh(0), 1, 0, True, 1e-3, steps=1, judge="train") <= 1
