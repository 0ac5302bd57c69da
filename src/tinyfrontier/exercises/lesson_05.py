"""Exercises of lesson 05: a power law and its slopes, bootstrap, isoFLOP minimum, best split. References, mistakes."""

from __future__ import annotations

import math

import numpy as np
import torch

from .engine import Case, Exercise, Mistake


def _floats(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def power_law(parameters, sizes):
    E, A, a = parameters[..., 0:1].exp(), parameters[..., 1:2].exp(), parameters[..., 2:3]
    falling = A * sizes**-a  # (..., points)
    floor = E + torch.zeros_like(falling)
    slopes = torch.cat([floor[..., None], falling[..., None], (falling * -sizes.log())[..., None]], dim=-1)
    return E + falling, slopes


def power_law_cases():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return [
        Case("the worked example", (_floats(0, math.log(8), 1), _floats(2, 4))),
        Case("four laws, three sizes", (draw(4, 3), _floats(1, 10, 300))),
        Case("one law, one size", (_floats(-0.5, 1.2, 0.3), _floats(7))),
        Case("a table of laws", (draw(2, 5, 3), _floats(0.5, 2, 9, 40))),
        Case("three laws, three sizes", (draw(3, 3), _floats(3, 5, 1000))),
        Case("a very low floor and a steep law", (_floats(-30, 4, 2.5), _floats(1e3, 1e4, 1e6))),
        Case("single precision", (draw(2, 3).float(), _floats(2, 6).float())),
    ]


def _law_parts(parameters, sizes, E=None, A=None):
    log_E, log_A, a = parameters[..., 0:1], parameters[..., 1:2], parameters[..., 2:3]
    floor = log_E.exp() if E is None else E
    scale = log_A.exp() if A is None else A
    falling = scale * sizes**-a
    return floor + torch.zeros_like(falling), falling


def _with_slopes(floor, falling, sizes, first=None, second=None, third=None):
    parts = (floor if first is None else first, falling if second is None else second)
    last = -falling * sizes.log() if third is None else third
    return floor + falling, torch.stack([*parts, last], dim=-1)


def _plain_not_logs(parameters, sizes):
    floor, falling = _law_parts(parameters, sizes, parameters[..., 0:1], parameters[..., 1:2])
    return _with_slopes(floor, falling, sizes)


def _slopes_by_plain_numbers(parameters, sizes):
    floor, falling = _law_parts(parameters, sizes)
    scale = parameters[..., 1:2].exp()
    return _with_slopes(floor, falling, sizes, torch.ones_like(floor), falling / scale)


def _grows(parameters, sizes):
    changed = torch.cat([parameters[..., :2], -parameters[..., 2:]], dim=-1)
    floor, falling = _law_parts(changed, sizes)
    return _with_slopes(floor, falling, sizes, third=falling * sizes.log())


def _sign_forgotten(parameters, sizes):
    floor, falling = _law_parts(parameters, sizes)
    return _with_slopes(floor, falling, sizes, third=falling * sizes.log())


def _log_forgotten(parameters, sizes):
    floor, falling = _law_parts(parameters, sizes)
    return _with_slopes(floor, falling, sizes, third=-falling)


def _slope_as_by_size(parameters, sizes):
    floor, falling = _law_parts(parameters, sizes)
    return _with_slopes(floor, falling, sizes, third=-parameters[..., 2:] * falling / sizes)


def _axes_swapped(parameters, sizes):
    values, slopes = power_law(parameters, sizes)
    return values, slopes.mT


def _no_floor(parameters, sizes):
    return _law_parts(parameters, sizes)[1], power_law(parameters, sizes)[1]


def bootstrap_losses(losses, fitted, n_parameters, picks):
    n = len(losses)
    scaled = [(m - f).item() * math.sqrt(n / (n - n_parameters)) for m, f in zip(losses, fitted, strict=True)]
    rows = [[fitted[i].item() + scaled[pick] for i, pick in enumerate(row)] for row in picks.tolist()]
    return torch.tensor(rows, dtype=losses.dtype)


def bootstrap_cases():
    generator = torch.Generator().manual_seed(2)

    def case(label, points, draws, n_parameters):
        fitted = torch.rand(points, generator=generator, dtype=torch.float64) + 2
        losses = fitted + torch.randn(points, generator=generator, dtype=torch.float64)
        picks = torch.randint(points, (draws, points), generator=generator)
        return Case(label, (losses, fitted, n_parameters, picks))

    worked = (_floats(3, 1, 2, 2), _floats(2, 2, 2, 2), 3, torch.tensor([[0, 0, 1, 3]]))
    return [
        Case("the worked example", worked),
        case("five points, three numbers fitted", 5, 4, 3),
        case("eighteen points, one draw", 18, 1, 3),
        case("two points, one number fitted", 2, 6, 1),
        case("nine points, five numbers fitted", 9, 7, 5),
    ]


def _factor(losses, n_parameters):
    return math.sqrt(len(losses) / (len(losses) - n_parameters))


def _not_scaled(losses, fitted, n_parameters, picks):
    return fitted + (losses - fitted)[picks]


def _scaled_wrong_way(losses, fitted, n_parameters, picks):
    return fitted + (losses - fitted)[picks] / _factor(losses, n_parameters)


def _no_root(losses, fitted, n_parameters, picks):
    return fitted + (losses - fitted)[picks] * _factor(losses, n_parameters) ** 2


def _on_the_losses(losses, fitted, n_parameters, picks):
    return losses + (losses - fitted)[picks] * _factor(losses, n_parameters)


def _losses_resampled(losses, fitted, n_parameters, picks):
    return losses[picks]


def _curve_resampled(losses, fitted, n_parameters, picks):
    return (fitted + (losses - fitted) * _factor(losses, n_parameters))[picks]


def _sign_turned(losses, fitted, n_parameters, picks):
    return fitted - (losses - fitted)[picks] * _factor(losses, n_parameters)


def isoflop_minimum(sizes, losses):
    square, slope, _ = np.polyfit(np.log(sizes.numpy()), losses.numpy(), 2)
    return float(np.exp(-slope / (2 * square)))


def isoflop_cases():
    generator = torch.Generator().manual_seed(3)

    def bowl(label, sizes, centre, bend, noise=0.0):
        sizes = _floats(*sizes)
        losses = 3 + bend * (sizes.log() - math.log(centre)) ** 2
        return Case(label, (sizes, losses + noise * torch.randn(len(sizes), generator=generator, dtype=torch.float64)))

    return [
        Case("the worked example", (_floats(0, 1, 2).exp(), _floats(2, 1, 2))),
        bowl("three sizes, bottom between two", (1000, 2000, 4000), 1700, 0.2),
        bowl("six sizes with noise", (2184, 3360, 4680, 6664, 9504, 13440), 5000, 0.15, 0.01),
        bowl("sizes out of order", (40, 5, 20, 10), 14, 1.0, 0.05),
        bowl("bottom beyond the largest", (1e8, 2e8, 4e8, 8e8), 1.5e9, 0.05, 0.001),
    ]


def _lowest_measured(sizes, losses):
    return float(sizes[losses.argmin()])


def _in_plain_sizes(sizes, losses):
    square, slope, _ = np.polyfit(sizes.numpy(), losses.numpy(), 2)
    return float(-slope / (2 * square))


def _log_returned(sizes, losses):
    return math.log(isoflop_minimum(sizes, losses))


def _without_half(sizes, losses):
    return math.exp(2 * math.log(isoflop_minimum(sizes, losses)))


def _without_minus(sizes, losses):
    return 1 / isoflop_minimum(sizes, losses)


def _height_returned(sizes, losses):
    x = np.log(sizes.numpy())
    return float(np.polyval(np.polyfit(x, losses.numpy(), 2), math.log(isoflop_minimum(sizes, losses))))


def _base_ten(sizes, losses):
    return 10 ** math.log(isoflop_minimum(sizes, losses))


def compute_optimal(budget, A, a, B, b):
    low, high = -200.0, 200.0  # ln N: the balance of both slopes changes its sign once
    for _ in range(200):
        middle = (low + high) / 2
        size_gains = math.log(a * A) - a * middle
        data_gains = math.log(b * B) - b * (math.log(budget / 6) - middle)
        low, high = (middle, high) if size_gains > data_gains else (low, middle)
    return math.exp(low), budget / 6 / math.exp(low)


def compute_cases():
    return [
        Case("both alike", (600.0, 3.0, 0.5, 3.0, 0.5)),
        Case("the worked example", (600.0, 4.0, 1.0, 1.0, 1.0)),
        Case("different exponents", (1e6, 2.0, 0.3, 50.0, 0.7)),
        Case("Hoffmann et al., 2022", (5.76e23, 406.4, 0.34, 410.7, 0.28)),
        Case("size pays hardly", (1e4, 0.5, 0.05, 9.0, 0.6)),
        Case("a tiny budget", (12.0, 7.0, 1.5, 0.2, 0.4)),
    ]


def _split(budget, A, a, B, b):
    return (a * A / (b * B)) ** (1 / (a + b)), b / (a + b)


def _exponents_swapped(budget, A, a, B, b):
    G, power = _split(budget, A, a, B, b)
    size = G * (budget / 6) ** (1 - power)
    return size, budget / 6 / size


def _six_forgotten(budget, A, a, B, b):
    G, power = _split(budget, A, a, B, b)
    size = G * budget**power
    return size, budget / size


def _terms_made_equal(budget, A, a, B, b):
    size = (A / B) ** (1 / (a + b)) * (budget / 6) ** (b / (a + b))
    return size, budget / 6 / size


def _half_each(budget, A, a, B, b):
    return math.sqrt(budget / 6), math.sqrt(budget / 6)


def _twenty_to_one(budget, A, a, B, b):
    size = math.sqrt(budget / 120)
    return size, 20 * size


def _turned(budget, A, a, B, b):
    size, data = compute_optimal(budget, A, a, B, b)
    return data, size


def _factor_turned(budget, A, a, B, b):
    G, power = _split(budget, A, a, B, b)
    size = (budget / 6) ** power / G
    return size, budget / 6 / size


EXERCISES = (
    Exercise(
        name="power_law",
        reference=power_law,
        cases=power_law_cases,
        returns="(float tensor (..., points), float tensor (..., points, 3))",
        tolerance=1e-5,
        points=2,
        mistakes=(
            Mistake(
                "parameters taken as E and A themselves",
                _plain_not_logs,
                "the first two parameters are logarithms of E and A. Turn them back before you use them.",
            ),
            Mistake(
                "slopes by E and A",
                _slopes_by_plain_numbers,
                "the losses are right, and these are the slopes by E and by A. Asked for are those by their "
                "logarithms: what does the chain rule add?",
            ),
            Mistake("the loss grows", _grows, "the loss grows with size. Check the sign of the exponent."),
            Mistake(
                "sign of the last slope",
                _sign_forgotten,
                "the last slope has the wrong sign: with a larger exponent, is the loss at a size above 1 higher or "
                "lower?",
            ),
            Mistake(
                "logarithm missing in the last slope",
                _log_forgotten,
                "the last slope lacks a factor. The derivative of N^-a by a is not -N^-a: write it as an exponential.",
            ),
            Mistake(
                "slope by size",
                _slope_as_by_size,
                "the last slope is the derivative by N. The fit moves the exponent a and leaves the sizes as they are.",
            ),
            Mistake(
                "parameters before points",
                _axes_swapped,
                "the slopes have their last two axes the wrong way round: points first, then the three parameters.",
            ),
            Mistake("no floor", _no_floor, "the slopes are right, but the losses go to 0 with size. What stays?"),
        ),
    ),
    Exercise(
        name="bootstrap_losses",
        reference=bootstrap_losses,
        cases=bootstrap_cases,
        returns="float tensor (draws, points)",
        tolerance=1e-6,
        points=1,
        mistakes=(
            Mistake(
                "not scaled",
                _not_scaled,
                "the residuals go in as they are. A curve that was bent towards the points makes them too small.",
            ),
            Mistake(
                "scaled the wrong way",
                _scaled_wrong_way,
                "the residuals became smaller. They were too small already.",
            ),
            Mistake("no square root", _no_root, "n / (n - p) is the factor of a variance. Residuals are not squared."),
            Mistake(
                "added to the measured losses",
                _on_the_losses,
                "the new residuals stand on top of the measured losses, which hold their own already. Which curve is "
                "free of them?",
            ),
            Mistake(
                "losses resampled",
                _losses_resampled,
                "whole losses were drawn, so a point gets the loss of another size. Only residuals change places.",
            ),
            Mistake(
                "curve resampled",
                _curve_resampled,
                "the curve's values change places together with the residuals. Each point keeps its own fitted value.",
            ),
            Mistake("sign turned", _sign_turned, "a residual is measured minus fitted; here it is the other way."),
        ),
    ),
    Exercise(
        name="isoflop_minimum",
        reference=isoflop_minimum,
        cases=isoflop_cases,
        returns="number",
        # a column of three numbers unpacks like three numbers, and a tensor of one number passes for a number
        equivalent_mutants=(
            "torch.linalg.lstsq(terms, losses[:, None]).solution.flatten() -> "
            "torch.linalg.lstsq(terms, losses[:, None]).solution in "
            "square, slope, _ = torch.linalg.lstsq(terms, losses[:, None]).solution.flatten()",
            "float((-slope / (2 * square)).exp()) -> (-slope / (2 * square)).exp() in "
            "return float((-slope / (2 * square)).exp())",
        ),
        tolerance=1e-4,
        points=2,
        mistakes=(
            Mistake(
                "the lowest measured size",
                _lowest_measured,
                "this is the size with the lowest measured loss. The bottom may lie between two: fit the parabola.",
            ),
            Mistake(
                "parabola in N",
                _in_plain_sizes,
                "the parabola was fitted in N. The sizes are spaced by factors: fit it in the logarithm.",
            ),
            Mistake("logarithm returned", _log_returned, "this is ln N at the bottom. Turn it back into a size."),
            Mistake("2 missing", _without_half, "the slope of u x² + v x is 2 u x + v. Where is that zero?"),
            Mistake("minus missing", _without_minus, "the bottom was mirrored: check the sign of the quotient."),
            Mistake("loss returned", _height_returned, "this is the loss at the bottom. Asked for is the size."),
            Mistake(
                "two logarithms", _base_ten, "the natural logarithm went in and a power of 10 came out. Use one base."
            ),
        ),
    ),
    Exercise(
        name="compute_optimal",
        reference=compute_optimal,
        cases=compute_cases,
        returns="(number, number)",
        tolerance=1e-6,
        points=2,
        mistakes=(
            Mistake(
                "exponents swapped",
                _exponents_swapped,
                "size grows with the exponent that belongs to data. If size pays steeply (large a), do you need much "
                "of it, or little?",
            ),
            Mistake("6 forgotten", _six_forgotten, "N times D is the whole budget here. Each pair costs 6 FLOPs."),
            Mistake(
                "terms made equal",
                _terms_made_equal,
                "this makes both terms equally large. At the minimum it is their slopes that balance: the exponents "
                "belong into the factor.",
            ),
            Mistake("half each", _half_each, "N and D are equal whatever the law says. Use A, B, a and b."),
            Mistake("20 to 1", _twenty_to_one, "20 tokens per weight is one law's result. Let this law speak."),
            Mistake("N and D swapped", _turned, "the two numbers are right, in the other order: first N, then D."),
            Mistake("factor turned", _factor_turned, "a larger A must make the best size larger: turn the factor."),
        ),
    ),
)
