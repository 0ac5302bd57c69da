"""Lesson 01's own attention, heads, block and positions against PyTorch's, forward and backward."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(1)


def draw(*shape, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


SHAPES = [
    pytest.param((3, 4), (3, 4), (3, 4), id="no-batch"),
    pytest.param((1, 1, 1, 8), (1, 1, 1, 8), (1, 1, 1, 8), id="one-token"),
    pytest.param((2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 6), id="queries-fewer-than-keys"),
    pytest.param((1, 2, 33, 1), (1, 2, 33, 1), (1, 2, 33, 5), id="odd-sizes"),
]


@pytest.mark.parametrize(("query", "key", "value"), SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_attention_equals_the_library(lesson, query, key, value, dtype, tolerance):
    """Attention and its gradients equal F.scaled_dot_product_attention, for odd shapes and both precisions."""
    torch.manual_seed(0)
    inputs = [draw(*shape, dtype=dtype) for shape in (query, key, value)]
    theirs = F.scaled_dot_product_attention(*inputs)
    assert_same_as_library(lesson.attention(*inputs), theirs, tolerance=tolerance, gradients=inputs)


@pytest.mark.parametrize("tokens", [1, 2, 17])
def test_causal_attention_equals_the_library(lesson, tokens):
    """Causal attention and its gradients equal the library's with is_causal."""
    torch.manual_seed(1)
    inputs = [draw(2, 3, tokens, 8) for _ in range(3)]
    theirs = F.scaled_dot_product_attention(*inputs, is_causal=True)
    assert_same_as_library(lesson.causal_attention(*inputs), theirs, tolerance=1e-6, gradients=inputs)


def test_the_future_changes_nothing(lesson):
    """Changing a later token leaves every earlier result of a causal block exactly as it was."""
    torch.manual_seed(2)
    block = lesson.Block(16, heads=4, causal=True)
    x = torch.randn(2, 9, 16)
    changed = x.clone()
    changed[:, 6] += 10
    before, after = block(x), block(changed)
    assert torch.equal(before[:, :6], after[:, :6])
    assert not torch.equal(before[:, 6:], after[:, 6:])


def test_causal_weights_survive_extreme_scores(lesson):
    """Rows add up to 1, without nan, for scores of a million."""
    scores = torch.tensor([1e6, -1e6, 0.0, 5.0]).expand(4, 4)
    weights = lesson.causal_weights(scores)
    assert torch.isfinite(weights).all()
    assert torch.allclose(weights.sum(-1), torch.ones(4))
    assert weights.triu(1).abs().max() == 0


@pytest.mark.parametrize(("batch", "tokens", "width", "heads"), [(1, 1, 4, 2), (2, 5, 12, 3), (3, 4, 8, 8)])
def test_splitting_and_merging_heads_are_inverse(lesson, batch, tokens, width, heads):
    """Merging what was split gives the same numbers back, and head 0 owns the first features."""
    x = torch.randn(batch, tokens, width)
    split = lesson.split_heads(x, heads)
    assert split.shape == (batch, heads, tokens, width // heads)
    assert torch.equal(split[:, 0], x[..., : width // heads])
    assert torch.equal(lesson.merge_heads(split), x)


PRECISIONS = [pytest.param(torch.float32, 1e-6, id="single"), pytest.param(torch.float64, 1e-13, id="double")]


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("batch", "tokens", "width", "heads"), [(1, 1, 8, 1), (2, 10, 64, 4), (3, 7, 12, 6)])
def test_multi_head_attention_equals_the_library(lesson, causal, batch, tokens, width, heads, dtype, tolerance):
    """With the same weights, results, maps, and gradients of inputs and weights equal nn.MultiheadAttention's."""
    torch.manual_seed(3)
    mine = lesson.MultiHeadAttention(width, heads, causal).to(dtype)
    library = nn.MultiheadAttention(width, heads, batch_first=True).to(dtype)
    lesson.pour(mine, library)
    x = draw(batch, tokens, width, dtype=dtype)
    hidden = torch.ones(tokens, tokens, dtype=torch.bool).triu(1) if causal else None
    theirs, maps = library(x, x, x, attn_mask=hidden, average_attn_weights=False)
    assert (mine.maps(x) - maps).abs().max() < tolerance
    assert_same_as_library(mine(x), theirs, tolerance=tolerance, gradients=[x])
    weight = torch.randn_like(theirs) / theirs.numel() ** 0.5
    (mine(x) * weight).sum().backward()
    (library(x, x, x, attn_mask=hidden)[0] * weight).sum().backward()
    stacked = torch.cat([part.weight.grad for part in (mine.query, mine.key, mine.value)])
    assert (stacked - library.in_proj_weight.grad).abs().max() < tolerance
    assert (mine.out.weight.grad - library.out_proj.weight.grad).abs().max() < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("causal", [False, True])
def test_the_block_equals_the_library(lesson, causal, dtype, tolerance):
    """With the same weights, a block equals nn.TransformerEncoderLayer with the norm first."""
    torch.manual_seed(4)
    mine = lesson.Block(24, heads=3, causal=causal).to(dtype)
    library = nn.TransformerEncoderLayer(24, 3, 96, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    library = library.to(dtype)
    lesson.pour(mine.attention, library.self_attn)
    for ours, theirs in (
        (mine.norm_1, library.norm1),
        (mine.norm_2, library.norm2),
        (mine.network[0], library.linear1),
        (mine.network[2], library.linear2),
    ):
        theirs.load_state_dict(ours.state_dict())
    x = draw(2, 11, 24, dtype=dtype)
    mask = nn.Transformer.generate_square_subsequent_mask(11, dtype=dtype) if causal else None
    assert_same_as_library(mine(x), library(x, src_mask=mask), tolerance=2 * tolerance, gradients=[x])


@pytest.mark.parametrize("width", [4, 64, 130])
def test_a_block_has_the_parameters_of_the_formula(lesson, width):
    """A block holds 12 d^2 + 13 d parameters."""
    assert lesson.count(lesson.Block(width, heads=2)) == 12 * width**2 + 13 * width


def test_the_gpt_formula_counts_a_built_model_and_gpt3(lesson):
    """The formula equals a count of built parts at a small size, and gives 174.6 billion for GPT-3."""
    parts = [lesson.Block(32, heads=4) for _ in range(3)]
    parts += [nn.Embedding(100, 32), nn.Embedding(20, 32), nn.LayerNorm(32)]
    assert lesson.gpt_parameters(3, 32, 100, 20) == sum(map(lesson.count, parts))
    assert round(lesson.gpt_parameters(96, 12_288, 50_257, 2_048) / 1e9, 1) == 174.6


def test_attention_without_positions_is_blind_to_order(lesson):
    """Shuffled tokens give the same results, shuffled; with positions added they do not."""
    torch.manual_seed(5)
    layer, x, order = lesson.MultiHeadAttention(16, 2), torch.randn(1, 8, 16), torch.randperm(8)
    assert (layer(x[:, order]) - layer(x)[:, order]).abs().max() < 1e-6
    places = lesson.sinusoidal_positions(8, 16)
    assert (layer(x[:, order] + places) - layer(x + places)[:, order]).abs().max() > 1e-3


@pytest.mark.parametrize(("tokens", "width", "base"), [(1, 2, 10_000.0), (7, 6, 100.0), (128, 64, 30.0)])
def test_positions_follow_the_formula(lesson, tokens, width, base):
    """Every entry is the sine or cosine of the published formula."""
    table = lesson.sinusoidal_positions(tokens, width, base)
    assert table.shape == (tokens, width)
    for t in (0, tokens // 2, tokens - 1):
        for i in range(width // 2):
            angle = t / base ** (2 * i / width)
            assert table[t, 2 * i] == pytest.approx(math.sin(angle), abs=1e-4)
            assert table[t, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-4)


@pytest.mark.parametrize("steps", [0, 1, 5, 64])
def test_one_matrix_looks_back_from_every_place(lesson, steps):
    """Multiplying positions by look_back(k) gives the positions k steps earlier, and the matrix is a rotation."""
    places, turn = lesson.sinusoidal_positions(100, 32, 30.0), lesson.look_back(steps, 32, 30.0)
    assert (places[steps:] @ turn - places[: 100 - steps]).abs().max() < 1e-4
    assert (turn @ turn.T - torch.eye(32)).abs().max() < 1e-5


def test_the_contestants_are_of_equal_size(lesson):
    """The recurrences have the parameters of the attention model, within 5 %."""
    sizes = {name: lesson.count(make()) for name, (make, _, _) in lesson.CONTESTANTS.items()}
    assert sizes["no positions"] == sizes["attention"]
    for rival in ("LSTM", "linear recurrence"):
        assert abs(sizes[rival] / sizes["attention"] - 1) < 0.05


def test_the_linear_recurrence_is_a_recurrence(lesson):
    """The matrices C λ^k B by Fourier transform give what one step after another gives."""
    torch.manual_seed(7)
    model, symbols = lesson.EchoLinear(width=8, state=5), lesson.streams(2, torch.Generator().manual_seed(0))
    new = torch.complex(*model.into(model.embed(symbols)).chunk(2, dim=-1))
    size = model.keep.sigmoid()
    factor, state, outputs = torch.polar(size, model.turn), 0, []
    for step in range(symbols.shape[1]):
        state = factor * state + new[:, step] * (1 - size**2).sqrt()
        outputs.append(model.read(model.out(torch.cat([state.real, state.imag], dim=-1))))
    assert (model(symbols) - torch.stack(outputs, dim=1)).abs().max() < 1e-4


def test_the_control_differs_by_positions_only(lesson):
    """Without positions the model is the same size, and it does not tell apart two orders of the same past."""
    torch.manual_seed(6)
    model, blind = lesson.EchoAttention(), lesson.EchoAttention(positions=False)
    blind.load_state_dict(model.state_dict() | {"places": blind.places})
    symbols = lesson.streams(1, torch.Generator().manual_seed(0))
    shuffled = symbols.clone()
    shuffled[:, :-1] = symbols[:, torch.randperm(lesson.TOKENS - 1)]
    assert (blind(symbols)[:, -1] - blind(shuffled)[:, -1]).abs().max() < 1e-5
    assert (model(symbols)[:, -1] - model(shuffled)[:, -1]).abs().max() > 1e-4


@pytest.mark.parametrize("tokens", [1, 16, 64])
def test_plain_attention_keeps_the_whole_table(lesson, tokens):
    """Plain attention keeps 4 n^2 + 12 n d bytes for the backward pass."""
    assert lesson.bytes_kept(lesson.plain_attention, tokens, 8) == 4 * tokens**2 + 12 * tokens * 8


def test_hand_made_heads_do_what_their_names_say(lesson):
    """The first three heads of the panel look at the same word, the previous word, and the first word."""
    words = "a b c a d".split()
    weights = [lesson.causal_weights(lesson.head_scores(words, head, None)) for head in (1, 2, 3)]
    assert weights[0][3].topk(2).indices.sort().values.tolist() == [0, 3]
    assert weights[1].argmax(-1).tolist()[1:] == [0, 1, 2, 3]
    assert weights[2].argmax(-1).tolist() == [0] * 5
