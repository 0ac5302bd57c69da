"""Lesson 08's own LoRA against peft, its merge, its sizes, and the scores and cuts that the lesson measures with."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions
from tinyfrontier.models import GPT, GPTConfig


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(8)


def small(seed=0, **sizes):
    """A GPT of odd sizes."""
    torch.manual_seed(seed)
    settings = {"vocabulary": 41, "context": 24, "layers": 2, "heads": 3, "width": 12, "tied": False} | sizes
    return GPT(GPTConfig(**settings)).eval().double()


def shaken(lesson, base, rank, alpha):
    """Adapters with random B, so that they say something."""
    model = lesson.with_adapters(base, rank, alpha).double()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, lesson.Adapter):
                layer.b.add_(0.3 * torch.randn_like(layer.b))
    return model


SIZES = [
    pytest.param({}, 3, 6.0, (2, 11), id="rank-3"),
    pytest.param({"layers": 1, "heads": 1, "width": 5}, 1, 1.0, (1, 1), id="rank-1-one-token"),
    pytest.param({"layers": 3, "heads": 2, "width": 8}, 8, 20.0, (3, 24), id="full-rank"),
]


@pytest.mark.parametrize(("sizes", "rank", "alpha", "shape"), SIZES)
def test_logits_and_gradients_equal_peft(lesson, sizes, rank, alpha, shape):
    """With the same A and B, logits and the gradients of every A and B equal peft's."""
    base = small(**sizes)
    mine = shaken(lesson, base, rank, alpha)
    library = lesson.published(base, mine, rank, alpha).double()
    some = torch.randint(41, shape)
    ours, theirs = mine(some)[0], library(some)[0]
    layers = {n: layer for n, layer in mine.named_modules() if isinstance(layer, lesson.Adapter)}
    assert len(layers) == 4 * len(base.blocks) + 1
    for name, layer in layers.items():
        other = library.base_model.model.get_submodule(name)
        for leaves in ((layer.a, other.lora_A["default"].weight), (layer.b, other.lora_B["default"].weight)):
            assert_same_as_library(ours, theirs, tolerance=1e-6, gradients=[leaves], gradient_tolerance=1e-5)


@pytest.mark.parametrize(("sizes", "rank", "alpha", "shape"), SIZES)
def test_merged_equals_unmerged_and_peft(lesson, sizes, rank, alpha, shape):
    """Folding the adapters in changes no logit, and gives the weights of peft's own merge."""
    base = small(**sizes)
    mine = shaken(lesson, base, rank, alpha)
    plain, some = lesson.merged(mine, base), torch.randint(41, shape)
    library = lesson.published(base, mine, rank, alpha).double().merge_and_unload()
    with torch.no_grad():
        assert (plain(some)[0] - mine(some)[0]).abs().max() < 1e-9
        assert (plain(some)[0] - base(some)[0]).abs().max() > 1e-3
    for name, weight in plain.state_dict().items():
        assert (weight - library.state_dict()[name]).abs().max() < 1e-6, name


def test_fresh_adapters_change_nothing_and_only_b_moves_first(lesson):
    """Before training the adapted model is the base; the first gradient reaches B and not A; the base is frozen."""
    base = small()
    model, some = lesson.with_adapters(base, 2, 4.0).double(), torch.randint(41, (2, 7))
    logits = model(some)[0]
    assert torch.equal(logits, base(some)[0])
    logits.square().sum().backward()
    for name, parameter in model.named_parameters():
        if name.endswith(".a"):
            assert not parameter.grad.any(), name
        elif name.endswith(".b"):
            assert parameter.grad.any(), name
        else:
            assert parameter.grad is None, name


def test_the_base_is_left_alone(lesson):
    """Adapting, merging and adding updates work on copies."""
    base = small()
    before = copy.deepcopy(base.state_dict())
    mine = shaken(lesson, base, 2, 4.0)
    lesson.merged(mine, base)
    lesson.with_updates(base, {"head": torch.ones(41, 12, dtype=torch.double)})
    lesson.scaled(base, {name: torch.ones_like(value) for name, value in base.named_parameters()}, 0.5)
    assert all(torch.equal(before[name], value) for name, value in base.state_dict().items())
    assert all(parameter.requires_grad for parameter in base.parameters())


def test_the_count_is_what_is_trained_and_stored(lesson):
    """adapter_size agrees with the parameters that are free, and nothing else is stored."""
    base = small()
    model = lesson.with_adapters(base, 5, 10.0)
    shapes = [tuple(layer.weight.shape) for layer in base.modules() if isinstance(layer, nn.Linear)]
    kept = lesson.kept_tensors(model)
    assert sum(tensor.numel() for tensor in kept.values()) == lesson.adapter_size(shapes, 5)
    assert all(name.endswith((".a", ".b")) for name in kept)


def test_scaling_a_change_leads_from_base_to_tuned(lesson):
    """A share of 0 is the base, and a share of the change does what that share of alpha does."""
    base = small()
    mine = shaken(lesson, base, 2, 4.0)
    delta = lesson.changes(lesson.merged(mine, base), base)
    some = torch.randint(41, (1, 9))
    for layer in mine.modules():
        if isinstance(layer, lesson.Adapter):
            layer.alpha = 1.0
    with torch.no_grad():
        assert torch.equal(lesson.scaled(base, delta, 0)(some)[0], base(some)[0])
        assert (lesson.scaled(base, delta, 0.25)(some)[0] - mine(some)[0]).abs().max() < 1e-9


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_a_cut_is_the_nearest_matrix_of_its_rank(lesson, rank):
    """What a cut leaves out is the energy of the smaller singular values (Eckart & Young)."""
    torch.manual_seed(rank)
    matrix = torch.randn(9, 5, dtype=torch.double)
    part = lesson.cut(torch.linalg.svd(matrix, full_matrices=False), rank)
    assert torch.linalg.matrix_rank(part) == rank
    left_out = torch.linalg.svdvals(matrix)[rank:].square().sum().sqrt()
    assert (matrix - part).norm().item() == pytest.approx(left_out.item(), abs=1e-9)
    assert lesson.rank_for_energy(part, 0.9999) <= rank


def test_all_of_the_energy_needs_no_more_ranks_than_there_are(lesson):
    """At a share of 1 rounding asks for no rank beyond those that a matrix has, in 200 draws."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        out, into, rank = (int(torch.randint(1, 40, (), generator=generator)) for _ in range(3))
        update = torch.randn(out, rank, generator=generator) @ torch.randn(rank, into, generator=generator)
        assert lesson.rank_for_energy(update, 1.0) <= min(out, into, rank)


def test_the_control_has_rank_and_norm(lesson):
    """The random update has the wanted rank and the norm of the real one, and is not the real one."""
    update = torch.randn(20, 30, dtype=torch.double)
    noise = lesson.random_like(update.float(), 4, torch.Generator().manual_seed(0)).double()
    assert torch.linalg.matrix_rank(noise, rtol=1e-5) == 4
    assert noise.norm().item() == pytest.approx(update.norm().item(), rel=1e-4)
    assert abs((noise * update).sum() / update.square().sum()) < 0.3


def test_even_odds_cost_the_logarithm_of_the_vocabulary(lesson):
    """A model that knows nothing pays log2 of the vocabulary for each predicted token, divided among the bytes."""

    class Even:
        """All tokens equally likely."""

        def __call__(self, tokens):
            return torch.zeros(*tokens.shape, 32), None

    windows = torch.zeros(3, 11, dtype=torch.long)
    assert lesson.bits_per_byte(Even(), (windows, 60)) == pytest.approx(3 * 10 * math.log2(32) / 60, rel=1e-3)


def test_an_exam_counts_the_bytes_of_what_is_predicted(lesson):
    """Windows keep to the text, the first and the last included, and the size leaves out each window's first token."""

    class Letters:
        """One token a byte."""

        def encode(self, text):
            return list(text.encode())

        def decode(self, tokens):
            return bytes(tokens).decode()

    text = "".join(chr(97 + n % 26) for n in range(10 * lesson.WINDOW + 7))
    windows, size = lesson.exam(text, Letters(), count=4)
    assert windows.shape == (4, lesson.WINDOW)
    assert size == 4 * (lesson.WINDOW - 1)
    assert bytes(windows[0].tolist()).decode() == text[: lesson.WINDOW]
    assert bytes(windows[-1].tolist()).decode() == text[9 * lesson.WINDOW : 10 * lesson.WINDOW]


def test_training_leaves_frozen_weights_alone(lesson):
    """`train` moves what is free, and nothing else, and the loss falls."""
    base = small(vocabulary=7, context=64).float()
    model = lesson.with_adapters(base, 2, 4.0)
    tokens = torch.arange(500) % 7
    exam = (tokens[:65].view(1, 65), 64)
    before = lesson.bits_per_byte(model, exam)
    lesson.train(model, tokens, 2e-2, 0, "test")
    assert lesson.bits_per_byte(model, exam) < 0.9 * before
    plain = lesson.merged(model, base)
    moved = [name for name, change in lesson.changes(plain, base).items() if change.any()]
    assert sorted(moved) == sorted(f"{n}.weight" for n, layer in base.named_modules() if isinstance(layer, nn.Linear))


def test_forgetting_is_read_off_where_the_path_first_passes(lesson):
    """Between two points a straight line counts; what happens after the best point does not."""
    line = np.array([[2.0, 1.0], [1.6, 1.2], [1.5, 1.6], [1.7, 3.0]])
    assert lesson.old_at(line, 1.8) == pytest.approx(1.1)
    assert lesson.old_at(line, 1.55) == pytest.approx(1.4)
    assert lesson.old_at(line, 1.5) == pytest.approx(1.6)


def test_lost_is_counted_at_seven_tenths_of_the_full_gain(lesson):
    """The target lies 70 % of the way to full fine-tuning's score; the loss is against the untouched model."""
    line = np.array([[2.0, 1.0], [1.6, 1.2], [1.5, 1.6]])
    assert lesson.lost(line, 1.5) == pytest.approx(lesson.old_at(line, 1.65) - 1.0)


@pytest.mark.parametrize(("method", "free"), [("full", 1.0), ("last layer", None), ("biases, norms", None)])
def test_a_method_frees_what_it_names(lesson, method, free):
    """Full fine-tuning frees all, the others only the head, or only what is no matrix; the base stays as it was."""
    base = small()
    loose = {name: p for name, p in lesson.partly_free(base, method).named_parameters() if p.requires_grad}
    every = dict(base.named_parameters())
    wanted = {
        "full": set(every),
        "last layer": {"head.weight"},
        "biases, norms": {name for name, p in every.items() if p.dim() == 1},
    }
    assert set(loose) == wanted[method]
    assert all(p.requires_grad for p in base.parameters())


def test_a_plain_model_needs_no_merging(lesson):
    """Merging gives a model without adapters back as it is, and an adapted one as a new plain model."""
    base = small()
    assert lesson.merged(base, base) is base
    assert not lesson.adapters(lesson.merged(shaken(lesson, base, 2, 4.0), base))
