"""One step on a quadratic as a linear map: its matrix, contraction and stability edge."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._core import validate
from ..._core.current import current
from .loop import Loop, settled_loop
from .replay import name_of

_ROUNDING = 1e-12


def iteration_matrix(tx: Any, curvature: ArrayLike) -> np.ndarray:
    """Return one step on a quadratic as a matrix that acts on θ and the state in its loop.

        (θ, v)(k+1) = M (θ, v)(k)    for the loss θᵀ H θ / 2, whose gradient is H θ

    The Jacobian of a step after the method has settled (at least two steps). θ comes first, then
    the part of the state that θ reaches and that reaches θ. Counts, learning rates and averages are
    not in the loop.

    **Arguments**

    - `tx`: any gradient transformation; it may depend on θ, for example by a weight decay.
    - `curvature`: a number λ, or a symmetric matrix H.

    **Raises** `ValueError` for a method that is not linear, for one whose step keeps changing with
    the step count, and for a curvature of another shape.

    Source: Polyak (1964); Lessard, Recht and Packard (2016), section 2.

    ```python
    >>> import lecture_optax as lo
    >>> lo.theory.iteration_matrix(lo.sgd(0.5, momentum=0.9), curvature=2.0).round(12).tolist()
    [[0.0, -0.45], [2.0, 0.9]]

    ```
    """
    validate.numbers(curvature=curvature)
    hessian = np.atleast_2d(np.asarray(curvature, float))
    if hessian.ndim != 2 or not np.array_equal(hessian, hessian.T):
        raise ValueError(
            "curvature must be a number or a symmetric matrix, got an array of shape "
            f"{np.shape(curvature)}. For several numbers, call contraction."
        )
    return settled_loop(tx, len(hessian)).closed(hessian)


def contraction(tx: Any, curvature: ArrayLike) -> np.ndarray | float:
    """Return the factor by which a step contracts a quadratic in the long run.

        ρ(M(λ)),    the spectral radius of the iteration matrix

    Below 1 the method converges like ρ^k, above 1 it diverges. θ may grow at first in both cases.

    **Arguments**

    - `tx`: as for `iteration_matrix`.
    - `curvature`: λ, or an array of λ; the result has the same shape.

    **Raises** as `iteration_matrix`.

    ```python
    >>> import lecture_optax as lo
    >>> round(lo.theory.contraction(lo.sgd(0.01, momentum=0.81), 1.0), 6)  # critical: 1 - √x
    0.9

    ```
    """
    validate.numbers(curvature=curvature)
    factors = radii(settled_loop(tx, 1), np.asarray(curvature, float))
    return factors if factors.ndim else float(factors)


def largest_stable_curvature(tx: Any) -> float:
    """Return the curvature above which a method diverges, by bisection, to a relative 1e-9.

    It is 2/τ for gradient descent, 0.0 for a method that diverges on every parabola (it ascends),
    and infinite for one that diverges on none.

    **Arguments**

    - `tx`: as for `iteration_matrix`.

    **Raises** as `iteration_matrix`.

    ```python
    >>> import lecture_optax as lo
    >>> round(lo.theory.largest_stable_curvature(lo.sgd(0.1)), 6)
    20.0

    ```
    """
    return largest_stable(settled_loop(tx, 1))


def stability_edge(tx: Any, learning_rate: float | None = None) -> float:
    """Return the largest stable τλ, by bisection, to a relative 1e-9.

        2 for gradient descent, 2(1 + μ) for heavy ball, 2(1 + μ)/(1 + 2μ) for Nesterov

    The learning rate times `largest_stable_curvature`: it depends on the method only.

    **Arguments**

    - `tx`: as for `iteration_matrix`.
    - `learning_rate`: τ. By default it is read from the state; Optax's own methods do not store it
      there.

    **Raises** `ValueError` if the learning rate is not given and the state contains none or
    several; and as `iteration_matrix`.

    Source: Polyak (1964); Cohen et al. (2022), "Adaptive gradient methods at the edge of
    stability" (38 for averages with b1 = 0.9).

    ```python
    >>> import lecture_optax as lo, optax
    >>> round(lo.theory.stability_edge(lo.sgd(0.1, momentum=0.9)), 9)
    3.8
    >>> round(lo.theory.stability_edge(optax.sgd(0.1, momentum=0.9), learning_rate=0.1), 9)
    3.8

    ```
    """
    if learning_rate is not None:
        validate.positive(learning_rate=learning_rate)
    loop = settled_loop(tx, 1)
    rate = learning_rate if learning_rate is not None else rate_in(tx, loop.state)
    curvature = largest_stable(loop)
    return rate * curvature if np.isfinite(curvature) else curvature


def largest_stable(loop: Loop) -> float:
    """Return the first λ at which the spectral radius of a loop of one entry exceeds 1."""
    return first_unstable(loop.transition, _feedback(loop))


def first_unstable(start: np.ndarray, slope: np.ndarray) -> float:
    """Return the first x at which the spectral radius of start + x slope exceeds 1."""
    size = np.abs(slope).max()
    if size == 0:
        return np.inf
    ladder = np.geomspace(1e-6, 1e9, 2000) / size
    unstable = np.flatnonzero(_radii(start, slope, ladder) > 1 + _ROUNDING)
    if not len(unstable):
        return np.inf
    if unstable[0] == 0:
        return 0.0
    low, high = ladder[unstable[0] - 1], ladder[unstable[0]]
    while high - low > 1e-11 * high:
        middle = (low + high) / 2
        inside = _radii(start, slope, np.asarray(middle)) <= 1 + _ROUNDING
        low, high = (middle, high) if inside else (low, middle)
    return float(low)


def rate_in(tx: Any, state: Any) -> float:
    """Return the only learning rate in a state."""
    try:
        rates = current(state).learning_rates
    except ValueError:  # the state has no step count
        rates = {}
    if len(rates) != 1:
        named = f"several learning rates ({', '.join(rates)})" if rates else "no learning rate"
        raise ValueError(
            f"the state of {name_of(tx)} contains {named}: pass learning_rate=, the τ that built "
            "it, or use largest_stable_curvature, which needs none."
        )
    return float(np.asarray(next(iter(rates.values()))))


def radii(loop: Loop, curvatures: np.ndarray) -> np.ndarray:
    """Return the spectral radius for each curvature of one entry."""
    return _radii(loop.transition, _feedback(loop), curvatures)


def _feedback(loop: Loop) -> np.ndarray:
    """Return the part of the iteration matrix that a curvature of one entry multiplies."""
    return loop.gain @ np.eye(1, len(loop.transition))


def _radii(start: np.ndarray, slope: np.ndarray, factors: np.ndarray) -> np.ndarray:
    matrices = start + factors[..., None, None] * slope
    return np.asarray(np.abs(np.linalg.eigvals(matrices)).max(-1))
