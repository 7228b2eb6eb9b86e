"""Save a run: after a share of the time, at its end, and when it is asked to stop."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..._average import averages_in
from ..._core.extras import warn
from ..compiled.processes import ALONE, Processes
from ..compiled.step import Carry
from ..loop.batch_statistics import batch_statistics_for
from ..loop.evaluation import averaged_params, evaluated_weights
from ..loop.loop import name_of, run_loop
from ..loop.nonfinite import StateWatch
from ..loop.run import Callback, Event, Hook, Run
from .folder import CheckpointFolder, check_format, first_line
from .identity import check_identity, identity_of, resumed_identity, weights_of
from .optimizer_change import (
    change_in_words,
    ended_schedule,
    new_injected,
    next_step,
    optimizer_notes,
    rate_in_words,
)
from .restore import Misfits, table
from .signals import Interruptions
from .snapshot import check_saved, restore_run, restored_carry, snapshot

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
    processes = run.program.processes
    if checkpoint is None:
        with Interruptions(processes) as interruptions:

            def poll() -> None:
                interruptions.agree()
                interruptions.obey()

            every = [*hooks, lambda event: poll()]
            return run_loop(run, source, callbacks=callbacks, hooks=every, poll=poll)
    folder = CheckpointFolder(checkpoint, writes=processes.is_first)
    identity = identity_of(run, source, seed, given)
    optimizer = optimizer_notes(run.program.optimizer, run.carry)
    saver = RunSaver(run, source, folder, identity, optimizer, processes)
    try:
        folder.claim()
        is_finished = saver.resume(strict, callbacks)
        processes.check_same(
            run.step,
            f"checkpoint={str(folder.path)!r} must be one folder for all processes of the run, got "
            "folders with different checkpoints: give a path on a disk that all of them share.",
        )
        if is_finished:
            return run
        folder.make()
        with saver.interruptions:
            every = [*hooks, saver.hook]
            run_loop(
                run, source, callbacks=callbacks, hooks=every, poll=saver.poll, saved=saver.saved
            )
            saver.poll()  # a signal may arrive during the last save
            return run
    finally:
        saver.finish()


class RunSaver:
    """The checkpoints of one run. A disk that fails costs a warning, not the run."""

    def __init__(
        self,
        run: Run,
        source: Any,
        folder: CheckpointFolder,
        identity: dict[str, Any],
        optimizer: dict[str, Any],
        processes: Processes = ALONE,
    ):
        self.run, self.source, self.folder = run, source, folder
        self.identity, self.optimizer = identity, optimizer
        self.processes = processes
        self.interruptions = Interruptions(processes)
        self._timer = SaveTimer(folder.path)
        self._saved_at: int | None = None
        self._copying = 0.0
        self._watch = StateWatch(run.carry.params)

    def resume(self, strict: bool, callbacks: Sequence[Callback] = ()) -> bool:
        """Restore the newest checkpoint, and return whether the run is finished.

        **Warns** of an optimizer that has changed, with a table of what does not match by name.

        **Raises** `ValueError` for another run, or what does not match if `strict`.
        """
        newest = self.folder.newest(check_saved)
        if newest is None:
            return False
        self._saved_at, saved = newest
        run, notes = self.run, saved.notes
        check_format(self.folder.path, notes)
        given = self.identity["weights"]
        self.identity = resumed_identity(self._where, self.identity, notes, run.evaluations)
        is_longer = run.steps > notes["identity"]["steps"]
        renewed = new_injected(self.optimizer, notes["optimizer"])
        misfits = restore_run(run, self.source, saved, renewed)
        if given and given[0] not in notes["identity"]["weights"]:
            self._check_own_weights(given[0], notes["identity"])
        if strict and misfits:
            header = f"the checkpoint in {self._where!r} does not match, and strict=True:"
            raise ValueError(
                f"{table(header, misfits)}\nResume with the optimizer that was saved, or pass "
                "strict=False to restore what matches."
            )
        if notes["finished"] and not is_longer:
            self._tell_finished(notes, callbacks)
            return True
        run.stopped = None
        if notes["source"] is not None:
            self.source.set_state(notes["source"])
        self._tell(notes, misfits, is_longer)
        return False

    @property
    def _where(self) -> str:
        return str(self.folder.path)

    def _check_own_weights(self, given: str, before: Mapping[str, Any]) -> None:
        """Check that a run starts from weights that it has returned itself, as an nnx model does.

        **Raises** `ValueError` for other weights.
        """
        run, statistics_for = self.run, batch_statistics_for(self.run, self.source)
        own = [evaluated_weights(run.carry, statistics_for)]
        own += [(run.best.params, run.best.model_state)] if run.best else []
        if averages_in(run.carry.opt_state):
            params = averaged_params(run.carry)
            own.append((params, statistics_for(params)))
        if all(weights_of(run.program.problem, *x) != given for x in own):
            check_identity(self._where, {**self.identity, "weights": [given]}, before)

    def _tell(self, notes: Mapping[str, Any], misfits: Misfits, is_longer: bool) -> None:
        """Warn of an optimizer that has changed, and of one that does not move.

        **Raises** `ValueError` if the learning rate has come to 0.
        """
        run, optimizer = self.run, self.run.program.optimizer
        if is_longer and (schedule := ended_schedule(optimizer, run.step)):
            raise ValueError(
                f"steps={run.steps} continues the run in checkpoint={self._where!r} after step "
                f"{run.step}, where the learning rate {schedule!r} has come to 0: nothing would "
                f"change. Give a schedule of {run.steps} steps, or a constant learning rate."
            )
        words = change_in_words(self.optimizer, notes["optimizer"])
        if not words and not is_longer:
            return
        rate, is_still = next_step(optimizer, run.carry)
        if words:
            before = float([np.nan, *run.history.per_step.get("learning_rate", ())][-1])
            lines = f"checkpoint={self._where!r}: {words}. {rate_in_words(rate, before, run.step)}"
            rest = "Everything else was restored."
            warn(f"{lines} {table(rest[:-1] + ':', misfits) if misfits else rest}")
        if is_still:
            warn(
                f"checkpoint={self._where!r}: the update after step {run.step} is 0. Has the "
                "schedule of the learning rate ended? Give one of more steps."
            )

    def _tell_finished(self, notes: Mapping[str, Any], callbacks: Sequence[Callback]) -> None:
        """Warn of what was given and is not used, as the run is finished."""
        words = change_in_words(self.optimizer, notes["optimizer"])
        stopped = notes["stopped"]
        if not words and stopped and stopped not in map(name_of, callbacks):
            words = (
                f"the callback {stopped} ended it at step {self.run.step:,} of {self.run.steps:,}"
            )
        if not words and self.identity["first"] != notes["identity"]["first"]:
            words = "the first batch of data is another one than it was"
        if words:
            warn(
                f"the run in checkpoint={self._where!r} is finished: its result is returned, but "
                f"{words}. To continue it, give more steps; to start again, another folder."
            )

    def hook(self, event: Event) -> None:
        """Save where it is time: called after every chunk."""
        self.poll()
        self._collect(self.folder.finished)
        if self.run.stopped or self.run.step >= self.run.steps:
            self._save_now()
        elif event.records and self.processes.agreed(self._is_due):
            self._begin()

    @property
    def _is_due(self) -> bool:
        return self._timer.is_due() and not self.folder.is_writing

    def poll(self) -> None:
        """Save and stop if a signal asked for it: called between chunks and in an evaluation."""
        self.interruptions.agree()
        if self.interruptions.asked is not None:
            self._save_now()
            saved = f"step {self.run.step:,} is saved in {str(self.folder.path)!r}"
            self.interruptions.obey(saved if self._saved_at == self.run.step else "")

    def saved(self) -> Carry | None:
        """Return the carry of the newest checkpoint of this run, or None."""
        self._collect(self.folder.wait)
        self.processes.agreed(0)  # the others wait for the one that writes
        newest = self.folder.newest(check_saved)
        return newest and restored_carry(self.run.carry, newest[1])

    def finish(self) -> None:
        """Wait for the save in progress, unless a second Ctrl-C arrived."""
        if not self.interruptions.at_once:
            self._collect(self.folder.wait)
        self.folder.close()

    def _save_now(self) -> None:
        self._collect(self.folder.wait)
        if self.processes.agreed(self._saved_at != self.run.step):
            self._begin()
            self._collect(self.folder.wait)

    def _begin(self) -> None:
        if self.run.history.interval > 1 and self._watch.fault(self.run.carry.params):
            return  # the loop raises at its next check of the parameters
        began = time.perf_counter()
        saved = snapshot(self.run, self.source, self.identity, self.optimizer)
        if self.processes.is_first:
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
