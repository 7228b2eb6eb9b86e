"""LO109: a β2 that rounds to 1 in the dtype of the state.

In a narrow dtype it is seen: after gradients of ones, 64 gradients of 0 leave an average of squares
as it is. An average, unlike a sum, weighs a square by less than 1/128. In float32 and wider the
number itself is read, where a description or a closure names it; in a narrow dtype it is read too
where `optax.inject_hyperparams` keeps it in the state.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.describe import describe
from ..._core.dtypes import cast_like, dtype_of
from ..._core.types import Finding
from ..probe import NotCheckedError, small_copy, update_of
from ..rule import Case, Rule, is_known, number, some

_ONES, _ZEROS = 4, 64
_WEIGHT = 2.0**-7
_REMEDY = (
    "Keep the state in float32: train float32 parameters, or cast the gradients and the parameters "
    "for the optimizer to float32."
)
_NAMES = ("b2", "beta2", "decay", "decay_rate", "b3")


def _rounds(case: Case) -> Iterator[Finding]:
    yield from _injected(case)
    for name, value in _named(case):
        is_one = value == 1 and name in ("b2", "beta2")  # the decay of a sum may be 1
        if is_one or (0.5 < value < 1 and np.float32(value) == 1):
            yield Finding(
                "LO109",
                {name: value},
                f"{name} = {value!r} rounds to 1 in float32: the average never forgets, and its "
                "bias correction divides by 0.",
                "Take at most 1 - 1e-7, or compute in float64.",
            )
            return
    yield from _seen(case)


def _injected(case: Case) -> Iterator[Finding]:
    """Find a β2 that `optax.inject_hyperparams` keeps in the dtype of the parameters."""
    for path, value in jax.tree_util.tree_leaves_with_path(case.state):
        name = getattr(path[-1], "key", "") if path else ""
        injected = any(getattr(part, "name", "") == "hyperparams" for part in path)
        if (
            injected
            and name in _NAMES
            and _is_narrow(value)
            and np.all(np.asarray(value, float) == 1)
        ):
            yield Finding(
                "LO109",
                {name: 1.0, "dtype": str(dtype_of(value))},
                f"optax.inject_hyperparams keeps {name} in {dtype_of(value)}, where it is 1: the "
                "average of squares stays 0, and its bias correction divides by 0.",
                _REMEDY,
            )
            return


def _named(case: Case) -> Iterator[tuple[str, float]]:
    described = [part.arguments for part in describe(case.tx).walk()]
    for numbers in (*described, *(part.numbers for part in case.parts)):
        for name in _NAMES:
            if isinstance(value := numbers.get(name), float):
                yield name, value


def _seen(case: Case) -> Iterator[Finding]:
    leaves = jax.tree_util.tree_leaves_with_path(case.state)
    narrow = [i for i, (_, x) in enumerate(leaves) if _is_narrow(x)]
    if not narrow:
        return
    try:
        one, two, after = _memory(case.tx, case.every)(small_copy(case.params))
    except Exception as error:  # whatever a transformation of another author raises
        raise NotCheckedError(f"it takes no step on its own: {error}") from error
    stuck = [i for i in narrow if _never_forgets(one[i], two[i], after[i])]
    if stuck:
        paths = [jax.tree_util.keystr(leaves[i][0]) for i in stuck]
        dtype = dtype_of(leaves[stuck[0]][1])
        weight = float(np.max(one[stuck[0]])) / _ONES
        yield Finding(
            "LO109",
            {"dtype": str(dtype), "leaves": paths, "weight": weight},
            f"the average of squares {some(paths)} never forgets: its decay rounds to 1 in "
            f"{dtype}. {_ZEROS} gradients of 0 leave it as it is, and every gradient adds "
            f"{number(weight)} of its square, so the steps become smaller without end.",
            _REMEDY,
        )


def _is_narrow(x: Any) -> bool:
    dtype = dtype_of(x)
    return bool(is_known(x) and jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 32)


def _never_forgets(one: np.ndarray, two: np.ndarray, after: np.ndarray) -> bool:
    """Return whether a leaf is a weighted sum of squares, of weight below 1/128, that stays."""
    if not one.size or not (one > 0).all():
        return False
    is_square = np.allclose(two / one, 4.0, rtol=0.1)
    return bool(is_square and (one <= _ONES * _WEIGHT).all() and (after == one).all())


@functools.lru_cache(maxsize=8)
def _memory(tx: Any, every: int) -> Callable[..., Any]:
    """Return a compiled function: the state after ones, after twos, and after ones and zeros."""
    update = update_of(tx)

    @jax.jit
    def states(params):
        def after(gradient, steps, state):
            g = jax.tree.map(lambda p: jnp.full_like(p, gradient), params)
            return jax.lax.fori_loop(
                0, steps * every, lambda _, s: cast_like(update(g, s, params)[1], s), state
            )

        start = tx.init(params)
        one, two = (after(g, _ONES, start) for g in (1.0, 2.0))
        return [jax.tree.leaves(x) for x in (one, two, after(0.0, _ZEROS, one))]

    return lambda params: [[np.asarray(x, float) for x in s] for s in states(params)]


BETA2_IS_ONE = Rule("LO109", "a β2 that rounds to 1", (), _rounds)
