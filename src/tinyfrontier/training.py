"""One training loop with a progress bar, seeds, device choice and a history.

It knows nothing about lessons, data sets or figures: it takes parameters and a function that returns a loss.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from tqdm.auto import tqdm

from ._rehearsal import REHEARSAL_STEPS, rehearsing

SCHEDULES = ("cosine", "constant", "linear")


Item = TypeVar("Item")


def _silent() -> bool:
    return os.environ.get("TQDM_DISABLE", "") not in ("", "0")  # tqdm's notebook bar does not look at it by itself


def progress(items: Iterable[Item] | int, label: str = "working", *, least: int = REHEARSAL_STEPS) -> Iterator[Item]:
    """Go through `items` with a progress bar; a rehearsal ends after the first `least` of them.

    Args:
        items: what to go through, or a number n for 0 to n - 1.
        label: the words beside the progress bar.
        least: number of items that a rehearsal still visits, where the cells below need more or fewer than a dozen.

    Raises:
        TypeError: if `items` is neither an iterable nor an int.
        ValueError: if `items` is a negative number, or `least` is below 1.
    """
    if isinstance(items, bool) or not isinstance(items, (int, Iterable)):
        raise TypeError(f"items must be an iterable or an int, got {type(items).__name__}")
    if isinstance(items, int):
        if items < 0:
            raise ValueError(f"items must not be negative, got {items}")
        items = range(items)
    if isinstance(least, bool) or not isinstance(least, int) or least < 1:
        raise ValueError(f"least must be a positive int, got {least!r}")
    return _go_through(items, label, least)


def _go_through(items: Iterable[Item], label: str, least: int) -> Iterator[Item]:
    if rehearsing():
        yield from itertools.islice(items, least)
    else:
        yield from tqdm(items, desc=label, mininterval=0.5, leave=False, disable=_silent())


@dataclass
class History:
    """What a training run leaves behind.

    Attributes:
        losses: the loss of every step, in order (floats, the unit of the loss function).
        cpu_seconds: process CPU time spent in the loop, in seconds.
        steps: number of parameter updates made; in a rehearsal fewer than there are losses.
    """

    losses: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    steps: int = 0

    def mean_of_last(self, steps: int = 50) -> float:
        """Mean loss over the last `steps` steps (fewer if the run was shorter)."""
        if not self.losses:
            raise ValueError("this History holds no losses yet; train first")
        tail = self.losses[-steps:]
        return sum(tail) / len(tail)


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python's, NumPy's and PyTorch's global generators and return a fresh `torch.Generator` with that seed.

    Raises:
        TypeError: if `seed` is not an integer.
        ValueError: if `seed` is negative or does not fit 32 bits (NumPy's limit).
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed must be an int, got {type(seed).__name__}")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be in [0, 2**32), got {seed}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def device() -> torch.device:
    """The fastest device present: a CUDA GPU, Apple's MPS, or the CPU on which the course is tested.

    The environment variable TINYFRONTIER_DEVICE, such as "cpu" or "cuda:1", decides where it is set.

    Raises:
        ValueError: if TINYFRONTIER_DEVICE names no device that is present.
    """
    told = os.environ.get("TINYFRONTIER_DEVICE", "")
    if told:
        try:
            return torch.empty(0, device=told).device
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).split("\n")[0]
            raise ValueError(
                f"TINYFRONTIER_DEVICE must name a device that is present, got {told!r}: {reason}"
            ) from None
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def learning_rate_factor(step: int, steps: int, schedule: str, warmup: int = 0) -> float:
    """Factor on the peak learning rate at `step` (0-based) of `steps`: linear warm-up, then the schedule.

    "cosine" falls to 0 along half a cosine (Loshchilov & Hutter, 2017, arXiv 1608.03983), "linear" falls to 0 on a
    line, "constant" stays at 1.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {schedule!r}")
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
    done = (step - warmup) / max(1, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * done)) if schedule == "cosine" else 1.0 - done


def fit(
    model: torch.nn.Module | Iterable[torch.nn.Parameter],
    loss: Callable[[torch.Generator], torch.Tensor],
    *,
    steps: int,
    lr: float,
    seed: int = 0,
    schedule: str = "cosine",
    warmup: int = 0,
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    clip: float | None = None,
    label: str = "training",
    after_step: Callable[[int], None] | None = None,
) -> History:
    """Minimise `loss` over the parameters of `model` with AdamW (Loshchilov & Hutter, 2019, arXiv 1711.05101).

    A rehearsal makes the first dozen updates and repeats the last loss for the steps it leaves out, so
    that the history is as long as ever and `after_step` hears of every step.

    Args:
        model: a module, or an iterable of parameters.
        loss: called once a step with a `torch.Generator` (seeded with `seed`) for drawing a batch; returns a scalar.
        steps: number of updates.
        lr: peak learning rate.
        seed: seed of the generator that `loss` draws its batches with; the model's weights are the caller's.
        schedule: "cosine", "constant" or "linear"; see `learning_rate_factor`.
        warmup: steps of linear warm-up before the schedule.
        weight_decay: AdamW's decoupled weight decay.
        betas: AdamW's decay rates of the two moment estimates.
        clip: largest allowed gradient norm, or None.
        label: the words beside the progress bar.
        after_step: called with the step's index after each update (running averages, snapshots).

    Raises:
        TypeError: if `loss` does not return a tensor.
        ValueError: if `steps` or `lr` is not positive, the schedule is unknown, there is nothing to train, or the
            loss is not a finite scalar.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps must be a positive int, got {steps!r}")
    if not lr > 0:
        raise ValueError(f"lr must be positive, got {lr!r}")
    learning_rate_factor(0, steps, schedule, warmup)
    parameters = list(model.parameters() if isinstance(model, torch.nn.Module) else model)
    if not parameters:
        raise ValueError("model has no parameters to train")
    optimiser = torch.optim.AdamW(parameters, lr=lr, betas=betas, weight_decay=weight_decay)
    generator = torch.Generator().manual_seed(seed)
    history = History()
    start = time.process_time()
    update = range(min(steps, REHEARSAL_STEPS)) if rehearsing() else range(steps)
    with tqdm(total=steps, desc=label, mininterval=0.5, leave=False, disable=_silent()) as bar:
        for step in range(steps):
            if step not in update:
                history.losses.append(history.losses[-1])
                if after_step is not None:
                    after_step(step)
                continue
            for group in optimiser.param_groups:
                group["lr"] = lr * learning_rate_factor(step, steps, schedule, warmup)
            value = loss(generator)
            if not isinstance(value, torch.Tensor):
                raise TypeError(f"loss must return a tensor, got {type(value).__name__}")
            number = value.item() if value.numel() == 1 else math.nan
            if not math.isfinite(number):
                raise ValueError(f"loss must be a finite scalar, got {value.detach()} at step {step}")
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(parameters, clip)
            optimiser.step()
            history.losses.append(number)
            history.steps += 1
            if after_step is not None:
                after_step(step)
            bar.update()
            if step % 20 == 0:
                bar.set_postfix_str(f"loss {number:.3f}", refresh=False)
    history.cpu_seconds = time.process_time() - start
    return history
