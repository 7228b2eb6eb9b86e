"""`lo.lab`: texts of optimizers, its arguments, its numbers, and the picture that it leaves."""

import importlib.util
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.interactive.engine import LANDSCAPES
from lecture_optax.interactive.expression import build, read, written
from lecture_optax.interactive.gallery import AVERAGE, METHODS, RATE, SCHEDULES
from lecture_optax.interactive.widget import VIEW
from tools.imports import ROOT

pytestmark = pytest.mark.usefixtures("standard_promotion")

TEXTS = [
    *METHODS.values(),
    *(f"lo.sgd({text.replace(RATE, '0.1')}, momentum=0.9)" for text in SCHEDULES.values()),
    f"lo.chain(lo.adam({SCHEDULES['cosine'].replace(RATE, '0.1')}), {AVERAGE})",
    "lo.sgd(lo.schedules.join([lo.schedules.constant(0.1), lo.schedules.linear(0.1, 30)], [40]))",
    "lo.sgd(lo.schedules.step(1.0, [50, 80]))",
    "lo.adamw(0.1, b1=0.8, mu_dtype='bfloat16')",
    "lo.chain(lo.trace(0.9), lo.scale_by_learning_rate(0.1))",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_transformation_is_written_as_the_text_that_builds_it(text):
    expression = read(text)
    again = read(written(build(expression.structure, expression.numbers)))
    of_the_call = read(written(eval(text, {"lo": lo})))
    for other in (again, of_the_call):
        assert read(other.text) == other
    if text in METHODS.values():
        assert again.structure == of_the_call.structure == expression.structure
        assert again.numbers == of_the_call.numbers == expression.numbers
    both = (build(x.structure, x.numbers) for x in (expression, again))
    assert len({str(lo.describe(tx)) for tx in both}) == 1


def test_the_numbers_that_the_gallery_shows_have_handles_where_they_are_defaults():
    assert written(lo.adam(0.1)) == METHODS["Adam"]
    assert written(lo.sgd(jnp.float32(0.1))) == "lo.sgd(0.1)"


@pytest.mark.parametrize(
    "optimizer, words",
    [
        (optax.adam(0.1), "<optax chain>"),
        (lo.chain(optax.clip(1.0), lo.sgd(0.1)), "<optax clip>"),
        (lo.adam(lambda k: 0.1), "<function"),
        (lo.adamw(0.1, mask={"w": True}), "{'w': True}"),
        (lo.adam, "missing its call"),
        (0.1, "got 0.1"),
    ],
)
def test_what_no_text_can_describe_is_refused_by_name(optimizer, words, untyped):
    with pytest.raises(TypeError) as error:
        lo.lab(lo.sgd(0.1), optimizer)
    assert str(error.value).startswith("optimizers[1]: ") and words in str(error.value)


@pytest.mark.parametrize(
    "given, kind, words",
    [
        ({"landscape": "quadratc"}, ValueError, "Did you mean 'quadratic'?"),
        ({"steps": 0}, ValueError, "steps must be a whole number from 1 to 2000, got 0"),
        ({"steps": 2001}, ValueError, "steps must be a whole number from 1 to 2000, got 2001"),
        ({"batch": 65}, ValueError, "batch must be a whole number from 1 to 64, got 65"),
        ({"seed": -1}, ValueError, "seed must be a whole number from 0 to 2147483647, got -1"),
        ({"start": [1.0]}, ValueError, "start must be two numbers, got 1"),
        ({"start": [1.0, np.nan]}, ValueError, "start must be from "),
        ({"landscape": "digits", "start": [1.0, 1.0]}, ValueError, "start must be None"),
        ({"condition": 1e6}, ValueError, "condition must be from 1 to 1000, got 1000000.0"),
        ({"condition": "high"}, TypeError, "condition must be a number, got 'high'"),
        ({"steepness": 1.0}, TypeError, "has no steepness=: it has condition, rotation."),
        ({"landscape": "saddle", "condition": 1.0}, TypeError, "it has none."),
        ({"landscap": "saddle"}, TypeError, "Did you mean landscape=?"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(given, kind, words, untyped):
    with pytest.raises(kind) as error:
        lo.lab(lo.sgd(0.1), **given)
    assert words in str(error.value)


@pytest.mark.parametrize("count", [0, 4])
def test_one_to_three_optimizers_are_compared(count):
    with pytest.raises(ValueError, match=f"optimizers must be one to 3, got {count}"):
        lo.lab(*[lo.sgd(0.1)] * count)


def test_a_run_is_that_of_a_plain_loop():
    tx, steps = lo.adam(lo.schedules.cosine(0.1, total_steps=30)), 30
    run = lo.lab(tx, landscape="rosenbrock", steps=steps, steepness=5.0).runs["Adam, cosine"]
    landscape = LANDSCAPES["rosenbrock"]

    def loss(θ):
        return landscape.loss(θ, {"steepness": 5.0})

    θ = jnp.array(landscape.start)
    state, path = tx.init(θ), [θ]
    for _ in range(steps):
        update, state = tx.update(jax.grad(loss)(θ), state, θ)
        θ = optax.apply_updates(θ, update)
        path.append(θ)
    rounding = steps * np.finfo(np.float32).eps * np.abs(path).max()
    np.testing.assert_allclose(run.path, path, rtol=0, atol=10 * rounding)
    np.testing.assert_allclose(run.loss, [loss(θ) for θ in path], rtol=0, atol=30 * rounding)
    assert run.learning_rate[-1] == optax.tree.get(state, "learning_rate")


def test_runs_are_found_by_position_and_by_title():
    runs = lo.lab(lo.sgd(0.1), lo.sgd(0.2), lo.adam(0.1), steps=3).runs
    assert runs["Adam"] is runs[2] and len(runs) == 3
    with pytest.raises(KeyError, match="several runs have the title 'Gradient descent'"):
        runs["Gradient descent"]
    with pytest.raises(KeyError, match="no run has the title 'SGD': the titles are Gradient"):
        runs["SGD"]


@pytest.mark.parametrize(
    "lab",
    [
        lo.lab(lo.adam(0.1)),
        lo.lab("optax.lion(0.1)", "lo.adam(0.1)", "lo.sgd(learning_rate=0.1)", steps=20),
        lo.lab(lo.sgd(0.1), landscape="noisy_quadratic", batch=1, seed=3, spread=1, start=(1, 2)),
        lo.lab(lo.adamw(0.1, mu_dtype="bfloat16"), landscape="digits"),
    ],
    ids=repr,
)
def test_the_line_of_python_makes_the_state_again(lab):
    assert eval(lab.python(), {"lo": lo}).state == lab.state
    json.dumps(lab.state)


def test_a_state_that_one_changes_is_a_copy():
    lab = lo.lab(lo.sgd(0.1))
    lab.state["controls"]["condition"] = 1.0
    assert lab.state["controls"]["condition"] == 100.0


def test_a_notebook_receives_the_page_and_the_picture():
    data, _ = lo.lab(lo.sgd(0.1), steps=5)._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG") and VIEW in data
    assert data["text/plain"] == "lo.lab(lo.sgd(0.1), steps=5)"


def test_a_notebook_without_anywidget_receives_the_picture(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda x: x != "anywidget" and find(x))
    data, _ = lo.lab(lo.sgd(0.1), steps=5)._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG") and VIEW not in data


def test_the_state_is_what_the_page_shows():
    lab = lo.lab(lo.sgd(0.1), steps=5)
    lab._repr_mimebundle_()
    lab._widget.set_state({"state": {**lab.state, "methods": ["lo.sgd(0.5)"], "steps": 7}})
    assert repr(lab) == "lo.lab(lo.sgd(0.5), steps=7)" and len(lab.runs[0].loss) == 8


@pytest.mark.parametrize("landscape", ["quadratic", "logistic", "digits"])
def test_the_picture_names_every_optimizer_beside_its_loss(landscape):
    lab = lo.lab(lo.sgd(1e4), lo.chain(lo.adam(0.1), lo.average_iterates()), landscape=landscape)
    plane, losses = lab.plot().axes
    assert [text.get_text() for text in losses.texts] == ["Gradient descent", "Adam, averaged"]
    assert len(plane.lines) >= 4 and len(losses.lines) == 3


def test_a_notebook_shows_the_figure_before_it_has_a_backend():
    assert lo.lab(lo.sgd(0.1), steps=5).plot()._repr_png_().startswith(b"\x89PNG")


def test_a_committed_notebook_has_the_picture_and_no_page_without_a_kernel():
    texts = [path.read_text() for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert sum("lo.lab(" in text and "image/png" in text for text in texts) == 3
    assert not [text for text in texts if VIEW in text]
