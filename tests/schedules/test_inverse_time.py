"""1/k, in units of its own."""

import math

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, strategies as st

import lecture_optax as lo
from lecture_optax import schedules as s

from .numbers import falls, rates, steps


@given(
    rate=rates,
    decay=st.floats(0, 10, width=32),
    power=st.floats(0, 4, width=32),
    length=steps(1, 30),
    warmup=steps(0, 20),
)
def test_it_falls_from_its_first_value(rate, decay, power, length, warmup):
    schedule = s.inverse_time(
        rate, decay, power=power, transition_steps=length, warmup_steps=warmup
    )
    values = np.asarray(schedule(np.arange(64)))
    assert values[warmup] == rate and falls(values[warmup:])


@given(decay=st.floats(0, 10, width=32), length=steps(1, 30))
def test_a_staircase_meets_the_curve_where_a_stair_begins(decay, length):
    ks = np.arange(64)
    stairs = s.inverse_time(1.0, decay, transition_steps=length, staircase=True)(ks)
    curve = s.inverse_time(1.0, decay, transition_steps=length)(ks)
    np.testing.assert_array_equal(stairs, stairs[ks - ks % length])
    np.testing.assert_allclose(stairs[::length], curve[::length], rtol=4e-7)


def test_it_is_one_over_k_to_the_last_step():
    ks = np.array([1, 10, 2**24 + 1, 2**31 - 2])
    np.testing.assert_allclose(s.inverse_time(1.0)(ks), 1 / (1 + ks), rtol=1.2e-7)
    np.testing.assert_allclose(s.inverse_time(1.0, power=0.5)(ks), (1 + ks) ** -0.5, rtol=2.4e-7)


@pytest.mark.usefixtures("x64", "standard_promotion")
def test_in_float64_no_step_is_computed_in_float32():
    for k in (2, 16_777_216, 2**31 - 2):
        assert float(s.inverse_time(1.0)(jnp.int32(k))) == 1 / (1 + k)


@pytest.mark.usefixtures("x64")
def test_with_it_gradient_descent_is_the_running_mean():
    """On E(θ) = (θ - sample)² / 2, whose curvature is 1."""
    samples = np.random.default_rng(0).standard_normal(100)
    tx, mean = lo.sgd(s.inverse_time(1.0)), jnp.asarray(0.0)
    state = tx.init(mean)
    for k, sample in enumerate(samples):
        update, state = tx.update(mean - sample, state)
        mean = optax.apply_updates(mean, update)
        assert math.isclose(mean, samples[: k + 1].mean(), rel_tol=1e-12)
