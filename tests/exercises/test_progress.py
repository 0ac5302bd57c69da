"""The progress file: small, local, and never a reason to stop."""

import json

import pytest

from tinyfrontier.exercises.progress import (
    guesses,
    passed_exercises,
    progress_path,
    remember_guess,
    remember_pass,
)


@pytest.fixture
def path(monkeypatch, tmp_path):
    """A progress file of its own."""
    path = tmp_path / "progress.json"
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(path))
    return path


def test_passes_are_kept_by_lesson_once(path):
    """Two exercises of one lesson and one of another; a repeated pass changes nothing."""
    for lesson, name in ((1, "attention"), (6, "router"), (1, "causal_mask"), (1, "attention")):
        assert remember_pass(lesson, name)
    assert passed_exercises() == {"01": ["attention", "causal_mask"], "06": ["router"]}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"passed": 3}', '{"passed": {"01": "x"}}', "\x00"])
def test_a_damaged_file_counts_as_empty_and_is_replaced(path, text):
    """What cannot be read counts as no progress, and the next pass writes a sound file."""
    path.write_text(text)
    assert passed_exercises() == {}
    assert guesses() == {}
    assert remember_pass(1, "attention")
    assert json.loads(path.read_text())["passed"] == {"01": ["attention"]}


def test_guesses_are_kept_beside_passes(path):
    """A guess is replaced by the next one on the same question; passes, other guesses and unknown keys stay."""
    path.write_text(json.dumps({"version": 1, "passed": {"01": ["attention"]}, "later": 3}))
    assert remember_guess(6, "Which wins?", "dense")
    assert remember_guess(6, "How many?", 40.0)
    assert remember_guess(6, "Which wins?", "mixture", measured="dense", right=False, chance=0.5)
    assert remember_pass(6, "route")
    assert guesses() == {
        "06": {
            "How many?": {"guess": 40.0},
            "Which wins?": {"guess": "mixture", "measured": "dense", "right": False, "chance": 0.5},
        }
    }
    record = json.loads(path.read_text())
    assert record["passed"] == {"01": ["attention"], "06": ["route"]}
    assert (record["later"], record["version"]) == (3, 2)


@pytest.mark.parametrize("damage", ["3", '{"06": 3}', '{"06": {"q": 3}}', '{"06": {"q": {"right": true}}}'])
def test_damaged_guesses_count_as_none(path, damage):
    """A part of the file that has another form is no guess, and does not cost the passes."""
    path.write_text(f'{{"passed": {{"01": ["attention"]}}, "guesses": {damage}}}')
    assert not any(guesses().values())
    assert passed_exercises() == {"01": ["attention"]}
    assert remember_guess(1, "q", "a")
    assert guesses()["01"] == {"q": {"guess": "a"}}


def test_a_folder_that_cannot_be_written_is_no_error(monkeypatch, tmp_path):
    """Where the file cannot be written the check goes on."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "file" / "progress.json"))
    assert remember_pass(1, "attention") is False


def test_off_means_off(monkeypatch):
    """`off` reads and writes nothing."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", "off")
    assert progress_path() is None
    assert remember_pass(1, "attention") is False
    assert remember_guess(1, "q", "a") is False
    assert passed_exercises() == guesses() == {}


def test_the_file_stands_in_the_courses_folder(monkeypatch):
    """Without a wish the file stands beside the README."""
    monkeypatch.delenv("TINYFRONTIER_PROGRESS")
    assert progress_path().name == ".progress.json"
    assert (progress_path().parent / "pyproject.toml").exists()
