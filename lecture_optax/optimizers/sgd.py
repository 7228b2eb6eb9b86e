"""SGD: plain, with momentum, or with Nesterov's look-ahead. It has no D."""

from .._core import validate
from .._core.chain import chain
from .._core.describe import described
from .._core.types import DTypeLike, Scalar, Schedule, Transformation
from .._learning_rate import scale_by_learning_rate
from .._nesterov import nesterov_trace
from .._trace import trace


@described
def sgd(
    learning_rate: Scalar | Schedule,
    momentum: Scalar | Schedule | None = None,
    nesterov: bool = False,
    accumulator_dtype: DTypeLike | None = None,
) -> Transformation:
    """Descend the gradient, with Polyak's or Nesterov's momentum.

        plain       θ(k+1) = θ(k) - τ(k) g(k)
        momentum    v(k+1) = μ v(k) + g(k),    θ(k+1) = θ(k) - τ(k) v(k+1)
        nesterov    v(k+1) = μ v(k) + g(k),    θ(k+1) = θ(k) - τ(k) (g(k) + μ v(k+1))

    The slide keeps τ inside v. For a constant τ that is the same; with a schedule it is another
    method, one line in blocks: `chain(scale_by_learning_rate(τ), nesterov_trace(μ))` (see `trace`).

    **When**: you can tune the learning rate, or memory is short: it keeps one copy of the
    parameters, or none without a momentum. Momentum helps where curvatures differ; `nesterov=True`
    damps its oscillations.

    **Elsewhere**: `optax.sgd`: the same. torch: `SGD`, the same with `dampening=0`, its default;
    its weight decay is `optax.add_decayed_weights` in front. Keras: `SGD`, with τ inside v, as on
    the slide.

    **Arguments**

    - `learning_rate`: τ.
    - `momentum`: μ in [0, 1), or a schedule of it: Nesterov's memory then uses μ(k-1). None: no
      velocity is kept.
    - `nesterov`: look ahead. Needs a momentum.
    - `accumulator_dtype`: dtype of v. At least float32 when not given.

    **Raises** `ValueError` for `nesterov=True` without a momentum, which would do nothing;
    otherwise as all optimizers here.

    Source: the lecture, slides "SGD", "Momentum", "Nesterov"; Polyak (1964); Nesterov (1983).

    ```python
    >>> import jax, jax.numpy as jnp, optax
    >>> from lecture_optax import sgd
    >>> tx, θ = sgd(0.1, momentum=0.9, nesterov=True), jnp.array([3.0, -4.0])
    >>> tx
    chain(nesterov_trace(0.9), scale_by_learning_rate(0.1))
    >>> state = tx.init(θ)
    >>> for _ in range(100):
    ...     update, state = tx.update(jax.grad(lambda x: x @ x)(θ), state)
    ...     θ = optax.apply_updates(θ, update)
    >>> bool(abs(θ).max() < 1e-3)
    True

    ```
    """
    if momentum is None:
        if nesterov:
            raise ValueError("nesterov=True needs a momentum, got None: try momentum=0.9.")
        return chain(scale_by_learning_rate(learning_rate))
    validate.decay_or_schedule(momentum=momentum)
    velocity = nesterov_trace if nesterov else trace
    return chain(
        velocity(momentum, accumulator_dtype=accumulator_dtype),
        scale_by_learning_rate(learning_rate),
    )
