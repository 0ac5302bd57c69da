"""Lesson 05's own fit against SciPy and automatic derivatives, its models, its worlds and its best sizes."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tinyfrontier.authoring import definitions
from tinyfrontier.authoring.lessons import lesson_path, read_lesson


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(5)


def doubles(*numbers):
    """A float64 tensor."""
    return torch.tensor(numbers, dtype=torch.float64)


SIZES = doubles(3, 10, 40, 90, 300, 1000)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (5, 3), (2, 4, 3)])
def test_slopes_equal_automatic_derivatives(lesson, shape):
    """The slopes by hand are the derivatives that PyTorch finds, for any number of laws at once."""
    torch.manual_seed(len(shape))
    parameters = torch.randn(*shape, dtype=torch.float64)
    values, slopes = lesson.power_law(parameters, SIZES)
    assert values.shape == (*shape[:-1], len(SIZES))
    for theta, expected in zip(parameters.view(-1, 3), slopes.view(-1, len(SIZES), 3), strict=True):
        automatic = torch.autograd.functional.jacobian(lambda p: lesson.power_law(p, SIZES)[0], theta)
        assert (automatic - expected).abs().max() < 1e-9


@pytest.mark.parametrize("law", ["without_floor", "two_powers"])
def test_the_other_laws_have_right_slopes(lesson, law):
    """The law without a floor and the joint law agree with automatic differences of their own values."""
    torch.manual_seed(1)
    theta = 0.3 * torch.randn(2 if law == "without_floor" else 5, dtype=torch.float64)
    at = SIZES if law == "without_floor" else torch.stack([SIZES, SIZES.flip(0)], dim=1)
    function = getattr(lesson, law)
    slopes, step = function(theta, at)[1], 1e-6
    for index in range(len(theta)):
        nudge = torch.zeros_like(theta)
        nudge[index] = step
        difference = (function(theta + nudge, at)[0] - function(theta - nudge, at)[0]) / (2 * step)
        assert (difference - slopes[:, index]).abs().max() < 1e-7


@pytest.mark.parametrize("truth", [(2.0, 30.0, 0.4), (0.1, 1.0, 1.0), (0.5, 4.0, 0.15)])
def test_the_fit_by_hand_equals_scipys(lesson, truth):
    """On noisy losses the fit by hand and curve_fit find the same E, A and a."""
    E, A, a = truth
    noise = 0.002 * torch.randn(len(SIZES), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    losses = E + A * SIZES**-a + noise
    ours = lesson.plain_numbers(lesson.fit_law(lesson.power_law, lesson.START, SIZES, losses, steps=1000))
    theirs = lesson.library_fit(SIZES, losses)
    fitted = [E + A * SIZES.numpy() ** -a for E, A, a in (ours, theirs)]
    assert np.abs(fitted[0] - fitted[1]).max() < 1e-5
    assert np.abs(ours - theirs).max() < 1e-3 * max(theirs)


def test_many_fits_at_once_equal_single_fits(lesson):
    """A table of losses gives the same laws as one fit for each row."""
    truth = doubles(-0.5, 1.5, 0.5)
    generator = torch.Generator().manual_seed(2)
    clean = lesson.power_law(truth, SIZES)[0]
    losses = clean + 0.01 * torch.randn(7, len(SIZES), generator=generator, dtype=torch.float64)
    together = lesson.fit_law(lesson.power_law, lesson.START, SIZES, losses)
    for row, law in zip(losses, together, strict=True):
        alone = lesson.fit_law(lesson.power_law, lesson.START, SIZES, row)
        assert (lesson.power_law(alone, SIZES)[0] - lesson.power_law(law, SIZES)[0]).abs().max() < 1e-6


def test_the_fit_never_gets_worse_than_its_start(lesson):
    """Steps that do not help are taken back, whatever the losses are."""
    losses = torch.randn(50, len(SIZES), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    before = (lesson.power_law(lesson.START, SIZES)[0] - losses).square().sum(-1)
    theta = lesson.fit_law(lesson.power_law, lesson.START, SIZES, losses, steps=40)
    after = (lesson.power_law(theta, SIZES)[0] - losses).square().sum(-1)
    assert (after <= before).all()
    assert (after < 0.9 * before).float().mean() > 0.9


def test_steeper_spectra_have_larger_exponents(lesson):
    """In worlds with a known law, the fitted exponent grows with the spectrum's, near theory."""
    small = torch.tensor([4, 8, 16, 32, 64])
    found = []
    for s in (1.5, 2.0):
        losses = lesson.learn_spectrum(s, small, examples=2048, seeds=2)
        assert (losses > lesson.NOISE).all()
        found.append(lesson.fit_law(lesson.power_law, lesson.START, small.double(), losses)[:, 2].mean().item())
    assert abs(found[0] - 0.5) < 0.2
    assert found[1] - found[0] > 0.3


@pytest.mark.parametrize("width", [6, 20])
def test_seeds_side_by_side_are_networks_of_their_own(lesson, width):
    """Each seed's logits and gradients equal those of a plain network with its weights, and touch no other seed."""
    frequency = torch.full((lesson.BYTES,), 1 / lesson.BYTES)
    model = lesson.Readers(width, frequency).double()
    torch.manual_seed(0)
    read = torch.randint(lesson.BYTES, (lesson.SEEDS, 7, lesson.CONTEXT))
    logits = model(read)
    weight = torch.randn(7, lesson.BYTES, dtype=torch.float64)
    for seed in range(lesson.SEEDS):
        parts = {name: value[seed].detach().clone().requires_grad_() for name, value in model.named_parameters()}
        hidden = F.linear(parts["table"][read[seed]].flatten(1), parts["into"].T, parts["into_bias"][0]).relu()
        plain = F.linear(hidden, parts["out"].T, parts["out_bias"][0])
        assert (plain - logits[seed]).abs().max() < 1e-10
        expected = torch.autograd.grad((plain * weight).sum(), list(parts.values()))
        found = torch.autograd.grad((logits[seed] * weight).sum(), list(model.parameters()), retain_graph=True)
        others = [other for other in range(lesson.SEEDS) if other != seed]
        for right, gradient in zip(expected, found, strict=True):
            assert (right - gradient[seed]).abs().max() < 1e-9
            assert gradient[others].abs().max() == 0


@pytest.mark.parametrize("width", [14, 33, 120])
def test_the_size_counts_the_matrices(lesson, width):
    """N is the number of weights in the two matrices of one seed."""
    model = lesson.Readers(width, torch.full((lesson.BYTES,), 1 / lesson.BYTES))
    assert lesson.matrix_weights(width) == (model.into.numel() + model.out.numel()) // lesson.SEEDS


def test_training_beats_frequencies_and_scores_every_mark(lesson):
    """A short run is scored at its marks, for every seed, and soon predicts a regular text better than frequencies."""
    letters = torch.tensor(list(b"abcdefgh" * 4000))
    text = lesson.prepare(letters, letters[:3000])
    scores = lesson.train_readers(8, {5, 60}, text)
    assert set(scores) == {5, 60}
    assert all(losses.shape == (lesson.SEEDS,) for losses in scores.values())
    assert (scores[60] < scores[5]).all()
    assert scores[60].max() < 2.5  # frequencies alone cost 3 bits


def test_every_seed_reads_each_window_once(lesson):
    """The orders of reading are permutations, different for each seed."""
    text = lesson.prepare(torch.arange(100), torch.arange(100))
    assert all(sorted(order.tolist()) == list(range(96)) for order in text.order)
    assert not torch.equal(text.order[0], text.order[1])


def test_budgets_are_kept(lesson):
    """The steps for a budget cost that budget, and scored steps lie inside the allowed range."""
    for width in (14, 56):
        size = lesson.matrix_weights(width)
        steps = lesson.steps_for(2e9, size)
        assert 6 * size * lesson.BATCH * steps == pytest.approx(2e9, rel=0.01)
        assert all(60 <= step <= 1250 for step in lesson.stops(size))


def test_the_best_split_beats_its_neighbours(lesson):
    """The closed form keeps the budget and no other split has a lower loss."""
    for A, a, B, b in ((400.0, 0.34, 410.0, 0.28), (2.0, 1.2, 90.0, 0.4)):
        size, data = lesson.compute_optimal(1e12, A, a, B, b)
        assert 6 * size * data == pytest.approx(1e12)
        best = A * size**-a + B * data**-b
        for factor in (0.5, 0.9, 1.1, 2):
            assert best < A * (size * factor) ** -a + B * (data / factor) ** -b


def test_a_parabola_gives_back_its_bottom(lesson):
    """Losses on a parabola in ln N have their minimum where it was put."""
    assert lesson.isoflop_minimum(SIZES, 2 + 0.3 * (SIZES.log() - math.log(57)) ** 2) == pytest.approx(57)


def test_resampled_losses_scatter_like_the_noise(lesson):
    """After rescaling, bootstrap losses scatter as the fitted residuals would without the fit's bend."""
    losses, fitted = doubles(3, 1, 2, 2), doubles(2, 2, 2, 2)
    picks = torch.randint(4, (20_000, 4), generator=torch.Generator().manual_seed(0))
    drawn = lesson.bootstrap_losses(losses, fitted, 2, picks)
    assert (drawn.mean(0) - fitted).abs().max() < 0.03
    assert drawn.std().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("form", ["line in ln N", "parabola", "u + v / ln N"])
def test_other_forms_foretell_what_follows_them(lesson, form):
    """Each rival foretells a ladder of its own kind exactly, and the last two rungs alone foretell a line."""
    curve = {"line in ln N": lambda x: 5 - 0.2 * x, "parabola": lambda x: 9 - x + 0.04 * x**2}
    curve["u + v / ln N"] = lambda x: 1 + 12 / x
    sizes = torch.tensor([10.0, 30, 100, 300, 1000]).double().repeat_interleave(2)
    told, rms = lesson.other_forms(sizes, curve[form](sizes.log()), 5000)[form]
    assert told == pytest.approx(curve[form](math.log(5000)), rel=1e-9)
    assert rms < 1e-9
    line = lesson.other_forms(sizes, 5 - 0.2 * sizes.log(), 5000)
    assert line["last two rungs"][0] == pytest.approx(line["line in ln N"][0])


def test_other_seeds_are_other_networks_and_orders(lesson):
    """`first` changes the order of reading and the weights; the exam stays."""
    letters = torch.randint(lesson.BYTES, (2000,), generator=torch.Generator().manual_seed(0))
    one, other = (lesson.prepare(letters, letters[:300], first=first) for first in (0, 3))
    assert torch.equal(one.exam, other.exam)
    assert not torch.equal(one.order, other.order)
    weights = [lesson.Readers(8, one.frequency, text.first).into for text in (one, other)]
    assert not torch.equal(*weights)


def test_the_promise_stands_above_the_run():
    """The cell that prints the prediction comes before the only cell that trains the target."""
    sources = [cell.source for cell in read_lesson(lesson_path(5)).cells if cell.kind == "code"]
    promise = next(i for i, source in enumerate(sources) if "the law predicts" in source)
    trained = [i for i, source in enumerate(sources) if "train_readers(TARGET" in source]
    assert len(trained) == 1
    assert promise < trained[0]
