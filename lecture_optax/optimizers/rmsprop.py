"""RMSProp: AdaGrad with an average of squared gradients in place of their sum."""

import optax

from .._bias_correction import bias_correction as corrected
from .._core import validate
from .._core.chain import chain
from .._core.describe import described, foreign
from .._core.types import Scalar, Schedule, Transformation
from .._inverse_root import inverse_root
from .._learning_rate import scale_by_learning_rate
from .._magnitudes import second_moment
from .._nesterov import nesterov_trace
from .._precondition import precondition
from .._trace import trace
from .._variance import variance


@described
def rmsprop(
    learning_rate: Scalar | Schedule,
    decay: Scalar = 0.9,
    eps: Scalar = 1e-8,
    initial_scale: Scalar = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Scalar | Schedule | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> Transformation:
    """Divide each entry by the root of the recent mean of its squares.

        c(k+1) = β c(k) + (1 - β) |g(k)|²,    D(k+1) = (c(k+1) + ε)^(-1/2)
        θ(k+1) = θ(k) - τ(k) D(k+1) g(k)

    With a momentum the velocity comes last, τ inside it, as the slide has it:
    v(k+1) = μ v(k) - τ(k) D(k+1) g(k).

    **When**: the size of the gradients changes during training, as in recurrent networks and in
    reinforcement learning.

    **Elsewhere**: `optax.rmsprop`: the same. Keras: `RMSprop`, also with ε (1e-7) inside the root
    and τ inside the velocity. torch: `RMSprop`, with ε outside the root, τ outside the velocity,
    and 0.99 for `decay`, which is its `alpha`.

    **Arguments**

    - `learning_rate`: τ.
    - `decay`: β, in [0, 1).
    - `eps`: ε >= 0, inside the root, or outside with `eps_in_sqrt=False`.
    - `initial_scale`: c(0) >= 0.
    - `centered`: subtract |average of g|², so that c is a variance.
    - `momentum`: μ in [0, 1), or a schedule of it. None: no velocity is kept.
    - `nesterov`: look ahead. Needs a momentum.
    - `bias_correction`: divide the averages by 1 - β^k.

    **Raises** `ValueError` for `nesterov=True` without a momentum; otherwise as all optimizers
    here.

    Source: the lecture, slide "RMSProp"; Tieleman and Hinton (2012), lecture 6.5.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.rmsprop(1.0, decay=0.75, eps=0.0)
    >>> update, _ = tx.update(jnp.array([5.0, -0.1]), tx.init(jnp.zeros(2)))
    >>> update.tolist()  # the first step: -τ/√(1 - β), whatever the gradient
    [-2.0, 2.0]

    ```
    """
    if nesterov and momentum is None:
        raise ValueError("nesterov=True needs a momentum, got None: try momentum=0.9.")
    validate.decay(decay=decay)
    validate.non_negative(eps=eps, initial_scale=initial_scale)
    root = inverse_root(0.0, eps) if eps_in_sqrt else inverse_root(eps, 0.0)
    if centered:
        magnitude = [variance(decay, initial=initial_scale, bias_correction=bias_correction)]
    else:
        correction = [corrected(decay)] if bias_correction else []
        magnitude = [second_moment(decay, initial=initial_scale), *correction]
    scaled = [
        precondition(foreign(optax.identity), by=chain(*magnitude, root)),
        scale_by_learning_rate(learning_rate),
    ]
    if momentum is None:
        return chain(*scaled)
    validate.decay_or_schedule(momentum=momentum)
    velocity = nesterov_trace if nesterov else trace
    return chain(*scaled, velocity(momentum))
