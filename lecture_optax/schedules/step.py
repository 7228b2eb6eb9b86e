"""Constant learning rates, and drops at given steps."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._core import validate
from .._core.types import Scalar
from ._phase import before, climb_first, latest, periods, power, rounded_off, to_float
from ._schedule import Schedule, factory


@factory
def constant(init_value: Scalar, *, warmup_steps: Scalar = 0) -> Schedule:
    """Keep the learning rate constant: τ(k) = init_value.

    **When**: you make a first run, or average the weights (`average_iterates`), which replaces a
    decay.

    **Elsewhere**: a number. With a warm-up, `optax.warmup_constant_schedule`, which stays at its
    first value for `warmup_steps=0`. torch's `ConstantLR` is another one: a factor for the first
    steps.

    **Arguments**

    - `init_value`: the rate, >= 0.
    - `warmup_steps`: climb along a line from 0 for so many steps first, >= 0. Other climbs:
      `warmup`.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: the lecture, slide "Constant learning rate".

    ```python
    >>> import lecture_optax as lo
    >>> float(lo.schedules.constant(0.5)(1000))
    0.5

    ```
    """
    validate.non_negative(init_value=init_value)
    validate.steps(least=0, warmup_steps=warmup_steps)
    return Schedule(_constant, ends=_after_warmup)


@factory
def step(
    init_value: Scalar,
    boundaries: Scalar | Sequence[Scalar],
    *,
    factor: Scalar = 0.1,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Multiply the learning rate at given steps: τ(k) = init_value · factor^n.

    **When**: you know at which steps the loss stops decreasing.

    **Elsewhere**: `optax.piecewise_constant_schedule`, with a factor for every boundary. torch:
    `MultiStepLR`, or `StepLR` for one number; they count calls of `step()`, often epochs. Keras:
    `PiecewiseConstantDecay`, with values in place of factors, each for one step longer.

    **Arguments**

    - `init_value`: the first rate, >= 0.
    - `boundaries`: the steps from which on a further factor holds, increasing; n counts those
      reached. Or one number of steps: n = ⌊k / boundaries⌋, for ever.
    - `factor`: >= 0; the lecture's "plateau: ÷10" is 0.1.
    - `warmup_steps`: climb along a line from 0 first, to the rate of that step. Boundaries are
      counted from the very start.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: the lecture, slide "Annealing"; torch's `MultiStepLR` and `StepLR`.

    ```python
    >>> import lecture_optax as lo
    >>> drops = lo.schedules.step(1.0, boundaries=[10, 20], factor=0.5)
    >>> [float(drops(k)) for k in (9, 10, 19, 20, 1000)]
    [1.0, 0.5, 0.5, 0.25, 0.25]

    ```
    """
    validate.non_negative(init_value=init_value, factor=factor)
    validate.steps(least=0, warmup_steps=warmup_steps)
    prepared = {"boundaries": _checked(boundaries), "rounded_off": rounded_off(factor)}
    return Schedule(_step, prepared, _last_boundary)


def _checked(boundaries: Any) -> Any:
    """Return several boundaries as a tuple, or the one number."""
    if not isinstance(boundaries, list | tuple) and np.ndim(boundaries) != 1:
        validate.steps(boundaries=boundaries)
        return boundaries
    named = {f"boundaries[{i}]": boundary for i, boundary in enumerate(boundaries)}
    validate.steps(**named)
    validate.ascending(**named)
    return tuple(boundaries)


def _constant(k: jax.Array, init_value: Any, warmup_steps: Any) -> jax.Array:
    return climb_first(k, to_float(init_value), warmup_steps=warmup_steps, peak=init_value)


def _step(
    k: jax.Array, init_value: Any, boundaries: Any, factor: Any, warmup_steps: Any, rounded_off: Any
) -> jax.Array:
    def rate_at(k):
        if isinstance(boundaries, tuple):
            drops = sum((to_float(~before(k, b)) for b in boundaries), to_float(0))
        else:
            drops = periods(k, boundaries, staircase=True)
        return to_float(init_value) * power(factor, rounded_off, drops)

    peak = rate_at(jnp.asarray(warmup_steps, k.dtype))
    return climb_first(k, rate_at(k), warmup_steps=warmup_steps, peak=peak)


def _after_warmup(*, warmup_steps: Any, **arguments: Any) -> Any:
    return warmup_steps


def _last_boundary(*, boundaries: Any, warmup_steps: Any, **arguments: Any) -> Any:
    if not isinstance(boundaries, tuple):
        return None
    return latest(warmup_steps, *boundaries)
