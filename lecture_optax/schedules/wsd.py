"""Warm-up, stable, decay: a decay that may start at any step."""

from typing import Any

import jax
import jax.numpy as jnp

from .._core import validate
from .._core.types import Scalar
from ._phase import Part, between, half_cosine, progress, shift
from ._schedule import Schedule, factory


@factory
def wsd(
    peak_value: Scalar,
    total_steps: Scalar | None = None,
    *,
    warmup_steps: Scalar = 0,
    decay_steps: Scalar | None = None,
    decay_start: Scalar | None = None,
    init_value: Scalar = 0.0,
    end_value: Scalar = 0.0,
    shape: str = "linear",
) -> Schedule:
    """Climb, stay at the peak, then decay; you may choose the start of the decay later.

        τ(k) from init_value to peak_value       over the first warmup_steps
        τ(k) = peak_value                        until decay_start
        τ(k) from there to end_value             over decay_steps, and end_value from then on

    `decay_start` is data: one compiled step trains at the peak for as long as you like. Until you
    know when the decay starts, give a step that is far away. A decay that starts before the peak
    starts from the current learning rate.

    **When**: you do not know the length of the run: train at the peak, and start the decay when you
    need the model.

    **Elsewhere**: Optax and torch compose it: `optax.join_schedules`, `SequentialLR`. Keras has
    none.

    **Arguments**

    - `peak_value`, `init_value`, `end_value`: learning rates >= 0.
    - `total_steps`: the horizon; `decay_start` is then `total_steps - decay_steps`. Or give
      `decay_start` itself, >= 0, and leave it out.
    - `warmup_steps`: >= 0.
    - `decay_steps`: >= 0; a fifth of `total_steps` (rounded down) when not given.
    - `shape`: how it decays, "linear" or "cosine".

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
    validate.non_negative(peak_value=peak_value, init_value=init_value, end_value=end_value)
    validate.steps(least=0, warmup_steps=warmup_steps)
    validate.one_of("linear", "cosine", shape=shape)
    if (total_steps is None) == (decay_start is None):
        raise ValueError(
            f"give total_steps or decay_start, got total_steps={total_steps!r} and "
            f"decay_start={decay_start!r}: one follows from the other and decay_steps."
        )
    if decay_steps is not None:
        validate.steps(least=0, decay_steps=decay_steps)
    if decay_start is not None:
        _check_open_end(decay_start, decay_steps)
    else:
        _check_horizon(total_steps, warmup_steps, decay_steps)
    return Schedule(_wsd, ends=_ends)


def _check_open_end(decay_start: Any, decay_steps: Any) -> None:
    validate.steps(least=0, decay_start=decay_start)
    if decay_steps is None:
        raise ValueError("decay_start needs decay_steps, got None: over how many steps to decay.")


def _check_horizon(total_steps: Any, warmup_steps: Any, decay_steps: Any) -> None:
    validate.steps(total_steps=total_steps)
    start, length = _decay(total_steps, decay_steps, None)
    validate.ascending(decay_steps=length, total_steps=total_steps)
    validate.ascending(**{"warmup_steps": warmup_steps, "total_steps - decay_steps": start})


def _wsd(
    k: jax.Array,
    peak_value: Any,
    total_steps: Any,
    warmup_steps: Any,
    decay_steps: Any,
    decay_start: Any,
    init_value: Any,
    end_value: Any,
    shape: str,
) -> jax.Array:
    start, length = _decay(total_steps, decay_steps, decay_start)
    now, then = (progress(x, 0, warmup_steps) for x in (k, jnp.asarray(start)))
    risen = Part(jnp.minimum(now.done, then.done), jnp.maximum(now.left, then.left))
    part = progress(k, start, shift(start, length))
    fall = half_cosine(part) if shape == "cosine" else part
    return between(between(init_value, peak_value, risen), end_value, fall)


def _decay(total_steps: Any, decay_steps: Any, decay_start: Any) -> tuple[Any, Any]:
    """Return the step at which the decay starts, and its length."""
    length = total_steps // 5 if decay_steps is None else decay_steps
    return shift(total_steps, -length) if decay_start is None else decay_start, length


def _ends(*, total_steps: Any, decay_steps: Any, decay_start: Any, **arguments: Any) -> Any:
    return shift(*_decay(total_steps, decay_steps, decay_start))
