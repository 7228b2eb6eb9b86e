"""What do held-out data say? Exact means over all rows, of θ and of its average."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..._average import averaged, averages_in
from ..._energy import energy
from .._cached import cached
from ..compiled.step import Carry

BATCH_ROWS = 1024
"""Rows that are evaluated at a time."""


class Best(NamedTuple):
    """The weights with the lowest held-out loss so far, and where they were found."""

    params: Any
    model_state: Any
    loss: float
    step: int
    is_average: bool


def evaluation_steps(evaluations: int | Sequence[int], steps: int) -> tuple[int, ...]:
    """The steps after which held-out data are evaluated: so many, evenly, or those given."""
    given = np.asarray(evaluations) if np.size(evaluations) else np.zeros(0, int)
    if given.dtype.kind not in "iu" or given.ndim > 1:
        raise TypeError(
            "looks must be a whole number >= 0, how often held-out data are evaluated, or a list "
            f"of the steps at which they are, got {evaluations!r}."
        )
    last = steps if given.ndim else np.inf
    if given.size and not (given.min() >= 0 and given.max() <= last):
        raise ValueError(
            f"looks must be >= 0, and as a list of steps within the run's {steps}, got {evaluations!r}."
        )
    many = range(1, int(given) + 1) if given.ndim == 0 else ()
    evenly = {round(steps * i / len(many)) for i in many}
    return tuple(sorted(evenly | set(given.reshape(-1).tolist() if given.ndim else ()) | {steps}))


def evaluate(
    examples: Callable[..., Any],
    params: Any,
    model_state: Any,
    data: Any,
    poll: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """The means of `examples(params, model_state, batch)` over all rows of `data`."""
    rows, sums = jax.tree.leaves(data)[0].shape[0], []
    parts_of = _parts(examples)
    for first in range(0, rows, BATCH_ROWS):
        sums.append(parts_of(params, model_state, data, first, min(BATCH_ROWS, rows - first)))
        poll()
    totals = jax.tree.map(lambda *x: np.sum(np.asarray(x, np.float64)), *jax.device_get(sums))
    return {name: float(total / weight) for name, (total, weight) in totals.items()}


def evaluate_run(
    examples: Callable[..., Any],
    carry: Carry,
    data: Any,
    settle: Callable[[Any], Any],
    poll: Callable[[], None] = lambda: None,
) -> tuple[dict[str, float], list[tuple[Any, Any, float, bool]]]:
    """The line of a look, and the candidates for the best weights: raw, and averaged if kept.

    `settle`: the model state that belongs to averaged parameters.
    """
    raw = evaluate(examples, carry.params, carry.model_state, data, poll)
    line = {f"valid_{name}": value for name, value in raw.items()}
    candidates = [(carry.params, carry.model_state, raw["loss"], False)]
    if averages_in(carry.opt_state):
        params = average_of(carry)
        model_state = settle(params)
        smooth = evaluate(examples, params, model_state, data, poll)
        line |= {f"averaged_{name}": value for name, value in smooth.items()}
        candidates.append((params, model_state, smooth["loss"], True))
    return line, candidates


def average_of(carry: Carry) -> Any:
    """The average that the optimizer's state keeps, compiled: the same bits wherever it is read."""
    return _averager()(carry.opt_state, carry.params)


def better(best: Best | None, candidates: Sequence[Any], step: int) -> Best | None:
    """The best so far, with the candidates of this step: copies, as the loop donates its own."""
    for params, model_state, loss, is_average in candidates:
        if np.isfinite(loss) and (best is None or loss < best.loss):
            params, model_state = jax.tree.map(jnp.array, (params, model_state))
            best = Best(params, model_state, loss, step, is_average)
    return best


@cached
def _averager() -> Callable[..., Any]:
    return jax.jit(averaged)


@cached
def _parts(examples: Callable[..., Any]) -> Callable[..., Mapping[str, Any]]:
    """Per name, (Σ ℓ, the number of examples) over the rows from `first` on."""

    def parts(params, model_state, data, first, rows):
        def cut(x):
            return jax.lax.dynamic_slice_in_dim(x, first, rows)

        found = examples(params, model_state, jax.tree.map(cut, data))
        return {name: _sum_and_weight(values, rows) for name, values in found.items()}

    return jax.jit(parts, static_argnums=4)


def _sum_and_weight(values: jax.Array, rows: int) -> tuple[Any, Any]:
    if jnp.ndim(values) == 0:  # a mean over the rows
        return values * rows, rows
    return energy(lambda params, batch: values)(None, None, return_parts=True)
