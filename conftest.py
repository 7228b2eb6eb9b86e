"""Run every test and every docstring's example strictly: types and dtypes checked, warnings fatal."""

import os

import hypothesis
import jax
import jaxtyping
import pytest

os.environ.setdefault("MPLBACKEND", "agg")

# Before anything imports lecture_optax: the hook only sees modules that are loaded after it.
jaxtyping.install_import_hook("lecture_optax", "beartype.beartype")

# Before JAX starts a backend: sharding laws need several devices, and a CPU can play eight.
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")

# The same examples on every machine, and no verdict by the clock.
hypothesis.settings.register_profile("ours", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ours")


@pytest.fixture
def standard_promotion():
    """Lift strict promotion, for what promotes by design: `optax.apply_updates`, complex trees."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def x64():
    """Compute in float64, where two oracles can agree to 1e-12."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def no_leaks():
    """Fail when a tracer outlives its trace. Costs a retrace of every jit, so it is asked for."""
    with jax.checking_leaks():
        yield
