"""Where the arrays of a run lie: on one device, or on all devices of a mesh.

On a mesh the compiler chooses the layout of all intermediate arrays. Arrays and meshes with
explicit axes, which `jax.make_mesh` returns, are treated as automatic ones: a model that was not
written for explicit axes would have to state the layout of every gather and product.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding

from ..._core.dtypes import dtype_of
from .._trees import by_path, checksum
from .processes import Processes, whole


def automatic(mesh: Mesh) -> Mesh:
    """Return a mesh of the same devices and names, with automatic axes."""
    is_explicit = AxisType.Explicit in mesh.axis_types
    return Mesh(mesh.devices, mesh.axis_names) if is_explicit else mesh


def with_automatic_axes(tree: Any) -> Any:
    """Return the tree with its arrays where they are, none of them with an explicit axis."""

    def leaf(x):
        if not (_is_on_a_mesh(x) and AxisType.Explicit in x.sharding.mesh.axis_types):
            return x
        return jax.device_put(x, NamedSharding(automatic(x.sharding.mesh), x.sharding.spec))

    return jax.tree.map(leaf, tree)


def with_axes_of(mesh: Mesh, tree: Any) -> Any:
    """Return the tree with its arrays where they are, on the axes of `mesh` if they are its own."""

    def leaf(x):
        if not (_is_on_a_mesh(x) and x.sharding.mesh == automatic(mesh)):
            return x
        return jax.device_put(x, NamedSharding(mesh, x.sharding.spec))

    return jax.tree.map(leaf, tree)


def home_of(trees: Mapping[str, Any], mesh: Mesh | None = None) -> Sharding | None:
    """Return where the arrays of a run belong, or None where that is left to JAX.

    That is on `mesh`; or else on the mesh of `jax.set_mesh`; or else where the arrays of `trees`
    are that were put on a mesh or a device.

    **Raises** `ValueError` if some of them are on other devices than the others, or `mesh` has
    other devices than `jax.set_mesh`.
    """
    try:
        context = jax.sharding.get_mesh()
    except ValueError as error:
        raise ValueError(
            "lo.fit and the searches compile their own steps: call them outside of jax.jit, and a "
            "Program there too, all but program.step."
        ) from error
    if mesh is not None and not context.empty and _devices(mesh) != _devices(context):
        raise ValueError(
            f"mesh has the devices {_words(_devices(mesh))} and jax.set_mesh the devices "
            f"{_words(_devices(context))}, and within it JAX computes on these alone: leave out "
            "mesh, or set the same one."
        )
    if mesh is None and not context.empty:
        mesh = context
    if mesh is not None:
        return NamedSharding(automatic(mesh), PartitionSpec())
    leaves = {path: x for name, tree in trees.items() for path, x in by_path(tree, name).items()}
    put = {path: x for path, x in leaves.items() if _is_put(x)}
    if not put:
        return None
    first = max(put, key=lambda path: len(put[path].sharding.device_set))
    for path, x in put.items():
        if not x.sharding.device_set <= put[first].sharding.device_set:
            ours, theirs = (_words(put[name].sharding.device_set) for name in (path, first))
            raise ValueError(
                f"all arrays of a run must be on the same devices, got {path} on {ours} and {first}"
                f" on {theirs}: move one of them by jax.device_put."
            )
    if not _is_on_a_mesh(put[first]):
        return put[first].sharding
    return NamedSharding(automatic(put[first].sharding.mesh), PartitionSpec())


def place(tree: Any, home: Sharding | None) -> Any:
    """Put arrays where they belong; those that are sharded over the same devices stay so.

    **Raises** `ValueError` where several processes share them and have other numbers.
    """
    tree = with_automatic_axes(tree)
    if home is None:
        return jax.tree.map(jnp.asarray, tree)

    def leaf(x):
        stays = _is_on_a_mesh(x) and x.sharding.mesh.size > 1 and _order(x.sharding) == _order(home)
        return x if stays else put(x, home)

    if not home.is_fully_addressable:
        _check_same(tree, Processes(mesh_in(home)))
    return jax.tree.map(leaf, tree)


def _check_same(tree: Any, processes: Processes) -> None:
    """Check that all processes have the same arrays, of those that none has shared yet."""

    def numbers(x):
        is_key = jnp.issubdtype(dtype_of(x), jax.dtypes.prng_key)
        return checksum(np.asarray(jax.random.key_data(x) if is_key else x))

    every = by_path(tree).items()
    own = {path: numbers(x) for path, x in every if _is_local(x)}
    processes.check_same(
        own,
        "all processes must call this with the same arguments, got other arrays (data, parameters "
        "or x) in one of them. Load the same examples in the same order, and pass the same seed.",
    )


def put(x: Any, home: Sharding) -> jax.Array:
    """Put an array, which every process has, on devices; those of others do not ask for it.

    `jax.device_put` would compare the arrays of all processes, each time.
    """
    if home.is_fully_addressable or not _is_local(x):
        return jax.device_put(x, home)
    if jnp.issubdtype(jnp.result_type(x), jax.dtypes.prng_key):
        numbers = put(jax.random.key_data(x), home)
        return jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(x))
    values = np.asarray(x, dtype_of(x))
    own = home.addressable_devices_indices_map(values.shape).items()
    # copies: a step donates the array, and two devices must not write into one memory
    parts = [jax.device_put(values[index], device, may_alias=False) for device, index in own]
    return jax.make_array_from_single_device_arrays(values.shape, home, parts)


def on_host(tree: Any) -> Any:
    """Return all arrays of a tree as NumPy's, those that are spread over processes one by one."""
    if all(map(_is_local, jax.tree.leaves(tree))):
        return jax.device_get(tree)
    return jax.tree.map(lambda x: np.asarray(whole(x)), tree)


def place_like(rows: Any, like: Any) -> Any:
    """Put other rows of an array where it is: in parts as equal, or on each of its devices."""

    def leaf(x, other):
        if not _is_put(other):
            return x
        try:
            return put(x, other.sharding)
        except ValueError:  # the devices do not divide the rows
            home = home_of({"": other})
            assert home is not None  # that of an array that is put
            return put(x, home)

    return jax.tree.map(leaf, rows, like)


def mesh_in(home: Sharding | None) -> Mesh | None:
    """Return the mesh that arrays belong on, or None where that is one device."""
    mesh = home.mesh if isinstance(home, NamedSharding) else None
    return mesh if isinstance(mesh, Mesh) else None


def place_batch(batch: Any, home: Sharding | None, rows: int) -> Any:
    """Put a batch where it belongs; on a mesh in equal parts, if its devices divide the rows."""
    mesh = mesh_in(home)
    if mesh is not None and rows % mesh.size == 0:
        home = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    if home is None:
        return jax.device_put(batch)
    return jax.tree.map(lambda x: put(x, home), batch)


def shardings_of_state(opt_state: Any, params: Any, home: Sharding) -> Any:
    """Return where the arrays of an optimizer's state belong, given their shapes.

    A part of it that is a tree like the parameters is divided as they are, all else is at `home`.
    """
    structure = jax.tree.structure(params)

    def is_like_params(x):
        return jax.tree.structure(x) == structure

    def part(x):
        if not is_like_params(x):
            return home
        return jax.tree.map(lambda a, p: p.sharding if a.shape == p.shape else home, x, params)

    return jax.tree.map(part, opt_state, is_leaf=is_like_params)


def shard_batch(batch: Any, mesh: Mesh | None) -> Any:
    """Divide the examples of a batch among all devices."""
    if mesh is None:
        return batch
    sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    return jax.lax.with_sharding_constraint(batch, sharding)


def _is_put(x: Any) -> bool:
    """Whether somebody chose the devices of an array."""
    return isinstance(x, jax.Array) and not isinstance(x, Tracer) and x.committed


def _is_local(x: Any) -> bool:
    """Whether this process has all of an array."""
    return getattr(x, "is_fully_addressable", True)


def _is_on_a_mesh(x: Any) -> bool:
    return _is_put(x) and isinstance(x.sharding, NamedSharding)


def _order(sharding: Any) -> tuple[Any, ...]:
    mesh = mesh_in(sharding)
    return tuple(mesh.devices.flat) if mesh is not None else ()


def _devices(mesh: Mesh) -> set[Any]:
    return set(mesh.devices.flat)


def _words(devices: Any) -> str:
    return ", ".join(str(device) for device in sorted(devices, key=lambda device: device.id))
