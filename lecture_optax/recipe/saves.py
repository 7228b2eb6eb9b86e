"""When is a search saved, and how does it go on? By time, at the end, and when asked to stop."""

import re
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from .._core.describe import describe
from .._core.extras import warn
from ..training.checkpoint.folder import sentence
from ..training.checkpoint.snapshot import arrays_of, difference
from .optimizer import Family, plain
from .race import Race
from .snapshot import put_back, snapshot
from .store import Store

FIRST = 1.0
"""The first save comes so many seconds after the first chunk (which compiles)."""

SHARE = 0.02
"""The part of the time that saves may take."""


class Saves:
    """The saves of one search. A disk that fails costs a warning, not the search."""

    def __init__(self, race: Race, store: Store, identity: dict[str, Any]):
        self.race, self.store, self.identity = race, store, identity
        self._due: float | None = None
        self._told = 0

    def resume(self) -> None:
        """Let the search be told what the last save holds.

        **Raises** `ValueError` for the folder of another search; `OSError` if it cannot be made.
        """
        saved = self.store.newest()
        if saved is not None:
            if words := difference(self.identity, saved.notes["identity"]):
                raise ValueError(
                    f"checkpoint={str(self.store.path)!r} holds another search: {words}. Nothing "
                    "was changed in it. Give each search a folder of its own, or remove this one "
                    "to start anew."
                )
            journal = self.race.population.journal
            journal.told, journal.arrive = saved.notes["told"], partial(put_back, self.race, saved)
            self._told = len(journal.told)
        else:
            self.store.make()

    def pause(self) -> None:
        """Save, if it is time."""
        now = time.perf_counter()
        if self._due is None and self.race.population.spent:
            self._due = now + FIRST
        if self._due is not None and now >= self._due:
            self.save()

    def end(self) -> None:
        """Save what the search ended with, unless that was all told before."""
        if len(self.race.population.journal.told) > self._told:
            self.save()

    def save(self) -> bool:
        """Save now; whether that went well."""
        began = time.perf_counter()
        try:
            self.store.write(*snapshot(self.race, self.identity))
        except OSError as error:
            warn(
                f"the search could not be saved in {str(self.store.path)!r} ({sentence(error)}): "
                "it goes on, and saving is tried again later."
            )
            self._due = time.perf_counter() + 1 / SHARE
            return False
        now, self._told = time.perf_counter(), len(self.race.population.journal.told)
        self._due = now + (now - began) / SHARE
        return True


def identity_of(
    race: Race, families: Mapping[str, Family], around: Any, seed: int
) -> dict[str, Any]:
    """All that a search follows from, but the code of model and loss: those by what they give."""
    population, held_out = race.population, race.held_out
    arrays = {"train": population.rows.data, "valid": held_out.all}
    start = population.start
    return {
        "seed": int(seed),
        "steps": population.steps,
        "batch_size": population.program.batch_size,
        "budget": race.budget,
        "the loss at the start": f"{held_out.start['all']:.3g}",
        **{f"family {name}": _words_of(x, around) for name, x in families.items()},
        **dict(arrays_of({**arrays, "params": start.params})),
    }


def _words_of(family: Family, around: Any) -> str:
    """A family as it describes itself, without the addresses of functions."""
    text = re.sub(r" at 0x[0-9a-f]+", "", str(describe(plain(family, around, 1.0))))
    return " ".join(text.split())
