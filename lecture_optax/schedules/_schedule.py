"""What is a schedule? A function of the step count, and a tree whose leaves are its numbers."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .._describe import as_python
from .._dtypes import default_float


def _endless(**arguments: Any) -> None:
    return None


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["arguments"],
    meta_fields=["formula", "ends"],
)
@dataclass(frozen=True, repr=False)
class Schedule:
    """A formula τ(k; numbers), called with the step count k = 0, 1, ...

    As a callable it goes wherever Optax takes a schedule. As a tree its numbers (and the schedules
    it is made of) are data: it can be an argument of a compiled function, which then serves every
    value; `jax.vmap` maps over them, `jax.grad` differentiates by them. The value is computed in
    float32, or in float64 where x64 is enabled, and steps are counted in integers.

    **Attributes**

    - `formula`: `(k, **arguments) -> rate`.
    - `arguments`: the numbers, by the names of the factory.
    - `ends`: `(**arguments) -> step`, from which on the value is constant, or None.
    """

    formula: Callable[..., ArrayLike]
    arguments: Mapping[str, Any]
    ends: Callable[..., Any] = _endless

    def __call__(self, count: ArrayLike) -> jax.Array:
        """τ(count), of the shape of `count`."""
        k = jnp.asarray(count)
        value = jnp.asarray(self.formula(k, **self.arguments), default_float())
        return jnp.broadcast_to(value, jnp.broadcast_shapes(k.shape, value.shape))

    @property
    def horizon(self) -> Any:
        """The step from which on the value stays the same; None for an endless schedule."""
        return self.ends(**self.arguments)

    def __repr__(self) -> str:
        order = list(inspect.signature(self.formula).parameters)[1:]
        words = [f"{name}={as_python(self.arguments[name])}" for name in order]
        return f"schedules.{self.formula.__name__.strip('_')}({', '.join(words)})"


def to_float(x: ArrayLike) -> jax.Array:
    """`x` in the widest float that is enabled."""
    return jnp.asarray(x, default_float())


def steps_since(k: jax.Array, start: ArrayLike) -> jax.Array:
    """k - start, at least 0, in integers where both are: exact beyond 2^24."""
    if _is_whole(k) and _is_whole(start):
        return jnp.maximum(k - jnp.asarray(start, k.dtype), 0)
    return jnp.maximum(to_float(k) - to_float(start), 0)


def progress(k: jax.Array, start: ArrayLike, length: ArrayLike) -> jax.Array:
    """Which part of the phase [start, start + length] is over, in [0, 1]; a phase of none is."""
    done = to_float(steps_since(k, start))
    whole = to_float(length)
    fraction = done / jnp.where(whole > 0, whole, 1)
    return jnp.where(whole > 0, jnp.minimum(fraction, 1), 1)


def between(first: ArrayLike, last: ArrayLike, part: jax.Array) -> jax.Array:
    """From `first` (part 0) to `last` (part 1), exactly at both ends."""
    a, b = to_float(first), to_float(last)
    return jnp.where(part < 1, a + (b - a) * part, b)


def half_cosine(part: jax.Array) -> jax.Array:
    """From 0 to 1 along half a cosine, flat at both ends."""
    return (1 - jnp.cos(jnp.pi * part)) / 2


def _is_whole(x: ArrayLike) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(x), jnp.integer))
