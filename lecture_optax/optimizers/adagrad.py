"""AdaGrad: the gradient, divided by the root of the sum of all squared gradients."""

import optax

from .._core import validate
from .._core.chain import chain
from .._core.describe import described, foreign
from .._core.types import Scalar, Schedule, Transformation
from .._inverse_root import inverse_root
from .._learning_rate import scale_by_learning_rate
from .._magnitudes import sum_of_squares
from .._precondition import precondition


@described
def adagrad(
    learning_rate: Scalar | Schedule, initial_accumulator_value: Scalar = 0.1, eps: Scalar = 1e-7
) -> Transformation:
    """Divide each entry by the root of the sum of all its squares.

        c(k+1) = c(k) + |g(k)|²,    D(k+1) = (c(k+1) + ε)^(-1/2)
        θ(k+1) = θ(k) - τ(k) D(k+1) g(k)

    ε stands inside the root, as on the slide. Where a gradient has always been 0 and
    c(0) = ε = 0, D is 0.

    **When**: features are sparse: a rare one still gets large steps. All steps decrease like 1/√k,
    so a long run slows down.

    **Elsewhere**: `optax.adagrad` and Keras: `Adagrad`: the same. torch: `Adagrad`, with ε (1e-10)
    outside the root, c(0) = 0, and a decay of τ (`lr_decay`).

    **Arguments**

    - `learning_rate`: τ.
    - `initial_accumulator_value`: c(0) >= 0.
    - `eps`: ε >= 0.

    **Raises** as all optimizers here.

    Source: the lecture, slide "AdaGrad"; Duchi, Hazan and Singer (2011).

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.adagrad(1.0, initial_accumulator_value=0.0, eps=0.0)
    >>> state = tx.init(jnp.float32(0.0))
    >>> for _ in range(4):
    ...     update, state = tx.update(jnp.float32(7.0), state)
    >>> float(update)  # of a constant gradient: -τ/√k
    -0.5

    ```
    """
    validate.non_negative(initial_accumulator_value=initial_accumulator_value, eps=eps)
    return chain(
        precondition(
            foreign(optax.identity),
            by=chain(
                sum_of_squares(initial=initial_accumulator_value),
                inverse_root(eps=0.0, eps_root=eps),
            ),
        ),
        scale_by_learning_rate(learning_rate),
    )
