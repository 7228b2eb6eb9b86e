"""The built site in a real browser, from the disk and without a network: `make check-docs`.

The screenshots stay in `build/docs/screenshots`.
"""

from pathlib import Path

import pytest

from tests.browsing import SCREENSHOTS, Visit

SITE = Path(__file__).parents[2] / "build" / "docs" / "html"

SEEN = (  # one page of each kind
    "index",
    "lab",
    "start/ten_minutes",
    "howto/warm_restarts",
    "gallery/index",
    "gallery/generated/adam",
    "tutorials/index",
    "tutorials/02_momentum",
    "tutorials/08_the_recipe_at_work",
    "coming_from/index",
    "reference/index",
    "reference/arguments",
    "reference/generated/fit",
    "explanation/theory",
    "benchmarks",
)
SMALLEST_SCALE = 0.5
"""A picture is drawn with letters of 14 pixels: at half its size one still reads them."""

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(browser):
    if not (SITE / "index.html").exists():
        pytest.fail(f"{SITE} has no site: run `make docs`")
    visits: list[SitePage] = []

    def begin(**options):
        visits.append(SitePage(browser, **options))
        return visits[-1]

    yield begin
    for each in visits:
        each.close()


class SitePage(Visit):
    """A tab that shows pages of the site."""

    def open(self, page, query=""):
        """Open a page and return what is wrong with it."""
        self.faults.clear()
        self.tab.goto((SITE / f"{page}.html").as_uri() + query)
        self.tab.wait_for_function("!window.MathJax || !!window.MathJax.startup?.promise")
        self.tab.evaluate("window.MathJax?.startup.promise")
        if page == "lab":
            self.tab.wait_for_selector(".lo-lab[data-drawn]")
        return [f"{page} {fault}" for fault in self.faults + self.wider()]

    def small_pictures(self):
        """Return the pictures that are missing or too small, as their file and scale."""
        self.tab.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
        self.tab.wait_for_function("[...document.images].every(image => image.complete)")
        scales = self.tab.evaluate(
            """[...document.querySelectorAll('article img:not(.sd-card img)')].filter(
                image => image.offsetParent
            ).map(image => [image.src.slice(0, 80), image.width / image.naturalWidth])"""
        )
        return [(source, scale) for source, scale in scales if not scale >= SMALLEST_SCALE]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", SEEN)
def test_a_page_is_readable(visit, page, width, scheme):
    here = visit(width=width, scheme=scheme)
    faults = here.open(page)
    small = here.small_pictures()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    name = f"{page.replace('/', '-')}-{width}-{scheme}.png"
    here.tab.screenshot(path=SCREENSHOTS / name, full_page=True)
    assert not faults
    assert not small


def test_no_page_requests_logs_or_overflows_on_a_narrow_screen(visit):
    here = visit(width=390)
    pages = sorted(path.relative_to(SITE).with_suffix("") for path in SITE.rglob("*.html"))
    # Generated pages are alike: one of each kind is in `SEEN`.
    pages = [page for page in pages if not {"_static", "generated"} & set(page.parts)]
    assert len(pages) > 50
    assert not [fault for page in pages for fault in here.open(page)]


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("warm restart", "howto/warm_restarts"),
        ("NaN", "howto/loss_is_nan"),
        ("BatchNorm", "howto/batchnorm_and_averages"),
    ],
)
def test_the_search_works_from_the_disk(visit, words, page):
    here = visit()
    here.open("index")
    here.tab.keyboard.press("Control+k")
    here.tab.keyboard.type(words)
    here.tab.keyboard.press("Enter")
    here.tab.wait_for_selector("#search-results li a")
    here.tab.wait_for_function("document.querySelector('.search-summary').innerText.match(/\\d/)")
    found = here.tab.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
    assert not here.faults
    assert any(f"{page}.html" in link for link in found[:8])
