"""The hash of a function: the same for the same numbers, whatever the code looks like."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lecture_optax.training.checkpoint.program_hash import hash_of, hash_of_code

X, W = jnp.ones((8, 3)), jnp.ones((3, 4))


def hash_with_gradient(f):
    return hash_of(jax.value_and_grad(f), W, X)


def loss(w, x):
    hidden = jnp.tanh(x @ w)
    return jnp.sum(hidden**2)


def renamed(weights, examples):
    unused = jnp.cos(examples)  # noqa: F841
    activations = jax.jit(jnp.tanh)(examples @ weights)
    return jnp.sum(activations**2)


def scaled_by(constant):
    return lambda w, x: jnp.sum(x @ w * constant)


def scanned(factor):
    def f(w, x):
        def body(h, row):
            return jnp.tanh(factor * h + row @ w), None

        return jax.lax.scan(body, jnp.zeros(4), x)[0].sum()

    return f


def branches(f, g):
    return lambda w, x: jax.lax.cond(x[0, 0] > 0, lambda: (f(x @ w)).sum(), lambda: g(x @ w).sum())


def with_backward(backward):
    @jax.custom_vjp
    def double(x):
        return 2 * x

    double.defvjp(lambda x: (2 * x, None), lambda _, g: (backward(g),))
    return lambda w, x: jnp.sum(double(x @ w))


def noisy(rate):
    def f(w, x):
        keep = jax.random.bernoulli(jax.random.key(0), 1 - rate, x.shape)
        return jnp.sum(jnp.where(keep, x, 0) @ w)

    return f


SAME = {
    "names, comments, jit and unused lines": (loss, renamed),
    "jit of the whole": (loss, jax.jit(loss)),
    "remat": (loss, jax.checkpoint(loss)),
    "equal constants": (scaled_by(np.ones(4)), scaled_by(jnp.ones(4))),
    "scan": (scanned(2.0), scanned(2.0)),
    "a custom gradient": (with_backward(lambda g: 2 * g), with_backward(lambda g: 2 * g)),
}

OTHER = {
    "an activation": (loss, lambda w, x: jnp.sum(jnp.sin(x @ w) ** 2)),
    "a number": (scaled_by(1.0), scaled_by(1.5)),
    "a constant": (scaled_by(np.ones(4)), scaled_by(np.arange(4.0))),
    "the order of operands": (lambda w, x: jnp.sum(x @ w - 1), lambda w, x: jnp.sum(1 - x @ w)),
    "an axis": (lambda w, x: (x @ w).max(0).sum(), lambda w, x: (x @ w).max(1).sum()),
    "within a scan": (scanned(2.0), scanned(3.0)),
    "within a branch": (branches(jnp.sin, jnp.cos), branches(jnp.sin, jnp.tan)),
    "a custom gradient": (with_backward(lambda g: 2 * g), with_backward(jnp.sign)),
    "a stopped gradient": (loss, lambda w, x: loss(jax.lax.stop_gradient(w), x)),
    "a dropout rate": (noisy(0.1), noisy(0.2)),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_function_has_the_same_hash(name):
    one, other = SAME[name]
    assert hash_with_gradient(one) == hash_with_gradient(other)


@pytest.mark.parametrize("name", OTHER)
def test_another_function_has_another_hash(name):
    one, other = OTHER[name]
    assert hash_with_gradient(one) != hash_with_gradient(other)


def on_host(constant):
    def metric(y_true, y_pred):
        return float(np.mean(y_true == y_pred)) * constant

    return metric


def test_functions_on_the_host_are_compared_by_their_code():
    def other(y_true, y_pred):
        return float(np.mean(y_true == y_pred)) + 1

    def third(y_true, y_pred):
        return float(np.mean(y_true != y_pred)) + 1

    def same(target, prediction):
        """Other names, and a comment."""
        # here
        return float(np.mean(target == prediction)) + 1

    assert hash_of_code(same) == hash_of_code(other)
    assert hash_of_code(third) != hash_of_code(other)
    assert hash_of_code(on_host(2.0)) == hash_of_code(on_host(2.0))
    assert hash_of_code(on_host(2.0)) != hash_of_code(on_host(3.0))
    assert hash_of_code(other) != hash_of_code(on_host(2.0))


def called_back(factor):
    def f(w, x):
        shape = jax.ShapeDtypeStruct((8, 4), jnp.float32)
        return jax.pure_callback(lambda x: x * factor, shape, x @ w).sum()

    return f


def test_a_callback_is_part_of_the_function():
    assert hash_of(called_back(2), W, X) == hash_of(called_back(2), W, X)
    assert hash_of(called_back(2), W, X) != hash_of(called_back(3), W, X)
