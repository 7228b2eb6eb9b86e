"""The largest eigenvalue of a symmetric matrix, from matrix-vector products (Lanczos)."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Largest(NamedTuple):
    """An estimate of the largest eigenvalue, never above it, and a bound on its error."""

    value: float
    error: float


def largest_eigenvalue(
    product: Callable[[jax.Array], jax.Array], like: jax.Array, iterations: int = 20
) -> Largest:
    """Return the largest (most positive) eigenvalue of a symmetric matrix by Lanczos' method.

    Every new direction is made orthogonal to all earlier ones, twice. Without that, rounding errors
    make eigenvalues appear again that the method has already found.

    **Arguments**

    - `product`: `v -> A v`.
    - `like`: an array of the shape and dtype of v, one-dimensional.
    - `iterations`: the largest number of products; the method needs at most the size of v.

    **Returns** `Largest(value, error)`: an eigenvalue lies within `error` of `value`.

    Source: Golub and Van Loan (2013), section 10.3.

    ```python
    >>> import jax.numpy as jnp
    >>> from lecture_optax.theory.lanczos import largest_eigenvalue
    >>> diagonal = jnp.array([1.0, -9.0, 4.0])
    >>> round(largest_eigenvalue(lambda v: diagonal * v, diagonal).value, 5)
    4.0

    ```
    """
    v = jax.random.normal(jax.random.key(0), like.shape, like.dtype)
    v = v / jnp.linalg.norm(v)
    basis, alphas, betas, scale = [v], [], [], 0.0
    for _ in range(min(iterations, like.size)):
        w = product(basis[-1])
        alphas.append(float(basis[-1] @ w))
        scale = max(scale, float(jnp.linalg.norm(w)))
        for _ in range(2):
            for b in basis:
                w = w - (b @ w) * b
        betas.append(float(jnp.linalg.norm(w)))
        if not betas[-1] > 10 * float(jnp.finfo(like.dtype).eps) * scale:
            break  # no direction is left, or a value is not finite
        basis.append(w / betas[-1])
    off = betas[: len(alphas) - 1]
    if not np.isfinite(alphas + betas).all():
        return Largest(np.nan, np.nan)
    values, vectors = np.linalg.eigh(np.diag(alphas) + np.diag(off, 1) + np.diag(off, -1))
    return Largest(float(values[-1]), abs(betas[-1] * vectors[-1, -1]))
