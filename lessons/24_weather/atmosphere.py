"""A small chaotic atmosphere: two layers of air on a rotating, doubly periodic square (Phillips, 1954).

The state is the potential vorticity of both layers, `(..., 2, size, size)`, upper layer first; axes are y, then x; the
square is 2 pi wide, and all quantities are without units. Knows nothing of networks and draws nothing.
"""

import math

import torch

DAY = 0.1  # of the model's time
LEAST_SIZE = 8


class Atmosphere:
    """Quasi-geostrophic flow in two equal layers that slide past each other (Vallis, 2017, section 5.3 and chapter 9).

    Potential vorticity q is carried by the wind of its layer, and the wind follows from q (`invert`). Steps are
    pseudo-spectral, third-order Adams-Bashforth, with an exponential filter of the smallest waves.

    Args:
        size: cells along one side, even and at least 8.
        steps: steps a day.
        beta: how much the planet's vorticity grows to the north.
        shear: wind of the upper layer; the lower one blows as fast the other way.
        deformation: wave number of the Rossby radius of deformation.
        drag: friction of the lower layer with the ground.
        filtering: strength of the filter of the smallest waves, a step; 0 for none.
        dtype: torch.float32 or torch.float64.

    Raises:
        TypeError: if `size` or `steps` is not an int, or another number is not a real number.
        ValueError: if one of them is out of range.
    """

    def __init__(
        self, size, steps, beta=40.0, shear=1.0, deformation=8.0, drag=3.0, filtering=23.6, dtype=torch.float32
    ):
        for name, value, least in (("size", size, LEAST_SIZE), ("steps", steps, 1)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an int, got {type(value).__name__}")
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if size % 2:
            raise ValueError(f"size must be even, got {size}")
        numbers = {"beta": beta, "shear": shear, "deformation": deformation, "drag": drag, "filtering": filtering}
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{name} must be a number, got {type(value).__name__}")
            if not math.isfinite(value) or value < 0 or (name == "deformation" and value == 0):
                raise ValueError(f"{name} must be finite and not negative (deformation: above 0), got {value}")
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
        self.size, self.steps, self.drag = size, steps, drag
        self.dt = DAY / steps
        along = torch.fft.rfftfreq(size, 1 / size, dtype=dtype)
        across = torch.fft.fftfreq(size, 1 / size, dtype=dtype)[:, None]
        along, across = (part * (part.abs() < size / 2) for part in (along, across))  # no slope of the last wave
        self.dx, self.dy = 1j * along, 1j * across
        self.k2 = torch.fft.rfftfreq(size, 1 / size, dtype=dtype) ** 2
        self.k2 = self.k2 + torch.fft.fftfreq(size, 1 / size, dtype=dtype)[:, None] ** 2
        stretch = deformation**2 / 2
        whole = self.k2 * (self.k2 + 2 * stretch)
        whole[0, 0] = 1
        self.own, self.other = -(self.k2 + stretch) / whole, -stretch / whole  # (size, size / 2 + 1)
        self.own[0, 0] = self.other[0, 0] = 0
        sign = torch.tensor([1.0, -1.0], dtype=dtype)[:, None, None]
        self.wind = sign * shear
        self.slope = beta + sign * deformation**2 * shear  # of the mean potential vorticity, to the north
        cutoff = 0.65 * math.pi
        wave = self.k2.sqrt() * 2 * math.pi / size
        self.filter = torch.exp(-filtering * (wave - cutoff).clamp(min=0) ** 4)

    def invert(self, q_hat):
        """Waves of the stream function from waves of q, both (..., 2, size, size / 2 + 1); its mean is 0."""
        return self.own * q_hat + self.other * q_hat.flip(-3)

    def stream(self, q):
        """The stream function (..., 2, size, size) of q; winds blow along its lines."""
        return torch.fft.irfft2(self.invert(torch.fft.rfft2(self._checked(q))), s=q.shape[-2:])

    def tidy(self, q):
        """Q (..., 2, size, size) without its mean, which no wind can change, and without its smallest waves."""
        return torch.fft.irfft2(self.filter * torch.fft.rfft2(q - q.mean((-1, -2), keepdim=True)), s=q.shape[-2:])

    def tendency(self, q_hat):
        """How fast the waves of q change; both (..., 2, size, size / 2 + 1)."""
        psi = self.invert(q_hat)
        parts = torch.stack([q_hat, -self.dy * psi, self.dx * psi])
        q, u, v = torch.fft.irfft2(parts, s=(self.size, self.size))
        east, north = torch.fft.rfft2(torch.stack([(u + self.wind) * q, v * q]))
        change = -self.dx * east - self.dy * north - self.slope * parts[2]
        change[..., 1, :, :] += self.drag * self.k2 * psi[..., 1, :, :]
        return change

    def run(self, q, days=1):
        """Q after each of `days` days: (days, *q.shape), from q (..., 2, size, size).

        Raises:
            TypeError: if `days` is not an int.
            ValueError: if `days` is below 1 or q has another shape.
        """
        if isinstance(days, bool) or not isinstance(days, int):
            raise TypeError(f"days must be an int, got {type(days).__name__}")
        if days < 1:
            raise ValueError(f"days must be at least 1, got {days}")
        q_hat, kept, old = torch.fft.rfft2(self._checked(q)), [], []
        for count in range(1, days * self.steps + 1):
            old = [self.tendency(q_hat), *old[:2]]
            weights = {1: (1,), 2: (1.5, -0.5), 3: (23 / 12, -16 / 12, 5 / 12)}[len(old)]
            q_hat = self.filter * (q_hat + self.dt * sum(w * part for w, part in zip(weights, old, strict=True)))
            if count % self.steps == 0:
                kept.append(torch.fft.irfft2(q_hat, s=q.shape[-2:]))
        return torch.stack(kept)

    def _checked(self, q):
        if q.shape[-3:] != (2, self.size, self.size):
            raise ValueError(f"q must be (..., 2, {self.size}, {self.size}), got {tuple(q.shape)}")
        return q


def climate(runs, days, seed, spin_up=100, size=64, steps=50, **planet):
    """Q of `days` days in each of `runs` atmospheres that have forgotten their random starts.

    Args:
        runs: how many atmospheres.
        days: how many days of each.
        seed: of the starts.
        spin_up: days before the first one that is kept.
        size: cells along one side.
        steps: steps a day.
        planet: what else `Atmosphere` is told.

    Returns:
        Float tensor (runs, days, 2, size, size).

    Raises:
        TypeError: if `runs` or `seed` is not an int.
        ValueError: if `runs` is below 1.
    """
    for name, value in (("runs", runs), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if runs < 1:
        raise ValueError(f"runs must be at least 1, got {runs}")
    air = Atmosphere(size, steps, **planet)
    noise = torch.randn(runs, 2, 16, 16, generator=torch.Generator().manual_seed(seed))
    start = air.run(resized(noise, size), spin_up)[-1]
    return air.run(start, days).transpose(0, 1).contiguous()


def resized(field, size):
    """A periodic field (..., old, old) on another grid (..., size, size), wave by wave: none is added.

    Raises:
        ValueError: if `size` or the field's is odd, or they are below 8.
    """
    old = field.shape[-1]
    if field.shape[-2] != old or old % 2 or size % 2 or min(old, size) < LEAST_SIZE:
        raise ValueError(f"field and size must be square, even, at least 8; got {tuple(field.shape)} and {size}")
    half = min(old, size) // 2
    waves = torch.fft.rfft2(field)
    new = waves.new_zeros(*waves.shape[:-2], size, size // 2 + 1)
    new[..., :half, :half], new[..., 1 - half :, :half] = waves[..., :half, :half], waves[..., 1 - half :, :half]
    return torch.fft.irfft2(new, s=(size, size)) * (size / old) ** 2
