"""Where does an arm wait while another runs? On the device; outside of it, where it is too small.

Outside, the arrays of an arm are NumPy's. Its key and its counters, a few bytes, stay.
"""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

ARMS = 20
"""A search holds about so many at a time: arms, middles to branch from, the best looks."""

SHARE = 0.7
"""They may take so much of what is left on the device: a step and a look need the rest."""


def is_tight(carry: Any) -> bool:
    """Whether all arms of a search would not fit: asked before the first of them is made."""
    return ARMS * bytes_of(carry) > SHARE * free_bytes(carry.key.devices())


def bytes_of(tree: Any) -> int:
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def free_bytes(devices: Iterable[Any]) -> float:
    """On the one with the least; no limit where none is told, as on a CPU."""
    every = [device.memory_stats() or {} for device in devices]
    free = [x["bytes_limit"] - x.get("bytes_in_use", 0) for x in every if "bytes_limit" in x]
    return float(min(free, default=np.inf))


def outside(tree: Any) -> Any:
    """The large arrays as NumPy's, of their own."""
    return jax.tree.map(lambda x: np.array(x) if _is_large(x) else jnp.copy(x), tree)


def inside(tree: Any, like: Any) -> Any:
    """On the device again, on which the arrays of `like` are, if one was chosen for them."""
    first = jax.tree.leaves(like)[0]
    place = first.sharding if getattr(first, "committed", False) else None
    return jax.tree.map(lambda x: jax.device_put(x, place) if _is_large(x) else x, tree)


def _is_large(x: Any) -> bool:
    return x.ndim > 0 and not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
