"""Trees of arrays: their kinds, checksums and row counts, and copies that may be donated."""

import functools
import inspect
import zlib
from collections.abc import Iterable, Iterator, Mapping, MappingView
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._core.dtypes import dtype_of


def check_same_tree(
    own: Any,
    given: Any,
    must: str = "params must be like the model's own parameters",
    advice: str = "Start from result.params, or from those of a model built in the same way.",
    *,
    structure: bool = False,
) -> None:
    """Check that a tree has the paths and shapes of `own`, and with `structure` its containers.

    **Raises** `ValueError` that says what the tree `must` be, the first differences, and `advice`.
    """
    want, have = ({path: np.shape(x) for path, x in by_path(tree).items()} for tree in (own, given))
    wrong = [f"nothing for {path}" for path in want if path not in have]
    wrong += [f"{path}, which does not belong to it" for path in have if path not in want]
    wrong += [
        f"{path} of shape {have[path]} for {want[path]}"
        for path in want
        if path in have and have[path] != want[path]
    ]
    if structure and not wrong and jax.tree.structure(given) != jax.tree.structure(own):
        wrong = [f"{jax.tree.structure(given)} for {jax.tree.structure(own)}"]
    if wrong:
        more = f" and {len(wrong) - MOST} more" if len(wrong) > MOST else ""
        raise ValueError(f"{must}, got {'; '.join(wrong[:MOST])}{more}. {advice}")


MOST = 6
"""The number of differences that an error names."""

ENOUGH = 2**26
"""The bytes of an array that are read: a tenth of a second."""


def by_path(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of a tree by their paths, like `prefix['hidden'][0]`."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {prefix + jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def shapes_of_rows(tree: Any, rows: int) -> Any:
    """Return the shapes of so many examples of a tree, in JAX's dtypes."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((rows, *np.shape(x)[1:]), dtype_of(x)), tree)


def kind_of(x: Any) -> str:
    """Return dtype and shape, like `float32[64,3]`."""
    return f"{x.dtype}[{','.join(map(str, x.shape))}]"


def checksum(x: Any) -> int:
    """Return the CRC-32 of an array; of a large one, of rows spread over it."""
    some = x[:: 1 + x.nbytes // ENOUGH] if x.ndim else x
    return zlib.crc32(np.ascontiguousarray(some).reshape(-1).view(np.uint8).data)


def is_stream(data: Any) -> bool:
    """Return whether data are an iterable of batches or a function, and not a tree of arrays."""
    if isinstance(data, Iterator | MappingView):
        return True
    is_leaf = jax.tree_util.all_leaves([data]) and not isinstance(data, str | bytes | Mapping)
    return (
        is_leaf and (isinstance(data, Iterable) or is_function(data)) and not hasattr(data, "shape")
    )


def is_function(data: Any) -> bool:
    """Return whether data are a function, which makes batches of the seed."""
    return inspect.isroutine(data) or isinstance(data, functools.partial)


def strong(x: Any) -> Any:
    """Return a number as an array with a strong type: all numbers share one program."""
    return jnp.array(x, jnp.result_type(x)) if not callable(x) else x


def strong_copies(params: Any) -> Any:
    """Return new arrays with strong types: a step returns such, and would compile again."""
    return jax.tree.map(lambda x: jnp.array(x, dtype_of(x)), params)


def are_batches(data: Any) -> bool:
    """Return whether a tree has arrays, all of them with an axis of examples."""
    leaves = jax.tree.leaves(data)
    return bool(leaves) and all(map(np.ndim, leaves))


def n_rows(data: Any) -> int:
    """Return the length of the first axis, which all arrays of `data` share."""
    return int(jax.tree.leaves(data)[0].shape[0])


def take_rows(data: Any, rows: Any) -> Any:
    """Return the rows of every array: a slice, or an array of indices."""
    return jax.tree.map(lambda x: x[rows], data)


def as_data(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return numbers as arrays of their dtypes: all values share one program."""
    return {name: np.asarray(x, jnp.result_type(type(x))) for name, x in numbers.items()}


def copied(tree: Any) -> Any:
    """Return copies of the arrays: the loop donates those that it is given."""
    if not all(getattr(x, "is_fully_addressable", True) for x in jax.tree.leaves(tree)):
        return jax.tree.map(jnp.copy, tree)  # `device_put` copies none that several processes have

    def leaf(x, copy):  # `device_put` does not copy random keys that lie on several devices
        return jnp.copy(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else copy

    return jax.tree.map(leaf, tree, jax.device_put(tree, may_alias=False))
