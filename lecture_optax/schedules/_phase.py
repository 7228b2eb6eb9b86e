"""Positions within a phase of a schedule, and values between its two ends."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from .._core.dtypes import default_float


class Part(NamedTuple):
    """The completed and the remaining fraction of a phase, each exact where it is small."""

    done: jax.Array
    left: jax.Array


def progress(k: jax.Array, start: ArrayLike, end: ArrayLike) -> Part:
    """Return the fractions done and left at step k; a phase without steps is complete.

    Steps are subtracted as integers: in float32, 2^24 and 2^24 + 1 are one number.
    """
    (first, first_rest), (last, last_rest) = _whole(start, k), _whole(end, k)
    done = to_float(k - first) - first_rest
    left = to_float(last - k) + last_rest
    length = to_float(last - first) + (last_rest - first_rest)
    each = 1 / jnp.where(length > 0, length, 1)  # so XLA divides a vector too: bits stay equal
    over = left <= 0
    return Part(
        jnp.where(over, 1, jnp.clip(done * each, 0, 1)),
        jnp.where(over, 0, jnp.clip(left * each, 0, 1)),
    )


def between(first: ArrayLike, last: ArrayLike, part: Part) -> jax.Array:
    """Interpolate from `first` to `last`, exact at both ends and without cancellation.

    The height above the lower end is scaled by the part that vanishes there.
    """
    a, b = to_float(first), to_float(last)
    falls = a > b
    low, high = jnp.where(falls, b, a), jnp.where(falls, a, b)
    value = low + (high - low) * jnp.where(falls, part.left, part.done)
    return jnp.where(part.left <= 0, b, jnp.where(part.done <= 0, a, value))


def half_cosine(part: Part) -> Part:
    """Return (1 - cos(π x)) / 2 = sin²(π x / 2): half a cosine, flat at both ends."""
    return Part(*(jnp.sin(jnp.pi / 2 * x) ** 2 for x in part))


def climb_first(
    k: jax.Array, rate: jax.Array, *, warmup_steps: Any, peak: ArrayLike, init_value: ArrayLike = 0
) -> jax.Array:
    """Return `rate`, and during the warm-up a line from `init_value` to `peak`."""
    part = progress(k, 0, warmup_steps)
    return jnp.where(part.left > 0, between(init_value, peak, part), rate)


def elapsed(k: jax.Array, start: ArrayLike) -> jax.Array:
    """Return k - start, at least 0: an integer where `start` is one."""
    first, rest = _whole(start, k)
    steps = jnp.maximum(k - first, 0)
    return steps if _is_whole(start) else jnp.maximum(to_float(steps) - rest, 0)


def before(k: jax.Array, start: ArrayLike) -> jax.Array:
    """Return k < start."""
    first, rest = _whole(start, k)
    return to_float(k - first) < rest


def shift(step: Any, by: Any) -> Any:
    """Return step + by, in integers where both are, and then at most the largest integer."""
    if isinstance(step, int | float) and isinstance(by, int | float):
        return step + by
    if not (_is_whole(step) and _is_whole(by)):
        return to_float(step) + to_float(by)
    first, further = jnp.asarray(step, int), jnp.asarray(by, int)
    return first + jnp.minimum(further, jnp.iinfo(first.dtype).max - first)


def latest(*steps: Any) -> Any:
    """Return the last of some steps; a Python number if all are."""
    if all(isinstance(step, int | float) for step in steps):
        return max(steps)
    return functools.reduce(jnp.maximum, map(to_float, steps))


def periods(k: jax.Array, length: ArrayLike, staircase: ArrayLike = False) -> jax.Array:
    """Return k / length, or its whole part by integer division."""
    whole = to_float(jnp.floor_divide(k, jnp.asarray(length, k.dtype)))
    return jnp.where(jnp.asarray(staircase), whole, to_float(k) * (1 / to_float(length)))


def power(base: ArrayLike, rounded_off: ArrayLike, exponent: ArrayLike) -> jax.Array:
    """Return (base + rounded_off)^exponent.

    After many steps the last bit of a base near 1 decides: 0.9999999^(2^24) is 0.19, and of the
    nearest float32 it is 0.14.
    """
    b, e = to_float(base), to_float(exponent)
    if b.dtype != jnp.float32:
        return b**e
    lost = jnp.log1p(to_float(rounded_off) / jnp.where(b > 0, b, 1))
    return b**e * jnp.exp(e * jax.lax.stop_gradient(lost))


def rounded_off(number: Any) -> float:
    """Return the rounding error of a number in float32, and 0 for a tracer."""
    if isinstance(number, Tracer):
        return 0.0
    return float(number) - float(np.float32(number))


def to_float(x: ArrayLike) -> jax.Array:
    """Return `x` in the widest float that is enabled."""
    return jnp.asarray(x, default_float())


def _whole(x: ArrayLike, k: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the whole part of x in the dtype of k, and the rest, which has the slope of x."""
    if _is_whole(x):
        return jnp.asarray(x, k.dtype), to_float(0)
    whole = jnp.floor(to_float(x))
    return whole.astype(k.dtype), to_float(x) - whole


def _is_whole(x: ArrayLike) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(x), jnp.integer))
