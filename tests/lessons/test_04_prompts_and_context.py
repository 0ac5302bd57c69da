"""Lesson 04's regressions against NumPy and scikit-learn, its network, scores, prompts, examples and intervals."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tinyfrontier.beside.lesson_04 import names

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(4)


@pytest.fixture(scope="module")
def shipped(lesson):
    """The course's GPT and its tokenizer."""
    return lesson.load_gpt()


def shaken(lesson, seed=0, **sizes):
    """A network with random weights everywhere, so that no branch is zero."""
    torch.manual_seed(seed)
    model = lesson.InContext(**({"width": 24, "heads": 3, "layers": 2} | sizes)).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model


def some_tasks(batch, n, d, seed=0):
    """Examples, answers and queries in float64."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((batch, n, d), (batch, n), (batch, d))
    return tuple(torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes)


SIZES = [(4, 6, 3), (1, 2, 5), (3, 3, 3), (2, 9, 1)]


@pytest.mark.parametrize(("batch", "n", "d"), SIZES)
def test_least_squares_equals_numpy(lesson, batch, n, d):
    """Least squares equals numpy.linalg.lstsq, below, at and above as many examples as dimensions."""
    x, y, query = some_tasks(batch, n, d)
    theirs = [q @ np.linalg.lstsq(a, b, rcond=None)[0] for a, b, q in zip(x.numpy(), y.numpy(), query.numpy())]
    np.testing.assert_allclose(lesson.least_squares(x, y, query), theirs, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("batch", "n", "d"), SIZES)
@pytest.mark.parametrize("strength", [1e-3, 0.25, 32.0])
def test_ridge_equals_scikit_learn(lesson, batch, n, d, strength):
    """Ridge regression equals scikit-learn's without an intercept."""
    from sklearn.linear_model import Ridge

    x, y, query = some_tasks(batch, n, d, seed=1)
    line = Ridge(alpha=strength, fit_intercept=False)
    theirs = [line.fit(a, b).predict(q[None])[0] for a, b, q in zip(x.numpy(), y.numpy(), query.numpy())]
    np.testing.assert_allclose(lesson.ridge_predict(x, y, query, strength), theirs, rtol=1e-6, atol=1e-8)


def test_ridge_turns_into_least_squares_and_into_nothing(lesson):
    """A tiny strength gives least squares, a huge one gives 0, and so does a prompt without examples."""
    x, y, query = some_tasks(5, 7, 3)
    assert torch.allclose(lesson.ridge_predict(x, y, query, 1e-9), lesson.least_squares(x, y, query), atol=1e-6)
    assert lesson.ridge_predict(x, y, query, 1e9).abs().max() < 1e-6
    assert torch.equal(lesson.ridge_predict(x[:, :0], y[:, :0], query, 1.0), torch.zeros(5, dtype=torch.float64))


@pytest.mark.parametrize(("batch", "n", "d"), SIZES)
def test_linear_attention_is_a_gradient_step(lesson, batch, n, d):
    """Attention without softmax predicts what one step of gradient descent from zero predicts."""
    x, y, query = some_tasks(batch, n, d, seed=2)
    w = torch.zeros(batch, d, dtype=torch.float64, requires_grad=True)
    (((x @ w[..., None])[..., 0] - y) ** 2).sum().div(2).backward()
    stepped = -0.3 * (w.grad * query).sum(-1)
    assert torch.allclose(0.3 * lesson.linear_attention(query, x, y), stepped, atol=1e-12)


@pytest.mark.parametrize("n", [1, 4, 10])
def test_no_rate_beats_the_rate_of_one_step(lesson, n):
    """On many tasks, rates above and below the one that the lesson uses give larger errors."""
    x, y, clean = lesson.draw_tasks(60_000, n + 1, torch.Generator().manual_seed(n))
    guess = lesson.descend(x[:, :n], y[:, :n], x[:, n])
    errors = [(scale * guess - clean[:, n]).square().mean().item() for scale in (0.85, 1.0, 1.15)]
    assert errors[1] < min(errors[0], errors[2])
    expected = 1 - n / (n + lesson.DIM + 1 + lesson.DIM * lesson.NOISE**2)
    assert errors[1] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_steps_of_descent_equal_autograd(lesson, steps):
    """Several steps predict what PyTorch's own gradient descent predicts, and many of them least squares."""
    x, y, query = (each.float() for each in some_tasks(3, 6, lesson.DIM))
    w = torch.zeros(3, lesson.DIM, requires_grad=True)
    rate = 0.7 / (6 + lesson.DIM + 1 + lesson.DIM * lesson.NOISE**2)
    for _ in range(steps):
        (gradient,) = torch.autograd.grad((((x @ w[..., None])[..., 0] - y) ** 2).sum() / 2, w)
        w = (w - rate * gradient).detach().requires_grad_()
    assert torch.allclose(lesson.descend(x, y, query, steps, 0.7), (query * w).sum(-1), atol=1e-5)
    assert torch.allclose(lesson.descend(x, y, query, 5000, 0.7), lesson.least_squares(x, y, query), atol=1e-3)


def test_the_rate_of_three_steps_is_the_best_of_four(lesson):
    """After ten examples of other tasks than the exam's, the lesson's boldness for three steps is the best of four."""
    x, y, clean = lesson.draw_tasks(20_000, 11, torch.Generator().manual_seed(98))
    tried = {b: lesson.descend(x[:, :10], y[:, :10], x[:, 10], 3, b) for b in (0.6, 0.8, 1.0, 1.2)}
    missed = {b: F.mse_loss(guess, clean[:, 10]).item() for b, guess in tried.items()}
    assert min(missed, key=missed.get) == lesson.RIVALS["3 gradient steps"].keywords["boldness"]


@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_no_other_strength_beats_the_bayesian_one(lesson, factor):
    """On many tasks, ridge with another strength has a larger error than with d times the noise variance."""
    x, y, clean = lesson.draw_tasks(40_000, 6, torch.Generator().manual_seed(0))
    best = lesson.DIM * lesson.NOISE**2
    errors = [
        (lesson.ridge_predict(x[:, :5], y[:, :5], x[:, 5], strength) - clean[:, 5]).square().mean()
        for strength in (best, factor * best)
    ]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("point", [0, 3, 6])
def test_an_answer_is_seen_by_later_questions_only(lesson, point):
    """Changing an answer changes the predictions for later points, and for no other."""
    model = shaken(lesson)
    x, y, _ = some_tasks(2, 7, lesson.DIM)
    changed = y.clone()
    changed[:, point] += 3
    before, after = model(x, y), model(x, changed)
    assert torch.equal(before[:, : point + 1], after[:, : point + 1])
    assert ((before - after)[:, point + 1 :].abs() > 1e-8).all()


def test_a_longer_prompt_leaves_the_predictions_alone(lesson):
    """All questions in one pass get the answers that each prompt gets by itself."""
    model = shaken(lesson, seed=1)
    x, y, _ = some_tasks(3, 6, lesson.DIM)
    together = model(x, y)
    for n in range(6):
        alone = model(x[:, : n + 1], y[:, : n + 1])[:, n]
        assert torch.allclose(together[:, n], alone, atol=1e-10)


def test_a_fresh_network_says_the_same_to_all(lesson):
    """Before training every prediction is the head's bias, whatever the prompt."""
    torch.manual_seed(0)
    x, y, _ = lesson.draw_tasks(4, 5, torch.Generator().manual_seed(0))
    model = lesson.InContext()
    assert torch.allclose(model(x, y), model.head.bias.expand(4, 5))


def test_drawn_tasks_have_the_promised_statistics(lesson):
    """Clean answers have variance 1, noise has its own, and the changes change what they say."""
    x, y, clean = lesson.draw_tasks(20_000, 4, torch.Generator().manual_seed(0))
    assert clean.var().item() == pytest.approx(1, abs=0.05)
    assert (y - clean).std().item() == pytest.approx(lesson.NOISE, rel=0.02)
    large = lesson.draw_tasks(20_000, 4, torch.Generator().manual_seed(0), size=3.0)
    steep = lesson.draw_tasks(20_000, 4, torch.Generator().manual_seed(0), slope=3.0)
    assert torch.allclose(large[0], 3 * x)
    assert torch.equal(steep[0], x)
    assert torch.allclose(steep[2], 3 * clean, atol=1e-5)
    bent = lesson.draw_tasks(5, 4, torch.Generator().manual_seed(0), bend=torch.sign, noise=0.0)
    assert set(bent[1].flatten().tolist()) == {-1.0, 1.0}


def test_a_diet_of_few_tasks_repeats_them(lesson):
    """`only` draws fresh points of so many tasks, always the same ones for a seed."""
    draw = lesson.only(3, seed=1)
    slopes = []
    for seed in (0, 1):
        x, _, clean = draw(50, 5, torch.Generator().manual_seed(seed))
        w = torch.linalg.pinv(x) @ clean[..., None]
        slopes.append({tuple(row) for row in (w[..., 0] * 100).round().int().tolist()})
    assert slopes[0] == slopes[1]
    assert len(slopes[0]) == 3


def test_shuffled_labels_keep_the_question(lesson):
    """Shuffling changes the examples' answers, keeps their set, and leaves the question's answer and the points."""
    x, y, clean = lesson.draw_tasks(20, 8, torch.Generator().manual_seed(0))
    same_x, mixed, same_clean = lesson.shuffled(x, y, clean)
    assert same_x is x
    assert same_clean is clean
    assert torch.equal(mixed[:, -1], y[:, -1])
    assert torch.equal(mixed[:, :-1].sort(dim=1).values, y[:, :-1].sort(dim=1).values)
    assert not torch.equal(mixed, y)


def test_ridge_under_a_shift_is_told_beside_the_network(lesson):
    """`shifted` gives the error of what it is asked about and ridge's, on the same prompts."""
    ridge = lesson.RIVALS["ridge (best possible)"]
    for change in ({}, {"size": 3.0}, {"points": 21}):
        here, floor = lesson.shifted(lambda x, y: lesson.after_each(ridge, x, y), **change)
        assert here == pytest.approx(floor)


def test_after_each_uses_the_points_before_alone(lesson):
    """Prediction n is made from points 0 to n - 1 and the question at point n."""
    x, y, _ = some_tasks(2, 5, 3)

    def spy(examples, answers, query):
        assert examples.shape[1] == answers.shape[1]
        return 100 * examples.shape[1] + answers.sum(1) + query[:, 0]

    told = lesson.after_each(spy, x, y)
    for n in range(5):
        assert torch.allclose(told[:, n], 100 * n + y[:, :n].sum(1) + x[:, n, 0])


@pytest.mark.parametrize("answers", [[" int", " bool"], [" array_like", " str", "callable"]])
def test_scores_in_groups_equal_scores_one_by_one(lesson, shipped, answers):
    """Prompts of different lengths, read with a shared cache, get the scores that each gets by itself."""
    model, words = shipped
    prompts = ["Parameters\n----------\n" + name + " :" for name in ("axis", "n", "max_iterations_allowed", "n")]
    fast = lesson.answer_scores(model, words, prompts, answers)
    for row, prompt in enumerate(prompts):
        for column, answer in enumerate(answers):
            start = [words.special["<|end|>"], *words.encode(prompt)]
            tokens = torch.tensor([start + words.encode(answer)])
            with torch.no_grad():
                chances = model(tokens)[0].log_softmax(-1)
            slow = sum(chances[0, place - 1, tokens[0, place]] for place in range(len(start), tokens.shape[1]))
            assert fast[row, column].item() == pytest.approx(slow.item(), abs=1e-3)


def test_long_and_equal_prompts_can_be_scored(lesson, shipped):
    """A prompt beyond the context keeps its end, and prompts that are all the same get the same scores."""
    model, words = shipped
    long = "word " * 300
    scores = lesson.answer_scores(model, words, [long + "axis :", long + "copy :", long + "axis :"], [" int", " bool"])
    assert scores.isfinite().all()
    assert torch.allclose(scores[0], scores[2], atol=1e-4)
    assert not torch.allclose(scores[0], scores[1], atol=1e-2)


def test_a_completions_probabilities_add_up_to_one(lesson):
    """Over all answers of two tokens the probabilities add up to 1, and a whole text costs its cross-entropy."""
    torch.manual_seed(0)
    logits = torch.randn(1, 5, 4, dtype=torch.float64)
    rows = torch.tensor([[0, 1, 2, a, b] for a in range(4) for b in range(4)])
    scores = lesson.completion_score(logits.expand(16, -1, -1), rows, 3)
    assert scores.exp().sum().item() == pytest.approx(1)
    whole = lesson.completion_score(logits, rows[:1], 1)
    assert whole.item() == pytest.approx(-F.cross_entropy(logits[0, :-1], rows[0, 1:], reduction="sum").item())


def test_answers_begin_with_a_space_where_the_prompt_has_none(lesson):
    """`ask` puts the space of " {kind}" into the answer, and leaves it out where the prompt ends in one."""
    seen = []

    def spy(model, words, prompts, answers):
        seen.append((prompts, answers))

    ask = type(lesson.ask)(
        lesson.ask.__code__, {**lesson.ask.__globals__, "answer_scores": spy}, "ask", lesson.ask.__defaults__
    )
    ask(None, None, ["copy"], "", "{name} : {kind}")
    ask(None, None, ["copy"], "", "{name} : {kind}", tail=" ")
    ask(None, None, ["copy"], "f(\n", "{name}({kind})", [("axis", "int")])
    assert [prompts[0] for prompts, _ in seen] == ["copy :", "copy : ", "f(\naxis(int)\ncopy("]
    assert [answers[0] for _, answers in seen] == [" int", "int", "int"]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("int, optional", "int"),
        ("array-like of shape (n,)", "array"),
        ("ndarray", "array"),
        ("Boolean; default False", "bool"),
        ("int or str", None),
        ("{'a', 'b'}", None),
        ("(3,) int", None),
        ("function", "callable"),
    ],
)
def test_written_types_are_reduced_to_kinds(written, kind):
    """A type as written in documentation becomes one of six kinds, or None."""
    assert names.kind_of(written) == kind


def test_parameters_are_read_from_their_section_only():
    """Names come from sections headed Parameters, and from no other, over several paragraphs."""
    from tinyfrontier.data.documents import Document

    paragraphs = (
        "Do it.",
        "Parameters\n----------\naxis : int\n    Which one.",
        "    More on axis.",
        "tol : float, optional\n    How close.",
        "Returns\n-------\nresult : bool",
        "Parameters of other kinds follow.",
        "other : str",
    )
    found = names.parameters([Document("numpy", "numpy.x", (("numpy.x.f", paragraphs),))])
    assert list(found) == [("axis", "int"), ("tol", "float, optional")]


def test_examples_are_balanced_and_wrong_labels_are_wrong(lesson):
    """Six examples hold six kinds; with `wrong` the names stay and every label is another one."""
    pool = {f"{kind}_{n}": kind for kind in lesson.KINDS for n in range(3)}
    label = dict(zip(lesson.KINDS, lesson.WORDS, strict=True))
    for seed in range(3):
        right, wrong = (lesson.draw_examples(pool, 6, seed, turned) for turned in (False, True))
        assert sorted(word for _, word in right) == sorted(lesson.WORDS)
        assert all(word == label[pool[name]] for name, word in right)
        assert [name for name, _ in right] == [name for name, _ in wrong]
        assert all(a != b for (_, a), (_, b) in zip(right, wrong, strict=True))
    assert lesson.draw_examples(pool, 0, 1) == []


@pytest.mark.parametrize(("hits", "n"), [(0, 9), (5, 9), (9, 9), (120, 300)])
def test_wilson_solves_its_equation(lesson, hits, n):
    """At both ends the observed share is 1.96 standard errors of the end away."""
    share = hits / n
    for end in lesson.wilson(torch.tensor([True] * hits + [False] * (n - hits))):
        assert abs(share - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / n), abs=1e-6)


def test_the_paired_interval_covers(lesson):
    """The interval holds the measured mean, turns round with the sign, and is as wide as the normal one at 99.5 %."""
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(400, generator=generator) < 0.6
    b = torch.where(torch.rand(400, generator=generator) < 0.9, a, ~a)
    difference = a.float() - b.float()
    low, high = lesson.interval(difference)
    assert low < difference.mean().item() < high
    assert lesson.interval(-difference) == pytest.approx((-high, -low), abs=0.01)
    assert high - low == pytest.approx(2 * 2.807 * difference.std().item() / math.sqrt(400), rel=0.15)


def test_an_interval_says_what_it_shows(lesson):
    """An interval around 0 shows nothing; one on either side says which."""
    said = [lesson.told(ends).split("  ")[1] for ends in ((-0.1, 0.1), (0.0, 0.2), (0.01, 0.2), (-0.2, -0.01))]
    assert said == ["unclear", "unclear", "better", "worse"]


def test_gains_are_counted_name_by_name(lesson, shipped):
    """A text in front that changes nothing gains 0 everywhere, and the gains are those of the shares."""
    model, words = shipped
    some, truth = ["axis", "tol", "copy", "func"], torch.tensor([0, 1, 2, 5])
    text = "Give the type of each parameter."
    (gained,) = lesson.gain(model, words, some, truth, "the line alone", [text])
    before, after = (
        lesson.ask(model, words, some, opening, lesson.LINE).argmax(1) == truth for opening in ("", text + "\n\n")
    )
    assert torch.equal(gained, after.float() - before.float())


def test_all_shapes_ask_the_same_question(lesson):
    """Without examples the four shapes give one and the same prompt; with one they differ."""
    bare = {lesson.few_shot_prompt(*shape, [], "copy") for shape in lesson.SHAPES.values()}
    shown = {lesson.few_shot_prompt(*shape, [("axis", "int")], "copy") for shape in lesson.SHAPES.values()}
    assert bare == {"Parameters\n----------\ncopy :"}
    assert len(shown) == len(lesson.SHAPES)


def test_three_entries_fit_the_context(lesson, shipped):
    """Prompts of as many entries as the lesson shows are read whole."""
    _, words = shipped
    examples = [(name, word) for name, word in zip(("n_components", "callback_func", "x"), lesson.WORDS[3:])]
    prompt = lesson.few_shot_prompt(*lesson.SHAPES["an entry"], examples[: max(lesson.COUNTS)], "max_iter")
    assert len(words.encode(prompt)) <= 119
