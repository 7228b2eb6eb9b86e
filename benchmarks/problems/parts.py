"""Parts of the problems: tasks, layers and losses that are means over examples."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lecture_optax.training import Problem


class Task(NamedTuple):
    """A problem with its training and validation data, and test data that no search uses."""

    problem: Problem
    test: Any


class Case(NamedTuple):
    """A task, the steps of a run, and its batch size."""

    build: Callable[[], Task]
    steps: int
    batch_size: int


def layers(*sizes: int, gain: float = 1.0, last_bias: float = 0.0) -> Callable[..., Any]:
    """Parameters of a network: gain / √inputs normal weights, biases 0 but for the last."""

    def init(key):
        keys = jax.random.split(key, len(sizes) - 1)
        pairs = zip(keys, sizes[:-1], sizes[1:], strict=True)
        dense = [(gain * normal(k, i, o), jnp.zeros(o)) for k, i, o in pairs]
        dense[-1] = (dense[-1][0], dense[-1][1] + last_bias)
        return dense

    return init


def normal(key: jax.Array, *shape: int) -> jax.Array:
    """Weights of variance 1 / inputs."""
    return jax.random.normal(key, shape) / np.sqrt(shape[0])


def linear(inputs: int, outputs: int = 1) -> Callable[..., Any]:
    return lambda key: [(jnp.zeros((inputs, outputs)), jnp.zeros(outputs))]


def network(activation: Callable[..., Any] = jnp.tanh) -> Callable[..., Any]:
    def apply(dense, x):
        for weights, bias in dense[:-1]:
            x = activation(x @ weights + bias)
        return x @ dense[-1][0] + dense[-1][1]

    return apply


def layer_norm(x: jax.Array) -> jax.Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(centred**2, -1, keepdims=True) + 1e-5)


def squared(prediction: jax.Array, y: jax.Array) -> jax.Array:
    return (prediction[:, 0] - y) ** 2


def binary(prediction: jax.Array, y: jax.Array) -> jax.Array:
    return optax.losses.sigmoid_binary_cross_entropy(prediction[:, 0], y)


def classes(prediction: jax.Array, y: jax.Array) -> jax.Array:
    return optax.losses.softmax_cross_entropy_with_integer_labels(prediction, y)


def poisson_loss(prediction: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.exp(prediction[:, 0]) - y * prediction[:, 0]


def standardised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)


def supervised(x, y, held_out, init, apply, per_row, test=None) -> Task:
    """Return a task with `held_out` validation examples, and `test` or as many test examples."""
    x = np.float32(x)
    y = np.asarray(y, np.int32 if per_row is classes else np.float32)

    def loss(params, batch):
        return jnp.mean(per_row(apply(params, batch[0]), batch[1]))

    return task((x, y), held_out, init, loss, test)


def task(rows: Any, held_out: int, init: Any, loss: Any, test: int | None = None) -> Task:
    """Return a task with any data and any loss."""
    train, valid, last = parted(rows, held_out, test)
    return Task(Problem.from_functions(init=init, loss=loss, train=train, valid=valid), last)


def parted(rows: Any, held_out: int, test: int | None = None) -> tuple[Any, Any, Any]:
    """Return training, validation and test data."""
    count = len(jax.tree.leaves(rows)[0])
    order = np.random.default_rng(0).permutation(count)
    ends = np.cumsum([held_out, held_out if test is None else test])
    valid, last, train = np.split(order, ends)
    return tuple(jax.tree.map(lambda x, some=some: x[some], rows) for some in (train, valid, last))
