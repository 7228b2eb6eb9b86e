"""The widget in a browser: the front end of notebooks asks this process, which plays the kernel.

It needs the bundle `widget.js`, Chromium and Playwright, and no notebook: a model that forwards
messages is all that anywidget gives to a widget.
"""

import base64

import numpy as np
import pytest

import lecture_optax as lo

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("standard_promotion")]

MODEL = """async ({ esm, css, state }) => {
  const listeners = new Set();
  const heard = (text) => new DataView(
    Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const model = {
    state,
    get: (name) => model[name],
    set: (name, value) => { model[name] = value; },
    save_changes: () => window.save(model.state),
    send: async (content) => {
      for (const [answer, buffers] of await window.kernel(content)) {
        for (const listener of listeners) listener(answer, buffers.map(heard));
      }
    },
    on: (_, listener) => listeners.add(listener),
    off: (_, listener) => listeners.delete(listener),
  };
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const source = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const widget = (await import(source)).default;
  window.close_widget = widget.render({ model, el: document.body });
}"""


@pytest.fixture
def opened(browser):
    """Return a function that opens a lab in a page, with a kernel in this process."""
    pages = []

    def open_lab(lab):
        lab._repr_mimebundle_()
        widget, page = lab._widget, browser.new_page()
        pages.append(page)

        def kernel(request):
            sent = []
            widget.send = lambda content, buffers=(): sent.append(
                [content, [base64.b64encode(each).decode() for each in buffers]]
            )
            widget._handle_custom_msg(request, [])
            return sent

        page.expose_function("kernel", kernel)
        page.expose_function("save", lambda state: widget.set_state({"state": state}))
        page.goto("about:blank")
        page.evaluate(MODEL, {"esm": widget._esm, "css": widget._css, "state": lab.state})
        page.wait_for_selector("[data-drawn]")
        return page

    yield open_lab
    for page in pages:
        page.close()


def test_a_handle_that_is_moved_changes_the_state_and_the_runs(opened):
    lab = lo.lab(lo.sgd(0.1, momentum=0.9), steps=50)
    before, page = lab.runs[0].loss, opened(lab)
    slider = page.get_by_role("slider", name="momentum").first
    slider.focus()
    drawn = page.locator(".lo-lab").get_attribute("data-drawn")
    slider.press("ArrowLeft")
    page.wait_for_function(f"document.querySelector('.lo-lab').dataset.drawn > {drawn}")
    (text,) = lab.state["methods"]
    assert text.startswith("lo.sgd(0.1, momentum=0.") and text != "lo.sgd(0.1, momentum=0.9)"
    assert not np.array_equal(lab.runs[0].loss, before)
    assert eval(lab.python()).state == lab.state


def test_a_network_reports_its_progress_and_is_drawn(opened):
    page = opened(lo.lab(lo.adam(0.05), landscape="digits", steps=20))
    assert page.locator(".lo-plane svg path").count() > 0
    assert "ms" in page.locator(".lo-status").inner_text()


def test_nothing_is_asked_of_a_network_and_nothing_is_left_when_the_cell_goes(opened):
    asked = []
    page = opened(lo.lab("lo.sgd(0.1)"))
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("close_widget()")
    assert page.locator(".lo-lab").count() == 0
    assert not asked
