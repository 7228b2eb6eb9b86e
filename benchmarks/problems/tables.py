"""Tables and formulas: the first twelve problems, small and each difficult in another way.

The best learning rates lie between 1e-6 and 10. Some problems overfit, some start on a plateau,
some have few examples.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn import datasets

from .parts import (
    Case,
    Task,
    binary,
    classes,
    layers,
    linear,
    network,
    poisson_loss,
    squared,
    standardised,
    supervised,
    task,
)


def logistic_raw() -> Task:
    """Logistic regression on breast-cancer as measured: columns from 1e-3 to 1e3."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return supervised(x, y, 170, linear(30), network(), binary)


def wine_raw() -> Task:
    """Softmax regression on wine as measured, with 60 validation examples."""
    x, y = datasets.load_wine(return_X_y=True)
    return supervised(x, y, 60, linear(13, 3), network(), classes)


def wine_network() -> Task:
    """A small network on wine, with 40 validation examples."""
    x, y = datasets.load_wine(return_X_y=True)
    init = layers(13, 16, 3)
    return supervised(standardised(x), y, 40, init, network(), classes)


def least_squares_scaled() -> Task:
    """Least squares with columns from 1e-2 to 1e2: the best learning rates lie above 1."""
    random, scales = np.random.default_rng(1), np.logspace(-2, 2, 20)
    x = random.normal(size=(1800, 20)) * scales
    y = x @ (random.normal(size=20) / scales) + 0.3 * random.normal(size=1800)
    return supervised(x, y, 300, linear(20), network(), squared)


def poisson() -> Task:
    """Counts, by a log-linear model."""
    random = np.random.default_rng(2)
    x = random.normal(size=(1900, 8))
    y = random.poisson(np.exp(0.4 * x @ random.normal(size=8) + 1.0))
    return supervised(x, y, 400, linear(8), network(), poisson_loss)


def tanh_plateau() -> Task:
    """Five tanh layers with a small start: a long plateau, then a fast decrease."""
    random = np.random.default_rng(3)
    x = random.normal(size=(2400, 6))
    y = np.sin(1.5 * x[:, 0]) * x[:, 1] + np.tanh(x[:, 2]) + 0.1 * random.normal(size=2400)
    init = layers(6, 24, 24, 24, 24, 1, gain=0.7)
    return supervised(x, standardised(y), 400, init, network(), squared)


def sigmoid_xor() -> Task:
    """Exclusive or, by two sigmoid layers: the loss stays at the base rate for a long time."""
    random = np.random.default_rng(4)
    x = random.integers(0, 2, (3000, 6)) * 2.0 - 1
    y = x[:, 0] * x[:, 1] > 0
    x = x + 0.3 * random.normal(size=x.shape)
    return supervised(x, y, 400, layers(6, 16, 16, 1), network(jax.nn.sigmoid), binary)


def rare_positives() -> Task:
    """3 % positives, and a last bias that starts at the base rate."""
    random = np.random.default_rng(5)
    z = random.normal(size=(6000, 8))
    y = z[:, 0] + z[:, 1] * z[:, 2] + 0.3 * random.normal(size=6000) > 3.0
    init = layers(8, 24, 24, 1, last_bias=-3.4)
    return supervised(z, y, 1000, init, network(jax.nn.relu), binary)


def diabetes_overfits() -> Task:
    """122 examples and 48 hidden units: the best weights are early ones."""
    x, y = datasets.load_diabetes(return_X_y=True)
    init = layers(10, 48, 1)
    return supervised(standardised(x), standardised(y), 160, init, network(), squared)


def wrong_labels() -> Task:
    """400 examples, a third of the labels wrong."""
    random = np.random.default_rng(6)
    x = random.normal(size=(1600, 16))
    y = (np.tanh(x) @ random.normal(size=(16, 5))).argmax(1)
    y = np.where(random.random(1600) < 0.3, random.integers(0, 5, 1600), y)
    return supervised(x, y, 600, layers(16, 48, 5), network(jax.nn.relu), classes)


def factorisation() -> Task:
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

    return supervised(x, y, 400, init, apply, squared)


def mixture() -> Task:
    """The density of five clusters, by eight Gaussians: local optima."""
    random = np.random.default_rng(8)
    centres = 3 * random.normal(size=(5, 3))
    spread = random.normal(size=(1900, 3)) * [0.2, 1.0, 0.5]
    x = np.float32(centres[random.integers(0, 5, 1900)] + spread)

    def init(key):
        return {"mean": jax.random.normal(key, (8, 3)), "log": jnp.zeros((8, 3)), "w": jnp.zeros(8)}

    def loss(params, x):
        z = (x[:, None] - params["mean"]) * jnp.exp(-params["log"])
        each = jax.nn.log_softmax(params["w"]) - jnp.sum(z**2 / 2 + params["log"], -1)
        return -jnp.mean(jax.nn.logsumexp(each, -1))

    return task(x, 400, init, loss)


TABLES = {
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
