"""A rate that is multiplied by the same number again and again."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lecture_optax import schedules as s

from .numbers import climbs, falls, positive_rates, rates, steps


@given(rate=rates, decay=st.floats(0.125, 2.0, width=32), length=steps(1, 30), warmup=steps(0, 20))
def test_it_moves_one_way_after_the_warm_up(rate, decay, length, warmup):
    values = np.asarray(
        s.exponential(rate, decay, transition_steps=length, warmup_steps=warmup)(np.arange(64))
    )
    assert values[warmup] == rate
    assert (falls if decay <= 1 else climbs)(values[warmup:])


@given(rate=positive_rates, decay=st.floats(0.125, 2.0, width=32), length=steps(1, 30))
def test_a_staircase_meets_the_curve_where_a_stair_begins(rate, decay, length):
    ks = np.arange(64)
    stairs = s.exponential(rate, decay, transition_steps=length, staircase=True)(ks)
    curve = s.exponential(rate, decay, transition_steps=length)(ks)
    np.testing.assert_array_equal(stairs, stairs[ks - ks % length])
    np.testing.assert_allclose(stairs[::length], curve[::length], rtol=2e-6)


@given(rate=positive_rates, decay=st.floats(0.125, 2.0, width=32), end=positive_rates)
def test_the_end_value_is_a_floor_or_a_ceiling(rate, decay, end):
    values = np.asarray(s.exponential(rate, decay, end_value=end)(np.arange(64)))
    assert (values <= end).all() if decay > 1 else (values >= end).all()


def test_what_float32_rounds_off_does_not_add_up():
    """The nearest float32 of the factor gives 0.1353."""
    rate = s.exponential(1.0, 0.9999999)
    np.testing.assert_allclose(rate(2**24 + 1), 0.18679906, rtol=3e-7)


def test_a_factor_that_is_an_array_means_what_it_holds():
    rate = s.exponential(1.0, np.float32(0.9999999))
    np.testing.assert_allclose(rate(2**24 + 1), 0.13533525, rtol=3e-7)


@pytest.mark.parametrize("transition", [3, 7, 10])
def test_a_stair_begins_at_its_step_exactly_also_far_out(transition):
    rate = s.exponential(1.0, 0.999999, transition_steps=transition, staircase=True)
    first = 2**24 // transition * transition
    before, begins = rate(np.array([first - 1, first]))
    assert begins < before
