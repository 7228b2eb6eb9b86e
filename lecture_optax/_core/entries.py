"""Conversions of a leaf or a whole tree to one vector, and their inverses.

A matrix D couples entries, so the vector is whole on every device of an explicit mesh, and what
comes back lies where its leaf lies.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from .dtypes import as_array


def entries(leaf: jax.Array) -> jax.Array:
    """Return the entries of one leaf in a vector."""
    return _laid_out(leaf, PartitionSpec()).reshape(-1)


def leaf_of(vector: jax.Array, like: jax.Array) -> jax.Array:
    """Return `vector` in the shape and the layout of a leaf."""
    return _laid_out(vector.reshape(like.shape), jax.typeof(like).sharding.spec)


def vector_of(tree: Any, like: Any, dtype: Any) -> jax.Array:
    """Return all entries of `tree` in a real vector; complex ones as real and imaginary part.

    So a real function of complex leaves becomes one on R^2n, and Optax's gradient of it, the
    conjugate of JAX's, becomes the gradient there.
    """
    parts = jax.tree.map(lambda p, x: (x.real, x.imag) if jnp.iscomplexobj(p) else x, like, tree)
    vectors = [as_array(entries(x), dtype) for x in jax.tree.leaves(parts)]
    return jnp.concatenate([jnp.zeros(0, dtype), *vectors])


def tree_of(vector: jax.Array, like: Any) -> Any:
    """Return the tree whose entries are `vector`, in its precision; the inverse of `vector_of`."""
    leaves, structure = jax.tree.flatten(like)
    sizes = [p.size * (2 if jnp.iscomplexobj(p) else 1) for p in leaves]
    parts = jnp.split(vector, np.cumsum(sizes)[:-1]) if leaves else []

    def leaf(part, p):
        if not jnp.iscomplexobj(p):
            return leaf_of(part, p)
        real, imaginary = jnp.split(part, 2)
        return leaf_of(jax.lax.complex(real, imaginary), p)

    return structure.unflatten([leaf(part, p) for part, p in zip(parts, leaves, strict=True)])


def _laid_out(x: jax.Array, spec: PartitionSpec) -> jax.Array:
    mesh = jax.typeof(x).sharding.mesh
    if AxisType.Explicit not in mesh.axis_types:
        return x  # the compiler lays it out
    return jax.sharding.reshard(x, NamedSharding(mesh, spec))
