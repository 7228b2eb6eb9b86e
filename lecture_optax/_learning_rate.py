"""The learning rate τ(k), and the minus sign."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ._core import validate
from ._core.block import block
from ._core.describe import described
from ._core.dtypes import default_float, scale
from ._core.numerics import at_step
from ._core.types import Scalar, Schedule, Transformation


class LearningRateState(NamedTuple):
    """The number of steps taken, and the learning rate of the last step."""

    count: ArrayLike
    learning_rate: jax.Array


@described
def scale_by_learning_rate(
    learning_rate: Scalar | Schedule, *, flip_sign: bool = True
) -> Transformation:
    """Multiply by -τ(k), and keep τ(k) in the state for a log to read.

        update = -τ(k) x,    k = 0, 1, ...

    The state is a record: writing to it changes nothing. To change the rate while training, pass
    a schedule, or build the optimizer from a traced number inside the compiled step. Read it by
    `optax.tree.get(state, "learning_rate")`, or by `current(state)` where there are several.

    **Arguments**

    - `learning_rate`: a number, array or tracer >= 0, or a schedule of the step count. The state
      is the same for all of them, so a checkpoint outlives the choice. Before the first step it
      holds τ(0).
    - `flip_sign`: False multiplies by +τ(k), as Optax has it.

    **Raises** `ValueError` or `TypeError` if it is concrete and not a finite number >= 0. (Optax
    takes None for no scaling; here that is leaving the block out.)

    Source: the lecture, slide "The general update"; minus: downhill.

    ```python
    >>> import jax.numpy as jnp, optax
    >>> from lecture_optax import scale_by_learning_rate
    >>> tx = scale_by_learning_rate(lambda k: 1 / (1 + k))
    >>> state = tx.init(jnp.zeros(2))
    >>> for _ in range(4):
    ...     update, state = tx.update(jnp.ones(2), state)
    >>> float(optax.tree.get(state, "learning_rate")), update.tolist()
    (0.25, [-0.25, -0.25])

    ```
    """
    validate.rate(learning_rate=learning_rate)
    sign = -1 if flip_sign else 1

    def rate_at(count):
        rate = at_step(count, learning_rate=learning_rate)
        return jnp.array(rate, default_float())  # a copy: a donated state must not own yours

    def init_fn(params):
        count = jnp.zeros((), jnp.int32)
        return LearningRateState(count, rate_at(count))

    def update_fn(updates, state, params=None, **extra_args):
        rate = rate_at(state.count)
        return scale(sign * rate, updates), LearningRateState(
            optax.safe_increment(state.count), rate
        )

    return block(init_fn, update_fn)
