"""The variance of the gradient, entry by entry: centred RMSProp's magnitude."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ._core import validate
from ._core.block import block
from ._core.describe import described
from ._core.dtypes import default_float, full_like_magnitude, scale, zeros_like
from ._core.numerics import abs_squared, decayed, one_minus_power, reciprocal
from ._core.types import Scalar, Transformation


class VarianceState(NamedTuple):
    """The number of gradients, their average m(k) and their variance x(k), not corrected."""

    count: ArrayLike
    mu: optax.Updates
    nu: optax.Updates


@described
def variance(
    decay: Scalar, *, initial: Scalar = 0.0, bias_correction: bool = False
) -> Transformation:
    """Average |g|² exponentially and subtract the square of the average gradient.

        m(k+1) = decay m(k) + (1 - decay) g(k),       m(0) = 0
        c(k+1) = decay c(k) + (1 - decay) |g(k)|²,    c(0) = initial
        x(k+1) = c(k+1) - |m(k+1)|²
               = decay (x(k) + (1 - decay) |g(k) - m(k)|²)

    One block, since the two averages see the same gradient. The last line is how it is computed:
    the difference would lose its digits where the gradient varies little, and fall below zero
    (there Optax's root is NaN).

    **Arguments**

    - `decay`: the weight of the past, in [0, 1). Number, array or tracer.
    - `initial`: c(0) >= 0.
    - `bias_correction`: divide both averages by w(k) = 1 - decay^k before they meet.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: Graves (2013), "Generating sequences with recurrent neural networks", eq. 40.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.variance(0.5, bias_correction=True)
    >>> x, _ = tx.update(jnp.float32(3.0), tx.init(jnp.float32(0.0)))
    >>> float(x)  # one gradient has not varied
    0.0

    ```
    """
    validate.decay(decay=decay)
    validate.non_negative(initial=initial)

    def init_fn(params):
        nu = full_like_magnitude(params, initial)
        return VarianceState(jnp.zeros((), jnp.int32), zeros_like(params), nu)

    def weight(k):
        return one_minus_power(decay, k) if bias_correction else jnp.ones((), default_float())

    def update_fn(updates, state, params=None, **extra_args):
        k = optax.safe_increment(state.count)
        before, now = weight(state.count), weight(k)
        mean = scale(reciprocal(before), state.mu)
        apart = jax.tree.map(lambda g, m: abs_squared(g - m), updates, mean)
        new = scale(before / now, apart)
        nu = jax.tree.map(lambda x, a: decayed(decay, x + (1 - decay) * a), state.nu, new)
        mu = jax.tree.map(lambda m, g: decayed(decay, m) + (1 - decay) * g, state.mu, updates)
        return scale(reciprocal(now), nu), VarianceState(k, mu, nu)

    return block(init_fn, update_fn)
