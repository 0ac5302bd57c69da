"""Exercises of lesson 01: attention, causal mask, heads, positions. References, cases and known mistakes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from .engine import Case, Exercise, Mistake


def attention(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


def attention_cases():
    def draw(*shape, size=1.0):
        return size * torch.randn(*shape, generator=generator)

    generator = torch.Generator().manual_seed(1)
    return [
        Case("3 tokens, head_dim 4", (draw(3, 4), draw(3, 4), draw(3, 4))),
        Case("2 queries ask 5 keys, values wider than keys", (draw(2, 3), draw(5, 3), draw(5, 7))),
        Case("one token alone", (draw(1, 1, 1, 6), draw(1, 1, 1, 6), draw(1, 1, 1, 6))),
        Case("batch 2, heads 3, 5 tokens", (draw(2, 3, 5, 8), draw(2, 3, 5, 8), draw(2, 3, 5, 8))),
        Case("very large scores", (draw(1, 4, 16, size=30), draw(1, 4, 16, size=30), draw(1, 4, 16))),
    ]


def _softmax_over_queries(query, key, value):
    return (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-2) @ value


def _no_scale(query, key, value):
    return (query @ key.mT).softmax(-1) @ value


def _scale_by_width(query, key, value):
    return (query @ key.mT / query.shape[-1]).softmax(-1) @ value


def _multiply_by_root(query, key, value):
    return (query @ key.mT * math.sqrt(query.shape[-1])).softmax(-1) @ value


def _scale_after_softmax(query, key, value):
    return (query @ key.mT).softmax(-1) / math.sqrt(query.shape[-1]) @ value


def _scale_by_tokens(query, key, value):
    return (query @ key.mT / math.sqrt(key.shape[-2])).softmax(-1) @ value


def _no_softmax(query, key, value):
    return query @ key.mT / math.sqrt(query.shape[-1]) @ value


def _weights_only(query, key, value):
    return (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1)


def _fixed_axis(query, key, value):
    return (query @ key.mT / math.sqrt(query.shape[-1])).softmax(1) @ value


def _all_axes_turned(query, key, value):
    turned = key.permute(*reversed(range(key.ndim)))
    return (query @ turned / math.sqrt(query.shape[-1])).softmax(-1) @ value


def causal_weights(scores):
    place = torch.arange(scores.shape[-1])
    hidden = place[None, :] > place[:, None]
    largest = scores.masked_fill(hidden, -torch.inf).amax(-1, keepdim=True).detach()
    parts = torch.where(hidden, 0.0, (scores - largest).clamp(max=0).exp())
    return parts / parts.sum(-1, keepdim=True)


def causal_cases():
    generator = torch.Generator().manual_seed(2)
    return [
        Case("4 tokens", (torch.randn(4, 4, generator=generator),)),
        Case("one token alone", (torch.randn(1, 1, 1, generator=generator),)),
        Case("batch 2, heads 3, 5 tokens", (torch.randn(2, 3, 5, 5, generator=generator),)),
        Case("all scores equal", (torch.full((6, 6), 0.5),)),
        Case("the future scores far higher than the past", (torch.arange(9.0).expand(9, 9) * 50,)),
    ]


def _visible(scores, diagonal=0):
    return torch.ones_like(scores, dtype=torch.bool).tril(diagonal)


def _no_mask(scores):
    return scores.softmax(-1)


def _upside_down(scores):
    return scores.masked_fill(~_visible(scores).mT, -torch.inf).softmax(-1)


def _mask_after_softmax(scores):
    return scores.softmax(-1) * _visible(scores)


def _self_hidden(scores):
    return scores.masked_fill(~_visible(scores, -1), -torch.inf).softmax(-1)


def _one_ahead(scores):
    return scores.masked_fill(~_visible(scores, 1), -torch.inf).softmax(-1)


def _filled_with_zero(scores):
    return scores.masked_fill(~_visible(scores), 0).softmax(-1)


def _softmax_over_rows(scores):
    return scores.masked_fill(~_visible(scores), -torch.inf).softmax(-2)


def _repaired_after_softmax(scores):
    weights = scores.softmax(-1) * _visible(scores)
    return weights / weights.sum(-1, keepdim=True)


def split_heads(x, heads):
    size = x.shape[-1] // heads
    return torch.stack([x[..., head * size : (head + 1) * size] for head in range(heads)], dim=1)


def split_cases():
    def count(*shape):
        return torch.arange(float(math.prod(shape))).reshape(shape)

    return [
        Case("batch 2, 5 tokens, width 12, 3 heads", (count(2, 5, 12), 3)),
        Case("batch of one, one token, 2 heads", (count(1, 1, 4), 2)),
        Case("one head", (count(3, 7, 8), 1)),
        Case("as many heads as tokens", (count(2, 4, 8), 4)),
        Case("head_dim 1", (count(1, 3, 6), 6)),
    ]


def _view_without_transpose(x, heads):
    batch, tokens, width = x.shape
    return x.reshape(batch, heads, tokens, width // heads)


def _tokens_before_heads(x, heads):
    batch, tokens, width = x.shape
    return x.reshape(batch, tokens, heads, width // heads)


def _interleaved(x, heads):
    batch, tokens, width = x.shape
    return x.reshape(batch, tokens, width // heads, heads).permute(0, 3, 1, 2)


def _keys_transposed(x, heads):
    return split_heads(x, heads).mT


def _heads_first(x, heads):
    return split_heads(x, heads).transpose(0, 1)


def sinusoidal_positions(tokens, width, base=10_000.0):
    rows = []
    for token in range(tokens):
        row = []
        for i in range(width // 2):
            angle = token / base ** (2 * i / width)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows)


def position_cases():
    return [
        Case("4 places, width 6", (4, 6)),
        Case("one place, width 2", (1, 2)),
        Case("9 places, width 8, base 100", (9, 8), {"base": 100.0}),
        Case("128 places, width 64, base 30", (128, 64), {"base": 30.0}),
        Case("50 places, width 10", (50, 10)),
    ]


def _angles(tokens, width, base, first=0, step=2, sign=-1):
    place = torch.arange(first, tokens + first, dtype=torch.float64).unsqueeze(1)
    return place * base ** (sign * step * torch.arange(width // 2, dtype=torch.float64) / width)


def _pairs(sines, cosines):
    return torch.stack((sines, cosines), dim=-1).flatten(1).float()


def _in_halves(tokens, width, base=10_000.0):
    angle = _angles(tokens, width, base)
    return torch.cat((angle.sin(), angle.cos()), dim=-1).float()


def _half_exponent(tokens, width, base=10_000.0):
    angle = _angles(tokens, width, base, step=1)
    return _pairs(angle.sin(), angle.cos())


def _exponent_of_column(tokens, width, base=10_000.0):
    column = torch.arange(width)
    angle = torch.arange(tokens).unsqueeze(1) * base ** (-column.double() / width)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()


def _from_one(tokens, width, base=10_000.0):
    angle = _angles(tokens, width, base, first=1)
    return _pairs(angle.sin(), angle.cos())


def _cosine_first(tokens, width, base=10_000.0):
    angle = _angles(tokens, width, base)
    return _pairs(angle.cos(), angle.sin())


def _multiplied(tokens, width, base=10_000.0):
    angle = _angles(tokens, width, base, sign=1)
    return _pairs(angle.sin(), angle.cos())


def _base_ignored(tokens, width, base=10_000.0):
    return sinusoidal_positions(tokens, width)


EXERCISES = (
    Exercise(
        name="attention",
        reference=attention,
        cases=attention_cases,
        returns="float tensor (..., queries, value width)",
        points=2,
        mistakes=(
            Mistake(
                "softmax over the queries",
                _softmax_over_queries,
                "the softmax runs over the queries. Each query has its own budget of 1 to spend on keys: "
                "which axis of the scores counts the keys?",
            ),
            Mistake(
                "no scale",
                _no_scale,
                "the scores are not scaled. Long vectors give large scores, and large scores make the "
                "softmax choose one key outright.",
            ),
            Mistake(
                "scaled by d instead of its root",
                _scale_by_width,
                "the scores are divided by the number of features. Look at the printed table above: what "
                "does the spread of a score grow with?",
            ),
            Mistake(
                "multiplied instead of divided",
                _multiply_by_root,
                "the scores are multiplied by the scale. The scale is there to make them smaller.",
            ),
            Mistake(
                "scaled after the softmax",
                _scale_after_softmax,
                "the scale comes after the softmax, so the weights of a query no longer add up to 1. Scale "
                "the scores, not the weights.",
            ),
            Mistake(
                "scaled by the number of tokens",
                _scale_by_tokens,
                "the scale is taken from the number of tokens. It belongs to the length of one query "
                "vector: which axis of `query` is that?",
            ),
            Mistake(
                "no softmax",
                _no_softmax,
                "the scores mix the values directly. Turn them into weights that are positive and add up to 1 first.",
            ),
            Mistake(
                "an axis counted from the front",
                _fixed_axis,
                "the softmax runs over axis 1 counted from the front, which is right for a plain table only. With a "
                "batch and heads in front, count axes from the back.",
            ),
            Mistake(
                "all axes of the key turned round",
                _all_axes_turned,
                "`.T` turns round all axes of the key, the batch included. Swap the last two only.",
            ),
            Mistake(
                "returned the weights",
                _weights_only,
                "these are the weights, right so far. What is asked for is the mixture of `value` that they describe.",
            ),
        ),
    ),
    Exercise(
        name="causal_weights",
        reference=causal_weights,
        cases=causal_cases,
        returns="float tensor of the same shape as the scores",
        points=2,
        mistakes=(
            Mistake(
                "no mask",
                _no_mask,
                "nothing is hidden yet: the first token still gives weight to tokens that come after it.",
            ),
            Mistake(
                "mask upside down",
                _upside_down,
                "the mask is upside down: each token sees itself and the future, and the past is hidden.",
            ),
            Mistake(
                "mask after the softmax",
                _mask_after_softmax,
                "the future is removed after the softmax, so its share of the weight is lost and rows add "
                "up to less than 1. Hide it before the softmax.",
            ),
            Mistake(
                "repaired after the softmax",
                _repaired_after_softmax,
                "the future is removed after the softmax and the rows are stretched back to 1. That is right until the "
                "future's scores are so large that nothing is left of the past: 0 / 0. Hide it before the softmax.",
            ),
            Mistake(
                "a token may not see itself",
                _self_hidden,
                "a token may not look at itself, so the first one has nothing left to look at and its row "
                "is nan. Keep the diagonal.",
            ),
            Mistake(
                "one token too many",
                _one_ahead,
                "each token sees one token ahead. Check which diagonal your triangle begins with.",
            ),
            Mistake(
                "filled with zero",
                _filled_with_zero,
                "hidden scores are set to 0, but exp(0) is 1, so the future still gets weight. Which score "
                "has exp(score) = 0?",
            ),
            Mistake(
                "softmax over the queries",
                _softmax_over_rows,
                "the mask is right, but the softmax runs over the queries. Each row must add up to 1.",
            ),
        ),
    ),
    Exercise(
        name="split_heads",
        reference=split_heads,
        cases=split_cases,
        returns="float tensor (batch, heads, tokens, head_dim)",
        points=1,
        mistakes=(
            Mistake(
                "view without transpose",
                _view_without_transpose,
                "the shape is right, but heads were cut across tokens: one head now holds pieces of several"
                " tokens. Cut the width first, then move axes.",
            ),
            Mistake(
                "tokens before heads",
                _tokens_before_heads,
                "the width is cut well, but the axes stand as (batch, tokens, heads, head_dim). The heads "
                "must come before the tokens.",
            ),
            Mistake(
                "interleaved features",
                _interleaved,
                "each head took every so-many-th feature. A head owns neighbouring features: head 0 the "
                "first head_dim of them, and so on.",
            ),
            Mistake(
                "features before tokens",
                _keys_transposed,
                "the last two axes are swapped: a head must be (tokens, head_dim).",
            ),
            Mistake(
                "heads before batch",
                _heads_first,
                "the heads stand before the batch. The batch stays the first axis.",
            ),
        ),
    ),
    Exercise(
        name="sinusoidal_positions",
        reference=sinusoidal_positions,
        cases=position_cases,
        returns="float tensor (tokens, width)",
        tolerance=1e-4,  # angles reach 127, where float32 itself is off by about 1e-5
        points=2,
        mistakes=(
            Mistake(
                "sines and cosines in halves",
                _in_halves,
                "all sines come first and all cosines after them. The formula wants them in turns: sine in "
                "column 2i, cosine in column 2i + 1.",
            ),
            Mistake(
                "exponent too small",
                _half_exponent,
                "the exponent is i / width. The formula has 2i / width, so the wavelengths must stretch twice as far.",
            ),
            Mistake(
                "every column its own wavelength",
                _exponent_of_column,
                "sine and cosine of one pair have different wavelengths. Columns 2i and 2i + 1 share one angle.",
            ),
            Mistake(
                "base not used",
                _base_ignored,
                "the answers fit base 10,000 only. The base is an argument: use it.",
            ),
            Mistake("counts from one", _from_one, "the first place is 0, so that its sines are all 0."),
            Mistake(
                "cosine first",
                _cosine_first,
                "sine and cosine have changed places: the sine stands in the even column.",
            ),
            Mistake(
                "waves get shorter",
                _multiplied,
                "the angles grow with the column. Later columns must turn more slowly: check the sign of the exponent.",
            ),
        ),
    ),
)
