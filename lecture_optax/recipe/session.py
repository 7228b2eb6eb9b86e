"""A search from start to end: resumed, shown, saved, and stopped on request."""

import os
import signal
from collections.abc import Mapping
from typing import Any

from ..training.checkpoint.signals import Interruptions
from ..training.reporting.progress import ProgressReporter, show_progress
from .checkpoint.snapshot import SearchSaver, fingerprint
from .checkpoint.store import Store
from .population.arms import OptimizerFactory, gain_of
from .search.policy import search
from .search.race import Race


class StopRequested(Exception):
    """The search is to end with the best weights so far."""


def run_session(
    race: Race,
    optimizers: Mapping[str, OptimizerFactory],
    wrap: Any,
    *,
    seed: int,
    checkpoint: str | os.PathLike[str] | None,
    on_interrupt: str,
    progress: Any,
) -> bool:
    """Run a search, from its last save if there is one. Return whether it came to its end.

    **Raises** `SystemExit(143)` after a SIGTERM, and `KeyboardInterrupt` after a Ctrl-C unless
    `on_interrupt` is "return"; the search is saved before. A second Ctrl-C ends at once.
    """
    log, saver = race.population.log, None
    if checkpoint is not None:
        saver = SearchSaver(race, Store(checkpoint), fingerprint(race, optimizers, wrap, seed))
        saver.resume()
    showing = show_progress(progress, unit="gradients", label="lowest loss")
    with Interruptions() as interruptions, showing as reporter:

        def poll() -> None:
            _show(race, reporter)
            if interruptions.asked is not None:
                _stop(saver, interruptions, on_interrupt)
            if saver is not None:
                saver.poll()

        log.poll = poll
        try:
            search(race, [gain_of(optimizer) for optimizer in optimizers.values()])
            log.finish_replay()
            ended = True
        except StopRequested:
            ended = False
        finally:
            log.poll = lambda: None
        if saver is not None and ended:
            saver.end()
        _show(race, reporter, ended=True)
    return ended


def _stop(saver: SearchSaver | None, interruptions: Interruptions, on_interrupt: str) -> None:
    is_saved = saver is not None and saver.save()
    if interruptions.asked == signal.SIGINT and on_interrupt == "return":
        raise StopRequested
    words = f"the search is saved in {str(saver.store.path)!r}" if saver and is_saved else ""
    interruptions.obey(words)


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
