"""Training of the runs of a sweep: each alone, or several vectorized in one program.

On a CPU each core trains one run at a time; on an accelerator lanes may pay (`lanes.py`).
"""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ...training._trees import as_data, copied
from ...training.checkpoint.identity import arrays_of, identity_of_program
from ...training.compiled.program import Program, first_opt_state
from ...training.compiled.step import Carry
from ...training.loop.advance import advance_until
from ...training.loop.batch_statistics import recompute_batch_statistics
from ...training.loop.evaluation import averaged_params, evaluate
from ...training.loop.loop import next_length
from ...training.loop.nonfinite import StateWatch
from ...training.loop.sources import ArraySource
from ..population.held_out import DIVERGED
from ..population.lanes import advance_lanes, best_lane_count, stacked
from ..population.population import on_device
from .grid import Grid, Key
from .results import Row

Losses = list[tuple[int, float, float]]
"""Step, validation loss of the raw weights and of the averaged ones, for each evaluation."""


@dataclass(frozen=True)
class Runs:
    """What the runs of a sweep share, and two ways to train them: alone or vectorized.

    It is a worker (`execution/executor.py`): a job is the keys of runs that are trained together.
    """

    program: Program
    source: ArraySource
    valid: Any
    starts: Mapping[int, Carry]
    grid: Grid
    steps: int
    evaluations: tuple[int, ...]

    def run(
        self, keys: Sequence[Key], state: None, poll: Callable[[], None]
    ) -> tuple[list[Row], dict[str, Any]]:
        """Train runs, one alone and several vectorized."""
        return [self.row(keys[0], poll)] if len(keys) == 1 else self.rows(keys, poll), {}

    def placed_on(self, device: Any) -> "Runs":
        """Return these runs with all arrays on a device."""
        program, source = on_device(self.program, self.source, device)
        valid, starts = jax.device_put((self.valid, self.starts), device)
        return dataclasses.replace(self, program=program, source=source, valid=valid, starts=starts)

    def groups(self, keys: Sequence[Key], lanes: int) -> list[list[Key]]:
        """Return the runs of every job. The last repeats a run, to use the same program."""
        groups = [list(keys[i : i + lanes]) for i in range(0, len(keys), lanes)]
        return [group + [group[-1]] * (lanes - len(group)) for group in groups]

    def row(self, key: Key, poll: Callable[[], None]) -> Row:
        """Train and evaluate one run."""
        program = dataclasses.replace(self.program, hyperparams=self._hyperparams(key))
        carry, losses, done, length = self.first(key), [], 0, 1
        for step in self.evaluations:
            failure = None
            while done < step and failure is None:
                poll()
                steps, began = min(length, step - done), time.perf_counter()
                carry, _, failure, _ = advance_until(program, self.source, carry, done + steps)
                length = next_length(steps, length, time.perf_counter() - began)
                done += steps
            if failure is not None or self._watch.fault(carry.model_state):
                return row_of(key, losses, failure.step if failure else step)
            losses.append((step, *self.evaluation(carry)))
        return row_of(key, losses, None)

    def rows(self, keys: Sequence[Key], poll: Callable[[], None]) -> list[Row]:
        """Train runs together and evaluate each; a lane stops at its first step not finite."""
        carry = stacked([self.first(key) for key in keys])
        hyperparams = stacked([self._hyperparams(key) for key in keys])
        losses: list[Losses] = [[] for _ in keys]
        failed = np.full(len(keys), math.inf)
        done, length = 0, 1
        for step in self.evaluations:
            while done < step and np.isinf(failed).any():
                poll()
                steps, began = min(length, step - done), time.perf_counter()
                given = self.program, self.source, carry, hyperparams, [steps] * len(keys)
                carry, _, finite, _ = advance_lanes(*given)
                now = np.where(np.asarray(finite), math.inf, np.asarray(carry.step))
                failed, done = np.minimum(failed, now), done + steps
                length = next_length(steps, length, time.perf_counter() - began)
            for i, lane in enumerate(_split(carry)):
                if np.isinf(failed[i]) and self._watch.fault(lane.model_state):
                    failed[i] = step
                if np.isinf(failed[i]):
                    losses[i].append((step, *self.evaluation(lane)))
        ends = [None if np.isinf(step) else int(step) for step in failed]
        return [row_of(*row) for row in zip(keys, losses, ends, strict=True)]

    def best_lane_count(self, keys: Sequence[Key]) -> int:
        """Measure which number of lanes has the shortest time per run; 1 on a CPU."""
        slow = min(keys, key=lambda key: key[1], default=next(iter(self.grid)))  # stays finite
        numbers = self._hyperparams(slow)
        return best_lane_count(self.program, self.source, self.first(slow), numbers, len(keys))

    def first(self, key: Key) -> Carry:
        """Return the carry of a run before its first step."""
        start = copied(self.starts[key[-1]])
        opt_state = first_opt_state(self.program, start.params, self._hyperparams(key))
        return start._replace(opt_state=opt_state)

    def evaluation(self, carry: Carry) -> tuple[float, float]:
        """Return the validation loss of the raw weights and of the averaged ones."""
        average = averaged_params(carry)
        state = recompute_batch_statistics(self.program, carry, average, self.source.data)
        return self._loss(carry.params, carry.model_state), self._loss(average, state)

    def start_loss(self) -> float:
        """Return the mean validation loss over the seeds before the first step."""
        losses = [self._loss(start.params, start.model_state) for start in self.starts.values()]
        return float(np.mean(losses))

    def identity(self) -> dict[str, Any]:
        """Return what determines a row, except its key.

        Learning rates and seeds may be added to a sweep, so they are not part of it.
        """
        key, source = next(iter(self.grid)), self.source
        program = dataclasses.replace(self.program, hyperparams=self._hyperparams(key))
        arrays = {"train": source.data, "sample_weight": source.sample_weight, "valid": self.valid}
        return {
            "optimizers": list(self.grid.optimizers),
            "schedules": {name: list(decay or ()) for name, decay in self.grid.schedules.items()},
            "steps": self.steps,
            "evaluations": len(self.evaluations),
            **({"accumulate": program.accumulate} if program.accumulate > 1 else {}),
            **dict(arrays_of(arrays)),
            **identity_of_program(program, self.first(key), self.valid),
        }

    @functools.cached_property
    def _watch(self) -> StateWatch:
        return StateWatch(next(iter(self.starts.values())).model_state)

    def _hyperparams(self, key: Key) -> dict[str, Any]:
        return as_data(self.grid.hyperparams(key, self.steps))

    def _loss(self, params: Any, model_state: Any) -> float:
        examples = self.program.problem.functions.examples
        loss = evaluate(examples, params, model_state, self.valid)["loss"]
        return loss if abs(loss) < DIVERGED else math.inf


def _split(carry: Carry) -> Iterator[Carry]:
    """Yield the lanes, from one copy of all on the host."""
    host = jax.device_get(carry._replace(key=None))
    for i in range(len(host.step)):
        yield jax.tree.map(lambda x, i=i: x[i], host)._replace(key=carry.key[i])


def row_of(key: Key, losses: Losses, failed: int | None) -> Row:
    """Return the row of a run from its evaluations and the step that was not finite, if any."""
    steps, raw, averaged = zip(*losses, strict=True) if losses else ((0,), (math.inf,), (math.inf,))
    at = int(np.argmin(raw))
    ends = (math.inf, math.inf) if failed is not None else (raw[-1], averaged[-1])
    return Row(*key, ends[0], raw[at], steps[at], ends[1], min(averaged), failed)
