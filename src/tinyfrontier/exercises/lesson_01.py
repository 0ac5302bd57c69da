"""Exercises of lesson 01: attention, causal mask, heads, positions."""

import math

import torch
import torch.nn.functional as F

from .form import case, exercise


@exercise(returns="float tensor (..., queries, value width)", points=2, extreme={"query": 1e4})
def attention(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


@attention.cases
def _():
    def draw(*shape, size=1.0):
        return size * torch.randn(*shape, generator=generator)

    generator = torch.Generator().manual_seed(1)
    yield "3 tokens, head_dim 4", draw(3, 4), draw(3, 4), draw(3, 4)
    yield "2 queries ask 5 keys, values wider than keys", draw(2, 3), draw(5, 3), draw(5, 7)
    yield "one token alone", draw(1, 1, 1, 6), draw(1, 1, 1, 6), draw(1, 1, 1, 6)
    yield "batch 2, heads 3, 5 tokens", draw(2, 3, 5, 8), draw(2, 3, 5, 8), draw(2, 3, 5, 8)
    yield "very large scores", draw(1, 4, 16, size=30), draw(1, 4, 16, size=30), draw(1, 4, 16)
    yield "as many tokens as features, heads and texts", draw(4, 4, 4, 4), draw(4, 4, 4, 4), draw(4, 4, 4, 4)


@attention.usual
def attention(query, key, value):
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (..., queries, keys)
    weights = scores.softmax(dim=-1)
    return weights @ value


attention.slip("softmax(dim=-1)", "softmax(dim=-2)", "softmax over the queries").says(
    "the softmax runs over the queries. Each query has its own budget of 1 to spend on keys: "
    "which axis of the scores counts the keys?"
)
attention.slip(" / math.sqrt(query.shape[-1])", "", "no scale").says(
    "the scores are not scaled. Long vectors give large scores, and large scores make the "
    "softmax choose one key outright."
)
attention.slip("math.sqrt(query.shape[-1])", "query.shape[-1]", "scaled by d instead of its root").says(
    "the scores are divided by the number of features. Look at the printed table above: what "
    "does the spread of a score grow with?"
)
attention.slip("scores.softmax(dim=-1)", "scores.log_softmax(dim=-1)", "logarithms of the weights").says(
    "the values are mixed with the logarithms of the weights. Take the plain softmax."
)
attention.slip("/ math.sqrt", "* math.sqrt", "multiplied instead of divided").says(
    "the scores are multiplied by the scale. The scale is there to make them smaller."
)


@attention.mistake(
    "scaled after the softmax",
    "the scale comes after the softmax, so the weights of a query no longer add up to 1. Scale "
    "the scores, not the weights.",
)
def _(query, key, value):
    return (query @ key.mT).softmax(-1) / math.sqrt(query.shape[-1]) @ value


attention.slip("query.shape[-1]", "key.shape[-2]", "scaled by the number of tokens").says(
    "the scale is taken from the number of tokens. It belongs to the length of one query "
    "vector: which axis of `query` is that?"
)
attention.slip("query.shape[-1]", "value.shape[-1]", "scaled by the values' length").says(
    "the scale is taken from the length of a value. It belongs to the vectors that are multiplied, query and key."
)
attention.slip("scores.softmax(dim=-1)", "scores", "no softmax").says(
    "the scores mix the values directly. Turn them into weights that are positive and add up to 1 first."
)
attention.slip("softmax(dim=-1)", "softmax(dim=1)", "an axis counted from the front").says(
    "the softmax runs over axis 1 counted from the front, which is right for a plain table only. With a "
    "batch and heads in front, count axes from the back."
)


@attention.mistake(
    "all axes of the key turned round",
    "`.T` turns round all axes of the key, the batch included. Swap the last two only.",
)
def _(query, key, value):
    turned = key.permute(*reversed(range(key.ndim)))
    return (query @ turned / math.sqrt(query.shape[-1])).softmax(-1) @ value


attention.slip("weights @ value", "weights", "returned the weights").says(
    "these are the weights, right so far. What is asked for is the mixture of `value` that they describe."
)
attention.slip("scores.softmax(dim=-1)", "scores.exp() / scores.exp().sum(-1, keepdim=True)", "exp by hand").says(
    "`exp` of a large score is infinite, and infinity over infinity is no number. `softmax` takes the largest score "
    "away first."
)
attention.slip("query @ key", "key @ key", "keys compared with keys").says(
    "the scores compare keys with keys. What a token looks for stands in `query`."
)
attention.slip("scores.softmax(dim=-1)", "(-scores).softmax(dim=-1)", "the sign turned round").says(
    "the scores have the wrong sign, so the worst key gets the largest weight. A large dot product is a good fit."
)
attention.slip("scores.softmax(dim=-1)", "scores.sigmoid()", "sigmoid instead of softmax").says(
    "each weight is squeezed by itself, so those of a query do not add up to 1. The softmax lets keys compete."
)
attention.slip("weights @ value", "(scores @ value).softmax(dim=-1)", "softmax after the values").says(
    "the softmax comes after the values are mixed. Scores become weights first, then weights mix values."
)


@attention.mistake(
    "a small number in the sum",
    "a small number was added to the sum of the exponentials, so the weights add up to a little less than 1. Once the "
    "largest score is taken away, the sum is at least 1 and needs no help.",
)
def _(query, key, value):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    parts = (scores - scores.amax(-1, keepdim=True)).exp()
    return parts / (parts.sum(-1, keepdim=True) + 1e-3) @ value


@attention.mistake(
    "later keys hidden",
    "later keys are hidden. Here every query sees every key; the causal mask is the next exercise.",
)
def _(query, key, value):
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


@attention.mistake(
    "the winner takes all",
    "each query takes the value of its best key alone. The softmax gives a share to every key.",
)
def _(query, key, value):
    scores = query @ key.mT
    return F.one_hot(scores.argmax(-1), key.shape[-2]).to(value.dtype) @ value + 0 * scores.sum(-1, keepdim=True)


@exercise(returns="float tensor of the same shape as the scores", points=2, extreme={"scores": 1e4})
def causal_weights(scores):
    place = torch.arange(scores.shape[-1])
    hidden = place[None, :] > place[:, None]
    largest = scores.masked_fill(hidden, -torch.inf).amax(-1, keepdim=True).detach()
    parts = torch.where(hidden, 0.0, (scores - largest).clamp(max=0).exp())
    return parts / parts.sum(-1, keepdim=True)


@causal_weights.cases
def _():
    generator = torch.Generator().manual_seed(2)
    yield "4 tokens", torch.randn(4, 4, generator=generator)
    yield "one token alone", torch.randn(1, 1, 1, generator=generator)
    yield "batch 2, heads 3, 5 tokens", torch.randn(2, 3, 5, 5, generator=generator)
    yield "all scores equal", torch.full((6, 6), 0.5)
    yield "the future scores far higher than the past", torch.arange(9.0).expand(9, 9) * 50
    yield "the past scores far lower than any mask of thousands", torch.full((3, 3), -2e4).triu(0) - 3e4
    yield "all axes of one length", torch.randn(3, 3, 3, 3, generator=generator)


@causal_weights.usual
def causal_weights(scores):
    visible = torch.ones_like(scores, dtype=torch.bool).tril()
    return scores.masked_fill(~visible, -math.inf).softmax(dim=-1)


causal_weights.slip(".masked_fill(~visible, -math.inf)", "", "no mask").says(
    "nothing is hidden yet: the first token still gives weight to tokens that come after it."
)
causal_weights.slip("tril()", "triu()", "mask upside down").says(
    "the mask is upside down: each token sees itself and the future, and the past is hidden."
)


@causal_weights.mistake(
    "mask after the softmax",
    "the future is removed after the softmax, so its share of the weight is lost and rows add "
    "up to less than 1. Hide it before the softmax.",
)
def _(scores):
    return scores.softmax(-1).tril()


@causal_weights.mistake(
    "repaired after the softmax",
    "the future is removed after the softmax and the rows are stretched back to 1. That is right until the "
    "future's scores are so large that nothing is left of the past: 0 / 0. Hide it before the softmax.",
)
def _(scores):
    weights = scores.softmax(-1).tril()
    return weights / weights.sum(-1, keepdim=True)


causal_weights.slip("tril()", "tril(-1)", "a token may not see itself").says(
    "a token may not look at itself, so the first one has nothing left to look at and its "
    "row is nan. Keep the diagonal."
)
causal_weights.slip("tril()", "tril(1)", "one token too many").says(
    "each token sees one token ahead. Check which diagonal your triangle begins with."
)
causal_weights.slip("-math.inf", "0", "filled with zero").says(
    "hidden scores are set to 0, but exp(0) is 1, so the future still gets weight. Which score has exp(score) = 0?"
)
causal_weights.slip("softmax(dim=-1)", "softmax(dim=-2)", "softmax over the queries").says(
    "the mask is right, but the softmax runs over the queries. Each row must add up to 1."
)
causal_weights.slip("-math.inf", "-1e4", "a finite mask of thousands").says(
    "hidden scores are set to -10,000. A visible score can be lower still, and then the future wins. "
    "Only minus infinity hides for certain."
)
causal_weights.slip("-math.inf", "-100.0", "a finite mask of a hundred").says(
    "hidden scores are set to -100. A visible score can be lower still, and then the future wins. "
    "Only minus infinity hides for certain."
)


@causal_weights.mistake(
    "a mask added after scaling by booleans",
    "the mask is added as 0 and 1, which moves scores a little and hides nothing. Add minus infinity, or fill.",
)
def _(scores):
    return (scores + torch.ones_like(scores).tril()).softmax(-1)


@causal_weights.mistake(
    "scaled here too",
    "the scores are divided by a root first. This function takes scores as they are: whoever calls it has scaled them.",
)
def _(scores):
    visible = torch.ones_like(scores, dtype=torch.bool).tril()
    return (scores / math.sqrt(scores.shape[-1])).masked_fill(~visible, -math.inf).softmax(-1)


@causal_weights.mistake(
    "the same share for all",
    "every visible token gets the same share. The scores decide how the 1 is divided among them.",
)
def _(scores):
    visible = torch.ones_like(scores).tril()
    return visible / visible.sum(-1, keepdim=True) + 0 * scores


@exercise(returns="float tensor (batch, heads, tokens, head_dim)", points=1)
def split_heads(x, heads):
    size = x.shape[-1] // heads
    return torch.stack([x[..., head * size : (head + 1) * size] for head in range(heads)], dim=1)


@split_heads.cases
def _():
    def count(*shape):
        return torch.arange(float(math.prod(shape))).reshape(shape)

    yield "batch 2, 5 tokens, width 12, 3 heads", count(2, 5, 12), 3
    yield "batch of one, one token, 2 heads", count(1, 1, 4), 2
    yield "one head", count(3, 7, 8), 1
    yield "as many heads as tokens", count(2, 4, 8), 4
    yield "head_dim 1", count(1, 3, 6), 6
    yield "batch, tokens, heads and head_dim alike", count(3, 3, 9), 3


@split_heads.usual
def split_heads(x, heads):
    batch, tokens, width = x.shape
    x = x.reshape(batch, tokens, heads, width // heads)  # (batch, tokens, heads, head_dim)
    return x.transpose(1, 2)  # (batch, heads, tokens, head_dim)


split_heads.slip("x.transpose(1, 2)", "x.reshape(batch, heads, tokens, width // heads)", "view without transpose").says(
    "the shape is right, but heads were cut across tokens: one head now holds pieces of several"
    " tokens. Cut the width first, then move axes."
)
split_heads.slip("x.transpose(1, 2)", "x", "tokens before heads").says(
    "the width is cut well, but the axes stand as (batch, tokens, heads, head_dim). The heads "
    "must come before the tokens."
)


@split_heads.mistake(
    "interleaved features",
    "each head took every so-many-th feature. A head owns neighbouring features: head 0 the "
    "first head_dim of them, and so on.",
)
def _(x, heads):
    batch, tokens, width = x.shape
    return x.reshape(batch, tokens, width // heads, heads).permute(0, 3, 1, 2)


split_heads.slip("x.transpose(1, 2)", "x.permute(0, 2, 3, 1)", "features before tokens").says(
    "the last two axes are swapped: a head must be (tokens, head_dim)."
)
split_heads.slip("x.transpose(1, 2)", "x.permute(2, 0, 1, 3)", "heads before batch").says(
    "the heads stand before the batch. The batch stays the first axis."
)
split_heads.slip("x.transpose(1, 2)", "x.transpose(1, 2).flip(1)", "the last head first").says(
    "the heads stand in reverse order. Head 0 owns the first features."
)


@exercise(
    returns="float tensor (tokens, width)",
    tolerance=1e-4,  # angles reach 127, where float32 itself is off by about 1e-5
    points=2,
    single="the table's arguments are whole numbers, so nothing asks for double precision",
)
def sinusoidal_positions(tokens, width, base=10_000.0):
    rows = []
    for token in range(tokens):
        row = []
        for i in range(width // 2):
            angle = token / base ** (2 * i / width)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows)


@sinusoidal_positions.cases
def _():
    yield "4 places, width 6", 4, 6
    yield "one place, width 2", 1, 2
    yield case("9 places, width 8, base 100", 9, 8, base=100.0)
    yield case("128 places, width 64, base 30", 128, 64, base=30.0)
    yield "50 places, width 10", 50, 10
    yield "as many places as columns", 8, 8


@sinusoidal_positions.usual
def sinusoidal_positions(tokens, width, base=10_000.0):
    place = torch.arange(tokens).unsqueeze(1)  # (tokens, 1)
    rate = base ** (-torch.arange(0, width, 2) / width)  # (width / 2,)
    angle = place * rate  # (tokens, width / 2)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)  # (tokens, width)


sinusoidal_positions.slip(
    "torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)",
    "torch.cat((angle.sin(), angle.cos()), dim=-1)",
    "sines and cosines in halves",
).says(
    "all sines come first and all cosines after them. The formula wants them in turns: sine in "
    "column 2i, cosine in column 2i + 1."
)
sinusoidal_positions.slip("arange(0, width, 2)", "arange(width // 2)", "exponent too small").says(
    "the exponent is i / width. The formula has 2i / width, so the wavelengths must stretch twice as far."
)


@sinusoidal_positions.mistake(
    "every column its own wavelength",
    "sine and cosine of one pair have different wavelengths. Columns 2i and 2i + 1 share one angle.",
)
def _(tokens, width, base=10_000.0):
    column = torch.arange(width)
    angle = torch.arange(tokens).unsqueeze(1) * base ** (-column.double() / width)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()


sinusoidal_positions.slip("rate = base **", "rate = 10_000.0 **", "base not used").says(
    "the answers fit base 10,000 only. The base is an argument: use it."
)
sinusoidal_positions.slip("arange(tokens)", "arange(1, tokens + 1)", "counts from one").says(
    "the first place is 0, so that its sines are all 0."
)
sinusoidal_positions.slip("angle.cos()", "angle.sin()", "sines twice").says(
    "both columns of a pair hold the sine. The second is the cosine."
)
sinusoidal_positions.slip("arange(0, width, 2)", "arange(2, width + 2, 2)", "pairs counted from one").says(
    "the first pair already turns too slowly. Pairs count from i = 0, so the first has the exponent 0."
)
sinusoidal_positions.slip("place * rate", "2 * math.pi * place * rate", "a factor of two pi").says(
    "the angles are 2 pi times too large. The formula has no 2 pi: the first pair turns once in 6.3 tokens."
)
sinusoidal_positions.slip("(angle.sin(), angle.cos())", "(angle.cos(), angle.sin())", "cosine first").says(
    "sine and cosine have changed places: the sine stands in the even column."
)
sinusoidal_positions.slip("(-torch", "(torch", "an exponent without its minus").says(
    "the exponent lacks its minus, so angles grow with the column. Later columns must turn more slowly."
)


@sinusoidal_positions.mistake(
    "waves get shorter",
    "the angles grow with the column. Later columns must turn more slowly: check the sign of the exponent.",
)
def _(tokens, width, base=10_000.0):
    rate = base ** (2 * torch.arange(width // 2, dtype=torch.float64) / width)
    angle = torch.arange(tokens, dtype=torch.float64)[:, None] * rate
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).float()


sinusoidal_positions.slip(".flatten(1)", ".flatten(1).T", "rows and columns swapped").says(
    "the table lies on its side. A row is a place, a column a wave."
)
sinusoidal_positions.slip("2) / width)", "2) / max(width - 2, 1))", "the last pair at the full base").says(
    "the exponent is divided by width - 2. The formula divides by the width, so the last pair stays short of the base."
)


@sinusoidal_positions.mistake(
    "the column doubled",
    "the exponent is twice the column's number. In the formula i counts pairs, so 2i is the even column itself.",
)
def _(tokens, width, base=10_000.0):
    column = torch.arange(width)
    angle = torch.arange(tokens).unsqueeze(1) * base ** (-2 * column.double() / width)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()


@sinusoidal_positions.mistake(
    "places as a share of the length",
    "places were divided by the number of tokens. A place's row must be the same in a short text and in a long one.",
)
def _(tokens, width, base=10_000.0):
    rate = base ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(tokens).unsqueeze(1) / tokens * rate
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)
