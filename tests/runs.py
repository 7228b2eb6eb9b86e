"""How a test runs a transformation: a scan over given gradients, or a descent on a loss."""

import jax
import jax.numpy as jnp
import numpy as np
import optax


def updates_for(tx, gradients):
    """The updates of `tx` for a sequence of gradients, starting at zero, in one scan."""

    def body(state, gradient):
        update, state = tx.update(gradient, state)
        return state, update

    zero = jax.tree.map(lambda g: jnp.zeros_like(g[0]), gradients)
    return jax.jit(lambda g: jax.lax.scan(body, tx.init(zero), g)[1])(gradients)


def iterates_of(tx, params, steps, slope):
    """θ(1), ..., θ(steps) and the last state of a descent along `slope(θ)`."""

    def body(carry, _):
        params, state = carry
        update, state = tx.update(slope(params), state, params)
        params = optax.apply_updates(params, update)
        return (params, state), params

    run = jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), length=steps))
    (_, state), path = run(params)
    return np.asarray(path), state
