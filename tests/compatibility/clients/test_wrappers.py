"""Optax's wrappers around our optimizers, in one compiled scan."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

from .optimizers import ARGUMENTS, build

pytestmark = pytest.mark.usefixtures("standard_promotion")  # Optax's wrappers promote

START = {"w": [[4.0, -2.0, 1.0], [0.5, 3.0, -1.0]], "b": [2.0, -3.0]}

WRAPPERS = {
    "MultiSteps": lambda tx: optax.MultiSteps(tx, every_k_schedule=2),
    "masked": lambda tx: optax.masked(tx, {"w": True, "b": False}),
    "partition": lambda tx: optax.partition({"x": tx, "y": tx}, {"w": "x", "b": "y"}),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, max_consecutive_errors=3),
    "flatten": optax.flatten,
    "schedule_free": lambda tx: optax.contrib.schedule_free(tx, learning_rate=0.03),
    "lookahead": lambda tx: optax.lookahead(tx, sync_period=3, slow_step_size=0.5),
}


def parameters(wrapper, dtype):
    params = {name: jnp.asarray(value, dtype) for name, value in START.items()}
    return optax.LookaheadParams.init_synced(params) if wrapper == "lookahead" else params


def gradient_at(params, dtype):
    fast = getattr(params, "fast", params)
    return jax.tree.map(lambda p: (jnp.sin(p) + 0.3 * p).astype(dtype), fast)


def descend(tx, params, steps=12, gradient_dtype=None, state=None):
    """The parameters after each of `steps`, and the last state, from one scan."""
    state = tx.init(params) if state is None else state
    dtype = gradient_dtype or jax.tree.leaves(params)[0].dtype

    def step(carry, _):
        params, state = carry
        update, state = tx.update(gradient_at(params, dtype), state, params)
        params = optax.apply_updates(params, update)
        return (params, state), params

    (_, state), path = jax.jit(lambda carry: jax.lax.scan(step, carry, length=steps))(
        (params, state)
    )
    return path, state


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["adamw", "sgd"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapped_it_takes_the_same_way_as_with_optax(wrapper, name):
    start = parameters(wrapper, jnp.float64)
    ours, _ = descend(WRAPPERS[wrapper](build(lo, name)), start)
    theirs, _ = descend(WRAPPERS[wrapper](build(optax, name)), start)
    for mine, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-11)


@pytest.mark.parametrize("gradient_dtype", [jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapped_it_scans_with_bfloat16_parameters(wrapper, gradient_dtype):
    tx = WRAPPERS[wrapper](build(lo, "adamw"))
    path, _ = descend(tx, parameters(wrapper, jnp.bfloat16), 12, gradient_dtype)
    assert all(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(path))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_with_injected_hyperparameters_one_state_serves_every_rate(name, dtype=jnp.bfloat16):
    factory = optax.inject_hyperparams(getattr(lo, name), hyperparam_dtype=jnp.float32)
    tx, params = factory(0.1, **ARGUMENTS[name]), parameters("", dtype)
    gradient = gradient_at(params, dtype)

    @jax.jit
    def step(state, rate):
        state.hyperparams["learning_rate"] = rate
        update, state = tx.update(gradient, state, params)
        return update["w"], state

    state = tx.init(params)
    large, _ = step(state, jnp.float32(0.2))
    small, after = step(state, jnp.float32(0.1))
    np.testing.assert_array_equal(np.asarray(large, float), 2 * np.asarray(small, float))
    chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
    assert {float(rate) for rate in lo.current(after).learning_rates.values()} == {np.float32(0.1)}


def test_a_step_that_is_not_finite_leaves_no_trace():
    tx, params = optax.apply_if_finite(lo.adam(0.1), 3), parameters("", jnp.float32)
    state = tx.init(params)
    update, after = jax.jit(tx.update)(jax.tree.map(lambda p: p / 0, params), state, params)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(update))
    chex.assert_trees_all_equal(after.inner_state, state.inner_state)
