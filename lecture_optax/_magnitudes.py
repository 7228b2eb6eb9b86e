"""Running magnitudes of the gradient, entry by entry, that make a D.

    RMSProp, Adam      second_moment            c(k+1) = decay c(k) + (1 - decay) |g(k)|²
    AdaGrad            sum_of_squares           c(k+1) = c(k) + |g(k)|²
    AdaMax             infinity_moment          c(k+1) = max(decay c(k), |g(k)| + eps)
    AMSGrad            running_max              c(k+1) = max(c(k), the magnitude it is given)

Each maps a gradient to a magnitude, real also where the gradient is complex. `_variance.py` has
the fifth, of centred RMSProp.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._core import validate
from ._core.block import block
from ._core.describe import described
from ._core.dtypes import full_like_magnitude
from ._core.numerics import abs_squared, decayed, magnitude
from ._core.types import Scalar, Transformation


class SecondMomentState(NamedTuple):
    """The running magnitude c(k)."""

    nu: optax.Updates


class RunningMaxState(NamedTuple):
    """The largest magnitude so far."""

    nu_max: optax.Updates


@described
def second_moment(decay: Scalar, *, initial: Scalar = 0.0) -> Transformation:
    """Average |g|² exponentially (RMSProp, Adam).

        c(k+1) = decay c(k) + (1 - decay) |g(k)|²,    c(0) = initial

    **Arguments**

    - `decay`: the weight of the past, in [0, 1). Number, array or tracer.
    - `initial`: c(0) >= 0. At 0 the average is too small by 1 - decay^k (`bias_correction`).

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: the lecture, slides "RMSProp" and "Adam".

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.second_moment(0.5)
    >>> c, _ = tx.update(jnp.array([3.0 + 4.0j]), tx.init(jnp.zeros(1, complex)))
    >>> c.tolist()  # half of |g|²
    [12.5]

    ```
    """
    validate.decay(decay=decay)
    validate.non_negative(initial=initial)
    return _running(lambda c, g: decayed(decay, c) + (1 - decay) * abs_squared(g), initial)


@described
def sum_of_squares(*, initial: Scalar = 0.0) -> Transformation:
    """Sum |g|² since the start (AdaGrad).

        c(k+1) = c(k) + |g(k)|²,    c(0) = initial

    **Arguments**

    - `initial`: c(0) >= 0. Number, array or tracer.

    **Raises** `ValueError` or `TypeError` for a concrete value that is not a finite number >= 0.

    Source: the lecture, slide "AdaGrad"; Duchi, Hazan and Singer (2011).

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.chain(lo.sum_of_squares(), lo.inverse_root(eps=0.0))  # AdaGrad's D
    >>> state = tx.init(jnp.float32(0.0))
    >>> for _ in range(4):
    ...     d, state = tx.update(jnp.float32(1.0), state)
    >>> float(d)  # 1/√k
    0.5

    ```
    """
    validate.non_negative(initial=initial)
    return _running(lambda c, g: c + abs_squared(g), initial)


@described
def infinity_moment(decay: Scalar, *, eps: Scalar = 1e-8) -> Transformation:
    """Keep the largest recent |g| (AdaMax).

        c(k+1) = max(decay c(k), |g(k)| + eps),    c(0) = 0

    **Arguments**

    - `decay`: the weight of the past, in [0, 1). Number, array or tracer.
    - `eps`: >= 0; keeps c away from 0, where a D = 1/c is 0.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: Kingma and Ba (2015), algorithm 2; ε where Optax has it.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.infinity_moment(0.5, eps=0.0)
    >>> state = tx.init(jnp.float32(0.0))
    >>> for g in [-8.0, 1.0]:
    ...     c, state = tx.update(jnp.float32(g), state)
    >>> float(c)
    4.0

    ```
    """
    validate.decay(decay=decay)
    validate.non_negative(eps=eps)
    return _running(lambda c, g: jnp.maximum(decayed(decay, c), magnitude(g) + eps), 0.0)


@described
def running_max() -> Transformation:
    """Keep the largest value of a magnitude so far (AMSGrad).

        c(k+1) = max(c(k), x(k)),    c(0) = 0

    Stands behind a magnitude in a chain. Source: Reddi, Kale and Kumar (2018), algorithm 2.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.running_max()
    >>> state = tx.init(jnp.float32(0.0))
    >>> for x in [2.0, 5.0, 1.0]:
    ...     c, state = tx.update(jnp.float32(x), state)
    >>> float(c)
    5.0

    ```
    """

    def init_fn(params):
        return RunningMaxState(nu_max=full_like_magnitude(params, 0.0))

    def update_fn(updates, state, params=None, **extra_args):
        nu_max = jax.tree.map(jnp.maximum, state.nu_max, updates)
        return nu_max, RunningMaxState(nu_max)

    return block(init_fn, update_fn)


def _running(accumulate: Callable, initial: Scalar) -> Transformation:
    def init_fn(params):
        return SecondMomentState(nu=full_like_magnitude(params, initial))

    def update_fn(updates, state, params=None, **extra_args):
        nu = jax.tree.map(accumulate, state.nu, updates)
        return nu, SecondMomentState(nu)

    return block(init_fn, update_fn)
