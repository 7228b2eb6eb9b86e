"""On what was the recipe developed? Twelve problems that differ in scale, shape and trouble.

Best rates lie between 1e-6 and 10, both families win, some overfit, some stand on a plateau, and
held-out sets have 40 to 1,000 rows. A loss is a mean over rows, as people write it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn import datasets

from lecture_optax.training import Problem


class Case(NamedTuple):
    """A problem, how long a run is, and its batches."""

    build: Callable[[], Problem]
    steps: int
    batch_size: int


def _dense_layers(*sizes: int, gain: float = 1.0, last_bias: float = 0.0) -> Callable[..., Any]:
    """Parameters of a network: gain / √inputs normal weights, biases 0 but for the last."""

    def init(key):
        keys = jax.random.split(key, len(sizes) - 1)
        pairs = zip(keys, sizes[:-1], sizes[1:], strict=True)
        layers = [
            (gain * jax.random.normal(k, (i, o)) / np.sqrt(i), jnp.zeros(o)) for k, i, o in pairs
        ]
        layers[-1] = (layers[-1][0], layers[-1][1] + last_bias)
        return layers

    return init


def _linear(inputs: int, outputs: int = 1) -> Callable[..., Any]:
    return lambda key: [(jnp.zeros((inputs, outputs)), jnp.zeros(outputs))]


def _network(activation: Callable[..., Any]) -> Callable[..., Any]:
    def apply(layers, x):
        for weights, bias in layers[:-1]:
            x = activation(x @ weights + bias)
        return x @ layers[-1][0] + layers[-1][1]

    return apply


def _squared(prediction: jax.Array, y: jax.Array) -> jax.Array:
    return (prediction[:, 0] - y) ** 2


def _binary(prediction: jax.Array, y: jax.Array) -> jax.Array:
    return optax.losses.sigmoid_binary_cross_entropy(prediction[:, 0], y)


def _classes(prediction: jax.Array, y: jax.Array) -> jax.Array:
    return optax.losses.softmax_cross_entropy_with_integer_labels(prediction, y)


def _poisson(prediction: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.exp(prediction[:, 0]) - y * prediction[:, 0]


def _supervised(x, y, valid, init, apply, per_row, seed=0) -> Problem:
    """The first `valid` rows of a shuffle are held out."""
    order = np.random.default_rng(seed).permutation(len(x))
    x = np.float32(x)[order]
    y = np.asarray(y, np.int32 if per_row is _classes else np.float32)[order]
    return Problem.from_functions(
        init=init,
        loss=lambda params, batch: jnp.mean(per_row(apply(params, batch[0]), batch[1])),
        train=(x[valid:], y[valid:]),
        valid=(x[:valid], y[:valid]),
    )


def _standardised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)


def logistic_raw() -> Problem:
    """Logistic regression on breast-cancer as measured: columns from 1e-3 to 1e3."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return _supervised(x, y, 170, _linear(30), _network(jnp.tanh), _binary)


def wine_raw() -> Problem:
    """Softmax regression on wine as measured, with 60 held-out rows."""
    x, y = datasets.load_wine(return_X_y=True)
    return _supervised(x, y, 60, _linear(13, 3), _network(jnp.tanh), _classes)


def wine_network() -> Problem:
    """A small network on wine, with 40 held-out rows."""
    x, y = datasets.load_wine(return_X_y=True)
    init = _dense_layers(13, 16, 3)
    return _supervised(_standardised(x), y, 40, init, _network(jnp.tanh), _classes)


def least_squares_scaled() -> Problem:
    """Least squares with columns from 1e-2 to 1e2: the best rates lie above 1."""
    random, scales = np.random.default_rng(1), np.logspace(-2, 2, 20)
    x = random.normal(size=(1500, 20)) * scales
    y = x @ (random.normal(size=20) / scales) + 0.3 * random.normal(size=1500)
    return _supervised(x, y, 300, _linear(20), _network(jnp.tanh), _squared)


def poisson() -> Problem:
    """Counts, by a log-linear model."""
    random = np.random.default_rng(2)
    x = random.normal(size=(1500, 8))
    y = random.poisson(np.exp(0.4 * x @ random.normal(size=8) + 1.0))
    return _supervised(x, y, 400, _linear(8), _network(jnp.tanh), _poisson)


def tanh_plateau() -> Problem:
    """Five tanh layers with a small start: a long plateau, then a fall."""
    random = np.random.default_rng(3)
    x = random.normal(size=(2000, 6))
    y = np.sin(1.5 * x[:, 0]) * x[:, 1] + np.tanh(x[:, 2]) + 0.1 * random.normal(size=2000)
    init = _dense_layers(6, 24, 24, 24, 24, 1, gain=0.7)
    return _supervised(x, _standardised(y), 400, init, _network(jnp.tanh), _squared)


def sigmoid_xor() -> Problem:
    """An exclusive or, by two sigmoid layers: the loss stays at the base rate for long."""
    random = np.random.default_rng(4)
    x = random.integers(0, 2, (3000, 6)) * 2.0 - 1
    y = x[:, 0] * x[:, 1] > 0
    x = x + 0.3 * random.normal(size=x.shape)
    return _supervised(x, y, 400, _dense_layers(6, 16, 16, 1), _network(jax.nn.sigmoid), _binary)


def rare_positives() -> Problem:
    """3 % positives, and a last bias that starts at the base rate."""
    random = np.random.default_rng(5)
    z = random.normal(size=(6000, 8))
    y = z[:, 0] + z[:, 1] * z[:, 2] + 0.3 * random.normal(size=6000) > 3.0
    init = _dense_layers(8, 24, 24, 1, last_bias=-3.4)
    return _supervised(z, y, 1000, init, _network(jax.nn.relu), _binary)


def diabetes_overfits() -> Problem:
    """120 rows and 48 hidden units: the best weights are early ones."""
    x, y = datasets.load_diabetes(return_X_y=True)
    init = _dense_layers(10, 48, 1)
    return _supervised(_standardised(x), _standardised(y), 322, init, _network(jnp.tanh), _squared)


def wrong_labels() -> Problem:
    """400 rows, a third of the labels wrong."""
    random = np.random.default_rng(6)
    x = random.normal(size=(1000, 16))
    y = (np.tanh(x) @ random.normal(size=(16, 5))).argmax(1)
    y = np.where(random.random(1000) < 0.3, random.integers(0, 5, 1000), y)
    return _supervised(x, y, 600, _dense_layers(16, 48, 5), _network(jax.nn.relu), _classes)


def factorisation() -> Problem:
    """Two thin matrices whose product fits a third, from a saddle."""
    random = np.random.default_rng(7)
    whole = (random.normal(size=(40, 3)) * [3, 1, 0.3]) @ random.normal(size=(3, 40))
    x = np.stack(np.meshgrid(range(40), range(40), indexing="ij"), -1).reshape(-1, 2)
    y = whole.reshape(-1) + 0.3 * random.normal(size=1600)

    def init(key):
        return [1e-3 * jax.random.normal(k, (40, 8)) for k in jax.random.split(key)]

    def apply(factors, x):
        rows, columns = (jax.nn.one_hot(x[:, i], 40) @ factors[i] for i in (0, 1))
        return jnp.sum(rows * columns, -1, keepdims=True)

    return _supervised(x, y, 400, init, apply, _squared)


def mixture() -> Problem:
    """The density of five clusters, by eight Gaussians: local optima."""
    random = np.random.default_rng(8)
    centres = 3 * random.normal(size=(5, 3))
    spread = random.normal(size=(1500, 3)) * [0.2, 1.0, 0.5]
    x = np.float32(centres[random.integers(0, 5, 1500)] + spread)

    def init(key):
        return {"mean": jax.random.normal(key, (8, 3)), "log": jnp.zeros((8, 3)), "w": jnp.zeros(8)}

    def loss(params, x):
        z = (x[:, None] - params["mean"]) * jnp.exp(-params["log"])
        each = jax.nn.log_softmax(params["w"]) - jnp.sum(z**2 / 2 + params["log"], -1)
        return -jnp.mean(jax.nn.logsumexp(each, -1))

    return Problem.from_functions(init=init, loss=loss, train=x[400:], valid=x[:400])


CASES: dict[str, Case] = {
    "logistic_raw": Case(logistic_raw, 600, 32),
    "wine_raw": Case(wine_raw, 500, 16),
    "wine_network": Case(wine_network, 500, 8),
    "least_squares_scaled": Case(least_squares_scaled, 1000, 32),
    "poisson": Case(poisson, 300, 16),
    "tanh_plateau": Case(tanh_plateau, 1200, 32),
    "sigmoid_xor": Case(sigmoid_xor, 1600, 32),
    "rare_positives": Case(rare_positives, 900, 64),
    "diabetes_overfits": Case(diabetes_overfits, 1500, 16),
    "wrong_labels": Case(wrong_labels, 1500, 16),
    "factorisation": Case(factorisation, 1200, 32),
    "mixture": Case(mixture, 800, 32),
}
