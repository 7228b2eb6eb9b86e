"""The default optimizer takes a smaller learning rate for a larger model."""

import jax
import jax.numpy as jnp
import pytest

from lecture_optax.training.optimizer import default_optimizer


@pytest.mark.parametrize(
    ("shape", "rate"),
    [((), 1e-2), ((100, 100), 1e-2), ((1000, 1000), 0.0022), ((1300, 10**6), 2e-4)],
    ids=["1", "10 thousand", "1 million", "1.3 billion"],
)
def test_the_default_learning_rate_decreases_with_the_number_of_parameters(shape, rate):
    params = {"kernel": jax.ShapeDtypeStruct(shape, jnp.float32)}
    _, hyperparams, source = default_optimizer(params, average=True)
    assert hyperparams == {"learning_rate": rate}
    assert source.startswith(f"the default: Adam at a constant {rate:g} with averaged weights")
    assert (" parameters" in source) == (rate < 1e-2)
