"""The average of the iterates, kept inside Optax's wrappers, resumed, and in bfloat16."""

import pickle

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

from .test_wrappers import descend, parameters

pytestmark = pytest.mark.usefixtures("standard_promotion")  # Optax's wrappers promote


def averaging():
    return lo.chain(lo.sgd(0.1, momentum=0.9), lo.average_iterates(eta=0.0))


def mean(path, every=1):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64)[every - 1 :: every].mean(0), path)


def last(path):
    return jax.tree.map(lambda leaf: leaf[-1], path)


# By name: the wrapped optimizer, and after how many steps the parameters move.
KEPT_IN = {
    "MultiSteps": (lambda tx: optax.MultiSteps(tx, 3), 3),
    "partition": (lambda tx: optax.partition({"x": tx, "y": tx}, {"w": "x", "b": "y"}), 1),
    "apply_if_finite": (lambda tx: optax.apply_if_finite(tx, 3), 1),
    "masked": (lambda tx: optax.masked(tx, {"w": True, "b": True}), 1),
    "chain": (lambda tx: optax.chain(optax.clip(5.0), tx), 1),
}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("wrapper", KEPT_IN)
def test_it_is_the_mean_of_the_iterates(wrapper, dtype):
    wrap, every = KEPT_IN[wrapper]
    path, state = descend(wrap(averaging()), parameters(wrapper, dtype))
    averaged = lo.averaged(state, last(path))
    chex.assert_trees_all_equal_shapes_and_dtypes(averaged, last(path))
    chex.assert_trees_all_close(
        jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), averaged),
        mean(path, every),
        rtol=2e-6 if dtype == jnp.float32 else 1e-2,
        atol=1e-6 if dtype == jnp.float32 else 1e-2,
    )


def test_a_label_without_an_average_is_read_as_it_is():
    labels = {"w": "x", "b": "y"}
    tx = optax.partition({"x": averaging(), "y": lo.adam(0.1)}, labels)
    path, state = descend(tx, parameters("", jnp.float32))
    averaged = lo.averaged(state, last(path))
    np.testing.assert_allclose(averaged["w"], mean(path)["w"], rtol=2e-6, atol=1e-6)
    np.testing.assert_array_equal(averaged["b"], last(path)["b"])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_resumed_average_is_the_uninterrupted_one_bit_by_bit(dtype):
    tx = optax.MultiSteps(averaging(), 2)
    path, state = descend(tx, parameters("", dtype), steps=12)

    half, saved = descend(tx, parameters("", dtype), steps=5)
    file = pickle.dumps(jax.tree.map(np.asarray, (last(half), saved)))
    params, restored = jax.tree.map(jnp.array, pickle.loads(file))
    rest, resumed = descend(tx, params, steps=7, state=restored)
    chex.assert_trees_all_equal(lo.averaged(resumed, last(rest)), lo.averaged(state, last(path)))


def test_under_a_moving_rate_it_is_still_the_mean():
    schedule = lo.schedules.cosine(0.1, 12)
    tx = lo.chain(lo.adam(schedule), lo.average_iterates(eta=0.0))
    path, state = descend(tx, parameters("", jnp.float32))
    chex.assert_trees_all_close(lo.averaged(state, last(path)), mean(path), rtol=2e-6, atol=1e-6)


def test_under_flatten_it_is_read_in_the_vector_that_flatten_sees():
    path, state = descend(optax.flatten(averaging()), parameters("", jnp.float32))
    with pytest.raises(ValueError, match=r"under optax.flatten that is one vector"):
        lo.averaged(state, last(path))
    vector, unravel = jax.flatten_util.ravel_pytree(last(path))
    averaged = unravel(lo.averaged(state, vector))
    chex.assert_trees_all_close(averaged, mean(path), rtol=2e-6, atol=1e-6)
