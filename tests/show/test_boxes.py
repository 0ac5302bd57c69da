"""The one box: escaped text, headings, links, kinds; and it is light enough for a check."""

import subprocess
import sys

import pytest

from tinyfrontier.show import COLOURS, box
from tinyfrontier.show.boxes import KINDS, code, link, strong


def test_text_is_escaped_everywhere():
    """Title, lead, head, cells and note show `<` as it is, and what stands between backticks as code."""
    page = box("1 < 2", [("a < b", "`c < d`")], lead=["e < f"], head=("g < h", "i"), note="j < k")
    assert page.count("&lt;") == 6
    assert "<code>c &lt; d</code>" in page
    assert "a < b" not in page


def test_cells_may_be_links_code_or_strong():
    """What is HTML already goes in as it is, with its own text escaped."""
    page = box("t", [(link("a & b", "x'y.ipynb"), code("1 < 2"), strong("yes", "good"))])
    assert "<a href='x&#x27;y.ipynb'>a &amp; b</a>" in page
    assert "<code>1 &lt; 2</code>" in page
    assert f"<b style='color:{COLOURS['green']}'>yes</b>" in page


def test_a_heading_spans_all_columns():
    """A row that is one text spans the widest row."""
    page = box("t", ["Part 1", ("a", "b", "c")])
    assert "colspan='3'>Part 1</th>" in page
    assert page.count("<td") == 3


def test_kind_name_and_status_are_for_eyes_and_tests():
    """The kind colours the bar, the name is a class, the status a word that screen readers announce."""
    page = box("t", kind="bad", name="check", status="wrong")
    assert f"border-left:5px solid {COLOURS['vermilion']}" in page
    assert "class='tinyfrontier-check'" in page
    assert "role='status' data-status='wrong'" in page
    with pytest.raises(ValueError, match=f"kind must be one of {', '.join(KINDS)}, got 'ugly'"):
        box("t", kind="ugly")


def test_a_box_needs_no_matplotlib():
    """Drawing a box loads neither matplotlib nor NumPy."""
    look = "import sys; from tinyfrontier.show import box; box('t'); print({'matplotlib', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_palette_is_typed_once():
    """No other module of `show`, `exercises` or `authoring` types a colour of the palette."""
    from pathlib import Path

    import tinyfrontier

    package = Path(tinyfrontier.__file__).parent
    for room in ("show", "exercises", "authoring"):
        for path in (package / room).glob("*.py"):
            if path.name != "palette.py":
                text = path.read_text(encoding="utf-8").upper()
                assert not [colour for name, colour in COLOURS.items() if name != "black" and colour in text], path
