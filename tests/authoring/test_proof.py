"""The one pytest run: what each option of `course.py test` leaves in and out."""

import pytest

from tinyfrontier.authoring import proof


def line(*arguments: str) -> list[str]:
    """The arguments of pytest for a command line."""
    chosen = proof.options(list(arguments))
    return proof.command(chosen, proof.wanted_lessons(chosen))


def test_by_default_everything_runs_in_one_run():
    """Unit tests and both folders of notebooks, on as many workers as fit."""
    arguments = line()
    assert arguments[-3:] == ["tests", "notebooks", "solutions"]
    assert arguments[arguments.index("-n") + 1] == "auto"
    assert "--full-notebooks" not in arguments


def test_quick_leaves_the_notebooks_and_the_slow_tests_out():
    """No notebook is collected, and the marks say what else stays out."""
    arguments = line("--quick")
    assert "notebooks" not in arguments
    assert arguments[arguments.index("-m") + 1] == "not browser and not slow"


def test_full_turns_the_rehearsal_off():
    """`--full` reaches the notebook plugin."""
    assert "--full-notebooks" in line("--full")


def test_rounding_runs_solutions_and_nothing_else():
    """`--rounding 2` reaches the notebook plugin, with one lesson or all; unit tests round nothing."""
    for arguments, lessons in ((line("--rounding", "2"), None), (line("--lesson", "6", "--rounding", "2"), "06")):
        assert arguments[arguments.index("--rounding") + 1] == "2"
        assert "solutions" in arguments
        assert not {"tests", "notebooks"} & set(arguments)
        assert ("--only-notebooks" in arguments) is (lessons is not None)
    assert "--rounding" not in line()


def test_one_lesson_by_its_number():
    """`--lesson 6` keeps what belongs to lesson 06; an unknown one is refused with what there is."""
    arguments = line("--lesson", "6")
    assert arguments[arguments.index("--only-lessons") + 1] == "06"
    with pytest.raises(ValueError, match=r"--lesson needs the number of a finished lesson .* got 99"):
        line("--lesson", "99")


@pytest.mark.parametrize(
    ("changed", "notebooks"), [([], False), ([1, 17], True)], ids=["nothing changed", "two lessons changed"]
)
def test_changed_runs_the_notebooks_that_a_change_can_touch(monkeypatch, changed, notebooks):
    """All tests, and only those notebooks whose source or files changed since they were built."""
    monkeypatch.setattr(proof, "changed_lessons", lambda: changed)
    arguments = line("--changed")
    assert "tests" in arguments
    assert ("notebooks" in arguments) is notebooks
    if notebooks:
        assert arguments[arguments.index("--only-notebooks") + 1] == "01,17"


def test_what_follows_two_dashes_goes_to_pytest():
    """Everything behind `--` is handed on as it is, and stands last."""
    assert line("--quick", "--", "-k", "attention", "--lesson")[-3:] == ["-k", "attention", "--lesson"]


def test_a_wrong_option_is_a_sentence(capsys):
    """An unknown option, two that exclude each other, and an unknown lesson end with what there is."""
    for arguments in (["--fast"], ["--lesson", "06", "--changed"]):
        with pytest.raises(SystemExit):
            proof.options(arguments)
        assert "usage: course.py test" in capsys.readouterr().err
    assert proof.main(["--lesson", "x"]) == 2
    assert "got x" in capsys.readouterr().err
