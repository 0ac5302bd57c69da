"""Captioned scenes: true to their captions, varied, and held out without a leak, and the reader that judges them."""

import pytest
import torch
import torch.nn.functional as F

from tinyfrontier.data import Scene, Thing, all_scenes, captioned_scenes, drawn_right, parse_caption, read_scene, render
from tinyfrontier.data.scenes import COLOURS, RELATIONS, SHAPES, SIZES, WORDS


@pytest.fixture(scope="module")
def drawn():
    """A thousand scenes of two things, held out and not."""
    return captioned_scenes(1000, seed=5, held_out=None)


def test_shapes_range_and_source(drawn):
    """Images, captions and scenes belong together and say where they come from."""
    assert drawn.images.shape == (1000, 3, 32, 32)
    assert drawn.images.dtype == torch.float32
    assert 0 <= drawn.images.min() < drawn.images.max() <= 1
    assert [scene.caption for scene in drawn.scenes] == list(drawn.captions)
    assert drawn.licence
    assert "rendered" in drawn.source


def test_the_reader_reads_rendered_scenes(drawn):
    """At least 99 % of rendered scenes of two things, and of one, are read right."""
    assert drawn_right(drawn.images, drawn.scenes).float().mean() >= 0.99
    alone = captioned_scenes(300, seed=6, things=1)
    assert drawn_right(alone.images, alone.scenes).float().mean() >= 0.99


def test_the_reader_forgives_a_little_noise(drawn):
    """Noise of 5 % of the range, as a model's pictures have it, changes little."""
    noise = 0.05 * torch.randn(300, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert drawn_right(drawn.images[:300] + noise, drawn.scenes[:300]).float().mean() >= 0.98


@pytest.mark.parametrize("kind", ["noise", "smooth noise", "empty", "two scenes at once", "blurred away"])
def test_the_reader_rejects_what_is_no_scene(drawn, kind):
    """Noise, emptiness, overlays and blur are not read."""
    generator = torch.Generator().manual_seed(1)
    pictures = {
        "noise": torch.rand(100, 3, 32, 32, generator=generator),
        "smooth noise": F.interpolate(torch.rand(100, 3, 6, 6, generator=generator), 32, mode="bilinear"),
        "empty": torch.full((2, 3, 32, 32), 0.94),
        "two scenes at once": (drawn.images[:100] + drawn.images[100:200]) / 2,
        "blurred away": F.avg_pool2d(drawn.images[:100], 13, 1, 6),
    }[kind]
    assert sum(read_scene(picture) is not None for picture in pictures) <= 0.02 * len(pictures)


@pytest.mark.parametrize("change", ["colour", "shape", "size", "relation"])
def test_the_reader_tells_every_word(change):
    """A picture of a scene that differs in one word is not taken for the scene."""
    a, b = Thing("large", "red", "circle"), Thing("small", "blue", "square")
    other = {
        "colour": Scene(Thing("large", "yellow", "circle"), "above", b),
        "shape": Scene(Thing("large", "red", "triangle"), "above", b),
        "size": Scene(Thing("small", "red", "circle"), "above", b),
        "relation": Scene(a, "left of", b),
    }[change]
    assert drawn_right(render([other] * 20), [other] * 20).all()
    assert not drawn_right(render([other] * 20), [Scene(a, "above", b)] * 20).any()


def test_held_out_pairs_never_occur_in_training():
    """No training scene shows a held-out pair of coloured shapes, in either order, in any size."""

    def pairs(scenes):
        return {frozenset([(s.first.colour, s.first.shape), (s.second.colour, s.second.shape)]) for s in scenes}

    train, held = all_scenes(held_out=False), all_scenes(held_out=True)
    assert not pairs(train) & pairs(held)
    assert len(train) + len(held) == len(all_scenes()) == 24 * 23 * 4
    assert 0.15 < len(held) / len(all_scenes()) < 0.25
    assert all(scene.mirrored.held_out for scene in held)
    assert not any(scene.held_out for scene in captioned_scenes(500).scenes)
    assert all(scene.held_out for scene in captioned_scenes(50, held_out=True).scenes)


def test_every_coloured_shape_is_seen_in_training():
    """What is held out is company, not a coloured shape."""
    seen = {(thing.colour, thing.shape) for s in all_scenes(held_out=False) for thing in (s.first, s.second)}
    assert len(seen) == len(COLOURS) * len(SHAPES)


@pytest.mark.parametrize("things", [1, 2])
def test_captions_parse_back(things):
    """Every caption of the grammar names its scene, in words of the list."""
    for scene in all_scenes(things=things):
        assert parse_caption(scene.caption.upper()) == scene
        assert set(scene.caption.split()) <= set(WORDS)


def test_a_mirrored_scene_is_the_same_picture():
    """Left and right, above and below change places; the picture stays."""
    for scene in all_scenes()[::37]:
        assert scene.mirrored != scene
        assert scene.mirrored.mirrored == scene
        assert scene.shows_same_as(scene.mirrored)
        assert not scene.shows_same_as(Scene(scene.second, scene.relation, scene.first))
    assert not all_scenes()[0].shows_same_as(None)


def test_a_seed_repeats_and_another_differs():
    """The same seed gives the same pictures; another gives others."""
    assert torch.equal(captioned_scenes(4, seed=1).images, captioned_scenes(4, seed=1).images)
    assert not torch.equal(captioned_scenes(4, seed=1).images, captioned_scenes(4, seed=2).images)
    scene = all_scenes()[:1]
    assert not torch.equal(render(scene, seed=1), render(scene, seed=2))


def test_without_jitter_a_scene_has_one_picture():
    """With jitter 0 the seed changes nothing, and the reader still reads every scene."""
    scenes = all_scenes()[::11]
    still = render(scenes, seed=1, jitter=0)
    assert torch.equal(still, render(scenes, seed=2, jitter=0))
    assert drawn_right(still, scenes).float().mean() >= 0.99
    with pytest.raises(ValueError, match="jitter must be between 0 and 1, got 2"):
        render(scenes, jitter=2)


@pytest.mark.parametrize(
    "caption", ["", "a red circle", "a small red circle on a small blue square", "a small red circle above", "red " * 9]
)
def test_captions_outside_the_grammar(caption):
    """A sentence that is not of the grammar gets an error with an example."""
    with pytest.raises(ValueError, match="caption must read like"):
        parse_caption(caption)


def test_bad_arguments():
    """Errors name the argument and what was given."""
    a = Thing("small", "red", "circle")
    with pytest.raises(ValueError, match=r"colour must be one of red.*'pink'"):
        Thing("small", "pink", "circle")
    with pytest.raises(ValueError, match="relation must be one of"):
        Scene(a, "near", Thing("large", "red", "circle"))
    with pytest.raises(ValueError, match="second must differ"):
        Scene(a, "above", a)
    with pytest.raises(ValueError, match="relation and second go together"):
        Scene(a, "above")
    with pytest.raises(ValueError, match="things must be 1 or 2, got 3"):
        all_scenes(things=3)
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        captioned_scenes(0)
    with pytest.raises(TypeError, match="seed must be an int, got str"):
        captioned_scenes(1, seed="0")
    with pytest.raises(ValueError, match="held_out must not be True"):
        captioned_scenes(1, things=1, held_out=True)
    with pytest.raises(ValueError, match="scenes must hold at least one"):
        render([])
    with pytest.raises(ValueError, match=r"image must have shape \(3, 32, 32\)"):
        read_scene(torch.zeros(1, 32, 32))
    with pytest.raises(TypeError, match="image must be a floating-point tensor"):
        read_scene(torch.zeros(3, 32, 32, dtype=torch.uint8))
    with pytest.raises(ValueError, match="as many as images"):
        drawn_right(torch.zeros(2, 3, 32, 32), [Scene(a)])


def test_sizes_and_relations_are_what_the_captions_say():
    """A large thing covers more than a small one, and each relation puts the first thing where it says."""
    for shape in SHAPES:
        cover = [(render([Scene(Thing(size, "blue", shape))]) < 0.6).float().mean() for size in SIZES]
        assert cover[0] * 1.5 < cover[1]
    for relation, (x, y) in RELATIONS.items():
        picture = render([Scene(Thing("large", "red", "circle"), relation, Thing("large", "blue", "circle"))])[0]
        red, blue = ((picture[c] - picture[2 - c] > 0.3).nonzero().float().mean(0) for c in (0, 2))  # (row, column)
        assert ((red - blue)[1] * x > 8) if x else ((red - blue)[0] * y > 8)
