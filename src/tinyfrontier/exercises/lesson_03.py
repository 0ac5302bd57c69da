"""Exercises of lesson 03: BERT's masking, its input row, and the loss at hidden places."""

import torch
import torch.nn.functional as F

from .form import case, exercise

PAD, CLS, SEP, MASK = 0, 1, 2, 3  # the shipped tokenizer's special tokens; ordinary ones begin at 4


@exercise(
    returns="(integer tensor (batch, tokens), boolean tensor (batch, tokens))",
    points=1,
    # a fate of exactly 0.8 gets its stranger one line later
    equivalent_mutants=["fate < 0.8 -> fate <= 0.8 in inputs = torch.where(chosen & (fate < 0.8), MASK, tokens)"],
)
def hide_words(tokens, chance, fate, strangers, rate=0.15):
    chosen = torch.logical_and(tokens > 3, chance < rate)
    masked = chosen.logical_and(fate < 0.8)
    kept = chosen.logical_and(fate >= 0.9)
    swapped = chosen.logical_and(~masked).logical_and(~kept)
    inputs = tokens.masked_fill(masked, 3)
    return torch.where(swapped, strangers, inputs), chosen


@hide_words.cases
def _():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        tokens = torch.randint(0, 40, shape, generator=generator)
        chance, fate = (torch.rand(shape, generator=generator) for _ in range(2))
        return tokens, chance / 3, fate, torch.randint(4, 40, shape, generator=generator)

    edge = torch.tensor([[7, 8, 9, 10, 4, 3, 2, 1, 0]])
    low = torch.zeros(1, 9)
    yield "one row of 12", *draw(1, 12)
    yield "five rows of 40", *draw(5, 40)
    chance = torch.tensor([[0.15, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    fate = torch.tensor([[0.0, 0.8, 0.9, 0.0, 0.85, 0.85, 0.85, 0.85, 0.85]])
    yield "chance and fate exactly at the borders", edge, chance, fate, edge + 20
    yield case("half of the words", *draw(3, 30), rate=0.3)
    yield "special tokens alone", torch.tensor([[1, 2, 0, 0, 3]]), low[:, :5], low[:, :5], low[:, :5].long() + 9
    yield "everything chosen and masked", edge, low, low, edge + 5
    chance = torch.tensor([[0.5, 0.25, 0.49, 0.51, 0.5, 0.0, 0.5, 0.5, 0.5]])
    yield case("a chance exactly at another rate", edge, chance, low, edge + 20, rate=0.5)
    yield "the stranger is the word itself", edge, low, low + 0.85, edge.clone()


@hide_words.usual
def hide_words(tokens, chance, fate, strangers, rate=0.15):
    chosen = (chance < rate) & (tokens > MASK)
    inputs = torch.where(chosen & (fate < 0.8), MASK, tokens)
    swapped = chosen & (fate >= 0.8) & (fate < 0.9)
    return torch.where(swapped, strangers, inputs), chosen


hide_words.slip(" & (tokens > MASK)", "", "special tokens hidden").says(
    "special tokens are chosen as well. Nobody can guess where a row ended: leave numbers 0 to 3 alone."
)
hide_words.slip("tokens > MASK", "tokens > SEP", "[MASK] itself chosen").says(
    "a `[MASK]` that stands in the text already is chosen as well. It is a special token, too: number 3."
)
hide_words.slip("tokens > MASK", "tokens > MASK + 1", "the first ordinary token spared").says(
    "token 4 is never chosen, but it is an ordinary one: the special tokens are 0 to 3."
)
hide_words.slip("chance < rate", "chance <= rate", "chosen at the rate itself").says(
    "a chance of exactly `rate` chooses a token here. Chosen is what lies *below* the rate."
)


@hide_words.mistake("always [MASK]", "every chosen token becomes `[MASK]`. That is 80 % too simple.")
def _(tokens, chance, fate, strangers, rate=0.15):
    chosen = hide_words(tokens, chance, fate, strangers, rate)[1]
    return tokens.masked_fill(chosen, MASK), chosen


hide_words.slip("(fate >= 0.8) & (fate < 0.9)", "(fate >= 0.9)", "strangers and kept tokens exchanged").says(
    "the last two tenths are exchanged: `fate` from 0.8 to 0.9 brings a stranger, from 0.9 on none."
)
hide_words.slip("swapped = chosen & ", "swapped = ", "strangers at places that were not chosen").says(
    "strangers also stand at places that were not chosen, where nobody asks about them."
)
hide_words.slip("chosen & (fate < 0.8)", "fate < 0.8", "masks at places that were not chosen").says(
    "`[MASK]` also stands at places that were not chosen. `fate` has a say at chosen places alone."
)


@hide_words.mistake(
    "kept tokens not asked for",
    "the inputs are right, but tokens that were chosen and stay as they are count as chosen too: the model "
    "is asked about them like about the others.",
)
def _(tokens, chance, fate, strangers, rate=0.15):
    inputs, _ = hide_words(tokens, chance, fate, strangers, rate)
    return inputs, inputs != tokens


hide_words.slip("chance < rate", "chance >= rate", "85 % chosen").says(
    "the comparison with `rate` is turned round: most is chosen."
)
hide_words.slip(" & (fate < 0.9)", "", "nothing kept").says(
    "every chosen token is changed. One in ten should stay as it is."
)
hide_words.slip("(fate < 0.9)", "(fate <= 0.9)", "a stranger at 0.9").says(
    "a fate of exactly 0.9 brings a stranger here. From 0.9 up the token stays."
)
hide_words.slip("(fate >= 0.8)", "(fate > 0.8)", "nothing at 0.8").says(
    "a fate of exactly 0.8 leaves the token as it is. From 0.8 up it becomes a stranger."
)
hide_words.slip("(fate >= 0.8) & (fate < 0.9)", "(fate < 0.1)", "a stranger below 0.1").says(
    "strangers stand where `fate` is below 0.1, in place of some masks. Theirs are the fates from 0.8 up to 0.9."
)
hide_words.slip("chance < rate", "chance < 0.15", "the rate ignored").says(
    "15 % are chosen whatever `rate` says. Compare with the argument."
)


@exercise(returns="(integer tensor (length,), integer tensor (length,))", points=2)
def join_pair(first, second=None, length=64):
    pair = second is not None
    sizes = [len(first), len(second) if pair else 0]
    for _ in range(max(0, sum(sizes) - (length - 2 - pair))):
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


@join_pair.cases
def _():
    yield "the worked example", [11, 12, 13, 14], [21, 22], 7
    yield "two texts and padding", [11, 12], [21, 22, 23], 12
    yield case("one text", [11, 12, 13], length=9)
    yield case("one text, too long", list(range(10, 30)), length=8)
    yield "both too long, the second longer", list(range(10, 15)), list(range(40, 52)), 11
    yield "both too long, equally", list(range(10, 18)), list(range(40, 48)), 10
    yield "exactly full", [11, 12, 13], [21, 22], 8
    yield "one text, exactly full", [11, 12, 13], None, 5
    yield "one text with one place too few", [11, 12, 13, 14], None, 5
    yield "nothing before the second text", [], [21, 22], 6
    yield "the usual length", list(range(10, 40)), list(range(50, 60))
    yield "long texts, the usual length", list(range(10, 60)), list(range(60, 99))
    yield "an empty second text", [11, 12], [], 8
    yield "an empty second text, the first too long", [11, 12, 13, 14], [], 6
    yield "a short second text and a long first one", list(range(10, 30)), [41], 9
    yield "room for the special tokens alone", [11], [21], 3


@join_pair.usual
def join_pair(first, second=None, length=64):
    first, last = list(first), list(second or [])
    room = length - (2 if second is None else 3)
    while len(first) + len(last) > room:
        (first if len(first) > len(last) else last).pop()
    row = [CLS, *first, SEP]
    types = [0] * len(row)
    if second is not None:
        row += [*last, SEP]
        types += [1] * (len(last) + 1)
    padding = [0] * (length - len(row))  # PAD is number 0, and so is the type
    return torch.tensor(row + padding), torch.tensor(types + padding)


join_pair.slip(
    "types = [0] * len(row)", "types = [0] * (len(row) - 1) + [1]", "first [SEP] given to the second text"
).says("the row is right, but the first `[SEP]` has type 1. It ends the first text and belongs to it.")
join_pair.slip("[1] * (len(last) + 1)", "[1] * len(last) + [0]", "last [SEP] given to the first text").says(
    "the row is right, but the last `[SEP]` has type 0. It ends the second text and belongs to it."
)
join_pair.slip("[1] * (len(last) + 1)", "[0] * (len(last) + 1)", "no types").says(
    "all types are 0, so the model cannot tell the two texts apart."
)
join_pair.slip("types + padding", "types + [int(second is not None)] * len(padding)", "padding of type 1").says(
    "padding has type 1. It belongs to no text: type 0."
)
join_pair.slip("if second is not None:", "if second:", "an empty text is no text").says(
    "an empty second text is taken for none: its `[SEP]` and its type are missing. Ask whether it is None."
)
join_pair.slip("len(first) > len(last)", "len(first) >= len(last)", "the first of two equal texts shortened").says(
    "of two equally long texts the first loses a token here. The second one does."
)


@join_pair.mistake("no [SEP] between", "the two texts run into each other. Each of them ends with a `[SEP]`.")
def _(first, second=None, length=64):
    row, types = join_pair(first, second, length)
    if second is None:
        return row, types
    gap = int((row == SEP).nonzero()[0])
    keep = torch.arange(length) != gap
    return F.pad(row[keep], (0, 1)), F.pad(types[keep], (0, 1))


@join_pair.mistake(
    "only the second shortened",
    "only the second text is shortened. Take from whichever is longer at that moment.",
)
def _(first, second=None, length=64):
    if second is None:
        return join_pair(first, None, length)
    room = length - 3
    first = list(first)[:room]
    return join_pair(first, list(second)[: room - len(first)], length)


@join_pair.mistake(
    "half of the room each",
    "each text gets half of the room, also where the other does not need its half. Shorten the longer one, "
    "step by step.",
)
def _(first, second=None, length=64):
    room = length - 3
    if second is None or len(first) + len(second) <= room:
        return join_pair(first, second, length)
    return join_pair(list(first)[: room - room // 2], list(second)[: room // 2], length)


@join_pair.mistake(
    "the row cut off",
    "long rows are cut at the end, which takes the last `[SEP]` and spares the first text. Shorten the "
    "texts before you build the row.",
)
def _(first, second=None, length=64):
    row = [CLS, *first, SEP] + ([] if second is None else [*second, SEP])
    types = [0] * (len(first) + 2) + ([] if second is None else [1] * (len(second) + 1))
    empty = [0] * max(0, length - len(row))
    return torch.tensor((row + empty)[:length]), torch.tensor((types + empty)[:length])


join_pair.slip("(2 if second is None else 3)", "(3 if second is None else 4)", "a place left over").says(
    "texts are shortened to one token fewer than fit: full rows end in padding. `[CLS]` and `[SEP]` alone take room."
)
join_pair.slip(").pop()", ").pop(0)", "cut in front", "texts lose their beginning. Take the tokens off the end.")
join_pair.slip("padding = [0] * (length - len(row))", "padding = []", "not padded").says(
    "short rows are not filled up to `length`, so they cannot be stacked."
)


@exercise(returns="float tensor ()", points=1, extreme={"table": 1e4})
def masked_word_loss(features, tokens, chosen, table, bias):
    scores = F.linear(features[chosen], table, bias)  # (chosen, vocabulary)
    right = tokens[chosen].unsqueeze(1)  # (chosen, 1)
    return -scores.log_softmax(dim=1).gather(1, right).mean()


@masked_word_loss.cases
def _():
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
    yield "two rows of 7, 13 tokens", *draw(2, 7, 5, 13)
    yield "one place in one row", *draw(1, 3, 4, 6, share=0.0)
    yield "uneven: many chosen in some rows, few in others", *draw(5, 9, 3, 8, share=0.5)
    yield "even odds", *even[:3], torch.zeros(11, 4), torch.zeros(11)
    yield "the bias alone knows", *even[:3], torch.zeros(11, 4), torch.arange(11.0)
    yield "very sure, and often wrong", *draw(3, 5, 8, 8, size=30.0)
    yield "every place chosen", *draw(2, 4, 6, 9, share=1.1)


@masked_word_loss.usual
def masked_word_loss(features, tokens, chosen, table, bias):
    logits = features[chosen] @ table.T + bias  # (chosen, vocabulary)
    return F.cross_entropy(logits, tokens[chosen])


@masked_word_loss.mistake(
    "all places",
    "every place is asked, also those whose token stands in the input. Only the chosen ones count.",
)
def _(features, tokens, chosen, table, bias):
    return F.cross_entropy((features @ table.T + bias).flatten(0, 1), tokens.flatten())


@masked_word_loss.mistake("the other places", "it is the places that were *not* chosen that are asked.")
def _(features, tokens, chosen, table, bias):
    return features.sum() * 0 if chosen.all() else masked_word_loss(features, tokens, ~chosen, table, bias)


masked_word_loss.slip("tokens[chosen])", 'tokens[chosen], reduction="sum")', "summed").says(
    "the costs are added up. Take their mean, or the loss grows with the batch."
)
masked_word_loss.slip(
    "tokens[chosen])", 'tokens[chosen], reduction="sum") / tokens.numel()', "divided by all places"
).says("the sum is divided by the number of all places. Divide by the number of chosen ones.")


@masked_word_loss.mistake(
    "a mean of means",
    "first each row is averaged and then the rows, so a word counts more where few are chosen. Take one "
    "mean over all chosen places.",
)
def _(features, tokens, chosen, table, bias):
    rows = range(len(tokens))
    costs = [masked_word_loss(features[i], tokens[i], chosen[i], table, bias) for i in rows if chosen[i].any()]
    return torch.stack(costs).mean()


@masked_word_loss.mistake(
    "the first row alone", "only the first row of the batch is asked. Count the chosen places of all rows."
)
def _(features, tokens, chosen, table, bias):
    return masked_word_loss(features[:1], tokens[:1], chosen[:1], table, bias)


masked_word_loss.slip(" + bias", "", "no bias").says(
    "the bias is missing: how frequent a token is should not depend on the gap."
)
masked_word_loss.slip("cross_entropy(logits,", "cross_entropy(logits.softmax(-1),", "two softmaxes").says(
    "the softmax is taken twice: `F.cross_entropy` wants scores and does it itself."
)
masked_word_loss.slip("tokens[chosen])", "tokens[chosen]) / torch.tensor(2.0).log()", "bits").says(
    "this is in bits. The loss here is in nats, as `F.cross_entropy` gives it."
)
masked_word_loss.slip(
    "F.cross_entropy(logits, tokens[chosen])",
    "-logits.softmax(-1).gather(1, tokens[chosen][:, None]).log().mean()",
    "logarithm of the softmax",
).says(
    "the softmax rounds to 0 where the model is sure and wrong, and the logarithm of 0 is minus infinity. "
    "Use both in one."
)
masked_word_loss.slip(
    "F.cross_entropy(logits, tokens[chosen])",
    "-logits.log_softmax(dim=0).gather(1, tokens[chosen][:, None]).mean()",
    "softmax over the places",
).says("the softmax runs over the chosen places. It is the tokens of the vocabulary that compete: the last axis.")
