"""How does a run go on? Chunks of compiled steps, and between them looks, callbacks and hooks."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from .history import History
from .looks import Best, better, look
from .program import CHUNK, Program, empty_table, table_of
from .step import Carry

SECONDS = 0.25
"""How long a chunk should take: how often a person hears of it, and how fast it can be stopped."""


@dataclass
class Run:
    """All that a run is made of. To resume it, restore `carry`, `history` and `best`.

    `carry` is donated by the next chunk: a hook copies what it keeps.
    """

    program: Program
    carry: Carry
    steps: int
    looks: tuple[int, ...]
    valid: Any = None
    history: History = field(default_factory=History)
    best: Best | None = None
    stopped: str | None = None

    @property
    def step(self) -> int:
        return int(np.asarray(self.carry.step))

    @property
    def has_looked(self) -> bool:
        """Whether the look that is due at this step has been taken."""
        lines = self.history.lines
        return self.step not in self.looks or (bool(lines) and lines[-1]["step"] == self.step)


class Moment(NamedTuple):
    """What a hook is told, after every chunk.

    - `run`: the whole of it, as it stands.
    - `step`: the number of steps done.
    - `records`: of the steps since the last moment, one array a name.
    - `look`: what held-out data said, where they were looked at after this chunk.
    """

    run: Run
    step: int
    records: Mapping[str, np.ndarray]
    look: Mapping[str, float] | None


Hook = Callable[[Moment], Any]
Callback = Callable[[Mapping[str, Any]], Any]


@runtime_checkable
class Source(Protocol):
    """Where batches come from: takes so many steps, and gives (carry, table, finite, ratios)."""

    def advance(self, program: Program, carry: Carry, steps: int) -> Any: ...


class NonFiniteError(FloatingPointError):
    """A loss, a gradient or an update was not finite. `run` is the run before that step."""

    def __init__(self, message: str, run: Run):
        super().__init__(message)
        self.run = run


@dataclass(frozen=True)
class Rows:
    """Data that are on the device. `one_by_one` leaves the compiled loop: see `convolutions.py`."""

    data: Any
    weights: Any = None
    one_by_one: bool = False

    def advance(self, program: Program, carry: Carry, steps: int) -> Any:
        compiled, numbers = program.compiled, program.hyperparams
        if not self.one_by_one:
            return compiled.chunk(carry, self.data, self.weights, numbers, np.int32(steps))
        table, finite, ratios = empty_table(), True, None
        for i in range(steps):
            carry, table, finite, ratios = compiled.once(
                carry, table, np.int32(i), self.data, self.weights, numbers
            )
        return carry, table, finite, ratios


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
    - `hooks`: called with a `Moment` after every chunk, and once before the first.
    - `poll`: called between the batches of an evaluation.

    **Raises** `NonFiniteError`, and whatever a callback, a hook or `poll` raises.
    """
    length, records = 1, {}
    while True:
        line = _look(run, poll) if not run.has_looked else None
        run.stopped = _stopped(run, callbacks)
        for hook in hooks:
            hook(Moment(run, run.step, records, line))
        if run.step >= run.steps or run.stopped:
            return run
        steps = min([length, CHUNK, run.steps - run.step, *_until_look(run)])
        began = time.perf_counter()
        records = _chunk(run, source, steps)
        taken = time.perf_counter() - began
        length = _next_length(steps, length, taken)


def _chunk(run: Run, source: Source, steps: int) -> dict[str, np.ndarray]:
    """Take `steps` steps, and read what they did."""
    begin = run.step
    run.carry, table, finite, ratios = source.advance(run.program, run.carry, steps)
    done = run.step - begin
    records = table_of(np.asarray(table), min(done + 1, steps))
    if not bool(finite):
        raise NonFiniteError(_what_was_not_finite(run, records), run)
    del records["finite"]
    run.history.blocks.append(records)
    run.history.ratios.append((run.step, np.asarray(ratios)))
    return records


def _what_was_not_finite(run: Run, records: Mapping[str, np.ndarray]) -> str:
    """Which number, at which step, and what to try."""
    names = ("loss", "grad_norm", "update_norm")
    bad = next((name for name in names if not np.isfinite(records[name][-1])), "update_norm")
    losses = np.concatenate([run.history.since(run.step - 1), records["loss"]])
    finite = losses[np.isfinite(losses)]
    last = f"{finite[-1]:.4g}" if len(finite) else "none"
    rate = records["learning_rate"][-1] if "learning_rate" in records else np.nan
    at = f" at learning rate {rate:.3g}" if np.isfinite(rate) else ""
    return (
        f"{bad} was not finite at step {run.step}{at} (last finite loss: {last}); the parameters "
        "are those before that step. Try a learning rate a tenth of it, a warm-up, or "
        "optax.clip_by_global_norm(1.0) in front; if it is the first step, look for inputs out of "
        "scale and for log, sqrt or division at 0 in the loss."
    )


def _look(run: Run, poll: Callable[[], None]) -> dict[str, float]:
    """Evaluate, where there are held-out data; a line in the history in any case."""
    since = int(run.history.lines[-1]["step"]) if run.history.lines else 0
    losses = run.history.since(since)
    line: dict[str, float] = {"step": run.step}
    if len(losses):
        line["train_loss"] = float(np.mean(losses, dtype=np.float64))
    if run.valid is not None:
        examples = run.program.problem.functions.examples
        seen, candidates = look(examples, run.carry, run.valid, poll)
        line |= seen
        run.best = better(run.best, candidates, run.step)
    run.history.lines.append(line)
    return line


def _stopped(run: Run, callbacks: Sequence[Callback]) -> str | None:
    if run.step not in run.looks or not run.history.lines:
        return None
    record = {**run.history.lines[-1], "steps": run.steps, "history": run.history}
    answers = [(callback(record), callback) for callback in callbacks]
    return next((_name(callback) for answer, callback in answers if answer is True), None)


def _name(callback: Callback) -> str:
    return getattr(callback, "__qualname__", type(callback).__name__).split(".")[0]


def _until_look(run: Run) -> list[int]:
    return [step - run.step for step in run.looks if step > run.step][:1]


def _next_length(steps: int, length: int, taken: float) -> int:
    """As many steps as `SECONDS` hold; at most twice the last, whose time may be of compiling."""
    fit = int(SECONDS * steps / max(taken, 1e-9))
    return max(1, min(2 * length, fit, CHUNK)) if steps == length else max(1, length)
