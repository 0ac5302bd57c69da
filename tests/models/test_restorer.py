"""The restorer of letters: shapes, what it may see, and where it looks a run of letters up."""

import torch

from tinyfrontier.models import Restorer, RestorerConfig

SMALL = RestorerConfig(width=16, layers=2, heads=2, entries=512, piece=4)


def inputs(questions=4):
    """A damaged text and some questions about it, two of each."""
    draw = torch.Generator().manual_seed(0)
    shown, told = torch.randint(1, 28, (2, 96), generator=draw), torch.randint(1, 27, (2, questions, 8), generator=draw)
    behind = torch.randint(0, 28, (2, questions, 8), generator=draw)
    where, left = (torch.randint(1, most, (2, questions), generator=draw) for most in (96, 11))
    return shown, told, behind, where, left


def test_it_answers_each_question_with_a_logit_a_sign():
    """Logits (batch, questions, 28), and a reading of the text in the width of the network."""
    net = Restorer(SMALL)
    assert net(*inputs()).shape == (2, 4, 28)
    assert net.read(inputs()[0]).shape == (2, 96, 16)


def test_answers_depend_on_every_input():
    """Text, letters on both sides, place and distance each change an answer."""
    torch.manual_seed(0)
    net = Restorer(SMALL).eval()
    given = inputs()
    before = net(*given)
    for number in range(5):
        changed = list(given)
        changed[number] = given[number].flip(0)
        assert (net(*changed) - before).abs().max() > 1e-6


def test_dropout_is_off_in_evaluation():
    """Answers repeat in evaluation, and differ in training."""
    torch.manual_seed(0)
    net = Restorer(SMALL)
    assert not torch.equal(net(*inputs()), net(*inputs()))
    net.eval()
    assert torch.equal(net(*inputs()), net(*inputs()))


def test_a_run_has_the_same_entry_in_every_place():
    """What is looked up depends on the letters alone, and lies in the table."""
    net = Restorer(SMALL).eval()
    runs = torch.tensor([[[3, 1, 20], [4, 15, 7], [3, 1, 20]]])
    found = net._look_up(runs)
    assert torch.equal(found[0, 0], found[0, 2])
    assert found.shape == (1, 3, 4)
