"""An average of the iterates, kept in the state of a transformation."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ._core import validate
from ._core.block import block, refuse_leaves_without_gradient
from ._core.current import states_in
from ._core.describe import described
from ._core.dtypes import cast_like, default_float, scale, widen, zeros_like
from ._core.types import OptState, Scalar, Transformation


class AverageIteratesState(NamedTuple):
    """The number of updates, k; η; and the average of θ(1), ..., θ(k-1), without θ(k)."""

    count: ArrayLike
    eta: ArrayLike
    average: optax.Params


@described
def average_iterates(eta: Scalar = 8.0) -> Transformation:
    """Average the parameters over the steps, and return the update unchanged.

        a(k) = a(k-1) + (1 + η)/(k + η) (θ(k) - a(k-1)),    k = 1, 2, ...

    η = 0 is the plain mean of all iterates (Polyak and Ruppert); a larger η forgets the start
    faster, like k^-(η+1), and still averages over a fixed part of the run. At a constant rate this
    does what a decay of the rate does, without having to know when to begin. An exponential
    average is another kind: it averages over a fixed number of steps.

    Stands last in a chain, and is read by `averaged(state, params)`. θ(k) itself is seen as the
    loop holds it, rounded, masked or projected as it may be: it enters with the next update, and
    on reading.

    **Arguments**

    - `eta`: η, >= 0. Number, array or tracer.

    **Raises** `ValueError` or `TypeError` if `eta` is concrete and not a finite number >= 0; and
    `ValueError` from `update` when it is not given the parameters.

    Source: Polyak and Juditsky (1992); the weights: Shamir and Zhang (2013), "polynomial-decay
    averaging"; its law: `theory.claims.annealing`.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo, optax
    >>> tx, θ = lo.chain(lo.sgd(0.5), lo.average_iterates(eta=0.0)), jnp.float32(4.0)
    >>> state = tx.init(θ)
    >>> for _ in range(2):  # θ = 4, 2, 1
    ...     update, state = tx.update(θ, state, θ)
    ...     θ = optax.apply_updates(θ, update)
    >>> float(lo.averaged(state, θ))
    1.5

    ```
    """
    validate.non_negative(eta=eta)

    def init_fn(params):
        kept = jnp.array(eta, default_float())  # a copy: a donated state must not own yours
        return AverageIteratesState(jnp.zeros((), jnp.int32), kept, zeros_like(params))

    def update_fn(updates, state, params=None, **extra_args):
        if params is None:
            raise ValueError(
                "average_iterates averages the parameters, got params=None: "
                "call tx.update(gradient, state, params)."
            )
        count = optax.safe_increment(state.count)
        return updates, AverageIteratesState(count, state.eta, _include(state, params))

    return block(init_fn, update_fn)


def averaged(state: OptState, params: Any) -> Any:
    """Return the average that `average_iterates` keeps, wherever it is in `state`.

    **Arguments**

    - `state`, `params`: what the loop holds after the same number of steps.

    **Returns** the average of θ(1), ..., θ(k), a fresh tree like `params`, each leaf in its
    parameter's dtype; `params` before the first step, and where the average was masked.

    **Raises** `ValueError` if `state` holds no average, or one of another tree (as under
    `optax.flatten`).
    """
    found = averages_in(state)
    if not found:
        raise ValueError(
            f"state, a {type(state).__name__}, keeps no average: put average_iterates() last in "
            "the chain, chain(adam(1e-3), average_iterates())."
        )
    refuse_leaves_without_gradient(params)
    if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(params)):
        raise TypeError(f"params must be a tree of arrays, got shapes without numbers: {params!r}.")
    result = widen(params)
    for each in found:
        result = _fill(each, result, params)
    return cast_like(jax.tree.map(jnp.array, result), params)


def averages_in(state: OptState) -> list[AverageIteratesState]:
    """Return every state of `average_iterates` in a state, at any depth."""
    return states_in(state, AverageIteratesState)


def _include(state: AverageIteratesState, params: Any) -> Any:
    """Return the average of θ(1), ..., θ(k), k = state.count; for k = 0, the stored one."""
    k = jnp.asarray(state.count, default_float())
    weight = jnp.where(k > 0, (1 + state.eta) / (jnp.maximum(k, 1) + state.eta), 0)
    ahead = jax.tree.map(jnp.subtract, params, state.average)
    return jax.tree.map(jnp.add, state.average, scale(weight, ahead))


def _fill(state: AverageIteratesState, result: Any, params: Any) -> Any:
    """Return `result` with the averages of this state in place of the leaves it averages."""

    started = jnp.asarray(state.count) > 0

    def leaf(average, now, p):
        if isinstance(average, optax.MaskedNode):
            return now
        one = AverageIteratesState(state.count, state.eta, average)
        return jnp.where(started, _include(one, widen(p)), widen(p))

    def is_masked(x):
        return isinstance(x, optax.MaskedNode)

    try:
        return jax.tree.map(leaf, state.average, result, params, is_leaf=is_masked)
    except ValueError as error:
        raise ValueError(
            "params has another tree than the average that was kept: pass the parameters as the "
            "wrapped optimizer sees them (under optax.flatten that is one vector)."
        ) from error
