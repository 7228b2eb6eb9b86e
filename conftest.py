"""Run every test and example strictly: types and dtypes are checked, a warning is an error."""

import atexit
import functools
import gc
import os
import shutil
import tempfile
import typing
from typing import Any

import beartype
import hypothesis
import jax
import jaxtyping
import optax
import pytest

os.environ.setdefault("MPLBACKEND", "agg")

of_a_class = jaxtyping.jaxtyped
strict = beartype.beartype(
    conf=beartype.BeartypeConf(
        is_pep484_tower=True,  # an int is a float here, as in Python's own typing
        hint_overrides=beartype.FrozenDict({optax.Params: Any}),  # recursive, by name
        violation_type=TypeError,
    )
)


def is_for_readers(hint):
    """Whether a string is in it: a name that is imported for readers only."""
    return isinstance(hint, str) or any(map(is_for_readers, typing.get_args(hint)))


def checked_where_annotated(*, typechecker):
    """Check by beartype alone: jaxtyping binds every call's arguments for shapes that the library
    does not use, a fifth of the suite's time. Leave alone what says nothing of its types: an inner
    function is wrapped at every call of its outer one."""

    def check(f):
        if isinstance(f, type):
            return of_a_class(f, typechecker=strict)
        if not getattr(f, "__annotations__", True):
            return f
        hints = f.__annotations__.items()
        f.__annotations__ = {name: Any if is_for_readers(x) else x for name, x in hints}
        checked = strict(f)

        @functools.wraps(f)
        def either(*args, **kwargs):
            return (f if jaxtyping.config.jaxtyping_disable else checked)(*args, **kwargs)

        return either

    return check


# Before anything imports lecture_optax: the hook sees only modules that are loaded after it.
jaxtyping.jaxtyped = checked_where_annotated
jaxtyping.install_import_hook("lecture_optax", "beartype.beartype")

# Each program is compiled once: the workers of a session and the processes that its tests start
# read what one of them has compiled. The process that made the folder deletes it.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="compiled-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
    jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)

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


def pytest_collection_finish():
    """Let the collector leave alone what was imported, and come less often: JAX makes many small
    objects, and its passes took an eighth of the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
