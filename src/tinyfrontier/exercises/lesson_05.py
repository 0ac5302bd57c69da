"""Exercises of lesson 05: a power law and its slopes, bootstrap, isoFLOP minimum, best split."""

import math

import numpy as np
import torch

from .form import exercise


def _floats(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


@exercise(returns="(float tensor (..., points), float tensor (..., points, 3))", points=2)
def power_law(parameters, sizes):
    E, A, a = parameters[..., 0:1].exp(), parameters[..., 1:2].exp(), parameters[..., 2:3]
    falling = A * sizes**-a  # (..., points)
    floor = E + torch.zeros_like(falling)
    slopes = torch.cat([floor[..., None], falling[..., None], (falling * -sizes.log())[..., None]], dim=-1)
    return E + falling, slopes


@power_law.cases
def _():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    yield "the worked example", _floats(0, math.log(8), 1), _floats(2, 4)
    yield "four laws, three sizes", draw(4, 3), _floats(1, 10, 300)
    yield "one law, one size", _floats(-0.5, 1.2, 0.3), _floats(7)
    yield "a table of laws", draw(2, 5, 3), _floats(0.5, 2, 9, 40)
    yield "three laws, three sizes", draw(3, 3), _floats(3, 5, 1000)
    yield "a very low floor and a steep law", _floats(-30, 4, 2.5), _floats(1e3, 1e4, 1e6)
    yield "single precision", draw(2, 3).float(), _floats(2, 6).float()
    yield "one law in a list of laws, exponent 0", _floats(0.3, 0.7, 0)[None], _floats(1, 50)


@power_law.usual
def power_law(parameters, sizes):
    log_E, log_A, a = parameters[..., None].unbind(-2)  # (..., 1) each
    reducible = (log_A - a * sizes.log()).exp()  # (..., points)
    floor = log_E.exp().expand_as(reducible)
    return floor + reducible, torch.stack([floor, reducible, -reducible * sizes.log()], dim=-1)


power_law.slip(
    "(log_A - a * sizes.log()).exp()  # (..., points)\n    floor = log_E.exp()",
    "log_A * sizes**-a\n    floor = log_E",
    "parameters taken as E and A themselves",
    "the first two parameters are logarithms of E and A. Turn them back before you use them.",
)
power_law.slip("[floor, reducible,", "[torch.ones_like(floor), reducible / log_A.exp(),", "slopes by E and A").says(
    "the losses are right, and these are the slopes by E and by A. Asked for are those by their "
    "logarithms: what does the chain rule add?"
)


@power_law.mistake("the loss grows", "the loss grows with size. Check the sign of the exponent.")
def _(parameters, sizes):
    turned = torch.tensor([1, 1, -1])
    losses, slopes = power_law(parameters * turned, sizes)
    return losses, slopes * turned


power_law.slip("-reducible *", "reducible *", "sign of the last slope").says(
    "the last slope has the wrong sign: with a larger exponent, is the loss at a size above 1 higher or lower?"
)
power_law.slip("-reducible * sizes.log()", "-reducible", "logarithm missing in the last slope").says(
    "the last slope lacks a factor. The derivative of N^-a by a is not -N^-a: write it as an exponential."
)
power_law.slip("-reducible * sizes.log()", "-a * reducible / sizes", "slope by size").says(
    "the last slope is the derivative by N. The fit moves the exponent a and leaves the sizes as they are."
)
power_law.slip("dim=-1", "dim=-2", "parameters before points").says(
    "the slopes have their last two axes the wrong way round: points first, then the three parameters."
)
power_law.slip("return floor + reducible", "return reducible", "no floor").says(
    "the slopes are right, but the losses go to 0 with size. What stays?"
)
power_law.slip("-reducible * sizes.log()", "-reducible * sizes.log10()", "another base in the last slope").says(
    "the last slope has a logarithm of another base. The derivative of N^-a by a brings the natural one."
)
power_law.slip("-reducible * sizes.log()", "-(floor + reducible) * sizes.log()", "the floor in the last slope").says(
    "the floor E went into the last slope. It does not depend on the exponent."
)
power_law.slip(
    "-reducible * sizes.log()",
    "-a * reducible",
    "exponent as a factor",
    "the last slope has the factor a. N^-a is the exponential of -a ln N: which factor comes down when a moves?",
)
power_law.slip("[floor, reducible, -", "[reducible, floor, -", "slopes in another order").says(
    "the slopes are right, but in another order: by ln E, by ln A, by a."
)
power_law.slip("log_E.exp().expand", "log_E.expand", "E taken as it is").says(
    "the falling part is right, the floor is not: the first parameter is the logarithm of E."
)
power_law.slip("parameters[..., None].unbind(-2)", "parameters", "one law alone").says(
    "right for one law. With more, the three numbers lie in the last axis, not the first: `parameters[..., 0:1]`."
)


@exercise(
    returns="float tensor (draws, points)",
    points=1,
    tolerance=1e-6,
    no_gradient="made-up measurements are plain numbers",
)
def bootstrap_losses(losses, fitted, n_parameters, picks):
    n = len(losses)
    scaled = [(m - f).item() * math.sqrt(n / (n - n_parameters)) for m, f in zip(losses, fitted, strict=True)]
    rows = [[fitted[i].item() + scaled[pick] for i, pick in enumerate(row)] for row in picks.tolist()]
    return torch.tensor(rows, dtype=losses.dtype)


@bootstrap_losses.cases
def _():
    generator = torch.Generator().manual_seed(2)

    def draw(points, draws, n_parameters):
        fitted = torch.rand(points, generator=generator, dtype=torch.float64) + 2
        losses = fitted + torch.randn(points, generator=generator, dtype=torch.float64)
        return losses, fitted, n_parameters, torch.randint(points, (draws, points), generator=generator)

    yield "the worked example", _floats(3, 1, 2, 2), _floats(2, 2, 2, 2), 3, torch.tensor([[0, 0, 1, 3]])
    yield "five points, three numbers fitted", *draw(5, 4, 3)
    yield "eighteen points, one draw", *draw(18, 1, 3)
    yield "two points, one number fitted", *draw(2, 6, 1)
    yield "nine points, five numbers fitted", *draw(9, 7, 5)
    yield "as many draws as points", *draw(6, 6, 2)


@bootstrap_losses.usual
def bootstrap_losses(losses, fitted, n_parameters, picks):
    residuals = (losses - fitted) * math.sqrt(len(losses) / (len(losses) - n_parameters))
    return fitted + residuals[picks]


bootstrap_losses.slip(" * math.sqrt(len(losses) / (len(losses) - n_parameters))", "", "not scaled").says(
    "the residuals go in as they are. A curve that was bent towards the points makes them too small."
)
bootstrap_losses.slip("* math", "/ math", "scaled the wrong way").says(
    "the residuals became smaller. They were too small already."
)
bootstrap_losses.slip("math.sqrt(", "(", "no square root").says(
    "n / (n - p) is the factor of a variance. Residuals are not squared."
)
bootstrap_losses.slip("fitted + residuals", "losses + residuals", "added to the measured losses").says(
    "the new residuals stand on top of the measured losses, which hold their own already. Which curve is free of them?"
)
bootstrap_losses.slip("fitted + residuals[picks]", "losses[picks]", "losses resampled").says(
    "whole losses were drawn, so a point gets the loss of another size. Only residuals change places."
)
bootstrap_losses.slip("fitted + residuals[picks]", "(fitted + residuals)[picks]", "curve resampled").says(
    "the curve's values change places together with the residuals. Each point keeps its own fitted value."
)
bootstrap_losses.slip("losses - fitted)", "fitted - losses)", "sign turned").says(
    "a residual is measured minus fitted; here it is the other way."
)
bootstrap_losses.slip("len(losses) / (len(losses) - n", "len(losses) / (len(losses) - 1 - n", "one point less").says(
    "the residuals are scaled too much: n points less p fitted numbers leave n - p, not one less."
)
bootstrap_losses.slip("(len(losses) - n_parameters)", "n_parameters", "divided by the fitted numbers").says(
    "the factor is the root of n / p. What the fit leaves free are n - p numbers."
)
bootstrap_losses.slip("fitted + residuals[picks]", "residuals[picks]", "residuals alone").says(
    "these are the drawn residuals alone. Add them to the curve."
)


@exercise(
    returns="number",
    points=2,
    tolerance=1e-4,
    # a column of three numbers unpacks like three numbers, and a tensor of one number passes for a number
    equivalent_mutants=[
        "torch.linalg.lstsq(terms, losses[:, None]).solution.flatten() -> "
        "torch.linalg.lstsq(terms, losses[:, None]).solution in "
        "square, slope, _ = torch.linalg.lstsq(terms, losses[:, None]).solution.flatten()",
        "float((-slope / (2 * square)).exp()) -> (-slope / (2 * square)).exp() in "
        "return float((-slope / (2 * square)).exp())",
    ],
)
def isoflop_minimum(sizes, losses):
    square, slope, _ = np.polyfit(np.log(sizes.numpy()), losses.numpy(), 2)
    return float(np.exp(-slope / (2 * square)))


@isoflop_minimum.cases
def _():
    generator = torch.Generator().manual_seed(3)

    def bowl(sizes, centre, bend, noise=0.0):
        sizes = _floats(*sizes)
        losses = 3 + bend * (sizes.log() - math.log(centre)) ** 2
        return sizes, losses + noise * torch.randn(len(sizes), generator=generator, dtype=torch.float64)

    yield "the worked example", _floats(0, 1, 2).exp(), _floats(2, 1, 2)
    yield "three sizes, bottom between two", *bowl((1000, 2000, 4000), 1700, 0.2)
    yield "six sizes with noise", *bowl((2184, 3360, 4680, 6664, 9504, 13440), 5000, 0.15, 0.01)
    yield "sizes out of order", *bowl((40, 5, 20, 10), 14, 1.0, 0.05)
    yield "bottom beyond the largest", *bowl((1e8, 2e8, 4e8, 8e8), 1.5e9, 0.05, 0.001)
    yield "the lowest loss at the largest size", *bowl((100, 300, 700, 1500, 4000), 3000, 0.4, 0.02)


@isoflop_minimum.usual
def isoflop_minimum(sizes, losses):
    x = sizes.log()
    terms = torch.stack([x**2, x, torch.ones_like(x)], dim=-1)  # (points, 3)
    square, slope, _ = torch.linalg.lstsq(terms, losses[:, None]).solution.flatten()
    return float((-slope / (2 * square)).exp())


isoflop_minimum.slip("x = sizes.log()", "return float(sizes[losses.argmin()])", "the lowest measured size").says(
    "this is the size with the lowest measured loss. The bottom may lie between two: fit the parabola."
)


@isoflop_minimum.mistake(
    "parabola in N", "the parabola was fitted in N. The sizes are spaced by factors: fit it in the logarithm."
)
def _(sizes, losses):
    square, slope, _ = np.polyfit(sizes.numpy(), losses.numpy(), 2)
    return float(-slope / (2 * square))


isoflop_minimum.slip(".exp()", "", "logarithm returned", "this is ln N at the bottom. Turn it back into a size.")
isoflop_minimum.slip("(2 * square)", "square", "2 missing").says(
    "the slope of u x² + v x is 2 u x + v. Where is that zero?"
)
isoflop_minimum.slip("-slope", "slope", "minus missing", "the bottom was mirrored: check the sign of the quotient.")
isoflop_minimum.slip(
    "float((-slope / (2 * square)).exp())", "float(_ - slope**2 / (4 * square))", "loss returned"
).says("this is the loss at the bottom. Asked for is the size.")
isoflop_minimum.slip(
    "float((-slope / (2 * square)).exp())", "10 ** float(-slope / (2 * square))", "two logarithms"
).says("the natural logarithm went in and a power of 10 came out. Use one base.")
isoflop_minimum.slip("square, slope, _ =", "_, slope, square =", "coefficients in another order").says(
    "the coefficients are read in the wrong order: which power does each column of your matrix, or each number of "
    "`polyfit`, belong to?"
)
isoflop_minimum.slip(
    "x, torch.ones_like(x)], dim=-1)  # (points, 3)\n    square, slope, _ =",
    "x], dim=-1)\n    square, slope =",
    "parabola through the origin",
    "the parabola has no constant term, so it must pass through 0. Give it the third column, of ones.",
)


@isoflop_minimum.mistake(
    "through three points only", "only three of the points decide. Fit by least squares through all of them."
)
def _(sizes, losses):
    near = losses.argsort()[:3]
    return isoflop_minimum(sizes[near], losses[near])


@isoflop_minimum.mistake(
    "on a grid between the sizes",
    "the bottom was looked for between the smallest and the largest size. It may lie outside: the formula finds it.",
)
def _(sizes, losses):
    return min(max(isoflop_minimum(sizes, losses), float(sizes.min())), float(sizes.max()))


isoflop_minimum.slip("x = sizes.log()", "x = sizes.log10()", "fitted to base 10").says(
    "the parabola was fitted in logarithms to base 10 and turned back with `exp`. Use one base."
)


@exercise(returns="(number, number)", points=2, tolerance=1e-6)
def compute_optimal(budget, A, a, B, b):
    low, high = -200.0, 200.0  # ln N: the balance of both slopes changes its sign once
    for _ in range(200):
        middle = (low + high) / 2
        size_gains = math.log(a * A) - a * middle
        data_gains = math.log(b * B) - b * (math.log(budget / 6) - middle)
        low, high = (middle, high) if size_gains > data_gains else (low, middle)
    return math.exp(low), budget / 6 / math.exp(low)


@compute_optimal.cases
def _():
    yield "both alike", 600.0, 3.0, 0.5, 3.0, 0.5
    yield "the worked example", 600.0, 4.0, 1.0, 1.0, 1.0
    yield "different exponents", 1e6, 2.0, 0.3, 50.0, 0.7
    yield "Hoffmann et al., 2022", 5.76e23, 406.4, 0.34, 410.7, 0.28
    yield "size pays hardly", 1e4, 0.5, 0.05, 9.0, 0.6
    yield "a tiny budget", 12.0, 7.0, 1.5, 0.2, 0.4


@compute_optimal.usual
def compute_optimal(budget, A, a, B, b):
    G = (a * A / (b * B)) ** (1 / (a + b))
    size = G * (budget / 6) ** (b / (a + b))
    return size, budget / 6 / size


compute_optimal.slip("(b / (a + b))", "(a / (a + b))", "exponents swapped").says(
    "size grows with the exponent that belongs to data. If size pays steeply (large a), do you need much of it, or "
    "little?"
)


@compute_optimal.mistake("6 forgotten", "N times D is the whole budget here. Each pair costs 6 FLOPs.")
def _(budget, A, a, B, b):
    return compute_optimal(6 * budget, A, a, B, b)


compute_optimal.slip("(a * A / (b * B))", "(A / B)", "terms made equal").says(
    "this makes both terms equally large. At the minimum it is their slopes that balance: the exponents belong into "
    "the factor."
)
compute_optimal.slip("G * (budget / 6) ** (b / (a + b))", "(budget / 6) ** 0.5", "half each").says(
    "N and D are equal whatever the law says. Use A, B, a and b."
)
compute_optimal.slip("G * (budget / 6) ** (b / (a + b))", "(budget / 120) ** 0.5", "20 to 1").says(
    "20 tokens per weight is one law's result. Let this law speak."
)
compute_optimal.slip("size, budget / 6 / size", "budget / 6 / size, size", "N and D swapped").says(
    "the two numbers are right, in the other order: first N, then D."
)
compute_optimal.slip("G * (", "1 / G * (", "factor turned").says(
    "a larger A must make the best size larger: turn the factor."
)
compute_optimal.slip("** (1 / (a + b))", "", "root of the factor missing").says(
    "N stands with the power a + b in the balance of the slopes; the factor needs the same root as the budget."
)
compute_optimal.slip("(1 / (a + b))", "(a + b)", "power instead of root").says(
    "the factor is raised to a + b. To solve N^(a + b) = ... for N, take the root: the power 1 / (a + b)."
)
compute_optimal.slip(
    "G * (budget / 6) ** (b / (a + b))", "G * (budget / 6) ** 0.5", "budget halved whatever the law"
).says("the factor knows the law, the power of the budget does not: it is one half only if a and b are equal.")
compute_optimal.slip("size, budget / 6 / size", "size, (budget / 6) ** (a / (a + b)) * G", "the factor twice").says(
    "N is right. The factor that makes N larger makes D smaller: 6 N D must be the budget."
)


@compute_optimal.mistake(
    "times 6", "the budget was multiplied by 6. Each pair costs 6 FLOPs: N times D is a sixth of it."
)
def _(budget, A, a, B, b):
    return compute_optimal(36 * budget, A, a, B, b)


compute_optimal.slip("(b / (a + b))", "(b / a + b)", "brackets missing").says(
    "b / a + b is not b / (a + b): division comes before addition."
)
