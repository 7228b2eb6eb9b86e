"""Exponential decay: the same factor in every step."""

from typing import Any

import jax
import jax.numpy as jnp

from .._core import validate
from .._core.types import Scalar
from ._phase import climb_first, elapsed, periods, power, rounded_off, to_float
from ._schedule import Schedule, factory


@factory
def exponential(
    init_value: Scalar,
    decay_rate: Scalar,
    *,
    transition_steps: Scalar = 1,
    staircase: bool | jax.Array = False,
    end_value: Scalar | None = None,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Multiply the learning rate by the same number in every step.

        τ(k) = init_value · decay_rate^(k / transition_steps)

    **When**: the length of the run is open; or, with a factor above 1, you test a range of learning
    rates.

    **Elsewhere**: `optax.exponential_decay(init_value, transition_steps, decay_rate)`: another
    order. torch: `ExponentialLR(gamma)`, one factor for a call of `step()`. Keras:
    `ExponentialDecay(initial_learning_rate, decay_steps, decay_rate)`.

    **Arguments**

    - `init_value`: the first rate, >= 0.
    - `decay_rate`: the factor per `transition_steps`, > 0 (above 1 it grows, for a rate test).
    - `transition_steps`: >= 1.
    - `staircase`: only whole powers, ⌊k / transition_steps⌋.
    - `end_value`: where it stops, >= 0: a floor if it decays, a ceiling if it grows. None: nowhere.
    - `warmup_steps`: climb along a line from 0 first; k is counted from there.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: torch's `ExponentialLR`, Keras's `ExponentialDecay`.

    ```python
    >>> import lecture_optax as lo
    >>> halving = lo.schedules.exponential(1.0, 0.5, transition_steps=10)
    >>> [float(halving(k)) for k in (0, 10, 20)]
    [1.0, 0.5, 0.25]

    ```
    """
    validate.non_negative(init_value=init_value)
    validate.positive(decay_rate=decay_rate)
    validate.steps(transition_steps=transition_steps)
    validate.steps(least=0, warmup_steps=warmup_steps)
    validate.switch(traced=True, staircase=staircase)
    if end_value is not None:
        validate.non_negative(end_value=end_value)
    return Schedule(_exponential, {"rounded_off": rounded_off(decay_rate)})


def _exponential(
    k: jax.Array,
    init_value: Any,
    decay_rate: Any,
    transition_steps: Any,
    staircase: Any,
    end_value: Any,
    warmup_steps: Any,
    rounded_off: Any,
) -> jax.Array:
    def rate_at(k):
        exponent = periods(k, transition_steps, staircase)
        rate = to_float(init_value) * power(decay_rate, rounded_off, exponent)
        if end_value is None:
            return rate
        end = to_float(end_value)
        over = jnp.where(to_float(decay_rate) > 1, rate >= end, rate <= end)
        safe = jnp.where(over, 0, exponent)  # what overflows has no slope
        return jnp.where(over, end, to_float(init_value) * power(decay_rate, rounded_off, safe))

    rate, peak = rate_at(elapsed(k, warmup_steps)), rate_at(jnp.zeros_like(k))
    return climb_first(k, rate, warmup_steps=warmup_steps, peak=peak)
