"""How does τ climb, stay, and fall whenever one is done? Warm-up, stable, decay."""

from typing import Any

import jax
import jax.numpy as jnp

from .. import _validate
from .._types import Scalar
from ._schedule import Schedule, between, half_cosine, progress


def wsd(
    peak_value: Scalar,
    total_steps: Scalar | None = None,
    warmup_steps: Scalar = 0,
    decay_steps: Scalar | None = None,
    *,
    decay_start: Scalar | None = None,
    init_value: Scalar = 0.0,
    end_value: Scalar = 0.0,
    shape: str = "linear",
) -> Schedule:
    """Climb, stay at the peak, and fall, from a step that need not be known before.

        τ(k) from init_value to peak_value       over the first warmup_steps
        τ(k) = peak_value                        until decay_start
        τ(k) from peak_value to end_value        over decay_steps, and end_value from then on

    `decay_start` is data: one compiled step trains on at the peak for as long as one likes, and is
    told when to fall.

    **Arguments**

    - `peak_value`, `init_value`, `end_value`: rates >= 0.
    - `total_steps`: the horizon; `decay_start` is then `total_steps - decay_steps`. Or give
      `decay_start` itself, and leave it out.
    - `warmup_steps`: >= 0.
    - `decay_steps`: >= 0; a fifth of `total_steps` when not given.
    - `shape`: how it falls, "linear" or "cosine".

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range, for phases longer
    than the whole, and unless exactly one of `total_steps` and `decay_start` is given.

    Source: Hu et al. (2024), "MiniCPM"; Hägele et al. (2024).

    ```python
    >>> import lecture_optax as lo
    >>> rate = lo.schedules.wsd(1.0, total_steps=10, warmup_steps=2, decay_steps=4)
    >>> [float(rate(k)) for k in (0, 1, 2, 6, 8, 10, 11)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.0, 0.0]

    ```
    """
    _validate.non_negative(peak_value=peak_value, init_value=init_value, end_value=end_value)
    _validate.steps(least=0, warmup_steps=warmup_steps)
    _validate.one_of("linear", "cosine", shape=shape)
    if (total_steps is None) == (decay_start is None):
        raise ValueError(
            f"give total_steps or decay_start, got total_steps={total_steps!r} and "
            f"decay_start={decay_start!r}: one follows from the other and decay_steps."
        )
    if total_steps is not None:
        _validate.steps(total_steps=total_steps)
        decay_steps = total_steps // 5 if decay_steps is None else decay_steps
        _validate.below(total_steps, warmup_steps=warmup_steps)
        _validate.below(total_steps - warmup_steps, decay_steps=decay_steps)
        decay_start = total_steps - decay_steps
    if decay_steps is None:
        raise ValueError("decay_start needs decay_steps, got None: over how many steps to fall.")
    _validate.steps(least=0, decay_steps=decay_steps, decay_start=decay_start)
    numbers = {
        "peak_value": peak_value,
        "warmup_steps": warmup_steps,
        "decay_steps": decay_steps,
        "decay_start": decay_start,
        "init_value": init_value,
        "end_value": end_value,
    }
    return Schedule(_wsd if shape == "linear" else _cosine_wsd, numbers, _ends)


def _wsd(
    k: jax.Array,
    peak_value: Any,
    warmup_steps: Any,
    decay_steps: Any,
    decay_start: Any,
    init_value: Any,
    end_value: Any,
    fall: Any = lambda part: part,
) -> jax.Array:
    climb = between(init_value, peak_value, progress(k, 0, warmup_steps))
    decay = between(peak_value, end_value, fall(progress(k, decay_start, decay_steps)))
    return jnp.where(k < jnp.asarray(decay_start, k.dtype), climb, decay)


def _cosine_wsd(k: jax.Array, **numbers: Any) -> jax.Array:
    return _wsd(k, **numbers, fall=half_cosine)


def _ends(*, decay_start: Any, decay_steps: Any, **arguments: Any) -> Any:
    return decay_start + decay_steps
