"""Flax: linen's TrainState and nnx's Optimizer hold our states as they hold Optax's."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

from .optimizers import build, three_optimizers

flax = pytest.importorskip("flax")
linen = pytest.importorskip("flax.linen")
nnx = pytest.importorskip("flax.nnx")
train_state = pytest.importorskip("flax.training.train_state")
pytestmark = pytest.mark.usefixtures("standard_promotion")

INPUTS = jnp.linspace(-1.0, 1.0, 32).reshape(16, 2)
TARGETS = jnp.sin(3.0 * INPUTS.sum(1, keepdims=True))


class LinenNet(linen.Module):
    dtype: object = jnp.float32

    @linen.compact
    def __call__(self, x):
        x = linen.tanh(linen.Dense(8, param_dtype=self.dtype)(x))
        return linen.Dense(1, param_dtype=self.dtype)(x)


class NnxNet(nnx.Module):
    def __init__(self, rngs, dtype=jnp.float32):
        self.hidden = nnx.Linear(2, 8, rngs=rngs, param_dtype=dtype)
        self.out = nnx.Linear(8, 1, rngs=rngs, param_dtype=dtype)

    def __call__(self, x):
        return self.out(nnx.tanh(self.hidden(x)))


def trained_linen(tx, steps=30, dtype=jnp.float32):
    """The TrainState after `steps`, in one scan, and the losses on the way."""
    net = LinenNet(dtype)
    params = net.init(jax.random.key(0), INPUTS)["params"]
    state = train_state.TrainState.create(apply_fn=net.apply, params=params, tx=tx)

    def step(state, _):
        def loss(params):
            return jnp.mean((state.apply_fn({"params": params}, INPUTS) - TARGETS) ** 2)

        value, gradient = jax.value_and_grad(loss)(state.params)
        return state.apply_gradients(grads=gradient), value

    return jax.jit(lambda state: jax.lax.scan(step, state, length=steps))(state)


def trained_nnx(tx, steps=30, dtype=jnp.float32):
    """The model's optimizer after `steps` calls of `nnx.jit`, and the losses on the way."""
    model = NnxNet(nnx.Rngs(0), dtype)
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        value, gradient = nnx.value_and_grad(lambda m: jnp.mean((m(INPUTS) - TARGETS) ** 2))(model)
        optimizer.update(model, gradient)
        return value

    losses = [step(model, optimizer) for _ in range(steps)]
    return optimizer, jnp.stack(losses)


@pytest.mark.usefixtures("x64")
@three_optimizers
def test_a_linen_train_state_takes_the_same_way_as_with_optax(name):
    ours, theirs = (trained_linen(build(lib, name), dtype=jnp.float64) for lib in (lo, optax))
    np.testing.assert_allclose(ours[-1], theirs[-1], rtol=1e-9)


@pytest.mark.usefixtures("x64")
@three_optimizers
def test_an_nnx_optimizer_takes_the_same_way_as_with_optax(name):
    ours, theirs = (trained_nnx(build(lib, name), dtype=jnp.float64) for lib in (lo, optax))
    np.testing.assert_allclose(ours[-1], theirs[-1], rtol=1e-9)


@pytest.mark.parametrize("train", [trained_linen, trained_nnx])
def test_bfloat16_parameters_train(train):
    losses = train(lo.adamw(0.03), dtype=jnp.bfloat16)[-1]
    assert losses.dtype == jnp.float32 or losses.dtype == jnp.bfloat16
    assert losses[-1] < 0.7 * losses[0]


def test_the_rate_in_force_is_read_from_a_train_state():
    state, _ = trained_linen(lo.adam(lo.schedules.inverse_time(0.1)), steps=4)
    now = lo.current(state.opt_state)
    assert int(now.count) == int(state.step) == 4
    assert float(optax.tree.get(state.opt_state, "learning_rate")) == pytest.approx(0.1 / 4)


def test_the_rate_in_force_is_read_from_an_nnx_optimizer():
    optimizer, _ = trained_nnx(lo.adam(lo.schedules.inverse_time(0.1)), steps=4)
    now = lo.current(optimizer.opt_state)
    assert int(now.count) == 4
    assert [float(rate) for rate in now.learning_rates.values()] == pytest.approx([0.1 / 4])


def test_the_average_is_read_from_an_nnx_optimizer_and_goes_back_into_its_model():
    model = NnxNet(nnx.Rngs(0))
    tx = lo.chain(lo.sgd(0.1, momentum=0.9), lo.average_iterates(eta=0.0))
    optimizer, path = nnx.Optimizer(model, tx, wrt=nnx.Param), []
    for _ in range(4):
        gradient = nnx.grad(lambda m: jnp.mean((m(INPUTS) - TARGETS) ** 2))(model)
        optimizer.update(model, gradient)
        path.append(np.asarray(model.out.kernel))
    kept, now = nnx.as_pure(optimizer.opt_state), nnx.as_pure(nnx.state(model, nnx.Param))
    nnx.update(model, lo.averaged(kept, now))
    np.testing.assert_allclose(model.out.kernel, np.mean(path, 0), rtol=1e-5)
