"""How are the runs of a sweep made? One program; its numbers are data; a thread a core."""

import dataclasses
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..training._trees import as_data, copied
from ..training.checkpoint.snapshot import arrays_of
from ..training.compiled.program import CHUNK, Program
from ..training.compiled.step import Carry
from ..training.loop.batch_statistics import settled
from ..training.loop.evaluation import average_of, evaluate
from ..training.loop.sources import Rows
from .finished import Key
from .grid import Grid
from .held_out import HUGE
from .table import Row


@dataclass(frozen=True)
class Runs:
    """All that the runs of a sweep share."""

    program: Program
    source: Rows
    valid: Any
    starts: Mapping[int, Carry]
    grid: Grid
    steps: int
    looks: tuple[int, ...]

    def make(self, keys: Sequence[Key]) -> Iterator[Row]:
        """The row of every run as it ends. The first is made alone: it compiles."""
        if not keys:
            return
        yield self.row(keys[0])
        pool = ThreadPoolExecutor(_workers())
        try:
            rows: list[Future[Row]] = [pool.submit(self.row, key) for key in keys[1:]]
            for row in as_completed(rows):
                yield row.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def row(self, key: Key) -> Row:
        """Train, look, and keep O(1) numbers."""
        program, carry, seen = self._program(key), self.first(key), []
        for step in self.looks:
            carry, failed = self._go(program, carry, step)
            if failed is not None:
                return row_of(key, seen, failed)
            seen.append((step, *self.look(carry)))
        return row_of(key, seen, None)

    def first(self, key: Key) -> Carry:
        """A run before its first step."""
        start, numbers = copied(self.starts[key[-1]]), self._program(key).hyperparams
        return start._replace(opt_state=self.program.compiled.start(start.params, numbers))

    def look(self, carry: Carry) -> tuple[float, float]:
        """The held-out loss of the weights and of their average."""
        average = average_of(carry)
        state = settled(self.program, carry, average, self.source.data)
        return self._loss(carry.params, carry.model_state), self._loss(average, state)

    def start_loss(self) -> float:
        losses = [self._loss(start.params, start.model_state) for start in self.starts.values()]
        return float(np.mean(losses))

    def identity(self) -> dict[str, Any]:
        """All that a row follows from, beside its key and the code of model and families.

        Rates and seeds may be added between two calls: what is new is made.
        """
        start = next(iter(self.starts.values()))
        arrays = {"train": self.source.data, "valid": self.valid, "start": start.params}
        return {
            "families": list(self.grid.families),
            "schedules": {name: list(fall or ()) for name, fall in self.grid.schedules.items()},
            "steps": self.steps,
            "batch_size": self.program.batch_size,
            "looks": len(self.looks),
            **dict(arrays_of(arrays)),
        }

    def _program(self, key: Key) -> Program:
        numbers = as_data(self.grid.numbers(key, self.steps))
        return dataclasses.replace(self.program, hyperparams=numbers)

    def _go(self, program: Program, carry: Carry, until: int) -> tuple[Carry, int | None]:
        """Take a run to a step; and the step that was not finite."""
        step = int(np.asarray(carry.step))
        while step < until:
            carry, _, finite, _ = self.source.advance(program, carry, min(CHUNK, until - step))
            step = int(np.asarray(carry.step))
            if not np.asarray(finite):
                return carry, step
        return carry, None

    def _loss(self, params: Any, model_state: Any) -> float:
        examples = self.program.problem.functions.examples
        loss = evaluate(examples, params, model_state, self.valid)["loss"]
        return loss if abs(loss) < HUGE else math.inf


def row_of(key: Key, seen: list[tuple[int, float, float]], failed: int | None) -> Row:
    """What a run leaves."""
    steps, raw, smooth = zip(*seen, strict=True) if seen else ((0,), (math.inf,), (math.inf,))
    at = int(np.argmin(raw))
    ends = (math.inf, math.inf) if failed is not None else (raw[-1], smooth[-1])
    return Row(*key, ends[0], raw[at], steps[at], ends[1], min(smooth), failed)


def _workers() -> int:
    """A thread a core, where the device is the CPU: a run of a small model keeps one busy."""
    return os.cpu_count() or 1 if jax.default_backend() == "cpu" else 1
