"""Falls that end: monotone, within their bounds, exact at both ends."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lecture_optax import schedules as s

from .numbers import climbs, falls, rates, steps

FALLS = [s.linear, s.cosine, s.polynomial]
LAST = 2**31 - 1


@st.composite
def phases(draw, most):
    total = draw(steps(1, most))
    return total, draw(steps(0, total))


@pytest.mark.parametrize("fall", FALLS)
@given(init_value=rates, end_value=rates, phases=phases(60))
def test_it_goes_from_one_end_to_the_other_and_nowhere_else(fall, init_value, end_value, phases):
    total, warmup = phases
    values = np.asarray(
        fall(init_value, total, end_value=end_value, warmup_steps=warmup)(np.arange(64))
    )
    climb, rest = values[:warmup], values[warmup:]
    assert climbs([0, *climb, init_value] if warmup else [])
    assert falls([init_value, *rest]) or climbs([init_value, *rest])
    assert (values[total:] == end_value).all()
    if warmup < total:
        assert values[warmup] == init_value


@pytest.mark.parametrize("fall", FALLS)
@given(init_value=rates, end_value=rates, phases=phases(LAST - 1))
def test_it_is_continuous_where_a_phase_ends(fall, init_value, end_value, phases):
    total, warmup = phases
    schedule = fall(init_value, total, end_value=end_value, warmup_steps=warmup)
    around = np.array([warmup - 1, warmup, warmup + 1, total - 1, total, total + 1])
    start, top, after, before, end, later = np.asarray(schedule(around.clip(0)), float)
    widest = 2 * max(init_value, end_value)  # the steepest slope: that of a square, at its start
    assert warmup == 0 or warmup == total or top - start <= init_value / warmup * 1.001 + 1e-6
    assert warmup == total or abs(after - top) <= widest / (total - warmup) * 1.001 + 1e-6
    assert warmup == total or abs(end - before) <= widest / (total - warmup) * 1.001 + 1e-6
    assert end == later == end_value


@pytest.mark.parametrize("fall", FALLS)
def test_a_warm_up_of_all_steps_ends_in_the_end_value(fall):
    values = fall(1.0, 4, end_value=0.25, warmup_steps=4)(np.arange(6))
    np.testing.assert_array_equal(values, [0, 0.25, 0.5, 0.75, 0.25, 0.25])


@pytest.mark.parametrize("fall", FALLS)
def test_a_single_step_is_the_first_value(fall):
    np.testing.assert_array_equal(fall(0.5, 1)(np.arange(3)), [0.5, 0, 0])


@pytest.mark.parametrize("total", [10, 1000, 2**24, 2**31 - 1])
def test_the_last_step_of_a_line_is_one_part_exactly(total):
    assert s.linear(1.0, total)(total - 1) == np.float32(1) / np.float32(total)


def test_an_end_value_reached_from_far_above_keeps_its_digits():
    """Where 1 + (1e-6 - 1) x has lost them all."""
    np.testing.assert_allclose(s.cosine(1.0, 1000, end_value=1e-6)(999), 3.4673966e-6, rtol=2e-7)


def test_a_power_of_one_is_the_line():
    ks = np.arange(45)
    line = s.linear(0.1, 40, end_value=0.03, warmup_steps=7)(ks)
    np.testing.assert_array_equal(
        s.polynomial(0.1, 40, end_value=0.03, power=1.0, warmup_steps=7)(ks), line
    )


@given(power=st.floats(2**-7, 8.0, width=32), total=steps(1, 60))
def test_a_smaller_power_stays_above(power, total):
    ks = np.arange(64)
    lower, upper = (s.polynomial(1.0, total, power=p)(ks) for p in (power * 1.5, power))
    assert (lower <= upper).all()
