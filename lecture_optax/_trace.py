"""The velocity of SGD with momentum: Polyak's heavy ball."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ._core import validate
from ._core.block import block
from ._core.describe import described
from ._core.dtypes import zeros_like
from ._core.numerics import at_step, decayed_tree
from ._core.types import DTypeLike, Scalar, Schedule, Transformation


class TraceState(NamedTuple):
    """The number of gradients so far, k, and the velocity v(k)."""

    count: ArrayLike
    trace: optax.Updates


@described
def trace(
    decay: Scalar | Schedule,
    nesterov: bool = False,
    accumulator_dtype: DTypeLike | None = None,
) -> Transformation:
    """Accumulate the gradients: the velocity of SGD with momentum.

        v(k+1) = decay v(k) + g(k),    v(0) = 0,    k = 0, 1, ...

    The slide keeps τ inside the velocity, v(k+1) = α v(k) - τ(k) g(k). For a constant τ that is
    the same; with a schedule, the order of the two blocks decides, and both are one line:

    - `chain(scale_by_learning_rate(τ), trace(α))`: the slide. A gradient keeps the learning
      rate of its own step; after a drop of τ the old, large steps still have to decay.
    - `chain(trace(α), scale_by_learning_rate(τ))`: Optax, torch, `sgd`. The current learning
      rate multiplies all of v, old gradients included.

    **Arguments**

    - `decay`: the weight of the past, in [0, 1). Number, array, tracer, or a schedule α(k).
    - `nesterov`: True is another block, `nesterov_trace`.
    - `accumulator_dtype`: dtype of the velocity. At least float32 when not given.

    **Raises** `ValueError` or `TypeError` if `decay` is concrete and not in [0, 1).

    Source: the lecture, slide "Momentum"; Polyak (1964).

    ```python
    >>> import jax.numpy as jnp
    >>> from lecture_optax import trace
    >>> tx = trace(0.5)
    >>> state = tx.init(jnp.float32(0.0))
    >>> for _ in range(3):
    ...     velocity, state = tx.update(jnp.float32(1.0), state)
    >>> float(velocity)  # 1 + 1/2 + 1/4
    1.75

    ```
    """
    if nesterov:
        from ._nesterov import nesterov_trace  # the other file builds on this one's state

        return nesterov_trace(decay, accumulator_dtype=accumulator_dtype)
    validate.decay_or_schedule(decay=decay)

    def init_fn(params):
        return TraceState(jnp.zeros((), jnp.int32), zeros_like(params, accumulator_dtype))

    def update_fn(updates, state, params=None, **extra_args):
        alpha = at_step(state.count, decay=decay)
        velocity = jax.tree.map(jnp.add, decayed_tree(alpha, state.trace), updates)
        return velocity, TraceState(optax.safe_increment(state.count), velocity)

    return block(init_fn, update_fn)
