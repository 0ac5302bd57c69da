"""Lesson 26's tokamak, controllers and learner, against libraries, formulas and known shots."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from scipy.linalg import solve_discrete_are
from tinyfrontier.beside.lesson_26.tokamak import SHOT, Machine, PlasmaEnv, Tokamak

from tinyfrontier.authoring import definitions

QUIET = {"noise": 0.0, "shake": 0.0, "kicks": 0.0, "grip_spread": 0.0, "growth_spread": 0.0}


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(26)


def test_the_model_foresees_the_quiet_machine(lesson):
    """Without noise, at half elongation, the state with commands under way follows F and G to rounding."""
    machine = Machine(**QUIET)
    plasma = Tokamak(machine, 2, seed=1)
    plasma.x = np.array([[0.01, 0.0, 0.1, 0.5, 0.5]] * 2)
    plasma.queue = [np.zeros((2, 2))] * machine.delay
    F, G = lesson.with_delay(*lesson.model(machine), machine.delay)
    rest = np.zeros(len(F))
    rest[3:5] = 0.5  # what is left over when no command is given
    s = np.concatenate([plasma.x[0], np.zeros(2 * machine.delay)]) - rest
    chance = np.random.default_rng(0)
    for _ in range(12):
        u = chance.uniform(-0.3, 0.3, 2) * [1, 0]
        s = F @ s + G @ u
        plasma.step(np.tile(u, (2, 1)))
    assert np.abs(plasma.x[0] - (s + rest)[:5]).max() < 1e-12


@pytest.mark.parametrize("delay", [1, 3, 6])
def test_the_gain_is_scipys(lesson, delay):
    """The iterated gain equals the one from SciPy's Riccati solver, and the closed loop is stable."""
    F, G = lesson.with_delay(*lesson.model(Machine()), delay)
    Q, R = np.diag([1.0, 0, 0, 1.0] + [0.0] * (len(F) - 4)), np.diag([0.05, 1.5])
    P = solve_discrete_are(F, G, Q, R)
    L = lesson.lqr_gain(F, G, Q, R)
    assert np.abs(L - np.linalg.solve(R + G.T @ P @ G, G.T @ P @ F)).max() < 1e-6
    assert np.abs(np.linalg.eigvals(F - G @ L)).max() < 1


def test_the_filters_gain_is_that_of_the_dual_riccati_equation(lesson):
    """The settled gain equals SciPy's for the transposed problem."""
    machine = Machine()
    A, _ = lesson.model(machine)
    W = np.diag([(3 * machine.shake) ** 2, 1e-12, 1e-12, (machine.shake / 2) ** 2, 1e-12])
    V = machine.noise**2 * np.eye(2)
    P = solve_discrete_are(A.T, lesson.C.T, W, V)
    K = P @ lesson.C.T @ np.linalg.inv(lesson.C @ P @ lesson.C.T + V)
    found, variance = lesson.filter_gain(machine, A, 3.0)
    assert np.abs(found - K).max() < 1e-5
    assert abs(variance - P[0, 0] - V[0, 0]) < 1e-7


def test_a_known_machine_is_held(lesson):
    """Where the grip is the assumed one, LQG loses next to nothing; where it is not, a good part."""
    controller = lesson.lqg(1.0, 1.0, effort=0.05, shape=1.5, agile=3.0)
    known, _ = lesson.shoot(controller, Machine(grip_spread=0.0), 200, 5)
    hidden, _ = lesson.shoot(controller, Machine(), 200, 5)
    assert known["lost"] < 3 < 15 < hidden["lost"]


def test_the_bank_finds_the_grip(lesson):
    """After a shot the weights of most shots lie at the models next to the truth, and few plasmas are lost."""
    bank = lesson.Adaptive()
    result, plasma = lesson.shoot(bank, shots=200, seed=9)
    p = np.exp(bank.log_p - bank.log_p.max(1, keepdims=True))
    said = (p * np.log(bank.models[:, 0])).sum(1) / p.sum(1)
    assert result["lost"] < 5
    assert np.corrcoef(said, np.log(plasma.grip))[0, 1] > 0.9


def test_shots_depend_on_the_seed_alone(lesson):
    """The same seed gives the same shots to every controller; another seed gives others."""
    one, two, other = (Tokamak(shots=3, seed=seed) for seed in (4, 4, 5))
    assert (one.push == two.push).all()
    assert (one.grip == two.grip).all()
    assert not (one.grip == other.grip).any()


def test_the_environment_passes_gymnasiums_checker(lesson):
    """It follows the protocol; a shot ends by loss or after its last millisecond."""
    check_env(PlasmaEnv(lesson.cost), skip_render_check=True)
    env = PlasmaEnv(lesson.cost)
    assert isinstance(env, gymnasium.Env)
    env.reset(seed=0)
    ended, steps = False, 0
    while not ended:
        _, reward, terminated, truncated, _ = env.step(np.array([0.0, 0.0], np.float32))
        ended, steps = terminated or truncated, steps + 1
        assert -1 <= reward <= 0
    assert steps <= SHOT


def test_the_guard_keeps_the_current_in_its_limit(lesson):
    """A controller that only shouts stays inside the limit behind the guard, and breaks it without."""

    class Shouts(lesson.Controller):
        def act(self, measured, wanted):
            return np.stack([np.where(np.arange(self.shots) % 2, 1.0, -1.0), 0 * wanted], axis=1)

    over = []
    for limit in (lesson.CURRENT, np.inf):
        held = lesson.Guarded(Shouts(), limit)
        lesson.shoot(held, shots=6)
        over.append(held.over)
    assert over[0] == 0 < over[1]


def test_the_clipped_loss_is_the_policy_gradient_at_the_start(lesson):
    """At ratio 1 the gradient of PPO's loss is that of minus advantage times log-probability."""
    learner = lesson.Learner(memory=2, seed=0)
    seen, view = torch.randn(8, 9), torch.randn(8, 17)
    normal = torch.distributions.Normal(learner.actor(seen), learner.log_std.exp())
    chosen = normal.sample()
    log_prob, advantage = normal.log_prob(chosen).sum(-1), torch.randn(8)
    policy, _ = lesson.ppo_losses(learner, seen, view, chosen, log_prob.detach(), advantage, torch.zeros(8))
    mine = torch.autograd.grad(policy, learner.actor[0].weight)[0]
    plain = torch.autograd.grad(-(log_prob * advantage).mean(), learner.actor[0].weight)[0]
    assert (mine - plain).abs().max() < 1e-6


def test_a_short_imitation_beats_an_untrained_network(lesson):
    """Two rounds of DAgger hold more plasmas than the network that it started from."""
    teacher = lesson.Told(lesson.BANK)
    before, _ = lesson.shoot(lesson.Learner(seed=1), shots=50)
    after, _ = lesson.shoot(lesson.clone(lesson.Learner(seed=1), [teacher], 2, shots=32), shots=50)
    assert after["cost"] < before["cost"] - 200


def test_trial_changes_actor_and_critic(lesson):
    """One round of PPO past the critic's warm-up moves all three parts; the critic's rounds leave the actor alone."""
    for warm, moved in ((0, True), (5, False)):
        learner = lesson.ppo(lesson.Learner(memory=2, seed=2), 1, shots=8, warm=warm)
        fresh = lesson.Learner(memory=2, seed=2)
        assert (learner.actor[0].weight != fresh.actor[0].weight).any() == moved
        assert (learner.critic[0].weight != fresh.critic[0].weight).any()


def test_a_lost_plasma_stays_lost():
    """Its state no longer changes, and the loss is counted once and for all."""
    plasma = Tokamak(shots=4, seed=0)
    plasma.x[:, 0] = [0.0, 1.5, 0.0, -1.5]
    plasma.step(np.zeros((4, 2)))
    lost, x = plasma.lost.copy(), plasma.x.copy()
    assert lost.tolist() == [False, True, False, True]
    plasma.step(np.ones((4, 2)))
    assert (plasma.x[lost] == x[lost]).all()
    assert plasma.lost[lost].all()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: Machine(growth=0.0), "growth"),
        (lambda: Machine(wall=float("nan")), "wall"),
        (lambda: Machine(delay=0), "delay"),
        (lambda: Machine(delay=2.0), "delay"),
        (lambda: Machine(noise=-0.1), "noise"),
        (lambda: Machine(fade=1.5), "fade"),
        (lambda: Tokamak(shots=0), "shots"),
    ],
)
def test_bad_input_is_named(call, word):
    """The message names the argument."""
    with pytest.raises(ValueError, match=word):
        call()


def test_the_bank_of_delays_holds_longer_delays(lesson):
    """At 6 ms, where the bank of grips loses most plasmas, the bank of delays loses few; at home it loses few, too."""
    settings = {"effort": 0.01, "shape": 1.5, "agile": 2.0}
    lost = {}
    for name, make in (("grips", lesson.Adaptive), ("delays", lesson.DelayBank)):
        lost[name] = [lesson.shoot(make(**settings), Machine(delay=delay), 100, 9)[0]["lost"] for delay in (3, 6)]
    assert lost["delays"][0] < 4
    assert lost["delays"][1] < 25 < 60 < lost["grips"][1]
