"""The memory that the arms of a search take: on each device, and on the host where they wait."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.types import Finding
from ...training.compiled.memory import bytes_of, free_bytes, in_bytes
from ...training.compiled.sharding import place_like

EXPECTED_COPIES = 20
"""The carries that a search holds at a time: arms, middles to branch from, the best weights."""

COPIES_OF_A_FOLD = 6
"""The carries of a fold: two arms with constant learning rates, their middles, and the decays."""

COPIES_BESIDE_THE_HOST = 3
"""The carries on the device where arms wait on the host: the start, the arm that runs, and one that
moves or is evaluated."""

SHARE = 0.7
"""The part of the device's free memory that carries may take; steps and evaluations need the rest.
"""

LARGE = 10**9
"""The bytes on a device from which on a report says what a search needs."""

HOST = "pinned_host"
"""The memory of the host from which a device reads, where its backend has it."""


class MemoryNeeds(NamedTuple):
    """The memory of a search, estimated before the first arm runs.

    - `copy`: the bytes of one carry (parameters, model state, optimizer states) on each device.
    - `copies`: the most carries on each device; `waiting`: those in the memory of the host.
    - `data`: the bytes of the examples on each device.
    - `free`: the free bytes of the fullest device without them; infinite where that is not known.
    """

    copy: int
    copies: int
    waiting: int
    data: int
    free: float

    @property
    def sentence(self) -> str:
        """What the search needs, in words."""
        copies = f"{self.copies} copies of {in_bytes(self.copy)}"
        words = f"The search needs {'' if self.waiting else 'up to '}{copies} on each device"
        if self.waiting:
            words += f", and up to {self.waiting} in the memory of the host, where arms wait"
        return (
            f"{words}: parameters, model state and optimizer states. The examples take "
            f"{in_bytes(self.data)} more, and a step its gradients and activations."
        )

    @property
    def fits(self) -> bool:
        """Whether the carries fit on each device."""
        return self.copies * self.copy <= self.free


def memory_of(carry: Any, data: Any, folds: int = 0) -> MemoryNeeds:
    """Return what a search needs: arms wait on the host where they do not fit on the device."""
    copies = EXPECTED_COPIES + COPIES_OF_A_FOLD * folds
    copy, free = bytes_of(carry), free_bytes(carry.key.devices())
    is_large = copies * copy > SHARE * free
    here, waiting = (COPIES_BESIDE_THE_HOST, copies) if is_large else (copies, 0)
    return MemoryNeeds(copy, here, waiting, bytes_of(data), free + copy)  # the start is there


def memory_finding(needs: MemoryNeeds) -> tuple[Finding, ...]:
    """Return what a search needs, if that is worth a sentence."""
    if not needs.waiting and needs.copies * needs.copy < LARGE:
        return ()
    numbers = {name: getattr(needs, name) for name in ("copy", "copies", "waiting", "data")}
    return (Finding("memory", numbers, needs.sentence),)


def committed(tree: Any) -> Any:
    """Return arrays that stay on their devices: those that come back from the host do."""
    return jax.tree.map(lambda x: jax.device_put(x, x.sharding), tree)


def to_host(tree: Any) -> Any:
    """Return a copy whose large arrays are in the memory of the host, in parts as they were."""
    return jax.tree.map(lambda x: _on_host(x) if _is_large(x) else jnp.copy(x), tree)


def to_device(tree: Any, like: Any) -> Any:
    """Return copies of the arrays on the host, on the devices of those of `like`."""

    def leaf(x, y):
        if isinstance(x, np.ndarray):
            return jnp.asarray(place_like(x, y))
        return jax.device_put(x, y.sharding) if x.sharding.memory_kind == HOST else x

    return jax.tree.map(leaf, tree, like)


def _on_host(x: jax.Array) -> Any:
    kinds = {memory.kind for memory in next(iter(x.sharding.device_set)).addressable_memories()}
    if HOST not in kinds:
        return np.array(x)
    return jax.device_put(x, x.sharding.with_memory_kind(HOST))


def _is_large(x: Any) -> bool:
    return x.ndim > 0 and not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
