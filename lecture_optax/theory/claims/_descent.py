"""Compiled runs of a method: along the gradient of a loss, or along given gradients."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

Read = Callable[[Any, Any, Any], Any]
"""`(tx, state, params) -> point`, for example `lookahead_readout`."""


def descend(
    tx: optax.GradientTransformation,
    slope: Callable[[Any], Any],
    start: Any,
    steps: int,
    read: Read | None = None,
) -> Any:
    """Return θ(0), ..., θ(steps) along `slope(θ)`, or what `read` returns for each."""
    seen = read or (lambda tx, state, params: params)

    def body(carry, _):
        params, state = carry
        update, state = tx.update(slope(params), state, params)
        params = optax.apply_updates(params, update)
        return (params, state), seen(tx, state, params)

    def run(params):
        state = tx.init(params)
        _, path = jax.lax.scan(body, (params, state), length=steps)
        first = seen(tx, state, params)
        return jax.tree.map(lambda x, xs: jnp.concatenate([x[None], xs]), first, path)

    return jax.jit(run)(jax.tree.map(lambda x: jnp.asarray(x, float), start))


def updates_along(tx: optax.GradientTransformation, *runs: Any) -> Any:
    """Return the updates for given gradients, at θ = 0.

    Several runs of the same shape are compiled once; the result is a list with the updates of each.
    """

    def body(state, gradient):
        update, state = tx.update(gradient, state, jnp.zeros_like(gradient))
        return state, update

    @jax.jit
    def run(gradients):
        return jax.lax.scan(body, tx.init(jnp.zeros_like(gradients[0])), gradients)[1]

    updates = [run(jnp.asarray(gradients, float)) for gradients in runs]
    return updates[0] if len(runs) == 1 else updates
