"""The folder of a saved search: parts, each written once, and notes that name them.

    search.lock           which process writes (`training/checkpoint/lock.py`)
    search-000012.json    notes: the segments that ended, and the names and checksums of the parts
    weights/NAME.npz      a part: an arm at a step, or a candidate for the result

Most arms wait while one runs, so a save writes only what has changed: the name of a part determines
its bits. A file is written under another name and then renamed, the notes last, so a kill leaves
either the save before or this one.
"""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...training._trees import kind_of
from ...training.checkpoint.folder import (
    FORMAT,
    KEPT,
    check_format,
    make_writable,
    newest_readable,
    path_of,
    refuse_others,
    write_file,
)
from ...training.checkpoint.lock import LOCK as LOCK_OF_FIT, FolderLock
from ...training.checkpoint.notes import check_notes, dict_of, is_count

Arrays = dict[str, np.ndarray]

LOCK = "search.lock"
"""The file that is locked, so that a run of `lo.fit` does not take the folder for its own."""

SAVE = re.compile(r"search-(\d{6,})\.json(\.part)?")
ARM = r"\d+_-?\d+(_\d+_\d+)?(_fold-?\d+)?"
PART = re.compile(rf"({ARM}@\d+(-branch|-averaged|-raw)?)\.npz(\.part)?")
"""The names of the files that a search writes. No other file is read or removed."""


class SavedSearch(NamedTuple):
    """A save: its notes, and its parts by name, without those that are missing or damaged."""

    notes: dict[str, Any]
    parts: dict[str, Arrays]

    @property
    def lost(self) -> list[str]:
        """The names of the parts that are missing or damaged."""
        return [name for name in self.notes["parts"] if name not in self.parts]


class Store:
    """The folder of a search. It keeps the last save and the one before, in case one is damaged."""

    def __init__(self, path: Any):
        self.path = path_of(path)
        self._weights = self.path / "weights"
        self._saves: dict[int, dict[str, int]] = {}
        self._number = 0
        self._lock = FolderLock(self.path, LOCK)

    def claim(self) -> None:
        """Lock the folder, which must be new, empty, or that of a search.

        **Raises** `ValueError` for a folder that holds anything else, and `BlockingIOError` if
        another search uses it.
        """
        found = _files(self.path)
        is_new = LOCK not in [x.name for x in found]
        is_saved = any(SAVE.fullmatch(x.name) for x in found)
        if not is_saved and any(x.name.isdecimal() for x in found):
            raise ValueError(
                f"checkpoint={str(self.path)!r} holds a run of lo.fit, not a search: give another "
                "folder."
            )
        if is_new and not is_saved:
            refuse_others(self.path, [x for x in found if not self._is_own(x)], "a search")
        if not (is_new and is_saved):  # an earlier version made no lock: it is refused as it is
            self._lock.acquire()

    def newest(self, check: Callable[[dict[str, Any]], None]) -> SavedSearch | None:
        """Return the last save whose notes can be read and pass `check`; None if there is no save.

        **Warns** if the notes of a later save are damaged.

        **Raises** `ValueError` if the notes of all saves are damaged, or if another version of the
        library wrote the save.
        """
        numbers = self._numbers()
        newest = newest_readable(self.path, numbers, lambda number: self._read(number, check))
        if newest is None:
            return None
        notes = newest.saved
        check_format(self.path, notes)
        found = {name: self._read_part(name, crc) for name, crc in notes["parts"].items()}
        saved = SavedSearch(notes, {name: part for name, part in found.items() if part})
        written = {name: notes["parts"][name] for name in saved.parts}
        self._number, self._saves = numbers[0], {newest.number: written}
        return saved

    def make(self) -> None:
        """Make the folder.

        **Raises** `OSError`, in one sentence, if nothing can be written to it.
        """
        make_writable(self.path)

    def close(self) -> None:
        """Release the lock of the folder."""
        self._lock.release()

    def write(self, notes: Mapping[str, Any], parts: Mapping[str, Callable[[], Arrays]]) -> None:
        """Write a save. Parts that are on the disk already are not made again."""
        self._lock.acquire()
        self._lock.sign()
        self._weights.mkdir(exist_ok=True)
        there = {name: crc for save in self._saves.values() for name, crc in save.items()}
        written = {
            name: there[name] if name in there else self._write_part(name, make())
            for name, make in parts.items()
        }
        self._number += 1
        body = json.dumps({"format": FORMAT, **notes, "parts": written}).encode()
        write_file(self._notes(self._number), lambda file: file.write(_sealed(body)))
        self._saves[self._number] = written
        self._sweep()

    def _sweep(self) -> None:
        """Remove the files of a search that the last saves do not name, incomplete ones too."""
        self._saves = dict(sorted(self._saves.items())[-KEPT:])
        named = {self._part(name) for names in self._saves.values() for name in names}
        kept = {self._notes(number) for number in self._saves} | named
        for file in [*_files(self.path), *_files(self._weights)]:
            pattern = SAVE if file.parent == self.path else PART
            if pattern.fullmatch(file.name) and file.is_file() and file not in kept:
                file.unlink(missing_ok=True)

    def _is_own(self, file: Path) -> bool:
        """Whether a search has written a file or folder, as far as names tell."""
        if file == self._weights and file.is_dir():
            return all(PART.fullmatch(part.name) for part in _files(file))
        return file.name == LOCK_OF_FIT or SAVE.fullmatch(file.name) is not None

    def _numbers(self) -> list[int]:
        """Return the numbers of the saves, the last one first."""
        matches = (SAVE.fullmatch(x.name) for x in _files(self.path))
        found = [save for save in matches if save and not save[2]]
        return sorted((int(save[1]) for save in found), reverse=True)

    def _read(self, number: int, check: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        file = self._notes(number)
        seal, _, body = file.read_bytes().partition(b"\n")
        notes = json.loads(body) if _sealed(body) == seal + b"\n" + body else None
        if not isinstance(notes, dict):
            raise ValueError(f"{file.name} is not as written")
        if notes.get("format") == FORMAT:
            check_notes(notes, {"parts": dict_of(is_count)})
            check(notes)
        return notes

    def _read_part(self, name: str, crc: int) -> Arrays | None:
        """Return the arrays of a part, or None where they are not those that were written."""
        try:
            # of a damaged file, NumPy leaves open what it has opened itself
            with self._part(name).open("rb") as file, np.load(file) as arrays:
                found = {key: arrays[key] for key in arrays.files}
            return found if _checksum(name, found) == crc else None
        except Exception:  # a reader of a damaged file may raise anything
            return None

    def _write_part(self, name: str, arrays: Arrays) -> int:
        write_file(self._part(name), partial(np.savez, **arrays))
        return _checksum(name, arrays)

    def _notes(self, number: int) -> Path:
        return self.path / f"search-{number:06}.json"

    def _part(self, name: str) -> Path:
        return self._weights / f"{name}.npz"


def _files(folder: Path) -> list[Path]:
    """Return what a folder holds, without hidden files; nothing where there is no folder."""
    every = folder.iterdir() if folder.is_dir() else []
    return [file for file in every if not file.name.startswith(".")]


def _sealed(body: bytes) -> bytes:
    return f"{zlib.crc32(body):08x}\n".encode() + body


def _checksum(name: str, arrays: Arrays) -> int:
    """Return the CRC-32 of a part with its name: another part under this name is another one."""
    crc = zlib.crc32(name.encode())
    for key, x in sorted(arrays.items()):
        crc = zlib.crc32(f"{key} {kind_of(x)}".encode(), crc)
        crc = zlib.crc32(np.ascontiguousarray(x).reshape(-1).view(np.uint8).data, crc)
    return crc
