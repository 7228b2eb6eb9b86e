"""Every entry point runs under the settings of JAX that look for faults in a user's code."""

import contextlib

import jax
import optax
import pytest

import lecture_optax as lo
from lecture_optax.recipe.grid_search.runner import Runs, row_of
from lecture_optax.training import NonFiniteError, Program

from ...recipe.problems import BATCH, LARGEST, regression

SGD = optax.sgd(0.01)  # its state has no learning rate
USUAL = {"steps": 12, "batch_size": BATCH}


@contextlib.contextmanager
def globally(name):
    """In all threads, as `jax.config.update` sets it."""
    jax.config.update(name, True)
    yield
    jax.config.update(name, False)


SETTINGS = {
    "jax_debug_nans": lambda: globally("jax_debug_nans"),
    "jax_debug_infs": lambda: globally("jax_debug_infs"),
    "transfer_guard": lambda: jax.transfer_guard("disallow"),
}


def fit(problem=None, **arguments):
    return lo.fit(problem or regression(), tx=SGD, **USUAL, **arguments)


def sweep(rates=(1e-2, 1e9)):
    axes = {"rates": rates, "optimizers": ["nesterov"], "schedules": ["constant"]}
    return lo.recipe.sweep(regression(), **axes, **USUAL)


@pytest.mark.parametrize(
    "setting",
    [
        "jax_debug_nans",
        pytest.param("jax_debug_infs", marks=pytest.mark.slow),
        "transfer_guard",
    ],
)
def test_healthy_runs_and_searches_with_arms_that_diverge_run(setting, tmp_path):
    with SETTINGS[setting]():
        result = fit(checkpoint=tmp_path / "run")
        fit(checkpoint=tmp_path / "run")
        result.report()
        found = lo.recipe.run(regression(), budget=1.0, **USUAL)
        assert "Selected:" in found.report()
        assert sweep().rows[1].diverged_at
        lo.recipe.fork(regression(), result, SGD, steps=12)
        predicted = result.predict(regression().valid["x"])
        program = Program.of(regression(), SGD, batch_size=BATCH)
        carry = program.init(seed=0)
        jax.jit(lambda carry: program.step(carry, program.batch(carry)))(carry)
    assert predicted.shape == (32,)


@pytest.mark.parametrize("setting", ["jax_debug_nans", "jax_debug_infs"])
def test_a_run_that_is_not_finite_ends_with_our_error(setting):
    with SETTINGS[setting](), pytest.raises(NonFiniteError, match="was not finite at step"):
        fit(regression(train_scale=LARGEST))


def test_a_guard_that_forbids_every_transfer_is_refused():
    with jax.transfer_guard("disallow_explicit"), pytest.raises(ValueError, match="must move"):
        fit()


def test_the_runs_of_a_sweep_compute_under_the_settings_of_its_thread(x64, monkeypatch):
    seen = []

    def row(self, key, poll):
        seen.append(jax.config.jax_enable_x64)
        return row_of(key, [(1, 0.0, 0.0)], None)

    monkeypatch.setattr(Runs, "row", row)
    with jax.numpy_dtype_promotion("standard"):
        sweep()
    assert seen == [True, True]
