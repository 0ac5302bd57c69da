"""The static site in a real browser: silent, at home on a telephone, readable by day and by night, searchable."""

import re

import pytest

from tinyfrontier.authoring.maps import finished, verdicts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600), pytest.mark.xdist_group("site")]
WIDE, NARROW = 1280, 375

# Text whose contrast with its ground is under the WCAG's 4.5 (3 for large letters).
FAINT = """() => {
    const light = colour => {
        const [r, g, b] = colour.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const read = text => {
        const [r, g, b, alpha = 1] = text.match(/[\\d.]+/g).map(Number);
        return text.startsWith("color(") ? [255 * r, 255 * g, 255 * b, alpha] : [r, g, b, alpha];
    };
    const over = (top, ground) => [0, 1, 2].map(i => top[i] * top[3] + ground[i] * (1 - top[3]));
    const ground = element => {
        const sheets = [];
        for (let e = element; e; e = e.parentElement) sheets.push(read(getComputedStyle(e).backgroundColor));
        return sheets.reverse().reduce((below, sheet) => over(sheet, below), [255, 255, 255]);
    };
    const faint = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement, words = texts.currentNode.textContent.trim();
        const seen = element.checkVisibility({visibilityProperty: true}) && !element.closest("script, style, svg");
        if (!words || !seen) continue;
        const style = getComputedStyle(element), behind = ground(element), size = parseFloat(style.fontSize);
        const pair = [light(over(read(style.color), behind)), light(behind)].sort((a, b) => b - a);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
        if (contrast < (large ? 3 : 4.495)) faint.push(`${contrast.toFixed(2)} ${style.color} ${words.slice(0, 40)}`);
    }
    return faint;
}"""


@pytest.fixture(scope="module")
def names(built_site):
    """All pages of the site, by their path in it."""
    found = sorted(path.relative_to(built_site[0]).as_posix() for path in built_site[0].rglob("*.html"))
    assert len(found) > len(finished())
    return found


@pytest.fixture
def visit(browser, built_site):
    """Opens pages in a window of a given width and colour scheme; `said` and `asked` hold what went wrong."""
    windows = []

    def open_window(width=WIDE, scheme="light"):
        page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
        page.said, page.asked, page.home = [], [], built_site[0]
        page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.show = lambda name: page.goto((built_site[0] / name).as_uri(), wait_until="load")
        windows.append(page)
        return page

    yield open_window
    for page in windows:
        page.context.close()


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_page_is_silent_and_fits(visit, names, width):
    """No error on the console, no request that leaves the machine, no page wider than its window."""
    page = visit(width)
    for name in names:
        page.show(name)
        assert page.said == [], name
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width, name
    assert page.asked
    assert [address for address in page.asked if not re.match(r"file:|data:|blob:", address)] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(visit, names, scheme):
    """Every text has a contrast of at least 4.5, large ones 3, by day and by night."""
    page = visit(scheme=scheme)
    for name in names:
        page.show(name)
        assert page.evaluate(FAINT) == [], name


def test_formulas_are_drawn(visit):
    """The browser knows MathML: a formula takes room on the page."""
    page = visit()
    page.show("lessons/00_start_here.html")
    sizes = page.evaluate("[...document.querySelectorAll('math')].map(m => m.getBoundingClientRect().height)")
    assert sizes
    assert min(sizes) > 5
    assert max(sizes) > 30  # the sum over all predictions stands higher than a line


def test_the_ledger_narrows_down(visit):
    """A verdict, a section and words leave the rows that fit, and the count says how many; clearing brings all back."""
    page, records = visit(), verdicts()
    page.show("ledger.html")
    rows, count = page.locator("#claims tbody tr:visible"), page.locator("form.narrow output")
    assert rows.count() == len(records)
    page.select_option("select[name=verdict]", "does not hold")
    wanted = [record for record in records if record["outcome"] == "does not hold"]
    assert 0 < rows.count() == len(wanted) < len(records)
    assert count.inner_text() == f"{len(wanted)} of {len(records)} claims"
    section = wanted[0]["sections"][0]
    page.select_option("select[name=section]", section)
    assert rows.count() == sum(section in record["sections"] for record in wanted)
    page.select_option("select[name=verdict]", "")
    page.select_option("select[name=section]", "")
    page.fill("input[name=words]", "no such words anywhere")
    assert rows.count() == 0
    page.fill("input[name=words]", "")
    assert rows.count() == len(records)


def test_the_glossary_is_searched_in_both_languages(visit):
    """An English or a Chinese word finds its line."""
    page = visit(NARROW)
    page.show("glossary.html")
    rows = page.locator("#terms tbody tr:visible")
    for word in ("valence", "化合价"):
        page.fill("input[name=words]", word)
        assert 1 <= rows.count() <= 5
        assert any("化合价" in text for text in rows.all_inner_texts())


def test_the_search_finds_a_lesson(visit):
    """The search works on files, without a server: words of a lesson lead to its page."""
    page = visit()
    page.goto((page.home / "search.html").as_uri() + "?q=capacity+factor")
    page.locator("#search-results li a").first.wait_for(timeout=20_000)
    assert any(
        "06_mixture_of_experts" in link
        for link in page.locator("#search-results li a").evaluate_all("e => e.map(a => a.href)")
    )


def test_hints_are_folded_and_open_by_keyboard(visit):
    """A hint shows its title alone until someone asks for it."""
    page = visit()
    page.show("lessons/01_self_attention.html")
    hint = page.locator("article details").first
    inside = hint.locator("p").first
    assert not inside.is_visible()
    hint.locator("summary").focus()
    page.keyboard.press("Enter")
    assert inside.is_visible()
