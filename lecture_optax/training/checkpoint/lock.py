"""The lock of a checkpoint, a folder or a file: one run at a time writes into it.

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
"""The file of a folder that is locked. It stays: two runs could lock two files otherwise."""

_HELD: set[Path] = set()
"""The files that this process has locked, as the lock is not between its own threads."""


class FileLock:
    """The lock of one file, which it makes and opens.

    `file`: open to read and to append, or None.
    """

    kind = "file"

    def __init__(self, path: Path):
        self.path = path.resolve()
        self.file: IO[bytes] | None = None

    def acquire(self) -> None:
        """Lock the file.

        **Raises** `BlockingIOError` if another run has locked it, and `OSError` if it cannot be
        opened.
        """
        if self.file is not None:
            return
        if self.path in _HELD:  # opened and closed, it would lose the lock
            raise self._in_use("another run of this process")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+b")
        try:
            _lock(file)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                with file:
                    raise self._in_use(self._owner(file)) from None
        self.file = file
        _HELD.add(self.path)

    def release(self) -> None:
        """Release the lock, if it was acquired."""
        if self.file is not None:
            with suppress(OSError):  # a full disk, where what it holds cannot be written
                self.file.close()
            self.file = None
            _HELD.discard(self.path)

    @property
    def _where(self) -> Path:
        return self.path

    def _owner(self, file: IO[bytes]) -> str:
        return "another process"

    def _in_use(self, owner: str) -> BlockingIOError:
        return BlockingIOError(
            f"checkpoint={str(self._where)!r} is in use by {owner}: two runs cannot share a "
            f"{self.kind}. Wait until the other one ends, or give another {self.kind}."
        )


class FolderLock(FileLock):
    """The lock of one folder: of a file in it."""

    kind = "folder"

    def __init__(self, folder: Path, name: str = LOCK):
        super().__init__(folder / name)

    def acquire(self) -> None:
        """Lock the folder, and make it if it is missing.

        Does nothing where no file can be made: a finished run is only read.

        **Raises** `BlockingIOError` if another run has locked it.
        """
        try:
            super().acquire()
        except BlockingIOError:
            raise
        except OSError:
            return

    def sign(self) -> None:
        """Write the number of this process into the file, for the message of another one."""
        if self.file is not None:
            with suppress(OSError):  # a full disk
                self.file.truncate(0)
                self.file.write(f"{os.getpid()}\n".encode())
                self.file.flush()

    @property
    def _where(self) -> Path:
        return self.path.parent

    def _owner(self, file: IO[bytes]) -> str:
        file.seek(0)
        number = file.read(20).decode(errors="replace").strip()
        return f"process {number}" if number.isdecimal() else super()._owner(file)


def _lock(file: IO[bytes]) -> None:
    if fcntl is not None:
        # a record lock: a child of fork, such as a data loader's, does not inherit it
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
