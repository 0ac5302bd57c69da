"""Lesson 29's Gaussian process, acquisition, searches and laws, against scikit-learn, botorch and known answers."""

import math

import numpy as np
import pytest
from tinyfrontier.beside.lesson_29.candidates import best_seen, somewhere
from tinyfrontier.beside.lesson_29.judging import above, clearly, standing, tally, upper, within
from tinyfrontier.beside.lesson_29.laboratory import (
    LANDSCAPES,
    LAWS,
    OUTSIDE,
    SETTINGS,
    Laboratory,
    Nature,
    bandit,
    distance,
    graded,
)
from tinyfrontier.beside.lesson_29.lawbook import Lawbook
from tinyfrontier.beside.lesson_29.library import botorch_scores, scikit_says
from tinyfrontier.beside.lesson_29.rivals import design, drawing, forest_guess, local_search, search, spend

from tinyfrontier.authoring import definitions
from tinyfrontier.authoring.records import recipe


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(29)


@pytest.fixture(scope="module")
def gp(lesson):
    """A process that has learnt twelve results of the reactor."""
    lab, x = Laboratory("reactor", 4), design("Sobol", 3, 12, seed=4)
    return lesson.GaussianProcess(x, [lab.run(place) for place in x])


@pytest.mark.parametrize(("count", "dimensions"), [(1, 2), (9, 1), (25, 3)])
def test_the_process_is_scikit_learns(lesson, count, dimensions):
    """Posterior, likelihood and its slope agree to 1e-6, whatever the settings."""
    chance = np.random.default_rng(count)
    x, y, new = chance.random((count, dimensions)), chance.normal(size=count), chance.random((40, dimensions))
    height, lengths, noise = 1.7, chance.uniform(0.1, 1, dimensions), 0.03
    theta = np.log([height, *lengths, noise])
    among, across = (lesson.kernel(x, other, height, lengths) for other in (x, new))
    mean, deviation = lesson.posterior(among, across, height, noise, y)
    *theirs, density, slope = scikit_says(x, y, theta, new)
    assert np.abs(mean - theirs[0]).max() < 1e-6
    assert np.abs(deviation - theirs[1]).max() < 1e-6
    loss, mine = lesson.misfit(theta, x, y)
    assert abs(loss + density) < 1e-6
    assert np.abs(mine + slope).max() < 1e-6


def test_scores_are_botorchs(lesson, gp):
    """Expected improvement and the upper confidence bound agree with the library's, model and all."""
    new = np.random.default_rng(0).random((100, 3))
    theirs = botorch_scores(gp.x, gp.unit, gp.height, gp.lengths, gp.noise, new, 0.5, 3.0)
    own = lesson.expected_improvement(*gp(new), 0.5 * gp.scale + gp.middle) / gp.scale
    assert np.abs(own - theirs[0]).max() < 1e-6
    assert np.abs((lesson.ucb(gp, new, None, 3.0) - gp.middle) / gp.scale - theirs[1]).max() < 1e-6


def test_learning_makes_the_results_likelier(lesson, gp):
    """The hyperparameters that were found beat the start and lie inside their limits."""
    start = np.log([1, 0.3, 0.3, 0.3, 0.05])
    assert lesson.misfit(gp.theta, gp.x, gp.unit)[0] < lesson.misfit(start, gp.x, gp.unit)[0]
    assert ((gp.lengths >= 0.05 - 1e-9) & (gp.lengths <= 5 + 1e-9)).all()


def test_thompson_draws_from_the_posterior(lesson, gp):
    """Mean and deviation of many draws of the recipe's rival are the posterior's."""
    draw = recipe(29).thompson(lesson)
    places, chance = np.random.default_rng(1).random((6, 3)), np.random.default_rng(2)
    draws = np.array([draw(gp, places, chance) for _ in range(3000)])
    mean, deviation = gp(places)
    assert (np.abs(draws.mean(0) - mean) < 0.1 * deviation + 0.01 * gp.scale).all()
    assert np.allclose(draws.std(0), deviation, rtol=0.1, atol=0.01 * gp.scale)


def test_a_campaign_is_the_same_twice_and_finds_the_hill(lesson):
    """Same seed, same experiments; fifteen experiments find the higher of two hills nearly exactly."""
    runs = [lesson.campaign(Laboratory("hills", 2), lesson.ei, 2, count=15, first=4) for _ in range(2)]
    assert np.array_equal(runs[0][0], runs[1][0])
    lab = Laboratory("hills", 2)
    assert lesson.regret(lab, runs[0][2])[-1] < 0.1
    assert len(runs[0][2]) == 12


def test_a_campaign_follows_the_plan_until_two_results_differ(lesson):
    """While a laboratory says the same always, the machine has nothing to learn from and stays with the even plan."""
    plan = design("Sobol", 3, 30, 1)
    x, y, _ = lesson.campaign(graded(Laboratory("Hartmann", 1), [99.0]), lesson.ei, 1)
    assert np.array_equal(x, plan)
    assert set(y) == {0.0}
    x, y, _ = lesson.campaign(graded(Laboratory("Hartmann", 1), [0.5]), lesson.ei, 1)
    first = next(n for n in range(5, 30) if len(set(y[:n])) > 1)
    assert np.array_equal(x[:first], plan[:first])
    assert not np.array_equal(x[first:], plan[first:])


def test_regret_is_measured_without_noise_at_what_is_recommended(lesson):
    """The best seen place counts by its true value; a perfect recommendation has regret 0."""
    lab, x = Laboratory("Branin", 0), design("random", 2, 8, 0)
    seen = lesson.regret(lab, best_seen(x, np.arange(8.0), [5, 8]))
    assert len(seen) == 2
    assert seen[-1] == pytest.approx(lab.highest - lab.truth(x[7:])[0])
    assert (seen > 0).all()


@pytest.mark.parametrize("name", LANDSCAPES)
def test_the_highest_result_is_the_highest(name):
    """No place of many random ones beats it, for shifted landscapes too, and some come near."""
    for seed in range(3):
        lab = Laboratory(name, seed)
        values = lab.truth(np.random.default_rng(0).random((100_000, lab.dimensions)))
        assert values.max() < lab.highest + 1e-4
        assert values.max() > lab.highest - 0.01 * np.ptp(values)


def test_hazards_lose_batches_and_hours_are_counted(lesson):
    """Hot reactors full of catalyst return nothing; longer and hotter costs more; the top is safe."""
    lab = Laboratory("reactor", 1, hazards=True)
    assert math.isnan(lab.run([1, 0.5, 1]))
    assert math.isfinite(lab.run([0.1, 0.5, 0.1]))
    cheap, dear = lab.hours([[0.2, 0.1, 0.5], [0.2, 0.9, 0.5]])
    assert 0 < cheap < dear
    x = np.random.default_rng(0).random((200_000, 3))
    best = x[lab.truth(x).argmax()]
    assert lab.safe(best[None])[0]
    trace, lost = spend(lab, lesson.thrifty(lab, np.random.default_rng(0)), iter(design("Sobol", 3, 99, 0)), 25)
    assert (np.diff(trace[:, 0]) > 0).all()
    assert trace[-1, 0] <= 25
    assert lost >= 0


def test_graded_tells_grades_alone(lesson):
    """A result becomes the number of cuts that it reaches; no cuts change nothing."""
    lab = Laboratory("Hartmann", 0, noise=0)
    coarse = graded(lab, [0.5, 2.0])
    x = design("random", 3, 30, 0)
    truth = lab.truth(x)
    assert [coarse.run(place) for place in x] == ((truth >= 0.5) * 1.0 + (truth >= 2.0)).tolist()
    assert graded(lab, None) is lab


def test_rivals_keep_to_their_budget():
    """Plans lie in the cube; searches use all experiments, start where told and improve."""
    for kind in ("random", "grid", "Sobol"):
        places = design(kind, 3, 30, 5)
        assert places.shape == (30, 3)
        assert ((places >= 0) & (places <= 1)).all()
    start = design("Sobol", 3, 5, 0)
    assert np.array_equal(start, design("Sobol", 3, 30, 0)[:5])
    for kind in ("simplex", "steps"):
        lab = Laboratory("Hartmann", 3)
        x, y = local_search(kind, lab, start, 40, 0.2, 0)
        assert x.shape == (40, 3)
        assert len(y) == 40
        assert np.array_equal(x[:5], start)
        assert lab.truth(x[5:]).max() > lab.truth(start).max()
    x, y = local_search("zoom", Laboratory("Hartmann", 3), start, 25, 0.2, 0)
    assert np.array_equal(x[:5], start)
    for batch, half in enumerate((0.2, 0.1, 0.06, 0.03)):
        at = 5 + 5 * batch
        assert (np.abs(x[at : at + 5] - x[y[:at].argmax()]) <= half + 1e-12).all()
    x, _ = local_search("zoom", Laboratory("Hartmann", 3), start, 25, 0.2, 0, lambda x, y: np.full(3, 0.5))
    assert (np.abs(x[5:] - 0.5) <= 0.2).all()
    assert (np.abs(x[20:] - 0.5) <= 0.03).all()
    assert np.array_equal(search("zoom", Laboratory("Hartmann", 3), 0, 30, 5)[0][:14], design("Sobol", 3, 14, 0))
    x, y = local_search("steps", Laboratory("Hartmann", 3), start, 40, 0.2, 0)
    mean, deviation = forest_guess(x, y, x, 1)
    assert np.corrcoef(mean, y)[0, 1] > 0.9
    assert (deviation >= 0).all()


def test_judging_asks_for_more_than_luck():
    """A small steady lead is clear, a lucky median is not; a promise of 5 % bears four of forty, not six."""
    chance = np.random.default_rng(0)
    base = np.exp(chance.normal(size=20))
    assert clearly(0.8 * base, base)
    assert not clearly(base, 0.8 * base)
    assert not clearly(np.exp(chance.normal(size=20)), np.exp(chance.normal(size=20)))
    assert within(4, 40, 0.05)
    assert not within(6, 40, 0.05)


def test_paired_runs_and_intervals():
    """A steady small loss is above two errors, noise is not; none of sixty still allows six percent."""
    noise = np.random.default_rng(0).normal(size=400)
    assert above(noise + 0.1 + 0.1 * noise[::-1], noise)
    assert not above(noise, noise[::-1])
    assert not above(noise, noise + 0.1)
    assert upper(0, 60) == pytest.approx(1 - 0.025 ** (1 / 60))
    assert upper(60, 60) == 1


def test_standing_takes_the_best_rival():
    """Medians of the search and of its best rival, and the landscapes on which it leads clearly."""
    base = np.exp(np.random.default_rng(1).normal(size=20))
    regret = {
        "A": {"30": {"own": base / 2, "plan": base, "walk": 3 * base}},
        "B": {"30": {"own": base, "plan": base / 2}},
    }
    medians, clear = standing(regret, "own", ("plan",))
    assert clear == {"30": ["A"]}
    assert medians["A, median regret at 30"]["plan"] == [float(np.median(base))]
    assert "walk" not in standing({"A": regret["A"]}, "own", ("plan", "walk"))[0]["A, median regret at 30"]


def test_tally_counts_stops_and_right_ones():
    """Three of four campaigns stop, two of three rightly; one that never stops waits longer than all."""
    assert tally({"x": [[5, True], None], "y": [[9, False], [7, True]]}) == (0.75, 2 / 3, 8.0)
    assert tally({"x": [None]}) == (0.0, 0.0, 31.0)


def test_bandits_know_their_extremes(lesson):
    """Random pulls lose the mean gap for ever; learning loses less and less."""
    wild, learning = (bandit(choose, pulls=200, runs=200) for choose in (lesson.exploring(1), drawing))
    gap = 10 / 11 - 0.5  # the best of ten uniform rates less their mean
    assert abs(wild[-1].mean() - gap) < 0.03
    assert learning[-1].mean() < learning[20].mean() < gap


def test_hope_tries_every_arm_and_dice_do_not(lesson):
    """An arm that counts as sure to pay is tried at some time; one that counts as a half often never is."""
    tries = {}
    for hope in (1, 2):
        choose, last = lesson.exploring(0, hope), {}

        def watch(wins, tries, t, chance, choose=choose, last=last):
            last["tries"] = tries.copy()
            return choose(wins, tries, t, chance)

        bandit(watch, pulls=300, runs=100)
        tries[hope] = (last["tries"] == 0).mean()
    assert tries[2] > 2 * tries[1]


def test_the_grammar_holds_the_laws_once(lesson):
    """Well-known forms are among the hypotheses, and no two are a factor apart."""
    texts = {one.text for one in lesson.BOOK.laws}
    assert {"sqrt(x)", "(x**c)", "exp((-(c*x)))", "exp((-(c/x)))", "((x*x)/(c+(x*x)))"} <= texts
    rows = np.array([one.values[::6, ::4].ravel() for one in lesson.BOOK.laws if len(one.values) > 1])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert ((rows @ rows.T) > 1 - 1e-13).sum() < 1.1 * len(rows)
    assert len(texts) == len(lesson.BOOK.laws) > 500


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_found_with_its_constants(lesson, name):
    """Without noise, all settings measured: the first hypothesis can be the truth, and fits it."""
    nature = Nature(name, 5, noise=0.0)
    best = lesson.shortest(np.arange(40), nature.truth)[0][0]
    assert distance(lambda c: lesson.BOOK.formula(best.law, c), nature.truth) < 1e-6
    assert np.abs(best.factor * lesson.BOOK.formula(best.law, best.constant) - nature.truth).max() < 2e-3


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_law_outside_the_grammar_is_not_in_it(lesson, name):
    """Without noise, all settings measured: none of the eight shortest descriptions can be the truth."""
    for seed in range(3):
        nature = Nature(name, seed, noise=0.0)
        top, _ = lesson.shortest(np.arange(40), nature.truth)
        assert min(distance(lambda c, law=fit.law: lesson.BOOK.formula(law, c), nature.truth) for fit in top) > 1e-4


def test_intervals_hold_the_truth(lesson):
    """Of a known law's 95 % intervals about 95 % hold factor and constant."""
    hits = []
    for seed in range(100):
        nature = Nature("decay", seed, 0.01)
        places = np.random.default_rng(seed).integers(40, size=12)
        top, _ = lesson.shortest(places, np.array([nature.run(place) for place in places]), keep=4)
        for fit in (each for each in top if each.law.text == "exp((-(c*x)))"):
            hits.append(abs(fit.factor - nature.factor) <= fit.width[0])
            hits.append(abs(math.log(fit.constant / nature.constant)) <= fit.width[1])
    assert len(hits) > 100
    assert 0.85 < np.mean(hits) <= 1


def test_the_true_rival_is_not_often_ruined(lesson):
    """Against noise the law's winnings reach 20 in few lawless natures."""
    alarms = 0
    for seed in range(20):
        steps = lesson.investigate(Nature("noise", 200 + seed), seed, "random", 15, stop=False)[2]
        alarms += any(step.wealth >= math.log(20) for step in steps)
    assert alarms <= 3


def test_an_investigation_stops_when_it_is_sure(lesson):
    """It ends at its first sure step, and on the square root law that is soon."""
    places, y, steps = lesson.investigate(Nature("pendulum", 3), 3)
    assert lesson.sure(steps[-1])
    assert not any(map(lesson.sure, steps[:-1]))
    assert len(places) == len(y) == steps[-1].count < 20
    assert steps[-1].fit.law.text == "sqrt(x)"


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: Laboratory("moon"), ValueError, "name"),
        (lambda: Laboratory("Branin", 0.5), TypeError, "seed"),
        (lambda: Laboratory("Branin", 0, "loud"), TypeError, "noise"),
        (lambda: Laboratory("Branin", 0, -1.0), ValueError, "noise"),
        (lambda: Laboratory("Branin", 0, hazards=True), ValueError, "hazards"),
        (lambda: Laboratory("Branin").run([0.5]), ValueError, "x must"),
        (lambda: Laboratory("Branin").run([0.5, 1.5]), ValueError, "x must"),
        (lambda: Nature("magic"), ValueError, "name"),
        (lambda: Nature("decay", 1.5), TypeError, "seed"),
        (lambda: Nature("decay", 1, "loud"), TypeError, "noise"),
        (lambda: Nature("decay", 1, math.nan), ValueError, "noise"),
        (lambda: Nature("decay").run(40), ValueError, "place"),
        (lambda: design("spiral", 2, 5, 0), ValueError, "kind"),
        (lambda: design("grid", 4, 5, 0), ValueError, "dimensions"),
        (lambda: design("grid", 2, 31, 0), ValueError, "count"),
        (lambda: design("Sobol", 2.0, 5, 0), TypeError, "dimensions"),
        (lambda: design("Sobol", 2, 0, 0), ValueError, "count"),
        (lambda: local_search("walk", Laboratory("Branin"), np.zeros((1, 2)), 5, 0.1, 0), ValueError, "kind"),
        (lambda: local_search("steps", Laboratory("Branin"), np.zeros((1, 2)), 5, 0, 0), ValueError, "size"),
        (lambda: local_search("steps", Laboratory("Branin"), np.zeros((3, 2)), 2, 0.1, 0), ValueError, "count"),
        (lambda: somewhere(None, None, 3), ValueError, "count"),
        (lambda: clearly([1.0], [1.0, 2.0]), ValueError, "worse"),
        (lambda: within(5, 4, 0.05), ValueError, "count"),
        (lambda: upper(5, 4), ValueError, "count"),
        (lambda: above([1.0, 2.0], [1.0]), ValueError, "better"),
        (lambda: standing({}, "EI", ()), ValueError, "rivals"),
        (lambda: tally({}), ValueError, "said"),
        (lambda: bandit(None, runs=0), ValueError, "runs"),
        (lambda: scikit_says(np.zeros((3, 1)), np.zeros(3), np.zeros(2), np.zeros((1, 1))), ValueError, "theta"),
        (lambda: spend(Laboratory("reactor"), None, iter([]), 0), ValueError, "budget"),
        (lambda: Lawbook([], SETTINGS, SETTINGS, {}, 0.1), ValueError, "laws"),
        (lambda: Lawbook([0], SETTINGS, SETTINGS, {}, 0), ValueError, "resolution"),
        (
            lambda: botorch_scores(np.zeros((3, 1)), np.zeros(2), 1, [1], 1, np.zeros((1, 1)), 0, 2),
            ValueError,
            "y must",
        ),
        (lambda: forest_guess(np.zeros((3, 1)), np.zeros(2), np.zeros((1, 1)), 1), ValueError, "y must"),
        (lambda: forest_guess(np.zeros((3, 1)), np.zeros(3), np.zeros((1, 1)), 1.5), TypeError, "leaf"),
    ],
)
def test_bad_input_is_named(call, error, word):
    """The message names the argument."""
    with pytest.raises(error, match=word):
        call()
