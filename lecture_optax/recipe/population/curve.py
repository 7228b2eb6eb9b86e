"""What does an arm record, in memory that does not grow with its steps?"""

import functools
import operator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

BLOCKS = 64
"""Blocks of training losses that are kept; when they are full, pairs of them become one."""


class Evaluation(NamedTuple):
    """What held-out rows say of an arm: how much its loss has changed since the start.

    Negative is better. `raw` is NaN where only the average was looked at.
    """

    step: int
    raw: float
    averaged: float


@dataclass
class Curve:
    """The record of one arm.

    **Attributes**

    - `step`: how far it is; `evaluations`: at held-out rows, in order.
    - `width`, `means`, `lows`, `highs`: of the training loss, over blocks of `width` steps.
    - `levels`: `BLOCKS` means of every width before this one, the finest first: of width 1, 2, 4...
      Each begins at the start, so arms that ended early are compared in blocks as fine as theirs.
    - `failed`: the step whose loss, gradient or update was not finite, and which of them; `leaf`:
      the first parameter that was not finite after it, "" where all were.
    - `opening`: so many steps, from the start, make the means `gradient` of |g| and `update` of
      |Δθ|; `gradients`, `updates`: their sums.
    """

    step: int = 0
    evaluations: list[Evaluation] = field(default_factory=list)
    width: int = 1
    means: list[float] = field(default_factory=list)
    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)
    levels: list[float] = field(default_factory=list, repr=False)
    failed: tuple[int, str] | None = None
    leaf: str = ""
    opening: int = 0
    gradients: float = 0.0
    updates: float = 0.0
    rest: list[np.ndarray] = field(default_factory=list, repr=False)

    @property
    def gradient(self) -> float:
        return self.gradients / max(1, min(self.step, self.opening))

    @property
    def update(self) -> float:
        return self.updates / max(1, min(self.step, self.opening))

    def record(self, losses: np.ndarray, gradients: np.ndarray, updates: np.ndarray) -> None:
        """Add the steps of a chunk."""
        first = max(0, self.opening - self.step)
        self.gradients = _added(self.gradients, gradients[:first])
        self.updates = _added(self.updates, updates[:first])
        self.step += len(losses)
        waiting = np.concatenate([*self.rest, losses])
        while len(waiting) >= self.width:
            whole = len(waiting) // self.width
            room = min(whole, BLOCKS - len(self.means))
            self._add(waiting[: room * self.width].reshape(room, self.width))
            waiting = waiting[room * self.width :]
            if len(self.means) == BLOCKS:
                self._halve()
        self.rest = [waiting]

    def blocks_to(self, step: int) -> tuple[int, list[float]]:
        """The finest means that reach so far, and their width; those of now if none does."""
        for level in range(len(self.levels) // BLOCKS):
            if BLOCKS * 2**level >= step:
                return 2**level, self.levels[BLOCKS * level : BLOCKS * (level + 1)]
        return self.width, self.means

    def at(self, step: int) -> float:
        """The averaged loss at a step that was looked at; infinite where it was not."""
        return next((x.averaged for x in reversed(self.evaluations) if x.step == step), np.inf)

    def _add(self, blocks: np.ndarray) -> None:
        self.means += blocks.mean(1, dtype=np.float64).tolist()
        self.lows += blocks.min(1).tolist()
        self.highs += blocks.max(1).tolist()

    def _halve(self) -> None:
        self.width *= 2
        self.levels += self.means
        pairs = [np.reshape(x, (-1, 2)) for x in (self.means, self.lows, self.highs)]
        self.means = pairs[0].mean(1).tolist()
        self.lows, self.highs = pairs[1].min(1).tolist(), pairs[2].max(1).tolist()


def _added(start: float, terms: np.ndarray) -> float:
    """One by one: wherever a chunk ends, the sum has the same bits."""
    return functools.reduce(operator.add, terms.tolist(), start)
