"""Cycles of steps, each longer than the one before by a constant factor."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ._phase import before, to_float

_LONGEST = 2.0**31 - 2**7  # the last float32 that an int32 holds
_NO_OVERFLOW = 2.0**31 - 2**21  # where a float32 that is off in its last digit is safe too


class Cycle(NamedTuple):
    """The number 0, 1, ... of a cycle, the steps since it began, and its length."""

    number: jax.Array
    step: jax.Array
    length: jax.Array


def cycle_at(k: jax.Array, period: Any, period_factor: Any = 1, cycles: Any = None) -> Cycle:
    """Return the cycle of step k; after the last of `cycles`, the one that would come next.

    Lengths are whole, period · period_factor^n rounded, so that boundaries are exact, and all
    slopes are 0. Cycles of one length take a division, growing cycles (few) take a loop.
    """
    first = jnp.asarray(period).astype(k.dtype)
    factor = jax.lax.stop_gradient(to_float(period_factor))
    limit = jnp.iinfo(jnp.int32).max if cycles is None else jnp.asarray(cycles).astype(jnp.int32)
    is_whole = factor == jnp.floor(factor)

    def may_be_later(carry):
        number, start, length, _ = carry
        return (factor > 1) & (number < limit) & (k - start >= length)

    def next_cycle(carry):
        number, start, length, exact = carry
        exact = jnp.minimum(exact * factor, _LONGEST)
        in_integers = is_whole & (exact < _NO_OVERFLOW)  # float32 rounds beyond 2^24
        rounded = jnp.round(exact).astype(k.dtype)
        grown = jnp.where(in_integers, length * factor.astype(k.dtype), rounded)
        return number + 1, start + length, grown, exact

    number = jnp.where(factor > 1, 0, jnp.minimum((k // first).astype(jnp.int32), limit))
    carry = number, number.astype(k.dtype) * first, first, jax.lax.stop_gradient(to_float(period))
    number, start, length, _ = jax.lax.while_loop(may_be_later, next_cycle, carry)
    return Cycle(number, k - start, length)


@jax.jit
def end_of(period: Any, period_factor: Any, cycles: Any) -> jax.Array:
    """Return the first step after the last cycle, at most the largest int32."""
    last = jnp.asarray(jnp.iinfo(jnp.int32).max)
    cycle = cycle_at(last, period, period_factor, cycles)
    return jnp.where(before(cycle.number, cycles), last, last - cycle.step)
