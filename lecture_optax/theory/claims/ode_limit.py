"""Claims about the differential equation that Nesterov's method follows as τ → 0.

X'' + (3/t) X' + ∇f(X) = 0,    t = k√τ,    with the friction 1 - μ(k) = 3/(k + 3) ≈ 3√τ/t
"""

import jax
import jax.numpy as jnp
import numpy as np

from ..._nesterov import lookahead_readout
from ...optimizers import sgd
from ...schedules import momentum_nesterov
from ._descent import descend
from .statement import Finding, statement


def log_sum_exp(x):
    """Return a convex loss, not strongly convex, with L <= 1."""
    rows = jnp.asarray(np.random.default_rng(3).normal(size=(12, 5)) / 5)
    return jax.nn.logsumexp(rows @ x) + jax.nn.logsumexp(-rows @ x)


def flat_quadratic(x):
    """Return a quadratic loss with curvatures from 1e-4 to 1."""
    return jnp.asarray(np.geomspace(1e-4, 1, 5)) @ x**2 / 2


@statement(
    "nesterovs-potential-falls",
    claim="2τ t²(f(x) - f*) + |t x - (t-1) x⁻ - θ*|², t = (k+2)/2, never grows, although f does",
    slide="Nesterov 1983",
    source="Beck and Teboulle (2009), lemma 4.1; Su, Boyd and Candès (2016), theorem 3",
)
def potential_falls(sgd=sgd, momentum_nesterov=momentum_nesterov):
    """Check the potential on two convex losses whose minimum is at 0."""
    tx = sgd(1.0, momentum_nesterov(), nesterov=True)
    for loss in (flat_quadratic, log_sum_exp):
        x = descend(tx, jax.grad(loss), np.arange(1.0, 6.0), 200, read=lookahead_readout)
        gap = jax.vmap(loss)(x) - loss(jnp.zeros(5))
        t = (jnp.arange(200) + 2) / 2  # for the step from x(k) to x(k + 1)
        ahead = t[:, None] * x[1:] - (t - 1)[:, None] * x[:-1]
        energy = 2 * t**2 * gap[1:] + (ahead**2).sum(1)
        growth = jnp.diff(energy).max() / energy[0]
        rises = (jnp.diff(gap) > 0).sum()
        yield Finding(growth, 0, 1e-12, "<=", f"{loss.__name__}: its largest growth")
        yield Finding(rises, 5, relation=">=", what=f"{loss.__name__}: number of times f grew")


@statement(
    "nesterovs-friction",
    claim="f + |Δx|²/(2τ), the energy of the ball, decreases by friction at every step",
    slide="Nesterov 1983",
    source="Su, Boyd and Candès (2016), section 4",
    picture="ode_limit",
)
def friction(sgd=sgd, momentum_nesterov=momentum_nesterov):
    tau = 1e-4
    tx = sgd(tau, momentum_nesterov(), nesterov=True)
    x = descend(tx, lambda θ: θ, 1.0, 3000, read=lookahead_readout)
    energy = x[1:] ** 2 / 2 + np.diff(x) ** 2 / (2 * tau)
    yield Finding(np.diff(energy).max(), 0, relation="<=", what="its largest growth")
    yield Finding(energy[-1] / energy[0], 1e-2, relation="<=", what="energy at t = 30 over start")


@statement(
    "the-continuous-rate",
    claim="f(X(t)) - f* <= 2 R²/t², also for the iterates, with t = k√τ",
    slide="Nesterov 1983",
    source="Su, Boyd and Candès (2016), theorem 3 and 6",
    picture="ode_limit",
)
def continuous_rate(sgd=sgd, momentum_nesterov=momentum_nesterov):
    tau = 1e-3
    tx = sgd(tau, momentum_nesterov(), nesterov=True)
    x = descend(tx, lambda θ: θ, 1.0, 1000, read=lookahead_readout)
    t = np.arange(1, 1001) * tau**0.5
    largest = (t**2 * np.asarray(x[1:]) ** 2 / 2).max()
    return Finding(largest, 2, relation="<=", what="the largest t² (f - f*)/R²")
