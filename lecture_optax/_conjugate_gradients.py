"""Solve (H + δI) x = v from products with H alone, for the smallest δ that it needs.

Conjugate gradients (Hestenes and Stiefel, 1952) look along one direction p after the other and see
the curvature pᵀHp / pᵀp there. Where that is below -δ, H + δI has a negative eigenvalue and x is
no way downhill: δ becomes twice its size, δ = -2 pᵀHp / pᵀp, and the walk starts again. Why so:

* no curvature is below the smallest eigenvalue λ, so δ is never raised above 2|λ|;
* each time it at least doubles, so it is raised a few times only;
* along every direction that entered x, H + δI is positive, so xᵀv > 0: x goes downhill, also where
  there are negative directions that v does not lead to.

To stop at the first negative direction (Steihaug, 1983) is cheaper, but what it returns is
(H + δI)⁻¹ v for no δ that a log could show.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ._core.numerics import rounding
from ._core.types import Scalar


class Walk(NamedTuple):
    """The state of the solver: x, the residual of v, the next search direction p, and δ.

    Besides: the last and the least pᵀHp / pᵀp and the largest |Hp| / |p| seen, the number of
    products, whether x is still 0, and whether H + δI is flat along p.
    """

    x: jax.Array
    left: jax.Array
    p: jax.Array
    shift: jax.Array
    curvature: jax.Array
    least: jax.Array
    size: jax.Array
    steps: jax.Array
    at_start: jax.Array
    is_flat: jax.Array


def conjugate_gradients(
    product: Callable[[jax.Array], jax.Array],
    v: jax.Array,
    *,
    shift: jax.Array,
    tolerance: jax.Array,
    max_steps: Scalar,
) -> Walk:
    """Solve (H + δI) x = v to |v - (H + δI) x| <= `tolerance` |v|, for a δ of at least `shift`.

    It ends after `max_steps` products, but not with x = 0 only because δ was raised; and at a
    direction along which H + δI is 0 up to rounding. A NaN enters x and ends it.
    """

    def goes_on(walk: Walk) -> jax.Array:
        in_time = walk.at_start | (walk.steps < max_steps)
        return (norm(walk.left) > tolerance * norm(v)) & in_time & ~walk.is_flat

    def look(walk: Walk) -> Walk:
        image = product(walk.p)
        walk = _seen(walk, dot(walk.p, image) / dot(walk.p, walk.p), norm(image) / norm(walk.p))
        above, noise = walk.curvature + walk.shift, rounding(walk.size)
        steeper = walk._replace(x=zero, left=v, p=v, shift=-2 * walk.curvature, at_start=yes)
        onwards = _choose(abs(above) <= noise, walk._replace(is_flat=yes), _step(walk, image))
        return _choose(above < -noise, steeper, onwards)

    zero, yes, no = 0 * v, jnp.array(True), jnp.array(False)  # NaN where v is NaN
    none = jnp.zeros_like(shift)
    start = Walk(zero, v, v, shift, none, none, none, jnp.zeros((), jnp.int32), yes, no)
    return jax.lax.while_loop(goes_on, look, start)


def _seen(walk: Walk, curvature: jax.Array, size: jax.Array) -> Walk:
    """Record the curvature and size of one product; an infinite product has curvature NaN."""
    curvature = jnp.where(size < jnp.inf, curvature, jnp.nan)
    least = jnp.where(walk.steps > 0, jnp.minimum(walk.least, curvature), curvature)
    size = jnp.maximum(walk.size, size)
    return walk._replace(curvature=curvature, least=least, size=size, steps=walk.steps + 1)


def _step(walk: Walk, image: jax.Array) -> Walk:
    """Move to the lowest point along p; the next p is the residual made conjugate to p."""
    before = dot(walk.left, walk.left)
    length = before / ((walk.curvature + walk.shift) * dot(walk.p, walk.p))
    left = walk.left - length * (image + walk.shift * walk.p)
    p = left + dot(left, left) / before * walk.p
    return walk._replace(x=walk.x + length * walk.p, left=left, p=p, at_start=jnp.array(False))


def _choose(condition: jax.Array, walk: Walk, other: Walk) -> Walk:
    return jax.tree.map(partial(jnp.where, condition), walk, other)


def dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return aᵀb."""
    return jnp.vdot(a, b, precision="highest")


def norm(a: jax.Array) -> jax.Array:
    """Return |a|."""
    return jnp.sqrt(dot(a, a))
