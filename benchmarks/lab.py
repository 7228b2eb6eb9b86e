"""How soon does the lab answer a handle, and how soon is its page there?

    python -m benchmarks.lab

In Chromium, with the server of `lecture-optax lab`. A move takes from the input event of a slider
to the painted picture: the run, its transport, the drawing, the next frame and the task after it.
The start takes from the command to the first picture, in a browser that runs already.
"""

import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .measured import Figure, Figures, show

STARTS = 3
MOVES, WARM_UP = 80, 10
NETWORK_MOVES = 12

ONE = ("lo.sgd(0.1, momentum=0.9)",)
THREE = ("lo.sgd(0.1)", *ONE, "lo.adam(0.1, b1=0.9, b2=0.999, eps=1e-08)")

FIRST_PICTURE = """() => {
  const line = document.querySelector(".lo-plane path[data-method='0']");
  return Boolean(line?.getAttribute("d"));
}"""

# Moves that are far apart change the value each time; the pauses are of all phases of a frame.
MOVE = """async (count) => {
  const lab = document.querySelector("[data-drawn]");
  const slider = document.querySelector(".lo-card input[type=range]");
  const drawn = () => new Promise((done) => {
    const observer = new MutationObserver(() => {
      observer.disconnect();
      setTimeout(done);
    });
    observer.observe(lab, { attributeFilter: ["data-drawn"] });
  });
  const seconds = [];
  for (let i = 0; i < count; i++) {
    await new Promise((done) => setTimeout(done, 30 + (7 * i) % 17));
    const picture = drawn();
    const begin = performance.now();
    slider.value = String((i % 2 ? 500 : 650) + i);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await picture;
    seconds.push((performance.now() - begin) / 1000);
  }
  return seconds;
}"""


def figures() -> Figures:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        starts = []
        for _ in range(STARTS):
            began = time.perf_counter()
            with served() as address:
                opened(browser, address).close()
                starts.append(time.perf_counter() - began)
        yield "the start", summary(starts)
        with served() as address:
            for methods, steps in (
                (ONE, 200),
                (ONE, 500),
                (THREE, 200),
                (THREE, 500),
                (THREE, 2000),
            ):
                page = opened(browser, address + state("quadratic", methods, steps))
                times = page.evaluate(MOVE, WARM_UP + MOVES)[WARM_UP:]
                yield f"a move, {named(methods)}, {steps:,} steps", summary(times)
                page.close()
            page = opened(browser, address + state("digits", ONE, 200))
            times = page.evaluate(MOVE, 2 + NETWORK_MOVES)[2:]
            yield f"a move, a network, {named(ONE)}, 200 steps", summary(times)
        browser.close()


@contextmanager
def served() -> Iterator[str]:
    """Start the server, and yield the address that it prints."""
    command = [sys.executable, "-m", "lecture_optax", "lab", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = re.search(r"http\S+", server.stdout.readline())
        assert address is not None
        yield address[0]
        server.send_signal(signal.SIGINT)


def opened(browser: Any, address: str) -> Any:
    """Return a page with its first picture."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.wait_for_function(FIRST_PICTURE, timeout=120_000)
    return page


def state(landscape: str, methods: Sequence[str], steps: int) -> str:
    texts = (f"method={text}" for text in methods)
    return "#" + "&".join((f"landscape={landscape}", f"steps={steps}", *texts))


def named(methods: Sequence[str]) -> str:
    return "1 method" if len(methods) == 1 else f"{len(methods)} methods"


def summary(seconds: Sequence[float]) -> Figure:
    """Return the median, the 90th percentile and the number of times."""
    return {
        "median, s": statistics.median(seconds),
        "90 %, s": statistics.quantiles(seconds, n=10, method="inclusive")[8],
        "times": len(seconds),
    }


if __name__ == "__main__":
    show(figures())
