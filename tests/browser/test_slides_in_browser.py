"""The decks in a real browser: nothing is cut off, nothing asked for elsewhere, keys turn the slides."""

import re

import pytest

from tinyfrontier.authoring.maps import finished
from tinyfrontier.authoring.slides import HEIGHT, WIDTH

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600), pytest.mark.xdist_group("site")]
SIZES = """() => {
    const slide = Reveal.getCurrentSlide(), inside = [...slide.querySelectorAll("*")].filter(e => !e.closest("aside"));
    return {
        height: Math.max(slide.scrollHeight, slide.offsetHeight),
        width: Math.max(slide.scrollWidth, ...inside.map(e => e.scrollWidth)),
        words: slide.innerText.trim().length,
        seen: slide.getBoundingClientRect().height,
        pictures: [...slide.querySelectorAll("img")].map(i => [i.complete && i.naturalWidth, i.clientHeight]),
    };
}"""


@pytest.fixture
def page(browser, built_site):
    """A window of a slide's size; `said` and `asked` hold errors and requests that leave the machine."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))

    def show(lesson):
        page.goto((built_site[0] / "slides" / f"{lesson.stem}.html").as_uri())
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        return page.evaluate("Reveal.getTotalSlides()")

    page.show = show
    yield page
    page.close()


def test_every_slide_fits_and_stays_at_home(page):
    """Each slide is at most 960 x 700, has its words and its picture in full, and fetches only files beside it."""
    for lesson in finished():
        for number in range(page.show(lesson)):
            page.evaluate(f"Reveal.slide({number})")
            size = page.evaluate(SIZES)
            assert size["height"] <= HEIGHT, (lesson.stem, number, size)
            assert size["width"] <= WIDTH, (lesson.stem, number, size)
            assert size["words"] > 10, (lesson.stem, number)
            assert size["seen"] > 50, (lesson.stem, number)
            assert all(loaded and high > 100 for loaded, high in size["pictures"]), (lesson.stem, number)
        assert page.said == [], lesson.stem
    assert [address for address in page.asked if not re.match(r"file:|data:|blob:", address)] == []


def test_arrow_keys_turn_the_slides(page):
    """The right arrow goes on, the left one back, and the address tells the slide."""
    page.show(finished()[0])
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.getIndices().h") == 1
    page.wait_for_function("location.hash === '#/1'", timeout=20_000)
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("Reveal.getIndices().h") == 0


def test_notes_are_for_the_speaker_alone(page):
    """A speaker's note is in the deck and not on the screen."""
    slides = page.show(finished()[0])
    page.evaluate(f"Reveal.slide({slides - 1})")
    note = page.locator("section.present aside.notes").last
    assert "Let everybody commit" in note.text_content()
    assert not note.is_visible()
