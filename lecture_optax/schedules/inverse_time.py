"""Decay like 1/k."""

from typing import Any

import jax

from .._core import validate
from .._core.types import Scalar
from ._phase import climb_first, elapsed, periods, to_float
from ._schedule import Schedule, factory


@factory
def inverse_time(
    init_value: Scalar,
    decay_rate: Scalar = 1.0,
    *,
    power: Scalar = 1.0,
    transition_steps: Scalar = 1,
    staircase: bool | jax.Array = False,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Decay like 1/k, as in the lecture.

        τ(k) = init_value / (1 + decay_rate · k / transition_steps)^power

    With `decay_rate=1` that is init_value, init_value/2, init_value/3, ...: on a quadratic with
    curvature 1/init_value the iterate is then the running mean of the samples. `power=0.5` is
    1/√k. The sum of τ is infinite and that of τ² finite for 1/2 < power <= 1, as the theorem asks.

    **When**: the noise of the gradients must average out and the run has no planned end.

    **Elsewhere**: Keras: `InverseTimeDecay(initial_learning_rate, decay_steps, decay_rate)`, with
    power 1. Optax and torch have none; torch has `LambdaLR` for a formula.

    **Arguments**

    - `init_value`: the first rate, >= 0.
    - `decay_rate`: >= 0. With 0 the rate stays.
    - `power`: >= 0.
    - `transition_steps`: count in units of so many steps, >= 1.
    - `staircase`: only whole units, ⌊k / transition_steps⌋.
    - `warmup_steps`: climb along a line from 0 first; k is counted from there.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: the lecture, slide "Annealing"; Robbins and Monro (1951).

    ```python
    >>> import lecture_optax as lo
    >>> [float(lo.schedules.inverse_time(1.0)(k)) for k in range(4)]
    [1.0, 0.5, 0.3333333432674408, 0.25]

    ```
    """
    validate.non_negative(init_value=init_value, decay_rate=decay_rate, power=power)
    validate.steps(transition_steps=transition_steps)
    validate.steps(least=0, warmup_steps=warmup_steps)
    validate.switch(traced=True, staircase=staircase)
    return Schedule(_inverse_time)


def _inverse_time(
    k: jax.Array,
    init_value: Any,
    decay_rate: Any,
    power: Any,
    transition_steps: Any,
    staircase: Any,
    warmup_steps: Any,
) -> jax.Array:
    units = periods(elapsed(k, warmup_steps), transition_steps, staircase)
    rate = to_float(init_value) / (1 + to_float(decay_rate) * units) ** to_float(power)
    return climb_first(k, rate, warmup_steps=warmup_steps, peak=init_value)
