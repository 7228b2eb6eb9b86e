"""How does a search run its course? Resumed, shown, saved on the way, and stopped when asked to."""

import os
import signal
from collections.abc import Mapping
from typing import Any

from ..training.checkpoint.signals import Interruptions
from .optimizer import Family, gain_of
from .progress import shown
from .race import Race
from .saves import Saves, identity_of
from .search import search
from .store import Store


class EnoughError(Exception):
    """A person wants what has been found so far."""


def run_course(
    race: Race,
    families: Mapping[str, Family],
    around: Any,
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
        saves = Saves(race, Store(checkpoint), identity_of(race, families, around, seed))
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
            search(race, [gain_of(family) for family in families.values()])
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
