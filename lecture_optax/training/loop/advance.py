"""Advance a carry to a step, or to the first step that is not finite."""

from typing import Any, NamedTuple

import numpy as np

from ..compiled.program import CHUNK, COLUMNS, Program, table_of
from ..compiled.step import Carry
from .nonfinite import Failure, first_nonfinite
from .run import Source


class Advanced(NamedTuple):
    """A carry that was advanced.

    - `carry`: after the last step taken. After a failure that step is not finite.
    - `records`: an array a name (`loss`, `grad_norm`, ...), one entry a finite step taken. Norms
      are NaN for the steps between two full records.
    - `failure`: the first step that was not finite, or None.
    - `ratios`: the update/weight ratio of each leaf at the last step, if that has a full record.
    """

    carry: Carry
    records: dict[str, np.ndarray]
    failure: Failure | None
    ratios: Any


def advance_until(
    program: Program,
    source: Source,
    carry: Carry,
    step: int,
    *,
    interval: int | None = None,
    is_last_full: bool = False,
) -> Advanced:
    """Take `carry` to a step in chunks, and stop at the first step that is not finite.

    Stops early, and without a failure, where a source has no more batches: the next call raises.

    **Arguments**

    - `program`: with the hyperparameters of this run (`dataclasses.replace`).
    - `source`: gives the batches, as `ArraySource(data)`.
    - `carry`: is donated: pass a copy (`_trees.copied`) to keep it.
    - `step`: the step of the carry to stop at. Nothing is done where the carry is there already.
    - `interval`: None measures norms within every step. A number measures them before every
      `interval`-th step from the first on, with a gradient and an update that are computed once
      more; between, a step counts as finite if its loss is. The steps are the same program for
      every number, so the parameters are the same.
    - `is_last_full`: whether the last step has a full record at any interval.

    A caller that reports or saves between chunks calls this once a chunk.
    """
    begin = done = int(np.asarray(carry.step))
    tables, ratios = [], None
    while done < step:
        until = min(step, done + CHUNK)
        if interval is None:
            carry, table, _, ratios = source.advance(program, carry, until - done)
        else:
            is_full = done % interval == 0 or (is_last_full and done == step - 1)
            until = min(until, (done // interval + 1) * interval)
            until = min(until, step - 1) if is_last_full and done < step - 1 else until
            norms = "first step" if is_full else "no step"
            carry, table, _, ratios = source.advance(program, carry, until - done, norms)
        taken = int(np.asarray(carry.step)) - done
        tables.append(np.asarray(table)[:taken])
        done += taken
        if done < until or not tables[-1][:, COLUMNS.index("finite")].all():
            break
    table = np.concatenate(tables) if tables else np.zeros((0, len(COLUMNS)))
    return read(carry, begin, table, ratios)


def read(carry: Carry, begin: int, table: np.ndarray, ratios: Any) -> Advanced:
    """Return a carry that was advanced from step `begin`, with its records from their table."""
    records = table_of(table, len(table)) if len(table) else {}
    finite = records.pop("finite", np.ones(0)).astype(bool)
    failure = None
    if not finite.all():
        good = int(np.argmin(finite))
        record = {name: float(x[good]) for name, x in records.items()}
        failure = Failure(begin + good + 1, first_nonfinite(record), record)
        records = {name: x[:good] for name, x in records.items()}
    return Advanced(carry, records, failure, ratios)
