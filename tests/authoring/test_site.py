"""The static site: complete, offline, readable, and without the answers."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import nbformat
import pytest

from tinyfrontier.authoring import site
from tinyfrontier.authoring.cells import STUB
from tinyfrontier.authoring.lessons import ROOT, find_lessons, read_lesson
from tinyfrontier.authoring.maps import finished, verdicts
from tinyfrontier.authoring.notebooks import solution_code
from tinyfrontier.authoring.site_theme import mathml

pytestmark = pytest.mark.xdist_group("site")
HEAD = re.compile(r"h[1-6]")


class Page(HTMLParser):
    """What a test asks of a page: its links, what it loads, its ids, headings, pictures and text."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.loads, self.ids, self.headings, self.pictures, self.text = [], [], set(), [], [], []
        self.stubs, self.rows, self.skipping = 0, 0, 0
        self.feed(path.read_text(encoding="utf-8"))
        self.words = "".join(self.text)

    def handle_starttag(self, tag, attrs):
        about = dict(attrs)
        if "id" in about:
            self.ids.add(about["id"])
        if tag == "a" and "href" in about:
            self.links.append(about["href"])
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed") and about.get("src"):
            self.loads.append(about["src"])
        if tag == "link" and about.get("rel") not in ("search", "next", "prev", "index", "author", "canonical"):
            self.loads.append(about.get("href", ""))
        if tag == "img":
            self.pictures.append((about.get("src"), about.get("alt", "")))
        if HEAD.fullmatch(tag):
            self.headings.append(int(tag[1]))
        self.rows += tag == "tr"
        self.skipping += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.skipping -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.skipping:
            self.text.append(data)


@pytest.fixture(scope="module")
def pages(built_site):
    """Each page by its path in the site."""
    return {str(path.relative_to(built_site[0])): Page(path) for path in sorted(built_site[0].rglob("*.html"))}


def test_sphinx_has_no_complaint_and_every_lesson_its_page(built_site, pages):
    """No warning: each link between pages, formula and heading is understood."""
    assert built_site[1] == ""
    stems, taught = {path.stem for path in find_lessons()}, {lesson.stem for lesson in finished()}
    inside = {"lessons": stems, "workshops": taught | {"index"}, "slides": taught}
    assert {name for name in pages if "/" in name} == {
        f"{folder}/{stem}.html" for folder, found in inside.items() for stem in found
    }
    assert {"index.html", "map.html", "ledger.html", "glossary.html", "teaching.html", "search.html"} <= set(pages)


def test_the_site_is_small(built_site):
    """All of it takes at most 30 MB."""
    assert sum(path.stat().st_size for path in built_site[0].rglob("*") if path.is_file()) < 30e6


def test_no_page_loads_anything_from_elsewhere(built_site, pages):
    """Scripts, styles, fonts and pictures are files of the site."""
    folder = built_site[0]
    for name, page in pages.items():
        for address in page.loads:
            assert not re.match(r"(?:[a-z]+:)?//", address), (name, address)
    for sheet in folder.rglob("*.css"):
        for address in re.findall(r"url\(([^)]*)\)|@import\s+([^;]+)", sheet.read_text(encoding="utf-8")):
            assert not re.match(r"""["']?(?:https?:)?//""", "".join(address)), (sheet, address)


def test_every_internal_link_leads_somewhere(built_site, pages):
    """Each link's page exists, and has the place that the link names."""
    folder, lost = built_site[0], []
    for name, page in pages.items():
        for link in page.links + page.loads:
            address, place = urldefrag(link)
            if re.match(r"[a-z]+:", address):
                continue
            target = (folder / name).parent / unquote(address.split("?")[0]) if address else folder / name
            key = target.resolve().relative_to(folder.resolve()).as_posix()
            if not target.exists() or (place and key in pages and unquote(place) not in pages[key].ids):
                lost.append((name, link))
    assert lost == []


def test_pictures_have_words_and_headings_their_order(pages):
    """Each picture has a text alternative; each page one title, and no level is left out on the way down."""
    for name, page in pages.items():
        for source, text in page.pictures:
            assert len(text) > 3, (name, source)
            assert not text.endswith(".png"), (name, source)
        if name == "search.html":
            continue
        assert page.headings.count(1) == 1, name
        for above, below in zip(page.headings, page.headings[1:], strict=False):
            assert below <= above + 1, (name, above, below)


def test_pictures_in_lessons_have_the_lessons_words(built_site, pages):
    """The text alternatives are those that the lesson's author wrote, one a picture."""
    for path in find_lessons():
        solution = nbformat.read(ROOT / "solutions" / f"{path.stem}.ipynb", as_version=4)
        wanted = set(site.alternatives(solution).values())
        shown = {" ".join(text.split()) for _, text in pages[f"lessons/{path.stem}.html"].pictures}
        assert shown <= {" ".join(text.split()) for text in wanted}, path.stem
        assert bool(shown) == bool(wanted)


def test_the_answers_stay_out(pages):
    """A page shows each exercise's stub, no line of a long answer, and no instructor's cell."""
    for path in find_lessons():
        lesson, words = read_lesson(path), pages[f"lessons/{path.stem}.html"].words
        exercises = [cell for cell in lesson.cells if "exercise" in cell.tags]
        assert words.count(STUB) == len(exercises), path.stem
        assert "BEGIN SOLUTION" not in words
        open_code = "\n".join(cell.source for cell in lesson.cells if not {"exercise", "instructor"} & set(cell.tags))
        for cell in exercises:
            answer = cell.source.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]
            for line in answer.splitlines():
                if len(line.strip()) > 50 and line.strip() not in open_code:
                    assert line.strip() not in words, (path.stem, line)
        for cell in lesson.cells:
            if "instructor" in cell.tags and len(cell.source) > 80:
                assert cell.source.strip() not in words, path.stem


def test_with_solutions_the_answers_are_there():
    """Instructors get the executed solution whole, their own cells marked."""
    lesson = read_lesson(find_lessons()[1])
    page = site.lesson_page(lesson, with_solutions=True)
    text = "\n".join(cell.source for cell in page.cells)
    for cell in lesson.cells:
        if "exercise" in cell.tags:
            assert solution_code(cell).splitlines()[-1] in text
    marked = [cell for cell in page.cells if "instructors-cell" in cell.metadata.get("tags", ())]
    assert len(marked) == sum("instructor" in cell.tags for cell in lesson.cells) > 0


def test_results_of_open_cells_are_shown_and_checks_are_not(pages):
    """A student's page has the verdict's box, and no word that a check has passed."""
    for lesson in finished():
        words = pages[f"lessons/{lesson.stem}.html"].words
        assert "Verdict:" in words
        assert not re.search(r"✔ \w+: passed", words)


def test_the_tables_are_whole(pages):
    """The ledger has a row a verdict, the glossary one a term; the controls know each outcome."""
    assert pages["ledger.html"].rows == 1 + len(verdicts())
    assert pages["glossary.html"].rows == 1 + sum(len(lesson.front.get("terms", [])) for lesson in finished())
    text = site.ledger_page()
    for record in verdicts():
        assert f'data-verdict="{record["outcome"]}"' in text
        assert f'data-section="{"|".join(record["sections"])}"' in text


def test_links_to_files_of_the_repository_become_links_to_pages():
    """The README's and the lessons' links lead to pages of the site."""
    given = "[a](notebooks/02_tiny_gpt.ipynb) [b](lessons/README.md#claims-ledger) [c](lessons/glossary.md)"
    assert site.on_site(given) == "[a](lessons/02_tiny_gpt.ipynb) [b](ledger.md) [c](glossary.md)"


def test_the_menu_leads_to_the_workshops_and_these_to_the_slides(pages):
    """Routes are in every page's menu; they lead to each run-of-show, and it to its notebook and its slides."""
    assert "workshops/index.html" in pages["map.html"].links
    for lesson in finished():
        assert f"{lesson.stem}.html" in pages["workshops/index.html"].links
        links = pages[f"workshops/{lesson.stem}.html"].links
        assert {f"../slides/{lesson.stem}.html", f"../lessons/{lesson.stem}.html", "index.html"} <= set(links)
        assert f"slides/{lesson.stem}.html" in pages["teaching.html"].links


def test_formulas_are_drawn_without_a_script(pages):
    """LaTeX becomes MathML: no page needs a script for it, and no command is left over."""
    fraction = mathml(r"\frac{1}{n} \sum_{i=1}^{n} \hat y_i", block=True)
    assert 'display="block"' in fraction
    assert all(f"<{tag}" in fraction for tag in ("mfrac", "munderover", "mover"))
    assert "\\" not in mathml(r"\mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt d}\right) V", block=False)
    with pytest.raises(ValueError, match=r"formula: \\nonsense is not known"):
        mathml(r"a + \nonsense", block=False)
    for name, page in pages.items():
        assert "mathjax" not in " ".join(page.loads).lower(), name
        assert "$$" not in page.words, name


def test_another_folder_is_never_replaced(tmp_path, capsys):
    """A folder that holds something else is refused in one sentence, and stays."""
    (tmp_path / "thesis.txt").write_text("years of work")
    assert site.main(["--out", str(tmp_path)]) == 1
    assert f"--out must be a new folder or one with an earlier site, got {tmp_path}" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_the_earlier_site_is_replaced_and_faults_are_told(tmp_path, monkeypatch, capsys):
    """A second build takes the place of the first; a link that leads nowhere is told, and the exit code says so."""

    def one_page(folder, *, with_solutions, root=ROOT):
        folder.mkdir()
        (folder / "lessons").mkdir()
        (folder / "alternatives.json").write_text("{}")
        (folder / "conf.py").write_text(f"globals().update({site.SETTINGS!r})")
        (folder / "index.md").write_text("# A title\n\n[lost](nowhere.md)\n")

    monkeypatch.setattr(site, "write_pages", one_page)
    out = tmp_path / "site"
    for _ in range(2):
        assert site.main(["--out", str(out)]) == 1
        assert "nowhere" in capsys.readouterr().err
        assert (out / "index.html").exists()
        assert not (out / "yesterday.html").exists()
        (out / "yesterday.html").touch()
