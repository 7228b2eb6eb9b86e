"""The file of a sweep: a line that says which sweep it is, and a line for every finished run.

Each line is JSON with its checksum, and the checksum of a run covers the sweep too. So a line that
was damaged or that belongs to another sweep is noticed, and its run is trained again.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import IO, Any

from ..._core.extras import warn
from ...training.checkpoint.folder import FORMAT, first_line, path_of
from ...training.checkpoint.identity import check_identity, is_identity
from ...training.checkpoint.lock import FileLock
from ...training.checkpoint.notes import (
    is_count,
    is_number,
    is_text,
    optional,
    record_of,
)
from .grid import Key
from .results import Row

SEAL = "crc32"
"""The name of the checksum in a line."""

_is_row = record_of(
    {
        "optimizer": is_text,
        "rate": is_number,
        "schedule": is_text,
        "seed": is_count,
        "final": is_number,
        "lowest": is_number,
        "lowest_at": is_count,
        "averaged": is_number,
        "averaged_lowest": is_number,
        "diverged_at": optional(is_count),
    }
)


class FinishedRuns:
    """The file of a sweep: a context, in which `add` writes the rows of more runs.

    - `rows`: those in the file; `damaged`: the number of lines that are not as they were written.

    `identity`: what determines a row, except its key.

    **Raises** `ValueError` if the file belongs to another sweep, with the difference, or is no file
    of a sweep; `OSError` where it cannot be written, or another sweep uses it. Nothing is changed
    in it then.
    """

    def __init__(self, checkpoint: Any, identity: Mapping[str, Any]):
        self.path = path_of(checkpoint)
        self.rows: dict[Key, Row] = {}
        self.damaged = 0
        self._is_full = False
        self._sweep = json.loads(json.dumps({"format": FORMAT, **identity}))
        self._lock = FileLock(self.path)
        try:
            if self.path.exists() and not (self.path.is_file() or self.path.is_dir()):
                raise OSError("it is a device or a pipe")  # which may have no end
            self._lock.acquire()
            self._read()
        except BlockingIOError:
            raise
        except OSError as error:
            self._lock.release()
            raise type(error)(
                f"checkpoint={str(self.path)!r} must be a file that can be written to "
                f"({first_line(error)}), so nothing was trained. Give the path of a new file."
            ) from None
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> "FinishedRuns":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._lock.release()

    def add(self, row: Row) -> None:
        """Write a row and flush it, so that it survives a kill. A full disk costs a warning."""
        try:
            self._append(_line(row._asdict(), self._sweep))
        except OSError as error:  # the next row writes this one, too
            if not self._is_full:
                warn(
                    f"finished runs could not be saved in {str(self.path)!r} "
                    f"({first_line(error)}): the sweep continues and tries again after each run."
                )
            self._is_full = True

    def _append(self, line: str) -> None:
        self._file.write(line.encode())
        self._file.flush()

    @property
    def _file(self) -> IO[bytes]:
        assert self._lock.file is not None
        return self._lock.file

    def _read(self) -> None:
        head = _line(self._sweep)
        self._file.seek(0)
        text = self._file.read()
        if head.encode().startswith(text):  # a new file, or one that ends within its first line
            self._file.truncate(0)
            self._append(head)
            return
        *lines, rest = text.split(b"\n")
        first = _unsealed(lines[0]) if lines else None
        if first is not None and is_identity(first):
            check_identity(str(self.path), self._sweep, first, "sweep")
            self._sweep = first  # another version of JAX does not compare all of it
        rows = list(_rows(lines, self._sweep))
        if first is None and not rows:  # with rows of this sweep, its first line is not needed
            raise ValueError(
                f"checkpoint={str(self.path)!r} must be a file that a sweep of this version "
                "wrote, or a new one. Nothing was changed in it: give another path."
            )
        self._file.truncate(len(text) - len(rest))  # without a line that was cut off
        self.damaged = len(lines) - len(rows) - (first is not None)
        self.rows = {row[:4]: row for row in rows}


def _rows(lines: Iterable[bytes], sweep: Mapping[str, Any]) -> Iterable[Row]:
    for line in lines:
        found = _unsealed(line, sweep)
        if found is not None and _is_row(found):
            yield Row(**found)


def _line(values: Mapping[str, Any], *before: Mapping[str, Any]) -> str:
    return json.dumps({**values, SEAL: _seal(values, *before)}) + "\n"


def _unsealed(line: bytes, *before: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the values of a line, or None where it is not as it was written."""
    try:
        values = json.loads(line)
        seal = values.pop(SEAL)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None
    return values if seal == _seal(values, *before) else None


def _seal(*parts: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(parts).encode())
