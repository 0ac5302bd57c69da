"""The denoiser of molecules: follows turns, mirrors and renumbering, keeps the middle, hears the wish."""

import pytest
import torch

from tinyfrontier.models import DenoiserConfig, MoleculeDenoiser


def stirred(**sizes):
    """A small float64 denoiser with every weight moved, so that positions move too."""
    torch.manual_seed(0)
    model = MoleculeDenoiser(DenoiserConfig(**sizes)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def noisy(batch=4, n=6, elements=4):
    torch.manual_seed(1)
    x, h = torch.randn(batch, n, 3).double(), torch.randn(batch, n, elements).double()
    return x - x.mean(dim=1, keepdim=True), h, torch.rand(batch).double() + 0.1, torch.randn(batch, 2).double()


@pytest.mark.parametrize("mirror", [1, -1])
@pytest.mark.parametrize("n", [1, 2, 6])
def test_positions_follow_and_elements_stay(mirror, n):
    """A turn, with a mirror or without, and a new order of atoms do to the guess what they do to the input."""
    model, (x, h, angle, wish) = stirred(width=16, layers=3), noisy(n=n)
    turn, order = mirror * torch.linalg.qr(torch.randn(3, 3).double())[0], torch.randperm(n)
    with torch.no_grad():
        guess_x, guess_h = model(x, h, angle, wish)
        moved_x, moved_h = model(x[:, order] @ turn, h[:, order], angle, wish)
    assert (moved_x - guess_x[:, order] @ turn).abs().max() < 1e-12
    assert (moved_h - guess_h[:, order]).abs().max() < 1e-12
    assert guess_x.mean(dim=1).abs().max() < 1e-12
    assert n == 1 or guess_x.abs().max() > 1e-3


def test_shifts_are_ignored():
    """Where the molecule is makes no difference."""
    model, (x, h, angle, wish) = stirred(width=16, layers=2), noisy()
    with torch.no_grad():
        for here, there in zip(model(x, h, angle, wish), model(x + 5, h, angle, wish), strict=True):
            assert (here - there).abs().max() < 1e-9


def test_angle_and_wish_are_heard():
    """Another angle and another wish change the guess; other molecules of the batch do not."""
    model, (x, h, angle, wish) = stirred(width=16, layers=2), noisy()
    with torch.no_grad():
        guess = model(x, h, angle, wish)[1]
        assert (model(x, h, angle + 0.1, wish)[1] - guess).abs().max() > 1e-4
        assert (model(x, h, angle, wish + 1)[1] - guess).abs().max() > 1e-4
        assert (model(x[:1], h[:1], angle[:1], wish[:1])[1] - guess[:1]).abs().max() < 1e-12


def test_atoms_at_one_place_have_gradients():
    """Two atoms on top of each other do not make the gradient infinite."""
    model, (x, h, angle, wish) = stirred(width=8, layers=2), noisy()
    x = torch.zeros_like(x).requires_grad_()
    guess = model(x, h, angle, wish)
    (guess[0].square().sum() + guess[1].square().sum()).backward()
    assert x.grad.isfinite().all()


def test_sizes_are_those_of_the_config():
    """More elements and more layers are more weights."""
    model = MoleculeDenoiser(DenoiserConfig(elements=5, width=8, layers=3))
    assert len(model.layers) == 3
    assert model.read.out_features == 5
