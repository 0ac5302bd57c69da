"""Lesson 30's texts, n-grams, readers and networks, by cases made by hand."""

import numpy as np
import pytest
import torch
from tinyfrontier.beside.lesson_30.counting import NGrams, beam, both_sides, log_chance, packed, ranked
from tinyfrontier.beside.lesson_30.judging import Gap, answers, ask_network, ask_ngrams, fit_weights, gaps_of, interval
from tinyfrontier.beside.lesson_30.matching import Matches, ask_matches
from tinyfrontier.beside.lesson_30.network import beam as network_beam
from tinyfrontier.beside.lesson_30.network import log_chances, practice
from tinyfrontier.beside.lesson_30.reading import Reader
from tinyfrontier.beside.lesson_30.texts import RUN, Stone, for_tuning, numbers_of, runs_of, stones_of

from tinyfrontier.authoring import definitions
from tinyfrontier.data.documents import Document, Documentation
from tinyfrontier.models import Restorer, RestorerConfig

SMALL = RestorerConfig(width=16, layers=1, heads=2, entries=512, piece=4)
TEXT = "THECATSATONTHEMATANDTHEDOGSATONTHELOG" * 6


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(30)


def paragraph(seed):
    """A paragraph of forty words that nobody knows."""
    draw = np.random.default_rng(seed)
    return " ".join("".join(map(chr, draw.integers(97, 123, size=draw.integers(2, 8)))) for _ in range(40))


def test_held_out_paragraphs_that_repeat_training_text_are_left_out():
    """A paragraph that shares thirty letters goes, another one of the same module stays."""
    module = next(name for name in map(str, range(50)) if not for_tuning(name))
    copied = paragraph(1)[30:150] + " " + paragraph(9)
    train = Document("numpy", "a", (("f", (paragraph(1), paragraph(2))),))
    held = Document("numpy", module, (("g", (copied, paragraph(3))),))
    found = stones_of(Documentation((train,), (held,), "", ""))
    assert (found.paragraphs, found.removed) == (2, 1)
    assert found.exam[0].letters == paragraph(3).replace(" ", "").upper()
    assert not np.isin(runs_of(found.exam[0].letters), runs_of(found.train[0].letters)).any()


def test_runs_are_told_apart_by_their_letters():
    """Equal runs have equal hashes, and a changed letter changes every run that holds it."""
    one, other = "ABCDEFGHIJ" * 6, "ABCDEFGHIJ" * 3 + "X" + ("ABCDEFGHIJ" * 3)[1:]
    assert len(runs_of(one)) == 60 - RUN + 1
    assert len(runs_of("ABC")) == 0
    assert runs_of(one)[0] == runs_of(one)[10]
    assert (runs_of(one) != runs_of(other)).tolist() == [k > 0 for k in range(31)]


@pytest.mark.parametrize("smoothing", ["kn", "wb"])
@pytest.mark.parametrize("order", [1, 3, 6])
def test_chances_sum_to_one(smoothing, order):
    """Seen contexts and unseen ones give chances above zero that sum to one."""
    signs = numbers_of(TEXT)
    grams = NGrams(signs, order, smoothing)
    rows = grams.chances(np.array([packed(numbers_of("THECAT").astype(np.int64), 6)[0], 0, 12345]))
    assert np.abs(rows.sum(1) - 1).max() < 1e-6
    assert rows.min() > 0


def test_witten_bell_is_the_exercises(lesson):
    """The packed tables give the chances that the exercise's solution gives."""
    letters = "".join(map(chr, range(64, 91)))
    grams = NGrams(numbers_of(TEXT), 4, "wb")
    for context in ("THE", "SAT", "QQE", "ZZZ"):
        code = packed(numbers_of(context).astype(np.int64), 3)
        assert np.abs(grams.chances(code)[0] - lesson.next_letter(TEXT, context, letters).numpy()).max() < 1e-6


def test_a_wide_beam_of_ngrams_is_exhaustive():
    """With room for all pairs of letters, the best filling is the best of all."""
    grams = NGrams(numbers_of(TEXT), 3)
    left = numbers_of("ONTH").astype(np.int64)[None]
    filled, scores = beam(grams, left, 2, 26 * 26)
    contexts = np.repeat(packed(left[0, -2:], 2), 26 * 26)
    every = np.stack(np.meshgrid(np.arange(1, 27), np.arange(1, 27), indexing="ij"), -1).reshape(-1, 2)
    points = log_chance(grams, contexts, every)
    assert filled[0, 0].tolist() == every[points.argmax()].tolist()
    assert scores[0, 0] == pytest.approx(points.max())


def test_ngrams_fill_a_gap_in_what_they_know():
    """A gap in text that was counted is filled, from both sides."""
    line = numbers_of(TEXT)
    ahead, back = NGrams(line, 5), NGrams(line[::-1].copy(), 5)
    where = TEXT.index("DOG")
    left, right = (numbers_of(part).astype(np.int64)[None] for part in (TEXT[where - 8 : where], TEXT[where + 3 :][:8]))
    filled, scores = both_sides(ahead, back, left, right, 3, 20)
    assert ranked(filled, scores.sum(-1))[0][0][0] == "DOG"


def test_the_reader_fills_by_words():
    """Words fill a gap, also ones that begin before it; pairs decide between words that are equally common."""
    texts = [("THE", "RED", "DOG"), ("A", "BAD", "CAT")] * 4
    reader = Reader(texts)
    assert reader.read("THERED" + "???")[0][0] == "DOG"
    assert reader.read("ABADC??")[0][0] == "AT"
    assert dict(Reader(texts, pairs=False).read("???")).keys() >= {"DOG", "CAT"}
    assert Reader(texts, most=2).words == ["THE", "RED"]
    assert reader.judge("THEREDDOG") > reader.judge("THEREDCAT") > reader.judge("THEREDXQZ")


def test_a_look_up_finds_what_stands_between_the_same_letters():
    """A filling comes with how many letters agree, the longest match comes first, hidden places stay out."""
    draw = np.random.default_rng(0)
    piece = draw.integers(1, 27, 96)
    gap = Gap(piece, 40, 3, "m")
    other = np.concatenate([piece[35:40], [1, 2, 3], piece[43:45], [0]])
    text = np.concatenate([other, piece, [0], draw.integers(1, 27, 50)]).astype(np.uint8)
    found = Matches(text, 4).found(gap)
    assert found[gap.truth] == [48]
    assert found["ABC"][0] >= 7
    ask_matches([gap], [found], 0.8, "look-up")
    assert gap.by["look-up"][:2] == [gap.truth, "ABC"]
    assert gap.scores["look-up"]["ABC"] > gap.scores["look-up"]["QQQ"]
    assert gap.truth not in Matches(text, 4).found(gap, hidden=len(other))


def test_practice_asks_what_is_hidden(lesson):
    """Asked letters are missing in the text shown, told letters stand before them, and the damage is the exercise's."""
    signs = torch.from_numpy(numbers_of(TEXT * 3)).long()
    shown, told, behind, where, left, letters, asked = practice(signs, 5, torch.Generator().manual_seed(0))
    for row in range(5):
        places = where[row][asked[row]]
        assert len(set(places.tolist())) == len(places) == int((shown[row] == 27).sum())
        assert (shown[row, places] == 27).all()
        whole = shown[row].scatter(0, places, letters[row][asked[row]])
        assert "".join(chr(64 + int(sign)) for sign in whole) in TEXT * 3
        for place, before in zip(places.tolist(), told[row][asked[row]]):
            if place >= 8:
                assert torch.equal(before, whole[place - 8 : place])
        for place, ahead, rest in zip(places.tolist(), behind[row][asked[row]], left[row][asked[row]].tolist()):
            seen = shown[row, place + rest : place + rest + 8]  # damaged where the next gap is
            assert torch.equal(ahead[: len(seen)], seen)
            assert not ahead[len(seen) :].any()
    first = asked & (left > 0)
    again, targets = lesson.damage(
        whole[None], where[-1:][first[-1:]][None], torch.ones_like(where[-1:][first[-1:]][None])
    )
    assert torch.equal(again[0], shown[-1])
    assert (targets[0] >= 0).sum() == (shown[-1] == 27).sum()


def test_no_question_sees_another_one():
    """An answer stays as it is when other questions are asked beside it, and does not depend on hidden letters."""
    torch.manual_seed(0)
    net = Restorer(SMALL).eval()
    shown, told = torch.randint(1, 28, (2, 96)), torch.randint(1, 27, (2, 5, 8))
    behind = torch.randint(0, 28, (2, 5, 8))
    where, left = torch.randint(96, (2, 5)), torch.randint(1, 11, (2, 5))
    together = net(shown, told, behind, where, left)
    alone = net(shown, told[:, 2:3], behind[:, 2:3], where[:, 2:3], left[:, 2:3])
    assert (together[:, 2:3] - alone).abs().max() < 1e-5


def test_the_networks_beam_is_scored_as_its_candidates_are():
    """Beam scores are the log-probabilities of the fillings; one missing letter is ranked in full."""
    torch.manual_seed(0)
    net = Restorer(SMALL).eval()
    letters, start = torch.randint(1, 27, (3, 96)), torch.tensor([30, 40, 50])
    filled, scores = network_beam(net, letters, start, 4, 6)
    assert (log_chances(net, letters, start, filled) - scores).abs().max() < 1e-4
    assert (scores.diff(dim=1) <= 1e-6).all()
    single, chances = network_beam(net, letters, start, 1, 26)
    assert (chances.exp().sum(1) - 1).abs().max() < 1e-4
    assert len(set(single[0, :, 0].tolist())) == 26


def test_weights_prefer_the_judge_that_is_right():
    """Of two judges the one that knows the truth gets the weight, and answers follow it."""
    draw, gaps = np.random.default_rng(0), []
    for _ in range(60):
        gap = Gap(numbers_of("A" * 96), 40, 2, "m")
        gap.by["x"] = ["BB", "AA", "CC"]
        noise = draw.normal(size=(2, 3))
        gap.scores = {"good": dict(zip(gap.by["x"], noise[0] + [0, 2, 0])), "bad": dict(zip(gap.by["x"], noise[1]))}
        gaps.append(gap)
    weights = fit_weights(gaps, ["x"], ["good", "bad"])
    assert weights[0] > 3 * weights[1]
    right = np.mean([said[0] == "AA" for said in answers(gaps, ["x"], ["good", "bad"], weights)])
    assert right > 0.7


def test_intervals_grow_with_modules_that_agree():
    """Values that go together within modules make the interval wider."""
    values = np.repeat([0.0, 1.0] * 10, 10)
    low, high = interval(values, np.repeat(np.arange(20), 10))
    near = interval(values, np.arange(200))
    assert low < near[0] < 0.5 < near[1] < high


def test_gaps_lie_inside_and_methods_answer():
    """Gaps leave room on both sides, and each method proposes fillings of their length."""
    stones = [Stone("p", "m", ("THE", "CAT", "SAT") * 30)]
    gaps = gaps_of(stones, 2, 0, lengths=(1, 7))
    grams = [NGrams(way, 4) for way in (numbers_of(TEXT), numbers_of(TEXT)[::-1].copy())]
    ask_ngrams(*grams, gaps)
    ask_network(Restorer(SMALL).eval(), gaps)
    for gap in gaps:
        assert 24 <= gap.start
        assert gap.start + gap.length <= 72
        assert all(len(text) == gap.length for texts in gap.by.values() for text in texts)


def test_shuffled_letters_keep_their_counts_alone(lesson, monkeypatch):
    """The control's pieces hold the same letters in another order."""
    seen = []
    monkeypatch.setitem(
        lesson.learn.__globals__, "gap_loss", lambda model, line, n, g: seen.append(line) or model.out.bias.sum()
    )
    line = torch.from_numpy(numbers_of(TEXT)).long()
    lesson.learn(line, 1, 0, shuffled=True)
    lesson.learn(line, 1, 0)
    mixed, whole = seen[0], seen[-1]
    assert torch.equal(whole, line)
    assert torch.equal(mixed[:96].sort().values, line[:96].sort().values)
    assert not torch.equal(mixed[:96], line[:96])


def test_sureness_is_a_chance_and_heat_lowers_it(lesson):
    """With heat 1 the first answer's own chance comes back; more heat makes it less sure."""
    points = [np.log([0.7, 0.2]), np.log([0.4, 0.1])]
    assert lesson.sureness(points, 1.0) == pytest.approx([0.7, 0.4])
    assert lesson.sureness(points, 2.0)[0] < 0.7
    assert lesson.sureness([np.log([0.9, 0.01])], 0.5)[0] > 0.9


def test_calibration_error_by_hand(lesson):
    """Two bins, each off by a tenth."""
    sure, right = np.array([0.9, 0.9, 0.4, 0.4]), np.array([1.0, 1.0, 1.0, 0.0])
    assert lesson.calibration_error(sure, right) == pytest.approx((0.2 + 0.2) / 4)
    assert lesson.surprise(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(np.log(2))
