"""Four batches of 16 rows make the step of one batch of 64: the same rows, the same mean."""

import chex
import jax
import jax.numpy as jnp
import pytest

from lecture_optax.training import Program

from ..models import ADAM, PROBLEMS, TRAIN

ROWS = tuple(jnp.asarray(x[:64]) for x in TRAIN)
WEIGHTS = jax.random.uniform(jax.random.key(1), 64, maxval=2.0)


def one_step(weights, **options):
    program = Program.of(PROBLEMS["functions"](), ADAM, **options)
    step = jax.jit(program.compiled.step)
    return step(program.init(), ROWS, weights, program.hyperparams)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighed"])
def test_accumulated_small_batches_are_one_large_batch_to_rounding(weights):
    carry, record = one_step(weights, batch_size=16, accumulate=4)
    whole, expected = one_step(weights, batch_size=64)
    ours, theirs = ((c.params, c.opt_state, r) for c, r in ((carry, record), (whole, expected)))
    chex.assert_trees_all_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert int(carry.step) == 1  # updates are counted: a schedule does not drift


def test_their_rows_are_the_same():
    small = Program.of(PROBLEMS["functions"](), ADAM, batch_size=16, accumulate=4)
    large = Program.of(PROBLEMS["functions"](), ADAM, batch_size=64)
    carry = large.init(seed=2)._replace(step=jnp.int32(5))
    chex.assert_trees_all_equal(*jax.jit(lambda c: (small.batch(c), large.batch(c)))(carry))
