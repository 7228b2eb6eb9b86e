"""Adam and its variants: an averaged gradient, over the root of its averaged square."""

from typing import Any

import optax

from .._bias_correction import bias_correction
from .._core import validate
from .._core.chain import chain
from .._core.describe import described, foreign
from .._core.types import DTypeLike, Scalar, Schedule, Transformation
from .._first_moment import first_moment
from .._inverse_root import inverse, inverse_root
from .._learning_rate import scale_by_learning_rate
from .._magnitudes import infinity_moment, running_max, second_moment
from .._nesterov import nesterov_first_moment
from .._precondition import precondition


@described
def adam(
    learning_rate: Scalar | Schedule,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    mu_dtype: DTypeLike | None = None,
    *,
    nesterov: bool = False,
) -> Transformation:
    """Divide an averaged gradient by the root mean square of the gradients.

        m(k) = b1 m(k-1) + (1 - b1) g(k)          v(k) = m(k) / (1 - b1^k)
        c(k) = b2 c(k-1) + (1 - b2) |g(k)|²       D(k) = 1 / (sqrt(c(k) / (1 - b2^k)) + eps)
        θ ← θ - τ D(k) v(k)

    The slide subtracts the gradient in v, which would walk uphill, and puts ε inside the root
    (`eps_root`); what is meant, and meant here, is Kingma and Ba (2015), algorithm 1.

    **When**: you train a network and know little of it: every entry moves by about τ a step,
    whatever the size of its gradient.

    **Elsewhere**: `optax.adam`, torch: `Adam`: the same. torch adds `weight_decay` to the gradient;
    use `adamw`. Keras: `Adam`, which adds ε (1e-7) to the root of c before the correction: as
    ε / sqrt(1 - b2^k) here.

    **Arguments**

    - `learning_rate`: τ. The lecture's first try is 1e-3.
    - `b1`, `b2`: the weights of the past in m and c, in [0, 1).
    - `eps`, `eps_root`: keep D finite, outside and inside the root, >= 0.
    - `mu_dtype`: dtype of m. At least float32 when not given; c always is.
    - `nesterov`: True exchanges the velocity for NAdam's, `nesterov_first_moment`.

    **Raises** `ValueError` or `TypeError` for a concrete hyperparameter out of its range, and
    `TypeError` from `init` for a leaf that has no gradient.

    Source: the lecture, slide "Adam".

    ```python
    >>> import jax, jax.numpy as jnp, optax
    >>> from lecture_optax import adam
    >>> tx, θ = adam(1e-3), {"w": jnp.array([3.0, -4e-6])}
    >>> update, state = tx.update(jax.grad(lambda θ: (θ["w"] ** 2).sum())(θ), tx.init(θ))
    >>> [f"{u:.1e}" for u in update["w"]]  # a first step has the size of τ, whatever the gradient
    ['-1.0e-03', '1.0e-03']
    >>> f'{optax.tree.get(state, "learning_rate"):.0e}'
    '1e-03'
    >>> tx
    chain(
        precondition(
            chain(first_moment(0.9), bias_correction(0.9)),
            by=chain(second_moment(0.999), bias_correction(0.999), inverse_root()),
        ),
        scale_by_learning_rate(0.001),
    )

    ```
    """
    validate.decay(b1=b1, b2=b2)
    return chain(
        precondition(
            _velocity(b1, mu_dtype, nesterov),
            by=chain(second_moment(b2), bias_correction(b2), inverse_root(eps, eps_root)),
        ),
        scale_by_learning_rate(learning_rate),
    )


@described
def adamw(
    learning_rate: Scalar | Schedule,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    mu_dtype: DTypeLike | None = None,
    weight_decay: Scalar | Schedule = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = False,
) -> Transformation:
    """Add decoupled weight decay to Adam.

        θ ← θ - τ (D(k) v(k) + λ θ)

    **When**: weights should stay small, as in most transformers. Exclude biases and the scales of
    normalization layers by `mask`.

    **Elsewhere**: `optax.adamw`: the same. torch: `AdamW`, the same with `weight_decay=1e-2`.
    Keras: `AdamW`, with `weight_decay=4e-3` and the ε of its `Adam`. All multiply λ by τ.

    **Arguments** as for `adam`, and

    - `weight_decay`: λ >= 0, or a schedule of it. It is multiplied by τ.
    - `mask`: a tree of bools, or a function of the parameters that makes one: which leaves shrink.

    **Raises** as `adam`.

    Source: Loshchilov and Hutter (2019), "Decoupled weight decay regularization".

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx, θ = lo.adamw(0.5, weight_decay=0.25), jnp.array([8.0])
    >>> update, _ = tx.update(jnp.zeros(1), tx.init(θ), θ)
    >>> update.tolist()  # no gradient: θ shrinks by τ λ
    [-1.0]

    ```
    """
    validate.decay(b1=b1, b2=b2)
    validate.rate(weight_decay=weight_decay)
    return chain(
        precondition(
            _velocity(b1, mu_dtype, nesterov),
            by=chain(second_moment(b2), bias_correction(b2), inverse_root(eps, eps_root)),
        ),
        foreign(optax.add_decayed_weights, weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@described
def nadam(
    learning_rate: Scalar | Schedule,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    mu_dtype: DTypeLike | None = None,
    *,
    nesterov: bool = True,
) -> Transformation:
    """Give Adam the velocity of Nesterov.

        v(k) = b1 m(k) / (1 - b1^(k+1)) + (1 - b1) g(k) / (1 - b1^k)

    **When**: Adam works, and you want Nesterov's correction at the same cost.

    **Elsewhere**: `optax.nadam`: the same. torch: `NAdam`, and Keras: `Nadam`, also move b1 with k
    (torch: `momentum_decay`), which is another method.

    **Arguments** and **Raises** as for `adam`. Source: Dozat (2016).

    ```python
    >>> import lecture_optax as lo
    >>> lo.describe(lo.nadam(1e-3)).members[0].members[0].name
    'nesterov_first_moment'

    ```
    """
    return adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)


@described
def amsgrad(
    learning_rate: Scalar | Schedule,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    mu_dtype: DTypeLike | None = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> Transformation:
    """Give Adam a preconditioner that never grows.

        D(k) = 1 / (sqrt(max over j <= k of c(j) / (1 - b2^j)) + eps)

    The maximum is taken of the corrected c. The paper corrects neither:
    `bias_correction_mu=False, bias_correction_nu=False`.

    **When**: Adam does not converge because it forgets gradients that are large and rare. It keeps
    one more copy of the parameters.

    **Elsewhere**: `optax.amsgrad`: the same. torch and Keras: `Adam(amsgrad=True)`, which take the
    maximum before the correction.

    **Arguments** as for `adam`, and

    - `bias_correction_mu`, `bias_correction_nu`: whether m and c are corrected for their start.

    **Raises** as `adam`. Source: Reddi, Kale and Kumar (2018).

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.amsgrad(1.0, b1=0.0, b2=0.0, eps=0.0)
    >>> state = tx.init(jnp.float32(0.0))
    >>> for g in [4.0, 1.0]:  # a D of 1/4 stays, though the last gradient is 1
    ...     update, state = tx.update(jnp.float32(g), state)
    >>> float(update)
    -0.25

    ```
    """
    validate.decay(b1=b1, b2=b2)
    mu_correction = [bias_correction(b1)] if bias_correction_mu else []
    nu_correction = [bias_correction(b2)] if bias_correction_nu else []
    return chain(
        precondition(
            chain(first_moment(b1, accumulator_dtype=mu_dtype), *mu_correction),
            by=chain(second_moment(b2), *nu_correction, running_max(), inverse_root(eps, eps_root)),
        ),
        scale_by_learning_rate(learning_rate),
    )


@described
def adamax(
    learning_rate: Scalar | Schedule, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> Transformation:
    """Give Adam the largest recent gradient in place of the root mean square.

        c(k) = max(b2 c(k-1), |g(k)| + eps),    D(k) = 1 / c(k)

    c needs no correction: its first value is exact.

    **When**: gradients are sparse or have outliers, as those of embeddings: no step is larger than
    about τ.

    **Elsewhere**: `optax.adamax`: the same. torch: `Adamax`, with ε in the same place. Keras:
    `Adamax`, which adds ε = 1e-7 after the maximum.

    **Arguments** and **Raises** as for `adam`. Source: Kingma and Ba (2015), algorithm 2.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.adamax(0.5, b1=0.0, eps=0.0)
    >>> update, _ = tx.update(jnp.array([1e-20, -3.0]), tx.init(jnp.zeros(2)))
    >>> update.tolist()
    [-0.5, 0.5]

    ```
    """
    validate.decay(b1=b1, b2=b2)
    return chain(
        precondition(
            chain(first_moment(b1), bias_correction(b1)),
            by=chain(infinity_moment(b2, eps=eps), inverse()),
        ),
        scale_by_learning_rate(learning_rate),
    )


def _velocity(b1: Scalar, mu_dtype: DTypeLike | None, nesterov: bool) -> Transformation:
    if nesterov:
        return nesterov_first_moment(b1, accumulator_dtype=mu_dtype)
    return chain(first_moment(b1, accumulator_dtype=mu_dtype), bias_correction(b1))
