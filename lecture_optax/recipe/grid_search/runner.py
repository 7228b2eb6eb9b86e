"""How many runs of a sweep go side by side, and how? On an accelerator, as many as are faster.

A step of a small model is dozens of small kernels, between which an accelerator waits. Side by side
(`vmap`) runs share them. Nothing like it pays on a CPU, where a product of small matrices with a
batch axis is slow: 16 lanes take what 15 runs take alone, and one takes what five do. There, a
thread a core (`runs.py`).

A search has no lanes. Only in its rungs do arms not wait for each other: lanes that cost nothing
would make it 1.4 times as fast at a budget of 1.5, 1.1 to 1.2 times from 3 on. And products with a
batch axis round differently: `Result.code` would not give its bits.
"""

import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ...training._cached import cached
from ...training._trees import as_data, copied
from ...training.checkpoint.snapshot import arrays_of
from ...training.compiled.program import CHUNK, Program
from ...training.compiled.step import Carry
from ...training.loop.batch_statistics import settled
from ...training.loop.evaluation import average_of, evaluate
from ...training.loop.sources import Rows
from ..population.held_out import HUGE
from ..population.population import SHARE, bytes_of, free_bytes
from .grid import Grid, Key
from .results import Row

TRIED = (4, 16, 64, 256)
"""Lanes that are measured, as long as they pay."""

PAYS = 0.8
"""More lanes must lower the time of a run to .8: every number of them is compiled."""

STEPS = 32
"""Steps that are timed."""

COPIES = 4
"""A carry, the next one, its gradient, and what a step needs in between."""


def fastest(runs: "Runs", keys: Sequence[Key]) -> int:
    """The lanes with the least time a run, by a short measurement; 1 on a CPU."""
    start = next(iter(runs.starts.values()))
    if jax.default_backend() == "cpu" or len(keys) < TRIED[0]:
        return 1
    slow = min(keys, key=lambda key: key[1])  # a rate at which steps are finite
    best, least = 1, seconds_of(runs, [slow])
    for lanes in TRIED:
        room = COPIES * lanes * bytes_of(runs.first(slow)) < SHARE * free_bytes(start.key.devices())
        if lanes > len(keys) or not room:
            break
        each = seconds_of(runs, [slow] * lanes) / lanes
        if each > PAYS * least:
            break
        best, least = lanes, each
    return best


def seconds_of(runs: "Runs", keys: Sequence[Key]) -> float:
    """Of some steps of these runs side by side, compiled before."""
    numbers, carry = _numbers(runs, keys), _stacked([runs.first(key) for key in keys])
    carry, *_ = jax.block_until_ready(_advance(runs, carry, numbers, 1))
    began = time.perf_counter()
    jax.block_until_ready(_advance(runs, carry, numbers, STEPS))
    return time.perf_counter() - began


def side_by_side(runs: "Runs", keys: Sequence[Key], lanes: int) -> Iterator[Row]:
    """The row of every run, `lanes` at a time. The last lanes may run a run twice: one program."""
    for i in range(0, len(keys), lanes):
        group = keys[i : i + lanes]
        yield from rows_of(runs, [*group, *[group[-1]] * (lanes - len(group))])[: len(group)]


def rows_of(runs: "Runs", keys: Sequence[Key]) -> list[Row]:
    """Train them together, look at each by itself. A lane stops at its first step not finite."""
    numbers, carry = _numbers(runs, keys), _stacked([runs.first(key) for key in keys])
    seen: list[list[Any]] = [[] for _ in keys]
    failed = np.full(len(keys), math.inf)
    done = 0
    for step in runs.evaluations:
        while done < step and np.isinf(failed).any():
            steps = min(CHUNK, step - done)
            carry, _, finite, _ = _advance(runs, carry, numbers, steps)
            now = np.where(np.asarray(finite), math.inf, np.asarray(carry.step))
            failed, done = np.minimum(failed, now), done + steps
        for i, lane in enumerate(_each(carry)):
            if np.isinf(failed[i]):
                seen[i].append((step, *runs.evaluation(lane)))
    ends = [None if np.isinf(step) else int(step) for step in failed]
    return [row_of(*row) for row in zip(keys, seen, ends, strict=True)]


def _advance(runs: "Runs", carry: Carry, numbers: Any, steps: int) -> Any:
    chunk = _wide(runs.program.compiled.chunk)
    return chunk(carry, runs.source.data, None, numbers, np.int32(steps))


@cached
def _wide(chunk: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(jax.vmap(chunk, (0, None, None, 0, None)), donate_argnums=0)


def _numbers(runs: "Runs", keys: Sequence[Key]) -> Any:
    return _stacked([as_data(runs.grid.numbers(key, runs.steps)) for key in keys])


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *x: jax.numpy.stack(x), *trees)


def _each(carry: Carry) -> Iterator[Carry]:
    """Lane by lane, from one copy out of the device."""
    host = jax.device_get(carry._replace(key=None))
    for i in range(len(host.step)):
        yield jax.tree.map(lambda x, i=i: x[i], host)._replace(key=carry.key[i])


@dataclass(frozen=True)
class Runs:
    """All that the runs of a sweep share."""

    program: Program
    source: Rows
    valid: Any
    starts: Mapping[int, Carry]
    grid: Grid
    steps: int
    evaluations: tuple[int, ...]

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
        for step in self.evaluations:
            carry, failed = self._go(program, carry, step)
            if failed is not None:
                return row_of(key, seen, failed)
            seen.append((step, *self.evaluation(carry)))
        return row_of(key, seen, None)

    def first(self, key: Key) -> Carry:
        """A run before its first step."""
        start, numbers = copied(self.starts[key[-1]]), self._program(key).hyperparams
        return start._replace(opt_state=self.program.compiled.start(start.params, numbers))

    def evaluation(self, carry: Carry) -> tuple[float, float]:
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
            "optimizers": list(self.grid.optimizers),
            "schedules": {name: list(decay or ()) for name, decay in self.grid.schedules.items()},
            "steps": self.steps,
            "batch_size": self.program.batch_size,
            "evaluations": len(self.evaluations),
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
