"""A run: where it stands, what its hooks are told, and where its batches come from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ..compiled.program import Program
from ..compiled.step import Carry
from .evaluation import Best


@dataclass
class History:
    """The records of a run, by name; `history["loss"]` is one array.

    **Attributes**

    - `per_step`: one value a step of `loss`, `grad_norm`, `update_norm`, `update_ratio` and
      `learning_rate`.
    - `evaluations`: per evaluate_run, `step`, and what was evaluated there: `valid_loss`, `valid_accuracy`,
      `averaged_loss`, ...
    - `ratios`: at every look, the update/weight ratio of each leaf: pairs of a step and an array.
    """

    blocks: list[dict[str, np.ndarray]] = field(default_factory=list, repr=False)
    evaluations: list[dict[str, float]] = field(default_factory=list, repr=False)
    ratios: list[tuple[int, np.ndarray]] = field(default_factory=list, repr=False)

    @property
    def per_step(self) -> dict[str, np.ndarray]:
        names = self.blocks[0] if self.blocks else {}
        return {name: np.concatenate([block[name] for block in self.blocks]) for name in names}

    def __getitem__(self, name: str) -> np.ndarray:
        columns = columns_of(self.evaluations)
        if name in columns:
            return columns[name]
        if self.blocks and name in self.blocks[0]:
            return np.concatenate([block[name] for block in self.blocks])
        recorded = ", ".join(map(repr, [*columns, *(self.blocks[0] if self.blocks else ())]))
        raise KeyError(f"{name!r} was not recorded; there is {recorded or 'nothing'}")

    def __contains__(self, name: object) -> bool:
        recorded = [*self.blocks[:1], *self.evaluations]
        return any(name in names for names in recorded)

    def __len__(self) -> int:
        """The number of steps."""
        return sum(len(block["loss"]) for block in self.blocks)

    def since(self, step: int) -> np.ndarray:
        """The losses from a step on, without joining what came before."""
        wanted, found = len(self) - step, []
        for block in reversed(self.blocks):
            if wanted <= 0:
                break
            found.append(block["loss"][-wanted:])
            wanted -= len(found[-1])
        return np.concatenate(found[::-1]) if found else np.zeros(0)

    def cut(self, step: int) -> None:
        """Forget what came after a step."""
        excess = len(self) - step
        while excess > 0:
            block = self.blocks.pop()
            rest = len(block["loss"]) - excess
            if rest > 0:
                self.blocks.append({name: x[:rest] for name, x in block.items()})
            excess = -rest
        self.evaluations[:] = [line for line in self.evaluations if line["step"] <= step]
        self.ratios[:] = [pair for pair in self.ratios if pair[0] <= step]


def columns_of(evaluations: Sequence[Mapping[str, float]]) -> dict[str, np.ndarray]:
    """Return one array a name; NaN where an evaluation has no such value."""
    names = dict.fromkeys(name for line in evaluations for name in line)
    return {name: np.array([line.get(name, np.nan) for line in evaluations]) for name in names}


@dataclass
class Run:
    """All that a run is made of. To resume it, restore `carry`, `history` and `best`.

    `carry` is donated by the next chunk: a hook copies what it keeps.
    """

    program: Program
    carry: Carry
    steps: int
    evaluations: tuple[int, ...]
    valid: Any = None
    history: History = field(default_factory=History)
    best: Best | None = None
    stopped: str | None = None

    @property
    def step(self) -> int:
        return int(np.asarray(self.carry.step))

    @property
    def is_evaluated(self) -> bool:
        """Whether the look that is due at this step has been taken."""
        done = self.history.evaluations
        return self.step not in self.evaluations or (bool(done) and done[-1]["step"] == self.step)


class Event(NamedTuple):
    """What a hook is told, after every chunk.

    - `run`: the whole of it, as it stands.
    - `step`: the number of steps done.
    - `records`: of the steps since the last moment, one array a name.
    - `evaluate_run`: what held-out data said, where they were looked at after this chunk.
    """

    run: Run
    step: int
    records: Mapping[str, np.ndarray]
    evaluation: Mapping[str, float] | None


Hook = Callable[[Event], Any]
Callback = Callable[[Mapping[str, Any]], Any]


@runtime_checkable
class Source(Protocol):
    """Where batches come from: takes so many steps, and gives (carry, table, finite, ratios).

    Fewer where no more batches come; it raises at the next call, when all before is recorded.
    """

    def advance(self, program: Program, carry: Carry, steps: int) -> Any: ...
