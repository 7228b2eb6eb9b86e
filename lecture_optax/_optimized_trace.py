"""The velocity that is optimal for the worst case: the optimized gradient method."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ._core import validate
from ._core.block import block
from ._core.describe import described
from ._core.dtypes import scale, zeros_like
from ._core.types import DTypeLike, Scalar, Transformation
from ._nesterov_sequence import nesterov_sequence, successor


class OptimizedTraceState(NamedTuple):
    """The number of gradients so far, k, and the memory m(k) of the velocity."""

    count: ArrayLike
    trace: optax.Updates


@described
def optimized_trace(
    total_steps: Scalar, *, accumulator_dtype: DTypeLike | None = None
) -> Transformation:
    """Build the velocity with the best worst case on smooth convex losses.

        v(k+1) = m(k) + g(k)
        m(k+1) = (t(k) - 1) / t(k+1) · v(k+1) + t(k) / t(k+1) · g(k)
        update = g(k) + m(k+1),    m(0) = 0,    k = 0, 1, ..., N - 1

        t(0) = 1,  t(k+1) = (1 + sqrt(1 + 4 t(k)²)) / 2,  but  t(N) = (1 + sqrt(1 + 8 t(N-1)²)) / 2

    Nesterov's velocity is this without the second term of m: here the newest gradient is pushed
    once more. `chain(optimized_trace(N), scale_by_learning_rate(1/L))` ends within L R² / (2 t(N)²)
    of the minimum of an L-smooth convex loss; for a large N that is half of what Nesterov leaves.

    **Arguments**

    - `total_steps`: N, >= 1, the last step is another one: the promise is for exactly N steps.
    - `accumulator_dtype`: dtype of the memory. At least float32 when not given.

    **Raises** `ValueError` or `TypeError` if `total_steps` is concrete and not a whole number >= 1.

    Source: Kim and Fessler (2016), "Optimized first-order methods for smooth convex minimization";
    that nothing is better: Drori (2017).

    ```python
    >>> import jax.numpy as jnp
    >>> from lecture_optax import optimized_trace
    >>> tx = optimized_trace(total_steps=1)
    >>> velocity, _ = tx.update(jnp.float32(1.0), tx.init(jnp.float32(0.0)))
    >>> float(velocity)  # 1 + t(0) / t(1), t(1) = 2: a longer step than any guess would take
    1.5

    ```
    """
    validate.steps(total_steps=total_steps)

    def init_fn(params):
        return OptimizedTraceState(jnp.zeros((), jnp.int32), zeros_like(params, accumulator_dtype))

    def update_fn(updates, state, params=None, **extra_args):
        k = state.count
        is_last = k == jnp.asarray(total_steps, k.dtype) - 1
        t = nesterov_sequence(k)
        t_next = successor(t, jnp.where(is_last, 8, 4))
        velocity = jax.tree.map(jnp.add, state.trace, updates)
        memory = jax.tree.map(
            jnp.add, scale((t - 1) / t_next, velocity), scale(t / t_next, updates)
        )
        update = jax.tree.map(jnp.add, updates, memory)
        return update, OptimizedTraceState(optax.safe_increment(k), memory)

    return block(init_fn, update_fn)
