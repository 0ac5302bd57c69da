"""Exercises of lesson 03: BERT's masking, its input row, and the loss at hidden places. References, cases, mistakes."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .engine import Case, Exercise, Mistake

PAD, CLS, SEP, MASK = 0, 1, 2, 3  # the shipped tokenizer's special tokens; ordinary ones begin at 4


def hide_words(tokens, chance, fate, strangers, rate=0.15):
    chosen = torch.logical_and(tokens > 3, chance < rate)
    masked = chosen.logical_and(fate < 0.8)
    kept = chosen.logical_and(fate >= 0.9)
    swapped = chosen.logical_and(~masked).logical_and(~kept)
    inputs = tokens.masked_fill(masked, 3)
    return torch.where(swapped, strangers, inputs), chosen


def hide_cases():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape, **kwargs):
        tokens = torch.randint(0, 40, shape, generator=generator)
        chance, fate = (torch.rand(shape, generator=generator) for _ in range(2))
        return (tokens, chance / 3, fate, torch.randint(4, 40, shape, generator=generator))

    edge = torch.tensor([[7, 8, 9, 10, 4, 3, 2, 1, 0]])
    low = torch.zeros(1, 9)
    return [
        Case("one row of 12", draw(1, 12)),
        Case("five rows of 40", draw(5, 40)),
        Case(
            "chance and fate exactly at the borders",
            (
                edge,
                torch.tensor([[0.15, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]),
                torch.tensor([[0.0, 0.8, 0.9, 0.0, 0.85, 0.85, 0.85, 0.85, 0.85]]),
                edge + 20,
            ),
        ),
        Case("half of the words", draw(3, 30), {"rate": 0.3}),
        Case("special tokens alone", (torch.tensor([[1, 2, 0, 0, 3]]), low[:, :5], low[:, :5], low[:, :5].long() + 9)),
        Case("everything chosen and masked", (edge, low, low, edge + 5)),
    ]


def _hides_special(tokens, chance, fate, strangers, rate=0.15):
    chosen = chance < rate
    inputs = torch.where(chosen & (fate < 0.8), MASK, tokens)
    return torch.where(chosen & (fate >= 0.8) & (fate < 0.9), strangers, inputs), chosen


def _always_mask(tokens, chance, fate, strangers, rate=0.15):
    chosen = hide_words(tokens, chance, fate, strangers, rate)[1]
    return tokens.masked_fill(chosen, MASK), chosen


def _strangers_and_kept_swapped(tokens, chance, fate, strangers, rate=0.15):
    chosen = hide_words(tokens, chance, fate, strangers, rate)[1]
    inputs = torch.where(chosen & (fate < 0.8), MASK, tokens)
    return torch.where(chosen & (fate >= 0.9), strangers, inputs), chosen


def _strangers_everywhere(tokens, chance, fate, strangers, rate=0.15):
    chosen = hide_words(tokens, chance, fate, strangers, rate)[1]
    inputs = torch.where(chosen & (fate < 0.8), MASK, tokens)
    return torch.where((fate >= 0.8) & (fate < 0.9), strangers, inputs), chosen


def _fate_of_everyone(tokens, chance, fate, strangers, rate=0.15):
    chosen = hide_words(tokens, chance, fate, strangers, rate)[1]
    inputs = torch.where(fate < 0.8, MASK, tokens)
    return torch.where(chosen & (fate >= 0.8) & (fate < 0.9), strangers, inputs), chosen


def _changed_only(tokens, chance, fate, strangers, rate=0.15):
    inputs, _ = hide_words(tokens, chance, fate, strangers, rate)
    return inputs, inputs != tokens


def _rate_turned_round(tokens, chance, fate, strangers, rate=0.15):
    return hide_words(tokens, torch.where(chance >= rate, 0.0, 1.0), fate, strangers, rate)


def _never_kept(tokens, chance, fate, strangers, rate=0.15):
    chosen = hide_words(tokens, chance, fate, strangers, rate)[1]
    inputs = torch.where(chosen & (fate < 0.8), MASK, tokens)
    return torch.where(chosen & (fate >= 0.8), strangers, inputs), chosen


def join_pair(first, second=None, length=64):
    pair = second is not None
    sizes = [len(first), len(second) if pair else 0]
    while sum(sizes) > length - 2 - pair:
        sizes[0 if sizes[0] > sizes[1] else 1] -= 1
    row, types = torch.zeros(length, dtype=torch.long), torch.zeros(length, dtype=torch.long)
    row[0] = 1
    row[1 : 1 + sizes[0]] = torch.tensor(list(first[: sizes[0]]), dtype=torch.long)
    row[1 + sizes[0]] = 2
    if pair:
        start = 2 + sizes[0]
        row[start : start + sizes[1]] = torch.tensor(list(second[: sizes[1]]), dtype=torch.long)
        row[start + sizes[1]] = 2
        types[start : start + sizes[1] + 1] = 1
    return row, types


def join_cases():
    return [
        Case("the worked example", ([11, 12, 13, 14], [21, 22], 7)),
        Case("two texts and padding", ([11, 12], [21, 22, 23], 12)),
        Case("one text", ([11, 12, 13],), {"length": 9}),
        Case("one text, too long", (list(range(10, 30)),), {"length": 8}),
        Case("both too long, the second longer", (list(range(10, 15)), list(range(40, 52)), 11)),
        Case("both too long, equally", (list(range(10, 18)), list(range(40, 48)), 10)),
        Case("exactly full", ([11, 12, 13], [21, 22], 8)),
        Case("one text, exactly full", ([11, 12, 13], None, 5)),
        Case("one text with one place too few", ([11, 12, 13, 14], None, 5)),
        Case("nothing before the second text", ([], [21, 22], 6)),
        Case("the usual length", (list(range(10, 40)), list(range(50, 60)))),
        Case("long texts, the usual length", (list(range(10, 60)), list(range(60, 99)))),
    ]


def _build(first, second, length, types_of):
    row = [CLS, *first, SEP] + ([] if second is None else [*second, SEP])
    types = types_of(len(first), -1 if second is None else len(second))
    empty = [0] * (length - len(row))
    return torch.tensor(row + empty), torch.tensor((types + empty)[:length])


def _texts(first, second, length):
    """The two texts, shortened as they should be."""
    row, types = join_pair(first, second, length)
    one = row[types == 0].tolist()
    return one[1 : one.index(SEP)], None if second is None else row[types == 1].tolist()[:-1]


def _separator_is_second(first, second=None, length=64):
    first, second = _texts(first, second, length)
    return _build(first, second, length, lambda a, b: [0] * (a + 1) + [1] * (b + 2 if second is not None else 1))


def _last_separator_is_first(first, second=None, length=64):
    first, second = _texts(first, second, length)
    return _build(first, second, length, lambda a, b: [0] * (a + 2) + [1] * max(0, b) + [0] * (second is not None))


def _types_all_zero(first, second=None, length=64):
    row, types = join_pair(first, second, length)
    return row, torch.zeros_like(types)


def _padding_is_second(first, second=None, length=64):
    row, types = join_pair(first, second, length)
    return row, types.masked_fill(row == PAD, 1) if second is not None else types


def _no_separator_between(first, second=None, length=64):
    first, second = _texts(first, second, length)
    row = [CLS, *first, *(second or []), SEP]
    types = [0] * (1 + len(first)) + [1] * (len(second or []) + (second is not None)) + [0] * (second is None)
    empty = [0] * (length - len(row))
    return torch.tensor(row + empty), torch.tensor(types + empty)


def _cut_the_second_only(first, second=None, length=64):
    if second is None:
        return join_pair(first, None, length)
    room = length - 3
    first = list(first)[:room]
    return join_pair(first, list(second)[: room - len(first)], length)


def _cut_the_row(first, second=None, length=64):
    row = [CLS, *first, SEP] + ([] if second is None else [*second, SEP])
    types = [0] * (len(first) + 2) + ([] if second is None else [1] * (len(second) + 1))
    empty = [0] * max(0, length - len(row))
    return torch.tensor((row + empty)[:length]), torch.tensor((types + empty)[:length])


def _cut_in_front(first, second=None, length=64):
    kept, other = _texts(first, second, length)
    first = list(first)[len(first) - len(kept) :]
    second = None if second is None else list(second)[len(second) - len(other) :]
    return join_pair(first, second, length)


def _not_padded(first, second=None, length=64):
    row, types = join_pair(first, second, length)
    return row[row != PAD], types[row != PAD]


def masked_word_loss(features, tokens, chosen, table, bias):
    scores = F.linear(features[chosen], table, bias)  # (chosen, vocabulary)
    right = tokens[chosen].unsqueeze(1)  # (chosen, 1)
    return -scores.log_softmax(dim=1).gather(1, right).mean()


def loss_cases():
    generator = torch.Generator().manual_seed(3)

    def draw(batch, tokens, width, vocabulary, share=0.3, size=1.0):
        chosen = torch.rand(batch, tokens, generator=generator) < share
        chosen[0, tokens // 2] = True
        return (
            torch.randn(batch, tokens, width, generator=generator),
            torch.randint(vocabulary, (batch, tokens), generator=generator),
            chosen,
            size * torch.randn(vocabulary, width, generator=generator),
            torch.randn(vocabulary, generator=generator),
        )

    even = draw(2, 6, 4, 11)
    return [
        Case("two rows of 7, 13 tokens", draw(2, 7, 5, 13)),
        Case("one place in one row", draw(1, 3, 4, 6, share=0.0)),
        Case("uneven: many chosen in some rows, few in others", draw(5, 9, 3, 8, share=0.5)),
        Case("even odds", (*even[:3], torch.zeros(11, 4), torch.zeros(11))),
        Case("the bias alone knows", (*even[:3], torch.zeros(11, 4), torch.arange(11.0))),
        Case("very sure, and often wrong", draw(3, 5, 8, 8, size=30.0)),
        Case("every place chosen", draw(2, 4, 6, 9, share=1.1)),
    ]


def _everywhere(features, tokens, chosen, table, bias):
    return F.cross_entropy((features @ table.T + bias).flatten(0, 1), tokens.flatten())


def _not_chosen(features, tokens, chosen, table, bias):
    if chosen.all():
        return features.sum() * 0
    return masked_word_loss(features, tokens, ~chosen, table, bias)


def _summed(features, tokens, chosen, table, bias):
    return masked_word_loss(features, tokens, chosen, table, bias) * chosen.sum()


def _over_all_places(features, tokens, chosen, table, bias):
    return _summed(features, tokens, chosen, table, bias) / tokens.numel()


def _per_row(features, tokens, chosen, table, bias):
    rows = range(len(tokens))
    costs = [masked_word_loss(features[i], tokens[i], chosen[i], table, bias) for i in rows if chosen[i].any()]
    return torch.stack(costs).mean()


def _no_bias(features, tokens, chosen, table, bias):
    return masked_word_loss(features, tokens, chosen, table, torch.zeros_like(bias))


def _two_softmaxes(features, tokens, chosen, table, bias):
    return F.cross_entropy((features[chosen] @ table.T + bias).softmax(-1), tokens[chosen])


def _in_bits(features, tokens, chosen, table, bias):
    return masked_word_loss(features, tokens, chosen, table, bias) / torch.tensor(2.0).log()


EXERCISES = (
    Exercise(
        name="hide_words",
        reference=hide_words,
        cases=hide_cases,
        returns="(integer tensor (batch, tokens), boolean tensor (batch, tokens))",
        points=1,
        # a fate of exactly 0.8 gets its stranger one line later
        equivalent_mutants=("fate < 0.8 -> fate <= 0.8 in inputs = torch.where(chosen & (fate < 0.8), MASK, tokens)",),
        mistakes=(
            Mistake(
                "special tokens hidden",
                _hides_special,
                "special tokens are chosen as well. Nobody can guess where a row ended: leave numbers 0 to 3 alone.",
            ),
            Mistake("always [MASK]", _always_mask, "every chosen token becomes `[MASK]`. That is 80 % too simple."),
            Mistake(
                "strangers and kept tokens exchanged",
                _strangers_and_kept_swapped,
                "the last two tenths are exchanged: `fate` from 0.8 to 0.9 brings a stranger, from 0.9 on none.",
            ),
            Mistake(
                "strangers at places that were not chosen",
                _strangers_everywhere,
                "strangers also stand at places that were not chosen, where nobody asks about them.",
            ),
            Mistake(
                "masks at places that were not chosen",
                _fate_of_everyone,
                "`[MASK]` also stands at places that were not chosen. `fate` has a say at chosen places alone.",
            ),
            Mistake(
                "kept tokens not asked for",
                _changed_only,
                "the inputs are right, but tokens that were chosen and stay as they are count as chosen too: the model "
                "is asked about them like about the others.",
            ),
            Mistake("85 % chosen", _rate_turned_round, "the comparison with `rate` is turned round: most is chosen."),
            Mistake("nothing kept", _never_kept, "every chosen token is changed. One in ten should stay as it is."),
        ),
    ),
    Exercise(
        name="join_pair",
        reference=join_pair,
        cases=join_cases,
        returns="(integer tensor (length,), integer tensor (length,))",
        points=2,
        mistakes=(
            Mistake(
                "first [SEP] given to the second text",
                _separator_is_second,
                "the row is right, but the first `[SEP]` has type 1. It ends the first text and belongs to it.",
            ),
            Mistake(
                "last [SEP] given to the first text",
                _last_separator_is_first,
                "the row is right, but the last `[SEP]` has type 0. It ends the second text and belongs to it.",
            ),
            Mistake("no types", _types_all_zero, "all types are 0, so the model cannot tell the two texts apart."),
            Mistake("padding of type 1", _padding_is_second, "padding has type 1. It belongs to no text: type 0."),
            Mistake(
                "no [SEP] between",
                _no_separator_between,
                "the two texts run into each other. Each of them ends with a `[SEP]`.",
            ),
            Mistake(
                "only the second shortened",
                _cut_the_second_only,
                "only the second text is shortened. Take from whichever is longer at that moment.",
            ),
            Mistake(
                "the row cut off",
                _cut_the_row,
                "long rows are cut at the end, which takes the last `[SEP]` and spares the first text. Shorten the "
                "texts before you build the row.",
            ),
            Mistake("cut in front", _cut_in_front, "texts lose their beginning. Take the tokens off the end."),
            Mistake("not padded", _not_padded, "short rows are not filled up to `length`, so they cannot be stacked."),
        ),
    ),
    Exercise(
        name="masked_word_loss",
        reference=masked_word_loss,
        cases=loss_cases,
        returns="float tensor ()",
        points=1,
        mistakes=(
            Mistake(
                "all places",
                _everywhere,
                "every place is asked, also those whose token stands in the input. Only the chosen ones count.",
            ),
            Mistake("the other places", _not_chosen, "it is the places that were *not* chosen that are asked."),
            Mistake("summed", _summed, "the costs are added up. Take their mean, or the loss grows with the batch."),
            Mistake(
                "divided by all places",
                _over_all_places,
                "the sum is divided by the number of all places. Divide by the number of chosen ones.",
            ),
            Mistake(
                "a mean of means",
                _per_row,
                "first each row is averaged and then the rows, so a word counts more where few are chosen. Take one "
                "mean over all chosen places.",
            ),
            Mistake("no bias", _no_bias, "the bias is missing: how frequent a token is should not depend on the gap."),
            Mistake(
                "two softmaxes",
                _two_softmaxes,
                "the softmax is taken twice: `F.cross_entropy` wants scores and does it itself.",
            ),
            Mistake("bits", _in_bits, "this is in bits. The loss here is in nats, as `F.cross_entropy` gives it."),
        ),
    ),
)
