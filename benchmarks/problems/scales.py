"""Unusual scales: ill-conditioned, huge, tiny, few examples, an equation instead of examples."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn import datasets

from .parts import (
    Case,
    Task,
    classes,
    layers,
    linear,
    network,
    squared,
    standardised,
    supervised,
    task,
)


def least_squares_correlated() -> Task:
    """Least squares whose columns are correlated: a condition number of 1e6."""
    random = np.random.default_rng(11)
    left, right = (np.linalg.qr(random.normal(size=(24, 24)))[0] for _ in range(2))
    x = random.normal(size=(1800, 24)) @ (left * np.logspace(0, -3, 24)) @ right
    y = x @ (5 * random.normal(size=24)) + 0.05 * random.normal(size=1800)
    return supervised(x, y, 300, linear(24), network(), squared)


def quantile_of_thousands() -> Task:
    """The 90 % quantile of targets in the ten thousands, by a network: a pinball loss."""
    random = np.random.default_rng(12)
    x = random.normal(size=(1900, 6))
    y = 1e4 * (x[:, 0] + np.abs(x[:, 1]) * random.exponential(1, 1900))

    def pinball(prediction, y):
        error = y - 1e4 * prediction[:, 0]
        return jnp.maximum(0.9 * error, -0.1 * error)

    return supervised(x, y, 400, layers(6, 16, 1), network(jax.nn.relu), pinball)


def millionths() -> Task:
    """A regression whose loss is counted in millionths: gradients are tiny."""
    random = np.random.default_rng(13)
    x = random.normal(size=(1900, 8))
    y = 1e-3 * np.tanh(x @ random.normal(size=(8, 3))).sum(1)
    return supervised(x, y, 400, layers(8, 24, 1, gain=0.1), network(jax.nn.relu), squared)


def iris_twelve() -> Task:
    """Softmax regression on iris with 12 validation examples."""
    x, y = datasets.load_iris(return_X_y=True)
    return supervised(x, y, 12, linear(4, 3), network(), classes, test=58)


def hinge() -> Task:
    """A support-vector machine: convex, not smooth."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    rows = np.float32(standardised(x)), np.float32(2 * y - 1)

    def loss(params, batch):
        margin = batch[1] * network()(params, batch[0])[:, 0]
        return jnp.mean(jax.nn.relu(1 - margin)) + 0.005 * jnp.sum(params[0][0] ** 2)

    return task(rows, 150, linear(30), loss)


def equation() -> Task:
    """A network that obeys u'' = -u, u(0) = 0, u'(0) = 1 on [0, 6]: points, and no targets."""
    points = np.float32(np.random.default_rng(14).uniform(0, 6, 900))

    def u(params, t):
        return t + t**2 * network()(params, t[None, None] / 3 - 1)[0, 0]

    def residual(params, t):
        second = jax.grad(jax.grad(u, argnums=1), argnums=1)
        return second(params, t) + u(params, t)

    def loss(params, batch):
        return jnp.mean(jax.vmap(residual, (None, 0))(params, batch) ** 2)

    return task(points, 300, layers(1, 20, 20, 1), loss)


SCALES = {
    "least_squares_correlated": Case(least_squares_correlated, 1500, 16),
    "quantile_of_thousands": Case(quantile_of_thousands, 800, 32),
    "millionths": Case(millionths, 1000, 32),
    "iris_twelve": Case(iris_twelve, 400, 8),
    "hinge": Case(hinge, 400, 16),
    "equation": Case(equation, 1000, 64),
}
