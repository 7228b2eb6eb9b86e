"""A log as a table of numbers: what every reader returns."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

MISSING = {"", "na", "n/a", "null", "none", "-", "--"}
"""Cells, in lower case, that mean that nothing was logged."""


class Column(NamedTuple):
    """The numbers of a column and the rows that have one; a log is often sparse."""

    rows: np.ndarray
    values: np.ndarray


class Table(NamedTuple):
    """The columns of numbers of one log.

    - `name`: of the run within its file, or "".
    - `source`: the tool or the format that wrote it.
    - `texts`: the columns that are not numbers, with their first text.
    """

    name: str
    source: str
    columns: dict[str, Column]
    texts: dict[str, str]

    @property
    def rows(self) -> int:
        return 1 + max((int(x.rows[-1]) for x in self.columns.values() if len(x.rows)), default=-1)


def table_of(name: str, source: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table of rows of cells, which are texts or numbers."""
    columns: dict[str, Column] = {}
    texts: dict[str, str] = {}
    by_column = list(zip(*rows, strict=True)) or [() for _ in header]
    for title, cells in zip(header, by_column, strict=True):
        try:
            columns[title] = _column(cells)
        except ValueError:
            texts[title] = next(str(x) for x in cells if not _is_number(x))
    return Table(name, source, columns, texts)


def table_of_objects(name: str, source: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of JSON objects, each with some of the columns."""
    header = list(dict.fromkeys(key for row in rows for key in row))
    return table_of(name, source, header, [[row.get(key) for key in header] for row in rows])


def table_of_series(
    name: str, source: str, series: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> Table:
    """Return a table of (steps, values) by name, with a row for every step."""
    steps = np.unique(np.concatenate([x for x, _ in series.values()]))
    columns = {
        title: Column(np.searchsorted(steps, x), values) for title, (x, values) in series.items()
    }
    return Table(name, source, {"step": Column(np.arange(len(steps)), steps), **columns}, {})


def _column(cells: Sequence[Any]) -> Column:
    """Return the numbers among the cells, or raise `ValueError` for a text."""
    found = [(i, _number(x)) for i, x in enumerate(cells) if not _is_missing(x)]
    rows, values = zip(*found, strict=True) if found else ((), ())
    return Column(np.array(rows, np.int64), np.array(values, np.float64))


def _number(x: Any) -> float:
    """Return a number; an integer of hundreds of digits is infinite."""
    try:
        return float(x)
    except OverflowError:
        return float("inf")


def _is_missing(x: Any) -> bool:
    if isinstance(x, str):
        return x.strip().lower() in MISSING
    return not isinstance(x, int | float) or isinstance(x, bool)


def _is_number(x: Any) -> bool:
    try:
        return _is_missing(x) or _number(x) is not None
    except ValueError:
        return False
