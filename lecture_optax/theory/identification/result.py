"""The result of `identify`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Deviation:
    """Where a stream first differs from the nearest method: the step, the leaf, and by how much."""

    step: int
    leaf: str
    error: float


@dataclass(frozen=True)
class Identification:
    """Which method made a stream of updates.

    - `name`: the method, as "adam"; None for "none of these".
    - `chain`: Python that builds it with this library, runnable; of the nearest method if `name` is
      None, or "".
    - `hyperparameters`: by name, as `{"b1": 0.9}`; `learning_rates`: τ(k), one for each step.
    - `schedule`: the shape of τ(k): "constant", "cosine", ...; None if it has no known one.
    - `same_as`: other methods that make the same updates on this stream.
    - `would_decide`: which data would tell them apart.
    - `error`: the largest difference between the stream and the chain, relative to the updates.
    - `deviation`: for "none of these", where the nearest method first differs.
    - `reason`: for "none of these", why.
    """

    name: str | None
    chain: str
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    learning_rates: Any = None
    schedule: str | None = None
    same_as: tuple[str, ...] = ()
    would_decide: tuple[str, ...] = ()
    error: float = float("nan")
    deviation: Deviation | None = None
    reason: str = ""
