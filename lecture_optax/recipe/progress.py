"""What is a person told while a search runs? Its stage, the arms, the best loss, the time left."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from ..training.reporting.progress import Display, Status, display_for
from .race import Race


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
