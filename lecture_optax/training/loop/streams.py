"""A stream of batches that several runs read, each at its own step: the arms of a search."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from jax.sharding import Sharding

from ..compiled.program import Program
from ..compiled.step import Carry
from .run import Norms
from .sources import IterableSource, Place, checksum_of

READERS = 8
"""The most readers that are open at a time. Each may hold files, threads and batches read ahead."""


class SharedStream:
    """The batches of an iterable that gives the same ones each time it is iterated.

    Which batch a run takes follows from its step alone, so all runs see the same batches in the
    same order. Runs at different steps have a reader each. A run whose step no reader has reached
    continues with the nearest one before it, or with a new one at a place that is known.

    A copy, also in another process, knows the places and has its own readers.

    **Arguments** as for `IterableSource`.

    **Attributes**

    - `first`, `kinds`, `check`, `doubt`: as for `IterableSource`.
    - `places`: what is known of the stream, by steps.

    **Raises** `TypeError` for an iterator, which gives its batches once.
    """

    data = sample_weight = None

    def __init__(self, data: Any, accumulate: int = 1):
        self._data, self._accumulate = data, accumulate
        self.places: dict[int, Place] = {}
        self.check: Callable[[Any], None] | None = None
        self.doubt: Callable[[Any], str | None] | None = None
        reader = IterableSource(data, accumulate)
        if reader.comes_once:
            raise TypeError(
                "a search reads the batches of data once for each arm, got the "
                f"{type(data).__name__}, which gives them once: pass what makes it, as a function "
                "of the seed (lambda seed: batches(seed)), a list of batches or a Grain dataset."
            )
        self.first, self.kinds, self.batch_size = reader.first, reader.kinds, reader.batch_size
        self._readers = [self._watched(reader)]

    @property
    def cause(self) -> str:
        """What was not finite in a batch, in words."""
        return next((reader.cause for reader in self._readers if reader.cause), "")

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "places": dict(self.places), "_readers": []}

    def placed_on(self, device: Any) -> "SharedStream":
        """Return a stream with its own readers. Batches are placed when they are read."""
        other = object.__new__(SharedStream)
        vars(other).update(self.__getstate__())
        return other

    def advance(
        self, program: Program, carry: Carry, steps: int, norms: Norms = "every step"
    ) -> Any:
        """Take the next steps of a carry, as `IterableSource.advance`."""
        return self._reader_at(int(np.asarray(carry.step))).advance(program, carry, steps, norms)

    def batches(self, step: int, count: int, home: Sharding | None) -> Iterator[Any]:
        """Yield the batches of the updates after a step."""
        reader = self._reader_at(step)
        for _ in range(count):
            yield reader.take(home)

    def place(self, step: int) -> Place:
        """Return the place after a step to which a run has just come, and remember it.

        **Raises** `ValueError` if another run had another batch there.
        """
        found = self._readers[-1].place
        self.learn({step: found})
        return found

    def learn(self, places: Mapping[int, Place]) -> None:
        """Remember places that were found elsewhere."""
        for step, place in places.items():
            known = self.places.setdefault(step, place)
            if None not in (known.last, place.last) and known.last != place.last:
                raise ValueError(_changed(f"batch {step}"))
            if known.last is None:
                self.places[step] = place

    def _reader_at(self, step: int) -> IterableSource:
        """Return a reader whose next batch is that of the step after `step`."""
        near = [reader for reader in self._readers if reader.taken <= step]
        reader = max(near, key=lambda reader: reader.taken, default=None)
        known = [k for k, place in self.places.items() if k <= step and place.state is not None]
        at = max(known, default=0)
        if reader is None or reader.taken < at:
            reader = self._open()
            if at:
                reader.return_to(at, self.places[at].state)
        if reader.taken < step:
            reader.skip_to(step)
            if step in self.places:
                self.learn({step: reader.place})
        self._readers = [*(x for x in self._readers if x is not reader), reader]
        for old in self._readers[:-READERS]:
            old.close()
        self._readers = self._readers[-READERS:]
        return reader

    def _open(self) -> IterableSource:
        reader = IterableSource(self._data, self._accumulate)
        if checksum_of(reader.first) != checksum_of(self.first):
            raise ValueError(_changed("the first batch"))
        return self._watched(reader)

    def _watched(self, reader: IterableSource) -> IterableSource:
        reader.check = lambda batch: self.check(batch) if self.check else None
        reader.doubt = lambda batch: self.doubt(batch) if self.doubt else None
        return reader


def _changed(what: str) -> str:
    return (
        f"{what} of data is another one when data are iterated again, and the arms of a search "
        "need the same batches in the same order. Let each iteration give the same batches, by a "
        "fixed seed for example, or use a Grain dataset."
    )
