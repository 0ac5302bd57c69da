"""Lesson 11, contrastive learning: similarities on the sphere, the NT-Xent loss, and uniformity."""

import math

import torch
import torch.nn.functional as F

from .engine import Case, Exercise, Mistake


def _points(rows: int, width: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


# 1 · cosine_similarity


def _similarity_by_loops(a, b):
    return torch.stack([torch.stack([x @ y / (x.norm() * y.norm()) for y in b]) for x in a])


def _similarity_cases():
    return [
        Case("three vectors against five", (_points(3, 4, 0), _points(5, 4, 1))),
        Case("one vector against one", (_points(1, 7, 2), _points(1, 7, 3))),
        Case("the same four vectors twice", (_points(4, 3, 4), _points(4, 3, 4))),
        Case("very long against very short vectors", (_points(2, 6, 5, 1e4), _points(3, 6, 6, 1e-4))),
        Case("vectors of one number", (_points(4, 1, 7), _points(2, 1, 8))),
    ]


def _no_lengths(a, b):
    return a @ b.T


def _lengths_of_columns(a, b):
    return (a / a.norm(dim=0, keepdim=True)) @ (b / b.norm(dim=0, keepdim=True)).T


def _first_only(a, b):
    return (a / a.norm(dim=1, keepdim=True)) @ b.T


def _squared_lengths(a, b):
    return (a / a.pow(2).sum(1, keepdim=True)) @ (b / b.pow(2).sum(1, keepdim=True)).T


def _one_length_for_all(a, b):
    return (a / a.norm()) @ (b / b.norm()).T


def _rows_and_columns_swapped(a, b):
    return (b / b.norm(dim=1, keepdim=True)) @ (a / a.norm(dim=1, keepdim=True)).T


COSINE_SIMILARITY = Exercise(
    name="cosine_similarity",
    reference=_similarity_by_loops,
    cases=_similarity_cases,
    returns="float tensor (n, m)",
    points=1,
    mistakes=(
        Mistake(
            "dot products of raw vectors",
            _no_lengths,
            "these are dot products: a long vector scores high in any direction. What is missing?",
        ),
        Mistake(
            "lengths of the columns",
            _lengths_of_columns,
            "you divide by lengths taken down the columns, across the batch. Each row is one vector.",
        ),
        Mistake(
            "only the first argument has unit length",
            _first_only,
            "the rows of `a` have unit length, the rows of `b` still keep theirs.",
        ),
        Mistake(
            "squared lengths",
            _squared_lengths,
            "you divide by the sum of squares. A length is one step further than that.",
        ),
        Mistake(
            "one length for the whole batch",
            _one_length_for_all,
            "you divide by one length for the whole tensor. Every row has its own.",
        ),
        Mistake(
            "rows and columns swapped",
            _rows_and_columns_swapped,
            "the numbers are right but lie transposed: rows belong to `a`, columns to `b`.",
        ),
    ),
)


# 2 · nt_xent


def _nt_xent_in_steps(z1, z2, temperature):
    """The loss written with logsumexp over the other 2N - 1 views, without cross-entropy."""
    views = torch.cat([z1, z2])
    views = views / views.norm(dim=1, keepdim=True)
    count = len(views)
    scores = views @ views.T / temperature
    others = ~torch.eye(count, dtype=torch.bool, device=views.device)
    everyone = scores[others].view(count, count - 1).logsumexp(dim=1)
    partners = (views[: len(z1)] * views[len(z1) :]).sum(dim=1) / temperature
    return (everyone - torch.cat([partners, partners])).mean()


def _nt_xent_cases():
    same = _points(3, 4, 10)
    return [
        Case("four images, width 5", (_points(4, 5, 11), _points(4, 5, 12), 0.5)),
        Case("one image: its two views are alone", (_points(1, 3, 13), _points(1, 3, 14), 0.5)),
        Case("both views identical", (same, same.clone(), 0.2)),
        Case("long vectors", (_points(3, 4, 15, 50.0), _points(3, 4, 16, 50.0), 1.0)),
        Case("low temperature", (_points(5, 8, 17), _points(5, 8, 18), 0.02)),
        Case("high temperature, seven images", (_points(7, 2, 19), _points(7, 2, 20), 5.0)),
    ]


def _scores(z1, z2, temperature):
    views = F.normalize(torch.cat([z1, z2]), dim=1)
    return views @ views.T / temperature


def _partner(z1):
    return torch.arange(2 * len(z1)).roll(len(z1))


def _without_self(scores):
    return scores.masked_fill(torch.eye(len(scores), dtype=torch.bool), -math.inf)


def _not_normalised(z1, z2, temperature):
    views = torch.cat([z1, z2])
    return F.cross_entropy(_without_self(views @ views.T / temperature), _partner(z1))


def _self_left_in(z1, z2, temperature):
    return F.cross_entropy(_scores(z1, z2, temperature), _partner(z1))


def _self_at_score_zero(z1, z2, temperature):
    scores = _scores(z1, z2, temperature)
    return F.cross_entropy(scores * (1 - torch.eye(len(scores))), _partner(z1))


def _normalised_down_the_columns(z1, z2, temperature):
    views = F.normalize(torch.cat([z1, z2]), dim=0)
    return F.cross_entropy(_without_self(views @ views.T / temperature), _partner(z1))


def _answers_itself(z1, z2, temperature):
    return F.cross_entropy(_without_self(_scores(z1, z2, temperature)), torch.arange(2 * len(z1)))


def _no_temperature(z1, z2, temperature):
    return _nt_xent_in_steps(z1, z2, 1.0)


def _neighbour_is_partner(z1, z2, temperature):
    return F.cross_entropy(_without_self(_scores(z1, z2, temperature)), torch.arange(2 * len(z1)) ^ 1)


def _times_temperature(z1, z2, temperature):
    return _nt_xent_in_steps(z1, z2, 1 / temperature)


def _first_views_only(z1, z2, temperature):
    count = len(z1)
    return F.cross_entropy(_without_self(_scores(z1, z2, temperature))[:count], _partner(z1)[:count])


def _other_views_only(z1, z2, temperature):
    scores = F.normalize(z1, dim=1) @ F.normalize(z2, dim=1).T / temperature
    target = torch.arange(len(z1))
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


def _partner_not_below(z1, z2, temperature):
    scores = _without_self(_scores(z1, z2, temperature))
    partner = _partner(z1)
    rows = torch.arange(len(partner))
    negatives = scores.clone()
    negatives[rows, partner] = -math.inf
    return (negatives.logsumexp(dim=1) - scores[rows, partner]).mean()


def _summed(z1, z2, temperature):
    return 2 * len(z1) * _nt_xent_in_steps(z1, z2, temperature)


NT_XENT = Exercise(
    name="nt_xent",
    reference=_nt_xent_in_steps,
    cases=_nt_xent_cases,
    returns="float tensor with one number",
    points=3,
    mistakes=(
        Mistake(
            "no normalisation",
            _not_normalised,
            "the vectors never reach the sphere. NT-Xent compares directions: what must lengths be first?",
        ),
        Mistake(
            "self-similarity left in",
            _self_left_in,
            "every view also competes with itself, and wins with similarity 1. Which entries are those?",
        ),
        Mistake(
            "own score set to zero",
            _self_at_score_zero,
            "a score of 0 still counts: its exponential is 1. Which score makes an answer impossible?",
        ),
        Mistake(
            "lengths of the columns",
            _normalised_down_the_columns,
            "you normalise down the columns, across the batch. Each row is one view.",
        ),
        Mistake(
            "the right answer is oneself",
            _answers_itself,
            "your targets say that every view is its own partner, the one answer that is forbidden.",
        ),
        Mistake(
            "temperature unused",
            _no_temperature,
            "the temperature never enters: your loss is the one of temperature 1.",
        ),
        Mistake(
            "wrong partner",
            _neighbour_is_partner,
            "the right answer of a row is not its neighbour: the two views of an image lie N rows apart.",
        ),
        Mistake(
            "multiplies by the temperature",
            _times_temperature,
            "a low temperature must stretch the scores apart; yours squeezes them together.",
        ),
        Mistake(
            "only the first views ask",
            _first_views_only,
            "only the N first views look for their partner. The loss is a mean over all 2N views.",
        ),
        Mistake(
            "compares first views with second views only",
            _other_views_only,
            "you compare first views with second views alone. A view's own side holds negatives too.",
        ),
        Mistake(
            "partner missing below the line",
            _partner_not_below,
            "the partner stands above the fraction's line but not below it. Only k = i is left out there.",
        ),
        Mistake(
            "sum instead of mean",
            _summed,
            "that is the sum over the views. A mean does not grow when the batch does.",
        ),
    ),
)


# 3 · uniformity


def _uniformity_by_rows(z, t=2.0):
    terms = [torch.exp(-t * (z[i + 1 :] - z[i]).pow(2).sum(dim=1)) for i in range(len(z) - 1)]
    return torch.cat(terms).mean().log()


def _on_sphere(rows: int, width: int, seed: int) -> torch.Tensor:
    return F.normalize(_points(rows, width, seed), dim=1)


def _uniformity_cases():
    return [
        Case("five points on a circle", (_on_sphere(5, 2, 21),)),
        Case("two opposite points", (torch.tensor([[1.0, 0.0], [-1.0, 0.0]]),)),
        Case("three points in one place", (_on_sphere(1, 4, 22).expand(3, 4).clone(),)),
        Case("nine points in 16 dimensions, t = 0.5", (_on_sphere(9, 16, 23),), {"t": 0.5}),
        Case("six points, t = 8", (_on_sphere(6, 3, 24),), {"t": 8.0}),
    ]


def _with_self_pairs(z, t=2.0):
    return torch.cdist(z, z).pow(2).mul(-t).exp().mean().log()


def _distance_not_squared(z, t=2.0):
    return torch.pdist(z).mul(-t).exp().mean().log()


def _t_unused(z, t=2.0):
    return torch.pdist(z).pow(2).mul(-2).exp().mean().log()


def _no_log(z, t=2.0):
    return torch.pdist(z).pow(2).mul(-t).exp().mean()


def _mean_before_exp(z, t=2.0):
    return -t * torch.pdist(z).pow(2).mean()


def _sign_lost(z, t=2.0):
    return torch.pdist(z).pow(2).mul(t).exp().mean().log()


def _summed_pairs(z, t=2.0):
    return torch.pdist(z).pow(2).mul(-t).exp().sum().log()


UNIFORMITY = Exercise(
    name="uniformity",
    reference=_uniformity_by_rows,
    cases=_uniformity_cases,
    returns="float tensor with one number",
    points=2,
    mistakes=(
        Mistake(
            "a point paired with itself",
            _with_self_pairs,
            "each point is also paired with itself, at distance 0. Count only pairs of two points.",
        ),
        Mistake(
            "distance not squared",
            _distance_not_squared,
            "the exponent holds the distance; the definition has its square.",
        ),
        Mistake("no logarithm", _no_log, "that is the mean of the kernel. One function around it is missing."),
        Mistake(
            "t unused",
            _t_unused,
            "with t = 2 your numbers are right; at other values the argument `t` has no effect.",
        ),
        Mistake(
            "mean before the exponential",
            _mean_before_exp,
            "you average the exponents. Average the exponentials: near pairs then count more than far ones.",
        ),
        Mistake("sign lost", _sign_lost, "far pairs make your number grow. Look at the sign in the exponent."),
        Mistake(
            "sum instead of mean",
            _summed_pairs,
            "that is a sum over pairs: it grows with the number of points. The definition has a mean.",
        ),
    ),
)

EXERCISES = (COSINE_SIMILARITY, NT_XENT, UNIFORMITY)
