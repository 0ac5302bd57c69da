"""Exercises of lesson 22: the residual of a law, a jet through tanh, a damped step, a flow on a grid."""

import torch

from .form import exercise


class _Known(torch.nn.Module):
    """A flow u(t, x) with two weights, whose derivatives are known by formula."""

    def __init__(self, scale, rate):
        super().__init__()
        self.scale, self.rate = (torch.nn.Parameter(torch.tensor(float(number))) for number in (scale, rate))


class _Power(_Known):
    """scale * t^rate * x^2."""

    def forward(self, t, x):
        return self.scale * t**self.rate * x**2

    def parts(self, t, x):
        height = self.scale * t**self.rate
        return height * x**2, self.rate * height / t * x**2, 2 * height * x, 2 * height


class _Fading(_Known):
    """scale * exp(-rate t) * sin x: with the right rate, what viscosity alone does to a wave."""

    def forward(self, t, x):
        return self.scale * torch.exp(-self.rate * t) * torch.sin(x)

    def parts(self, t, x):
        height = self.scale * torch.exp(-self.rate * t)
        value = height * torch.sin(x)
        return value, -self.rate * value, height * torch.cos(x), -value


@exercise(
    returns="float tensor (points,)",
    points=3,
    tolerance=1e-4,
    constants=("t", "x", "viscosity"),
    # the tuple has one element
    equivalent_mutants=["0 -> -1 in u_xx = torch.autograd.grad(u_x.sum(), x, create_graph=True)[0]"],
)
def burgers_residual(u, t, x, viscosity):
    value, u_t, u_x, u_xx = u.parts(t, x)
    return u_t + value * u_x - viscosity * u_xx


@burgers_residual.cases
def _():
    def spread(points, seed):
        generator = torch.Generator().manual_seed(seed)
        return 0.2 + torch.rand(2, points, generator=generator)

    yield "the worked example", _Power(1, 1), torch.ones(1), 2 * torch.ones(1), 0.5
    yield "five points of a wave", _Fading(2, 0.7), *spread(5, 0), 0.3
    yield "one point", _Fading(-1, 2), *spread(1, 1), 1.5
    yield "no viscosity", _Power(0.5, 3), *spread(7, 2), 0.0
    yield "much viscosity", _Power(-2, 2), *spread(4, 3), 20.0
    yield "a wave that the viscosity damps", _Fading(0.01, 0.25), *spread(6, 4), 0.25
    yield "a hundred points", _Fading(3, -0.5), *spread(100, 5), 0.01
    yield "residuals below zero", _Fading(1.5, 3), *spread(4, 6), 0.2
    yield "residuals of both signs", _Fading(2, 1.5), *spread(9, 7), 0.1


@burgers_residual.usual
def burgers_residual(u, t, x, viscosity):
    t, x = t.detach().requires_grad_(), x.detach().requires_grad_()
    value = u(t, x)
    u_t, u_x = torch.autograd.grad(value.sum(), (t, x), create_graph=True)
    u_xx = torch.autograd.grad(u_x.sum(), x, create_graph=True)[0]
    return u_t + value * u_x - viscosity * u_xx


burgers_residual.slip("+ value * u_x", "+ u_x", "carried by one").says(
    "the flow is carried by itself: its slope is multiplied by the flow, not by one."
)
burgers_residual.slip("- viscosity * u_xx", "+ viscosity * u_xx", "viscosity roughens").says(
    "the viscosity has the wrong sign: moved to the other side of the equation, its term is subtracted."
)
burgers_residual.slip("u_x.sum(), x,", "u_x.sum(), t,", "a mixed derivative").says(
    "the second derivative is by x twice; yours differentiates the slope in x by time."
)
burgers_residual.slip("+ value * u_x", "- value * u_x", "carried backwards").says(
    "the term that carries the flow has the wrong sign: it stands on the left of the law as it is."
)
burgers_residual.slip("u_t + value * u_x", "value * u_x", "standing still").says(
    "the change in time is missing: this is the residual of a flow that stands still."
)
burgers_residual.slip("torch.autograd.grad(u_x.sum(), x, create_graph=True)[0]", "u_x * u_x", "the slope squared").says(
    "the last term needs the second derivative, not the square of the first."
)


burgers_residual.slip(
    "return u_t + value * u_x - viscosity * u_xx",
    "return (u_t + value * u_x - viscosity * u_xx).abs()",
    "the sign lost",
).says("the size is right, but a residual has a sign, and yours is nowhere below zero.")
burgers_residual.slip(
    "return u_t + value * u_x - viscosity * u_xx",
    "return (u_t + value * u_x - viscosity * u_xx) ** 2",
    "squared already",
).says("you returned its square. The residual itself is asked for; the loss will square it.")


@burgers_residual.mistake(
    "weights out of reach",
    "the residual is right, but not every gradient reaches the weights inside `u`. First and second derivatives need "
    "`create_graph=True`, and nothing may be detached: a loss has to be made of it.",
)
def _(u, t, x, viscosity):
    t, x = t.detach().requires_grad_(), x.detach().requires_grad_()
    value = u(t, x)
    u_t, u_x = torch.autograd.grad(value.sum(), (t, x), create_graph=True)
    u_xx = torch.autograd.grad(u_x.sum(), x)[0]
    return (u_t + value * u_x - viscosity * u_xx).detach()


@burgers_residual.mistake(
    "the wrong pair of slopes",
    "the two first derivatives changed places: `torch.autograd.grad` returns them in the order in which you name them.",
)
def _(u, t, x, viscosity):
    t, x = t.detach().requires_grad_(), x.detach().requires_grad_()
    value = u(t, x)
    u_x, u_t = torch.autograd.grad(value.sum(), (t, x), create_graph=True)
    u_xx = torch.autograd.grad(u_x.sum(), x, create_graph=True)[0]
    return u_t + value * u_x - viscosity * u_xx


@burgers_residual.mistake(
    "one sum for all",
    "every point got the same number, the sum or the mean of all. Sum only what you differentiate; return one "
    "residual a point.",
)
def _(u, t, x, viscosity):
    value, u_t, u_x, u_xx = u.parts(t, x)
    return (u_t + value * u_x - viscosity * u_xx).mean().expand(len(t))


@exercise(returns="float tensor (4, ...)", points=2, extreme={"z": 400.0})
def through_tanh(z):
    a = torch.tanh(z[0])
    first = 1 - a**2
    second = -2 * a * first
    return torch.stack([a, first * z[1], first * z[2], first * z[3] + second * z[2] ** 2])


@through_tanh.cases
def _():
    def random(*shape, seed=0, scale=1.0):
        return scale * torch.randn(4, *shape, generator=torch.Generator().manual_seed(seed))

    yield "the worked example", torch.tensor([0.0, 1, 2, 3])
    yield "a layer of five", random(5)
    yield "points and places", random(3, 7, seed=1)
    yield "one neuron", random(1, seed=2, scale=0.5)
    yield "no slope in x", random(6, seed=3) * torch.tensor([1.0, 1, 0, 1])[:, None]
    yield "flat in both, but curved", random(4, seed=4) * torch.tensor([1.0, 0, 0, 1])[:, None]


@through_tanh.usual
def through_tanh(z):
    a = torch.tanh(z[0])
    slope = 1 - a**2
    return torch.stack([a, slope * z[1], slope * z[2], slope * (z[3] - 2 * a * z[2] ** 2)])


through_tanh.slip("(z[3] - 2 * a * z[2] ** 2)", "z[3]", "a straight tanh").says(
    "the second derivative lacks the term of the bend: tanh itself curves, by -2 a (1 - a²), times the slope squared."
)
through_tanh.slip("- 2 * a * z[2] ** 2", "+ 2 * a * z[2] ** 2", "bent the wrong way").says(
    "the bend has the wrong sign: above zero tanh curves downwards."
)
through_tanh.slip("z[2] ** 2", "z[2]", "the slope not squared").says(
    "in the second derivative z_x enters squared: the chain rule applies it twice."
)
through_tanh.slip("z[2] ** 2", "z[1] ** 2", "the slope in time").says(
    "the second derivative is by x: the slope that is squared is z_x, not z_t."
)
through_tanh.slip("1 - a**2", "1 - z[0] ** 2", "the slope of the input").says(
    "the slope of tanh is 1 minus the square of its output, not of its input."
)
through_tanh.slip("- 2 * a", "- a", "half the bend").says(
    "the derivative of 1 - a² is -2 a a': the factor 2 is missing."
)
through_tanh.slip("2 * a * z", "2 * z", "tanh itself forgotten").says(
    "the bend lacks the factor a: where z is 0, tanh does not bend at all."
)
through_tanh.slip("[a, slope * z[1]", "[z[0], slope * z[1]", "value unchanged").says(
    "the first entry is the value itself, so it must be tanh of z."
)


@through_tanh.mistake(
    "tanh of everything", "each derivative was put through tanh, but only the value is. Use the chain rule."
)
def _(z):
    return torch.tanh(z)


@exercise(
    returns="float tensor (weights,)",
    points=2,
    tolerance=1e-4,
    # the product is promoted to the matrix's precision; the damping alone is rounded to seven digits
    equivalent_mutants=[
        "torch.eye(len(normal), dtype=normal.dtype) -> torch.eye(len(normal)) in "
        "normal = normal + damping * torch.eye(len(normal), dtype=normal.dtype)"
    ],
)
def damped_step(jacobian, residual, damping):
    """Plain least squares with one more row for each weight."""
    weights = jacobian.shape[1]
    rows = torch.cat([jacobian, damping**0.5 * torch.eye(weights, dtype=jacobian.dtype)])
    values = torch.cat([residual, torch.zeros(weights, dtype=jacobian.dtype)])
    return -torch.linalg.lstsq(rows, values[:, None]).solution[:, 0]


@damped_step.cases
def _():
    def random(rows, weights, seed):
        generator = torch.Generator().manual_seed(seed)
        both = torch.randn(rows, weights + 1, generator=generator)
        return both[:, :-1], both[:, -1]

    yield "the worked example", torch.tensor([[2.0, 0], [0, 1]]), torch.tensor([4.0, 3]), 1.0
    yield "more rows than weights", *random(9, 4, 0), 0.3
    yield "fewer rows than weights", *random(2, 5, 1), 0.5
    yield "one row", *random(1, 3, 2), 2.0
    yield "one weight", *random(6, 1, 3), 0.1
    yield "strong damping", *random(5, 3, 4), 100.0
    yield "a step downhill alone", torch.diag(torch.tensor([2.0, 3, 1])), torch.tensor([0.0, 0, 2]), 3.0


@damped_step.usual
def damped_step(jacobian, residual, damping):
    normal = jacobian.T @ jacobian  # (weights, weights)
    normal = normal + damping * torch.eye(len(normal), dtype=normal.dtype)
    return -torch.linalg.solve(normal, jacobian.T @ residual)


damped_step.slip("-torch.linalg.solve", "torch.linalg.solve", "uphill").says(
    "the step has the wrong sign: it would raise the residual."
)
damped_step.slip("damping * torch.eye(len(normal), dtype=normal.dtype)", "damping", "damping everywhere").says(
    "the damping was added to every element; it belongs on the diagonal alone."
)
damped_step.slip("damping * torch.eye", "damping**2 * torch.eye", "damping squared").says(
    "the damping was squared: lambda itself stands on the diagonal."
)
damped_step.slip(
    "damping * torch.eye(len(normal), dtype=normal.dtype)", "damping * torch.diag(normal.diagonal())", "scaled damping"
).says(
    "this is Marquardt's own variant, with the diagonal of JᵀJ. It is a good one, but not what is asked: here lambda "
    "stands on the diagonal as it is."
)
damped_step.slip("normal + damping * torch.eye(len(normal), dtype=normal.dtype)", "normal", "no damping").says(
    "the damping does not enter. With fewer rows than weights the matrix cannot even be solved."
)


damped_step.slip("jacobian.T @ jacobian  #", "2 * jacobian.T @ jacobian  #", "curvature doubled").says(
    "the matrix is JᵀJ itself; twice it belongs to a loss without the half, whose gradient is twice as large as well."
)


@damped_step.mistake(
    "the diagonal alone",
    "each weight took its own step, as if no other moved. Off its diagonal, JᵀJ says how the weights act together.",
)
def _(jacobian, residual, damping):
    return -jacobian.T @ residual / (damping + jacobian.square().sum(dim=0))


@damped_step.mistake(
    "gradient descent",
    "this is a step along the gradient, divided by the damping. The curvature, JᵀJ, has to enter as well.",
)
def _(jacobian, residual, damping):
    return -jacobian.T @ residual / damping


@damped_step.mistake(
    "rows and weights swapped",
    "you made the matrix of the rows, J Jᵀ; it belongs to the residuals. The step lives among the weights: Jᵀ J.",
)
def _(jacobian, residual, damping):
    square = jacobian @ jacobian.T
    return -jacobian.T @ (jacobian @ jacobian.T @ residual) / (damping + square.diagonal().sum())


@exercise(returns="float tensor (places,)", points=2)
def flow_rate(u, dx, viscosity):
    """Place by place."""
    rates = [0 * u[0]]
    for left, here, right in zip(u[:-2], u[1:-1], u[2:]):
        rates.append(viscosity * (right - 2 * here + left) / dx**2 - (right**2 - left**2) / (4 * dx))
    return torch.stack([*rates, 0 * u[-1]])


@flow_rate.cases
def _():
    def random(places, seed):
        return torch.randn(places, generator=torch.Generator().manual_seed(seed))

    yield "the worked example", torch.tensor([0.0, 1, 3]), 1.0, 0.5
    yield "nine places", random(9, 0), 0.5, 0.2
    yield "no viscosity", random(6, 1), 0.3, 0.0
    yield "ends that are not zero", torch.tensor([3.0, -1, 2, 5]), 2.0, 1.0
    yield "two places: no inner one", random(2, 2), 0.1, 0.7
    yield "a uniform flow", torch.full((5,), 2.0), 0.25, 0.5
    yield "viscosity alone moves it", torch.tensor([1.0, -1, 1, -1, 1]), 1.0, 0.1


@flow_rate.usual
def flow_rate(u, dx, viscosity):
    left, middle, right = u[:-2], u[1:-1], u[2:]
    carried = (right**2 - left**2) / (4 * dx)
    smoothed = viscosity * (right - 2 * middle + left) / dx**2
    held = torch.zeros_like(u[:1])
    return torch.cat([held, smoothed - carried, held])


flow_rate.slip("(4 * dx)", "(2 * dx)", "half forgotten").says(
    "the carried part is twice too large: neighbours of a place are two dx apart, and what flows is half of u squared."
)
flow_rate.slip("smoothed - carried", "smoothed + carried", "carried backwards").says(
    "the carried part has the wrong sign: the flow would run against itself."
)
flow_rate.slip("smoothed = viscosity", "smoothed = -viscosity", "viscosity roughens").says(
    "the viscosity has the wrong sign: it must pull a peak down, where the second difference is negative."
)
flow_rate.slip("(right**2 - left**2) / (4 * dx)", "(right - left) / (2 * dx)", "carried by one").says(
    "the flow carries itself: the squares of the neighbours are subtracted, not the neighbours."
)
flow_rate.slip("(right**2 - left**2) / (4 * dx)", "(right**2 - middle**2) / (2 * dx)", "the right side alone").says(
    "the carried part looks to the right only: take the neighbours on both sides, which are two dx apart."
)
flow_rate.slip("(right**2 - left**2) / (4 * dx)", "(middle**2 - left**2) / (2 * dx)", "the left side alone").says(
    "the carried part looks to the left only: take the neighbours on both sides, which are two dx apart."
)
flow_rate.slip("torch.cat([held, smoothed - carried, held])", "smoothed - carried", "without the ends").says(
    "only the inner places came back: the two ends are places as well, with rate 0."
)
flow_rate.slip("/ dx**2", "/ dx", "dx not squared").says("a second difference is divided by dx squared.")
flow_rate.slip("(right**2 - left**2)", "(right - left) ** 2", "square of the difference").says(
    "square each neighbour first, then subtract; you squared the difference."
)
flow_rate.slip("- 2 * middle", "- middle", "one middle too few").says(
    "the second difference is right - 2 middle + left: for a straight line it must vanish."
)
flow_rate.slip("[held, smoothed - carried, held]", "[smoothed - carried, held, held]", "shifted").says(
    "the numbers are right, but they stand one place too far left: one zero belongs at each end."
)


@flow_rate.mistake(
    "the ends joined",
    "the first place saw the last one as its neighbour (`roll` joins the ends). Both ends are held: their rate is 0.",
)
def _(u, dx, viscosity):
    left, right = u.roll(1), u.roll(-1)
    return viscosity * (right - 2 * u + left) / dx**2 - (right**2 - left**2) / (4 * dx)


@flow_rate.mistake(
    "u times its slope",
    "u times (right - left) / (2 dx) is the same only in the limit of a fine grid. Take the difference of the squares: "
    "it loses nothing between two places.",
)
def _(u, dx, viscosity):
    left, middle, right = u[:-2], u[1:-1], u[2:]
    rate = viscosity * (right - 2 * middle + left) / dx**2 - middle * (right - left) / (2 * dx)
    return torch.cat([torch.zeros_like(u[:1]), rate, torch.zeros_like(u[:1])])
