"""Arithmetic near zero: 1 - β^k, roots, reciprocals, |g|, |g|², their slopes, rounding errors."""

import math
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from .dtypes import default_float, scale
from .types import Scalar
from .validate import Refusal

_LOG_OF_ZERO = math.log(sys.float_info.min)  # finite, so that the power 0 makes 0 of it


def abs_squared(x: jax.Array) -> jax.Array:
    """Return |x|², with derivative 0 at a complex 0 (that of abs(x)**2 is NaN)."""
    return (x.conj() * x).real if jnp.iscomplexobj(x) else x * x


def magnitude(x: jax.Array) -> jax.Array:
    """Return |x|, with derivative 0 at 0, also where x is complex."""
    if not jnp.iscomplexobj(x):
        return jnp.abs(x)
    zero = x == 0
    return jnp.where(zero, 0, jnp.abs(jnp.where(zero, 1, x)))


def sqrt(x: jax.Array) -> jax.Array:
    """Return the root of x >= 0, with slope 0 at 0: an infinite slope times 0 is NaN."""
    return where_positive(jnp.sqrt, x, 0)


def reciprocal(x: ArrayLike) -> jax.Array:
    """Return 1/x for x > 0, and 0 at 0, like a pseudo-inverse."""
    return where_positive(lambda x: 1 / x, jnp.asarray(x), 0)


def where_positive(f: Callable, x: jax.Array, at_zero: ArrayLike) -> jax.Array:
    """Return f(x) for x > 0, and a constant with slope 0 at x = 0."""
    positive = x > 0
    return jnp.where(positive, f(jnp.where(positive, x, 1)), at_zero)


def without_overflow(number: Any) -> Any:
    """Return a concrete integer as a float where int32 cannot hold it, and all else unchanged.

    JAX refuses such a Python integer, and wraps such a NumPy one without a word.
    """
    is_scalar = isinstance(number, np.ndarray | np.generic) and number.ndim == 0
    is_integer = isinstance(number, int) or (is_scalar and number.dtype.kind in "iu")
    if not is_integer or -(2**31) <= int(number) < 2**31 or abs(int(number)) > sys.float_info.max:
        return number
    return float(number)


def decayed(decay: ArrayLike, x: jax.Array) -> jax.Array:
    """Return decay · x, precise for a Python number near 1: float32 rounds 0.999 up by 1.3e-8.

    In a memory of 1,000 steps that is 1.3e-5 of an average, whose weights then add up to more than
    1. As x - 0.001 x it is 5e-8. An array is a float32 already, and 1 - decay is exact.
    """
    if isinstance(decay, float) and decay >= 0.5:
        return x - (1 - float(decay)) * x
    return jnp.multiply(decay, x)


def decayed_tree(decay: ArrayLike, tree: Any) -> Any:
    """Multiply every leaf by decay, in the leaf's own precision."""
    if isinstance(decay, float):
        return jax.tree.map(lambda x: decayed(decay, x), tree)
    return scale(decay, tree)


def at_step(count: ArrayLike, **hyperparameter: Any) -> Any:
    """Return the value of a hyperparameter, which may be a schedule, at a step."""
    ((name, value),) = hyperparameter.items()
    return called(name, value, count) if callable(value) else value


def called(name: str, schedule: Any, count: ArrayLike, **arguments: Any) -> Any:
    """Return the number that a schedule returns, and refuse another value or an error."""
    try:
        value = schedule(count, **arguments)
    except Refusal:
        raise
    except Exception as error:
        if not isinstance(count, jax.Array | np.ndarray | np.generic | int):
            raise
        raise ScheduleError(name, schedule, error) from error
    known = np.ndarray, np.generic, int, float
    if isinstance(value, bool) or not isinstance(value, (jax.Array, *known)) or np.ndim(value):
        raise ScheduleError(name, schedule, value)
    if isinstance(value, known) and value != value:  # NaN; what JAX computes is not waited for
        raise ScheduleError(name, schedule, value)
    return value


class ScheduleError(Refusal, TypeError):
    """A schedule has returned something else than a number."""

    def __init__(self, name: str, schedule: Any, value: Any) -> None:
        super().__init__(
            f"{name} is a schedule, a function of the step, which must return one number, got "
            f"{value!r}."
        )
        self.schedule, self.value = schedule, value


def rounding(largest: jax.Array) -> jax.Array:
    """Return the rounding error of a 0 next to a number of this size: 10 ulp."""
    return 10 * jnp.finfo(largest.dtype).eps * largest


def one_minus_power(decay: Scalar, count: ArrayLike) -> jax.Array:
    """Return 1 - decay^count without cancellation: as written, .999 in float32 loses 1.3e-5."""
    k = jnp.asarray(count, default_float())
    if isinstance(decay, Tracer):
        return _traced_one_minus_power(jnp.asarray(decay, k.dtype), k)
    log_decay = math.log(max(float(decay), sys.float_info.min))  # on the host, in float64
    return -jnp.expm1(k * log_decay)


@jax.custom_jvp
def _traced_one_minus_power(decay: jax.Array, k: jax.Array) -> jax.Array:
    return -jnp.expm1(k * jnp.maximum(jnp.log1p(decay - 1), _LOG_OF_ZERO))


# By hand, because the chain rule through log1p gives 0 · ∞ at decay = 0.
_traced_one_minus_power.defjvps(
    lambda dot, _, decay, k: -k * decay ** jnp.maximum(k - 1, 0) * dot, None
)
