"""Evaluation on validation data: exact means over all examples, for θ and for its average."""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from optax.contrib import ScheduleFreeState, schedule_free_eval_params

from ..._average import averaged, averages_in
from ..._core.current import states_in
from ..._core.dtypes import as_array, cast_like, dtype_of, widen
from ..._energy import energy
from .._cached import cached
from .._trees import checksum, n_rows
from ..compiled.sharding import on_host
from ..compiled.step import Carry
from ..metrics import host_arguments, host_metric, in_order, is_of_scikit_learn, value_of
from ..problem import Problem

BATCH_ROWS = 1024
"""The examples in one batch of an evaluation."""


class Best(NamedTuple):
    """The parameters with the lowest validation loss so far, and the step that they are of."""

    params: Any
    model_state: Any
    loss: float
    step: int
    is_average: bool


MOST = 10**6
"""The most evaluations of a run."""


def evaluation_steps(evaluations: int | Sequence[int], steps: int) -> tuple[int, ...]:
    """Return the steps after which a run is evaluated: evenly spaced, or those given."""
    try:
        given = np.asarray(evaluations) if np.size(evaluations) else np.zeros(0, int)
    except Exception:  # a ragged list, a tracer
        given = np.zeros(0, object)
    if given.dtype.kind not in "iu" or given.ndim > 1:
        raise TypeError(
            "evaluations must be a whole number >= 0 (how many), or a list of the steps to "
            f"evaluate at, as 20 or [100, 200], got {evaluations!r}."
        )
    last = steps if given.ndim else np.inf
    if given.size and not (given.min() >= 0 and given.max() <= last):
        raise ValueError(
            f"evaluations must be >= 0, and a list of them must be steps from 0 to {steps}, the "
            f"length of the run, got {evaluations!r}."
        )
    # more than 2 a step are all steps, from 0 on, as 2 a step and one more are
    count = min(int(given), 2 * steps + 1) if given.ndim == 0 else 0
    if max(count, given.size) > MOST:
        raise ValueError(
            f"evaluations must be at most {MOST:,} for a run, got {count:,}: the history "
            "keeps a line of each."
        )
    evenly = {round(steps * i / count) for i in range(1, count + 1)}
    return tuple(sorted(evenly | set(given.tolist() if given.ndim else ()) | {steps}))


def evaluations_in_words(steps: Sequence[int]) -> str:
    """Return the number of evenly spaced steps; of others the first ones, and a checksum of all."""
    if steps == evaluation_steps(len(steps), steps[-1]):
        return str(len(steps))
    return f"{reprlib.repr([*steps])} #{checksum(np.asarray(steps, np.int64)):08x}"


def evaluation_sizes(data: Any) -> list[int]:
    """Return the different numbers of examples of the batches of an evaluation."""
    rows = 0 if data is None else n_rows(data)
    return sorted({min(BATCH_ROWS, rows - first) for first in range(0, rows, BATCH_ROWS)})


def evaluate(
    examples: Callable[..., Any],
    params: Any,
    model_state: Any,
    data: Any,
    poll: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Return the means of `examples(params, model_state, batch)` over all of `data`."""
    rows, sums = n_rows(data), []
    parts_of = _parts(examples)
    for first in range(0, rows, BATCH_ROWS):
        sums.append(parts_of(params, model_state, data, first, min(BATCH_ROWS, rows - first)))
        poll()
    totals = jax.tree.map(lambda *x: np.sum(np.asarray(x, np.float64)), *jax.device_get(sums))
    return {name: float(total / weight) for name, (total, weight) in totals.items()}


def evaluate_whole(
    problem: Problem,
    params: Any,
    model_state: Any,
    data: Any,
    poll: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Return those metrics that need all of `data` at once; `checks.metrics` says which do.

    **Raises** `TypeError` or `ValueError` that names a metric which fails.
    """
    if not problem.metrics:
        return {}
    rows, found = n_rows(data), {}
    if problem.per_example is None:
        for name, function in problem.metrics:
            found |= value_of(name, function, lambda: (params, data), rows)
        return found
    assert problem.functions.predict is not None  # a model has one
    predictions, part_of = [], _predictions(problem.functions.predict)
    for first in range(0, rows, BATCH_ROWS):
        part = part_of(params, model_state, data[0], first, min(BATCH_ROWS, rows - first))
        predictions.append(on_host(part))
        poll()
    prediction = jax.tree.map(lambda *parts: np.concatenate(parts), *predictions)
    target = on_host(data[1])
    for name, function in problem.metrics:
        host = host_metric(function)
        if host is None:
            given = jax.tree.map(jnp.asarray, (prediction, target))
            found |= value_of(name, in_order(function), lambda given=given: given, rows)
        else:
            own = partial(host_arguments, problem.per_example, host.takes, prediction, target)
            entries = -1 if is_of_scikit_learn(function) else rows  # one a class, not an example
            found |= value_of(name, host.function, own, entries)
    return found


@cached
def _predictions(predict: Callable[..., Any]) -> Callable[..., Any]:
    """Return the predictions, in at least float32, for rows from `first` on."""

    def predictions(params, model_state, x, first, rows):
        part = jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, first, rows), x)
        return widen(predict(params, model_state, part))

    return jax.jit(predictions, static_argnums=4)


def evaluate_run(
    problem: Problem,
    carry: Carry,
    data: Any,
    statistics_for: Callable[[Any], Any],
    poll: Callable[[], None] = lambda: None,
) -> tuple[dict[str, float], list[tuple[Any, Any, float, bool]]]:
    """Return the line of an evaluation, and the candidates for the best parameters.

    The candidates are the parameters and, where the optimizer keeps one, their average.

    `statistics_for`: returns the model state that belongs to other parameters than the last.
    """
    params, model_state = evaluated_weights(carry, statistics_for)
    raw = evaluate_all(problem, params, model_state, data, poll)
    line = {f"valid_{name}": value for name, value in raw.items()}
    candidates = [(params, model_state, raw["loss"], False)]
    if averages_in(carry.opt_state):
        params = averaged_params(carry)
        model_state = statistics_for(params)
        smooth = evaluate_all(problem, params, model_state, data, poll)
        line |= {f"averaged_{name}": value for name, value in smooth.items()}
        candidates.append((params, model_state, smooth["loss"], True))
    return line, candidates


def evaluate_all(problem: Problem, *given: Any) -> dict[str, float]:
    """Return the mean loss and all metrics: `given` is (params, model_state, data)."""
    return evaluate(problem.functions.examples, *given) | evaluate_whole(problem, *given)


_averaged = jax.jit(averaged)


def averaged_params(carry: Carry) -> Any:
    """Return the average that the optimizer's state keeps; compiled, so always the same bits."""
    return _averaged(carry.opt_state, carry.params)


def evaluated_weights(carry: Carry, statistics_for: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Return the parameters at which a run is evaluated, and their model state.

    They are those of the carry, except for schedule-free methods, which take their gradients at
    other points.
    """
    if not states_in(carry.opt_state, ScheduleFreeState):
        return carry.params, carry.model_state
    params = _schedule_free(carry.opt_state, carry.params)
    return params, statistics_for(params)


@jax.jit
def _schedule_free(opt_state: Any, params: Any) -> Any:
    def leaf(z, p):
        if isinstance(z, optax.MaskedNode):
            return p
        state = each._replace(b1=as_array(each.b1, p.dtype), z=as_array(z, p.dtype))
        return schedule_free_eval_params(state, p)

    def is_masked(x):
        return isinstance(x, optax.MaskedNode)

    result = widen(params)
    for each in states_in(opt_state, ScheduleFreeState):
        result = jax.tree.map(leaf, each.z, result, is_leaf=is_masked)
    return cast_like(result, params)


def update_best(best: Best | None, candidates: Sequence[Any], step: int) -> Best | None:
    """Return the best so far, and copy it: the loop donates its own arrays."""
    for params, model_state, loss, is_average in candidates:
        if np.isfinite(loss) and (best is None or loss < best.loss):
            params, model_state = jax.tree.map(jnp.array, (params, model_state))
            best = Best(params, model_state, loss, step, is_average)
    return best


@cached
def _parts(examples: Callable[..., Any]) -> Callable[..., Mapping[str, Any]]:
    """Return a function with (Σ ℓ, the number of examples) by name, for rows from `first` on."""

    def parts(params, model_state, data, first, rows):
        def cut(x):
            return jax.lax.dynamic_slice_in_dim(x, first, rows)

        found = examples(params, model_state, jax.tree.map(cut, data))
        return {name: _sum_and_weight(values, rows) for name, values in found.items()}

    return jax.jit(parts, static_argnums=4)


def _sum_and_weight(values: jax.Array, rows: int) -> tuple[Any, Any]:
    if jnp.ndim(values) == 0:  # a mean over the examples
        return values * rows, rows
    if dtype_of(values) == jnp.bool_:
        values = as_array(values, jnp.float32)
    return energy(lambda params, batch: values)(None, None, return_parts=True)
