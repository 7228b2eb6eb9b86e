"""Learning rates that rise and decay periodically."""

from typing import Any

import jax
import jax.numpy as jnp

from .._core import validate
from .._core.types import Scalar
from ._cycle import cycle_at
from ._phase import Part, between, power, rounded_off, to_float
from ._schedule import Schedule, factory


@factory
def cyclic(
    init_value: Scalar, peak_value: Scalar, *, period: Scalar, peak_factor: Scalar = 1.0
) -> Schedule:
    """Climb and decay along a triangle, periodically.

        τ(k) = init_value + (peak_value - init_value) · peak_factor^n · (1 - |2 j / period - 1|)

    in cycle n = 0, 1, ..., j steps after its first.

    **When**: one run should visit a range of learning rates several times.

    **Elsewhere**: torch: `CyclicLR`, whose `step_size_up` is half a period, and which by default
    also cycles the momentum. Optax and Keras have none.

    **Arguments**

    - `init_value`, `peak_value`: learning rates >= 0, at the corners.
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
    validate.non_negative(init_value=init_value, peak_value=peak_value)
    validate.steps(least=2, period=period)
    validate.positive(peak_factor=peak_factor)
    return Schedule(_cyclic, {"rounded_off": rounded_off(peak_factor)})


def _cyclic(
    k: jax.Array, init_value: Any, peak_value: Any, period: Any, peak_factor: Any, rounded_off: Any
) -> jax.Array:
    n, j, length = cycle_at(k, period)
    low, rest, each = to_float(init_value), length - j, 1 / to_float(length)
    part = Part(2 * to_float(jnp.minimum(j, rest)) * each, to_float(jnp.abs(rest - j)) * each)
    kept = power(peak_factor, rounded_off, n)
    peak = (1 - kept) * low + kept * to_float(peak_value)  # exact where all is kept
    return between(low, peak, part)
