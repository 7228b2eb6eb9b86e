"""The network on digits: its steps, its plane, its progress, and that it can be cancelled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from lecture_optax.interactive.engine import Engine, first_state
from lecture_optax.interactive.expression import read
from lecture_optax.interactive.landscapes import LANDSCAPES
from lecture_optax.interactive.networks import NETWORK, on_a_plane
from lecture_optax.interactive.simulation import Cancelled, Programs, Trace, orders_of

EPS = float(np.finfo(np.float32).eps)
HEAVY_BALL = "lo.sgd(0.1, momentum=0.9)"


@pytest.fixture(scope="module")
def engine():
    return Engine()


def state(*methods, **more):
    return {**first_state(methods or [HEAVY_BALL], "digits"), "steps": 40, "batch": 16, **more}


def run(engine, *methods, report=lambda progress: None, **more):
    answer, arrays = engine.answer({"ask": "run", "state": state(*methods, **more)}, report)
    assert "error" not in answer, answer
    return answer, arrays


def trace_of(engine, text, *, seed=0, **more):
    start = NETWORK.initial(seed)
    return engine.programs.run(read(text), NETWORK, {}, start, seed=seed, **more)


@jax.jit
def cross_entropy(θ, rows):
    """The mean over rows, written without the library."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(1797)[:512]
    x, y = jnp.asarray(data.data[order])[rows] / 16, jnp.asarray(data.target[order])[rows]
    w1, b1, w2, b2 = θ[:1024].reshape(64, 16), θ[1024:1040], θ[1040:1200], θ[1200:]
    logits = jnp.tanh(jnp.dot(x, w1) + b1) @ w2.reshape(16, 10) + b2
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - logits[jnp.arange(len(y)), y])


def test_a_step_is_that_of_the_formula_on_the_first_examples_of_the_batch(engine):
    trace = trace_of(engine, HEAVY_BALL, batch=16, seed=3, steps=2)
    with jax.enable_x64(True):
        θ, v, slope = np.float64(NETWORK.initial(3)), 0.0, jax.jit(jax.grad(cross_entropy))
        np.testing.assert_allclose(trace.loss[0], cross_entropy(θ, jnp.arange(512)), rtol=8 * EPS)
        for k in range(2):
            v = 0.9 * v + slope(θ, orders_of(3, 512)[k, :16])
            θ = θ - 0.1 * v
            # sums of up to 64 products in float32
            np.testing.assert_allclose(trace.path[k + 1], θ, rtol=64 * EPS, atol=64 * EPS)
        np.testing.assert_allclose(trace.loss[2], cross_entropy(θ, jnp.arange(512)), rtol=64 * EPS)


def test_the_network_learns(engine):
    _, arrays = run(engine, "lo.adam(0.01)", steps=300, batch=64)
    assert arrays["loss.0"][-1] < 0.1 * arrays["loss.0"][0]


def test_dragging_compiles_nothing(engine):
    before = run(engine, HEAVY_BALL)[0]["compilations"]
    for more in ({"batch": 64}, {"batch": 1}, {"seed": 5}, {"steps": 100}, {"steps": 1}):
        assert run(engine, HEAVY_BALL, **more)[0]["compilations"] == before
    assert run(engine, "lo.sgd(0.2, momentum=0.5)")[0]["compilations"] == before


def test_more_steps_prolong_the_same_path(engine):
    short, long = (trace_of(engine, HEAVY_BALL, steps=steps) for steps in (7, 20))
    np.testing.assert_array_equal(short.path, long.path[:8])
    np.testing.assert_array_equal(short.update, long.update[:7])


def test_methods_start_at_one_point_that_the_seed_decides(engine):
    _, arrays = run(engine, HEAVY_BALL, "lo.sgd(0.1, momentum=0.5)")
    np.testing.assert_array_equal(arrays["path.0"][0], arrays["path.1"][0])
    np.testing.assert_array_equal(arrays["loss.0"][0], arrays["loss.1"][0])
    assert run(engine, HEAVY_BALL, seed=1)[1]["loss.0"][0] != arrays["loss.0"][0]


def test_three_points_lie_in_their_plane_and_the_grid_is_the_loss_there(engine):
    answer, arrays = run(engine, HEAVY_BALL, steps=2)
    trace = trace_of(engine, HEAVY_BALL, batch=16, steps=2)
    plane = answer["field"]
    assert plane["explained"] == pytest.approx(1.0) and plane["minimum"] is None
    # an affine map is known by three points
    points = np.c_[arrays["path.0"].astype(float), np.ones(3)]
    map_back = np.linalg.solve(points, trace.path.astype(float))
    left, right, bottom, top = plane["box"]
    x, y = np.linspace(left, right, plane["grid"]), np.linspace(bottom, top, plane["grid"])
    for row, column in ((0, 0), (60, 0), (10, 50), (30, 30)):
        θ = np.array([x[column], y[row], 1.0]) @ map_back
        expected = NETWORK.loss(jnp.asarray(θ, jnp.float32), {})
        np.testing.assert_allclose(arrays["field"][row, column], expected, rtol=1e-4)


def traces_in(plane, *coordinates):
    """Return traces whose paths have these coordinates in an orthonormal plane."""
    for each in coordinates:
        path = np.float32(0.3 + np.asarray(each, float) @ plane)
        ones, zeros = np.ones(len(path)), np.zeros(len(path) - 1)
        yield Trace(path, path, ones, ones, zeros, zeros, zeros, zeros)


def test_a_plane_keeps_the_distances_of_the_paths_in_it():
    draw = np.random.default_rng(1)
    plane = np.linalg.qr(draw.normal(size=(1210, 2)))[0].T
    a, b = draw.normal(size=(2, 30, 2)) @ [[3, 0], [0, 1]]
    flat, record, _ = on_a_plane([*traces_in(plane, a, b)])
    both = np.concatenate([a, b])
    shown = np.concatenate([trace.path for trace in flat])
    distances, shown_distances = (
        np.linalg.norm(points[:, None] - points, axis=2) for points in (both, shown)
    )
    np.testing.assert_allclose(shown_distances, distances, atol=1e-4)
    assert record["explained"] == pytest.approx(1.0)
    left, right, bottom, top = record["box"]
    assert (shown >= [left, bottom]).all() and (shown <= [right, top]).all()


def test_a_path_goes_to_the_right_and_begins_above_wherever_its_axes_point():
    t = np.linspace(0, 1, 50)
    arc = np.stack([10 * t, 4 * t * (1 - t)], 1)
    for seed in range(4):
        plane = np.linalg.qr(np.random.default_rng(seed).normal(size=(1210, 2)))[0].T
        (trace,), *_ = on_a_plane([*traces_in(plane, arc)])
        assert trace.path[0, 0] < trace.path[-1, 0] and trace.path[0, 1] > 0


def test_a_method_that_diverges_leaves_the_plane_to_the_others(engine):
    alone = run(engine, HEAVY_BALL)[0]["field"]["box"]
    answer, arrays = run(engine, HEAVY_BALL, "lo.sgd(1e9, momentum=0.9)")
    assert answer["field"]["box"] == pytest.approx(alone, rel=0.3)
    assert np.isfinite(arrays["field"]).all()
    assert np.abs(arrays["path.1"]).max() > 1e3


def test_progress_ascends_to_1_and_names_the_method(engine):
    reports = []
    run(engine, HEAVY_BALL, "lo.sgd(0.2, momentum=0.5)", report=reports.append)
    fractions = [each["fraction"] for each in reports]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert {each["text"].partition(":")[0] for each in reports} == {"Heavy ball"}
    assert reports[-1]["text"] == "Heavy ball: step 40 of 40"


def test_a_run_that_is_cancelled_ends_and_the_next_one_is_the_same_as_ever(engine):
    reports = []

    def cancel(progress):
        reports.append(progress)
        if len(reports) == 2:
            raise Cancelled

    expected = run(engine, HEAVY_BALL)[1]["path.0"]
    with pytest.raises(Cancelled):
        run(engine, HEAVY_BALL, report=cancel)
    assert len(reports) == 2
    np.testing.assert_array_equal(run(engine, HEAVY_BALL)[1]["path.0"], expected)


def test_its_plane_is_not_asked_for_without_a_run(engine):
    answer, _ = engine.answer({"ask": "field", "landscape": "digits", "controls": {}})
    assert "digits" in answer["error"]


def test_programs_keeps_those_that_were_used_last():
    programs, start = Programs(most=2), [1.0, 1.0]
    quadratic = LANDSCAPES["quadratic"]
    controls = {handle.name: handle.value for handle in quadratic.controls}

    def use(text):
        programs.run(read(text), quadratic, controls, start, steps=3)
        return programs.compilations

    plain, heavy, nesterov = "sgd(.1)", "sgd(.1, momentum=.9)", "sgd(.1, .9, True)"
    assert [use(text) for text in (plain, heavy, plain, nesterov, plain)] == [1, 2, 2, 3, 3]
    assert use(heavy) == 4
