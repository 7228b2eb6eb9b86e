"""The contract of every transformation: checked leaves, and dtypes that do not change.

A block's own `update_fn` is the equation and nothing else. `block` adds the contract:

* `init` refuses, by path, a leaf that has no gradient; `update` refuses, by path, a gradient that
  is missing;
* the equation runs in at least float32, whatever the gradient, state and parameters are stored in;
* the update has the wider precision of its gradient and its parameter, so that a float32
  parameter is not moved in bfloat16 steps; the state keeps the precision of `init`.
"""

import inspect
import reprlib
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from . import validate
from .describe import DescribedTransformation
from .dtypes import cast_like, dtype_of, widen, wider
from .types import Transformation
from .validate import Refusal, in_words


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

    validate.function(takes=1, init_fn=init_fn)
    validate.function(takes=2, update_fn=update_fn)

    def checked_init(params):
        refuse_leaves_without_gradient(params)
        return init_fn(params)

    def checked_update(updates, state, params=None, **extra_args):
        try:
            wide = widen(updates), widen(state), widen(params)
            found = update_fn(*wide, **extra_args)
            if not isinstance(found, tuple) or len(found) != 2:
                raise LeafError(f"update_fn must return (updates, state), got {found!r}.")
            new_updates, new_state = found
            like = updates if params is None else wider(updates, params)
            _refuse_other_shapes(new_state, state)
            return cast_like(new_updates, like), cast_like(new_state, state)
        except Refusal:  # a member's, and already in words
            raise
        except Exception as error:
            if extra_args and (words := _refused_extra_args(update_fn, extra_args)):
                raise LeafError(words) from error
            refuse_missing_gradients(updates, params, because=error)
            _refuse_other_trees(init_fn, updates, state, params, because=error)
            raise

    checked_update.__qualname__ = getattr(update_fn, "__qualname__", checked_update.__qualname__)
    checked_update.__module__ = getattr(update_fn, "__module__", checked_update.__module__)
    return DescribedTransformation(checked_init, checked_update)


def _refused_extra_args(update_fn: Callable, names: Iterable[str]) -> str | None:
    """Return why an equation cannot be given what others in its chain need, as the loss."""
    try:
        inspect.signature(update_fn).bind(None, None, None, **dict.fromkeys(names))
    except TypeError:
        return (
            "update_fn must be a function of (updates, state, params=None, **extra_args), got "
            f"{update_fn!r} of {inspect.signature(update_fn)}, which is given {in_words([*names])}."
        )
    except ValueError:  # a builtin without a signature
        pass
    return None


class MissingGradientError(Refusal, ValueError):
    """A parameter has no gradient."""


class OtherTreeError(Refusal, ValueError):
    """The gradient, the state or the parameters are of another tree."""


class LeafError(Refusal, TypeError):
    """A leaf has no gradient, or there is no tree of leaves."""


def refuse_leaves_without_gradient(params: Any, name: str = "params") -> None:
    """Raise a `TypeError` that names the leaves that are neither floating-point nor complex."""
    if bad := _without_gradient(params):
        raise LeafError(
            f"only floating-point and complex leaves have gradients, got {', '.join(bad)} in "
            f"{name}. Leave such leaves out of the tree, or hide them with optax.masked."
        )


def _without_gradient(tree: Any) -> list[str]:
    kinds = [
        (jax.tree_util.keystr(path) or "the tree itself", _kind(leaf))
        for path, leaf in _leaves_of(tree)
    ]
    return [f"{path} ({kind})" for path, (has_gradient, kind) in kinds if not has_gradient]


def _kind(leaf: Any) -> tuple[bool, str]:
    """Return whether a leaf has a gradient, and its dtype, or its value where it has none."""
    try:
        dtype = dtype_of(leaf)
        return jnp.issubdtype(dtype, jnp.inexact), str(dtype)
    except Exception:  # whatever JAX says of an object that is no number
        return False, reprlib.repr(leaf)


def _is_number(leaf: Any) -> bool:
    try:
        return dtype_of(leaf) is not None
    except Exception:  # whatever JAX says of an object that is no number
        return False


def _refuse_other_shapes(new_state: Any, state: Any) -> None:
    """Refuse a step that would change the shapes of the state."""
    if [*map(jnp.shape, jax.tree.leaves(new_state))] != [*map(jnp.shape, jax.tree.leaves(state))]:
        raise OtherTreeError(
            "updates must have the shapes of the parameters that the state was made for, got "
            f"a step that turns the shapes {_shapes(state)} of the state into {_shapes(new_state)}."
        )


def _shapes(tree: Any) -> str:
    return reprlib.repr([*map(jnp.shape, jax.tree.leaves(tree))])


def _refuse_other_trees(
    init_fn: Callable, updates: Any, state: Any, params: Any, because: Exception
) -> None:
    """Refuse what an equation has failed on: the gradient, the parameters or the state."""
    if strange := [x for _, x in _leaves_of(state) if not _is_number(x)]:
        raise OtherTreeError(
            "state must be a tree of arrays, as init_fn returns it, got "
            f"{reprlib.repr(strange[0])}."
        ) from because
    refuse_leaves_without_gradient(updates, "updates, the gradient")
    refuse_leaves_without_gradient(params)
    ours = _avals(updates)
    if params is not None and ours != (theirs := _avals(params)):
        raise OtherTreeError(
            f"updates, the gradient, must be a tree like params, got {_words(ours)} for "
            f"{_words(theirs)}: pass tx.update(gradient, state, params)."
        ) from because
    refuse_other_state(init_fn, state, updates if params is None else params, because)


def refuse_other_state(
    init_fn: Callable, state: Any, params: Any, because: Exception | None = None
) -> None:
    """Refuse a state of another structure or other shapes than `init` returns."""
    try:
        expected = _avals(jax.eval_shape(init_fn, params))
    except Exception:  # it is not the state that is wrong
        return
    if expected != (given := _avals(state)):
        raise OtherTreeError(
            f"state must be what init returned for these parameters, got {_words(given)} for "
            f"{_words(expected)}: pass the state of the last step, or tx.init(params)."
        ) from because


def _avals(tree: Any) -> tuple[Any, list[Any]]:
    """Return the structure of a tree and the shapes of its leaves; an object has none."""
    return jax.tree.structure(tree), [getattr(x, "shape", ()) for x in jax.tree.leaves(tree)]


def _words(avals: tuple[Any, list[Any]]) -> str:
    structure, shapes = avals
    tree = textwrap.shorten(str(structure).removeprefix("PyTreeDef"), 80, placeholder=" …")
    return f"{tree} of shapes {reprlib.repr(shapes)}"


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
    leaves = _leaves_of(tree, is_leaf=lambda x: x is None)
    return {jax.tree_util.keystr(path) for path, leaf in leaves if leaf is None}


def _leaves_of(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[tuple[Any, Any]]:
    try:
        return jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_leaf)
    except ValueError as error:  # dictionary keys that cannot be sorted
        raise LeafError(
            f"params, updates and state must be trees of arrays, got {reprlib.repr(tree)}: {error}"
        ) from error
