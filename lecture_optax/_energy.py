"""The mean loss over the examples that are present."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ._core import validate
from ._core.dtypes import as_array, dtype_of, widen
from ._core.numerics import where_positive


def energy(per_example_loss: Callable[..., jax.Array]) -> Callable[..., Any]:
    """Divide a loss by its number of examples: E and its minibatches E_k are then equal in scale.

        E(θ) = Σ w_i ℓ_i(θ) / Σ w_i,    i over the examples that are present

    On its first slide the lecture sums, on its last it divides by N, and E_k by |I(k)|. With a sum
    the gradient, and with it the best rate of SGD, depends on the batch: summed over |I| examples
    it is a mean at |I| times the rate, and a short last batch is trained at a smaller one. Adam
    hardly notices, clipping and coupled weight decay do.

    **Arguments**

    - `per_example_loss`: `(params, batch, *args) -> losses`, one for every example: an array whose
      first axis (or more, as for the tokens of sentences) counts the examples.

    **Returns** `E(params, batch, *args, weights=None, mask=None, axis_name=None,
    return_parts=False)`, a scalar of at least float32, with

    - `weights`: w_i >= 0, of the shape of the losses or of their leading axes. 1 when not given.
    - `mask`: which examples are present, likewise. What is absent, or has weight 0, counts nothing,
      whatever its loss is; where derivatives are taken, pad with rows on which the loss is finite
      (0 times a derivative that is NaN is NaN).
    - `axis_name`: add both sums over this axis (devices, or a `vmap`) before they are divided.
      Under `jax.shard_map` with replicated parameters the gradient is then the whole one; under
      `pmap` and `vmap` take its `pmean`.
    - `return_parts`: True returns `(Σ w ℓ, Σ w)`. Add those, and their gradients, over
      micro-batches of unequal size and divide once: that is the whole batch, which a mean of means
      is not.

    If no example is present E is 0, and its gradient too.

    **Raises** `ValueError` if the losses are a scalar (a mean has been taken already), or weights
    or mask have another shape.

    Source: the lecture, slides "SGD" and "The recipe".

    ```python
    >>> import jax, jax.numpy as jnp, lecture_optax as lo
    >>> E = lo.energy(lambda θ, x: (θ - x) ** 2 / 2)
    >>> x = jnp.array([1.0, 2.0, 6.0])
    >>> float(jax.grad(E)(0.0, x)), float(jax.grad(E)(0.0, jnp.tile(x, 4)))  # no rate to retune
    (-3.0, -3.0)
    >>> float(jax.grad(E)(0.0, x, mask=jnp.array([True, True, False])))  # a short last batch
    -1.5
    >>> parts = [E(0.0, part, return_parts=True) for part in (x[:2], x[2:])]
    >>> (sum_, weight) = jax.tree.map(lambda *p: sum(p), *parts)
    >>> float(sum_ / weight) == float(E(0.0, x))
    True

    ```
    """

    validate.function(takes=2, or_more=True, per_example_loss=per_example_loss)

    def normalised(params: Any, batch: Any, *args: Any, **options: Any) -> Any:
        # no keyword-only defaults here: nnx.value_and_grad refuses such a signature
        try:
            losses = per_example_loss(params, batch, *args)
        except TypeError:
            validate.function(takes=2 + len(args), per_example_loss=per_example_loss)
            raise
        return _mean_over_the_present(losses, **options)

    return normalised


def _mean_over_the_present(
    losses: jax.Array,
    *,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    axis_name: Any = None,
    return_parts: bool = False,
) -> Any:
    if not isinstance(losses, jax.Array | np.ndarray):
        raise TypeError(
            f"per_example_loss must return an array, one loss per example, got {losses!r}."
        )
    validate.switch(return_parts=return_parts)
    losses = widen(losses)
    if jnp.ndim(losses) == 0:
        raise ValueError(
            "per_example_loss must return one loss per example, got a scalar: return the losses "
            "before their mean or sum is taken."
        )
    w = _weights(losses, weights, mask)
    present = w > 0
    parts = jnp.sum(jnp.where(present, w * jnp.where(present, losses, 0), 0)), jnp.sum(w)
    if axis_name is not None:
        parts = jax.lax.psum(parts, axis_name)
    total, weight = parts
    return parts if return_parts else where_positive(lambda n: total / n, weight, 0)


def _weights(losses: jax.Array, weights: ArrayLike | None, mask: ArrayLike | None) -> jax.Array:
    """Return weights of the losses' shape and precision, 0 where an example is absent."""
    w = jnp.ones_like(losses)
    if weights is not None:
        w = w * as_array(_over("weights", weights, losses), losses.dtype)
    if mask is not None:
        w = jnp.where(as_array(_over("mask", mask, losses), bool), w, 0)
    return w


def _over(name: str, given: ArrayLike, losses: jax.Array) -> jax.Array:
    """Spread `given`, which has the leading axes of the losses, over the other axes."""
    array = jnp.asarray(given, dtype_of(given))
    if array.shape != losses.shape[: array.ndim] or array.ndim == 0:
        raise ValueError(
            f"{name} must have the shape of the losses, {losses.shape}, or of their leading axes, "
            f"got {array.shape}.{' For lo.fit they are sample_weight.' * (name == 'weights')}"
        )
    return array.reshape(array.shape + (1,) * (losses.ndim - array.ndim))
