"""Claims about noisy gradients: the variance of θ, of a minibatch, and weights of examples.

A gradient is λ θ + ξ with Var ξ = σ². Without the velocity θ is an ARMA(2, 1) process,

    θ(k+1) = φ₁ θ(k) + φ₂ θ(k-1) + c₀ ξ(k) + c₁ ξ(k-1)

whose variance over σ² is (see any book on time series)

    [(1 - φ₂)(c₀² + c₁²) + 2 φ₁ c₀ c₁] / [(1 + φ₂)(1 - φ₁ - φ₂)(1 + φ₁ - φ₂)].

Heavy ball: φ = (1 + μ - x, -μ), c = (-τ, 0). Nesterov (ours): φ = ((1+μ)(1-x), -μ(1-x)),
c = (-τ(1+μ), τμ): the three factors below are 1 - μ + μx, x and 2(1+μ) - (1+2μ)x, and the
numerator is τ²[(1+μ) + μ(1+2μ)x]. The Lyapunov equation of the transformation gives the measured
value.
"""

from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np

from ..._energy import energy
from ...optimizers import sgd
from ..probes import stationary_variance
from .statement import Finding, statement


@statement(
    "variance-of-heavy-ball",
    claim="Heavy ball's variance is τσ²(1+μ) / (λ(1-μ)(2(1+μ)-x)); its pole is the stability edge",
    slide="Momentum",
    source="Mandt, Hoffman and Blei (2017); from an ARMA(2, 1) process",
    picture="variance",
)
def variance_of_heavy_ball(sgd=sgd):
    for mu, curvature, tau in ((0.0, 2.0, 0.3), (0.5, 1.0, 1.5), (0.9, 0.3, 12.0)):
        x = tau * curvature
        predicted = tau * 3 * (1 + mu) / (curvature * (1 - mu) * (2 * (1 + mu) - x))
        measured = stationary_variance(sgd(tau, mu), curvature, 3)
        yield Finding(measured, predicted, 1e-10 * predicted, what=f"μ = {mu}, x = {x:g}")


@statement(
    "variance-of-nesterov",
    claim="Nesterov's variance is τσ²[(1+μ)+μ(1+2μ)x] / (λ(1-μ+μx)(2(1+μ)-(1+2μ)x))",
    slide="Nesterov 1983",
    source="ours",
    picture="variance",
)
def variance_of_nesterov(sgd=sgd):
    for mu, curvature, tau in ((0.5, 1.0, 0.2), (0.9, 2.0, 0.5), (0.99, 0.3, 4.0)):
        x = tau * curvature
        top = tau * 3 * ((1 + mu) + mu * (1 + 2 * mu) * x)
        bottom = curvature * (1 - mu + mu * x) * (2 * (1 + mu) - (1 + 2 * mu) * x)
        measured = stationary_variance(sgd(tau, mu, True), curvature, 3)
        yield Finding(measured, top / bottom, 1e-10 * top / bottom, what=f"μ = {mu}, x = {x:g}")


@statement(
    "momentum-does-not-average-noise",
    claim="To first order the variance depends on τ/(1 - μ) only",
    slide="Momentum",
    source="ours, from the formula of heavy ball",
    picture="variance",
)
def momentum_does_not_average(sgd=sgd):
    for mu in (0.0, 0.9, 0.99):
        variance = stationary_variance(sgd(0.1 * (1 - mu), mu), 1.0)
        yield Finding(variance, 0.05, 3e-3, what=f"μ = {mu}, τ/(1 - μ) = 0.1")


@statement(
    "variance-in-a-run",
    claim="The variance of 2,000 runs agrees with the Lyapunov equation",
    slide="Stochastic gradients",
    source="Monte Carlo, fixed seed",
)
def variance_in_a_run(sgd=sgd):
    tx = sgd(0.3, 0.5, True)
    kicks = jax.random.normal(jax.random.key(0), (600, 2000))

    def body(carry, kick):
        params, state = carry
        update, state = tx.update(params + kick, state)
        return (params + update, state), (params**2).mean()

    start = jnp.zeros(2000)
    _, squares = jax.jit(lambda k: jax.lax.scan(body, (start, tx.init(start)), k))(kicks)
    predicted = stationary_variance(tx, 1.0)
    return Finding(
        squares[50:].mean(), predicted, 5e-3 * predicted, what="Nesterov, τ = .3, μ = .5"
    )


@statement(
    "variance-of-a-minibatch",
    claim="A batch of B out of N, drawn without replacement, has the variance S²(N-B)/((N-1)B)",
    slide="Stochastic gradients",
    source="Cochran (1977), theorem 2.2; here over all batches",
)
def variance_of_a_minibatch(energy=energy):
    targets = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.1, 0.0, -2.2])
    loss = energy(lambda θ, batch: (θ - batch) ** 2 / 2)
    spread, n = targets.var(), len(targets)
    for size in (1, 3, 8):
        batches = jnp.asarray(list(combinations(targets, size)))
        gradients = jax.vmap(jax.grad(loss), (None, 0))(jnp.asarray(0.0), batches)
        predicted = spread * (n - size) / ((n - 1) * size)
        yield Finding(
            gradients.mean(), -targets.mean(), 1e-12, what=f"B = {size}: the mean, unbiased"
        )
        yield Finding(jnp.var(gradients), predicted, 1e-12, what=f"B = {size}: the variance")


@statement(
    "a-weight-is-a-repetition",
    claim="An example of weight 3 counts as three, a masked example as none; E stays a mean",
    slide="Stochastic gradients",
    source="the lecture, last slide: E_k is divided by |I(k)|; ours for weights",
)
def weight_is_a_repetition(energy=energy):
    targets, times = jnp.array([0.3, -1.2, 2.0, 0.7, -0.4]), np.array([3, 1, 0, 2, 1])
    loss = energy(lambda θ, batch: (θ - batch) ** 2 / 2)
    slope = jax.grad(loss)
    predicted = slope(0.5, jnp.repeat(targets, times))
    weighted = slope(0.5, targets, weights=jnp.asarray(times, float))
    masked = slope(0.5, jnp.append(targets, 9.0), mask=jnp.arange(6) < 5)
    yield Finding(weighted, predicted, 1e-15, what="weights 3, 1, 0, 2, 1: the gradient")
    yield Finding(masked, slope(0.5, targets), 1e-15, what="a masked example: the gradient")
    yield Finding(slope(0.5, targets), 0.5 - targets.mean(), 1e-15, what="all examples: a mean")
