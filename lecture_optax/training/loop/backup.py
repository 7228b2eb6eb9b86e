"""The backup of a run: a copy of its carry, to return to when a value is not finite."""

import time
from collections.abc import Callable

import jax

from .._trees import copied
from ..compiled.memory import bytes_of, free_bytes
from ..compiled.step import Carry
from .run import Run

SECONDS = 2.0
"""The least time between two copies."""

SHARE = 0.002
"""The share of the time that copies may take."""

MOST = 0.5
"""The part of the device's free memory that a copy may take; a step needs the rest."""


class Backup:
    """A copy of the carry, as a chunk donates its own; renewed after `SECONDS` or more.

    `saved`: reads the carry of the newest checkpoint, or returns None: where no copy is kept.
    """

    def __init__(self, run: Run, saved: Callable[[], Carry | None]):
        if run.backup is None:
            run.backup = bool(run.program.processes.agreed(_fits(run.carry)))
        self._run, self._saved = run, saved
        self.renew()

    def renew(self) -> None:
        """Copy the carry of the run."""
        began = time.perf_counter()
        self._copy = None  # first, as two copies would take twice the memory
        if self._run.backup:
            self._copy = jax.block_until_ready(copied(self._run.carry))
        now = time.perf_counter()
        self._due = now + max(SECONDS, (now - began) / SHARE)

    @property
    def is_old(self) -> bool:
        return time.perf_counter() > self._due

    def restore(self) -> Carry | None:
        """Return the copy, which may be donated: the run ends here."""
        return self._saved() if self._copy is None else self._copy


def _fits(carry: Carry) -> bool:
    """Return whether a device has the memory for a copy, where that is known, as on a GPU."""
    arrays = carry.params, carry.model_state, carry.opt_state
    return bytes_of(arrays) <= MOST * free_bytes(carry.key.sharding.addressable_devices)
