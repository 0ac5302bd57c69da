"""The digits: real, whole, scaled, and split without overlap."""

import pytest
import torch

from tinyfrontier.data import digits, digits_split


def test_the_set_is_whole_and_scaled():
    """1,797 images in [0, 1] with ten classes, a source and a licence."""
    data = digits()
    assert data.images.shape == (1797, 1, 8, 8)
    assert data.images.dtype == torch.float32
    assert (data.images.min().item(), data.images.max().item()) == (0.0, 1.0)
    assert data.labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert "CC BY" in data.licence
    assert "UCI" in data.source


def test_a_caller_may_change_what_it_got():
    """Changing one copy leaves the next call's untouched."""
    digits().images.zero_()
    assert digits().images.max().item() == 1.0


def test_the_split_is_stratified_disjoint_and_whole():
    """Both parts hold every class in proportion, share no row, and together are the set."""
    train, train_labels, test, test_labels = digits_split(seed=3)
    assert (test.shape, train.shape) == ((450, 1, 8, 8), (1347, 1, 8, 8))
    assert test_labels.bincount().min() >= 43
    everything = torch.cat([train, test]).flatten(1)
    assert torch.equal(everything.sum(0).round(decimals=2), digits().images.flatten(1).sum(0).round(decimals=2))
    assert len(train_labels) == 1347


def test_the_same_seed_gives_the_same_split():
    """A split repeats with its seed and differs with another."""
    assert torch.equal(digits_split(1)[2], digits_split(1)[2])
    assert not torch.equal(digits_split(1)[2], digits_split(2)[2])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seed": 1.5}, TypeError, "seed must be an int, got float"),
        ({"seed": -1}, ValueError, "seed must be in"),
        ({"test_size": 5}, ValueError, "test_size must be between 10 and 1787, got 5"),
        ({"test_size": "all"}, TypeError, "test_size must be an int, got str"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    """Each bad argument is refused by name."""
    with pytest.raises(error, match=message):
        digits_split(**arguments)
