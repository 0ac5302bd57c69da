"""Exercises of lesson 19: shared information of columns, a triangle update, superposition, lDDT."""

import math

import torch
from torch.nn import functional as F

from .form import case, exercise

LETTERS = 8


def _alignment(*shape, seed=0, letters=LETTERS):
    return torch.randint(letters, shape, generator=torch.Generator().manual_seed(seed))


def _points(*shape, seed=0):
    return 5 * torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed))


def _spin():
    """A third of a turn that takes axis to axis."""
    return torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])


def _turned(points, seed):
    """Points after a rotation and a shift."""
    q, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed)))
    return points @ (q * torch.linalg.det(q)) + torch.tensor([3.0, -2.0, 7.0])


@exercise(
    returns="float tensor (..., length, length)",
    points=3,
    tolerance=1e-4,
    single="letters are whole numbers",
    # the table is symmetric
    equivalent_mutants=["-1 -> -2 in mean = shared.sum(-1) / (length - 1)"],
)
def information(letters):
    depth, length = letters.shape[-2:]
    tables = []
    for alignment in letters.reshape(-1, depth, length).tolist():
        shared = [[0.0] * length for _ in range(length)]
        for i in range(length):
            for j in range(length):
                if i == j:
                    continue
                pairs = [(row[i], row[j]) for row in alignment]
                for a, b in sorted(set(pairs)):
                    both = pairs.count((a, b)) / depth
                    one = sum(x == a for x, _ in pairs) / depth
                    other = sum(y == b for _, y in pairs) / depth
                    shared[i][j] += both * math.log(both / (one * other))
        mean = [sum(row) / (length - 1) for row in shared]
        whole = sum(mean) / length
        tables.append(
            [
                [0.0 if i == j or whole < 1e-9 else shared[i][j] - mean[i] * mean[j] / whole for j in range(length)]
                for i in range(length)
            ]
        )
    return torch.tensor(tables).reshape(*letters.shape[:-2], length, length)


@information.cases
def _():
    yield "the worked example", torch.tensor([[0, 0, 5], [0, 0, 5], [1, 1, 5], [1, 1, 5]])
    yield "four columns, one pair that agrees", torch.tensor([[0, 0, 1, 2], [1, 1, 1, 3], [0, 0, 2, 3], [1, 1, 2, 2]])
    yield "thirty sequences", _alignment(30, 7)
    yield "two families", _alignment(2, 12, 5, seed=1)
    yield "a batch of one", _alignment(1, 9, 4, seed=2)
    yield "two axes in front", _alignment(2, 3, 6, 4, seed=3)
    yield "one sequence", _alignment(1, 6, seed=4)
    yield "all sequences the same", _alignment(1, 6, seed=5).expand(10, 6).clone()
    yield "letters that go together crosswise", torch.tensor([[2, 7, 1], [7, 2, 1], [2, 7, 3], [7, 2, 3], [2, 7, 1]])
    yield "two columns", _alignment(11, 2, seed=6, letters=3)
    yield "many sequences, few letters", _alignment(64, 6, seed=7, letters=2)
    linked = _alignment(40, 6, seed=8)
    linked[:, 4] = (linked[:, 1] + 1) % LETTERS
    yield "one column follows another", linked


@information.usual
def information(letters):
    depth, length = letters.shape[-2:]
    hot = F.one_hot(letters, LETTERS).float().flatten(-2)  # (..., depth, length * letters)
    joint = (hot.mT @ hot / depth).unflatten(-1, (length, -1)).unflatten(-3, (length, -1))
    single = hot.mean(-2).unflatten(-1, (length, -1))
    own, both = torch.xlogy(single, single).sum(-1), torch.xlogy(joint, joint).sum((-3, -1))
    others = 1 - torch.eye(length)
    shared = (both - own[..., :, None] - own[..., None, :]) * others  # (..., length, length)
    mean = shared.sum(-1) / (length - 1)
    whole = mean.mean(-1)[..., None, None]
    common = mean[..., :, None] * mean[..., None, :] / whole.clamp(min=1e-9)
    return (shared - common) * others


information.slip("(shared - common) * others", "shared", "raw").says(
    "this is the mutual information alone. Take away what a place shares with all others: the APC."
)
information.slip("(shared - common) * others", "shared - common", "diagonal").says(
    "right but for the diagonal, which stays zero after the correction, too."
)
information.slip("own[..., None, :]) * others", "own[..., None, :])", "itself").says(
    "a column's information about itself was counted in the means. They run over the other columns only."
)
information.slip("shared.sum(-1) / (length - 1)", "shared.mean(-1)", "length").says(
    "the means divide by the length. A column has length - 1 others."
)
information.slip(") * others  #", ") * others / 0.6931472  #", "bits").says(
    "this is counted in bits. Take the natural logarithm."
)
information.slip(
    "whole = mean.mean(-1)[..., None, None]", "whole = shared.mean((-2, -1), keepdim=True)", "squares"
).says(
    "the mean of all divides by length times length. Pairs of *different* columns are fewer: do not count the diagonal."
)
information.slip(" * mean[..., None, :] / whole", " / whole", "one mean").says(
    "the correction takes the product of both columns' means, divided by the mean of all."
)
information.slip(" / whole.clamp(min=1e-9)", "", "no whole").says(
    "the product of two means was taken away as it is. Divide it by the mean over all pairs."
)


@information.mistake(
    "weights", "the logarithms are weighted by the product of single frequencies. Weight by the pair's."
)
def _(letters):
    depth, length = letters.shape[-2:]
    hot = F.one_hot(letters, LETTERS).float().flatten(-2)
    joint = (hot.mT @ hot / depth).unflatten(-1, (length, -1)).unflatten(-3, (length, -1))
    single = hot.mean(-2).unflatten(-1, (length, -1))
    alone = single[..., :, :, None, None] * single[..., None, None, :, :]
    ratio = torch.where(joint > 0, joint / alone.clamp(min=1e-12), 1.0)
    return _less((alone * ratio.log()).sum((-3, -1)) * (1 - torch.eye(length)))


@information.mistake(
    "joint", "the single frequencies are missing: this is the pairs' own order, not what columns share."
)
def _(letters):
    depth, length = letters.shape[-2:]
    hot = F.one_hot(letters, LETTERS).float().flatten(-2)
    joint = (hot.mT @ hot / depth).unflatten(-1, (length, -1)).unflatten(-3, (length, -1))
    return _less(torch.xlogy(joint, joint).sum((-3, -1)) * (1 - torch.eye(length)))


@information.mistake("sum", "the columns' means were added, not multiplied: this is another correction.")
def _(letters):
    length = letters.shape[-1]
    whole = _raw(letters)
    others, mean = 1 - torch.eye(length), whole.sum(-1) / (length - 1)
    middle = mean.mean(-1)[..., None, None]
    return (whole - mean[..., :, None] - mean[..., None, :] + middle) * others


@information.mistake("entropy", "the sign is turned: this is what two columns do not share, not what they do.")
def _(letters):
    return -_less(_raw(letters))


@information.mistake("pseudo", "counts were smoothed. Frequencies are counts over depth here, and nothing else.")
def _(letters):
    depth, length = letters.shape[-2:]
    hot = F.one_hot(letters, LETTERS).float().flatten(-2)
    joint = ((hot.mT @ hot + 1 / LETTERS**2) / (depth + 1)).unflatten(-1, (length, -1)).unflatten(-3, (length, -1))
    single = ((hot.sum(-2) + 1 / LETTERS) / (depth + 1)).unflatten(-1, (length, -1))
    alone = single[..., :, :, None, None] * single[..., None, None, :, :]
    others = 1 - torch.eye(length)
    shared = (joint * (joint / alone).log()).sum((-3, -1)) * others
    return _less(shared)


def _raw(letters):
    """Mutual information without any correction."""
    depth, length = letters.shape[-2:]
    hot = F.one_hot(letters, LETTERS).float().flatten(-2)
    joint = (hot.mT @ hot / depth).unflatten(-1, (length, -1)).unflatten(-3, (length, -1))
    single = hot.mean(-2).unflatten(-1, (length, -1))
    alone = single[..., :, :, None, None] * single[..., None, None, :, :]
    ratio = torch.where(joint > 0, joint / alone.clamp(min=1e-12), 1.0)
    return (joint * ratio.log()).sum((-3, -1)) * (1 - torch.eye(length))


def _less(shared):
    """A table less the APC."""
    length = shared.shape[-1]
    mean = shared.sum(-1) / (length - 1)
    whole = mean.mean(-1)[..., None, None].clamp(min=1e-9)
    return (shared - mean[..., :, None] * mean[..., None, :] / whole) * (1 - torch.eye(length))


@exercise(
    returns="float tensor, shape of `places`",
    points=3,
    tolerance=1e-3,
    no_gradient="it measures; nothing learns through it",
    # the signs are 1 and -1
    equivalent_mutants=["u * hand -> u / hand in return (places - middle) @ (u * hand) @ vt + goal"],
)
def superpose(places, truth):
    from scipy.spatial.transform import Rotation

    shape = torch.broadcast_shapes(places.shape, truth.shape)
    moved = []
    for x, y in zip(places.expand(shape).reshape(-1, *shape[-2:]), truth.expand(shape).reshape(-1, *shape[-2:])):
        x, y = x.double(), y.double()
        turn = Rotation.align_vectors((y - y.mean(0)).numpy(), (x - x.mean(0)).numpy())[0]
        moved.append(torch.from_numpy(turn.apply((x - x.mean(0)).numpy())) + y.mean(0))
    return torch.stack(moved).reshape(shape).to(places.dtype)


@superpose.cases
def _():
    corner = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    yield "the worked example", corner, corner @ torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]) + 5
    yield "turned and shifted", _points(9), _turned(_points(9), 1)
    yield "turned, shifted and shaken", _points(12), _turned(_points(12) + 0.2 * _points(12, seed=2), 3)
    yield "a mirror image", corner * torch.tensor([1.0, 1.0, -1.0]), corner
    yield "a mirror image of many", -_points(10, seed=4), _points(10, seed=4)
    yield "nothing alike", _points(7, seed=5), _points(7, seed=6)
    yield "three chains", _points(3, 8, seed=7), _points(3, 8, seed=8)
    yield "a batch of one", _points(1, 6, seed=9), _turned(_points(1, 6, seed=9), 2)
    yield "two axes in front", _points(2, 3, 5, seed=10), _points(2, 3, 5, seed=11)
    yield "far from the middle", _points(6, seed=12) + 100, _points(6, seed=13) - 50
    yield "a bigger copy", 2 * _points(8, seed=14), _turned(_points(8, seed=14), 5)
    star = torch.cat([torch.diag(torch.tensor([1.0, 2.0, 3.0])), -torch.diag(torch.tensor([1.0, 2.0, 3.0]))])
    yield "points on the axes", star + 2, star
    yield "points on the axes, in a mirror", star * torch.tensor([1.0, -1.0, 1.0]) @ _spin(), star + 1
    yield "half a turn", corner * torch.tensor([-1.0, -1.0, 1.0]), corner


@superpose.usual
def superpose(places, truth):
    middle, goal = places.mean(-2, keepdim=True), truth.mean(-2, keepdim=True)
    u, _, vt = torch.linalg.svd((places - middle).mT @ truth)
    hand = torch.ones_like(middle)
    hand[..., 2] = torch.linalg.det(u @ vt)[..., None]
    return (places - middle) @ (u * hand) @ vt + goal


superpose.slip("(u * hand) @ vt", "(u * hand) @ vt.mT", "transposed").says(
    "the third factor was transposed once too often. `torch.linalg.svd` gives it transposed already."
)
superpose.slip("(u * hand)", "u", "mirror").says(
    "a mirror image was turned inside out. Only rotations are allowed: where the determinant is -1, turn the sign "
    "of the last singular direction."
)
superpose.slip("hand[..., 2]", "hand[..., 0]", "first").says(
    "the sign was turned on the first singular direction, the dearest. Turn it on the last one."
)
superpose.slip(" + goal", "", "middle").says("the chain lies at the origin. Move it to the middle of `truth`.")
superpose.slip(" + goal", " + middle", "stays").says("the chain stays where it was. Move it to the middle of `truth`.")
superpose.slip("(places - middle) @ (u * hand)", "places @ (u * hand)", "off centre").says(
    "the chain was turned about the origin, not about its own middle."
)


@superpose.mistake("inverse", "the rotation goes the wrong way: it would turn `truth` onto `places`.")
def _(places, truth):
    middle, goal = places.mean(-2, keepdim=True), truth.mean(-2, keepdim=True)
    u, _, vt = torch.linalg.svd((places - middle).mT @ truth)
    hand = torch.ones_like(middle)
    hand[..., 2] = torch.linalg.det(u @ vt)[..., None]
    return (places - middle) @ ((u * hand) @ vt).mT + goal


@superpose.mistake("whole sign", "the whole rotation was multiplied by the determinant. Only the last direction is.")
def _(places, truth):
    middle, goal = places.mean(-2, keepdim=True), truth.mean(-2, keepdim=True)
    u, _, vt = torch.linalg.svd((places - middle).mT @ truth)
    return (places - middle) @ (u @ vt * torch.linalg.det(u @ vt)[..., None, None]) + goal


@superpose.mistake("scaled", "the chain was stretched as well. A rotation and a shift keep all distances.")
def _(places, truth):
    middle, goal = places.mean(-2, keepdim=True), truth.mean(-2, keepdim=True)
    u, s, vt = torch.linalg.svd((places - middle).mT @ truth)
    hand = torch.ones_like(middle)
    hand[..., 2] = torch.linalg.det(u @ vt)[..., None]
    size = (s[..., None, :] * hand).sum(-1, keepdim=True) / (places - middle).square().sum((-2, -1), keepdim=True)
    return (places - middle) @ (u * hand) @ vt * size + goal


@superpose.mistake("shift alone", "the chain was only shifted. Turn it, too.")
def _(places, truth):
    return places - places.mean(-2, keepdim=True) + truth.mean(-2, keepdim=True)


@superpose.mistake("moved truth", "`truth` was moved onto `places`. It is the other way round.")
def _(places, truth):
    middle, goal = places.mean(-2, keepdim=True), truth.mean(-2, keepdim=True)
    u, _, vt = torch.linalg.svd((places - middle).mT @ truth)
    hand = torch.ones_like(middle)
    hand[..., 2] = torch.linalg.det(u @ vt)[..., None]
    return (truth - goal) @ ((u * hand) @ vt).mT + middle


@exercise(
    returns="float tensor (..., length)",
    points=2,
    no_gradient="steps have no slope",
    # tables of distances are symmetric
    equivalent_mutants=[
        "-1 -> -2 in near = (true < 15) & ~torch.eye(true.shape[-1], dtype=torch.bool)",
        "-1 -> -2 in return (kept * near).sum(-1) / near.sum(-1).clamp(min=1)",
    ],
)
def lddt(places, truth):
    shape = torch.broadcast_shapes(places.shape, truth.shape)
    x, y = (part.expand(shape).reshape(-1, *shape[-2:]) for part in (places, truth))
    scores = []
    for said, true in zip(x, y):
        for i in range(shape[-2]):
            kept, near = 0.0, 0
            for j in range(shape[-2]):
                distance = (true[i] - true[j]).norm()
                if i != j and distance < 15:
                    off = abs(distance - (said[i] - said[j]).norm())
                    near += 1
                    kept += sum(bool(off < bound) for bound in (0.5, 1, 2, 4)) / 4
            scores.append(kept / max(near, 1))
    return torch.tensor(scores, dtype=places.dtype).reshape(shape[:-1])


def _line(*places):
    """Points along x."""
    return torch.tensor([[float(place), 0.0, 0.0] for place in places])


@lddt.cases
def _():
    yield "the worked example", _line(0, 4, 9.5), _line(0, 4, 8)
    yield "the truth itself", _points(9), _points(9)
    yield "a mirror image", -_points(8, seed=1), _points(8, seed=1)
    yield "a little off", _points(12, seed=2) + 0.3 * _points(12, seed=3) / 5, _points(12, seed=2)
    yield "far off", _points(12, seed=2) + _points(12, seed=3) / 2, _points(12, seed=2)
    yield "three chains", _points(3, 7, seed=4) + _points(3, 7, seed=5) / 5, _points(3, 7, seed=4)
    yield "a batch of one", _points(1, 6, seed=6) + _points(1, 6, seed=7) / 5, _points(1, 6, seed=6)
    yield "two axes in front", _points(2, 2, 5, seed=8) + _points(2, 2, 5, seed=9) / 5, _points(2, 2, 5, seed=8)
    yield "exactly 15 apart", _line(0, 15, 20), _line(0, 15, 20)
    yield "just below 15", _line(0, 14.5, 29.75), _line(0, 14.5, 29)
    yield "off by exactly a half, one, two, four", _line(0, 2.5, 7, 0.0), _line(0, 2, 8, 4)
    yield "off by a little less", _line(0, 2.375, 7.125), _line(0, 2, 8)
    yield "a residue alone", _line(0, 5, 100), _line(0, 5, 100)
    yield "near where it is guessed, far in truth", _line(0, 5, 10), _line(0, 5, 60)
    yield "far where it is guessed, near in truth", _line(0, 5, 60), _line(0, 5, 10)
    yield "one residue", _points(1, seed=10), _points(1, seed=10)


@lddt.usual
def lddt(places, truth):
    pair = places, truth
    said, true = ((x[..., :, None, :] - x[..., None, :, :]).norm(dim=-1) for x in pair)
    near = (true < 15) & ~torch.eye(true.shape[-1], dtype=torch.bool)
    off = (said - true).abs()
    kept = sum((off < bound).to(off.dtype) for bound in (0.5, 1, 2, 4)) / 4
    return (kept * near).sum(-1) / near.sum(-1).clamp(min=1)


lddt.slip("true < 15", "said < 15", "guess").says(
    "the neighbours were looked for in the guess. They are those of the truth."
)
lddt.slip("(true < 15)", "((true < 15) | (said < 15))", "either").says(
    "residues that are near in the guess alone count as neighbours, too. Those of the truth do, and no others."
)
lddt.slip("(true < 15)", "((true < 15) & (said < 15))", "both").says(
    "neighbours that the guess moved far away were left out. They count, and score little."
)
lddt.slip("true < 15", "true <= 15", "at fifteen").says("a residue exactly 15 away counts. It must be nearer.")
lddt.slip(" & ~torch.eye(true.shape[-1], dtype=torch.bool)", "", "itself").says(
    "each residue is its own neighbour here, always right. Leave it out."
)
lddt.slip("off < bound", "off <= bound", "at the bound").says("an error of exactly a bound counts. It must be smaller.")
lddt.slip("near.sum(-1).clamp(min=1)", "near.sum(-1)", "alone").says(
    "a residue without neighbours gives 0 / 0. It scores 0."
)
lddt.slip("(said - true).abs()", "(said - true)", "signed").says(
    "distances that are too short count as right. Take the size of the error."
)
lddt.slip("(0.5, 1, 2, 4)) / 4", "(0.5, 1, 2, 4))", "sum").says("the four bounds were added. Take their mean.")
lddt.slip("(0.5, 1, 2, 4)", "(1, 2, 4, 8)", "loose").says("the bounds are those of another score: here 0.5, 1, 2, 4.")
lddt.slip("(kept * near).sum(-1) / near.sum(-1).clamp(min=1)", "(kept * near).mean(-1)", "all").says(
    "the sum was divided by the length. Divide by the number of neighbours."
)


@lddt.mistake("chain", "the whole chain has one score here. Each residue has its own.")
def _(places, truth):
    said, true = ((x[..., :, None, :] - x[..., None, :, :]).norm(dim=-1) for x in (places, truth))
    near = (true < 15) & ~torch.eye(true.shape[-1], dtype=torch.bool)
    off = (said - true).abs()
    kept = sum((off < bound).to(off.dtype) for bound in (0.5, 1, 2, 4)) / 4
    score = (kept * near).sum((-2, -1)) / near.sum((-2, -1)).clamp(min=1)
    return score[..., None].expand(true.shape[:-1]).clone()


@lddt.mistake(
    "a hair off",
    "a small number under the root tips errors of exactly a bound. Take exact distances, not those of `between`.",
)
def _(places, truth):
    said, true = (((x[..., :, None, :] - x[..., None, :, :]).square().sum(-1) + 1e-8).sqrt() for x in (places, truth))
    near = (true < 15) & ~torch.eye(true.shape[-1], dtype=torch.bool)
    off = (said - true).abs()
    kept = sum((off < bound).to(off.dtype) for bound in (0.5, 1, 2, 4)) / 4
    return (kept * near).sum(-1) / near.sum(-1).clamp(min=1)


@lddt.mistake("places", "places were compared, so that turning the chain changes the score. Compare distances.")
def _(places, truth):
    off = (places - truth).norm(dim=-1)
    return sum((off < bound).to(off.dtype) for bound in (0.5, 1, 2, 4)) / 4


@exercise(returns="float tensor (..., length, length, channels)", points=2)
def triangle_update(a, b, incoming=False):
    length = a.shape[-2]
    rows = []
    for i in range(length):
        for j in range(length):
            if incoming:
                rows.append(sum(a[..., k, i, :] * b[..., k, j, :] for k in range(length)))
            else:
                rows.append(sum(a[..., i, k, :] * b[..., j, k, :] for k in range(length)))
    return torch.stack(rows, -2).unflatten(-2, (length, length))


def _pairs(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@triangle_update.cases
def _():
    yield (
        "the worked example",
        torch.tensor([[1.0, 2.0], [3.0, 4.0]])[..., None],
        torch.tensor([[5.0, 6.0], [7.0, 8.0]])[..., None],
    )
    yield case(
        "the worked example, incoming",
        torch.tensor([[1.0, 2.0], [3.0, 4.0]])[..., None],
        torch.tensor([[5.0, 6.0], [7.0, 8.0]])[..., None],
        incoming=True,
    )
    yield "a batch of two", _pairs(2, 5, 5, 3), _pairs(2, 5, 5, 3, seed=1)
    yield case("a batch of two, incoming", _pairs(2, 5, 5, 3), _pairs(2, 5, 5, 3, seed=1), incoming=True)
    yield "a batch of one, one channel", _pairs(1, 4, 4, 1, seed=2), _pairs(1, 4, 4, 1, seed=3)
    yield "no batch", _pairs(6, 6, 2, seed=4), _pairs(6, 6, 2, seed=5)
    yield case(
        "two axes in front, incoming", _pairs(2, 3, 4, 4, 2, seed=6), _pairs(2, 3, 4, 4, 2, seed=7), incoming=True
    )
    yield "one residue", _pairs(2, 1, 1, 4, seed=8), _pairs(2, 1, 1, 4, seed=9)
    yield "as many channels as residues", _pairs(3, 3, 3, seed=10), _pairs(3, 3, 3, seed=11)


@triangle_update.usual
def triangle_update(a, b, incoming=False):
    if incoming:
        a, b = a.transpose(-3, -2), b.transpose(-3, -2)
    return torch.einsum("...ikc,...jkc->...ijc", a, b)


triangle_update.slip("...jkc->", "...kjc->", "path").says(
    "this is a path from i over k to j: b is read as (k, j). Both outgoing edges leave: i to k and j to k."
)
triangle_update.slip("->...ijc", "->...jic", "turned").says("rows and columns of the result are exchanged.")
triangle_update.slip("if incoming:", "if not incoming:", "wrong way").says(
    "outgoing and incoming are exchanged. Outgoing edges start at i and j, incoming ones end there."
)
triangle_update.slip("a, b = a.transpose(-3, -2), b.transpose(-3, -2)", "a = a.transpose(-3, -2)", "one side").says(
    "for incoming edges only `a` was turned. Both edges end at i and j: a[k, i] and b[k, j]."
)
triangle_update.slip(
    "a, b = a.transpose(-3, -2), b.transpose(-3, -2)", "a, b = b.transpose(-3, -2), a.transpose(-3, -2)", "exchanged"
).says("for incoming edges a and b are exchanged. a[k, i] goes with i, b[k, j] with j.")


@triangle_update.mistake("mean", "the third corner was averaged over. Sum over it.")
def _(a, b, incoming=False):
    if incoming:
        a, b = a.transpose(-3, -2), b.transpose(-3, -2)
    return torch.einsum("...ikc,...jkc->...ijc", a, b) / a.shape[-2]


@triangle_update.mistake("one way", "`incoming` changes nothing here. With it the edges end at i and j.")
def _(a, b, incoming=False):
    return torch.einsum("...ikc,...jkc->...ijc", a, b)


@triangle_update.mistake("channels", "the channels were summed as well. Each channel stays alone.")
def _(a, b, incoming=False):
    if incoming:
        a, b = a.transpose(-3, -2), b.transpose(-3, -2)
    return torch.einsum("...ikc,...jkd->...ijc", a, b)


@triangle_update.mistake("corners", "k = i and k = j were left out. The sum runs over all residues.")
def _(a, b, incoming=False):
    if incoming:
        a, b = a.transpose(-3, -2), b.transpose(-3, -2)
    other = (1 - torch.eye(a.shape[-2], dtype=a.dtype))[..., None]
    return torch.einsum("...ikc,...jkc->...ijc", a * other, b * other)
