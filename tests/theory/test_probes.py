"""Probes give the known answers, on our transforms, on Optax's, on a stranger's; and refuse."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.theory import (
    contraction,
    iteration_matrix,
    largest_stable_curvature,
    lower_bound,
    response,
    stability_edge,
    stationary_variance,
    step_matrix,
    worst_case,
)


class OddState(NamedTuple):
    first: bool
    steps: int
    rate: float
    velocity: Any


def stranger(rate=0.5, decay=0.9):
    """Heavy ball as a beginner may write it: flags and counts in Python, no scan, no jit."""

    def init(params):
        return OddState(True, 0, rate, jax.tree.map(jnp.zeros_like, params))

    def update(updates, state, params=None):
        velocity = updates if state.first else decay * state.velocity + updates
        new = OddState(False, state.steps + 1, state.rate, velocity)
        return -state.rate * velocity, new

    return optax.GradientTransformation(init, update)


MOMENTUM = {
    "ours": lo.sgd(0.5, momentum=0.9),
    "Optax": optax.sgd(0.5, momentum=0.9),
    "injected": optax.inject_hyperparams(optax.sgd)(0.5, momentum=0.9),
    "averaging": lo.chain(lo.sgd(0.5, momentum=0.9), lo.average_iterates()),
    "masked": optax.masked(lo.sgd(0.5, momentum=0.9), True),
    "a stranger": stranger(),
}
each_momentum = pytest.mark.parametrize("tx", MOMENTUM.values(), ids=MOMENTUM)


def home_sick(strength=0.25):
    """Descent that is pulled back to where it began."""

    def update(updates, home, params):
        return -0.5 * (updates + strength * (params - home)), home

    return optax.GradientTransformation(lambda params: params, update)


def coin(rate=0.5):
    """Descent that drops each entry's gradient with probability 1/2."""

    def update(updates, key, params=None):
        key, now = jax.random.split(key)
        return -rate * updates * jax.random.bernoulli(now, shape=updates.shape), key

    return optax.GradientTransformation(lambda _: jax.random.key(0), update)


def stale(rate=0.1, late=2):
    """Descent along the gradient of some steps ago, kept in a ring."""

    def init(params):
        return jnp.zeros((), jnp.int32), jnp.zeros((late + 1, *params.shape), params.dtype)

    def update(updates, state, params=None):
        k, ring = state
        ring = ring.at[k % (late + 1)].set(updates)
        return -rate * ring[(k + 1) % (late + 1)], (k + 1, ring)

    return optax.GradientTransformation(init, update)


def controller(p=0.1, i=0.02, d=0.05, decay=0.9):
    """A PID controller: the gradient, its fading sum and its difference."""

    def init(params):
        return {"sum": jnp.zeros_like(params), "last": jnp.zeros_like(params)}

    def update(updates, state, params=None):
        total = decay * state["sum"] + updates
        update = -(p * updates + i * total + d * (updates - state["last"]))
        return update, {"sum": total, "last": updates}

    return optax.GradientTransformation(init, update)


@each_momentum
def test_a_step_matrix_is_the_sum_of_the_velocities(tx):
    ages = np.subtract.outer(np.arange(6), np.arange(5))
    expected = np.where(ages > 0, -0.5 * (1 - 0.9 ** np.maximum(ages, 0)) / (1 - 0.9), 0)
    np.testing.assert_allclose(step_matrix(tx, 5), expected, atol=1e-14)


@each_momentum
def test_an_iteration_matrix_is_the_textbooks(tx):
    np.testing.assert_allclose(
        iteration_matrix(tx, 2.0), [[1 - 0.5 * 2.0, -0.5 * 0.9], [2.0, 0.9]], atol=1e-12
    )


@each_momentum
def test_the_edge_of_heavy_ball_is_2_plus_2_mu(tx):
    np.testing.assert_allclose(stability_edge(tx, learning_rate=0.5), 3.8, rtol=1e-9)
    np.testing.assert_allclose(largest_stable_curvature(tx), 7.6, rtol=1e-9)


@pytest.mark.parametrize(
    ("tx", "edge"),
    [
        (lo.sgd(0.5), 2.0),
        (lo.sgd(0.5, momentum=0.9, nesterov=True), 3.8 / 2.8),
        (lo.chain(lo.first_moment(0.9), lo.scale_by_learning_rate(0.5)), 38.0),
        (optax.inject_hyperparams(optax.sgd)(0.5, momentum=0.9, nesterov=True), 3.8 / 2.8),
    ],
    ids=["gradient descent", "Nesterov", "average", "Optax injected"],
)
def test_an_edge_is_read_with_the_rate_in_the_state(tx, edge):
    np.testing.assert_allclose(stability_edge(tx), edge, rtol=1e-9)


def test_a_corrected_average_has_the_edge_of_the_average():
    tx = optax.chain(optax.ema(0.9), optax.scale(-1.0))
    np.testing.assert_allclose(largest_stable_curvature(tx), 38.0, rtol=1e-9)


def test_a_first_step_with_a_flag_of_its_own_does_not_deceive():
    tx = optax.optimistic_gradient_descent(1.0)
    np.testing.assert_allclose(largest_stable_curvature(tx), 2 / 3, rtol=1e-9)


def test_a_controllers_edge_is_where_a_root_passes_minus_1():
    """z - 1 + λ (p + i z/(z - decay) + d (1 - 1/z)) = 0 for z = -1."""
    edge = largest_stable_curvature(controller())
    np.testing.assert_allclose(edge, 2 / (0.1 + 0.02 / 1.9 + 2 * 0.05), rtol=1e-9)


def test_a_late_gradient_has_a_step_matrix():
    expected = -0.1 * np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(step_matrix(stale(), 3), expected, atol=1e-15)


def test_weight_decay_is_part_of_the_curvature():
    tx = optax.chain(optax.add_decayed_weights(0.25), optax.sgd(0.5))
    np.testing.assert_allclose(largest_stable_curvature(tx), 4.0 - 0.25, rtol=1e-9)


def test_an_ascent_is_nowhere_stable_and_a_rate_of_zero_everywhere():
    assert largest_stable_curvature(optax.sgd(-0.1)) == 0.0
    assert stability_edge(lo.sgd(0.0)) == np.inf


def test_a_mixing_method_keeps_its_hessian():
    tx = optax.chain(optax.centralize(), optax.sgd(0.5))
    hessian = np.array([[2.0, 1.0], [1.0, 3.0]])
    np.testing.assert_allclose(iteration_matrix(tx, hessian), np.eye(2) - 0.5 * hessian, atol=1e-14)


def test_contraction_of_many_curvatures_is_that_of_each():
    tx = lo.sgd(0.1, momentum=0.5, nesterov=True)
    curvatures = np.array([[0.1, 1.0], [5.0, 20.0]])
    radii = contraction(tx, curvatures)
    assert radii.shape == (2, 2)
    for curvature, radius in zip(curvatures.ravel(), radii.ravel(), strict=True):
        eigenvalues = np.linalg.eigvals(iteration_matrix(tx, curvature))
        np.testing.assert_allclose(radius, np.abs(eigenvalues).max(), rtol=1e-14)


def test_stationary_variance_is_what_a_long_run_shows():
    tx, noise = lo.sgd(0.3, momentum=0.5, nesterov=True), 4.0
    kicks = 2.0 * jax.random.normal(jax.random.key(0), (2000, 4000))

    def body(carry, kick):
        params, state = carry
        update, state = tx.update(1.5 * params + kick, state)
        return (params + update, state), params

    start = jnp.zeros(4000)
    _, path = jax.lax.scan(body, (start, tx.init(start)), kicks)
    expected = stationary_variance(tx, 1.5, noise)
    np.testing.assert_allclose(jnp.var(path[200:]), expected, rtol=5e-3)


def test_a_variance_beyond_the_edge_is_refused_with_the_edge():
    with pytest.raises(ValueError, match="stable below curvature 20"):
        stationary_variance(lo.sgd(0.1), 21.0)


def test_a_response_is_the_memory():
    np.testing.assert_allclose(response(MOMENTUM["ours"], 5), -0.5 * 0.9 ** np.arange(5))
    np.testing.assert_allclose(response(optax.lion(0.1, weight_decay=0.0), 3), -0.1 * np.ones(3))
    np.testing.assert_allclose(response(lo.adam(0.1, eps=0.0), 1, size=1e-6), -1e5, rtol=1e-12)


def test_a_response_knows_when_the_gradient_came():
    tx = lo.sgd(lo.schedules.inverse_time(1.0))
    np.testing.assert_allclose(response(tx, 2, at=3), [-0.25, 0.0])


@pytest.mark.parametrize(
    ("tx", "why"),
    [
        (lo.adam(0.1), "not linear"),
        (optax.adam(0.1), "not linear"),
        (optax.sign_sgd(0.1), "not linear"),
        (optax.chain(optax.clip(1e4), optax.sgd(0.1)), "not linear"),
        (optax.chain(optax.add_decayed_weights(1e-3), optax.sgd(0.1)), "depends on θ"),
        (optax.lion(0.1), "depends on θ"),
        (optax.chain(optax.centralize(), optax.sgd(0.1)), None),
        (optax.chain(optax.add_noise(0.1, 0.55, 0), optax.sgd(0.1)), "moves without a gradient"),
        (optax.polyak_sgd(), "a line search"),
        (optax.contrib.prodigy(), "divides 0 by 0"),
        (coin(), "at random"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_a_step_matrix_is_refused_with_the_reason(tx, why):
    if why is None:  # on a vector there is nothing to centralize
        return np.testing.assert_allclose(step_matrix(tx, 2)[-1], [-0.1, -0.1])
    with pytest.raises(ValueError, match=why):
        step_matrix(tx, 3)


def test_a_step_matrix_of_what_mixes_the_entries_is_refused():
    mean = optax.stateless(lambda g, _: jnp.full_like(g, g.mean()))
    with pytest.raises(ValueError, match=r"mixes the entries.*iteration_matrix"):
        step_matrix(optax.chain(mean, optax.sgd(0.1)), 3)


@pytest.mark.parametrize(
    ("tx", "why"),
    [
        (optax.adam(0.1), "not linear.*curvature_gauge"),
        (lo.rmsprop(0.1), "not linear.*curvature_gauge"),
        (optax.lion(0.1), "not linear"),
        (optax.lars(0.1), "not linear"),
        (optax.rprop(0.1), "not linear.*after 8 steps"),  # reads the sign alone: no derivative
        (lo.sgd(lo.schedules.inverse_time(1.0)), "still changes with the step.*step_matrix"),
        (optax.sgd(optax.exponential_decay(1.0, 9, 0.5)), "still changes with the step"),
        (optax.sgd(optax.linear_schedule(1.0, 0.0, 50)), "towards 0"),
        (optax.MultiSteps(optax.sgd(0.1), 3), "accumulation.*transformation inside"),
        (optax.noisy_sgd(0.1, key=0), "moves without a gradient.*curvature_gauge"),
        (home_sick(), "pulls θ to a stored point"),
        (stale(), "a cyclic buffer.*step_matrix"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_an_iteration_matrix_is_refused_with_the_reason(tx, why):
    with pytest.raises(ValueError, match=f"(?s){why}"):
        iteration_matrix(tx, 1.0)


def test_an_edge_without_a_rate_says_how_to_give_one():
    with pytest.raises(ValueError, match="contains no learning rate: pass learning_rate="):
        stability_edge(optax.sgd(0.1))


def test_what_is_no_transformation_is_refused():
    with pytest.raises(TypeError, match="missing its call"):
        step_matrix(lo.adam, 3)
    with pytest.raises(ValueError, match="n must be a whole number of steps >= 1, got 0"):
        step_matrix(lo.sgd(0.1), 0)
    with pytest.raises(ValueError, match="symmetric matrix, got an array of shape \\(2, 3\\)"):
        iteration_matrix(lo.sgd(0.1), np.ones((2, 3)))


@pytest.mark.parametrize("h", [0.3, 1.0, 1.5, 1.9])
def test_the_lower_bound_of_gradient_descent_is_its_worst_case(h):
    huber, parabola = 3.0 / (4 * 10 * h + 2), 3.0 / 2 * (1 - h) ** 20
    bound = lower_bound(lo.sgd(h / 3.0), 10, L=3.0)
    np.testing.assert_allclose(bound, max(huber, parabola), rtol=1e-6)


def test_a_certificate_is_above_the_lower_bound_and_reads_a_matrix():
    pytest.importorskip("PEPit")
    matrix = step_matrix(optax.sgd(1.0, momentum=0.9, nesterov=True), 5)
    np.testing.assert_allclose(worst_case(matrix), 0.2686, atol=1e-4)
    assert lower_bound(matrix) < 0.2
    bound = worst_case(lo.sgd(0.2, 2 / 3, nesterov=True), 5, L=5.0, mu=0.2)
    assert lower_bound(lo.sgd(0.2, 2 / 3, nesterov=True), 5, L=5.0, mu=0.2) <= bound


def test_a_worst_case_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match=r"mu must be below L = 1\.0, got 2\.0"):
        worst_case(lo.sgd(1.0), 3, mu=2.0)
    with pytest.raises(ValueError, match="n must be a number of steps, got None"):
        worst_case(lo.sgd(1.0))
    with pytest.raises(ValueError, match="n \\+ 1 rows"):
        worst_case(np.ones((3, 3)))


def test_without_the_extra_a_certificate_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PEPit", None)
    with pytest.raises(ImportError, match=r"\[theory\].*certify=False"):
        worst_case(lo.sgd(1.0), 2)
    assert worst_case(lo.sgd(1.0), 2, certify=False) == pytest.approx(0.1)


def test_probes_leave_the_callers_precision_alone():
    step_matrix(lo.sgd(0.1), 2)
    assert jnp.zeros(1).dtype == jnp.float32
