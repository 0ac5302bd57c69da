"""Lesson 14's own towers and loss against transformers' CLIPModel, its three groups of scenes, its score keeping."""

import math

import pytest
import torch
import torch.nn.functional as F

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions
from tinyfrontier.data import all_scenes


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(14)


@pytest.mark.parametrize(
    ("batch", "layers", "scale"), [(1, 1, 14.3), (7, 1, 100.0), (19, 3, 1.5)], ids=["one-pair", "sharp", "three-layers"]
)
def test_loss_vectors_and_gradients_equal_the_library(lesson, batch, layers, scale):
    """With the same text weights, vectors, loss and text gradients equal transformers' CLIPModel in doubles."""
    torch.manual_seed(batch)
    tower = lesson.TextTower(layers=layers).double()
    with torch.no_grad():
        for weight in tower.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    library = lesson.library_clip(tower, scale).double()
    library.load_state_dict(lesson.library_names(tower), strict=False)  # once more, now in double precision
    library.logit_scale.data.fill_(math.log(scale))
    scenes = [*lesson.SINGLES[:3], *lesson.PAIRS[5::37]][:batch]
    tokens = lesson.tokenize([scene.caption for scene in scenes])
    out = library(input_ids=tokens, pixel_values=torch.rand(len(scenes), 3, 32, 32).double(), return_loss=True)
    out.loss.backward()
    mine = tower(tokens)
    loss = lesson.clip_loss(out.image_embeds.detach(), mine, scale)
    loss.backward()
    assert (F.normalize(mine, dim=1) - out.text_embeds).abs().max() < 1e-10
    assert abs(loss.item() - out.loss.item()) < 1e-10
    theirs = library.get_parameter("text_model.embeddings.token_embedding.weight").grad
    assert (tower.words.grad - theirs).abs().max() < 1e-9
    assert (tower.project.weight.grad - library.text_projection.weight.grad).abs().max() < 1e-9


def test_the_loss_reaches_the_pictures_as_the_library_s_does(lesson):
    """Gradients at the picture vectors equal those of the library's own loss function."""
    from transformers.models.clip.modeling_clip import image_text_contrastive_loss

    torch.manual_seed(0)
    pictures, captions = torch.randn(2, 11, 6, dtype=torch.double).requires_grad_().unbind()
    ours = lesson.clip_loss(pictures, captions, 9.0)
    table = 9.0 * F.normalize(captions, dim=1) @ F.normalize(pictures, dim=1).T
    theirs = image_text_contrastive_loss(table)
    assert_same_as_library(ours, theirs, tolerance=1e-12, gradients=[pictures])


def test_scenes_of_the_exam_are_told_once_and_never_trained_on(lesson):
    """No two captions describe one picture, and no scene to train on is held out or holds a new coloured shape."""
    assert len(lesson.PAIRS) == len(all_scenes()) // 2
    assert not {scene.mirrored for scene in lesson.PAIRS} & set(lesson.PAIRS)
    seen = [s for s in [*lesson.PAIRS, *lesson.SINGLES] if lesson.group_of(s) == "seen caption"]
    taught = {tuple(row) for _, told in lesson.make_pools() for row in told[0].tolist()}
    assert taught == {tuple(row) for row in lesson.tokens_of(seen).tolist()}
    for scene in seen:
        assert not scene.held_out
        assert not any(f"{colour} {shape}" in scene.caption for colour, shape in lesson.NEVER_SEEN)
    words = " ".join(scene.caption for scene in seen if scene.second is None).split()
    assert {word for pair in lesson.NEVER_SEEN for word in pair} <= set(words)


def test_tokens_spell_the_caption(lesson):
    """Tokens read back as the caption between start and end, at every length."""
    for caption in ("a", lesson.SINGLES[3].caption, lesson.PAIRS[-1].caption, lesson.PAIRS[0].caption):
        (row,) = lesson.tokenize([caption]).tolist()
        words = [lesson.VOCABULARY[number] for number in row]
        assert words[0] == "<start>"
        assert " ".join(words[1 : words.index("<end>")]) == caption
        assert set(words[words.index("<end>") :]) == {"<end>"}
    with pytest.raises(ValueError, match="not in"):
        lesson.tokenize(["a purple circle"])


def test_filling_does_not_change_a_caption_s_vector(lesson):
    """More end tokens behind the sentence leave its vector as it was."""
    torch.manual_seed(0)
    tower, tokens = lesson.TextTower(layers=2), lesson.tokenize([lesson.SINGLES[0].caption])
    assert (tower(tokens) - tower(tokens[:, :6])).abs().max() < 1e-6


def test_a_bag_knows_no_order_and_the_transformer_does(lesson):
    """Exchanging the two things leaves the bag's vector and moves the transformer's."""
    scenes = lesson.PAIRS[40:80]
    own, other = (lesson.tokens_of(side) for side in (scenes, [type(s)(s.second, s.relation, s.first) for s in scenes]))
    torch.manual_seed(0)
    bag, tower = lesson.BagTower(), lesson.TextTower()
    assert (bag(own) - bag(other)).abs().max() < 1e-5
    assert (tower(own) - tower(other)).norm(dim=1).min() > 1e-3


def test_captions_of_one_bag_tie(lesson):
    """In the table of a bag of words, captions made of the same words get exactly the same score."""
    torch.manual_seed(0)
    alike = [s for s in lesson.PAIRS if lesson.words_of(s) == lesson.words_of(lesson.PAIRS[57])]
    table = lesson.make_bag().eval().table(lesson.render(lesson.PAIRS[:9], seed=1), alike)
    assert len(alike) > 1
    assert (table == table[:, :1]).all()


def test_recall_of_a_model_that_says_one_thing_is_chance(lesson):
    """Equal scores everywhere give k over the number of candidates; a perfect table gives 1."""
    target = torch.tensor([4, 0, 9])
    for k in (1, 3, 10):
        assert lesson.recall_at_k(torch.zeros(3, 10), target, k) == pytest.approx(k / 10)
    assert lesson.recall_at_k(torch.eye(10)[target], target, 1) == 1


def test_shuffled_captions_are_the_same_captions(lesson):
    """The control keeps every picture and every caption and breaks most pairs."""
    pool = lesson.make_pools()[1]
    images, tokens = lesson.shuffled(pool, seed=0)
    assert torch.equal(images, pool[0])
    assert torch.equal(tokens.flatten(0, 1).unique(dim=0), pool[1].flatten(0, 1).unique(dim=0))
    assert (tokens == pool[1]).all(dim=-1).float().mean() < 0.3


def test_a_batch_holds_each_scene_once_with_its_own_caption(lesson):
    """Pictures and tokens of a drawn batch belong together and no scene comes twice."""
    pool = lesson.make_pools()[1]
    images, tokens = lesson.draw(pool, 20, torch.Generator().manual_seed(3))
    assert len(tokens.unique(dim=0)) == 20
    for image, row in zip(images, tokens):
        place = (pool[1][0] == row).all(dim=1).nonzero().item()
        assert any(torch.equal(image, pool[0][copy, place]) for copy in range(100))


def test_the_scale_starts_at_its_first_value_and_stops_at_100(lesson):
    """One over 0.07 at first, and never above 100 however far the parameter runs."""
    torch.manual_seed(0)
    model = lesson.CLIP()
    assert model.scale().item() == pytest.approx(1 / 0.07)
    model.sharper.data.fill_(9.0)
    assert model.scale().item() == 100


@pytest.mark.parametrize("never", [(("yellow", "triangle"), ("blue", "circle")), (("red", "square"),)])
def test_every_model_learns_from_the_same_pictures(lesson, never):
    """Pools of captions and of labels hold the same pictures, and none of a name that is left out."""
    captions, labels = lesson.make_pools(never=never), lesson.make_pools(lesson.answers, never)
    for (drawn, _), (same, told) in zip(captions, labels):
        assert torch.equal(drawn, same)
        for colour, shape in never:
            asked = {"colour": list(lesson.PAINTS).index(colour), "shape": list(lesson.SHAPES).index(shape)}
            for first in (1, 4):
                row = told[0]
                assert not ((row[:, first + 1] == asked["colour"]) & (row[:, first + 2] == asked["shape"])).any()


def test_answers_tell_a_scene_in_full(lesson):
    """Seven numbers name every pair of things once; a single thing has four of them unasked."""
    told = lesson.answers(lesson.PAIRS)
    assert len(told.unique(dim=0)) == len(lesson.PAIRS)
    assert told.min() == 0
    single = lesson.answers(lesson.SINGLES)
    assert ((single == lesson.NOT_ASKED).sum(dim=1) == 4).all()
    assert len(single.unique(dim=0)) == len(lesson.SINGLES)


def test_scores_of_labels_are_log_probabilities(lesson):
    """Over all single things the probabilities add up to one, and the best of pairs is the best answer to each."""
    torch.manual_seed(0)
    model, pictures = lesson.Labelled().eval(), lesson.render(lesson.PAIRS[::200], seed=3)
    assert model.table(pictures, lesson.SINGLES).exp().sum(dim=1) == pytest.approx(1, abs=1e-5)
    parts = model.parts(pictures)
    sure = sum(part.log_softmax(1).amax(1) for part in parts)
    assert (model.table(pictures, lesson.PAIRS).amax(dim=1) <= sure + 1e-5).all()


def test_first_right_is_the_first_look_above_nine_tenths(lesson):
    """The first step counts, also where the share falls again; never right counts as the last step."""
    kinds = dict.fromkeys(("relation", "size", "colour", "shape"), 0.0)
    log = {0: kinds | {"size": 0.9}, 10: kinds | {"colour": 0.95}, 20: kinds | {"colour": 1.0, "relation": 0.89}}
    first = {"relation": lesson.STEPS, "size": 0, "colour": 10, "shape": lesson.STEPS}
    assert lesson.first_right(log) == first


def test_words_right_counts_each_kind_of_word(lesson):
    """A caption with one wrong shape loses half of the shapes and nothing else."""
    for i, scene in enumerate(lesson.PAIRS):
        others = [j for j, s in enumerate(lesson.PAIRS) if s.first == scene.first and s.relation == scene.relation]
        near = [j for j in others if lesson.PAIRS[j].second.shape != scene.second.shape]
        near = [j for j in near if lesson.PAIRS[j].second.colour == scene.second.colour]
        near = [j for j in near if lesson.PAIRS[j].second.size == scene.second.size]
        if near:
            right = lesson.words_right([near[0]], [scene])
            assert right == {"relation": 1, "size": 1, "colour": 1, "shape": 0.5}
            assert lesson.words_right([i], [scene])["shape"] == 1
            return
    raise AssertionError("no scene with such a neighbour")


@pytest.mark.parametrize(
    ("typed", "known", "unknown"),
    [
        ("A  Yellow triangle", "a yellow triangle", []),
        ("a small red circle right of a large blue square", "a large blue square left of a small red circle", []),
        ("a small red circle below a large blue square", "a large blue square above a small red circle", []),
        ("the cat saw a circle", "a circle", ["the", "cat", "saw"]),
        ("", "", []),
        ("<start> <end>", "", ["<start>", "<end>"]),
        ("red " * 30, " ".join(["red"] * 10), []),
    ],
)
def test_any_text_is_a_query(lesson, typed, known, unknown):
    """Known words are kept, at most ten; other relations are turned around; the rest is named."""
    assert lesson.read_query(typed) == (known, unknown)
    assert lesson.tokenize([known]).shape == (1, 12)
