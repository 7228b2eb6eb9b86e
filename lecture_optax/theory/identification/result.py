"""The result of `identify`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._core.types import Transformation


@dataclass(frozen=True)
class Deviation:
    """Where a stream first differs from the nearest method: the step, the leaf, and by how much.

    `error` is |recorded - expected| / |expected| of the entry that differs most there.
    """

    step: int
    leaf: str
    error: float


@dataclass(frozen=True)
class Identification:
    """Which method made a stream of updates.

    - `name`: the method, as "adam"; None for "none of these".
    - `chain`: a Python expression that builds it, of `lo`, `optax`, `jax` and `jnp`. If `name` is
      None it is the method of the first `steps` steps, or one that is near, or "" if none is.
      `optimizer` builds it.
    - `hyperparameters`: by name, as `{"b1": 0.9}`; `learning_rates`: τ(k), one for each step.
    - `steps`: how many steps, from the first, the chain makes up to rounding.
    - `unused`: why the steps after these were not compared, or "".
    - `schedule`: the shape of τ(k): "constant", "cosine", ...; "free" if it follows no known one.
    - `intervals`: the hyperparameters that the stream does not decide: `{"eps": (low, high)}`.
    - `same_as`: other methods that make the same updates on this stream.
    - `would_decide`: which data would tell them apart.
    - `error`: the largest difference between the stream and the chain, relative to the largest
      update of its leaf and step.
    - `deviation`: for "none of these", where the chain first differs.
    - `by_leaf`: for "none of these", the method of each leaf by itself, where each leaf has one.
    - `reason`: for "none of these", why.
    """

    name: str | None
    chain: str
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    learning_rates: Any = None
    schedule: str | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    same_as: tuple[str, ...] = ()
    would_decide: tuple[str, ...] = ()
    error: float = float("nan")
    deviation: Deviation | None = None
    reason: str = ""
    steps: int = 0
    unused: str = ""
    by_leaf: Mapping[str, str] = field(default_factory=dict)

    @property
    def optimizer(self) -> Transformation:
        """The transformation that `chain` builds."""
        if not self.chain:
            raise ValueError(f"there is no chain: {self.reason}")
        import jax
        import jax.numpy as jnp
        import optax

        lo = sys.modules[__name__.partition(".")[0]]  # `from ... import` would import upwards
        return eval(self.chain, {"lo": lo, "optax": optax, "jax": jax, "jnp": jnp})

    def __str__(self) -> str:
        sentences = self._refusal() if self.name is None else self._answer()
        text = " ".join([*sentences, *filter(None, [self.unused])])
        return f"{text}\n\n{self.chain}" if self.chain else text

    @property
    def numbers(self) -> str:
        """The learning rate and the hyperparameters, in words."""
        numbers = ", ".join(
            f"{name} = {value:g}" if name in self.intervals else f"{name} = {value!r}"
            for name, value in self.hyperparameters.items()
        )
        rate = {"free": "a learning rate that follows no known schedule"}.get(
            str(self.schedule), f"the schedule: {self.schedule}"
        )
        if self.schedule == "constant":
            rate = f"learning rate {float(self.learning_rates[0])!r}"
        return ", ".join(filter(None, [rate, numbers]))

    def _answer(self) -> list[str]:
        said = [f"This is {self.name} with {self.numbers}."]
        said += [_undecided(name, *ends) for name, ends in self.intervals.items()]
        if self.same_as:
            said.append(f"The same on this stream: {'; '.join(self.same_as)}.")
        if self.would_decide:
            said.append(f"To decide: {'; '.join(self.would_decide)}.")
        return said

    def _refusal(self) -> list[str]:
        said = [f"None of these: {self.reason}."]
        if self.deviation is not None:
            at = self.deviation
            said.append(
                f"The chain first differs at step {at.step} in {at.leaf}, by {at.error:.1e} of the "
                "update."
            )
        return said


def _undecided(name: str, low: float, high: float) -> str:
    if low == 0:
        return f"{name} is below {high:.1e}: these gradients do not decide it."
    return f"{name} is between {low:.6g} and {high:.6g}: this stream does not decide it."
