"""Tables, tensors, sparse matrices and lists of numbers as arrays, where the meaning is plain.

An object is recognised by its methods. Arrays of numbers stay as they are, wherever they lie.
"""

import math
import numbers
from array import array
from collections.abc import Iterator, MappingView, Sequence, Set
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.dtypes import dtype_of


def as_arrays(tree: Any, name: str) -> Any:
    """Return the tree with arrays for tables, tensors and lists of numbers.

    **Raises** `TypeError` or `ValueError` for what has no plain meaning as numbers, and for whole
    numbers that JAX's integers do not hold. It names the leaf, by `name` and its path.
    """

    def leaf(path, x):
        return _as_array(name + jax.tree_util.keystr(path), x)

    try:
        leaves = jax.tree.leaves(tree, is_leaf=_is_one_array)
    except ValueError as error:  # the keys of a dict that cannot be sorted
        raise TypeError(f"{name} must be a tree of arrays, got {error}") from error
    if all(map(_is_plain, leaves)):
        return tree  # every batch of an iterable comes here
    return jax.tree_util.tree_map_with_path(leaf, tree, is_leaf=_is_one_array)


def _is_plain(x: Any) -> bool:
    """Return whether a leaf is an array of NumPy whose dtype JAX keeps."""
    is_array = type(x) is np.ndarray and x.dtype.isnative
    return is_array and x.dtype.kind in "biuf" and x.dtype.itemsize <= 4


def in_short(value: Any) -> str:
    """Return the kind and the beginning of a value, for an error."""
    return f"the {type(value).__name__} {str(value)[:40]!r}"


def if_cast_nan(value: Any) -> str:
    """Return the advice for a whole number that was NaN, or nothing."""
    is_cast = value in (np.iinfo(np.int32).min, np.iinfo(np.int64).min)
    return CAST_NAN if is_cast else ""


CAST_NAN = (
    "NumPy makes this number of NaN, a missing value: remove such examples, or fill in the values."
)


def _is_one_array(node: Any) -> bool:
    """Return whether a node of a tree is one leaf: a list of numbers, JAX's sparse matrices, and
    iterators, of which JAX warns where they are not said to be leaves."""
    if type(node) not in (list, tuple):
        return hasattr(node, "todense") or isinstance(node, Iterator | MappingView)
    leaves = jax.tree.leaves(node)
    return bool(leaves) and all(map(_is_entry, leaves))


def _is_entry(x: Any) -> bool:
    return isinstance(x, numbers.Number | str | bytes) or getattr(x, "shape", None) == ()


def _as_array(name: str, x: Any) -> Any:
    if isinstance(x, jax.Array | jax.ShapeDtypeStruct):
        _refuse_what_is_no_number(name, x)
        return x
    if isinstance(x, numbers.Number | np.generic):
        x = np.asarray(x)
    found = _numbers_of(name, x)
    _refuse_integers_that_do_not_fit(name, found)
    return found


def _numbers_of(name: str, x: Any) -> Any:
    """Return a leaf as an array with a dtype of JAX."""
    if isinstance(x, Set | Iterator | MappingView):
        raise TypeError(
            f"{name} must be an array with the examples along its first axis, got a "
            f"{type(x).__name__}: pass numpy.array(list(...)) of it, in the order of the examples."
        )
    if isinstance(x, list | tuple):
        x = _of_list(name, x)
    elif labels_of(x) is not None:
        x = _of_table(name, x)
    elif not isinstance(x, np.ndarray):
        x = _of_another_library(name, x)
    return x if isinstance(x, jax.Array) else _of_numpy(name, x)


def _of_list(name: str, x: Any) -> np.ndarray:
    """Return the array of a list of numbers, some of which may be another library's."""

    def number(entry):
        return entry if isinstance(entry, PLAIN_ENTRIES) else _numbers_of(name, entry)[()]

    if not all(isinstance(entry, PLAIN_ENTRIES) for entry in jax.tree.leaves(x)):
        x = jax.tree.map(number, x)
    try:
        return np.asarray(x)
    except ValueError as error:
        raise _ragged(name) from error


PLAIN_ENTRIES = numbers.Number | str | bytes | np.generic


def _of_another_library(name: str, x: Any) -> Any:
    """Return what an object holds as an array of NumPy, or of JAX if it is one of JAX's."""
    to_dense = getattr(x, "toarray", None) or getattr(x, "todense", None)
    if to_dense is not None:
        _check_size(name, x)
    try:
        if to_dense is not None:
            return to_dense()
        for step in ("detach", "cpu"):  # of PyTorch
            x = getattr(x, step, lambda x=x: x)()
        if hasattr(x, "__jax_array__"):
            return jnp.asarray(x)
        if hasattr(x, "__array__") or hasattr(x, "__array_interface__") or _is_sequence(x):
            return np.asarray(x)
        for read in ("to_numpy", "numpy"):
            if hasattr(x, read):
                return np.asarray(getattr(x, read)())
        if hasattr(x, "__dlpack__"):
            return np.from_dlpack(x)
    except Exception as error:  # whatever a library says that cannot convert its own object
        raise TypeError(
            f"{name} must be an array of numbers, got a {type(x).__name__} that NumPy cannot read "
            f"({' '.join(str(error).split())}): pass a NumPy array of its numbers."
        ) from error
    raise TypeError(
        f"{name} must be an array with the examples along its first axis, got {in_short(x)}."
    )


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence | array) and not isinstance(x, str | bytes)


MOST_BYTES = 2**31
"""The largest array that is made of a sparse matrix."""


def _check_size(name: str, x: Any) -> None:
    size = math.prod(x.shape) * np.dtype(x.dtype).itemsize
    if size > MOST_BYTES:
        raise ValueError(
            f"{name} is a sparse matrix of shape {tuple(x.shape)}, which takes "
            f"{size / 2**30:,.0f} GiB as an array: reduce its columns, or train on an iterable of "
            "batches, each of which is an array."
        )


def labels_of(x: Any) -> list[Any] | None:
    """Return the labels of the columns of a table, or None for what is no table."""
    if isinstance(x, type) or not hasattr(x, "__getitem__"):
        return None
    found = getattr(x, "column_names", None) or getattr(x, "columns", None)  # Arrow, the others
    return None if found is None or isinstance(found, str) or callable(found) else list(found)


def _of_table(name: str, table: Any) -> np.ndarray:
    if hasattr(table, "to_numpy"):
        whole = np.asarray(table.to_numpy())
        if whole.dtype.kind in "biufc":
            return whole
    labels = labels_of(table) or []
    is_unique = len(set(labels)) == len(labels)
    items = ((x, table[x]) for x in labels) if is_unique else table.items()
    columns = [_numbers_of(f"column {label!r} of {name}", column) for label, column in items]
    return np.stack(columns, 1)


def _of_numpy(name: str, x: np.ndarray) -> np.ndarray:
    """Return an array of NumPy with a dtype of JAX, or refuse its entries."""
    x = _without_mask(name, x) if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
    if x.dtype == object:
        x = _of_objects(name, x)
    if not x.dtype.isnative:
        x = x.astype(x.dtype.newbyteorder("="))
    if x.dtype.kind in "fc" and x.dtype.itemsize > 8 * (1 + (x.dtype.kind == "c")):
        x = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)  # long doubles
    if x.dtype.kind in "mM":
        raise TypeError(
            f"{name} must be an array of numbers, got {x.dtype}: turn dates and times into "
            "numbers, such as days since the first, (x - x.min()) / numpy.timedelta64(1, 'D')."
        )
    if x.dtype.names is not None:
        raise TypeError(
            f"{name} must be an array of numbers, got an array with the fields "
            f"{', '.join(x.dtype.names)}: pass numpy.lib.recfunctions.structured_to_unstructured "
            "of it."
        )
    _refuse_what_is_no_number(name, x)
    return x


def _refuse_what_is_no_number(name: str, x: Any) -> None:
    if not _is_numeric(x):
        raise TypeError(
            f"{name} must be an array of numbers, got {x.dtype}: turn words and categories "
            "into numbers first."
        )


def _is_numeric(x: Any) -> bool:
    try:
        return jnp.issubdtype(dtype_of(x), jnp.number) or dtype_of(x) == jnp.bool_
    except TypeError:  # words: no dtype of JAX's
        return False


def _without_mask(name: str, x: np.ma.MaskedArray) -> np.ndarray:
    mask = np.ma.getmaskarray(x)
    if mask.any():
        raise ValueError(
            f"{name} has {int(mask.sum()):,} masked of {x.size:,} entries, the first in row "
            f"{_first_row(mask)}: these values are missing. Remove such examples, or fill the "
            "values in, x.filled(value)."
        )
    return np.asarray(x.data)


def _of_objects(name: str, x: np.ndarray) -> np.ndarray:
    """Return numbers that are held as objects, of Python, or one array in each row."""
    try:
        found = np.array(x.tolist())
    except ValueError as error:
        raise _ragged(name) from error
    if found.dtype.kind in "biufc":
        return found
    for place, value in np.ndenumerate(x):
        if not isinstance(value, numbers.Number | np.number | np.bool_):
            row = place[0] if place else 0
            raise TypeError(f"{name} must be numbers, got {_no_number(value, row)}.")
    try:
        return x.astype(np.complex128 if found.dtype.kind == "c" else np.float64)
    except OverflowError:
        raise ValueError(f"{name} must be numbers that float64 holds, got {in_short(x)}.") from None


def _no_number(value: Any, row: int) -> str:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return f"a missing value in row {row}: remove such examples, or fill the values in"
    return f"{in_short(value)} in row {row}: turn words and categories into numbers first"


def _ragged(name: str) -> ValueError:
    return ValueError(
        f"{name} must be one array, and its rows have different shapes: cut or fill them to one "
        "length (numpy.pad)."
    )


def _refuse_integers_that_do_not_fit(name: str, x: np.ndarray) -> None:
    """Refuse whole numbers that wrap around when JAX casts them to 32 bits."""
    dtype = dtype_of(x)
    if isinstance(x, jax.Array) or x.dtype.kind not in "iu" or x.dtype == dtype or not x.size:
        return
    allowed = jnp.iinfo(dtype)
    if allowed.min <= int(x.min()) and int(x.max()) <= allowed.max:
        return
    bad = (x > allowed.max) | ((x < allowed.min) if x.dtype.kind == "i" else False)
    value, row = int(x[bad].flat[0]), _first_row(bad)
    raise ValueError(
        f"{name} must fit {dtype}, as JAX has no 64 bits by default, got {value} in row {row} "
        f"({int(bad.sum()):,} of {x.size:,} do not fit). "
        + (
            if_cast_nan(value)
            or "Subtract the smallest value, divide by the unit, or call "
            "jax.config.update('jax_enable_x64', True) first."
        )
    )


def _first_row(bad: np.ndarray) -> int:
    return int(np.argmax(bad.reshape(len(bad), -1).any(1))) if bad.ndim else 0
