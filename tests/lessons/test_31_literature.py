"""Lesson 31's searches, invented papers, readers and label checks, against libraries, and by cases made by hand."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from rank_bm25 import BM25Okapi
from sklearn.feature_extraction.text import TfidfVectorizer
from tinyfrontier.beside.lesson_31.docs import Pairs, for_tuning, labelled, pairs_of, words_of
from tinyfrontier.beside.lesson_31.papers import ASKED, SLOTS, ask, materials, spoken, write_papers
from tinyfrontier.beside.lesson_31.rivals import interval, neighbours, spent, spoil

from tinyfrontier.authoring import definitions
from tinyfrontier.data.documents import documentation

WORDS = "gold iron water salt sea sun sand rust the of".split()


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(31)


@pytest.fixture(scope="module")
def passages():
    """Forty passages of unlike length, whose words are unlike common."""
    draw = np.random.default_rng(0)
    rare = 1 / np.arange(1, len(WORDS) + 1)[::-1]
    return [list(draw.choice(WORDS, size=draw.integers(2, 15), p=rare / rare.sum())) for _ in range(40)]


@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.8, 0.0), (2.0, 1.0)])
def test_bm25_is_the_librarys(lesson, passages, k1, b):
    """The exercise, the table and rank-bm25 agree, also for words in most passages."""
    words = lesson.counter(passages)
    query = ["the", "gold", "gold", "salt", "snow"]
    theirs = BM25Okapi(passages, k1=k1, b=b).get_scores(query)
    table = (words.transform([query]) @ lesson.bm25_table(words.transform(passages), k1, b).T).toarray()[0]
    assert np.abs(table - theirs).max() < 1e-10
    assert np.abs(lesson.bm25_scores(query, passages, k1, b).numpy() - theirs).max() < 1e-4
    assert sum("the" in passage for passage in passages) > 20


def test_tfidf_is_scikit_learns(lesson, passages):
    """Counts times rarity, of unit length, is TfidfVectorizer's table."""
    counts = lesson.counter(passages).transform(passages)
    own = lesson.normalize(counts.multiply(lesson.rarity(counts)).tocsr())
    theirs = TfidfVectorizer(analyzer=lambda words: words).fit_transform(passages)
    assert abs(own - theirs).max() < 1e-12


def test_chances_of_places_add_up(lesson):
    """Over all passages as the right one, the chances of the first k add up to k, ties or not."""
    scores = torch.randint(3, (5, 8), generator=torch.Generator().manual_seed(0)).float()
    for k in (1, 3, 8):
        total = sum(lesson.found_within(scores, torch.full((5,), n), k) for n in range(8))
        assert (total - k).abs().max() < 1e-5


def test_the_towers_start_alike_and_learn_pairs(lesson):
    """Before training both towers agree; afterwards a query of words that no passage shares finds its own."""
    eye = np.eye(12)
    asked, told = (sp.csr_matrix(part) for part in (np.hstack([eye, 0 * eye]), np.hstack([0 * eye, eye])))
    before = lesson.towers(24, 300, 0)
    assert (before[0](asked) - before[1](asked)).abs().max() == 0
    pair = lesson.train_towers(asked, told, steps=40, lr=2e-2, dropped=0.0)
    near = (pair[0](asked) @ pair[1](told).T).detach().numpy()
    assert lesson.recall(near, 1).mean() == 1
    assert lesson.recall((before[0](asked) @ before[1](told).T).detach().numpy(), 1).mean() < 0.5


def test_directions_of_a_table_find_what_never_shared_a_word(lesson):
    """Queries and passages in two languages meet through the pairs' table."""
    eye = sp.csr_matrix(np.eye(9))
    ways = lesson.main_directions(eye.T @ eye[[1, 2, 3, 4, 5, 6, 7, 8, 0]], 8)
    scores = lesson.by_directions(eye, eye, ways)
    assert (scores.argmax(1) == np.array([1, 2, 3, 4, 5, 6, 7, 8, 0])).mean() > 0.8


def test_neighbours_lend_their_passages():
    """A held-out query finds the passage that is like the one of its nearest training query; power sharpens."""
    asked, told = sp.csr_matrix(np.eye(4)), sp.csr_matrix(np.eye(4)[[1, 2, 3, 0]])
    query = sp.csr_matrix([[0.8, 0.6, 0, 0]])
    once = neighbours(query, asked, told, sp.csr_matrix(np.eye(4)), 1)[0]
    sharp = neighbours(query, asked, told, sp.csr_matrix(np.eye(4)), 4)[0]
    assert np.allclose(once, [0, 0.8, 0.6, 0])
    assert np.allclose(sharp, [0, 0.8**4, 0.6**4, 0])


def test_an_interval_over_modules_is_wider_than_over_queries():
    """Where queries of a module go together, drawing whole modules shows it."""
    more = np.repeat(np.random.default_rng(0).normal(size=30), 10)
    whole, single = (interval(more, names) for names in (np.repeat(np.arange(30), 10), np.arange(300)))
    assert whole[2] - whole[0] > 2 * (single[2] - single[0])
    assert whole[0] < more.mean() < whole[2]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_papers_tags_are_its_facts(lesson, fresh):
    """Each fact stands once, at its tags, and is among what looks like it."""
    for paper in write_papers(60, 3, fresh):
        for slot in SLOTS:
            places = [n for n, tag in enumerate(paper.tags) if tag == slot]
            assert places == list(range(places[0], places[-1] + 1))
            assert " ".join(paper.words[n] for n in places) == paper.facts[slot]
            assert (places[0], places[-1] + 1) in lesson.candidates(paper, slot)


def test_fresh_papers_share_neither_pattern_nor_sample():
    """With facts blanked, no sentence of a fresh paper's heating occurs in a known one."""
    known, fresh = write_papers(200, 5), write_papers(200, 5, fresh=True)
    assert not {p.facts["sample"] for p in known} & {p.facts["sample"] for p in fresh}

    def shapes(papers):
        return {" ".join(w if not t else t for w, t in zip(p.words, p.tags)).split(" . ")[0] for p in papers}

    openings = [{s.split(" sample")[0] for s in shapes(papers) if "sample" in s} for papers in (known, fresh)]
    assert openings[0]
    assert openings[1]
    assert write_papers(20, 5) == write_papers(30, 5)[:20]


def test_questions_name_the_material_and_ask_alike_or_anew():
    """Known and fresh questions about a slot have no wording in common."""
    name = materials(0)[0]
    known, fresh = ask([name], 0), ask([name], 0, fresh=True)
    assert (len(known), len(fresh)) == (4 * len(ASKED), 2 * len(ASKED))
    assert not {q for q, *_ in known} & {q for q, *_ in fresh}
    assert all(spoken(name) in q for q, *_ in known)
    assert spoken("tin-doped zinc oxide") == "zinc oxide doped with tin"


@pytest.mark.parametrize("call", [lambda: write_papers(0, 0), lambda: write_papers(9, 0, share=0.9)])
def test_bad_input_is_named(call):
    """A count or a share out of range is refused."""
    with pytest.raises(ValueError, match=r"count|share"):
        call()


def test_the_hand_rule_reads_a_plain_paper(lesson):
    """Where one heating sentence holds one of each, the rule takes them."""
    paper = next(p for s in range(9) for p in write_papers(99, s) if "The product was" in p.text)
    assert lesson.right_facts([paper], [lesson.by_hand(paper)]) >= 0.8


def test_cues_help_the_hand_rule_and_come_from_what_was_read(lesson):
    """With all cues the rule makes next to no mistake in fresh patterns; unread words are no cues."""
    papers = write_papers(80, 4, fresh=True)
    first, longer = ([lesson.by_hand(p, cues) for p in papers] for cues in (frozenset(), lesson.CUES))
    assert lesson.right_facts(papers, longer) > 0.99 > lesson.right_facts(papers, first) + 0.05
    assert lesson.cues_in(papers) <= lesson.CUES
    assert lesson.cues_in([]) == frozenset()
    low = "unlike the old one , the new one is dried at 80 °C".split()
    assert lesson.doubted(low, 2, {"unlike"})
    assert not lesson.doubted(low, 6, {"unlike"})
    assert lesson.doubted(low, 10, {"dried"})


def test_a_library_finds_a_paper_by_its_material(lesson):
    """The paper that is about the question's material comes first, and a made-up one is worth less."""
    papers = write_papers(40, 2)
    names = [p.facts["sample"] for p in papers]
    asked, about, _ = zip(*ask(names, 2))
    picks = [lesson.by_hand(p) for p in papers]
    library = lesson.Library(papers, picks, asked, [names.index(name) for name in about], 0.5, 0.3)
    scores, share = library.find(asked)
    assert np.mean(scores.argmax(1) == [names.index(name) for name in about]) > 0.9
    nowhere = library.find([q for q, *_ in ask(materials(2)[500:520], 2)])[1]
    assert nowhere.mean() < share.mean() - 0.05
    said = library([0, 1], ["heat", "gas"])
    assert all(answer in papers[n].text for n, answer in enumerate(said))


def test_spoilt_labels_are_wrong_and_as_many_as_said():
    """A wrong label is never the true one; alike errors go to one neighbour."""
    labels = np.arange(6000) % 6
    said, bad = spoil(labels, 0.2, np.random.default_rng(0))
    assert ((said != labels) == bad).all()
    assert 0.18 < bad.mean() < 0.22
    said, bad = spoil(labels, 0.2, np.random.default_rng(0), alike=True)
    assert set((said - labels)[bad] % 6) == {3}


def test_suspicion_finds_planted_errors(lesson):
    """In an easy data set the most suspect labels are the wrong ones."""
    draw = np.random.default_rng(1)
    true = np.arange(300) % 3
    x = sp.csr_matrix(np.eye(3)[true] + 0.1 * draw.random((300, 3)))
    said, bad = spoil(true, 0.1, draw)
    for name, low in lesson.suspicion(x, said, 10).items():
        assert bad[np.argsort(low)[: bad.sum()]].mean() > 0.9, name


def test_looks_are_spent_as_said():
    """Each way has the rows and the labels that it names, and a look is spent once."""
    x, true = sp.csr_matrix(np.eye(10)), np.arange(10) % 2
    said, low, more = true.copy(), np.arange(10.0), (sp.csr_matrix(np.eye(10)), np.full(10, 7))
    said[[0, 1, 8]] = 5
    sets = spent(x, said, true, low, more, 2, np.random.default_rng(0))
    sizes = {way: (rows.shape[0], len(labels)) for way, (rows, labels) in sets.items()}
    assert sizes["new ones labelled"] == (12, 12)
    assert sizes["suspects dropped"] == (8, 8)
    assert sizes["dropped, new ones labelled"] == (10, 10)
    assert (sets["suspects checked"][1] == 5).sum() == 1
    assert (sets["nothing done"][1] == 5).sum() == 3
    assert (sets["new ones labelled"][1] == 7).sum() == 2


def test_pairs_come_from_documentation():
    """Training and held-out pairs share no module, stop words are gone, and labels are packages."""
    docs = documentation(("networkx",), test_share=0.3)
    train, held = pairs_of(docs.train), pairs_of(docs.test)
    assert isinstance(train, Pairs)
    assert not set(train.modules) & set(held.modules)
    assert len(train.queries) == len(train.passages) == len(train.texts) == len(train.modules) > 100
    assert words_of("The computing of numpy_arrays") == ["comput", "numpy", "array"]
    assert {for_tuning(module) for module in held.modules} == {True, False}
    texts, kinds, *_ = labelled(docs)
    assert len(texts) == len(kinds)
    assert set(kinds) == {0}
    assert not any("networkx" in text for text in texts)
