"""Where do data and carry lie, when there are several devices?

On a mesh the compiler lays out what is between. Arrays and meshes with explicit axes, which
`jax.make_mesh` gives, are taken for automatic ones: a model that was not written for explicit axes
would have to say at every gather and product how its result lies.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


def automatic(mesh: Mesh) -> Mesh:
    """The same devices, by the same names, with automatic axes."""
    is_explicit = AxisType.Explicit in mesh.axis_types
    return Mesh(mesh.devices, mesh.axis_names) if is_explicit else mesh


def mesh_of(tree: Any) -> Mesh | None:
    """The mesh over which arrays of a tree lie, if they do."""
    found = (automatic(x.sharding.mesh) for x in jax.tree.leaves(tree) if _is_spread(x))
    return next(found, None)


def with_automatic_axes(tree: Any) -> Any:
    """The tree, its arrays where they are, none of them with an explicit axis."""

    def leaf(x):
        if not _is_spread(x) or AxisType.Explicit not in x.sharding.mesh.axis_types:
            return x
        own = automatic(x.sharding.mesh)
        return jax.device_put(x, NamedSharding(own, x.sharding.spec))

    return jax.tree.map(leaf, tree)


def place(tree: Any, mesh: Mesh | None) -> Any:
    """The arrays on the device, or whole on each one of a mesh; what lies shard_batch stays so."""
    tree = with_automatic_axes(tree)
    if mesh is None:
        return jax.tree.map(jnp.asarray, tree)
    everywhere = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(lambda x: x if _is_spread(x) else jax.device_put(x, everywhere), tree)


def shard_batch(batch: Any, mesh: Mesh | None) -> Any:
    """The rows of a batch, shared out over all devices."""
    if mesh is None:
        return batch
    sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    return jax.lax.with_sharding_constraint(batch, sharding)


def _is_spread(x: Any) -> bool:
    if not isinstance(x, jax.Array) or isinstance(x, Tracer):
        return False
    return isinstance(x.sharding, NamedSharding) and x.sharding.mesh.size > 1
