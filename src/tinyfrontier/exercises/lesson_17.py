"""Exercises of lesson 17: nearest codes, streams of two senses, targets for answers, tokens of one sense."""

import math

import torch

from .form import exercise


@exercise(returns="integer tensor (...)", points=1)
def nearest_code(vectors, codes):
    nearest = []
    for vector in vectors.reshape(-1, vectors.shape[-1]):
        distances = [float((vector - code).square().sum()) for code in codes]
        nearest.append(distances.index(min(distances)))
    return torch.tensor(nearest).view(vectors.shape[:-1])


@nearest_code.cases
def _():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape, size=1.0):
        return size * torch.randn(*shape, generator=generator)

    long_code = torch.tensor([[1.0, 0.0], [10.0, 0.0], [0.0, 3.0]])
    yield "the worked example", torch.tensor([[3.0, 0.0], [9.0, 9.0]]), torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    yield "20 vectors of 5 numbers, 7 codes", draw(20, 5), draw(7, 5)
    yield "a batch of pictures: (3, 4, 6)", draw(3, 4, 6), draw(9, 6)
    yield "one vector", torch.tensor([1.0, 3.0]), torch.tensor([[4.0, 0.0], [0.0, 0.0], [9.0, 9.0]])
    yield "codes of very different length", torch.tensor([[2.0, 0.0], [9.0, 1.0], [0.5, 0.4]]), long_code
    yield "one code only", draw(4, 3), draw(1, 3)
    yield "one number a vector", draw(6, 1, size=5.0), draw(4, 1, size=5.0)
    yield "one large difference or many small ones", torch.zeros(1, 4), torch.tensor([[3.0, 0, 0, 0], [1.4] * 4])
    corners = torch.tensor([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0], [8.0, 8.0]])
    yield "the first and the last code, far from zero", torch.tensor([[[101.0, 2.0]], [[109.0, 9.0]]]), corners + 100


@nearest_code.usual
def nearest_code(vectors, codes):
    distance = codes.square().sum(dim=-1) - 2 * vectors @ codes.T  # (..., k); |vector|^2 is the same for all codes
    return distance.argmin(dim=-1)


nearest_code.slip("distance.argmin(dim=-1)", "(vectors @ codes.T).argmax(dim=-1)", "largest product").says(
    "the code with the largest product wins, so long codes win too often. Closeness is a distance."
)
nearest_code.slip("argmin", "argmax", "farthest").says(
    "these are the codes farthest away. Look at which end of the table you take."
)
nearest_code.slip(
    "distance.argmin(dim=-1)",
    "(vectors @ (codes / codes.norm(dim=-1, keepdim=True).clamp(min=1e-12)).T).argmax(dim=-1)",
    "angle only",
    "codes are compared by angle alone. A dark and a light patch of one colour have the same angle.",
)
nearest_code.slip(
    "distance.argmin", "(vectors.unsqueeze(-2) - codes).abs().sum(dim=-1).argmin", "absolute differences"
).says("differences are added up without squaring. One large difference should count more than several small ones.")
nearest_code.slip(
    "distance.argmin", "(vectors.unsqueeze(-2) - codes).abs().amax(dim=-1).argmin", "largest difference"
).says("only the largest of the differences counts here. All of them do: square each, then add them up.")
nearest_code.slip("codes.square()", "codes", "codes not squared").says(
    "the term for the code's own length lacks its square."
)
nearest_code.slip("2 * vectors", "vectors", "factor forgotten").says(
    "in the square of a difference the mixed term counts twice."
)
nearest_code.slip("- 2 * vectors", "+ 2 * vectors", "mixed term added").says(
    "the mixed term of a squared difference is taken away; added, it finds the code nearest to minus the vector."
)
nearest_code.slip("distance.argmin(dim=-1)", "codes[distance.argmin(dim=-1)]", "codes returned").says(
    "these are the codes themselves. A token is a code's number."
)
nearest_code.slip("argmin(dim=-1)", "argmin(dim=0)", "nearest vector").says(
    "this runs down the vectors: for each code it finds a vector. Each vector wants a code: take the axis of the codes."
)
nearest_code.slip(
    "distance.argmin(dim=-1)", "torch.nn.functional.one_hot(distance.argmin(dim=-1), len(codes))", "ones and zeros"
).says("a row of zeros with a single 1 for each vector. A token is the number of the place where that 1 stands.")
nearest_code.slip(
    "distance.argmin", "(vectors.unsqueeze(-2) - codes).mean(dim=-1).abs().argmin", "signed differences"
).says("differences of opposite sign cancel when they are added up as they are. Square each of them first.")
nearest_code.slip(
    "distance.argmin",
    "(vectors.norm(dim=-1, keepdim=True) - codes.norm(dim=-1)).abs().argmin",
    "lengths compared",
    "this compares how long vectors and codes are. Two of one length can point to opposite sides.",
)
nearest_code.slip("argmin(dim=-1)", "argmin(dim=-1).flatten()", "shape lost").says(
    "the numbers are right, but in one row. The axes in front of `size` should stay."
)
nearest_code.slip("distance.argmin(dim=-1)", "distance.argmin(dim=-1) + 1", "counted from one").says(
    "the codes are counted from 1; their numbers are places in the table and start at 0."
)
nearest_code.slip("distance.argmin(dim=-1)", "distance.argmin()", "one for all").says(
    "`argmin` without an axis looks for one place in the whole table. Each vector wants an answer of its own."
)


@nearest_code.mistake("distances returned", "these are distances, or the least of them; wanted is where it stands.")
def _(vectors, codes):
    return (vectors.unsqueeze(-2) - codes).norm(dim=-1).amin(dim=-1)


@nearest_code.mistake(
    "a single vector forgotten",
    "this needs an axis in front; a single vector of shape (size,) has none. Flatten to two axes first, and give the "
    "answer the shape of what stood in front.",
)
def _(vectors, codes):
    return torch.cdist(vectors, codes).argmin(dim=-1)


@exercise(returns="integer tensor (batch, n + m + 2)", points=1)
def pair_stream(first, second, offsets, marks):
    batch, n = first.shape
    stream = torch.empty(batch, n + second.shape[1] + 2, dtype=torch.long)
    stream[:, 0], stream[:, n + 1] = marks
    stream[:, 1 : n + 1] = first + offsets[0]
    stream[:, n + 2 :] = second + offsets[1]
    return stream


@pair_stream.cases
def _():
    generator = torch.Generator().manual_seed(2)

    def draw(batch, length, codes=9):
        return torch.randint(codes, (batch, length), generator=generator)

    yield "the worked example", torch.tensor([[0, 2]]), torch.tensor([[1]]), (0, 10), (20, 21)
    yield "three rows, 4 and 6 tokens", draw(3, 4), draw(3, 6), (5, 14), (30, 29)
    yield "the later sense comes first", draw(2, 5), draw(2, 3), (14, 0), (41, 40)
    yield "one token each", draw(1, 1), draw(1, 1), (3, 7), (50, 60)
    yield "one sense twice", draw(4, 2), draw(4, 2), (6, 6), (17, 17)


@pair_stream.usual
def pair_stream(first, second, offsets, marks):
    parts = []
    for codes, offset, mark in zip((first, second), offsets, marks):
        parts += [torch.full_like(codes[:, :1], mark), codes + offset]
    return torch.cat(parts, dim=1)


pair_stream.slip("codes + offset", "codes", "no offsets").says(
    "code 3 of a picture and word 3 are the same token here. Each sense needs its own stretch of numbers."
)
pair_stream.slip("mark), codes", "mark + offset), codes", "markers moved").says(
    "the offset was added to the markers as well. They are tokens already."
)
pair_stream.slip("cat(parts, dim=1)", "cat([*parts[::2], *parts[1::2]], dim=1)", "both markers in front").says(
    "both markers stand at the start. The second must stand where the second sense begins."
)
pair_stream.slip("parts += [", "parts += [codes + offset, ", "codes twice").says(
    "the codes of each sense stand before and behind their marker. They belong behind it only."
)
pair_stream.slip(
    "torch.full_like(codes[:, :1], mark), codes + offset",
    "codes + offset, torch.full_like(codes[:, :1], mark)",
    "markers behind",
    "each marker stands behind its tokens. The model should know what comes before it comes.",
)
pair_stream.slip("cat(parts, dim=1)", "cat(parts[:2] + parts[3:], dim=1)", "second unmarked").says(
    "nothing says where the second sense begins: its marker is missing."
)
pair_stream.slip("cat(parts, dim=1)", "cat(parts[1::2], dim=1)", "no markers").says(
    "the markers are missing: nothing says which sense begins where."
)
pair_stream.slip("codes + offset", "codes + offsets[0]", "one offset for both").says(
    "the second sense is moved by the first one's offset, into the wrong stretch."
)
pair_stream.slip("(first, second), offsets, marks", "(first, second), offsets[::-1], marks", "offsets swapped").says(
    "each sense is moved by the other one's offset."
)
pair_stream.slip("(first, second), offsets, marks", "(first, second), offsets, marks[::-1]", "markers swapped").says(
    "each sense stands behind the other one's marker."
)
pair_stream.slip("cat(parts, dim=1)", "cat(parts[2:] + parts[:2], dim=1)", "wrong order").says(
    "the second sense stands in front of the first."
)
pair_stream.slip("cat(parts, dim=1)", "cat(parts[:2], dim=1), torch.cat(parts[2:], dim=1)", "two streams").says(
    "these are two streams, one for each sense. Join them into one."
)
pair_stream.slip("], mark), codes + offset", "], mark), codes.add_(offset)", "offset added in place").says(
    "the offset is added to the caller's own codes, which are moved twice if they are used again. Make a new tensor."
)
pair_stream.slip("cat(parts, dim=1)", "cat(parts, dim=0)", "rows under rows").says(
    "the parts are put one under the other. They belong side by side, along the tokens' axis."
)
pair_stream.slip("codes[:, :1], mark", "codes[:1, :1], mark", "one row of markers").says(
    "the marker has one row, and each example of the batch needs one."
)


@exercise(returns="integer tensor (batch, length - 1)", points=2)
def answer_targets(tokens, marks):
    targets = torch.full_like(tokens[:, 1:], -100)
    for row, line in enumerate(tokens.tolist()):
        second = [place for place, token in enumerate(line) if token in marks.tolist()][1]
        targets[row, second:] = tokens[row, second + 1 :]
    return targets


@answer_targets.cases
def _():
    generator = torch.Generator().manual_seed(3)

    def draw(batch, first, second, marks):
        codes = [torch.randint(8, (batch, length), generator=generator) for length in (first, second)]
        return pair_stream(*codes, (0, 10), marks)

    yield "the worked example", torch.tensor([[20, 0, 2, 21, 11, 12]]), torch.tensor([20, 21])
    yield "three rows, 4 and 6 tokens", draw(3, 4, 6, (30, 31)), torch.tensor([30, 31, 32])
    several = torch.cat([draw(2, 3, 5, (40, 41)), draw(2, 5, 3, (43, 42))])
    yield "senses of several lengths in one batch", several, torch.tensor([40, 41, 42, 43])
    yield "one token each", draw(1, 1, 1, (25, 26)), torch.tensor([25, 26])
    yield "one sense twice", draw(2, 2, 3, (19, 19)), torch.tensor([18, 19])
    yield "markers below the codes", torch.tensor([[1, 7, 9, 0, 8, 7, 9]]), torch.tensor([0, 1])
    yield (
        "token 0 in the answer",
        torch.tensor([[30, 9, 8, 31, 0, 3, 0], [31, 8, 31, 0, 0, 1, 2]]),
        torch.tensor([30, 31]),
    )


@answer_targets.usual
def answer_targets(tokens, marks):
    markers_before = torch.isin(tokens, marks).cumsum(dim=1)[:, :-1]  # (batch, length - 1)
    return tokens[:, 1:].masked_fill(markers_before < 2, -100)


answer_targets.slip(".masked_fill(markers_before < 2, -100)", "", "nothing left out").says(
    "every token is a target: the model would pay for questions too."
)
answer_targets.slip("markers_before < 2", "torch.isin(tokens[:, 1:], marks)", "only markers left out").says(
    "the markers are left out, but the question's own tokens are still targets."
)
answer_targets.slip("[:, :-1]", "[:, 1:]", "second marker is a target").says(
    "the second marker is a target. You choose which sense to ask for, not the model."
)
answer_targets.slip(
    "markers_before < 2", "torch.nn.functional.pad(markers_before, (1, -1)) < 2", "first answer token lost"
).says("the first token of the answer is left out. It is predicted at the second marker's place.")
answer_targets.slip(
    "tokens[:, 1:].masked_fill(markers_before < 2, -100)",
    "tokens[:, :-1].masked_fill((markers_before < 2) | torch.isin(tokens[:, :-1], marks), -100)",
    "not shifted",
    "each place has its own token as target. It should be the token that follows.",
)
answer_targets.slip("tokens[:, 1:]", "tokens[:, :-1]", "neither shifted nor without the marker").says(
    "each place has its own token as target, the second marker too. It should be the token that follows."
)
answer_targets.slip(
    "tokens[:, 1:].masked_fill(markers_before < 2, -100)",
    "tokens.masked_fill(torch.isin(tokens, marks).cumsum(dim=1) < 2, -100)",
    "as long as the tokens",
    "the tokens themselves, as many as came in. The first token is never predicted, so there is one target less.",
)
answer_targets.slip("tokens[:, 1:].masked_fill(markers_before < 2, -100)", "markers_before >= 2", "the places").says(
    "this says at which places there is a target; wanted are the targets themselves, -100 at the other places."
)
answer_targets.slip(".masked_fill(markers_before < 2, -100)", "[markers_before >= 2]", "only what counts").says(
    "the tokens that count, in one row. Keep one target for each place, and put -100 where nothing is to pay."
)
answer_targets.slip("masked_fill(", "masked_fill_(", "tokens overwritten").says(
    "a slice is a view: the -100 went into the caller's own tokens. Work on a copy, or use what makes a new tensor."
)
answer_targets.slip("markers_before < 2", "markers_before >= 2", "question instead").says(
    "these are the question's tokens; the answer is left out."
)
answer_targets.slip("-100", "0", "zero for left out", "what is left out is 0 here, and 0 is a token. Use -100.")
answer_targets.slip("-100", "-1", "-1 for left out").says(
    "what is left out is -1 here. `F.cross_entropy` leaves out -100 and nothing else."
)
answer_targets.slip(
    "tokens[:, 1:].masked_fill(markers_before < 2, -100)",
    "tokens[:, 1:].masked_fill((markers_before < 2) | (tokens[:, 1:] == 0), -100)",
    "token 0 lost",
    "right until an answer holds token 0, which is left out here. Ask for the place, not for the value.",
)
answer_targets.slip("< 2", "<= 2", "a marker too many").says(
    "each row holds two markers, and this waits for a third: no target is left."
)
answer_targets.slip("cumsum(dim=1)", "cumsum(dim=0)", "counted down the batch").says(
    "markers are counted down the batch. The running count goes along the tokens of one row."
)
answer_targets.slip("torch.isin(tokens, marks)", "(tokens == marks[-1])", "one kind of marker").says(
    "only one of the markers is looked for. Any of `marks` can begin a sense: `torch.isin` knows them all."
)
answer_targets.slip(
    "masked_fill(markers_before < 2, -100)",
    "masked_fill((markers_before[:1] < 2).expand_as(markers_before), -100)",
    "the first row for all",
    "all rows are cut where the first one is. Senses have several lengths: each row has its own second marker.",
)


@exercise(returns="float tensor (batch, vocabulary)", points=1, extreme={"logits": 1e4, "temperature": (0.02,)})
def sense_probabilities(logits, start, count, temperature):
    chances = torch.zeros_like(logits)
    for row, scores in enumerate(logits[:, start : start + count] / temperature):
        shares = (scores - scores.max()).exp()
        chances[row, start : start + count] = shares / shares.sum()
    return chances


@sense_probabilities.cases
def _():
    generator = torch.Generator().manual_seed(4)

    def draw(batch, vocabulary, size=2.0):
        return size * torch.randn(batch, vocabulary, generator=generator)

    yield "the worked example", torch.tensor([[9.0, 0.0, 0.0, 9.0]]), 1, 2, 1.0
    yield "4 rows, 10 tokens, temperature 1", draw(4, 10), 3, 4, 1.0
    yield "low temperature", draw(3, 8), 2, 5, 0.5
    yield "high temperature, from the first token", draw(2, 7), 0, 3, 2.5
    yield "to the last token", draw(2, 6), 4, 2, 0.8
    yield "one token allowed", draw(1, 5), 3, 1, 1.0
    yield "large logits", draw(2, 9, size=60.0), 1, 6, 1.0
    yield "only a very low logit allowed", torch.tensor([[0.0, -9999.0, 5.0], [0.0, -9999.5, 7.0]]), 1, 1, 1.0
    yield "all tokens", draw(2, 4), 0, 4, 1.5


@sense_probabilities.usual
def sense_probabilities(logits, start, count, temperature):
    allowed = torch.full_like(logits, -math.inf)
    allowed[:, start : start + count] = logits[:, start : start + count] / temperature
    return allowed.softmax(dim=-1)


_RETURN = "return allowed.softmax(dim=-1)"
sense_probabilities.slip(
    _RETURN, "return (logits / temperature).softmax(dim=-1) * allowed.isfinite()", "cut after the softmax"
).says("the rest does not add up to 1: the softmax shared out probability to tokens that were cut later.")
sense_probabilities.slip(
    _RETURN,
    "kept = (logits / temperature).softmax(dim=-1) * allowed.isfinite()\n    return kept / kept.sum(-1, keepdim=True)",
    "cut and scaled after the softmax",
    "right until the tokens of other senses take all: what is left is 0 then, and 0 / 0 is no number. Cut first.",
)
sense_probabilities.slip("-math.inf", "0.0", "scores set to zero").says(
    "forbidden tokens have score 0, but exp(0) is 1."
)
sense_probabilities.slip("-math.inf", "-1e4", "a finite mask").says(
    "forbidden tokens have a finite score, and with logits lower than that they are drawn. Use minus infinity."
)


@sense_probabilities.mistake("one token too many", "the stretch is one token too long and reaches into the next sense.")
def _(logits, start, count, temperature):
    return sense_probabilities(logits, start, count + 1, temperature)


@sense_probabilities.mistake(
    "one token too few",
    "the stretch is one token too short: it ends with token `start + count - 1`, that one included.",
)
def _(logits, start, count, temperature):
    return sense_probabilities(logits, start, count - 1, temperature)


@sense_probabilities.mistake("one token late", "the stretch begins behind `start`; that token belongs to it.")
def _(logits, start, count, temperature):
    return sense_probabilities(logits, start + 1, count, temperature)


@sense_probabilities.mistake("count taken for the end", "count is how many tokens there are, not where they end.")
def _(logits, start, count, temperature):
    return sense_probabilities(logits, start, max(count - start, 1), temperature)


@sense_probabilities.mistake(
    "sliced from start to count", "a slice `start:count` ends at token `count`; the stretch ends at `start + count`."
)
def _(logits, start, count, temperature):
    return sense_probabilities(logits, start, max(count - start, 0), temperature)


sense_probabilities.slip("/ temperature", "* temperature", "times the temperature").says(
    "logits are multiplied by the temperature. Low should sharpen."
)
sense_probabilities.slip(" / temperature", "", "temperature ignored").says(
    "right at temperature 1 only. Where does the temperature go in?"
)
sense_probabilities.slip("softmax(dim=-1)", "softmax(dim=-1) / temperature", "temperature twice").says(
    "probabilities are divided by the temperature and add up to 1 no more. It belongs inside the softmax, once."
)
sense_probabilities.slip(_RETURN, "return allowed[:, start : start + count].softmax(dim=-1)", "only the stretch").says(
    "right numbers, but the columns of the other senses are gone, so column 0 is no longer token 0."
)
sense_probabilities.slip(_RETURN, "return (logits / temperature).softmax(dim=-1)", "nothing cut").says(
    "tokens of other senses can still be drawn."
)
sense_probabilities.slip("softmax(dim=-1)", "softmax(dim=0)", "softmax down the batch").says(
    "the softmax runs down the batch. Each row shares its probability among the tokens, the last axis."
)
sense_probabilities.slip("softmax(dim=-1)", "log_softmax(dim=-1)", "logarithms").says(
    "these are logarithms of the probabilities; the probabilities themselves are wanted."
)
sense_probabilities.slip(_RETURN, "return allowed.exp() / allowed.exp().sum(-1, keepdim=True)", "exp by hand").says(
    "right for small logits. Large ones overflow in `exp`: take the row's maximum away first, or use `softmax`."
)
