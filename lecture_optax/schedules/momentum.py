"""Schedules of Nesterov's momentum, and the silver steps."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from .._core import validate
from .._core.types import Scalar
from .._nesterov_sequence import nesterov_sequence, successor
from ._phase import power, rounded_off, to_float
from ._schedule import Schedule, factory

_RHO = 1 + math.sqrt(2)  # the silver ratio


@factory
def momentum_nesterov() -> Schedule:
    """Nesterov's momentum for convex losses: μ(k) = k / (k + 3).

    For `nesterov_trace`, which remembers with μ(k-1). Worst case 2 L R² / (N² + 5N + 6).

    **When**: the loss is convex, gradients have no noise, and τ <= 1/L.

    **Elsewhere**: none. Optax, torch and Keras take a number for the momentum.

    Source: the lecture, slide "Nesterov 1983"; Su, Boyd and Candès (2015).

    ```python
    >>> import lecture_optax as lo
    >>> [round(float(lo.schedules.momentum_nesterov()(k)), 3) for k in (0, 1, 3, 97)]
    [0.0, 0.25, 0.5, 0.97]

    ```
    """
    return Schedule(_momentum_nesterov)


@factory
def momentum_fista() -> Schedule:
    """Nesterov's momentum of 1983 for convex losses, from his sequence t(k).

        μ(k) = (t(k) - 1) / t(k+1),    t(k+1) = (1 + sqrt(1 + 4 t(k)²)) / 2,    t(0) = 1

    For `nesterov_trace`. It grows like k/(k+3) and is the one with t(k+1)² - t(k+1) = t(k)²
    exactly, which the proof needs as `<=`. Worst case at most 2 L R² / (N + 1)². A recursion, but
    in the same few operations for every k, to the last digit.

    **When**: as for `momentum_nesterov`, and you follow the proof to the letter.

    **Elsewhere**: in implementations of FISTA; Optax, torch and Keras take a number for the
    momentum.

    Source: Nesterov (1983); Beck and Teboulle (2009), "FISTA", theorem 4.4.

    ```python
    >>> import lecture_optax as lo
    >>> [round(float(lo.schedules.momentum_fista()(k)), 3) for k in (0, 1, 3, 97, 10**9)]
    [0.0, 0.282, 0.531, 0.971, 1.0]

    ```
    """
    return Schedule(_momentum_fista)


@factory
def momentum_constant(condition_number: Scalar) -> Schedule:
    """Nesterov's constant momentum for strongly convex losses.

        μ(k) = (√κ - 1) / (√κ + 1),    κ = L/μ, the condition number

    For `nesterov_trace` with τ = 1/L: contracts by 1 - 1/√κ a step. Where κ is not known, `restart`
    a momentum that grows.

    **When**: the loss is strongly convex, and you know κ.

    **Elsewhere**: a number, for the momentum of `optax.sgd`, torch: `SGD` and Keras: `SGD`.

    **Arguments**

    - `condition_number`: κ, >= 1.

    **Raises** `ValueError` or `TypeError` for a concrete κ below 1.

    Source: Nesterov (2004), "Introductory lectures on convex optimization", 2.2.22.

    ```python
    >>> import lecture_optax as lo
    >>> float(lo.schedules.momentum_constant(9.0)(1000))
    0.5

    ```
    """
    validate.at_least(1, condition_number=condition_number)
    return Schedule(_momentum_constant, ends=_at_once)


@factory
def silver(smoothness: Scalar = 1.0) -> Schedule:
    """The silver steps: learning rates with which plain gradient descent beats 1/k.

        τ(k) = (1 + ρ^(ν(k+1) - 1)) / L,    ρ = 1 + √2,    ν(j): how often 2 divides j

    √2, 2, √2, 2 + √2, ... over L: steps far above the stability limit 2/L, which pay on the whole.
    For N = 2^m - 1 steps of plain gradient descent on an L-smooth convex loss.

    **When**: the loss is convex, you know L, gradients have no noise, and the number of steps is
    2^m - 1.

    **Elsewhere**: none.

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
    validate.positive(smoothness=smoothness)
    return Schedule(_silver)


def _momentum_nesterov(k: jax.Array) -> jax.Array:
    return to_float(k) / (to_float(k) + 3)


def _momentum_fista(k: jax.Array) -> jax.Array:
    t = nesterov_sequence(k)
    return (t - 1) / successor(t)


def _momentum_constant(k: jax.Array, condition_number: Any) -> jax.Array:
    root = jnp.sqrt(to_float(condition_number))
    return (root - 1) / (root + 1)


def _silver(k: jax.Array, smoothness: Any) -> jax.Array:
    j = k.astype(jnp.uint32) + jnp.uint32(1)  # wide enough for the last count, 2^31 - 1
    lowest_bit = j & (~j + jnp.uint32(1))
    twos = to_float(jax.lax.population_count(lowest_bit - jnp.uint32(1)))
    return (1 + power(_RHO, rounded_off(_RHO), twos - 1)) / to_float(smoothness)


def _at_once(**arguments: Any) -> int:
    return 0
