"""A search from start to end: resumed, shown, saved, and stopped on request."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..training.checkpoint.signals import Interruptions
from ..training.reporting.progress import ProgressReporter, show_progress
from .checkpoint.snapshot import SearchSaver, identity_of_search
from .checkpoint.store import Store
from .population.arms import OptimizerFactory
from .search.runner import Runner


class StopRequested(Exception):
    """The search is to end with the best weights so far."""


def saver_of(
    runner: Runner,
    optimizers: Mapping[str, OptimizerFactory],
    wrap: Any,
    average: Any,
    seed: int,
    checkpoint: str | os.PathLike[str] | None,
) -> SearchSaver | None:
    """Return what saves a search, or None where it is not to be saved."""
    if checkpoint is None:
        return None
    identity = identity_of_search(runner, optimizers, wrap, average, seed)
    return SearchSaver(runner, Store(checkpoint), identity)


@dataclass
class Session:
    """One search, from its last save if there is one. Within its context, the save is its own.

    - `interruptions`: notes SIGTERM and Ctrl-C, from before the first compilation to the result.
    - `returns`: whether Ctrl-C ends the search and returns the best weights so far.
    """

    runner: Runner
    saver: SearchSaver | None
    interruptions: Interruptions
    returns: bool

    def __enter__(self) -> "Session":
        if self.saver is not None:
            self.runner.poll = self.obey  # while weights that were lost are computed again
            try:
                self.saver.resume()
            except BaseException:
                self.saver.store.close()
                raise
        return self

    def __exit__(self, *error: Any) -> None:
        if self.saver is not None:
            self.saver.store.close()

    def run(self, progress: Any) -> bool:
        """Search. Return whether the search came to its end.

        **Raises** `SystemExit(143)` after a SIGTERM, and `KeyboardInterrupt` after a Ctrl-C unless
        it `returns`; the search is saved before. A second Ctrl-C ends at once.
        """
        runner, ended = self.runner, True
        with show_progress(progress, unit="gradients", label="lowest loss") as reporter:
            runner.poll = lambda: self._poll(reporter)
            try:
                runner.poll()
                runner.run()
            except StopRequested:
                ended = False
            finally:
                runner.poll = lambda: None
            if self.saver is not None and ended:
                self.saver.end()
            _show(runner, reporter, ended=True)
        return ended

    def obey(self) -> None:
        """Raise if asked to stop, unless the result is to be returned: for what comes last."""
        if self.interruptions.asked is None or self._is_to_return:
            return
        is_saved = self.saver is not None and self.saver.is_saved
        self.interruptions.obey(self._words if is_saved else "")

    @property
    def _is_to_return(self) -> bool:
        return self.returns and self.interruptions.asked == signal.SIGINT

    @property
    def _words(self) -> str:
        return f"the search is saved in {str(self.saver.store.path)!r}" if self.saver else ""

    def _poll(self, reporter: ProgressReporter) -> None:
        _show(self.runner, reporter)
        if self.interruptions.asked is not None:
            self._stop()
        if self.saver is not None:
            self.saver.poll()

    def _stop(self) -> None:
        if self.saver is not None:
            self.saver.save()
        if self._is_to_return:
            raise StopRequested
        self.obey()


def _show(runner: Runner, reporter: ProgressReporter, ended: bool = False) -> None:
    arms = f"{len(runner.members)} arms" if runner.members else "starting"
    if diverged := sum(not member.is_finite for member in runner.members.values()):
        arms += f", {diverged} diverged"
    reporter.update(
        runner.spent,
        runner.limit,
        runner.held_out.start["late"] - runner.journal.progress,  # of the same examples
        note=f"{runner.journal.phase}, {arms}",
        ended=ended,
        compiled=int(bool(runner.candidates)),
    )
