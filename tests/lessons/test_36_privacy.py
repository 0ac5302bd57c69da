"""Lesson 36's gradients, accountant, attacks, federation and masks, against Opacus, SciPy and what they claim."""

import math

import pytest
import torch
from opacus import GradSampleModule
from opacus.accountants import RDPAccountant
from tinyfrontier.beside.lesson_36.audit import audit, bound, share_limits
from tinyfrontier.beside.lesson_36.many import clipped_sums, output_noise, private
from torch import nn
from torch.nn import functional as F

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(36)


@pytest.fixture(scope="module")
def digits(lesson):
    """A pool with right labels."""
    return lesson.game(3, wrong=0.0)


def test_sample_gradients_are_opacus(lesson, digits):
    """Per-sample gradients equal those of Opacus' hooks, and clipped sums those made of them."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)).double()
    x, y = digits[0][:40].double(), digits[1][:40]
    mine = lesson.sample_gradients(model, x, y)
    theirs = GradSampleModule(model, loss_reduction="sum")
    F.cross_entropy(theirs(x), y, reduction="sum").backward()
    for a, p in zip(mine, theirs.parameters(), strict=True):
        assert (a - p.grad_sample).abs().max() < 1e-12
    lengths = sum(p.grad_sample.flatten(1).square().sum(1) for p in theirs.parameters()).sqrt()
    factor = (0.7 / lengths).clamp(max=1)
    for a, p in zip(lesson.clip_and_add(mine, 0.7), theirs.parameters(), strict=True):
        assert (a - torch.einsum("n,n...->...", factor, p.grad_sample)).abs().max() < 1e-12


@pytest.mark.parametrize(("q", "sigma", "steps"), [(0.01, 0.8, 1000), (0.5, 3.0, 40), (1.0, 5.0, 10)])
def test_the_accountant_is_opacus(lesson, q, sigma, steps):
    """Epsilon equals that of Opacus' accountant at the same orders."""
    theirs = RDPAccountant()
    for _ in range(steps):
        theirs.step(noise_multiplier=sigma, sample_rate=q)
    assert abs(lesson.epsilon(q, sigma, steps) - theirs.get_epsilon(lesson.DELTA, alphas=[*lesson.ORDERS])) < 1e-8


def test_the_noise_keeps_the_promise(lesson):
    """The noise found is enough, and a little less is not."""
    sigma = lesson.noise_for(2, 0.5, 60)
    assert lesson.epsilon(0.5, sigma, 60) <= 2 < lesson.epsilon(0.5, sigma / 1.002, 60)


def test_many_at_once_are_one_by_one(lesson, digits):
    """The batched clipped sums equal autograd's, sample by sample, and leave out who is not drawn."""
    x, y = digits[0][:30].double(), digits[1][:30]
    weights = [p.double() for p in lesson.networks(2, (64, 12, 10), 0)]
    counts = torch.rand(2, 30, generator=torch.Generator().manual_seed(0)) < 0.5
    got = clipped_sums(weights, x.expand(2, -1, -1), y.expand(2, -1), counts, 0.5)
    for m in range(2):
        sums = [torch.zeros_like(p[m]) for p in weights]
        for i in counts[m].nonzero()[:, 0]:
            own = [p[m : m + 1].clone().requires_grad_() for p in weights]
            grads = torch.autograd.grad(F.cross_entropy(lesson.scores(own, x[i : i + 1])[0], y[i : i + 1]), own)
            length = sum(g.square().sum() for g in grads).sqrt()
            sums = [s + g[0] * min(1, 0.5 / length) for s, g in zip(sums, grads, strict=True)]
        assert max((a[m] - s).abs().max() for a, s in zip(got, sums, strict=True)) < 1e-12


def test_private_training_names_bad_arguments(lesson, digits):
    """Shares, lengths and noise out of range are named."""
    start, member = lesson.networks(1, (64, 10), 0), torch.ones(1, 20, dtype=torch.bool)
    data = start, digits[0][:20], digits[1][:20], member, 1, 0
    with pytest.raises(ValueError, match="q must"):
        private(*data, q=0, clip=1, sigma=1, lr=1)
    with pytest.raises(ValueError, match="clip must"):
        private(*data, q=1, clip=0, sigma=1, lr=1)


def test_an_optimum_moves_less_than_promised(lesson, digits):
    """One sample more moves the penalised optimum by less than the bound that sets the noise."""
    x, y = digits[0][:61], digits[1][:61]
    member = torch.ones(2, 61, dtype=torch.bool)
    member[1, -1] = False
    weights, shorten = output_noise(x, y, member, 20.0, 0.0, steps=2000)
    moved = math.sqrt(sum((p[0] - p[1]).square().sum().item() for p in weights))
    assert 0 < moved < math.sqrt(2) * math.sqrt(10) / 20
    assert shorten(x).norm(dim=1).max() < 3 + 1e-5


def test_an_attack_on_a_giveaway_sees_everything(lesson):
    """Where members are named by confidence alone the advantage is one; with shuffled members it is about zero."""
    truth = torch.rand(20, 200, generator=torch.Generator().manual_seed(0)) < 0.5
    values = truth.double() + torch.rand(200, generator=torch.Generator().manual_seed(1)) * 0.5
    assert lesson.advantage(values > lesson.best_cut(values, truth) - 1e-9, truth) == 1
    assert abs(lesson.advantage(values > 0.75, truth.roll(1, 1))) < 0.1


def test_confidence_is_that_of_the_probability(lesson, digits):
    """The confidence is log p / (1 - p), from the softmax itself."""
    weights = [p.double() for p in lesson.networks(3, (64, 10), 1)]
    x, y = digits[0][:20].double(), digits[1][:20]
    p = lesson.scores(weights, x).softmax(-1)[:, torch.arange(20), y]
    assert (lesson.confidence(weights, x, y) - (p / (1 - p)).log()).abs().max() < 1e-10


def test_an_audit_proves_no_more_than_is_there():
    """Randomised response with a known epsilon is bounded from below by less, and by more than half of it."""
    draw = torch.Generator().manual_seed(0)
    inside = torch.rand(4000, generator=draw) < 0.5
    truthful = torch.rand(4000, generator=draw) < math.e / (1 + math.e)
    scores = torch.where(truthful, inside, ~inside).double() + 1e-3 * torch.rand(4000, generator=draw)
    gain, least = audit(scores, inside, 0.0)
    assert 0.5 < least < 1
    assert abs(gain - (math.e - 1) / (math.e + 1)) < 0.05
    assert bound(5, 10, 5, 10, 0.0) == 0
    assert share_limits(0, 10)[0] == 0
    assert share_limits(10, 10)[1] == 1
    with pytest.raises(ValueError, match="both kinds"):
        audit(scores, torch.ones(4000, dtype=torch.bool), 0.0)


def test_masks_cancel(lesson):
    """All pads of a round add up to nothing, and each looks like any number."""
    pads, _ = lesson.pads(3, 500)
    assert ((pads.sum(1) % 2**32) == 0).all()
    assert abs(pads.double().mean() / 2**31 - 1) < 0.05
    change = torch.randn(500, generator=torch.Generator().manual_seed(0))
    assert (lesson.fraction(lesson.whole(change)) - change).abs().max() <= 2**-17


def test_processes_are_one_process(lesson, digits):
    """Two rounds on ten ranks with masks end at the weights of one process without."""
    from tinyfrontier.beside.lesson_07.ranks import Cluster

    x, y = digits[:2]
    parts, weights = lesson.deal(y, "alike"), lesson.networks(1, lesson.FED, 0)
    pads, _ = lesson.pads(2, sum(p.numel() for p in weights))
    job = {"x": x, "y": y, "parts": parts, "weights": weights, "rounds": 2, "steps": 2, "lr": 0.3}
    cluster = Cluster()
    try:
        away = cluster.run(lesson.client, lesson.CLIENTS, pads=pads, **job)[0][0]
    finally:
        cluster.close()
    here = lesson.federate(**job, apart=True)
    assert max((a - b).abs().max() for a, b in zip(away, here, strict=True)) < 1e-4


def test_one_step_a_round_is_the_pooled_gradient(lesson, digits):
    """The mean of clients' changes by one step is the change on all of their images together."""
    x, y = digits[0].double(), digits[1]
    weights = [p.double() for p in lesson.networks(1, lesson.FED, 0)]
    rows = lesson.picked(lesson.deal(y, "one class"), range(10), 0, 1, 32)
    apart = lesson.local(weights, x[rows], y[rows], 0.3).mean(0)
    rows = rows.permute(1, 0, 2).reshape(1, 1, -1)
    assert (apart - lesson.local(weights, x[rows], y[rows], 0.3)[0]).abs().max() < 1e-12


def test_clients_share_out_all_digits(lesson, digits):
    """Every digit has one client; unlike clients hold few classes."""
    y = digits[1]
    for kind, most in (("alike", 10), ("two classes", 4), ("one class", 3)):
        parts = lesson.deal(y, kind)
        assert sorted(parts.flatten().tolist()) == [*range(len(y))]
        assert max(len(y[part].unique()) for part in parts) <= most


def test_inversion_finds_one_digit(lesson, digits):
    """The digit behind one client's step is named, and its class' mean is not."""
    x, y = digits[:2]
    weights, rows = lesson.networks(1, lesson.FED, 0), lesson.some(1, 4)
    found = lesson.invert(weights, lesson.change_of(weights, x[rows], y[rows], 1), y[rows])
    assert lesson.named(found, rows, x) == 1
    assert lesson.named(lesson.class_means(x, y)[y[rows]], rows, x) < 0.5


def test_a_list_names_what_inversion_cannot(lesson, digits):
    """The nearest change names a digit through a little noise; least squares names every digit of a large sum."""
    x, y = digits[:2]
    weights, rows = lesson.networks(1, lesson.FED, 0), lesson.some(1, 10)
    seen = lesson.change_of(weights, x[rows], y[rows], 1)
    chance = torch.Generator().manual_seed(0)
    seen = seen + 0.01 * seen.norm(dim=1, keepdim=True) * torch.randn(seen.shape, generator=chance)
    assert torch.equal(lesson.nearest(weights, seen, x, y), rows[:, 0])
    assert lesson.sum_named(weights, (10, 400), x, y) == [1, 1]


def test_private_training_can_be_watched(lesson, digits):
    """After each of the steps the weights are shown, the last time those that come back."""
    seen, member = [], torch.ones(1, 40, dtype=torch.bool)
    watch = lambda weights: seen.append([p.clone() for p in weights])  # noqa: E731 - one line
    how = {"steps": 3, "wide": 2, "watch": watch}
    made = lesson.keep_private(digits[0][:40], digits[1][:40], member, math.inf, 0, **how)
    assert len(seen) == 3
    assert all(torch.equal(a, b) for a, b in zip(seen[-1], made, strict=True))
