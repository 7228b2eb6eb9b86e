"""Is it the same run? What must agree before a folder is gone on with."""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

ENOUGH = 2**26
"""The bytes of an array that are looked at: a tenth of a second, wherever the array lies."""


def identity_of(run: Any, source: Any, seed: int) -> dict[str, Any]:
    """All that the numbers of a run follow from, beside the model and the optimizer.

    Model and optimizer may change while a run is interrupted: they are restored by name.
    """
    arrays = {"data": getattr(source, "data", None), "weights": getattr(source, "weights", None)}
    return {
        "seed": int(seed),
        "steps": int(run.steps),
        "batch_size": run.program.batch_size,
        "accumulate": run.program.accumulate,
        **getattr(source, "kinds", {}),
        **dict(arrays_of({**arrays, "valid": run.valid})),
    }


def difference(now: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """In words, in what two runs differ."""
    names = [name for name in {**now, **before} if now.get(name) != before.get(name)]
    if not names:
        return None
    return ", ".join(f"{x} is {now.get(x, 'absent')}, was {before.get(x, 'absent')}" for x in names)


def arrays_of(trees: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The kind of every array, and a sum over its bytes: rows split by another seed are others."""
    for name, tree in trees.items():
        for path, x in jax.tree_util.tree_leaves_with_path(tree):
            if not hasattr(x, "dtype"):
                continue
            yield f"{name}{jax.tree_util.keystr(path)}", f"{kind_of(x)} #{checksum(x):08x}"


def kind_of(x: Any) -> str:
    """Like `float32[64,3]`."""
    return f"{x.dtype}[{','.join(map(str, x.shape))}]"


def checksum(x: Any) -> int:
    """CRC-32 of the bytes of an array; of a large one, of rows all over it."""
    some = x[:: 1 + x.nbytes // ENOUGH] if x.ndim else x
    return zlib.crc32(np.ascontiguousarray(some).reshape(-1).view(np.uint8).data)
