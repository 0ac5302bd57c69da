"""The progress file: small, local, and never a reason to stop."""

import json

import pytest

from tinyfrontier.exercises.progress import passed_exercises, progress_path, remember_pass


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
    assert remember_pass(1, "attention")
    assert json.loads(path.read_text())["passed"] == {"01": ["attention"]}


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
    assert passed_exercises() == {}


def test_the_file_stands_in_the_courses_folder(monkeypatch):
    """Without a wish the file stands beside the README."""
    monkeypatch.delenv("TINYFRONTIER_PROGRESS")
    assert progress_path().name == ".progress.json"
    assert (progress_path().parent / "pyproject.toml").exists()
