"""How the lab looks: narrow and wide, light and dark, without motion, and for axe-core.

The screenshots stay in `build/docs/screenshots`.
"""

from pathlib import Path

import pytest

from tests.browsing import SCREENSHOTS

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"

TWO = "&method=lo.sgd(0.1)&method=lo.adam(0.1,b1=0.9,b2=0.999,eps=1e-08)"
STATES = {
    "first": "#",
    "diverged": "#method=lo.sgd(2.1)&method=lo.sgd(0.3,momentum=0.9,nesterov=True)",
    "network": "#landscape=digits&steps=60" + TWO,
}
EACH = pytest.mark.parametrize("scheme", ["light", "dark"])
SMALLEST_LETTERS = 11

# The texts of a page: each with its box on the screen, and the size of its letters there.
TEXTS = """() => {
  const isSeen = (it) => it.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && getComputedStyle(it).clipPath === "none" && !it.closest(".lo-hidden, desc");
  const found = [];
  const note = (text, box, size, over) => {
    if (box.width > 1 && box.height > 1) {
      found.push({ text, size, over, box: [box.left, box.top, box.right, box.bottom] });
    }
  };
  const isOver = (it) => it.closest(".lo-message, .lo-failure, .lo-notice") !== null;
  for (const it of document.querySelectorAll("svg text")) {
    if (!isSeen(it) || !it.textContent.trim()) continue;
    const size = parseFloat(getComputedStyle(it).fontSize) * it.getScreenCTM().a;
    const lines = it.querySelector("tspan") ? [...it.querySelectorAll("tspan")] : [it];
    for (const line of lines) {
      note(line.textContent, line.getBoundingClientRect(), size, isOver(it));
    }
  }
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const { currentNode: node } = words;
    const it = node.parentElement;
    const isText = node.data.trim() && !it.closest("svg, button, select, textarea, script");
    if (!isText || !isSeen(it)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const size = parseFloat(getComputedStyle(it).fontSize);
    for (const box of range.getClientRects()) note(node.data, box, size, isOver(it));
  }
  for (const it of document.querySelectorAll("button, select, textarea, input:not([type=range])")) {
    if (!isSeen(it)) continue;
    const size = parseFloat(getComputedStyle(it).fontSize);
    note(it.textContent || it.value, it.getBoundingClientRect(), size, isOver(it));
  }
  return found;
}"""

MOTIONS = """() => [...document.querySelectorAll("*")].filter((it) => {
  const { transitionDuration, animationDuration } = getComputedStyle(it);
  return `${transitionDuration},${animationDuration}`.split(",").some((x) => parseFloat(x) > 0.01);
}).length + document.getAnimations().length"""

CUT = 2.0
"""Pixels of a box that no letter reaches, above and below."""


def overlaps(texts):
    """Return the pairs of texts that cover each other; a message may stand over a picture."""
    found = []
    for i, one in enumerate(texts):
        for other in texts[:i]:
            (a, b, c, d), (e, f, g, h) = one["box"], other["box"]
            is_covered = min(c, g) - max(a, e) > 1 and min(d, h) - max(b, f) > 1 + 2 * CUT
            if is_covered and one["over"] == other["over"]:
                found.append((one["text"], other["text"]))
    return found


def refuse(here):
    """Let the page show an error of a text."""
    here.type(0, "lo.adamm(0.1)")
    assert here.card(0).locator(".lo-text .lo-error").is_visible()


@EACH
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_readable(visit, width, scheme):
    here = visit(width=width, scheme=scheme)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def check(name):
        texts = here.tab.evaluate(TEXTS)
        here.tab.screenshot(path=SCREENSHOTS / f"lab-{name}-{width}-{scheme}.png", full_page=True)
        assert len(texts) > 60 and here.wider() == []
        assert overlaps(texts) == [], name
        assert [each for each in texts if each["size"] < SMALLEST_LETTERS] == [], name

    for name, state in STATES.items():
        here.open(state)
        check(name)
    here.open(STATES["first"])
    here.show("Learning rate")
    here.show("Directions")
    refuse(here)
    check("error")
    here.tab.get_by_role("button", name="Play the slides").click()
    here.settle()
    check("slide")


@EACH
def test_axe_finds_nothing_serious(visit, scheme):
    if not AXE.exists():
        pytest.fail("axe-core is not installed: run `make frontend`")
    here = visit(scheme=scheme, bypass_csp=True)

    def check(name):
        here.tab.evaluate(AXE.read_text())
        found = here.tab.evaluate("axe.run({ resultTypes: ['violations'] })")
        serious = [
            (each["id"], [node["html"][:120] for node in each["nodes"]])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert len(found["passes"]) > 10
        assert serious == [], name

    for name, state in STATES.items():
        here.open(state)
        check(name)
    here.open(STATES["first"])
    refuse(here)
    here.tab.get_by_role("button", name="Play the slides").click()
    here.settle()
    check("error and slides")


def test_a_reader_who_asks_for_no_motion_gets_none(visit):
    here = visit()
    here.card(0).get_by_role("slider", name="learning rate τ").press("ArrowRight")
    assert here.tab.evaluate(MOTIONS) == 0
    here.tab.emulate_media(reduced_motion="no-preference")
    assert here.tab.evaluate(MOTIONS) > 0
