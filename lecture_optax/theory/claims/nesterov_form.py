"""Claims about the form of momentum and of Nesterov's method, by step matrices.

A bound does not identify the method: a momentum one step too late has a smaller worst case than
Nesterov's.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import optax

from ..._core.chain import chain
from ..._learning_rate import scale_by_learning_rate
from ..._nesterov import lookahead_readout, nesterov_trace
from ..._trace import trace
from ...optimizers import sgd
from ...schedules import inverse_time, momentum_nesterov
from ..probes import step_matrix
from .statement import Finding, statement

STEPS = 30


@statement(
    "nesterov-is-the-textbook",
    claim="The stored θ is the look-ahead y and its read-out is x, also when μ depends on k",
    slide="Nesterov 1983",
    source="Nesterov (1983); Sutskever et al. (2013); the two μ: ours",
    picture="memory",
)
def nesterov_is_the_textbook(
    sgd=sgd, nesterov_trace=nesterov_trace, momentum_nesterov=momentum_nesterov
):
    moving = momentum_nesterov()
    momenta = {"0.9": (0.9, lambda k: 0.9), "k/(k+3)": (moving, lambda k: k / (k + 3))}
    for name, (given, mu) in momenta.items():
        x, y = textbook(0.7, mu)
        tx = sgd(0.7, momentum=given, nesterov=True)
        stored, read = step_matrix(tx, STEPS), step_matrix(tx, STEPS, read=lookahead_readout)
        yield Finding(np.abs(stored - y).max(), 0, 1e-12, what=f"θ - y, μ = {name}")
        yield Finding(np.abs(read[-1] - x[-1]).max(), 0, 1e-12, what=f"read-out - x, μ = {name}")
        inside = chain(scale_by_learning_rate(0.7), nesterov_trace(given))
        read = step_matrix(inside, STEPS, read=lookahead_readout)
        yield Finding(np.abs(read[-1] - x[-1]).max(), 0, 1e-12, what="the same, τ inside v")


@statement(
    "heavy-ball-with-a-moving-momentum",
    claim="With a schedule, v(k+1) = μ(k) v(k) + g(k): step k multiplies the velocity by μ(k)",
    slide="Momentum",
    source="Polyak (1964), with μ(k) for μ",
    picture="memory",
)
def heavy_ball_with_a_moving_momentum(sgd=sgd):
    """Check the weight of g(j) in v(k+1): μ(j+1) ... μ(k), without μ(0) because v(0) = 0."""
    momenta = (np.arange(STEPS) + 1) / (np.arange(STEPS) + 4)
    tx = sgd(1.0, momentum=lambda k: jnp.asarray(momenta)[k])
    faded = [
        [np.prod(momenta[j + 1 : k + 1]) * (j <= k) for j in range(STEPS)] for k in range(STEPS)
    ]
    theta = -np.cumsum(faded, axis=0)
    off = np.abs(step_matrix(tx, STEPS)[1:] - theta).max()
    return Finding(off, 0, 1e-12, what=f"off the products of μ, {STEPS} steps")


@statement(
    "the-rate-inside-the-velocity",
    claim="On the slide τ(k) is inside v: with τ = 1/k that is another method than τ outside",
    slide="Momentum",
    source="the lecture; Optax and torch keep τ outside",
)
def rate_inside_the_velocity(
    sgd=sgd,
    trace=trace,
    nesterov_trace=nesterov_trace,
    scale_by_learning_rate=scale_by_learning_rate,
    inverse_time=inverse_time,
):
    tau = inverse_time(1.0)
    slide_nesterov = chain(scale_by_learning_rate(tau), nesterov_trace(0.9))
    slide_heavy = chain(scale_by_learning_rate(tau), trace(0.9))
    for name, tx, ahead in (("Nesterov", slide_nesterov, 0.9), ("heavy ball", slide_heavy, None)):
        off = np.abs(step_matrix(tx, 5) - slide(5, 0.9, ahead)).max()
        yield Finding(off, 0, 1e-12, what=f"{name}: off the slide")
    inside = step_matrix(slide_nesterov, 5)[-1, 0]
    outside = step_matrix(sgd(tau, momentum=0.9, nesterov=True), 5)[-1, 0]
    decayed = -1 - sum(0.9 ** (k + 1) / (k + 1) for k in range(5))
    yield Finding(inside, -(1 - 0.9**6) / 0.1, 1e-12, what="weight of g(0) after 5 steps, τ inside")
    yield Finding(outside, decayed, 1e-12, what="weight of g(0) after 5 steps, τ outside")


@statement(
    "a-constant-rate-stands-anywhere",
    claim="With a constant τ the slide's momentum and Optax's are one method",
    slide="Momentum",
    source="the lecture; optax.sgd",
)
def constant_rate_stands_anywhere(
    sgd=sgd,
    trace=trace,
    nesterov_trace=nesterov_trace,
    scale_by_learning_rate=scale_by_learning_rate,
):
    rate = scale_by_learning_rate(0.3)
    for nesterov, velocity in ((False, trace), (True, nesterov_trace)):
        peer = step_matrix(optax.sgd(0.3, momentum=0.9, nesterov=nesterov), 12)
        inside, outside = chain(rate, velocity(0.9)), sgd(0.3, 0.9, nesterov)
        for where, tx in (("inside", inside), ("outside", outside)):
            off = np.abs(step_matrix(tx, 12) - peer).max()
            yield Finding(off, 0, 1e-13, what=f"nesterov={nesterov}, τ {where}")
    uphill = step_matrix(scale_by_learning_rate(0.3, flip_sign=False), 1)[1, 0]
    yield Finding(uphill, 0.3, 1e-13, what="one step, flip_sign=False")


def textbook(
    tau: float, mu: Callable[[int], float], steps: int = STEPS
) -> tuple[np.ndarray, np.ndarray]:
    """Return H for x and y: x(k+1) = y(k) - τ g(k),  y(k+1) = x(k+1) + μ(k) (x(k+1) - x(k))."""
    x = y = np.zeros(steps)
    xs, ys = [x], [y]
    for k, gradient in enumerate(np.eye(steps)):
        x_next = y - tau * gradient
        y = x_next + mu(k) * (x_next - x)
        x = x_next
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)


def slide(steps: int, a: float, ahead: float | None) -> np.ndarray:
    """Return H of v ← a v - τ(k) g, θ ← θ + v, or θ ← θ - τ(k) g + a v; τ(k) = 1/(k + 1)."""
    theta = v = np.zeros(steps)
    rows = [theta]
    for k, gradient in enumerate(np.eye(steps)):
        down = -gradient / (k + 1)
        v = a * v + down
        theta = theta + (v if ahead is None else down + ahead * v)
        rows.append(theta)
    return np.array(rows)
