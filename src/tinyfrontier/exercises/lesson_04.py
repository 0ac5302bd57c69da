"""Exercises of lesson 04: a regression as a prompt, ridge regression, an answer's score, a few-shot prompt.

References, cases, known mistakes.
"""

from __future__ import annotations

import torch

from .engine import Case, Exercise, Mistake


def pack(x, y):
    batch, points, d = x.shape
    tokens = x.new_zeros(batch, 2 * points, d + 2)
    tokens[:, :points, :d] = x
    tokens[:, points:, :d] = x
    tokens[:, :points, d] = y
    tokens[:, points:, d + 1] = 1
    place = torch.arange(2 * points)
    point, question = place % points, place >= points
    # an earlier example, or the token itself
    mask = (~question[None, :] & (point[None, :] < point[:, None])) | (place[None, :] == place[:, None])
    return tokens, mask


def pack_cases():
    generator = torch.Generator().manual_seed(1)

    def draw(batch, points, d):
        return torch.randn(batch, points, d, generator=generator), torch.randn(batch, points, generator=generator)

    return [
        Case("2 points in 3 dimensions", draw(1, 2, 3)),
        Case("4 tasks of 5 points", draw(4, 5, 3)),
        Case("one point alone", draw(2, 1, 4)),
        Case("one dimension, 7 points", draw(3, 7, 1)),
        Case("all answers zero", (draw(2, 3, 2)[0], torch.zeros(2, 3))),
    ]


def _with_mask(change):
    def packed(x, y):
        tokens, mask = pack(x, y)
        return tokens, change(mask.clone(), y.shape[1])

    return packed


def _own_answer(mask, points):
    mask[points:, :points] |= torch.eye(points, dtype=torch.bool)
    return mask


def _blind_to_itself(mask, points):
    mask[points:, points:] = False
    return mask


def _sees_all_examples(mask, points):
    mask[points:, :points] = True
    return mask


def _examples_see_all(mask, points):
    mask[:points, :points] = True
    return mask


def _questions_see_questions(mask, points):
    mask[points:, points:] = torch.ones(points, points).tril().bool()
    return mask


def _plain_causal(mask, points):
    return torch.ones(2 * points, 2 * points).tril().bool()


def _with_tokens(change):
    def packed(x, y):
        tokens, mask = pack(x, y)
        return change(tokens, y.shape[1]), mask

    return packed


def _answers_left(tokens, points):
    tokens[:, points:, -2] = tokens[:, :points, -2]
    return tokens


def _flag_on_examples(tokens, points):
    tokens[:, :, -1] = 1 - tokens[:, :, -1]
    return tokens


def _interleaved(x, y):
    tokens, mask = pack(x, y)
    order = torch.arange(2 * y.shape[1]).view(2, -1).T.flatten()
    return tokens[:, order], mask[order][:, order]


def ridge_predict(x, y, query, strength):
    # the dual form, w = X^T (X X^T + strength I)^-1 y: a system of n equations instead of d
    kernel = x @ x.mT + strength * torch.eye(x.shape[1], dtype=x.dtype)  # (batch, n, n)
    share = torch.linalg.solve(kernel, y[..., None])  # (batch, n, 1)
    return (query[:, None] @ x.mT @ share)[:, 0, 0]


def ridge_cases():
    generator = torch.Generator().manual_seed(2)

    def draw(batch, n, d):
        return (
            torch.randn(batch, n, d, generator=generator, dtype=torch.float64),
            torch.randn(batch, n, generator=generator, dtype=torch.float64),
            torch.randn(batch, d, generator=generator, dtype=torch.float64),
        )

    worked = (torch.tensor([[[1.0], [2.0]]]), torch.tensor([[2.0, 3.0]]), torch.tensor([[3.0]]), 1.0)
    return [
        Case("6 examples in 3 dimensions", (*draw(4, 6, 3), 0.27)),
        Case("the worked example", worked),
        Case("fewer examples than dimensions", (*draw(3, 2, 5), 1.5)),
        Case("no example at all", (*draw(2, 0, 3), 0.5)),
        Case("one task, strong pull", (*draw(1, 4, 2), 40.0)),
    ]


def _ridge(x, y, query, normal):
    w = torch.linalg.solve(normal, x.mT @ y[..., None])
    return (query * w[..., 0]).sum(-1)


def _identity(x):
    return torch.eye(x.shape[-1], dtype=x.dtype)


def _no_ridge(x, y, query, strength):
    return (query * (torch.linalg.pinv(x) @ y[..., None])[..., 0]).sum(-1)


def _everywhere(x, y, query, strength):
    return _ridge(x, y, query, x.mT @ x + strength + 1e-9 * _identity(x))


def _times_n(x, y, query, strength):
    return _ridge(x, y, query, x.mT @ x + max(1, x.shape[1]) * strength * _identity(x))


def _over_n(x, y, query, strength):
    return _ridge(x, y, query, x.mT @ x + strength / max(1, x.shape[1]) * _identity(x))


def _squared(x, y, query, strength):
    return _ridge(x, y, query, x.mT @ x + strength**2 * _identity(x))


def _centred(x, y, query, strength):
    if x.shape[1] == 0:
        return y.new_zeros(len(y))
    middle, level = x.mean(1), y.mean(1)
    inside = ridge_predict(x - middle[:, None], y - level[:, None], query - middle, strength)
    return inside + level


def _no_solve(x, y, query, strength):
    return (query * (x.mT @ y[..., None])[..., 0]).sum(-1)


def completion_score(logits, tokens, start):
    rows, length = tokens.shape
    scores = []
    for row in range(rows):
        total = logits.new_zeros(())
        for place in range(start, length):
            before = logits[row, place - 1]  # speaks about the token at `place`
            total = total + before[tokens[row, place]] - torch.logsumexp(before, dim=0)
        scores.append(total)
    return torch.stack(scores)


def score_cases():
    generator = torch.Generator().manual_seed(3)

    def draw(rows, tokens, vocabulary, size=1.0):
        return (
            size * torch.randn(rows, tokens, vocabulary, generator=generator),
            torch.randint(vocabulary, (rows, tokens), generator=generator),
        )

    return [
        Case("4 rows of 6 tokens, answers of 2", (*draw(4, 6, 9), 4)),
        Case("even odds: 2 tokens of a vocabulary of 4", (torch.zeros(1, 5, 4), torch.zeros(1, 5).long(), 3)),
        Case("answers of one token", (*draw(3, 4, 5), 3)),
        Case("everything but the first token is the answer", (*draw(2, 7, 6), 1)),
        Case("very sure, and often wrong", (*draw(5, 5, 3, size=30.0), 2)),
    ]


def _taken(logits, tokens):
    return logits.log_softmax(-1).gather(2, tokens[..., None])[..., 0]


def _not_shifted(logits, tokens, start):
    return _taken(logits, tokens)[:, start:].sum(1)


def _whole_text(logits, tokens, start):
    return _taken(logits[:, :-1], tokens[:, 1:]).sum(1)


def _one_too_late(logits, tokens, start):
    return _taken(logits[:, :-1], tokens[:, 1:])[:, start:].sum(1)


def _mean(logits, tokens, start):
    return _taken(logits[:, :-1], tokens[:, 1:])[:, start - 1 :].mean(1)


def _first_token(logits, tokens, start):
    return _taken(logits[:, :-1], tokens[:, 1:])[:, start - 1]


def _raw_logits(logits, tokens, start):
    return logits[:, start - 1 : -1].gather(2, tokens[:, start:, None])[..., 0].sum(1)


def _probability(logits, tokens, start):
    return completion_score(logits, tokens, start).exp()


def _sum_of_probabilities(logits, tokens, start):
    return _taken(logits[:, :-1], tokens[:, 1:])[:, start - 1 :].exp().sum(1)


def _cost(logits, tokens, start):
    return -completion_score(logits, tokens, start)


def few_shot_prompt(opening, line, examples, name):
    text = opening
    for known, kind in examples:
        text += line.replace("{name}", known).replace("{kind}", kind)
        text += "\n"
    text += line[: line.index("{kind}")].replace("{name}", name) if "{kind}" in line else line.replace("{name}", name)
    while text.endswith(" "):
        text = text[:-1]
    return text


def prompt_cases():
    three = [("axis", "int"), ("copy", "bool"), ("tol", "float")]
    return [
        Case("the worked example", ("Types\n", "{name} : {kind}", [("axis", "int")], "copy")),
        Case("three examples", ("Parameters\n----------\n", "{name} : {kind}", three, "order")),
        Case("no example", ("Args:\n", "    {name} ({kind}): a parameter", [], "x")),
        Case("no opening, text after the kind", ("", "{name}:   {kind}, optional", three[:2], "order")),
        Case("the name twice, and a question", ("Q and A\n\n", "What is {name}? {name} is {kind}.", three[1:], "func")),
        Case(
            "an opening that ends in spaces, and a name that stands alone", ("Say:  \n", "{name} {kind}", three, "n_x")
        ),
    ]


def _space_left(opening, line, examples, name):
    shown = "".join(_filled(line, *example) + "\n" for example in examples)
    return opening + shown + line.split("{kind}")[0].replace("{name}", name)


def _filled(line, name, kind):
    return line.replace("{name}", name).replace("{kind}", kind)


def _no_line_ends(opening, line, examples, name):
    shown = "".join(_filled(line, *example) for example in examples)
    return opening + shown + line.split("{kind}")[0].replace("{name}", name).rstrip(" ")


def _spaces_between(opening, line, examples, name):
    shown = "".join(_filled(line, *example) + " " for example in examples)
    return opening + shown + line.split("{kind}")[0].replace("{name}", name).rstrip(" ")


def _question_kept_whole(opening, line, examples, name):
    shown = "".join(_filled(line, *example) + "\n" for example in examples)
    return opening + shown + line.replace("{name}", name)


def _backwards(opening, line, examples, name):
    return few_shot_prompt(opening, line, examples[::-1], name)


def _opening_lost(opening, line, examples, name):
    return few_shot_prompt("", line, examples, name)


def _opening_each_time(opening, line, examples, name):
    shown = "".join(opening + _filled(line, *example) + "\n" for example in examples)
    return shown + few_shot_prompt(opening, line, [], name)


def _line_end_last(opening, line, examples, name):
    return few_shot_prompt(opening, line, examples, name) + "\n"


def _name_and_kind_swapped(opening, line, examples, name):
    return few_shot_prompt(opening, line, [(kind, known) for known, kind in examples], name)


EXERCISES = (
    Exercise(
        name="pack",
        reference=pack,
        cases=pack_cases,
        returns="(float tensor (batch, 2 * points, d + 2), bool tensor (2 * points, 2 * points))",
        points=2,
        mistakes=(
            Mistake(
                "a question sees its own answer",
                _with_mask(_own_answer),
                "question i may look at example i, where its answer stands. Training would teach the network to "
                "copy it.",
            ),
            Mistake(
                "a question does not see itself",
                _with_mask(_blind_to_itself),
                "the questions cannot look at themselves. The first one then sees nothing at all, and the softmax "
                "over nothing is not a number.",
            ),
            Mistake(
                "every question sees every example",
                _with_mask(_sees_all_examples),
                "every question sees all examples. Then nothing is learnt about few examples, and its own answer is "
                "among them.",
            ),
            Mistake(
                "examples see the future",
                _with_mask(_examples_see_all),
                "an example sees later examples. An early question that looks at it hears about answers to come.",
            ),
            Mistake(
                "questions see each other",
                _with_mask(_questions_see_questions),
                "a question sees earlier questions. Nobody sees another question.",
            ),
            Mistake(
                "a plain causal mask",
                _with_mask(_plain_causal),
                "this is the causal mask for text. Here the questions stand behind all examples, so each would see "
                "its own answer, and the other questions.",
            ),
            Mistake(
                "answers left in the questions",
                _with_tokens(_answers_left),
                "the questions still hold their answers. Put 0 where an example has its y.",
            ),
            Mistake(
                "the flag marks the examples",
                _with_tokens(_flag_on_examples),
                "the last number is turned round: 0 marks an example, 1 a question.",
            ),
            Mistake(
                "interleaved",
                _interleaved,
                "examples and questions alternate. First come all examples, then all questions.",
            ),
        ),
    ),
    Exercise(
        name="ridge_predict",
        reference=ridge_predict,
        cases=ridge_cases,
        returns="float tensor (batch,)",
        # an axis of length 1: its first entry is its last
        equivalent_mutants=("0 -> -1 in return (query * w[..., 0]).sum(dim=-1)",),
        points=1,
        mistakes=(
            Mistake("no ridge", _no_ridge, "this is least squares: `strength` has no effect."),
            Mistake(
                "added everywhere",
                _everywhere,
                "the strength is added to every entry of the matrix. The identity has it on the diagonal only.",
            ),
            Mistake(
                "times the number of examples",
                _times_n,
                "the pull grows with the number of examples, as if the errors were averaged. Here they are added up.",
            ),
            Mistake(
                "divided by the number of examples",
                _over_n,
                "the pull gets weaker with the number of examples by itself. Do not divide it as well.",
            ),
            Mistake("strength squared", _squared, "the strength is squared. It goes into the matrix as it is."),
            Mistake(
                "with an intercept",
                _centred,
                "means were taken out, which fits an intercept. Here every line goes through the origin.",
            ),
            Mistake(
                "no system solved",
                _no_solve,
                "this is X^T y times the query, a gradient step. The inverse of the matrix is missing.",
            ),
        ),
    ),
    Exercise(
        name="completion_score",
        reference=completion_score,
        cases=score_cases,
        returns="float tensor (rows,)",
        # an axis of length 1: its first entry is its last
        equivalent_mutants=("0 -> -1 in return chances.gather(2, tokens[:, start:, None])[..., 0].sum(dim=1)",),
        points=2,
        mistakes=(
            Mistake(
                "not shifted",
                _not_shifted,
                "the token at place t is scored by the logits at place t, which have read it already. Which place "
                "predicts it?",
            ),
            Mistake("prompt scored too", _whole_text, "the prompt's tokens are scored as well. Begin at `start`."),
            Mistake(
                "first token of the answer left out",
                _one_too_late,
                "the answer's first token is left out. It is predicted by the last token of the prompt.",
            ),
            Mistake(
                "mean instead of sum",
                _mean,
                "this is the mean over the answer's tokens. A text's probability is a product, so its logarithm is a "
                "sum.",
            ),
            Mistake(
                "first token only",
                _first_token,
                "only the answer's first token counts here. An answer may have several.",
            ),
            Mistake(
                "raw logits",
                _raw_logits,
                "these are logits added up, not log-probabilities. Rows with large logits would win.",
            ),
            Mistake("probability", _probability, "this is the probability itself. Return its logarithm."),
            Mistake(
                "probabilities added",
                _sum_of_probabilities,
                "probabilities of successive tokens multiply. Add up their logarithms.",
            ),
            Mistake(
                "cost instead of score",
                _cost,
                "the sign is turned round: this is a cost, and the best answer would lose.",
            ),
        ),
    ),
    Exercise(
        name="few_shot_prompt",
        reference=few_shot_prompt,
        cases=prompt_cases,
        returns="str",
        points=1,
        mistakes=(
            Mistake(
                "a space left at the end",
                _space_left,
                "the prompt ends in a space. You cannot see it, but the model can.",
            ),
            Mistake("no ends of lines", _no_line_ends, "the examples run into each other. Each ends its line."),
            Mistake("spaces for ends of lines", _spaces_between, "the examples are separated by spaces, not lines."),
            Mistake(
                "the question not cut off",
                _question_kept_whole,
                "the question still holds what stands at and after {kind}. The model has to continue before it.",
            ),
            Mistake("backwards", _backwards, "the examples stand in reverse order. Show them as they are given."),
            Mistake("opening lost", _opening_lost, "the opening is missing: every prompt begins with it."),
            Mistake("opening repeated", _opening_each_time, "the opening stands before every example. Once is enough."),
            Mistake(
                "a line end at the end",
                _line_end_last,
                "the prompt ends with a new line, so the model has to begin a line instead of finishing one.",
            ),
            Mistake(
                "name and kind swapped",
                _name_and_kind_swapped,
                "name and kind have changed places: each example is (name, kind).",
            ),
        ),
    ),
)
