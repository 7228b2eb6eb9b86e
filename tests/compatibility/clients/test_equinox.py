"""Equinox: a filtered model is a tree with None where an array was, in gradients and parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

from .optimizers import build, three_optimizers

eqx = pytest.importorskip("equinox")
pytestmark = pytest.mark.usefixtures("standard_promotion", "x64")

INPUTS = np.linspace(-1.0, 1.0, 32).reshape(16, 2)


def trained(tx, steps=30):
    """The losses of a filtered loop, and the last optimizer state."""
    model = eqx.nn.MLP(2, 1, width_size=8, depth=1, key=jax.random.key(0))
    inputs, targets = jnp.asarray(INPUTS), jnp.sin(3.0 * INPUTS.sum(1, keepdims=True))

    @eqx.filter_jit
    def step(model, state):
        @eqx.filter_value_and_grad
        def loss(model):
            return jnp.mean((jax.vmap(model)(inputs) - targets) ** 2)

        value, gradient = loss(model)
        update, state = tx.update(gradient, state, eqx.filter(model, eqx.is_inexact_array))
        return eqx.apply_updates(model, update), state, value

    state, losses = tx.init(eqx.filter(model, eqx.is_inexact_array)), []
    for _ in range(steps):
        model, state, value = step(model, state)
        losses.append(value)
    return np.asarray(losses), state


@three_optimizers
def test_a_filtered_loop_takes_the_same_way_as_with_optax(name):
    np.testing.assert_allclose(trained(build(lo, name))[0], trained(build(optax, name))[0], 1e-9)


def test_a_filtered_state_tells_its_rate():
    _, state = trained(lo.sgd(lo.schedules.inverse_time(0.1), momentum=0.9), steps=4)
    assert int(lo.current(state).count) == 4
    assert float(optax.tree.get(state, "learning_rate")) == pytest.approx(0.1 / 4)
