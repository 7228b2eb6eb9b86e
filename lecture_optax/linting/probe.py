"""The answer of a transformation to gradients and parameters of several sizes.

A small copy of the tree is used, with constant leaves, and one compiled loop for all sizes: the
probe is cheap, and an answer says something about any transformation, whoever wrote it.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .._core.dtypes import cast_like, dtype_of, widen

SEEN_STEPS, MOST_STEPS = 64, 512
"""Steps with an update that is not 0, and steps in all: `optax.MultiSteps` waits for batches."""


@dataclass(frozen=True)
class Lanes:
    """What is tried side by side.

    - `gradient`, `parameter`: the value of every entry.
    - `count`: what a schedule's counter starts at.
    - `seen`, `most`: the steps with an update that is not 0, and the steps in all.
    """

    gradient: Sequence[float] = (1.0,)
    parameter: Sequence[float] = (1.0,)
    count: Sequence[int] = (0,)
    seen: int = SEEN_STEPS
    most: int = MOST_STEPS


class Response(NamedTuple):
    """What came back; every array has an axis for the lanes and one for the leaves.

    - `first`: the mean entry of the first update that is not 0.
    - `at`: the number of steps that it took.
    - `seen`, `uphill`: the steps with an update that is not 0, and those that go uphill.
    - `total`: the sum of the mean entries.
    """

    first: Any
    at: Any
    seen: Any
    uphill: Any
    total: Any


def response_of(tx: Any, params: Any, lanes: Lanes) -> Response:
    """Return the answers of a transformation, compiled once for a tree and a number of lanes."""
    several = np.broadcast_arrays(lanes.gradient, lanes.parameter, lanes.count)
    gradient, parameter, count = (np.ravel(x) for x in several)
    size = 1 if len(count) == 1 else 32 * -(-len(count) // 32)  # few sizes to compile for
    filled = [
        np.resize(gradient, size).astype(np.float32),
        np.resize(parameter, size).astype(np.float32),
        np.resize(count, size).astype(np.int32),
    ]
    found = _compiled(tx)(_structure(params), _small(params), *filled, lanes.seen, lanes.most)
    return Response(*(np.asarray(x)[: len(count)] for x in found))


def small_copy(params: Any, value: Any = 1.0) -> Any:
    """Return a copy of a tree with at most 2 entries along an axis, all of one value."""
    leaves = [jnp.full(shape, value, dtype) for shape, dtype in _small(params)]
    return _structure(params).unflatten(leaves)


def _structure(params: Any) -> Any:
    return jax.tree.structure(params)


def _small(params: Any) -> tuple[tuple[tuple[int, ...], Any], ...]:
    leaves = jax.tree.leaves(params)
    return tuple((tuple(min(n, 2) for n in np.shape(p)), dtype_of(p)) for p in leaves)


def _compiled(tx: Any) -> Callable[..., Any]:
    try:
        return _remembered(tx)
    except TypeError:  # an update that has no hash
        return _build(tx)


@functools.lru_cache(maxsize=64)
def _remembered(tx: Any) -> Callable[..., Any]:
    return _build(tx)


def _build(tx: Any) -> Callable[..., Any]:
    """Return a compiled function of a tree's structure and shapes, and of the lanes."""
    update = update_of(tx)

    def respond(structure, small, gradients, parameters, counts, wanted, most):
        def tree(value):
            return structure.unflatten([jnp.full(shape, value, dtype) for shape, dtype in small])

        def lane(gradient, parameter, count):
            g, params = tree(gradient), tree(parameter)
            none = jnp.zeros(len(small), jnp.int32)
            nothing = jnp.zeros(len(small))

            def goes_on(carry):
                k, found, _ = carry
                return (k < most) & (jnp.max(found.seen, initial=0) < wanted)

            def step(carry):
                k, found, state = carry
                updates, after = update(g, state, params)
                entries = jnp.stack([jnp.mean(u.real) for u in jax.tree.leaves(widen(updates))])
                moves, is_first = entries != 0, (found.seen == 0) & (entries != 0)
                found = Response(
                    jnp.where(is_first, entries, found.first),
                    jnp.where(is_first, k + 1, found.at),
                    found.seen + moves,
                    found.uphill + (entries * gradient > 0),
                    found.total + entries,
                )
                return k + 1, found, cast_like(after, state)

            state = counting_from(tx.init(params), count)
            start = jnp.zeros((), jnp.int32), Response(nothing, none, none, none, nothing), state
            return jax.lax.while_loop(goes_on, step, start)[1]

        return jax.vmap(lane)(gradients, parameters, counts)

    return jax.jit(respond, static_argnums=(0, 1))


def update_of(tx: Any) -> Callable[..., Any]:
    """Return `update(gradient, state, params)` with all that a step of `lo.fit` gives it."""
    update = optax.with_extra_args_support(tx).update

    def value_fn(params):
        return sum(jnp.sum(x.real) for x in jax.tree.leaves(widen(params)))

    def step(gradient, state, params):
        given = {"value": value_fn(params), "grad": gradient, "value_fn": value_fn}
        return update(gradient, state, params, **given)

    return step


def counting_from(state: Any, count: Any) -> Any:
    """Return a state whose schedules count from `count`: see `is_counter`."""

    def moved(node):
        if not is_counter(node):
            return node
        if not hasattr(node, "_fields"):
            return node + jnp.asarray(count, dtype_of(node))
        name = "count" if "count" in node._fields else "step"
        return node._replace(**{name: getattr(node, name) + count})

    return jax.tree.map(moved, state, is_leaf=is_counter)


def is_counter(node: Any) -> bool:
    """Return whether a node of a state only counts: a count, and perhaps the learning rate.

    The count of a bias correction, or of micro-steps, stands beside other fields and stays.
    """
    fields = getattr(node, "_fields", ())
    return bool({"count", "step"} & set(fields)) and set(fields) <= {
        "count",
        "step",
        "learning_rate",
    }
