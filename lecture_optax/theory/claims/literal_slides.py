"""Claims about the slides' formulas: taken literally, and as they are meant."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ...optimizers import adam, sgd
from ...schedules import momentum_nesterov, step
from .. import literal
from ..probes import lower_bound, step_matrix
from ._descent import descend, updates_along
from .statement import Finding, statement

TAU = 1e-3


@statement(
    "literal-minus",
    claim="With the slide's minus sign Adam ascends θ²/2, from θ = 1 to 2.17 in 1,000 steps",
    slide="Adam",
    source="the lecture; the slide before it has the plus sign",
)
def minus(adam=adam):
    yield Finding(_end(literal.adam_minus(TAU), 1000), 2.167, 5e-4, what="θ(1000), as written")
    yield Finding(_end(adam(TAU), 1000), 0.258, 5e-4, what="θ(1000), as meant")


@statement(
    "literal-feedback",
    claim="With corrected averages fed back, c overflows at step 19 in float32, and θ stops",
    slide="Adam",
    source="the lecture; what is meant: Kingma and Ba (2015), algorithm 1",
)
def feedback(adam=adam):
    """Check the step at which c overflows, in float32 and in float64.

    The factor of c, Π b2/(1 - b2^j), exceeds 3.4e38 at j = 19 and 1.8e308 at j = 324. As
    c(0) = 0, the first factor has no effect: with a gradient of 1, c is infinite one step later in
    float32, and five steps later in float64.
    """
    tx = literal.adam_fed_back(TAU)
    for x64, passed, stepped in ((False, 19, 20), (True, 324, 329)):
        dtype = "float64" if x64 else "float32"
        with jax.enable_x64(x64):
            factors = _fed_back_alone(literal.fed_back(0.999), 400)
            c = descend(tx, _slope, 1.0, 400, read=_fed_back_c)
        yield Finding(_first(np.isinf(factors)), passed, what=f"step to infinity, c = 1, {dtype}")
        yield Finding(_first(np.isinf(c)), stepped, what=f"step to infinity, θ = 1, {dtype}")
    path = descend(tx, _slope, 1.0, 1000)
    yield Finding(path[1000], path[329], what="θ(1000), as written: θ(329)")
    yield Finding(path[1000], 0.9987, 5e-5, what="θ(1000), as written")
    yield Finding(_end(adam(TAU), 1000), 0.258, 5e-4, what="θ(1000), as meant")


@statement(
    "literal-exponent",
    claim="With the exponent k = 0 in the first step, θ is NaN after one step",
    slide="Adam",
    source="the lecture; 1/(1 - b1⁰) = 1/0",
)
def exponent(adam=adam):
    path = descend(literal.adam_from_zero(TAU), _slope, 1.0, 3)
    yield Finding(_first(np.isnan(path)), 1, what="first step to NaN, as written")
    yield Finding(_end(adam(TAU), 1), 1 - TAU, 1e-9, what="θ(1), as meant")


@statement(
    "literal-epsilon",
    claim="A gradient of 1e-5 makes a step of .0995 τ with ε = 1e-8 inside the root, else .999 τ",
    slide="Adam",
    source="the lecture; ε outside: Kingma and Ba (2015)",
)
def epsilon(adam=adam):
    """Check the first step: τ g/√(g² + ε) with ε inside the root, τ g/(|g| + ε) outside."""
    for g in (1e-3, 1e-5):
        inside, outside = g / np.sqrt(g**2 + 1e-8), g / (g + 1e-8)
        for what, tx, size in (
            ("as written", literal.adam_eps_inside(TAU), inside),
            ("by eps_root", adam(TAU, eps=0.0, eps_root=1e-8), inside),
            ("usual", adam(TAU), outside),
        ):
            step = -updates_along(tx, np.array([g]))[0] / TAU
            yield Finding(step, size, 1e-9, what=f"first step over τ, g = {g:g}, {what}")
    silence = -updates_along(adam(1.0, b2=0.0, eps=0.5), np.array([1.0, 0.0]))[1]
    yield Finding(silence, 0.09 / 0.19 / 0.5, 1e-9, what="D = 1/ε if c = 0")


@statement(
    "literal-rate-inside",
    claim="With τ inside the velocity, a tenfold drop of τ takes a step from 8.91 to 7.31, not .9",
    slide="Momentum",
    source="the lecture and Keras; Optax and torch keep τ outside",
)
def rate_inside(sgd=sgd):
    """Check the 21st step, the first with τ = .1, for gradients of 1.

    The memory is V(k) = (1 - .9^k)/.1. Inside, the old velocity still has τ = 1, so the step is
    .1 + .9 (.9 V(20) + .1). Outside, it is .1 (1 + .9 V(21)).
    """
    drop = step(1.0, boundaries=[20], factor=0.1)
    ones, V = np.ones(21), (1 - 0.9 ** np.arange(22)) / 0.1
    inside = -updates_along(literal.nesterov_rate_inside(drop), ones)
    outside = -updates_along(sgd(drop, momentum=0.9, nesterov=True), ones)
    yield Finding(inside[19], 1 + 0.9 * V[20], 1e-12, what="the step before the drop, both")
    yield Finding(outside[19], 1 + 0.9 * V[20], 1e-12, what="the step before the drop, both")
    yield Finding(inside[20], 0.1 + 0.9 * (0.9 * V[20] + 0.1), 1e-12, what="after it, as written")
    yield Finding(outside[20], 0.1 * (1 + 0.9 * V[21]), 1e-12, what="after it, usual")


@statement(
    "literal-one-momentum",
    claim="With μ(k) for memory and look-ahead, the bound is no worse, but the method is another",
    slide="Nesterov 1983",
    source="ours; what is meant: Nesterov (1983)",
)
def one_momentum(sgd=sgd, momentum_nesterov=momentum_nesterov):
    read = literal.nesterov_one_momentum(1.0, momentum_nesterov())
    meant = sgd(1.0, momentum_nesterov(), nesterov=True)
    injected = optax.inject_hyperparams(optax.sgd)(1.0, momentum=momentum_nesterov(), nesterov=True)
    off = np.abs(step_matrix(read, 6) - step_matrix(meant, 6)).max()
    same = np.abs(step_matrix(read, 6) - step_matrix(injected, 6)).max()
    yield Finding(off, 0.174, 5e-4, what="largest difference in 6 steps")
    yield Finding(same, 0, 1e-12, what="off optax.inject_hyperparams(optax.sgd)")
    yield Finding(lower_bound(read, 10), 0.0108471, 1e-7, what="Huber's loss, N = 10, as written")
    yield Finding(lower_bound(meant, 10), 1 / 87, 1e-12, what="Huber's loss, N = 10, as meant")


def _slope(θ: Any) -> Any:
    """Return the gradient of θ²/2."""
    return θ


def _first(holds: np.ndarray) -> int:
    """Return the first step at which `holds` is true."""
    return int(np.argmax(holds))


def _end(tx: optax.GradientTransformation, steps: int) -> Any:
    return descend(tx, _slope, 1.0, steps)[-1]


def _fed_back_alone(average: optax.GradientTransformation, steps: int) -> jax.Array:
    """Return the average over time from a stored 1, with gradients of 0."""
    nothing = jnp.zeros(())
    state = optax.tree.set(average.init(nothing), memory=jnp.ones(()))

    def body(state, _):
        x, state = average.update(nothing, state)
        return state, jnp.asarray(x)

    _, path = jax.lax.scan(body, state, length=steps)
    return jnp.concatenate([jnp.ones(1), path])


def _fed_back_c(tx: Any, state: Any, params: Any) -> jax.Array:
    """Return c(k), the memory of the denominator."""
    return jnp.asarray(optax.tree.get(state[0].by, "memory"))
