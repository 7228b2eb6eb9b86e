"""The optimized gradient method: what it promises, and that N is data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.theory import lower_bound


def last_t(steps):
    """t(N) of the paper."""
    t = 1.0
    for _ in range(steps - 1):
        t = (1 + np.sqrt(1 + 4 * t**2)) / 2
    return (1 + np.sqrt(1 + 8 * t**2)) / 2


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_on_hubers_function_it_leaves_what_the_theorem_says(steps):
    tx = lo.chain(lo.optimized_trace(steps), lo.scale_by_learning_rate(1.0))
    assert lower_bound(tx, steps) == pytest.approx(1 / (2 * last_t(steps) ** 2), rel=1e-12)


def test_one_compiled_step_serves_every_number_of_steps():
    gradient = jnp.float32(1.0)

    @jax.jit
    def first_step(total_steps):
        tx = lo.optimized_trace(total_steps)
        return tx.update(gradient, tx.init(gradient))[0]

    for total_steps in (1, 2):
        tx = lo.optimized_trace(total_steps)
        expected, _ = tx.update(gradient, tx.init(gradient))
        np.testing.assert_allclose(first_step(total_steps), expected, rtol=1e-6)
    assert first_step._cache_size() == 1
