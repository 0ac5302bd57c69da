"""Everything that is derived follows from its source."""

import pytest

from tinyfrontier.authoring import build
from tinyfrontier.authoring.lessons import find_lessons, read_lesson

pytestmark = pytest.mark.freshness


@pytest.mark.parametrize("path", find_lessons(), ids=lambda path: f"lesson_{path.stem}")
def test_the_notebooks_of_a_lesson_follow_from_its_source(path):
    """The student's copy and the solution are those that the build would write."""
    assert build.stale(read_lesson(path)) == []


def test_the_generated_pages_follow_from_the_lessons():
    """Course map, ledger, coverage, glossary and signature picture are those that the build would write."""
    assert build.stale_pages() == []
