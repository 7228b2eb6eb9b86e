"""Deeper, longer, noisier: networks on digits."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from sklearn import datasets

from lecture_optax.training import Problem

from .parts import (
    Case,
    Task,
    classes,
    layer_norm,
    layers,
    network,
    normal,
    parted,
    supervised,
    task,
)


def _digits(noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.load_digits(return_X_y=True)
    return x / 16 + noise * np.random.default_rng(21).normal(size=x.shape), y


def long_network() -> Task:
    """4,000 steps on 900 digits: it overfits, late."""
    x, y = _digits()
    return supervised(
        x[:1500], y[:1500], 300, layers(64, 32, 32, 10), network(jax.nn.relu), classes
    )


def short_network() -> Task:
    """120 steps: the search itself has to be short."""
    return supervised(*_digits(), 300, layers(64, 24, 10), network(jax.nn.relu), classes)


def saturated_network() -> Task:
    """Five tanh layers whose start is saturated."""
    init = layers(64, 20, 20, 20, 20, 10, gain=3.0)
    return supervised(*_digits(), 300, init, network(), classes)


def residual_network() -> Task:
    """Residual blocks with layer norm, and a last layer of zeros."""

    def init(key):
        keys = jax.random.split(key, 4)
        blocks = [(normal(k, 24, 24), jnp.zeros(24)) for k in keys[1:]]
        return {"in": normal(keys[0], 64, 24), "blocks": blocks, "out": jnp.zeros((24, 10))}

    def apply(params, x):
        x = x @ params["in"]
        for weights, bias in params["blocks"]:
            x = x + jax.nn.relu(layer_norm(x) @ weights + bias)
        return layer_norm(x) @ params["out"]

    return supervised(*_digits(), 400, init, apply, classes)


def autoencoder() -> Task:
    """Digits through six numbers, and back."""
    x = np.float32(_digits()[0])

    def loss(params, batch):
        return jnp.mean((network()(params, batch) - batch) ** 2)

    return task(x, 400, layers(64, 24, 6, 24, 64), loss)


class _Convolutions(nn.Module):
    """Two convolutions with batch statistics."""

    @nn.compact
    def __call__(self, x, train):
        x = x.reshape(-1, 8, 8, 1)
        for channels in (6, 12):
            x = nn.Conv(channels, (3, 3), strides=2, use_bias=False)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        return nn.Dense(10)(x.reshape(x.shape[0], -1))


class _Dropout(nn.Module):
    """Two wide layers, half of whose units are dropped."""

    @nn.compact
    def __call__(self, x, train):
        for _ in range(2):
            x = nn.Dropout(0.5, deterministic=not train)(nn.relu(nn.Dense(48)(x)))
        return nn.Dense(10)(x)


def convolutions() -> Task:
    """A CNN with BatchNorm on noisy digits: the model has a state."""
    return _of_module(_Convolutions(), *_digits(noise=0.3))


def dropout() -> Task:
    """A network with dropout on noisy digits: the gradient has additional noise."""
    return _of_module(_Dropout(), *_digits(noise=0.3))


def _of_module(module: nn.Module, x: np.ndarray, y: np.ndarray) -> Task:
    train, valid, test = parted((np.float32(x), np.int32(y)), 400)
    return Task(Problem.from_linen(module, train, loss="cross_entropy", valid=valid), test)


NETWORKS = {
    "long_network": Case(long_network, 4000, 32),
    "short_network": Case(short_network, 120, 64),
    "saturated_network": Case(saturated_network, 1000, 32),
    "residual_network": Case(residual_network, 700, 32),
    "autoencoder": Case(autoencoder, 800, 32),
    "convolutions": Case(convolutions, 300, 32),
    "dropout": Case(dropout, 800, 32),
}
