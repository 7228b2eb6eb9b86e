"""When does τ jump back?"""

from typing import Any

import jax
import jax.numpy as jnp

from .. import _validate
from .._types import Scalar
from ._schedule import Schedule, between, half_cosine, progress, to_float


def warm_restarts(
    peak_value: Scalar,
    period: Scalar,
    *,
    period_factor: Scalar = 1.0,
    peak_factor: Scalar = 1.0,
    end_value: Scalar = 0.0,
    cycles: Scalar | None = None,
    warmup_steps: Scalar = 0,
    init_value: Scalar = 0.0,
) -> Schedule:
    """Fall along half a cosine, again and again (SGDR).

        τ(k) = end_value + (peak(n) - end_value) · (1 + cos(π j / length(n))) / 2
        length(n) = period · period_factor^n,    peak(n) = peak_value · peak_factor^n

    in cycle n = 0, 1, ..., j steps after its first. It restarts the rate, not the buffers of the
    optimizer. A length is rounded to whole steps; boundaries are exact. The last value of a cycle
    is that of j = length - 1; `end_value` itself is reached where the next begins, and from the
    end of the last cycle on.

    **Arguments**

    - `peak_value`, `end_value`: rates >= 0.
    - `period`: steps of the first cycle, >= 1.
    - `period_factor`: >= 1. SGDR's T_mult.
    - `peak_factor`: > 0.
    - `cycles`: how many, >= 1; None: for ever.
    - `warmup_steps`: at the start of each cycle climb linearly from `init_value` to its peak; they
      belong to the cycle.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: the lecture, slide "Warm restarts"; Loshchilov and Hutter (2017), equation 5.

    ```python
    >>> import lecture_optax as lo
    >>> rate = lo.schedules.warm_restarts(1.0, period=2, period_factor=2, cycles=2)
    >>> [round(float(rate(k)), 3) for k in range(8)]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]

    ```
    """
    _validate.non_negative(peak_value=peak_value, end_value=end_value, init_value=init_value)
    _validate.steps(period=period)
    _validate.at_least(1, period_factor=period_factor)
    _validate.positive(peak_factor=peak_factor)
    _validate.steps(least=0, warmup_steps=warmup_steps)
    _validate.below(period, warmup_steps=warmup_steps)
    if cycles is not None:
        _validate.steps(cycles=cycles)
    numbers = {
        "peak_value": peak_value,
        "period": period,
        "period_factor": period_factor,
        "peak_factor": peak_factor,
        "end_value": end_value,
        "cycles": cycles,
        "warmup_steps": warmup_steps,
        "init_value": init_value,
    }
    return Schedule(_warm_restarts, numbers, _ends)


def cyclic(
    init_value: Scalar, peak_value: Scalar, period: Scalar, *, peak_factor: Scalar = 1.0
) -> Schedule:
    """Climb and fall along a triangle, again and again.

        τ(k) = init_value + (peak_value - init_value) · peak_factor^n · (1 - |2 j / period - 1|)

    in cycle n = 0, 1, ..., j steps after its first.

    **Arguments**

    - `init_value`, `peak_value`: rates >= 0, at the corners.
    - `period`: steps up and down again, >= 2.
    - `peak_factor`: what is left of the height after each cycle, > 0 (torch's `triangular2`: 0.5).

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: Smith (2017), "Cyclical learning rates"; torch's `CyclicLR`.

    ```python
    >>> import lecture_optax as lo
    >>> [float(lo.schedules.cyclic(0.0, 1.0, period=4, peak_factor=0.5)(k)) for k in range(8)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25]

    ```
    """
    _validate.non_negative(init_value=init_value, peak_value=peak_value)
    _validate.steps(least=2, period=period)
    _validate.positive(peak_factor=peak_factor)
    numbers = {
        "init_value": init_value,
        "peak_value": peak_value,
        "period": period,
        "peak_factor": peak_factor,
    }
    return Schedule(_cyclic, numbers)


def _warm_restarts(
    k: jax.Array,
    peak_value: Any,
    period: Any,
    period_factor: Any,
    peak_factor: Any,
    end_value: Any,
    cycles: Any,
    warmup_steps: Any,
    init_value: Any,
) -> jax.Array:
    n, start, length = cycle_of(k, period, period_factor)
    peak = to_float(peak_value) * to_float(peak_factor) ** to_float(n)
    j = k - start
    climb = between(init_value, peak, progress(j, 0, warmup_steps))
    rest = length - jnp.asarray(warmup_steps, length.dtype)
    fall = between(peak, end_value, half_cosine(progress(j, warmup_steps, rest)))
    rate = jnp.where(j < jnp.asarray(warmup_steps, j.dtype), climb, fall)
    if cycles is None:
        return rate
    return jnp.where(n < jnp.asarray(cycles, n.dtype), rate, to_float(end_value))


def _cyclic(
    k: jax.Array, init_value: Any, peak_value: Any, period: Any, peak_factor: Any
) -> jax.Array:
    n, start, length = cycle_of(k, period, 1)
    height = 1 - jnp.abs(2 * progress(k - start, 0, length) - 1)
    return between(init_value, peak_value, height * to_float(peak_factor) ** to_float(n))


def cycle_of(
    k: jax.Array, period: Any, period_factor: Any
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Which cycle step k is in, its first step and its length, counted in whole steps.

    Cycles of one length are divided out; those that grow are few, and walked.
    """
    first = jax.lax.stop_gradient(jnp.asarray(period).astype(k.dtype))
    factor = jax.lax.stop_gradient(to_float(period_factor))

    def length(n):
        whole = jnp.minimum(jnp.round(to_float(first) * factor ** to_float(n)), 2.0**30)
        return jnp.where(factor > 1, whole.astype(k.dtype), first)

    def inside(carry):
        n, start = carry
        return jnp.any(k - start >= length(n))

    def advance(carry):
        n, start = carry
        further = k - start >= length(n)
        return n + further.astype(n.dtype), jnp.where(further, start + length(n), start)

    n = jnp.where(factor > 1, 0, k // first).astype(jnp.int32)
    start = n.astype(k.dtype) * first
    n, start = jax.lax.while_loop(inside, advance, (n, start))
    return n, start, length(n)


def _ends(*, period: Any, period_factor: Any, cycles: Any, **arguments: Any) -> Any:
    if not all(isinstance(x, int | float) for x in (period, period_factor, cycles)):
        return None  # endless, or not known before the program runs
    return sum(round(period * period_factor**n) for n in range(int(cycles)))
