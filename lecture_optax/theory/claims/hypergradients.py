"""Claims about hypergradients: the derivative of a run by its learning rates."""

import jax
import jax.numpy as jnp
import numpy as np

from ...optimizers import adam, sgd
from ...schedules import cosine
from ._descent import descend
from .statement import Finding, statement


@statement(
    "hypergradients-are-slopes",
    claim="The derivative of a whole run by τ, μ or b2 agrees with finite differences",
    slide="Learning rates",
    source="d/dτ (1 - τλ)^N = -Nλ(1 - τλ)^(N-1); central differences",
)
def hypergradients_are_slopes(sgd=sgd, adam=adam):
    steps, x = 12, 0.05
    slope = jax.grad(lambda τ: descend(sgd(τ), lambda θ: θ, 1.0, steps)[-1])(x)
    yield Finding(slope, -steps * (1 - x) ** (steps - 1), 1e-12, what="gradient descent, by τ")
    curvatures, start = jnp.array([1.0, 3.0]), np.array([1.0, -2.0])

    def left(make):
        def loss(values):
            path = descend(make(*values), lambda θ: curvatures * θ, start, steps)
            return (curvatures * path[-1] ** 2).sum()

        return loss

    runs = {
        "Nesterov, by (τ, μ)": (left(lambda τ, m: sgd(τ, m, True)), [0.1, 0.7]),
        "Adam, by (τ, b1, b2)": (left(lambda τ, b1, b2: adam(τ, b1, b2)), [0.1, 0.8, 0.95]),
    }
    for name, (loss, at) in runs.items():
        at = jnp.asarray(at)
        found, differences = jax.grad(loss)(at), central(jax.jit(loss), at)
        off = jnp.abs(found - differences).max() / jnp.abs(differences).max()
        yield Finding(off, 0, 1e-8, what=name)


@statement(
    "learned-rates-are-chebyshevs",
    claim="Eight learning rates, optimized through the run, are Chebyshev's, with the factor 1/T₈",
    slide="Learning rates",
    source="Young (1953); learning: ours",
)
def learned_rates_are_chebyshevs(adam=adam):
    """Check the rates that minimise the contraction over [1, 20], in p-norms with growing p."""
    spectrum, steps = jnp.linspace(1.0, 20.0, 200), 8

    def left(rates):
        return jnp.abs(jnp.prod(1 - rates[:, None] * spectrum, axis=0))

    rates = jnp.linspace(0.05, 1.0, steps)
    for p in (8, 32, 128):
        tx = adam(cosine(1e-2, total_steps=2000), b2=0.99)
        norm = jax.grad(lambda rates, p=p: jnp.log((left(rates) ** p).mean()) / p)
        rates = descend(tx, norm, rates, 2000)[-1]
    middle, half = 21 / 2, 19 / 2
    chebyshev = 1 / np.cosh(steps * np.arccosh(middle / half))
    yield Finding(left(rates).max() / chebyshev, 1, 0.03, what="worst factor over 1/T₈ = .0525")
    yield Finding(left(jnp.full(steps, 1 / middle)).max(), (19 / 21) ** 8, 1e-12, what="constant τ")
    roots = middle - half * np.cos(np.pi * (np.arange(steps) + 0.5) / steps)
    off = np.abs(np.sort(rates) * np.sort(roots)[::-1] - 1).max()
    yield Finding(off, 0, 0.03, what="learned rates times Chebyshev's points, off 1")


def central(loss, at, h: float = 1e-4):
    """Return central differences of fourth order, one argument at a time."""

    def pair(shift):
        return loss(at + shift) - loss(at - shift)

    return jnp.stack([(8 * pair(e) - pair(2 * e)) / (12 * h) for e in h * jnp.eye(len(at))])
