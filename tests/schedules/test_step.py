"""A rate that stays, and one that drops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lecture_optax import schedules as s

from .numbers import falls, rates, steps


@given(rate=rates, warmup=steps(0, 20))
def test_a_constant_is_a_line_up_to_it_and_stays(rate, warmup):
    values = np.asarray(s.constant(rate, warmup_steps=warmup)(np.arange(64)))
    assert (values[warmup:] == rate).all()
    if warmup:
        np.testing.assert_allclose(values[:warmup], rate * np.arange(warmup) / warmup, rtol=4e-7)


@given(rate=rates, factor=st.floats(0, 1, width=32), period=steps(1, 20))
def test_a_period_is_as_many_boundaries(rate, factor, period):
    several, one = (
        s.step(rate, [period, 2 * period], factor=factor),
        s.step(rate, period, factor=factor),
    )
    ks = np.minimum(np.arange(60), 3 * period - 1)
    np.testing.assert_array_equal(one(ks), several(ks))


@given(st.lists(steps(1, 60), min_size=3, max_size=3).map(sorted), st.floats(0, 1, width=32))
def test_it_drops_at_its_boundaries_only(boundaries, factor):
    values = np.asarray(s.step(1.0, boundaries, factor=factor)(np.arange(64)))
    assert falls(values)
    moved = np.flatnonzero(np.diff(values)) + 1
    assert set(moved) <= set(boundaries)
    assert values[0] == 1


@pytest.mark.parametrize("given_as", [tuple, np.array, jnp.array, lambda x: [*map(np.int64, x)]])
def test_boundaries_may_be_a_tuple_or_an_array(given_as):
    ks = np.arange(30)
    expected = s.step(1.0, [10, 20], factor=0.5)(ks)
    np.testing.assert_array_equal(s.step(1.0, given_as([10, 20]), factor=0.5)(ks), expected)


def test_boundaries_may_be_data():
    drops = jax.jit(lambda bounds: s.step(1.0, bounds, factor=0.5)(jnp.arange(5)))
    np.testing.assert_array_equal(drops(jnp.array([1, 3])), [1, 0.5, 0.5, 0.25, 0.25])
    np.testing.assert_array_equal(drops(jnp.array([2, 4])), [1, 1, 0.5, 0.5, 0.25])


def test_equal_boundaries_divide_twice_and_none_never():
    np.testing.assert_array_equal(s.step(1.0, [2, 2], factor=0.5)(np.arange(4)), [1, 1, 0.25, 0.25])
    assert s.step(1.0, [], factor=0.5)(1000) == 1
    assert s.step(1.0, []).horizon == 0


def test_a_factor_of_zero_stops_the_training():
    np.testing.assert_array_equal(s.step(1.0, [2], factor=0.0)(np.arange(4)), [1, 1, 0, 0])


def test_boundaries_are_counted_from_the_very_start_of_a_warm_up():
    ks = np.arange(30)
    warm, cold = s.step(1.0, 10, factor=0.5, warmup_steps=4)(ks), s.step(1.0, 10, factor=0.5)(ks)
    np.testing.assert_array_equal(warm[4:], cold[4:])
    np.testing.assert_array_equal(warm[:5], [0, 0.25, 0.5, 0.75, 1])


def test_a_boundary_inside_the_warm_up_lowers_its_peak():
    values = s.step(1.0, [2, 6], factor=0.5, warmup_steps=4)(np.arange(8))
    np.testing.assert_array_equal(values, [0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.25, 0.25])
    assert s.step(1.0, [2], warmup_steps=4).horizon == 4
