"""Training loops as each library teaches them: one network (BatchNorm, dropout) on digits.

Each returns `(steps) -> seconds`: the time of so many warm steps on batches of 64, shuffled on the
host.
"""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import numpy as np
import optax
from flax import nnx
from flax.training.train_state import TrainState
from sklearn.datasets import load_digits

import lecture_optax as lo

from .timing import seconds

BATCH, HIDDEN, RATE, DROPOUT = 64, 64, 1e-3, 0.1
DIGITS = load_digits()
X = (DIGITS.data / 16).astype(np.float32)
Y = DIGITS.target.astype(np.int32)
Loop = Callable[[int], float]


def batches(steps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Shuffled epochs, as in every tutorial; a last short batch is dropped."""
    random = np.random.default_rng(0)
    while True:
        order = random.permutation(len(X))
        for first in range(0, len(X) - BATCH + 1, BATCH):
            if steps == 0:
                return
            rows, steps = order[first : first + BATCH], steps - 1
            yield X[rows], Y[rows]


def loss_of(logits: jax.Array, y: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


class LinenNet(nn.Module):
    hidden: int = HIDDEN

    @nn.compact
    def __call__(self, x, train: bool):
        for _ in range(2):
            x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Dense(self.hidden)(x)))
            x = nn.Dropout(DROPOUT, deterministic=not train)(x)
        return nn.Dense(10)(x)


class BatchStatsState(TrainState):
    batch_stats: Any


def linen_step() -> tuple[Any, Callable[..., Any]]:
    """The start and the jitted step of Flax's linen guides."""
    model, key = LinenNet(), jax.random.key(0)
    variables = model.init(key, X[:1], train=False)
    state = BatchStatsState.create(
        apply_fn=model.apply,
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        tx=optax.adam(RATE),
    )

    @jax.jit
    def step(state, x, y):
        def loss(params):
            logits, changed = state.apply_fn(
                {"params": params, "batch_stats": state.batch_stats},
                x,
                train=True,
                rngs={"dropout": jax.random.fold_in(key, state.step)},
                mutable=["batch_stats"],
            )
            return loss_of(logits, y), changed

        (value, changed), gradient = jax.value_and_grad(loss, has_aux=True)(state.params)
        state = state.apply_gradients(grads=gradient, batch_stats=changed["batch_stats"])
        return state, value

    return state, step


def linen() -> Loop:
    start, step = linen_step()

    def run(steps):
        state = start
        for x, y in batches(steps):
            state, value = step(state, x, y)
        jax.block_until_ready((state, value))

    return lambda steps: seconds(run, steps)


class NnxNet(nnx.Module):
    def __init__(self, rngs):
        sizes = [(64, HIDDEN), (HIDDEN, HIDDEN)]
        self.dense = nnx.List([nnx.Linear(*size, rngs=rngs) for size in sizes])
        self.norm = nnx.List([nnx.BatchNorm(HIDDEN, rngs=rngs) for _ in sizes])
        self.dropout = nnx.Dropout(DROPOUT, rngs=rngs)
        self.out = nnx.Linear(HIDDEN, 10, rngs=rngs)

    def __call__(self, x):
        for dense, norm in zip(self.dense, self.norm, strict=True):
            x = self.dropout(nnx.relu(norm(dense(x))))
        return self.out(x)


def nnx_jit() -> Loop:
    model = NnxNet(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(RATE), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, x, y):
        value, gradient = nnx.value_and_grad(lambda model: loss_of(model(x), y))(model)
        optimizer.update(model, gradient)
        return value

    def run(steps):
        model.train()
        for x, y in batches(steps):
            value = step(model, optimizer, x, y)
        jax.block_until_ready(value)

    return lambda steps: seconds(run, steps)


class EquinoxNet(eqx.Module):
    dense: list
    norm: list
    dropout: eqx.nn.Dropout
    out: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key, 3)
        sizes = [(64, HIDDEN), (HIDDEN, HIDDEN)]
        self.dense = [eqx.nn.Linear(*s, key=k) for s, k in zip(sizes, keys[:2], strict=True)]
        self.norm = [eqx.nn.BatchNorm(HIDDEN, "batch", mode="batch") for _ in sizes]
        self.dropout = eqx.nn.Dropout(DROPOUT)
        self.out = eqx.nn.Linear(HIDDEN, 10, key=keys[2])

    def __call__(self, x, state, key):
        for dense, norm, k in zip(self.dense, self.norm, jax.random.split(key), strict=True):
            x, state = norm(dense(x), state)
            x = self.dropout(jax.nn.relu(x), key=k)
        return self.out(x), state


def equinox() -> Loop:
    start = eqx.nn.make_with_state(EquinoxNet)(jax.random.key(0))
    tx = optax.adam(RATE)

    @eqx.filter_jit
    def step(model, state, opt_state, x, y, key):
        @eqx.filter_value_and_grad(has_aux=True)
        def loss(model):
            keys = jax.random.split(key, len(x))
            each = jax.vmap(model, axis_name="batch", in_axes=(0, None, 0), out_axes=(0, None))
            logits, changed = each(x, state, keys)
            return loss_of(logits, y), changed

        (value, state), gradient = loss(model)
        updates, opt_state = tx.update(gradient, opt_state, eqx.filter(model, eqx.is_array))
        return eqx.apply_updates(model, updates), state, opt_state, value

    def run(steps):
        (model, state), key = start, jax.random.key(1)
        opt_state = tx.init(eqx.filter(model, eqx.is_array))
        for x, y in batches(steps):
            key, own = jax.random.split(key)
            model, state, opt_state, value = step(model, state, opt_state, x, y, own)
        jax.block_until_ready((model, value))

    return lambda steps: seconds(run, steps)


def ours() -> Loop:
    model, tx = LinenNet(), lo.adam(RATE)

    def run(steps):
        lo.fit(
            model,
            (X, Y),
            loss="cross_entropy",
            tx=tx,
            steps=steps,
            batch_size=BATCH,
            evaluations=0,
            progress=False,
        )

    return lambda steps: seconds(run, steps)


def torch_loop() -> Loop:
    import torch  # optional: not in the lock

    torch.set_num_threads(2)
    block = [
        layer
        for _ in range(2)
        for layer in (
            torch.nn.LazyLinear(HIDDEN),
            torch.nn.BatchNorm1d(HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Dropout(DROPOUT),
        )
    ]
    model = torch.nn.Sequential(*block, torch.nn.LazyLinear(10))
    model(torch.from_numpy(X[:2]))
    optimizer = torch.optim.Adam(model.parameters(), RATE)

    def run(steps):
        model.train()
        for x, y in batches(steps):
            optimizer.zero_grad()
            out = model(torch.from_numpy(x))
            torch.nn.functional.cross_entropy(out, torch.from_numpy(y).long()).backward()
            optimizer.step()

    return lambda steps: seconds(run, steps)


def keras_fit() -> Loop:
    import os

    os.environ["KERAS_BACKEND"] = "jax"
    import keras  # optional: not in the lock

    layers = [
        layer
        for _ in range(2)
        for layer in (
            keras.layers.Dense(HIDDEN),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Dropout(DROPOUT),
        )
    ]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])
    model.compile(
        optimizer=keras.optimizers.Adam(RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def run(steps):
        epochs = max(1, round(steps * BATCH / len(X)))
        model.fit(X, Y, batch_size=BATCH, epochs=epochs, verbose=0)

    return lambda steps: seconds(run, steps)


THEIRS: dict[str, Callable[[], Loop]] = {
    "linen, jax.jit": linen,
    "nnx, nnx.jit": nnx_jit,
    "Equinox, filter_jit": equinox,
    "Keras on JAX, fit": keras_fit,
    "PyTorch": torch_loop,
}
