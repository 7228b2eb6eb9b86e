"""Optax's own installed tests, with our optimizers in its tables.

    python -m pytest tests/optax_suite          every eleventh row, 15 s
    python -m pytest tests/optax_suite -m ""    all of it, 100 s

What is left out, and why, stands in `conftest.py`.
"""

import jax.numpy as jnp
import optax
import pytest

from .swap import FLAGS, OURS, swapped

pytest.importorskip("sklearn")  # Optax's tests of L-BFGS, in the same file, compare with it

AliasTest = swapped("optax._src.alias_test", FLAGS).AliasTest
ContribTest = swapped("optax.contrib._common_test").ContribTest
Float64Test = swapped("optax._src.float64_test").Float64Test
ShardingTest = swapped("optax._src.sharding_test").ShardingTest


def test_the_optimizers_under_test_are_ours():
    assert {getattr(optax, name).__module__.split(".")[0] for name in OURS} == {"lecture_optax"}


@pytest.mark.parametrize("name", ["trace", "mu"])
def test_the_one_refused_contract_is_bfloat16_moments_that_nobody_asked_for(name):
    tx = optax.sgd(0.1, momentum=0.9) if name == "trace" else optax.adam(0.1)
    state = tx.init(jnp.zeros(2, jnp.bfloat16))
    assert optax.tree.get(state, name).dtype == jnp.float32
