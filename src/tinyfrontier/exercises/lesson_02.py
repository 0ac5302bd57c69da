"""Exercises of lesson 02: bits per byte, attention with a cache, top-k and top-p."""

import math

import torch
import torch.nn.functional as F

from .form import case, exercise


@exercise(
    returns="number",
    extreme={"logits": 1e4},
    # a tensor of one number passes for a number
    equivalent_mutants=["float(nats) -> nats in return float(nats) / math.log(2) / len(text.encode())"],
    points=1,
)
def bits_per_byte(logits, tokens, text):
    bits = 0.0
    for row, right in zip(logits[:-1].double(), tokens[1:].tolist()):
        bits -= (row[right] - row.logsumexp(0)).item() / math.log(2)
    return bits / len(text.encode())


@bits_per_byte.cases
def _():
    generator = torch.Generator().manual_seed(1)

    def draw(count, vocabulary, size=1.0):
        return size * torch.randn(count, vocabulary, generator=generator)

    def pick(count, vocabulary):
        return torch.randint(vocabulary, (count,), generator=generator)

    yield "6 tokens of 5, 9 bytes", draw(6, 5), pick(6, 5), "nine byte"
    yield "even odds: 3 bits a token", torch.zeros(4, 8), torch.tensor([1, 0, 7, 2]), "abcdef"
    yield "two tokens, the least there can be", draw(2, 3), torch.tensor([2, 0]), "é"
    yield "text with accents: more bytes than characters", draw(9, 11), pick(9, 11), "déjà vu, 语言"
    yield "very sure, and often wrong", draw(7, 4, size=40.0), pick(7, 4), "overconfident"
    yield "as many tokens as words in the vocabulary", draw(5, 5), pick(5, 5), "square"


@bits_per_byte.usual
def bits_per_byte(logits, tokens, text):
    nats = F.cross_entropy(logits[:-1], tokens[1:], reduction="sum")
    return float(nats) / math.log(2) / len(text.encode())


bits_per_byte.slip("logits[:-1], tokens[1:]", "logits, tokens", "not shifted").says(
    "each row of logits is scored on the token that it has already read. Row t speaks about token t + 1."
)
bits_per_byte.slip("logits[:-1], tokens[1:]", "logits[1:], tokens[:-1]", "shifted the wrong way").says(
    "each row of logits is scored on the token before. Which end of the logits has no token to predict?"
)
bits_per_byte.slip("logits[:-1], tokens[1:]", "logits[:-2], tokens[1:-1]", "the last prediction left out").says(
    "the last token is predicted by the row before it, and that is missing. Only the very last row has no token."
)
bits_per_byte.slip(" / math.log(2)", "", "nats").says(
    "these are nats: the loss uses the natural logarithm. A bit is log 2 nats."
)
bits_per_byte.slip("len(text.encode())", "(len(tokens) - 1)", "bits per token").says(
    "these are bits per token. Tokens differ in length; divide by the text's bytes."
)
bits_per_byte.slip(', reduction="sum"', "", "mean divided by bytes").says(
    "the loss was averaged over the tokens and then divided by bytes as well. Add the loss up."
)
bits_per_byte.slip("text.encode()", "text", "bits per character").says(
    "right for plain English, too high elsewhere: an é is one character and two bytes."
)
bits_per_byte.slip("/ math.log(2)", "* math.log(2)", "times log 2").says(
    "the change of units goes the other way: 1 nat is more than 1 bit."
)
bits_per_byte.slip("len(text.encode())", "(8 * len(text.encode()))", "bits per bit").says(
    "the bytes were counted as 8 bits each. Divide by the number of bytes."
)
bits_per_byte.slip("return float", "return -float", "sign turned round").says(
    "the sign is turned round. A cost is minus the logarithm of a probability, so it is positive."
)
bits_per_byte.slip(
    'F.cross_entropy(logits[:-1], tokens[1:], reduction="sum")',
    "-logits[:-1].softmax(-1).gather(1, tokens[1:, None]).log().sum()",
    "logarithm of the softmax",
).says(
    "the softmax rounds to 0 where the model is sure and wrong, and the logarithm of 0 is minus infinity. "
    "Use both in one."
)


@exercise(
    returns="(float tensor (batch, heads, new, head_dim), (all keys, all values))",
    points=2,
    extreme={"query": 1e4},
)
def cached_attention(query, key, value, cache=None):
    if cache is not None:
        key, value = torch.cat([cache[0], key], dim=-2), torch.cat([cache[1], value], dim=-2)
    queries, keys = query.shape[-2], key.shape[-2]
    place = torch.arange(keys)
    hidden = place[None, :] > place[keys - queries :, None]  # (queries, keys)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return scores.masked_fill(hidden, -math.inf).softmax(-1) @ value, (key, value)


@cached_attention.cases
def _():
    generator = torch.Generator().manual_seed(2)

    def draw(*shape, size=1.0):
        return size * torch.randn(*shape, generator=generator)

    def three(batch, heads, tokens, width):
        return tuple(draw(batch, heads, tokens, width) for _ in range(3))

    yield "5 tokens, nothing kept", *three(2, 3, 5, 4)
    yield "one new token after 6", *three(1, 2, 1, 8), (draw(1, 2, 6, 8), draw(1, 2, 6, 8))
    yield "4 new tokens after 3", *three(2, 1, 4, 6), (draw(2, 1, 3, 6), draw(2, 1, 3, 6))
    yield "one token alone", *three(1, 1, 1, 2)
    yield "2 new after 2, head_dim 1", *three(3, 2, 2, 1), (draw(3, 2, 2, 1, size=9), draw(3, 2, 2, 1))
    yield "an empty cache", *three(1, 2, 3, 4), (draw(1, 2, 0, 4), draw(1, 2, 0, 4))


@cached_attention.usual
def cached_attention(query, key, value, cache=None):
    if cache is not None:
        key, value = torch.cat([cache[0], key], dim=2), torch.cat([cache[1], value], dim=2)
    new, tokens = query.shape[2], key.shape[2]
    visible = torch.ones(new, tokens, dtype=torch.bool).tril(tokens - new)  # (new, past + new)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=visible), (key, value)


cached_attention.slip(", attn_mask=visible", "", "no mask").says(
    "with several new tokens at once, each sees its successors. The mask is missing."
)
cached_attention.slip("attn_mask=visible", "is_causal=True", "mask not moved").says(
    "the mask starts in the top left corner, so new tokens see too little of the past. With a past, "
    "the triangle must be moved to the right."
)
cached_attention.slip(
    "torch.cat([cache[0], key], dim=2), torch.cat([cache[1], value], dim=2)",
    "torch.cat([key, cache[0]], dim=2), torch.cat([value, cache[1]], dim=2)",
    "new in front of old",
).says("the new keys stand before the old ones. They came later: put them at the end.")
cached_attention.slip("visible), (key, value)", "visible), (value, key)", "keys and values exchanged").says(
    "the mixture is right, but the pair holds the values first. Return (keys, values)."
)
cached_attention.slip("if cache is not None:", "if False:", "cache ignored").says(
    "the answer is right without a past, but what the cache holds is never looked at."
)
cached_attention.slip("tril(tokens - new)", "tril(tokens - new - 1)", "a token blind to itself").says(
    "a new token does not see itself. The triangle includes its diagonal."
)
cached_attention.slip("tril(tokens - new)", "tril(tokens - new + 1)", "one token too many").says(
    "each new token also sees its successor. Move the triangle by the length of the past, no further."
)
cached_attention.slip("attn_mask=visible", "attn_mask=visible, scale=1.0", "not scaled").says(
    "the scores are not divided by the root of head_dim, as lesson 01 does."
)
cached_attention.slip("attn_mask=visible", "attn_mask=visible.float()", "a mask of ones and zeros added").says(
    "a mask of numbers is *added* to the scores, and a 0 hides nothing. Use booleans, or minus infinity."
)
cached_attention.slip(
    "attn_mask=visible", "attn_mask=~visible & (visible.sum() < 0) | ~visible", "mask turned round"
).says("the mask is turned round: what should be hidden is seen, and the past is not.")


@cached_attention.mistake(
    "cache not grown",
    "the mixture is right, but the cache that you return holds the new tokens alone, so the next step "
    "forgets the past.",
)
def _(query, key, value, cache=None):
    return cached_attention(query, key, value, cache)[0], (key, value)


@cached_attention.mistake(
    "queries kept", "the cache holds queries where keys belong. Nobody asks for an old query again."
)
def _(query, key, value, cache=None):
    mixed, (_, values) = cached_attention(query, key, value, cache)
    return mixed, (cached_attention(query, query, value, cache)[1][0], values)


@exercise(
    returns="float tensor (batch, vocabulary)",
    # differs only where a sum of probabilities equals top_p to the last bit
    equivalent_mutants=["before >= top_p -> before > top_p in if top_p < 1:"],
    points=2,
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


@filter_logits.cases
def _():
    generator = torch.Generator().manual_seed(3)

    def draw(*shape, size=2.0):
        return size * torch.randn(*shape, generator=generator)

    worked = torch.tensor([[0.5, 0.1, 0.15, 0.25]]).log()
    yield "nothing to remove", draw(2, 6)
    yield "top_k = 3", draw(3, 7), 3
    yield "top_p = 0.7", worked, None, 0.7
    yield case("top_p = 0.6 of five rows", draw(5, 12), top_p=0.6)
    yield "top_k = 3, then top_p = 0.8", worked, 3, 0.8
    yield "one row, top_k = 1", draw(1, 9), 1, 0.5
    yield "a small top_p keeps the best", draw(4, 8, size=0.1), None, 0.01
    yield "top_p = 1 keeps even the least likely", torch.tensor([[30.0, 0.0, -80.0], [-90.0, 1.0, 40.0]])
    yield "top_k = all of them", draw(2, 5), 5, 0.9
    yield "very sure: logits of hundreds and thousands", draw(3, 6, size=1000.0), 4, 0.9


@filter_logits.usual
def filter_logits(logits, top_k=None, top_p=1.0):
    if top_k is not None:
        lowest = logits.topk(top_k).values[:, -1:]  # (batch, 1)
        logits = logits.masked_fill(logits < lowest, -math.inf)
    if top_p < 1:
        ordered, places = logits.sort(descending=True)
        shares = ordered.softmax(dim=-1)
        before = shares.cumsum(dim=-1) - shares  # probability of everything likelier
        ordered = ordered.masked_fill(before >= top_p, -math.inf)
        logits = ordered.gather(-1, places.argsort())  # back to the old places
    return logits


filter_logits.slip(" - shares  #", "  #", "the crossing token is removed").says(
    "the token that carries the sum over top_p is removed, so less than top_p is left, or nothing at all. "
    "Keep it: ask what stood before it."
)


@filter_logits.mistake(
    "top_p before top_k",
    "top_p was measured on the whole vocabulary. First keep top_k, then let the survivors share 100 %.",
)
def _(logits, top_k=None, top_p=1.0):
    return filter_logits(filter_logits(logits, None, top_p), top_k)


@filter_logits.mistake(
    "threshold on single tokens",
    "each token's own probability is compared with a threshold. top_p is about the sum from the top down.",
)
def _(logits, top_k=None, top_p=1.0):
    logits = filter_logits(logits, top_k)
    return logits if top_p == 1 else logits.masked_fill(logits.softmax(-1) < 1 - top_p, -math.inf)


@filter_logits.mistake(
    "left in sorted order",
    "the right logits survive, but they stand in sorted order: column 0 is no longer token 0.",
)
def _(logits, top_k=None, top_p=1.0):
    return filter_logits(logits, top_k, top_p).sort(dim=-1, descending=True).values


filter_logits.slip("gather(-1, places.argsort())", "gather(-1, places)", "put back by the wrong table").says(
    "the sorted logits are put back with the table that sorted them. Going back needs its inverse: `places.argsort()`."
)


filter_logits.slip(
    "ordered.softmax(dim=-1)", "ordered.exp() / ordered.exp().sum(-1, keepdim=True)", "exp by hand"
).says(
    "right for small logits, but the exponential of a large one is infinite. The softmax subtracts the largest first."
)
filter_logits.slip("return logits", "return logits.log_softmax(dim=-1)", "log-probabilities returned").says(
    "the kept tokens have log-probabilities in place of their old values. Return the logits as they came."
)


@filter_logits.mistake("the least likely kept", "the least likely tokens survive. Sort the other way.")
def _(logits, top_k=None, top_p=1.0):
    turned = filter_logits(-logits, top_k, top_p)
    return -turned.masked_fill(turned.isinf(), math.inf)


@filter_logits.mistake(
    "filled with zero",
    "removed logits are 0, but exp(0) is 1, so they can still be drawn. Which score has exp(score) = 0?",
)
def _(logits, top_k=None, top_p=1.0):
    kept = filter_logits(logits, top_k, top_p)
    return kept.masked_fill(kept.isinf(), 0.0)


@filter_logits.mistake(
    "a finite score for removed tokens",
    "removed tokens get a large negative number. Only minus infinity gives exactly zero, whatever the "
    "other scores are.",
)
def _(logits, top_k=None, top_p=1.0):
    kept = filter_logits(logits, top_k, top_p)
    return kept.masked_fill(kept.isinf(), -1e9)


@filter_logits.mistake(
    "probabilities returned", "these are probabilities. The caller applies the softmax: return logits."
)
def _(logits, top_k=None, top_p=1.0):
    return filter_logits(logits, top_k, top_p).softmax(-1)
