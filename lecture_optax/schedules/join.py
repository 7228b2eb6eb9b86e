"""Schedules made of schedules: one after the other, scaled, clipped."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .._core import validate
from .._core.types import Scalar
from ._phase import before, elapsed, shift, to_float
from ._schedule import Schedule, as_schedule, factory


@factory
def join(schedules: Sequence[Callable], boundaries: Sequence[Scalar]) -> Schedule:
    """Follow one schedule after the other, each counting from its own first step.

        τ(k) = schedules[i](k - boundaries[i - 1])    for boundaries[i - 1] <= k < boundaries[i]

    **When**: a run has phases.

    **Elsewhere**: `optax.join_schedules`: the same. torch: `SequentialLR(schedulers, milestones)`.
    Keras has none.

    **Arguments**

    - `schedules`: at least one; ours, Optax's, or any function of the step.
    - `boundaries`: the first steps of all but the first, >= 0, increasing. Between equal ones a
      schedule is skipped.

    **Raises** `ValueError` if the numbers of the two do not fit, or boundaries do not increase;
    `TypeError` for a member that is no schedule.

    Source: `optax.join_schedules`.

    ```python
    >>> from lecture_optax import schedules as s
    >>> both = s.join([s.constant(1.0), s.linear(0.5, 2)], [3])
    >>> [float(both(k)) for k in range(6)]
    [1.0, 1.0, 1.0, 0.5, 0.25, 0.0]

    ```
    """
    validate.several(schedules=schedules, boundaries=boundaries)
    members = tuple(as_schedule(f"schedules[{i}]", f) for i, f in enumerate(schedules))
    if len(boundaries) != len(members) - 1:
        raise ValueError(
            f"boundaries must be one fewer than schedules, got {len(boundaries)} and "
            f"{len(members)}: the first schedule starts at step 0."
        )
    starts: dict[str, Any] = {f"boundaries[{i}]": at for i, at in enumerate(boundaries)}
    validate.steps(least=0, **starts)
    validate.ascending(**starts)
    return Schedule(_join, {"schedules": members, "boundaries": tuple(boundaries)}, _last)


@factory
def scale(schedule: Callable, factor: Scalar) -> Schedule:
    """Multiply a schedule: factor · τ(k).

    **When**: a part of the model trains at a fraction of the learning rate.

    **Elsewhere**: a function, `lambda k: factor * schedule(k)`.

    **Arguments**

    - `schedule`: ours, Optax's, or any function of the step.
    - `factor`: >= 0.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    ```python
    >>> from lecture_optax import schedules as s
    >>> float(s.scale(s.constant(1.0), 0.25)(7))
    0.25

    ```
    """
    validate.non_negative(factor=factor)
    return Schedule(_scale, {"schedule": as_schedule("schedule", schedule)}, _inner)


@factory
def clip(
    schedule: Callable, min_value: Scalar = 0.0, *, max_value: Scalar | None = None
) -> Schedule:
    """Keep a schedule between two values: min(max(τ(k), min_value), max_value).

    **When**: a decay should not end at 0, or a climb not exceed a limit.

    **Elsewhere**: Optax: a function, `lambda k: jnp.clip(schedule(k), min_value, max_value)`.

    **Arguments**

    - `schedule`: ours, Optax's, or any function of the step.
    - `min_value`: >= 0.
    - `max_value`: >= `min_value`. None: no upper limit.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    ```python
    >>> from lecture_optax import schedules as s
    >>> float(s.clip(s.inverse_time(1.0), min_value=0.25)(99))
    0.25

    ```
    """
    validate.non_negative(min_value=min_value)
    if max_value is not None:
        validate.non_negative(max_value=max_value)
        validate.ascending(min_value=min_value, max_value=max_value)
    return Schedule(_clip, {"schedule": as_schedule("schedule", schedule)}, _inner)


def _join(k: jax.Array, schedules: Any, boundaries: Any) -> jax.Array:
    rate = to_float(schedules[0](k))
    for schedule, boundary in zip(schedules[1:], boundaries, strict=True):
        later = to_float(schedule(elapsed(k, boundary)))
        rate = jnp.where(before(k, boundary), rate, later)
    return rate


def _scale(k: jax.Array, schedule: Any, factor: Any) -> jax.Array:
    return to_float(factor) * to_float(schedule(k))


def _clip(k: jax.Array, schedule: Any, min_value: Any, max_value: Any) -> jax.Array:
    rate = jnp.maximum(to_float(schedule(k)), to_float(min_value))
    return rate if max_value is None else jnp.minimum(rate, to_float(max_value))


def _inner(*, schedule: Any, **arguments: Any) -> Any:
    return schedule.horizon


def _last(*, schedules: Any, boundaries: Any) -> Any:
    start = boundaries[-1] if boundaries else 0
    end = schedules[-1].horizon
    return None if end is None else shift(end, start)
