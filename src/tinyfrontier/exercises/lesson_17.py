"""Exercises of lesson 17: nearest codes, streams of two senses, targets for answers, tokens of one sense."""

from __future__ import annotations

import math

import torch

from .engine import Case, Exercise, Mistake


def nearest_code(vectors, codes):
    flat = vectors.reshape(-1, vectors.shape[-1])
    return torch.cdist(flat, codes).argmin(-1).view(vectors.shape[:-1])


def nearest_cases():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape, size=1.0):
        return size * torch.randn(*shape, generator=generator)

    long_code = torch.tensor([[1.0, 0.0], [10.0, 0.0], [0.0, 3.0]])
    return [
        Case("the worked example", (torch.tensor([[3.0, 0.0], [9.0, 9.0]]), torch.tensor([[0.0, 0.0], [4.0, 0.0]]))),
        Case("20 vectors of 5 numbers, 7 codes", (draw(20, 5), draw(7, 5))),
        Case("a batch of pictures: (3, 4, 6)", (draw(3, 4, 6), draw(9, 6))),
        Case("one vector", (torch.tensor([1.0, 3.0]), torch.tensor([[4.0, 0.0], [0.0, 0.0], [9.0, 9.0]]))),
        Case("codes of very different length", (torch.tensor([[2.0, 0.0], [9.0, 1.0], [0.5, 0.4]]), long_code)),
        Case("one code only", (draw(4, 3), draw(1, 3))),
        Case("one number a vector", (draw(6, 1, size=5.0), draw(4, 1, size=5.0))),
        Case("one large difference or many small ones", (torch.zeros(1, 4), torch.tensor([[3.0, 0, 0, 0], [1.4] * 4]))),
    ]


def _dot_product(vectors, codes):
    return (vectors @ codes.T).argmax(-1)


def _farthest(vectors, codes):
    return torch.cdist(vectors.reshape(-1, vectors.shape[-1]), codes).argmax(-1).view(vectors.shape[:-1])


def _cosine(vectors, codes):
    return (torch.nn.functional.normalize(vectors, dim=-1) @ torch.nn.functional.normalize(codes, dim=-1).T).argmax(-1)


def _by_absolute(vectors, codes):
    return (vectors.unsqueeze(-2) - codes).abs().sum(-1).argmin(-1)


def _not_squared(vectors, codes):
    return (codes.sum(-1) - 2 * vectors @ codes.T).argmin(-1)


def _factor_forgotten(vectors, codes):
    return (codes.square().sum(-1) - vectors @ codes.T).argmin(-1)


def _the_code_itself(vectors, codes):
    return codes[nearest_code(vectors, codes)]


def pair_stream(first, second, offsets, marks):
    batch, n = first.shape
    stream = torch.empty(batch, n + second.shape[1] + 2, dtype=torch.long)
    stream[:, 0], stream[:, n + 1] = marks
    stream[:, 1 : n + 1] = first + offsets[0]
    stream[:, n + 2 :] = second + offsets[1]
    return stream


def stream_cases():
    generator = torch.Generator().manual_seed(2)

    def draw(batch, length, codes=9):
        return torch.randint(codes, (batch, length), generator=generator)

    return [
        Case("the worked example", (torch.tensor([[0, 2]]), torch.tensor([[1]]), (0, 10), (20, 21))),
        Case("three rows, 4 and 6 tokens", (draw(3, 4), draw(3, 6), (5, 14), (30, 29))),
        Case("the later sense comes first", (draw(2, 5), draw(2, 3), (14, 0), (41, 40))),
        Case("one token each", (draw(1, 1), draw(1, 1), (3, 7), (50, 60))),
        Case("one sense twice", (draw(4, 2), draw(4, 2), (6, 6), (17, 17))),
    ]


def _join(*parts):
    return torch.cat(parts, dim=1)


def _column(codes, value):
    return torch.full_like(codes[:, :1], value)


def _no_offsets(first, second, offsets, marks):
    return _join(_column(first, marks[0]), first, _column(second, marks[1]), second)


def _marks_moved_too(first, second, offsets, marks):
    parts = [_column(first, marks[0]), first], [_column(second, marks[1]), second]
    return _join(*(part + offset for pair, offset in zip(parts, offsets, strict=True) for part in pair))


def _marks_in_front(first, second, offsets, marks):
    return _join(_column(first, marks[0]), _column(second, marks[1]), first + offsets[0], second + offsets[1])


def _marks_behind(first, second, offsets, marks):
    return _join(first + offsets[0], _column(first, marks[0]), second + offsets[1], _column(second, marks[1]))


def _second_unmarked(first, second, offsets, marks):
    return _join(_column(first, marks[0]), first + offsets[0], second + offsets[1])


def _first_offset_twice(first, second, offsets, marks):
    return _join(_column(first, marks[0]), first + offsets[0], _column(second, marks[1]), second + offsets[0])


def _swapped(first, second, offsets, marks):
    return pair_stream(second, first, offsets[::-1], marks[::-1])


def answer_targets(tokens, marks):
    at = torch.arange(tokens.shape[1])
    second = torch.where(torch.isin(tokens, marks), at, -1).amax(dim=1, keepdim=True)  # place of the last marker
    return torch.where(at > second, tokens, -100)[:, 1:]


def target_cases():
    generator = torch.Generator().manual_seed(3)

    def draw(batch, first, second, marks):
        return pair_stream(
            torch.randint(8, (batch, first), generator=generator),
            torch.randint(8, (batch, second), generator=generator),
            (0, 10),
            marks,
        )

    return [
        Case("the worked example", (torch.tensor([[20, 0, 2, 21, 11, 12]]), torch.tensor([20, 21]))),
        Case("three rows, 4 and 6 tokens", (draw(3, 4, 6, (30, 31)), torch.tensor([30, 31, 32]))),
        Case(
            "senses of several lengths in one batch",
            (torch.cat([draw(2, 3, 5, (40, 41)), draw(2, 5, 3, (43, 42))]), torch.tensor([40, 41, 42, 43])),
        ),
        Case("one token each", (draw(1, 1, 1, (25, 26)), torch.tensor([25, 26]))),
        Case("one sense twice", (draw(2, 2, 3, (19, 19)), torch.tensor([18, 19]))),
        Case("markers below the codes", (torch.tensor([[1, 7, 9, 0, 8, 7, 9]]), torch.tensor([0, 1]))),
    ]


def _everything(tokens, marks):
    return tokens[:, 1:].clone()


def _question_too(tokens, marks):
    return tokens[:, 1:].masked_fill(torch.isin(tokens[:, 1:], marks), -100)


def _marker_predicted(tokens, marks):
    seen = torch.isin(tokens, marks).cumsum(1)
    return tokens[:, 1:].masked_fill(seen[:, 1:] < 2, -100)


def _first_answer_lost(tokens, marks):
    seen = torch.isin(tokens, marks).cumsum(1)
    late = torch.cat([torch.zeros_like(seen[:, :1]), seen[:, :-2]], dim=1)
    return tokens[:, 1:].masked_fill(late < 2, -100)


def _not_shifted(tokens, marks):
    seen = torch.isin(tokens, marks).cumsum(1)
    return tokens.masked_fill((seen < 2) | torch.isin(tokens, marks), -100)[:, :-1]


def _question_instead(tokens, marks):
    return tokens[:, 1:].masked_fill(torch.isin(tokens, marks).cumsum(1)[:, :-1] >= 2, -100)


def _zeros(tokens, marks):
    return answer_targets(tokens, marks).clamp(min=0)


def sense_probabilities(logits, start, count, temperature):
    chances = torch.zeros_like(logits)
    chances[:, start : start + count] = (logits[:, start : start + count] / temperature).softmax(dim=-1)
    return chances


def probability_cases():
    generator = torch.Generator().manual_seed(4)

    def draw(batch, vocabulary, size=2.0):
        return size * torch.randn(batch, vocabulary, generator=generator)

    return [
        Case("the worked example", (torch.tensor([[9.0, 0.0, 0.0, 9.0]]), 1, 2, 1.0)),
        Case("4 rows, 10 tokens, temperature 1", (draw(4, 10), 3, 4, 1.0)),
        Case("low temperature", (draw(3, 8), 2, 5, 0.5)),
        Case("high temperature, from the first token", (draw(2, 7), 0, 3, 2.5)),
        Case("to the last token", (draw(2, 6), 4, 2, 0.8)),
        Case("one token allowed", (draw(1, 5), 3, 1, 1.0)),
        Case("large logits", (draw(2, 9, size=60.0), 1, 6, 1.0)),
    ]


def _stretch(logits, start, count):
    allowed = torch.zeros_like(logits, dtype=torch.bool)
    allowed[:, start : start + count] = True
    return allowed


def _cut_after_softmax(logits, start, count, temperature):
    return (logits / temperature).softmax(-1) * _stretch(logits, start, count)


def _cut_with_zero(logits, start, count, temperature):
    return (logits * _stretch(logits, start, count) / temperature).softmax(-1)


def _one_more(logits, start, count, temperature):
    return (logits / temperature).masked_fill(~_stretch(logits, start, count + 1), -math.inf).softmax(-1)


def _count_is_end(logits, start, count, temperature):
    return (logits / temperature).masked_fill(~_stretch(logits, start, max(count - start, 1)), -math.inf).softmax(-1)


def _multiplied(logits, start, count, temperature):
    return sense_probabilities(logits, start, count, 1 / temperature)


def _no_temperature(logits, start, count, temperature):
    return sense_probabilities(logits, start, count, 1.0)


def _only_the_stretch(logits, start, count, temperature):
    return (logits[:, start : start + count] / temperature).softmax(-1)


def _whole_vocabulary(logits, start, count, temperature):
    return (logits / temperature).softmax(-1)


EXERCISES = (
    Exercise(
        name="nearest_code",
        reference=nearest_code,
        cases=nearest_cases,
        returns="integer tensor (...)",
        points=1,
        mistakes=(
            Mistake(
                "largest product",
                _dot_product,
                "the code with the largest product wins, so long codes win too often. Closeness is a distance.",
            ),
            Mistake(
                "farthest", _farthest, "these are the codes farthest away. Look at which end of the table you take."
            ),
            Mistake(
                "angle only",
                _cosine,
                "codes are compared by angle alone. A dark and a light patch of one colour have the same angle.",
            ),
            Mistake(
                "absolute differences",
                _by_absolute,
                "differences are added up without squaring. One large difference should count more than several small "
                "ones.",
            ),
            Mistake(
                "codes not squared",
                _not_squared,
                "the term for the code's own length lacks its square.",
            ),
            Mistake(
                "factor forgotten",
                _factor_forgotten,
                "in the square of a difference the mixed term counts twice.",
            ),
            Mistake("codes returned", _the_code_itself, "these are the codes themselves. A token is a code's number."),
        ),
    ),
    Exercise(
        name="pair_stream",
        reference=pair_stream,
        cases=stream_cases,
        returns="integer tensor (batch, n + m + 2)",
        points=1,
        mistakes=(
            Mistake(
                "no offsets",
                _no_offsets,
                "code 3 of a picture and word 3 are the same token here. Each sense needs its own stretch of numbers.",
            ),
            Mistake(
                "markers moved",
                _marks_moved_too,
                "the offset was added to the markers as well. They are tokens already.",
            ),
            Mistake(
                "both markers in front",
                _marks_in_front,
                "both markers stand at the start. The second must stand where the second sense begins.",
            ),
            Mistake(
                "markers behind",
                _marks_behind,
                "each marker stands behind its tokens. The model should know what comes before it comes.",
            ),
            Mistake(
                "second unmarked",
                _second_unmarked,
                "nothing says where the second sense begins: its marker is missing.",
            ),
            Mistake(
                "one offset for both",
                _first_offset_twice,
                "the second sense is moved by the first one's offset, into the wrong stretch.",
            ),
            Mistake("wrong order", _swapped, "the second sense stands in front of the first."),
        ),
    ),
    Exercise(
        name="answer_targets",
        reference=answer_targets,
        cases=target_cases,
        returns="integer tensor (batch, length - 1)",
        points=2,
        mistakes=(
            Mistake("nothing left out", _everything, "every token is a target: the model would pay for questions too."),
            Mistake(
                "only markers left out",
                _question_too,
                "the markers are left out, but the question's own tokens are still targets.",
            ),
            Mistake(
                "second marker is a target",
                _marker_predicted,
                "the second marker is a target. You choose which sense to ask for, not the model.",
            ),
            Mistake(
                "first answer token lost",
                _first_answer_lost,
                "the first token of the answer is left out. It is predicted at the second marker's place.",
            ),
            Mistake(
                "not shifted",
                _not_shifted,
                "each place has its own token as target. It should be the token that follows.",
            ),
            Mistake("question instead", _question_instead, "these are the question's tokens; the answer is left out."),
            Mistake("zero for left out", _zeros, "what is left out is 0 here, and 0 is a token. Use -100."),
        ),
    ),
    Exercise(
        name="sense_probabilities",
        reference=sense_probabilities,
        cases=probability_cases,
        returns="float tensor (batch, vocabulary)",
        points=1,
        mistakes=(
            Mistake(
                "cut after the softmax",
                _cut_after_softmax,
                "the rest does not add up to 1: the softmax shared out probability to tokens that were cut later.",
            ),
            Mistake("scores set to zero", _cut_with_zero, "forbidden tokens have score 0, but exp(0) is 1."),
            Mistake(
                "one token too many", _one_more, "the stretch is one token too long and reaches into the next sense."
            ),
            Mistake(
                "count taken for the end", _count_is_end, "count is how many tokens there are, not where they end."
            ),
            Mistake(
                "times the temperature", _multiplied, "logits are multiplied by the temperature. Low should sharpen."
            ),
            Mistake(
                "temperature ignored", _no_temperature, "right at temperature 1 only. Where does the temperature go in?"
            ),
            Mistake(
                "only the stretch",
                _only_the_stretch,
                "right numbers, but the columns of the other senses are gone, so column 0 is no longer token 0.",
            ),
            Mistake("nothing cut", _whole_vocabulary, "tokens of other senses can still be drawn."),
        ),
    ),
)
