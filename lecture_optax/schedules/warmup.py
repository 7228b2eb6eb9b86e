"""Warm-up: a climb before any other schedule."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from .._core import validate
from .._core.types import Scalar
from ._phase import before, climb_first, elapsed, progress, shift, to_float
from ._schedule import Schedule, as_schedule, factory


@factory
def warmup(
    schedule: Callable, warmup_steps: Scalar, *, init_value: Scalar = 0.0, shape: str = "linear"
) -> Schedule:
    """Climb to the first value of `schedule`, then follow it.

        τ(k) = init_value + (peak - init_value) · k / warmup_steps     (linear)
        τ(k) = init_value · (peak / init_value)^(k / warmup_steps)     (exponential)
        τ(k) = schedule(k - warmup_steps)                               from warmup_steps on

    with peak = schedule(0). A warm-up of 0 steps is no warm-up: the schedule starts at its peak.

    **When**: the first steps diverge, as those of transformers and of large batches do at a large
    learning rate.

    **Elsewhere**: `optax.join_schedules([optax.linear_schedule(...), schedule], [warmup_steps])`.
    torch: `SequentialLR` with a `LinearLR` in front. Keras: `warmup_steps` of `CosineDecay` only.

    **Arguments**

    - `schedule`: what follows, ours or Optax's; it counts its steps from the end of the warm-up,
      so that a horizon of its own comes on top. (The argument `warmup_steps` of other schedules is
      a part of their `total_steps`.)
    - `warmup_steps`: >= 0.
    - `init_value`: the rate at step 0, >= 0; above 0 for the exponential shape.
    - `shape`: "linear" or "exponential".

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: Goyal et al. (2017), "Accurate, large minibatch SGD", section 2.2.

    ```python
    >>> from lecture_optax import schedules as s
    >>> climbing = s.warmup(s.constant(1.0), 4)
    >>> [float(climbing(k)) for k in range(6)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]

    ```
    """
    validate.steps(least=0, warmup_steps=warmup_steps)
    validate.non_negative(init_value=init_value)
    validate.one_of("linear", "exponential", shape=shape)
    if shape == "exponential":
        validate.positive(init_value=init_value)
    return Schedule(_warmup, {"schedule": as_schedule("schedule", schedule)}, _shifted)


def _warmup(
    k: jax.Array, schedule: Any, warmup_steps: Any, init_value: Any, shape: str
) -> jax.Array:
    peak, rate = to_float(schedule(0)), to_float(schedule(elapsed(k, warmup_steps)))
    if shape == "linear":
        return climb_first(k, rate, warmup_steps=warmup_steps, peak=peak, init_value=init_value)
    start = to_float(init_value)
    climb = start * (peak / start) ** progress(k, 0, warmup_steps).done
    return jnp.where(before(k, warmup_steps), climb, rate)


def _shifted(*, schedule: Any, warmup_steps: Any, **arguments: Any) -> Any:
    return None if schedule.horizon is None else shift(schedule.horizon, warmup_steps)
