"""Schedules put together: one after the other, scaled, clipped; of any origin."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, strategies as st

from lecture_optax import schedules as s

from .numbers import rates, steps

KS = np.arange(64)


@given(st.lists(rates, min_size=3, max_size=3), st.tuples(steps(0, 40), steps(0, 40)).map(sorted))
def test_each_counts_from_its_own_first_step(peaks, boundaries):
    parts = [s.cosine(peak, 20) for peak in peaks]
    values = np.asarray(s.join(parts, boundaries)(KS))
    edges = [0, *boundaries, 64]
    for part, first, following in zip(parts, edges, edges[1:], strict=False):
        expected = part(KS - first)[first:following]
        np.testing.assert_array_equal(values[first:following], expected)


def test_a_schedule_of_no_steps_is_skipped():
    one, two, three = s.constant(1.0), s.constant(2.0), s.constant(3.0)
    np.testing.assert_array_equal(s.join([one, two, three], [2, 2])(KS[:4]), [1, 1, 3, 3])
    np.testing.assert_array_equal(s.join([one, two], [0])(KS[:2]), [2, 2])


def test_one_alone_is_itself():
    np.testing.assert_array_equal(s.join([s.cosine(1.0, 9)], [])(KS), s.cosine(1.0, 9)(KS))


def test_the_last_one_ends_it():
    assert s.join([s.linear(1.0, 5), s.cosine(1.0, 10)], [5]).horizon == 15
    assert s.join([s.linear(1.0, 5), s.inverse_time(1.0)], [5]).horizon is None
    assert s.join([s.linear(1.0, 5), optax.constant_schedule(1.0)], [5]).horizon is None


@given(peak=rates, factor=rates)
def test_to_scale_is_to_multiply(peak, factor):
    schedule = s.cosine(peak, 20)
    np.testing.assert_array_equal(s.scale(schedule, factor)(KS), schedule(KS) * np.float32(factor))
    assert s.scale(schedule, factor).horizon == 20


@given(rates, rates)
def test_to_clip_is_to_stay_between(one, other):
    low, high = sorted([one, other])
    schedule = s.linear(8.0, 40)
    values = s.clip(schedule, low, max_value=high)(KS)
    np.testing.assert_array_equal(values, np.clip(schedule(KS), np.float32(low), np.float32(high)))
    np.testing.assert_array_equal(s.clip(schedule, low)(KS), np.maximum(schedule(KS), low))


OPTAXS = optax.warmup_cosine_decay_schedule(0.0, 0.1, 5, 20)
FOREIGN = [
    s.join([OPTAXS, s.constant(0.01)], [20]),
    s.join([s.constant(0.01), OPTAXS], [20]),
    s.scale(OPTAXS, 0.5),
    s.clip(OPTAXS, 0.01, max_value=0.05),
    s.warmup(lambda k: 0.1, 5),
    s.scale(s.join([OPTAXS, OPTAXS], [20]), 2.0),
]


@pytest.mark.parametrize("schedule", FOREIGN, ids=repr)
def test_anybodys_schedule_may_be_part_of_a_tree(schedule, standard_promotion):
    ks = KS[:30:7]
    values = [schedule(int(k)) for k in ks]
    for others in (
        jax.vmap(schedule)(ks),
        jax.jit(schedule)(ks),
        jax.jit(lambda schedule, k: schedule(k))(schedule, ks),
        jax.lax.scan(lambda _, k: (None, schedule(k)), None, ks)[1],
    ):
        np.testing.assert_allclose(others, values, rtol=1e-6, atol=1e-8)


def test_optaxs_is_found_where_it_was_put(standard_promotion):
    joined = s.join([s.constant(0.01), OPTAXS], [20])
    np.testing.assert_allclose(joined(KS[20:40]), jax.vmap(OPTAXS)(KS[:20]), rtol=1e-6)


def test_two_of_the_same_functions_are_one_compile():
    traces = []

    @jax.jit
    def rate(schedule, k):
        traces.append(k)
        return schedule(k)

    for factor in (0.5, 0.25):
        rate(s.scale(jnp.sqrt, factor), 4.0)
    assert len(traces) == 1
