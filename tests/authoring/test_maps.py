"""Course map, ledger and coverage: derived from front matter, curriculum and verdicts."""

import pytest

from tinyfrontier.authoring import maps
from tinyfrontier.authoring.lessons import curriculum, find_lessons, section_ids
from tinyfrontier.show import OUTCOMES

from .toy import course_folder


def test_the_map_lists_all_lessons_with_their_state():
    """44 rows, finished lessons linked and with minutes, the others planned."""
    text = maps.course_map_markdown()
    rows = [line for line in text.split("\n") if line[2:4].isdigit()]
    assert len(rows) == 44
    done = [row for row in rows if row.endswith("| done |")]
    assert len(done) == len(find_lessons()) - 1
    assert all("](notebooks/" in row for row in done)
    assert all(row.endswith("| planned |") for row in rows if row not in done)


def test_the_coverage_names_every_section():
    """Each section id stands once, with at least one lesson, and planned ones are marked."""
    lines = maps.coverage_markdown().split("\n")[2:]
    assert [line.split(" | ")[0].strip("| ") for line in lines] == list(section_ids())
    assert all(line.split(" | ")[2].strip("| ") for line in lines)
    assert "44 From notebook to service (planned)" in next(line for line in lines if line.startswith("| F3 "))


def test_the_start_pages_map_follows_another_root(tmp_path):
    """The map of a course with one lesson links that one and calls the others planned."""
    root = course_folder(tmp_path, lesson=True)
    page = maps.course_map(root)._repr_html_()
    assert "<a href='01_self_attention.ipynb'>" in page
    assert page.count("planned") == 43


def test_old_and_new_records_are_read():
    """Each verdict in the solutions has today's outcome and a headline, if only an empty one; the tally counts all."""
    records = maps.verdicts()
    assert {record["outcome"] for record in records} <= set(OUTCOMES)
    assert all("headline" in record for record in records)
    tally = maps.tally()
    assert list(tally) == list(OUTCOMES)
    assert sum(tally.values()) == len(records) >= len(find_lessons()) - 1


def test_a_readme_without_its_markers_is_told(tmp_path):
    """A generated region that lost its markers stops the build."""
    root = course_folder(tmp_path)
    with pytest.raises(ValueError, match="<!-- begin signatures -->"):
        maps.fill_regions("# Toy\n", root)


def test_tables_are_safe_for_any_text(tmp_path, monkeypatch):
    """A bar in a claim does not break the ledger's columns."""
    record = {
        "claim": "a | b",
        "sections": ["F1"],
        "measured": [["x|y", "1"]],
        "outcome": "does not hold",
        "condition": "",
        "lesson": 1,
    }
    monkeypatch.setattr(maps, "verdicts", lambda root: [record])
    row = maps.ledger_markdown().split("\n")[2]
    assert row.replace("\\|", "").count("|") == 6


def test_the_parts_of_the_map_are_the_curriculums():
    """The map has a table for each of the five parts."""
    text = maps.course_map_markdown()
    for part, title in curriculum()["parts"].items():
        assert f"**Part {part} · {title}**" in text


def test_the_readmes_picture_holds_the_flagships():
    """The README's picture is made of the flagship lessons' signature results, in order."""
    numbers = [lesson.number for lesson, _, _ in maps.signature_pictures()]
    assert numbers == curriculum()["flagships"] == [1, 6, 11, 15]


def test_the_glossary_is_made_of_the_lessons_terms(tmp_path):
    """Terms stand sorted with their lesson; a term that two lessons define, or one without its three parts, is told."""
    root = course_folder(tmp_path, lesson=True)
    source = root / "lessons" / "01_self_attention.md"
    plain = source.read_text()
    terms = 'terms:\n  - ["token", "词元", "A piece of text."]\n  - ["Key", "键", "What is | matched."]\nbudget:'
    source.write_text(plain.replace("budget:", terms))
    rows = maps.glossary_markdown(root).splitlines()[-2:]
    assert rows == ["| Key | 键 | What is \\| matched. | 01 |", "| token | 词元 | A piece of text. | 01 |"]
    source.write_text(plain.replace("budget:", terms.replace('"Key"', '"token"')))
    with pytest.raises(ValueError, match="'token' of lesson 01 is in"):
        maps.glossary_markdown(root)
    source.write_text(plain.replace("budget:", terms.replace('"键", ', "")))
    with pytest.raises(ValueError, match="a term must be"):
        maps.glossary_markdown(root)


def test_what_is_to_come_is_told_in_runs():
    """Finished lessons interrupt what is planned, and a single one stands alone."""
    assert maps._runs([18, 19, 20, 21, 23, 24, 31]) == "18 to 21, 23 to 24, 31"
    assert maps._runs([7]) == "7"


def test_the_findings_name_every_finished_lesson_and_every_part():
    """One line a finished lesson; each part's title stands once, also where all of it is to come."""
    text = maps.findings_markdown()
    assert text.count("\n- ") == len(maps.finished())
    for part, title in maps.curriculum()["parts"].items():
        assert text.count(f"**Part {part} · {title}.**") == 1
