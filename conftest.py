"""Run every test and example strictly: types and dtypes are checked, a warning is an error."""

import os

import hypothesis
import jax
import jaxtyping
import pytest

os.environ.setdefault("MPLBACKEND", "agg")

_checked = jaxtyping.jaxtyped


def checked_where_annotated(*, typechecker):
    """Leave alone what says nothing of its types: an inner function is wrapped at every call of
    its outer one, which was half of the suite's time."""
    check = _checked(typechecker=typechecker)
    return lambda f: check(f) if isinstance(f, type) or getattr(f, "__annotations__", True) else f


# Before anything imports lecture_optax: the hook sees only modules that are loaded after it.
# An int is a float here, as in Python's own typing.
jaxtyping.jaxtyped = checked_where_annotated
jaxtyping.install_import_hook(
    "lecture_optax", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)

# Before JAX starts a backend: sharding needs several devices, and a CPU can play eight.
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


@pytest.fixture(autouse=True)
def examples_are_a_users_code(request):
    """Run a docstring's example as its reader does: dtypes promote."""
    if isinstance(request.node, pytest.DoctestItem):
        request.getfixturevalue("standard_promotion")


@pytest.fixture
def untyped():
    """Without beartype, as a user runs it: the refusal is ours."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def x64():
    """Compute in float64, where two oracles can agree to 1e-12."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def no_leaks():
    """Fail when a tracer outlives its trace."""
    with jax.checking_leaks():
        yield
