"""The diagonal of D from a magnitude c: 1/sqrt(c) or 1/c, with ε."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ._core import validate
from ._core.block import block
from ._core.describe import described
from ._core.numerics import reciprocal, where_positive
from ._core.types import Scalar, Transformation


@described
def inverse_root(eps: Scalar = 1e-8, eps_root: Scalar = 0.0) -> Transformation:
    """Take the inverse square root of a magnitude, entry by entry.

        d = 1 / (sqrt(c + eps_root) + eps),    and d = 0 where the denominator is 0

    The slide puts ε inside the root, d = (c + ε)^(-1/2), and AdaGrad and RMSProp mean it: that is
    `eps_root`. Adam's paper and every implementation put it outside: that is `eps`. Inside, 1e-8
    acts like 1e-4 outside: a gradient of 1e-5 makes a first step of 0.0995 τ instead of 0.999 τ.

    **Arguments**

    - `eps`, `eps_root`: ε outside and inside the root, >= 0. Numbers, arrays or tracers.

    **Raises** `ValueError` or `TypeError` if one is concrete and not a finite number >= 0.

    Source: the lecture, slides "AdaGrad" and "Adam"; Kingma and Ba (2015), algorithm 1.

    ```python
    >>> import jax.numpy as jnp
    >>> from lecture_optax import inverse_root
    >>> tx = inverse_root(eps=0.0)
    >>> d, _ = tx.update(jnp.array([4.0, 0.0]), tx.init(jnp.zeros(2)))
    >>> d.tolist()
    [0.5, 0.0]

    ```
    """
    validate.non_negative(eps=eps, eps_root=eps_root)
    return _stateless(lambda magnitude: diagonal(magnitude, eps, eps_root))


def diagonal(magnitude: Any, eps: Scalar, eps_root: Scalar) -> Any:
    """Return 1 / (sqrt(c + eps_root) + eps) for every c of a tree, and 0 where that is 1/0."""
    at_zero = reciprocal(eps)  # once: no leaf watches for 0 at the root and at the quotient
    return jax.tree.map(
        lambda c: where_positive(lambda x: 1 / (jnp.sqrt(x) + eps), c + eps_root, at_zero),
        magnitude,
    )


@described
def inverse() -> Transformation:
    """Take the inverse of a magnitude, entry by entry: d = 1/c, and 0 where c is 0 (AdaMax).

    ```python
    >>> import jax.numpy as jnp
    >>> from lecture_optax import inverse
    >>> d, _ = inverse().update(jnp.array([4.0, 0.0]), inverse().init(jnp.zeros(2)))
    >>> d.tolist()
    [0.25, 0.0]

    ```
    """
    return _stateless(lambda magnitude: jax.tree.map(reciprocal, magnitude))


def _stateless(rule: Callable) -> Transformation:
    def init_fn(params):
        return optax.EmptyState()

    def update_fn(updates, state, params=None, **extra_args):
        return rule(updates), state

    return block(init_fn, update_fn)
