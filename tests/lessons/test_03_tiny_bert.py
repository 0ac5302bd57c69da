"""Lesson 03's own BERT against transformers' and the course's, its masking, its rows and its losses."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tinyfrontier.beside.lesson_03.field import evenly, gain
from tinyfrontier.beside.lesson_03.rivals import count_pieces, liken

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(3)


def shaken(lesson, seed=0, **sizes):
    """A BERT of odd sizes with random weights everywhere, so that no bias is zero."""
    torch.manual_seed(seed)
    model = lesson.BERT(**({"vocabulary": 53, "context": 24, "layers": 2, "heads": 3, "width": 24} | sizes)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model


def padded_rows(batch, tokens, seed=0):
    """Rows with padding of different lengths, and token types."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(4, 53, (batch, tokens), generator=generator)
    real = torch.randint(1, tokens + 1, (batch, 1), generator=generator)
    rows[torch.arange(tokens) >= real] = 0
    return rows, torch.randint(2, (batch, tokens), generator=generator)


SIZES = [
    pytest.param({}, 3, 24, id="full-context"),
    pytest.param({"layers": 1, "heads": 1, "width": 6}, 1, 1, id="one-token"),
    pytest.param({"layers": 3, "heads": 4, "width": 32, "context": 17}, 4, 13, id="three-blocks"),
]


@pytest.mark.parametrize(("sizes", "batch", "tokens"), SIZES)
def test_both_losses_and_gradients_equal_the_library(lesson, sizes, batch, tokens):
    """With the same weights the sum of both losses and the gradient of every weight equal BertForPreTraining's."""
    mine = shaken(lesson, **sizes).double()
    library = lesson.published(mine, lesson.BertForPreTraining).double()
    library.load_state_dict(lesson.bert_state_dict(mine))
    rows, types = padded_rows(batch, tokens)
    order, chosen = torch.arange(batch) % 2, rows > 3
    hidden = mine(rows, types)
    words = lesson.masked_word_loss(mine.word_features(hidden), rows, chosen, mine.token.weight, mine.word_bias)
    ours = words + F.cross_entropy(mine.next_sentence(mine.pool(hidden)), order)
    targets = rows.masked_fill(~chosen, -100)
    theirs = library(rows, (rows != 0).int(), types, labels=targets, next_sentence_label=order).loss
    assert (ours - theirs).abs() < 1e-10
    ours.backward()
    theirs.backward()
    with torch.no_grad():
        for parameter in mine.parameters():
            parameter.copy_(parameter.grad)
    named = dict(library.named_parameters())  # shared weights stand here once
    compared = 0
    for name, gradient in lesson.bert_state_dict(mine).items():
        if name in named:
            assert (gradient - named[name].grad).abs().max() < 1e-8, name
            compared += 1
    assert compared == len(named)


@pytest.mark.parametrize(("sizes", "batch", "tokens"), SIZES)
def test_scores_for_words_equal_the_library(lesson, sizes, batch, tokens):
    """Scores at every place, padding included, equal BertForMaskedLM's."""
    mine = shaken(lesson, seed=1, **sizes)
    rows, types = padded_rows(batch, tokens, seed=1)
    with torch.no_grad():
        ours = mine.word_features(mine(rows, types)) @ mine.token.weight.T + mine.word_bias
        theirs = lesson.published(mine, lesson.BertForMaskedLM)(rows, (rows != 0).int(), types).logits
    assert (ours - theirs).abs().max() < 1e-3


def test_the_shipped_weights_give_the_same_vectors(lesson):
    """The lesson's class with the shipped weights describes and pools rows as the course's own BERT does."""
    shipped, words = lesson.load_bert()
    mine = lesson.bert_with(shipped.state_dict())
    rows = lesson.to_rows(["Return the shape of the array.", "A graph."])
    with torch.no_grad():
        ours, theirs = mine(rows), shipped(rows, None, rows != 0)
        assert (ours - theirs)[rows != 0].abs().max() < 1e-4
        assert (mine.pool(ours) - shipped.pool(theirs)).abs().max() < 1e-4
    assert (lesson.PAD, lesson.CLS, lesson.SEP, lesson.MASK) == tuple(words.special.values())


def test_every_token_sees_every_other_but_no_padding(lesson):
    """A change of any real token changes all vectors; more padding changes none."""
    model = shaken(lesson)
    rows = torch.randint(4, 50, (1, 9))
    with torch.no_grad():
        before = model(rows)
        for place in range(9):
            changed = rows.clone()
            changed[0, place] += 1
            assert ((model(changed) - before).abs().amax(dim=-1) > 1e-4).all()
        assert (model(F.pad(rows, (0, 7)))[:, :9] - before).abs().max() < 1e-5


@pytest.mark.parametrize(("batch", "tokens"), [(1, 1), (4, 40), (7, 13)])
def test_masking_equals_the_librarys_collator(lesson, monkeypatch, batch, tokens):
    """With the same dice, inputs and places asked about are those of transformers' collator for masked words."""
    from transformers import DataCollatorForLanguageModeling

    class Words:
        mask_token = "[MASK]"

        def __len__(self):
            return 60

        def convert_tokens_to_ids(self, _):
            return lesson.MASK

        def get_special_tokens_mask(self, row, already_has_special_tokens):
            return [token <= lesson.MASK for token in row]

    texts = torch.randint(0, 60, (batch, tokens), generator=torch.Generator().manual_seed(tokens))
    chance, fate = torch.rand(2, batch, tokens, generator=torch.Generator().manual_seed(1)).unbind()
    strangers = torch.randint(lesson.MASK + 1, 60, (batch, tokens), generator=torch.Generator().manual_seed(2))
    # the library draws first who is chosen, then who is masked, then who of the rest becomes a stranger
    dice = iter([chance, fate, (fate - 0.8) / 0.2])
    monkeypatch.setattr(torch, "bernoulli", lambda shares, generator=None: (next(dice) < shares).float())
    monkeypatch.setattr(torch, "randint", lambda *sizes, **settings: strangers)
    theirs, targets = DataCollatorForLanguageModeling(Words()).torch_mask_tokens(texts.clone())
    inputs, chosen = lesson.hide_words(texts, chance, fate, strangers)
    assert torch.equal(inputs, theirs)
    assert torch.equal(chosen, targets != -100)


def test_masking_has_the_shares_of_the_paper(lesson):
    """15 % chosen; 80 % of them masked, 10 % strangers, 10 % kept; nothing else touched; special tokens never."""
    tokens = torch.randint(0, lesson.VOCABULARY, (600, 300), generator=torch.Generator().manual_seed(0))
    inputs, chosen = lesson.hide(tokens, torch.Generator().manual_seed(1))
    assert torch.equal(inputs[~chosen], tokens[~chosen])
    assert not chosen[tokens <= lesson.MASK].any()
    ordinary = tokens > lesson.MASK
    masked, kept = inputs[chosen] == lesson.MASK, inputs[chosen] == tokens[chosen]
    assert chosen[ordinary].float().mean().item() == pytest.approx(0.15, abs=0.005)
    assert masked.float().mean().item() == pytest.approx(0.8, abs=0.01)
    assert kept.float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert (inputs[chosen][~masked] > lesson.MASK).all()


@pytest.mark.parametrize("length", [9, 13, 63])  # even room: at odd room the library spares the second text
def test_rows_hold_both_texts_as_the_library_cuts_them(lesson, length):
    """Row and types equal those of tokenizers' longest-first truncation with BERT's special tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    names = [f"w{n}" for n in range(100)]
    vocabulary = {name: n for n, name in enumerate(["[PAD]", "[CLS]", "[SEP]", "[MASK]", *names])}
    library = Tokenizer(models.WordLevel(vocabulary, unk_token="[PAD]"))
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    library.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    library.enable_truncation(length)
    library.enable_padding(length=length)
    for first, second in ((names[:5], names[50:53]), (names[:40], names[60:]), (names[:3], names[40:90])):
        found = library.encode(" ".join(first), " ".join(second))
        row, types = lesson.join_pair([vocabulary[n] for n in first], [vocabulary[n] for n in second], length)
        assert row.tolist() == found.ids
        assert types.tolist() == found.type_ids


def test_pairs_follow_when_they_say_so(lesson):
    """With order 0 the second text is what stands behind the first; with order 1 it begins at some paragraph."""
    modules = [list(range(10, 90)), list(range(100, 190)), list(range(200, 260))]
    joints = [(0, 20), (0, 50), (1, 40), (2, 5)]
    rows, types, order = lesson.draw_pairs(modules, joints, 40, torch.Generator().manual_seed(0))
    assert set(order.tolist()) == {0, 1}
    for row, kind, apart in zip(rows, types, order):
        second = row[kind == 1][0].item()
        last = row[(kind == 0) & (row > 3)][-1].item()
        assert second in {modules[module][place] for module, place in joints}
        if not apart:
            assert second == last + 1


def test_even_odds_cost_the_logarithm(lesson):
    """Without knowledge a hidden word costs ln of the vocabulary, and a fresh model about that."""
    features, tokens = torch.randn(3, 5, 4), torch.randint(32, (3, 5))
    loss = lesson.masked_word_loss(features, tokens, torch.ones(3, 5).bool(), torch.zeros(32, 4), torch.zeros(32))
    assert loss.item() == pytest.approx(math.log(32))
    torch.manual_seed(0)
    model = lesson.BERT().eval()
    rows = torch.randint(4, lesson.VOCABULARY, (16, 40))
    words, order = lesson.both_losses(model, rows, None, torch.arange(16) % 2, torch.Generator().manual_seed(0))
    assert abs(words.item() - math.log(lesson.VOCABULARY)) < 0.5
    assert abs(order.item() - math.log(2)) < 0.4


def test_a_gap_becomes_one_hidden_token(lesson):
    """[MASK] in a sentence is one token wherever it stands, and the text around it stays."""
    for text, gaps in (
        ("[MASK]", 1),
        ("import numpy as [MASK]", 1),
        ("a [MASK] [MASK] b", 2),
        ("[MASK](n):", 1),
        ("no", 0),
    ):
        row = lesson.to_row(text)
        assert (row == lesson.MASK).sum() == gaps
        assert row[0, 0] == lesson.CLS
        assert row[0, -1] == lesson.SEP
        rest = lesson.WORDS.decode(row[0][row[0] > 3].tolist())
        assert rest.split() == text.replace("[MASK]", " ").split()


def test_the_mean_in_place_of_the_pooler_leaves_padding_out(lesson):
    """The classifier from scratch scores the mean of the real tokens' vectors, however much padding follows."""
    model = lesson.MeanClassifier(shaken(lesson), 5)
    row = torch.randint(4, 50, (1, 7))
    with torch.no_grad():
        expected = model.head(model.bert(row).mean(dim=1))
        assert expected.abs().max() > 0
        assert (model(F.pad(row, (0, 9))) - expected).abs().max() < 1e-5


def test_shuffled_weights_are_the_same_numbers(lesson):
    """The control keeps every tensor's numbers and loses their places."""
    weights = {"a": torch.randn(30, 20), "b": torch.randn(50)}
    mixed = lesson.shuffle_weights(weights, 0)
    for name, tensor in weights.items():
        assert mixed[name].shape == tensor.shape
        assert torch.equal(mixed[name].flatten().sort().values, tensor.flatten().sort().values)
        assert not torch.equal(mixed[name], tensor)


@pytest.mark.parametrize(("change", "expected"), [(0.0, "no"), (0.2, "yes")])
def test_the_interval_tells_a_gain_from_none(lesson, change, expected):
    """A gain in every fifth block has an interval above zero; exchanged hits and misses have one around zero."""
    old = np.random.default_rng(0).integers(2, size=(3, 2, 400)).astype(float)
    new = old[..., ::-1].copy()
    if change:
        new = old.copy()
        new[..., :: int(1 / change)] = 1.0
    mean, low, high = gain(new, old)
    assert low <= mean <= high
    assert (low > 0.02) == (expected == "yes")
    assert (low < 0 < high) == (expected == "no")


def test_every_start_goes_through_both_recipes_alike(lesson, monkeypatch):
    """Start and recipe decide the network; labels, rate and steps do not hang on the start."""
    seen = []

    def tune(model, rows, labels, *rest):
        seen.append((type(model), len(rows), labels.tolist(), rest))
        return model

    monkeypatch.setattr(lesson, "tune", tune)
    for start in ("shipped", "shuffled", "fresh"):
        for recipe in lesson.RECIPES:
            assert 0 <= lesson.tuned(lesson.start_from(start, 3), recipe, 16, 3, 1e-3, 7) <= 1
    assert seen[:2] == seen[2:4] == seen[4:]
    assert seen[0][:2] == (lesson.Classifier, 16)
    assert seen[1][:2] == (lesson.MeanClassifier, 16)
    assert seen[0][3] == (3, 1e-3, 7)


def test_labels_settings_and_exam_have_modules_of_their_own(lesson):
    """No paragraph gives labels and picks settings or is examined, and each paper has 50 of every package."""
    labelled = {text for texts in lesson.PARAGRAPHS.values() for text in texts}
    picking, exam = (set(paper[0]) for paper in (lesson.PICKING, lesson.EXAM))
    assert not labelled & picking
    assert not exam & (labelled | picking)
    held_out = {text for document in lesson.CORPUS.test for text in document.paragraphs}
    assert exam <= held_out
    for _, labels in (lesson.PICKING, lesson.EXAM):
        assert torch.bincount(labels).tolist() == [50] * 8


def test_the_strength_is_picked_on_the_other_paper(lesson, monkeypatch):
    """A judge that could only do well by picking on the exam does not."""
    right = lesson.PICKING[1]
    rng = np.random.default_rng(0)

    def read(texts):
        known = {id(lesson.EXAM[0]): lesson.EXAM[1], id(lesson.PICKING[0]): right}.get(id(texts))
        noise = rng.normal(size=(len(texts), 8))
        return noise if known is None else noise + 3 * np.eye(8)[known.numpy()]

    strengths = []

    class Spy(lesson.LogisticRegression):
        def __init__(self, C=1.0, max_iter=100):
            super().__init__(C=C, max_iter=max_iter)
            strengths.append(C)

    monkeypatch.setattr(lesson, "LogisticRegression", Spy)
    assert lesson.judge(read, [4]).shape == (1, 3)
    assert strengths[:6] == [0.1] * 6
    assert len(strengths) == 3 * 2 * 3 + 3
    assert len(set(strengths[-3:])) == 1


def test_a_text_is_most_like_its_own_module():
    """Likeness has a column a module, and a text that stands in one of them is most like it."""
    modules = [[f"{word} is what {word}s do {n}" for n in range(4)] for word in ("graph", "matrix", "kernel")]
    counter = count_pieces([text for texts in modules for text in texts])
    likeness = liken(modules, counter)([texts[0] for texts in modules])
    assert likeness.shape == (3, 3)
    assert likeness.argmax(axis=1).tolist() == [0, 1, 2]
    assert np.linalg.norm(likeness, axis=1) == pytest.approx(1)


@pytest.mark.parametrize("blocks", [120, 130, 320])
def test_blocks_from_all_over(lesson, blocks):
    """The exam's blocks keep their order, come from both ends and none comes twice."""
    picked = evenly(list(range(blocks)))
    assert len(picked) == len(set(picked)) == 120
    assert picked == sorted(picked)
    assert picked[0] == 0
    assert picked[-1] >= blocks - blocks // 120 - 1


@pytest.mark.parametrize(("lead", "expected"), [(0.1, True), (0.001, False), (-0.1, False)])
def test_a_clear_lead_is_more_than_two_standard_errors(lesson, lead, expected):
    """A lead that the draws' spread swallows is none."""
    noise = np.random.default_rng(0).normal(0, 0.03, (10, 3))
    assert (lesson.clearly(0.5 + lead + noise, np.full((10, 3), 0.5)) == expected).all()
