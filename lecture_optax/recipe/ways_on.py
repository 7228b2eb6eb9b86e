"""How does a run go on at a multiple of its rate? Its losses, and the leaf that breaks."""

import dataclasses
from collections.abc import Callable

import numpy as np
import optax

from .._core.dtypes import scale
from .._core.types import Transformation
from ..training._cached import cached
from ..training._trees import as_data, copied
from ..training.compiled.program import CHUNK, Program, table_of
from ..training.compiled.step import Carry, rate_of
from ..training.loop.nonfinite import first_not_finite
from ..training.loop.sources import Rows
from .tracks import Failure, Track


def way_on(program: Program, source: Rows, start: Carry, factor: float, steps: int) -> Track:
    """One way on: its losses and gradients, and what was not finite."""
    program = dataclasses.replace(program, hyperparams=as_data({"factor": factor}))
    _, records = _taken(program, source, start, steps)
    finite = records["finite"].astype(bool)
    failed = None
    if not finite.all():
        good = int(np.argmin(finite))
        failed = _failure(program, source, start, good, records)
        records = {name: x[:good] for name, x in records.items()}
    return Track(
        losses=records["loss"].astype(np.float64),
        rate=factor * float(rate_of(start.opt_state)),
        gradients=records["grad_norm"].astype(np.float64),
        failed=failed,
    )


def _taken(
    program: Program, source: Rows, start: Carry, steps: int
) -> tuple[Carry, dict[str, np.ndarray]]:
    """So many steps from the start, or up to the first that is not finite; and their records."""
    carry, first = copied(start), int(np.asarray(start.step))
    tables: list[dict[str, np.ndarray]] = []
    done, is_finite = 0, True
    while done < steps and is_finite:
        carry, table, *_ = source.advance(program, carry, min(CHUNK, steps - done))
        taken = int(np.asarray(carry.step)) - first - done
        tables.append(table_of(np.asarray(table), taken))
        done, is_finite = done + taken, bool(tables[-1]["finite"].all())
    return carry, {name: np.concatenate([t[name] for t in tables]) for name in tables[0]}


def _failure(
    program: Program, source: Rows, start: Carry, good: int, records: dict[str, np.ndarray]
) -> Failure:
    """Go to the step before once more, and take the next one apart."""
    carry = _taken(program, source, start, good)[0] if good else start
    what, leaf = first_not_finite(program, carry)
    names = {"loss": "loss", "grad_norm": "gradient", "update_norm": "update"}
    bad = [word for name, word in names.items() if not np.isfinite(records[name][good])]
    return Failure(good + 1, what or (bad or ["a parameter"])[0], leaf)


@cached
def scaled(tx: optax.GradientTransformation) -> Callable[..., Transformation]:
    """`tx` with a factor on what leaves it; its state is that of `tx`."""
    inner = optax.with_extra_args_support(tx)

    def build(factor):
        def update_fn(updates, state, params=None, **extra_args):
            updates, state = inner.update(updates, state, params, **extra_args)
            return scale(factor, updates), state

        return optax.GradientTransformationExtraArgs(inner.init, update_fn)

    return build
