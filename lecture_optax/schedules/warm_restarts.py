"""Cosine decay with warm restarts."""

from typing import Any

import jax
import jax.numpy as jnp

from .._core import validate
from .._core.types import Scalar
from ._cycle import cycle_at, end_of
from ._phase import (
    before,
    between,
    climb_first,
    half_cosine,
    power,
    progress,
    rounded_off,
    to_float,
)
from ._schedule import Schedule, factory


@factory
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
    """Decay along half a cosine, periodically (SGDR).

        τ(k) = end_value + (peak(n) - end_value) · (1 + cos(π j / length(n))) / 2
        length(n) = period · period_factor^n,    peak(n) = peak_value · peak_factor^n

    in cycle n = 0, 1, ..., j steps after its first. It restarts the rate, not the buffers of the
    optimizer. A length is rounded to whole steps; boundaries are exact. The last value of a cycle
    is that of j = length - 1; `end_value` itself is reached where the next begins, and from the
    end of the last cycle on.

    **When**: you want a trained model at the end of every cycle. Choose the length of the run so
    that it ends with a cycle.

    **Elsewhere**: torch: `CosineAnnealingWarmRestarts(T_0, T_mult, eta_min)`. Keras:
    `CosineDecayRestarts(first_decay_steps, t_mul, m_mul)`, with `t_mul=2` by default.
    `optax.sgdr_schedule` takes a list with the arguments of every cycle, and stays at its end.

    **Arguments**

    - `peak_value`, `end_value`: learning rates >= 0. torch's `eta_min` and timm's `lr_min` are
      `end_value`; Keras's `alpha` is a part of the peak.
    - `period`: steps of the first cycle, >= 1. `T_0`, `first_decay_steps`, `t_initial` elsewhere.
    - `period_factor`: >= 1. `T_mult`, `t_mul`, `cycle_mul` elsewhere.
    - `peak_factor`: > 0. Keras's `m_mul`, timm's `cycle_decay`.
    - `cycles`: how many, >= 1; None: for ever. timm's `cycle_limit`.
    - `warmup_steps`: >= 0; at the start of each cycle climb along a line from `init_value` to its
      peak, in at most `period`: they belong to the cycle. For a climb at the very start only, put
      `warmup` in front.
    - `init_value`: where each climb starts, >= 0.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: the lecture, slide "Warm restarts"; Loshchilov and Hutter (2017), equation 5.

    ```python
    >>> import lecture_optax as lo
    >>> rate = lo.schedules.warm_restarts(1.0, period=2, period_factor=2, cycles=2)
    >>> [round(float(rate(k)), 3) for k in range(8)]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]

    ```
    """
    validate.non_negative(peak_value=peak_value, end_value=end_value, init_value=init_value)
    validate.steps(period=period)
    validate.at_least(1, period_factor=period_factor)
    validate.positive(peak_factor=peak_factor)
    validate.steps(least=0, warmup_steps=warmup_steps)
    validate.ascending(warmup_steps=warmup_steps, period=period)
    if cycles is not None:
        validate.steps(cycles=cycles)
    return Schedule(_warm_restarts, {"rounded_off": rounded_off(peak_factor)}, _ends)


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
    rounded_off: Any,
) -> jax.Array:
    n, j, length = cycle_at(k, period, period_factor, cycles)
    peak = to_float(peak_value) * power(peak_factor, rounded_off, n)
    fall = between(peak, end_value, half_cosine(progress(j, warmup_steps, length)))
    rate = climb_first(j, fall, warmup_steps=warmup_steps, peak=peak, init_value=init_value)
    return rate if cycles is None else jnp.where(before(n, cycles), rate, to_float(end_value))


def _ends(*, period: Any, period_factor: Any, cycles: Any, **arguments: Any) -> Any:
    return None if cycles is None else end_of(period, period_factor, cycles)
