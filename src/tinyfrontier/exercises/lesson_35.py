"""Exercises of lesson 35: a step of an attack, a box through a layer, lines around a ReLU, a radius that is sure."""

import math

import torch

from .form import exercise


def _draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3500 + seed))


@exercise(
    returns="float tensor, shape of `x`",
    points=1,
    no_gradient="no gradient flows back through an attack's steps",
)
def attack_step(x, clean, slope, step, eps):
    # one pixel after the other
    found = []
    for a, c, s in zip(x.flatten().tolist(), clean.flatten().tolist(), slope.flatten().tolist()):
        a += step * ((s > 0) - (s < 0))
        a = min(max(a, c - eps), c + eps)
        found.append(min(max(a, 0.0), 1.0))
    return torch.tensor(found, dtype=x.dtype).view_as(x)


@attack_step.cases
def _():
    clean = torch.tensor([[0.50, 0.95, 0.30]])
    yield "the worked example", clean + 0, clean, torch.tensor([[-2.0, 0.1, 0.0]]), 0.2, 0.1
    for n, (rows, step, eps) in enumerate([(4, 0.03, 0.1), (1, 0.5, 0.2), (7, 0.1, 0.1), (3, 0.02, 0.0)]):
        clean = _draw(rows, 6, seed=n)
        x = (clean + eps * (2 * _draw(rows, 6, seed=n + 10) - 1)).clamp(0, 1)
        yield f"{rows} images, step {step}, eps {eps}", x, clean, _draw(rows, 6, seed=n + 20) - 0.5, step, eps
    clean = _draw(2, 5, seed=9)
    yield "no step", clean + 0, clean, _draw(2, 5, seed=8) - 0.5, 0.0, 0.1
    yield "slopes of 1e-20 and 1e20", clean + 0, clean, (_draw(2, 5, seed=7) - 0.5) * 1e-20, 0.05, 0.1
    yield "flat everywhere", clean + 0.01, clean, torch.zeros(2, 5), 0.05, 0.1
    black_and_white = torch.tensor([[0.0, 1.0, 0.0, 1.0]])
    yield "black and white", black_and_white + 0, black_and_white, torch.tensor([[1.0, 1.0, -1.0, -1.0]]), 0.3, 0.2
    yield "a box wider than the pixels", clean + 0, clean, _draw(2, 5, seed=6) - 0.5, 2.0, 3.0
    yield "no image", clean[:0], clean[:0], clean[:0], 0.1, 0.1


@attack_step.usual
def attack_step(x, clean, slope, step, eps):
    moved = x + step * slope.sign()
    return moved.clamp(clean - eps, clean + eps).clamp(0, 1)


attack_step.slip("slope.sign()", "slope", "raw slope").says(
    "each pixel moves by the whole `step`; the slope's size does not count, only its sign."
)
attack_step.slip("x + step", "x - step", "downhill").says(
    "the step went down the slope. Here the slope is of what the attack wants more of."
)
attack_step.slip(".clamp(0, 1)", "", "impossible pixels").says("a pixel left the range from 0 to 1.")
attack_step.slip(".clamp(clean - eps, clean + eps)", "", "no box").says(
    "a pixel went further than `eps` from the clean image."
)
attack_step.slip("clean - eps, clean + eps", "x - eps, x + eps", "box around x").says(
    "the box is around the clean image, not around where the attack stands now."
)
attack_step.slip("x + step", "clean + step", "from the start").says("the step starts from `x`, not from `clean`.")
attack_step.slip("step * slope.sign()", "eps * slope.sign()", "whole box").says("a step is `step` long, not `eps`.")


@attack_step.mistake("zero moves", "a pixel whose slope is 0 moved. It stays.")
def _(x, clean, slope, step, eps):
    moved = x + step * torch.where(slope < 0, -1.0, 1.0).to(x.dtype)
    return moved.clamp(clean - eps, clean + eps).clamp(0, 1)


@exercise(returns="two float tensors (n, out)", points=2)
def box_through(lower, upper, weight, bias):
    # one output after the other: each weight takes the end that suits it
    lows, highs = [], []
    for row, b in zip(weight, bias):
        ends = torch.stack([row * lower, row * upper])  # (2, n, in)
        lows.append(ends.amin(0).sum(1) + b)
        highs.append(ends.amax(0).sum(1) + b)
    return torch.stack(lows, 1), torch.stack(highs, 1)


@box_through.cases
def _():
    ends = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 3.0]])
    yield "the worked example", *ends, torch.tensor([[2.0, -1.0]]), torch.tensor([0.5])
    for n, (rows, width, out) in enumerate([(5, 4, 3), (1, 6, 2), (3, 1, 1), (2, 3, 7), (4, 4, 4)]):
        lower = _draw(rows, width, seed=30 + n) - 0.5
        upper = lower + _draw(rows, width, seed=40 + n) + 0.01
        weight = _draw(out, width, seed=50 + n) - 0.5
        yield f"{rows} boxes, {width} to {out}", lower, upper, weight, _draw(out, seed=60 + n) - 0.5
    lower = _draw(3, 4, seed=70)
    weight, bias = _draw(2, 4, seed=71) - 0.5, _draw(2, seed=72) + 1
    yield "all weights negative", lower, lower + 0.5, -_draw(2, 4, seed=73) - 0.1, bias
    yield "boxes of different widths", lower, lower + 3 * _draw(3, 4, seed=74) + 0.1, weight, bias
    yield "no box", lower[:0], lower[:0], weight, bias


@box_through.usual
def box_through(lower, upper, weight, bias):
    centre, radius = (lower + upper) / 2, (upper - lower) / 2
    centre, radius = centre @ weight.T + bias, radius @ weight.abs().T
    return centre - radius, centre + radius


box_through.slip("(upper - lower) / 2", "(upper - lower)", "twice as wide").says(
    "the box is twice as wide: the radius is half of upper less lower."
)
box_through.slip(" + bias", "", "no bias").says("the bias is missing: it moves both ends alike.")
box_through.slip("return centre - radius, centre + radius", "return centre + radius, centre - radius", "swapped").says(
    "lower and upper ends are swapped."
)


@box_through.mistake(
    "corners",
    "weights kept their signs: a negative weight turns an upper end into a lower one, and uncertainties add up.",
)
def _(lower, upper, weight, bias):
    return lower @ weight.T + bias, upper @ weight.T + bias


@box_through.mistake(
    "sorted corners",
    "the smaller and the larger of two corners were taken. Each weight chooses its own end; a mixed corner is further.",
)
def _(lower, upper, weight, bias):
    one, two = lower @ weight.T + bias, upper @ weight.T + bias
    return torch.minimum(one, two), torch.maximum(one, two)


@box_through.mistake("bias in the radius", "the bias widened the box. It moves both ends, and widens nothing.")
def _(lower, upper, weight, bias):
    centre, radius = (lower + upper) / 2 @ weight.T, (upper - lower) / 2 @ weight.abs().T + bias
    return centre - radius, centre + radius


@exercise(
    returns="three float tensors, shape of `lower`: slope below, slope above, offset above",
    points=3,
    no_gradient="nothing is trained through these lines",
    # at an end of zero both formulas agree
    equivalent_mutants=[
        "lower < 0 -> lower <= 0 in unsure, on = ((lower < 0) & (upper > 0), (lower >= 0).to(lower.dtype))",
        "upper > 0 -> upper >= 0 in unsure, on = ((lower < 0) & (upper > 0), (lower >= 0).to(lower.dtype))",
    ],
)
def relax(lower, upper):
    # one neuron after the other
    found = []
    for low, high in zip(lower.flatten().tolist(), upper.flatten().tolist()):
        if low >= 0:
            found.append((1.0, 1.0, 0.0))
        elif high <= 0:
            found.append((0.0, 0.0, 0.0))
        else:
            found.append((1.0 if high > -low else 0.0, high / (high - low), -low * (high / (high - low))))
    table = torch.tensor(found, dtype=lower.dtype).view(-1, 3)
    return tuple(column.view_as(lower).clone() for column in table.T)


@relax.cases
def _():
    yield "the worked example", torch.tensor([-1.0]), torch.tensor([3.0])
    yield "always on, always off", torch.tensor([0.5, -2.0]), torch.tensor([2.0, -0.5])
    yield "ends at zero", torch.tensor([0.0, -2.0, 0.0]), torch.tensor([2.0, 0.0, 0.0])
    yield "as far below as above", torch.tensor([-2.0, -0.25]), torch.tensor([2.0, 0.25])
    yield "a little more above, a little more below", torch.tensor([-1.0, -1.25]), torch.tensor([1.25, 1.0])
    yield "hardly unsure", torch.tensor([-1e-3, -4.0]), torch.tensor([4.0, 1e-3])
    yield "one point", torch.tensor([1.5, -1.5]), torch.tensor([1.5, -1.5])
    centre = 2 * _draw(4, 5, seed=80) - 1
    yield "four images, five neurons", centre - _draw(4, 5, seed=81), centre + _draw(4, 5, seed=82)
    yield "no image", torch.zeros(0, 3), torch.zeros(0, 3)
    yield "large numbers", torch.tensor([-3e6, 1e6]), torch.tensor([1e6, 2e6])
    yield "tiny numbers", torch.tensor([-3e-20, 1e-20]), torch.tensor([1e-20, 2e-20])


@relax.usual
def relax(lower, upper):
    unsure, on = (lower < 0) & (upper > 0), (lower >= 0).to(lower.dtype)
    above = torch.where(unsure, upper / (upper - lower), on)
    below = torch.where(unsure, upper > -lower, on)
    return below, above, torch.where(unsure, -lower * above, 0.0)


relax.slip("-lower * above", "lower * above", "sign of the offset").says(
    "the line above must pass through (lower, 0): its offset is minus lower times its slope, which is positive."
)
relax.slip("-lower * above", "-lower", "offset without slope").says("the offset is minus lower times the slope.")
relax.slip("upper / (upper - lower)", "upper / (upper + lower)", "difference of ends").says(
    "the slope above is upper over (upper less lower); lower is negative there, so the two lengths add up."
)
relax.slip("upper > -lower", "above", "parallel below").says(
    "the slope below is 0 or 1, whichever leaves less area; a parallel line is right too, but not what is asked for."
)
relax.slip("upper > -lower", "upper < -lower", "wrong way round").says(
    "the slope below is 1 where the interval reaches further above zero than below, else 0."
)
relax.slip("upper > -lower", "upper >= -lower", "tie").says(
    "where the interval reaches equally far to both sides, the slope below is 0."
)
relax.slip("lower >= 0", "lower > 0", "starts at zero").says(
    "lower end 0 means always on: slopes 1, also when both ends are 0."
)
relax.slip("torch.where(unsure, -lower * above, 0.0)", "-lower * above", "offset everywhere").says(
    "a neuron that is always on or always off has no offset: it is the line itself."
)


@relax.mistake("all unsure", "neurons that are always on or always off need no chord; one was drawn for them too.")
def _(lower, upper):
    above = upper / (upper - lower)
    return (upper > -lower).to(lower.dtype), above, -lower * above


@exercise(
    returns="float",
    points=2,
    tolerance=1e-7,
    # at one half exactly the radius is 0 either way
    equivalent_mutants=["low > 0.5 -> low >= 0.5 in return sigma * norm.ppf(low) if low > 0.5 else 0.0"],
)
def sure_radius(hits, n, sigma, alpha):
    # the least share that would give so many hits with a chance of alpha, by halving an interval
    from scipy.stats import binom, norm

    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if binom.sf(hits - 1, n, middle) < alpha:
            low = middle
        else:
            high = middle
    return float(sigma * norm.ppf(low)) if low > 0.5 else 0.0


@sure_radius.cases
def _():
    yield "the worked example", 100, 100, 0.5, 0.001
    yield "nine hundred of a thousand", 900, 1000, 0.25, 0.001
    yield "barely more than half", 501, 1000, 0.25, 0.05
    yield "one below what is enough", 526, 1000, 0.25, 0.05
    yield "enough", 527, 1000, 0.25, 0.05
    yield "no hit", 0, 50, 0.25, 0.05
    yield "no hit, hardly any doubt asked for", 0, 1, 0.25, 0.9
    yield "one of one", 1, 1, 0.25, 0.05
    yield "one of one, much doubt allowed", 1, 1, 0.5, 0.6
    yield "one of one, exactly half", 1, 1, 0.5, 0.5
    yield "less than half", 30, 100, 1.0, 0.05
    yield "another sigma", 95, 100, 2.0, 0.05
    yield "one miss", 99, 100, 1.0, 0.01
    yield "many draws", 99_990, 100_000, 0.5, 0.001


@sure_radius.usual
def sure_radius(hits, n, sigma, alpha):
    from scipy.stats import beta, norm

    low = beta.ppf(alpha, hits, n - hits + 1)  # not a number at no hit
    return sigma * norm.ppf(low) if low > 0.5 else 0.0


sure_radius.slip("beta.ppf(alpha, hits, n - hits + 1)", "hits / n", "counted share").says(
    "the counted share was taken as the truth. It is above the truth half of the time; take the lower limit."
)
sure_radius.slip("beta.ppf(alpha,", "beta.ppf(alpha / 2,", "two sides").says(
    "alpha was split between two sides. Only the lower limit matters: all of alpha belongs to it."
)
sure_radius.slip("hits, n - hits + 1", "hits + 1, n - hits + 1", "Bayes").says(
    "this is the limit of a Bayesian with a flat prior. Clopper and Pearson's lower one has `hits`, and one more miss."
)
sure_radius.slip("hits, n - hits + 1", "hits + 1, n - hits + 1e-9", "upper limit's numbers").says(
    "the beta distribution's numbers are those of an upper limit: for the lower they are hits and n - hits + 1."
)
sure_radius.slip("sigma * norm", "norm", "no sigma").says("the radius is `sigma` times the normal quantile.")
sure_radius.slip(" if low > 0.5 else 0.0", "", "below half").says(
    "at a share of half or less nothing is sure: the radius is 0, not negative."
)
sure_radius.slip("norm.ppf(low)", "low", "no quantile").says("the share has to go through the normal quantile.")


@sure_radius.mistake("normal approximation", "share less z standard errors is an approximation, and says 1 at no miss.")
def _(hits, n, sigma, alpha):
    from scipy.stats import norm

    share = hits / n
    low = share - norm.ppf(1 - alpha) * math.sqrt(share * (1 - share) / n)
    return float(sigma * norm.ppf(min(low, 1 - 1e-12))) if low > 0.5 else 0.0
