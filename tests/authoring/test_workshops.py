"""Routes and runs-of-show: prerequisites respected, minutes that add up, everything derived and current."""

import re
from dataclasses import replace

import pytest

from tinyfrontier.authoring import build, maps, routes, workshops
from tinyfrontier.authoring.lessons import Lesson, finished
from tinyfrontier.exercises import exercises_of

from .toy import course_folder

WAYS = routes.routes()
LESSONS = finished()


def toy_lesson(number, minutes=60, after=()):
    front = {"number": number, "title": f"Lesson {number}", "minutes": minutes, "prerequisites": list(after)}
    return Lesson(None, front, ())


def toy_routes(tmp_path, *lines):
    """The routes of a course that has lesson 01 alone, from lines of its own."""
    root = course_folder(tmp_path, lesson=True)
    path = root / "lessons" / "curriculum.yml"
    text = path.read_text(encoding="utf-8")
    head, tail = text.split("\nroutes:\n")[0], text.split("\nlessons:\n")[1]
    path.write_text("\n".join([head, "routes:", *lines, "lessons:", tail]), encoding="utf-8")
    return root


# ----------------------------------------------------------------------------------------------------------- the routes


def test_the_routes_that_the_course_offers():
    """Half a day, two days, a semester of 15 weeks, and one an interest."""
    names = [way.name for way in WAYS]
    assert names[:3] == ["Half a day", "Two days", "A semester"]
    assert {"Language", "Pictures", "Science", "Trust"} <= set(names)
    limits = {way.name: (way.available, way.minutes) for way in WAYS}
    assert limits["Half a day"] == (1, 240)
    assert limits["Two days"] == (2, 360)
    assert limits["A semester"] == (15, 180)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_route_respects_prerequisites_and_its_time(way):
    """Each lesson comes after all that it builds on, once; minutes add up, and no session is longer than its time."""
    numbers = [lesson.number for lesson in way.lessons]
    assert len(set(numbers)) == len(numbers) > 0
    for place, lesson in enumerate(way.lessons):
        assert set(lesson.front["prerequisites"]) <= set(numbers[:place]), lesson.stem
    sums = [sum(lesson.front["minutes"] for lesson in session) for session in way.sessions]
    assert way.total == sum(sums)
    assert max(sums) <= way.minutes
    assert all(way.sessions)
    if way.available is not None:
        assert len(way.sessions) <= way.available


def test_a_semester_has_one_or_two_lessons_a_week():
    """Fifteen weeks, none empty, none with more than two lessons."""
    semester = next(way for way in WAYS if way.name == "A semester")
    assert len(semester.sessions) == 15
    assert {len(week) for week in semester.sessions} == {1, 2}


def test_planned_lessons_are_named_as_to_come():
    """A planned goal is in no session; a route without a finished goal says so, and offers what is nearest."""
    done = {lesson.number for lesson in LESSONS}
    page = workshops.routes_page()
    for way in WAYS:
        assert not {number for number, _ in way.to_come} & done
        if way.to_come:
            section = page.split(f"\n## {way.name}\n")[1].split("\n## ")[0]
            assert all(f"{number:02d} {title}" in section for number, title in way.to_come)
            assert ("finished yet" in section) == bool(way.meanwhile)
        assert set(way.meanwhile) <= {lesson.number for lesson in way.lessons}


def test_order_is_prerequisites_first_then_number():
    """A prerequisite with a higher number comes first; a circle is refused."""
    done = {lesson.number: lesson for lesson in (toy_lesson(1), toy_lesson(2, after=[5]), toy_lesson(4), toy_lesson(5))}
    assert [lesson.number for lesson in routes.in_order([4, 2, 1], done)] == [1, 4, 5, 2]
    done[5] = toy_lesson(5, after=[2])
    with pytest.raises(ValueError, match=r"circle, as they do among lessons \[2, 5\]"):
        routes.in_order([2], done)


def test_sessions_are_never_too_long():
    """Lessons share a session as long as its minutes suffice; what does not fit at all is None."""
    day = [toy_lesson(1, 100), toy_lesson(2, 80), toy_lesson(3, 81), toy_lesson(4, 99)]
    fitted = routes.spread_out(day, 180, 2)
    assert [[lesson.number for lesson in session] for session in fitted] == [[1, 2], [3, 4]]
    assert routes.spread_out(day, 180, 1) is None
    assert routes.spread_out(day, 90, None) is None
    assert len(routes.spread_out(day, 100, None)) == 4


def test_a_goal_without_time_is_left_out(tmp_path):
    """A route that is too short for its goal is empty and names the goal as left over."""
    root = toy_routes(tmp_path, "- {name: Short, for: all, unit: session, sessions: 1, minutes: 3, goals: [1, 2]}")
    (way,) = routes.routes(root)
    assert way.lessons == []
    assert [lesson.number for lesson in way.left_out] == [1]
    assert way.to_come == ((2, "A tiny GPT"),)
    assert "If time is left: [01" in workshops.routes_page(root)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{name: Lost, for: all, unit: day, minutes: 90, goals: [1, 77]}", "'Lost' names lesson 77, which is not in"),
        ("{name: Lost, for: all, unit: day, minutes: 90, part: 4, meanwhile: {88: near}}", "'Lost' names lesson 88"),
        ("{name: Lost, for: all, unit: day, minutes: 90, part: 9}", "'Lost' names part 9"),
        ("{name: Lost, for: all, unit: day, minutes: 90}", "'Lost' needs either `goals` or `part`"),
        ("{name: Lost, for: all, unit: day, goals: [1]}", "'Lost' lacks the key `minutes`"),
        ("{name: Lost, for: all, unit: day, minutes: 90, goals: [1], hours: 2}", "unknown key `hours`"),
    ],
)
def test_a_wrong_route_is_refused(tmp_path, line, message):
    """An unknown lesson, part or key, and a missing one, stop the build by their name."""
    with pytest.raises(ValueError, match=re.escape(message)):
        routes.routes(toy_routes(tmp_path, f"- {line}"))


def test_numbers_and_times_in_words():
    """Three lessons in a row are a range, two are not; minutes are told as hours."""
    assert routes.numbers_in_words([1, 2, 5, 11, 12, 13, 17]) == "01, 02, 05, 11 to 13, 17"
    assert [routes.duration(minutes) for minutes in (0, 45, 120, 195)] == ["0 min", "45 min", "2 h", "3 h 15 min"]


def test_the_readme_has_the_routes():
    """One line a route, made by the same function as the page."""
    lines = routes.paths_markdown().splitlines()
    assert [re.match(r"- \*\*(.+?)\*\*: ", line)[1] for line in lines] == [way.name for way in WAYS]
    assert ": 01, 02, 11, 31 to 38" in next(line for line in lines if "Trust" in line)


def test_a_route_that_is_all_to_come_offers_what_is_nearest(tmp_path):
    """The README's line and the page name the finished lesson, and why it is near."""
    line = "- {name: Far, for: all, unit: day, minutes: 300, goals: [2], meanwhile: {1: 'as much fun'}}"
    root = toy_routes(tmp_path, line)
    assert "- **Far**: its lessons are to come; nearest today: 01 (" in routes.paths_markdown(root)
    section = workshops.routes_page(root).split("\n## Far\n")[1]
    assert "**None of its 1 lessons is finished yet.**" in section
    assert ": as much fun." in section


# ----------------------------------------------------------------------------------------------------- the runs-of-show


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_a_run_of_show_covers_its_lesson(lesson):
    """Minutes add up to the front matter's; each code cell of the students, each exercise and question has its row."""
    rows = workshops.run_of_show(lesson)
    assert sum(row.minutes for row in rows) == lesson.front["minutes"]
    assert [row.start for row in rows] == sorted(row.start for row in rows)
    assert rows[0].start == 0
    covered = [number for row in rows if row.cells for number in range(row.cells[0], row.cells[1] + 1)]
    students = [cell for cell in lesson.cells if cell.kind == "code" and "instructor" not in cell.tags]
    assert covered == list(range(1, len(students) + 1))
    assert [row.exercise for row in rows if row.exercise] == lesson.front["exercises"]
    assert all("min to write" in row.facts for row in rows if row.exercise)
    asked = sum(len(re.findall(r"^\w+ = predict\(", cell.source, re.M)) for cell in lesson.cells if cell.kind == "code")
    assert sum(len(row.questions) for row in rows) == asked > 1
    assert all(row.say for row in rows)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_a_run_of_show_names_where_students_get_stuck(lesson):
    """The page names three known mistakes an exercise with their hints, and every question with its options."""
    page = workshops.show_page(lesson)
    for name in lesson.front["exercises"]:
        for mistake in exercises_of(lesson.number)[name].mistakes[:3]:
            assert maps.cell_text(f"**{workshops._literal(mistake.name)}**: ") in page
    for row in workshops.run_of_show(lesson):
        for question in row.questions:
            assert maps.cell_text(workshops._literal(question.text)) in page
            assert len(question.options) > 1 or question.options[0].startswith("a number from")
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {6}


def test_text_reads_the_same_in_markdown():
    """Stars, underscores, brackets and dollars of a hint stay what they are; what is in backticks is code."""
    assert workshops._literal("a * b_c [0] costs $1, see `a_b`") == r"a \* b\_c \[0\] costs \$1, see `a_b`"
    assert workshops._literal("one ` alone") == r"one \` alone"


def test_what_to_say_is_the_beginning_of_the_prose():
    """Headings, lists, tables and bold lines are passed over; a list counts where there is nothing else."""
    text = "## A\n\n| a |\n|---|\n\n**Facts**\n\nFirst sentence. Second one by Ho et al. (2020): \n\n$$x$$"
    assert workshops.beginning(text) == "First sentence. Second one by Ho et al. (2020)"
    assert workshops.beginning("## A\n\n- One point.\n- Another.") == "One point."
    assert workshops.beginning("## A") == ""


def test_every_finished_lesson_has_its_page(tmp_path):
    """One page a finished lesson and one of all routes; a page that no lesson stands behind is told and goes."""
    stems = {lesson.stem for lesson in LESSONS}
    assert set(workshops.workshop_pages()) == {f"workshops/{name}.md" for name in stems | {"README"}}
    root = course_folder(tmp_path, lesson=True)
    build.build_pages(root)
    assert not [fault for fault in build.stale_pages(root) if "workshops" in fault]
    (root / "workshops" / "09_gone.md").write_text("old")
    (root / "workshops" / "README.md").write_text("edited")
    faults = build.stale_pages(root)
    assert "workshops/09_gone.md belongs to no finished lesson" in faults
    assert "workshops/README.md does not follow from the lessons and lessons/curriculum.yml" in faults
    build.build_pages(root)
    assert build.stale_pages(root) == []


def test_minutes_follow_the_front_matter():
    """Where the front matter says another sum, the rows are stretched to it."""
    lesson = LESSONS[0]
    longer = replace(lesson, front={**lesson.front, "minutes": 2 * lesson.front["minutes"]})
    assert sum(row.minutes for row in workshops.run_of_show(longer)) == 2 * lesson.front["minutes"]
