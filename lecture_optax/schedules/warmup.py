"""How does τ climb before it falls?"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from .. import _validate
from .._types import Scalar
from ._schedule import Schedule, between, progress, steps_since, to_float


def warmup(
    schedule: Schedule, warmup_steps: Scalar, init_value: Scalar = 0.0, shape: str = "linear"
) -> Schedule:
    """Climb to where `schedule` begins, then follow it.

        τ(k) = init_value + (peak - init_value) · k / warmup_steps     (linear)
        τ(k) = init_value · (peak / init_value)^(k / warmup_steps)     (exponential)
        τ(k) = schedule(k - warmup_steps)                               from warmup_steps on

    with peak = schedule(0). A warm-up of 0 steps is no warm-up: the schedule starts at its peak.

    **Arguments**

    - `schedule`: what follows; it counts its steps from the end of the warm-up.
    - `warmup_steps`: >= 0.
    - `init_value`: the rate at step 0, >= 0; above 0 for the exponential shape.
    - `shape`: "linear" or "exponential".

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    ```python
    >>> import lecture_optax as lo
    >>> climbing = lo.schedules.warmup(lo.schedules.constant(1.0), 4)
    >>> [float(climbing(k)) for k in range(6)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]

    ```
    """
    _validate.steps(least=0, warmup_steps=warmup_steps)
    _validate.non_negative(init_value=init_value)
    _validate.one_of("linear", "exponential", shape=shape)
    if shape == "exponential":
        _validate.positive(init_value=init_value)
    formula = _warmup if shape == "linear" else _exponential_warmup
    numbers = {"schedule": schedule, "warmup_steps": warmup_steps, "init_value": init_value}
    return Schedule(formula, numbers, _shifted)


def after_warmup(schedule: Schedule, warmup_steps: Any) -> Schedule:
    """`schedule` itself where there is certainly no warm-up, so that it prints as it was typed."""
    if not isinstance(warmup_steps, Tracer) and isinstance(warmup_steps, int) and warmup_steps == 0:
        return schedule
    return warmup(schedule, warmup_steps)


def _warmup(k: jax.Array, schedule: Any, warmup_steps: Any, init_value: Any) -> jax.Array:
    climb = between(init_value, schedule(0), progress(k, 0, warmup_steps))
    return _then(k, schedule, warmup_steps, climb)


def _exponential_warmup(
    k: jax.Array, schedule: Any, warmup_steps: Any, init_value: Any
) -> jax.Array:
    start = to_float(init_value)
    climb = start * (schedule(0) / start) ** progress(k, 0, warmup_steps)
    return _then(k, schedule, warmup_steps, climb)


_exponential_warmup.__name__ = "warmup"  # as it is typed; `shape` is the formula itself


def _then(k: jax.Array, schedule: Any, warmup_steps: Any, climb: jax.Array) -> jax.Array:
    over = progress(k, 0, warmup_steps) >= 1
    return jnp.where(over, schedule(steps_since(k, warmup_steps)), climb)


def _shifted(*, schedule: Any, warmup_steps: Any, **arguments: Any) -> Any:
    end = getattr(schedule, "horizon", None)
    return None if end is None else end + warmup_steps
