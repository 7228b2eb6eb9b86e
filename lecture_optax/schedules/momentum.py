"""How does Nesterov's momentum grow, and which steps beat 1/k without any?"""

from typing import Any

import jax
import jax.numpy as jnp

from .. import _validate
from .._types import Scalar
from ._phase import to_float
from ._schedule import Schedule, factory


@factory
def momentum_nesterov() -> Schedule:
    """Nesterov's momentum for convex losses: μ(k) = k / (k + 3).

    For `nesterov_trace`, which remembers with μ(k-1). Worst case 2 L R² / (N² + 5N + 6).

    Source: the lecture, slide "Nesterov 1983"; Su, Boyd and Candès (2015).

    ```python
    >>> import lecture_optax as lo
    >>> [round(float(lo.schedules.momentum_nesterov()(k)), 3) for k in (0, 1, 3, 97)]
    [0.0, 0.25, 0.5, 0.97]

    ```
    """
    return Schedule(_momentum_nesterov)


@factory
def silver(smoothness: Scalar = 1.0) -> Schedule:
    """The silver steps: gradient descent with these alone beats 1/k.

        τ(k) = (1 + ρ^(ν(k+1) - 1)) / L,    ρ = 1 + √2,    ν(j): how often 2 divides j

    √2, 2, √2, 2 + √2, ... over L: steps far above the stability limit 2/L, which pay on the whole.
    For N = 2^m - 1 steps of plain gradient descent on an L-smooth convex loss.

    **Arguments**

    - `smoothness`: L > 0.

    **Raises** `ValueError` or `TypeError` for a concrete L that is not above 0.

    Source: Altschuler and Parrilo (2023), "Acceleration by stepsize hedging".

    ```python
    >>> import lecture_optax as lo
    >>> [round(float(lo.schedules.silver()(k)), 3) for k in range(4)]
    [1.414, 2.0, 1.414, 3.414]

    ```
    """
    _validate.positive(smoothness=smoothness)
    return Schedule(_silver)


def _momentum_nesterov(k: jax.Array) -> jax.Array:
    return to_float(k) / (to_float(k) + 3)


def _silver(k: jax.Array, smoothness: Any) -> jax.Array:
    j = k.astype(jnp.uint32) + jnp.uint32(1)  # wide enough for the last count, 2^31 - 1
    lowest_bit = j & (~j + jnp.uint32(1))
    twos = to_float(jax.lax.population_count(lowest_bit - jnp.uint32(1)))
    return (1 + (1 + jnp.sqrt(to_float(2))) ** (twos - 1)) / to_float(smoothness)
