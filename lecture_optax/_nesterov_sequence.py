"""Nesterov's sequence t(k), computed for any k without the steps before it."""

import functools
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ._core.dtypes import default_float

_TABLED = 1024


def nesterov_sequence(count: ArrayLike) -> jax.Array:
    """Return t(k) of the recursion t(k+1) = (1 + sqrt(1 + 4 t(k)²)) / 2, t(0) = 1, for any k.

    The first ones are tabled. Later ones obey, with u = 2 t, u(k+1) = 1 + sqrt(1 + u(k)²), along
    which u - log(u)/2 - 1/(48 u²) grows by 1, up to u^-4: that is solved for u. What is left out
    moves the momentum (t(k) - 1) / t(k+1) by less than the last digit of a float64.
    """
    k = jnp.asarray(count).astype(int)
    table, offset = _table_and_offset()
    tabled = jnp.asarray(table, default_float())[jnp.minimum(k, _TABLED - 1)]
    beyond = jnp.maximum(jnp.asarray(k, default_float()), _TABLED) + offset
    u = beyond
    for _ in range(4):  # each gains a factor of 2 u
        u = beyond + jnp.log(u) / 2 + 1 / (48 * u**2)
    return jnp.where(k < _TABLED, tabled, u / 2)


def successor(t: jax.Array, factor: ArrayLike = 4) -> jax.Array:
    """Return (1 + sqrt(1 + 4 t²)) / 2, or the same with another factor than 4."""
    return (1 + jnp.sqrt(1 + factor * t**2)) / 2


@functools.cache
def _table_and_offset() -> tuple[tuple[float, ...], float]:
    """t(0), t(1), ... by the recursion, and what u - log(u)/2 - 1/(48 u²) exceeds k by."""
    table = [1.0]
    for _ in range(_TABLED):
        table.append((1 + math.sqrt(1 + 4 * table[-1] ** 2)) / 2)
    u = 2 * table.pop()
    return tuple(table), u - math.log(u) / 2 - 1 / (48 * u**2) - _TABLED
