"""Exercises of lesson 24: vorticity to wind, anomaly correlation, cost at equal skill, spread and error."""

import math

import numpy as np
import torch

from .form import exercise


def _field(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@exercise(
    returns="float tensor, shape of `q`",
    points=3,
    tolerance=1e-4,
    constants=("deformation",),
    # small whole numbers are the same in both types
    equivalent_mutants=[
        "torch.fft.fftfreq(rows, 1 / rows, dtype=q.dtype) -> torch.fft.fftfreq(rows, 1 / rows) "
        "in down = torch.fft.fftfreq(rows, 1 / rows, dtype=q.dtype)[:, None]",
        "torch.fft.rfftfreq(columns, 1 / columns, dtype=q.dtype) -> torch.fft.rfftfreq(columns, 1 / columns) "
        "in along = torch.fft.rfftfreq(columns, 1 / columns, dtype=q.dtype)",
    ],
)
def stream_function(q, deformation):
    # one wave after the other, by the 2 x 2 system of the text
    rows, columns = q.shape[-2:]
    waves, found = torch.fft.fft2(q), torch.zeros_like(torch.fft.fft2(q))
    half = deformation**2 / 2
    for row in range(rows):
        for column in range(columns):
            y, x = (place - count * (2 * place > count) for place, count in ((row, rows), (column, columns)))
            k2 = y * y + x * x
            if k2:
                table = torch.tensor([[-k2 - half, half], [half, -k2 - half]], dtype=waves.dtype)
                found[..., row, column] = torch.einsum(
                    "ij,...j->...i", torch.linalg.inv(table), waves[..., row, column]
                )
    return torch.fft.ifft2(found).real


@stream_function.cases
def _():
    x = torch.arange(8) * 2 * math.pi / 8
    yield "the worked example", torch.cos(x).expand(2, 8, 8).clone(), 2.0
    yield "a wave of one layer", torch.stack([torch.cos(2 * x).expand(8, 8), torch.zeros(8, 8)]), 3.0
    yield "waves along y", torch.stack([torch.sin(x), torch.cos(2 * x)])[:, :, None].expand(2, 8, 8).clone(), 1.0
    yield "three days of weather", _field(3, 2, 8, 8), 8.0
    yield "a batch of one", _field(1, 2, 6, 6, seed=1), 5.0
    yield "runs and days", _field(2, 3, 2, 4, 4, seed=2), 2.5
    yield "more rows than columns", _field(2, 10, 6, seed=3), 4.0
    yield "odd numbers of cells", _field(2, 2, 7, 5, seed=4), 4.0
    yield "more columns than rows", _field(2, 5, 9, seed=5), 0.5
    yield "a mean that carries no wind", _field(2, 6, 6, seed=6) + torch.tensor([5.0, -2.0])[:, None, None], 4.0
    yield "layers that do not touch", _field(2, 6, 8, seed=7), 0.0
    yield "layers that hardly slide", _field(2, 6, 8, seed=8), 50.0


@stream_function.usual
def stream_function(q, deformation):
    rows, columns = q.shape[-2:]
    down = torch.fft.fftfreq(rows, 1 / rows, dtype=q.dtype)[:, None]
    along = torch.fft.rfftfreq(columns, 1 / columns, dtype=q.dtype)
    k2, stretch = down**2 + along**2, deformation**2 / 2
    q_hat, whole = torch.fft.rfft2(q), k2 * (k2 + 2 * stretch)
    psi_hat = -((k2 + stretch) * q_hat + stretch * q_hat.flip(-3)) / whole.clamp(min=1)
    return torch.fft.irfft2(psi_hat * (k2 > 0), s=(rows, columns))


stream_function.slip("psi_hat = -(", "psi_hat = (", "sign").says(
    "right but for the sign. Air that spins the positive way has a low stream function: divide by minus k squared."
)
stream_function.slip(" + stretch * q_hat.flip(-3))", ")", "alone").says(
    "each layer's wind comes from its own vorticity alone. The layers feel each other: add F times the other layer's."
)
stream_function.slip("q_hat.flip(-3)", "q_hat.flip(-2)", "rows").says(
    "rows are exchanged where the layers should be. The layers are the third axis from the end."
)
stream_function.slip("deformation**2 / 2", "deformation**2", "twice F").says(
    "F is half the square of the deformation wave number; the whole square was taken."
)
stream_function.slip(" * (k2 > 0)", "", "mean").says(
    "the mean of q was kept. A constant part of q carries no wind: the wave with k = 0 has to be zero."
)
stream_function.slip("(k2 + 2 * stretch)", "(k2 + stretch)", "determinant").says(
    "below the line stands k squared times (k squared + 2 F), the determinant of the two equations; one F is missing."
)
stream_function.slip("fftfreq(rows, 1 / rows, dtype=q.dtype)", "fftfreq(rows, dtype=q.dtype)", "per cell").says(
    "the wave numbers along y are counted a cell, not around the square. They are integers: fftfreq(rows, 1 / rows)."
)
stream_function.slip("s=(rows, columns))", "s=(rows, 2 * (columns // 2)))", "even").says(
    "right for an even number of columns. irfft2 has to be told the number of columns, which may be odd."
)


@stream_function.mistake("one layer", "q was divided by minus k squared alone, as if each layer were the whole sky.")
def _(q, deformation):
    rows, columns = q.shape[-2:]
    down = torch.fft.fftfreq(rows, 1 / rows, dtype=q.dtype)[:, None]
    k2 = down**2 + torch.fft.rfftfreq(columns, 1 / columns, dtype=q.dtype) ** 2
    return torch.fft.irfft2(-torch.fft.rfft2(q) / k2.clamp(min=1) * (k2 > 0), s=(rows, columns))


@exercise(returns="float tensor (...)", points=2, constants=("climate",))
def anomaly_correlation(forecast, truth, climate):
    maps = torch.broadcast_shapes(forecast.shape, truth.shape)
    said, true = (x.expand(maps).reshape(-1, *maps[-2:]) for x in (forecast, truth))
    scores = []
    for one, other in zip(said, true):
        a, b = (one - climate).flatten(), (other - climate).flatten()
        known = bool(a.abs().max() > 0) and bool(b.abs().max() > 0)
        scores.append((a @ b / (a @ a).sqrt() / (b @ b).sqrt()) if known else (a @ b) * 0)
    return torch.stack(scores).reshape(maps[:-2])


@anomaly_correlation.cases
def _():
    yield "the worked example", torch.tensor([[2.0, 1.0]]), torch.tensor([[2.0, 2.0]]), torch.ones(1, 2)
    yield "three maps", _field(3, 4, 5), _field(3, 4, 5, seed=1), _field(4, 5, seed=2)
    yield "days, starts and layers", _field(2, 3, 2, 4, 4), _field(2, 3, 2, 4, 4, seed=3), torch.zeros(4, 4)
    yield "a climate far from zero", 20 + _field(2, 3, 6), 20 + _field(2, 3, 6, seed=4), torch.full((3, 6), 20.0)
    yield "anomalies with a mean", _field(2, 4, 4) + 2, _field(2, 4, 4, seed=5) + 2, torch.zeros(4, 4)
    yield "the opposite of the truth", -_field(1, 3, 3), _field(1, 3, 3), torch.zeros(3, 3)
    yield "too strong by ten", 10 * _field(1, 3, 3, seed=6), _field(1, 3, 3, seed=6), torch.zeros(3, 3)
    yield "one place", torch.tensor([[[3.0]], [[-1.0]]]), torch.tensor([[[1.0]], [[2.0]]]), torch.zeros(1, 1)
    yield "faint anomalies", 1e-5 * _field(2, 4, 4), 1e-5 * _field(2, 4, 4, seed=7), torch.zeros(4, 4)
    quiet = (3 * _field(3, 4, 4, seed=8)).round().long()  # whole numbers: no slope at a jump
    quiet[1] = 0
    yield "one forecast is the climate", quiet, _field(3, 4, 4, seed=9), torch.zeros(4, 4)
    yield "one truth is the climate", _field(3, 4, 4, seed=9), quiet, torch.zeros(4, 4)


@anomaly_correlation.usual
def anomaly_correlation(forecast, truth, climate):
    a, b = forecast - climate, truth - climate
    size = a.square().sum((-2, -1)) * b.square().sum((-2, -1))
    return (a * b).sum((-2, -1)) / torch.where(size > 0, size, 1).sqrt()


anomaly_correlation.slip("truth - climate", "truth", "true climate").says(
    "the climate was taken from the forecast only. Both are compared as anomalies."
)
anomaly_correlation.slip("forecast - climate, truth - climate", "forecast, truth", "no climate").says(
    "the fields are compared as they are. Take the climate from both first."
)
anomaly_correlation.slip("torch.where(size > 0, size, 1)", "size", "nothing by nothing").says(
    "a map without any anomaly gives 0 / 0. It scores 0: put 1 below the line there."
)
anomaly_correlation.slip(".sqrt()", "", "no root").says("the root below the line is missing.")


@anomaly_correlation.mistake("centred", "each map's own mean was taken away as well. Only the climate is.")
def _(forecast, truth, climate):
    a, b = forecast - climate, truth - climate
    a, b = a - a.mean((-2, -1), keepdim=True), b - b.mean((-2, -1), keepdim=True)
    size = a.square().sum((-2, -1)) * b.square().sum((-2, -1))
    return (a * b).sum((-2, -1)) / torch.where(size > 0, size, 1).sqrt()


@anomaly_correlation.mistake("pooled", "all maps were scored together. Each map has a score of its own.")
def _(forecast, truth, climate):
    a, b = forecast - climate, truth - climate
    whole = (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()
    return whole.expand(a.shape[:-2]).clone()


@anomaly_correlation.mistake("rows", "the sums run over columns alone. A map has rows and columns.")
def _(forecast, truth, climate):
    a, b = forecast - climate, truth - climate
    size = a.square().sum(-1) * b.square().sum(-1)
    return ((a * b).sum(-1) / torch.where(size > 0, size, 1).sqrt()).mean(-1)


@exercise(returns="float", points=2)
def cost_at(wanted, skill, cost):
    if wanted > skill[-1]:
        return math.inf
    if wanted <= skill[0]:
        return float(cost[0])
    for left in range(len(skill) - 1):
        if wanted <= skill[left + 1]:
            part = (wanted - skill[left]) / (skill[left + 1] - skill[left])
            return cost[left] * (cost[left + 1] / cost[left]) ** part
    return math.inf


@cost_at.cases
def _():
    yield "the worked example", 0.6, [0.5, 0.7], [1.0, 4.0]
    yield "three solvers, in the first gap", 0.3, [0.2, 0.5, 0.9], [0.4, 1.3, 5.0]
    yield "three solvers, in the second gap", 0.8, [0.2, 0.5, 0.9], [0.4, 1.3, 5.0]
    yield "exactly the middle one", 0.5, [0.2, 0.5, 0.9], [0.4, 1.3, 5.0]
    yield "exactly the first", 0.2, [0.2, 0.5, 0.9], [0.4, 1.3, 5.0]
    yield "below the first", 0.1, [0.2, 0.5, 0.9], [0.4, 1.3, 5.0]
    yield "exactly the last", 0.9, [0.2, 0.5, 0.9], [0.4, 1.3, 5.0]
    yield "above the last", 0.9001, [0.2, 0.5, 0.9], [0.4, 1.3, 5.0]
    yield "one solver, below", 0.1, [0.2], [3.0]
    yield "one solver, at it", 0.2, [0.2], [3.0]
    yield "one solver, above", 0.3, [0.2], [3.0]
    yield "skills below zero", -0.1, [-0.3, 0.1], [0.01, 100.0]
    yield "costs far apart", 0.25, [0.0, 0.5, 1.0], [1e-6, 1.0, 1e9]


@cost_at.usual
def cost_at(wanted, skill, cost):
    if wanted > skill[-1]:
        return math.inf
    return math.exp(np.interp(wanted, skill, np.log(cost)))


cost_at.slip("wanted > skill[-1]", "wanted >= skill[-1]", "at the last").says(
    "the best solver's own skill is taken for out of reach. It can do that much: its cost is the last one."
)
cost_at.slip("return math.inf", "return cost[-1]", "no end").says(
    "more skill than any solver has costs as much as the best one. No cost buys it: math.inf."
)
cost_at.slip(
    "math.exp(np.interp(wanted, skill, np.log(cost)))", "float(np.interp(wanted, skill, cost))", "straight cost"
).says("the cost itself runs straight between two solvers. Its logarithm should.")
cost_at.slip(
    "math.exp(np.interp(wanted, skill, np.log(cost)))", "float(np.interp(wanted, skill, np.log(cost)))", "log"
).says("this is the logarithm of the cost. Undo it with the exponential.")


@cost_at.mistake("next", "the cost of the next better solver was taken, without anything in between.")
def _(wanted, skill, cost):
    return next((float(price) for level, price in zip(skill, cost) if level >= wanted), math.inf)


@cost_at.mistake("beyond", "below the first skill the line was drawn on. There the first solver's cost is asked for.")
def _(wanted, skill, cost):
    if wanted > skill[-1]:
        return math.inf
    if len(skill) == 1:
        return float(cost[0])
    left = max(0, min(int(np.searchsorted(skill, wanted)) - 1, len(skill) - 2))
    part = (wanted - skill[left]) / (skill[left + 1] - skill[left])
    return cost[left] * (cost[left + 1] / cost[left]) ** part


@exercise(returns="float tensor (2,)", points=2)
def spread_and_error(ensemble, truth):
    members, places = len(ensemble), ensemble[0].numel()
    flat, true = ensemble.reshape(members, places), truth.reshape(places)
    middle = sum(flat) / members
    variance = sum((each - middle) ** 2 for each in flat) / (members - 1)
    spread = (variance.sum() / places * (members + 1) / members) ** 0.5
    return torch.stack([spread, (((middle - true) ** 2).sum() / places) ** 0.5])


@spread_and_error.cases
def _():
    yield "the worked example", torch.tensor([[1.0], [3.0]]), torch.zeros(1)
    yield "sixteen members", _field(16, 3, 4, 4), _field(3, 4, 4, seed=1)
    yield "two members", _field(2, 5, seed=2), _field(5, seed=3)
    yield "a batch of one", _field(4, 1, 6, 6, seed=4), _field(1, 6, 6, seed=5)
    yield "one number a member", _field(5, seed=6), torch.tensor(0.3)
    yield "layers of unlike scatter", _field(6, 2, 5, seed=7) * torch.tensor([[0.1], [5.0]]), _field(2, 5, seed=8)
    yield "far from zero", 100 + _field(8, 3, 3, seed=9), 100 + _field(3, 3, seed=10)
    yield "errors of both signs", torch.tensor([[1.0, -1.0], [1.5, -2.0], [2.0, -3.0]]), torch.zeros(2)


@spread_and_error.usual
def spread_and_error(ensemble, truth):
    members = len(ensemble)
    variance = ensemble.var(0).mean() * (members + 1) / members
    return torch.stack([variance, (ensemble.mean(0) - truth).square().mean()]).sqrt()


spread_and_error.slip(" * (members + 1) / members", "", "one more draw").says(
    "the factor (M + 1) / M is missing: the truth is one more draw beside the members."
)
spread_and_error.slip("ensemble.var(0).mean()", "ensemble.var(0, correction=0).mean()", "biased").says(
    "the variance divides by the number of members. The unbiased one divides by one less."
)
spread_and_error.slip("ensemble.var(0).mean()", "ensemble.std(0).mean() ** 2", "mean of roots").says(
    "deviations were averaged. Average the variances, and take one root at the end."
)
spread_and_error.slip(".sqrt()", "", "squares").says("these are the squares. Take the root of both.")
spread_and_error.slip("ensemble.var(0)", "ensemble.var()", "over places").says(
    "the scatter over places was counted in. At each place, only the members vary."
)


@spread_and_error.mistake("each member", "every member's error was taken. The error is that of the ensemble's mean.")
def _(ensemble, truth):
    members = len(ensemble)
    variance = ensemble.var(0).mean() * (members + 1) / members
    return torch.stack([variance, (ensemble - truth).square().mean()]).sqrt()


@spread_and_error.mistake(
    "mean of roots, error", "the absolute error was averaged. Square, average, and take the root."
)
def _(ensemble, truth):
    members = len(ensemble)
    variance = ensemble.var(0).mean() * (members + 1) / members
    return torch.stack([variance.sqrt(), (ensemble.mean(0) - truth).abs().mean()])
