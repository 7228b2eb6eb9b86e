"""Checkpoint folders: whole files or none, checksums, and the newest checkpoint that can be read.

    lecture_optax.lock     which process writes (`lock.py`)
    20/lecture_optax       a mark: this folder is ours
    20/saved/              Orbax: a flat dict of arrays by path, and the notes of the run in JSON
    20/checksums.json      the CRC-32 of all files of this checkpoint

A checkpoint is written as `20.part` and then renamed, so a kill leaves a whole checkpoint or none.
What has no mark was made by someone else: it is never renamed or removed.
"""

import json
import logging
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import jax
import numpy as np

from ..._core.extras import require, warn
from .._trees import MOST
from .lock import LOCK, FolderLock

KEPT = 2
"""The checkpoints that stay: the newest, and the one before it in case the newest is damaged."""

FORMAT = 5
"""The number of the format, in the notes of every checkpoint: raised where the notes change."""

TRIAL = ".trial"
"""A file that is made and removed, to check that files can be made."""


CHECKSUMS = "checksums.json"
"""The file in a checkpoint with the CRC-32 of the others."""

MARK = "lecture_optax"
"""The file in a checkpoint that is made first and removed last."""

SAVED = "saved"
"""What Orbax writes."""

PART = ".part"
"""The end of the name of a checkpoint that is being written."""


class Newest(NamedTuple):
    """The newest checkpoint that can be read: its number, what was read, and newer damaged ones."""

    number: int
    saved: Any
    damaged: list[int]


def newest_readable(
    path: Path, numbers: Iterable[int], read: Callable[[int], Any]
) -> Newest | None:
    """Return the first checkpoint of `numbers`, the newest first, that can be read.

    Returns None where there are no `numbers`.

    **Warns** of each newer one, which is damaged. **Raises** `ValueError` where all are damaged.
    """
    damaged: dict[int, Exception] = {}
    for number in numbers:
        try:
            saved = read(number)
        except Exception as error:  # a reader of a damaged file may raise anything
            damaged[number] = error
            continue
        for newer, error in damaged.items():
            warn(
                f"checkpoint {newer} in {str(path)!r} is damaged ({first_line(error)}): resuming "
                f"from checkpoint {number}."
            )
        return Newest(number, saved, list(damaged))
    if damaged:
        number, error = next(iter(damaged.items()))
        raise ValueError(
            f"no checkpoint in {str(path)!r} can be read (the newest, {number}: "
            f"{first_line(error)}). Nothing was removed. To start again, give another folder or "
            "remove this one."
        )
    return None


def check_format(path: Path, notes: Mapping[str, Any]) -> None:
    """Raise `ValueError` for a checkpoint that another version wrote."""
    if notes.get("format") != FORMAT:
        raise ValueError(
            f"checkpoint={str(path)!r} was written by another version of lecture_optax, and this "
            "version cannot resume it: resume with that version, or give another folder to start "
            "again."
        )


def write_file(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a whole file or none: beside its name, to the disk, and then rename it."""
    beside = path.with_name(f"{path.name}.part")
    with beside.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


class Saved(NamedTuple):
    """A checkpoint that was read: arrays by path, and the notes of the run."""

    arrays: dict[str, np.ndarray]
    notes: dict[str, Any]


class CheckpointFolder:
    """A folder of checkpoints, named by their steps.

    One thread writes, one checkpoint at a time. The caller's arrays must not change meanwhile.

    `writes`: whether this process writes, or only reads what another one has written.
    """

    def __init__(self, path: Any, *, writes: bool = True):
        _import_orbax()
        self.path, self._writes = path_of(path), writes
        # Python waits for this thread when it ends: killed within Orbax, it would crash the process
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[float] | None = None
        self._damaged: list[int] = []
        self._lock = FolderLock(self.path)

    def claim(self) -> None:
        """Lock the folder, which must be new, empty, or one that `claim` has locked before.

        **Raises** `ValueError` for a folder that holds anything else, and `BlockingIOError` if
        another run uses it.
        """
        if not self._writes:
            return
        found = list(self.path.iterdir()) if self.path.is_dir() else []
        is_new = LOCK not in [x.name for x in found]
        is_ours = any(map(_is_ours, found))
        if is_new and not is_ours:
            refuse_others(self.path, [x for x in found if not x.name.startswith(".")], "a run")
        if not (is_new and is_ours):  # an earlier version made no lock: it is refused as it is
            self._lock.acquire()

    def newest(
        self, check: Callable[[int, Saved], Any] = lambda *x: None
    ) -> tuple[int, Saved] | None:
        """Return the newest checkpoint and its step, as `newest_readable` does.

        `check(step, saved)` raises an error for what cannot be a checkpoint.
        """

        def read(step):
            saved = _read(self.path / str(step))
            if saved.notes.get("format") == FORMAT:
                check(step, saved)
            return saved

        newest = newest_readable(self.path, self._steps(), read)
        if newest is None:
            return None
        self._damaged = newest.damaged
        return newest.number, newest.saved

    def make(self) -> None:
        """Make the folder. Damaged checkpoints are renamed: their steps will be saved again."""
        if not self._writes:
            return
        make_writable(self.path)
        self._lock.acquire()
        self._lock.sign()
        for step in self._damaged:
            if _is_empty(self.path / str(step)):
                continue  # the new one takes its place
            name = f"{step}.damaged-{time.time_ns()}"
            (self.path / str(step)).rename(self.path / name)

    def write(self, step: int, arrays: Mapping[str, np.ndarray], notes: dict[str, Any]) -> None:
        """Start to write a checkpoint; `finished` or `wait` returns how it went."""
        self._writing = self._writer.submit(_write, self.path, step, dict(arrays), notes)

    @property
    def is_writing(self) -> bool:
        return self._writing is not None

    def finished(self) -> float | None:
        """Return the seconds that a write took, once, after it is done; or None.

        **Raises** the error of the write.
        """
        return self.wait() if self._writing is not None and self._writing.done() else None

    def wait(self) -> float | None:
        """Wait for the write in progress, if any, and return as `finished` does."""
        writing, self._writing = self._writing, None
        return None if writing is None else writing.result()

    def close(self) -> None:
        self._writer.shutdown(wait=False)
        self._lock.release()

    def _steps(self) -> list[int]:
        """Return the steps of our checkpoints and of empty folders, the newest first."""
        found = self.path.iterdir() if self.path.is_dir() else []
        return _newest_first(x for x in found if _is_ours(x) or _is_empty(x))


def _import_orbax() -> Any:
    package, way_out = "orbax.checkpoint", "Or leave out checkpoint=."
    return require(package, extra="train", what="checkpoint=", otherwise=way_out).v1


def _read(path: Path) -> Saved:
    if _has(path, "_CHECKPOINT_METADATA"):  # where earlier versions had what is now in SAVED
        return Saved({}, {"format": None})
    if _is_empty(path):
        raise ValueError("it is empty")
    ocp = _import_orbax()
    _check_checksums(path)
    with _quiet(), _reads_alone(ocp):
        arrays = ocp.load_checkpointables(path / SAVED)["arrays"]
        notes = ocp.checkpointables_metadata(path / SAVED).custom_metadata
    return Saved({name: np.asarray(x) for name, x in arrays.items()}, dict(notes))


def _write(path: Path, step: int, arrays: dict[str, np.ndarray], notes: dict[str, Any]) -> float:
    """Write a checkpoint, and return the seconds. Remove older ones, and what a kill has left."""
    ocp = _import_orbax()
    began = time.perf_counter()
    for part in path.glob(f"*{PART}"):
        if part.stem.isdecimal() and (_has(part, MARK) or _is_empty(part)):
            _remove(part)
    _reserve(path, sum(x.nbytes for x in arrays.values()))
    part = path / f"{step}{PART}"
    part.mkdir()
    (part / MARK).touch()
    with _quiet():
        if jax.process_count() == 1:
            ocp.save_checkpointables(part / SAVED, {"arrays": arrays}, custom_metadata=notes)
        else:
            _write_alone(part / SAVED, arrays, notes)
    body = json.dumps(_checksums(part)).encode()
    write_file(part / CHECKSUMS, lambda file: file.write(body))
    part.rename(path / str(step))
    for old in _newest_first(x for x in path.iterdir() if _has(x, MARK))[KEPT:]:
        _remove(path / str(old))
    return time.perf_counter() - began


def _is_ours(path: Path) -> bool:
    """Whether a folder is a checkpoint of ours. Earlier versions made no mark."""
    return path.name.isdecimal() and (_has(path, MARK) or _has(path, CHECKSUMS))


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _has(path: Path, name: str) -> bool:
    return (path / name).is_file()


def _newest_first(paths: Iterable[Path]) -> list[int]:
    return sorted((int(x.name) for x in paths if x.name.isdecimal()), reverse=True)


def _remove(path: Path) -> None:
    """Remove a checkpoint, its mark last, so that a kill leaves what is known to be ours."""
    for x in path.iterdir():
        if x.is_dir():
            shutil.rmtree(x)
        elif x.name != MARK:
            x.unlink()
    (path / MARK).unlink(missing_ok=True)
    path.rmdir()


def _reserve(path: Path, size: int) -> None:
    """Check that the disk has room: Orbax's threads would report it a hundred times.

    **Raises** `OSError` where there is no room for a file a little larger than the checkpoint.
    """
    if not hasattr(os, "posix_fallocate"):  # macOS, Windows
        return
    trial = path / TRIAL
    try:
        with trial.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size + 2**20)
    finally:
        trial.unlink(missing_ok=True)


def make_writable(path: Path) -> None:
    """Make a folder in which files can be made.

    **Raises** `OSError`, in one sentence, where nothing can be written.
    """
    trial = path / TRIAL
    try:
        path.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise type(error)(
            f"checkpoint={str(path)!r} cannot be written to ({first_line(error)}), so nothing was "
            "trained. Give a folder in which you can make files."
        ) from None


def path_of(checkpoint: Any) -> Path:
    """Return the absolute path that `checkpoint=` names.

    **Raises** `TypeError` for what is no path, `ValueError` for an empty one, which would be the
    working directory, and `ValueError` or `OSError` for one that no file can have.
    """
    if not isinstance(checkpoint, str | os.PathLike) or isinstance(os.fspath(checkpoint), bytes):
        raise TypeError(f"checkpoint must be a path, got {checkpoint!r}: try checkpoint='run-1'.")
    if not os.fspath(checkpoint):
        raise ValueError("checkpoint must be a path, got '': try checkpoint='run-1'.")
    try:
        path = Path(checkpoint).expanduser().absolute()
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
    except (OSError, RuntimeError, ValueError) as error:
        kind = type(error) if isinstance(error, OSError) else ValueError
        raise kind(
            f"checkpoint={checkpoint!r} must be a path that a file can have "
            f"({first_line(error).rstrip('.')}): try checkpoint='run-1'."
        ) from None
    return path


def refuse_others(path: Path, others: Iterable[Path], owner: str) -> None:
    """Refuse a folder that holds `others`, before `owner` writes its first file into it.

    **Raises** `ValueError`, in one sentence, where there are any.
    """
    names = sorted(file.name for file in others)
    if names:
        more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
        raise ValueError(
            f"checkpoint={str(path)!r} must be a folder that {owner} has to itself, got one that "
            f"holds {', '.join(map(repr, names[:MOST]))}{more}. Nothing was changed in it: give a "
            "new folder."
        )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without paths."""
    text = (getattr(error, "strerror", None) or str(error)).strip() or type(error).__name__
    return text.splitlines()[0][:160]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Orbax's threads, which log a traceback each; the error is raised as well."""
    logger = logging.getLogger("absl")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


def _reads_alone(ocp: Any) -> Any:
    """Let Orbax read in this process, without waiting for the others of the run."""
    context = ocp.Context()
    for name, value in _of_one_process().items():
        setattr(context.multiprocessing, name, value)
    return context


def _write_alone(path: Path, arrays: dict[str, np.ndarray], notes: dict[str, Any]) -> None:
    """Write by Orbax's older interface: the newer one waits for all processes in every save."""
    import orbax.checkpoint as ocp

    options = ocp.options.MultiprocessingOptions(**_of_one_process())
    composite = ocp.CompositeOptions(multiprocessing_options=options)
    handler = ocp.CompositeCheckpointHandler(composite_options=composite)
    with ocp.Checkpointer(handler, multiprocessing_options=options) as writer:
        content = ocp.args.Composite(arrays=ocp.args.PyTreeSave(arrays))
        writer.save(path, content, custom_metadata=notes)


def _of_one_process() -> dict[str, Any]:
    own = jax.process_index()
    return {
        "primary_host": own,
        "active_processes": {own},
        "barrier_sync_key_prefix": f"process_{own}",
    }


def _check_checksums(path: Path) -> None:
    """Compare the files with their checksums.

    **Raises** `ValueError` for a file that is missing or has changed.
    """
    if not _has(path, CHECKSUMS):
        raise ValueError(f"{CHECKSUMS} is missing")
    now, before = _checksums(path), json.loads((path / CHECKSUMS).read_text())
    for name in before:
        if now.get(name) != before[name]:
            raise ValueError(f"{name} {'is missing' if name not in now else 'has changed'}")


def _checksums(path: Path) -> dict[str, int]:
    """Return the CRC-32 of every file by name."""
    files = (x for x in path.rglob("*") if x.is_file() and not x.name.startswith(CHECKSUMS))
    return {str(x.relative_to(path)): zlib.crc32(x.read_bytes()) for x in files}
