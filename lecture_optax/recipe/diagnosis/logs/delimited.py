"""Logs in CSV: of Keras, of Lightning, of Weights & Biases, and plain columns of numbers."""

import csv
from collections.abc import Sequence
from itertools import groupby

from .table import Table, table_of
from .words import words_of

RUN = ({"run"}, {"run", "id"}, {"run", "name"}, {"run", "uuid"})
"""Names of a column that says to which run a row belongs."""


def read_delimited(name: str, text: str) -> list[Table]:
    """Return the runs of a text of delimited columns, with or without a line of names.

    **Raises** `ValueError` for a row with more or fewer cells than names, and for other texts.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    delimiter = _delimiter(lines)
    rows = [[cell.strip() for cell in row] for row in _cells(name, lines, delimiter)]
    if delimiter == ";":
        rows = [[cell.replace(",", ".") for cell in row] for row in rows]
    header, rows = _header(name, rows)
    rows = [row for row in rows if row != header]  # a run that was appended repeats the names
    whole = len(header)
    if rows and len(rows[-1]) < whole and not text.endswith("\n"):
        rows.pop()  # the line was cut off when the run was killed
    for row in rows:
        if len(row) != whole:
            raise ValueError(
                f"{name} must have {whole} cells in every line, as in its first one, got "
                f"{len(row)}: {delimiter.join(row)[:60]!r}."
            )
    if any(" - " in title for title in header):
        return _by_prefix(header, rows)
    at = next((i for i, x in enumerate(header) if words_of(x) in RUN), None)
    if at is None:
        return [table_of("", "CSV", header, rows)]
    return [
        table_of(run, "CSV", header, list(own))
        for run, own in groupby(sorted(rows, key=lambda row: row[at]), lambda row: row[at])
    ]


def _delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that is most frequent in the first line, or a space."""
    best = max(";\t,", key=lines[0].count)
    return best if best in lines[0] else " "


def _cells(name: str, lines: Sequence[str], delimiter: str) -> list[list[str]]:
    lines = [line.removeprefix("#") for line in lines]
    if delimiter == " ":
        return [line.split() for line in lines]
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        raise ValueError(f"{name} must be a table of numbers, got a line with a {error}.") from None


def _header(name: str, rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the rows; one or two columns need no names."""
    first = rows[0]
    if not all(map(_is_numeric, first)):
        if len({*first}) < len(first):
            raise ValueError(
                f"the names of the columns of {name} must differ, got {', '.join(first)[:200]}."
            )
        if len(rows) == 1 and not any(map(_is_numeric, first)):
            names = ", ".join(first)[:60]
            raise ValueError(f"{name} must have rows of numbers, got one line alone: {names!r}.")
        if not any(all(map(_is_numeric, row)) for row in rows[1:]) and not any(
            _is_numeric(cell) for row in rows[1:] for cell in row
        ):
            raise ValueError(
                f"{name} must be a log with columns of numbers, got {first[0][:60]!r}."
            )
        return first, rows[1:]
    if len(first) == 1:
        return ["loss"], rows
    if len(first) == 2:
        return ["step", "loss"], rows
    return [f"column {i}" for i in range(1, len(first) + 1)], rows


def _by_prefix(header: Sequence[str], rows: list[list[str]]) -> list[Table]:
    """Return the runs of an export of Weights & Biases, whose columns are "run - quantity".

    Each quantity has two more columns, its smallest and its largest value of several steps.
    """
    titles = [title for title in header if not title.endswith(("__MIN", "__MAX"))]
    shared = {header.index(title): title for title in titles if " - " not in title}
    runs: dict[str, dict[int, str]] = {}
    for title in titles:
        run, mark, quantity = title.rpartition(" - ")
        if mark:
            runs.setdefault(run, dict(shared))[header.index(title)] = quantity
    tables = []
    for run, own in runs.items():
        logged = [i for i in own if i not in shared]
        cells = [[row[i] for i in own] for row in rows if any(row[i] for i in logged)]
        tables.append(table_of(run, "Weights & Biases export", list(own.values()), cells))
    return tables


def _is_numeric(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
