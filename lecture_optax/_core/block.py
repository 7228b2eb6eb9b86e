"""The contract of every transformation: checked leaves, and dtypes that do not change.

A block's own `update_fn` is the equation and nothing else. `block` adds the contract:

* `init` refuses, by path, a leaf that has no gradient; `update` refuses, by path, a gradient that
  is missing;
* the equation runs in at least float32, whatever the gradient, state and parameters are stored in;
* the update has the wider precision of its gradient and its parameter, so that a float32
  parameter is not moved in bfloat16 steps; the state keeps the precision of `init`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from .describe import DescribedTransformation
from .dtypes import cast_like, dtype_of, widen, wider
from .types import Transformation


def block(init_fn: Callable, update_fn: Callable) -> Transformation:
    """Build a transformation that keeps the contract of this library.

    **Arguments**

    - `init_fn`: `params -> state`, of fresh arrays (`jnp.zeros_like` keeps a parameter's sharding).
    - `update_fn`: `(updates, state, params=None, **extra_args) -> (updates, state)`, the equation.
      What it is given is in at least float32, so it casts nothing; what it does not need of
      `extra_args` it ignores.

    **Raises** (the transformation, when used) `TypeError` for a leaf that has no gradient, by path,
    and `ValueError` for a parameter whose gradient is None, by path.

    A researcher's new block, whole: the gradient, centred.

    ```python
    >>> import jax, jax.numpy as jnp, lecture_optax as lo, optax
    >>> @lo.described
    ... def centre():
    ...     def init_fn(params):
    ...         return optax.EmptyState()
    ...     def update_fn(updates, state, params=None, **extra_args):
    ...         return jax.tree.map(lambda g: g - g.mean(), updates), state
    ...     return lo.block(init_fn, update_fn)
    >>> tx = lo.chain(centre(), lo.scale_by_learning_rate(1.0))
    >>> update, _ = tx.update(jnp.array([1.0, 3.0]), tx.init(jnp.zeros(2)))
    >>> update.tolist()
    [1.0, -1.0]

    ```
    """

    def checked_init(params):
        refuse_leaves_without_gradient(params)
        return init_fn(params)

    def checked_update(updates, state, params=None, **extra_args):
        wide = widen(updates), widen(state), widen(params)
        try:
            new_updates, new_state = update_fn(*wide, **extra_args)
        except MissingGradientError:  # a member's, and already in words
            raise
        except (ValueError, TypeError, AttributeError) as error:
            refuse_missing_gradients(updates, params, because=error)
            raise
        refuse_missing_gradients(updates, params)
        like = updates if params is None else wider(updates, params)
        return cast_like(new_updates, like), cast_like(new_state, state)

    checked_update.__qualname__ = getattr(update_fn, "__qualname__", checked_update.__qualname__)
    checked_update.__module__ = getattr(update_fn, "__module__", checked_update.__module__)
    return DescribedTransformation(checked_init, checked_update)


class MissingGradientError(ValueError):
    """A parameter has no gradient."""


def refuse_leaves_without_gradient(params: Any) -> None:
    """Raise a `TypeError` that names the leaves that are neither floating-point nor complex."""
    bad = [
        f"{jax.tree_util.keystr(path)} ({dtype_of(leaf)})"
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        if not jnp.issubdtype(dtype_of(leaf), jnp.inexact)
    ]
    if bad:
        raise TypeError(
            f"only floating-point and complex leaves have gradients, got {', '.join(bad)}. "
            "Leave such leaves out of the tree, or hide them with optax.masked."
        )


def refuse_missing_gradients(updates: Any, params: Any, because: Exception | None = None) -> None:
    """Raise a `MissingGradientError` that names the missing gradients of parameters.

    Without `params`, a None cannot be told from a parameter that is None too; then it is refused
    only once the equation has failed on it (`because`).
    """
    missing = _paths_of_none(updates) - {""}  # a tree that is None as a whole has no parameters
    if not missing or (params is None and because is None):
        return
    if bad := sorted(missing - _paths_of_none(params)) if params is not None else sorted(missing):
        raise MissingGradientError(
            f"a gradient is None where the parameter is not: {', '.join(bad)}. Give every "
            "parameter a gradient (zeros do), or hide those leaves with optax.masked."
        ) from because


def _paths_of_none(tree: Any) -> set[str]:
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: x is None)
    return {jax.tree_util.keystr(path) for path, leaf in leaves if leaf is None}
