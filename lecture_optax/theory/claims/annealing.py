"""Claims about τ = c/k, about its constant, and about averages of the iterates.

θ(N) is linear in the noise, so differentiation gives exact second moments:

    E θ(N)² = (∂θ(N)/∂θ(0))² θ(0)² + σ² Σ_k (∂θ(N)/∂ξ(k))²
"""

import jax
import jax.numpy as jnp
import numpy as np

from ..._average import average_iterates, averaged
from ..._core.chain import chain
from ...optimizers import sgd
from ...schedules import inverse_time
from .statement import Finding, statement


def sensitivities(tx, steps, curvature=1.0, read=lambda state, params: params):
    """Return ∂θ(N)/∂θ(0), and ∂θ(N)/∂ξ(k) for all k, for gradients λ θ + ξ(k)."""

    def last(start, kicks):
        def body(carry, kick):
            params, state = carry
            update, state = tx.update(curvature * params + kick, state, params)
            return (params + update, state), None

        (params, state), _ = jax.lax.scan(body, (start, tx.init(start)), kicks)
        return read(state, params)

    return jax.jit(jax.grad(last, (0, 1)))(jnp.asarray(1.0), jnp.zeros(steps))


def second_moment(tx, steps, curvature=1.0, read=lambda state, params: params):
    """Return E θ(N)² from θ(0) = 1 with noise of variance 1."""
    start, kicks = sensitivities(tx, steps, curvature, read)
    return float(start**2 + (kicks**2).sum())


@statement(
    "one-over-k-needs-its-constant",
    claim="With τ = c/k the error is of order k^-min(1, 2cλ): c 10 x too small costs 1,400 x",
    slide="Annealing",
    source="Bottou, Curtis and Nocedal (2018), theorem 4.7; exact recursion",
    picture="annealing",
)
def one_over_k_needs_its_constant(sgd=sgd, inverse_time=inverse_time):
    moments = {}
    for c, slope in ((0.1, -0.1999), (0.25, -0.4985), (1.0, -1.0)):
        tx = sgd(inverse_time(c))
        early, late = (second_moment(tx, steps) for steps in (1_000, 10_000))
        moments[c] = late
        found = np.log10(late / early)
        yield Finding(found, slope, 1e-4, what=f"slope from k = 1e3 to 1e4, c = {c}, λ = 1")
        yield Finding(found, -min(1, 2 * c), 2e-3, what="slope, against the limit")
    yield Finding(moments[0.1] / moments[1.0], 1419, 5, what="error for c = .1 over that for c = 1")


@statement(
    "the-constant-of-one-over-k",
    claim="k E θ² tends to c²σ²/(2cλ - 1) for 2cλ > 1",
    slide="Annealing",
    source="Bottou, Curtis and Nocedal (2018), theorem 4.7; Chung (1954)",
    picture="annealing",
)
def constant_of_one_over_k(sgd=sgd, inverse_time=inverse_time):
    for c in (1.0, 2.0, 4.0):
        measured = 10_000 * second_moment(sgd(inverse_time(c)), 10_000)
        yield Finding(measured, c**2 / (2 * c - 1), 2e-3, what=f"c = {c}, λ = 1")


@statement(
    "one-over-k-is-the-mean",
    claim="On (θ - x(k))²/2 descent with τ = 1/k is the running mean of the samples",
    slide="Annealing",
    source="Robbins and Monro (1951)",
    picture="annealing",
)
def one_over_k_is_the_mean(sgd=sgd, inverse_time=inverse_time):
    samples = jnp.asarray(np.random.default_rng(0).normal(2.0, 3.0, size=500))
    tx = sgd(inverse_time(1.0))

    def body(carry, sample):
        params, state = carry
        update, state = tx.update(params - sample, state)
        return (params + update, state), None

    start = jnp.asarray(77.0)  # the first step removes it
    (mean, _), _ = jax.lax.scan(body, (start, tx.init(start)), samples)
    return Finding(mean, samples.mean(), 1e-12, what="the mean of 500 samples")


@statement(
    "an-average-instead-of-a-decay",
    claim="At a constant τ the average has E a² → (η+1)²/(2η+1) σ²/(λ²k) for any τ and momentum",
    slide="Annealing",
    source="Polyak and Juditsky (1992); Shamir and Zhang (2013); the weighted factor: ours",
    picture="annealing",
)
def average_instead_of_decay(sgd=sgd, average_iterates=average_iterates):
    """Check that k E a(k)² approaches (η+1)²/(2η+1), with σ = λ = 1.

    Far from the start θ(k) is a sum of -ξ/λ over a memory much shorter than k. So
    a(k) = Σ w(j) θ(j) with weights w(j) ≈ (η+1) j^η / k^(η+1) has the variance
    Σ w(j)² σ²/λ² = (η+1)²/(2η+1) σ²/(λ² k): that of a mean of k samples for η = 0.
    """
    steps = 20_000
    rows = [(0.0, 0.05, 0.0), (0.0, 1.0, 0.0), (2.0, 0.2, 0.0), (8.0, 0.5, 0.0), (8.0, 0.05, 0.9)]
    for eta, tau, momentum in rows:
        tx = chain(sgd(tau, momentum), average_iterates(eta))
        _, kicks = sensitivities(tx, steps, 1.0, averaged)
        predicted = (eta + 1) ** 2 / (2 * eta + 1)
        measured = steps * (kicks**2).sum()
        what = f"k E a², η = {eta:g}, τ = {tau}, μ = {momentum}"
        yield Finding(measured, predicted, 5e-3 * predicted, what=what)


@statement(
    "an-average-forgets-the-start",
    claim="The influence of θ(0) on the average is of order k^-(η+1)",
    slide="Annealing",
    source="ours: the weight of an early θ(j) is (η+1) j^η / k^(η+1)",
    picture="annealing",
)
def average_forgets_the_start(sgd=sgd, average_iterates=average_iterates):
    for eta in (0.0, 2.0):
        tx = chain(sgd(0.3), average_iterates(eta))
        weights = np.cumprod([1, *(1 + eta / j for j in range(1, 6))])  # of θ(1), ..., θ(6)
        exact = weights @ 0.7 ** np.arange(1, 7) / weights.sum()
        found = sensitivities(tx, 6, 1.0, averaged)[0]
        yield Finding(found, exact, 1e-12, what=f"six steps, η = {eta:g}")
    for eta in (0.0, 2.0, 8.0):
        tx = chain(sgd(0.3), average_iterates(eta))
        early, late = (sensitivities(tx, k, 1.0, averaged)[0] for k in (2_000, 4_000))
        yield Finding(np.log2(late / early), -(eta + 1), 0.02, what=f"slope, η = {eta:g}")
