"""The labels of tables: columns of one order in all data, rows of one order in x and y."""

from collections.abc import Iterator, Mapping, MappingView
from typing import Any

import jax

from .arrays import labels_of
from .batches import is_pair

Columns = Mapping[str, list[Any]]
"""The labels of the columns of every table in a tree, by path."""


def columns_of(data: Any, name: str = "x or data") -> Columns:
    """Return the labels of the tables in a tree."""
    found = {path: labels_of(x) for path, x in _leaves(data, name).items()}
    return {path: labels for path, labels in found.items() if labels is not None}


def _leaves(data: Any, name: str = "x or data") -> dict[str, Any]:
    def is_leaf(x):  # JAX warns of iterators that are not said to be leaves
        return isinstance(x, Iterator | MappingView)

    data = tuple(data) if is_pair(data) else data
    try:
        leaves = jax.tree_util.tree_leaves_with_path(data, is_leaf=is_leaf)
    except ValueError as error:  # the keys of a dict that cannot be sorted
        raise TypeError(f"{name} must be a tree of arrays, got {error}") from error
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def check_columns(own: Columns, given: Columns, name: str) -> None:
    """Refuse tables with names in common whose columns differ from those of the training data."""
    for path, labels in given.items():
        ours = own.get(path, labels)
        if ours == labels or not any(isinstance(x, str) and x in ours for x in labels):
            continue
        raise ValueError(
            f"the columns of {name} must be those of the training data in the same order, "
            f"{_in_short(ours)}, got {_in_short(labels)}: pass table[{_in_short(ours)}]."
        )


def _in_short(labels: list[Any]) -> str:
    more = ", ..." if len(labels) > MOST else ""
    return f"[{', '.join(map(repr, labels[:MOST]))}{more}]"


MOST = 8
"""The number of labels that an error names."""


def order_message(data: Any) -> str | None:
    """Return a warning about tables of x and y whose rows have the same labels in another order."""
    leaves = _leaves(data).values()
    tables = [x for x in leaves if hasattr(getattr(x, "index", None), "equals")]
    if not is_pair(data) or len(tables) < 2:
        return None
    first, *others = (table.index for table in tables)
    for index in others:
        if index.equals(first) or sorted(map(str, index)) != sorted(map(str, first)):
            continue
        pairs = enumerate(zip(first, index, strict=True))
        row, (ours, theirs) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
        return (
            f"x and y have the same row labels in another order (row {row} is {ours!r} in x and "
            f"{theirs!r} in y), and row i of x belongs to row i of y. If the labels should decide, "
            "pass y.loc[x.index]; if not, y.to_numpy()."
        )
    return None
