"""Formulas of the slides, taken literally.

Six transformations. Each takes one symbol of a slide literally and everything else as it is meant.
`lecture_optax` does not export them. The claims of `literal_slides` measure what they do.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from .._bias_correction import bias_correction
from .._core.block import block
from .._core.chain import chain
from .._core.dtypes import scale, zeros_like
from .._core.numerics import abs_squared, one_minus_power
from .._core.types import Scalar, Schedule, Transformation
from .._first_moment import first_moment
from .._inverse_root import inverse_root
from .._learning_rate import scale_by_learning_rate
from .._magnitudes import second_moment
from .._nesterov import nesterov_trace
from .._precondition import precondition
from ..optimizers import adam


def adam_minus(
    learning_rate: Scalar | Schedule, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> Transformation:
    """Adam with the slide's minus sign before the gradient: it ascends.

        slide:  v(k+1) = b1 v(k) - (1 - b1) g(k)
        meant:  v(k+1) = b1 v(k) + (1 - b1) g(k)

    The slide before, without the bias correction, has a plus sign.
    """
    velocity = chain(optax.scale(-1.0), first_moment(b1), bias_correction(b1))
    magnitude = chain(second_moment(b2), bias_correction(b2))
    return _adam(learning_rate, velocity, magnitude, eps)


def adam_fed_back(
    learning_rate: Scalar | Schedule, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> Transformation:
    """Adam with corrected averages in their own recursions: c overflows, and θ stops moving.

        slide:  v(k) = (b1 v(k-1) + (1 - b1) g(k)) / (1 - b1^k)
        meant:  m(k) =  b1 m(k-1) + (1 - b1) g(k),                 v(k) = m(k) / (1 - b1^k)

    and c likewise, with g². Every step divides the stored average again, so the weight of the old c
    grows instead of decaying, up to k = 6904.
    """
    magnitude = chain(optax.stateless(_squared), fed_back(b2))
    return _adam(learning_rate, fed_back(b1), magnitude, eps)


def adam_from_zero(
    learning_rate: Scalar | Schedule, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> Transformation:
    """Adam with the slide's exponent k, which starts at 0: it divides by 0 and returns NaN.

    slide:  v(k+1) = m(k+1) / (1 - b1^k),        k = 0, 1, ...
    meant:  v(k+1) = m(k+1) / (1 - b1^(k+1))
    """
    velocity = chain(first_moment(b1), _correction_from_zero(b1))
    magnitude = chain(second_moment(b2), _correction_from_zero(b2))
    return _adam(learning_rate, velocity, magnitude, eps)


def adam_eps_inside(
    learning_rate: Scalar | Schedule, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> Transformation:
    """Adam with the slide's ε inside the root, where 1e-8 acts like 1e-4 outside it.

    slide:  D = (c + ε)^(-1/2)
    usual:  D = 1 / (√c + ε)
    """
    return adam(learning_rate, b1, b2, eps=0.0, eps_root=eps)


def nesterov_rate_inside(learning_rate: Scalar | Schedule, decay: Scalar = 0.9) -> Transformation:
    """SGD + Nesterov with the slide's τ inside v: each gradient keeps the τ of its own step.

    slide:  v(k+1) = α v(k) - τ(k) g(k),    θ(k+1) = θ(k) - τ(k) g(k) + α v(k+1)
    usual:  v(k+1) = α v(k) + g(k),         θ(k+1) = θ(k) - τ(k) (g(k) + α v(k+1))
    """
    return chain(scale_by_learning_rate(learning_rate), nesterov_trace(decay))


def nesterov_one_momentum(learning_rate: Scalar | Schedule, momentum: Schedule) -> Transformation:
    """SGD + Nesterov with μ(k) for both of the slide's α: a different method.

    read:   v(k+1) = μ(k)   v(k) + g(k),    θ(k+1) = θ(k) - τ (g(k) + μ(k) v(k+1))
    meant:  v(k+1) = μ(k-1) v(k) + g(k),    θ(k+1) = θ(k) - τ (g(k) + μ(k) v(k+1))
    """

    def equation(g, v, k):
        v = jax.tree.map(jnp.add, scale(momentum(k), v), g)
        return jax.tree.map(jnp.add, scale(momentum(k), v), g), v

    return chain(_remembering(equation), scale_by_learning_rate(learning_rate))


def fed_back(decay: Scalar) -> Transformation:
    """An average that stores its corrected value: the v and the c of `adam_fed_back`.

    x(k) = (decay x(k-1) + (1 - decay) y(k)) / (1 - decay^k),    k = 1, 2, ...
    """

    def equation(y, x, k):
        mixed = jax.tree.map(lambda x, y: decay * x + (1 - decay) * y, x, y)
        corrected = scale(1 / one_minus_power(decay, k + 1), mixed)
        return corrected, corrected

    return _remembering(equation)


class _MemoryState(NamedTuple):
    """The number of gradients so far, k, and the memory of the equation."""

    count: ArrayLike
    memory: optax.Updates


def _remembering(equation: Callable[[Any, Any, Any], tuple[Any, Any]]) -> Transformation:
    """Build a block from an equation `(g, memory, k) -> (update, memory)`, k = 0, 1, ..."""

    def init_fn(params):
        return _MemoryState(jnp.zeros((), jnp.int32), zeros_like(params))

    def update_fn(updates, state, params=None, **extra_args):
        update, memory = equation(updates, state.memory, state.count)
        return update, _MemoryState(optax.safe_increment(state.count), memory)

    return block(init_fn, update_fn)


def _adam(
    learning_rate: Any, velocity: Transformation, magnitude: Transformation, eps: Any
) -> Transformation:
    """Return the step θ ← θ - τ D v, with the slide's v and c."""
    by = chain(magnitude, inverse_root(eps))
    return chain(precondition(velocity, by=by), scale_by_learning_rate(learning_rate))


def _correction_from_zero(decay: Scalar) -> optax.GradientTransformation:
    """Return x(k) / (1 - decay^k), k = 0, 1, ..."""
    return optax.scale_by_schedule(lambda k: 1 / one_minus_power(decay, k))


def _squared(g: Any, params: Any = None) -> Any:
    return jax.tree.map(abs_squared, g)
