"""Claims about heavy ball on losses that are not quadratic."""

import jax.numpy as jnp
import numpy as np

from ...optimizers import sgd
from ._descent import descend
from .statement import Finding, statement


def lessards_slope(t):
    """Return f': 25 t below 1, t + 24 up to 2, 25 t - 24 above: 1-strongly convex, 25-smooth."""
    return jnp.where(t < 1, 25 * t, jnp.where(t < 2, t + 24, 25 * t - 24))


@statement(
    "heavy-ball-cycles",
    claim="The best heavy ball for quadratics (τ = 1/9, μ = 4/9) cycles for ever on a convex loss",
    slide="Momentum",
    source="Lessard, Recht and Packard (2016), section 4.6",
    picture="three_cycle",
)
def heavy_ball_cycles(sgd=sgd):
    path = descend(sgd(1 / 9, momentum=4 / 9), lessards_slope, 3.3, 302)
    cycle = np.sort(np.asarray(path[-3:]))
    for place, numerator in zip(cycle, (-2208, 792, 2592), strict=True):
        yield Finding(place, numerator / 1225, 1e-12, what=f"{numerator}/1225")
    for name, tx in (("gradient descent", sgd(1 / 25)), ("Nesterov", sgd(1 / 25, 2 / 3, True))):
        left = abs(descend(tx, lessards_slope, 3.3, 300)[-1])
        yield Finding(left, 0, 1e-5, what=f"{name}, from the same start")


@statement(
    "heavy-balls-energy-falls",
    claim="f + μ/(2τ)|Δθ|² never grows for τ <= 2(1 - μ)/L, also on losses that are not convex",
    slide="Momentum",
    source="Zavriev and Kostyuk (1993); Ochs et al. (2014), proposition 4.7",
)
def heavy_balls_energy_falls(sgd=sgd):
    starts = np.random.default_rng(0).uniform(-9, 9, size=200)
    for mu in (0.5, 0.9):
        edge = 2 * (1 - mu)
        grows = {}
        for factor in (1.0, 1.2):
            path = descend(sgd(factor * edge, momentum=mu), jnp.sin, starts, 200)
            moved = np.diff(path, axis=0)
            kinetic = mu / (2 * factor * edge) * np.vstack([0 * moved[:1], moved]) ** 2
            energy = 1 - np.cos(path) + kinetic
            grows[factor] = np.diff(energy, axis=0).max()
        yield Finding(grows[1.0], 0, 1e-12, "<=", f"μ = {mu}: the largest growth at the limit")
        yield Finding(grows[1.2], 1e-3, relation=">=", what=f"μ = {mu}: at 1.2 times the limit")
