"""Pairs (x, y), lists of batches, and loaders as validation data."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from .._trees import are_batches, by_path, is_stream
from .arrays import as_arrays, in_short


class ListOfBatches:
    """A list of batches as an iterable, which is no tree of arrays."""

    def __init__(self, batches: Sequence[Any]):
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def is_pair(data: Any) -> bool:
    """Return whether data are a list or a tuple of two."""
    return isinstance(data, tuple | list) and len(data) == 2


def pair_as_arrays(data: Any, owner: str = "") -> Any:
    """Return (x, y) as arrays, a list of such pairs as `ListOfBatches`, and other data as they are.

    The arrays have the names `x` and `y`, or with an owner `valid's x`.

    **Raises** what `as_arrays` raises, and `TypeError` for a list of two pairs of arrays of one
    kind: it may be two batches, or the inputs and the targets of a model with two of each.
    """
    if isinstance(data, list | tuple) and data and all(map(_is_batch, data)):
        if len(data) != 2:
            return ListOfBatches(data)
        if isinstance(data, list) and _kinds(data[0]) == _kinds(data[1]):
            raise TypeError(
                f"{owner or 'data'} must be (x, y), got a list of two pairs. Join two batches by "
                "numpy.concatenate, or write ((x1, x2), (y1, y2)) for two inputs and two targets."
            )
    if not is_pair(data):
        return data
    prefix = f"{owner}'s " if owner else ""
    return tuple(as_arrays(part, prefix + name) for name, part in zip("xy", data, strict=True))


def joined(data: Any, name: str) -> Any:
    """Return the batches of a loader as one tree of arrays, and arrays as they are.

    **Raises** `TypeError` for an iterable without a length, which may never end, and `ValueError`
    for batches that are not alike.
    """
    if not is_stream(data):
        return data
    try:
        len(data)
    except TypeError:
        raise TypeError(
            f"{name} must be arrays, or a loader with a length, got the {type(data).__name__}, "
            "which may never end: join its batches by numpy.concatenate."
        ) from None
    batches = [as_arrays(batch, f"{name}'s batch {i}") for i, batch in enumerate(data)]
    if not batches or not all(map(are_batches, batches)):
        raise ValueError(
            f"{name} must give batches, trees of arrays with the examples along the first axis, "
            f"and gave {'none' if not batches else in_short(batches[0])}."
        )
    try:
        return jax.tree.map(lambda *parts: np.concatenate(parts), *map(_tuple_of, batches))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the batches of {name} must be alike: {error}") from error


def _tuple_of(batch: Any) -> Any:
    """Return a list of arrays as a tuple: PyTorch's loader gives [x, y]."""
    return tuple(batch) if isinstance(batch, list) else batch


def _is_batch(item: Any) -> bool:
    leaves = jax.tree.leaves(item) if is_pair(item) else []
    return bool(leaves) and all(getattr(leaf, "shape", ()) for leaf in leaves)


def _kinds(batch: Any) -> dict[str, Any]:
    found = by_path(tuple(batch)).items()
    return {path: (str(getattr(x, "dtype", "")), tuple(x.shape[1:])) for path, x in found}
