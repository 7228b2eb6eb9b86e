"""Sharding of data and carry over several devices.

On a mesh the compiler chooses the layout of all intermediate arrays. Arrays and meshes with
explicit axes, which `jax.make_mesh` returns, are treated as automatic ones: a model that was not
written for explicit axes would have to state the layout of every gather and product.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


def automatic(mesh: Mesh) -> Mesh:
    """Return a mesh of the same devices and names, with automatic axes."""
    is_explicit = AxisType.Explicit in mesh.axis_types
    return Mesh(mesh.devices, mesh.axis_names) if is_explicit else mesh


def mesh_of(tree: Any) -> Mesh | None:
    """Return the mesh that holds arrays of a tree, or None."""
    found = (automatic(x.sharding.mesh) for x in jax.tree.leaves(tree) if _is_sharded(x))
    return next(found, None)


def with_automatic_axes(tree: Any) -> Any:
    """Return the tree with its arrays where they are, none of them with an explicit axis."""

    def leaf(x):
        if not _is_sharded(x) or AxisType.Explicit not in x.sharding.mesh.axis_types:
            return x
        own = automatic(x.sharding.mesh)
        return jax.device_put(x, NamedSharding(own, x.sharding.spec))

    return jax.tree.map(leaf, tree)


def place(tree: Any, mesh: Mesh | None) -> Any:
    """Put arrays on the device, or on each device of a mesh; sharded ones stay as they are."""
    tree = with_automatic_axes(tree)
    if mesh is None:
        return jax.tree.map(jnp.asarray, tree)
    everywhere = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(lambda x: x if _is_sharded(x) else jax.device_put(x, everywhere), tree)


def shard_batch(batch: Any, mesh: Mesh | None) -> Any:
    """Divide the examples of a batch among all devices."""
    if mesh is None:
        return batch
    sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    return jax.lax.with_sharding_constraint(batch, sharding)


def _is_sharded(x: Any) -> bool:
    if not isinstance(x, jax.Array) or isinstance(x, Tracer):
        return False
    return isinstance(x.sharding, NamedSharding) and x.sharding.mesh.size > 1
