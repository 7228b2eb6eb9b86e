"""The settings of JAX under which a run is computed, whatever those of the caller are."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, PartitionSpec, auto_axes

from .sharding import automatic, with_axes_of

_EXPLICIT: ContextVar[Mesh | None] = ContextVar("the mesh of the caller", default=None)


@contextmanager
def run_settings() -> Iterator[None]:
    """Compute within it, or decorate by it a function that computes, under the settings of a run.

    These are those of `own_placement`, and `jax_debug_nans` and `jax_debug_infs` are off: a run
    checks every step itself and says which example or parameter is at fault, and in a search arms
    diverge as a matter of course.
    """
    with own_placement(), jax.debug_nans(False), jax.debug_infs(False):
        yield


@contextmanager
def own_placement() -> Iterator[None]:
    """Let the functions of this library place arrays, whatever the context of the caller.

    - The axes of `jax.set_mesh` are automatic: see `sharding.py`.
    - `jax.transfer_guard("disallow")` is lifted: what is moved here is moved on purpose.

    **Raises** `ValueError` where the guard forbids explicit transfers too.
    """
    levels = [getattr(jax.config, f"jax_transfer_guard{x}") for x in ("", "_host_to_device")]
    if "disallow_explicit" in levels:
        raise ValueError(
            "a run must move its data to the device, which jax.transfer_guard('disallow_explicit')"
            " forbids: allow it around the call, by jax.transfer_guard('disallow')."
        )
    mesh = _context()
    with ExitStack() as stack:
        stack.enter_context(jax.transfer_guard("allow"))
        if mesh is not None and AxisType.Explicit in mesh.axis_types:
            stack.callback(_EXPLICIT.reset, _EXPLICIT.set(mesh))
            stack.enter_context(jax.set_mesh(automatic(mesh)))
        yield


def _context() -> Mesh | None:
    try:
        return jax.sharding.get_mesh()
    except ValueError:  # within a transformation of JAX, such as jit, which places the arrays
        return None


def for_the_caller(tree: Any) -> Any:
    """Return arrays as the caller of a run can use them: on explicit axes where its context has."""
    mesh = _EXPLICIT.get()
    return tree if mesh is None else with_axes_of(mesh, tree)


def to_the_context(tree: Any) -> Any:
    """Return arrays on explicit axes where the context has such."""
    mesh = _context()
    if mesh is None or AxisType.Explicit not in mesh.axis_types:
        return tree
    return with_axes_of(mesh, tree)


def on_automatic_axes(function: Callable[..., Any], specs: Any) -> Callable[..., Any]:
    """Return a function that may be traced where the context has explicit axes.

    - `specs`: how its results lie on them, as a prefix of their tree.
    """
    is_explicit = AxisType.Explicit in jax.sharding.get_abstract_mesh().axis_types
    return auto_axes(function, out_sharding=specs) if is_explicit else function


def specs_of(tree: Any) -> Any:
    """Return how arrays lie on a mesh, each as a `PartitionSpec`."""
    return jax.tree.map(lambda x: getattr(jax.typeof(x).sharding, "spec", PartitionSpec()), tree)


def current_settings() -> dict[str, Any]:
    """Return JAX's settings as this thread sees them: context managers set those of one thread."""
    names = (name for name in jax.config.values if not name.startswith("jax_transfer_guard"))
    mesh: Callable[[], Any] = jax.sharding.get_mesh
    return {**{name: getattr(jax.config, name, None) for name in names}, "mesh": mesh()}
