"""One cycle: a single climb and a single decay."""

from typing import Any

import jax
import jax.numpy as jnp

from .._core import validate
from .._core.types import Scalar
from ._phase import between, half_cosine, progress, to_float
from ._schedule import Schedule, factory


@factory
def one_cycle(
    peak_value: Scalar,
    total_steps: Scalar,
    *,
    warmup_steps: Scalar | None = None,
    init_value: Scalar | None = None,
    end_value: Scalar | None = None,
) -> Schedule:
    """Climb along half a cosine to the peak, then decay along another to far below the start.

        τ(k) from init_value to peak_value    over warmup_steps
        τ(k) from peak_value to end_value     over the rest of total_steps

    The peak is at step `warmup_steps` and the end at `total_steps`.

    **When**: a run is short and its peak is large, which the climb makes stable.

    **Elsewhere**: `optax.cosine_onecycle_schedule(transition_steps, peak_value)`: the same. torch:
    `OneCycleLR`, with the peak and the end one step earlier, its last step being `total_steps - 1`;
    it also cycles the momentum, as fastai's `fit_one_cycle` does. Keras has none.

    **Arguments**

    - `peak_value`: the highest rate, >= 0.
    - `total_steps`: the horizon, >= 1, warm-up included.
    - `warmup_steps`: >= 0; three tenths of it (rounded down) when not given.
    - `init_value`: >= 0; a 25th of the peak when not given.
    - `end_value`: >= 0; a 10,000th of `init_value` when not given.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: Smith and Topin (2018), "Super-convergence"; fastai, torch's `OneCycleLR`.

    ```python
    >>> import lecture_optax as lo
    >>> rate = lo.schedules.one_cycle(1.0, total_steps=10, init_value=0.0, end_value=0.0)
    >>> [round(float(rate(k)), 3) for k in (0, 3, 10, 11)]
    [0.0, 1.0, 0.0, 0.0]

    ```
    """
    validate.non_negative(peak_value=peak_value)
    validate.steps(total_steps=total_steps)
    if warmup_steps is not None:
        validate.steps(least=0, warmup_steps=warmup_steps)
        validate.ascending(warmup_steps=warmup_steps, total_steps=total_steps)
    for name, value in {"init_value": init_value, "end_value": end_value}.items():
        if value is not None:
            validate.non_negative(**{name: value})
    return Schedule(_one_cycle, ends=_total)


def _one_cycle(
    k: jax.Array,
    peak_value: Any,
    total_steps: Any,
    warmup_steps: Any,
    init_value: Any,
    end_value: Any,
) -> jax.Array:
    top = 3 * total_steps // 10 if warmup_steps is None else warmup_steps
    first = to_float(peak_value) / 25 if init_value is None else init_value
    last = to_float(first) / 10_000 if end_value is None else end_value
    up, down = progress(k, 0, top), progress(k, top, total_steps)
    climb = between(first, peak_value, half_cosine(up))
    fall = between(peak_value, last, half_cosine(down))
    return jnp.where(up.left > 0, climb, fall)


def _total(*, total_steps: Any, **arguments: Any) -> Any:
    return total_steps
