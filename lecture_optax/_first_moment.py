"""The velocity of Adam: an exponential moving average of the gradient."""

from typing import NamedTuple

import jax
import optax

from ._core import validate
from ._core.block import block
from ._core.describe import described
from ._core.dtypes import zeros_like
from ._core.numerics import decayed
from ._core.types import DTypeLike, Scalar, Transformation


class FirstMomentState(NamedTuple):
    """The average m(k), not corrected for its start at zero."""

    mu: optax.Updates


@described
def first_moment(decay: Scalar, *, accumulator_dtype: DTypeLike | None = None) -> Transformation:
    """Average the gradients exponentially: the velocity of Adam.

        m(k+1) = decay m(k) + (1 - decay) g(k),    m(0) = 0

    Starting at zero it is too small by 1 - decay^k; `bias_correction` divides that out.

    **Arguments**

    - `decay`: the weight of the past, in [0, 1). Number, array or tracer.
    - `accumulator_dtype`: dtype of the average. At least float32 when not given.

    **Raises** `ValueError` or `TypeError` if `decay` is concrete and not in [0, 1), and `TypeError`
    for a dtype of another kind.

    Source: the lecture, slide "Adam", whose minus sign before the gradient is a typo (read
    verbatim it climbs); Kingma and Ba (2015), algorithm 1.

    ```python
    >>> import jax.numpy as jnp
    >>> from lecture_optax import first_moment
    >>> tx = first_moment(0.9)
    >>> update, state = tx.update(jnp.float32(1.0), tx.init(jnp.float32(0.0)))
    >>> round(float(update), 6)
    0.1

    ```
    """
    validate.decay(decay=decay)

    def init_fn(params):
        return FirstMomentState(mu=zeros_like(params, accumulator_dtype))

    def update_fn(updates, state, params=None, **extra_args):
        mu = jax.tree.map(lambda m, g: decayed(decay, m) + (1 - decay) * g, state.mu, updates)
        return mu, FirstMomentState(mu)

    return block(init_fn, update_fn)
