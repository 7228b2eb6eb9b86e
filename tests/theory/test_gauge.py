"""The gauge against eigenvalues, against runs, and against what it must refuse."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.theory import CurvatureWatch, curvature_gauge
from lecture_optax.theory.lanczos import largest_eigenvalue

RNG = np.random.default_rng(0)
TURN = np.linalg.qr(RNG.normal(size=(30, 30)))[0]
HESSIAN = TURN @ np.diag(np.geomspace(0.01, 5, 30)) @ TURN.T
EDGE = {"gradient descent": 2.0, "heavy ball": 3.8, "Nesterov": 3.8 / 2.8}
PLAIN = {
    "gradient descent": lo.sgd(0.1),
    "heavy ball": optax.sgd(0.1, momentum=0.9),
    "Nesterov": lo.sgd(0.1, momentum=0.9, nesterov=True),
}
START = {"a": jnp.ones(24), "b": jnp.ones((2, 3))}


def bowl(params):
    θ = jnp.concatenate([params["a"], params["b"].ravel()])
    return θ @ jnp.asarray(HESSIAN, θ.dtype) @ θ / 2


def after(tx, steps=20, start=START):
    def body(carry, _):
        params, state = carry
        update, state = tx.update(jax.grad(bowl)(params), state, params)
        return (optax.apply_updates(params, update), state), None

    return jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), length=steps)[0])(start)


@pytest.mark.parametrize("name", PLAIN)
def test_without_a_D_it_is_the_largest_eigenvalue_against_the_edge(name):
    θ, state = after(PLAIN[name])
    gauge = curvature_gauge(bowl, θ, PLAIN[name], state, iterations=30)
    np.testing.assert_allclose(gauge.curvature, 5, rtol=1e-4)
    np.testing.assert_allclose(gauge.edge, EDGE[name] / 0.1, rtol=1e-4)
    np.testing.assert_allclose(gauge.ratio, 0.5 / EDGE[name], rtol=1e-4)
    assert gauge.error < 1e-3


@pytest.mark.parametrize(
    ("tx", "edge"),
    [(lo.adam(0.01, b2=0.9), 38.0), (optax.adam(0.01, b2=0.9), 38.0), (lo.rmsprop(0.01), 2.0)],
    ids=["adam", "optax.adam", "rmsprop"],
)
@pytest.mark.usefixtures("standard_promotion")
def test_with_a_D_it_is_the_eigenvalue_that_D_leaves(tx, edge):
    θ, state = after(tx, steps=200)
    nu = optax.tree.get(state, "nu")
    c = 0.9 * np.concatenate([nu["a"], nu["b"].ravel()]).astype(float)  # at gradient 0
    root = c**-0.25
    expected = 0.01 * np.linalg.eigvalsh(root[:, None] * HESSIAN * root).max() / edge
    gauge = curvature_gauge(bowl, θ, tx, state, iterations=30)
    np.testing.assert_allclose(gauge.ratio, expected, rtol=1e-3)


def test_the_edge_of_adam_is_38_over_tau():
    tx = lo.adam(0.01)
    θ, state = after(tx, steps=200)
    np.testing.assert_allclose(curvature_gauge(bowl, θ, tx, state).edge, 3800, rtol=1e-3)


@pytest.mark.parametrize("name", ["gradient descent", "Nesterov"])
def test_below_the_largest_rate_a_run_decays_and_above_it_explodes(name):
    θ, state = after(PLAIN[name])
    largest = curvature_gauge(bowl, θ, PLAIN[name], state, iterations=30).largest_learning_rate
    momentum = {} if name == "gradient descent" else {"momentum": 0.9, "nesterov": True}
    losses = [
        bowl(after(lo.sgd(factor * largest, **momentum), steps=2000)[0]) for factor in (0.98, 1.02)
    ]
    assert losses[0] < 1e-4
    assert not losses[1] < 1e4


def test_a_schedule_is_gauged_at_the_current_learning_rate():
    tx = lo.sgd(lo.schedules.inverse_time(1.0))
    θ, state = after(tx, steps=9)
    gauge = curvature_gauge(bowl, θ, tx, state)
    np.testing.assert_allclose(gauge.ratio, 5 * 0.1 / 2, rtol=1e-3)


def test_three_entries_are_enough_to_see_that_they_are_mixed():
    tx, θ = optax.stateless(lambda g, _: jnp.full_like(g, -0.1 * g.mean())), jnp.ones(3)
    with pytest.raises(ValueError, match="mixes the entries"):
        curvature_gauge(lambda p: (p**2).sum(), θ, tx, tx.init(θ))


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("steps", [0, 2])
def test_an_accumulation_is_refused_whichever_step_is_next(steps):
    tx, θ = optax.MultiSteps(optax.sgd(0.1), 3), jnp.ones(3)
    state = tx.init(θ)
    for _ in range(steps):
        _, state = tx.update(θ, state, θ)
    with pytest.raises(ValueError, match=r"accumulates several|other methods wait"):
        curvature_gauge(lambda p: (p**2).sum(), θ, tx, state)


@pytest.mark.usefixtures("standard_promotion")
def test_a_sum_of_gradients_that_never_settles_has_its_edge_all_the_same():
    tx = optax.contrib.schedule_free_sgd(0.1, b1=0.5)
    θ, state = after(tx, steps=9)
    edge = curvature_gauge(bowl, θ, tx, state).edge
    # y = (x + z)/2, z' = z - τλy, x' = (9x + z')/10: a matrix on (y, z)
    step = np.array([[0.9, 0.1], [0.0, 1.0]]) - 0.1 * edge * np.array([[0.55, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(step)).max(), 1.0, atol=1e-4)


def test_rates_of_their_own_are_weighed_leaf_by_leaf():
    tx = optax.partition({"x": lo.sgd(0.1), "y": lo.sgd(0.3)}, {"a": "x", "b": "y"})
    θ, state = after(tx)
    rates = np.repeat([0.1, 0.3], [24, 6]) ** 0.5
    expected = np.linalg.eigvalsh(rates[:, None] * HESSIAN * rates).max() / 2
    np.testing.assert_allclose(curvature_gauge(bowl, θ, tx, state).ratio, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("tx", "steps", "why"),
    [
        (lo.adam(0.01), 0, "take a few steps first"),
        (optax.sign_sgd(0.01), 5, "does not react to a small gradient"),
        (optax.sgd(-0.01), 5, "ascends"),
        (optax.fromage(0.01), 5, "divides a gradient by its own size"),
        (optax.chain(optax.centralize(), optax.sgd(0.1)), 5, "mixes the entries"),
        (
            optax.partition({"x": lo.sgd(0.1), "y": lo.sgd(0.1, 0.9)}, {"a": "x", "b": "y"}),
            5,
            "follow different update rules",
        ),
    ],
    ids=[
        "adam before its first step",
        "sign",
        "ascent",
        "normalised",
        "centralize",
        "two momenta",
    ],
)
def test_it_refuses_with_the_reason(tx, steps, why):
    θ, state = after(tx, steps)
    with pytest.raises(ValueError, match=why):
        curvature_gauge(bowl, θ, tx, state)


@pytest.mark.parametrize(("scale", "colour"), [(0.3, "green"), (0.7, "amber"), (1.1, "red")])
def test_its_colour_is_the_part_of_the_edge(scale, colour):
    tx = lo.sgd(scale * 2 / 5)
    gauge = curvature_gauge(bowl, START, tx, tx.init(START))
    assert gauge.colour == colour and str(gauge).startswith(f"{colour}: τ = ")
    np.testing.assert_allclose(gauge.largest_learning_rate, 0.4, rtol=1e-3)


def test_an_object_with_a_loss_and_its_batch_will_do():
    problem = SimpleNamespace(loss=lambda θ, batch: (batch * (θ**2).sum() / 2, "something else"))
    tx, θ = lo.sgd(0.5), jnp.ones(3)
    gauge = curvature_gauge(problem, θ, tx, tx.init(θ), 3.0)
    np.testing.assert_allclose(gauge.ratio, 0.75, rtol=1e-6)


def test_a_loss_that_curves_downwards_is_no_danger():
    tx, θ = lo.sgd(0.5), jnp.ones(3)
    gauge = curvature_gauge(lambda θ: -(θ**2).sum(), θ, tx, tx.init(θ))
    assert gauge.ratio < 0 and gauge.colour == "green" and gauge.largest_learning_rate == np.inf


def test_a_watch_gauges_now_and_then():
    tx = lo.sgd(0.1)
    θ, state = after(tx)
    run = SimpleNamespace(carry=SimpleNamespace(params=θ, opt_state=state))
    watch = CurvatureWatch(bowl, tx, every=10)
    for step in (5, 10, 15, 40):
        watch(SimpleNamespace(run=run, step=step))
    assert list(watch.gauges) == [5, 15, 40]
    np.testing.assert_allclose(watch.gauges[5].ratio, 0.25, rtol=1e-3)


@pytest.mark.usefixtures("x64")
def test_lanczos_finds_what_stands_out_in_ten_products():
    eigenvalues = np.concatenate([np.linspace(0, 1, 397), [3.0, 5.0, 10.0]])
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(400, 400)))[0]
    matrix = jnp.asarray(turn @ np.diag(eigenvalues) @ turn.T)
    few, more = (largest_eigenvalue(lambda v: matrix @ v, matrix[0], m) for m in (5, 20))
    np.testing.assert_allclose(few.value, 10, atol=few.error)
    np.testing.assert_allclose(more.value, 10, rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_lanczos_stops_where_the_space_ends():
    found = largest_eigenvalue(lambda v: 7.0 * v, jnp.ones(50), 20)
    np.testing.assert_allclose(found.value, 7.0, rtol=1e-14)
