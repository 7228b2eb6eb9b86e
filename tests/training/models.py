"""One network, four times: linen, nnx, Equinox and plain functions, from the same numbers."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import lecture_optax as lo
from lecture_optax.training import Problem

ADAM = lo.adam(1e-2)
"""One object for all tests: equal programs are then compiled once."""

_random = np.random.default_rng(0)
X = _random.normal(size=(100, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
TRAIN, VALID = (X[:72], Y[:72]), (X[72:], Y[72:])
PARAMS = {
    "hidden": {
        "kernel": _random.normal(size=(4, 8)).astype(np.float32),
        "bias": np.zeros(8, np.float32),
    },
    "out": {
        "kernel": _random.normal(size=(8, 2)).astype(np.float32),
        "bias": np.zeros(2, np.float32),
    },
}


class LinenNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2, name="out")(nn.tanh(nn.Dense(8, name="hidden")(x)))


class NnxNet(nnx.Module):
    def __init__(self, rngs):
        self.hidden, self.out = nnx.Linear(4, 8, rngs=rngs), nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.tanh(self.hidden(x)))


class EquinoxNet(eqx.Module):
    hidden: eqx.nn.Linear
    out: eqx.nn.Linear

    def __init__(self, key):
        self.hidden, self.out = eqx.nn.Linear(4, 8, key=key), eqx.nn.Linear(8, 2, key=key)

    def __call__(self, x):
        return self.out(jnp.tanh(self.hidden(x)))


def linen_problem(**options):
    return Problem.from_linen(
        LinenNet(), TRAIN, loss="cross_entropy", valid=VALID, params=PARAMS, **options
    )


def nnx_model():
    model = NnxNet(nnx.Rngs(0))
    nnx.update(model, nnx.State(PARAMS))
    return model


def nnx_problem(**options):
    return Problem.from_nnx(nnx_model(), TRAIN, loss="cross_entropy", valid=VALID, **options)


def equinox_module():
    def where(m):
        return m.hidden.weight, m.hidden.bias, m.out.weight, m.out.bias

    given = [jnp.asarray(PARAMS[layer][name]).T for layer in PARAMS for name in PARAMS[layer]]
    return eqx.tree_at(where, EquinoxNet(jax.random.key(0)), given)


def equinox_problem(**options):
    return Problem.from_equinox(
        equinox_module(), TRAIN, loss="cross_entropy", valid=VALID, **options
    )


def plain_predict(params, x):
    hidden = jnp.tanh(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])
    return hidden @ params["out"]["kernel"] + params["out"]["bias"]


def plain_loss(params, batch):
    x, y = batch
    return optax.softmax_cross_entropy_with_integer_labels(plain_predict(params, x), y)


def plain_init(key):
    return PARAMS


def functions_problem(**options):
    return Problem.from_functions(
        init=plain_init,
        loss=plain_loss,
        train=TRAIN,
        valid=VALID,
        predict=plain_predict,
        **options,
    )


PROBLEMS = {
    "linen": linen_problem,
    "nnx": nnx_problem,
    "equinox": equinox_problem,
    "functions": functions_problem,
}


class LinenNoisy(nn.Module):
    """With what must be handled: running statistics, dropout and a mode."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(8)(x))
        return nn.Dense(2)(nn.Dropout(0.2, deterministic=not train)(nn.relu(x)))


class NnxNoisy(nnx.Module):
    def __init__(self, rngs):
        self.hidden, self.norm = nnx.Linear(4, 8, rngs=rngs), nnx.BatchNorm(8, rngs=rngs)
        self.dropout, self.out = nnx.Dropout(0.2, rngs=rngs), nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, x):
        return self.out(self.dropout(nnx.relu(self.norm(self.hidden(x)))))


class EquinoxNoisy(eqx.Module):
    hidden: eqx.nn.Linear
    norm: eqx.nn.BatchNorm
    dropout: eqx.nn.Dropout
    out: eqx.nn.Linear

    def __init__(self, key):
        self.hidden, self.out = eqx.nn.Linear(4, 8, key=key), eqx.nn.Linear(8, 2, key=key)
        self.norm = eqx.nn.BatchNorm(8, axis_name="batch", mode="batch")
        self.dropout = eqx.nn.Dropout(0.2)

    def __call__(self, x, state, key):
        x, state = self.norm(self.hidden(x), state)
        return self.out(self.dropout(jax.nn.relu(x), key=key)), state


def noisy(kind):
    """A fresh model of a kind, with BatchNorm and dropout, as a person would pass it to `fit`."""
    return {
        "linen": LinenNoisy,
        "nnx": lambda: NnxNoisy(nnx.Rngs(0)),
        "equinox": lambda: eqx.nn.make_with_state(EquinoxNoisy)(jax.random.key(0)),
    }[kind]()
