"""Reading a lesson's source: a malformed one stops with file, line and what is wrong."""

import pytest

from tinyfrontier.authoring.lessons import (
    LessonError,
    curriculum,
    definitions,
    find_lessons,
    lesson_path,
    read_lesson,
    section_ids,
)

from .toy import LESSON, TOY, course_folder


def read_changed(tmp_path, text: str, name: str = "00_start_here.md"):
    """Read a lesson with this text in a course folder of its own."""
    root = course_folder(tmp_path)
    path = root / "lessons" / name
    path.write_text(text, encoding="utf-8")
    return read_lesson(path, root)


def line_of(text: str, part: str) -> int:
    """The 1-based line on which a part of the text stands first."""
    return text[: text.index(part)].count("\n") + 1


def test_a_sound_lesson_is_read(tmp_path):
    """Cells come in order with kind, tags, names and the line of their fence."""
    lesson = read_changed(tmp_path, TOY)
    assert lesson.number == 0
    assert lesson.stem == "00_start_here"
    assert [cell.name for cell in lesson.tagged("exercise")] == ["mean_squared_error"]
    assert "```text" in lesson.cells[0].source
    first = next(cell for cell in lesson.cells if cell.kind == "code")
    assert first.source == "import torch"
    assert TOY.split("\n")[first.line - 1] == "```python"


EXERCISE = '```python tags=["exercise"] name="mean_squared_error"'
CHECK = '```python tags=["check"] name="mean_squared_error"'
FAULTS = [
    (
        "unknown tag",
        ('tags=["instructor"]', 'tags=["instuctor"]'),
        'tags=["instuctor"]',
        "unknown tag `instuctor`",
    ),
    ("no check", (CHECK, "```python"), EXERCISE, "`mean_squared_error` has no check cell"),
    (
        "check without exercise",
        (EXERCISE, '```python tags=["exercise"] name="other"'),
        CHECK,
        "has no exercise of that name",
    ),
    (
        "nameless exercise",
        (EXERCISE, '```python tags=["exercise"]'),
        '```python tags=["exercise"]',
        "needs a name",
    ),
    ("missing key", ("minutes: 5\n", ""), "---", "lacks the key `minutes`"),
    (
        "unknown key",
        ("minutes: 5\n", "minutes: 5\nminute: 5\n"),
        "minute: 5",
        "unknown front matter key `minute`",
    ),
    ("wrong kind", ("minutes: 5", "minutes: five"), "minutes: five", "`minutes` must be int, got str"),
    ("bad YAML", ("title: Start here", "title: Start: here"), "title: Start:", "not valid YAML"),
    ("unclosed region", ("    ### END SOLUTION\n", ""), "### BEGIN", "the solution region is not closed"),
    ("region not begun", ("    ### BEGIN SOLUTION\n", ""), "### END", "ends that never began"),
    (
        "nested region",
        ("    error = ", "    ### BEGIN SOLUTION\n    error = "),
        "    ### BEGIN SOLUTION\n    error = ",
        "begins inside the one of line",
    ),
    ("shell command", ("SECRET = 41 +", "!ls\nSECRET = 41 +"), "!ls", "not valid Python"),
    (
        "no region",
        ("    ### BEGIN SOLUTION\n", "", "    ### END SOLUTION\n", ""),
        EXERCISE,
        "has no solution region",
    ),
    (
        "stray region",
        ("SECRET = 41 + 1", "### BEGIN SOLUTION\nS = 1\n### END SOLUTION"),
        '```python tags=["instructor"]',
        "outside an exercise",
    ),
    (
        "wrong function",
        ("def mean_squared_error", "def mse"),
        EXERCISE,
        "must define a function of that name",
    ),
    ("bad Python", ("SECRET = 41 +", "SECRET = = 41 +"), "SECRET = = ", "not valid Python"),
    ("empty cell", ("import torch\n```", "```"), "```python", "this code cell is empty"),
    (
        "glued fence",
        ("```python\nimport torch", "glued\n```python\nimport torch"),
        "```python\nimport",
        "a bare python fence",
    ),
    (
        "indented fence",
        ("```python\nimport torch\n```", "  ```python\n  import torch\n  ```"),
        "  ```python",
        "a bare python fence",
    ),
    (
        "listed fence",
        ("```python\nimport torch\n```", "- ```python\n  import torch\n  ```"),
        "- ```python",
        "a bare python fence",
    ),
    ("other spelling", ("```python\nimport torch", "```py\nimport torch"), "```py\n", "a bare python fence"),
    (
        "tilde fence",
        ("```python\nimport torch\n```", "~~~python\nimport torch\n~~~"),
        "~~~python",
        "a bare python fence",
    ),
    (
        "fence in details",
        ("Words between.", "<details>\n\n```python\n1\n```\n\n</details>"),
        "```python\n1",
        "a bare python fence",
    ),
    ("unclosed fence", ('print(f"', '```\n\n```text\nprint(f"'), None, "this fence is not closed"),
]


@pytest.mark.parametrize(
    ("change", "at", "message"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_a_fault_is_told_with_file_and_line(tmp_path, change, at, message):
    """Each fault stops the build with the file, the line on which it stands, and what is wrong."""
    text = TOY
    for old, new in zip(change[::2], change[1::2], strict=True):
        assert old in text
        text = text.replace(old, new, 1)
    if change[1].startswith("```\n\n```text"):
        text = text.rsplit("```", 1)[0]
        at = "```text\nprint"
    with pytest.raises(LessonError) as caught:
        read_changed(tmp_path, text)
    told = [line for line in str(caught.value).split("\n") if message in line]
    assert told, str(caught.value)
    assert told[0].startswith(f"lessons/00_start_here.md:{line_of(text, at)}: ")


def test_a_duplicate_exercise_name_is_told(tmp_path):
    """Two exercises of one name stop the build, with both lines."""
    start, end = TOY.index(EXERCISE), TOY.index("Words between.")
    text = TOY.replace("Words between.", TOY[start:end] + "Words between.")
    with pytest.raises(LessonError, match="duplicate exercise name `mean_squared_error`, first used on line"):
        read_changed(tmp_path, text)


def test_several_faults_are_told_together(tmp_path):
    """One run of the build tells all faults of a file."""
    text = TOY.replace('tags=["instructor"]', 'tags=["instuctor"]').replace("SECRET = 41", "SECRET = = 41")
    with pytest.raises(LessonError) as caught:
        read_changed(tmp_path, text)
    assert len(str(caught.value).split("\n")) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[L1.1, F1]", "[L1.1, F9]", ":6: unknown section id `F9`"),
        (
            "title: Self-attention from scratch",
            "title: Attention",
            "lessons/curriculum.yml says 'Self-attention",
        ),
        ("prerequisites: []", "prerequisites: [77]", "prerequisite 77 is not a lesson's number"),
        ("claim: A toy claim.\n", "", "lacks the key `claim`"),
        ("claim: A toy claim.", "claim: [one, two]", "`claim` must be text, or a mapping of key to text, got list"),
        ("claim: A toy claim.", "claim: {reach: 3}", "claim must be text, or a mapping of key to text"),
        ("claim: A toy claim.", "claim: {a: {text: It is., sections: [Z9]}}", "unknown section id `Z9`"),
        ('tags=["panel"]', 'tags=["verdict"]', 'no cell tagged "panel"'),
        ("play.prove()", "play.update()", 'must be followed by an "instructor" cell'),
        ("# 01 · A toy", "# A toy", "must begin with the title, `# 01 · …`"),
        (
            "exercises: []",
            "exercises: [attention]",
            "front matter lists the exercises ['attention'], the cells are []",
        ),
    ],
)
def test_a_lesson_has_more_to_keep(tmp_path, old, new, message):
    """Lessons name known sections, agree with the curriculum, and have a proved panel and a verdict."""
    assert old in LESSON
    with pytest.raises(LessonError) as caught:
        read_changed(tmp_path, LESSON.replace(old, new, 1), "01_self_attention.md")
    assert message in str(caught.value)


def test_a_lesson_may_make_several_claims(tmp_path):
    """A mapping of key to text, some with sections of their own, is sound front matter."""
    claims = "claim:\n  reach: It reaches far.\n  size: {text: It is large., sections: [L1.1]}"
    lesson = read_changed(tmp_path, LESSON.replace("claim: A toy claim.", claims), "01_self_attention.md")
    assert list(lesson.front["claim"]) == ["reach", "size"]


def test_an_exercise_of_a_lesson_needs_three_hints(tmp_path):
    """A lesson's exercise without its three graduated hints stops the build."""
    start, end = TOY.index(EXERCISE), TOY.index("A cell for instructors")
    text = LESSON.replace("exercises: []", "exercises: [mean_squared_error]").replace("Words.\n", TOY[start:end])
    with pytest.raises(LessonError, match="needs three <details> hints beside it, found 0"):
        read_changed(tmp_path, text, "01_self_attention.md")


def test_the_file_is_named_after_number_and_slug(tmp_path):
    """A file of another name is refused."""
    with pytest.raises(LessonError, match=r"must be named 00_start_here\.md"):
        read_changed(tmp_path, TOY, "00_start.md")


@pytest.mark.parametrize("text", ["# No front matter\n", "---\nnumber: 0\n"])
def test_front_matter_must_be_there_and_closed(tmp_path, text):
    """A file without front matter is refused at line 1."""
    with pytest.raises(LessonError, match=r":1: front matter is"):
        read_changed(tmp_path, text)


def test_an_unknown_lesson_number_is_told():
    """Asking for a lesson without a source says which there are."""
    with pytest.raises(ValueError, match=r"\(00.*got 99"):
        lesson_path(99)


def test_definitions_run_no_lesson(tmp_path):
    """Imports, functions and constants of a lesson are loaded; its other statements are not run."""
    root = course_folder(tmp_path)
    path = root / "lessons" / "00_start_here.md"
    path.write_text(TOY.replace("SECRET = 41 + 1", "SECRET = 40\nSECRET += 2\nraise SystemExit"), encoding="utf-8")
    module = definitions(path)
    assert module.SECRET == 42
    assert module.mean_squared_error(module.torch.ones(2), module.torch.zeros(2)).item() == 1.0
    assert module.mean_squared_error.__code__.co_firstlineno == line_of(path.read_text(), "def mean_squared_error")


def test_the_curriculum_is_whole():
    """44 lessons in five parts, numbered without gaps, over known sections only, and each section is served."""
    course = curriculum()
    assert [row["number"] for row in course["lessons"]] == list(range(1, 45))
    assert len({row["slug"] for row in course["lessons"]}) == 44
    assert sorted({row["part"] for row in course["lessons"]}) == [1, 2, 3, 4, 5]
    used = {section for row in course["lessons"] for section in row["sections"]}
    ids = section_ids()
    assert used <= set(ids)
    assert {section for section in ids if section not in used} == {"F4"}
    assert any(section.startswith("F4.") for section in used)


def test_every_source_of_the_course_is_sound():
    """Each source in lessons/ reads without a fault."""
    assert [read_lesson(path).number for path in find_lessons()] == sorted(
        int(path.stem[:2]) for path in find_lessons()
    )
