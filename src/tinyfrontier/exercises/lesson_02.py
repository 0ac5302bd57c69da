"""Exercises of lesson 02: bits per byte, attention with a cache, top-k and top-p. References, cases, known mistakes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from .engine import Case, Exercise, Mistake


def bits_per_byte(logits, tokens, text):
    bits = 0.0
    for rows, right in zip(
        logits[:-1].split(1024), tokens[1:].split(1024), strict=True
    ):  # a whole text at once is large
        chances = rows.double().log_softmax(-1)  # (rows, vocabulary)
        bits -= chances.gather(1, right[:, None]).sum().item() / math.log(2)
    return bits / len(text.encode())


def bits_cases():
    generator = torch.Generator().manual_seed(1)

    def draw(count, vocabulary, size=1.0):
        return size * torch.randn(count, vocabulary, generator=generator)

    def pick(count, vocabulary):
        return torch.randint(vocabulary, (count,), generator=generator)

    return [
        Case("6 tokens of 5, 9 bytes", (draw(6, 5), pick(6, 5), "nine byte")),
        Case("even odds: 3 bits a token", (torch.zeros(4, 8), torch.tensor([1, 0, 7, 2]), "abcdef")),
        Case("two tokens, the least there can be", (draw(2, 3), torch.tensor([2, 0]), "é")),
        Case("text with accents: more bytes than characters", (draw(9, 11), pick(9, 11), "déjà vu, 语言")),
        Case("very sure, and often wrong", (draw(7, 4, size=40.0), pick(7, 4), "overconfident")),
    ]


def _loss(logits, tokens):
    return F.cross_entropy(logits, tokens, reduction="sum").item()


def _not_shifted(logits, tokens, text):
    return _loss(logits, tokens) / math.log(2) / len(text.encode())


def _shifted_back(logits, tokens, text):
    return _loss(logits[1:], tokens[:-1]) / math.log(2) / len(text.encode())


def _in_nats(logits, tokens, text):
    return _loss(logits[:-1], tokens[1:]) / len(text.encode())


def _per_token(logits, tokens, text):
    return _loss(logits[:-1], tokens[1:]) / math.log(2) / (len(tokens) - 1)


def _mean_then_bytes(logits, tokens, text):
    return _per_token(logits, tokens, text) / len(text.encode())


def _per_character(logits, tokens, text):
    return _loss(logits[:-1], tokens[1:]) / math.log(2) / len(text)


def _times_log(logits, tokens, text):
    return _loss(logits[:-1], tokens[1:]) * math.log(2) / len(text.encode())


def cached_attention(query, key, value, cache=None):
    if cache is not None:
        key, value = torch.cat([cache[0], key], dim=-2), torch.cat([cache[1], value], dim=-2)
    queries, keys = query.shape[-2], key.shape[-2]
    place = torch.arange(keys)
    hidden = place[None, :] > place[keys - queries :, None]  # (queries, keys)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return scores.masked_fill(hidden, -math.inf).softmax(-1) @ value, (key, value)


def cached_cases():
    generator = torch.Generator().manual_seed(2)

    def draw(*shape, size=1.0):
        return size * torch.randn(*shape, generator=generator)

    def three(batch, heads, tokens, width):
        return tuple(draw(batch, heads, tokens, width) for _ in range(3))

    return [
        Case("5 tokens, nothing kept", three(2, 3, 5, 4)),
        Case("one new token after 6", (*three(1, 2, 1, 8), (draw(1, 2, 6, 8), draw(1, 2, 6, 8)))),
        Case("4 new tokens after 3", (*three(2, 1, 4, 6), (draw(2, 1, 3, 6), draw(2, 1, 3, 6)))),
        Case("one token alone", three(1, 1, 1, 2)),
        Case("2 new after 2, head_dim 1", (*three(3, 2, 2, 1), (draw(3, 2, 2, 1, size=9), draw(3, 2, 2, 1)))),
    ]


def _joined(key, value, cache):
    return cached_attention(key[..., :0, :], key, value, cache)[1]


def _mix(query, key, value, visible):
    return F.scaled_dot_product_attention(query, key, value, attn_mask=visible)


def _no_mask(query, key, value, cache=None):
    key, value = _joined(key, value, cache)
    return F.scaled_dot_product_attention(query, key, value), (key, value)


def _mask_not_moved(query, key, value, cache=None):
    key, value = _joined(key, value, cache)
    return F.scaled_dot_product_attention(query, key, value, is_causal=True), (key, value)


def _new_in_front(query, key, value, cache=None):
    if cache is not None:
        key, value = torch.cat([key, cache[0]], dim=-2), torch.cat([value, cache[1]], dim=-2)
    visible = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril(key.shape[-2] - query.shape[-2])
    return _mix(query, key, value, visible), (key, value)


def _cache_ignored(query, key, value, cache=None):
    return cached_attention(query, key, value)


def _cache_not_grown(query, key, value, cache=None):
    return cached_attention(query, key, value, cache)[0], (key, value)


def _query_kept(query, key, value, cache=None):
    return cached_attention(query, key, value, cache)[0], (
        _joined(query, value, cache)[0],
        _joined(key, value, cache)[1],
    )


def filter_logits(logits, top_k=None, top_p=1.0):
    kept = torch.full_like(logits, -math.inf)
    for row, new in zip(logits, kept):
        order = sorted(range(len(row)), key=lambda i: -row[i].item())[:top_k]
        chances = row[order].double().softmax(-1).tolist()
        total = 0.0
        for place, chance in zip(order, chances):
            if total >= top_p and top_p < 1:
                break
            new[place] = row[place]
            total += chance
    return kept


def filter_cases():
    generator = torch.Generator().manual_seed(3)

    def draw(*shape, size=2.0):
        return size * torch.randn(*shape, generator=generator)

    worked = torch.tensor([[0.5, 0.1, 0.15, 0.25]]).log()
    return [
        Case("nothing to remove", (draw(2, 6),)),
        Case("top_k = 3", (draw(3, 7), 3)),
        Case("top_p = 0.7", (worked, None, 0.7)),
        Case("top_p = 0.6 of five rows", (draw(5, 12),), {"top_p": 0.6}),
        Case("top_k = 3, then top_p = 0.8", (worked, 3, 0.8)),
        Case("one row, top_k = 1", (draw(1, 9), 1, 0.5)),
        Case("a small top_p keeps the best", (draw(4, 8, size=0.1), None, 0.01)),
        Case("top_p = 1 keeps even the least likely", (torch.tensor([[30.0, 0.0, -80.0], [-90.0, 1.0, 40.0]]),)),
        Case("top_k = all of them", (draw(2, 5), 5, 0.9)),
    ]


def _keep_top_p(logits, top_p, extra):
    """Keep by cumulated probability: `extra` tells how the token that crosses the threshold is treated."""
    ordered, places = logits.sort(dim=-1, descending=True)
    shares = ordered.softmax(-1)
    removed = extra(shares.cumsum(-1), shares) if top_p < 1 else torch.zeros_like(shares, dtype=torch.bool)
    return ordered.masked_fill(removed, -math.inf).gather(-1, places.argsort(-1))


def _keep_top_k(logits, top_k):
    if top_k is None:
        return logits
    return logits.masked_fill(logits < logits.topk(top_k).values[:, -1:], -math.inf)


def _crossing_removed(logits, top_k=None, top_p=1.0):
    return _keep_top_p(_keep_top_k(logits, top_k), top_p, lambda total, share: total > top_p)


def _p_first(logits, top_k=None, top_p=1.0):
    return _keep_top_k(_keep_top_p(logits, top_p, lambda total, share: total - share >= top_p), top_k)


def _by_single_share(logits, top_k=None, top_p=1.0):
    logits = _keep_top_k(logits, top_k)
    return logits if top_p == 1 else logits.masked_fill(logits.softmax(-1) < 1 - top_p, -math.inf)


def _not_put_back(logits, top_k=None, top_p=1.0):
    return filter_logits(logits, top_k, top_p).sort(dim=-1, descending=True).values


def _least_likely(logits, top_k=None, top_p=1.0):
    return -filter_logits(-logits, top_k, top_p).masked_fill(filter_logits(-logits, top_k, top_p).isinf(), math.inf)


def _zeros(logits, top_k=None, top_p=1.0):
    kept = filter_logits(logits, top_k, top_p)
    return kept.masked_fill(kept.isinf(), 0.0)


def _chances(logits, top_k=None, top_p=1.0):
    return filter_logits(logits, top_k, top_p).softmax(-1)


EXERCISES = (
    Exercise(
        name="bits_per_byte",
        reference=bits_per_byte,
        cases=bits_cases,
        returns="number",
        # a tensor of one number passes for a number
        equivalent_mutants=("float(nats) -> nats in return float(nats) / math.log(2) / len(text.encode())",),
        tolerance=1e-5,
        points=1,
        mistakes=(
            Mistake(
                "not shifted",
                _not_shifted,
                "each row of logits is scored on the token that it has already read. Row t speaks about token t + 1.",
            ),
            Mistake(
                "shifted the wrong way",
                _shifted_back,
                "each row of logits is scored on the token before. Which end of the logits has no token to predict?",
            ),
            Mistake("nats", _in_nats, "these are nats: the loss uses the natural logarithm. A bit is log 2 nats."),
            Mistake(
                "bits per token",
                _per_token,
                "these are bits per token. Tokens differ in length; divide by the text's bytes.",
            ),
            Mistake(
                "mean divided by bytes",
                _mean_then_bytes,
                "the loss was averaged over the tokens and then divided by bytes as well. Add the loss up.",
            ),
            Mistake(
                "bits per character",
                _per_character,
                "right for plain English, too high elsewhere: an é is one character and two bytes.",
            ),
            Mistake("times log 2", _times_log, "the change of units goes the other way: 1 nat is more than 1 bit."),
        ),
    ),
    Exercise(
        name="cached_attention",
        reference=cached_attention,
        cases=cached_cases,
        returns="(float tensor (batch, heads, new, head_dim), (all keys, all values))",
        points=2,
        mistakes=(
            Mistake(
                "no mask", _no_mask, "with several new tokens at once, each sees its successors. The mask is missing."
            ),
            Mistake(
                "mask not moved",
                _mask_not_moved,
                "the mask starts in the top left corner, so new tokens see too little of the past. With a past, "
                "the triangle must be moved to the right.",
            ),
            Mistake(
                "new in front of old",
                _new_in_front,
                "the new keys stand before the old ones. They came later: put them at the end.",
            ),
            Mistake(
                "cache ignored",
                _cache_ignored,
                "the answer is right without a past, but what the cache holds is never looked at.",
            ),
            Mistake(
                "cache not grown",
                _cache_not_grown,
                "the mixture is right, but the cache that you return holds the new tokens alone, so the next step "
                "forgets the past.",
            ),
            Mistake(
                "queries kept",
                _query_kept,
                "the cache holds queries where keys belong. Nobody asks for an old query again.",
            ),
        ),
    ),
    Exercise(
        name="filter_logits",
        reference=filter_logits,
        cases=filter_cases,
        returns="float tensor (batch, vocabulary)",
        # differs only where a sum of probabilities equals top_p to the last bit
        equivalent_mutants=("before >= top_p -> before > top_p in if top_p < 1:",),
        points=2,
        mistakes=(
            Mistake(
                "the crossing token is removed",
                _crossing_removed,
                "the token that carries the sum over top_p is removed, so less than top_p is left, or nothing at all. "
                "Keep it: ask what stood before it.",
            ),
            Mistake(
                "top_p before top_k",
                _p_first,
                "top_p was measured on the whole vocabulary. First keep top_k, then let the survivors share 100 %.",
            ),
            Mistake(
                "threshold on single tokens",
                _by_single_share,
                "each token's own probability is compared with a threshold. top_p is about the sum from the top down.",
            ),
            Mistake(
                "left in sorted order",
                _not_put_back,
                "the right logits survive, but they stand in sorted order: column 0 is no longer token 0.",
            ),
            Mistake("the least likely kept", _least_likely, "the least likely tokens survive. Sort the other way."),
            Mistake(
                "filled with zero",
                _zeros,
                "removed logits are 0, but exp(0) is 1, so they can still be drawn. Which score has exp(score) = 0?",
            ),
            Mistake(
                "probabilities returned",
                _chances,
                "these are probabilities. The caller applies the softmax: return logits.",
            ),
        ),
    ),
)
