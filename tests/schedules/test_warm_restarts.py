"""A rate that falls again and again: when it jumps back, and how far."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lecture_optax import schedules as s

from .numbers import falls, positive_rates, rates, steps

FACTORS = st.sampled_from([1.0, 1.25, 1.5, 2.0, 3.0])


def lengths(period, factor, cycles):
    """Steps of each cycle, in whole numbers: halves to even, as NumPy rounds."""
    return [int(np.round(period * factor**n)) for n in range(cycles)]


@given(peak=positive_rates, end=rates, period=steps(1, 12), factor=FACTORS)
def test_it_jumps_to_the_peak_where_a_cycle_begins_and_falls_within(peak, end, period, factor):
    schedule = s.warm_restarts(peak, period, period_factor=factor, end_value=end)
    values = np.asarray(schedule(np.arange(200)))
    starts = np.cumsum([0, *lengths(period, factor, 6)])
    for first, following in itertools.pairwise(starts):
        cycle = values[first:following]
        if len(cycle):
            assert cycle[0] == peak
            assert falls(cycle) if peak >= end else falls(-cycle)


@given(period=steps(1, 12), factor=FACTORS, cycles=steps(1, 5))
def test_after_the_last_cycle_it_stays_at_its_end(period, factor, cycles):
    schedule = s.warm_restarts(1.0, period, period_factor=factor, end_value=0.25, cycles=cycles)
    end = sum(lengths(period, factor, cycles))
    assert schedule.horizon == end
    before, *after = schedule(np.array([end - 1, end, end + 1, 2**31 - 1]))
    assert before > 0.25 and after == [0.25] * 3


@given(period=steps(1, 12), factor=FACTORS, warmup=steps(0, 12), first=rates)
def test_every_cycle_climbs_first(period, factor, warmup, first):
    warmup = min(warmup, period)
    schedule = s.warm_restarts(
        0.5, period, period_factor=factor, warmup_steps=warmup, init_value=first
    )
    values = np.asarray(schedule(np.arange(200)))
    start = 0
    for length in lengths(period, factor, 4):
        cycle = values[start : start + length]
        start += length
        if len(cycle) < length:
            break
        expected = first + (0.5 - first) * np.arange(warmup) / max(warmup, 1)
        np.testing.assert_allclose(cycle[:warmup], expected, rtol=4e-7)
        assert warmup == length or cycle[warmup] == 0.5


@given(factor=st.floats(0.125, 1.5, width=32), period=steps(1, 12))
def test_every_peak_is_the_last_one_scaled(factor, period):
    starts = np.arange(6) * period
    peaks = s.warm_restarts(0.5, period, peak_factor=factor)(starts)
    np.testing.assert_allclose(peaks, 0.5 * factor ** np.arange(6), rtol=4e-7)


def test_one_cycle_is_the_cosine():
    ks = np.arange(60)
    once = s.warm_restarts(0.1, 40, end_value=0.01, cycles=1, warmup_steps=7)
    np.testing.assert_array_equal(once(ks), s.cosine(0.1, 40, end_value=0.01, warmup_steps=7)(ks))


def test_cycles_are_cosines_joined():
    ks = np.arange(80)
    joined = s.join([s.cosine(0.1, 10), s.cosine(0.1, 20), s.cosine(0.1, 40)], [10, 30])
    restarts = s.warm_restarts(0.1, 10, period_factor=2, cycles=3)
    np.testing.assert_array_equal(restarts(ks), joined(ks))
    assert restarts.horizon == joined.horizon == 70


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_boundaries_are_exact_as_far_as_steps_are_counted(factor):
    schedule, start, length = s.warm_restarts(1.0, 7, period_factor=factor), 0, 7
    while start < 2**31 - 2 and length < 2**31:
        before, begins = schedule(np.array([max(start, 1) - 1, start]))
        assert begins == 1 and (start == 0 or before < 0.2)
        start, length = start + length, length * factor
        if factor == 1:
            start, length = (start * 10) // 7 * 7, 7


def test_a_first_period_beyond_float32_ends_at_its_step():
    period = 2**24 + 1
    values = s.warm_restarts(1.0, period)(
        np.array([period - 1, period, 2 * period - 1, 2 * period])
    )
    assert values[0] < 1e-13 and values[1] == 1 and values[2] < 1e-13 and values[3] == 1


def test_all_of_it_may_be_data():
    """One compile over periods, factors and numbers of cycles, mapped."""

    def rates(period, factor, cycles):
        schedule = s.warm_restarts(1.0, period, period_factor=factor, cycles=cycles)
        return schedule(jnp.arange(40)), schedule.horizon

    trials = jnp.array([4, 5, 6]), jnp.array([1.0, 1.5, 2.0]), jnp.array([4, 3, 2])
    mapped, ends = jax.jit(jax.vmap(rates))(*trials)
    for i, trial in enumerate(zip(*map(np.asarray, trials), strict=True)):
        values, end = rates(*trial)
        np.testing.assert_array_equal(mapped[i], values)
        assert ends[i] == end


def test_a_horizon_beyond_the_counter_is_its_last_step():
    assert s.warm_restarts(1.0, 2**20, cycles=4000).horizon == 2**31 - 1


def test_a_factor_close_to_one_is_walked_all_the_same():
    schedule = s.warm_restarts(1.0, 1000, period_factor=1.0001)
    np.testing.assert_array_equal(schedule(np.array([0, 1000, 2000])), [1, 1, 1])
