"""BlackJAX's variational inference, SVGD and ChEES-HMC take our optimizers unchanged."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

from .optimizers import build, three_optimizers

blackjax = pytest.importorskip("blackjax")
pytestmark = pytest.mark.usefixtures("standard_promotion", "x64")

CENTRE = jnp.array([1.0, -2.0])


def log_density(x):
    return -0.5 * jnp.sum((x - CENTRE) ** 2)


def run(step, state, steps):
    keys = jax.random.split(jax.random.key(0), steps)
    return jax.jit(lambda s: jax.lax.scan(lambda s, key: (step(key, s), None), s, keys)[0])(state)


def mean_field(tx, steps):
    algorithm = blackjax.meanfield_vi(log_density, tx, num_samples=10)
    return run(lambda key, s: algorithm.step(key, s)[0], algorithm.init(jnp.zeros(2)), steps)


def stein(tx, steps):
    algorithm = blackjax.svgd(jax.grad(log_density), tx)
    particles = jax.random.normal(jax.random.key(1), (20, 2))
    return run(lambda key, s: algorithm.step(s), algorithm.init(particles), steps)


@three_optimizers
def test_mean_field_vi_takes_the_same_way_as_with_optax(name):
    ours, theirs = mean_field(build(lo, name), 100), mean_field(build(optax, name), 100)
    np.testing.assert_allclose(ours.mu, theirs.mu, rtol=1e-9)
    np.testing.assert_allclose(ours.rho, theirs.rho, rtol=1e-9)


@three_optimizers
def test_svgd_takes_the_same_way_as_with_optax(name):
    ours, theirs = stein(build(lo, name), 50), stein(build(optax, name), 50)
    np.testing.assert_allclose(ours.particles, theirs.particles, rtol=1e-9)


def test_mean_field_vi_finds_the_centre():
    found = mean_field(lo.adam(lo.schedules.cosine(0.1, 1000)), 1000)
    np.testing.assert_allclose(found.mu, CENTRE, atol=0.02)


def test_chees_adapts_its_trajectory_with_our_adam():
    def adapted(tx):
        warmup = blackjax.chees_adaptation(log_density, num_chains=8)
        starts = jax.random.normal(jax.random.key(2), (8, 2))
        result, _ = warmup.run(jax.random.key(3), starts, 0.1, tx, 50)
        return result.parameters

    ours, theirs = adapted(lo.adam(0.025)), adapted(optax.adam(0.025))
    np.testing.assert_allclose(ours["step_size"], theirs["step_size"], rtol=1e-9)
