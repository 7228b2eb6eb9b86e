"""Which model state belongs to averaged weights?

The running statistics of BatchNorm are those of the last weights, not of their average. They are
estimated anew, by a pass of training batches through the averaged weights. In 15 of 18 cases
(`python -m benchmarks.batch_statistics`) that gives the lowest held-out loss; averaging the
statistics as the weights are averaged is better than leaving them as they are in 2 of 18.

A layer's own rule, s ← m s + (1 - m) b(batch), would remember where it starts from for hundreds of
batches. So its limit is computed, where the pass repeated for ever would lead.

Source: Izmailov et al. (2018), "Averaging weights leads to wider optima", section 3.2.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..._core.dtypes import as_array, dtype_of
from .._cached import cached
from ..compiled.program import Program
from ..compiled.row_order import rows_at
from ..compiled.step import Carry, keys_of
from .run import Run, Source
from .sources import Rows

ROWS = 2048
"""At most so many rows make a pass."""

_LAPS = 1000
"""As often is the pass counted, by layers that count their updates to undo their start."""


def settled(
    program: Program,
    carry: Carry,
    params: Any,
    data: Any,
    poll: Callable[[], None] = lambda: None,
) -> Any:
    """The model state that belongs to `params`, from the next batches that `carry` would see."""
    state = carry.model_state
    if not any(map(_is_float, jax.tree.leaves(state))):
        return state
    rows, size = jax.tree.leaves(data)[0].shape[0], program.batch_size
    spread, once, limit = _pass_of(program.problem.functions.loss, size)
    three, step = spread(state), carry.step
    for _ in range(max(1, min(rows, ROWS) // size)):
        three, step = once(params, three, data, carry.key, step)
        poll()
    return limit(state, three)


class _Pass(NamedTuple):
    """The jitted parts of a pass. Three states make it, side by side, a distance apart."""

    spread: Callable[..., Any]
    once: Callable[..., Any]
    limit: Callable[..., Any]


@cached
def _pass_of(loss: Callable[..., Any], batch_size: int) -> _Pass:
    def once(params, three, data, key, step):
        order, noise = keys_of(key)
        rows = jax.tree.leaves(data)[0].shape[0]
        chosen = rows_at(order, step, rows, batch_size)
        batch = jax.tree.map(lambda x: x[chosen], data)
        key = jax.random.fold_in(noise, step)
        return tuple(loss(params, state, batch, key)[1] for state in three), step + 1

    return _Pass(jax.jit(_spread), jax.jit(once), jax.jit(_limit))


def _spread(state: Any) -> tuple[Any, Any, Any]:
    """s, s + d and s + 2 d."""

    def moved(x, distances):
        return x + as_array(distances, x.dtype) * _distance(x) if _is_float(x) else x

    one, two = (jax.tree.map(lambda x, n=n: moved(x, n), state) for n in (1, 2))
    return state, one, two


def _limit(start: Any, three: tuple[Any, Any, Any]) -> Any:
    """Where the pass, again and again, would lead.

    The pass takes s to M s + c, if the distances between the three have all shrunk by one M < 1;
    then it is s + (pass(s) - s) / (1 - M). What follows another rule is left where it came to.
    """

    def leaf(before, after, other, third):
        if jnp.issubdtype(dtype_of(before), jnp.integer):
            return after + (after - before) * _LAPS
        if not _is_float(before):
            return after
        d = _distance(before)
        memory, again = (other - after) / d, (third - other) / d
        is_average = (abs(again - memory) < 1e-3) & (memory >= -1e-5) & (memory < 1 - 1e-5)
        rest = jnp.where(is_average, 1 - memory, 1)
        return jnp.where(is_average, before + (after - before) / rest, after)

    return jax.tree.map(leaf, start, *three)


def _distance(x: jax.Array) -> jax.Array:
    return 1 + jnp.abs(x)


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(dtype_of(x), jnp.floating)


def settle_by(
    run: Run, source: Source, poll: Callable[[], None] = lambda: None
) -> Callable[[Any], Any]:
    """The model state of given parameters: settled on rows at hand, or else as it is."""

    def settle(params):
        if not isinstance(source, Rows):
            return run.carry.model_state
        return settled(run.program, run.carry, params, source.data, poll)

    return settle
