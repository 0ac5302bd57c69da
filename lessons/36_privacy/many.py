"""Start and private training of many networks at once, and the rivals of differential privacy that lesson 36 tries.

A per-sample gradient of a linear layer is an outer product: its length follows from two vectors, and the clipped sum
from one product of matrices. So no per-sample gradient is ever stored.
"""

import itertools
import math

import torch
from torch.nn import functional as F

from tinyfrontier.training import progress

CLASSES = 10


def networks(m, widths, seed):
    """Random weights (m, in, out) and biases (m, 1, out) of each layer, in turn."""
    draw, made = torch.Generator().manual_seed(seed), []
    for narrow, wide in itertools.pairwise(widths):
        for shape in ((m, narrow, wide), (m, 1, wide)):
            made.append((2 * torch.rand(shape, generator=draw) - 1) / narrow**0.5)
    return made


def slopes(weights, x, y):
    """For each layer its inputs (m, b, in) and the loss' slopes at its outputs (m, b, out), of images (m, b, 64)."""
    inputs = [x]
    for k in range(0, len(weights), 2):
        out = torch.baddbmm(weights[k + 1], inputs[-1], weights[k])
        inputs.append(out.relu() if k + 2 < len(weights) else out)
    back = [inputs.pop().softmax(-1) - F.one_hot(y, CLASSES)]
    for k in range(len(weights) - 2, 0, -2):
        back.insert(0, (back[0] @ weights[k].transpose(1, 2)) * (inputs[k // 2] > 0))
    return inputs, back


def clipped_sums(weights, x, y, counts, clip):
    """Sums of per-sample gradients, each at most `clip` long; samples where `counts` (m, b) is False are left out.

    `clip` of None leaves every gradient as long as it is.
    """
    inputs, back = slopes(weights, x, y)
    square = sum((d**2).sum(-1) * ((a**2).sum(-1) + 1) for a, d in zip(inputs, back, strict=True))
    factor = counts.to(x.dtype)
    if clip is not None:
        factor = factor * (clip / square.sqrt().clamp(min=1e-12)).clamp(max=1)
    sums = []
    for a, d in zip(inputs, back, strict=True):
        d = d * factor[..., None]
        sums += [a.transpose(1, 2) @ d, d.sum(1, keepdim=True)]
    return sums


def private(start, x, y, member, steps, seed, *, q, clip, sigma, lr, momentum=0.9, clipping=True, watch=None):
    """DP-SGD on as many networks as there are rows in `member` (m, n), each on its own members.

    Args:
        start: weights (m, in, out) and biases (m, 1, out), in turn.
        x: images (n, 64).
        y: labels (n,).
        member: who may be drawn, bool (m, n).
        steps: number of updates.
        seed: of draws and noise.
        q: share of members drawn in a step, each on its own.
        clip: longest gradient, and the unit of the noise.
        sigma: deviation of the noise, in units of `clip`.
        lr: learning rate.
        momentum: share of the last step that goes on.
        clipping: whether gradients are clipped; without, the noise stays as it is.
        watch: called with the weights after each step.

    Raises:
        ValueError: if `q` is not in (0, 1], or `clip` or `sigma` are out of their range.
    """
    if not 0 < q <= 1:
        raise ValueError(f"q must be above 0 and at most 1, got {q}")
    if clip <= 0 or sigma < 0:
        raise ValueError(f"clip must be above 0 and sigma at least 0, got {clip} and {sigma}")
    draw = torch.Generator().manual_seed(seed)
    weights, speed = [p.clone() for p in start], [torch.zeros_like(p) for p in start]
    size = q * member.sum(1).float().mean().item()  # what is expected, which tells nothing of who was drawn
    for _ in progress(steps, "private"):
        drawn = member & (torch.rand(member.shape, generator=draw) < q)
        rows = drawn.float().topk(max(1, int(drawn.sum(1).max()))).indices
        counts = drawn.gather(1, rows)
        sums = clipped_sums(weights, x[rows], y[rows], counts, clip if clipping else None)
        for p, v, total in zip(weights, speed, sums, strict=True):
            noise = sigma * clip * torch.randn(total.shape, generator=draw)
            v.mul_(momentum).add_((total + noise) / size)
            p.sub_(lr * v)
        if watch:
            watch(weights)
    return weights


def output_noise(x, y, member, strength, sigma, radius=3.0, steps=150, seed=0):
    """Logistic regression to its optimum with penalty `strength` / 2 |w|^2, then noise once (Chaudhuri et al., 2011).

    With images at most `radius` long one sample moves the optimum by at most L / `strength`, where L bounds the
    gradient: sqrt(2) sqrt(radius^2 + 1). The noise has `sigma` times that deviation.

    Returns:
        weights, and the shortened images' scale (n,) by which test images have to be shortened alike: a function.
    """

    def shorten(images):
        return images * (radius / images.norm(dim=1, keepdim=True).clamp(min=1e-9)).clamp(max=1)

    x, bound = shorten(x), math.sqrt(2) * math.sqrt(radius**2 + 1)
    weights = [torch.zeros(len(member), 64, CLASSES), torch.zeros(len(member), 1, CLASSES)]
    lr = 1 / (strength + 0.1 * member.sum(1).max().item() * (radius**2 + 1))
    for _ in progress(steps, "optimum"):
        d = (torch.baddbmm(weights[1], x.expand(len(member), -1, -1), weights[0])).softmax(-1) - F.one_hot(y, CLASSES)
        d = d * member[..., None]
        grads = x.T @ d, d.sum(1, keepdim=True)
        weights = [p - lr * (g + strength * p) for p, g in zip(weights, grads, strict=True)]
    draw, scale = torch.Generator().manual_seed(seed), sigma * bound / strength
    return [p + scale * torch.randn(p.shape, generator=draw) for p in weights], shorten
