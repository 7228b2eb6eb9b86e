"""How does a run go on? Chunks of compiled steps, and between them looks, callbacks and hooks."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from .blame import blame
from .finite import NonFiniteError, what_was_not_finite, which_was_not_finite
from .history import History
from .looks import Best, better, look
from .program import CHUNK, Program, empty_table, table_of
from .settle import settled
from .step import Carry

SECONDS = 0.25
"""How long a chunk should take: how often a person hears of it, and how fast it can be stopped."""

KEEP = 2.0
"""Every so many seconds a copy of the carry is kept, to go back to when a step is not finite."""


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
    """Where batches come from: takes so many steps, and gives (carry, table, finite, ratios).

    Fewer where no more batches come; it raises at the next call, when all before is recorded.
    """

    def advance(self, program: Program, carry: Carry, steps: int) -> Any: ...


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
    length, records, kept = 1, {}, _Kept.of(run)
    while True:
        line = _look(run, source, poll) if not run.has_looked else None
        run.stopped = _stopped(run, callbacks) if line else None  # asked once, resumed or not
        for hook in hooks:
            hook(Moment(run, run.step, records, line))
        if run.step >= run.steps or run.stopped:
            return run
        steps = min([length, CHUNK, run.steps - run.step, *_until_look(run)])
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
            what += blame(run.program, run.carry, source.data, source.weights)
        what += f" The parameters are those of step {run.step}."
        raise NonFiniteError(what, run, begin + good, bad)
    _remember(run, records)
    if run.step in run.looks:  # fixed steps: where chunks end is a matter of time
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


def _look(run: Run, source: Source, poll: Callable[[], None]) -> dict[str, float]:
    """Evaluate, where there are held-out data; a line in the history in any case."""
    since = int(run.history.lines[-1]["step"]) if run.history.lines else 0
    losses = run.history.since(since)
    line: dict[str, float] = {"step": run.step}
    if len(losses):
        line["train_loss"] = float(np.mean(losses, dtype=np.float64))
    if run.valid is not None:
        examples = run.program.problem.functions.examples
        seen, candidates = look(examples, run.carry, run.valid, settle_by(run, source, poll), poll)
        line |= seen
        run.best = better(run.best, candidates, run.step)
    run.history.lines.append(line)
    return line


def settle_by(
    run: Run, source: Source, poll: Callable[[], None] = lambda: None
) -> Callable[[Any], Any]:
    """The model state of given parameters: settled on rows at hand, or else as it is."""

    def settle(params):
        if not isinstance(source, Rows):
            return run.carry.model_state
        return settled(run.program, run.carry, params, source.data, poll)

    return settle


def _stopped(run: Run, callbacks: Sequence[Callback]) -> str | None:
    record = {**run.history.lines[-1], "steps": run.steps, "history": run.history}
    answers = [(callback(record), callback) for callback in callbacks]
    return next((_name(callback) for answer, callback in answers if answer is True), None)


def _name(callback: Callback) -> str:
    return getattr(callback, "__qualname__", type(callback).__name__).split(".")[0]


def _until_look(run: Run) -> list[int]:
    return [step - run.step for step in run.looks if step > run.step][:1]


def next_length(steps: int, length: int, taken: float) -> int:
    """As many steps as `SECONDS` hold; at most twice the last, whose time may be of compiling."""
    fit = int(SECONDS * steps / max(taken, 1e-9))
    return max(1, min(2 * length, fit, CHUNK)) if steps == length else max(1, length)
