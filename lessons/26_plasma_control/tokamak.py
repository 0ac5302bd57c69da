"""A small tokamak for lesson 26: many shots side by side in NumPy, one millisecond a step.

It knows the plasma, the coils and the amplifiers; `PlasmaEnv` puts one shot behind gymnasium's protocol. Controllers,
rewards and learning stand in the lesson.
"""

from dataclasses import dataclass

import gymnasium
import numpy as np
from gymnasium.spaces import Box

SHOT = 250  # ms
LIMIT = 1.0  # the plasma touches the wall beyond


@dataclass(frozen=True)
class Machine:
    """Numbers of the machine; times in ms, heights in units of the distance to the wall.

    Attributes:
        growth: growth rate of the vertical instability of a round plasma, 1 / ms.
        stretch: what full elongation adds to the growth rate, as a share of it.
        grip: how fast a full coil current moves the plasma, 1 / ms.
        coil, wall, shape: lags of the coils, of the field behind the wall, and of the elongation, ms.
        delay: ms from a command to the amplifier.
        grip_spread, growth_spread: half widths of the shots' hidden factors, exp(uniform).
        noise: deviation of both measurements. shake: deviation of what pushes the plasma each ms.
        kick: largest sudden push. kicks: mean number of sudden pushes a shot.
        fade: share of the grip that is lost at half-time of the shot.
    """

    growth: float = 0.07
    stretch: float = 0.5
    grip: float = 0.2
    coil: float = 4.0
    wall: float = 2.0
    shape: float = 12.0
    delay: int = 3
    grip_spread: float = 0.8
    growth_spread: float = 0.3
    noise: float = 0.03
    shake: float = 0.01
    kick: float = 0.3
    kicks: float = 3.0
    fade: float = 0.0

    def __post_init__(self):
        for name in ("growth", "grip", "coil", "wall", "shape"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)!r}")
        if isinstance(self.delay, bool) or not isinstance(self.delay, int) or self.delay < 1:
            raise ValueError(f"delay must be an int of at least 1 ms, got {self.delay!r}")
        for name in ("stretch", "grip_spread", "growth_spread", "noise", "shake", "kick", "kicks", "fade"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)!r}")
        if self.fade > 1:
            raise ValueError(f"fade must be at most 1, got {self.fade!r}")


class Tokamak:
    """Shots side by side. The state of each: z, field behind the wall, coil current, elongation, shaping current."""

    def __init__(self, machine=None, shots=1, seed=0):
        if isinstance(shots, bool) or not isinstance(shots, int) or shots < 1:
            raise ValueError(f"shots must be a positive int, got {shots!r}")
        self.machine = m = machine or Machine()
        rng = np.random.default_rng(seed)
        self.grip = m.grip * np.exp(rng.uniform(-1, 1, shots) * m.grip_spread)
        self.growth = m.growth * np.exp(rng.uniform(-1, 1, shots) * m.growth_spread)
        self.noise = m.noise * rng.standard_normal((SHOT + 1, shots, 2))
        self.push = m.shake * rng.standard_normal((SHOT, shots, 2)) * [1, 0.5]
        sudden = rng.random((SHOT, shots)) < m.kicks / SHOT
        self.push[..., 0] += sudden * rng.uniform(-m.kick, m.kick, (SHOT, shots))
        changes = np.sort(rng.integers(20, SHOT, (2, shots)), axis=0)  # two changes of the wanted shape
        wanted, when = rng.uniform(0, 1, (3, shots)), np.arange(SHOT + 1)[:, None]
        self.wanted = np.where(when < changes[0], wanted[0], np.where(when < changes[1], wanted[1], wanted[2]))
        self.x = np.zeros((shots, 5))
        self.x[:, 0] = rng.uniform(-0.2, 0.2, shots)
        self.x[:, 3] = self.x[:, 4] = self.wanted[0]
        self.queue = [np.stack([np.zeros(shots), 2 * self.wanted[0] - 1], axis=1)] * m.delay
        self.time, self.lost = 0, np.zeros(shots, bool)

    def measure(self):
        """Height and elongation as measured, (shots, 2), and the elongation that is wanted, (shots,)."""
        return self.x[:, [0, 3]] + self.noise[self.time], self.wanted[self.time]

    def step(self, command):
        """One millisecond with a command (shots, 2) in [-1, 1]; a lost plasma stays where it was lost."""
        m, (z, field, current, shape, shaping) = self.machine, self.x.T
        self.queue.append(np.clip(command, -1, 1))
        up, out = self.queue.pop(0).T
        grip = self.grip * (1 - m.fade * (self.time >= SHOT // 2))
        push = self.push[self.time]
        new = np.stack(
            [
                z + self.growth * (1 + m.stretch * shape) * z + grip * field + push[:, 0],
                field + (current - field) / m.wall,
                current + (up - current) / m.coil,
                shape + (shaping - shape) / m.shape + push[:, 1],
                shaping + ((1 + out) / 2 - shaping) / m.coil,
            ],
            axis=1,
        )
        self.x = np.where(self.lost[:, None], self.x, new)
        self.lost = self.lost | (np.abs(self.x[:, 0]) > LIMIT)
        self.time += 1


class PlasmaEnv(gymnasium.Env):
    """One shot: measured height, measured and wanted elongation; two commands. The reward is minus `cost`."""

    observation_space = Box(-3, 3, (3,), np.float32)
    action_space = Box(-1, 1, (2,), np.float32)

    def __init__(self, cost, machine=None):
        self.cost, self.machine = cost, machine

    def observe(self):
        """What the sensors give, and what is wanted: (3,)."""
        (measured,), (wanted,) = self.plasma.measure()
        return np.float32([*measured, wanted]).clip(-3, 3)

    def reset(self, *, seed=None, options=None):
        """A new shot."""
        super().reset(seed=seed)
        self.plasma = Tokamak(self.machine, 1, int(self.np_random.integers(2**31)))
        return self.observe(), {}

    def step(self, action):
        """One millisecond; over at a loss or after the last millisecond."""
        command = np.asarray(action, float)[None]
        self.plasma.step(command)
        over = self.plasma.time == SHOT
        reward = -float(self.cost(self.plasma, command)[0])
        return self.observe(), reward, bool(self.plasma.lost[0]), over, {}
