"""Lesson 22's judge, jets, Jacobian, damped step, optimiser and grid, against PyTorch's derivatives and SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import least_squares
from torch.func import vmap

from tinyfrontier.authoring import definitions

F64 = torch.float64


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(22)


@pytest.mark.parametrize(("t", "x"), [(0.05, 0.3), (0.4, -0.7), (0.9, 0.02), (1.0, 0.5)])
def test_the_judge_equals_the_integral_by_scipy(lesson, t, x):
    """A hundred nodes give what adaptive quadrature of the Cole-Hopf integral gives, where both can do it."""
    nu = 0.05

    def weight(y):
        # phi at t = 0 is exp(-cos(pi y) / (2 pi nu)); the factor exp(1 / (2 pi nu)) cancels
        return math.exp((-math.cos(math.pi * y) - 1) / (2 * math.pi * nu) - (x - y) ** 2 / (4 * nu * t))

    places = (x - 12 * math.sqrt(2 * nu * t), x + 12 * math.sqrt(2 * nu * t))
    top = quad(lambda y: math.sin(math.pi * y) * weight(y), *places, limit=500)[0]
    bottom = quad(weight, *places, limit=500)[0]
    found = lesson.exact(np.array([t]), np.array([x]), viscosity=nu)[0]
    assert abs(found + top / bottom) < 1e-7


def test_the_judge_obeys_law_start_and_ends(lesson):
    """The exact solution starts as -sin(pi x), is odd, zero at the ends, and leaves no residual by differences."""
    x = np.linspace(-1, 1, 9)
    assert np.abs(lesson.exact(np.full(9, 1e-9), x) + np.sin(np.pi * x)).max() < 1e-3
    late = lesson.exact(np.full(9, 0.7), x)
    assert np.abs(late + late[::-1]).max() < 1e-12
    assert abs(late[0]) < 1e-10
    t, places, h = np.full(50, 0.6), np.linspace(0.15, 0.95, 50), 1e-4

    def u(dt=0.0, dx=0.0):
        return lesson.exact(t + dt, places + dx)

    change, slope = (u(dt=h) - u(dt=-h)) / (2 * h), (u(dx=h) - u(dx=-h)) / (2 * h)
    bend = (u(dx=h) - 2 * u() + u(dx=-h)) / h**2
    assert np.abs(change + u() * slope - lesson.VISCOSITY * bend).max() < 1e-4


def test_jets_carry_the_derivatives_of_autograd(lesson):
    """Value and three derivatives of the constrained network are those that PyTorch finds backwards."""
    theta = lesson.fresh(1)
    t, x = torch.rand(2, 20, generator=torch.Generator().manual_seed(0), dtype=F64)
    jets = lesson.at(lesson.solution, theta, t, x)  # (20, 4)
    t, x = t.requires_grad_(), x.requires_grad_()
    value = lesson.at(lesson.solution, theta, t, x)[:, 0]
    u_t, u_x = torch.autograd.grad(value.sum(), (t, x), create_graph=True)
    u_xx = torch.autograd.grad(u_x.sum(), x)[0]
    for found, expected in zip(jets.T, (value, u_t, u_x, u_xx), strict=True):
        assert (found - expected).abs().max() < 1e-10


def test_start_and_ends_hold_whatever_the_weights_are(lesson):
    """The flow is -sin(pi x) at time 0 and zero at both ends, for random weights."""
    theta = 3 * torch.randn(501, generator=torch.Generator().manual_seed(2), dtype=F64)
    line = torch.linspace(0, 1, 11, dtype=F64)
    start = lesson.at(lesson.solution, theta, 0 * line, line)[:, 0]
    assert (start + torch.sin(math.pi * line)).abs().max() < 1e-12
    for end in (0.0, 1.0):
        assert lesson.at(lesson.solution, theta, line, end + 0 * line)[:, 0].abs().max() < 1e-12


def test_a_product_of_jets_is_the_jet_of_a_product(lesson):
    """sin(x) t times x^2 t, whose derivatives are known by formula."""
    t, x = torch.tensor([0.3, 2.0], dtype=F64), torch.tensor([0.7, -1.1], dtype=F64)
    sin, cos = torch.sin(x), torch.cos(x)
    f = lesson.jet(t * sin, sin, t * cos, -t * sin)
    g = lesson.jet(t * x**2, x**2, 2 * t * x, 2 * t)
    product = lesson.times(f, g)
    both = t**2 * sin * x**2, 2 * t * sin * x**2, t**2 * (cos * x**2 + 2 * x * sin)
    expected = lesson.jet(*both, t**2 * (-sin * x**2 + 4 * x * cos + 2 * sin))
    assert (product - expected).abs().max() < 1e-12


def test_the_optimiser_reaches_scipys_least_squares(lesson):
    """On a small sum of squares both end at the same weights."""
    line = torch.linspace(0, 2, 30, dtype=F64)
    seen = 2.0 * torch.exp(-1.3 * line) + 0.5

    def miss(theta, x, y):
        return theta[0] * torch.exp(-theta[1] * x) + theta[2] - y

    def draw(theta, generator):
        return [(miss, line, seen)]

    ours = lesson.train(torch.ones(3, dtype=F64), draw, 60)

    def rows(theta):
        return theta[0] * np.exp(-theta[1] * line.numpy()) + theta[2] - seen.numpy()

    theirs = least_squares(rows, np.ones(3), method="lm").x
    assert np.abs(ours.numpy() - theirs).max() < 1e-6


def test_training_never_returns_worse_than_its_start(lesson):
    """With rows that cannot be lowered the weights stay, and the same seed gives the same weights twice."""
    start = torch.zeros(2, dtype=F64)

    def level(theta, x):
        return 1.0 + theta.square().sum() + 0 * x

    def draw(theta, generator):
        return [(level, torch.zeros(3, dtype=F64))]

    assert torch.equal(lesson.train(start, draw, 5), start)
    again = [lesson.train(lesson.fresh(0), lesson.draw_points, 3, seed=1) for _ in range(2)]
    assert torch.equal(*again)


def test_points_gather_where_the_residual_is_large(lesson):
    """Drawn points have a larger residual than uniform ones."""
    theta, generator = lesson.fresh(0), torch.Generator().manual_seed(5)
    [(rows, t, x)] = lesson.draw_points(theta, generator)
    drawn = lesson.at(rows, theta, t, x).square().mean().item()
    even = torch.rand(2, 5000, generator=generator, dtype=F64)
    cost = lesson.at(lesson.law, theta, *even).square().mean().item()
    assert len(t) == len(x) == 1000
    assert drawn > 1.1 * cost > 0


@pytest.mark.parametrize("parts", [8, 33])
def test_the_grids_rate_equals_a_loop(lesson, parts):
    """The rate inside equals SciPy-free arithmetic place by place, and the ends are held."""
    u = torch.randn(parts + 1, generator=torch.Generator().manual_seed(parts), dtype=F64)
    dx = 1 / parts
    rate = lesson.flow_rate(u, dx, 0.1)
    for i in range(1, parts):
        carried = (u[i + 1] ** 2 - u[i - 1] ** 2) / (4 * dx)
        assert abs(rate[i] - (0.1 * (u[i + 1] - 2 * u[i] + u[i - 1]) / dx**2 - carried)) < 1e-8
    assert rate[0] == rate[-1] == 0


def test_a_finer_grid_is_closer(lesson):
    """Twice as many places are at least three times as close, and the start stays what it was."""
    errors = [lesson.grid_errors(parts)[0] for parts in (256, 512)]
    assert errors[0] > 3 * errors[1]
    assert lesson.march(64)[0].shape == (100, 65)


def test_measurements_repeat_and_scatter_as_told(lesson):
    """A seed gives the same measurements again; their noise is 0.01; times stay away from 0."""
    first, again = lesson.measurements(4), lesson.measurements(4)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    t, x, seen = (part.numpy() for part in first)
    noise = seen - lesson.exact(t, x)
    assert 0.009 < noise.std() < 0.011
    assert t.min() >= 0.01


def test_the_grid_finds_the_viscosity(lesson):
    """Within four of its own standard errors, which are below 2 %."""
    found, doubt = lesson.identify_by_grid(11)
    assert abs(found - lesson.VISCOSITY) < 4 * doubt < 0.08 * lesson.VISCOSITY


def test_the_waves_network_lives_on_a_circle(lesson):
    """Value and derivatives are the same after one turn, and the derivatives are autograd's in real time."""
    theta, span = lesson.fresh(3, inputs=3), 0.2
    s, x = torch.rand(2, 6, generator=torch.Generator().manual_seed(1), dtype=F64)
    jets = vmap(lambda s, x: lesson.wave(theta, s, x, span))(s, x)
    turned = vmap(lambda s, x: lesson.wave(theta, s, x, span))(s, x + 2 * math.pi)
    assert (jets - turned).abs().max() < 1e-12
    s, x = s.requires_grad_(), x.requires_grad_()
    value = vmap(lambda s, x: lesson.wave(theta, s, x, span)[0])(s, x)
    by_s, by_x = torch.autograd.grad(value.sum(), (s, x), create_graph=True)
    assert (jets[:, 1] - by_s / span).abs().max() < 1e-10
    assert (jets[:, 2] - by_x).abs().max() < 1e-10
    assert (jets[:, 3] - torch.autograd.grad(by_x.sum(), x)[0]).abs().max() < 1e-9
