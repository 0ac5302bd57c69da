"""Rendered scenes of one or two coloured shapes, with captions in a small grammar. Needs torch, no network.

    scene   = thing | thing relation thing
    thing   = "a" size colour shape
    relation = "left of" | "right of" | "above" | "below"

Some pairs of coloured shapes are held out: no training scene shows them together, whatever their sizes and places,
though each of the two shapes is seen in other company. `scene_reader.py` reads a picture without knowing this file's
drawing code.
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

SIDE = 32  # pixels
SIZES = {"small": 4.0, "large": 6.2}  # radius in pixels
COLOURS = {  # red, green, blue in [0, 1]
    "red": (0.85, 0.15, 0.15),
    "green": (0.15, 0.65, 0.25),
    "blue": (0.15, 0.30, 0.85),
    "yellow": (0.95, 0.80, 0.10),
}
SHAPES = ("circle", "square", "triangle")
RELATIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}  # x to the right, y down
BACKGROUND = (0.94, 0.94, 0.94)
_MIRROR = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
_HELD_OUT_SHARE = 0.2
WORDS = ("a", *SIZES, *COLOURS, *SHAPES, "left", "right", "of", "above", "below")


@dataclass(frozen=True, order=True)
class Thing:
    """One shape: a size of `SIZES`, a colour of `COLOURS`, a shape of `SHAPES`.

    Raises:
        ValueError: if one of them is unknown.
    """

    size: str
    colour: str
    shape: str

    def __post_init__(self) -> None:
        for name, known in (("size", SIZES), ("colour", COLOURS), ("shape", SHAPES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")

    def __str__(self) -> str:
        return f"a {self.size} {self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """One thing, or two different things and how the first stands to the second.

    Attributes:
        first: the thing that the caption names first.
        relation: a key of `RELATIONS`, or None for one thing.
        second: the other thing, or None.

    Raises:
        ValueError: if the relation is unknown, only one of `relation` and `second` is given, or both things are alike.
    """

    first: Thing
    relation: str | None = None
    second: Thing | None = None

    def __post_init__(self) -> None:
        if (self.relation is None) != (self.second is None):
            raise ValueError(f"relation and second go together, got {self.relation!r} and {self.second!r}")
        if self.relation is not None and self.relation not in RELATIONS:
            raise ValueError(f"relation must be one of {', '.join(RELATIONS)}, got {self.relation!r}")
        if self.first == self.second:
            raise ValueError(f"second must differ from first, got {self.first} twice")

    @property
    def caption(self) -> str:
        """The scene in words, such as "a small red circle above a large blue square"."""
        return str(self.first) if self.second is None else f"{self.first} {self.relation} {self.second}"

    @property
    def mirrored(self) -> Scene:
        """The same picture told from the other thing: left becomes right, above becomes below."""
        return self if self.second is None else Scene(self.second, _MIRROR[self.relation], self.first)

    @property
    def held_out(self) -> bool:
        """Whether its pair of coloured shapes is kept out of all training."""
        return self.second is not None and _pair(self.first, self.second) in _held_out_pairs()

    def shows_same_as(self, other: Scene | None) -> bool:
        """Whether both describe one picture."""
        return other is not None and other in (self, self.mirrored)


@dataclass(frozen=True)
class CaptionedScenes:
    """Pictures with captions.

    Attributes:
        images: float32 (n, 3, 32, 32) in [0, 1].
        captions: n sentences.
        scenes: what each picture shows.
        source: where the pictures come from.
        licence: the terms they are shared under.
    """

    images: Tensor
    captions: tuple[str, ...]
    scenes: tuple[Scene, ...]
    source: str
    licence: str


def all_scenes(*, things: int = 2, held_out: bool | None = None) -> tuple[Scene, ...]:
    """Every scene of one or two things, in a fixed order.

    Args:
        things: 1 or 2.
        held_out: True gives the held-out scenes alone, False the ones to train on, None both.

    Raises:
        ValueError: if `things` is neither 1 nor 2.
    """
    if things not in (1, 2):
        raise ValueError(f"things must be 1 or 2, got {things!r}")
    return tuple(scene for scene in _every(things) if held_out is None or scene.held_out == held_out)


def captioned_scenes(
    count: int, *, seed: int = 0, things: int = 2, held_out: bool | None = False, jitter: float = 1.0
) -> CaptionedScenes:
    """Draw scenes at random, each equally likely, and render them.

    Args:
        count: how many, at least 1.
        seed: which ones, and how they lie.
        things: 1 or 2 things a scene.
        held_out: False for scenes to train on, True for held-out ones, None for all.
        jitter: how much pictures of one scene differ, 0 to 1; see `render`.

    Raises:
        TypeError: if `count` or `seed` is not an int.
        ValueError: if `count` is below 1, `things` is neither 1 nor 2, `jitter` is out of range, or no such scene
            exists.
    """
    for name, value in (("count", count), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    choice = all_scenes(things=things, held_out=held_out)
    if not choice:
        raise ValueError("held_out must not be True where things is 1: only pairs are held out")
    generator = torch.Generator().manual_seed(seed)
    drawn = tuple(choice[i] for i in torch.randint(len(choice), (count,), generator=generator).tolist())
    return CaptionedScenes(
        images=render(drawn, seed=seed, jitter=jitter),
        captions=tuple(scene.caption for scene in drawn),
        scenes=drawn,
        source="rendered by tinyfrontier.data.scenes",
        licence="MIT, as the course",
    )


def parse_caption(caption: str) -> Scene:
    """The scene that a caption tells; upper case and extra spaces do not matter.

    Raises:
        ValueError: if the caption is not a sentence of the grammar.
    """
    words = str(caption).lower().split()
    try:
        if len(words) == 4:
            return Scene(_thing(words))
        return Scene(_thing(words[:4]), " ".join(words[4:-4]), _thing(words[-4:]))
    except ValueError as error:
        raise ValueError(
            f'caption must read like "a small red circle above a large blue square", got {caption!r} ({error})'
        ) from None


def render(scenes: tuple[Scene, ...] | list[Scene], *, seed: int = 0, jitter: float = 1.0) -> Tensor:
    """Pictures of `scenes`, float32 (n, 3, 32, 32) in [0, 1], with soft edges.

    Places, radii and colours vary a little with `seed`; the caption stays true. With `jitter` 0 they do not vary at
    all, and a scene has one picture.

    Raises:
        ValueError: if `scenes` is empty or `jitter` is not between 0 and 1.
    """
    if not scenes:
        raise ValueError("scenes must hold at least one scene, got none")
    if not 0 <= jitter <= 1:
        raise ValueError(f"jitter must be between 0 and 1, got {jitter}")
    generator = torch.Generator().manual_seed(seed)
    noise = jitter * (2 * torch.rand(len(scenes), 2, 6, generator=generator) - 1)  # (n, thing, what) in [-1, 1]
    images = torch.tensor(BACKGROUND).view(1, 3, 1, 1).repeat(len(scenes), 1, SIDE, SIDE)
    for place in range(2):
        rows = [i for i, scene in enumerate(scenes) if place == 0 or scene.second is not None]
        if not rows:
            continue
        things = [(scenes[i].first, scenes[i].second)[place] for i in rows]
        moved = noise[rows, place]
        centre = torch.tensor([_centre(scenes[i], place) for i in rows])  # (rows, 2)
        # along the relation a thing may move less than across it, or two large ones would touch.
        loose = torch.tensor([_looseness(scenes[i]) for i in rows])
        centre = centre + loose * moved[:, :2]
        radius = torch.tensor([SIZES[thing.size] for thing in things]) * (1 + 0.03 * moved[:, 2])
        colour = torch.tensor([COLOURS[thing.colour] for thing in things]) + 0.03 * moved[:, 3:]
        kind = torch.tensor([SHAPES.index(thing.shape) for thing in things])
        cover = _coverage(centre, radius, kind).unsqueeze(1)  # (rows, 1, 32, 32)
        images[rows] = images[rows] * (1 - cover) + colour[:, :, None, None] * cover
    return images.clamp(0, 1)


def _thing(words: list[str]) -> Thing:
    if len(words) != 4 or words[0] != "a":
        raise ValueError(f"{' '.join(words)!r} is no thing")
    return Thing(*words[1:])


def _pair(first: Thing, second: Thing) -> tuple[tuple[str, str], tuple[str, str]]:
    """Colours and shapes of both, in an order that does not depend on who is first."""
    a, b = sorted([(first.colour, first.shape), (second.colour, second.shape)])
    return a, b


@lru_cache(maxsize=1)
def _held_out_pairs() -> frozenset:
    """A fifth of the pairs of different coloured shapes: those whose names have the lowest checksums."""
    kinds = list(itertools.product(sorted(COLOURS), SHAPES))
    pairs = sorted(itertools.combinations(kinds, 2), key=lambda pair: zlib.crc32(repr(pair).encode()))
    return frozenset(tuple(sorted(pair)) for pair in pairs[: round(_HELD_OUT_SHARE * len(pairs))])


@lru_cache(maxsize=2)
def _every(things: int) -> tuple[Scene, ...]:
    kinds = [Thing(*kind) for kind in itertools.product(SIZES, COLOURS, SHAPES)]
    if things == 1:
        return tuple(Scene(thing) for thing in kinds)
    return tuple(Scene(a, relation, b) for a in kinds for relation in RELATIONS for b in kinds if a != b)


def _centre(scene: Scene, place: int) -> tuple[float, float]:
    if scene.relation is None:
        return SIDE / 2, SIDE / 2
    x, y = RELATIONS[scene.relation]
    away = SIDE / 4 if place == 0 else -SIDE / 4
    return SIDE / 2 + away * x, SIDE / 2 + away * y


def _looseness(scene: Scene) -> tuple[float, float]:
    if scene.relation is None:
        return 6.0, 6.0
    return (0.8, 4.0) if RELATIONS[scene.relation][0] else (4.0, 0.8)


def _coverage(centre: Tensor, radius: Tensor, kind: Tensor) -> Tensor:
    """How much of each pixel a shape covers, (n, 32, 32), from its signed distance to the edge."""
    at = torch.arange(SIDE) + 0.5
    x = at.view(1, 1, -1) - centre[:, 0].view(-1, 1, 1)  # (n, 1, 32)
    y = at.view(1, -1, 1) - centre[:, 1].view(-1, 1, 1)  # (n, 32, 1)
    r = radius.view(-1, 1, 1)
    circle = (x**2 + y**2).sqrt() - r
    square = torch.maximum(x.abs().expand_as(circle), y.abs().expand_as(circle)) - 0.87 * r
    # An upright triangle of height 1.9 r: its slanted sides and its base are half-planes.
    triangle = torch.maximum((2 * x.abs() - (y + 1.05 * r)) / 5**0.5, (y - 0.85 * r).expand_as(circle))
    distance = torch.stack([circle, square, triangle])[kind, torch.arange(len(kind))]
    return (0.5 - distance).clamp(0, 1)
