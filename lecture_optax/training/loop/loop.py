"""The training loop: chunks of compiled steps, with evaluations and hooks between them."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from .._trees import copied
from ..compiled.program import CHUNK
from ..compiled.step import Carry
from .advance import Advanced, advance_until
from .backup import Backup
from .batch_statistics import batch_statistics_for
from .evaluation import evaluate_run, update_best
from .nonfinite import (
    PARAMETER,
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

LARGE = 1_000_000
"""The parameters up to which every step has a full record: a CPU has them in its caches."""

INTERVAL = 150
"""The steps between full records of larger models.

One repeats a gradient and an update and costs 2.3 steps, so all of them take 1.5 % of a run
(`python -m benchmarks.speed.large_models`). No clock decides: every run records the same steps.
"""


def interval_of(params: Any) -> int:
    """Return the steps between two full records of a model."""
    return INTERVAL if sum(x.size for x in jax.tree.leaves(params)) > LARGE else 1


def run_loop(
    run: Run,
    source: Source,
    *,
    callbacks: Sequence[Callback] = (),
    hooks: Sequence[Hook] = (),
    poll: Callable[[], None] = lambda: None,
    saved: Callable[[], Carry | None] = lambda: None,
) -> Run:
    """Train from the current step of `run` to its end.

    **Arguments**

    - `callbacks`: called with a record after every evaluation. One that returns True stops the run.
      Evaluations are at fixed steps, chunks are not: so a resumed run stops at the same step.
    - `hooks`: called with an `Event` after every chunk, and once before the first.
    - `poll`: called between the batches of an evaluation.
    - `saved`: returns the carry of the newest checkpoint, or None.

    **Raises** `NonFiniteError`, and whatever a callback, a hook or `poll` raises.
    """
    length, records, backup = 1, {}, Backup(run, saved)
    watch, processes = StateWatch(run.carry.model_state), run.program.processes
    parameters = StateWatch(run.carry.params) if run.history.interval > 1 else None
    while True:
        line = _evaluate(run, source, poll) if not run.is_evaluated else None
        run.stopped = stopped_by(run, callbacks) if line else None  # asked once, resumed or not
        for hook in hooks:
            hook(Event(run, run.step, records, line))
        if run.step >= run.steps or run.stopped:
            return run
        until_evaluation = [step - run.step for step in run.evaluations if step > run.step][:1]
        length = processes.agreed(length)
        steps = min([length, CHUNK, run.steps - run.step, *until_evaluation])
        if processes.agreed(backup.is_old):
            _check_parameters(run, source, backup, parameters)
            backup.renew()
        began = time.perf_counter()
        records = _chunk(run, source, steps, backup, watch)
        length = next_length(steps, length, time.perf_counter() - began)
        if run.step in run.evaluations:
            _check_parameters(run, source, backup, parameters)


def _chunk(
    run: Run, source: Source, steps: int, backup: Backup, watch: StateWatch
) -> dict[str, np.ndarray]:
    """Take `steps` steps, and return their records."""
    before = run.step
    is_last_full = before + steps in _recorded_evaluations(run)
    done = _advance(run, source, run.carry, before + steps, is_last_full=is_last_full)
    run.carry = done.carry
    if done.failure is not None:
        raise _failed(run, source, backup, done.records, done.failure)
    if leaf := watch.fault(run.carry.model_state):
        raise _state_failed(run, source, backup, done.records, before, watch, leaf)
    run.history.blocks.append(done.records)
    if run.step in _recorded_evaluations(run):  # fixed steps: chunks end where the clock says
        run.history.ratios.append((run.step, np.asarray(done.ratios)))
    return done.records


def _advance(run: Run, source: Source, carry: Carry, step: int, **options: Any) -> Advanced:
    """Take a carry to a step by the program of the run, with records as often as in the run."""
    interval = run.history.interval if run.history.interval > 1 else None
    given = {"interval": interval, **options}
    return advance_until(run.program, source, carry, step, **given)


def _recorded_evaluations(run: Run) -> tuple[int, ...]:
    """Return the evaluations before which the step has a full record.

    For a large model those that evaluate a validation set, and the last one.
    """
    is_every = run.valid is not None or run.history.interval == 1
    return run.evaluations if is_every else run.evaluations[-1:]


def _check_parameters(
    run: Run, source: Source, backup: Backup, parameters: StateWatch | None
) -> None:
    """Check that the parameters are finite, where the records of single steps do not say so.

    **Raises** `NonFiniteError`.
    """
    if parameters is not None and (leaf := parameters.fault(run.carry.params)):
        columns = run.history.per_step
        record = {name: float(x[-1]) for name, x in columns.items()}
        none = {name: x[:0] for name, x in columns.items()}
        raise _failed(run, source, backup, none, Failure(run.step, PARAMETER, record, leaf))


def _failed(
    run: Run, source: Source, backup: Backup, records: dict[str, np.ndarray], failure: Failure
) -> NonFiniteError:
    """Return the run to its last finite step, or else to its backup, and name the cause."""
    start, interval = backup.restore(), run.history.interval
    run.carry = run.carry if start is None else start
    if start is None:
        cause = failure.doubt(interval) + source.cause
        message = nonfinite_message(run.history, records, failure, cause)
        run.history.blocks.append(records)
    elif source.data is None:
        cause = failure.doubt(interval) + source.cause
        message = nonfinite_message(run.history, records, failure, cause)
        run.history.cut(run.step)
    else:
        if interval > 1:
            records, failure = _retraced(run, source, records, failure)
        run.carry = _advance(run, source, run.carry, failure.step - 1).carry
        found = nonfinite_cause(run.program, run.carry, source.data, source.sample_weight)
        message = nonfinite_message(run.history, records, failure, *found)
        run.history.blocks.append(records)
    message += _whose(run, start)
    return NonFiniteError(message, run, failure.step - 1, failure.quantity)


def _retraced(
    run: Run, source: Source, records: dict[str, np.ndarray], failure: Failure
) -> tuple[dict[str, np.ndarray], Failure]:
    """Repeat steps with a full record of each, and return the first failure.

    Also returns the records before it, from the end of the history on, which is cut there.
    """
    begin = run.step
    found = _advance(run, source, copied(run.carry), failure.step, interval=1)
    if found.failure is not None:
        records, failure = found.records, found.failure
    run.history.cut(failure.step - 1)
    kept = len(run.history) - begin if found.failure is not None else 0
    return {name: x[kept:] for name, x in records.items()}, failure


def _state_failed(
    run: Run,
    source: Source,
    backup: Backup,
    records: dict[str, np.ndarray],
    before: int,
    watch: StateWatch,
    leaf: str,
) -> NonFiniteError:
    """Return the run to its last step with a finite model state, or else to its backup."""
    end, start = run.step, backup.restore()
    run.carry = run.carry if start is None else start
    if start is not None and source.data is not None:

        def advance(carry, step):
            return _advance(run, source, copied(carry), step).carry

        run.carry = last_finite(advance, advance(run.carry, before), end, watch)
        run.history.blocks.append(records)
        before = run.step
    run.history.cut(run.step)
    message = state_message(leaf, before, float(records["loss"][-1])) + _whose(run, start)
    return NonFiniteError(message, run, before, STATE)


def _whose(run: Run, start: Carry | None) -> str:
    """Return a sentence that says which parameters the run has now."""
    if start is not None:
        return f" The parameters are those of step {run.step}."
    return (
        " The parameters could not be restored, as the run has neither a backup nor a checkpoint: "
        "give backup=True, or checkpoint=."
    )


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


def stopped_by(run: Run, callbacks: Sequence[Callback]) -> str | None:
    """Call the callbacks with the last evaluation; return the name of the first that stops."""
    record = {**run.history.evaluations[-1], "steps": run.steps, "history": run.history}
    answers = [callback(record) is True for callback in callbacks] + [True]
    first = run.program.processes.agreed(answers.index(True))
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
