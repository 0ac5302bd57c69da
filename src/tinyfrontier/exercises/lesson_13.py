"""Exercises of lesson 13: patches, receptive fields, attention distance."""

import itertools
import math

import torch

from .form import exercise


@exercise(returns="tensor (batch, patches, channels * size * size)", points=2)
def patchify(images, size):
    rows, columns = range(0, images.shape[2], size), range(0, images.shape[3], size)
    patches = [images[:, :, top : top + size, left : left + size] for top in rows for left in columns]
    return torch.stack([patch.flatten(1) for patch in patches], dim=1)


@patchify.cases
def _():
    def numbered(*shape):
        return torch.arange(math.prod(shape), dtype=torch.float32).view(shape)

    yield "the worked example", torch.tensor([[[[1.0, 2, 3, 4], [5, 6, 7, 8]]]]), 2
    yield "digits", numbered(3, 1, 8, 8), 2
    yield "three channels, wider than high", numbered(2, 3, 4, 6), 2
    mixed = torch.randn(1, 2, 9, 6, generator=torch.Generator().manual_seed(0))
    yield "higher than wide, patches of 3", mixed, 3
    yield "patches of one pixel", numbered(1, 2, 2, 3), 1
    yield "one patch is the whole image", numbered(2, 2, 4, 4), 4


@patchify.usual
def patchify(images, size):
    batch, channels, height, width = images.shape
    cut = images.reshape(batch, channels, height // size, size, width // size, size)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * size * size)


patchify.slip("cut.permute(0, 2, 4, 1, 3, 5)", "images", "a plain reshape").says(
    "the numbers stand in the order in which they came, so a patch holds pieces of a line. "
    "A reshape alone never brings two rows together."
)
patchify.slip("0, 2, 4, 1, 3, 5", "0, 4, 2, 1, 3, 5", "patches by columns").says(
    "the patches are right, but they come column by column. Read them like words on a page."
)
patchify.slip("0, 2, 4, 1, 3, 5", "0, 2, 4, 1, 5, 3", "patches turned").says(
    "each patch is mirrored along its diagonal: rows and columns inside it changed places."
)
patchify.slip("0, 2, 4, 1, 3, 5", "0, 2, 4, 3, 5, 1", "channels last").says(
    "right for one channel; with several, the channel should change slowest inside a patch."
)


@patchify.mistake(
    "every other pixel",
    "a patch holds pixels that lie far apart. When an axis is split in two, the first part counts the "
    "blocks and the second the places inside a block.",
)
def _(images, size):
    batch, channels, height, width = images.shape
    cut = images.reshape(batch, channels, size, height // size, size, width // size)
    return cut.permute(0, 3, 5, 1, 2, 4).reshape(batch, -1, channels * size * size)


@exercise(returns="int", points=1)
def receptive_field(layers):
    """Walks from one output back to the pixels it touches."""
    first = last = 0
    for kernel, stride in reversed(layers):
        first, last = first * stride, last * stride + kernel - 1
    return last - first + 1


@receptive_field.cases
def _():
    yield "the worked example", [(3, 1), (3, 2), (3, 1)]
    yield "no layer", []
    yield "one layer with a stride", [(5, 3)]
    yield "the lesson's CNN", [(3, 1), (3, 2), (3, 1), (3, 2)]
    yield "two strides, then a wide kernel", [(3, 2), (3, 2), (7, 1)]
    yield "kernels of one pixel", [(1, 2), (1, 1), (3, 1)]
    yield "pooling after a layer", [(5, 1), (2, 2), (5, 1), (2, 2), (4, 4)]


@receptive_field.usual
def receptive_field(layers):
    field, step = 1, 1  # step: distance of two neighbouring inputs, in pixels
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


receptive_field.slip("step *= stride", "pass", "strides ignored").says(
    "strides do not enter. After a stride of two, neighbouring inputs are two pixels apart."
)
receptive_field.slip("(kernel - 1) * step", "(kernel - 1) * step * stride", "a layer's own stride").says(
    "a layer's stride spreads its outputs, so it matters to the layers above, not to itself."
)
receptive_field.slip("(kernel - 1)", "kernel", "whole kernels added").says(
    "each layer adds its whole kernel, but one of its inputs was counted already."
)
receptive_field.slip("step *= stride", "step = stride", "only the last stride").says(
    "two strides of two lie one upon the other: the distance between inputs is then four."
)
receptive_field.slip("step *= stride", "step += stride", "strides added up").says(
    "strides multiply: two steps of two make four, three make eight."
)
receptive_field.slip("(kernel - 1) * step", "(kernel - 1) * stride", "only a layer's own stride").says(
    "each layer is spread by its own stride. Its inputs are as far apart as the strides below it say, multiplied."
)
receptive_field.slip(
    "field += (kernel - 1) * step",
    "field = (field - 1) * stride + kernel",
    "from the wrong end",
    "each stride spreads what was reached so far, from the image upwards. That works only from the last layer down.",
)
receptive_field.slip("(kernel - 1) * step", "2 * step", "every kernel of three").says(
    "every kernel counts as one of three pixels. A kernel of k reaches k - 1 inputs beyond one."
)


@exercise(
    returns="float tensor (heads,)",
    points=2,
    # the sum over all pairs is the same, whichever axis is added up first
    equivalent_mutants=["-1 -> -2 in return (weights * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)"],
)
def attention_distance(weights, side, size):
    places = [(size * row, size * column) for row, column in itertools.product(range(side), repeat=2)]
    table = torch.tensor([[math.dist(a, b) for b in places] for a in places], dtype=weights.dtype)
    kept = weights[:, 1:, 1:]
    return ((kept * table).sum(-1) / kept.sum(-1)).mean(-1)


@attention_distance.cases
def _():
    def random(heads, side, seed):
        generator = torch.Generator().manual_seed(seed)
        return (2 * torch.randn(heads, side**2 + 1, side**2 + 1, generator=generator)).softmax(-1)

    near = torch.full((2, 10, 10), 1e-4) + torch.eye(10)
    yield "the worked example", torch.full((1, 5, 5), 0.2), 2, 2
    yield "four heads of a digit", random(4, 4, 0), 4, 2
    yield "one head, larger patches", random(1, 3, 1), 3, 4
    yield "every patch looks at itself", near / near.sum(-1, keepdim=True), 3, 2
    yield "one patch", random(2, 1, 2), 1, 8
    yield "double precision", random(3, 5, 3).double(), 5, 1


@attention_distance.usual
def attention_distance(weights, side, size):
    weights = weights[:, 1:, 1:]
    weights = weights / weights.sum(dim=-1, keepdim=True)
    axis = torch.arange(side, dtype=weights.dtype) * size
    places = torch.cartesian_prod(axis, axis)  # (patches, 2)
    return (weights * torch.cdist(places, places)).sum(dim=-1).mean(dim=-1)


attention_distance.slip(" / weights.sum(dim=-1, keepdim=True)", "", "rows not scaled again").says(
    "without the class token the rows no longer sum to 1, so distances come out too small."
)
attention_distance.slip(" * size", "", "in patches").says(
    "these are distances in patches. Neighbouring patches are `size` pixels apart."
)
attention_distance.slip("cdist(places, places)", "cdist(places, places, p=1)", "city blocks").says(
    "rows and columns are added up, as one walks through streets. Take the straight line."
)
attention_distance.slip("cdist(places, places)", "cdist(places, places) ** 2", "squared").says(
    "these are squared distances; a root is missing."
)
attention_distance.slip(".sum(dim=-1).mean(dim=-1)", ".mean(dim=(-1, -2))", "mean over keys").says(
    "the weights are the mean over keys already: their sum is 1. Dividing once more makes it too small."
)
attention_distance.slip("sum(dim=-1, keepdim", "sum(dim=-2, keepdim", "columns scaled").says(
    "the columns were made to sum to 1. A row is one query's attention: scale rows."
)
