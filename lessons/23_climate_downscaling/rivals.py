"""What a meteorologist reads off a map, and a regression on it: the rivals without a network of lesson 23.

It depends on torch alone. Coarse cells are blocks of 4 by 4 fine ones.
"""

import torch
import torch.nn.functional as F

FACTOR = 4
TILT = torch.cartesian_prod(*[torch.linspace(-1, 1, 8)] * 2).T  # (2, 64): a tilted plane


def shapes(z):
    """Height, slopes to the east and the south, depth below the surroundings at three scales.

    Args:
        z: float tensor (count, 1, h, w), heights; h and w at least 9 (the widest surroundings reach 8 cells).

    Returns a float tensor (count, 6, h, w).

    Raises:
        TypeError: if `z` is no tensor.
        ValueError: if its shape is another.
    """
    _check("z", z)
    edge = F.pad(z, (1, 1, 1, 1), mode="replicate")
    east = edge[:, :, 1:-1, 2:] - edge[:, :, 1:-1, :-2]
    south = edge[:, :, 2:, 1:-1] - edge[:, :, :-2, 1:-1]
    reach = (2, 4, 8)  # cells
    wide = [F.avg_pool2d(F.pad(z, 4 * (r,), mode="replicate"), 2 * r + 1, 1) for r in reach]
    return torch.cat([z, east, south, *[mean - z for mean in wide]], dim=1)


def local_regression(coarse, z):
    """Ridge regression of each patch's 64 coarse values on its six shapes and a tilted plane.

    Args:
        coarse: float tensor (count, 1, 8, 8).
        z: float tensor (count, 1, 32, 32), heights.

    Returns:
        weights (count, 6, 1, 1) and the shapes' fine detail (count, 6, 32, 32).

    Raises:
        TypeError: if an argument is no tensor.
        ValueError: if the shapes are others.
    """
    _check("z", z)
    _check("coarse", coarse)
    if coarse.shape[2:] != (8, 8) or z.shape != (len(coarse), 1, 32, 32):
        raise ValueError(
            f"coarse and z must be (count, 1, 8, 8) and (count, 1, 32, 32), got {tuple(coarse.shape)}, {tuple(z.shape)}"
        )
    parts = shapes(z)
    parts = parts / parts.std((0, 2, 3), keepdim=True)
    known = F.avg_pool2d(parts, FACTOR)
    x = (known - known.mean((2, 3), keepdim=True)).flatten(2)  # (count, 6, 64)
    x = torch.cat([x, TILT.expand(len(z), 2, 64)], dim=1)  # and a tilted plane: the weather
    y = (coarse - coarse.mean((2, 3), keepdim=True)).flatten(2)
    weights = torch.linalg.solve(x @ x.mT + 4 * torch.eye(8), x @ y.mT)[:, :6]
    return weights[..., None], parts - _enlarge(known)


def hints(coarse, z):
    """What boosted trees are told of each fine cell: shapes, the patch's regression, neighbours, contrasts.

    Args:
        coarse: float tensor (count, 1, 8, 8).
        z: float tensor (count, 1, 32, 32), heights.

    Returns an array (count * 1024, 31).

    Raises:
        TypeError: if an argument is no tensor.
        ValueError: if the shapes are others.
    """
    weights, detail = local_regression(coarse, z)
    edge = F.pad(coarse, (1, 1, 1, 1), mode="replicate")
    around = [edge[:, :, 1:-1, 2:], edge[:, :, 1:-1, :-2], edge[:, :, 2:, 1:-1], edge[:, :, :-2, 1:-1]]
    sides = torch.cat([F.interpolate(each - coarse, scale_factor=FACTOR) for each in around], dim=1)
    curved = _enlarge(coarse - F.avg_pool2d(edge, 3, 1))
    busy = coarse.std((2, 3), keepdim=True)
    parts = [weights * detail, detail, shapes(z)[:, 1:], sides, curved]
    parts += [weights.expand_as(detail), busy.expand_as(z), _enlarge(coarse) - coarse.mean((2, 3), keepdim=True)]
    parts += [(weights * detail).sum(1, keepdim=True)]
    return torch.cat(parts, dim=1).permute(0, 2, 3, 1).flatten(0, 2).numpy()


def _enlarge(coarse):
    return F.interpolate(coarse, scale_factor=FACTOR, mode="bicubic")


def _check(name, value):
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")
    if value.dim() != 4 or value.shape[1] != 1:
        raise ValueError(f"{name} must be (count, 1, height, width), got {tuple(value.shape)}")
