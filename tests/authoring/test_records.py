"""Recorded results: loaded without the authors' tools, never older than the code they measure, remade by a recipe."""

import runpy

import pytest

from tinyfrontier.authoring import records
from tinyfrontier.authoring.lessons import ROOT
from tinyfrontier.beside import load_record

from .toy import LESSON, course_folder

RECIPE = '''
"""The toy's recipe."""

SETTINGS = {"seeds": [0, 1, 2], "steps": 30}
QUICK = {"seeds": [0], "steps": 1}


def measure(lesson, *, seeds, steps):
    """The loss after so many steps, a seed."""
    return {"loss": [lesson.train(seed, steps) for seed in seeds], "by_rate": {rate: steps * rate for rate in (1, 2)}}
'''
CODE = '''
```python
from tinyfrontier.training import learning_rate_factor

RATE = 0.5


def rate(step, steps):
    """The rate at a step."""
    return RATE * learning_rate_factor(step, steps, "cosine")


def train(seed, steps):
    """A loss."""
    return seed + sum(rate(step, steps) for step in range(steps))


def unrelated():
    """Not part of the record."""
    return 1
```
'''


@pytest.fixture
def toy(tmp_path):
    """A course with a lesson that has a record."""
    root = course_folder(tmp_path, lesson=True)
    source = root / "lessons" / "01_self_attention.md"
    source.write_text(LESSON + CODE, encoding="utf-8")
    (root / "lessons" / "01_self_attention").mkdir()
    (root / "lessons" / "01_self_attention" / "record.py").write_text(RECIPE, encoding="utf-8")
    assert "record.json is missing" in records.stale(1, root)
    records.make(1, root)
    return root


def test_a_record_is_measured_by_the_lessons_own_code_and_loaded(toy):
    """What the recipe measured comes back by name, with settings and a note for where it is shown."""
    record = load_record(1, toy / "lessons")
    assert len(record.figures.loss) == 3
    assert record.figures.loss[2] == record["figures"]["loss"][0] + 2
    assert record.figures.by_rate == {"1": 30, "2": 60}
    assert record.note == "recorded: seeds 0, 1, 2; steps 30"
    assert set(record.made_with) == {"numpy", "torch"}
    with pytest.raises(AttributeError, match="no 'accuracy'; it has loss, by_rate"):
        _ = record.figures.accuracy


@pytest.mark.parametrize(
    ("old", "new", "is_stale"),
    [
        ("Words.", "Other words.", False),
        ('"""The rate at a step."""', '"""Another sentence."""\n    # and a comment', False),
        ("return 1", "return 2", False),
        ("import learning_rate_factor", "import fit, learning_rate_factor", False),
        ("Words.", "Words.\n\n```python\nseed = 3\n```", False),
        ("sum(rate", "2 * sum(rate", True),
        ("RATE = 0.5", "RATE = 0.4", True),
        ('"cosine"', '"linear"', True),
    ],
)
def test_a_record_goes_stale_with_the_code_it_measures_and_with_nothing_else(toy, old, new, is_stale):
    """Prose, docstrings, comments and code that takes no part leave it fresh; what takes part makes it stale."""
    source = toy / "lessons" / "01_self_attention.md"
    assert records.stale(1, toy) == ""
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new), encoding="utf-8")
    found = records.stale(1, toy)
    assert bool(found) == is_stale
    if is_stale:
        assert "lessons/01_self_attention/record.json is older than the code" in found
        assert "tinyfrontier.authoring.records 01" in found


def test_a_record_goes_stale_with_the_package_code_it_uses(toy, monkeypatch):
    """A change in a function of the package that the lesson's code calls makes the record stale, others do not."""
    read = records._tree_of

    def changed(old, new):
        def tree_of(module):
            text = records.ast.unparse(read(module))
            assert old in text
            return records.ast.parse(text.replace(old, new))

        return tree_of

    monkeypatch.setattr(records, "_tree_of", changed("def seed_everything", "def seed_something"))
    assert records.stale(1, toy) == ""
    monkeypatch.setattr(records, "_tree_of", changed("math.cos(", "math.sin("))
    assert "older than the code" in records.stale(1, toy)


def test_the_command_line_computes_the_same_digest(toy):
    """Run as a program, under another module name, the digest is the one that the tests compare."""
    program = runpy.run_module("tinyfrontier.authoring.records", run_name="program")
    assert program["digest"](1, toy) == records.digest(1, toy)


def test_a_recipe_goes_stale_with_its_settings(toy):
    """Other settings in the recipe ask for another record."""
    path = toy / "lessons" / "01_self_attention" / "record.py"
    path.write_text(RECIPE.replace('"steps": 30', '"steps": 31'), encoding="utf-8")
    assert "older than the code" in records.stale(1, toy)


def test_a_record_is_renewed_where_quick_figures_stay(toy):
    """A change without effect keeps the figures under a new digest; one with an effect is refused."""
    source = toy / "lessons" / "01_self_attention.md"
    figures = load_record(1, toy / "lessons").figures
    source.write_text(source.read_text().replace("RATE * learning", "1 * RATE * learning"), encoding="utf-8")
    assert records.stale(1, toy)
    records.renew(1, toy)
    assert records.stale(1, toy) == ""
    assert load_record(1, toy / "lessons").figures == figures
    source.write_text(source.read_text().replace("RATE = 0.5", "RATE = 0.6"), encoding="utf-8")
    with pytest.raises(ValueError, match="must be measured anew"):
        records.renew(1, toy)


def test_a_recipe_that_lacks_a_part_is_refused(toy):
    """The three names of a recipe must be there, and the quick settings complete."""
    path = toy / "lessons" / "01_self_attention" / "record.py"
    path.write_text(RECIPE.replace("QUICK", "FAST"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"01_self_attention/record\.py lacks QUICK"):
        records.measured(1, toy)
    path.write_text(RECIPE.replace('{"seeds": [0], "steps": 1}', '{"seeds": [0]}'), encoding="utf-8")
    with pytest.raises(ValueError, match="QUICK must have the names of SETTINGS"):
        records.measured(1, toy)


def test_a_lesson_without_a_record_is_told(toy):
    """Asking for a record that is not there names the lesson or the file."""
    with pytest.raises(ValueError, match=r"folder beside it \(01\), got 2"):
        load_record(2, toy / "lessons")
    (toy / "lessons" / "01_self_attention" / "record.json").unlink()
    with pytest.raises(ValueError, match=r"01_self_attention/record\.json is missing"):
        load_record(1, toy / "lessons")


def test_the_toys_quick_run_gives_the_same_keys(toy):
    """Small settings measure the same things; numbers as keys may differ."""
    quick = records.measured(1, toy, quick=True)
    assert len(quick.figures.loss) == 1
    assert records.keys(quick.figures) == records.keys(load_record(1, toy / "lessons").figures)
    assert records.keys({"a": {"1": 2, "b": 0}}) == {"a": {"#": None, "b": None}}


@pytest.mark.parametrize("lesson", records.recorded())
def test_no_record_is_older_than_its_code(lesson):
    """Each lesson's record belongs to the code that the lesson shows now."""
    assert records.stale(lesson, ROOT) == ""


@pytest.mark.parametrize("lesson", records.recorded())
def test_each_recipe_still_runs(lesson):
    """With its small settings the recipe measures what the record holds."""
    quick = records.measured(lesson, quick=True)
    assert records.keys(quick.figures) == records.keys(load_record(lesson).figures)
