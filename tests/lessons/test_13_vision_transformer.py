"""Lesson 13's own ViT against transformers', its CNN's field of view, its patches, distances and data."""

import pytest
import torch
import torch.nn.functional as F

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(13)


@pytest.mark.parametrize(
    ("sizes", "side", "channels", "batch"),
    [
        ({}, 8, 1, 3),
        ({"side": 16, "size": 4, "classes": 26}, 16, 1, 1),
        ({"side": 9, "channels": 3, "size": 3, "width": 20, "layers": 3, "heads": 5, "classes": 4}, 9, 3, 2),
    ],
    ids=["digits", "letters", "odd-sizes"],
)
def test_logits_and_gradients_equal_the_library(lesson, sizes, side, channels, batch):
    """With the same weights, logits and the gradient at the pixels equal transformers' ViTForImageClassification."""
    torch.manual_seed(1)
    mine = lesson.ViT(**sizes).double()
    with torch.no_grad():
        for weight in mine.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    library = lesson.library_vit(mine, side=side, channels=channels).double()
    library.load_state_dict(lesson.library_names(mine))  # once more, now in double precision
    images = torch.randn(batch, channels, side, side, dtype=torch.double, requires_grad=True)
    ours, theirs = mine(images), library(images).logits
    assert_same_as_library(ours, theirs, tolerance=1e-9, gradients=[images], gradient_tolerance=1e-8)


@pytest.mark.parametrize(("shape", "size"), [((2, 3, 6, 4), 2), ((1, 1, 9, 9), 3), ((4, 2, 5, 5), 5)])
def test_patches_are_those_of_a_convolution(lesson, shape, size):
    """A linear map of the patches equals a convolution that moves by its own width, and unfold's order."""
    images, filters = torch.randn(shape), torch.randn(7, shape[1], size, size)
    ours = lesson.patchify(images, size)
    assert torch.equal(ours, F.unfold(images, size, stride=size).transpose(1, 2))
    theirs = F.conv2d(images, filters, stride=size).flatten(2).transpose(1, 2)
    assert (ours @ filters.flatten(1).T - theirs).abs().max() < 1e-4


@pytest.mark.parametrize("strides", [(1, 2, 1, 2), (2, 2), (1,), (2, 1, 2)])
def test_the_receptive_field_is_what_a_gradient_reaches(lesson, strides):
    """As many pixels influence an output in the middle as the formula says."""
    layers = torch.nn.Sequential(*(torch.nn.Conv1d(1, 1, 3, stride, bias=False) for stride in strides)).double()
    signal = torch.randn(1, 1, 63, dtype=torch.double, requires_grad=True)
    out = layers(signal)
    (reached,) = torch.autograd.grad(out[0, 0, out.shape[-1] // 2], signal)
    assert int((reached != 0).sum()) == lesson.receptive_field([(3, stride) for stride in strides])


def test_both_networks_have_about_the_same_size(lesson):
    """Parameters differ by less than 5 %, for digits and for letters."""
    for vit, cnn in ((lesson.ViT(), lesson.make_cnn()), (lesson.ViT(16, size=4, classes=26), lesson.make_cnn(1, 26))):
        assert abs(lesson.parameters(vit) / lesson.parameters(cnn) - 1) < 0.05


def test_attention_maps_are_the_ones_inside(lesson):
    """Each row sums to 1, and removing the positions makes patches interchangeable."""
    torch.manual_seed(0)
    model, images = lesson.ViT().eval(), torch.randn(2, 1, 8, 8)
    maps = lesson.attention_maps(model, images)
    assert maps.shape == (2, 2, 4, 17, 17)
    assert (maps.sum(-1) - 1).abs().max() < 1e-5
    swapped = images.clone()
    swapped[:, :, :2, :2], swapped[:, :, 4:6, 4:6] = images[:, :, 4:6, 4:6], images[:, :, :2, :2]
    assert (model(images) - model(swapped)).abs().max() > 1e-4
    with torch.no_grad():
        model.position.zero_()
    assert (model(images) - model(swapped)).abs().max() < 1e-5


def test_looking_at_oneself_has_no_distance(lesson):
    """A head that stays where it is has distance 0; an even one has the mean distance of the grid."""
    stay = torch.eye(17).unsqueeze(0) + 1e-9
    even = torch.full((1, 17, 17), 1 / 17)
    assert lesson.attention_distance(stay, 4, 2) < 1e-6
    assert 3.7 < lesson.attention_distance(even, 4, 2).item() < 4.3


@pytest.mark.parametrize("by", [(1, 0), (-2, 0), (0, 1), (0, -3), (2, -1)])
def test_sliding_moves_pixels(lesson, by):
    """Every pixel that stays in sight lands where it should, and background fills the rest."""
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 4, 3] = 1.0
    moved = lesson.slide(image, *by)
    assert moved.shape == image.shape
    assert moved[0, 0, 4 + by[1], 3 + by[0]] == 1.0
    assert moved.sum() == 1.0


def test_scrambling_keeps_every_pixel(lesson):
    """One order for all images of a seed, another for another seed, nothing lost."""
    images = torch.randn(3, 1, 8, 8)
    mixed = lesson.scrambled(images, seed=0)
    assert torch.equal(mixed.flatten(1).sort().values, images.flatten(1).sort().values)
    assert torch.equal(mixed.flatten(1)[:, lesson.order_of(64, 0).argsort()], images.flatten(1))
    assert not torch.equal(mixed, lesson.scrambled(images, seed=1))


def test_the_slid_exam_asks_every_digit_four_times(lesson):
    """Each quarter holds all test digits, with their labels, none where it was."""
    moved, labels = lesson.slid_exam()
    _, _, test, answers = lesson.digit_data()
    assert torch.equal(labels, torch.cat([answers] * 4))
    for quarter in moved.split(len(test)):
        assert quarter.shape == test.shape
        assert not torch.equal(quarter, test)


def test_a_race_trains_both_on_the_same_images(lesson):
    """After one step there are two networks and three scores, and the seed decides all of them."""
    models, scores = lesson.race(40, seed=5, steps=1)
    _, again = lesson.race(40, seed=5, steps=1)
    assert set(models) == {"CNN", "ViT"}
    assert scores == again
    assert scores["SVM"] > 0.5


def test_letters_repeat_and_fonts_do_not_overlap(lesson):
    """A seed gives the same letters again; held-out fonts are not among the training fonts."""
    first, again = (lesson.draw_letters(8, lesson.TRAIN_FONTS, seed=3) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert first[0].shape == (8, 1, 16, 16)
    assert first[0].flatten(1).amax(1).min() > 0.5
    assert not set(lesson.TRAIN_FONTS) & set(lesson.TEST_FONTS)


@pytest.mark.parametrize("text", ["", "#", "nothing drawn here at all", "\n" * 20, "########\n" * 9])
def test_any_text_is_a_drawing(lesson, text):
    """Whatever is typed becomes an image of 8 by 8 pixels in [0, 1]."""
    image = lesson.read_drawing(text)
    assert image.shape == (1, 1, 8, 8)
    assert 0 <= image.min() <= image.max() <= 1
