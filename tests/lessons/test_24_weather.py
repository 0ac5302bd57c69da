"""Lesson 24's atmosphere, forecaster and scores, against waves of known speed, the package's classes, a library."""

import math

import numpy as np
import pytest
import scoringrules
import torch
from tinyfrontier.beside.lesson_24.atmosphere import DAY, Atmosphere, climate, resized

from tinyfrontier.authoring import definitions
from tinyfrontier.models import Forecaster
from tinyfrontier.pretrained import load_weather

F64 = torch.float64


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(24)


@pytest.fixture(scope="module")
def weather():
    """Two runs of three days on a small grid, (2, 3, 2, 32, 32)."""
    return climate(2, 3, seed=5, spin_up=60, size=32, steps=15)


def smooth(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def test_the_stream_function_obeys_its_two_equations(lesson):
    """Putting psi back into the definition of q gives q, less its mean."""
    q, deformation = resized(smooth(3, 2, 8, 8), 16), 5.0
    psi = lesson.stream_function(q, deformation)
    k = torch.fft.fftfreq(16, 1 / 16, dtype=F64)
    laplace = torch.fft.ifft2(-(k[:, None] ** 2 + k**2) * torch.fft.fft2(psi)).real
    back = laplace + deformation**2 / 2 * (psi.flip(-3) - psi)
    assert (back - (q - q.mean((-1, -2), keepdim=True))).abs().max() < 1e-10
    assert (psi - Atmosphere(16, 5, deformation=deformation, dtype=F64).stream(q)).abs().max() < 1e-10


@pytest.mark.parametrize(("layers", "k2"), [((1.0, 1.0), 0.0), ((1.0, -1.0), 64.0)])
def test_rossby_waves_travel_at_the_speed_of_the_formula(layers, k2):
    """Without shear and drag a weak wave moves west at beta / (k^2 + k_d^2 for opposite layers)."""
    beta, wave, days = 40.0, 3, 4
    air = Atmosphere(32, 200, beta=beta, shear=0.0, drag=0.0, dtype=F64)
    x = torch.arange(32, dtype=F64) * 2 * math.pi / 32
    pair = torch.tensor(layers, dtype=F64)[:, None, None]
    q = 1e-6 * pair * torch.cos(wave * x).expand(32, 32)
    moved = days * DAY * beta / (wave**2 + k2)
    expected = 1e-6 * pair * torch.cos(wave * (x + moved)).expand(32, 32)
    assert (air.run(q, days)[-1] - expected).abs().max() < 1e-9


def test_the_mean_of_q_stays_and_drag_takes_energy(weather):
    """No term changes a layer's mean; without shear, the flow with drag ends weaker than the one without."""
    q = weather[:, 0]
    free, slowed = (Atmosphere(32, 15, shear=0.0, drag=drag).run(q, 5)[-1] for drag in (0.0, 10.0))
    assert (free.mean((-1, -2)) - q.mean((-1, -2))).abs().max() < 1e-4
    air = Atmosphere(32, 15)
    assert air.stream(slowed)[:, 1].std() < 0.7 * air.stream(free)[:, 1].std()


def test_shear_makes_storms_and_their_strength_settles():
    """From faint noise the eddies grow thousandfold; the second half of a long run is as strong as its middle."""
    air = Atmosphere(32, 15)
    run = air.run(1e-3 * resized(torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(1)), 32), 160)
    strength = run.std((1, 2, 3, 4))
    assert strength[-1] > 1e3 * strength[0]
    assert 0.7 < strength[120:].mean() / strength[90:120].mean() < 1.4


def test_mirrored_weather_is_weather_too(lesson, weather):
    """Solving the mirrored state gives the mirrored solution; mirroring twice gives the state back."""
    q, air = weather[:, 0], Atmosphere(32, 15)
    assert (lesson.mirrored(lesson.mirrored(q)) - q).abs().max() == 0
    one, other = air.run(lesson.mirrored(q))[-1], lesson.mirrored(air.run(q)[-1])
    assert (one - other).abs().max() < 1e-3 * q.std()


def test_resized_keeps_the_waves_that_fit():
    """A coarse field survives a finer grid and back; its values on shared points stay."""
    field = resized(smooth(2, 2, 16, 16), 16)
    fine = resized(field, 48)
    assert (resized(fine, 16) - field).abs().max() < 1e-12
    assert (fine[..., ::3, ::3] - field).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: Atmosphere(31, 5), ValueError, "size"),
        (lambda: Atmosphere(6, 5), ValueError, "size"),
        (lambda: Atmosphere(32.0, 5), TypeError, "size"),
        (lambda: Atmosphere(32, 0), ValueError, "steps"),
        (lambda: Atmosphere(32, 5, beta=math.nan), ValueError, "beta"),
        (lambda: Atmosphere(32, 5, drag="much"), TypeError, "drag"),
        (lambda: Atmosphere(32, 5, deformation=0), ValueError, "deformation"),
        (lambda: Atmosphere(32, 5, filtering=-1.0), ValueError, "filtering"),
        (lambda: Atmosphere(32, 5, dtype=torch.float16), ValueError, "dtype"),
        (lambda: Atmosphere(32, 5).run(torch.zeros(2, 16, 16)), ValueError, "q"),
        (lambda: Atmosphere(32, 5).run(torch.zeros(2, 32, 32), 0), ValueError, "days"),
        (lambda: Atmosphere(32, 5).run(torch.zeros(2, 32, 32), 1.5), TypeError, "days"),
        (lambda: climate(0, 1, 0), ValueError, "runs"),
        (lambda: climate(1, 1, 0.5), TypeError, "seed"),
        (lambda: resized(torch.zeros(2, 9, 9), 8), ValueError, "field"),
        (lambda: resized(torch.zeros(2, 8, 10), 8), ValueError, "field"),
    ],
)
def test_bad_input_is_named(call, error, word):
    """The message names the argument."""
    with pytest.raises(error, match=word):
        call()


def test_the_lessons_forecaster_is_the_packages(lesson):
    """With the shipped weights both classes give the same forecast; a hybrid's solver is asked for by name."""
    network, live, _ = load_weather()
    own = lesson.Forecaster(network.air, network.scales)
    own.load_state_dict(network.state_dict())
    q = live[0, :3]
    with torch.no_grad():
        assert (own(q) - network(q)).abs().max() < 1e-4
    hybrid = Forecaster(network.air, network.scales, hybrid=True, width=8, blocks=1)
    with pytest.raises(ValueError, match="solved"):
        hybrid(q)
    with pytest.raises(ValueError, match="solved"):
        network(q, q)
    assert (hybrid(q, q) - network.air.tidy(q)).abs().max() < 1e-4


def test_what_ships_beats_persistence_and_the_solver_of_its_price(lesson):
    """On fresh weather the shipped network's forecast of day 3 is nearer than both."""
    weather = climate(6, 4, seed=77)
    truth = lesson.psi(weather[:, 3])
    said = lesson.roll(load_weather()[0], weather[:, 0], 3)[-1]
    solved = lesson.solve(32, weather[:, 0], 3)[-1]
    off = [float((each - truth).square().mean()) for each in (said, solved, lesson.psi(weather[:, 0]))]
    assert off[0] < 0.9 * off[1] < 0.5 * off[2]


def test_scores_are_the_librarys(lesson):
    """CRPS equals scoringrules'; the skill of the truth is 1, its error 0."""
    many, true = smooth(7, 3, 4), smooth(3, 4, seed=1)
    library = scoringrules.crps_ensemble(true.numpy(), many.numpy(), m_axis=0).mean()
    assert abs(float(lesson.crps(many, true)) - library) < 1e-12
    fields = torch.randn(2, 3, 2, 32, 32, generator=torch.Generator().manual_seed(2))
    assert np.allclose(lesson.skill(fields, fields), 1)
    assert np.allclose(lesson.rmse(fields, fields), 0)


def test_energy_is_shared_out_by_wave_number(lesson):
    """A single wave's energy stands at its number alone."""
    x = torch.arange(32) * 2 * math.pi / 32
    parts = lesson.energy(torch.cos(5 * x).expand(4, 2, 32, 32))
    assert int(parts.argmax()) == 4
    assert parts[4] > 1e6 * (parts.sum() - parts[4])


def test_a_spread_as_wide_as_the_error_is_told_as_such(lesson):
    """Truth and members from one distribution: spread equals error, within chance."""
    generator = torch.Generator().manual_seed(3)
    centre = torch.randn(20_000, generator=generator)
    members = centre + torch.randn(8, 20_000, generator=generator)
    spread, error = lesson.spread_and_error(members, centre + torch.randn(20_000, generator=generator))
    assert abs(float(spread / error) - 1) < 0.02
