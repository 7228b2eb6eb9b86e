"""Nesterov's velocity, constant and moving, against the textbook loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

from ..runs import iterates_of, updates_for

CURVATURE = np.linspace(0.1, 1.0, 5)
START = np.arange(1.0, 6.0)


def textbook(tau, mu, steps):
    """x(k+1) = y(k) - τ ∇f(y(k)),  y(k+1) = x(k+1) + μ(k) (x(k+1) - x(k)),  in float64."""
    x = y = START
    xs, ys = [], []
    for k in range(steps):
        x_next = y - tau * CURVATURE * y
        y = x_next + mu(k) * (x_next - x)
        x = x_next
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)


@pytest.mark.parametrize(
    "mu", [lambda k: 0.9, lambda k: k / (k + 3.0)], ids=["constant", "k/(k+3)"]
)
@pytest.mark.parametrize("tau_inside", [False, True])
def test_the_stored_point_and_the_readout_are_nesterovs_y_and_x(mu, tau_inside):
    rate, velocity = (
        lo.scale_by_learning_rate(0.7),
        lo.nesterov_trace(lambda k: mu(jnp.asarray(k, jnp.float64))),
    )
    with jax.enable_x64(True):
        tx = lo.chain(rate, velocity) if tau_inside else lo.chain(velocity, rate)
        x_expected, y_expected = textbook(0.7, mu, steps=30)
        y, state = iterates_of(tx, jnp.asarray(START), 30, lambda θ: CURVATURE * θ)
        x = lo.lookahead_readout(tx, state, jnp.asarray(y[-1]))
    np.testing.assert_allclose(y, y_expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(x, x_expected[-1], rtol=0, atol=1e-13)


@pytest.mark.usefixtures("standard_promotion")
def test_one_value_for_memory_and_look_ahead_is_another_method():
    injected = optax.inject_hyperparams(optax.sgd)(
        0.7, momentum=lambda k: k / (k + 3), nesterov=True
    )
    y, _ = iterates_of(injected, jnp.float32(START), 30, lambda θ: jnp.float32(CURVATURE) * θ)
    assert np.abs(y - textbook(0.7, lambda k: k / (k + 3), 30)[1]).max() > 1e-2


def test_the_order_of_rate_and_velocity_decides_what_a_drop_of_the_rate_does():
    def drop(k):
        return jnp.where(k < 20, 1.0, 0.1)

    constant = jnp.ones((26, 1))
    inside = lo.chain(lo.scale_by_learning_rate(drop), lo.nesterov_trace(0.9))
    outside = lo.chain(lo.nesterov_trace(0.9), lo.scale_by_learning_rate(drop))
    np.testing.assert_allclose(updates_for(inside, constant)[20], -7.31, atol=5e-3)
    np.testing.assert_allclose(updates_for(outside, constant)[20], -0.902, atol=5e-4)


def test_before_the_first_step_the_readout_is_the_parameters():
    tx, θ = lo.sgd(0.1, 0.9, nesterov=True), jnp.arange(3.0)
    np.testing.assert_array_equal(lo.lookahead_readout(tx, tx.init(θ), θ), θ)


def test_a_readout_of_another_chain_is_refused_by_its_members():
    tx = lo.sgd(0.1, momentum=0.9)
    with pytest.raises(ValueError, match=r"got chain\(trace\(0.9\), scale_by_learning_rate"):
        lo.lookahead_readout(tx, tx.init(jnp.zeros(2)), jnp.zeros(2))


def test_trace_with_nesterov_is_the_other_block():
    assert repr(lo.trace(0.9, nesterov=True)) == "nesterov_trace(0.9)"
