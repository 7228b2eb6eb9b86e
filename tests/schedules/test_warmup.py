"""A climb in front of anything."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given

from lecture_optax import schedules as s

from .numbers import climbs, positive_rates, rates, steps

KS = np.arange(64)


@given(first=rates, peak=rates, warmup=steps(0, 40))
def test_it_climbs_from_its_first_value_to_the_schedules_own(first, peak, warmup):
    schedule = s.warmup(s.cosine(peak, 20), warmup, init_value=first)
    values = np.asarray(schedule(KS))
    assert values[0] == (first if warmup else peak)
    assert climbs(values[: warmup + 1]) or climbs(-values[: warmup + 1])
    np.testing.assert_array_equal(values[warmup:], s.cosine(peak, 20)(KS)[: 64 - warmup])
    assert schedule.horizon == 20 + warmup


@given(first=positive_rates, peak=positive_rates, warmup=steps(0, 40))
def test_the_exponential_shape_grows_by_the_same_factor(first, peak, warmup):
    schedule = s.warmup(s.constant(peak), warmup, init_value=first, shape="exponential")
    values = np.asarray(schedule(KS), float)
    expected = first * (peak / first) ** (np.arange(warmup) / max(warmup, 1))
    np.testing.assert_allclose(values[:warmup], expected, rtol=4e-6)
    assert (values[warmup:] == peak).all()


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (s.constant(0.1, warmup_steps=7), s.warmup(s.constant(0.1), 7)),
        (s.inverse_time(0.1, warmup_steps=7), s.warmup(s.inverse_time(0.1), 7)),
        (s.exponential(0.1, 0.9, warmup_steps=7), s.warmup(s.exponential(0.1, 0.9), 7)),
        (s.cosine(0.1, 40, warmup_steps=7), s.warmup(s.cosine(0.1, 33), 7)),
        (
            s.linear(0.1, 40, end_value=0.01, warmup_steps=7),
            s.warmup(s.linear(0.1, 33, end_value=0.01), 7),
        ),
        (s.polynomial(0.1, 40, warmup_steps=7), s.warmup(s.polynomial(0.1, 33), 7)),
        (
            s.wsd(0.1, 40, warmup_steps=7, decay_steps=10),
            s.warmup(s.wsd(0.1, 33, warmup_steps=0, decay_steps=10), 7),
        ),
    ],
    ids=repr,
)
def test_the_argument_warmup_steps_is_a_linear_warmup_inside_of_the_horizon(short, long):
    np.testing.assert_array_equal(short(KS), long(KS))
    assert short.horizon == long.horizon


@pytest.mark.parametrize("shape", ["linear", "exponential"])
@pytest.mark.parametrize("none", [0, np.int64(0), 0.0, jnp.int32(0)])
def test_a_warm_up_of_no_steps_starts_at_the_peak(shape, none):
    assert s.warmup(s.constant(0.5), none, init_value=0.1, shape=shape)(0) == 0.5
    assert s.constant(0.5, warmup_steps=none)(0) == 0.5
    assert s.cosine(0.5, 10, warmup_steps=none)(0) == 0.5


def test_it_goes_before_somebody_elses_schedule():
    schedule = s.warmup(optax.linear_schedule(1.0, 0.0, 4), 2)
    np.testing.assert_array_equal(schedule(KS[:7]), [0, 0.5, 1, 0.75, 0.5, 0.25, 0])
    assert schedule.horizon is None


def test_one_warm_up_may_follow_another():
    schedule = s.warmup(s.warmup(s.constant(1.0), 2, init_value=0.5), 2)
    np.testing.assert_array_equal(schedule(KS[:5]), [0, 0.25, 0.5, 0.75, 1])
