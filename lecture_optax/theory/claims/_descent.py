"""How does a statement run a method? Down a loss, or along gradients that are given; compiled."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

Read = Callable[[Any, Any, Any], Any]
"""`(tx, state, params) -> point`, as `lookahead_readout` is."""


def descend(
    tx: optax.GradientTransformation,
    slope: Callable[[Any], Any],
    start: Any,
    steps: int,
    read: Read | None = None,
) -> Any:
    """θ(0), ..., θ(steps) along `slope(θ)`; or what is read of them."""
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
    """The updates for given gradients, with θ = 0 where the method asks for it.

    For several runs of the same shape, compiled once, the updates of each.
    """

    def body(state, gradient):
        update, state = tx.update(gradient, state, jnp.zeros_like(gradient))
        return state, update

    @jax.jit
    def run(gradients):
        return jax.lax.scan(body, tx.init(jnp.zeros_like(gradients[0])), gradients)[1]

    updates = [run(jnp.asarray(gradients, float)) for gradients in runs]
    return updates[0] if len(runs) == 1 else updates
