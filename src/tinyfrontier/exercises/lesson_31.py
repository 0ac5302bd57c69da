"""Exercises of lesson 31: BM25, recall with ties, F1 of spans."""

import math
from collections import Counter

import torch

from .form import exercise


@exercise(returns="float tensor (passages,)", points=3, tolerance=1e-4)
def bm25_scores(query, passages, k1=1.5, b=0.75):
    vocabulary, n = {word for passage in passages for word in passage}, len(passages)
    mean = sum(len(passage) for passage in passages) / n
    idf = {}
    for word in vocabulary:
        holding = sum(word in passage for passage in passages)
        idf[word] = math.log((n - holding + 0.5) / (holding + 0.5))
    for word, weight in dict(idf).items():
        if weight < 0:
            idf[word] = None
    mean_idf = sum(
        math.log((n - h + 0.5) / (h + 0.5))
        for h in (sum(word in passage for passage in passages) for word in vocabulary)
    ) / len(vocabulary)
    scores = torch.zeros(n)
    for place, passage in enumerate(passages):
        for word in query:
            f = passage.count(word)
            if f:
                weight = mean_idf / 4 if idf[word] is None else idf[word]
                scores[place] += weight * f * (k1 + 1) / (f + k1 * (1 - b + b * len(passage) / mean))
    return scores


@bm25_scores.cases
def _():
    four = ["iron rust iron water".split(), "water salt".split(), "gold".split(), "salt salt sea sun sand".split()]
    yield "the worked example", ["a"], [["a", "b"], ["c"], ["d"]], 1.0, 0.0
    yield "two words", ["iron", "water"], four
    yield "a word that repeats in a passage", ["iron", "sun"], four, 1.2, 0.75
    yield "a word twice in the query", ["iron", "iron", "sea", "gold"], four
    yield "a word that no passage holds", ["snow", "gold"], four
    yield "nothing in common", ["snow"], four
    yield "an empty query", [], four
    yield "an empty passage", ["gold"], [*four, []], 2.0, 1.0
    yield "length alone decides", ["gold"], [["gold"], ["gold", *"abcdefg"], ["x"], ["y"], ["z"]], 1.5, 1.0
    yield "no matter how long", ["gold"], [["gold"], ["gold", *"abcdefg"], ["x"], ["y"], ["z"]], 1.5, 0.0
    common = [["the", "a"], ["the", "b", "c"], ["the", "d", "e", "f"], ["g", "h"]]
    yield "a common word", ["the", "a"], common
    yield "a word in exactly half", ["the", "h"], [*common, ["i"], ["j", "k"]]
    yield "a word in just over half", ["the", "g"], [*common, ["i"]], 0.8, 0.4
    yield "most words common", ["a", "b"], [["a", "b"], ["a", "b", "b"], ["a"]]
    yield "one passage", ["a", "b"], [["a", "a", "b"]]
    yield "k1 of zero", ["iron", "salt"], four, 0.0, 0.5
    yield "rare words of the query beside a common one", ["the", "h", "i"], [*common, ["i"], ["j", "k"], ["the"]]


@bm25_scores.usual
def bm25_scores(query, passages, k1=1.5, b=0.75):
    mean = sum(map(len, passages)) / len(passages)
    holds = Counter(word for passage in passages for word in set(passage))
    n = len(passages)
    idf = {word: math.log((n - held + 0.5) / (held + 0.5)) for word, held in holds.items()}
    common = 0.25 * sum(idf.values()) / len(idf)
    scores = []
    for passage in passages:
        counts, ease = Counter(passage), k1 * (1 - b + b * len(passage) / mean)
        known = [(idf[w] if idf[w] >= 0 else common, counts[w]) for w in query if counts[w]]
        scores.append(sum(weight * f * (k1 + 1) / (f + ease) for weight, f in known))
    return torch.tensor(scores, dtype=torch.float32)


bm25_scores.slip("for word in set(passage)", "for word in passage", "occurrences").says(
    "a word was counted as often as it stands. n_w counts passages: a word counts once in each."
)
bm25_scores.slip("(idf[w] if idf[w] >= 0 else common, counts[w])", "(idf[w], counts[w])", "negative").says(
    "words in more than half of the passages take points away. They get a quarter of the mean idf."
)
bm25_scores.slip("0.25 * sum(idf.values()) / len(idf)", "0.0", "nothing").says(
    "words in more than half of the passages count nothing. They get a quarter of the mean idf."
)
bm25_scores.slip("0.25 * sum(idf.values())", "sum(idf.values())", "whole mean").says(
    "common words get the whole mean idf. A quarter of it was asked for."
)
bm25_scores.slip("for w in query if", "for w in set(query) if", "once").says(
    "a word that stands twice in the query was counted once."
)
bm25_scores.slip("len(passage) / mean", "mean / len(passage) if passage else 0.0", "short").says(
    "long passages gain and short ones lose. Divide the passage's length by the mean one."
)
bm25_scores.slip("(k1 + 1) / (f + ease)", "1 / (f + ease)", "no factor").says(
    "the factor k1 + 1 above the line is missing."
)


bm25_scores.slip("sum(idf.values()) / len(idf)", "abs(sum(idf.values()) / len(idf))", "positive").says(
    "the mean idf lost its sign. Where most words are common it is below zero, and so is its quarter."
)
bm25_scores.slip("sum(idf.values()) / len(idf)", "sum(idf.get(w, 0) for w in query) / max(1, len(query))", "own").says(
    "the mean idf was taken over the words of the query. Take it over all words of the passages."
)
bm25_scores.slip(
    "sum(idf.values()) / len(idf)", "sum(idf[w] for p in passages for w in p) / sum(map(len, passages))", "tokens"
).says("a word counted in the mean idf as often as it stands. Each word counts once.")
bm25_scores.slip("idf[w] >= 0", "idf[w] > 0", "half").says(
    "a word in exactly half of the passages has an idf of 0, which is not negative: it keeps it."
)
bm25_scores.slip("(n - held + 0.5) / (held + 0.5)", "1 + (n - held + 0.5) / (held + 0.5)", "plus one").says(
    "a 1 was added inside the logarithm, as some libraries do. Here it is left out."
)


@bm25_scores.mistake("query among passages", "the query was counted as a passage. n, n_w and the mean are of passages.")
def _(query, passages, k1=1.5, b=0.75):
    return bm25_scores.solution(query, [*passages, query], k1, b)[:-1]


@bm25_scores.mistake("tf-idf", "the count goes in as it is. Each repeat should add less than the one before.")
def _(query, passages, k1=1.5, b=0.75):
    holds, n = Counter(word for passage in passages for word in set(passage)), len(passages)
    idf = {word: math.log((n - held + 0.5) / (held + 0.5)) for word, held in holds.items()}
    common = 0.25 * sum(idf.values()) / len(idf)
    return torch.tensor(
        [sum((idf[w] if idf[w] >= 0 else common) * p.count(w) for w in query if w in p) for p in passages],
        dtype=torch.float32,
    )


@exercise(returns="float tensor (queries,)", points=2, no_gradient="a count of places has no slope")
def found_within(scores, right, k):
    chances = []
    for row, own in zip(scores.tolist(), right.tolist()):
        first = sum(score > row[own] for score in row)  # places 0, 1, ... of those that share the score
        shared = sum(score == row[own] for score in row)
        chances.append(sum(place < k for place in range(first, first + shared)) / shared)
    return torch.tensor(chances, dtype=torch.float32)


@found_within.cases
def _():
    draw = torch.Generator().manual_seed(0)
    yield "the worked example", torch.tensor([[3.0, 1, 1, 1]]), torch.tensor([2]), 2
    some = torch.randn(5, 7, generator=draw)
    yield "no ties, the first", some, torch.tensor([0, 6, 2, 3, 3]), 1
    yield "no ties, three", some, torch.tensor([0, 6, 2, 3, 3]), 3
    ties = torch.randint(3, (8, 6), generator=draw)
    yield "whole numbers with ties", ties, torch.randint(6, (8,), generator=draw), 2
    yield "whole numbers with ties, four", ties, torch.randint(6, (8,), generator=draw), 4
    yield "all at zero", torch.zeros(2, 10), torch.tensor([0, 9]), 3
    yield "exactly at the last place", torch.tensor([[4.0, 3, 2, 1]]), torch.tensor([2]), 3
    yield "one place too far", torch.tensor([[4.0, 3, 2, 1]]), torch.tensor([3]), 3
    yield "more places than passages", torch.tensor([[1.0, 2.0], [2.0, 2.0]]), torch.tensor([0, 1]), 5
    yield "one passage", torch.tensor([[0.0]]), torch.tensor([0]), 1
    yield "scores below zero", torch.tensor([[-1.0, -2.0, -2.0]]), torch.tensor([1]), 2


@found_within.usual
def found_within(scores, right, k):
    own = scores.gather(1, right[:, None])
    ahead = (scores > own).sum(1)
    level = (scores == own).sum(1)
    return ((k - ahead) / level).clamp(0, 1)


found_within.slip("(scores > own)", "(scores < own)", "upside down").says(
    "the lowest score was taken for the best. The highest is."
)
found_within.slip(".clamp(0, 1)", ".clamp(max=1)", "below zero").says(
    "a chance came out below 0: where more than k passages are ahead it is 0."
)
found_within.slip(".clamp(0, 1)", ".clamp(min=0)", "above one").says(
    "a chance came out above 1: where there is room for all that share the score it is 1."
)


found_within.slip("(scores == own).sum(1)", "((scores == own).sum(1) - 1)", "itself").says(
    "the right passage was left out of those that share its score. It is one of them."
)


@found_within.mistake("lucky", "ties were counted as won: the right passage stands first among its equals.")
def _(scores, right, k):
    return ((scores > scores.gather(1, right[:, None])).sum(1) < k).float()


@found_within.mistake("unlucky", "ties were counted as lost: the right passage stands last among its equals.")
def _(scores, right, k):
    return ((scores >= scores.gather(1, right[:, None])).sum(1) <= k).float()


@found_within.mistake("order", "ties stand in the library's order. Their order should be a matter of chance.")
def _(scores, right, k):
    order = scores.argsort(1, descending=True, stable=True)[:, :k]
    return (order == right[:, None]).any(1).float()


@found_within.mistake("mean", "this is the mean over queries. One chance for each query was asked for.")
def _(scores, right, k):
    own = scores.gather(1, right[:, None])
    return ((k - (scores > own).sum(1)) / (scores == own).sum(1)).clamp(0, 1).mean().expand(len(scores)).clone()


@exercise(returns="float", points=2)
def span_f1(true, said):
    def spans(tags):
        runs, place = [], 0
        while place < len(tags):
            end = place
            while end < len(tags) and tags[end] == tags[place]:
                end += 1
            if tags[place]:
                runs.append((tags[place], place, end))
            place = end
        return runs

    hits = sum(span in spans(b) for a, b in zip(true, said) for span in spans(a))
    total = sum(len(spans(tags)) for tags in [*true, *said])
    return 2 * hits / total if total else 1.0


@span_f1.cases
def _():
    yield "the worked example", [["heat", "heat", ""]], [["heat", "", "gas"]]
    yield "all right", [["", "heat", "heat", ""], ["gas"]], [["", "heat", "heat", ""], ["gas"]]
    yield "right place, wrong tag", [["heat", "", "gas"]], [["time", "", "gas"]]
    yield "too long by a word", [["", "gas", "", "time"]], [["", "gas", "gas", "time"]]
    yield "starts a word late", [["heat", "heat", "", "gas"]], [["", "heat", "", "gas"]]
    yield "two spans side by side", [["heat", "time", "time"]], [["heat", "time", "time"]]
    yield "one span cut in two", [["gas", "gas", "gas"], ["gas"]], [["gas", "", "gas"], ["gas"]]
    yield "the same span in another document", [["gas", ""], ["", ""]], [["", ""], ["gas", ""]]
    yield "spans that changed documents", [["time"], [""], ["gas", ""]], [[""], ["time"], ["gas", ""]]
    yield "nothing said", [["gas", "", "heat"]], [["", "", ""]]
    yield "nothing to say", [["", ""]], [["", "heat"]]
    yield "no spans at all", [["", ""], [""]], [["", ""], [""]]
    yield "an empty document", [[], ["heat", ""]], [[], ["heat", "heat"]]
    yield "no documents", [], []
    yield "documents of unlike size", [["gas"] * 9, ["heat", "", "heat"]], [["gas"] * 9, ["", "", "heat"]]
    yield "one slot twice", [["heat", "", "heat"]], [["heat", "", ""]]
    yield "a span to the end, one from the start", [["", "gas"], ["gas", ""]], [["", "gas"], ["gas", "gas"]]
    yield "joined, both would be one", [["", "heat"], ["heat", ""], ["gas"]], [["", "heat"], ["heat", ""], [""]]
    yield "neighbours of unlike tags", [["heat", "time", "", "gas"]], [["heat", "gas", "", "gas"]]


@span_f1.usual
def span_f1(true, said):
    sets = []
    for documents in (true, said):
        spans = set()
        for number, tags in enumerate(documents):
            inner = [i for i in range(1, len(tags)) if tags[i] != tags[i - 1]]
            edges = zip([0, *inner], [*inner, len(tags)])
            spans |= {(number, a, b, tags[a]) for a, b in edges if a < b and tags[a]}
        sets.append(spans)
    total = len(sets[0]) + len(sets[1])
    return 2 * len(sets[0] & sets[1]) / total if total else 1.0


span_f1.slip("(number, a, b, tags[a])", "(number, a, b)", "tags").says(
    "a span in the right place with the wrong tag was counted as a hit."
)
span_f1.slip("(number, a, b, tags[a])", "(number, a, tags[a])", "ends").says(
    "a span that begins right and ends wrong was counted as a hit."
)
span_f1.slip("(number, a, b, tags[a])", "(a, b, tags[a])", "documents").says(
    "spans of different documents were mixed up. A hit is in the same document."
)
span_f1.slip(" and tags[a]}", "}", "blanks").says("runs of words without a tag were counted as spans.")
span_f1.slip("else 1.0", "else 0.0", "nothing").says("no spans at all, and none said, is perfect: 1.0.")
span_f1.slip("return 2 * len", "return len", "half").says("the 2 above the line is missing.")


span_f1.slip(
    "2 * len(sets[0] & sets[1]) / total if total", "len(sets[0] & sets[1]) / len(sets[1]) if sets[1]", "p"
).says("this is the precision: hits over said spans. Twice the hits over true and said spans was asked for.")
span_f1.slip(
    "2 * len(sets[0] & sets[1]) / total if total", "len(sets[0] & sets[1]) / len(sets[0]) if sets[0]", "r"
).says("this is the recall: hits over true spans. Twice the hits over true and said spans was asked for.")
span_f1.slip("2 * len(sets[0] & sets[1]) / total", "len(sets[0] & sets[1]) / len(sets[0] | sets[1])", "union").says(
    "hits were divided by all different spans. Divide twice the hits by the sum of both numbers."
)
span_f1.slip("[*inner, len(tags)]", "inner", "end").says(
    "the last span of a document was lost. It ends with the document."
)


@span_f1.mistake("joined", "documents were joined. A span ends where its document ends.")
def _(true, said):
    return span_f1.solution(*([[tag for tags in each for tag in tags]] for each in (true, said)))


@span_f1.mistake("neighbours", "neighbouring spans of unlike tags were taken for one. A new tag begins a new span.")
def _(true, said):
    def spans(documents):
        found = set()
        for number, tags in enumerate(documents):
            begins = [i for i, tag in enumerate(tags) if tag and (i == 0 or not tags[i - 1])]
            for i in begins:
                end = next((j for j in range(i, len(tags)) if not tags[j]), len(tags))
                found.add((number, i, end, tags[i]))
        return found

    one, other = spans(true), spans(said)
    return 2 * len(one & other) / (len(one) + len(other)) if one or other else 1.0


@span_f1.mistake("words", "words were counted, not spans. A span is a hit if it is right as a whole.")
def _(true, said):
    pairs = [(a, b) for x, y in zip(true, said) for a, b in zip(x, y)]
    total = sum(bool(a) + bool(b) for a, b in pairs)
    return 2 * sum(a == b != "" for a, b in pairs) / total if total else 1.0


@span_f1.mistake("mean of documents", "each document's F1 was averaged. Count hits and spans over all documents first.")
def _(true, said):
    scores = [span_f1.solution([a], [b]) for a, b in zip(true, said)]
    return sum(scores) / len(scores) if scores else 1.0
