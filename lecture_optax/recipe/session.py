"""How does a search run its course? Resumed, shown, saved on the way, and stopped when asked to."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from ..training.checkpoint.signals import Interruptions
from ..training.reporting.progress import Display, Status, display_for
from .checkpoint.snapshot import Saves, identity_of
from .checkpoint.store import Store
from .population.arms import OptimizerFactory, gain_of
from .search.policy import search
from .search.race import Race


class EnoughError(Exception):
    """A person wants what has been found so far."""


def run_course(
    race: Race,
    optimizers: Mapping[str, OptimizerFactory],
    wrap: Any,
    *,
    seed: int,
    checkpoint: str | os.PathLike[str] | None,
    on_interrupt: str,
    progress: Any,
) -> bool:
    """Search, from the last save in the folder if there is one; whether it came to its end.

    **Raises** `SystemExit(143)` after a SIGTERM, and `KeyboardInterrupt` after a Ctrl-C unless
    `on_interrupt` is "return", when the search has been saved. A second Ctrl-C leaves at once.
    """
    journal, saves = race.population.journal, None
    if checkpoint is not None:
        saves = Saves(race, Store(checkpoint), identity_of(race, optimizers, wrap, seed))
        saves.resume()
    with Interruptions() as interruptions, shown(race, progress) as show:

        def pause() -> None:
            show()
            if interruptions.asked is not None:
                _stop(saves, interruptions, on_interrupt)
            if saves is not None:
                saves.pause()

        journal.pause = pause
        try:
            search(race, [gain_of(optimizer) for optimizer in optimizers.values()])
            journal.catch_up()
            ended = True
        except EnoughError:
            ended = False
        finally:
            journal.pause = lambda: None
        if saves is not None and ended:
            saves.end()
        show(ended=True)
    return ended


def _stop(saves: Saves | None, interruptions: Interruptions, on_interrupt: str) -> None:
    is_saved = saves is not None and saves.save()
    if interruptions.asked == signal.SIGINT and on_interrupt == "return":
        raise EnoughError
    words = f"the search is saved in {str(saves.store.path)!r}" if saves and is_saved else ""
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
        if self.compiled is None and self.race.found:
            self.compiled = now, spent

    def _status(self, now: float, spent: int, ended: bool) -> SearchStatus:
        race = self.race
        since, first = self.compiled or (now, spent)
        members = race.population.members.values()
        alive = sum(member.alive for member in members)
        return SearchStatus(
            step=spent,
            steps=race.population.limit,
            loss=race.held_out.start["late"] - race.progress,
            held_out={},
            rate=(spent - first) / (now - since) if now > since else 0.0,
            seconds=now - self.began,
            ended=ended,
            note=f"{race.stage}, {alive} of {len(members)} arms alive",
        )
