"""The recipe of the shipped weather model: an emulator of the two-layer atmosphere of lesson 24.

A fine model makes 16 atmospheres' weather; the network reads its waves on a coarse grid. First it learns one day, then,
from disturbed starts, four days in a row, as GraphCast did (Lam et al., 2023, arXiv 2212.12794).
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor

from ...beside.lesson_24.atmosphere import Atmosphere, climate, resized
from ...models import Forecaster
from ...training import fit, seed_everything
from .. import writing

GRID = 32
STEPS_A_DAY = 8  # of the solver on the same grid; more gain nothing
RUNS = 16
DAYS = 500
LIVE = (2, 250)  # runs and days that are shipped, for the notebook to learn from
STARTS = 8
NOISE = 0.03  # of the deviation of q, on the starts of four days


def scales_of(air: Atmosphere, today: Tensor, start: Tensor, tomorrow: Tensor) -> Tensor:
    """Deviations (4, 2, 1, 1) of q, stream function, the change from `start`, and its stream function."""
    change = tomorrow - start
    parts = (today, air.stream(today), change, air.stream(change))
    return torch.stack([part.std((0, 2, 3), keepdim=True)[0] for part in parts]).half().float()  # as they are stored


def misfit(net: Forecaster, said: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error of q and of the stream function, each in deviations of the change."""
    error = said - truth
    return (error / net.scales[2]).square().mean() + (net.air.stream(error) / net.scales[3]).square().mean()


def make_weather(seed: int, runs: int, days: int) -> Tensor:
    """Potential vorticity from the fine model on the coarse grid, (runs, days, 2, GRID, GRID), as float16 holds it."""
    each = (climate(1, days, 100 + number + 50 * seed) for number in range(runs))
    return torch.cat([resized(weather, GRID) for weather in each]).half().float()


def train(weather: Tensor, steps: int, seed: int, ahead: int = 4) -> tuple[Forecaster, list[float], list[float]]:
    """An emulator of `weather` (runs, days, 2, GRID, GRID) and its losses: one day, then `ahead` days in a row.

    The second part has a quarter as many steps; each goes through `ahead` days and sees half as many starts.
    """
    seed_everything(seed)
    air = Atmosphere(GRID, STEPS_A_DAY)
    runs, days = weather.shape[:2]
    today, tomorrow = weather[:, :-1:10].flatten(0, 1), weather[:, 1::10].flatten(0, 1)
    net = Forecaster(air, scales_of(air, today, today, tomorrow))

    def loss(generator: torch.Generator, batch: int, ahead: int, noise: float) -> Tensor:
        run = torch.randint(runs, (batch,), generator=generator)
        day = torch.randint(days - ahead, (batch,), generator=generator)
        q, parts = weather[run, day], []
        if noise:
            q = q + noise * net.scales[0] * torch.randn(q.shape, generator=generator)
        for step in range(1, ahead + 1):
            q = net(q)
            parts.append(misfit(net, q, weather[run, day + step]))
        return torch.stack(parts).mean()

    settings = {"seed": seed, "weight_decay": 0.01, "clip": 1.0, "warmup": 50}
    one = fit(net, lambda g: loss(g, 16, 1, 0.0), steps=steps, lr=3e-3, **settings)
    four = fit(net, lambda g: loss(g, 8, ahead, NOISE), steps=max(1, steps // 4), lr=1e-3, **settings)
    return net.eval(), one.losses, four.losses


def make(folder: Path, steps: int = 4000, seed: int = 0) -> dict:
    """Make the weather, train the network, write both to `folder`, return what was measured."""
    began = time.process_time()
    weather = make_weather(seed, RUNS, DAYS)
    made = time.process_time() - began
    net, one, four = train(weather, steps, seed)
    writing.keep_half(net)
    measured = {
        "loss_one_day": round(sum(one[-100:]) / len(one[-100:]), 4),
        "loss_four_days": round(sum(four[-100:]) / len(four[-100:]), 4),
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "steps": steps,
        "seed": seed,
        "cpu_seconds_weather": round(made),
        "cpu_seconds": round(time.process_time() - began),
    }
    figures = {
        "model": {"width": 32, "blocks": 4, "hybrid": False},
        "grid": GRID,
        "steps_a_day": STEPS_A_DAY,
        "measured": measured,
    }
    weights = {f"net.{name}": value for name, value in net.state_dict().items()}
    weights["live"] = weather[: LIVE[0], : LIVE[1]]
    weights["starts"] = resized(climate(STARTS, 1, 1000 + seed, size=48, steps=20)[:, 0], GRID)
    writing.write(folder, figures, write_card(figures), weights)
    return measured


def write_card(figures: dict) -> str:
    """The card of the weights with these figures, in Markdown."""
    m = figures["measured"]
    return writing.write_card(
        "weather",
        "Tiny weather model",
        "An emulator of a two-layer atmosphere: potential vorticity of today to that of tomorrow, on 32 by 32 cells.",
        size=f"{m['parameters']:,} parameters: four gated blocks of 3 by 3 convolutions, width 32. Stored as float16 "
        "in `model.safetensors`, loaded as float32. With it, two times 250 days of weather and eight states.",
        data="made by `lessons/24_weather/atmosphere.py`: 16 atmospheres, 500 days each, on 64 by 64 cells.",
        training=f"{m['steps']:,} steps of one day, {m['steps'] // 4:,} of four days; seed {m['seed']}; "
        f"{m['cpu_seconds']} CPU seconds on one thread, {m['cpu_seconds_weather']} of them for the weather.",
        losses=f"mean squared errors in deviations of a day's change, of vorticity and stream function together: "
        f"{m['loss_one_day']:.3f} one day ahead, {m['loss_four_days']:.3f} over four days.",
        meant_for="the lesson on learned weather.",
        limits="it knows one planet: another rotation, wind or ground makes it worse. It blurs small waves.",
    )
