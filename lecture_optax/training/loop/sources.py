"""Sources of batches: arrays on the device, and iterables."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Sharding

from ..._core import validate
from .._trees import are_batches, by_path, checksum, is_function, kind_of, n_rows
from ..checks.arguments import ANEW, check_seed
from ..compiled.program import Program, empty_table
from ..compiled.sharding import place_batch
from ..compiled.step import Carry
from ..conversion.arrays import as_arrays
from ..conversion.batches import BatchesOfSeed
from .run import Norms


def with_record(first: Any, progress: Any) -> Any:
    """Put the full record of the first step, if there is one, into the progress of a call.

    The ratios are then those of this step.
    """
    if first is None:
        return progress
    carry, table, finite, _ = progress
    row, ratios = first
    return carry, table.at[0].set(row), finite, ratios


class Place(NamedTuple):
    """Where an iterable is after a step.

    - `state`: of its iterator, as Grain's have one; None where it has none.
    - `last`: the checksum of the batch of this step; None right after a return to a state.
    """

    state: Any
    last: int | None


@dataclass(frozen=True)
class ArraySource:
    """All examples, on the device. `one_by_one` calls a step at a time: see `slow_in_a_loop`."""

    data: Any
    sample_weight: Any = None
    one_by_one: bool = False
    cause: str = ""

    def placed_on(self, device: Any) -> "ArraySource":
        """Return these examples on another device."""
        data, weights = jax.device_put((self.data, self.sample_weight), device)
        return replace(self, data=data, sample_weight=weights)

    def advance(
        self, program: Program, carry: Carry, steps: int, norms: Norms = "every step"
    ) -> Any:
        compiled, numbers = program.compiled, program.hyperparams
        given, own = (self.data, self.sample_weight, numbers), norms == "every step"
        first = compiled.record(carry, *given) if norms == "first step" else None
        if not self.one_by_one:
            return with_record(first, compiled.chunk(carry, *given, np.int32(steps), norms=own))
        table, finite, ratios = empty_table(), True, None
        for i in range(steps):
            carry, table, finite, ratios = compiled.once(
                carry, table, np.int32(i), *given, norms=own
            )
        return with_record(first, (carry, table, finite, ratios))


def batches_of(data: Any, seed: int, accumulate: int) -> Any:
    """Return an iterable of batches, of a function of the seed or as it is."""
    validate.steps(of="batches", accumulate=accumulate)
    if not is_function(data):
        return data
    check_seed(seed=seed)
    return BatchesOfSeed(data, seed)


class IterableSource:
    """The batches of an iterable.

    An iterable that can be iterated again starts again at its end, as in a loop over epochs.

    **Arguments**

    - `data`: gives trees of arrays, examples along the first axis, all of one structure and shape.
    - `accumulate`: the number of consecutive batches that make one update.

    **Attributes**

    - `first`: the batch of the first update, on the host. It is read and not yet trained on.
    - `kinds`: the shapes and dtypes of one batch.
    - `taken`: the number of updates whose batches were taken.
    - `comes_once`: whether the iterable is an iterator, which gives its batches once.
    - `can_resume`: whether the iterable can return to its place in an earlier process.
    - `check`: a function that refuses a batch after the first, which `prepare` checks; `doubt`: one
      that says what is not finite in it; `cause`: its words for the first such batch.
    """

    data = sample_weight = None

    def __init__(self, data: Any, accumulate: int = 1):
        self._data, self._accumulate = data, accumulate
        self._iterator = iter(data)
        self.comes_once = self._iterator is data
        self._start = iterator_state(self._iterator)
        self.taken, self._last, self._error = 0, None, None
        self.can_resume = self._start is not None or not self.comes_once
        self.kinds: dict[str, str] = {}
        self.check: Callable[[Any], None] = lambda batch: None
        self.doubt: Callable[[Any], str | None] = lambda batch: None
        self.cause = ""
        self.first = self._waiting = self._fetch()

    @property
    def batch_size(self) -> int:
        """The number of examples in one batch."""
        return n_rows(self.first) // self._accumulate

    def advance(
        self, program: Program, carry: Carry, steps: int, norms: Norms = "every step"
    ) -> Any:
        """Take `steps` steps, or fewer where no batch comes: then the next call raises."""
        compiled, numbers = program.compiled, program.hyperparams
        table, finite, ratios, before = empty_table(), True, None, None
        batch, own = self.take(program.home), norms == "every step"
        is_first = norms == "first step"
        first = compiled.record_given(carry, batch, None, numbers) if is_first else None
        for i in range(steps):
            carry, table, finite, ratios = compiled.given(
                carry, table, np.int32(i), batch, None, numbers, norms=own
            )
            batch = self._take_ahead(program.home) if i + 1 < steps else None
            if batch is None:
                break
            if before is not None:  # a fast reader would fill the device with batches
                before.block_until_ready()
            before = finite
        return with_record(first, (carry, table, finite, ratios))

    @property
    def place(self) -> Place:
        """The place after the batches that were taken."""
        state = iterator_state(self._iterator) if self._waiting is None else self._start
        return Place(state, checksum_of(self._last))

    def get_state(self) -> dict[str, Any]:
        """Return the place after the batches that were trained on."""
        state, last = self.place
        return {"taken": self.taken, "place": state, "last": last}

    def set_state(self, state: dict[str, Any]) -> None:
        """Return to the place of `state`.

        **Raises** `ValueError` where the iterable cannot.
        """
        taken, place = state["taken"], state["place"]
        if not self.can_resume:
            raise ValueError(
                f"data is an iterator that had given {taken} batches when this run was saved, and "
                f"it cannot return to that place: {ANEW}"
            )
        if (self._start is None) != (place is None):
            raise ValueError(
                "data is another kind of iterable than when this run was saved: one has get_state "
                "and set_state, the other has not. Give the same kind."
            )
        if place is not None:
            self.return_to(taken, place)
            return
        self.skip_to(taken)
        if checksum_of(self._last) != state["last"]:
            raise ValueError(
                f"batch {taken} of data is not the one with which this run was saved, so the run "
                "cannot resume. Let each iteration give the same batches, by a fixed seed for "
                "example, or use a Grain dataset."
            )

    def return_to(self, taken: int, state: Any) -> None:
        """Return to the place after so many updates, where the iterator had that state."""
        restore_iterator(self._iterator, state)
        self._waiting, self._last, self.taken = None, None, taken

    def skip_to(self, taken: int) -> None:
        """Read batches, without training on them, until so many updates are taken."""
        while self.taken < taken:
            self._next_update()

    def close(self) -> None:
        """Close the iterator, if it can be closed."""
        if close := getattr(self._iterator, "close", None):
            close()

    def _take_ahead(self, home: Sharding | None) -> Any:
        """Return the next batch; or None, and raise its error after the steps before it."""
        try:
            return self.take(home)
        except Exception as error:  # a reader may raise anything
            self._error = error
            return None

    def take(self, home: Sharding | None) -> Any:
        """Return the batch of the next update, on the device or in parts on those of a mesh."""
        if self._error is not None:
            raise self._error
        batch = self._next_update()
        return place_batch(batch, home, n_rows(batch))

    def _next_update(self) -> Any:
        self._last = self._fetch() if self._waiting is None else self._waiting
        self._waiting, self.taken = None, self.taken + 1
        return self._last

    def _fetch(self) -> Any:
        parts = [self._checked(self._next()) for _ in range(self._accumulate)]
        return parts[0] if len(parts) == 1 else jax.tree.map(lambda *x: np.concatenate(x), *parts)

    def _next(self) -> Any:
        for batch in self._iterator:
            return batch
        if not self.comes_once:
            self._iterator = iter(self._data)
            for batch in self._iterator:
                return batch
        if not self.kinds:
            raise ValueError("data (train of a problem) must give batches, and gave none.")
        raise ValueError(
            f"data ended after step {self.taken}: ask for at most that many steps, or {ANEW}"
        )

    def _checked(self, batch: Any) -> Any:
        """Return a copy on the host: a reader may fill the same memory again."""
        try:
            batch = as_arrays(batch, "batch")
        except (TypeError, ValueError) as error:
            raise self._refused(error) from error
        batch = jax.tree.map(lambda x: x if isinstance(x, jax.Array) else np.array(x), batch)
        if not are_batches(batch):
            raise ValueError(
                "data (train of a problem) must give batches, trees of arrays with the examples "
                "along the first axis, and gave one example: group them (PyTorch: batch_size=, "
                "Grain: .batch(...))."
            )
        kinds = {path: kind_of(x) for path, x in by_path(batch, "batch").items()}
        self.kinds = self.kinds or kinds
        if kinds != self.kinds:
            raise ValueError(
                f"the batch of step {self.taken + 1} is {_words(kinds)}, and the first one was "
                f"{_words(self.kinds)}: all batches must have the same shapes and dtypes. Drop the "
                "remainder (Grain: drop_remainder=True, PyTorch: drop_last=True)."
            )
        try:
            self.check(batch)
        except (TypeError, ValueError) as error:
            raise self._refused(error) from error
        if not self.cause and (words := self.doubt(batch)):
            self.cause = f" In the batch of step {self.taken + 1}, {words}."
        return batch

    def _refused(self, error: TypeError | ValueError) -> Exception:
        return type(error)(f"the batch of step {self.taken + 1}: {error}")


def _words(kinds: dict[str, str]) -> str:
    return ", ".join(f"{path} {kind}" for path, kind in kinds.items()) or "empty"


ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def iterator_state(iterator: Any) -> Any:
    """Return the state of an iterator that has one, as Grain's do, with bytes as text; or None."""
    if not (hasattr(iterator, "get_state") and hasattr(iterator, "set_state")):
        return None
    state = iterator.get_state()
    return {"bytes": state.decode("latin-1")} if isinstance(state, bytes) else state


def restore_iterator(iterator: Any, place: Any) -> None:
    """Put an iterator to the place of another one of its kind.

    Grain's loader names a data source without a `__repr__` by its address, and compares the names:
    in another process the address is another one, so it is replaced.

    **Raises** `ValueError` where the iterator refuses.
    """
    if isinstance(place, dict) and set(place) == {"bytes"}:
        addresses = iter(ADDRESS.findall(iterator_state(iterator)["bytes"]))
        text = ADDRESS.sub(lambda found: next(addresses, found.group()), place["bytes"])
        place = text.encode("latin-1")
    try:
        iterator.set_state(place)
    except Exception as error:  # another library may raise anything
        raise ValueError(
            f"data cannot return to the place at which this run was saved: {error}"
        ) from error


def checksum_of(batch: Any) -> int | None:
    """Return the CRC-32 over the leaves of a batch, or None without one."""
    if batch is None:
        return None
    return checksum(np.array([checksum(x) for x in jax.tree.leaves(batch)], np.uint32))
