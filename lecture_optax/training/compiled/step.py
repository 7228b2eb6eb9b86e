"""One step: a gradient, an update, and the record of both."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ..._core.current import current
from ..._core.dtypes import as_array, default_float, dtype_of, widen
from ..._core.numerics import abs_squared, reciprocal
from .._trees import n_rows


class Carry(NamedTuple):
    """All that the next step needs. `key` is `jax.random.key(seed)` in every step."""

    params: Any
    model_state: Any
    opt_state: Any
    key: jax.Array
    step: ArrayLike


class Record(NamedTuple):
    """The record of one step.

    - `loss`: of its batch, before the update.
    - `grad_norm`, `update_norm`: |g| and |Δθ|.
    - `update_ratio`: |Δθ| / |θ|, of all parameters together; `leaf_ratios` leaf by leaf.
    - `learning_rate`: the first learning rate in the optimizer's state; None without one.
    - `finite`: whether loss, |g| and |Δθ| are finite, and θ + Δθ in float16. The step is taken in
      any case: selecting new or old parameters leaf by leaf costs as much as the optimizer.
    """

    loss: jax.Array
    grad_norm: jax.Array
    update_norm: jax.Array
    update_ratio: jax.Array
    learning_rate: jax.Array | None
    finite: jax.Array
    leaf_ratios: jax.Array


def keys_of(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the keys of the row order and of the noise (dropout), folded from that of `init`."""
    return jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)


def step_of(loss: Callable[..., Any], tx: optax.GradientTransformation, accumulate: int) -> Any:
    """Return the pure step `(carry, batch, sample_weight) -> (carry, record)`.

    The optimizer receives the conjugate of JAX's gradient where a parameter is complex, as it would
    otherwise ascend along the imaginary axis (`_steepest_ascent`).
    """
    tx = optax.with_extra_args_support(tx)

    def step(carry, batch, sample_weight=None):
        key = jax.random.fold_in(keys_of(carry.key)[1], carry.step)
        gradient_at = _accumulated(loss, accumulate) if accumulate > 1 else _gradient(loss)
        (value, model_state), gradient = gradient_at(
            carry.params, carry.model_state, batch, key, sample_weight
        )

        def value_fn(params):  # for line searches
            return loss(params, carry.model_state, batch, key, sample_weight)[0]

        updates, opt_state = tx.update(
            gradient, carry.opt_state, carry.params, value=value, grad=gradient, value_fn=value_fn
        )
        record = _record(value, gradient, updates, carry.params, opt_state)
        params = _move(carry.params, updates)
        record = record._replace(finite=record.finite & _has_room(params))
        return Carry(params, model_state, opt_state, carry.key, carry.step + 1), record

    return step


def _gradient(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the arguments of `loss`: ((loss, model state), gradient)."""
    gradient_at = jax.value_and_grad(loss, has_aux=True)

    def gradient(*arguments):
        found, derivative = gradient_at(*arguments)
        return found, jax.tree.map(_steepest_ascent, derivative)

    return gradient


def _steepest_ascent(derivative: jax.Array) -> jax.Array:
    """Return the direction in which a real loss increases most, from its derivative by JAX.

    For a complex z = a + ib, JAX returns dE/da - i dE/db. The loss increases most along
    dE/da + i dE/db, which is what an optimizer subtracts.
    """
    return derivative.conj() if jnp.iscomplexobj(derivative) else derivative


def _accumulated(loss: Callable[..., Any], parts: int) -> Callable[..., Any]:
    """Return the gradient of a large batch from `parts` small ones, weighted by their examples."""

    def gradient_at(params, model_state, batch, key, sample_weight):
        total, rows = None, n_rows(batch) // parts
        for i in range(parts):
            part, w = jax.tree.map(
                lambda x, i=i: x[i * rows : (i + 1) * rows], (batch, sample_weight)
            )
            (value, model_state), gradient = _gradient(loss)(
                params, model_state, part, jax.random.fold_in(key, i), w
            )
            present = jnp.asarray(rows, default_float()) if w is None else jnp.sum(widen(w))
            own = jax.tree.map(lambda x, n=present: n * x, widen((value, gradient))), present
            total = own if total is None else jax.tree.map(jnp.add, total, own)
        sums, present = total  # type: ignore[misc]
        value, gradient = jax.tree.map(lambda x: reciprocal(present) * x, sums)
        return (value, model_state), gradient

    return gradient_at


def _record(value, gradient, updates, params, opt_state) -> Record:
    lengths, moves, zero = squares(params), squares(updates), jnp.zeros((), default_float())
    grad_norm, update_norm = jnp.sqrt(sum(squares(gradient), zero)), jnp.sqrt(sum(moves, zero))
    ratios = [_ratio(move, length) for move, length in zip(moves, lengths, strict=True)]
    return Record(
        loss=as_array(value, default_float()),
        grad_norm=grad_norm,
        update_norm=update_norm,
        update_ratio=_ratio(update_norm**2, sum(lengths, zero)),
        learning_rate=rate_of(opt_state),
        finite=jnp.isfinite(value) & jnp.isfinite(grad_norm) & jnp.isfinite(update_norm),
        leaf_ratios=jnp.stack(ratios) if ratios else jnp.zeros(0, default_float()),
    )


def rate_of(opt_state: Any) -> jax.Array | None:
    """Return the first learning rate in the state, or None."""
    try:
        rates = list(current(opt_state).learning_rates.values())
    except ValueError:  # nothing in it counts
        rates = []
    return jnp.asarray(rates[0], default_float()) if rates else None


def squares(tree: Any) -> list[jax.Array]:
    """Return |x|² of every leaf."""
    wide = jax.tree.leaves(widen(tree))
    return [as_array(jnp.sum(abs_squared(x)), default_float()) for x in wide]


def _ratio(move: jax.Array, length: jax.Array) -> jax.Array:
    return jnp.sqrt(move * reciprocal(length))


def _has_room(params: Any) -> jax.Array:
    """Whether no sum overflowed its dtype, where |Δθ| has a larger range."""

    def largest(dtype):
        return float(jnp.finfo(dtype).max)

    wide = largest(default_float())
    narrow = [x for x in jax.tree.leaves(params) if 2 * largest(dtype_of(x)) < wide]
    return jnp.all(jnp.array([jnp.all(jnp.isfinite(x)) for x in narrow], bool))


def _move(params: Any, updates: Any) -> Any:
    """Return θ + Δθ in the precision of Δθ, rounded to that of θ."""

    def leaf(p, u):
        return as_array(as_array(p, u.dtype) + u, dtype_of(p))

    return jax.tree.map(leaf, params, updates)
