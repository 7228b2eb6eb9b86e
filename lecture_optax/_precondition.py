"""The product of a preconditioner and a velocity, D times v."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._core.block import block
from ._core.describe import described
from ._core.entries import entries, leaf_of
from ._core.types import Transformation


class PreconditionState(NamedTuple):
    """The states of the two chains."""

    velocity: optax.OptState
    by: optax.OptState


@described
def precondition(
    velocity: optax.GradientTransformation,
    *,
    by: optax.GradientTransformation,
    apply: Callable[[Any, Any], Any] | None = None,
) -> Transformation:
    """Feed one gradient to a velocity and to a preconditioner, and return D(k+1) v(k+1).

        v(k+1) = velocity(g(k)),    D(k+1) = by(g(k)),    update = D(k+1) v(k+1)

    **Arguments**

    - `velocity`: maps the gradient to v.
    - `by`: maps the gradient to D, a tree of any structure that `apply` understands.
    - `apply`: `(D, v) -> D v`, on the whole trees. When not given, leaf by leaf: the entrywise
      product of a D of the leaf's shape (a diagonal), the matrix product with a square D over the
      leaf's entries (as `full_matrix` makes it).

    **Raises** `ValueError` for a D whose leaf fits neither, naming both shapes.

    Source: the lecture, slide "The general update", θ ← θ - τ D v.

    RMSProp is the shortest example: plain gradients, divided by the root of their second moment.

    ```python
    >>> import jax.numpy as jnp, optax
    >>> from lecture_optax import chain, inverse_root, precondition, second_moment
    >>> tx = precondition(optax.identity(), by=chain(second_moment(0.9), inverse_root()))
    >>> update, _ = tx.update(jnp.array([1e-3, 1e3]), tx.init(jnp.zeros(2)))
    >>> [f"{u:.2f}" for u in update]  # six decades apart, one size
    ['3.16', '3.16']

    ```
    """
    velocity = optax.with_extra_args_support(velocity)
    by = optax.with_extra_args_support(by)
    multiply = apply if apply is not None else leafwise_product

    def init_fn(params):
        return PreconditionState(velocity.init(params), by.init(params))

    def update_fn(updates, state, params=None, **extra_args):
        v, velocity_state = velocity.update(updates, state.velocity, params, **extra_args)
        d, by_state = by.update(updates, state.by, params, **extra_args)
        product = multiply(d, v)
        if jax.tree.structure(product) != jax.tree.structure(v):
            raise TypeError(f"apply must return D v, a tree like v, got {product!r} for {v!r}.")
        return product, PreconditionState(velocity_state, by_state)

    return block(init_fn, update_fn)


def leafwise_product(d: Any, v: Any) -> Any:
    """Return D v leaf by leaf: a diagonal times its leaf, or a matrix times the leaf's entries."""
    return jax.tree.map(_product, d, v)


def _product(d: jax.Array, v: jax.Array) -> jax.Array:
    if d.shape == v.shape:
        return d * v
    if d.shape == (v.size, v.size):
        return leaf_of(jnp.matmul(d, entries(v), precision="highest"), v)
    raise ValueError(
        f"a D of shape {d.shape} does not act on a velocity of shape {v.shape}: by must give "
        f"{v.shape} (a diagonal) or {(v.size, v.size)} (a matrix), or pass apply=."
    )
