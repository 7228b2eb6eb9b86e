"""Save a run: after a share of the time, at its end, and when it is asked to stop."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from ..._core.extras import warn
from ..loop.loop import run_loop
from ..loop.run import Callback, Event, Hook, Run
from .folder import CheckpointFolder, check_format, first_line
from .identity import check_identity, identity_of
from .signals import Interruptions
from .snapshot import restore_run, snapshot

FIRST = 1.0
"""The seconds from the first chunk (which compiles) to the first save."""

SHARE = 0.02
"""The share of the time that saves may take."""


class SaveTimer:
    """Decide when to save: after `FIRST` seconds, then so that saves take `SHARE` of the time.

    A save that fails costs a warning, not the run: it is tried again after as long as a save of one
    second is worth.
    """

    def __init__(self, path: Path):
        self.path = path
        self._due: float | None = None

    def is_due(self) -> bool:
        """Whether it is time. The first call starts the clock."""
        now = time.perf_counter()
        if self._due is None:
            self._due = now + FIRST
        return now >= self._due

    def saved(self, seconds: float) -> None:
        """Set the time of the next save after one that took `seconds`."""
        self._due = time.perf_counter() + seconds / SHARE

    def failed(self, error: BaseException, what: str, then: str) -> None:
        """Warn that `what` could not be saved, and what happens `then`."""
        self.saved(1.0)
        warn(f"{what} could not be saved in {str(self.path)!r} ({first_line(error)}): {then}.")


def run_with_checkpoints(
    run: Run,
    source: Any,
    *,
    checkpoint: Any,
    seed: int,
    given: Mapping[str, Any],
    strict: bool = False,
    callbacks: Sequence[Callback] = (),
    hooks: Sequence[Hook] = (),
) -> Run:
    """Train as `run_loop` does, from the newest checkpoint in a folder, and save into it.

    `seed` and the other arguments that are `given` belong to the identity of the run.

    A source that has `get_state` and `set_state`, as Grain's iterators have, is saved with the run:
    `get_state` counts the batches that were trained on, not those fetched ahead.

    **Raises** `ValueError` for the folder of another run, or what does not fit under `strict`;
    `OSError` where nothing can be written; `SystemExit(143)` after a SIGTERM and
    `KeyboardInterrupt` after a Ctrl-C, when the run has been saved.
    """
    if checkpoint is None:
        with Interruptions() as interruptions:
            every = [*hooks, lambda event: interruptions.obey()]
            return run_loop(run, source, callbacks=callbacks, hooks=every, poll=interruptions.obey)
    folder = CheckpointFolder(checkpoint)
    saver = RunSaver(run, source, folder, identity_of(run, source, seed, given))
    try:
        if saver.resume(strict):
            return run
        folder.make()
        with saver.interruptions:
            every = [*hooks, saver.hook]
            run_loop(run, source, callbacks=callbacks, hooks=every, poll=saver.poll)
            saver.poll()  # a signal may arrive during the last save
            return run
    finally:
        saver.finish()


class RunSaver:
    """The checkpoints of one run. A disk that fails costs a warning, not the run."""

    def __init__(self, run: Run, source: Any, folder: CheckpointFolder, identity: dict[str, Any]):
        self.run, self.source, self.folder, self.identity = run, source, folder, identity
        self.interruptions = Interruptions()
        self._timer = SaveTimer(folder.path)
        self._saved_at: int | None = None
        self._copying = 0.0

    def resume(self, strict: bool) -> bool:
        """Restore the newest checkpoint, and return whether the run is finished."""
        newest = self.folder.newest()
        if newest is None:
            return False
        step, saved = newest
        check_format(self.folder.path, saved.notes)
        where = str(self.folder.path)
        check_identity(where, self.identity, saved.notes["identity"])
        restore_run(self.run, self.source, saved, strict, where)
        self._saved_at = step
        return saved.notes["finished"]

    def hook(self, event: Event) -> None:
        """Save where it is time: called after every chunk."""
        self.poll()
        self._collect(self.folder.finished)
        if self.run.stopped or self.run.step >= self.run.steps:
            self._save_now()
        elif event.records and self._timer.is_due() and not self.folder.is_writing:
            self._begin()

    def poll(self) -> None:
        """Save and stop if a signal asked for it: called between chunks and in an evaluation."""
        if self.interruptions.asked is not None:
            self._save_now()
            saved = f"step {self.run.step:,} is saved in {str(self.folder.path)!r}"
            self.interruptions.obey(saved if self._saved_at == self.run.step else "")

    def finish(self) -> None:
        """Wait for the save in progress, unless a second Ctrl-C arrived."""
        if not self.interruptions.at_once:
            self._collect(self.folder.wait)
        self.folder.close()

    def _save_now(self) -> None:
        self._collect(self.folder.wait)
        if self._saved_at != self.run.step:
            self._begin()
            self._collect(self.folder.wait)

    def _begin(self) -> None:
        began = time.perf_counter()
        saved = snapshot(self.run, self.source, self.identity)
        self.folder.write(self.run.step, saved.arrays, saved.notes)
        self._saved_at = self.run.step
        self._copying = time.perf_counter() - began

    def _collect(self, result: Callable[[], float | None]) -> None:
        """Read how the last write went, and set the time of the next one."""
        if not self.folder.is_writing:
            return
        began = time.perf_counter()
        try:
            seconds = result()
        except Exception as error:  # Orbax may raise anything: the run is worth more
            self._saved_at = None
            self._timer.failed(error, f"step {self.run.step}", self._then())
            return
        if seconds is not None:
            # a writer takes a CPU from the steps, but nothing from an accelerator
            taken = seconds if jax.default_backend() == "cpu" else time.perf_counter() - began
            self._timer.saved(self._copying + taken)

    def _then(self) -> str:
        if self.interruptions.asked is not None:
            return "the run stops without it"
        if self.run.stopped or self.run.step >= self.run.steps:
            return "the run still returns its result"
        return "the run continues, and saving is tried again later"
