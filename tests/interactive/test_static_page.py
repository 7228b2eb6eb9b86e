"""The page without a server has the gallery, and its programs compute what the library computes.

The second half runs the built site in Chromium, from the disk: `make check-docs`.
"""

import gzip
import json

import numpy as np
import pytest

from lecture_optax.interactive.engine import Engine
from lecture_optax.interactive.expression import read
from lecture_optax.interactive.gallery import AVERAGE, METHODS, RATE, SCHEDULES
from lecture_optax.interactive.landscapes import LANDSCAPES
from lecture_optax.interactive.simulation import Programs
from lecture_optax.interactive.slides import SLIDES
from tests.browsing import Visit
from tests.docs.test_site import SITE
from tools.static_lab import (
    CANNOT,
    FILE,
    SEEDS,
    STEPS,
    methods,
    program_names,
    structures,
    unpacked,
)


def test_each_program_that_the_page_needs_is_exported():
    names = unpacked(gzip.decompress(FILE.read_bytes())).keys()
    assert sorted(names) == sorted(program_names()), "run `make lab-programs`"


def test_each_method_of_the_gallery_and_of_the_slides_runs_or_has_a_reason():
    runs = structures().keys() | CANNOT.keys()
    shown = [text for slide in SLIDES for text in slide.state()["methods"]]
    for text in [*METHODS.values(), *shown]:
        assert read(text).structure in runs, text


def test_the_page_can_show_each_slide():
    for slide in SLIDES:
        state = slide.state()
        assert state["steps"] <= STEPS
        assert state["seed"] < SEEDS


# In the browser

STEPS_COMPARED = 100
START = {"batch": 8, "seed": 1, "steps": STEPS_COMPARED}
ASK = """async ([ask, ...given]) => {
    const answer = await globalThis.lectureOptaxLab.engine[ask](...given);
    const plain = (_, value) => value instanceof Float32Array ? [...value].map(String) : value;
    return JSON.stringify(answer, plain);
}"""


@pytest.fixture(scope="module")
def ask(browser):
    visit = Visit(browser)
    visit.tab.goto((SITE / "lab.html").as_uri())
    yield lambda *question: json.loads(visit.tab.evaluate(ASK, question))
    assert not visit.faults
    visit.close()


def array_of(record):
    return np.array(record["data"], float).reshape(record["shape"])


def state_of(landscape, text):
    controls = {handle.name: handle.value for handle in landscape.controls}
    where = {"landscape": landscape.name, "controls": controls, "start": list(landscape.start)}
    return {**where, **START, "methods": [text]}


def runs_of(landscape, text, nudge=0.0):
    """Return the run of the library; `nudge` changes the inputs by one rounding."""
    factor = 1 + nudge
    controls = {handle.name: handle.value * factor for handle in landscape.controls}
    start = [x * factor for x in landscape.start]
    return PROGRAMS.run(read(text), landscape, controls, start, **START)


PROGRAMS = Programs()
EPS = float(np.finfo(np.float32).eps)


def assert_the_same(ask, landscape, text):
    """Compare each step to 1e-6, or to what one rounding of the inputs has changed until then.

    A method that divides by a small second moment is chaotic where it arrives: no two programs
    agree there for long.
    """
    answer = ask("run", state_of(landscape, text))
    run, nudged = runs_of(landscape, text), runs_of(landscape, text, EPS)
    moved = np.maximum.accumulate(np.abs(run.path - nudged.path).max(1))
    size = np.abs(run.path).max()
    assert (moved[:10] < 1e-4 * size).all()
    for name in ("path", "average"):
        off = np.abs(array_of(answer["arrays"][f"{name}.0"]) - getattr(run, name)).max(1)
        assert (off <= 1e-6 * size + 8 * moved).all()
    rates = array_of(answer["arrays"]["learning_rate.0"])
    np.testing.assert_allclose(rates, run.learning_rate, rtol=1e-6)


@pytest.mark.browser
@pytest.mark.parametrize("method", methods(), ids=lambda method: method.structure)
@pytest.mark.parametrize("landscape", LANDSCAPES.values(), ids=lambda each: each.name)
def test_a_program_computes_what_the_library_computes(ask, landscape, method):
    assert_the_same(ask, landscape, method.text)


@pytest.mark.browser
@pytest.mark.parametrize("schedule", SCHEDULES.values())
@pytest.mark.parametrize("average", [False, True])
def test_a_schedule_and_an_average_enter_as_in_the_library(ask, schedule, average):
    text = f"lo.sgd({schedule.replace(RATE, '0.3')}, momentum=0.9)"
    text = f"lo.chain({text}, {AVERAGE})" if average else text
    assert_the_same(ask, LANDSCAPES["noisy_quadratic"], text)


@pytest.mark.browser
@pytest.mark.parametrize("landscape", LANDSCAPES.values(), ids=lambda each: each.name)
def test_the_field_is_that_of_the_library(ask, landscape):
    controls = {handle.name: handle.value for handle in landscape.controls}
    ours = ask("field", landscape.name, controls)
    question = {"ask": "field", "landscape": landscape.name, "controls": controls}
    theirs, arrays = Engine().answer(question)
    scale = np.abs(arrays["field"]).max()
    np.testing.assert_allclose(array_of(ours["loss"]), arrays["field"], atol=1e-6 * scale)
    np.testing.assert_allclose(ours["minimum"], theirs["minimum"], atol=1e-6)
    largest = max(np.abs(theirs["eigenvalues"]))
    np.testing.assert_allclose(ours["eigenvalues"], theirs["eigenvalues"], atol=4 * EPS * largest)
    same = np.abs(np.array(ours["eigenvectors"]) @ np.transpose(theirs["eigenvectors"]))
    np.testing.assert_allclose(same, np.eye(2), atol=1e-5)


@pytest.mark.browser
@pytest.mark.parametrize("title", ["Gradient descent", "Heavy ball", "Nesterov", "Adam"])
def test_the_readings_are_those_of_the_library(ask, title):
    state = state_of(LANDSCAPES["quadratic"], METHODS[title])
    [ours] = ask("run", state)["methods"]
    [theirs] = Engine(PROGRAMS).answer({"ask": "run", "state": state})[0]["methods"]
    for name in ("title", "text", "has_average", "diverged_at"):
        assert ours[name] == theirs[name]
    assert ours["measured"] == pytest.approx(theirs["measured"], rel=1e-5)
    ours, theirs = ours["predicted"], theirs["predicted"]
    if theirs is None or theirs["form"] is None:
        assert ours is None
    else:
        assert ours["form"] == theirs["form"]
        for name in ("radii", "rate", "limit", "points"):
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4)


@pytest.mark.browser
@pytest.mark.parametrize(
    "text", ["lo.sgd(0.1)", "sgd(.1 ,momentum=.9)", "lo.adam(1e-3, b1=0.9, b2=0.999, eps=1e-08)"]
)
def test_a_text_is_read_as_by_the_library(ask, text):
    ours, theirs = ask("read", text), Engine().answer({"ask": "read", "text": text})[0]
    assert [handle["value"] for handle in ours["handles"]] == list(read(text).numbers)
    assert ours["structure"] == theirs["structure"]
    for handle in ours["handles"]:
        word = ours["text"][handle["begin"] : handle["end"]]
        assert float(word) == handle["value"]


@pytest.mark.browser
def test_other_texts_are_refused_with_a_sentence(ask):
    assert "lecture-optax lab" in ask("read", "lo.chain(lo.trace(0.9))")["error"]
    assert "momentum must be in [0, 1)" in ask("read", "lo.sgd(0.1, momentum=1.5)")["error"]


@pytest.mark.browser
def test_only_its_page_loads_the_lab():
    pages = [path for path in SITE.rglob("*.html") if "lab/lab.js" in path.read_text()]
    assert pages == [SITE / "lab.html"]
