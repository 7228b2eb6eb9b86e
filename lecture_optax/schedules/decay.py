"""Decay to an end value: along a polynomial, a line or half a cosine."""

from typing import Any

import jax
import jax.numpy as jnp

from .._core import validate
from .._core.types import Scalar
from ._phase import Part, between, climb_first, half_cosine, progress, to_float
from ._schedule import Schedule, factory


@factory
def polynomial(
    init_value: Scalar,
    total_steps: Scalar,
    *,
    end_value: Scalar = 0.0,
    power: Scalar = 2.0,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Decay along a power of the fraction of the steps that is left.

        τ(k) = end_value + (init_value - end_value) · (1 - k / total_steps)^power

    **When**: the learning rate should be small for longer at the end than on a line.

    **Elsewhere**: `optax.polynomial_schedule(init_value, end_value, power, transition_steps)`.
    torch: `PolynomialLR` and Keras: `PolynomialDecay`, with power 1 by default; Keras ends at 1e-4.

    **Arguments**

    - `init_value`, `end_value`: the rate at the start and from `total_steps` on, >= 0.
    - `total_steps`: the horizon, >= 1, warm-up included.
    - `power`: > 0. 1 is `linear`.
    - `warmup_steps`: climb along a line from 0 to `init_value` first, in at most `total_steps`; the
      formula then holds for the steps that are left.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: torch's `PolynomialLR`, Keras's `PolynomialDecay`.

    ```python
    >>> import lecture_optax as lo
    >>> [float(lo.schedules.polynomial(1.0, 4)(k)) for k in range(6)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]

    ```
    """
    validate.positive(power=power)
    _check_fall(init_value, end_value, total_steps, warmup_steps)
    return Schedule(_polynomial, ends=_total)


@factory
def linear(
    init_value: Scalar,
    total_steps: Scalar,
    *,
    end_value: Scalar = 0.0,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Decay (or climb) along a line.

        τ(k) = init_value + (end_value - init_value) · k / total_steps

    **When**: you know the length of the run.

    **Elsewhere**: `optax.linear_schedule(init_value, end_value, transition_steps)`. torch:
    `LinearLR`, which by default climbs from a third in 5 steps. Keras: `PolynomialDecay`, with
    power 1.

    **Arguments** and **Raises** as for `polynomial`.

    Source: the lecture, slide "Annealing": reduce the rate over time; torch's `LinearLR`.

    ```python
    >>> import lecture_optax as lo
    >>> [float(lo.schedules.linear(1.0, 4)(k)) for k in range(6)]
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]

    ```
    """
    _check_fall(init_value, end_value, total_steps, warmup_steps)
    return Schedule(_linear, ends=_total)


@factory
def cosine(
    init_value: Scalar,
    total_steps: Scalar,
    *,
    end_value: Scalar = 0.0,
    warmup_steps: Scalar = 0,
) -> Schedule:
    """Decay along half a cosine, flat at both ends.

        τ(k) = end_value + (init_value - end_value) · (1 + cos(π k / total_steps)) / 2

    **When**: you know the length of the run; it keeps large learning rates for longer than a line.

    **Elsewhere**: `optax.cosine_decay_schedule(init_value, decay_steps, alpha)`, with alpha =
    end_value / init_value; with a warm-up, `optax.warmup_cosine_decay_schedule`, whose
    `decay_steps` include it. torch: `CosineAnnealingLR(T_max, eta_min)`, which climbs again after
    `T_max`. Keras: `CosineDecay`, whose `decay_steps` do not include the warm-up.

    **Arguments** and **Raises** as for `polynomial`.

    Source: the lecture, slide "Warm restarts": one period; Loshchilov and Hutter (2017).

    ```python
    >>> import lecture_optax as lo
    >>> [round(float(lo.schedules.cosine(1.0, 4)(k)), 3) for k in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]

    ```
    """
    _check_fall(init_value, end_value, total_steps, warmup_steps)
    return Schedule(_cosine, ends=_total)


def _check_fall(init_value: Any, end_value: Any, total_steps: Any, warmup_steps: Any) -> None:
    validate.non_negative(init_value=init_value, end_value=end_value)
    validate.steps(total_steps=total_steps)
    validate.steps(least=0, warmup_steps=warmup_steps)
    validate.ascending(warmup_steps=warmup_steps, total_steps=total_steps)


def _polynomial(
    k: jax.Array, init_value: Any, total_steps: Any, end_value: Any, power: Any, warmup_steps: Any
) -> jax.Array:
    part = progress(k, warmup_steps, total_steps)
    some = jnp.where(part.left > 0, part.left, 1)  # 0^power has no slope where power is data
    left = jnp.where(part.left > 0, some ** to_float(power), 0)
    done = jnp.where(part.done > 0, 1 - left, 0)
    rate = between(init_value, end_value, Part(done, left))
    return climb_first(k, rate, warmup_steps=warmup_steps, peak=init_value)


def _linear(
    k: jax.Array, init_value: Any, total_steps: Any, end_value: Any, warmup_steps: Any
) -> jax.Array:
    rate = between(init_value, end_value, progress(k, warmup_steps, total_steps))
    return climb_first(k, rate, warmup_steps=warmup_steps, peak=init_value)


def _cosine(
    k: jax.Array, init_value: Any, total_steps: Any, end_value: Any, warmup_steps: Any
) -> jax.Array:
    part = half_cosine(progress(k, warmup_steps, total_steps))
    rate = between(init_value, end_value, part)
    return climb_first(k, rate, warmup_steps=warmup_steps, peak=init_value)


def _total(*, total_steps: Any, **arguments: Any) -> Any:
    return total_steps
