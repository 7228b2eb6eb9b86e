"""Checks of the training and the validation data, with the name of the array at fault."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.dtypes import default_float, dtype_of
from .._trees import MOST, by_path, n_rows
from ..conversion.arrays import if_cast_nan, in_short, labels_of
from ..conversion.batches import is_pair

KINDS = tuple | list | str | bytes | Mapping
"""What has items that are no examples."""

Named = dict[str, Any]
"""The arrays of a tree, by the names that the user has for them."""


def check_rows(train: Any, valid: Any, sample_weight: Any, *, pairs: bool) -> None:
    """Refuse data that cannot be trained on, and validation data of another kind.

    `pairs`: the data must be (x, y), as a model needs them.
    """
    if pairs:
        _refuse_what_is_no_pair("data", train)
        if train[0] is not None and not jax.tree.leaves(train[0]):
            raise ValueError(f"x must be an array, or a tree of them, got {in_short(train[0])}.")
    arrays = _named("", train, pairs=pairs)
    _refuse_what_has_no_rows("the training data (data, or train)", arrays)
    for name, array in arrays.items():
        _refuse_what_is_not_finite(name, array)
    if sample_weight is not None:
        check_weights(sample_weight, len(next(iter(arrays.values()))))
    if valid is not None:
        _check_valid(arrays, train, valid, pairs=pairs)


def _named(owner: str, rows: Any, *, pairs: bool) -> Named:
    """Return the arrays of `rows` by name: `x`, `y['mask']`, `valid's x`, or `train['x']`."""
    prefix = f"{owner}'s " if owner else ""
    parts = {f"{prefix}x": rows[0], f"{prefix}y": rows[1]} if pairs else {owner or "train": rows}
    return {path: x for name, part in parts.items() for path, x in by_path(part, name).items()}


def on_host(array: Any) -> np.ndarray | None:
    """Return an array on the host, in the dtype that it will have; None if it lies elsewhere."""
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return None
    if isinstance(array, np.ndarray) and array.dtype in (np.float32, np.int32):
        return array
    with np.errstate(over="ignore"):  # to infinity
        return np.asarray(array).astype(dtype_of(array), copy=False)


def _refuse_what_is_no_pair(name: str, rows: Any) -> None:
    if isinstance(rows, Mapping) and len(rows) == 2:
        first, second = (f"{name}[{key!r}]" for key in rows)
        raise TypeError(
            f"{name} must be (x, y), the inputs and the targets of the model, got a dict: pass "
            f"({first}, {second}), or the other way round."
        )
    if not is_pair(rows):
        kind = f"{len(rows)} of them" if isinstance(rows, tuple | list) else type(rows).__name__
        raise TypeError(
            f"{name} must be (x, y), the inputs and the targets of the model, got {kind}. "
            f"{_way_to_a_pair(name, rows)} For a loss of the whole batch, build "
            "training.Problem.from_functions."
        )


def _way_to_a_pair(name: str, rows: Any) -> str:
    if labels_of(rows) is not None:
        return f"Pass two parts of the table: ({name}[inputs], {name}[target])."
    if hasattr(rows, "__getitem__") and not hasattr(rows, "shape") and not isinstance(rows, KINDS):
        return "Its items are examples: give a loader of batches, or arrays of all examples."
    return "Several inputs are one tree: ((x1, x2), y)."


def _refuse_what_has_no_rows(name: str, arrays: Named) -> None:
    """Refuse arrays without examples, or with different numbers of them."""
    if not arrays:
        raise ValueError(f"{name} must be trees of arrays with the examples first, got no arrays.")
    for name, array in arrays.items():
        shape = np.shape(array)
        if not shape:
            raise TypeError(
                f"{name} must be an array with the examples along its first axis, got one number, "
                f"{array}: pass the arrays of all examples. One example is numpy.asarray([x]), "
                "numpy.asarray([y])."
            )
        if shape[0] == 0 or shape == (shape[0], 0):
            what = "examples" if shape[0] == 0 else "columns"
            raise ValueError(f"{name} has no {what}, its shape is {shape}.")
    lengths = {name: array.shape[0] for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {rows}" for name, rows in [*lengths.items()][:MOST])
        more = f" and {len(lengths) - MOST} more" if len(lengths) > MOST else ""
        raise ValueError(
            f"all arrays must have the same number of examples, but {found}{more}: row i of each "
            "belongs to example i. Cut them to the same examples, which must be the first axis. (A "
            "list of arrays is several inputs: numpy.stack makes one array of examples in a list.)"
        )


def _refuse_what_is_not_finite(name: str, array: Any) -> None:
    if message := _nonfinite_message(name, array):
        raise ValueError(
            f"{message}: the loss of that example is not finite. Remove such examples, fill in the "
            "missing values (numpy.nan_to_num, or the mean of the column), or scale values that "
            "are too large."
        )


def batch_message(batch: Any, *, pairs: bool) -> str | None:
    """Return what is not finite in a batch, of the arrays that lie on the host, or None."""
    arrays = {k: x for k, x in _named("", batch, pairs=pairs).items() if isinstance(x, np.ndarray)}
    return next((words for k, x in arrays.items() if (words := _nonfinite_message(k, x))), None)


def _nonfinite_message(name: str, array: Any) -> str | None:
    """Return how much is NaN or infinite; a finite sum shows in one pass that nothing is."""
    x = on_host(array) if jnp.issubdtype(array.dtype, jnp.inexact) else None
    if x is None:
        return None
    with np.errstate(all="ignore"):
        if np.isfinite(np.sum(x)):
            return None
    bad = ~np.isfinite(x)
    if not bad.any():  # the sum has overflowed
        return None
    missing, row = int(np.isnan(x).sum()), int(np.argmax(bad.reshape(len(x), -1).any(1)))
    too_large = int((bad & np.isfinite(np.asarray(array))).sum())
    infinite = int(bad.sum()) - missing - too_large
    counts = (missing, "NaN"), (infinite, "infinite"), (too_large, f"too large for {x.dtype}")
    kinds = [f"{n:,} {word}" for n, word in counts if n]
    return f"{name} has {' and '.join(kinds)} of {x.size:,} entries, the first in row {row}"


def check_weights(sample_weight: Any, rows: int) -> None:
    shape = getattr(sample_weight, "shape", None)
    if shape is None or jnp.iscomplexobj(sample_weight):
        raise TypeError(
            f"sample_weight must be an array with one number >= 0 per example of data, got "
            f"{in_short(sample_weight)}."
        )
    if not shape or shape[0] != rows:
        raise ValueError(
            f"sample_weight must have one number >= 0 per example of data, {rows}, got the shape "
            f"{shape}."
        )
    w = on_host(sample_weight)
    if w is None:
        return
    bad = ~(np.isfinite(w) & (w >= 0)).reshape(rows, -1).all(1)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"sample_weight must be finite numbers >= 0, got {w[row]} in row {row} "
            f"({int(bad.sum())} such rows): 0 leaves an example out."
        )
    if not w.any():
        raise ValueError("sample_weight is all 0: give at least one example a weight above 0.")


def _check_valid(arrays: Named, train: Any, valid: Any, *, pairs: bool) -> None:
    if pairs:
        _refuse_what_is_no_pair("valid", valid)
    held_out = _named("valid", valid, pairs=pairs)
    ours, theirs = jax.tree.structure(train), jax.tree.structure(valid)
    if ours != theirs:
        is_named_alike = [*held_out] == [f"valid's {name}" for name in arrays]
        raise ValueError(
            "valid must be the same tree as the training data, whose arrays are "
            f"{', '.join(arrays)}; got {', '.join(held_out) or 'none'}"
            f"{f' in other containers, {theirs} for {ours}' if is_named_alike else ''}."
        )
    _refuse_what_has_no_rows("valid", held_out)
    for (name, ours), (held_name, theirs) in zip(arrays.items(), held_out.items(), strict=True):
        if _row(ours) != _row(theirs):
            raise ValueError(
                f"{held_name} and {name} must be alike, got {_row(theirs)} per example of "
                f"{held_name}, and {_row(ours)} of {name}: prepare both in the same way."
            )
        _refuse_what_is_not_finite(held_name, theirs)


def _row(array: Any) -> str:
    return f"{dtype_of(array)} of shape {tuple(array.shape[1:])}"


_FEW = 32
"""Entries of each array that tell most rows apart."""


def shared_rows(train: Any, valid: Any) -> list[tuple[int, int]]:
    """Return pairs (row of `valid`, row of `train`) with the same bits, one for a row of `valid`.

    A few entries of every row are compared first, and all entries where those agree.
    """
    ours, theirs = _as_bits(valid), _as_bits(train)
    if ours is None or theirs is None:
        return []
    few, many = _keys(ours, _FEW), _keys(theirs, _FEW)
    other = np.flatnonzero(np.isin(many, few))
    mine = np.flatnonzero(np.isin(few, many[other]))
    whole = [_keys([x[rows] for x in part]) for part, rows in ((ours, mine), (theirs, other))]
    by_bits = {key.tobytes(): int(row) for key, row in zip(whole[1], other, strict=True)}
    pairs = ((int(row), by_bits.get(x.tobytes())) for x, row in zip(whole[0], mine, strict=True))
    return [(row, same) for row, same in pairs if same is not None]


def overlap_message(train: Any, valid: Any) -> str | None:
    """Return a warning about validation examples that are trained on, or None."""
    shared = shared_rows(train, valid) if valid is not None else []
    if not shared:
        return None
    row, same = shared[0]
    return (
        f"{len(shared)} of {n_rows(valid)} validation examples are training data too (the first: "
        f"row {row} of valid is row {same} of the data), so the validation loss is optimistic. "
        "Remove duplicates, and split before you augment."
    )


def precision_messages(train: Any, *, pairs: bool) -> list[str]:
    """Return warnings about numbers that JAX's dtypes cannot tell apart, and about cast NaN."""
    arrays = {name: x for name, x in _named("", train, pairs=pairs).items() if _is_on_host(x)}
    found = [_cast_nan_message(name, x) or _collapse_message(name, x) for name, x in arrays.items()]
    return [message for message in found if message]


def _is_on_host(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind in "iuf" and x.dtype.itemsize >= 4


def _cast_nan_message(name: str, x: np.ndarray) -> str | None:
    if x.dtype.kind != "i" or not if_cast_nan(lowest := x.min()):
        return None
    row = int(np.argmax((x == lowest).reshape(len(x), -1).any(1)))
    return f"{name} is {lowest} in row {row}. {if_cast_nan(lowest)}"


SAMPLE = 2**20
"""The entries of an array that are looked at before a column of it is."""

FEW_STEPS = 256
"""A column that has fewer different values in float32 has lost most of its information."""


def _collapse_message(name: str, x: np.ndarray) -> str | None:
    """Return a warning about a column whose values become equal in float32, or None.

    A column that is constant up to the rounding of float64 is none of them, and whole numbers up to
    2^24 are exact.
    """
    if default_float() == jnp.float64 or x.dtype == np.float32:
        return None
    columns = x.reshape(len(x), -1)
    some = columns[:: 1 + columns.size // SAMPLE]
    suspects = np.flatnonzero(_collapses(some.min(0), some.max(0), x.dtype))
    for column in suspects[:MOST].tolist():
        low, high = columns[:, column].min(), columns[:, column].max()
        if _collapses(low, high, x.dtype):
            where = f"column {column} of {name}" if x.ndim > 1 else name
            return (
                f"{where} is between {low} and {high}, where float32 has few numbers: values that "
                "differ become equal in a model. Subtract the smallest value first."
            )
    return None


def _collapses(low: Any, high: Any, dtype: Any) -> Any:
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    size, spread = np.maximum(np.abs(low), np.abs(high)), high - low
    few = spread < FEW_STEPS * np.finfo(np.float32).eps * size
    return (
        few
        & (spread > (1e-12 * size if dtype.kind == "f" else 0))
        & (True if dtype.kind == "f" else size > 2**24)
    )


def _as_bits(rows: Any) -> list[np.ndarray] | None:
    """Return every array as unsigned integers, one row an example; None if it lies elsewhere."""
    bits = []
    for leaf in jax.tree.leaves(rows):
        x = on_host(leaf)
        if x is None:
            return None
        flat = np.ascontiguousarray(x).reshape(len(x), -1)
        bits.append(flat.view(f"u{min(flat.dtype.itemsize, 8)}"))
    return bits


def _keys(bits: list[np.ndarray], most: int | None = None) -> np.ndarray:
    """Return one value a row, of at most so many entries of each array."""
    some = [x if most is None else x[:, :: -(-x.shape[1] // most) or 1] for x in bits]
    joined = np.concatenate([np.ascontiguousarray(x).view(np.uint8) for x in some], axis=1)
    return joined.view(f"V{joined.shape[1]}").ravel()
