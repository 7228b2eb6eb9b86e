"""Sources of batches: arrays on the device, and iterables."""

import re
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from .._trees import checksum, kind_of
from ..checks.arguments import ANEW
from ..compiled.program import Program, empty_table
from ..compiled.step import Carry


@dataclass(frozen=True)
class Rows:
    """Data that are on the device. `one_by_one` leaves the compiled loop: see `convolutions.py`."""

    data: Any
    sample_weight: Any = None
    one_by_one: bool = False

    def advance(self, program: Program, carry: Carry, steps: int) -> Any:
        compiled, numbers = program.compiled, program.hyperparams
        if not self.one_by_one:
            return compiled.chunk(carry, self.data, self.sample_weight, numbers, np.int32(steps))
        table, finite, ratios = empty_table(), True, None
        for i in range(steps):
            carry, table, finite, ratios = compiled.once(
                carry, table, np.int32(i), self.data, self.sample_weight, numbers
            )
        return carry, table, finite, ratios


class Stream:
    """Batches of an iterable as a source of the loop.

    What can be iterated anew is, at its end, as by a loop over epochs.

    **Arguments**

    - `data`: gives trees of arrays, rows first, all of one structure and one shape.
    - `accumulate`: so many batches, one after the other, make one update.

    **Attributes**

    - `first`: the batch of the first update, on the host: looked at, and not yet taken.
    - `kinds`: the shapes and dtypes of one batch.
    - `can_go_on`: whether the iterable can be put back to where it stood.
    """

    def __init__(self, data: Any, accumulate: int = 1):
        self._data, self._accumulate = data, accumulate
        self._iterator = iter(data)
        self._comes_once = self._iterator is data
        self._start = place_of(self._iterator)
        self._taken, self._last, self._error = 0, None, None
        self.can_go_on = self._start is not None or not self._comes_once
        self.kinds: dict[str, str] = {}
        self.first = self._waiting = self._fetch()

    @property
    def batch_size(self) -> int:
        """The rows of one batch."""
        return int(jax.tree.leaves(self.first)[0].shape[0]) // self._accumulate

    def advance(self, program: Program, carry: Carry, steps: int) -> Any:
        """Take so many steps, or fewer where no batch comes: the next call says why."""
        given, numbers = program.compiled.given, program.hyperparams
        table, finite, ratios, before = empty_table(), True, None, None
        batch = self._take(program.mesh)
        for i in range(steps):
            carry, table, finite, ratios = given(carry, table, np.int32(i), batch, None, numbers)
            batch = self._take_ahead(program.mesh) if i + 1 < steps else None
            if batch is None:
                break
            if before is not None:  # a fast reader would fill the device with batches
                before.block_until_ready()
            before = finite
        return carry, table, finite, ratios

    def get_state(self) -> dict[str, Any]:
        """Where the batches stand that were taken."""
        place = place_of(self._iterator) if self._waiting is None else self._start
        return {"taken": self._taken, "place": place, "last": checksum_of(self._last)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Stand where `get_state` was called.

        **Raises** `ValueError` where the iterable cannot.
        """
        taken, place = state["taken"], state["place"]
        if not self.can_go_on:
            raise ValueError(
                f"data are an iterator of which {taken} batches were taken when this run was "
                f"saved, and it cannot be put back there: {ANEW}"
            )
        if (self._start is None) != (place is None):
            raise ValueError(
                "data are another kind of iterable than when this run was saved: one has get_state "
                "and set_state, the other has not. Give the same again."
            )
        if place is None:
            self._skip(taken, state["last"])
        else:
            put_at(self._iterator, place)
            self._waiting, self._taken = None, taken

    def _skip(self, taken: int, last: int | None) -> None:
        for _ in range(taken):
            self._next_update()
        if checksum_of(self._last) != last:
            raise ValueError(
                f"batch {taken} of data is not what it was when this run was saved, so that it "
                "cannot go on: let each iteration give the same batches, by a fixed seed say, or "
                "use a Grain dataset."
            )

    def _take_ahead(self, mesh: Mesh | None) -> Any:
        """The next batch; or None, for the steps before it to be recorded before its error."""
        try:
            return self._take(mesh)
        except Exception as error:  # whatever reads the data may say
            self._error = error
            return None

    def _take(self, mesh: Mesh | None) -> Any:
        """The batch of the next update, on its way to the device, or in parts to all of a mesh."""
        if self._error is not None:
            raise self._error
        batch = self._next_update()
        if mesh is None:
            return jax.device_put(batch)
        return jax.device_put(batch, NamedSharding(mesh, PartitionSpec(mesh.axis_names)))

    def _next_update(self) -> Any:
        self._last = self._fetch() if self._waiting is None else self._waiting
        self._waiting, self._taken = None, self._taken + 1
        return self._last

    def _fetch(self) -> Any:
        parts = [self._checked(self._next()) for _ in range(self._accumulate)]
        return parts[0] if len(parts) == 1 else jax.tree.map(lambda *x: np.concatenate(x), *parts)

    def _next(self) -> Any:
        for batch in self._iterator:
            return batch
        if not self._comes_once:
            self._iterator = iter(self._data)
            for batch in self._iterator:
                return batch
        if not self.kinds:
            raise ValueError("data must give batches, and gave none.")
        raise ValueError(
            f"data ran out after step {self._taken}: ask for no more steps than that, or {ANEW}"
        )

    def _checked(self, batch: Any) -> Any:
        """A copy on the host, as a reader may fill the same memory again."""
        batch = jax.tree.map(lambda x: x if isinstance(x, jax.Array) else np.array(x), batch)
        leaves = jax.tree_util.tree_leaves_with_path(batch)
        kinds = {"batch" + jax.tree_util.keystr(path): kind_of(x) for path, x in leaves}
        self.kinds = self.kinds or kinds
        if kinds != self.kinds:
            raise ValueError(
                f"the batch of step {self._taken + 1} is {_words(kinds)}, the first one was "
                f"{_words(self.kinds)}: one compiled program serves batches that are alike. Drop a "
                "remainder (Grain: drop_remainder=True, PyTorch: drop_last=True)."
            )
        return batch


def _words(kinds: dict[str, str]) -> str:
    return ", ".join(f"{path} {kind}" for path, kind in kinds.items()) or "empty"


ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def place_of(iterator: Any) -> Any:
    """The state of an iterator that has one, as Grain's; bytes as text."""
    if not (hasattr(iterator, "get_state") and hasattr(iterator, "set_state")):
        return None
    state = iterator.get_state()
    return {"bytes": state.decode("latin-1")} if isinstance(state, bytes) else state


def put_at(iterator: Any, place: Any) -> None:
    """Let an iterator stand where another one of its kind stood.

    Grain's loader names a data source without a `__repr__` by its address, and compares them: in
    another process it has another one.

    **Raises** `ValueError` where the iterator refuses.
    """
    if isinstance(place, dict) and set(place) == {"bytes"}:
        addresses = iter(ADDRESS.findall(place_of(iterator)["bytes"]))
        text = ADDRESS.sub(lambda found: next(addresses, found.group()), place["bytes"])
        place = text.encode("latin-1")
    try:
        iterator.set_state(place)
    except Exception as error:  # whatever another library says
        raise ValueError(f"data cannot be put back to where they stood: {error}") from error


def checksum_of(batch: Any) -> int | None:
    """CRC-32 over the leaves of a batch, if there is one."""
    if batch is None:
        return None
    return checksum(np.array([checksum(x) for x in jax.tree.leaves(batch)], np.uint32))
