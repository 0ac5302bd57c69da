"""The start page's views: the map with the reader's ticks, and how well the reader's predictions did."""

import pytest

from tinyfrontier._course import lesson_files
from tinyfrontier.exercises.progress import remember_guess
from tinyfrontier.show import calibration, course_map


@pytest.fixture
def progress(monkeypatch, tmp_path):
    """A progress file of its own."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


def test_the_map_lists_every_lesson():
    """44 lessons under five parts; finished ones are linked, the others planned."""
    page = course_map()._repr_html_()
    assert page.count("<tr>") == 1 + 5 + 44
    assert "<a href='06_mixture_of_experts.ipynb'>" in page
    assert page.count("<a href=") + page.count("planned") == 44
    assert str(course_map()).count("\n") == 43


def test_the_map_counts_passed_exercises(progress):
    """The reader's progress stands beside each finished lesson; names that are no exercise do not count."""
    progress.write_text('{"passed": {"06": ["route", "unknown"]}}')
    assert "1 of 4" in course_map()._repr_html_()
    assert "06 Mixture of experts: done, exercises passed: 1 of 4" in str(course_map())


def test_without_predictions_the_page_says_what_they_are(progress):
    """No file, no guesses, or guesses not yet revealed: one sentence and no table."""
    assert "No predictions yet" in str(calibration())
    remember_guess(1, "How far?", 3)
    assert "No predictions yet" in calibration()._repr_html_()
    assert "<table" not in calibration()._repr_html_()


def test_calibration_counts_and_shows_surprises(progress):
    """Right ones are counted beside chance; wrong ones are listed with a link, the likeliest by chance first."""
    remember_guess(1, "Which reaches far?", "LSTM", measured="attention, 0.98", right=False, chance=0.25)
    remember_guess(6, "Which wins?", "mixture", measured="dense, 2.36 < 2.41", right=False, chance=0.5)
    remember_guess(6, "How many?", 40.0, measured="44 %", right=True, chance=0.25)
    found = calibration()
    assert (found.right, len(found.revealed), found.by_chance) == (1, 3, 1.0)
    assert "Right in 1 of 3; guessing blindly would give about 1." in str(found)
    assert [question for _, question, _ in found.surprises] == ["Which wins?", "Which reaches far?"]
    page = found._repr_html_()
    assert "<a href='06_mixture_of_experts.ipynb'>06</a>" in page
    assert "dense, 2.36 &lt; 2.41" in page
    assert "How many?" not in page


def test_damaged_guesses_are_left_out(progress):
    """What is not of the right form is skipped, the rest is counted."""
    progress.write_text(
        '{"guesses": {"01": 3, "02": {"q": {"guess": 1, "right": "yes"}, "p": 4},'
        ' "zz": {"q": {"guess": "a", "right": true, "chance": "x"}}}}'
    )
    assert "Right in 1 of 1" in str(calibration())


@pytest.mark.parametrize("path", lesson_files(), ids=lambda path: path.stem)
def test_no_lesson_needs_the_authors_room(path):
    """What a student's notebook imports stands in the rooms for students."""
    assert "tinyfrontier.authoring" not in path.read_text(encoding="utf-8")
