"""How does τ fall? In steps, exponentially, along a polynomial, a line or half a cosine."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .. import _validate
from .._types import Scalar
from ._schedule import Schedule, between, half_cosine, progress, steps_since, to_float
from .warmup import after_warmup


def constant(init_value: Scalar, *, warmup_steps: Scalar = 0) -> Schedule:
    """Keep the rate: τ(k) = init_value.

    **Arguments**

    - `init_value`: the rate, >= 0.
    - `warmup_steps`: climb linearly from 0 for so many steps first (`warmup`).

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    ```python
    >>> import lecture_optax as lo
    >>> float(lo.schedules.constant(0.5)(1000))
    0.5

    ```
    """
    _validate.non_negative(init_value=init_value)
    return after_warmup(Schedule(_constant, {"init_value": init_value}, _at_once), warmup_steps)


def step(
    init_value: Scalar,
    boundaries: Scalar | Sequence[Scalar],
    factor: Scalar = 0.1,
    *,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Divide the rate at given steps: τ(k) = init_value · factor^n.

    **Arguments**

    - `init_value`: the first rate, >= 0.
    - `boundaries`: the steps from which on a further factor holds, increasing; n counts those
      reached. Or one number of steps: n = ⌊k / boundaries⌋, for ever.
    - `factor`: >= 0; the lecture's "plateau: ÷10" is 0.1.
    - `warmup_steps`: climb linearly from 0 first; boundaries are counted from the very start.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: the lecture, slide "Annealing"; torch's `MultiStepLR` and `StepLR`.

    ```python
    >>> import lecture_optax as lo
    >>> drops = lo.schedules.step(1.0, boundaries=[10, 20], factor=0.5)
    >>> [float(drops(k)) for k in (9, 10, 19, 20, 1000)]
    [1.0, 0.5, 0.5, 0.25, 0.25]

    ```
    """
    _validate.non_negative(init_value=init_value, factor=factor)
    several = isinstance(boundaries, Sequence)
    for boundary in boundaries if several else [boundaries]:
        _validate.steps(boundaries=boundary)
    if several and list(boundaries) != sorted(boundaries):
        raise ValueError(f"boundaries must increase, got {list(boundaries)}.")
    if several:
        shifted = [boundary - warmup_steps for boundary in boundaries]
    else:
        shifted = boundaries
    numbers = {"init_value": init_value, "boundaries": shifted, "factor": factor}
    return after_warmup(Schedule(_step, numbers, _last_boundary), warmup_steps)


def exponential(
    init_value: Scalar,
    decay_rate: Scalar,
    transition_steps: Scalar = 1,
    *,
    staircase: bool = False,
    end_value: Scalar = 0.0,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Multiply the rate by the same number again and again.

        τ(k) = max(init_value · decay_rate^(k / transition_steps), end_value)

    **Arguments**

    - `init_value`: the first rate, >= 0.
    - `decay_rate`: the factor per `transition_steps`, > 0 (above 1 it grows, for a rate test).
    - `transition_steps`: >= 1.
    - `staircase`: only whole powers, ⌊k / transition_steps⌋.
    - `end_value`: a floor, >= 0.
    - `warmup_steps`: climb linearly from 0 first.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    ```python
    >>> import lecture_optax as lo
    >>> halving = lo.schedules.exponential(1.0, 0.5, transition_steps=10)
    >>> [float(halving(k)) for k in (0, 10, 20)]
    [1.0, 0.5, 0.25]

    ```
    """
    _validate.non_negative(init_value=init_value, end_value=end_value)
    _validate.positive(decay_rate=decay_rate)
    _validate.steps(transition_steps=transition_steps)
    numbers = {
        "init_value": init_value,
        "decay_rate": decay_rate,
        "transition_steps": transition_steps,
        "staircase": staircase,
        "end_value": end_value,
    }
    return after_warmup(Schedule(_exponential, numbers), warmup_steps)


def polynomial(
    init_value: Scalar,
    total_steps: Scalar,
    end_value: Scalar = 0.0,
    power: Scalar = 2.0,
    *,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Fall along a power of the part of the steps that is left.

        τ(k) = end_value + (init_value - end_value) · (1 - k / total_steps)^power

    **Arguments**

    - `init_value`, `end_value`: the rate at the start and from `total_steps` on, >= 0.
    - `total_steps`: the horizon, >= 1, warm-up included.
    - `power`: > 0. 1 is `linear`.
    - `warmup_steps`: climb linearly from 0 to `init_value` first.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    ```python
    >>> import lecture_optax as lo
    >>> [float(lo.schedules.polynomial(1.0, 4)(k)) for k in range(6)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]

    ```
    """
    _validate.non_negative(init_value=init_value, end_value=end_value)
    _validate.positive(power=power)
    numbers = {"init_value": init_value, "end_value": end_value, "power": power}
    return _falling(_polynomial, numbers, total_steps, warmup_steps)


def linear(
    init_value: Scalar,
    total_steps: Scalar,
    end_value: Scalar = 0.0,
    *,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Fall (or climb) along a line.

        τ(k) = init_value + (end_value - init_value) · k / total_steps

    **Arguments** and **Raises** as for `polynomial`.

    ```python
    >>> import lecture_optax as lo
    >>> [float(lo.schedules.linear(1.0, 4)(k)) for k in range(6)]
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]

    ```
    """
    _validate.non_negative(init_value=init_value, end_value=end_value)
    numbers = {"init_value": init_value, "end_value": end_value}
    return _falling(_linear, numbers, total_steps, warmup_steps)


def cosine(
    init_value: Scalar,
    total_steps: Scalar,
    end_value: Scalar = 0.0,
    *,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Fall along half a cosine, flat at both ends.

        τ(k) = end_value + (init_value - end_value) · (1 + cos(π k / total_steps)) / 2

    **Arguments** and **Raises** as for `polynomial`.

    Source: the lecture, slide "Warm restarts": one period; Loshchilov and Hutter (2017).

    ```python
    >>> import lecture_optax as lo
    >>> [round(float(lo.schedules.cosine(1.0, 4)(k)), 3) for k in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]

    ```
    """
    _validate.non_negative(init_value=init_value, end_value=end_value)
    numbers = {"init_value": init_value, "end_value": end_value}
    return _falling(_cosine, numbers, total_steps, warmup_steps)


def _falling(formula: Any, numbers: dict, total_steps: Any, warmup_steps: Any) -> Schedule:
    """A decay over what the warm-up leaves of `total_steps`."""
    _validate.steps(total_steps=total_steps)
    _validate.steps(least=0, warmup_steps=warmup_steps)
    _validate.below(total_steps, warmup_steps=warmup_steps)
    left = total_steps - warmup_steps
    return after_warmup(Schedule(formula, numbers | {"total_steps": left}, _total), warmup_steps)


def _constant(k: jax.Array, init_value: Any) -> jax.Array:
    return to_float(init_value)


def _step(k: jax.Array, init_value: Any, boundaries: Any, factor: Any) -> jax.Array:
    if isinstance(boundaries, Sequence):
        reached = sum((steps_since(k, b - 1) > 0).astype(jnp.int32) for b in boundaries)
    else:
        reached = jnp.floor_divide(k, jnp.asarray(boundaries, k.dtype))
    return to_float(init_value) * to_float(factor) ** to_float(reached)


def _exponential(
    k: jax.Array,
    init_value: Any,
    decay_rate: Any,
    transition_steps: Any,
    staircase: Any,
    end_value: Any,
) -> jax.Array:
    periods = periods_of(k, transition_steps, staircase)
    return jnp.maximum(to_float(init_value) * to_float(decay_rate) ** periods, to_float(end_value))


def _polynomial(
    k: jax.Array, init_value: Any, end_value: Any, power: Any, total_steps: Any
) -> jax.Array:
    part = progress(k, 0, total_steps)
    left = jnp.where(part < 1, 1 - part, 1)  # 0^power has no slope where power is data
    fallen = jnp.where(part < 1, 1 - left ** to_float(power), 1)
    return between(init_value, end_value, fallen)


def _linear(k: jax.Array, init_value: Any, end_value: Any, total_steps: Any) -> jax.Array:
    return between(init_value, end_value, progress(k, 0, total_steps))


def _cosine(k: jax.Array, init_value: Any, end_value: Any, total_steps: Any) -> jax.Array:
    return between(init_value, end_value, half_cosine(progress(k, 0, total_steps)))


def periods_of(k: jax.Array, transition_steps: Any, staircase: Any) -> jax.Array:
    """k / transition_steps, or its whole part, divided in integers."""
    whole = to_float(jnp.floor_divide(k, jnp.asarray(transition_steps, k.dtype)))
    return jnp.where(jnp.asarray(staircase), whole, to_float(k) / to_float(transition_steps))


def _at_once(**arguments: Any) -> int:
    return 0


def _total(*, total_steps: Any, **arguments: Any) -> Any:
    return total_steps


def _last_boundary(*, boundaries: Any, **arguments: Any) -> Any:
    if not isinstance(boundaries, Sequence):
        return None
    return boundaries[-1] if boundaries else 0
