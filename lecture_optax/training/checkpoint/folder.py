"""Where do checkpoints lie, and what if the disk says no? Orbax, in one place.

A checkpoint is a flat dict of arrays by path, and notes, all that JSON can say. It is written
beside its final name and then renamed, so that a kill leaves a whole one or none.
"""

import json
import logging
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..._core.extras import warn

KEPT = 2
"""So many checkpoints stay: the last, and the one before it in case that the last is damaged."""

TRIAL = ".trial"
"""A file that is made and removed, to learn whether files can be."""


class Saved(NamedTuple):
    """What is read back: arrays by their path, and what was noted of the run."""

    arrays: dict[str, np.ndarray]
    notes: dict[str, Any]


class Folder:
    """A folder of checkpoints, named for their steps.

    One thread writes, one checkpoint at a time; the caller's arrays must not change meanwhile.
    """

    def __init__(self, path: Any):
        _import_orbax()
        self.path = Path(path).expanduser().absolute()
        # Python waits for it when it ends; cut off within Orbax, it would take the process with it
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[float] | None = None
        self._damaged: dict[int, Exception] = {}

    def newest(self) -> tuple[int, Saved] | None:
        """The last checkpoint that can be read, with its step; None where there is none at all.

        **Warns** where a later one was damaged.

        **Raises** `ValueError` where there are checkpoints and all are damaged: nothing is removed.
        """
        damaged = self._damaged = {}
        for step in self._steps():
            try:
                saved = _read(self.path / str(step))
            except Exception as error:  # whatever a damaged file makes a reader say
                damaged[step] = error
                continue
            self._warn_of_damage(step)
            return step, saved
        if damaged:
            step, error = next(iter(damaged.items()))
            raise ValueError(
                f"no checkpoint in {str(self.path)!r} can be read (the last, of step {step}: "
                f"{sentence(error)}). Nothing was removed; to start anew, give another folder or "
                "remove this one."
            )
        return None

    def make(self) -> None:
        """Make the folder, or say in one sentence why it cannot be.

        What is damaged is renamed, as its number will come again.

        **Raises** `OSError`.
        """
        make_writable(self.path)
        for step in self._damaged:
            name = f"{step}.damaged-{time.time_ns()}"
            (self.path / str(step)).rename(self.path / name)

    def write(self, step: int, arrays: Mapping[str, np.ndarray], notes: dict[str, Any]) -> None:
        """Begin to write a checkpoint; `finished` or `wait` says how it went."""
        self._writing = self._writer.submit(_write, self.path, step, dict(arrays), notes)

    @property
    def is_writing(self) -> bool:
        return self._writing is not None

    def finished(self) -> float | None:
        """The seconds that the last write took, once it is done, and once only.

        **Raises** what went wrong in it.
        """
        if self._writing is None or not self._writing.done():
            return None
        return self.wait()

    def wait(self) -> float | None:
        """Wait for the write that goes on, if any. As `finished`."""
        writing, self._writing = self._writing, None
        return None if writing is None else writing.result()

    def close(self) -> None:
        self._writer.shutdown(wait=False)

    def _steps(self) -> list[int]:
        """The steps that have a checkpoint, the last one first; a half-written one has none."""
        if not self.path.is_dir():
            return []
        return sorted(
            (int(x.name) for x in self.path.iterdir() if x.name.isdecimal()), reverse=True
        )

    def _warn_of_damage(self, step: int) -> None:
        for number, error in self._damaged.items():
            warn(
                f"the checkpoint of step {number} in {str(self.path)!r} is damaged "
                f"({sentence(error)}): going on from the one before it, of step {step}."
            )


def _import_orbax() -> Any:
    try:
        from orbax.checkpoint import v1
    except ImportError as error:
        raise ImportError(
            "checkpoint= needs Orbax: pip install 'lecture_optax[train]', or leave it out."
        ) from error
    return v1


def _read(path: Path) -> Saved:
    ocp = _import_orbax()
    check_seal(path)
    with _quiet():
        arrays = ocp.load_checkpointables(path)["arrays"]
        notes = ocp.checkpointables_metadata(path).custom_metadata
    return Saved({name: np.asarray(x) for name, x in arrays.items()}, dict(notes))


def _write(path: Path, step: int, arrays: dict[str, np.ndarray], notes: dict[str, Any]) -> float:
    """Write, and count the seconds. What a failed or killed write left is swept away first."""
    ocp = _import_orbax()
    began = time.perf_counter()
    _reserve(path, sum(x.nbytes for x in arrays.values()))
    latest = ocp.training.preservation_policies.LatestN(KEPT)
    with (
        _quiet(),
        ocp.training.Checkpointer(
            path, preservation_policy=latest, cleanup_tmp_directories=True
        ) as checkpointer,
    ):
        checkpointer.save_checkpointables(step, {"arrays": arrays}, custom_metadata=notes)
    seal(path / str(step))
    return time.perf_counter() - began


def _reserve(path: Path, size: int) -> None:
    """Learn of a full disk from the disk: Orbax's threads would say it a hundred times.

    **Raises** `OSError` where a file of the size of the checkpoint, and some room, cannot be.
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
    """Make a folder, or say in one sentence why it cannot be written to.

    **Raises** `OSError`.
    """
    trial = path / TRIAL
    try:
        path.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise type(error)(
            f"checkpoint={str(path)!r} cannot be written to ({sentence(error)}), so nothing was "
            "trained: give a folder in which files can be made."
        ) from None


def sentence(error: BaseException) -> str:
    """The first line of what an error says, without the paths and the hundred lines after it."""
    text = (getattr(error, "strerror", None) or str(error)).strip() or type(error).__name__
    return text.splitlines()[0][:160]


@contextmanager
def _quiet() -> Iterator[None]:
    """Orbax's threads log a traceback each for a full disk; what went wrong is raised as well."""
    logger = logging.getLogger("absl")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


SEAL = "seal.json"


def seal(path: Path) -> None:
    """Write the checksums of all files of a checkpoint beside them."""
    part = path / f"{SEAL}.part"
    part.write_text(json.dumps(_checksums(path)))
    part.replace(path / SEAL)


def check_seal(path: Path) -> None:
    """Compare the files with their seal. A writer may have been killed before it set one.

    **Raises** `ValueError` for a file that is missing or not as it was written.
    """
    if not (path / SEAL).exists():
        return
    now, before = _checksums(path), json.loads((path / SEAL).read_text())
    for name in before:
        if now.get(name) != before[name]:
            raise ValueError(f"{name} is {'missing' if name not in now else 'not as written'}")


def _checksums(path: Path) -> dict[str, int]:
    """CRC-32 of every file."""
    files = (x for x in path.rglob("*") if x.is_file() and not x.name.startswith(SEAL))
    return {str(x.relative_to(path)): zlib.crc32(x.read_bytes()) for x in files}
