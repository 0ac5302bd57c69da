"""Exercises of lesson 14, CLIP: the symmetric loss, the state at a sentence's end, recall with fair ties, classes."""

import torch
import torch.nn.functional as F

from .form import exercise


def points(*shape, seed, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@exercise(
    returns="float tensor with one number",
    points=2,
    extreme={"scale": (100.0,)},
    equivalent_mutants=(  # dim=1 is what normalize does by itself
        "F.normalize(image_vectors, dim=1) -> F.normalize(image_vectors) in images = F.normalize(image_vectors, dim=1)",
        "F.normalize(text_vectors, dim=1) -> F.normalize(text_vectors) in texts = F.normalize(text_vectors, dim=1)",
    ),
)
def clip_loss(image_vectors, text_vectors, scale):
    """Written with logsumexp over rows and columns, without cross-entropy."""
    images = image_vectors / image_vectors.norm(dim=1, keepdim=True)
    texts = text_vectors / text_vectors.norm(dim=1, keepdim=True)
    scores = scale * images @ texts.T
    right = scores.diagonal()
    return ((scores.logsumexp(dim=1) - right).mean() + (scores.logsumexp(dim=0) - right).mean()) / 2


@clip_loss.cases
def _():
    yield "five pairs, width 7", points(5, 7, seed=41), points(5, 7, seed=42), 3.0
    yield "one pair: nothing to choose", points(1, 3, seed=43), points(1, 3, seed=44), 10.0
    yield "pictures equal to captions", points(3, 4, seed=40), points(3, 4, seed=40), 5.0
    long, short = points(4, 5, seed=45, scale=90.0), points(4, 5, seed=46, scale=0.01)
    yield "long pictures, short captions", long, short, 2.0
    yield "a scale of 100", points(6, 8, seed=47), points(6, 8, seed=48), 100.0
    yield "a learnt scale", points(4, 2, seed=49), points(4, 2, seed=50), torch.tensor(14.3)


@clip_loss.usual
def clip_loss(image_vectors, text_vectors, scale):
    images = F.normalize(image_vectors, dim=1)
    texts = F.normalize(text_vectors, dim=1)
    scores = scale * images @ texts.T  # (n, n)
    target = torch.arange(len(scores))
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


BOTH = "(F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2"

clip_loss.slip("images @ texts.T", "image_vectors @ text_vectors.T", "no normalisation").says(
    "the scores are dot products: long vectors win. The formula has a cosine."
)
clip_loss.slip(BOTH, "F.cross_entropy(scores, target)", "rows only").says(
    "each picture picks a caption, but no caption picks a picture: half is missing."
)
clip_loss.slip(BOTH, "F.cross_entropy(scores.T, target)", "columns only").says(
    "each caption picks a picture, but no picture picks a caption: half is missing."
)
clip_loss.slip("scale * images", "images / scale", "divides by the scale").says(
    "you divide by `scale`. It is one over the temperature already."
)
clip_loss.slip("scale * images", "images", "scale unused").says(
    "`scale` has no effect: your loss is the one of scale 1."
)
clip_loss.slip(" / 2", "", "sum of both halves", "twice too large: the two halves are averaged, not added.")
clip_loss.slip(
    "images @ texts.T",
    "F.normalize(image_vectors, dim=0) @ F.normalize(text_vectors, dim=0).T",
    "lengths of the columns",
    "you normalise down the batch. Each row is one vector, and it is the row that gets length one.",
)
clip_loss.slip(
    "scale * images", "torch.as_tensor(scale).clamp(max=80).exp() * images", "exponential of the scale"
).says("you exponentiate `scale`. The model stores a logarithm; this function receives the scale itself.")
clip_loss.slip(
    BOTH, "-(scores.softmax(1).diagonal().log() + scores.softmax(0).diagonal().log()).mean() / 2", "log of the softmax"
).says(
    "right for small scales, but at 100 the share of an unlikely caption rounds to 0, and its logarithm is minus "
    "infinity. Let `F.cross_entropy` or `logsumexp` take the logarithm."
)
clip_loss.slip("F.normalize(text_vectors, dim=1)", "text_vectors", "captions keep their lengths").says(
    "picture vectors have length one, caption vectors still keep theirs."
)
clip_loss.slip("F.normalize(image_vectors, dim=1)", "image_vectors", "pictures keep their lengths").says(
    "caption vectors have length one, picture vectors still keep theirs."
)


@exercise(returns="float tensor (n, width)", points=1)
def end_states(states, tokens, end):
    return torch.stack([row[numbers.tolist().index(end)] for row, numbers in zip(states, tokens)])


@end_states.cases
def _():
    three = torch.tensor([[0, 7, 1, 1, 1], [0, 7, 3, 9, 1], [0, 1, 1, 1, 1]])
    yield "three sentences of different length", points(3, 5, 4, seed=51), three, 1
    yield "one sentence", points(1, 4, 3, seed=52), torch.tensor([[0, 5, 6, 1]]), 1
    zeros = torch.tensor([[8, 2, 9, 0, 0, 0], [8, 2, 2, 3, 9, 0]])
    yield "end is the largest number, filled with zeros", points(2, 6, 3, seed=53), zeros, 9
    first = torch.tensor([[0, 0, 0, 0], [5, 4, 0, 0], [3, 0, 2, 0]])
    yield "end is number 0, and first in a row", points(3, 4, 2, seed=54), first, 0
    larger = torch.tensor([[0, 12, 11, 4, 4], [0, 9, 4, 4, 4]])
    yield "filled with end, larger numbers among the words", points(2, 5, 6, seed=55), larger, 4
    yield "as many sentences as places, end last", points(2, 2, 2, seed=57), torch.tensor([[3, 1], [1, 1]]), 1


@end_states.usual
def end_states(states, tokens, end):
    first = (tokens == end).int().argmax(dim=1)  # (n,)
    return states[torch.arange(len(states)), first]


end_states.slip("[torch.arange(len(states)), first]", "[:, -1]", "last place").says(
    "that is the state at the last place. Short sentences end earlier."
)
end_states.slip("[torch.arange(len(states)), first]", "[:, 0]", "first place").says(
    "that is the state at the first place: it has read nothing but itself."
)
end_states.slip("(tokens == end)", "tokens.shape[1] - 1 - (tokens == end).flip(1)", "last end token").says(
    "you take the last `end` of a row. Everything after the first is filling."
)
end_states.slip("(tokens == end).int()", "tokens", "largest token number").says(
    "you look for the largest number, not for `end`. That is right only where `end` is the largest."
)
end_states.slip(", first]", ", (first - 1).clamp(min=0)]", "one too early").says(
    "you stop at the word before the `end` token, one place too early."
)


@end_states.mistake("mean of the states", "you average over the sentence. One state is asked for.")
def _(states, tokens, end):
    places = (tokens == end).int().argmax(dim=1)
    return torch.stack([row[: place + 1].mean(dim=0) for row, place in zip(states, places)])


end_states.slip("torch.arange(len(states))", ":", "every place for every row").says(
    "each row came back with the places of all rows. Rows and places go pairwise: row 0 with place 0, …"
)
end_states.slip(", first]", ", (first + 1).clamp(max=tokens.shape[1] - 1)]", "one too late").says(
    "you take the state behind the `end` token, one place too late."
)
end_states.slip("first]", "first[0]]", "the first row's place for all").says(
    "the place of the first sentence is used for all. Each row ends at its own place."
)


@exercise(
    returns="float",
    points=2,
    equivalent_mutants=(  # a tensor with one number counts as a number
        "((k - higher) / equal).clamp(0, 1).mean().item() -> ((k - higher) / equal).clamp(0, 1).mean() in "
        "return ((k - higher) / equal).clamp(0, 1).mean().item()",
    ),
)
def recall_at_k(scores, target, k):
    shares = []
    for row, right in zip(scores.tolist(), target.tolist()):
        higher = sum(score > row[right] for score in row)
        equal = sum(score == row[right] for score in row)
        shares.append(min(1.0, max(0.0, (k - higher) / equal)))
    return sum(shares) / len(shares)


@recall_at_k.cases
def _():
    target = torch.tensor([3, 0, 8, 8, 1, 4])
    yield "six rows, nine candidates, first place", points(6, 9, seed=56), target, 1
    yield "the same, first three", points(6, 9, seed=56), target, 3
    ties = [[3.0, 1, 3, 2], [1, 1, 1, 1], [0, 5, 5, 5], [2, 4, 4, 9]]
    yield "ties, first place", torch.tensor(ties), torch.tensor([0, 2, 1, 2]), 1
    yield "ties, first two", torch.tensor(ties), torch.tensor([0, 2, 1, 2]), 2
    yield "everything equal", torch.zeros(3, 7), torch.tensor([0, 3, 6]), 3
    yield "one row, one candidate", torch.tensor([[0.4]]), torch.tensor([0]), 1
    yield "k larger than the number of candidates", torch.tensor(ties), torch.tensor([3, 3, 0, 0]), 6
    near = torch.tensor([[0.5, 0.500001, 0.2], [0.5, 0.499999, 0.2], [0.5, 0.499999, 0.499999]])
    yield "almost equal is not equal", near, torch.tensor([0, 0, 0]), 1
    finer = torch.tensor([[0.5, 0.5 + 1e-12, 0.2]], dtype=torch.float64)
    yield "almost equal in 64-bit numbers", finer, torch.tensor([0]), 1
    yield "one place too few for the last", torch.tensor([[4.0, 3, 2, 1]]), torch.tensor([3]), 3
    yield "the last of all, negative scores", torch.tensor([[-1.0, -2, -3], [-1, -1, -5]]), torch.tensor([2, 2]), 3


@recall_at_k.usual
def recall_at_k(scores, target, k):
    right = scores.gather(1, target[:, None])  # (n, 1)
    higher = (scores > right).sum(dim=1)
    equal = (scores == right).sum(dim=1)
    return ((k - higher) / equal).clamp(0, 1).mean().item()


recall_at_k.slip("((k - higher) / equal).clamp(0, 1)", "(higher < k).float()", "ties always won").says(
    "every tie counts as found. A model that gives all candidates one score would be perfect."
)
recall_at_k.slip("((k - higher) / equal).clamp(0, 1)", "(higher + equal <= k).float()", "ties always lost").says(
    "every tie counts as lost unless all of it fits. The coin is fair."
)
recall_at_k.slip("/ equal", "/ (equal - 1).clamp(min=1)", "itself not counted").says(
    "the right candidate ties with itself: it belongs into $e$."
)
recall_at_k.slip(".clamp(0, 1)", "", "not limited").says(
    "a row adds more than 1 or less than 0. It is a probability: limit it."
)
recall_at_k.slip("k - higher", "1 - higher", "k unused", "only the first place counts, whatever `k` says.")
recall_at_k.slip(
    "target[:, None]", "torch.arange(len(scores)).clamp(max=scores.shape[1] - 1)[:, None]", "target unused"
).says("you take the diagonal for right. `target` says which column is.")
recall_at_k.slip("scores > right", "scores < right", "small scores first").says(
    "you rank from the smallest score. High scores are the good ones."
)
recall_at_k.slip(".item()", ".item() / k", "divided by k").says(
    "you divide by `k`, as precision does. With one right candidate, recall asks only whether it is there."
)
recall_at_k.slip(
    ".clamp(0, 1)", ".clamp(max=1)", "below zero", "a row with no chance takes something away: limit it at 0 too."
)
recall_at_k.slip(
    ".clamp(0, 1)", ".clamp(min=0)", "above one", "a row adds more than 1 where the ties leave room: limit it at 1 too."
)
recall_at_k.slip("(scores == right)", "torch.isclose(scores, right, atol=1e-4)", "almost equal counts").says(
    "scores that are nearly the same count as a tie. Only exactly equal ones tie."
)
recall_at_k.slip("scores > right", "scores >= right", "ties above").says(
    "scores that are equal count as higher, the right one itself included. They belong to $e$ alone."
)
recall_at_k.slip("(k - higher)", "(k - higher - 1)", "one place too few").says(
    "one place is missing: with `h` candidates above, `k - h` of the first `k` places are left for the ties."
)
recall_at_k.slip(".mean()", ".sum()", "summed", "the rows are added up. Take their mean.")


def letters(captions):
    """A stand-in for a text tower: letters count, later ones more; lengths differ widely."""
    weights = dict(zip("aeioulrsbtc ", [1.0, 3, 0.5, 2, 9, 1, 4, 0.2, 7, 1, 1, 0.3], strict=True))
    rows = [
        [
            0.1 + size * sum(1 + place / 10 for place, found in enumerate(text) if found == letter)
            for letter, size in weights.items()
        ]
        for text in captions
    ]
    return torch.tensor(rows)


class _Learnt(torch.nn.Module):
    """The same with a weight a letter that can be trained."""

    def __init__(self):
        super().__init__()
        self.stretch = torch.nn.Parameter(torch.linspace(0.5, 2, 12))

    def forward(self, captions):
        return letters(captions) * self.stretch


@exercise(
    returns="float tensor (names, d)",
    points=2,
    equivalent_mutants=(  # dim=1 is what normalize does by itself, and the mean has one axis
        "F.normalize(encode([template.format(name) for template in templates]), dim=1) -> "
        "F.normalize(encode([template.format(name) for template in templates])) in for name in names:",
        "0 -> -1 in for name in names:",
    ),
)
def class_vectors(encode, names, templates):
    """All captions in one call, then means over the templates' axis."""
    captions = [template.replace("{}", name) for name in names for template in templates]
    vectors = encode(captions).unflatten(0, (len(names), len(templates)))  # (names, templates, d)
    vectors = vectors / vectors.norm(dim=2, keepdim=True)
    means = vectors.mean(dim=1)
    return means / means.norm(dim=1, keepdim=True)


@class_vectors.cases
def _():
    yield "three colours, two templates", letters, ["red", "blue", "green"], ["a {} ball", "one small {} cube"]
    yield "one name, one template", letters, ["circle"], ["a {}"]
    many = ["{}", "a {}", "the outline of a {} in blue", "two of a {} sort"]
    yield "two names, four templates of many lengths", letters, ["square", "triangle"], many
    yield "one template, four names", letters, ["a", "ur", "bub", "cat"], ["nice {}"]
    yield "as many names as templates", letters, ["oval", "ring"], ["a {} here", "blurred {}"]
    yield "a text tower that learns", _Learnt(), ["star", "cross", "bar"], ["a {}", "two of a {} sort", "a {}"]


@class_vectors.usual
def class_vectors(encode, names, templates):
    rows = []
    for name in names:
        vectors = F.normalize(encode([template.format(name) for template in templates]), dim=1)  # (templates, d)
        rows.append(F.normalize(vectors.mean(dim=0), dim=0))
    return torch.stack(rows)


class_vectors.slip(
    "vectors.mean(dim=0), dim=0",
    "encode([t.format(name) for t in templates]).mean(dim=0), dim=0",
    "mean of raw vectors",
).says("a template with a long vector outvotes the others. Each gets length one before the mean.")
class_vectors.slip(
    "F.normalize(vectors.mean(dim=0), dim=0)", "vectors.mean(dim=0)", "mean not brought to length one"
).says("the mean of unit vectors is shorter than one, the more so the less they agree. One step is missing.")
class_vectors.slip("in templates]", "in templates[:1]]", "first template only").says(
    "only the first template is used. All of them vote."
)
class_vectors.slip("template.format(name)", "name", "no template at all").says(
    "the names go in alone. Each belongs into every template first."
)


@class_vectors.mistake(
    "mean over the names",
    "you average over the names of one template. A row belongs to a name, and averages over templates.",
)
def _(encode, names, templates):
    rows = [F.normalize(encode([template.format(name) for name in names]), dim=1).mean(dim=0) for template in templates]
    return F.normalize(torch.stack(rows), dim=1)


class_vectors.slip("template.format(name)", "template", "templates not filled").says(
    "every class gets the same vector: the templates still have their gap."
)
class_vectors.slip("for template in templates]), dim=1)", "for template in templates]), dim=0)", "columns scaled").says(
    "before the mean, the columns got length one, across templates. Each template's vector is a row."
)
class_vectors.slip("vectors.mean(dim=0), dim=0", "vectors.max(dim=0).values, dim=0", "the largest, not the mean").says(
    "of each coordinate the largest is taken. All templates vote: take their mean."
)
class_vectors.slip("in templates]", "in templates[-1:]]", "last template only").says(
    "only the last template counts, the others are overwritten or never read. All of them vote."
)
class_vectors.slip(
    "encode([template.format(name) for template in templates])",
    'encode([" ".join(template.format(name) for template in templates)])',
    "one long caption",
).says("the filled templates are joined into one text. Each is a caption of its own, and has a vector of its own.")


def flat(encode, names, templates):
    """Unit vectors of all captions, a name's templates one after another: (names * templates, d)."""
    return F.normalize(encode([template.format(name) for name in names for template in templates]), dim=1)


@class_vectors.mistake(
    "a vector a caption", "every caption has a vector of its own. The mean over the templates is missing."
)
def _(encode, names, templates):
    return flat(encode, names, templates)


@class_vectors.mistake(
    "names and templates mixed up",
    "captions of different names meet in one mean. Which changes faster in your list of captions, name or template? "
    "The shape must name the slower one first.",
)
def _(encode, names, templates):
    means = flat(encode, names, templates).view(len(templates), len(names), -1).mean(dim=0)
    return F.normalize(means, dim=1)


@class_vectors.mistake(
    "templates and names mixed up",
    "captions of different names meet in one mean. Your list runs through the names for each template, but the shape "
    "says the reverse.",
)
def _(encode, names, templates):
    captions = [template.format(name) for template in templates for name in names]
    means = F.normalize(encode(captions), dim=1).view(len(names), len(templates), -1).mean(dim=1)
    return F.normalize(means, dim=1)


@class_vectors.mistake(
    "columns scaled at the end", "at the end the columns got length one, across classes. Each class's row is a vector."
)
def _(encode, names, templates):
    return F.normalize(flat(encode, names, templates).view(len(names), len(templates), -1).mean(dim=1), dim=0)


@class_vectors.mistake(
    "one vector for all classes", "the mean runs over names as well, so that one vector is left. Each name has its own."
)
def _(encode, names, templates):
    return F.normalize(flat(encode, names, templates).mean(dim=0), dim=0)


class_vectors.slip("vectors.mean(dim=0), dim=0", "vectors.mean(dim=1), dim=0", "mean over the coordinates").says(
    "the coordinates of each vector were averaged. The mean runs over templates, so that a vector is left."
)
class_vectors.slip("template.format(name)", "template + name", "names behind the templates").says(
    "the name stands behind the template, whose gap is still open. `format` puts it into the gap."
)
