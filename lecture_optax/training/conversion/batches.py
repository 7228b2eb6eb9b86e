"""Pairs (x, y), lists of batches, and loaders as validation data."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from ..._core import validate
from .._trees import are_batches, by_path, is_function, is_stream
from .arrays import as_arrays, in_short


class ListOfBatches:
    """A list of batches as an iterable, which is no tree of arrays."""

    def __init__(self, batches: Sequence[Any]):
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class BatchesOfSeed:
    """The batches of a function of the seed, which returns the same ones at every call."""

    def __init__(self, function: Callable[[int], Iterable[Any]], seed: int):
        validate.function(takes=1, data=function)
        self.function, self.seed = function, int(seed)

    def __iter__(self) -> Iterator[Any]:
        batches = self.function(self.seed)
        if not isinstance(batches, Iterable):
            raise TypeError(
                "data, a function, must return an iterator of batches, got "
                f"{in_short(batches)} for the seed {self.seed}."
            )
        return iter(batches)


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
    """Return the batches of an iterable as one tree of arrays, and arrays as they are.

    **Raises** `TypeError` for a function, and `ValueError` for batches that are not alike, or that
    do not end within `MOST_BYTES`.
    """
    if not is_stream(data):
        return data
    if is_function(data):
        raise TypeError(
            f"{name} must be arrays or an iterable of batches, got {in_short(data)}: call it, as "
            f"{name}=batches(0)."
        )
    batches, size = [], 0
    for i, batch in enumerate(data):
        batches.append(as_arrays(batch, f"{name}'s batch {i}"))
        size += sum(getattr(x, "nbytes", 0) for x in jax.tree.leaves(batches[-1]))
        if size > MOST_BYTES:
            raise ValueError(
                f"{name} is read into memory, got the {type(data).__name__}, which has not ended "
                f"after {i + 1:,} batches and {MOST_BYTES / 2**30:g} GiB: give a fixed number of "
                f"batches, as itertools.islice({name}, 100)."
            )
    if not batches or not all(map(are_batches, batches)):
        raise ValueError(
            f"{name} must give batches, trees of arrays with the examples along the first axis, "
            f"and gave {'none' if not batches else in_short(batches[0])}."
        )
    try:
        return jax.tree.map(lambda *parts: np.concatenate(parts), *map(_tuple_of, batches))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the batches of {name} must be alike: {error}") from error


MOST_BYTES = 4 * 2**30
"""The most that the batches of a validation set may take."""


def _tuple_of(batch: Any) -> Any:
    """Return a list of arrays as a tuple: PyTorch's loader gives [x, y]."""
    return tuple(batch) if isinstance(batch, list) else batch


def _is_batch(item: Any) -> bool:
    leaves = jax.tree.leaves(item) if is_pair(item) else []
    return bool(leaves) and all(getattr(leaf, "shape", ()) for leaf in leaves)


def _kinds(batch: Any) -> dict[str, Any]:
    found = by_path(tuple(batch)).items()
    return {path: (str(getattr(x, "dtype", "")), tuple(x.shape[1:])) for path, x in found}
