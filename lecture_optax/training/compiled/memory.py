"""The memory of devices: what a tree takes of each, and what is free."""

import math
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np


def bytes_of(tree: Any) -> int:
    """Return the bytes of a tree on each device: of an array in parts, those of one part."""
    arrays = jax.tree.leaves(tree)
    return sum(math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize for x in arrays)


def free_bytes(devices: Iterable[Any]) -> float:
    """Return the free memory of the fullest device; infinite where none is known, as on a CPU."""
    every = [device.memory_stats() or {} for device in devices]
    free = [x["bytes_limit"] - x.get("bytes_in_use", 0) for x in every if "bytes_limit" in x]
    return float(min(free, default=np.inf))


def in_bytes(size: float) -> str:
    """Return a number of bytes in words: 1.2 GB."""
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if size >= 10**power:
            return f"{size / 10**power:.3g} {unit}"
    return f"{size:.0f} bytes"
