"""The text corpus: deterministic, without repeated paragraphs, nothing shared between its two parts."""

import zlib

import pytest

from tinyfrontier.data.text import text_corpus


def paragraphs(part: bytes) -> list[str]:
    """The paragraphs of one part, white space at the ends ignored."""
    return [paragraph.strip() for paragraph in part.decode().split("\n\n")]


def test_it_is_english_of_a_useful_size_with_source_and_licence():
    """At least 300 kB of text with English words, and it says where it comes from."""
    corpus = text_corpus()
    assert len(corpus.train) + len(corpus.test) > 300_000
    assert b" the " in corpus.train
    assert b" the " in corpus.test
    assert "pydoc_data.topics" in corpus.source
    assert "PSF" in corpus.licence


def test_no_paragraph_occurs_twice():
    """Training and held-out part share no paragraph, and none is repeated within a part."""
    corpus = text_corpus()
    everything = paragraphs(corpus.train) + paragraphs(corpus.test)
    assert len(set(everything)) == len(everything)


def test_it_is_the_same_at_every_call_and_differs_by_seed():
    """Equal seeds hold out equal topics, another seed holds out others; no byte gets lost either way."""
    first, again, other = text_corpus(), text_corpus(), text_corpus(seed=1)
    assert first == again
    assert first.test != other.test
    assert sorted(paragraphs(first.train) + paragraphs(first.test)) == sorted(
        paragraphs(other.train) + paragraphs(other.test)
    )


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3, 0.5])
def test_the_held_out_share_is_near_the_wanted_one(share):
    """The held-out share is within a quarter of what was asked for."""
    corpus = text_corpus(test_share=share)
    assert len(corpus.test) / (len(corpus.train) + len(corpus.test)) == pytest.approx(share, rel=0.25)


@pytest.mark.parametrize("share", [1e-6, 0.999])
def test_neither_part_is_ever_empty(share):
    """Extreme shares still leave one topic on each side."""
    corpus = text_corpus(test_share=share)
    assert corpus.train
    assert corpus.test


def test_it_compresses_like_language():
    """A general compressor needs one to four bits for a held-out byte: neither noise nor repetition."""
    test = text_corpus().test
    assert 1 < 8 * len(zlib.compress(test, 9)) / len(test) < 4


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ({"test_share": 0}, ValueError, "test_share"),
        ({"test_share": 1.0}, ValueError, "test_share"),
        ({"test_share": float("nan")}, ValueError, "test_share"),
        ({"test_share": "0.1"}, TypeError, "test_share"),
        ({"test_share": True}, TypeError, "test_share"),
        ({"seed": 1.5}, TypeError, "seed"),
        ({"seed": False}, TypeError, "seed"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, name):
    """A wrong argument raises an error that starts with its name."""
    with pytest.raises(error, match=f"^{name} must"):
        text_corpus(**arguments)
