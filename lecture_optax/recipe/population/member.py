"""An arm of a search with its record and its states."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...training.loop.sources import Place
from .arms import Arm
from .curve import Curve


class Candidate(NamedTuple):
    """Evaluated weights: the change of their loss since the start, and where they come from.

    - `weights`: the parameters and the model state, or the state of a pool that has them.
    """

    loss_change: float
    step: int
    arm: Arm
    is_average: bool
    weights: Any = None

    @property
    def params(self) -> Any:
        return self.weights[0]

    @property
    def model_state(self) -> Any:
        return self.weights[1]

    @property
    def order(self) -> tuple[float, int, str]:
        """The best is the least; among equals, the one that needed the fewest steps."""
        return self.loss_change, self.step, self.arm.name


@dataclass
class Member:
    """An arm: its record, and its states, which wait where it ran (`execution/`).

    A copy, also in another process, has the record only: states travel beside it.

    - `carry`: all that its next step needs, without the key, which all arms share; None before the
      first step.
    - `branches`: carries to branch from, by step.
    - `best`: its best evaluated weights, by whether they are averaged.
    - `places`: where a stream was after steps from which the arm, or a branch of it, continues.
    """

    curve: Curve = field(default_factory=Curve)
    carry: Any = field(default=None, repr=False)
    branches: dict[int, Any] = field(default_factory=dict, repr=False)
    best: dict[bool, Candidate] = field(default_factory=dict, repr=False)
    places: dict[int, Place] = field(default_factory=dict, repr=False)

    @property
    def is_finite(self) -> bool:
        return self.curve.failed is None

    def __reduce__(self) -> tuple[Any, ...]:
        best = {kind: x._replace(weights=None) for kind, x in self.best.items()}
        return Member, (self.curve, None, {}, best, self.places)

    @property
    def states(self) -> dict[str, Any]:
        """Its states by name."""
        kinds = {"averaged" if kind else "raw": x.weights for kind, x in self.best.items()}
        named = {
            "carry": self.carry,
            **{f"branch {k}": x for k, x in self.branches.items()},
            **kinds,
        }
        return {name: x for name, x in named.items() if x is not None}

    def take(self, other: "Member", states: dict[str, Any]) -> None:
        """Become as a copy is after a segment, with the states that it has made."""
        if other is self:  # it ran in this process
            return
        self.curve, self.carry = other.curve, states.get("carry", self.carry)
        self.places = other.places
        for name, state in states.items():
            if name.startswith("branch "):
                self.branches[int(name.removeprefix("branch "))] = state
        for kind, name in ((False, "raw"), (True, "averaged")):
            if name in states:
                self.best[kind] = other.best[kind]._replace(weights=states[name])
