"""Lesson 27's towns, mesa, the equation, the school, learners, best replies, and the modellers' models."""

import numpy as np
import pytest

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(27)


def nobody(share, before):
    return 0.0


def test_a_town_has_households_of_one_to_five(lesson):
    """Numbers start at 0 without a gap, and nobody lives in a crowd."""
    home = lesson.town(500, 3)
    sizes = np.bincount(home)
    assert len(home) == 500
    assert sizes.min() == 1
    assert sizes.max() == 5
    assert not np.array_equal(home, lesson.town(500, 4))


@pytest.mark.parametrize("seed", [0, 1, 8])
def test_mesa_and_arrays_agree_person_by_person(lesson, seed):
    """With the same draws the objects of mesa and the arrays give the same numbers of ill people on all days."""
    by_mesa, by_arrays = lesson.compare(people=60, days=12, seed=seed)
    assert by_mesa.tolist() == by_arrays.tolist()
    assert by_mesa.max() > by_mesa[0]


def test_mesa_agents_hold_the_same_states(lesson):
    """Not only the sums agree: each agent's state is the array's entry."""
    home, draw = lesson.town(40, 2), np.random.default_rng(2)
    society, state = lesson.MesaTown(home, range(4), 2), np.zeros(40, int)
    state[:4] = 1
    for _ in range(8):
        society.step()
        state = lesson.one_day(state, home, np.zeros(40, bool), draw.random((2, 40)), 0.4, 0.05, 0.2)
        assert [person.state for person in society.agents] == state.tolist()
    assert set(state.tolist()) == {0, 1, 2}


def test_many_mixing_agents_are_the_equation(lesson):
    """The mean of runs lies within its sampling error of SciPy's solution; scatter falls with the root of agents."""
    exact = lesson.sir(lesson.CATCH, lesson.RECOVER, 0.05, np.arange(31))[1]
    scatter = {}
    for people in (200, 3200):
        runs = np.array([lesson.mixing(people, seed, days=30) for seed in range(12)])
        error = runs.std(axis=0, ddof=1)[1:] / 12**0.5
        assert np.sqrt(np.mean(((runs.mean(axis=0) - exact)[1:] / error) ** 2)) < 2
        scatter[people] = np.sqrt(((runs - exact) ** 2).mean())
    assert 2.4 < scatter[200] / scatter[3200] < 7  # four, but for the draws


def test_the_equation_keeps_its_known_quantity(lesson):
    """What an SIR epidemic conserves, s + i - log(s) / R0, stays the same."""
    well, ill = lesson.sir(0.9, 0.3, 0.01, np.linspace(0, 60, 20))
    kept = well + ill - np.log(well) / 3
    assert np.ptp(kept) < 1e-6


def test_the_school_keeps_its_boys(lesson):
    """Nobody is in bed who was not ill; in the first story bed and illness are one."""
    prior = np.random.default_rng(0).uniform(lesson.LOW, lesson.HIGH, (300, 4))
    for after in (False, True):
        in_bed, ever = lesson.school(prior, after, seed=1)
        assert in_bed.shape == (300, 14)
        assert (in_bed[:, 0] == 3).all()
        assert (in_bed.max(axis=1) <= ever).all()
        assert ever.max() <= lesson.BOYS


def test_the_school_is_the_equation_for_many_boys(lesson):
    """The mean of the first story's binomial runs follows the equation, but for its steps of a quarter of a day."""
    theta = np.tile([1.7, 0.45, 0.5, 3.0], (400, 1))
    mean = lesson.school(theta, False, seed=0, parts=16)[0].mean(axis=0)
    exact = lesson.BOYS * lesson.sir(1.7, 0.45, 3 / lesson.BOYS, np.arange(14))[1]
    assert np.abs(mean - exact).max() < 0.15 * exact.max()


def test_situations_are_levels_and_directions(lesson):
    """Sixteen of them; a boundary belongs to the level above; the same share twice is falling."""
    assert lesson.situation(0.0, 0.0) == 0
    assert lesson.situation(0.01, 0.005) == 7
    assert lesson.situation(0.01, 0.01) == 6
    assert lesson.situation(0.5, 0.4) == 15
    both = lesson.situation(np.array([0.0, 0.5]), np.array([0.1, 0.4]))
    assert both.tolist() == [0, 15]


def test_the_willing_gain(lesson):
    """The chance to stay in grows with the gain, from one to ninety-nine in a hundred; a coin at no gain."""
    chance = lesson.willing(np.array([-1.0, -0.003, 0.0, 0.003, 1.0]))
    assert (np.diff(chance) > 0).all()
    assert chance[[0, 2, 4]] == pytest.approx([0.01, 0.5, 0.99])


def test_a_rule_that_takes_all_risk_away_ends_the_winter(lesson):
    """Only those who were ill at the start have ever been; without the rule most are."""
    home = lesson.town(400, 0)
    stopped, usual = (lesson.winter(home, nobody, 1, cut) for cut in (1.0, 0.0))
    assert stopped["ever"] == pytest.approx(0.01)
    assert usual["ever"] > 0.7
    assert stopped["stayed"].sum() == 0


def test_learning_repeats_and_leaves_the_old_tables(lesson):
    """The same seed learns the same; given tables are not written to; the blind know one situation."""
    home, kinds, costs = lesson.society(3, 0.02, people=300)
    first = lesson.learn_winters(home, kinds, costs, 1, number=3)
    assert np.array_equal(first, lesson.learn_winters(home, kinds, costs, 1, number=3))
    kept = first.copy()
    assert not np.array_equal(first, lesson.learn_winters(home, kinds, costs, 2, number=1, tables=first))
    assert np.array_equal(first, kept)
    blind = lesson.learn_winters(home, kinds, costs, 1, number=3, control="blind")
    assert np.abs(blind[:, 1:]).max() == 0
    assert np.abs(blind[:, 0]).max() > 0


def test_the_best_reply_weighs_costs(lesson):
    """Staying in for nothing gains where anybody is ill, at a cost of one it never does; a best reply has no regret."""
    ill = 0.2 * np.exp(-(((np.arange(60) - 25) / 9.0) ** 2))
    assert (lesson.stakes(ill, 0.0) > 0).all()
    assert (lesson.stakes(ill, 1.0) < 0).all()
    gain = lesson.stakes(ill, 0.02)
    assert lesson.regret(ill, (gain > 0).astype(float), 0.02) == 0
    assert lesson.regret(ill, np.full(60, 0.5), 0.02) > 0


def test_the_stakes_are_what_a_lone_person_loses(lesson):
    """The gain of a day is the difference of two expected losses, computed by following both choices to the end."""
    ill, cost = np.array([0.1, 0.25, 0.2, 0.05]), 0.02
    gain = lesson.stakes(ill, cost)

    def loss(day, choice):
        risk = 1 - np.exp(-lesson.CATCH * ill[day] * (lesson.LEAK if choice else 1))
        later = min(loss(day + 1, 0), loss(day + 1, 1)) if day + 1 < len(ill) else 0.0
        return cost * choice + risk + (1 - risk) * lesson.FORESIGHT * later

    assert gain == pytest.approx([loss(day, 0) - loss(day, 1) for day in range(4)])


def test_learners_regret_less_than_those_without_information(lesson):
    """In a cheap town learners lose less than the blind and the shuffled, who had as many winters."""
    lost = lesson.regrets(11, 0.01)
    assert lost["learners"] < lost["blind"]
    assert lost["learners"] < lost["shuffled"]


def test_forecasts_without_behaviour_are_one_model(lesson):
    """A law with a far constant hardly differs from fixed habits; learners without tables toss a coin."""
    fixed, ever = lesson.forecast("fixed", np.array([[0.4, lesson.RECOVER]]))
    law, same = lesson.forecast("law", np.array([[0.4, 1e6]]))
    assert np.abs(fixed[0] - law[0]).max() < 1e-5
    assert ever == pytest.approx(same, abs=1e-5)
    assert lesson.forecast("learners", np.array([[0.4, 0.02]]))[0][1] == pytest.approx(0.5)


def test_a_curve_of_power_one_is_the_law(lesson):
    """The law is the curve's special case, also under a payment."""
    law = lesson.forecast("law", np.array([[0.5, 0.05]]), 0.2, 0.5)[0]
    curve = lesson.forecast("curve", np.array([[0.5, 0.05, 1.0]]), 0.2, 0.5)[0]
    assert np.abs(law - curve).max() < 1e-12


def test_the_forecast_is_many_agents(lesson):
    """With everybody living alone the modellers' days are what a large town lives through on average."""
    alone, k = np.arange(20_000), 0.1
    runs = [lesson.winter(alone, lambda share, before: share / (share + k), seed, days=60) for seed in range(4)]
    old, lesson.HOME_SHARE = lesson.HOME_SHARE, 0.0
    try:
        seen, _ = lesson.forecast("law", np.array([[lesson.CATCH, k]]), days=60)
    finally:
        lesson.HOME_SHARE = old
    assert np.abs(np.mean([run["ill"] for run in runs], axis=0) - seen[0, 0]).max() < 0.006


def test_calibration_finds_what_made_the_data(lesson):
    """A winter made by the law gives back its parameters; the curve of the ill alone leaves them wider."""
    made = lesson.forecast("law", np.array([[0.5, 0.08]]))[0][:, 0]
    both, alone = lesson.calibrate("law", made, [(0, 1), (0,)], seed=0, runs=2000, keep=20)
    assert both.mean(axis=0) == pytest.approx([0.5, 0.08], rel=0.15)
    assert alone.shape == (20, 2)
    assert alone.std(axis=0)[1] >= both.std(axis=0)[1] * 0.8


def test_fixed_habits_foretell_nothing_of_a_payment(lesson):
    """A rule changes what they foretell, a payment does not; more rule, more effect."""
    change = lesson.foretold("fixed", np.array([[0.5, 0.2]]))
    assert change.shape == (6, 2)
    assert (np.diff(change[:3, 0]) < 0).all()
    assert np.abs(change[3:]).max() == 0


def test_tracing_counts_homes(lesson):
    """Where everybody lives alone nobody is caught at home; in families some are."""
    assert lesson.traced(np.arange(300), nobody, 0) == 0
    assert 0.05 < lesson.traced(lesson.town(300, 0), nobody, 0) < 0.5


def test_policies_at_once_are_policies_one_by_one(lesson):
    """Learners foretell the same for a policy, whichever others are asked for beside it."""
    theta = np.array([[0.5, 0.02], [0.3, 0.01]])
    together = lesson.foretold("learners, 3 kinds", theta, winters=3)
    alone = [lesson.foretold("learners, 3 kinds", theta, [policy], winters=3)[0] for policy in lesson.POLICIES]
    assert together == pytest.approx(np.array(alone))


def test_three_kinds_differ_in_their_costs_alone(lesson):
    """Of equal kinds three are one; unequal ones answer otherwise."""
    theta = np.array([[0.5, 0.02], [0.4, 0.03]])
    one = lesson.forecast("formula", theta)[0]
    differ = lesson.forecast("formula, 3 kinds", theta)[0]
    assert differ.shape == one.shape
    assert np.abs(differ - one).max() > 0.05
    old, lesson.kinds_of = lesson.kinds_of, lambda name: np.ones(3 if "3" in name else 1)
    try:
        equal = lesson.forecast("formula, 3 kinds", theta)[0]
    finally:
        lesson.kinds_of = old
    assert np.abs(equal - one).max() < 1e-12


def test_no_policy_has_no_effect(lesson):
    """Effects are measured against as many winters without a policy; what those winters change is the drift."""
    home, kinds, costs = lesson.society(2, 0.02, people=300)
    tables = lesson.learn_winters(home, kinds, costs, 2, number=2)
    learnt, first, drift = lesson.real_effects(home, kinds, costs, tables, 2, [(0.0, 0.0), (0.0, 0.5)], number=2)
    assert np.abs(learnt[0]).max() == 0
    assert np.abs(first).max() == 0
    again = lesson.learn_winters(home, kinds, costs, 302, 2, 0.0, tables)
    usual = [lesson.outcome(home, kinds, each, 0.0, 2) for each in (tables, again)]
    assert drift == pytest.approx(usual[1] - usual[0])
