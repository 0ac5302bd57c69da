"""Exercises of lesson 04: a regression as a prompt, ridge regression, an answer's score, a few-shot prompt."""

import torch

from .form import exercise


@exercise(returns="(float tensor (batch, 2 * points, d + 2), bool tensor (2 * points, 2 * points))", points=2)
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


@pack.cases
def _():
    generator = torch.Generator().manual_seed(1)

    def draw(batch, points, d):
        return torch.randn(batch, points, d, generator=generator), torch.randn(batch, points, generator=generator)

    yield "2 points in 3 dimensions", *draw(1, 2, 3)
    yield "4 tasks of 5 points", *draw(4, 5, 3)
    yield "one point alone", *draw(2, 1, 4)
    yield "one dimension, 7 points", *draw(3, 7, 1)
    yield "all answers zero", draw(2, 3, 2)[0], torch.zeros(2, 3)


@pack.usual
def pack(x, y):
    points = y.shape[1]
    zero, one = torch.zeros_like(y)[..., None], torch.ones_like(y)[..., None]  # (batch, points, 1)
    examples = torch.cat([x, y[..., None], zero], dim=-1)  # (batch, points, d + 2)
    questions = torch.cat([x, zero, one], dim=-1)
    full = torch.ones(points, points, dtype=torch.bool)
    left = torch.cat([full.tril(), full.tril(-1)])  # looking at examples
    right = torch.cat([~full, torch.eye(points, dtype=torch.bool)])  # looking at questions
    return torch.cat([examples, questions], dim=1), torch.cat([left, right], dim=1)


pack.slip("full.tril(-1)", "full.tril()", "a question sees its own answer").says(
    "question i may look at example i, where its answer stands. Training would teach the network to copy it."
)
pack.slip("torch.eye(points, dtype=torch.bool)", "~full", "a question does not see itself").says(
    "the questions cannot look at themselves. The first one then sees nothing at all, and the softmax "
    "over nothing is not a number."
)
pack.slip("full.tril(-1)", "full", "every question sees every example").says(
    "every question sees all examples. Then nothing is learnt about few examples, and its own answer is among them."
)
pack.slip("full.tril(), ", "full, ", "examples see the future").says(
    "an example sees later examples. An early question that looks at it hears about answers to come."
)
pack.slip("torch.eye(points, dtype=torch.bool)", "full.tril()", "questions see each other").says(
    "a question sees earlier questions. Nobody sees another question."
)
pack.slip(
    "torch.cat([left, right], dim=1)", "torch.ones(2 * points, 2 * points).tril().bool()", "a plain causal mask"
).says(
    "this is the causal mask for text. Here the questions stand behind all examples, so each would see "
    "its own answer, and the other questions."
)
pack.slip("[x, zero, one]", "[x, y[..., None], one]", "answers left in the questions").says(
    "the questions still hold their answers. Put 0 where an example has its y."
)
pack.slip("y[..., None], zero]", "y[..., None], one]", "every token is marked as a question").says(
    "the examples are marked as questions, too. Their last number is 0."
)
pack.slip("return torch.cat([examples, questions]", "return torch.cat([questions, examples]", "questions first").says(
    "the questions stand before the examples. First come all examples, then all questions."
)
pack.slip("[left, right], dim=1)", "[left, right], dim=1).T", "rows and columns swapped").says(
    "the mask is turned over: the row is the token that looks, the column the one that is looked at."
)


@pack.mistake("the flag marks the examples", "the last number is turned round: 0 marks an example, 1 a question.")
def _(x, y):
    tokens, mask = pack(x, y)
    return torch.cat([tokens[..., :-1], 1 - tokens[..., -1:]], dim=-1), mask


@pack.mistake("interleaved", "examples and questions alternate. First come all examples, then all questions.")
def _(x, y):
    tokens, mask = pack(x, y)
    order = torch.arange(2 * y.shape[1]).view(2, -1).T.flatten()
    return tokens[:, order], mask[order][:, order]


@exercise(
    returns="float tensor (batch,)",
    # an axis of length 1: its first entry is its last
    equivalent_mutants=["0 -> -1 in return (query * w[..., 0]).sum(dim=-1)"],
    points=1,
)
def ridge_predict(x, y, query, strength):
    # the dual form, w = X^T (X X^T + strength I)^-1 y: a system of n equations instead of d
    kernel = x @ x.mT + strength * torch.eye(x.shape[1], dtype=x.dtype)  # (batch, n, n)
    share = torch.linalg.solve(kernel, y[..., None])  # (batch, n, 1)
    return (query[:, None] @ x.mT @ share)[:, 0, 0]


@ridge_predict.cases
def _():
    generator = torch.Generator().manual_seed(2)

    def draw(batch, n, d):
        return (
            torch.randn(batch, n, d, generator=generator, dtype=torch.float64),
            torch.randn(batch, n, generator=generator, dtype=torch.float64),
            torch.randn(batch, d, generator=generator, dtype=torch.float64),
        )

    yield "6 examples in 3 dimensions", *draw(4, 6, 3), 0.27
    yield "the worked example", torch.tensor([[[1.0], [2.0]]]), torch.tensor([[2.0, 3.0]]), torch.tensor([[3.0]]), 1.0
    yield "fewer examples than dimensions", *draw(3, 2, 5), 1.5
    yield "no example at all", *draw(2, 0, 3), 0.5
    yield "one task, strong pull", *draw(1, 4, 2), 40.0
    yield "as many tasks as examples and dimensions", *draw(3, 3, 3), 0.1


@ridge_predict.usual
def ridge_predict(x, y, query, strength):
    normal = x.mT @ x + strength * torch.eye(x.shape[-1])  # (batch, d, d)
    w = torch.linalg.solve(normal, x.mT @ y[..., None])  # (batch, d, 1)
    return (query * w[..., 0]).sum(dim=-1)


ridge_predict.slip("strength * torch", "strength + 1e-9 * torch", "added everywhere").says(
    "the strength is added to every entry of the matrix. The identity has it on the diagonal only."
)
ridge_predict.slip("strength * torch", "max(1, x.shape[1]) * strength * torch", "times the number of examples").says(
    "the pull grows with the number of examples, as if the errors were averaged. Here they are added up."
)
ridge_predict.slip(
    "strength * torch", "strength / max(1, x.shape[1]) * torch", "divided by the number of examples"
).says("the pull gets weaker with the number of examples by itself. Do not divide it as well.")
ridge_predict.slip("strength * torch", "strength**2 * torch", "strength squared").says(
    "the strength is squared. It goes into the matrix as it is."
)
ridge_predict.slip("strength * torch", "2 * strength * torch", "strength doubled").says(
    "the strength counts twice. Both terms of the sum have a derivative with a factor 2, so the 2 drops out."
)
ridge_predict.slip("x.mT @ x + strength", "x.mT @ x - strength", "strength subtracted").says(
    "the strength is taken away from the diagonal. It makes the matrix larger, and so the weights smaller."
)
ridge_predict.slip("torch.linalg.solve(normal, x.mT @ y[..., None])", "x.mT @ y[..., None]", "no system solved").says(
    "this is X^T y times the query, a gradient step. The inverse of the matrix is missing."
)
ridge_predict.slip(".sum(dim=-1)", ".mean(dim=-1)", "mean over dimensions").says(
    "the products of query and weights are averaged. A prediction is their sum."
)


@ridge_predict.mistake("no ridge", "this is least squares: `strength` has no effect.")
def _(x, y, query, strength):
    return (query * (torch.linalg.pinv(x) @ y[..., None])[..., 0]).sum(-1)


@ridge_predict.mistake(
    "with an intercept",
    "means were taken out, which fits an intercept. Here every line goes through the origin.",
)
def _(x, y, query, strength):
    if x.shape[1] == 0:
        return y.new_zeros(len(y))
    middle, level = x.mean(1), y.mean(1)
    return ridge_predict(x - middle[:, None], y - level[:, None], query - middle, strength) + level


@exercise(
    returns="float tensor (rows,)",
    extreme={"logits": 1e4},
    # an axis of length 1: its first entry is its last
    equivalent_mutants=["0 -> -1 in return chances.gather(2, tokens[:, start:, None])[..., 0].sum(dim=1)"],
    points=2,
)
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


@completion_score.cases
def _():
    generator = torch.Generator().manual_seed(3)

    def draw(rows, tokens, vocabulary, size=1.0):
        return (
            size * torch.randn(rows, tokens, vocabulary, generator=generator),
            torch.randint(vocabulary, (rows, tokens), generator=generator),
        )

    yield "4 rows of 6 tokens, answers of 2", *draw(4, 6, 9), 4
    yield "even odds: 2 tokens of a vocabulary of 4", torch.zeros(1, 5, 4), torch.zeros(1, 5).long(), 3
    yield "answers of one token", *draw(3, 4, 5), 3
    yield "everything but the first token is the answer", *draw(2, 7, 6), 1
    yield "very sure, and often wrong", *draw(5, 5, 3, size=30.0), 2
    yield "as many rows as tokens and words", *draw(4, 4, 4), 2


@completion_score.usual
def completion_score(logits, tokens, start):
    chances = logits[:, start - 1 : -1].log_softmax(dim=-1)  # (rows, tokens of the answer, vocabulary)
    return chances.gather(2, tokens[:, start:, None])[..., 0].sum(dim=1)


@completion_score.mistake(
    "not shifted",
    "the token at place t is scored by the logits at place t, which have read it already. Which place predicts it?",
)
def _(logits, tokens, start):
    return logits.log_softmax(-1).gather(2, tokens[..., None])[:, start:, 0].sum(1)


@completion_score.mistake("prompt scored too", "the prompt's tokens are scored as well. Begin at `start`.")
def _(logits, tokens, start):
    return completion_score(logits, tokens, 1)


@completion_score.mistake(
    "first token of the answer left out",
    "the answer's first token is left out. It is predicted by the last token of the prompt.",
)
def _(logits, tokens, start):
    return completion_score(logits, tokens, start + 1)


completion_score.slip(".sum(dim=1)", ".mean(dim=1)", "mean instead of sum").says(
    "this is the mean over the answer's tokens. A text's probability is a product, so its logarithm is a sum."
)
completion_score.slip(".sum(dim=1)", ".sum(dim=0)", "summed over the rows").says(
    "the rows were added up, place by place. Add up the places, and keep one score a row."
)
completion_score.slip(".sum(dim=1)", "[:, 0]", "first token only").says(
    "only the answer's first token counts here. An answer may have several."
)
completion_score.slip(".sum(dim=1)", "[:, -1]", "last token only").says(
    "only the answer's last token counts here. An answer may have several."
)
completion_score.slip(".log_softmax(dim=-1)", "", "raw logits").says(
    "these are logits added up, not log-probabilities. Rows with large logits would win."
)
completion_score.slip(".sum(dim=1)", ".sum(dim=1).exp()", "probability").says(
    "this is the probability itself. Return its logarithm."
)
completion_score.slip(".log_softmax(dim=-1)", ".softmax(dim=-1)", "probabilities added").says(
    "probabilities of successive tokens multiply. Add up their logarithms."
)
completion_score.slip("return chances", "return -chances", "cost instead of score").says(
    "the sign is turned round: this is a cost, and the best answer would lose."
)
completion_score.slip(".log_softmax(dim=-1)", ".log_softmax(dim=1)", "softmax over places").says(
    "the probabilities sum to 1 over the places of the text. They should do so over the vocabulary, the last axis."
)
completion_score.slip(".sum(dim=1)", ".sum()", "all rows in one sum").says(
    "all rows are added up. Each row is an answer of its own: sum over its places alone."
)


@exercise(returns="str", points=1)
def few_shot_prompt(opening, line, examples, name):
    text = opening
    for known, kind in examples:
        text += line.replace("{name}", known).replace("{kind}", kind)
        text += "\n"
    question = (line[: line.index("{kind}")] if "{kind}" in line else line).replace("{name}", name)
    while question.endswith(" "):
        question = question[:-1]
    return text + question


@few_shot_prompt.cases
def _():
    three = [("axis", "int"), ("copy", "bool"), ("tol", "float")]
    yield "the worked example", "Types\n", "{name} : {kind}", [("axis", "int")], "copy"
    yield "three examples", "Parameters\n----------\n", "{name} : {kind}", three, "order"
    yield "no example", "Args:\n", "    {name} ({kind}): a parameter", [], "x"
    yield "no opening, text after the kind", "", "{name}:   {kind}, optional", three[:2], "order"
    yield "the name twice, and a question", "Q and A\n\n", "What is {name}? {name} is {kind}.", three[1:], "func"
    yield "an opening that ends in spaces, and a name that stands alone", "Say:  \n", "{name} {kind}", three, "n_x"
    yield "the kind first: nothing but the opening's own spaces is left", "Kinds:  ", "{kind} {name}", [], "axis"
    yield "braces that are no place to fill", "{set}\n", "{{{name}}} in {0}: {kind}", [("a%s", "{x}")], "b{}"
    yield "an indented line", "Args:\n", "    {name} ({kind}): given", three[1:], "axis"
    yield "the kind twice", "Kinds\n", "{name}: {kind}, and {name} is always {kind}", three[:2], "axis"
    yield "a line that ends in a tab before the kind", "Tab\n", "{name}\t{kind}", three[:1], "copy"


@few_shot_prompt.usual
def few_shot_prompt(opening, line, examples, name):
    shown = [line.replace("{name}", n).replace("{kind}", kind) + "\n" for n, kind in examples]
    question = line.split("{kind}")[0].replace("{name}", name)
    return opening + "".join(shown) + question.rstrip(" ")


few_shot_prompt.slip('.rstrip(" ")', "", "a space left at the end").says(
    "the prompt ends in a space. You cannot see it, but the model can."
)
few_shot_prompt.slip(' + "\\n" for', '.strip() + "\\n" for', "examples stripped").says(
    "spaces around the examples are lost. Write them as `line` says: only the question loses the spaces at its end."
)
few_shot_prompt.slip(' + "\\n"', "", "no ends of lines").says("the examples run into each other. Each ends its line.")
few_shot_prompt.slip('"\\n"', '" "', "spaces for ends of lines").says(
    "the examples are separated by spaces, not lines."
)
few_shot_prompt.slip('line.split("{kind}")[0]', "line", "the question not cut off").says(
    "the question still holds what stands at and after {kind}. The model has to continue before it."
)
few_shot_prompt.slip("in examples]", "in examples[::-1]]", "backwards").says(
    "the examples stand in reverse order. Show them as they are given."
)
few_shot_prompt.slip("return opening + ", "return ", "opening lost").says(
    "the opening is missing: every prompt begins with it."
)
few_shot_prompt.slip('split("{kind}")[0]', 'rsplit("{kind}", 1)[0]', "cut before the last kind").says(
    "where the line names the kind twice, the question still holds the first {kind}. Cut before the first one."
)
few_shot_prompt.slip(
    'return opening + "".join(shown)', 'return "".join(opening + one for one in shown) + opening', "opening repeated"
).says("the opening stands before every example. Once is enough.")
few_shot_prompt.slip('.rstrip(" ")', '.rstrip(" ") + "\\n"', "a line end at the end").says(
    "the prompt ends with a new line, so the model has to begin a line instead of finishing one."
)
few_shot_prompt.slip("for n, kind in", "for kind, n in", "name and kind swapped").says(
    "name and kind have changed places: each example is (name, kind)."
)
few_shot_prompt.slip('.rstrip(" ")', ".rstrip()", "tabs and line ends stripped").says(
    '`rstrip()` takes away every kind of white space. Only spaces go; say so: `rstrip(" ")`.'
)


@few_shot_prompt.mistake(
    "the whole prompt stripped",
    "the spaces are taken from the end of the whole prompt, and with an empty question also from the opening, which is "
    "used as it is. Strip the question alone.",
)
def _(opening, line, examples, name):
    shown = [line.replace("{name}", known).replace("{kind}", kind) + "\n" for known, kind in examples]
    return (opening + "".join(shown) + line.split("{kind}")[0].replace("{name}", name)).rstrip(" ")


@few_shot_prompt.mistake(
    "str.format",
    "`str.format` reads every brace in the line, also those that are no place to fill. Replace `{name}` and `{kind}`.",
)
def _(opening, line, examples, name):
    shown = [line.format(name=known, kind=kind) + "\n" for known, kind in examples]
    return opening + "".join(shown) + line.split("{kind}")[0].format(name=name).rstrip(" ")
