"""The memory of devices: what a tree takes of each, and what is free."""

import math
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np


def bytes_of(tree: Any) -> int:
    """Return the bytes of arrays, or of their shapes, on each device.

    Of an array in parts, those of one part count.
    """

    def shape(x):
        return x.shape if x.sharding is None else x.sharding.shard_shape(x.shape)

    return sum(math.prod(shape(x)) * x.dtype.itemsize for x in jax.tree.leaves(tree))


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
