"""Predict, then see: the answer is computed from what was measured, guesses are kept, and the first one counts."""

import json

import pytest

from tinyfrontier import _course
from tinyfrontier._course import open_lesson
from tinyfrontier.exercises.progress import guesses
from tinyfrontier.show import predict

QUESTION = "Which wins at equal time?"
OPTIONS = ["dense", "the mixture", "about the same"]
BITS = {"dense": [2.36, 2.37], "the mixture": [2.40, 2.41]}


@pytest.fixture(autouse=True)
def progress(monkeypatch, tmp_path):
    """A progress file of its own, and lesson 6 at work."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "progress.json"))
    open_lesson(6)
    yield tmp_path / "progress.json"
    _course._open.clear()


def wins():
    return predict(QUESTION, OPTIONS)


def far(**more):
    return predict("How far does it reach?", low=1, high=1000, unit="steps", log=True, **more)


def test_without_a_guess_the_measured_answer_stands_alone(capsys, progress):
    """Run All shows what was measured, says nothing of a guess, and writes nothing."""
    asked = wins()
    asked.reveal(BITS, best=min)
    assert capsys.readouterr().out == "Measured: dense, 2.36 to 2.37 against 2.40 to 2.41 (the mixture).\n"
    assert (asked.right, asked.guess) == (None, None)
    assert "Run this cell again to guess first" in asked._note.value
    assert not progress.exists()


@pytest.mark.parametrize(
    ("best", "guess", "right", "answer"),
    [
        (min, "dense", True, "dense, 2.36 to 2.37 against 2.40 to 2.41 (the mixture)"),
        (min, "the mixture", False, "dense, 2.36 to 2.37 against 2.40 to 2.41 (the mixture)"),
        (max, "the mixture", True, "the mixture, 2.40 to 2.41 against 2.36 to 2.37 (dense)"),
        (max, "about the same", False, "the mixture, 2.40 to 2.41 against 2.36 to 2.37 (dense)"),
    ],
)
def test_the_key_is_computed_from_the_measurement(best, guess, right, answer):
    """The option with the lowest or highest mean is the answer, whatever was guessed."""
    asked = wins()
    asked.choose(guess)
    asked.reveal(BITS, best=best)
    assert asked.text == f"You said {guess}, measured: {answer}."
    assert asked.right is right
    assert ("As you said" in asked._box()) is right
    assert asked.control.disabled


def test_a_computed_option_may_be_the_answer():
    """`answer=` names an option that has no number of its own, such as a tie."""
    asked = wins()
    asked.choose("about the same")
    asked.reveal({"dense": 1.0, "the mixture": 1.01}, answer="about the same", form=".2f")
    assert asked.text == "You said about the same, measured: about the same, 1.00 (dense), 1.01 (the mixture)."
    assert asked.right


@pytest.mark.parametrize(
    ("guess", "measured", "right"),
    [(30, [20, 25], True), (45, [20, 25], True), (9, [20, 25], False), (500, 25, False), (25, 25, True)],
)
def test_a_number_is_right_within_a_tenth_of_the_scale(guess, measured, right):
    """On a logarithmic scale from 1 to 1000 a factor of two is near; a range over seeds widens what is right."""
    asked = far()
    asked.choose(guess)
    asked.reveal(measured)
    assert asked.right is right
    assert asked.text.startswith(f"You said {guess} steps, measured: ")


def test_linear_numbers_and_a_tolerance_of_the_authors():
    """`within` replaces the tenth of the scale; whole ends give whole numbers."""
    asked = predict("How many?", low=0, high=100, unit="%")
    asked.choose(40)
    asked.reveal(48.0, form=".0f")
    assert (asked.right, asked.text) == (True, "You said 40 %, measured: 48 %.")
    asked.reveal(48.0, within=5)
    assert asked.right is False
    assert isinstance(asked.control.value, int)


def test_the_widget_is_one_click_and_says_what_you_say():
    """Choosing in the widget is the guess; the line below it follows; text is escaped."""
    asked = predict("Is 1 < 2?", ["a < b", "no"])
    assert asked.control.value is None
    assert "Choose before you run on" in asked._note.value
    asked.control.value = "a < b"
    assert asked.guess == "a < b"
    assert "You say <b>a &lt; b</b>" in asked._note.value


def test_a_guess_survives_the_kernel_and_the_first_counts(progress):
    """A guess is found again next time; once revealed, another guess changes the page but not the record."""
    wins().choose("the mixture")
    again = wins()
    assert again.guess == again.control.value == "the mixture"
    again.reveal(BITS, best=min)
    kept = guesses()["06"][QUESTION]
    assert kept == {
        "guess": "the mixture",
        "measured": "dense, 2.36 to 2.37 against 2.40 to 2.41 (the mixture)",
        "right": False,
        "chance": pytest.approx(1 / 3),
    }
    third = wins()
    third.choose("dense")
    third.reveal(BITS, best=min)
    assert third.right is True
    assert guesses()["06"][QUESTION] == kept


def test_a_guess_that_no_longer_fits_is_forgotten(progress):
    """When the author changed the options, an old guess that is none of them counts as none."""
    wins().choose("the mixture")
    assert predict(QUESTION, ["left", "right"]).guess is None
    progress.write_text(json.dumps({"guesses": {"06": {"How far does it reach?": {"guess": "x"}}}}))
    assert far().guess is None


@pytest.mark.parametrize("guess", [None, "dense", "about the same"])
def test_prove_tries_every_option(capsys, progress, guess):
    """The proof chooses each option, sees the reveal follow, puts the guess back and writes nothing."""
    asked = wins()
    if guess:
        asked.choose(guess)
    asked.reveal(BITS, best=min)
    before = progress.read_text() if guess else ""
    text = asked.text
    capsys.readouterr()
    asked.prove()
    assert capsys.readouterr().out == "3 answers tried, what is revealed followed every one\n"
    assert (asked.guess, asked.control.value, asked.text, asked.control.disabled) == (guess, guess, text, True)
    assert (progress.read_text() if progress.exists() else "") == before


def test_prove_tries_the_ends_and_the_middle_of_a_scale(capsys):
    """A scale is tried at both ends and in the middle, logarithmic or not."""
    for asked in (far(), predict("How many?", low=0, high=100), predict("How much?", low=0.0, high=1.0)):
        asked.reveal(0.7)
        asked.prove()
        assert asked.guess is None
    assert capsys.readouterr().out.count("3 answers tried") == 3


def test_prove_finds_what_is_not_sound():
    """A question never revealed, and a scale on which everything is right, are caught."""
    with pytest.raises(AssertionError, match="was never revealed"):
        wins().prove()
    asked = predict("How many?", low=0, high=10)
    asked.reveal(5, within=100)
    with pytest.raises(AssertionError, match="every answer counts as right"):
        asked.prove()


def test_the_question_reads_as_a_still():
    """Beside the widget stand HTML and text with question and answers, for places where widgets do not run."""
    bundle = wins()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == f"Predict: {QUESTION} (dense / the mixture / about the same)"
    assert all(option in bundle["text/html"] for option in OPTIONS)
    assert far()._repr_mimebundle_()["text/plain"].endswith("(a number from 1 to 1,000 steps)")


def test_switched_off_progress_keeps_guesses_in_the_notebook_alone(monkeypatch):
    """Without a progress file one can still guess and see."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", "off")
    asked = wins()
    asked.choose("dense")
    asked.reveal(BITS, best=min)
    assert asked.right is True
    assert guesses() == {}


def test_a_rehearsal_reveals_whatever_came_out(monkeypatch, capsys):
    """Numbers that a few steps spoiled do not stop a rehearsed run, and no result is kept."""
    monkeypatch.setenv("TINYFRONTIER_REHEARSAL", "1")
    asked = wins()
    asked.choose("dense")
    asked.reveal({"dense": float("nan"), "the mixture": 1.0}, best=min)
    assert "measured: nothing, in a rehearsal" in capsys.readouterr().out
    assert guesses()["06"][QUESTION] == {"guess": "dense"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"question": " "}, ValueError, "question must be one line"),
        ({"options": None}, ValueError, "needs either options or both low and high"),
        ({"low": 1, "high": 2}, ValueError, "needs either options or both low and high"),
        ({"options": ["one"]}, ValueError, "options must be two to six different answers"),
        ({"options": ["one", "one"]}, ValueError, "options must be two to six different answers"),
        ({"options": "ab"}, TypeError, "options must be a list of texts"),
        ({"options": None, "low": 2, "high": 1}, ValueError, "low must be below high"),
        ({"options": None, "low": 0, "high": 1, "log": True}, ValueError, "low must be below high and above 0"),
        ({"options": None, "low": "a", "high": 1}, TypeError, "low must be a number, got str"),
    ],
)
def test_bad_questions_are_named(arguments, error, message):
    """Each bad argument is refused by name."""
    with pytest.raises(error, match=message):
        predict(**{"question": QUESTION, "options": OPTIONS, **arguments})


@pytest.mark.parametrize(
    ("measured", "more", "error", "message"),
    [
        ({"mixture": 1.0}, {"best": min}, ValueError, "measured must be about the options dense, .* got 'mixture'"),
        ([1, 2], {"best": min}, TypeError, "measured must be a mapping of option to number, got list"),
        (BITS, {}, ValueError, "best must be min or max"),
        (BITS, {"answer": "neither"}, ValueError, "answer must be one of dense"),
    ],
)
def test_bad_reveals_are_named(measured, more, error, message):
    """A typed key that is no option, or a measurement of something else, is refused by name."""
    with pytest.raises(error, match=message):
        wins().reveal(measured, **more)


def test_bad_guesses_and_numbers_are_named():
    """A guess outside the scale, and `best` for a number, are refused by name."""
    with pytest.raises(ValueError, match="guess must be one of dense, the mixture, about the same, got 'x'"):
        wins().choose("x")
    with pytest.raises(ValueError, match="guess must be a number from 1 to 1000, got 0"):
        far().choose(0)
    with pytest.raises(ValueError, match="best and answer decide between options"):
        far().reveal(3, best=min)
