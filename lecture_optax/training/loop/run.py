"""A run, its history, and the protocols of hooks, callbacks and sources of batches.

What is built around the loop is a hook: a function of one `Event`, called after every chunk (a
quarter of a second) and once before the first.

    hook(event)     event.run         the `Run`: carry, steps, history, best, evaluations, stopped
                    event.step        steps done
                    event.records     {"loss": array, ...} of the steps since the last event
                    event.evaluation  {"step": ..., "valid_loss": ..., ...}, or None

A checkpoint saves `run.carry`, `run.best` and `run.history`, and resumes by writing them back
before `run_loop(run, source, hooks=...)`. The next chunk donates `run.carry`: copy what you keep. A
hook may raise (`SystemExit(143)`): the run stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ..._core import validate
from ..compiled.program import Program
from ..compiled.step import Carry
from .evaluation import Best


@dataclass(repr=False)
class History:
    """The records of a run, by name; `history["loss"]` is one array.

    **Attributes**

    - `per_step`: one value a step of `loss`, `grad_norm`, `update_norm`, `update_ratio` and
      `learning_rate`.
    - `interval`: the steps between two full records, 1 for a model of up to a million parameters.
      For a larger one, `grad_norm`, `update_norm` and `update_ratio` are known at the steps
      1, 1 + `interval`, 1 + 2 `interval`, ..., at every evaluation of a validation set and at the
      last step, and NaN between: `np.isfinite` selects them. A gradient and an update are repeated
      for each, which takes their memory once more for that moment.
    - `evaluations`: one dict an evaluation: `step`, `train_loss`, and what was evaluated there
      (`valid_loss`, `valid_accuracy`, `averaged_loss`, ...).
    - `ratios`: at every evaluation with a full record, the step and the update/weight ratio of each
      leaf.
    - `means`: of a search, in place of `per_step`: the means of `loss` over blocks of steps, the
      last `step` of each block, and the `learning_rate` there.
    """

    blocks: list[dict[str, np.ndarray]] = field(default_factory=list, repr=False)
    evaluations: list[dict[str, float]] = field(default_factory=list, repr=False)
    ratios: list[tuple[int, np.ndarray]] = field(default_factory=list, repr=False)
    means: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    interval: int = 1

    def __repr__(self) -> str:
        names = ", ".join(columns_of(self.evaluations)) or "nothing"
        every = f", norms every {self.interval}th step" if self.interval > 1 else ""
        return (
            f"History of {len(self):,} steps ({', '.join(self.per_step) or 'nothing'}{every}) and "
            f"{len(self.evaluations)} evaluations ({names}): history['loss'] is one of these arrays"
        )

    @property
    def per_step(self) -> dict[str, np.ndarray]:
        if len(self.blocks) > 1:  # joined once, not at every access
            self.blocks[:] = [_joined(self.blocks)]
        return dict(self.blocks[0]) if self.blocks else {}

    def __getitem__(self, name: str) -> np.ndarray:
        columns = {**self.per_step, **columns_of(self.evaluations)}
        if name in columns:
            return columns[name]
        recorded = ", ".join(map(repr, columns)) or "nothing"
        raise KeyError(f"{name!r} was not recorded. Recorded: {recorded}.")

    def __contains__(self, name: object) -> bool:
        recorded = [*self.blocks[:1], *self.evaluations]
        return any(name in names for names in recorded)

    def __len__(self) -> int:
        """Return the number of steps."""
        return sum(len(block["loss"]) for block in self.blocks)

    def since(self, step: int) -> np.ndarray:
        """Return the losses after a step, without joining those before."""
        validate.steps(least=0, traced=False, step=step)
        wanted, found = len(self) - int(step), []
        for block in reversed(self.blocks):
            if wanted <= 0:
                break
            found.append(block["loss"][-wanted:])
            wanted -= len(found[-1])
        return np.concatenate(found[::-1]) if found else np.zeros(0)

    def cut(self, step: int) -> None:
        """Remove what was recorded after a step."""
        excess = len(self) - step
        while excess > 0:
            block = self.blocks.pop()
            rest = len(block["loss"]) - excess
            if rest > 0:
                self.blocks.append({name: x[:rest] for name, x in block.items()})
            excess = -rest
        self.evaluations[:] = [line for line in self.evaluations if line["step"] <= step]
        self.ratios[:] = [pair for pair in self.ratios if pair[0] <= step]


def _joined(blocks: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the columns of all blocks; NaN where one has no such column.

    An optimizer of which the learning rate is known may follow one of which it is not.
    """
    names = dict.fromkeys(name for block in blocks for name in block)
    missing = [np.full_like(block["loss"], np.nan) for block in blocks]
    return {
        name: np.concatenate([x.get(name, nan) for x, nan in zip(blocks, missing, strict=True)])
        for name in names
    }


def columns_of(evaluations: Sequence[Mapping[str, float]]) -> dict[str, np.ndarray]:
    """Return one array a name; NaN where an evaluation has no such value."""
    names = dict.fromkeys(name for line in evaluations for name in line)
    return {name: np.array([line.get(name, np.nan) for line in evaluations]) for name in names}


@dataclass
class Run:
    """All state of a run. To resume it, restore `carry`, `history` and `best`.

    - `evaluations`: the steps after which the run is evaluated.
    - `stopped`: the name of the callback that stopped the run, or None.
    - `backup`: whether the loop keeps a copy of the carry; None before it has decided.
    """

    program: Program
    carry: Carry
    steps: int
    evaluations: tuple[int, ...]
    valid: Any = None
    history: History = field(default_factory=History)
    best: Best | None = None
    stopped: str | None = None
    backup: bool | None = None

    @property
    def step(self) -> int:
        return int(np.asarray(self.carry.step))

    @property
    def is_evaluated(self) -> bool:
        """Whether the evaluation that is due at this step, if any, is done."""
        done = self.history.evaluations
        return self.step not in self.evaluations or (bool(done) and done[-1]["step"] == self.step)


Norms = Literal["every step", "first step", "no step"]
"""The steps of a call whose gradient, update and parameters are measured: see `Compiled.record`."""


class Event(NamedTuple):
    """What a hook receives after every chunk.

    - `run`: the run; copy what you keep of `run.carry`.
    - `step`: the number of steps done.
    - `records`: of the steps since the last event, one array a name; see `History.interval`.
    - `evaluation`: the evaluation after this chunk, or None.
    """

    run: Run
    step: int
    records: Mapping[str, np.ndarray]
    evaluation: Mapping[str, float] | None


Hook = Callable[[Event], Any]
Callback = Callable[[Mapping[str, Any]], Any]


@runtime_checkable
class Source(Protocol):
    """A source of batches.

    - `data`, `sample_weight`: all examples, on the device, and their weights. `data` is None for an
      iterable, whose batches cannot be taken again from an earlier carry.
    - `cause`: what was not finite in a batch of an iterable, in words.
    """

    @property
    def data(self) -> Any: ...

    @property
    def sample_weight(self) -> Any: ...

    @property
    def cause(self) -> str: ...

    def advance(
        self, program: Program, carry: Carry, steps: int, norms: Norms = "every step"
    ) -> Any:
        """Take `steps` steps, and return (carry, table, finite, ratios).

        Takes fewer where no more batches come; then the next call raises.
        """
