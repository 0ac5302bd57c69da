"""A small world to be seen, heard and scanned, and a judge for each sense. Needs torch, NumPy and SciPy, no network.

A scene is one thing (small or large, in one of four colours, a circle, a square or a triangle) in one of four corners.
Pictures come from the course's renderer; tones and scans are made here by rules, and read again by other rules. Nothing
here learns, and nothing knows about tokens.

Sizes in shapes: n scenes; FRAMES frames of FRAME samples; 8 directions with 12 rays each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from tinyfrontier.data import all_scenes, read_scene, render
from tinyfrontier.data.scenes import BACKGROUND, SHAPES, SIZES, Thing
from tinyfrontier.show import COLOURS

PLACES = ("top left", "top right", "bottom left", "bottom right")
THINGS = tuple(scene.first for scene in all_scenes(things=1))  # 24, each with .size, .colour and .shape
TELLS = {  # the facts that each sense carries
    "words": ("size", "colour", "shape", "place"),
    "picture": ("size", "colour", "shape", "place"),
    "sound": ("size", "shape"),
    "points": ("size", "shape"),
}

RATE = 8000  # samples a second
FRAMES = 8
FRAME = 256  # samples: 32 ms
QUIET = 0.03  # strength below which a tone counts as silence
PITCH = {"small": 700.0, "large": 350.0}  # hertz
ODD = torch.arange(1, 12, 2).float()  # the overtones 1, 3, 5, ...
LOUDNESS = {"circle": (ODD == 1).float(), "square": 1 / ODD, "triangle": 1 / ODD**2}

TURN = torch.arange(8) * math.tau / 8
TILT = torch.linspace(-75, 75, 12).deg2rad()
RAYS = torch.stack(
    [TILT.cos() * TURN[:, None].cos(), TILT.cos() * TURN[:, None].sin(), TILT.sin().expand(8, 12)], dim=-1
)  # (8, 12, 3), each of length 1
REACH = {"small": 0.55, "large": 0.9}  # metres
OFF_AXIS = 0.15  # metres, at most
_PAPER = torch.tensor(BACKGROUND).view(3, 1, 1)

Scene = tuple[Thing, str]
Facts = dict[str, str]


def facts_of(scene: Scene) -> Facts:
    """The four facts about a scene: size, colour, shape, place."""
    thing, place = scene
    return {"size": thing.size, "colour": thing.colour, "shape": thing.shape, "place": place}


def look(scenes: Sequence[Scene], seed: int) -> Tensor:
    """Pictures of scenes, (n, 3, 32, 32) in [0, 1]; place, radius and colour jitter with `seed`."""
    lone = {scene.first: scene for scene in all_scenes(things=1)}
    images = render([lone[thing] for thing, _ in scenes], seed=seed)
    for image, (_, place) in zip(images, scenes, strict=True):  # whole pixels: the jitter left is below one
        down, right = _middle(image)
        corner = 8 + 16 * ("bottom" in place), 8 + 16 * ("right" in place)
        image.copy_(image.roll((corner[0] - int(down), corner[1] - int(right)), dims=(1, 2)))
    return images


def sing(scenes: Sequence[Scene], generator: torch.Generator) -> Tensor:
    """A quarter of a second of sound for each scene, (n, FRAMES * FRAME), with random phases, pitch and noise."""
    time = torch.arange(FRAMES * FRAME) / RATE
    base = torch.tensor([PITCH[thing.size] for thing, _ in scenes])
    base = base * (1 + 0.05 * (2 * torch.rand(len(scenes), generator=generator) - 1))
    pitch = base[:, None, None] * ODD[:, None]  # (n, overtones, 1)
    loud = torch.stack([LOUDNESS[thing.shape] for thing, _ in scenes])[..., None] * (pitch < RATE / 2)
    phase = math.tau * torch.rand(pitch.shape, generator=generator)
    wave = (loud * torch.sin(math.tau * pitch * time + phase)).sum(dim=1) * torch.exp(-6 * time)  # dies away
    return wave + 0.01 * torch.randn(wave.shape, generator=generator)


def gauge(points: Tensor, shape: str) -> Tensor:
    """Below 1 inside the body, 1 on its surface, above 1 outside: (..., 3) -> (...); bodies reach from -1 to 1."""
    if shape == "circle":
        return points.norm(dim=-1)
    if shape == "square":
        return points.abs().amax(dim=-1) / 0.8
    across, up = points[..., :2].norm(dim=-1), points[..., 2]
    return torch.maximum(2 * across + up, -up)  # a cone: its slope and its floor


def scan(scenes: Sequence[Scene], generator: torch.Generator) -> Tensor:
    """Length in metres of every ray from inside the hollow thing, (n, 8 directions, 12 tilts)."""
    near, far = torch.zeros(len(scenes), 8, 12), torch.full((len(scenes), 8, 12), 3.0)
    stand = OFF_AXIS * (2 * torch.rand(len(scenes), 1, 1, 3, generator=generator) - 1)
    stand[..., 2] = 0  # the scanner may stand off the axis, but always at the same height
    shapes = [thing.shape for thing, _ in scenes]
    for shape in SHAPES:
        rows = torch.tensor([i for i, name in enumerate(shapes) if name == shape], dtype=torch.long)
        for _ in range(12):  # 3 m halved twelve times: less than a millimetre
            half = (near[rows] + far[rows]) / 2
            inside = gauge(stand[rows] + half[..., None] * RAYS, shape) < 1
            near[rows], far[rows] = torch.where(inside, half, near[rows]), torch.where(inside, far[rows], half)
    size = torch.tensor([REACH[thing.size] for thing, _ in scenes]).view(-1, 1, 1)
    size = size * (1 + 0.05 * (2 * torch.rand(size.shape, generator=generator) - 1))
    return size * near + 0.01 * torch.randn(near.shape, generator=generator)


def read_picture(image: Tensor) -> Facts:
    """All four facts of one picture (3, 32, 32), by the course's rule-based reader; none if it cannot be read."""
    scene = read_scene(image)
    if scene is None or scene.second is not None:
        return {}
    down, right = _middle(image)
    place = f"{'top' if down < 16 else 'bottom'} {'left' if right < 16 else 'right'}"
    return facts_of((scene.first, place))


def read_sound(spectra: Tensor) -> list[Facts]:
    """Size and shape of what makes each sound, from log10(strength + QUIET): (n, FRAMES, FRAME // 2 + 1).

    Size by the strongest low tone, shape by its third overtone: 0 for a sine, 1/9 for a triangle, 1/3 for a square.
    """
    strength = (10**spectra - QUIET).clamp(min=0)[:, :4].mean(dim=1)  # the last frames are faint
    hertz = torch.arange(strength.shape[1]) * RATE / FRAME
    tones = strength.masked_fill((hertz < 280) | (hertz > 800), 0).argmax(dim=-1).tolist()
    read = []
    for row, tone in zip(strength, tones, strict=True):
        third = row[3 * tone - 3 : 3 * tone + 4].max() / row[tone]
        shape = "circle" if third < 0.05 else "triangle" if third < 0.2 else "square"
        read.append({"size": "small" if hertz[tone] > 500 else "large", "shape": shape})
    return read


def read_points(lengths: Tensor) -> list[Facts]:
    """Size and shape of the body around the scanner, (n, 8, 12): the one of six whose surface fits the points best."""
    points = (lengths[..., None] * RAYS).flatten(1, 2)  # (n, 96, 3)
    centre = (points.amax(dim=1, keepdim=True) + points.amin(dim=1, keepdim=True)) / 2
    centre[..., 2] = 0  # the scanner's height is known
    bodies = list(itertools.product(SIZES, SHAPES))
    misfit = [
        REACH[size] * (gauge((points - centre) / REACH[size], shape) - 1).abs().mean(dim=-1) for size, shape in bodies
    ]
    best = torch.stack(misfit).argmin(dim=0).tolist()
    return [{"size": bodies[i][0], "shape": bodies[i][1]} for i in best]


def gallery(rows: Mapping[str, Mapping[str, object]], framed: Sequence[str] = ()) -> Figure:
    """One row a label, one column a sense: a sentence, a picture (3, 32, 32), a spectrum or a wave, a scan (8, 12).

    Args:
        rows: label to {sense: what is drawn}.
        framed: for each row the sense that is framed, as what was given.
    """
    senses = list(dict.fromkeys(sense for row in rows.values() for sense in row))
    size = 1.7 * len(senses) + 0.6, (1.15 if len(rows) > 1 else 1.8) * len(rows) + 0.2
    fig, grid = plt.subplots(len(rows), len(senses), figsize=size, squeeze=False)
    for ax, sense in zip(grid[0], senses, strict=True):
        ax.set_title(sense, size=10)
    for axes, (label, signals), given in itertools.zip_longest(grid, rows.items(), framed):
        axes[0].set_ylabel(label, size=9)
        for ax, sense in zip(axes, senses, strict=True):
            _draw(ax, sense, signals[sense])
            for side in ax.spines.values():
                colour, width = ("vermilion", 2.5) if sense == given else ("grey", 0.8)
                side.set(visible=True, color=COLOURS[colour], lw=width)
    return fig


def _draw(ax: Axes, sense: str, signal: object) -> None:
    ax.set(xticks=[], yticks=[])
    if sense == "words":
        words = str(signal).split()
        lines = [" ".join(words[:3]), " ".join(words[3:4]), " ".join(words[4:])]
        ax.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", size=8)
    elif sense == "picture":
        ax.imshow(signal.permute(1, 2, 0).clamp(0, 1), interpolation="nearest", aspect="auto")
    elif signal.dim() == 1:  # a wave: its first 20 ms
        ax.plot(signal[: RATE // 50], color=COLOURS["blue"], lw=1)
    elif sense == "sound":  # time to the right, frequency up to 2,500 hertz upwards
        ax.imshow(signal.T[:80], origin="lower", aspect="auto", cmap="magma", vmin=-1.5, vmax=0)
    else:  # from the side and a little from above; darker points are nearer
        x, y, z = (signal[..., None] * RAYS).flatten(0, 1).T
        ax.scatter(x + 0.35 * y, z + 0.25 * y, c=y, cmap="viridis", s=4, vmin=-1.2, vmax=1.2)
        ax.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5))


def _middle(image: Tensor) -> tuple[float, float]:
    """Row and column of the centre of whatever is not background."""
    ink = (image - _PAPER).abs().sum(dim=0)  # (32, 32)
    at = torch.arange(32) + 0.5
    return (ink.sum(dim=1) @ at / ink.sum()).item(), (ink.sum(dim=0) @ at / ink.sum()).item()
