"""The start page's questions: their answers are measured, kept, and lead to a proposal that may be followed."""

import html
import itertools
import json

import pytest
import torch

from tinyfrontier._course import ROOT, lesson_files
from tinyfrontier.exercises.progress import (
    forget_start,
    remember_guess,
    remember_pass,
    start_answers,
)
from tinyfrontier.show import how_far, where_to_begin
from tinyfrontier.show.proposals import INTERESTS, TRAINS, finished_lessons, propose, routes_link, way_to
from tinyfrontier.show.questions import BY_KEY, FAILED, QUESTIONS, SKILLS, measured, standing

KEYS = {
    "scores": ("(2, 4, 10, 10)", "(2, 4, 10, 10)"),
    "broadcasting": ("(5, 5)", "(5, 5)"),
    "gradient": ("-12: a larger w is better", "-12"),
    "softmax": ("stay as they are", "[[0.09, 0.24, 0.67], [0.09, 0.24, 0.67]]"),
    "bits": ("8 bits", "8"),
    "leak": ("100 %", "1"),
    "constant": ("90 %", "0.90"),
    "seeds": ("the 2 points", "[1.05, 10]"),
}
WRONG = {q.key: next(option for option in q.options if option != KEYS[q.key][0]) for q in QUESTIONS}


@pytest.fixture
def progress(monkeypatch, tmp_path):
    """A progress file of its own."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


# --------------------------------------------------------------------------------------------------------- questions


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.key)
def test_the_measured_answer_is_the_right_one(question):
    """Each key, computed by the line that is shown, is what it should be, and one of three or four options."""
    found = measured(question.key)
    assert (found.option, found.result) == KEYS[question.key]
    assert 3 <= len(set(question.options)) == len(question.options) <= 4


@pytest.mark.parametrize(
    ("key", "result", "option"),
    [
        ("scores", torch.ones(2, 4, 8, 8).shape, "(2, 4, 8, 8)"),
        ("broadcasting", torch.ones(5, 1).shape, "(5, 1)"),
        ("gradient", torch.tensor(12.0), "12: a smaller w is better"),
        ("gradient", torch.tensor(-6.0), "-6: a larger w is better"),
        ("softmax", torch.tensor([[0.1, 0.2, 0.7], [0.0, 0.1, 0.9]]), "favour the largest more"),
        ("softmax", torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]), "become more alike"),
        ("bits", torch.tensor(256.0).log(), "5.55 bits"),
        ("bits", torch.tensor(1.0), "1 bit"),
        ("leak", torch.tensor(0.52), "50 %"),
        ("leak", torch.tensor(0.77), "75 %"),
        ("constant", torch.tensor(0.5), "50 %"),
        ("seeds", [3.0, 1.0], "the 1 point"),
        ("seeds", [1.0, 1.0], "both"),
        ("seeds", [3.0, 9.0], "neither"),
    ],
)
def test_another_result_reads_as_another_option(key, result, option):
    """No key is fixed: had the line given something else, another option would be right."""
    assert BY_KEY[key].read(result) == option
    assert option in BY_KEY[key].options


def test_a_line_that_cannot_run_is_an_answer_too(monkeypatch):
    """An error of torch reads as the option that says so; a result that is no option is refused."""
    own = BY_KEY["broadcasting"].__class__
    torn = own(**{**vars(BY_KEY["broadcasting"]), "line": "torch.ones(5, 2) - torch.ones(5)"})
    odd = own(**{**vars(BY_KEY["broadcasting"]), "line": "torch.ones(7).shape"})
    measured.cache_clear()
    monkeypatch.setitem(BY_KEY, "broadcasting", torn)
    assert measured("broadcasting").option == FAILED
    assert "must match" in measured("broadcasting").result
    measured.cache_clear()
    monkeypatch.setitem(BY_KEY, "broadcasting", odd)
    with pytest.raises(ValueError, match=r"broadcasting was measured as '\(7,\)', which is none of"):
        measured("broadcasting")
    measured.cache_clear()


def test_measuring_leaves_the_readers_random_numbers_alone():
    """The question that draws random rows takes none of the reader's, and gives the same every time."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    measured.cache_clear()
    assert measured("leak").option == "100 %"
    assert torch.equal(torch.rand(3), expected)


def test_the_leads_are_as_the_question_says():
    """B leads by 2 points and D by 1, in the numbers that stand in the question and in the code alike."""
    question, names = BY_KEY["seeds"], {"torch": torch}
    exec(question.given, names)
    assert [round(names[pair].mean(1).diff().item(), 3) for pair in ("ab", "cd")] == [2, 1]
    for number in [*names["ab"].int().flatten().tolist(), *names["cd"].flatten().tolist()]:
        assert f"{number:.1f}".removesuffix(".0") in question.asks


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.key)
def test_each_question_names_a_place_that_exists(question):
    """The lesson is finished and has the heading; the skill is one of the four, and each has a question."""
    path = next(path for path in lesson_files() if int(path.name[:2]) == question.lesson)
    assert f"# {question.place}\n" in path.read_text(encoding="utf-8")
    assert question.skill in SKILLS
    assert {q.skill for q in QUESTIONS} == set(SKILLS)


def test_standing_counts_by_skill():
    """Right ones and all, by skill; an unknown question, or an option of an earlier edition, does not count."""
    right = {key: option for key, (option, _) in KEYS.items()}
    assert standing(right) == {"shapes": (2, 2), "gradients": (1, 1), "probability": (2, 2), "evaluation": (3, 3)}
    assert standing(WRONG) == {"shapes": (0, 2), "gradients": (0, 1), "probability": (0, 2), "evaluation": (0, 3)}
    assert standing({"scores": "(1,)", "older": "yes"}) == dict.fromkeys(SKILLS, (0, 0))


# --------------------------------------------------------------------------------------------------------- proposals

COUNTS = {skill: sum(q.skill == skill for q in QUESTIONS) for skill in SKILLS}
EVERY = [dict(zip(SKILLS, rights)) for rights in itertools.product(*(range(COUNTS[s] + 1) for s in SKILLS))]


@pytest.mark.parametrize("interest", [None, *INTERESTS])
@pytest.mark.parametrize("passed", [(), (1,), (1, 2, 11, 15, 24)], ids=str)
def test_every_proposal_exists_and_may_be_followed(interest, passed, progress):
    """Whatever was right or wrong, the proposed lesson and all practice are finished, and what they need is passed."""
    fresh = finished_lessons()
    progress.write_text(json.dumps({"passed": {f"{n:02d}": fresh[n].exercises for n in passed}}))
    done = finished_lessons()
    for rights in EVERY:
        found = propose({skill: (right, COUNTS[skill]) for skill, right in rights.items()}, interest, done)
        weak = {skill for skill, right in rights.items() if right < COUNTS[skill]}
        assert found.lesson.number in done
        assert not found.lesson.whole
        assert set(found.practice) == weak
        assert set(found.strong) == set(SKILLS) - weak
        for lesson, name in [(found.lesson, found.lesson.exercises[0]), *found.practice.values()]:
            assert set(lesson.prerequisites) <= set(passed)
            assert name in lesson.exercises
        assert all(skill in found.why() for skill in SKILLS)


def test_what_was_wrong_decides_among_what_draws_you():
    """Of the lessons that may come next on one's way, that one is proposed which trains what was wrong."""
    done = finished_lessons()
    none, gradients = {}, {"gradients": (0, 1), "shapes": (2, 2)}
    assert propose(none, None, done).lesson.number == 1
    assert propose(none, "science", done).lesson.number == 24
    found = propose(gradients, "science", done)
    assert found.lesson.number == 22
    assert found.why() == "You read shapes well, gradients less. Lesson 22 trains gradients, and builds on no other."
    assert found.hints() == [
        "Gradients: exercise 1, <code>burgers_residual</code>, of "
        "<a href='22_pinn.ipynb'>lesson 22, Physics-informed networks</a>."
    ]


@pytest.mark.parametrize("interest", [None, *INTERESTS])
def test_a_way_leads_through_what_each_lesson_needs(interest):
    """Each lesson stands after its prerequisites; every interest has at least three finished lessons."""
    way = way_to(interest, finished_lessons())
    numbers = [lesson.number for lesson in way]
    assert len(set(numbers)) == len(numbers) >= 3
    for place, lesson in enumerate(way):
        assert set(lesson.prerequisites) <= set(numbers[:place])


def test_who_passed_everything_gets_no_proposal(progress):
    """With every exercise passed there is nothing to propose and nothing next, and the page says so."""
    everything = {f"{n:02d}": lesson.exercises for n, lesson in finished_lessons().items()}
    progress.write_text(json.dumps({"passed": everything}))
    assert propose({}, "science", finished_lessons()).lesson is None
    assert "Every exercise is passed." in str(how_far())
    page = where_to_begin()
    page.prefer("science")
    assert "You have passed every exercise" in page._result.html
    page.prove()


def test_what_trains_a_skill_is_an_exercise():
    """Each named exercise is one of its lesson, and each skill has some that need no lesson before."""
    done = finished_lessons()
    assert set(TRAINS) == set(SKILLS)
    for trains in TRAINS.values():
        assert all(name in done[number].exercises for number, name in trains.items() if number in done)
        assert any(number in done and not done[number].prerequisites for number in trains)


def test_the_routes_are_linked_where_they_stand(tmp_path):
    """A copy without the page of routes has its words, no dead link."""
    assert routes_link(tmp_path) == "the routes"
    (tmp_path / "workshops").mkdir()
    (tmp_path / "workshops" / "README.md").touch()
    assert routes_link(tmp_path) == "<a href='../workshops/README.md'>the routes</a>"


def test_unknown_skills_and_interests_are_named():
    """Each bad argument is refused by name."""
    with pytest.raises(ValueError, match="interest must be one of language, pictures, science, trust, got 'art'"):
        propose({}, "art", finished_lessons())
    with pytest.raises(ValueError, match=r"standing must be about shapes, .* got 'luck'"):
        propose({"luck": (1, 1)}, None, finished_lessons())
    with pytest.raises(ValueError, match=r"question must be one of scores, .* got 'luck'"):
        measured("luck")


# --------------------------------------------------------------------------------------------------------- the panel


def test_unanswered_the_page_asks_and_works_without(progress):
    """All questions with their options, no proposal, and nothing written."""
    page = where_to_begin()
    assert "Nothing answered yet" in page._result.html
    assert "The page works without it" in page._result.html
    assert str(page) == "Eight questions, one click each: none answered yet."
    for question in QUESTIONS:
        assert [button.description for button in page.buttons[question.key].values()] == list(question.options)
        assert page._below[question.key].outputs == ()
    assert not progress.exists()


def test_one_click_answers_and_shows_what_was_measured(progress):
    """Below the click stand the answer, the code that shows it and its lesson; the first click counts."""
    page = where_to_begin()
    page.buttons["broadcasting"]["(5, 1)"].click()
    shown = page._below["broadcasting"].outputs[0]["data"]["text/html"]
    assert "You said (5, 1). Measured: (5, 5)." in shown
    assert "(torch.ones(5, 1) - torch.ones(5)).shape\n# (5, 5)" in shown
    assert "<a href='01_self_attention.ipynb'>" in shown
    assert all(button.disabled for button in page.buttons["broadcasting"].values())
    page.buttons["broadcasting"]["(5, 5)"].click()
    assert start_answers() == {"broadcasting": "(5, 1)"}
    page.buttons["scores"]["(2, 4, 10, 10)"].click()
    assert "✔ As you said: (2, 4, 10, 10)." in page._below["scores"].html
    assert "6 of 8 questions are open." in page._result.html


def test_answers_survive_a_reload(progress):
    """A new page knows the answers and the interest, and proposes the same."""
    page = where_to_begin()
    page.choose("gradient", WRONG["gradient"])
    page.choose("scores", KEYS["scores"][0])
    page.prefer("pictures")
    page.prefer("science")
    again = where_to_begin()
    assert (again.answers, again.interest) == (page.answers, "science")
    assert again.proposal == page.proposal
    assert again.proposal.lesson.number == 22
    assert "Begin with <a href='22_pinn.ipynb'>" in again._result.html
    assert "Your route: <b>science</b>" in again._result.html
    assert str(again).startswith("2 of 8 questions answered: begin with lesson 22, Physics-informed networks.")


def test_the_page_can_ask_again(progress):
    """When all is answered a button forgets the answers, and nothing but them."""
    remember_pass(1, "attention")
    page = where_to_begin()
    assert page._again.layout.display == "none"
    for key, (option, _) in KEYS.items():
        page.choose(key, option)
    assert page._again.layout.display != "none"
    assert "open" not in page._result.html
    page._again.click()
    assert (page.answers, start_answers()) == ({}, {})
    assert not page.buttons["scores"]["(2, 4, 10, 10)"].disabled
    assert json.loads(progress.read_text())["passed"] == {"01": ["attention"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 1, "passed": {"01": ["attention"]}}',
        '{"start": 3}',
        '{"start": {"scores": 3, "interest": ["science"], "bits": "9 bits"}}',
        '{"start": {"interest": "art"}, "latest": 6}',
        '{"latest": "99"}',
        '{"latest": "x", "passed": {"01": "attention"}}',
    ],
)
def test_a_broken_or_old_file_is_no_answer(progress, text):
    """What cannot be read counts as unanswered; the page stands, and a click writes a sound file."""
    progress.write_text(text)
    page = where_to_begin()
    assert (page.answers, page.interest) == ({}, None)
    assert "Next: exercise" in str(how_far()).replace("\n", " ")
    page.choose("scores", WRONG["scores"])
    assert json.loads(progress.read_text())["start"]["scores"] == WRONG["scores"]
    assert where_to_begin().answers == {"scores": WRONG["scores"]}


def test_switched_off_progress_keeps_answers_on_the_page_alone():
    """Without a progress file one can still answer and see."""
    page = where_to_begin()
    page.choose("bits", "8 bits")
    assert "✔" in page._below["bits"].html
    assert where_to_begin().answers == {}
    assert forget_start() is False


@pytest.mark.parametrize("answered", [False, True])
def test_prove_clicks_everything_and_leaves_no_trace(progress, capsys, answered):
    """The proof tries every option and interest, puts back what was there and writes nothing."""
    page = where_to_begin()
    if answered:
        page.choose("bits", "8 bits")
        page.prefer("trust")
    before = progress.read_text() if answered else None
    shown, state = page._result.html, (dict(page.answers), page.interest)
    page.prove()
    assert capsys.readouterr().out == "31 clicks, the page followed every one\n"
    assert (page._result.html, (page.answers, page.interest)) == (shown, state)
    assert (progress.read_text() if progress.exists() else None) == before


def test_prove_finds_a_question_without_a_right_option(monkeypatch):
    """A page that judges nothing is caught."""
    page = where_to_begin()
    monkeypatch.setattr(type(page), "_answer", lambda self, question: html.escape(measured(question.key).option))
    with pytest.raises(AssertionError, match="is not judged"):
        page.prove()


def test_the_still_asks_and_answers_without_widgets(progress):
    """Beside the widgets stands HTML with every question, its options and, folded, what was measured."""
    page = where_to_begin()
    bundle = page._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    still = bundle["text/html"]
    assert still.count("<details>") == 8
    for question in QUESTIONS:
        assert html.escape(measured(question.key).option) in still
        assert html.escape(question.line) in still
    assert "In the notebook each option is a button" in still
    page.choose("bits", "5.55 bits")
    still = page._repr_mimebundle_()["text/html"]
    assert still.count("<details open>") == 1
    assert "Begin with" in still


@pytest.mark.parametrize(
    ("key", "option", "message"),
    [
        ("luck", "8 bits", "key must be one of scores, .* got 'luck'"),
        ("bits", "9 bits", "option must be one of 1 bit, 5.55 bits, 8 bits, 256 bits, got '9 bits'"),
        ("scores", "(2, 4, 8, 8)", "'scores' is answered, and `forget` asks again"),
    ],
)
def test_bad_answers_are_named(key, option, message):
    """An unknown question or option, and a second answer, are refused by name."""
    page = where_to_begin()
    page.choose("scores", "(2, 4, 10, 10)")
    with pytest.raises(ValueError, match=message):
        page.choose(key, option)


def test_a_bad_interest_is_named():
    """An unknown interest is refused by name."""
    with pytest.raises(ValueError, match="interest must be one of language, pictures, science, trust, got 'art'"):
        where_to_begin().prefer("art")


# -------------------------------------------------------------------------------------------------------- how far


def test_progress_is_counted_by_part(progress):
    """Passed exercises stand beside each part that has finished lessons; names that are no exercise do not count."""
    progress.write_text('{"passed": {"01": ["attention", "gone"], "06": ["route"], "22": ["flow_rate"]}}')
    parts = {name: lessons for name, lessons in how_far().parts if lessons}
    total = sum(len(lesson.exercises) for lesson in parts["Part 1 · Transformers and scale"])
    assert f"Part 1 · Transformers and scale: 2 of {total}" in str(how_far())
    assert "Part 3 · Machine learning for science: 1 of" in str(how_far())
    assert how_far()._repr_html_().count("<tr>") == 1 + len(parts)


def test_the_next_exercise_is_in_the_lesson_that_one_is_in(progress):
    """The first one not passed there; a guess counts as being there; after a whole lesson the proposed one follows."""
    assert "Next: exercise 1, attention, of lesson 01, Self-attention from scratch." in str(how_far())
    for name in ("route", "dispatch"):
        remember_pass(6, name)
    assert "Next: exercise 3, load_balancing_loss, of lesson 06" in str(how_far())
    remember_guess(22, "How far?", 3)
    page = how_far()._repr_html_()
    assert "Next: exercise 1, <code>burgers_residual</code>, of <a href='22_pinn.ipynb'>" in page
    remember_pass(6, "route")
    assert how_far().next[0].number == 6
    for name in ("load_balancing_loss", "within_capacity"):
        remember_pass(6, name)
    where_to_begin().prefer("science")
    assert how_far().next == (finished_lessons()[24], "stream_function")


def test_the_start_page_stands_on_the_same_rows_as_the_map():
    """Every lesson with a source is known, the start page itself is none."""
    assert [lesson.stem for lesson in finished_lessons(ROOT).values()] == [path.stem for path in lesson_files()][1:]
