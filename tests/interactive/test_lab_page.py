"""The lab in a real browser, as `lecture-optax lab` serves it: `make check-docs`.

Every request but to the server is refused; what the page logs or raises is a fault.
"""

import threading
import xml.etree.ElementTree as ElementTree
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import jax
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.interactive.engine import LANDSCAPES, Engine
from lecture_optax.interactive.server import HOST, NO_TOKEN
from tests.interactive.lab_tab import LabTab
from tests.interactive.serving import TOKEN, Endless, served

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("standard_promotion")]

PLANE, LOSS = ".lo-plane", ".lo-curves"
HALF_A_PIXEL = 0.5


def by_hand(text, state):
    """Return θ(0), ..., θ(n) and its losses, step by step without the lab's loop."""
    tx, landscape = eval(text, {"lo": lo}), LANDSCAPES[state["landscape"]]

    def loss(θ):
        return landscape.loss(θ, state["controls"])

    @jax.jit
    def step(θ, memory):
        updates, memory = tx.update(jax.grad(loss)(θ), memory, θ)
        return optax.apply_updates(θ, updates), memory

    points = [np.array(state["start"], np.float32)]
    memory = tx.init(points[0])
    for _ in range(state["steps"]):
        θ, memory = step(points[-1], memory)
        points.append(np.asarray(θ))
    return np.array(points), np.array(jax.vmap(loss)(np.array(points)))


def distances(points, line):
    """Return the distance of each point to a polyline."""
    begin, way = line[:-1], np.diff(line, axis=0)
    part = ((points[:, None] - begin) * way).sum(-1) / np.maximum((way**2).sum(-1), 1e-12)
    nearest = begin + np.clip(part, 0, 1)[..., None] * way
    return np.linalg.norm(points[:, None] - nearest, axis=-1).min(1)


def check_numbers(here, *methods):
    """Compare what the page received and drew of these methods with the library's numbers."""
    state, _, arrays = here.run
    for i in methods:
        path, loss = by_hand(state["methods"][i], state)
        np.testing.assert_allclose(arrays[f"path.{i}"], path, atol=1e-6 * np.abs(path).max())
        np.testing.assert_allclose(arrays[f"loss.{i}"], loss, atol=1e-6 * loss.max())
        for picture, values in ((PLANE, path), (LOSS, np.c_[np.arange(len(loss)), loss])):
            line, x, y = here.drawn(picture, i)
            true = np.c_[x(values[:, 0]), y(values[:, 1])]
            if picture == LOSS:  # the curve ends where it reaches the end of the axis
                true = np.minimum(true[true[:, 0] <= line[-1, 0]], [np.inf, line[:, 1].max()])
            assert distances(true, line).max() < HALF_A_PIXEL
            assert distances(line, true).max() < HALF_A_PIXEL


def grip(here, slider):
    """Return where the thumb of a slider is, and how far its track reaches."""
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    place = float(slider.input_value()) / 1000
    return box["x"] + 9 + place * (box["width"] - 18), box["y"] + box["height"] / 2, box["width"]


def line_of(here, picture, method):
    return here.drawn(picture, method)[0].tolist()


def test_a_slider_that_is_dragged_moves_the_picture_with_the_librarys_numbers(visit):
    here = visit()
    check_numbers(here, 0, 2)
    compiled, before = here.compiled, [line_of(here, picture, 1) for picture in (PLANE, LOSS)]
    others, text = [line_of(here, PLANE, i) for i in (0, 2)], here.typed(1)
    slider = here.card(1).get_by_role("slider", name="momentum μ")
    x, y, width = grip(here, slider)
    here.drag((x, y), (x - 0.1 * width, y))
    assert here.typed(1) != text and here.typed(1).startswith("lo.sgd(0.1, momentum=0.")
    assert here.run[0]["methods"][1] == here.typed(1)
    check_numbers(here, 1)
    for picture, line in zip((PLANE, LOSS), before, strict=True):
        assert line_of(here, picture, 1) != line
    assert [line_of(here, PLANE, i) for i in (0, 2)] == others
    assert here.compiled == compiled


def test_the_start_that_is_dragged_begins_every_path(visit):
    here = visit()
    compiled, line = here.compiled, line_of(here, PLANE, 0)
    box = here.tab.get_by_role("slider", name="start point").locator("circle").nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    here.drag((x, y), (x + 120, y + 40))
    state = here.run[0]
    assert state["start"] != [-1.8, 1.1] and state["start"][0] > -1.8 and state["start"][1] < 1.1
    assert line_of(here, PLANE, 0) != line
    check_numbers(here, 1)
    assert here.compiled == compiled


def test_every_control_of_the_landscape_and_the_run_compiles_nothing(visit):
    here = visit("#landscape=noisy_quadratic")
    compiled = here.compiled
    sliders = here.tab.locator(".lo-settings").get_by_role("slider")
    for i in range(sliders.count()):
        before = here.run[0]
        sliders.nth(i).press("PageUp" if i else "PageDown")
        here.settle()
        assert here.run[0] != before
    assert here.compiled == compiled


def test_an_address_holds_the_whole_state(visit):
    here = visit()
    here.card(1).get_by_role("slider", name="momentum μ").press("PageDown")
    here.tab.get_by_label("condition number κ").first.press("PageUp")
    here.tab.get_by_role("slider", name="start point").press("ArrowUp")
    here.card(2).get_by_label("Schedule").select_option("cosine")
    here.settle()
    here.tab.locator(".lo-settings").get_by_role("slider", name="steps").press("PageDown")
    here.settle()
    state, _, arrays = here.run
    again = visit(here.hash)
    assert again.hash == here.hash
    assert again.run[0] == state
    for name, array in again.run[2].items():
        np.testing.assert_array_equal(array, arrays[name])


def test_back_and_forward_go_through_the_choices(visit):
    here = visit()
    first = here.hash
    for landscape in ("Ravine", "Saddle"):
        here.tab.get_by_label("Landscape", exact=True).select_option(landscape)
        here.settle()
    seen = [here.run[0]["landscape"]]
    for go in (here.tab.go_back, here.tab.go_back, here.tab.go_forward):
        go()
        here.settle()
        seen.append(here.run[0]["landscape"])
    assert seen == ["saddle", "ravine", "quadratic", "ravine"]
    here.tab.go_back()
    here.settle()
    assert here.hash == first


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("landscape=nowhere", "the landscapes are quadratic,"),
        ("steps=-3", "it is a number from 1 to 2000."),
        ("steps=2.5", "it is a whole number"),
        ("start=1", "start is two numbers, x,y."),
        ("colour=red", "has no such part."),
        ("%=%", "has no such part."),
        ("method=lo.nothing(1)", "is left out:"),
        ("method=<img src=x onerror=alert(1)>", "is left out:"),
    ],
)
def test_an_invalid_part_of_an_address_is_said_and_ignored(visit, part, words):
    here = visit(f"#{part}&steps=50" if "steps" not in part else f"#{part}")
    here.tab.wait_for_function("document.querySelector('.lo-message').textContent")
    assert words in here.text(".lo-message")
    state = here.run[0]
    assert state["landscape"] == "quadratic" and len(state["methods"]) == 3
    assert state["steps"] == (200 if "steps" in part else 50)
    assert here.tab.locator("main img").count() == 0


def focus(here, name):
    """Press Tab until an element of this name has the focus."""
    for _ in range(80):
        here.tab.keyboard.press("Tab")
        if here.tab.evaluate(NAME_IN_FOCUS) == name:
            return
    pytest.fail(f"no Tab reaches {name!r}")


NAME_IN_FOCUS = """() => {
  const { activeElement: it } = document;
  return it.getAttribute("aria-label") ?? it.labels?.[0]?.textContent ?? it.textContent;
}"""

OUTLINE = """() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
}"""


def test_everything_is_reached_by_the_keyboard_and_shows_its_focus(visit):
    here = visit()
    focusable = here.tab.locator(
        ":is(button, input, select, textarea, [tabindex]):visible:not([disabled])"
    ).count()
    names = []
    here.tab.keyboard.press("Tab")
    while (name := here.tab.evaluate(NAME_IN_FOCUS)) and here.tab.evaluate(
        "document.activeElement !== document.body"
    ):
        assert here.tab.evaluate(OUTLINE), name
        names.append(name)
        here.tab.keyboard.press("Tab")
        assert len(names) <= focusable
    assert len(names) == focusable


def test_the_page_is_used_by_the_keyboard_alone(visit):
    here = visit()
    keys = here.tab.keyboard
    focus(here, "Play the slides")
    keys.press("Enter")
    here.settle()
    assert here.text(".lo-sentence")
    shown = here.text(".lo-sentence")
    focus(here, "Next ›")
    keys.press("Space")
    here.settle()
    assert here.text(".lo-sentence") not in ("", shown)
    here.open("#")
    focus(here, "start point, moved by the arrow keys")
    keys.press("ArrowRight")
    here.settle()
    (x, y) = here.run[0]["start"]
    assert x > -1.8 and y == 1.1
    focus(here, "Update")
    for key, pressed in (("Space", "true"), ("Enter", "false")):
        keys.press(key)
        button = here.tab.get_by_role("button", name="Update", exact=True)
        assert button.get_attribute("aria-pressed") == pressed
    focus(here, "step of the ruler, loss L(θₖ)")
    ruler = here.tab.get_by_role("slider", name="step of the ruler, loss")
    keys.press("End")
    assert ruler.get_attribute("aria-valuenow") == "200"
    loss = here.run[2]["loss.0"][-1]
    assert f"Gradient descent: {loss:.3g}," in ruler.get_attribute("aria-valuetext")
    keys.press("Escape")
    assert ruler.get_attribute("aria-valuetext") == "no step"
    focus(here, "learning rate τ")
    before = here.typed(0)
    keys.press("ArrowRight")
    here.settle()
    assert here.typed(0) != before
    keys.press("ArrowLeft")
    here.settle()
    assert here.typed(0) == before


def test_every_slide_is_shown_with_its_sentence_and_without_a_fault(visit):
    here = visit()
    here.tab.get_by_role("button", name="Play the slides").click()
    here.settle()
    slides = Engine().answer({"ask": "page"})[0]["slides"]
    assert len(slides) > 10
    for slide in slides:
        here.tab.get_by_label("Slide", exact=True).select_option(slide["slide"])
        here.settle()
        sentence = here.tab.locator(".lo-sentence")
        assert sentence.inner_text() == slide["sentence"] and sentence.is_visible()
        assert here.run[0] == slide["state"]
        assert here.text(".lo-failure") == ""


def test_the_line_of_python_that_is_copied_makes_the_same_state(visit):
    permitted = ["clipboard-read", "clipboard-write"]
    here = visit("#landscape=ravine&steepness=20&steps=60", permissions=permitted)
    here.tab.get_by_role("button", name="Copy Python").click()
    here.tab.get_by_text("The line of Python is copied.").wait_for()
    line = here.tab.evaluate("navigator.clipboard.readText()")
    assert eval(line, {"lo": lo}).state == here.run[0]


def test_the_link_that_is_copied_has_the_state_and_no_token(visit, address):
    permitted = ["clipboard-read", "clipboard-write"]
    here = visit("#landscape=saddle&steps=60", permissions=permitted)
    here.tab.get_by_role("button", name="Copy link").click()
    here.tab.get_by_text("without your token").wait_for()
    link = here.tab.evaluate("navigator.clipboard.readText()")
    begin, hash = link.split("#")
    assert begin == address.partition("?")[0]
    assert visit(f"#{hash}").run[0] == here.run[0]


def saved(here, kind, folder):
    with here.tab.expect_download() as download:
        here.tab.get_by_role("button", name=f"Save {kind}").click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def test_pictures_that_are_saved_are_complete(visit, tmp_path):
    from PIL import Image

    here = visit()
    svg = ElementTree.parse(saved(here, "SVG", tmp_path)).getroot()
    every = list(svg.iter())
    ids = {each.get("id") for each in every}
    for each in every:
        for name, value in each.items():
            assert not name.endswith(("href", "src")) and "http" not in value, (name, value)
            if "url(" in value:
                assert value.removeprefix("url(#").removesuffix(")") in ids
    texts = {each.text for each in every if each.tag.endswith("text")}
    assert {"Heavy ball", "lo.sgd(0.1, momentum=0.9)"} <= texts
    with Image.open(saved(here, "PNG", tmp_path)) as image:
        assert image.size == tuple(round(2 * float(svg.get(x))) for x in ("width", "height"))
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    for colour in ((0, 0, 0), (0xD5, 0x5E, 0), (0, 0x72, 0xB2)):
        assert (np.abs(pixels - np.array(colour)).max(1) < 8).sum() > 100


def test_text_that_is_typed_is_never_run(visit, tmp_path):
    here, target = visit(), tmp_path / "made"
    text, run = here.typed(1), here.run
    here.type(1, f"__import__('os').system('touch {target}')")
    error = here.card(1).locator(".lo-text .lo-error")
    assert error.is_visible() and "__import__" in error.inner_text()
    assert not target.exists()
    assert here.run[0] == run[0]
    here.type(1, "lo.adamm(0.1)")
    assert "id you mean" in error.inner_text() and "lo.adam" in error.inner_text()
    here.type(1, text)
    assert error.inner_text() == "" and here.run[0] == run[0]


STRANGER = """async (address) => {
  const socket = address.replace("http", "ws").replace("?", "socket?");
  const read = (way) => fetch(address, way).then((answer) => answer.text()).catch(() => "refused");
  return {
    own: await fetch(location.href).then((answer) => answer.status),
    read: await read({}),
    blind: await read({ mode: "no-cors" }),
    socket: await new Promise((done) => {
      const made = new WebSocket(socket);
      made.onopen = () => done("open");
      made.onerror = () => done("refused");
    }),
    frame: await new Promise((done) => {
      const frame = document.createElement("iframe");
      frame.onload = () => done(frame.contentDocument ? "readable" : "refused");
      frame.src = address;
      document.body.append(frame);
    }),
  };
}"""


def test_a_page_of_another_server_cannot_call_this_one(browser, address, tmp_path):
    (tmp_path / "index.html").write_text("<title>another server</title>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer((HOST, 0), partial(Quiet, directory=tmp_path)) as other:
        threading.Thread(target=other.serve_forever).start()
        tab = browser.new_page()
        tab.goto(f"http://{HOST}:{other.server_port}/")
        found = tab.evaluate(STRANGER, address)
        inside = [frame.locator("[data-lab]").count() for frame in tab.frames]
        tab.close()
        other.shutdown()
    assert found.pop("own") == 200
    assert set(found.values()) == {"refused"}
    assert inside == [0, 0]


@pytest.mark.parametrize("token", ["", "?token=", "?token=guess"])
def test_without_the_token_there_is_no_page(browser, address, token):
    tab = browser.new_page()
    answer = tab.goto(address.partition("?")[0] + token)
    assert answer.status == 403 and tab.inner_text("body") == NO_TOKEN
    tab.close()


def wait(here, condition):
    """Wait until a condition of this process holds."""
    while not condition():
        here.tab.wait_for_timeout(10)


def test_closing_the_tab_ends_its_run(browser):
    engine = Endless()
    with served(engine) as port:
        own = LabTab(browser, f"http://{HOST}:{port}/?token={TOKEN}")
        other = LabTab(browser, f"http://{HOST}:{port}/?token={TOKEN}")
        for each in (own, other):
            each.tab.goto(each.address)
            each.tab.locator("progress:not([hidden])").wait_for()
        running = set(engine.running)
        own.close()
        wait(other, lambda: len(engine.running) < 2)
        other.tab.locator("progress:not([hidden])").wait_for()
        assert running
        other.close()


def test_the_page_says_that_its_server_stopped_and_finds_the_next_one(browser):
    with served(Engine()) as port:
        here = LabTab(browser, f"http://{HOST}:{port}/?token={TOKEN}")
        here.open("#steps=20&method=lo.sgd(0.1)")
        assert not here.tab.get_by_text("The server does not answer.").is_visible()
    here.tab.get_by_text("The server does not answer.").wait_for()
    before = here.run[0]
    here.card(0).get_by_role("slider", name="learning rate τ").press("ArrowRight")
    with served(Engine(), port):
        here.tab.get_by_text("The server does not answer.").wait_for(state="hidden")
        here.settle()
        assert here.run[0]["methods"][0] != before["methods"][0]
    here.close()


def test_the_page_says_that_another_lab_took_the_place_of_its_own(browser):
    with served(Engine()) as port:
        here = LabTab(browser, f"http://{HOST}:{port}/?token=an-older-token")
        here.tab.goto(f"http://{HOST}:{port}/?token={TOKEN}")
        here.settle()
        here.open("#steps=20&method=lo.sgd(0.1)")  # by the cookie
        here.context.clear_cookies()
    here.tab.get_by_text("The server does not answer.").wait_for()
    with served(Engine(), port):
        here.tab.get_by_text("Another lab runs here now.").wait_for()
        assert here.tab.locator(".lo-silent").count() == 1
        other = here.context.new_page()
        other.goto(f"http://{HOST}:{port}/?token={TOKEN}")
        here.tab.get_by_text("Another lab runs here now.").wait_for(state="hidden")
    here.close()


def test_the_slides_end_at_the_last_and_give_the_page_back(visit):
    here = visit("#landscape=ravine&steps=60")
    mine, play = here.hash, here.tab.get_by_role("button", name="Play the slides")
    play.click()
    here.settle()
    first = here.text(".lo-sentence")
    following = here.tab.get_by_role("button", name="Next ›")
    following.click()
    here.settle()
    here.tab.go_back()
    here.settle()
    assert here.text(".lo-sentence") == first
    slides = here.tab.get_by_label("Slide", exact=True)
    slides.select_option(index=slides.locator("option").count() - 1)
    here.settle()
    last = here.text(".lo-sentence")
    assert following.get_attribute("aria-disabled") == "true"
    following.press("Enter")
    here.settle()
    assert here.text(".lo-sentence") == last
    play.click()
    here.settle()
    assert here.hash == mine and here.tab.locator(".lo-slides").is_hidden()


def test_a_method_that_is_exchanged_keeps_numbers_schedule_and_average(visit):
    here = visit("#method=lo.sgd(1.0,momentum=0.5)")
    card = here.card(0)
    card.get_by_label("Schedule").select_option("exponential")
    here.settle()
    card.get_by_label("Average").check()
    here.settle()
    card.get_by_label("Optimizer").select_option("Nesterov")
    here.settle()
    assert here.typed(0) == (
        "lo.chain(lo.sgd(lo.schedules.exponential(1.0, decay_rate=0.98), momentum=0.5, "
        "nesterov=True), lo.average_iterates(8.0))"
    )
    _, _, arrays = here.run
    names = here.tab.locator(".lo-results dt").all_inner_texts()
    values = here.tab.locator(".lo-results dd").all_inner_texts()
    shown = float(dict(zip(names, values, strict=True))["final loss, average"])
    assert shown == pytest.approx(arrays["average_loss.0"][-1], rel=5e-3)


def test_a_number_beyond_its_slider_does_not_change_the_slider_for_good(visit):
    here = visit("#method=lo.sgd(0.1)")
    field = here.card(0).get_by_label("learning rate τ, as a number")
    slider = here.card(0).get_by_role("slider", name="learning rate τ")
    place = slider.input_value()
    for text in ("1e9", "0.1"):
        field.fill(text)
        field.press("Enter")
        here.settle()
    assert slider.input_value() == place


def test_a_number_that_is_refused_is_marked_and_given_up(visit):
    here = visit()
    field = here.tab.locator(".lo-settings").get_by_label("steps, as a number")
    refusal = here.tab.locator(".lo-settings .lo-refused:visible")
    for give_up in ("Escape", "Tab"):
        field.fill("1e9")
        field.press("Tab")
        assert field.get_attribute("aria-invalid") == "true"
        assert refusal.inner_text() == 'steps must be a whole number from 1 to 2000, got "1e9".'
        field.press(give_up)
        assert field.input_value() == "200" and refusal.count() == 0


def test_a_fourth_chart_is_refused_in_words(visit):
    here = visit()
    for chart in ("Update", "Directions"):
        here.tab.get_by_role("button", name=chart, exact=True).click()
    assert "At most 3 charts" in here.text(".lo-message")
    pressed = here.tab.locator('.lo-toggles [aria-pressed="true"]').all_inner_texts()
    assert pressed == ["Loss", "Update", "Stability"]
