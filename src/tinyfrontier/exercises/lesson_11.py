"""Exercises of lesson 11, contrastive learning: similarities on the sphere, the NT-Xent loss, uniformity."""

import math

import torch
import torch.nn.functional as F

from .form import case, exercise


def points(rows, width, seed, scale=1.0):
    return scale * torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


@exercise(returns="float tensor (n, m)", points=1)
def cosine_similarity(a, b):
    return torch.stack([torch.stack([x @ y / (x.norm() * y.norm()) for y in b]) for x in a])


@cosine_similarity.cases
def _():
    yield "three vectors against five", points(3, 4, 0), points(5, 4, 1)
    yield "one vector against one", points(1, 7, 2), points(1, 7, 3)
    yield "the same four vectors twice", points(4, 3, 4), points(4, 3, 4)
    yield "very long against very short vectors", points(2, 6, 5, 1e4), points(3, 6, 6, 1e-4)
    yield "vectors of one number", points(4, 1, 7), points(2, 1, 8)
    yield "as many vectors as numbers in each", points(3, 3, 9), points(3, 3, 10)


@cosine_similarity.usual
def cosine_similarity(a, b):
    a = a / a.norm(dim=1, keepdim=True)
    b = b / b.norm(dim=1, keepdim=True)
    return a @ b.T  # (n, m)


@cosine_similarity.mistake(
    "dot products of raw vectors",
    "these are dot products: a long vector scores high in any direction. What is missing?",
)
def _(a, b):
    return a @ b.T


@cosine_similarity.mistake(
    "lengths of the columns",
    "you divide by lengths taken down the columns, across the batch. Each row is one vector.",
)
def _(a, b):
    return (a / a.norm(dim=0)) @ (b / b.norm(dim=0)).T


cosine_similarity.slip("\n    b = b / b.norm(dim=1, keepdim=True)", "", "only the first argument has unit length").says(
    "the rows of `a` have unit length, the rows of `b` still keep theirs."
)


@cosine_similarity.mistake(
    "squared lengths", "you divide by the sum of squares. A length is one step further than that."
)
def _(a, b):
    return a @ b.T / (a.pow(2).sum(dim=1)[:, None] * b.pow(2).sum(dim=1))


@cosine_similarity.mistake(
    "one length for the whole batch", "you divide by one length for the whole tensor. Every row has its own."
)
def _(a, b):
    return a @ b.T / (a.norm() * b.norm())


cosine_similarity.slip("a @ b.T", "b @ a.T", "rows and columns swapped").says(
    "the numbers are right but lie transposed: rows belong to `a`, columns to `b`."
)
cosine_similarity.slip(
    "a = a / a.norm(dim=1, keepdim=True)\n    ", "", "only the second argument has unit length"
).says("the rows of `b` have unit length, the rows of `a` still keep theirs.")
cosine_similarity.slip("a @ b.T", "1 - a @ b.T", "distance for similarity").says(
    "this is one minus the similarity, a distance: it is 0 for equal directions, where 1 is wanted."
)
cosine_similarity.slip("a @ b.T", "torch.acos((a @ b.T).clamp(-1, 1))", "the angle itself").says(
    "this is the angle. Wanted is its cosine, which the product of unit vectors already is."
)
cosine_similarity.slip("a @ b.T", "(a * b).sum(dim=1)", "row by row").says(
    "each row of `a` meets only the row of `b` with the same number. All pairs are asked for: a matrix product."
)


@exercise(returns="float tensor with one number", points=3, extreme={"temperature": (0.02,)})
def nt_xent(z1, z2, temperature):
    """Written with logsumexp over the other 2N - 1 views, without cross-entropy."""
    views = torch.cat([z1, z2])
    views = views / views.norm(dim=1, keepdim=True)
    count = len(views)
    scores = views @ views.T / temperature
    others = ~torch.eye(count, dtype=torch.bool)
    everyone = scores[others].view(count, count - 1).logsumexp(dim=1)
    partners = (views[: len(z1)] * views[len(z1) :]).sum(dim=1) / temperature
    return (everyone - torch.cat([partners, partners])).mean()


@nt_xent.cases
def _():
    yield "four images, width 5", points(4, 5, 11), points(4, 5, 12), 0.5
    yield "one image: its two views are alone", points(1, 3, 13), points(1, 3, 14), 0.5
    yield "both views identical", points(3, 4, 10), points(3, 4, 10), 0.2
    yield "long vectors", points(3, 4, 15, 50.0), points(3, 4, 16, 50.0), 1.0
    yield "low temperature", points(5, 8, 17), points(5, 8, 18), 0.02
    yield "high temperature, seven images", points(7, 2, 19), points(7, 2, 20), 5.0
    crowd = torch.cat([torch.ones(100, 1), points(100, 1, 25, 0.01)], dim=1)
    yield "low temperature, partners on opposite sides", crowd, -2 * crowd, 0.02


@nt_xent.usual
def nt_xent(z1, z2, temperature):
    z = torch.cat([z1, z2])  # (2N, d)
    z = z / z.norm(dim=1, keepdim=True)
    scores = z @ z.T / temperature  # (2N, 2N)
    scores = scores.fill_diagonal_(-math.inf)  # nobody may answer "myself"
    partner = torch.arange(len(z)).roll(len(z1))  # N, N+1, ..., 0, 1, ...
    return F.cross_entropy(scores, partner)


nt_xent.slip("z / z.norm(dim=1, keepdim=True)", "z", "no normalisation").says(
    "the vectors never reach the sphere. NT-Xent compares directions: what must lengths be first?"
)
nt_xent.slip(".fill_diagonal_(-math.inf)", "", "self-similarity left in").says(
    "every view also competes with itself, and wins with similarity 1. Which entries are those?"
)
nt_xent.slip("-math.inf", "0", "own score set to zero").says(
    "a score of 0 still counts: its exponential is 1. Which score makes an answer impossible?"
)
nt_xent.slip("dim=1", "dim=0", "lengths of the columns").says(
    "you normalise down the columns, across the batch. Each row is one view."
)
nt_xent.slip(".roll(len(z1))", "", "the right answer is oneself").says(
    "your targets say that every view is its own partner, the one answer that is forbidden."
)
nt_xent.slip(" / temperature", "", "temperature unused").says(
    "the temperature never enters: your loss is the one of temperature 1."
)
nt_xent.slip(".roll(len(z1))", " ^ 1", "wrong partner").says(
    "the right answer of a row is not its neighbour: the two views of an image lie N rows apart."
)
nt_xent.slip("torch.arange(len(z)).roll(len(z1))", "torch.arange(len(z)).flip(0)", "partners mirrored").says(
    "the list of right answers is turned round. View i and view i + N belong together, so it is shifted by N."
)
nt_xent.slip("/ temperature", "* temperature", "multiplies by the temperature").says(
    "a low temperature must stretch the scores apart; yours squeezes them together."
)
nt_xent.slip("(scores, partner)", "(scores[: len(z1)], partner[: len(z1)])", "only the first views ask").says(
    "only the N first views look for their partner. The loss is a mean over all 2N views."
)


def first_against_second(z1, z2, temperature):
    """Scores of the first views with the second views alone, and the right column of each row."""
    return F.normalize(z1) @ F.normalize(z2).T / temperature, torch.arange(len(z1))


@nt_xent.mistake(
    "compares first views with second views only",
    "you compare first views with second views alone. A view's own side holds negatives too.",
)
def _(z1, z2, temperature):
    scores, target = first_against_second(z1, z2, temperature)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


@nt_xent.mistake(
    "partner missing below the line",
    "the partner stands above the fraction's line but not below it. Only k = i is left out there.",
)
def _(z1, z2, temperature):
    z = F.normalize(torch.cat([z1, z2]))
    scores = (z @ z.T / temperature).fill_diagonal_(-math.inf)
    rows = torch.arange(len(z))
    negatives = scores.clone()
    negatives[rows, rows.roll(len(z1))] = -math.inf
    return (negatives.logsumexp(dim=1) - scores[rows, rows.roll(len(z1))]).mean()


nt_xent.slip("(scores, partner)", '(scores, partner, reduction="sum")', "sum instead of mean").says(
    "that is the sum over the views. A mean does not grow when the batch does."
)


@nt_xent.mistake(
    "one direction only",
    "only first views look for their partner, and only among second views. All 2N views ask, and each may be "
    "answered by any of the 2N - 1 others.",
)
def _(z1, z2, temperature):
    return F.cross_entropy(*first_against_second(z1, z2, temperature))


nt_xent.slip(
    "F.cross_entropy(scores, partner)",
    "-(scores.exp()[torch.arange(len(z)), partner] / scores.exp().sum(dim=1)).log().mean()",
    "the fraction itself",
).says(
    "right as a formula, but at temperature 0.02 the fraction of an unlikely partner rounds to 0, and its logarithm is "
    "minus infinity. Let `F.cross_entropy` or `logsumexp` take the logarithm."
)
nt_xent.slip("-math.inf", "-1.0", "own score set to minus one").says(
    "minus one is a low similarity, but a possible one: its exponential still counts. Which score makes an answer "
    "impossible?"
)
nt_xent.slip("return F", "return -F", "sign turned").says(
    "the sign is turned: a loss is positive, and small where partners are near."
)


@exercise(returns="float tensor with one number", points=2)
def uniformity(z, t=2.0):
    terms = [torch.exp(-t * (z[i + 1 :] - z[i]).pow(2).sum(dim=1)) for i in range(len(z) - 1)]
    return torch.cat(terms).mean().log()


@uniformity.cases
def _():
    def on_sphere(rows, width, seed):
        return F.normalize(points(rows, width, seed), dim=1)

    yield "five points on a circle", on_sphere(5, 2, 21)
    yield "two opposite points", torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    yield "three points in one place", on_sphere(1, 4, 22).expand(3, 4).clone()
    yield case("nine points in 16 dimensions, t = 0.5", on_sphere(9, 16, 23), t=0.5)
    yield case("six points, t = 8", on_sphere(6, 3, 24), t=8.0)


@uniformity.usual
def uniformity(z, t=2.0):
    squared = torch.pdist(z).pow(2)  # (n * (n - 1) / 2,)
    return torch.exp(-t * squared).mean().log()


uniformity.slip("torch.pdist(z)", "torch.cdist(z, z)", "a point paired with itself").says(
    "each point is also paired with itself, at distance 0. Count only pairs of two points."
)
uniformity.slip(
    ".pow(2)", "", "distance not squared", "the exponent holds the distance; the definition has its square."
)
uniformity.slip(
    "squared = torch.pdist(z).pow(2)  # (n * (n - 1) / 2,)\n    return torch.exp(-t * squared).mean().log()",
    "kernel = torch.exp(-t * torch.cdist(z, z).pow(2))\n    return kernel.triu(1).mean().log()",
    "zeros averaged too",
).says("the upper triangle is averaged with all the zeros around it. Divide by the number of pairs.")
uniformity.slip(
    "torch.exp(-t * squared).mean().log()",
    "(2 * torch.exp(-t * squared).sum() / len(z) ** 2).log()",
    "divided by n squared",
).says("you divide by n squared. Without a point paired with itself n (n - 1) ordered pairs are left.")
uniformity.slip(".log()", "", "no logarithm").says("that is the mean of the kernel. One function around it is missing.")
uniformity.slip("-t *", "-2 *", "t unused").says(
    "with t = 2 your numbers are right; at other values the argument `t` has no effect."
)
uniformity.slip("torch.exp(-t * squared).mean().log()", "(-t * squared).mean()", "mean before the exponential").says(
    "you average the exponents. Average the exponentials: near pairs then count more than far ones."
)
uniformity.slip("-t", "t", "sign lost", "far pairs make your number grow. Look at the sign in the exponent.")
uniformity.slip(
    "torch.exp(-t * squared).mean().log()", "t * torch.exp(-squared).mean().log()", "t outside the exponential"
).says(
    "`t` multiplies from outside. It belongs into the exponent, where it says how far a pair may lie and still count."
)
uniformity.slip("mean()", "sum()", "sum instead of mean").says(
    "that is a sum over pairs: it grows with the number of points. The definition has a mean."
)
uniformity.slip("return torch", "return -torch", "turned round").says(
    "the sign of the result is turned: it is 0 in the worst case and below 0 otherwise."
)
uniformity.slip("torch.pdist(z)", "(z[1:] - z[:-1]).norm(dim=1)", "neighbours only").says(
    "only neighbouring rows are compared. Every pair of two points counts."
)
