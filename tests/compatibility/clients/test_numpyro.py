"""NumPyro's stochastic variational inference takes our optimizers as it takes Optax's."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

from .optimizers import build, three_optimizers

numpyro = pytest.importorskip("numpyro")
pytestmark = pytest.mark.usefixtures("standard_promotion", "x64")

DATA = 3.0 + np.random.default_rng(0).normal(size=100)


def model(data):
    loc = numpyro.sample("loc", numpyro.distributions.Normal(0.0, 10.0))
    with numpyro.plate("data", len(data)):
        numpyro.sample("x", numpyro.distributions.Normal(loc, 1.0), obs=data)


def fit(optimizer, steps=300):
    guide = numpyro.infer.autoguide.AutoNormal(model)
    svi = numpyro.infer.SVI(model, guide, optimizer, loss=numpyro.infer.Trace_ELBO())
    return svi.run(jax.random.key(0), steps, jnp.asarray(DATA), progress_bar=False).params


@three_optimizers
def test_svi_takes_the_same_way_as_with_optax(name):
    ours, theirs = fit(build(lo, name, 1e-3)), fit(build(optax, name, 1e-3))
    for site, value in theirs.items():
        np.testing.assert_allclose(ours[site], value, rtol=1e-9)


def test_svi_finds_the_posterior_mean():
    optimizer = numpyro.optim.optax_to_numpyro(lo.adam(lo.schedules.cosine(0.1, 1000)))
    assert float(fit(optimizer, 1000)["loc_auto_loc"]) == pytest.approx(DATA.mean(), abs=0.02)
