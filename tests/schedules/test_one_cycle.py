"""Up once, and down far below the start."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, strategies as st

from lecture_optax import schedules as s

from .numbers import climbs, falls, positive_rates, steps


@st.composite
def phases(draw):
    total = draw(steps(1, 60))
    return total, draw(steps(0, total))


@given(peak=positive_rates, phases=phases())
def test_it_climbs_to_its_peak_and_falls_to_its_end(peak, phases):
    total, top = phases
    values = np.asarray(s.one_cycle(peak, total, warmup_steps=top)(np.arange(64)))
    assert climbs(values[: min(top, total - 1) + 1]) and falls(values[top:])
    assert top == total or values[top] == values.max() == np.float32(peak)
    np.testing.assert_allclose(values[total:], peak / 250_000, rtol=3e-7)
    if top > 0:
        np.testing.assert_allclose(values[0], peak / 25, rtol=2e-7)


def test_what_is_not_given_follows_the_peak_and_the_horizon():
    ks = np.arange(50)
    given = s.one_cycle(1.0, 40, warmup_steps=12, init_value=0.04, end_value=0.000004)(ks)
    np.testing.assert_allclose(s.one_cycle(1.0, 40)(ks), given, rtol=4e-7)


def test_the_defaults_follow_data_too():
    ends = jax.jit(lambda peak, total: s.one_cycle(peak, total)(jnp.arange(50))[jnp.array([0, 12])])
    np.testing.assert_allclose(ends(1.0, 40), [0.04, 1.0], rtol=1e-7)
    np.testing.assert_allclose(ends(2.0, 40), [0.08, 2.0], rtol=1e-7)


def test_a_single_step_is_the_peak():
    values = s.one_cycle(1.0, 1)(np.arange(3))
    np.testing.assert_allclose(values, [1, 4e-6, 4e-6], rtol=1e-6)


def test_a_climb_of_all_steps_ends_in_the_end_value():
    values = s.one_cycle(1.0, 2, warmup_steps=2, init_value=0.0, end_value=0.25)(np.arange(4))
    np.testing.assert_allclose(values, [0, 0.5, 0.25, 0.25], rtol=1e-6)
