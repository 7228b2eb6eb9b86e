"""How are schedules put together?"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .. import _validate
from .._types import Scalar
from ._schedule import Schedule, steps_since, to_float


def join(schedules: Sequence[Callable], boundaries: Sequence[Scalar]) -> Schedule:
    """Follow one schedule after the other, each counting from its own first step.

        τ(k) = schedules[i](k - boundaries[i - 1])    for boundaries[i - 1] <= k < boundaries[i]

    **Arguments**

    - `schedules`: at least one.
    - `boundaries`: the first steps of all but the first, increasing.

    **Raises** `ValueError` if the numbers of the two do not fit, or boundaries do not increase.

    ```python
    >>> from lecture_optax import schedules as s
    >>> both = s.join([s.constant(1.0), s.linear(0.5, 2)], [3])
    >>> [float(both(k)) for k in range(6)]
    [1.0, 1.0, 1.0, 0.5, 0.25, 0.0]

    ```
    """
    schedules, boundaries = list(schedules), list(boundaries)
    if len(boundaries) != len(schedules) - 1:
        raise ValueError(
            f"boundaries must be one fewer than schedules, got {len(boundaries)} and "
            f"{len(schedules)}: the first schedule starts at step 0."
        )
    _validate.steps(least=0, **{f"boundaries[{i}]": b for i, b in enumerate(boundaries)})
    for i, (first, second) in enumerate(zip(boundaries, boundaries[1:], strict=False)):
        _validate.below(second, **{f"boundaries[{i}]": first})
    return Schedule(_join, {"schedules": schedules, "boundaries": boundaries}, _last)


def scale(schedule: Callable, factor: Scalar) -> Schedule:
    """Multiply a schedule: factor · τ(k), factor >= 0.

    ```python
    >>> from lecture_optax import schedules as s
    >>> float(s.scale(s.constant(1.0), 0.25)(7))
    0.25

    ```
    """
    _validate.non_negative(factor=factor)
    return Schedule(_scale, {"schedule": schedule, "factor": factor}, _inner)


def clip(schedule: Callable, min_value: Scalar = 0.0, max_value: Scalar = float("inf")) -> Schedule:
    """Keep a schedule between two values: min(max(τ(k), min_value), max_value).

    **Raises** `ValueError` for `min_value` < 0 or above `max_value`.

    ```python
    >>> from lecture_optax import schedules as s
    >>> float(s.clip(s.inverse_time(1.0), min_value=0.25)(99))
    0.25

    ```
    """
    _validate.non_negative(min_value=min_value)
    _validate.below(max_value, min_value=min_value)
    numbers = {"schedule": schedule, "min_value": min_value, "max_value": max_value}
    return Schedule(_clip, numbers, _inner)


def _join(k: jax.Array, schedules: Any, boundaries: Any) -> jax.Array:
    rate = to_float(schedules[0](k))
    for schedule, boundary in zip(schedules[1:], boundaries, strict=True):
        later = to_float(schedule(steps_since(k, boundary)))
        rate = jnp.where(k < jnp.asarray(boundary, k.dtype), rate, later)
    return rate


def _scale(k: jax.Array, schedule: Any, factor: Any) -> jax.Array:
    return to_float(factor) * to_float(schedule(k))


def _clip(k: jax.Array, schedule: Any, min_value: Any, max_value: Any) -> jax.Array:
    return jnp.clip(to_float(schedule(k)), to_float(min_value), to_float(max_value))


def _inner(*, schedule: Any, **arguments: Any) -> Any:
    return getattr(schedule, "horizon", None)


def _last(*, schedules: Any, boundaries: Any) -> Any:
    end = getattr(schedules[-1], "horizon", None)
    return None if end is None else end + (boundaries[-1] if boundaries else 0)
