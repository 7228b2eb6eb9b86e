"""Hyperparameters are data: one compiled run serves every rate, momentum and horizon."""

import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from benchmarks.speed.sweep_compiles import Sweep, ours as nesterov


def adam(rate, b1, horizon):
    return lo.adam(lo.schedules.linear(rate, horizon), b1=b1)


@pytest.mark.parametrize("build", [nesterov, adam])
def test_a_sweep_of_3000_trials_is_compiled_once(build):
    sweep = Sweep(build)
    sweep()
    assert sweep.traces == 1


@pytest.mark.parametrize("build", [nesterov, adam])
@pytest.mark.parametrize("trial", [(0.03, 0.0, 10), (0.003, 0.9, 40)])
def test_a_trial_of_the_sweep_is_the_run_with_constants(build, trial):
    traced = Sweep(build).run(*trial)
    constant = Sweep(build, static=(0, 1, 2)).run(*trial)
    np.testing.assert_allclose(traced, constant, rtol=1e-5)
    assert jnp.isfinite(traced).all()
