"""Exercises of lesson 08: rank for energy, an adapted layer, its size, merging."""

import torch
import torch.nn.functional as F

from .form import exercise


@exercise(
    returns="int",
    points=1,
    equivalent_mutants=[
        # differs only where the kept energy is short by a millionth to the last bit
        "kept < share - 1e-06 -> kept <= share - 1e-06 in return int((kept < share - 1e-06).sum()) + 1",
        # the only axis is also the last one
        "0 -> -1 in kept = energy.cumsum(0) / energy.sum()",
        # a tensor of one number passes for a number
        "int((kept < share - 1e-06).sum()) -> (kept < share - 1e-06).sum() in "
        "return int((kept < share - 1e-06).sum()) + 1",
    ],
)
def rank_for_energy(update, share):
    # The squared singular values are the eigenvalues of the smaller Gram matrix.
    update = update.double()
    gram = update @ update.T if update.shape[0] <= update.shape[1] else update.T @ update
    energies = sorted(torch.linalg.eigvalsh(gram).tolist(), reverse=True)
    return next(r for r in range(1, len(energies) + 1) if sum(energies[:r]) >= (share - 1e-6) * sum(energies))


@rank_for_energy.cases
def _():
    def spectrum(values, out, into, seed):
        """A matrix (out, into) with the given singular values."""
        generator = torch.Generator().manual_seed(seed)
        left = torch.linalg.qr(torch.randn(out, len(values), generator=generator, dtype=torch.float64)).Q
        right = torch.linalg.qr(torch.randn(into, len(values), generator=generator, dtype=torch.float64)).Q
        return ((left * torch.tensor(values, dtype=torch.float64)) @ right.T).float()

    yield "singular values 4 and 3, 60 %", torch.diag(torch.tensor([4.0, 3.0])), 0.6
    yield "singular values 4 and 3, 70 %", torch.diag(torch.tensor([3.0, 4.0])), 0.7
    yield "wide, 5 values, 90 %", spectrum([5.0, 4.0, 3.0, 2.0, 1.0], 5, 9, 0), 0.9
    yield "tall, 6 values, 50 %", spectrum([3.0, 2.9, 2.8, 2.7, 2.6, 2.5], 11, 6, 1), 0.5
    yield "rank 1: one is enough", spectrum([0.01], 7, 4, 2), 0.99
    yield "one row", torch.tensor([[1.0, -2.0, 2.0]]), 0.95
    yield "all alike, 55 %", spectrum([2.0] * 8, 8, 8, 3), 0.55
    yield "large numbers, nearly all", spectrum([900.0, 800.0, 700.0, 600.0], 6, 5, 4), 0.95
    yield "singular values 4 and 3, exactly 64 %", torch.diag(torch.tensor([4.0, 3.0])), 0.64
    yield "short of the share by half a millionth", torch.diag(torch.tensor([4.0, 3.0])), 0.6400005
    yield "short of the share by a ten-thousandth", torch.diag(torch.tensor([4.0, 3.0])), 0.6401
    yield "both values, 100 %", torch.diag(torch.tensor([4.0, 3.0])), 1.0
    yield "a small share", spectrum([2.0, 1.0, 1.0], 4, 4, 8), 0.01


@rank_for_energy.usual
def rank_for_energy(update, share):
    energy = torch.linalg.svdvals(update).square()  # largest first
    kept = energy.cumsum(0) / energy.sum()
    return int((kept < share - 1e-6).sum()) + 1


rank_for_energy.slip(".square()", "", "singular values not squared").says(
    "the singular values were added up as they are. Energy is the sum of their squares."
)
rank_for_energy.slip("int((kept < share - 1e-6).sum()) + 1", "int((kept < share).sum())", "one too few").says(
    "you count the ranks that are not yet enough. The answer is the first one that is."
)
rank_for_energy.slip(".square()", ".square().flip(0)", "smallest first").says(
    "the smallest singular values are kept first. Which ones hold the most energy?"
)
rank_for_energy.slip(
    "int((kept < share - 1e-6).sum()) + 1", "int(torch.linalg.matrix_rank(update))", "the full rank"
).says("this is the rank of the whole matrix; the share plays no part in it.")
rank_for_energy.slip(
    "int((kept < share - 1e-6).sum()) + 1",
    "int((energy >= (1 - share) * energy[0]).sum())",
    "compared with the largest",
).says("each value is compared with the largest one. The share is about the sum of those kept.")
rank_for_energy.slip(" - 1e-6", "", "rounding decides").says(
    "right but where the share is met to within a millionth. Rounding must not ask for one rank more: compare with "
    "`share - 1e-6`."
)
rank_for_energy.slip("1e-6", "1e-3", "a wide tolerance").says(
    "what is short of the share by more than a millionth is not enough, and yours lets it pass."
)
rank_for_energy.slip("kept < share - 1e-6", "kept <= share", "more than the share").says(
    "a rank that holds the share exactly is enough, and yours goes on."
)
rank_for_energy.slip("energy.cumsum(0) / energy.sum()", "energy / energy.sum()", "not summed up").says(
    "each energy is compared alone. Kept is the sum of the largest ones up to that rank."
)
rank_for_energy.slip("energy.cumsum(0) / energy.sum()", "energy.cumsum(0)", "not divided by the total").says(
    "the energies were not divided by their total, so a share means nothing to them."
)


@rank_for_energy.mistake("columns in their own order", "these are energies of columns. Singular values are others.")
def _(update, share):
    energy = update.square().sum(0)
    return int((energy.cumsum(0) / energy.sum() < share - 1e-6).sum()) + 1


@exercise(returns="float tensor (..., out)", points=2, tolerance=1e-4, constants=("weight", "bias"))
def adapted(x, weight, a, b, alpha, bias=None):
    rank = a.shape[0]
    y = torch.einsum("...i,oi->...o", x, weight)
    if bias is not None:
        y = y + bias
    return y + torch.einsum("...r,or->...o", torch.einsum("...i,ri->...r", x, a), b) * (alpha / rank)


@adapted.cases
def _():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    def layer(batch, into, out, rank, alpha, bias=True):
        args = (draw(*batch, into), draw(out, into), draw(rank, into), draw(out, rank), alpha)
        return (*args, draw(out)) if bias else args

    def steep(into, out, rank):
        """Positive numbers so large that those of B A overflow, and an input so small that B (A x) does not."""
        x, a, b = (torch.rand(*shape, generator=generator) + 0.5 for shape in ((1, into), (rank, into), (out, rank)))
        return 1e-20 * x, draw(out, into), 1e25 * a, 1e15 * b, 2.0

    worked = torch.tensor([[1.0, 2.0]]), torch.eye(2), torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0], [2.0]]), 0.5
    yield "the worked example", *worked
    yield "2 texts of 5 tokens, rank 3, alpha 6", *layer((2, 5), 7, 4, 3, 6.0)
    yield "no bias, rank 2, alpha 8", *layer((4,), 3, 6, 2, 8.0, bias=False)
    yield "square layer, rank 4, alpha 1", *layer((3,), 4, 4, 4, 1.0)
    yield "one vector, rank 1", *layer((1,), 5, 2, 1, 3.0)
    yield "alpha 0 switches it off", *layer((2, 2), 4, 3, 2, 0.0)
    yield "a vector without leading axes", *layer((), 6, 3, 2, 5.0)
    yield "B A alone would overflow", *steep(30, 20, 2)


@adapted.usual
def adapted(x, weight, a, b, alpha, bias=None):
    return F.linear(x, weight, bias) + alpha / len(a) * (x @ a.T @ b.T)


adapted.slip("alpha / len(a) * ", "", "no scale", "B A x is added as it is. What are alpha and the rank for?")
adapted.slip(" / len(a)", "", "alpha alone").says("the correction is multiplied by alpha, and not divided by the rank.")
adapted.slip("/ len(a)", "* len(a)", "times the rank").says(
    "the correction is multiplied by the rank, and it should be divided by it."
)
adapted.slip("/ len(a)", "// len(a)", "whole numbers only").says(
    "`//` drops what is behind the point. The scale is alpha / r, also where that is no whole number."
)
adapted.slip("(x @ a.T @ b.T)", "F.linear(x @ a.T, b, bias)", "bias twice").says(
    "the bias is added twice, once scaled. It belongs to the frozen layer alone."
)
adapted.slip("len(a)", "len(a) ** 0.5", "root of the rank").says(
    "you divide by the root of the rank. A later paper proposes that (rsLoRA); this one divides by the rank."
)
adapted.slip("F.linear(x, weight, bias)", "(0 if bias is None else bias)", "instead of the weight").says(
    "the frozen layer's own answer is missing: the adapter corrects it, it does not replace it."
)
adapted.slip(
    "F.linear(x, weight, bias) + alpha / len(a) * (x @ a.T @ b.T)",
    "x @ weight.T + alpha / len(a) * F.linear(x @ a.T, b, bias)",
    "bias scaled too",
    "the bias was scaled together with the correction. It belongs to the frozen layer.",
)
adapted.slip("F.linear(x, weight, bias)", "x @ weight.T", "bias forgotten").says(
    "right without a bias; with one, it is left out."
)
adapted.slip(
    "F.linear(x, weight, bias) + alpha / len(a) * (",
    "alpha / len(a) * (F.linear(x, weight, bias) + ",
    "everything scaled",
).says("alpha / r multiplies the frozen layer as well.")
adapted.slip("len(a)", "a.shape[1]", "divided by the width").says(
    "you divide by the width of the input. Which side of A is the rank?"
)
adapted.slip("x @ a.T @ b.T", "x @ (b @ a).T", "B A built").says(
    "right in value, but the dense matrix B A is built, as large as the frozen one. Multiply x by the narrow one first."
)
adapted.slip(") + alpha", ") - alpha", "subtracted", "the correction is taken away, and it should be added.")
adapted.slip("len(a)", "len(b)", "divided by the height").says(
    "you divide by the height of B, the width of the output. The rank is the side that A and B share."
)


@exercise(returns="int", points=1)
def adapter_size(shapes, rank):
    total = 0
    for out, into in shapes:
        usable = min(rank, out, into)
        a, b = torch.empty(usable, into, device="meta"), torch.empty(out, usable, device="meta")
        total += a.numel() + b.numel()
    return total


@adapter_size.cases
def _():
    yield "one layer (3, 5), rank 2", [(3, 5)], 2
    yield "two layers, rank 1", [(3, 5), (10, 4)], 1
    yield "the same layer three times", [(8, 6)] * 3, 4
    yield "rank above the layer's height", [(2, 7), (9, 9)], 5
    yield "rank above the layer's width", [(7, 2), (6, 8)], 5
    yield "GPT-3's queries and values, rank 4", [(12288, 12288)] * 192, 4
    yield "the rank is the shorter side", [(4, 9), (9, 4)], 4
    yield "no layer at all", [], 3


@adapter_size.usual
def adapter_size(shapes, rank):
    return sum(min(rank, out, into) * (out + into) for out, into in shapes)


adapter_size.slip("min(rank, out, into) * (out + into)", "rank * out * into", "size of the product").says(
    "rank times out times in: that is more than the layer itself. A and B are two thin matrices; count each."
)
adapter_size.slip("min(rank, out, into) * (out + into)", "out * into", "the layers themselves").says(
    "these are the frozen weights. Count what is trained."
)
adapter_size.slip(
    "sum(min(rank, out, into) * (out + into) for out, into in shapes)",
    "min(rank, *shapes[0]) * sum(shapes[0])",
    "first layer only",
    "only the first layer is counted.",
)
adapter_size.slip("min(rank, out, into)", "rank", "rank not capped").says(
    "a matrix has no more ranks than its shorter side. Cap the rank layer by layer."
)
adapter_size.slip("* (out + into)", "* out * into", "capped, but size of the product").says(
    "out times in is the size of the whole layer. A has the rank times in, B out times the rank: add these."
)
adapter_size.slip("(out + into)", "into", "A alone", "only A is counted. B is trained too.")
adapter_size.slip("(out + into)", "out", "B alone", "only B is counted. A is trained too.")
adapter_size.slip("rank, out, into", "rank, out", "capped by the height only").says(
    "the rank is capped by the layer's height only. The shorter side may be its width."
)
adapter_size.slip("rank, out, into", "rank, into", "capped by the width only").says(
    "the rank is capped by the layer's width only. The shorter side may be its height."
)
adapter_size.slip("min(rank, out, into)", "min(rank, *map(min, shapes))", "one cap for all layers").says(
    "the narrowest layer caps the rank of all. Each layer has a cap of its own."
)


@exercise(returns="float tensor (out, in)", points=1, tolerance=1e-4)
def merge(weight, a, b, alpha):
    merged = weight.clone()
    for row, column in zip(a, b.T, strict=True):  # a sum of rank-1 matrices
        merged = merged + alpha / a.shape[0] * torch.outer(column, row)
    return merged


@merge.cases
def _():
    generator = torch.Generator().manual_seed(2)

    def layer(out, into, rank, alpha, size=1.0):
        a, b = torch.randn(rank, into, generator=generator), torch.randn(out, rank, generator=generator)
        return torch.randn(out, into, generator=generator), size * a, b, alpha

    yield "the worked example", torch.eye(2), torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0], [2.0]]), 0.5
    yield "(4, 7), rank 3, alpha 6", *layer(4, 7, 3, 6.0)
    yield "(6, 3), rank 2, alpha 8", *layer(6, 3, 2, 8.0)
    yield "square, rank 4, alpha 1", *layer(4, 4, 4, 1.0)
    yield "one by one", *layer(1, 1, 1, 2.0)
    yield "alpha 0 leaves the weight", *layer(3, 5, 2, 0.0)
    yield "a large adapter", *layer(5, 5, 2, 3.0, size=50.0)


@merge.usual
def merge(weight, a, b, alpha):
    return weight + alpha / len(a) * (b @ a)


merge.slip("alpha / len(a) * ", "", "no scale", "B A is added as it is; the forward pass scales it by alpha / r.")
merge.slip(" / len(a)", "", "alpha alone", "the product is multiplied by alpha, not divided by the rank.")
merge.slip("weight + ", "", "the adapter alone").says(
    "this is the update without the frozen weight. The merged layer has to do both."
)
merge.slip("weight + alpha / len(a) * (", "alpha / len(a) * (weight + ", "everything scaled").says(
    "alpha / r multiplies the frozen weight as well."
)
merge.slip("weight +", "weight -", "subtracted", "the update is taken away. That is how one un-merges.")
merge.slip("/ len(a)", "* len(a)", "times the rank").says(
    "the product is multiplied by the rank, and it should be divided by it."
)
merge.slip("/ len(a)", "// len(a)", "whole numbers only").says(
    "`//` drops what is behind the point. The scale is alpha / r, also where that is no whole number."
)
merge.slip("len(a)", "len(a) ** 0.5", "root of the rank").says(
    "you divide by the root of the rank; the forward pass does not."
)
merge.slip("len(a)", "a.shape[1]", "divided by the width").says(
    "you divide by the width of the input. Which side of A is the rank?"
)
merge.slip("len(a)", "len(b)", "divided by the height").says(
    "you divide by the height of B, the width of the output. The rank is the side that A and B share."
)
merge.slip(
    "return weight + alpha / len(a) * (b @ a)",
    "merged = weight + alpha / len(a) * (b @ a)\n    weight.data.copy_(merged)\n    return merged",
    "weight changed in place",
).says("the frozen weight itself is changed. Who calls twice merges twice: return a new matrix.")


@merge.mistake("A and B the wrong way round", "A stands left of B. The shapes (out, r) and (r, in) fit as B A.")
def _(weight, a, b, alpha):
    return weight + alpha / len(a) * (a @ b)
