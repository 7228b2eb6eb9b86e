"""A velocity that starts again: when, from where, and how much sooner it arrives."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

MOMENTUM = lo.schedules.momentum_nesterov()
RATE = lo.scale_by_learning_rate(1.0)
CURVATURE = np.logspace(-4, 0, 100)


def restarted(on):
    return lo.chain(lo.restart(lo.nesterov_trace(MOMENTUM), on=on), RATE)


def loss(θ):
    return jnp.sum(CURVATURE * θ * θ) / 2


@jax.enable_x64(True)
def descend(tx, steps, start=None):
    """θ(1), ... and the state after each step, on a quadratic with κ = 10⁴."""

    def body(carry, _):
        θ, state = carry
        value, gradient = jax.value_and_grad(loss)(θ)
        update, state = tx.update(gradient, state, θ, value=value)
        θ = optax.apply_updates(θ, update)
        return (θ, state), (θ, state)

    θ = jnp.ones(100) if start is None else jnp.asarray(start)
    return jax.jit(lambda θ: jax.lax.scan(body, (θ, tx.init(θ)), length=steps)[1])(θ)


def steps_until(part, path):
    gaps = (CURVATURE * np.square(path)).sum(axis=1) / CURVATURE.sum()
    return int(np.argmax(gaps <= part)) + 1


def test_with_restarts_it_arrives_in_two_fifths_of_the_steps():
    path, _ = descend(lo.chain(lo.nesterov_trace(MOMENTUM), RATE), 6100)
    assert steps_until(1e-10, path) == 6044
    for on in ("gradient", "value"):
        path, _ = descend(restarted(on), 2400)
        assert 2250 < steps_until(1e-10, path) < 2350, on


@pytest.mark.parametrize("on", ["gradient", "value"])
def test_from_a_restart_on_it_is_a_run_that_starts_there(on):
    path, states = descend(restarted(on), 2000)
    k = int(np.argmax(states[0].restarts == 1))  # at the gradient of θ(k)
    assert 0 < k < 2000
    plain, _ = descend(lo.chain(lo.nesterov_trace(MOMENTUM), RATE), k)
    np.testing.assert_allclose(path[:k], plain, rtol=0, atol=1e-12)
    again, _ = descend(restarted(on), 2000 - k, path[k - 1])
    np.testing.assert_allclose(path[k:], again, rtol=0, atol=1e-12)
    assert int(states[0].velocity.count[k]) == 1


@pytest.mark.usefixtures("x64")
def test_it_restarts_at_the_first_step_that_leads_uphill():
    _, states = descend(restarted("gradient"), 2000)
    k = int(np.argmax(states[0].restarts == 1))
    plain, _ = descend(lo.chain(lo.nesterov_trace(MOMENTUM), RATE), k + 1)
    θ = np.concatenate([np.ones((1, 100)), plain])
    uphill = (CURVATURE * θ[:-1] * np.diff(θ, axis=0)).sum(axis=1) > 0
    assert uphill.tolist() == [False] * k + [True]


@pytest.mark.usefixtures("x64")
def test_it_restarts_at_the_first_point_that_is_higher_than_the_last():
    path, states = descend(restarted("value"), 2000)
    k = int(np.argmax(states[0].restarts == 1))
    values = jax.vmap(loss)(jnp.concatenate([jnp.ones((1, 100)), path]))
    risen = np.diff(values[: k + 1]) > 0
    assert risen.tolist() == [False] * (k - 1) + [True]


def test_members_of_a_vmap_restart_each_at_its_own_time():
    tx = lo.restart(lo.trace(0.5))
    gradients = jnp.array([[1.0, 1.0], [1.0, -0.25], [-0.5, -0.5]])

    def run(gradients):
        state = tx.init(gradients[0])
        for gradient in gradients:
            update, state = tx.update(gradient, state)
        return update, state

    update, state = jax.vmap(run, in_axes=1)(gradients)
    assert state.restarts.tolist() == [1, 1]
    assert state.velocity.count.tolist() == [1, 2]
    for i in range(2):
        np.testing.assert_array_equal(update[i], run(gradients[:, i])[0])


def test_the_readout_sees_through_a_restart():
    tx = lo.chain(lo.restart(lo.nesterov_trace(0.5)), lo.scale_by_learning_rate(0.25))
    plain = lo.sgd(0.25, momentum=0.5, nesterov=True)
    _, state = tx.update(jnp.ones(2), tx.init(jnp.ones(2)))
    _, expected = plain.update(jnp.ones(2), plain.init(jnp.ones(2)))
    x = lo.lookahead_readout(tx, state, jnp.ones(2))
    np.testing.assert_array_equal(x, lo.lookahead_readout(plain, expected, jnp.ones(2)))


def test_it_prints_as_it_was_typed():
    tx = lo.restart(lo.nesterov_trace(0.5), on="value")
    assert repr(tx) == "restart(nesterov_trace(0.5), on='value')"


def test_without_the_value_that_it_is_to_look_at_it_says_how_to_give_it():
    tx = lo.restart(lo.trace(0.9), on="value")
    with pytest.raises(ValueError, match=r"got value=None.*value=loss"):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)))


def test_a_learning_rate_inside_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"got chain\(trace\(0.9\).*chain\(restart\(velocity\)"):
        lo.restart(lo.sgd(0.1, momentum=0.9))
