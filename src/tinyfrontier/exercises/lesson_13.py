"""Exercises of lesson 13: patches, receptive fields, attention distance."""

import itertools
import math

import torch

from .engine import Case, Exercise, Mistake


def patchify(images, size):
    batch, channels, height, width = images.shape
    patches = []
    for top in range(0, height, size):
        for left in range(0, width, size):
            patches.append(images[:, :, top : top + size, left : left + size].flatten(1))
    return torch.stack(patches, dim=1).view(batch, -1, channels * size * size)


def patchify_cases():
    def numbered(*shape):
        return torch.arange(math.prod(shape), dtype=torch.float32).view(shape)

    return [
        Case("the worked example", (torch.tensor([[[[1.0, 2, 3, 4], [5, 6, 7, 8]]]]), 2)),
        Case("digits", (numbered(3, 1, 8, 8), 2)),
        Case("three channels, wider than high", (numbered(2, 3, 4, 6), 2)),
        Case("higher than wide, patches of 3", (numbered(1, 2, 9, 6), 3)),
        Case("patches of one pixel", (numbered(1, 2, 2, 3), 1)),
        Case("one patch is the whole image", (numbered(2, 2, 4, 4), 4)),
    ]


def _split(images, size):
    batch, channels, height, width = images.shape
    return images.reshape(batch, channels, height // size, size, width // size, size)


def _reshaped(images, size):
    return images.reshape(len(images), -1, images.shape[1] * size * size)


def _columns_first(images, size):
    cut = _split(images, size)
    return cut.permute(0, 4, 2, 1, 3, 5).reshape(len(images), -1, images.shape[1] * size * size)


def _turned(images, size):
    cut = _split(images, size)
    return cut.permute(0, 2, 4, 1, 5, 3).reshape(len(images), -1, images.shape[1] * size * size)


def _channels_last(images, size):
    cut = _split(images, size)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(len(images), -1, images.shape[1] * size * size)


def _interleaved(images, size):
    batch, channels, height, width = images.shape
    cut = images.reshape(batch, channels, size, height // size, size, width // size)
    return cut.permute(0, 3, 5, 1, 2, 4).reshape(batch, -1, channels * size * size)


def receptive_field(layers):
    """Walks from one output back to the pixels it touches."""
    first = last = 0
    for kernel, stride in reversed(layers):
        first, last = first * stride, last * stride + kernel - 1
    return last - first + 1


def receptive_cases():
    return [
        Case("the worked example", ([(3, 1), (3, 2), (3, 1)],)),
        Case("no layer", ([],)),
        Case("one layer with a stride", ([(5, 3)],)),
        Case("the lesson's CNN", ([(3, 1), (3, 2), (3, 1), (3, 2)],)),
        Case("two strides, then a wide kernel", ([(3, 2), (3, 2), (7, 1)],)),
        Case("kernels of one pixel", ([(1, 2), (1, 1), (3, 1)],)),
        Case("pooling after a layer", ([(5, 1), (2, 2), (5, 1), (2, 2), (4, 4)],)),
    ]


def _no_strides(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers)


def _own_stride(layers):
    field, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        field += (kernel - 1) * step
    return field


def _whole_kernels(layers):
    field, step = 1, 1
    for kernel, stride in layers:
        field += kernel * step
        step *= stride
    return field


def _last_stride_only(layers):
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step = stride
    return field


def _strides_added(layers):
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step += stride
    return field


def attention_distance(weights, side, size):
    places = [(size * row, size * column) for row, column in itertools.product(range(side), repeat=2)]
    table = torch.tensor([[math.dist(a, b) for b in places] for a in places], dtype=weights.dtype)
    kept = weights[:, 1:, 1:]
    return ((kept * table).sum(-1) / kept.sum(-1)).mean(-1)


def distance_cases():
    def random(heads, side, seed):
        generator = torch.Generator().manual_seed(seed)
        return (2 * torch.randn(heads, side**2 + 1, side**2 + 1, generator=generator)).softmax(-1)

    even = torch.full((1, 5, 5), 0.2)
    near = torch.full((2, 10, 10), 1e-4) + torch.eye(10)
    return [
        Case("the worked example", (even, 2, 2)),
        Case("four heads of a digit", (random(4, 4, 0), 4, 2)),
        Case("one head, larger patches", (random(1, 3, 1), 3, 4)),
        Case("every patch looks at itself", (near / near.sum(-1, keepdim=True), 3, 2)),
        Case("one patch", (random(2, 1, 2), 1, 8)),
        Case("double precision", (random(3, 5, 3).double(), 5, 1)),
    ]


def _table(weights, side, size, norm=2.0):
    axis = torch.arange(side, dtype=weights.dtype) * size
    places = torch.cartesian_prod(axis, axis).view(-1, 2)
    return torch.cdist(places, places, p=norm)


def _scaled_rows(weights):
    return weights[:, 1:, 1:] / weights[:, 1:, 1:].sum(-1, keepdim=True)


def _not_scaled(weights, side, size):
    return (weights[:, 1:, 1:] * _table(weights, side, size)).sum(-1).mean(-1)


def _in_patches(weights, side, size):
    return attention_distance(weights, side, 1)


def _city_blocks(weights, side, size):
    return (_scaled_rows(weights) * _table(weights, side, size, norm=1.0)).sum(-1).mean(-1)


def _squared(weights, side, size):
    return (_scaled_rows(weights) * _table(weights, side, size) ** 2).sum(-1).mean(-1)


def _unweighted_mean(weights, side, size):
    return (_scaled_rows(weights) * _table(weights, side, size)).mean((-1, -2))


def _columns_scaled(weights, side, size):
    kept = weights[:, 1:, 1:]
    return (kept / kept.sum(-2, keepdim=True) * _table(weights, side, size)).sum(-1).mean(-1)


EXERCISES = (
    Exercise(
        name="patchify",
        reference=patchify,
        cases=patchify_cases,
        returns="tensor (batch, patches, channels * size * size)",
        points=2,
        mistakes=(
            Mistake(
                "a plain reshape",
                _reshaped,
                "the numbers stand in the order in which they came, so a patch holds pieces of a line. "
                "A reshape alone never brings two rows together.",
            ),
            Mistake(
                "patches by columns",
                _columns_first,
                "the patches are right, but they come column by column. Read them like words on a page.",
            ),
            Mistake(
                "patches turned",
                _turned,
                "each patch is mirrored along its diagonal: rows and columns inside it changed places.",
            ),
            Mistake(
                "channels last",
                _channels_last,
                "right for one channel; with several, the channel should change slowest inside a patch.",
            ),
            Mistake(
                "every other pixel",
                _interleaved,
                "a patch holds pixels that lie far apart. When an axis is split in two, the first part counts the "
                "blocks and the second the places inside a block.",
            ),
        ),
    ),
    Exercise(
        name="receptive_field",
        reference=receptive_field,
        cases=receptive_cases,
        returns="int",
        points=1,
        mistakes=(
            Mistake(
                "strides ignored",
                _no_strides,
                "strides do not enter. After a stride of two, neighbouring inputs are two pixels apart.",
            ),
            Mistake(
                "a layer's own stride",
                _own_stride,
                "a layer's stride spreads its outputs, so it matters to the layers above, not to itself.",
            ),
            Mistake(
                "whole kernels added",
                _whole_kernels,
                "each layer adds its whole kernel, but one of its inputs was counted already.",
            ),
            Mistake(
                "only the last stride",
                _last_stride_only,
                "two strides of two lie one upon the other: the distance between inputs is then four.",
            ),
            Mistake(
                "strides added up", _strides_added, "strides multiply: two steps of two make four, three make eight."
            ),
        ),
    ),
    Exercise(
        name="attention_distance",
        reference=attention_distance,
        cases=distance_cases,
        returns="float tensor (heads,)",
        # the sum over all pairs is the same, whichever axis is added up first
        equivalent_mutants=("-1 -> -2 in return (weights * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)",),
        points=2,
        mistakes=(
            Mistake(
                "rows not scaled again",
                _not_scaled,
                "without the class token the rows no longer sum to 1, so distances come out too small.",
            ),
            Mistake(
                "in patches",
                _in_patches,
                "these are distances in patches. Neighbouring patches are `size` pixels apart.",
            ),
            Mistake(
                "city blocks",
                _city_blocks,
                "rows and columns are added up, as one walks through streets. Take the straight line.",
            ),
            Mistake("squared", _squared, "these are squared distances; a root is missing."),
            Mistake(
                "mean over keys",
                _unweighted_mean,
                "the weights are the mean over keys already: their sum is 1. Dividing once more makes it too small.",
            ),
            Mistake(
                "columns scaled",
                _columns_scaled,
                "the columns were made to sum to 1. A row is one query's attention: scale rows.",
            ),
        ),
    ),
)
