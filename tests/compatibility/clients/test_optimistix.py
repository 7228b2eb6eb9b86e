"""Optimistix minimises with our optimizers: it turns their closures into trees of data."""

import jax.numpy as jnp
import jaxtyping
import numpy as np
import optax
import pytest

import lecture_optax as lo

from .optimizers import build, each_optimizer

optimistix = pytest.importorskip("optimistix")
pytestmark = pytest.mark.usefixtures("standard_promotion", "x64", "plain_closures")


@pytest.fixture
def plain_closures(monkeypatch):
    """Leave inner functions without the type checker's closures: they triple with every level."""
    monkeypatch.setattr(jaxtyping, "jaxtyped", lambda **_: lambda function: function)


def loss(y, args):
    return jnp.sum((y["a"] - 1.0) ** 2) + 3.0 * y["b"] ** 2


def minimum(tx, steps):
    solver = optimistix.OptaxMinimiser(tx, rtol=1e-8, atol=1e-8)
    start = {"a": jnp.array([3.0, -2.0]), "b": jnp.array(0.5)}
    return optimistix.minimise(loss, solver, start, max_steps=steps, throw=False).value


@each_optimizer
def test_minimise_takes_the_same_way_as_with_optax(name):
    ours, theirs = minimum(build(lo, name), 50), minimum(build(optax, name), 50)
    np.testing.assert_allclose(ours["a"], theirs["a"], rtol=1e-10)
    np.testing.assert_allclose(ours["b"], theirs["b"], rtol=1e-10)


def test_minimise_arrives():
    found = minimum(lo.adam(lo.schedules.cosine(0.1, 500)), 500)
    np.testing.assert_allclose(found["a"], 1.0, atol=1e-6)
    np.testing.assert_allclose(found["b"], 0.0, atol=1e-6)
