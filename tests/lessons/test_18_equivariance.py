"""Lesson 18's group convolution, particles, symmetry and harmonics, against definitions and e3nn."""

import copy

import pytest
import torch

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(18)


@pytest.mark.parametrize(("channels", "out", "turns", "k"), [(1, 3, 1, 3), (2, 1, 4, 3), (3, 2, 4, 5), (1, 1, 4, 1)])
def test_p4_convolution_equals_its_definition(lesson, channels, out, turns, k):
    """Values and gradients equal those of the resting filter on turned images."""
    torch.manual_seed(0)
    layer = lesson.P4Conv(channels, out, turns, k).double()
    x = torch.randn(2, channels * turns, 7, 7, dtype=torch.double, requires_grad=True)
    leaves = [x, layer.weight, layer.bias]
    assert_same_as_library(layer(x), lesson.by_definition(layer, x), tolerance=1e-12, gradients=leaves)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_the_image_turns_and_shifts_the_maps(lesson, turns):
    """Each layer of the p4 trunk is equivariant, and the reader invariant, before and after a step of training."""
    torch.manual_seed(1)
    model, x = lesson.Reader(True).double(), torch.randn(3, 1, 8, 8, dtype=torch.double)
    model(x).square().sum().backward()
    with torch.no_grad():
        for weight in model.parameters():
            weight -= 0.1 * weight.grad
    model.eval()
    for depth in range(1, len(model.trunk) + 1):
        still, turned = (model.trunk[:depth](part) for part in (x, lesson.quarter_turn(x, turns)))
        moved = lesson.quarter_turn(still.unflatten(1, (-1, 4)), turns).roll(turns, dims=2).flatten(1, 2)
        assert (turned - moved).abs().max() < 1e-12 * max(1, moved.abs().max().item())
    assert (model(lesson.quarter_turn(x, turns)) - model(x)).abs().max() < 1e-12 * model(x).abs().max()


def test_plain_networks_are_not_symmetric(lesson):
    """The measure is large for what has no symmetry, so a small one says something."""
    torch.manual_seed(0)
    assert lesson.digit_symmetry(lesson.Reader(False), 10) > 1e-2
    assert lesson.particle_symmetry(lesson.PlainParticles(), 10) > 1e-2


@pytest.mark.parametrize(("n", "batch"), [(5, 3), (2, 1), (1, 2)])
def test_particles_follow_turns_mirrors_shifts_and_names(lesson, n, batch):
    """E(n) and the order of particles: the answer does what was done to the question."""
    torch.manual_seed(2)
    model = lesson.SymmetricParticles(width=8).double()
    x, v = torch.randn(2, batch, n, 3, dtype=torch.double)
    charge = torch.randint(2, (batch, n, 1)) * 2.0 - 1
    charge = charge.double()
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.double))[0]
    for mirror in (1, -1):
        moved = model(x @ turn * mirror + 2, v @ turn * mirror, charge)
        assert (moved - model(x, v, charge) @ turn * mirror - 2).abs().max() < 1e-12
    order = torch.randperm(n)
    assert (model(x[:, order], v[:, order], charge[:, order]) - model(x, v, charge)[:, order]).abs().max() < 1e-12


def test_the_plain_graph_network_ignores_shifts_only(lesson):
    """The rival is given shifts, so that it is as strong as it can be."""
    torch.manual_seed(3)
    model = lesson.PlainParticles(width=8).double()
    x, v, charge, _ = (part.double() for part in lesson.particles(4, 5))
    assert (model(x + 3, v, charge) - model(x, v, charge) - 3).abs().max() < 1e-12


def test_the_simulator_keeps_momentum_and_converges(lesson):
    """Without gravity the middle flies straight; half the step hardly changes the end; gravity pulls it down."""
    x, v, charge, end = lesson.particles(50, 0)
    assert (end.mean(1) - x.mean(1) - v.mean(1)).abs().max() < 1e-4
    finer = lesson.particles(50, 0, dt=0.005)[3]
    assert (end - finer).abs().median() < 1e-3
    fallen = lesson.particles(50, 0, gravity=2.0)[3]
    drop = (fallen - x - v).mean(1)
    assert (drop - torch.tensor([0.0, 0.0, -1.0])).abs().max() < 1e-3
    assert charge.abs().eq(1).all()


def test_random_turns_keep_lengths_and_are_mirrored_half_the_time(lesson):
    """Orthogonal matrices with both determinants."""
    turns = lesson.random_turns(400, torch.Generator().manual_seed(0))
    assert (turns @ turns.mT - torch.eye(3)).abs().max() < 1e-5
    assert 0.4 < (torch.linalg.det(turns) > 0).float().mean() < 0.6
    assert turns.mean(0).abs().max() < 0.15


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 4, 3)])
def test_harmonics_equal_e3nn(lesson, shape):
    """Values and gradients equal the library's, in its order and component normalisation."""
    from e3nn import o3

    x = torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(1), requires_grad=True)
    theirs = o3.spherical_harmonics([0, 1, 2], x, normalize=True, normalization="component")
    assert_same_as_library(lesson.harmonics(x), theirs, tolerance=1e-12, gradients=[x])


def test_the_tensor_product_equals_e3nn(lesson):
    """1 x 1 -> 0 + 1 + 2, values and gradients equal the library's."""
    from e3nn import o3

    draw = torch.Generator().manual_seed(2)
    a, b = (torch.randn(20, 3, generator=draw, requires_grad=True) for _ in range(2))
    product = o3.FullTensorProduct("1o", "1o")
    assert str(product.irreps_out) == "1x0e+1x1e+1x2e"
    assert_same_as_library(lesson.tensor_product(a, b), product(a, b), tolerance=1e-5, gradients=[a, b])


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_steered_filters_are_turned_filters(lesson, order):
    """By a quarter, where the grid is exact, steering equals turning."""
    turned = lesson.quarter_turn(lesson.ring_filters(order)[0], 1)
    assert (lesson.steered(order, torch.pi / 2) - turned).abs().max() < 1e-4


def test_samples_of_a_digit_race_differ_in_orientation_only(lesson):
    """A seed's sample is its training digits, each in one of four orientations; another seed has others."""
    some, labels = lesson.digit_sample(60, 3)
    again, _ = lesson.digit_sample(60, 3)
    images = lesson.digit_data()[0]
    known = torch.stack([lesson.quarter_turn(images, r) for r in range(4)]).flatten(0, 1).flatten(1)
    assert torch.equal(some, again)
    assert labels.max() < 9
    assert torch.cdist(some.flatten(1), known).amin(1).max() < 1e-2
    assert not torch.equal(some, lesson.digit_sample(60, 4)[0])


def test_training_leaves_the_symmetry_exact(lesson):
    """A few steps change the weights; both measures stay at rounding, and measuring leaves the model in float32."""
    reader, _ = lesson.train_reader("equivariant", 20, 0, factor=0.05)
    graph, *_ = lesson.train_particles("equivariant", 20, 0, factor=0.02)
    before = copy.deepcopy(graph.state_dict())
    assert lesson.digit_symmetry(reader, 20) < 1e-12
    assert lesson.particle_symmetry(graph, 20) < 1e-12
    assert all(torch.equal(before[name], value) for name, value in graph.state_dict().items())
    assert next(reader.parameters()).dtype == torch.float32
