"""Lesson 17's quantiser against scikit-learn, its streams and decoder, its senses against their judges."""

import itertools
import math

import matplotlib.pyplot as plt
import pytest
import torch
from sklearn.cluster import KMeans
from tinyfrontier.beside.lesson_17 import senses

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(17)


@pytest.mark.parametrize(("count", "size", "k"), [(60, 3, 4), (200, 17, 9), (30, 1, 2)])
def test_lloyd_steps_equal_the_library(lesson, count, size, k):
    """From the same start, one to five Lloyd steps give scikit-learn's cluster centres."""
    generator = torch.Generator().manual_seed(count)
    vectors = torch.randn(count, size, generator=generator)
    start = codes = lesson.first_codes(vectors, k, generator)
    for steps in range(1, 6):
        codes = lesson.lloyd_step(vectors, codes)
        library = KMeans(k, init=start.numpy(), n_init=1, max_iter=steps, tol=0, algorithm="lloyd").fit(vectors.numpy())
        assert (codes - torch.tensor(library.cluster_centers_)).abs().max() < 1e-4
        assert torch.equal(lesson.nearest_code(vectors, codes), torch.tensor(library.predict(vectors.numpy())).long())


def test_a_code_without_vectors_stays(lesson):
    """A code that is nobody's nearest keeps its place, the others become means."""
    vectors, codes = torch.tensor([[0.0], [2.0], [10.0]]), torch.tensor([[1.5], [11.0], [-90.0]])
    assert lesson.lloyd_step(vectors, codes).flatten().tolist() == [1.0, 10.0, -90.0]


def test_first_codes_are_different_vectors(lesson):
    """k-means++ starts at vectors of the data, and never twice at the same place."""
    vectors = torch.arange(12.0)[:, None].repeat(30, 1)
    codes = lesson.first_codes(vectors, 12, torch.Generator().manual_seed(0))
    assert sorted(codes.flatten().tolist()) == list(range(12))


def test_a_later_token_changes_nothing_before_it(lesson):
    """The decoder is causal."""
    torch.manual_seed(0)
    model = lesson.Decoder(16)
    tokens = torch.randint(lesson.VOCABULARY - 4, (2, 12))
    changed = tokens.clone()
    changed[:, 7] = (changed[:, 7] + 1) % 200
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    before, after = model(tokens), model(changed)
    assert (before[:, :7] - after[:, :7]).abs().max() < 1e-5
    assert (before[:, 7:] - after[:, 7:]).abs().max() > 1e-3


def test_places_start_again_at_each_marker(lesson):
    """The place is the distance from the latest marker, whatever came before it."""
    mark = lesson.MARK
    tokens = torch.tensor(
        [[mark["words"], 1, 2, mark["sound"], 206, 207], [mark["sound"], 206, 207, 208, mark["words"], 0]]
    )
    assert lesson.places(tokens).tolist() == [[0, 1, 2, 0, 1, 2], [0, 1, 2, 3, 0, 1]]


def test_the_vocabulary_has_no_overlap(lesson):
    """Every token belongs to one sense or is one marker."""
    owned = [range(lesson.OFFSET[s], lesson.OFFSET[s] + lesson.CODES[s]) for s in lesson.SENSES]
    tokens = [*itertools.chain(*owned), *lesson.MARK.values()]
    assert sorted(tokens) == list(range(lesson.VOCABULARY))


def test_held_out_scenes_are_spread_evenly(lesson):
    """Each thing misses exactly one corner, each corner six things, and no scene is in both lists."""
    assert len(lesson.SEEN) == 72
    assert len(set(lesson.SEEN) | set(lesson.HELD_OUT)) == 96
    things, places = zip(*lesson.HELD_OUT, strict=True)
    assert len(set(things)) == 24
    assert all(places.count(place) == 6 for place in lesson.PLACES)


def test_cutting_and_joining_a_picture_changes_nothing(lesson):
    """Patches put together again are the picture, and the first patch is its top left corner."""
    images = torch.rand(3, 3, 32, 32)
    patches = lesson.cut_picture(images)
    assert torch.equal(lesson.join_picture(patches), images)
    assert torch.equal(patches[:, 0].view(3, 3, 8, 8), images[:, :, :8, :8])


def test_what_sounds_alike_comes_in_every_colour_and_corner_equally_often(lesson):
    """So a caption that follows from size and shape alone has one colour in four and one corner in four right."""
    for size, shape in itertools.product(lesson.SIZES, lesson.SHAPES):
        alike = [senses.facts_of(scene) for scene in lesson.SEEN]
        alike = [facts for facts in alike if (facts["size"], facts["shape"]) == (size, shape)]
        for fact, kinds in (("colour", lesson.COLOURS), ("place", lesson.PLACES)):
            assert [[facts[fact] for facts in alike].count(kind) for kind in kinds] == [3, 3, 3, 3]


def test_every_sense_is_read_correctly_without_tokens(lesson):
    """The judges read every scene of the world from the signals themselves."""
    truth = [senses.facts_of(scene) for scene in lesson.WORLD]
    signals = lesson.perceive(lesson.WORLD, seed=5)
    read = {
        "picture": [senses.read_picture(image) for image in lesson.join_picture(signals["picture"])],
        "sound": senses.read_sound(signals["sound"]),
        "points": senses.read_points(signals["points"]),
    }
    for sense, facts in read.items():
        assert lesson.share_right(facts, truth, senses.TELLS[sense]) > 0.97, sense
    assert lesson.read("words", signals["words"], {}) == truth


def test_a_blank_picture_tells_nothing(lesson):
    """The reader gives no facts where there is nothing to read, and no facts are never right."""
    paper = torch.tensor(senses.BACKGROUND).view(3, 1, 1)
    assert senses.read_picture(paper.expand(3, 32, 32)) == {}
    assert lesson.share_right([{}], [{"size": "small"}], ["size"]) == 0


@pytest.mark.parametrize("shape", ["circle", "square", "triangle"])
def test_scanned_points_lie_on_the_surface(shape):
    """Without noise and offset each ray ends where the body does."""
    thing = next(thing for thing in senses.THINGS if (thing.size, thing.shape) == ("large", shape))
    lengths = senses.scan([(thing, "top left")], torch.Generator().manual_seed(0))
    points = (lengths[..., None] * senses.RAYS).flatten(0, 2)
    # the scanner stands up to 0.15 off the axis, the size varies by 5 %, the lengths by a centimetre
    assert (senses.gauge(points / 0.9, shape) - 1).abs().mean() < 0.25
    assert senses.gauge(torch.zeros(3), shape) < 1 < senses.gauge(torch.tensor([0.0, 0.0, 1.2]), shape)


def test_a_sound_has_its_pitch(lesson):
    """The strongest frequency is within six per cent of the size's pitch."""
    waves = senses.sing(lesson.WORLD, torch.Generator().manual_seed(1))
    strength = torch.fft.rfft(waves).abs()
    hertz = strength.argmax(dim=-1) * senses.RATE / waves.shape[1]
    for (thing, _), heard in zip(lesson.WORLD, hertz.tolist(), strict=True):
        assert abs(heard / senses.PITCH[thing.size] - 1) < 0.06


def test_the_gallery_has_a_row_a_label_and_a_column_a_sense(lesson):
    """Words, picture, wave or spectrum, and scan are drawn, and what was given is framed."""
    scene = lesson.WORLD[:1]
    some = lesson.perceive(scene, seed=0)
    row = {"words": "a small red circle top left", "picture": senses.look(scene, 0)[0], "sound": some["sound"][0]}
    figure = senses.gallery(
        {"A": row | {"points": some["points"][0]}, "B": row | {"points": some["points"][0]}}, ["sound"]
    )
    titles = [ax.get_title("left") + ax.get_title() for ax in figure.axes]  # the course's style puts them left
    assert titles == [*row, "points", "", "", "", ""]
    assert [ax.spines["left"].get_linewidth() > 2 for ax in figure.axes] == [False, False, True, *[False] * 5]
    plt.close(figure)


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_answers_stay_in_their_sense(lesson, temperature):
    """Whatever an untrained model prefers, an answer holds codes of the asked sense, in the right number."""
    torch.manual_seed(0)
    model = lesson.Decoder(16)
    torch.nn.init.normal_(model.head.weight, std=3.0)
    for given, asked in itertools.permutations(lesson.SENSES, 2):
        codes = torch.randint(lesson.CODES[given], (3, lesson.LENGTH[given]))
        answer = lesson.ask(model, codes, given, asked, temperature, seed=1)
        assert answer.shape == (3, lesson.LENGTH[asked])
        assert answer.min() >= 0
        assert answer.max() < lesson.CODES[asked]


def test_an_answer_depends_on_every_token_of_the_question(lesson):
    """Changing any one code of the question, the last included, changes what follows."""
    torch.manual_seed(1)
    model = lesson.Decoder(16)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    seen = []
    model.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
    codes = torch.tensor([[0, 1, 3, 7, 10, 12]])
    lesson.ask(model, codes, "words", "points")
    mark = lesson.MARK
    assert seen[0].tolist() == [[mark["words"], *codes[0].tolist(), mark["points"]]]


def test_the_fresh_decoder_knows_nothing(lesson):
    """Before training the loss is close to that of even odds over the vocabulary."""
    torch.manual_seed(0)
    tokens = {s: torch.randint(lesson.CODES[s], (20, lesson.LENGTH[s])) for s in lesson.SENSES}
    loss = lesson.answer_loss(lesson.Decoder(32), tokens, lesson.PAIRS, torch.Generator().manual_seed(0))
    assert abs(loss.item() - math.log(lesson.VOCABULARY)) < 0.3


def test_only_used_rows_are_counted(lesson):
    """With all senses every parameter counts; with two, the other senses' rows of both tables do not."""
    model = lesson.Decoder(16)
    everything = sum(p.numel() for p in model.parameters())
    assert lesson.used_parameters(model, lesson.SENSES) == everything
    missing = lesson.CODES["picture"] + lesson.CODES["points"] + 2
    assert lesson.used_parameters(model, ("words", "sound")) == everything - 2 * 16 * missing


def test_the_families_that_are_compared_are_of_one_size(lesson):
    """The three models with room by need have no more parameters than the one, within 5 % of it."""
    one, three = (lesson.size_of(lesson.FAMILIES[name]) for name in ("one model", "three, room by need"))
    assert 0.95 * one < three <= one


def test_the_control_keeps_the_signals_and_deals_the_captions_out_anew(lesson):
    """Captions are the same as a set, but hardly any stands beside its own signal."""
    tokens = {"words": torch.arange(50)[:, None].repeat(1, 6), "sound": torch.arange(400).view(50, 8)}
    mixed = lesson.shuffled(tokens)
    assert torch.equal(mixed["sound"], tokens["sound"])
    assert torch.equal(mixed["words"].sort(dim=0).values, tokens["words"])
    assert (mixed["words"] == tokens["words"]).all(dim=1).sum() < 5
    assert torch.equal(tokens["words"][:, 0], torch.arange(50))


def test_a_copy_is_trained_and_its_start_is_not(lesson):
    """Training from `start` changes the copy and leaves the start as it was."""
    tokens = {s: torch.randint(lesson.CODES[s], (20, lesson.LENGTH[s])) for s in lesson.SENSES}
    start = lesson.Decoder(16)
    before = start.head.weight.clone()
    model = lesson.train(lesson.STRANGERS, 16, 0.01, 0, tokens, steps=2, start=start)
    assert torch.equal(start.head.weight, before)
    assert not torch.equal(model.head.weight, before)
    assert (model.head.weight - before).abs().max() < 0.1


def test_a_family_answers_by_the_model_that_knows_both_senses(lesson):
    """One model for all, or the one of the sense that is not words."""
    assert lesson.expert({"all": 1}, "sound", "picture") == 1
    three = {"picture": 1, "sound": 2, "points": 3}
    assert [lesson.expert(three, *pair) for pair in lesson.PAIRS] == [1, 2, 3, 1, 2, 3]
