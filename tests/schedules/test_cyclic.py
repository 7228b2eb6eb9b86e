"""Up and down a triangle."""

import numpy as np
from hypothesis import given, strategies as st

from lecture_optax import schedules as s

from .numbers import positive_rates, rates, steps


@given(low=rates, high=rates, period=steps(2, 20))
def test_it_repeats_and_mirrors_itself(low, high, period):
    values = np.asarray(s.cyclic(low, high, period=period)(np.arange(60)))[: 3 * period]
    one = values[:period]
    np.testing.assert_array_equal(values, np.tile(one, 3))
    np.testing.assert_allclose(one[1:], one[:0:-1], rtol=3e-7)
    assert one[0] == low and min(low, high) <= one.min() <= one.max() <= max(low, high)
    assert period % 2 or one[period // 2] == high


@given(high=positive_rates, period=steps(2, 20), factor=st.floats(0.125, 1.5, width=32))
def test_every_cycle_is_the_first_one_scaled(high, period, factor):
    values = np.asarray(s.cyclic(0.0, high, period=period, peak_factor=factor)(np.arange(60)))
    first, *others = values[: 3 * period].reshape(3, period)
    for n, other in enumerate(others, start=1):
        np.testing.assert_allclose(other, first * factor**n, rtol=4e-7)


def test_a_peak_below_the_start_is_a_valley():
    values = s.cyclic(1.0, 0.5, period=4)(np.arange(6))
    np.testing.assert_array_equal(values, [1, 0.75, 0.5, 0.75, 1, 0.75])


def test_a_period_beyond_float32_turns_at_its_step():
    period = 2**25 + 2
    turns = s.cyclic(0.0, 1.0, period=period)(np.array([0, 1, period - 1, period, period + 1]))
    assert turns[0] == turns[3] == 0
    assert turns[1] == turns[2] == turns[4] > 0
