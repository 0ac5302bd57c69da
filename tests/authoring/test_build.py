"""The build: executes what changed, leaves the rest alone, and `--check` fails when a derived file is stale."""

import nbformat
import pytest

from tinyfrontier.authoring import build, maps
from tinyfrontier.authoring.calibration import Speed
from tinyfrontier.authoring.kernels import Cost
from tinyfrontier.authoring.lessons import LessonError, read_lesson

from .toy import TOY, course_folder

pytestmark = pytest.mark.xdist_group("build")


def snapshot(root) -> dict[str, bytes]:
    """All files of a course folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A course folder with the toy page and the toy lesson, built once."""
    root = course_folder(tmp_path_factory.mktemp("course"), lesson=True)
    assert build.main([], root) == 0
    return root


def test_a_second_build_changes_nothing(built, capsys):
    """Building twice leaves every byte as it was, and says so; the check calls it fresh."""
    before = snapshot(built)
    assert build.main([], built) == 0
    assert snapshot(built) == before
    assert capsys.readouterr().out.count("up to date") == 2
    assert build.main(["--check"], built) == 0


def test_solutions_are_executed_and_measured(built):
    """The solution holds outputs, and the front matter holds what the run cost."""
    notebook = nbformat.read(built / "solutions" / "00_start_here.ipynb", as_version=4)
    assert notebook.cells[-1].outputs[0].text == "1.0\n"
    budget = read_lesson(built / "lessons" / "00_start_here.md", built).front["budget"]
    assert budget["reference_seconds"] > 0.3
    assert 0 < budget["slowest_cell"] < budget["reference_seconds"]
    assert budget["peak_mib"] > 50
    assert "forced" not in budget


def test_a_solution_over_budget_is_refused_unless_forced(tmp_path, monkeypatch):
    """Over budget nothing is written and the cells are named; `--force` writes it and the front matter says so."""
    root = course_folder(tmp_path)
    path = root / "lessons" / "00_start_here.md"
    monkeypatch.setattr(build, "SECONDS_LIMIT", 0.01)
    monkeypatch.setattr(build, "CELL_SECONDS_LIMIT", 0.02)
    with pytest.raises(LessonError, match=r"over budget: [\d.]+ reference s \(limit 0\); cell \w+ with"):
        build.build_lesson(read_lesson(path, root), root)
    assert not (root / "solutions" / "00_start_here.ipynb").exists()
    assert "OVER BUDGET, forced" in build.build_lesson(read_lesson(path, root), root, force=True)
    assert read_lesson(path, root).front["budget"]["forced"] is True


def test_costs_are_told_in_seconds_of_the_reference_machine():
    """On a machine that is twice as slow the same CPU seconds are half as many reference seconds; memory stays."""
    cost = build.in_reference_seconds(Cost(30.0, 700.0, {"a": 4.0}, ("src/x.py",)), Speed(2.0, 5.0))
    assert cost == Cost(15.0, 700.0, {"a": 2.0}, ("src/x.py",))
    assert build.over_budget(cost) == []
    assert build.over_budget(Cost(46.0, 1600.0, {"a": 21.0})) == [
        "46.0 reference s (limit 45)",
        "cell a with 21.0 reference s (limit 20)",
        "a peak of 1600 MiB (limit 1536)",
    ]


def test_a_solution_knows_what_it_was_built_from(built, monkeypatch):
    """The modules that the run read are in its metadata with their hashes; when one changes it is executed again."""
    path = built / "lessons" / "00_start_here.md"
    lesson = read_lesson(path, built)
    own = nbformat.read(built / "solutions" / "00_start_here.ipynb", as_version=4).metadata["tinyfrontier"]
    assert "src/tinyfrontier/exercises/lesson_00.py" in own["built_from"]
    assert not [name for name in own["built_from"] if "authoring" in name]
    assert build.newer_files(lesson, built) == []
    assert build.build_lesson(lesson, built) == "up to date"
    monkeypatch.setattr(build, "digest", lambda file: "other")
    assert build.newer_files(lesson, built) == list(own["built_from"])


def test_comments_and_blank_lines_do_not_change_a_digest(tmp_path):
    """Of Python only what runs counts; of other files every byte does."""
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text("x = 1\n")
    second.write_text("# why\n\nx = 1  \n")
    assert build.digest(first) == build.digest(second)
    second.write_text("x = 2\n")
    assert build.digest(first) != build.digest(second)
    (tmp_path / "a.json").write_text("# 1")
    (tmp_path / "b.json").write_text("# 2")
    assert build.digest(tmp_path / "a.json") != build.digest(tmp_path / "b.json")


def test_student_copies_hold_no_outputs(built):
    """The student's copy is clean."""
    notebook = nbformat.read(built / "notebooks" / "01_self_attention.ipynb", as_version=4)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


def test_the_panel_is_still_and_proved(built):
    """In the solution the panel is a picture with a text alternative, and its proof has printed its line."""
    text = (built / "solutions" / "01_self_attention.ipynb").read_text()
    assert "1 control moved, the picture followed every one" in text
    assert "widget-view" not in text
    assert "A line whose height follows the slider" in text


def test_verdicts_flow_into_the_ledger(built):
    """The record in the solution's output becomes a line of the ledger, and of the README's findings and its tally."""
    record = maps.verdicts(built)
    assert record[0]["claim"] == "A toy claim."
    assert record[0]["measured"] == [["width", "2"], ["share", "0.988"]]
    line = "| A toy claim. | L1.1 | width: **2**; share: **0.988** | **holds** | 01 |"
    assert line in (built / "lessons" / "README.md").read_text(encoding="utf-8")
    readme = (built / "README.md").read_text(encoding="utf-8")
    assert "- 01 [Self-attention from scratch](notebooks/01_self_attention.ipynb). A toy claim: holds." in readme
    assert "**1 claims measured: 1 holds, 0 hold under a stated condition" in readme


def test_the_signature_sheet_knows_its_sources(built):
    """The composed picture carries the hash of the pictures that it was made from."""
    assert len(maps.signature_pictures(built)) == 1
    assert maps.signatures_digest(built).encode() in (built / maps.SIGNATURES).read_bytes()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "lessons/00_start_here.md",
            "Words between.",
            "Other words.",
            "notebooks/00_start_here.ipynb does not follow",
        ),
        (
            "lessons/00_start_here.md",
            "SECRET = 41",
            "SECRET = 42",
            "solutions/00_start_here.ipynb does not follow",
        ),
        ("lessons/01_self_attention.md", "minutes: 1", "minutes: 6", "lessons/01_self_attention.md: `minutes` is 6"),
        (
            "notebooks/00_start_here.ipynb",
            "Words between.",
            "Other words.",
            "notebooks/00_start_here.ipynb does not",
        ),
        (
            "solutions/00_start_here.ipynb",
            "SECRET = 41",
            "SECRET = 43",
            "solutions/00_start_here.ipynb does not",
        ),
        ("README.md", "A toy claim:", "A bold claim:", "README.md: a generated region does not follow"),
        ("lessons/README.md", "planned", "plannned", "lessons/README.md does not follow"),
    ],
)
def test_a_stale_file_fails_the_check(built, capsys, file, old, new, message):
    """Changing a source or a derived file makes `--check` fail and name what is stale."""
    path = built / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        assert build.main(["--check"], built) == 1
    finally:
        path.write_text(text, encoding="utf-8")
    assert message in capsys.readouterr().out


def test_a_change_of_prose_keeps_the_outputs(tmp_path):
    """Where only prose changed, nothing is executed again; where code changed, it is."""
    root = course_folder(tmp_path)
    path = root / "lessons" / "00_start_here.md"
    assert build.build_lesson(read_lesson(path, root), root).startswith("executed in")
    path.write_text(path.read_text(encoding="utf-8").replace("Words between.", "Other words."), encoding="utf-8")
    assert build.build_lesson(read_lesson(path, root), root) == "only prose changed, outputs kept"
    notebook = nbformat.read(root / "solutions" / "00_start_here.ipynb", as_version=4)
    assert notebook.cells[-1].outputs[0].text == "1.0\n"
    assert build.stale(read_lesson(path, root), root) == []
    path.write_text(path.read_text(encoding="utf-8").replace("41 + 1", "41 + 2"), encoding="utf-8")
    assert build.build_lesson(read_lesson(path, root), root).startswith("executed in")


def test_a_malformed_lesson_stops_the_build(tmp_path, capsys):
    """Nothing is written when a source is malformed."""
    root = course_folder(tmp_path)
    path = root / "lessons" / "00_start_here.md"
    path.write_text(TOY.replace("    ### END SOLUTION\n", ""), encoding="utf-8")
    assert build.main([], root) == 1
    assert "lessons/00_start_here.md:" in capsys.readouterr().err
    assert not (root / "notebooks").exists()


def test_a_failing_cell_is_told_by_its_line(tmp_path):
    """A cell that raises stops the build with the line of its fence, and the old solution stays."""
    root = course_folder(tmp_path)
    path = root / "lessons" / "00_start_here.md"
    path.write_text(TOY.replace("SECRET = 41 + 1", "SECRET = 41 / 0"), encoding="utf-8")
    lesson = read_lesson(path, root)
    line = next(cell.line for cell in lesson.tagged("instructor"))
    with pytest.raises(
        LessonError, match=rf"lessons/00_start_here.md:{line}: the cell failed\n[\s\S]*ZeroDivisionError"
    ):
        build.build_lesson(lesson, root)
    assert not (root / "solutions" / "00_start_here.ipynb").exists()


def test_a_wrong_solution_stops_the_build(tmp_path):
    """Solutions are executed in strict mode, so a check that fails stops the build."""
    root = course_folder(tmp_path)
    path = root / "lessons" / "00_start_here.md"
    path.write_text(TOY.replace("(error**2)", "error.abs()"), encoding="utf-8")
    with pytest.raises(LessonError, match="CheckFailed"):
        build.build_lesson(read_lesson(path, root), root)


def test_a_cell_that_reaches_for_the_network_stops_the_build(tmp_path):
    """A notebook's kernel is off the network: a download fails at once."""
    root = course_folder(tmp_path)
    path = root / "lessons" / "00_start_here.md"
    call = 'import urllib.request\n\nurllib.request.urlopen("http://192.0.2.1/weights")'
    path.write_text(TOY.replace("SECRET = 41 + 1", call), encoding="utf-8")
    with pytest.raises(LessonError, match=r"this course runs offline; a cell looked up 192\.0\.2\.1"):
        build.build_lesson(read_lesson(path, root), root)


def test_an_unknown_lesson_is_told(built, capsys):
    """`build 77` says which lessons there are."""
    assert build.main(["77"], built) == 1
    assert "00, 01" in capsys.readouterr().err
