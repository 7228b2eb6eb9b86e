"""The factor 1/(1 - decay^k) by which an average that starts at zero is too small."""

from typing import NamedTuple

import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ._core import validate
from ._core.block import block
from ._core.describe import described
from ._core.dtypes import scale
from ._core.numerics import one_minus_power, reciprocal
from ._core.types import Scalar, Transformation


class BiasCorrectionState(NamedTuple):
    """The number of averages corrected so far, k."""

    count: ArrayLike


@described
def bias_correction(decay: Scalar) -> Transformation:
    """Divide an exponential moving average by the total weight it has collected.

        x(k) / (1 - decay^k),    k = 1, 2, ...

    The correction is applied to what leaves the chain, never to what the average keeps. The slide
    feeds the corrected velocity back into its own recursion, which read verbatim divides again at
    every step and grows without bound; it also counts from k = 0, where the factor is infinite.
    Where 1 - decay^k is 0 the average has collected nothing, and the result is 0.

    **Arguments**

    - `decay`: the decay of the average in front of it, in [0, 1). Number, array or tracer.

    **Raises** `ValueError` or `TypeError` if `decay` is concrete and not in [0, 1).

    Source: the lecture, slide "Adam"; Kingma and Ba (2015), section 3.

    ```python
    >>> import jax.numpy as jnp
    >>> from lecture_optax import bias_correction, chain, first_moment
    >>> tx = chain(first_moment(0.9), bias_correction(0.9))  # a constant, from step one on
    >>> update, state = tx.update(jnp.float32(3.0), tx.init(jnp.float32(0.0)))
    >>> round(float(update), 6)
    3.0

    ```
    """
    validate.decay(decay=decay)

    def init_fn(params):
        return BiasCorrectionState(count=jnp.zeros((), jnp.int32))

    def update_fn(updates, state, params=None, **extra_args):
        k = optax.safe_increment(state.count)
        return scale(reciprocal(one_minus_power(decay, k)), updates), BiasCorrectionState(k)

    return block(init_fn, update_fn)
