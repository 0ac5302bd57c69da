"""The shipped restorer of inscriptions: small, quick to load, and better than chance on what it was made for."""

import torch

from tinyfrontier.pretrained import card, figures_of, load_inscriptions
from tinyfrontier.pretrained.loading import HOME

FOLDER = HOME / "inscriptions"


def test_the_files_are_small_and_plain():
    """Weights under 3 MB, in safetensors; nothing that could hold a pickle."""
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.is_file()}
    assert set(sizes) == {"README.md", "figures.json", "model.safetensors", "recipe.py"}
    assert sum(sizes.values()) < 3_000_000


def test_the_card_says_what_was_measured():
    """Parameters and losses of the card are the network's."""
    measured = figures_of("inscriptions")["measured"]
    assert f"{sum(p.numel() for p in load_inscriptions().parameters()):,} parameters" in card("inscriptions")
    assert measured["loss_learnt"] < measured["loss_tuning"] < 2.0


def test_it_fills_a_common_word():
    """THE comes back where a letter of it is missing."""
    from tinyfrontier.beside.lesson_30.network import beam
    from tinyfrontier.beside.lesson_30.texts import numbers_of

    text = "RETURNSANARRAYWITHTHESAMESHAPEASTHEINPUTWHEREEACHELEMENTISTHESUMOFTHEELEMENTSALONGTHEGIVENAXISOFA"
    letters = torch.from_numpy(numbers_of(text[:96])).long()[None]
    start = text.index("SAMESHAPE")
    filled, scores = beam(load_inscriptions(), letters, torch.tensor([start]), 4)
    assert "".join(chr(64 + int(sign)) for sign in filled[0, 0]) == "SAME"
    assert (scores.diff() <= 0).all()
