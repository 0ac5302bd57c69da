"""Lesson 25's world, judges and classes, against enumeration, libraries and the shipped weights."""

import math

import numpy as np
import pytest
import torch
from Bio.Align import substitution_matrices
from sklearn.metrics import roc_auc_score
from tinyfrontier.beside.lesson_25.families import (
    LENGTH,
    LETTERS,
    PAIRS,
    TOUCH,
    effects,
    families,
)
from tinyfrontier.beside.lesson_25.rivals import by_hand, learnt, of_columns, pairwise

from tinyfrontier.authoring import definitions
from tinyfrontier.models import ProteinModel
from tinyfrontier.pretrained import load_proteins
from tinyfrontier.pretrained.proteins.recipe import hidden, shuffled


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(25)


@pytest.fixture(scope="module")
def world():
    """Four families of six sequences."""
    return families(4, 6, 3)


def fitness(world, family, letters):
    """The fitness of one sequence, term by term."""
    total = sum(float(world.sites[family, site, letter]) for site, letter in enumerate(letters))
    pairs = {tuple(sorted((i, int(j)))) for i in range(LENGTH) for j in world.touching[family, i] if j >= 0}
    return total + sum(PAIRS[letters[i], letters[j]] for i, j in pairs)


def test_effects_are_differences_of_fitness(world):
    """Each entry equals the fitness of the changed sequence less that of the wild type, summed up term by term."""
    change = effects(world)
    for family in range(2):
        wild = world.letters[family, 0].tolist()
        for site, letter in ((0, 3), (7, 19), (20, 0), (39, 12)):
            other = [*wild[:site], letter, *wild[site + 1 :]]
            expected = fitness(world, family, other) - fitness(world, family, wild)
            assert abs(float(change[family, site, letter]) - expected) < 1e-4
    assert change.gather(-1, world.letters[:, 0, :, None]).abs().max() == 0


def test_contacts_go_both_ways_and_the_table_is_symmetric(world):
    """If i touches j then j touches i, nobody touches itself or more than TOUCH others."""
    assert np.allclose(PAIRS, PAIRS.T)
    for family in range(len(world)):
        for site in range(LENGTH):
            others = [int(j) for j in world.touching[family, site] if j >= 0]
            assert site not in others
            assert len(set(others)) == len(others) <= TOUCH
            assert all(site in world.touching[family, j] for j in others)


def test_sequences_are_as_frequent_as_they_are_fit():
    """At a site without contacts, a letter's frequency is its share of the exponential of its worth."""
    many = families(1, 4000, 11)
    lonely = [site for site in range(LENGTH) if (many.touching[0, site] < 0).all()]
    for site in lonely[:3]:
        share = torch.bincount(many.letters[0, :, site], minlength=20) / 4000
        assert (share - many.sites[0, site].softmax(-1)).abs().max() < 0.035


def test_the_same_seed_gives_the_same_families_and_membranes_are_oily_outside():
    """Drawing twice is the same; in a membrane outer sites carry more oily letters."""
    one, two = families(3, 2, 5), families(3, 2, 5)
    assert all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("letters", "sites", "touching"))
    oily = torch.tensor([letter in "ILVFMAC" for letter in LETTERS]).float()
    at_home, abroad = (families(20, 5, 6, membrane=size) for size in (0.0, 1.0))
    outer = [oily[w.letters].mean(1)[w.inside == 0].mean() for w in (at_home, abroad)]
    assert outer[1] > outer[0] + 0.2


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: families(0, 1, 0), ValueError, "count"),
        (lambda: families(1, 0, 0), ValueError, "depth"),
        (lambda: families(1, 1.0, 0), TypeError, "depth"),
        (lambda: families(1, 1, -1), ValueError, "seed"),
        (lambda: families(1, 1, 0, membrane=1.5), ValueError, "membrane"),
        (lambda: families(1, 1, 0, membrane=math.nan), ValueError, "membrane"),
        (lambda: families(1, 1, 0, constraint=-1.0), ValueError, "constraint"),
    ],
)
def test_bad_input_is_named(call, error, word):
    """The message names the argument."""
    with pytest.raises(error, match=word):
        call()


def test_the_table_is_symmetric_and_in_the_letters_order(lesson):
    """Tryptophan stays put most, glycine for tryptophan costs 2 half-bits, and each entry is the library's."""
    library = substitution_matrices.load("BLOSUM62")
    assert torch.equal(lesson.BLOSUM, lesson.BLOSUM.T)
    assert all(lesson.BLOSUM[i, j] == library[a, b] for i, a in enumerate(LETTERS) for j, b in enumerate(LETTERS))
    assert lesson.BLOSUM.max() == lesson.BLOSUM[LETTERS.index("W"), LETTERS.index("W")] == 11
    assert lesson.BLOSUM[LETTERS.index("G"), LETTERS.index("W")] == -2


def test_auc_is_scikit_learns(lesson):
    """With ties and without, the exercise's AUC equals the library's."""
    random = np.random.default_rng(0)
    for levels in (3, 1000):
        scores = torch.from_numpy(random.integers(levels, size=5000)).float()
        harmful = torch.from_numpy(random.random(5000) < 0.3)
        assert abs(lesson.auc(scores, harmful) - roc_auc_score(harmful, scores)) < 1e-9


def test_the_interval_covers_the_mean_as_often_as_it_says(lesson):
    """Of 200 samples of 60 families, about 95 % have an interval around the true mean."""
    random = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        low, high = lesson.interval(random.normal(0.8, 0.05, 60), draws=400)
        hits += low < 0.8 < high
    assert 180 <= hits <= 199


def test_cuts_keep_their_promise_on_the_families_they_were_made_on(lesson):
    """On the same families each class reaches the precision, and the two do not overlap for a good judge."""
    world = families(20, 1, 9)
    noisy = -effects(world) + 2 * torch.randn(20, LENGTH, 20, generator=torch.Generator().manual_seed(0))
    low, high = lesson.cut(noisy, world)
    share, bad, good = lesson.outcome(noisy, world, low, high)
    assert low < high
    assert 0.5 < share < 1
    assert bad >= 0.9 - 1e-6
    assert good >= 0.9 - 1e-6


def test_the_own_table_knows_which_letters_are_alike(lesson):
    """It is symmetric, above 0 on the diagonal, and goes along with BLOSUM62."""
    table = lesson.table_of(families(300, 3, 8).letters)
    assert (table - table.T).abs().max() < 1e-5
    assert table.diag().min() > 0
    off = ~torch.eye(20, dtype=torch.bool)
    assert np.corrcoef(table[off], lesson.BLOSUM[off])[0, 1] > 0.5


def test_a_masked_letter_is_not_read(lesson):
    """Changing a site's own letter leaves its masked logits as they are; another site's changes them."""
    net = ProteinModel(width=8, blocks=2).eval()
    wild = families(1, 1, 2).letters[:, 0]
    other = wild.clone()
    other[0, 10] = (other[0, 10] + 1) % 20
    one, two = lesson.masked_logits(net, wild), lesson.masked_logits(net, other)
    assert (one[0, 10] - two[0, 10]).abs().max() < 1e-6
    assert (one[0, 11] - two[0, 11]).abs().max() > 1e-6


def test_the_lessons_reader_is_the_packages(lesson):
    """With the shipped weights both classes give the same logits."""
    net, own = load_proteins(1), lesson.Reader()
    own.load_state_dict(net.state_dict())
    tokens = families(2, 1, 4).letters[:, 0]
    with torch.no_grad():
        assert (own(tokens) - net(tokens)).abs().max() < 1e-6


def test_what_ships_beats_the_tables_and_its_control(lesson):
    """On fresh families each shipped model is above BLOSUM62, and far above the one that read shuffled families."""
    world = families(40, 1, 77)
    wild = world.letters[:, 0]
    table = lesson.by_family(-lesson.BLOSUM[wild], world).mean()
    for seed in range(3):
        whole, broken = (
            lesson.by_family(
                lesson.log_ratio(lesson.masked_logits(load_proteins(seed, kind), wild), wild), world
            ).mean()
            for kind in (False, True)
        )
        assert whole > table + 0.05
        assert whole > broken + 0.1
    with pytest.raises(ValueError, match="seed"):
        load_proteins(3)


def test_shuffling_keeps_letters_and_columns():
    """Each sequence keeps its letters, and what stood in one column stands in one column still."""
    letters = families(3, 4, 1).letters
    mixed = shuffled(letters, 0)
    assert torch.equal(mixed.sort(-1).values, letters.sort(-1).values)
    assert not torch.equal(mixed, letters)
    for family in range(3):
        columns = {tuple(column) for column in letters[family].T.tolist()}
        assert {tuple(column) for column in mixed[family].T.tolist()} == columns


def test_hidden_letters_are_a_seventh_and_mostly_masked():
    """About 15 % are to be guessed; of these 80 % are masks; letters that are not to be guessed stay."""
    letters = torch.randint(20, (2000, LENGTH), generator=torch.Generator().manual_seed(0))
    tokens, chosen = hidden(letters, torch.Generator().manual_seed(1))
    assert 0.14 < chosen.float().mean() < 0.16
    assert 0.78 < (tokens[chosen] == 20).float().mean() < 0.82
    assert torch.equal(tokens[~chosen], letters[~chosen])


def test_rivals_learn(lesson):
    """Classifiers on hand-made features beat the table that they contain; a strong penalty leaves pairs nothing."""
    school, exam = families(25, 1, 31), families(15, 1, 32)
    parts = [by_hand(world.letters[:, 0], lesson.BLOSUM) for world in (school, exam)]
    real, harm = lesson.judged(school)
    table = lesson.by_family(-lesson.BLOSUM[exam.letters[:, 0]], exam).mean()
    model = learnt("linear", parts[0][real].numpy(), harm[real].numpy())
    said = torch.from_numpy(model.predict_proba(parts[1].flatten(0, 2).numpy())[:, 1]).view(15, LENGTH, 20)
    assert lesson.by_family(said, exam).mean() > table + 0.03
    letters = families(2, 30, 33).letters
    flat = torch.full((2, LENGTH, 20), 0.05)
    columns = of_columns(letters[:, 0], lesson.column_profile(letters, flat, 1.0))
    assert columns.shape == (2, LENGTH, 20, 4)
    assert columns[..., 2].min() > 0
    held = pairwise(letters, 1e4, steps=30, prior=lesson.column_profile(letters, flat, 1.0).log())
    start = lesson.column_profile(letters, flat, 1.0).log()
    assert np.corrcoef(held.flatten(), start.flatten())[0, 1] > 0.9


def test_four_rates_give_share_and_precisions(lesson):
    """Counted by hand; `outcome` equals counting; where harm is rarer, calls of it are less precise."""
    share, right, spared = lesson.mixed([0.8, 0.1, 0.1, 0.7], 0.5)
    assert abs(share - 0.85) < 1e-9
    assert abs(right - 8 / 9) < 1e-9
    assert abs(spared - 7 / 8) < 1e-9
    assert abs(lesson.mixed([0.8, 0.1, 0.1, 0.7], 0.1)[1] - 0.08 / 0.17) < 1e-9
    assert math.isnan(lesson.mixed([0.0, 0.0, 0.1, 0.7], 0.5)[1])
    world = families(5, 1, 9)
    scores = -effects(world) + 3 * torch.randn(5, LENGTH, 20, generator=torch.Generator().manual_seed(0))
    real, harm = lesson.judged(world)
    called = (scores >= 5) & real
    assert abs(lesson.outcome(scores, world, 2.0, 5.0)[1] - float(harm[called].double().mean())) < 1e-6


def test_conservation_is_nothing_for_one_letter_and_highest_for_a_full_column(lesson):
    """A site without homologs tells as much as any other; a column of one letter tells more than a mixed one."""
    world = families(2, 30, 4)
    assert lesson.conservation(world, 0).std() < 1e-6
    told = lesson.conservation(world, 29)[..., 0]
    kinds = torch.nn.functional.one_hot(world.letters, 20).amax(1).sum(-1)
    assert told[kinds == kinds.min()].mean() > told[kinds == kinds.max()].mean()
