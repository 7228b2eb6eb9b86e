"""A search from start to end: resumed, shown, saved, and stopped on request."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..training.checkpoint.folder import first_line
from ..training.checkpoint.signals import Interruptions
from ..training.reporting.progress import ProgressReporter, show_progress
from .checkpoint.snapshot import SearchSaver, identity_of_search
from .checkpoint.store import Store
from .population.arms import OptimizerFactory, gain_of
from .search.policy import search
from .search.race import Race

REPLAYING = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the replay of a log raises that belongs to another search, or that was changed."""


class StopRequested(Exception):
    """The search is to end with the best weights so far."""


def saver_of(
    race: Race,
    optimizers: Mapping[str, OptimizerFactory],
    wrap: Any,
    seed: int,
    checkpoint: str | os.PathLike[str] | None,
) -> SearchSaver | None:
    """Return what saves a search, or None where it is not to be saved."""
    if checkpoint is None:
        return None
    return SearchSaver(race, Store(checkpoint), identity_of_search(race, optimizers, wrap, seed))


@dataclass
class Session:
    """One search, from its last save if there is one.

    - `interruptions`: notes SIGTERM and Ctrl-C, from before the first compilation to the result.
    - `returns`: whether Ctrl-C ends the search and returns the best weights so far.
    """

    race: Race
    saver: SearchSaver | None
    interruptions: Interruptions
    returns: bool

    def run(self, optimizers: Mapping[str, OptimizerFactory], progress: Any) -> bool:
        """Search. Return whether the search came to its end.

        **Raises** `SystemExit(143)` after a SIGTERM, and `KeyboardInterrupt` after a Ctrl-C unless
        it `returns`; the search is saved before. A second Ctrl-C ends at once.
        """
        try:
            return self._run(optimizers, progress)
        finally:
            if self.saver is not None:
                self.saver.store.close()

    def _run(self, optimizers: Mapping[str, OptimizerFactory], progress: Any) -> bool:
        log, saver, ended = self.race.population.log, self.saver, True
        if saver is not None:
            saver.resume()
        with show_progress(progress, unit="gradients", label="lowest loss") as reporter:
            log.poll = lambda: self._poll(reporter)
            try:
                self._search([gain_of(optimizer) for optimizer in optimizers.values()])
            except StopRequested:
                ended = False
            finally:
                log.poll = lambda: None
            if saver is not None and ended:
                saver.end()
            _show(self.race, reporter, ended=True)
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

    def _search(self, gains: list[float | None]) -> None:
        log = self.race.population.log
        try:
            search(self.race, gains)
            log.finish_replay()
        except REPLAYING as error:
            if self.saver is None or not log.is_replaying:
                raise
            raise ValueError(
                f"checkpoint={str(self.saver.store.path)!r} holds a search that this version "
                f"cannot resume ({first_line(error)}). Nothing was changed in it: give another "
                "folder, or remove this one to start again."
            ) from error

    def _poll(self, reporter: ProgressReporter) -> None:
        _show(self.race, reporter)
        if self.interruptions.asked is not None:
            self._stop()
        if self.saver is not None:
            self.saver.poll()

    def _stop(self) -> None:
        if self._is_to_return and self.race.population.log.is_replaying:
            return  # the best weights so far are not yet restored
        if self.saver is not None:
            self.saver.save()
        if self._is_to_return:
            raise StopRequested
        self.obey()


def _show(race: Race, reporter: ProgressReporter, ended: bool = False) -> None:
    members = race.population.members.values()
    finite = sum(member.is_finite for member in members)
    reporter.update(
        race.population.spent,
        race.population.limit,
        race.held_out.start["late"] - race.progress,
        note=f"{race.phase}, {finite} of {len(members)} arms alive",
        ended=ended,
        compiled=int(bool(race.candidates)),
    )
