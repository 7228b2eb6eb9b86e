"""A tab that shows the lab, and waits for conditions instead of times."""

import base64
import re

import numpy as np

from tests.browsing import Visit
from tests.interactive.serving import unpacked

# Runs before the page: it notes which requests have no answer yet, and keeps the last run.
WATCH = """(() => {
  const pending = new Map();
  window.seen = { pending, run: null };
  window.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      this.addEventListener("message", ({ data }) => {
        const length = new DataView(data).getUint32(0, true);
        const text = new TextDecoder().decode(new Uint8Array(data, 4, length));
        const { id, progress, error } = JSON.parse(text);
        if (progress) return;
        const { ask, state } = pending.get(id);
        if (ask === "run" && !error) seen.run = { state, frame: new Uint8Array(data) };
        pending.delete(id);
      });
    }
    send(text) {
      const request = JSON.parse(text);
      pending.set(request.id, request);
      super.send(text);
    }
  };
})()"""

MOST_FRAMES = 5_000

# An answer leads to the next request, or to a picture in the next frame.
SETTLED = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const isQuiet = () => !seen.pending.size && document.querySelector("[data-drawn]") !== null;
  const wasQuiet = isQuiet();
  await frame();
  await frame();
  return wasQuiet && isQuiet();
}"""

LAST_RUN = """() => ({
  state: seen.run.state,
  frame: btoa(seen.run.frame.reduce((text, byte) => text + String.fromCharCode(byte), "")),
})"""

IS_WRITTEN = """() => {
  const { landscape, controls, start, batch, seed, steps, methods } = seen.run.state;
  const numbers = Object.entries({ ...controls, start, steps, batch, seed });
  const parts = [["landscape", landscape], ...numbers, ...methods.map((text) => ["method", text])];
  const text = parts.map(([name, value]) => `${name}=${value}`).join("&").replaceAll(", ", ",");
  return decodeURIComponent(location.hash) === `#${text}`;
}"""

RAISED = {letter: str(i) for i, letter in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")} | {"⁻": "-"}


class LabTab(Visit):
    """A tab of the lab at an address; whatever it requests elsewhere is a fault."""

    def __init__(self, browser, address, **options):
        super().__init__(browser, allowed=address.partition("?")[0], **options)
        self.address = address
        self.tab.add_init_script(WATCH)
        self.tab.on("websocket", self._check_socket)

    def _check_socket(self, socket):
        if not socket.url.startswith(self.address.replace("http", "ws", 1).partition("?")[0]):
            self.faults.append(f"opened {socket.url}")

    def open(self, state=""):
        """Open the lab with what stands behind # in its address."""
        self.tab.goto(self.address + state)
        self.settle()

    def settle(self):
        """Wait until every request has its answer, and the picture is drawn."""
        for _ in range(MOST_FRAMES):
            if self.tab.evaluate(SETTLED):
                return
        raise TimeoutError("a request has no answer, or nothing is drawn.")

    @property
    def run(self):
        """The last run that arrived: its state, its JSON values and its arrays."""
        last = self.tab.evaluate(LAST_RUN)
        return last["state"], *unpacked(base64.b64decode(last["frame"]))

    @property
    def hash(self):
        """What stands behind # when the last state is written there."""
        self.tab.wait_for_function(IS_WRITTEN)
        return self.tab.evaluate("location.hash")

    @property
    def compiled(self):
        return int(re.search(r"(\d+) programs? compiled", self.text(".lo-status"))[1])

    def text(self, selector):
        return self.tab.locator(selector).inner_text()

    def card(self, i):
        return self.tab.locator(".lo-card").nth(i)

    def typed(self, i):
        """Return the text of a method."""
        return self.card(i).locator("textarea").input_value()

    def type(self, i, text):
        """Type another text for a method, and press Enter."""
        field = self.card(i).locator("textarea")
        field.fill(text)
        field.press("Enter")
        self.settle()

    def show(self, chart):
        """Show the chart of a button."""
        press = self.tab.locator(".lo-toggles").get_by_role("button", name=chart, exact=True)
        if press.get_attribute("aria-pressed") == "false":
            press.click()
        self.settle()

    def drag(self, begin, end):
        """Drag with the mouse from a point to another one, and wait."""
        self.tab.mouse.move(*begin)
        self.tab.mouse.down()
        self.tab.mouse.move(*end, steps=12)
        self.tab.mouse.up()
        self.settle()

    def drawn(self, picture, method):
        """Return the points of a method's line, and the scales from values to these points."""
        drawing = self.tab.locator(f"{picture} svg:visible").first
        line = drawing.locator(f'path[data-method="{method}"]').get_attribute("d")
        points = np.array(re.findall(r"-?[\d.]+", line), float).reshape(-1, 2)
        return points, scale_of(drawing, "x"), scale_of(drawing, "y")


def scale_of(drawing, axis):
    """Return the function from values to units of a picture, read off the ticks of an axis.

    d3 draws ticks half a unit further, where they are sharp.
    """
    ticks = drawing.locator(f'g[data-axis="{axis}"] .tick').evaluate_all(
        """all => all.map(({ textContent, transform: { baseVal: [{ matrix }] } }) =>
            [textContent, { x: matrix.e, y: matrix.f }])"""
    )
    values = [number_in(text) for text, _ in ticks]
    places = [place[axis] - 0.5 for _, place in ticks]
    is_linear = np.allclose(np.diff(values), values[1] - values[0])
    of = (lambda value: value) if is_linear else np.log10
    slope = (places[-1] - places[0]) / (of(values[-1]) - of(values[0]))
    return lambda value: places[0] + slope * (of(value) - of(values[0]))


def number_in(tick):
    """Return the number that a tick shows: −1.5, 10⁻⁶ or 5·10³."""
    text = "".join(RAISED.get(letter, letter) for letter in tick).replace("−", "-")
    if text == tick.replace("−", "-"):
        return float(text)
    factor, _, power = text.rpartition("·")
    return float(factor or 1) * 10.0 ** int(power.removeprefix("10"))
