"""When is a run saved, and how does it go on? By time, at the end, and when it is asked to stop."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax

from ..._core.extras import warn
from ..loop.loop import go_on
from ..loop.run import Callback, Event, Hook, Run
from .folder import Folder, sentence
from .signals import Interruptions
from .snapshot import difference, identity_of, put_back, snapshot

FIRST = 1.0
"""The first save is begun so many seconds after the first chunk (which compiles)."""

SHARE = 0.02
"""The part of the time that later saves may take."""


def go_on_saved(
    run: Run,
    source: Any,
    *,
    checkpoint: Any,
    seed: int,
    strict: bool = False,
    callbacks: Sequence[Callback] = (),
    hooks: Sequence[Hook] = (),
) -> Run:
    """As `go_on`, from the last checkpoint in the folder, and saving into it on the way.

    A source that has `get_state` and `set_state`, as Grain's iterators have, is saved with the run:
    `get_state` says where the batches stand that were taken, not those fetched ahead.

    **Raises** `ValueError` for the folder of another run, or what does not fit under `strict`;
    `OSError` where nothing can be written; `SystemExit(143)` after a SIGTERM and
    `KeyboardInterrupt` after a Ctrl-C, when the run has been saved.
    """
    if checkpoint is None:
        with Interruptions() as interruptions:
            every = [*hooks, lambda event: interruptions.obey()]
            return go_on(run, source, callbacks=callbacks, hooks=every, poll=interruptions.obey)
    folder = Folder(checkpoint)
    saves = Saves(run, source, folder, identity_of(run, source, seed))
    try:
        if saves.resume(strict):
            return run
        folder.make()
        with saves.interruptions:
            every = [*hooks, saves.hook]
            go_on(run, source, callbacks=callbacks, hooks=every, poll=saves.poll)
            saves.poll()  # who asked during the last save
            return run
    finally:
        saves.finish()


class Saves:
    """The saves of one run. A disk that fails costs a warning, not the run."""

    def __init__(self, run: Run, source: Any, folder: Folder, identity: dict[str, Any]):
        self.run, self.source, self.folder, self.identity = run, source, folder, identity
        self.interruptions = Interruptions()
        self._saved_at: int | None = None
        self._due: float | None = None
        self._copying = 0.0

    def resume(self, strict: bool) -> bool:
        """Go back to where the last checkpoint stands; whether there is nothing left to do."""
        found = self.folder.newest()
        if found is None:
            return False
        step, saved = found
        where = str(self.folder.path)
        if words := difference(self.identity, saved.notes["identity"]):
            raise ValueError(
                f"checkpoint={where!r} holds another run: {words}. Nothing was changed in it. Give "
                "each run a folder of its own, or remove this one to start anew."
            )
        put_back(self.run, self.source, saved, strict, where)
        self._saved_at = step
        return saved.notes["finished"]

    def hook(self, event: Event) -> None:
        """Called after every chunk."""
        self.poll()
        self._collect(self.folder.finished)
        if self.run.stopped or self.run.step >= self.run.steps:
            self._save_now()
        elif event.records and self._is_due():
            self._begin()

    def poll(self) -> None:
        """Called between chunks and within an evaluation: obey who asked the run to stop."""
        if self.interruptions.asked is not None:
            self._save_now()
            saved = f"step {self.run.step:,} is saved in {str(self.folder.path)!r}"
            self.interruptions.obey(saved if self._saved_at == self.run.step else "")

    def finish(self) -> None:
        """Let what is being written come to its end, unless somebody will not wait."""
        if not self.interruptions.at_once:
            self._collect(self.folder.wait)
        self.folder.close()

    def _is_due(self) -> bool:
        now = time.perf_counter()
        if self._due is None:
            self._due = now + FIRST
        return now >= self._due and not self.folder.is_writing

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
        """Learn how the last write went, and set the time of the next one."""
        if not self.folder.is_writing:
            return
        began = time.perf_counter()
        try:
            seconds = result()
        except Exception as error:  # whatever the disk made Orbax say: the run is worth more
            self._saved_at, seconds = None, 1.0
            self._warn(error)
        if seconds is not None:
            # a writer takes a CPU from the steps, but nothing from an accelerator
            taken = seconds if jax.default_backend() == "cpu" else time.perf_counter() - began
            self._due = time.perf_counter() + (self._copying + taken) / SHARE

    def _warn(self, error: Exception) -> None:
        if self.interruptions.asked is not None:
            then = "the run stops without it"
        elif self.run.stopped or self.run.step >= self.run.steps:
            then = "the run ends with its result all the same"
        else:
            then = "the run goes on, and saving is tried again later"
        warn(
            f"step {self.run.step} could not be saved in {str(self.folder.path)!r} "
            f"({sentence(error)}): {then}."
        )
