"""In which dtype does the model compute? Parameters, optimizer and loss stay as they are."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from .._core.dtypes import as_array, dtype_of, widen
from ._cached import cached


def computing_in(forward: Callable[..., Any], dtype: Any) -> Callable[..., Any]:
    """`forward` with its parameters and its inputs in `dtype`, or as it is for None.

    What is differentiated are the wide parameters, through the cast: so are their gradients. The
    prediction leaves in at least float32, the model state in the dtype that it came in.

    **Raises** `TypeError` for what is no real floating dtype, `ValueError` for one that is not to
    be had.

    Source: Micikevicius et al. (2018), "Mixed precision training", without a scale of the loss:
    bfloat16 has the range of float32 and needs none.
    """
    return forward if dtype is None else _narrowed(forward, _floating(dtype))


@cached
def _narrowed(forward: Callable[..., Any], dtype: Any) -> Callable[..., Any]:
    def narrow(tree):
        return jax.tree.map(lambda x: as_array(x, dtype) if _is_real(x) else x, tree)

    def narrowed(params, model_state, x, key, train):
        prediction, new_state = forward(narrow(params), model_state, narrow(x), key, train)
        return widen(prediction), jax.tree.map(_as_it_was, new_state, model_state)

    return narrowed


def _floating(dtype: Any) -> Any:
    try:
        found = jnp.dtype(dtype)
    except TypeError:
        found = None
    if found is None or not jnp.issubdtype(found, jnp.floating):
        raise TypeError(
            f"dtype must be a real floating dtype in which the model computes, got {dtype!r}: "
            "jnp.bfloat16 halves memory and traffic; None leaves the model as it is."
        )
    if jax.dtypes.canonicalize_dtype(found) != found:
        raise ValueError(
            f"dtype={found.name} needs 64 bits: jax.config.update('jax_enable_x64', True) first."
        )
    return found


def _as_it_was(new: Any, old: Any) -> Any:
    return as_array(new, dtype_of(old)) if _is_real(old) else new


def _is_real(x: Any) -> bool:
    return jnp.issubdtype(dtype_of(x), jnp.floating)
