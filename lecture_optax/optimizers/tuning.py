"""The learning rate and momentum that contract a quadratic of known curvature fastest."""

from typing import NamedTuple

from .._core import validate
from .._core.types import Scalar


class Tuning(NamedTuple):
    """A learning rate and a momentum, in the order in which `sgd` takes them."""

    learning_rate: Scalar
    momentum: Scalar


def polyak_tuning(smoothness: Scalar, strong_convexity: Scalar) -> Tuning:
    """Return the best heavy ball on quadratics with curvatures between μ and L.

        τ = 4 / (√L + √μ)²,    momentum = ((√L - √μ) / (√L + √μ))²

    Contracts by (√κ - 1) / (√κ + 1) a step, κ = L/μ; no method of gradients does better. Not for
    other losses: there it may cycle, or grow, even where they are as smooth and as convex.

    **When**: the loss is a quadratic, as in least squares, and you know its curvatures.

    **Elsewhere**: Optax, torch and Keras have no such function: pass the two numbers to their SGD.

    **Arguments**

    - `smoothness`: L, the largest curvature, > 0.
    - `strong_convexity`: μ, the smallest, in (0, L].

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range.

    Source: Polyak (1964); the limits: Lessard, Recht and Packard (2016), section 4.6.

    ```python
    >>> import lecture_optax as lo
    >>> lo.sgd(*lo.polyak_tuning(smoothness=9.0, strong_convexity=1.0))
    chain(trace(0.25), scale_by_learning_rate(0.25))

    ```
    """
    _curvatures(smoothness, strong_convexity)
    high, low = smoothness**0.5, strong_convexity**0.5
    return Tuning(4 / (high + low) ** 2, ((high - low) / (high + low)) ** 2)


def nesterov_tuning(smoothness: Scalar, strong_convexity: Scalar) -> Tuning:
    """Return the best constant Nesterov on quadratics with curvatures between μ and L.

        τ = 4 / (3 L + μ),    momentum = (s - 2) / (s + 2),    s = √(3 κ + 1),    κ = L/μ

    Contracts by 1 - 2/s a step. On other losses that are as smooth and as convex, the promise
    1 - 1/√κ is for τ = 1/L and `schedules.momentum_constant(κ)`.

    **When**: the loss is close to a quadratic, and you know its curvatures.

    **Elsewhere**: as for `polyak_tuning`.

    **Arguments** and **Raises** as for `polyak_tuning`.

    Source: Lessard, Recht and Packard (2016), proposition 1.

    ```python
    >>> import lecture_optax as lo
    >>> lo.sgd(*lo.nesterov_tuning(smoothness=5.0, strong_convexity=1.0), nesterov=True)
    chain(nesterov_trace(0.3333333333333333), scale_by_learning_rate(0.25))

    ```
    """
    _curvatures(smoothness, strong_convexity)
    s = (3 * smoothness / strong_convexity + 1) ** 0.5
    return Tuning(4 / (3 * smoothness + strong_convexity), (s - 2) / (s + 2))


def _curvatures(smoothness: Scalar, strong_convexity: Scalar) -> None:
    validate.positive(smoothness=smoothness, strong_convexity=strong_convexity)
    validate.ascending(strong_convexity=strong_convexity, smoothness=smoothness)
