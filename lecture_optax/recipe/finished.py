"""Which runs of a sweep are done? A line of JSON each, written as it ends."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ..training.checkpoint.snapshot import difference
from .table import Row

Key = tuple[str, float, str, int]
"""Family, rate, schedule and seed."""


def key_of(row: Row) -> Key:
    return row[:4]


def finished(path: Path, what: Mapping[str, Any]) -> dict[Key, Row]:
    """The rows that a file holds. A last line that was cut by a kill is cut off.

    **Raises** `ValueError` if the file is of another sweep, with what differs.
    """
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    if not lines:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(what) + "\n")
        return {}
    if words := difference(what, _header(path, lines[0])):
        raise ValueError(
            f"checkpoint={str(path)!r} holds the runs of another sweep: {words}. Give another path."
        )
    with path.open("r+b") as file:
        file.truncate(sum(len(line) + 1 for line in lines))
    rows = [Row(**json.loads(line)) for line in lines[1:]]
    return {key_of(row): row for row in rows}


def keep(file: IO[str], row: Row) -> None:
    """Add a run; after a kill it is there."""
    file.write(json.dumps(row._asdict()) + "\n")
    file.flush()


def _header(path: Path, line: bytes) -> Mapping[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or "batch_size" not in header:
        raise ValueError(f"checkpoint={str(path)!r} is no file of a sweep: give another path.")
    return header
