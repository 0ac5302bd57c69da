"""Exercises of lesson 30: Witten-Bell smoothing, beam search, gaps without a leak, errors by letters."""

from collections import Counter
from functools import cache

import torch

from .form import exercise


@exercise(returns="float tensor (letters,)", points=2)
def next_letter(text, context, letters):
    def chance(letter, behind):
        shorter = 1 / len(letters) if behind is None else 0.0
        if behind is None:
            return shorter
        shorter = chance(letter, behind[1:] if behind else None)
        followers = [text[i + len(behind)] for i in range(len(text) - len(behind)) if text[i:].startswith(behind)]
        if not followers:
            return shorter
        kinds = len(set(followers))
        return (followers.count(letter) + kinds * shorter) / (len(followers) + kinds)

    return torch.tensor([chance(letter, context) for letter in letters])


@next_letter.cases
def _():
    yield "the worked example", "ABAC", "A", "ABC"
    yield "no context", "ABRACADABRA", "", "ABCDR"
    yield "one letter of context", "ABRACADABRA", "A", "ABCDR"
    yield "two letters of context", "ABRACADABRA", "BR", "ABCDR"
    yield "a context that is not there", "ABRACADABRA", "DR", "ABCDR"
    yield "only its last letter is there", "ABRACADABRA", "CCB", "ABCDR"
    yield "a context that overlaps itself", "AAAABAAAC", "AA", "ABC"
    yield "a context at the very end", "ABCABD", "BD", "ABCD"
    yield "the end alone", "ABCD", "D", "ABCD"
    yield "a letter that never stood", "ABAB", "A", "ABZ"
    yield "letters in another order", "ABACAAB", "A", "CAB"
    yield "no text", "", "AB", "ABCD"
    yield "one letter", "A", "A", "AB"
    yield "a long context", "THECATANDTHEHATANDTHECAP", "ANDTHE", "ACDEHNPT"


@next_letter.usual
def next_letter(text, context, letters):
    chances = {letter: 1 / len(letters) for letter in letters}
    for n in range(len(context) + 1):
        behind = context[len(context) - n :]
        seen = Counter(text[i + n] for i in range(len(text) - n) if text[i : i + n] == behind)
        total, kinds = sum(seen.values()), len(seen)
        if total:
            chances = {x: (seen[x] + kinds * p) / (total + kinds) for x, p in chances.items()}
    return torch.tensor([chances[letter] for letter in letters])


next_letter.slip("context[len(context) - n :]", "context[:n]", "far end").says(
    "the first letters of the context were used. The last ones are nearest."
)
next_letter.slip("kinds * p) / (total + kinds)", "p) / (total + 1)", "one").says(
    "the shorter context weighs 1. It weighs the number of different letters that followed."
)
next_letter.slip("(seen[x] + kinds * p) / (total + kinds)", "seen[x] / total", "unsmoothed").says(
    "these are bare shares, without the shorter context: what was never seen gets 0."
)
next_letter.slip("range(len(context) + 1)", "range(len(context))", "full context").says(
    "the whole context was never used. It comes last, after all shorter ones."
)
next_letter.slip("range(len(context) + 1)", "range(1, len(context) + 1)", "no letters").says(
    "the context of no letters was left out: how often each letter stands at all."
)
next_letter.slip("kinds = sum(seen.values()), len(seen)", "kinds = sum(seen.values()), len(letters)", "all kinds").says(
    "all letters were counted as kinds. Count the different letters that did follow."
)


next_letter.slip("for letter in letters])", "for letter in sorted(letters)])", "sorted").says(
    "the chances are in the order of the alphabet. Return them in the order of `letters`."
)


@next_letter.mistake("no overlap", "places that overlap were left out: AA stands twice in AAA.")
def _(text, context, letters):
    chances = {letter: 1 / len(letters) for letter in letters}
    for n in range(len(context) + 1):
        behind = context[len(context) - n :]
        seen, i = Counter(), 0
        while (i := text.find(behind, i)) >= 0 and i + n < len(text):
            seen[text[i + n]] += 1
            i += max(1, n)
        total, kinds = sum(seen.values()), len(seen)
        if total:
            chances = {x: (seen[x] + kinds * p) / (total + kinds) for x, p in chances.items()}
    return torch.tensor([chances[letter] for letter in letters])


@exercise(
    returns="an int64 tensor (kept, gap) and a float tensor (kept,)", points=3, no_gradient="nothing learns by it"
)
def beam_search(first, moves, gap, width):
    beams = sorted([((letter,), score) for letter, score in enumerate(first)], key=lambda beam: -float(beam[1]))[:width]
    for _ in range(gap - 1):
        longer = [((*said, x), score + moves[said[-1], x]) for said, score in beams for x in range(len(first))]
        beams = sorted(longer, key=lambda beam: -float(beam[1]))[:width]  # the sort keeps the order of equals
    return torch.tensor([said for said, _ in beams]), torch.stack([score for _, score in beams])


@beam_search.cases
def _():
    draw = torch.Generator().manual_seed(1)

    def logs(*shape):
        return torch.randn(*shape, generator=draw).log_softmax(-1)

    trap = torch.tensor([[0.5, 0.3, 0.2], [0.9, 0.05, 0.05], [0.4, 0.3, 0.3]]).log()
    yield "the worked example", torch.tensor([0.6, 0.4]).log(), torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log(), 2, 2
    yield "greedy is wrong", torch.tensor([0.5, 0.45, 0.05]).log(), trap, 2, 2
    yield "width one", logs(5), logs(5, 5), 4, 1
    yield "five letters, width three", logs(5), logs(5, 5), 4, 3
    yield (
        "a beam that loses the best",
        torch.tensor([0.4, 0.35, 0.25]).log(),
        torch.tensor([[0.34, 0.33, 0.33], [0.36, 0.33, 0.31], [0.98, 0.01, 0.01]]).log(),
        3,
        2,
    )
    yield "one missing letter", logs(6), logs(6, 6), 1, 4
    yield "wider than there are letters", logs(3), logs(3, 3), 3, 5
    yield "wider than there are fillings", logs(2), logs(2, 2), 2, 9
    ties = -torch.randint(3, (4,), generator=draw).float()
    yield "ties", ties, -torch.randint(3, (4, 4), generator=draw).float(), 3, 6
    yield "all equal", torch.zeros(3), torch.zeros(3, 3), 3, 4
    yield "sixty letters, all equal", torch.zeros(60), torch.zeros(60, 60), 2, 5
    yield "very small chances", 1e4 * logs(4), 1e4 * logs(4, 4), 3, 3
    yield "ten letters missing", logs(4), logs(4, 4), 10, 4


@beam_search.usual
def beam_search(first, moves, gap, width):
    scores, order = first.sort(descending=True, stable=True)
    scores, filled = scores[:width], order[:width, None]
    for _ in range(gap - 1):
        spread = scores[:, None] + moves[filled[:, -1]]  # (kept, letters)
        scores, best = spread.flatten().sort(descending=True, stable=True)
        scores, best = scores[:width], best[:width]
        filled = torch.cat([filled[best // len(moves)], best[:, None] % len(moves)], dim=1)
    return filled, scores


beam_search.slip("moves[filled[:, -1]]", "moves[:, filled[:, -1]].T", "backwards").says(
    "`moves` was read by columns. Row x holds what follows letter x."
)
beam_search.slip("scores[:, None] + moves", "scores[:, None] * moves", "product").says(
    "logarithms were multiplied. Chances multiply, so their logarithms add up."
)
beam_search.slip("scores[:, None] + moves", "moves", "last step").says(
    "only the last step is scored. The score of what came before must be added."
)
beam_search.slip("moves[filled[:, -1]]", "moves[filled[:, 0]]", "first letter").says(
    "each step looks at the first letter of the filling. What follows depends on the last one."
)


@beam_search.mistake("greedy", "only the best letter is kept at each step. Keep `width` fillings until the end.")
def _(first, moves, gap, width):
    filled, scores = beam_search.solution(first, moves, gap, 1)
    return filled.expand(min(width, len(first) ** gap), -1).clone(), scores.expand(
        min(width, len(first) ** gap)
    ).clone()


@beam_search.mistake(
    "exhaustive", "nothing is dropped on the way. Keep the best `width` at every step, not at the end."
)
def _(first, moves, gap, width):
    filled, scores = beam_search.solution(first, moves, gap, min(len(first) ** gap, 2000))
    return filled[:width], scores[:width]


@beam_search.mistake(
    "ties", "equal scores are in no fixed order. The better beginning comes first, then the smaller letter."
)
def _(first, moves, gap, width):
    scores, filled = first, torch.arange(len(first))[:, None]
    scores, best = _top(scores, width)
    filled = filled[best]
    for _ in range(gap - 1):
        scores, best = _top((scores[:, None] + moves[filled[:, -1]]).flatten(), width)
        filled = torch.cat([filled[best // len(moves)], best[:, None] % len(moves)], dim=1)
    return filled, scores


def _top(scores, width):
    """The best `width`, of equal ones the last first: one of the orders that `topk` may give."""
    order = scores.flip(0).sort(descending=True, stable=True).indices[:width]
    order = len(scores) - 1 - order
    return scores[order], order


@beam_search.mistake("chances", "the scores are chances. Their logarithms were asked for.")
def _(first, moves, gap, width):
    filled, scores = beam_search.solution(first, moves, gap, width)
    return filled, scores.exp()


@exercise(returns="two int64 tensors, shape of `letters`", points=1)
def damage(letters, starts, lengths):
    shown, targets = letters.clone(), torch.full_like(letters, -100)
    for row in range(len(letters)):
        for start, length in zip(starts[row].tolist(), lengths[row].tolist()):
            for place in range(start, min(start + length, letters.shape[1])):
                shown[row, place] = 27
                targets[row, place] = letters[row, place]
    return shown, targets


@damage.cases
def _():
    draw = torch.Generator().manual_seed(0)
    yield "the worked example", torch.tensor([[3, 1, 20, 19]]), torch.tensor([[1]]), torch.tensor([[2]])
    some = torch.randint(1, 27, (3, 9), generator=draw)
    yield "a gap in each of three texts", some, torch.tensor([[0], [4], [7]]), torch.tensor([[1], [3], [2]])
    yield "two gaps a text", some, torch.tensor([[0, 5], [2, 7], [1, 4]]), torch.tensor([[2, 1], [3, 2], [1, 5]])
    yield (
        "gaps that touch and overlap",
        some,
        torch.tensor([[0, 2], [1, 2], [3, 3]]),
        torch.tensor([[2, 3], [4, 1], [2, 2]]),
    )
    yield "gaps in any order", some, torch.tensor([[6, 1], [8, 0], [5, 2]]), torch.tensor([[2, 2], [1, 1], [3, 1]])
    yield "a gap of no letters", some, torch.tensor([[3, 5]] * 3), torch.tensor([[0, 2], [0, 0], [1, 0]])
    yield "a gap that runs over the end", some, torch.tensor([[7], [8], [2]]), torch.tensor([[5], [1], [9]])
    yield "the whole text", some[:1], torch.tensor([[0]]), torch.tensor([[9]])
    yield "one letter", torch.tensor([[5]]), torch.tensor([[0]]), torch.tensor([[1]])
    yield "no gaps", some, torch.zeros(3, 0, dtype=torch.long), torch.zeros(3, 0, dtype=torch.long)


@damage.usual
def damage(letters, starts, lengths):
    place = torch.arange(letters.shape[1])
    after, before = place >= starts[..., None], place < (starts + lengths)[..., None]
    inside = (after & before).any(1)  # (texts, n)
    return letters.masked_fill(inside, 27), letters.masked_fill(~inside, -100)


damage.slip("letters.masked_fill(~inside, -100)", "letters", "all asked").says(
    "every letter is a target, also those that can be read. Only missing ones are asked for; elsewhere stands -100."
)
damage.slip("place < (starts", "place <= (starts", "one too many").says(
    "gaps are one letter too long. A gap of 2 from place 1 has places 1 and 2."
)
damage.slip("letters.masked_fill(inside, 27)", "letters", "leak").says(
    "the missing letters can still be read in `shown`. They become 27."
)
damage.slip("letters.masked_fill(inside, 27)", "letters.masked_fill(~inside, 27)", "upside down").says(
    "what is in the gaps is shown and the rest is hidden. It is the other way round."
)
damage.slip(".any(1)", ".all(1)", "all gaps").says("a letter is missing if it lies in any gap, not in all of them.")
damage.slip("place >= starts", "place > starts", "late").says(
    "gaps begin one letter late: the place `start` is missing."
)
damage.slip("(~inside, -100)", "(~inside, 27)", "targets of 27").says(
    "places that are not asked for hold 27 in the targets. They hold -100, which the loss leaves out."
)


@exercise(returns="float", points=2)
def letter_error(said, true):
    @cache
    def distance(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(distance(a[1:], b) + 1, distance(a, b[1:]) + 1, distance(a[1:], b[1:]) + (a[0] != b[0]))

    return sum(distance(a, b) for a, b in zip(said, true)) / sum(map(len, true))


@letter_error.cases
def _():
    yield "the worked example", ["CAT", "AB"], ["CAR", "AB"]
    yield "all right", ["ARRAY", "OF"], ["ARRAY", "OF"]
    yield "shifted by one", ["XARRA"], ["ARRAY"]
    yield "a letter too many", ["ARRAYS"], ["ARRAY"]
    yield "a letter too few", ["ARAY"], ["ARRAY"]
    yield "nothing said", ["", "OF"], ["ARRAY", "OF"]
    yield "nothing right", ["BBBB"], ["AA"]
    yield "gaps of unlike length", ["X", "RETURNS"], ["A", "RETURNS"]
    yield "two letters swapped", ["AB"], ["BA"]
    yield "the classic", ["KITTEN", "SITTING"], ["SITTING", "KITTEN"]
    yield "a letter too many here, one too few there", ["AB", ""], ["A", "B"]
    yield "an empty truth beside another one", ["AB", "C"], ["", "C"]
    yield "one letter", ["A"], ["B"]
    yield "several edits", ["INTENTION", "SATURDAY"], ["EXECUTION", "SUNDAY"]


@letter_error.usual
def letter_error(said, true):
    edits = 0
    for a, b in zip(said, true):
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            old, row = row, [i]
            for j, y in enumerate(b, 1):
                row.append(min(row[-1] + 1, old[j] + 1, old[j - 1] + (x != y)))
        edits += row[-1]
    return edits / sum(map(len, true))


letter_error.slip("sum(map(len, true))", "sum(map(len, said))", "said").says(
    "edits were divided by the letters said. Divide by the letters of the truth."
)
letter_error.slip("sum(map(len, true))", "len(true)", "per text").says(
    "edits were divided by the number of texts. Divide by the number of true letters."
)
letter_error.slip("(x != y)", "2 * (x != y)", "no exchange").says(
    "an exchanged letter costs 2. It is one edit, as one left out or put in is."
)
letter_error.slip("row[-1] + 1, old[j] + 1, old[j - 1]", "old[j - 1]", "place by place").says(
    "letters were compared place by place. A letter left out or put in is one edit, and the rest may still agree."
)


@letter_error.mistake("mean of texts", "each text's error was averaged. Add up all edits, then divide by all letters.")
def _(said, true):
    return sum(letter_error.solution([a], [b]) for a, b in zip(said, true) if b) / len(true)


@letter_error.mistake(
    "joined", "the texts were joined before counting. A letter of one text cannot stand in for one of the next."
)
def _(said, true):
    return letter_error.solution(["".join(said)], ["".join(true)])


@letter_error.mistake("whole texts", "this is the share of wrong texts. Count the letters to be edited.")
def _(said, true):
    return sum(a != b for a, b in zip(said, true)) / len(true)


@letter_error.mistake("same length", "letters were compared place by place and the rest was dropped.")
def _(said, true):
    return sum(x != y for a, b in zip(said, true) for x, y in zip(a, b)) / sum(map(len, true))
