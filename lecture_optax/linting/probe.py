"""The answer of a transformation to gradients and parameters of several sizes.

A small copy of the tree is used, with constant leaves, and one compiled loop for all sizes: the
probe is cheap, and an answer says something about any transformation, whoever wrote it.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .._core.dtypes import cast_like, dtype_of, widen

SEEN_STEPS, MOST_STEPS = 64, 512
"""Steps with an update that is not 0, and steps in all: `optax.MultiSteps` waits for batches."""


class NotCheckedError(Exception):
    """A rule has no verdict, for the reason that it says."""


@dataclass(frozen=True)
class Lanes:
    """What is tried side by side.

    - `gradient`, `parameter`: the value of every entry, for each lane or for all.
    - `count`: what a schedule's counter starts at, likewise.
    - `seen`, `most`: the steps with an update that is not 0, and the steps in all.
    """

    gradient: np.ndarray | float = 1.0
    parameter: np.ndarray | float = 1.0
    count: np.ndarray | int = 0
    seen: int = SEEN_STEPS
    most: int = MOST_STEPS


class Response(NamedTuple):
    """What came back; every array has an axis for the lanes and one for the leaves.

    - `first`: the mean entry of the first update that is not 0.
    - `at`: the number of steps that it took.
    - `seen`, `uphill`: the steps with an update that is not 0, and those that go uphill.
    - `total`: the sum of the mean entries.
    - `counted`: by how much the counters of schedules grew, one number for a lane.
    """

    first: Any
    at: Any
    seen: Any
    uphill: Any
    total: Any
    counted: Any


_WIDTH = 32
"""The lanes of one call: one program serves every number of them."""


def response_of(tx: Any, params: Any, lanes: Lanes) -> Response:
    """Return the answers of a transformation, compiled once for a tree."""
    several = np.broadcast_arrays(lanes.gradient, lanes.parameter, lanes.count)
    given = [np.ravel(x).astype(d) for x, d in zip(several, ("f", "f", "i"), strict=True)]
    found, n, respond = [], len(given[0]), _compiled(tx)
    for at in range(0, n, _WIDTH):
        part = [np.resize(x[at : at + _WIDTH], _WIDTH) for x in given]
        answer = respond(_structure(params), _small(params), *part, lanes.seen, lanes.most)
        found.append([np.asarray(x) for x in answer])
    return Response(*(np.concatenate(x)[:n] for x in zip(*found, strict=True)))


def small_copy(params: Any, value: Any = 1.0) -> Any:
    """Return a copy of a tree with at most 2 entries along an axis, all of one value."""
    leaves = jax.tree.leaves(params)
    small = [jnp.full(_shape(p), value, dtype_of(p)) for p in leaves]
    return _structure(params).unflatten(small)


def _structure(params: Any) -> Any:
    return jax.tree.structure(params)


def _small(params: Any) -> tuple[tuple[tuple[int, ...], Any], ...]:
    """Return shapes and dtypes; in at least float32, as the rounding of updates is a rule's own."""
    leaves = jax.tree.leaves(params)
    return tuple((_shape(p), jnp.promote_types(dtype_of(p), jnp.float32)) for p in leaves)


def _shape(leaf: Any) -> tuple[int, ...]:
    return tuple(min(n, 2) for n in np.shape(leaf))


def _compiled(tx: Any) -> Callable[..., Any]:
    try:
        return _remembered(tx)
    except TypeError:  # an update that has no hash
        return _build(tx)


@functools.lru_cache(maxsize=8)  # a program keeps its transformation alive
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
                    sum(map(_value, counters(after)), jnp.zeros((), jnp.int32)) - begun,
                )
                return k + 1, found, cast_like(after, state)

            zero, state = jnp.zeros((), jnp.int32), _counting_from(tx.init(params), count)
            begun = sum(map(_value, counters(state)), zero)
            start = zero, Response(nothing, none, none, none, nothing, zero), state
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


def counters(state: Any) -> list[Any]:
    """Return the nodes of a state that only count: a schedule's count, and perhaps its rate.

    The count of a bias correction, or of micro-steps, stands beside other fields and is none.
    """
    return [x for x in jax.tree.leaves(state, is_leaf=_is_counter) if _is_counter(x)]


def _counting_from(state: Any, count: Any) -> Any:
    """Return a state whose schedules count from `count`."""

    def moved(node):
        if not _is_counter(node):
            return node
        return node._replace(**{_name(node): _value(node) + count})

    return jax.tree.map(moved, state, is_leaf=_is_counter)


_NAMES = ("count", "step")


def _is_counter(node: Any) -> bool:
    fields = set(getattr(node, "_fields", ()))
    return bool(fields & set(_NAMES)) and fields <= {*_NAMES, "learning_rate"}


def _name(node: Any) -> str:
    return next(name for name in _NAMES if name in node._fields)


def _value(node: Any) -> Any:
    return getattr(node, _name(node))
