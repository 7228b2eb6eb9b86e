"""How does a run go on? Chunks of compiled steps, and between them looks, callbacks and hooks."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..compiled.program import CHUNK, table_of
from ..compiled.step import Carry
from .batch_statistics import settle_by
from .evaluation import better, evaluate_run
from .nonfinite import NonFiniteError, blame, what_was_not_finite, which_was_not_finite
from .run import Callback, Event, Hook, Run, Source
from .sources import Rows

SECONDS = 0.25
"""How long a chunk should take: how often a person hears of it, and how fast it can be stopped."""

KEEP = 2.0
"""Every so many seconds a copy of the carry is kept, to go back to when a step is not finite."""


def go_on(
    run: Run,
    source: Source,
    *,
    callbacks: Sequence[Callback] = (),
    hooks: Sequence[Hook] = (),
    poll: Callable[[], None] = lambda: None,
) -> Run:
    """Run to the end, from wherever `run` stands.

    **Arguments**

    - `callbacks`: called with the record of a look, after every look. What returns True ends the
      run. Looks are at fixed steps, chunks are not: so a resumed run ends at the same step.
    - `hooks`: called with a `Event` after every chunk, and once before the first.
    - `poll`: called between the batches of an evaluation.

    **Raises** `NonFiniteError`, and whatever a callback, a hook or `poll` raises.
    """
    length, records, kept = 1, {}, _Kept.of(run)
    while True:
        line = _evaluate(run, source, poll) if not run.is_evaluated else None
        run.stopped = _stopped(run, callbacks) if line else None  # asked once, resumed or not
        for hook in hooks:
            hook(Event(run, run.step, records, line))
        if run.step >= run.steps or run.stopped:
            return run
        steps = min([length, CHUNK, run.steps - run.step, *_until_evaluation(run)])
        if kept.is_old:
            kept = _Kept.of(run)
        began = time.perf_counter()
        records = _chunk(run, source, steps, kept)
        taken = time.perf_counter() - began
        length = next_length(steps, length, taken)


class _Kept(NamedTuple):
    """A carry that no chunk has been given: what was donated is gone."""

    carry: Carry
    time: float

    @staticmethod
    def of(run: Run) -> "_Kept":
        return _Kept(jax.tree.map(jnp.array, run.carry), time.perf_counter())

    @property
    def is_old(self) -> bool:
        return time.perf_counter() - self.time > KEEP


def _chunk(run: Run, source: Source, steps: int, kept: _Kept) -> dict[str, np.ndarray]:
    """Take `steps` steps, and read what they did."""
    begin = run.step
    run.carry, table, _, ratios = source.advance(run.program, run.carry, steps)
    records = table_of(np.asarray(table), run.step - begin)
    if not records["finite"].all():
        good = int(np.argmin(records["finite"]))  # so many, before the first that was not
        bad = which_was_not_finite(records, good)
        what = what_was_not_finite(run.history, begin, records, good, bad)
        _go_back(run, source, kept, begin, {name: x[:good] for name, x in records.items()})
        if isinstance(source, Rows):
            what += blame(run.program, run.carry, source.data, source.sample_weight)
        what += f" The parameters are those of step {run.step}."
        raise NonFiniteError(what, run, begin + good, bad)
    _remember(run, records)
    if run.step in run.evaluations:  # fixed steps: where chunks end is a matter of time
        run.history.ratios.append((run.step, np.asarray(ratios)))
    return records


def _remember(run: Run, records: dict[str, np.ndarray]) -> None:
    del records["finite"]
    run.history.blocks.append(records)


def _go_back(
    run: Run, source: Source, kept: _Kept, begin: int, records: dict[str, np.ndarray]
) -> None:
    """Stand after the last good step. From the carry that was kept, rows can be taken again."""
    run.carry, good = kept.carry, begin + len(records["loss"])
    if not isinstance(source, Rows):
        run.history.cut(run.step)
        return
    while run.step < good:
        steps = min(CHUNK, good - run.step)
        run.carry = source.advance(run.program, run.carry, steps)[0]
    _remember(run, records)


def _evaluate(run: Run, source: Source, poll: Callable[[], None]) -> dict[str, float]:
    """Evaluate, where there are held-out data; a line in the history in any case."""
    since = int(run.history.evaluations[-1]["step"]) if run.history.evaluations else 0
    losses = run.history.since(since)
    line: dict[str, float] = {"step": run.step}
    if len(losses):
        line["train_loss"] = float(np.mean(losses, dtype=np.float64))
    if run.valid is not None:
        examples = run.program.problem.functions.examples
        seen, candidates = evaluate_run(
            examples, run.carry, run.valid, settle_by(run, source, poll), poll
        )
        line |= seen
        run.best = better(run.best, candidates, run.step)
    run.history.evaluations.append(line)
    return line


def _stopped(run: Run, callbacks: Sequence[Callback]) -> str | None:
    record = {**run.history.evaluations[-1], "steps": run.steps, "history": run.history}
    answers = [(callback(record), callback) for callback in callbacks]
    return next((_name(callback) for answer, callback in answers if answer is True), None)


def _name(callback: Callback) -> str:
    return getattr(callback, "__qualname__", type(callback).__name__).split(".")[0]


def _until_evaluation(run: Run) -> list[int]:
    return [step - run.step for step in run.evaluations if step > run.step][:1]


def next_length(steps: int, length: int, taken: float) -> int:
    """As many steps as `SECONDS` hold; at most twice the last, whose time may be of compiling."""
    fit = int(SECONDS * steps / max(taken, 1e-9))
    return max(1, min(2 * length, fit, CHUNK)) if steps == length else max(1, length)
