"""The lock of a checkpoint folder: one run at a time writes into it.

The kernel releases the lock of a process that ends, also of a killed one. There is no lock where
the system has none: on Windows, and on network file systems without locks.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = "lecture_optax.lock"
"""The file that is locked. It stays: if it were removed, two runs could lock two files."""

_HELD: set[Path] = set()
"""The folders that this process has locked, as the lock is not between its own threads."""


class FolderLock:
    """The lock of one folder."""

    def __init__(self, folder: Path):
        self.path = folder.resolve() / LOCK
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Lock the folder, and make it if it is missing.

        Does nothing where no file can be made: a finished run is only read.

        **Raises** `BlockingIOError` if another run has locked it.
        """
        if self._file is not None:
            return
        if self.path in _HELD:
            raise _in_use(self.path, "another run of this process")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.open("a+")
        except OSError:
            return
        try:
            _lock(file)
        except OSError as error:
            with file:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    return
                file.seek(0)
                number = file.read(20).strip()
            owner = f"process {number}" if number else "another process"
            raise _in_use(self.path, owner) from None
        self._file = file
        _HELD.add(self.path)

    def sign(self) -> None:
        """Write the number of this process into the file, for the message of another one."""
        if self._file is not None:
            with suppress(OSError):  # a full disk
                self._file.truncate(0)
                self._file.write(f"{os.getpid()}\n")
                self._file.flush()

    def release(self) -> None:
        """Release the lock, if it was acquired."""
        if self._file is not None:
            self._file.close()
            self._file = None
            _HELD.discard(self.path)


def _lock(file: IO[str]) -> None:
    if fcntl is not None:
        # a record lock: a child of fork, such as a data loader's, does not inherit it
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _in_use(path: Path, owner: str) -> BlockingIOError:
    return BlockingIOError(
        f"checkpoint={str(path.parent)!r} is in use by {owner}: two runs cannot share a folder. "
        "Wait until the other one ends, or give another folder."
    )
