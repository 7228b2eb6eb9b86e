"""Dtype conversions: at least float32 inside a step, and the promised dtype for its result.

Nothing here promotes implicitly, so that all of it runs under `jax_numpy_dtype_promotion="strict"`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .types import DTypeLike, Scalar


def widen(tree: Any) -> Any:
    """Return every inexact leaf as a strongly typed array of at least float32; counters stay."""

    def widen_leaf(x):
        dtype = dtype_of(x)
        return as_array(x, _wide(dtype)) if jnp.issubdtype(dtype, jnp.inexact) else x

    return jax.tree.map(widen_leaf, tree)


def wider(tree: Any, other: Any) -> Any:
    """Return, per pair of leaves, the precision that holds both."""

    def widest(x, y):
        return jax.ShapeDtypeStruct(jnp.shape(x), _wider(dtype_of(x), dtype_of(y)))

    return jax.tree.map(widest, tree, other)


def cast_like(tree: Any, like: Any) -> Any:
    """Return `tree` in the precision of `like`; a real leaf stays real beside a complex one.

    A tree of another structure (a matrix D, say) is returned unchanged.
    """

    def cast_leaf(x, ref):
        dtype = dtype_of(ref)
        if not jnp.issubdtype(dtype, jnp.inexact):
            return x
        if not jnp.iscomplexobj(x):
            return as_array(x, _real(dtype))
        if jnp.issubdtype(dtype, jnp.complexfloating):
            return as_array(x, dtype)
        raise TypeError(
            f"a complex gradient does not fit a {dtype} accumulator: use a complex dtype, "
            "or leave the accumulator's dtype out."
        )

    if jax.tree.structure(tree) != jax.tree.structure(like):
        return tree
    return jax.tree.map(cast_leaf, tree, like)


def zeros_like(params: Any, dtype: DTypeLike | None = None) -> Any:
    """Return zeros of each leaf's shape and sharding, in `dtype` or at least float32."""
    return jax.tree.map(lambda p: jnp.zeros_like(p, dtype or _wide(dtype_of(p))), params)


def full_like_magnitude(params: Any, value: Scalar) -> Any:
    """Return leaves filled with `value`, at least float32, real also for complex parameters."""
    return jax.tree.map(lambda p: jnp.full_like(p, value, _real(_wide(dtype_of(p)))), params)


def scale(scalar: ArrayLike, tree: Any) -> Any:
    """Multiply every leaf by a scalar, in the leaf's own precision."""
    return jax.tree.map(lambda x: as_array(as_array(scalar, _real(x.dtype)), x.dtype) * x, tree)


def default_float() -> Any:
    """Return the dtype of hyperparameters in a state: float32, or float64 if x64 is enabled."""
    return jnp.result_type(float)


def precision(tree: Any) -> Any:
    """Return the real dtype that holds every inexact leaf, at least float32."""
    found = [_real(_wide(dtype_of(x))) for x in jax.tree.leaves(tree)]
    return max(found, key=lambda dtype: jnp.finfo(dtype).bits, default=jnp.dtype(jnp.float32))


def as_array(x: Any, dtype: Any) -> jax.Array:
    """Return `x` as a strongly typed array of `dtype`; the array itself where it already is one."""
    strong = isinstance(x, jax.Array) and x.dtype == dtype and not x.weak_type
    return x if strong else jax.lax.convert_element_type(x, dtype)


def dtype_of(x: Any) -> Any:
    """Return JAX's dtype: a NumPy float64 or a Python number is float32 unless x64 is on."""
    if isinstance(x, type | np.dtype | str):
        raise TypeError(f"a leaf must be an array, got {x!r}.")
    numpy_or_number = isinstance(x, np.ndarray | np.generic) or not hasattr(x, "dtype")
    return jnp.result_type(x) if numpy_or_number else x.dtype


def _wide(dtype: Any) -> Any:
    return dtype if jnp.finfo(dtype).bits >= 32 else jnp.dtype(jnp.float32)


def _real(dtype: Any) -> Any:
    return jnp.finfo(dtype).dtype


def _wider(a: Any, b: Any) -> Any:
    if a == b:
        return a
    low, high = sorted((_real(a), _real(b)), key=lambda dtype: jnp.finfo(dtype).bits)
    if low != high and jnp.finfo(low).bits == jnp.finfo(high).bits:  # float16 and bfloat16
        high = jnp.dtype(jnp.float32)
    if not any(jnp.issubdtype(dtype, jnp.complexfloating) for dtype in (a, b)):
        return high
    return jnp.dtype(jnp.complex128 if high == jnp.float64 else jnp.complex64)
