"""A regression whose loss a test can scale and shift, all of it as data: one compiled program.

Losses are multiples of 2^-12 (their gradients are those of the exact loss), so that a shift by a
power of two, and every sum over rows, is exact in float32.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from lecture_optax.training import Problem

STEPS, BATCH = 60, 16

LARGEST = np.finfo(np.float32).max
"""A factor of the loss that makes it overflow."""


def init(key):
    return {"w": jax.random.normal(key, (3,)), "b": jnp.zeros(())}


def loss(params, batch):
    residual = batch["x"] @ params["w"] + params["b"] - batch["y"]
    exact = residual**2 / 2
    quantised = exact + jax.lax.stop_gradient(jnp.round(exact * 4096) / 4096 - exact)
    return batch["scale"] * quantised + batch["shift"]


def predict(params, x):
    return x @ params["w"] + params["b"]


@functools.cache
def _rows():
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 3)).astype(np.float32)
    y = x @ np.array([1.0, -2.0, 0.5], np.float32) + 0.3 * random.normal(size=80)
    return x, y.astype(np.float32)


def regression(*, scale=1.0, shift=0.0, inputs=1.0, train_scale=None, valid_rows=32):
    """48 rows to train on, 32 held out; `train_scale` spoils the training rows alone."""
    x, y = _rows()

    def part(rows, by):
        n = len(x[rows])
        constant = {"scale": np.full(n, by, np.float32), "shift": np.full(n, shift, np.float32)}
        return {"x": np.float32(inputs) * x[rows], "y": y[rows], **constant}

    train = part(slice(0, 48), scale if train_scale is None else train_scale)
    valid = part(slice(48, 48 + valid_rows), scale) if valid_rows else None
    return Problem.from_functions(init=init, loss=loss, predict=predict, train=train, valid=valid)
