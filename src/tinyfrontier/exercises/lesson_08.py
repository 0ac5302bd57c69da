"""Exercises of lesson 08: rank for energy, an adapted layer, its size, merging. References, cases, known mistakes."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .engine import Case, Exercise, Mistake


def rank_for_energy(update, share):
    # The squared singular values are the eigenvalues of the smaller Gram matrix.
    update = update.double()
    gram = update @ update.T if update.shape[0] <= update.shape[1] else update.T @ update
    energies = sorted(torch.linalg.eigvalsh(gram).tolist(), reverse=True)
    kept = 0.0
    for rank, energy in enumerate(energies, start=1):
        kept += energy
        if kept >= share * sum(energies):
            return rank
    return len(energies)


def _spectrum(values, out, into, seed):
    """A matrix (out, into) with the given singular values."""
    generator = torch.Generator().manual_seed(seed)
    left = torch.linalg.qr(torch.randn(out, len(values), generator=generator, dtype=torch.float64)).Q
    right = torch.linalg.qr(torch.randn(into, len(values), generator=generator, dtype=torch.float64)).Q
    return ((left * torch.tensor(values, dtype=torch.float64)) @ right.T).float()


def rank_cases():
    return [
        Case("singular values 4 and 3, 60 %", (torch.diag(torch.tensor([4.0, 3.0])), 0.6)),
        Case("singular values 4 and 3, 70 %", (torch.diag(torch.tensor([3.0, 4.0])), 0.7)),
        Case("wide, 5 values, 90 %", (_spectrum([5.0, 4.0, 3.0, 2.0, 1.0], 5, 9, 0), 0.9)),
        Case("tall, 6 values, 50 %", (_spectrum([3.0, 2.9, 2.8, 2.7, 2.6, 2.5], 11, 6, 1), 0.5)),
        Case("rank 1: one is enough", (_spectrum([0.01], 7, 4, 2), 0.99)),
        Case("one row", (torch.tensor([[1.0, -2.0, 2.0]]), 0.95)),
        Case("all alike, 55 %", (_spectrum([2.0] * 8, 8, 8, 3), 0.55)),
        Case("large numbers, nearly all", (_spectrum([900.0, 800.0, 700.0, 600.0], 6, 5, 4), 0.95)),
    ]


def _count_below(values, share):
    return int((values.cumsum(0) / values.sum() < share).sum())


def _not_squared(update, share):
    return _count_below(torch.linalg.svdvals(update), share) + 1


def _one_short(update, share):
    return _count_below(torch.linalg.svdvals(update).square(), share)


def _smallest_first(update, share):
    return _count_below(torch.linalg.svdvals(update).square().flip(0), share) + 1


def _full_rank(update, share):
    return int(torch.linalg.matrix_rank(update))


def _above_share_of_largest(update, share):
    energies = torch.linalg.svdvals(update).square()
    return int((energies >= (1 - share) * energies[0]).sum())


def adapted(x, weight, a, b, alpha, bias=None):
    rank = a.shape[0]
    y = torch.einsum("...i,oi->...o", x, weight)
    if bias is not None:
        y = y + bias
    return y + torch.einsum("...i,ri,or->...o", x, a, b) * (alpha / rank)


def adapted_cases():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape, size=1.0):
        return size * torch.randn(*shape, generator=generator)

    def layer(batch, into, out, rank, alpha, bias=True):
        args = (draw(*batch, into), draw(out, into), draw(rank, into), draw(out, rank), alpha)
        return (*args, draw(out)) if bias else args

    worked = (torch.tensor([[1.0, 2.0]]), torch.eye(2), torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0], [2.0]]), 0.5)
    return [
        Case("the worked example", worked),
        Case("2 texts of 5 tokens, rank 3, alpha 6", layer((2, 5), 7, 4, 3, 6.0)),
        Case("no bias, rank 2, alpha 8", layer((4,), 3, 6, 2, 8.0, bias=False)),
        Case("square layer, rank 4, alpha 1", layer((3,), 4, 4, 4, 1.0)),
        Case("one vector, rank 1", layer((1,), 5, 2, 1, 3.0)),
        Case("alpha 0 switches it off", layer((2, 2), 4, 3, 2, 0.0)),
    ]


def _no_scale(x, weight, a, b, alpha, bias=None):
    return F.linear(x, weight, bias) + x @ a.T @ b.T


def _alpha_alone(x, weight, a, b, alpha, bias=None):
    return F.linear(x, weight, bias) + alpha * (x @ a.T @ b.T)


def _root_of_rank(x, weight, a, b, alpha, bias=None):
    return F.linear(x, weight, bias) + alpha / len(a) ** 0.5 * (x @ a.T @ b.T)


def _instead_of_weight(x, weight, a, b, alpha, bias=None):
    return alpha / len(a) * (x @ a.T @ b.T) + (0 if bias is None else bias)


def _bias_scaled(x, weight, a, b, alpha, bias=None):
    return x @ weight.T + alpha / len(a) * F.linear(x @ a.T, b, bias)


def _bias_forgotten(x, weight, a, b, alpha, bias=None):
    return x @ weight.T + alpha / len(a) * (x @ a.T @ b.T)


def _all_scaled(x, weight, a, b, alpha, bias=None):
    return alpha / len(a) * (F.linear(x, weight, bias) + x @ a.T @ b.T)


def _divided_by_width(x, weight, a, b, alpha, bias=None):
    return F.linear(x, weight, bias) + alpha / a.shape[1] * (x @ a.T @ b.T)


def adapter_size(shapes, rank):
    total = 0
    for out, into in shapes:
        usable = min(rank, out, into)
        a, b = torch.empty(usable, into, device="meta"), torch.empty(out, usable, device="meta")
        total += a.numel() + b.numel()
    return total


def size_cases():
    return [
        Case("one layer (3, 5), rank 2", ([(3, 5)], 2)),
        Case("two layers, rank 1", ([(3, 5), (10, 4)], 1)),
        Case("the same layer three times", ([(8, 6)] * 3, 4)),
        Case("rank above the layer's height", ([(2, 7), (9, 9)], 5)),
        Case("rank above the layer's width", ([(7, 2), (6, 8)], 5)),
        Case("GPT-3's queries and values, rank 4", ([(12288, 12288)] * 192, 4)),
    ]


def _products(shapes, rank):
    return sum(rank * out * into for out, into in shapes)


def _the_layer_itself(shapes, rank):
    return sum(out * into for out, into in shapes)


def _first_layer_only(shapes, rank):
    out, into = shapes[0]
    return min(rank, out, into) * (out + into)


def _not_capped(shapes, rank):
    return sum(rank * (out + into) for out, into in shapes)


def _a_alone(shapes, rank):
    return sum(min(rank, out, into) * into for out, into in shapes)


def merge(weight, a, b, alpha):
    merged = weight.clone()
    for row, column in zip(a, b.T, strict=True):  # a sum of rank-1 matrices
        merged = merged + alpha / a.shape[0] * torch.outer(column, row)
    return merged


def merge_cases():
    generator = torch.Generator().manual_seed(2)

    def layer(out, into, rank, alpha, size=1.0):
        a, b = torch.randn(rank, into, generator=generator), torch.randn(out, rank, generator=generator)
        return torch.randn(out, into, generator=generator), size * a, b, alpha

    worked = (torch.eye(2), torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0], [2.0]]), 0.5)
    return [
        Case("the worked example", worked),
        Case("(4, 7), rank 3, alpha 6", layer(4, 7, 3, 6.0)),
        Case("(6, 3), rank 2, alpha 8", layer(6, 3, 2, 8.0)),
        Case("square, rank 4, alpha 1", layer(4, 4, 4, 1.0)),
        Case("one by one", layer(1, 1, 1, 2.0)),
        Case("alpha 0 leaves the weight", layer(3, 5, 2, 0.0)),
        Case("a large adapter", layer(5, 5, 2, 3.0, size=50.0)),
    ]


def _merge_no_scale(weight, a, b, alpha):
    return weight + b @ a


def _merge_alpha_alone(weight, a, b, alpha):
    return weight + alpha * (b @ a)


def _adapter_alone(weight, a, b, alpha):
    return alpha / len(a) * (b @ a)


def _merge_all_scaled(weight, a, b, alpha):
    return alpha / len(a) * (weight + b @ a)


def _subtracted(weight, a, b, alpha):
    return weight - alpha / len(a) * (b @ a)


def _merge_root(weight, a, b, alpha):
    return weight + alpha / len(a) ** 0.5 * (b @ a)


EXERCISES = (
    Exercise(
        name="rank_for_energy",
        reference=rank_for_energy,
        cases=rank_cases,
        returns="int",
        points=1,
        equivalent_mutants=(
            # differs only where the kept energy equals the share to the last bit
            "kept < share -> kept <= share in return int((kept < share).sum()) + 1",
            # the only axis is also the last one
            "0 -> -1 in kept = energy.cumsum(0) / energy.sum()",
            # a tensor of one number passes for a number
            "int((kept < share).sum()) -> (kept < share).sum() in return int((kept < share).sum()) + 1",
        ),
        mistakes=(
            Mistake(
                "singular values not squared",
                _not_squared,
                "the singular values were added up as they are. Energy is the sum of their squares.",
            ),
            Mistake(
                "one too few",
                _one_short,
                "you count the ranks that are not yet enough. The answer is the first one that is.",
            ),
            Mistake(
                "smallest first",
                _smallest_first,
                "the smallest singular values are kept first. Which ones hold the most energy?",
            ),
            Mistake(
                "the full rank",
                _full_rank,
                "this is the rank of the whole matrix; the share plays no part in it.",
            ),
            Mistake(
                "compared with the largest",
                _above_share_of_largest,
                "each value is compared with the largest one. The share is about the sum of those kept.",
            ),
        ),
    ),
    Exercise(
        name="adapted",
        reference=adapted,
        cases=adapted_cases,
        returns="float tensor (..., out)",
        tolerance=1e-4,
        points=2,
        mistakes=(
            Mistake("no scale", _no_scale, "B A x is added as it is. What are alpha and the rank for?"),
            Mistake("alpha alone", _alpha_alone, "the correction is multiplied by alpha, and not divided by the rank."),
            Mistake(
                "root of the rank",
                _root_of_rank,
                "you divide by the root of the rank. A later paper proposes that (rsLoRA); this one divides by the "
                "rank.",
            ),
            Mistake(
                "instead of the weight",
                _instead_of_weight,
                "the frozen layer's own answer is missing: the adapter corrects it, it does not replace it.",
            ),
            Mistake(
                "bias scaled too",
                _bias_scaled,
                "the bias was scaled together with the correction. It belongs to the frozen layer.",
            ),
            Mistake("bias forgotten", _bias_forgotten, "right without a bias; with one, it is left out."),
            Mistake("everything scaled", _all_scaled, "alpha / r multiplies the frozen layer as well."),
            Mistake(
                "divided by the width",
                _divided_by_width,
                "you divide by the width of the input. Which side of A is the rank?",
            ),
        ),
    ),
    Exercise(
        name="adapter_size",
        reference=adapter_size,
        cases=size_cases,
        returns="int",
        points=1,
        mistakes=(
            Mistake(
                "size of the product",
                _products,
                "rank times out times in: that is more than the layer itself. A and B are two thin matrices; count "
                "each.",
            ),
            Mistake("the layers themselves", _the_layer_itself, "these are the frozen weights. Count what is trained."),
            Mistake("first layer only", _first_layer_only, "only the first layer is counted."),
            Mistake(
                "rank not capped",
                _not_capped,
                "a matrix has no more ranks than its shorter side. Cap the rank layer by layer.",
            ),
            Mistake("A alone", _a_alone, "only A is counted. B is trained too."),
        ),
    ),
    Exercise(
        name="merge",
        reference=merge,
        cases=merge_cases,
        returns="float tensor (out, in)",
        tolerance=1e-4,
        points=1,
        mistakes=(
            Mistake("no scale", _merge_no_scale, "B A is added as it is; the forward pass scales it by alpha / r."),
            Mistake("alpha alone", _merge_alpha_alone, "the product is multiplied by alpha, not divided by the rank."),
            Mistake(
                "the adapter alone",
                _adapter_alone,
                "this is the update without the frozen weight. The merged layer has to do both.",
            ),
            Mistake("everything scaled", _merge_all_scaled, "alpha / r multiplies the frozen weight as well."),
            Mistake("subtracted", _subtracted, "the update is taken away. That is how one un-merges."),
            Mistake("root of the rank", _merge_root, "you divide by the root of the rank; the forward pass does not."),
        ),
    ),
)
