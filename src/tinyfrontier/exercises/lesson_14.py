"""Lesson 14, CLIP: the symmetric loss, the state at a sentence's end, recall with fair ties, class vectors."""

import torch
import torch.nn.functional as F

from .engine import Case, Exercise, Mistake


def _points(*shape: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# 1 · clip_loss


def _clip_loss_by_logsumexp(image_vectors, text_vectors, scale):
    """The loss written with logsumexp over rows and columns, without cross-entropy."""
    images = image_vectors / image_vectors.norm(dim=1, keepdim=True)
    texts = text_vectors / text_vectors.norm(dim=1, keepdim=True)
    scores = scale * images @ texts.T
    right = scores.diagonal()
    return ((scores.logsumexp(dim=1) - right).mean() + (scores.logsumexp(dim=0) - right).mean()) / 2


def _loss_cases():
    same = _points(3, 4, seed=40)
    return [
        Case("five pairs, width 7", (_points(5, 7, seed=41), _points(5, 7, seed=42), 3.0)),
        Case("one pair: nothing to choose", (_points(1, 3, seed=43), _points(1, 3, seed=44), 10.0)),
        Case("pictures equal to captions", (same, same.clone(), 5.0)),
        Case(
            "long pictures, short captions",
            (_points(4, 5, seed=45, scale=90.0), _points(4, 5, seed=46, scale=0.01), 2.0),
        ),
        Case("a scale of 100", (_points(6, 8, seed=47), _points(6, 8, seed=48), 100.0)),
        Case("a learnt scale", (_points(4, 2, seed=49), _points(4, 2, seed=50), torch.tensor(14.3))),
    ]


def _table(image_vectors, text_vectors, scale):
    return scale * F.normalize(image_vectors, dim=1) @ F.normalize(text_vectors, dim=1).T


def _not_normalised(image_vectors, text_vectors, scale):
    scores = scale * image_vectors @ text_vectors.T
    target = torch.arange(len(scores))
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


def _rows_only(image_vectors, text_vectors, scale):
    scores = _table(image_vectors, text_vectors, scale)
    return F.cross_entropy(scores, torch.arange(len(scores)))


def _columns_only(image_vectors, text_vectors, scale):
    scores = _table(image_vectors, text_vectors, scale)
    return F.cross_entropy(scores.T, torch.arange(len(scores)))


def _divided_by_scale(image_vectors, text_vectors, scale):
    return _clip_loss_by_logsumexp(image_vectors, text_vectors, 1 / scale)


def _scale_unused(image_vectors, text_vectors, scale):
    return _clip_loss_by_logsumexp(image_vectors, text_vectors, 1.0)


def _added(image_vectors, text_vectors, scale):
    return 2 * _clip_loss_by_logsumexp(image_vectors, text_vectors, scale)


def _normalised_down_columns(image_vectors, text_vectors, scale):
    scores = scale * F.normalize(image_vectors, dim=0) @ F.normalize(text_vectors, dim=0).T
    target = torch.arange(len(scores))
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


def _scale_is_a_logarithm(image_vectors, text_vectors, scale):
    return _clip_loss_by_logsumexp(image_vectors, text_vectors, torch.as_tensor(scale).clamp(max=80).exp())


CLIP_LOSS = Exercise(
    name="clip_loss",
    reference=_clip_loss_by_logsumexp,
    cases=_loss_cases,
    returns="float tensor with one number",
    points=2,
    equivalent_mutants=(  # dim=1 is what normalize does by itself
        "F.normalize(image_vectors, dim=1) -> F.normalize(image_vectors) in images = F.normalize(image_vectors, dim=1)",
        "F.normalize(text_vectors, dim=1) -> F.normalize(text_vectors) in texts = F.normalize(text_vectors, dim=1)",
    ),
    mistakes=(
        Mistake(
            "no normalisation",
            _not_normalised,
            "the scores are dot products: long vectors win. The formula has a cosine.",
        ),
        Mistake(
            "rows only", _rows_only, "each picture picks a caption, but no caption picks a picture: half is missing."
        ),
        Mistake(
            "columns only",
            _columns_only,
            "each caption picks a picture, but no picture picks a caption: half is missing.",
        ),
        Mistake(
            "divides by the scale",
            _divided_by_scale,
            "you divide by `scale`. It is one over the temperature already.",
        ),
        Mistake("scale unused", _scale_unused, "`scale` has no effect: your loss is the one of scale 1."),
        Mistake("sum of both halves", _added, "twice too large: the two halves are averaged, not added."),
        Mistake(
            "lengths of the columns",
            _normalised_down_columns,
            "you normalise down the batch. Each row is one vector, and it is the row that gets length one.",
        ),
        Mistake(
            "exponential of the scale",
            _scale_is_a_logarithm,
            "you exponentiate `scale`. The model stores a logarithm; this function receives the scale itself.",
        ),
    ),
)


# 2 · end_states


def _end_states_by_rows(states, tokens, end):
    return torch.stack([row[numbers.tolist().index(end)] for row, numbers in zip(states, tokens)])


def _state_cases():
    return [
        Case("three sentences of different length", (
            _points(3, 5, 4, seed=51), torch.tensor([[0, 7, 1, 1, 1], [0, 7, 3, 9, 1], [0, 1, 1, 1, 1]]), 1)),
        Case("one sentence", (_points(1, 4, 3, seed=52), torch.tensor([[0, 5, 6, 1]]), 1)),
        Case("end is the largest number, filled with zeros", (
            _points(2, 6, 3, seed=53), torch.tensor([[8, 2, 9, 0, 0, 0], [8, 2, 2, 3, 9, 0]]), 9)),
        Case("end is number 0, and first in a row", (
            _points(3, 4, 2, seed=54), torch.tensor([[0, 0, 0, 0], [5, 4, 0, 0], [3, 0, 2, 0]]), 0)),
        Case("filled with end, larger numbers among the words", (
            _points(2, 5, 6, seed=55), torch.tensor([[0, 12, 11, 4, 4], [0, 9, 4, 4, 4]]), 4)),
    ]  # fmt: skip


def _last_place(states, tokens, end):
    return states[:, -1]


def _first_place(states, tokens, end):
    return states[:, 0]


def _last_end(states, tokens, end):
    places = tokens.shape[1] - 1 - (tokens == end).flip(1).int().argmax(dim=1)
    return states[torch.arange(len(states)), places]


def _largest_number(states, tokens, end):
    return states[torch.arange(len(states)), tokens.argmax(dim=1)]


def _before_end(states, tokens, end):
    return states[torch.arange(len(states)), ((tokens == end).int().argmax(dim=1) - 1).clamp(min=0)]


def _mean_up_to_end(states, tokens, end):
    places = (tokens == end).int().argmax(dim=1)
    inside = (torch.arange(tokens.shape[1]) <= places[:, None]).float().unsqueeze(-1)
    return (states * inside).sum(dim=1) / inside.sum(dim=1)


def _all_pairs(states, tokens, end):
    return states[:, (tokens == end).int().argmax(dim=1)]


END_STATES = Exercise(
    name="end_states",
    reference=_end_states_by_rows,
    cases=_state_cases,
    returns="float tensor (n, width)",
    points=1,
    mistakes=(
        Mistake("last place", _last_place, "that is the state at the last place. Short sentences end earlier."),
        Mistake("first place", _first_place, "that is the state at the first place: it has read nothing but itself."),
        Mistake(
            "last end token", _last_end, "you take the last `end` of a row. Everything after the first is filling."
        ),
        Mistake(
            "largest token number",
            _largest_number,
            "you look for the largest number, not for `end`. That is right only where `end` is the largest.",
        ),
        Mistake("one too early", _before_end, "you stop at the word before the `end` token, one place too early."),
        Mistake("mean of the states", _mean_up_to_end, "you average over the sentence. One state is asked for."),
        Mistake(
            "every place for every row",
            _all_pairs,
            "each row came back with the places of all rows. Rows and places go pairwise: row 0 with place 0, …",
        ),
    ),
)


# 3 · recall_at_k


def _recall_by_rows(scores, target, k):
    shares = []
    for row, right in zip(scores.tolist(), target.tolist()):
        higher = sum(score > row[right] for score in row)
        equal = sum(score == row[right] for score in row)
        shares.append(min(1.0, max(0.0, (k - higher) / equal)))
    return sum(shares) / len(shares)


def _recall_cases():
    ties = torch.tensor([[3.0, 1, 3, 2], [1, 1, 1, 1], [0, 5, 5, 5], [2, 4, 4, 9]])
    return [
        Case("six rows, nine candidates, first place", (_points(6, 9, seed=56), torch.tensor([3, 0, 8, 8, 1, 4]), 1)),
        Case("the same, first three", (_points(6, 9, seed=56), torch.tensor([3, 0, 8, 8, 1, 4]), 3)),
        Case("ties, first place", (ties, torch.tensor([0, 2, 1, 2]), 1)),
        Case("ties, first two", (ties, torch.tensor([0, 2, 1, 2]), 2)),
        Case("everything equal", (torch.zeros(3, 7), torch.tensor([0, 3, 6]), 3)),
        Case("one row, one candidate", (torch.tensor([[0.4]]), torch.tensor([0]), 1)),
        Case("k larger than the number of candidates", (ties, torch.tensor([3, 3, 0, 0]), 6)),
    ]


def _counts(scores, target):
    right = scores.gather(1, target[:, None])
    return (scores > right).sum(dim=1), (scores == right).sum(dim=1)


def _optimistic(scores, target, k):
    higher, _ = _counts(scores, target)
    return (higher < k).float().mean().item()


def _pessimistic(scores, target, k):
    higher, equal = _counts(scores, target)
    return (higher + equal <= k).float().mean().item()


def _without_itself(scores, target, k):
    higher, equal = _counts(scores, target)
    return ((k - higher) / (equal - 1).clamp(min=1)).clamp(0, 1).mean().item()


def _not_clamped(scores, target, k):
    higher, equal = _counts(scores, target)
    return ((k - higher) / equal).mean().item()


def _first_only(scores, target, k):
    return _recall_by_rows(scores, target, 1)


def _diagonal(scores, target, k):
    return _recall_by_rows(scores, torch.arange(len(scores)).clamp(max=scores.shape[1] - 1), k)


def _lower_is_better(scores, target, k):
    return _recall_by_rows(-scores, target, k)


def _divided_by_k(scores, target, k):
    return _recall_by_rows(scores, target, k) / k


RECALL_AT_K = Exercise(
    name="recall_at_k",
    reference=_recall_by_rows,
    cases=_recall_cases,
    returns="float",
    points=2,
    mistakes=(
        Mistake(
            "ties always won",
            _optimistic,
            "every tie counts as found. A model that gives all candidates one score would be perfect.",
        ),
        Mistake("ties always lost", _pessimistic, "every tie counts as lost unless all of it fits. The coin is fair."),
        Mistake("itself not counted", _without_itself, "the right candidate ties with itself: it belongs into $e$."),
        Mistake("not limited", _not_clamped, "a row adds more than 1 or less than 0. It is a probability: limit it."),
        Mistake("k unused", _first_only, "only the first place counts, whatever `k` says."),
        Mistake("target unused", _diagonal, "you take the diagonal for right. `target` says which column is."),
        Mistake(
            "small scores first", _lower_is_better, "you rank from the smallest score. High scores are the good ones."
        ),
        Mistake(
            "divided by k",
            _divided_by_k,
            "you divide by `k`, as precision does. With one right candidate, recall asks only whether it is there.",
        ),
    ),
)


# 4 · class_vectors


def _letters(captions):
    """A stand-in for a text tower: letter counts, some letters long, mixed so that lengths differ widely."""
    counts = torch.tensor([[float(text.count(letter)) for letter in "aeioulrsbtc "] for text in captions])
    return counts * torch.tensor([1.0, 3, 0.5, 2, 9, 1, 4, 0.2, 7, 1, 1, 0.3]) + 0.1


def _class_vectors_at_once(encode, names, templates):
    """All captions in one call, then means over the templates' axis."""
    captions = [template.replace("{}", name) for name in names for template in templates]
    vectors = encode(captions).unflatten(0, (len(names), len(templates)))  # (names, templates, d)
    vectors = vectors / vectors.norm(dim=2, keepdim=True)
    means = vectors.mean(dim=1)
    return means / means.norm(dim=1, keepdim=True)


def _vector_cases():
    return [
        Case("three colours, two templates", (_letters, ["red", "blue", "green"], ["a {} ball", "one small {} cube"])),
        Case("one name, one template", (_letters, ["circle"], ["a {}"])),
        Case("two names, four templates of many lengths", (
            _letters, ["square", "triangle"], ["{}", "a {}", "the outline of a {} in blue", "two of a {} sort"])),
        Case("one template, four names", (_letters, ["a", "ur", "bub", "cat"], ["nice {}"])),
    ]  # fmt: skip


def _raw_mean(encode, names, templates):
    return torch.stack([F.normalize(encode([t.format(n) for t in templates]).mean(dim=0), dim=0) for n in names])


def _mean_not_normalised(encode, names, templates):
    return torch.stack([F.normalize(encode([t.format(n) for t in templates]), dim=1).mean(dim=0) for n in names])


def _first_template(encode, names, templates):
    return F.normalize(encode([templates[0].format(name) for name in names]), dim=1)


def _names_alone(encode, names, templates):
    return F.normalize(encode(list(names)), dim=1)


def _mean_over_names(encode, names, templates):
    rows = [F.normalize(encode([t.format(n) for n in names]), dim=1).mean(dim=0) for t in templates]
    return F.normalize(torch.stack(rows), dim=1)


def _not_filled(encode, names, templates):
    vector = F.normalize(F.normalize(encode(list(templates)), dim=1).mean(dim=0), dim=0)
    return vector.expand(len(names), -1).clone()


CLASS_VECTORS = Exercise(
    name="class_vectors",
    reference=_class_vectors_at_once,
    cases=_vector_cases,
    returns="float tensor (names, d)",
    points=2,
    equivalent_mutants=(  # dim=1 is what normalize does by itself, and the mean has one axis
        "F.normalize(encode([template.format(name) for template in templates]), dim=1) -> "
        "F.normalize(encode([template.format(name) for template in templates])) in for name in names:",
        "0 -> -1 in for name in names:",
    ),
    mistakes=(
        Mistake(
            "mean of raw vectors",
            _raw_mean,
            "a template with a long vector outvotes the others. Each gets length one before the mean.",
        ),
        Mistake(
            "mean not brought to length one",
            _mean_not_normalised,
            "the mean of unit vectors is shorter than one, the more so the less they agree. One step is missing.",
        ),
        Mistake("first template only", _first_template, "only the first template is used. All of them vote."),
        Mistake("no template at all", _names_alone, "the names go in alone. Each belongs into every template first."),
        Mistake(
            "mean over the names",
            _mean_over_names,
            "you average over the names of one template. A row belongs to a name, and averages over templates.",
        ),
        Mistake(
            "templates not filled", _not_filled, "every class gets the same vector: the templates still have their gap."
        ),
    ),
)

EXERCISES = (CLIP_LOSS, END_STATES, RECALL_AT_K, CLASS_VECTORS)
