"""Warm-up, stable, decay: a decay that starts when you say so."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, strategies as st

import lecture_optax as lo
from lecture_optax import schedules as s

from .numbers import climbs, falls, positive_rates, steps

KS = np.arange(64)


@st.composite
def phases(draw):
    total = draw(steps(1, 60))
    decay = draw(steps(0, total))
    return total, draw(steps(0, total - decay)), decay


@pytest.mark.parametrize("shape", ["linear", "cosine"])
@given(peak=positive_rates, phases=phases())
def test_it_climbs_stays_and_falls(shape, peak, phases):
    total, warmup, decay = phases
    schedule = s.wsd(peak, total, warmup_steps=warmup, decay_steps=decay, shape=shape)
    values = np.asarray(schedule(KS))
    assert climbs(values[: total - decay]) and falls(values[total - decay :])
    assert (values[warmup : total - decay] == peak).all() and (values[total:] == 0).all()
    assert warmup == 0 or values[0] == 0 or warmup == total - decay == 0
    assert schedule.horizon == total


@given(start=steps(0, 40), decay=steps(0, 20), warmup=steps(0, 40))
def test_its_fall_starts_from_the_rate_in_force(start, decay, warmup):
    values = np.asarray(s.wsd(1.0, warmup_steps=warmup, decay_start=start, decay_steps=decay)(KS))
    steady = np.asarray(s.constant(1.0, warmup_steps=warmup)(KS))
    np.testing.assert_array_equal(values[:start], steady[:start])
    assert falls(values[start:]) and (values[start + decay :] == 0).all()
    if decay:
        assert values[start] == steady[start]


def test_without_decay_steps_a_fifth_of_the_whole_falls():
    np.testing.assert_array_equal(
        s.wsd(1.0, 40)(KS), s.wsd(1.0, 40, warmup_steps=0, decay_steps=8)(KS)
    )


def test_the_whole_or_the_start_says_the_same():
    whole = s.wsd(1.0, 40, warmup_steps=5, decay_steps=10, init_value=0.5, end_value=0.25)
    start = s.wsd(
        1.0, warmup_steps=5, decay_steps=10, decay_start=30, init_value=0.5, end_value=0.25
    )
    np.testing.assert_array_equal(whole(KS), start(KS))
    assert whole.horizon == start.horizon == 40


def test_a_far_start_means_not_yet():
    schedule = s.wsd(1.0, decay_start=2**31 - 1, decay_steps=100)
    np.testing.assert_array_equal(schedule(np.array([0, 10**6, 2**31 - 2])), [1, 1, 1])


def test_one_compiled_training_step_serves_any_start_of_the_fall():
    """Train on, look at the loss, and decide: nothing is compiled again."""
    traces, θ = [], jnp.array([3.0, -4.0])

    @jax.jit
    def train_step(θ, state, decay_start):
        traces.append(decay_start)
        tx = lo.sgd(s.wsd(0.1, warmup_steps=2, decay_start=decay_start, decay_steps=4), 0.9)
        updates, state = tx.update(2 * θ, state, θ)
        return optax.apply_updates(θ, updates), state

    state, rates, start = lo.sgd(0.1, 0.9).init(θ), [], 2**31 - 1
    for k in range(24):
        if start > k and jnp.abs(θ).max() < 2:  # told while training
            start = k
        θ, state = train_step(θ, state, start)
        rates.append(float(optax.tree.get(state, "learning_rate")))
    assert len(traces) == 1 and start < 16
    expected = s.wsd(0.1, warmup_steps=2, decay_start=start, decay_steps=4)(np.arange(24))
    np.testing.assert_array_equal(np.float32(rates), expected)


def test_a_vmap_over_starts_is_a_loop():
    starts = jnp.array([0, 3, 10, 2**31 - 1])
    mapped = jax.vmap(lambda start: s.wsd(1.0, decay_start=start, decay_steps=5)(KS))(starts)
    for start, values in zip(starts, mapped, strict=True):
        np.testing.assert_array_equal(values, s.wsd(1.0, decay_start=start, decay_steps=5)(KS))
