"""Say what a picture shows, by rules alone: an independent judge of pictures that a model drew. Needs numpy and SciPy.

A blob is a connected patch that differs from the background. Its colour is the nearest named one, its size follows
from its area, its shape is the one whose outline, drawn here by point tests, overlaps it best. A picture that is not
one or two such blobs is not read at all.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from .scenes import BACKGROUND, COLOURS, SHAPES, SIDE, SIZES, Scene, Thing

_FAR = 0.25  # distance in RGB at which a pixel is no longer background
_COLOUR_TOLERANCE = 0.30  # between a blob's median colour and the named one
_LEAST_AREA = 12.0  # pixels; a smaller blob is dirt
_DIRT = 6  # pixels of dirt that are forgiven
_LEAST_OVERLAP = 0.72  # intersection over union with the best outline
_FINE = 4  # point tests along a pixel's side
# Area of each shape with radius 1.
_AREA = {"circle": np.pi, "square": (2 * 0.87) ** 2, "triangle": 0.5 * 1.9 * 1.9}
_BORDER = float(np.sqrt(SIZES["small"] * SIZES["large"]))  # radius between small and large


def read_scene(image: Tensor) -> Scene | None:
    """What a picture shows, or None where that is unclear.

    Two things are told from left to right or from top to bottom, whichever distance is larger; compare with
    `Scene.shows_same_as`, which knows that "a left of b" and "b right of a" are one picture.

    Args:
        image: float (3, 32, 32) in [0, 1]; values a little outside are cut off.

    Raises:
        TypeError: if `image` is not a floating-point tensor.
        ValueError: if it has another shape.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point():
        raise TypeError(f"image must be a floating-point tensor, got {getattr(image, 'dtype', type(image).__name__)}")
    if tuple(image.shape) != (3, SIDE, SIDE):
        raise ValueError(f"image must have shape (3, {SIDE}, {SIDE}), got {tuple(image.shape)}")
    pixels = image.detach().float().clamp(0, 1).permute(1, 2, 0).numpy()  # (32, 32, 3)
    patches, count = ndimage.label(np.linalg.norm(pixels - BACKGROUND, axis=-1) > _FAR)
    areas = np.bincount(patches.ravel(), minlength=count + 1)[1:]
    blobs = [number for number, area in enumerate(areas, 1) if area >= _LEAST_AREA]
    if not 1 <= len(blobs) <= 2 or areas[areas < _LEAST_AREA].sum() > _DIRT:
        return None
    found = [_blob(pixels, patches == number) for number in blobs]
    if None in found:
        return None
    if len(found) == 1:
        return Scene(found[0][0])
    (a, (ax, ay)), (b, (bx, by)) = found
    if a == b:
        return None
    across = abs(ax - bx) > abs(ay - by)
    if min(abs(ax - bx), abs(ay - by)) > 0.8 * max(abs(ax - bx), abs(ay - by)):
        return None  # on a diagonal neither word is right
    relation = ("left of" if ax < bx else "right of") if across else ("above" if ay < by else "below")
    return Scene(a, relation, b)


def drawn_right(images: Tensor, scenes: tuple[Scene, ...] | list[Scene]) -> Tensor:
    """Whether each picture shows its scene: (n, 3, 32, 32) and n scenes -> bool (n,).

    Raises:
        ValueError: if the numbers of pictures and scenes differ.
    """
    if len(images) != len(scenes):
        raise ValueError(f"scenes must be as many as images, got {len(scenes)} for {len(images)}")
    return torch.tensor([scene.shows_same_as(read_scene(image)) for image, scene in zip(images, scenes)])


def _blob(pixels: np.ndarray, patch: np.ndarray) -> tuple[Thing, tuple[float, float]] | None:
    """The thing that a patch is, and its centre (x, y) in pixels; None where it is like nothing known."""
    median = np.median(pixels[patch], axis=0)
    distance = {name: np.linalg.norm(median - colour) for name, colour in COLOURS.items()}
    colour = min(distance, key=distance.get)
    if distance[colour] > _COLOUR_TOLERANCE:
        return None
    # Soft edges: a pixel half way between background and colour is half covered.
    way = np.asarray(COLOURS[colour]) - BACKGROUND
    cover = np.clip((pixels - BACKGROUND) @ way / (way @ way), 0, 1)
    cover = cover * ndimage.binary_dilation(patch, np.ones((3, 3)))
    area = cover.sum()
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    centre = float((cover * x).sum() / area), float((cover * y).sum() / area)
    best, overlap, radius = "", 0.0, 0.0
    for shape in SHAPES:
        r = float(np.sqrt(area / _AREA[shape]))
        outline = _outline(shape, r, centre)
        both = np.minimum(cover, outline).sum() / np.maximum(cover, outline).sum()
        if both > overlap:
            best, overlap, radius = shape, both, r
    if overlap < _LEAST_OVERLAP:
        return None
    return Thing("small" if radius < _BORDER else "large", colour, best), centre


def _outline(shape: str, r: float, centre: tuple[float, float]) -> np.ndarray:
    """How much of each pixel the shape covers, by counting points, its centre of mass at `centre`: (32, 32)."""
    at = (np.arange(SIDE * _FINE) + 0.5) / _FINE
    x, y = at[None, :] - centre[0], at[:, None] - centre[1]
    if shape == "circle":
        inside = x**2 + y**2 <= r**2
    elif shape == "square":
        inside = np.maximum(abs(x), abs(y)) <= 0.87 * r
    else:
        height = 1.9 * r  # as wide as high; the centre of mass lies a third above the base
        below_top = y + 2 / 3 * height
        inside = (below_top <= height) & (2 * abs(x) <= below_top)
    return inside.reshape(SIDE, _FINE, SIDE, _FINE).mean((1, 3))
