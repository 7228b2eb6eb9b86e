"""The folder of a saved search: parts, each written once, and notes that name them.

    search-000012.json    notes: the replay log, and the names of the parts
    weights/NAME.npz      a part: an arm at a step, or a candidate for the result

Most arms wait while one runs, so a save writes only what has changed: the name of a part determines
its bits. A file is written under another name and then renamed, the notes last, so a kill leaves
either the save before or this one.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...training.checkpoint.folder import (
    FORMAT,
    KEPT,
    check_format,
    make_writable,
    newest_readable,
    write_file,
)

Arrays = dict[str, np.ndarray]


class SavedSearch(NamedTuple):
    """A save: its notes, and its parts by name."""

    notes: dict[str, Any]
    parts: dict[str, Arrays]


class Store:
    """The folder of a search. It keeps the last save and the one before, in case one is damaged."""

    def __init__(self, path: Any):
        self.path = Path(path).expanduser().absolute()
        self._saves: dict[int, set[str]] = {}
        self._number = 0

    def newest(self) -> SavedSearch | None:
        """Return the last save that can be read; None if there is no save.

        **Warns** if a later save is damaged.

        **Raises** `ValueError` if all saves are damaged, if another version of the library wrote
        the save, or if the folder is of a run of `lo.fit`.
        """
        numbers = self._numbers()
        if (newest := newest_readable(self.path, numbers, self._read)) is None:
            return None
        check_format(self.path, newest.saved.notes)
        self._number, self._saves = numbers[0], {newest.number: set(newest.saved.parts)}
        return newest.saved

    def make(self) -> None:
        """Make the folder.

        **Raises** `OSError`, in one sentence, if nothing can be written to it.
        """
        make_writable(self.path)
        (self.path / "weights").mkdir(exist_ok=True)

    def write(self, notes: Mapping[str, Any], parts: Mapping[str, Callable[[], Arrays]]) -> None:
        """Write a save. Parts that are on the disk already are not made again."""
        there = set().union(*self._saves.values())
        for name in parts.keys() - there:
            write_file(self._part(name), partial(np.savez, **parts[name]()))
        self._number += 1
        body = json.dumps({"format": FORMAT, **notes, "parts": list(parts)}).encode()
        write_file(self._notes(self._number), lambda file: file.write(_sealed(body)))
        self._saves[self._number] = set(parts)
        self._sweep()

    def _sweep(self) -> None:
        """Remove the files that the last saves do not name, incomplete ones too."""
        self._saves = dict(sorted(self._saves.items())[-KEPT:])
        named = {self._part(name) for names in self._saves.values() for name in names}
        kept = {self._notes(number) for number in self._saves} | named
        for file in [*self.path.glob("search-*"), *(self.path / "weights").iterdir()]:
            if file not in kept:
                file.unlink(missing_ok=True)

    def _numbers(self) -> list[int]:
        """Return the numbers of the saves, the last one first."""
        names = [x.name for x in self.path.iterdir()] if self.path.is_dir() else []
        if any(name.isdecimal() for name in names):
            raise ValueError(
                f"checkpoint={str(self.path)!r} holds a run of lo.fit, not a search: give another "
                "folder."
            )
        found = [x[7:-5] for x in names if x.startswith("search-") and x.endswith(".json")]
        return sorted(map(int, found), reverse=True)

    def _read(self, number: int) -> SavedSearch:
        seal, _, body = self._notes(number).read_bytes().partition(b"\n")
        if _sealed(body) != seal + b"\n" + body:
            raise ValueError(f"{self._notes(number).name} is not as written")
        notes = json.loads(body)
        return SavedSearch(notes, {name: _read_part(self._part(name)) for name in notes["parts"]})

    def _notes(self, number: int) -> Path:
        return self.path / f"search-{number:06}.json"

    def _part(self, name: str) -> Path:
        return self.path / "weights" / f"{name}.npz"


def _sealed(body: bytes) -> bytes:
    return f"{zlib.crc32(body):08x}\n".encode() + body


def _read_part(path: Path) -> Arrays:
    """Return the arrays of a part; the format has its own checksums."""
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}
