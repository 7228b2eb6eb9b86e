"""Several processes that train one model, each with some of its devices.

All of them call the same compiled functions in the same order, or they wait for each other for
ever. So what depends on a clock, a signal or a file of one of them is agreed on.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding


class OtherProcessError(RuntimeError):
    """Another process of a run has stopped with an error, which it shows itself."""


class Processes:
    """The processes that own the devices of a mesh; without one, or with one process, it is alone.

    `is_first`: whether this process is the one that writes files and shows progress.
    """

    def __init__(self, mesh: Mesh | None):
        devices = [] if mesh is None else mesh.devices.flat
        self._owners = [device.process_index for device in devices]
        self._mesh = mesh if len(set(self._owners)) > 1 else None
        self.is_first = self._mesh is None or self._owners[0] == jax.process_index()

    @property
    def is_alone(self) -> bool:
        """Whether one process has all devices."""
        return self._mesh is None

    def agreed(self, number: int) -> int:
        """Return the number, >= 0, of the first process."""
        return number if self._mesh is None else int(self._numbers(number)[0])

    def largest(self, number: int) -> int:
        """Return the largest of the numbers, >= 0, of all processes."""
        return number if self._mesh is None else int(self._numbers(number).max())

    def check_same(self, value: Any, message: str) -> None:
        """Raise `ValueError` with a message, in all processes, where the values differ."""
        if self._mesh is not None:
            numbers = self._numbers(zlib.crc32(repr(value).encode()))
            if numbers.min() < numbers.max():
                raise ValueError(message)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let an error within it, in one process, end all of them where they next agree.

        **Raises** `OtherProcessError` in the others.
        """
        try:
            yield
        except (OtherProcessError, jax.errors.JaxRuntimeError):  # the others do not answer
            raise
        except Exception:
            if self._mesh is not None:
                self._gathered(0, has_failed=True)
            raise

    def _numbers(self, number: int) -> np.ndarray:
        """Return one number a device, in the order of the mesh."""
        numbers, failed = self._gathered(number, has_failed=False).T
        if failed.any():
            raise OtherProcessError(
                f"process {self._owners[failed.argmax()]} of this run has stopped with an error: "
                "see what it has written. All processes of a run end together."
            )
        return numbers

    def _gathered(self, number: int, *, has_failed: bool) -> np.ndarray:
        assert self._mesh is not None
        row = np.array([[number, has_failed]], np.uint32)
        sharding = NamedSharding(self._mesh, PartitionSpec(self._mesh.axis_names))
        shape = (self._mesh.size, row.shape[1])
        return np.asarray(whole(jax.make_array_from_callback(shape, sharding, lambda index: row)))


ALONE = Processes(None)


def whole(x: jax.Array) -> jax.Array:
    """Return an array with all of it in each process; of several processes, all call this."""
    if x.is_fully_addressable or x.is_fully_replicated:
        return x
    assert isinstance(x.sharding, NamedSharding)
    return _whole(x, NamedSharding(x.sharding.mesh, PartitionSpec()))


@partial(jax.jit, static_argnums=1)
def _whole(x: jax.Array, sharding: Sharding) -> jax.Array:
    return jax.lax.with_sharding_constraint(x, sharding)
