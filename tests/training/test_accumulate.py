"""Four batches of 16 rows make the step of one batch of 64: the same rows, the same mean."""

import chex
import jax
import numpy as np
import pytest

import lecture_optax as lo

from .models import PROBLEMS, TRAIN

ADAM = lo.adam(1e-2)
WEIGHTS = np.random.default_rng(1).uniform(0, 2, 72).astype(np.float32)


def three_steps(weights, **options):
    program = PROBLEMS["functions"]().program(ADAM, **options)

    def body(carry, _):
        data = (TRAIN, weights)
        batch, own = program.compiled.take(data, carry.key, carry.step)
        return program.compiled.step(carry, batch, own, program.hyperparams)

    return jax.jit(lambda carry: jax.lax.scan(body, carry, length=3))(program.init(seed=2))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighed"])
def test_accumulated_small_batches_are_one_large_batch_to_rounding(weights):
    carry, record = three_steps(weights, batch_size=16, accumulate=4)
    whole, expected = three_steps(weights, batch_size=64)
    chex.assert_trees_all_close(carry.params, whole.params, rtol=1e-5, atol=1e-6)
    for name in ("loss", "grad_norm", "update_norm", "learning_rate"):
        np.testing.assert_allclose(getattr(record, name), getattr(expected, name), rtol=1e-5)
    assert int(carry.step) == int(whole.step) == 3  # updates: a schedule does not drift
