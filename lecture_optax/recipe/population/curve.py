"""The record of an arm, in memory that does not grow with its steps."""

import functools
import operator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

BLOCKS = 64
"""The number of blocks of training losses. When all are full, pairs of them are merged."""


class Evaluation(NamedTuple):
    """The change of an arm's validation loss since the start: negative is better.

    - `raw`: NaN where only the average of the weights was evaluated.
    - `movement`: the mean absolute change of the losses of single examples.
    - `losses`: of an arm with a fold, the changes of single examples or groups of them, with the
      raw and with the averaged weights.
    """

    step: int
    raw: float
    averaged: float
    movement: float = np.nan
    losses: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    @property
    def lowest(self) -> float:
        """The lower of both losses; infinite where only the average was evaluated."""
        return np.inf if np.isnan(self.raw) else min(self.raw, self.averaged)


@dataclass
class Curve:
    """The record of one arm.

    **Attributes**

    - `step`: the steps so far; `evaluations`: of the validation loss, in order; `rows_evaluated`:
      the examples that they took.
    - `width`, `means`: the training loss, averaged over blocks of `width` steps.
    - `levels`: `BLOCKS` means of every smaller width, the finest first: of width 1, 2, 4...
      Each begins at the start, so arms that ended early are compared in blocks as fine as theirs.
    - `failed`: the step whose loss, gradient or update was not finite, and which of them; `leaf`:
      the first parameter that was not finite after it, "" where all were.
    - `norm_steps`: the number of first steps over which `gradient`, the mean of |g|, and `update`,
      the mean of |Δθ|, are taken; `gradients`, `updates`: their sums.
    """

    step: int = 0
    evaluations: list[Evaluation] = field(default_factory=list)
    width: int = 1
    means: list[float] = field(default_factory=list)
    levels: list[float] = field(default_factory=list, repr=False)
    failed: tuple[int, str] | None = None
    leaf: str = ""
    norm_steps: int = 0
    gradients: float = 0.0
    updates: float = 0.0
    rows_evaluated: int = 0
    rest: list[np.ndarray] = field(default_factory=list, repr=False)

    @property
    def taken(self) -> int:
        """The step of its last gradient: one more than `step` if that one was not finite."""
        return max(self.step, self.failed[0] if self.failed else 0)

    @property
    def gradient(self) -> float:
        return self.gradients / max(1, min(self.step, self.norm_steps))

    @property
    def update(self) -> float:
        return self.updates / max(1, min(self.step, self.norm_steps))

    def record(self, losses: np.ndarray, gradients: np.ndarray, updates: np.ndarray) -> None:
        """Add the steps of a chunk."""
        first = max(0, self.norm_steps - self.step)
        self.gradients = _added(self.gradients, gradients[:first])
        self.updates = _added(self.updates, updates[:first])
        self.step += len(losses)
        waiting = np.concatenate([*self.rest, losses])
        while len(waiting) >= self.width:
            whole = len(waiting) // self.width
            room = min(whole, BLOCKS - len(self.means))
            blocks = waiting[: room * self.width].reshape(room, self.width)
            self.means += blocks.mean(1, dtype=np.float64).tolist()
            waiting = waiting[room * self.width :]
            if len(self.means) == BLOCKS:
                self._halve()
        self.rest = [waiting]

    def evaluate(self, found: Evaluation, rows: int) -> None:
        """Add an evaluation, which took so many examples."""
        self.evaluations.append(found)
        self.rows_evaluated += rows

    def blocks_to(self, step: int) -> tuple[int, list[float]]:
        """Return the width and means of the finest blocks that reach a step, or else `means`."""
        for level in range(len(self.levels) // BLOCKS):
            if BLOCKS * 2**level >= step:
                return 2**level, self.levels[BLOCKS * level : BLOCKS * (level + 1)]
        return self.width, self.means

    def loss_at(self, step: int) -> float:
        """Return the averaged loss at a step; infinite where it was not evaluated."""
        return next((x.averaged for x in reversed(self.evaluations) if x.step == step), np.inf)

    def _halve(self) -> None:
        self.width *= 2
        self.levels += self.means
        self.means = np.reshape(self.means, (-1, 2)).mean(1).tolist()


def _added(start: float, terms: np.ndarray) -> float:
    """Add one by one, so that the sum has the same bits wherever a chunk ends."""
    return functools.reduce(operator.add, terms.tolist(), start)
