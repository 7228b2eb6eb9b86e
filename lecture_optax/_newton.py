"""The matrix D of Newton's method: the inverse of the loss's second derivative."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import custom_linear_solve
from jax.scipy.sparse.linalg import cg

from ._conjugate_gradients import conjugate_gradients, dot, norm
from ._core import validate
from ._core.block import block
from ._core.describe import described
from ._core.dtypes import as_array, cast_like, default_float, precision
from ._core.entries import tree_of, vector_of
from ._core.numerics import reciprocal, rounding
from ._core.types import Scalar, Transformation


class NewtonState(NamedTuple):
    """Figures of the last step, for a log; the next step does not use them.

    The shift δ; the least curvature of the loss that was seen; |v - (H + δI) x| / |v|; and the
    number of directions searched.
    """

    shift: jax.Array
    curvature: jax.Array
    residual: jax.Array
    steps: jax.Array


@described(show=("iterative_above",))
def newton(
    damping: Scalar = 0.0,
    *,
    iterative_above: int = 128,
    tolerance: Scalar = 0.0,
    max_steps: Scalar = 1000,
) -> Transformation:
    """Multiply by the inverse of the loss's second derivative H = ∇²E(θ(k)): Newton's D.

        x = (H + δ I)⁻¹ v,    δ = damping where that leaves H + δ I no negative eigenvalue

    Stands anywhere in a chain. It needs the parameters and the loss, as Optax's line searches do:
    `tx.update(v, state, params, value_fn=loss)`. `loss(params)` is called with the parameters in
    at least float32, and with those of the other extra arguments that it names (a batch, say).

    Else δ is raised, so that x goes downhill: to twice the size of the most negative curvature,
    which then counts with its size. Up to `iterative_above` parameters that is the smallest
    eigenvalue of H, found from all of H. With more, conjugate gradients need only products with
    H; each time they look along a direction with less curvature than -δ they raise δ, and start
    again (`_conjugate_gradients.py`). The state has `shift` (δ), `curvature` (the least one
    seen), `residual` (|v - (H + δI) x| / |v|) and `steps` (the directions looked along).

    Where H + δ I is 0 up to rounding (10 ulp of its largest eigenvalue), D is 0; conjugate
    gradients end when they meet such a direction. If there should be steps: some `damping`.

    **Arguments**

    - `damping`: the least δ, >= 0. Number, array or tracer, as the next two.
    - `iterative_above`: the most parameters (a complex one counts twice) for which H is formed,
      n² numbers and n³ operations. Always printed.
    - `tolerance`: the residual that conjugate gradients may leave, >= 0; 0 asks for 1 ulp.
    - `max_steps`: the most products with H that they make in one update, >= 1.

    The derivative of x is that of the equation; where δ was raised by conjugate gradients, δ counts
    as a constant.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range, `TypeError` for a
    traced `iterative_above`, and `ValueError` from `update` without `value_fn` or the parameters.

    Source: the lecture, slide "The general update", D(k+1); Nocedal and Wright (2006), chapter 3.4
    and algorithm 7.1.

    ```python
    >>> import jax, jax.numpy as jnp, lecture_optax as lo, optax
    >>> def loss(θ):
    ...     return 50 * θ[0] ** 2 + 0.5 * θ[1] ** 2 + θ[1]
    >>> tx, θ = lo.chain(lo.newton(), lo.scale_by_learning_rate(1.0)), jnp.array([1.0, 1.0])
    >>> update, state = tx.update(jax.grad(loss)(θ), tx.init(θ), θ, value_fn=loss)
    >>> optax.apply_updates(θ, update).tolist()  # a quadratic: one step
    [0.0, -1.0]
    >>> float(optax.tree.get(state, "curvature"))
    1.0

    ```
    """
    validate.non_negative(damping=damping, tolerance=tolerance)
    validate.steps(max_steps=max_steps)
    validate.sizes(iterative_above=iterative_above)

    def init_fn(params):
        none = [jnp.zeros((), default_float()) for _ in range(3)]
        return NewtonState(*none, steps=jnp.zeros((), jnp.int32))

    def update_fn(updates, state, params=None, value_fn=None, **extra_args):
        loss = _given(params, value_fn)
        dtype = precision((updates, params))
        θ, v, least = (
            vector_of(params, params, dtype),
            vector_of(updates, params, dtype),
            as_array(damping, dtype),
        )
        if not v.size:
            return updates, state
        product = _products_with_hessian(_loss_of_vector(loss, extra_args, params), θ)
        if v.size > iterative_above:
            way = _by_conjugate_gradients(product, v, least, tolerance, max_steps)
        else:
            way = _by_eigenvalues(product, v, least)
        x = custom_linear_solve(way.apply, v, way.solve, symmetric=True)
        residual = norm(way.left) * reciprocal(norm(v))
        record = NewtonState(way.shift, way.curvature, residual, way.steps)
        return tree_of(x, params), jax.lax.stop_gradient(record)

    return block(init_fn, update_fn)


class _Way(NamedTuple):
    """A solver of A x = b, A = H + δI, with its δ, the residual of v and figures for the log."""

    apply: Callable
    solve: Callable
    shift: jax.Array
    curvature: jax.Array
    left: jax.Array
    steps: jax.Array


def _by_eigenvalues(product: Callable, v: jax.Array, damping: jax.Array) -> _Way:
    h = jax.vmap(product)(jnp.eye(v.size, dtype=v.dtype))
    values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(h))
    noise = rounding(jnp.max(jnp.abs(values)))
    lowest = dot(vectors[:, 0], _times(h, vectors[:, 0]))  # as values[0], but for its derivative
    shift = jnp.where(values[0] + damping < -noise, -2 * lowest, damping)
    inverse = jnp.where(values + shift <= noise, 0, 1 / (values + shift))

    def divide(b):
        return _times(vectors, inverse * _times(b, vectors))

    def solve(a, b):
        x = divide(b)
        return x + divide(b - a(x))  # in float32 1 ulp instead of 10

    left = jnp.where(inverse == 0, _times(v, vectors), 0)
    steps = jnp.array(v.size, jnp.int32)
    return _Way(lambda x: _times(h, x) + shift * x, solve, shift, values[0], left, steps)


def _by_conjugate_gradients(
    product: Callable, v: jax.Array, damping: jax.Array, tolerance: Scalar, max_steps: Scalar
) -> _Way:
    enough = jnp.maximum(as_array(tolerance, v.dtype), jnp.finfo(v.dtype).eps)
    walk = jax.lax.stop_gradient(
        conjugate_gradients(product, v, shift=damping, tolerance=enough, max_steps=max_steps)
    )
    shift = jnp.where(walk.shift > damping, walk.shift, damping)

    def solve(a, b):  # a derivative has another right-hand side, and the same δ
        is_done = jnp.array_equal(b, v, equal_nan=True)
        x, _ = cg(a, jnp.where(is_done, 0, b), tol=cast(float, enough), maxiter=max_steps)
        return jnp.where(is_done, walk.x, x)

    left = jnp.where(norm(walk.left) <= enough * norm(v), 0, walk.left)
    return _Way(lambda x: product(x) + shift * x, solve, shift, walk.least, left, walk.steps)


def _times(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision="highest")


def _products_with_hessian(loss: Callable, at: jax.Array) -> Callable:
    """Return x -> H x, forward over reverse: the gradient is linearised once for all products."""
    with jax.default_matmul_precision("highest"):
        return jax.linearize(jax.grad(loss), at)[1]


def _loss_of_vector(value_fn: Callable, extra_args: dict[str, Any], params: Any) -> Callable:
    """Return the loss as a function of all entries, with those extra arguments that it names."""
    names = inspect.signature(value_fn).parameters
    named = {name: x for name, x in extra_args.items() if name in names}

    def loss(vector):
        value = value_fn(cast_like(tree_of(vector, params), params), **named)
        if not isinstance(value, jax.Array | np.ndarray | np.generic | float) or np.ndim(value):
            raise TypeError(f"value_fn must return a scalar, the loss, got {value!r}.")
        return value

    return loss


def _given(params: Any, value_fn: Any) -> Callable:
    """Return the loss, and require that it and the parameters are given."""
    way_out = "call tx.update(gradient, state, params, value_fn=loss), with loss(params) a scalar."
    if params is None:
        raise ValueError(f"newton needs the parameters, got params=None: {way_out}")
    if not callable(value_fn):
        kind = ValueError if value_fn is None else TypeError
        raise kind(f"newton needs the loss as a function, got value_fn={value_fn!r}: {way_out}")
    return value_fn
