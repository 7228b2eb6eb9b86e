"""A search from start to end: resumed, shown, saved, and stopped on request."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from ..training.checkpoint.signals import Interruptions
from ..training.reporting.progress import Display, Status, display_for
from .checkpoint.snapshot import SearchSaver, identity_of
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
        saver = SearchSaver(race, Store(checkpoint), identity_of(race, optimizers, wrap, seed))
        saver.resume()
    with Interruptions() as interruptions, shown(race, progress) as show:

        def poll() -> None:
            show()
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
        show(ended=True)
    return ended


def _stop(saver: SearchSaver | None, interruptions: Interruptions, on_interrupt: str) -> None:
    is_saved = saver is not None and saver.save()
    if interruptions.asked == signal.SIGINT and on_interrupt == "return":
        raise StopRequested
    words = f"the search is saved in {str(saver.store.path)!r}" if saver and is_saved else ""
    interruptions.obey(words)


@contextmanager
def shown(race: Race, progress: Any) -> Iterator[Callable[..., None]]:
    """A function that shows the search, as often as the display wants; `ended=True` at the end."""
    display = display_for(progress)
    if display is None:
        yield lambda ended=False: None
        return
    with closing(display):
        yield Told(race, display)


class SearchStatus(Status):
    """The words of a run, for a search: its steps are gradients, its loss is the lowest."""

    @property
    def done(self) -> str:
        return f"{self.note}, {self.step:,} of {self.steps:,} gradients"

    @property
    def seen(self) -> str:
        return super().seen.replace("loss", "lowest loss", 1)

    @property
    def time(self) -> str:
        return super().time.replace("steps/s", "gradients/s")


class Told:
    """From a race to what is shown of it."""

    def __init__(
        self, race: Race, display: Display, clock: Callable[[], float] = time.perf_counter
    ):
        self.race, self.display, self.clock = race, display, clock
        self.began, self.shown_at = clock(), -float("inf")
        self.compiled: tuple[float, int] | None = None

    def __call__(self, ended: bool = False) -> None:
        now, spent = self.clock(), self.race.population.spent
        if ended or now - self.shown_at >= self.display.seconds:
            self.shown_at = now
            self.display.show(self._status(now, spent, ended))
        if self.compiled is None and self.race.candidates:
            self.compiled = now, spent

    def _status(self, now: float, spent: int, ended: bool) -> SearchStatus:
        race = self.race
        since, first = self.compiled or (now, spent)
        members = race.population.members.values()
        alive = sum(member.is_finite for member in members)
        return SearchStatus(
            step=spent,
            steps=race.population.limit,
            loss=race.held_out.start["late"] - race.progress,
            held_out={},
            rate=(spent - first) / (now - since) if now > since else 0.0,
            seconds=now - self.began,
            ended=ended,
            note=f"{race.phase}, {alive} of {len(members)} arms alive",
        )
