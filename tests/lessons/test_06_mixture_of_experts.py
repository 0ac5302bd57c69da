"""The lesson's own mixture of experts, held against its loop version and against transformers' Mixtral block."""

import pytest
import torch
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    return definitions(6)


def weights(n_experts, width, hidden, seed=0):
    """A router and experts of the given sizes, in float64 so that only true differences show."""
    torch.manual_seed(seed)
    shapes = ((n_experts, width), (n_experts, 2 * hidden, width), (n_experts, width, hidden))
    return [torch.randn(*shape, dtype=torch.float64) / width**0.5 for shape in shapes]


SIZES = [
    pytest.param(24, 8, 16, 12, 2, id="top-2"),
    pytest.param(1, 4, 6, 5, 2, id="one token"),
    pytest.param(7, 3, 5, 3, 3, id="every expert chosen"),
    pytest.param(2, 16, 8, 4, 1, id="more experts than tokens"),
    pytest.param(33, 5, 9, 7, 4, id="odd sizes"),
]


def forward_and_gradients(layer, x, parts, *, k, lesson):
    """Outputs of a layer, then the gradients of tokens and weights."""
    leaves = [part.clone().requires_grad_() for part in (x, *parts)]
    gates, experts = lesson.route(leaves[0] @ leaves[1].T, k)
    y = layer(leaves[0], gates, experts, *leaves[2:])
    y.square().sum().backward()
    return [y.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize(("tokens", "n_experts", "width", "hidden", "k"), SIZES)
@pytest.mark.parametrize("name", ["sorted_moe", "every_expert"])
def test_fast_versions_equal_the_loop(lesson, name, tokens, n_experts, width, hidden, k):
    """Sorted blocks and the masked version give the loop's outputs and gradients."""
    parts = weights(n_experts, width, hidden)
    x = torch.randn(tokens, width, dtype=torch.float64)
    torch.set_default_dtype(torch.float64)  # every_expert makes its table of gates in the default type
    try:
        slow = forward_and_gradients(lesson.loop_moe, x, parts, k=k, lesson=lesson)
        fast = forward_and_gradients(getattr(lesson, name), x, parts, k=k, lesson=lesson)
    finally:
        torch.set_default_dtype(torch.float32)
    for a, b in zip(slow, fast, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("tokens", "n_experts", "width", "hidden", "k"), SIZES)
def test_sorted_blocks_equal_transformers_mixtral_block(lesson, tokens, n_experts, width, hidden, k):
    """With the same weights, outputs and all gradients are those of `MixtralSparseMoeBlock`, also for k = 1."""
    router, gate_up, down = (part.float() for part in weights(n_experts, width, hidden))
    block = lesson.mixtral_block(router, gate_up, down, k)
    x = torch.randn(tokens, width)
    theirs_in = x.clone().requires_grad_()
    theirs = block(theirs_in[None])[0]
    theirs.square().sum().backward()
    mine = forward_and_gradients(lesson.sorted_moe, x, (router, gate_up, down), k=k, lesson=lesson)
    library = [theirs.detach(), theirs_in.grad, block.gate.weight.grad]
    library += [block.experts.gate_up_proj.grad, block.experts.down_proj.grad]
    for a, b in zip(mine, library, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_balance_loss_equals_transformers_in_value_and_gradient(lesson, k):
    """The library's loss is k times ours, because its shares sum to k."""
    logits = torch.randn(40, 6, generator=torch.Generator().manual_seed(k)).requires_grad_()
    ours = lesson.load_balancing_loss(logits, logits.topk(k).indices)
    theirs = load_balancing_loss_func((logits,), num_experts=6, top_k=k) / k
    assert_same_as_library(ours, theirs, tolerance=1e-5, relative=1.3e-6, gradients=[logits])


def test_top_1_learns_by_its_probability_only(lesson):
    """A renormalised single gate is 1 and gives the router no gradient; the raw probability gives one."""
    for renormalise, learns in ((True, False), (False, True)):
        logits = torch.randn(12, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
        gates, _ = lesson.route(logits, 1, renormalise)
        gates.sum().backward()
        assert bool(logits.grad.abs().max() > 1e-4) is learns


@pytest.mark.parametrize("k", [1, 2])
def test_counted_flops_equal_the_formula(lesson, k):
    """FlopCounterMode counts for the MoE and the dense layer what the lesson's formulas say."""
    layer, x = lesson.MoE(20, k=k, n_experts=5, width=12), torch.randn(30, 12)
    assert lesson.counted_flops(layer, x, None) == 30 * lesson.moe_flops(12, 20, 5, k)
    dense = lesson.Dense(20, width=12)
    assert lesson.counted_flops(dense, x, None) == 30 * lesson.dense_flops(12, 20)


def test_parameters_of_mixtral_equal_the_published_ones(lesson):
    """46.7 billion stored and 12.9 billion active, as Mistral AI published."""
    stored, active = lesson.mixtral_parameters(n_experts=8, k=2)
    assert (round(stored / 1e9, 1), round(active / 1e9, 1)) == (46.7, 12.9)


def test_dropped_assignments_add_nothing(lesson):
    """With capacity 1, the only token that an expert still serves is its first; all others get a zero output."""
    torch.manual_seed(0)
    layer, x = lesson.MoE(6, k=1, n_experts=4, width=8), torch.randn(1, 8).expand(10, 8)
    full = layer(x, None)
    layer.capacity_factor = 0.4  # 10 tokens, 4 experts: capacity 1
    squeezed = layer(x, None)
    torch.testing.assert_close(squeezed[0], full[0])
    assert squeezed[1:].abs().max() == 0


def test_the_controls_choose_without_the_router(lesson):
    """The table sends equal bytes to equal experts, whatever the router says; the coin does not look at the byte."""
    torch.manual_seed(0)
    x, windows = torch.randn(800, 8), torch.arange(800)[:, None] % 4
    fixed = lesson.TableMoE(6, k=1, n_experts=4, width=8)
    for _ in range(2):
        fixed(x, windows)
        assert torch.equal(fixed.experts, fixed.table[windows])
        torch.nn.init.normal_(fixed.router)
    coin = lesson.CoinMoE(6, k=1, n_experts=4, width=8)
    coin(x, windows)
    for value in range(4):
        shares = torch.bincount(coin.experts[windows == value], minlength=4) / 200
        assert ((shares - 0.25).abs() < 0.1).all()


@pytest.mark.parametrize("chooser", ["learned", "table", "coin"])
def test_a_unit_gate_is_1_and_gate_p_is_the_routers_probability(lesson, chooser):
    """The same choices with either gate: the outputs differ by the probability, token by token."""
    x, windows = torch.randn(20, 8), torch.randint(256, (20, 8))
    torch.manual_seed(1)
    layer = lesson.CHOOSERS[chooser](6, k=1, n_experts=4, width=8)
    torch.manual_seed(2)
    scaled = layer(x, windows)
    probability = (x @ layer.router.T).softmax(dim=-1).gather(1, layer.experts)
    layer.unit_gate = True
    torch.manual_seed(2)
    torch.testing.assert_close(layer(x, windows) * probability, scaled)


def test_the_table_of_pairs_costs_no_flops_and_stores_what_top_1_stores(lesson):
    """As many FLOPs as the dense layer, as many parameters as top-1 to a thousandth; equal pairs, equal vectors."""
    x, windows = torch.randn(6, lesson.WIDTH), torch.randint(256, (6, lesson.CONTEXT))
    rival, dense, top_1 = lesson.DenseAndPairs(131), lesson.Dense(131), lesson.MoE(128, k=1)
    assert lesson.counted_flops(rival, x, windows) == lesson.counted_flops(dense, x, windows)
    stored = [sum(p.numel() for p in layer.parameters()) for layer in (rival, top_1)]
    assert stored[0] == pytest.approx(stored[1], rel=1e-3)
    twin = windows.clone()
    twin[:, :-2] = 0
    torch.testing.assert_close(rival(x, twin), rival(x, windows))


def test_every_layer_takes_time_for_a_step(lesson):
    """Four positive times, the dense layer's first."""
    seconds = lesson.step_seconds(16, 8, 64, rounds=1)
    assert list(seconds) == ["dense", "dense, wider", "top-1", "top-2"]
    assert min(seconds.values()) > 0


def test_the_byte_model_scores_every_window(lesson):
    """Shapes: windows (tokens, 8) in, scores (tokens, 256) out, for dense and sparse layers, batch of one included."""
    for layer in (lesson.Dense(10), lesson.MoE(10, k=2)):
        model = lesson.ByteModel(layer)
        for tokens in (1, 5):
            assert model(torch.randint(256, (tokens, lesson.CONTEXT))).shape == (tokens, 256)
