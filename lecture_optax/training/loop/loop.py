"""The training loop: chunks of compiled steps, with evaluations and hooks between them."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._trees import copied
from ..compiled.processes import Processes
from ..compiled.program import CHUNK
from ..compiled.step import Carry
from .advance import advance_until
from .batch_statistics import batch_statistics_for
from .evaluation import evaluate_run, update_best
from .nonfinite import (
    STATE,
    Failure,
    NonFiniteError,
    StateWatch,
    last_finite,
    nonfinite_cause,
    nonfinite_message,
    state_message,
)
from .run import Callback, Event, Hook, Run, Source

SECONDS = 0.25
"""The time a chunk should take: how often progress is shown, and how fast a run stops."""

BACKUP_SECONDS = 2.0
"""The time between two copies of the carry, to return to when a step is not finite."""


def run_loop(
    run: Run,
    source: Source,
    *,
    callbacks: Sequence[Callback] = (),
    hooks: Sequence[Hook] = (),
    poll: Callable[[], None] = lambda: None,
) -> Run:
    """Train from the current step of `run` to its end.

    **Arguments**

    - `callbacks`: called with a record after every evaluation. One that returns True stops the run.
      Evaluations are at fixed steps, chunks are not: so a resumed run stops at the same step.
    - `hooks`: called with an `Event` after every chunk, and once before the first.
    - `poll`: called between the batches of an evaluation.

    **Raises** `NonFiniteError`, and whatever a callback, a hook or `poll` raises.
    """
    length, records, backup = 1, {}, _Backup.of(run)
    watch, processes = StateWatch(run.carry.model_state), run.program.processes
    while True:
        line = _evaluate(run, source, poll) if not run.is_evaluated else None
        run.stopped = _stopped(run, callbacks, processes) if line else None  # asked once
        for hook in hooks:
            hook(Event(run, run.step, records, line))
        if run.step >= run.steps or run.stopped:
            return run
        until_evaluation = [step - run.step for step in run.evaluations if step > run.step][:1]
        length = processes.agreed(length)
        steps = min([length, CHUNK, run.steps - run.step, *until_evaluation])
        if processes.agreed(backup.is_old):
            backup = _Backup.of(run)
        began = time.perf_counter()
        records = _chunk(run, source, steps, backup, watch)
        length = next_length(steps, length, time.perf_counter() - began)


class _Backup(NamedTuple):
    """A copy of the carry: a chunk donates its own."""

    carry: Carry
    time: float

    @staticmethod
    def of(run: Run) -> "_Backup":
        return _Backup(jax.tree.map(jnp.array, run.carry), time.perf_counter())

    @property
    def is_old(self) -> bool:
        return time.perf_counter() - self.time > BACKUP_SECONDS


def _chunk(
    run: Run, source: Source, steps: int, backup: _Backup, watch: StateWatch
) -> dict[str, np.ndarray]:
    """Take `steps` steps, and return their records."""
    before = run.step
    done = advance_until(run.program, source, run.carry, before + steps)
    run.carry = done.carry
    if done.failure is not None:
        raise _failed(run, source, backup, done.records, done.failure)
    if leaf := watch.fault(run.carry.model_state):
        raise _state_failed(run, source, backup, done.records, before, watch, leaf)
    run.history.blocks.append(done.records)
    if run.step in run.evaluations:  # fixed steps: chunks end where the clock says
        run.history.ratios.append((run.step, np.asarray(done.ratios)))
    return done.records


def _failed(
    run: Run, source: Source, backup: _Backup, records: dict[str, np.ndarray], failure: Failure
) -> NonFiniteError:
    """Return the run to its last finite step, or else to its backup, and name the cause."""
    message = nonfinite_message(run.history, records, failure)
    run.carry = backup.carry
    if source.data is not None:
        run.carry = advance_until(run.program, source, run.carry, failure.step - 1).carry
        run.history.blocks.append(records)
        message += nonfinite_cause(run.program, run.carry, source.data, source.sample_weight)
    else:
        run.history.cut(run.step)
        message += source.cause
    message += f" The parameters are those of step {run.step}."
    return NonFiniteError(message, run, failure.step - 1, failure.quantity)


def _state_failed(
    run: Run,
    source: Source,
    backup: _Backup,
    records: dict[str, np.ndarray],
    before: int,
    watch: StateWatch,
    leaf: str,
) -> NonFiniteError:
    """Return the run to its last step with a finite model state, or else to its backup."""
    end, run.carry = run.step, backup.carry
    if source.data is not None:

        def advance(carry, step):
            return advance_until(run.program, source, copied(carry), step).carry

        run.carry = last_finite(advance, advance(run.carry, before), end, watch)
        run.history.blocks.append(records)
        before = run.step
    run.history.cut(run.step)
    message = state_message(leaf, before, float(records["loss"][-1]))
    message += f" The parameters are those of step {run.step}."
    return NonFiniteError(message, run, before, STATE)


def _evaluate(run: Run, source: Source, poll: Callable[[], None]) -> dict[str, float]:
    """Evaluate on the validation data, if any, and add a line to the history in any case."""
    since = int(run.history.evaluations[-1]["step"]) if run.history.evaluations else 0
    losses = run.history.since(since)
    line: dict[str, float] = {"step": run.step}
    if len(losses):
        line["train_loss"] = float(np.mean(losses, dtype=np.float64))
    if run.valid is not None:
        statistics_for = batch_statistics_for(run, source, poll)
        found, candidates = evaluate_run(
            run.program.problem, run.carry, run.valid, statistics_for, poll
        )
        line |= found
        run.best = update_best(run.best, candidates, run.step)
    run.history.evaluations.append(line)
    return line


def _stopped(run: Run, callbacks: Sequence[Callback], processes: Processes) -> str | None:
    record = {**run.history.evaluations[-1], "steps": run.steps, "history": run.history}
    answers = [callback(record) is True for callback in callbacks] + [True]
    first = processes.agreed(answers.index(True))
    return name_of(callbacks[first]) if first < len(callbacks) else None


def name_of(callback: Callback) -> str:
    """Return the name of a callback, as in `Run.stopped`."""
    return getattr(callback, "__qualname__", type(callback).__name__).split(".")[0]


def next_length(steps: int, length: int, seconds: float) -> int:
    """Return as many steps as fit into `SECONDS`; at most twice the last, which may have compiled.

    `steps` took `seconds`; `length` is what this function returned last.
    """
    fit = int(SECONDS * steps / max(seconds, 1e-9))
    return max(1, min(2 * length, fit, CHUNK)) if steps == length else max(1, length)
