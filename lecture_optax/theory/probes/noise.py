"""The stationary variance of θ under noisy gradients."""

from typing import Any

import numpy as np
import scipy  # loads scipy.linalg, which takes long, where it is used

from ..._core import validate
from .iteration import largest_stable
from .loop import settled_loop
from .replay import name_of


def stationary_variance(tx: Any, curvature: float, noise: float = 1.0) -> float:
    """Return the variance that θ settles to on a parabola with noisy gradients.

        g = λ θ + ξ,  Var ξ = σ²:    Σ = M Σ Mᵀ + σ² B Bᵀ,    the variance is Σ[θ, θ]

    This is the discrete Lyapunov equation of the iteration matrix M and the gain B of a gradient.
    The result is exact; nothing is sampled.

    **Arguments**

    - `tx`: as for `iteration_matrix`.
    - `curvature`: λ > 0.
    - `noise`: σ² >= 0, the variance of a gradient.

    **Raises** `ValueError` if the method diverges at that curvature; and as `iteration_matrix`.

    Source: Mandt, Hoffman and Blei (2017), section 3; closed forms: `claims.stochastic_moments`.

    ```python
    >>> import lecture_optax as lo
    >>> round(lo.theory.stationary_variance(lo.sgd(0.1), curvature=1.0), 12)  # τ/(λ(2 - τλ))
    0.052631578947

    ```
    """
    validate.numbers(curvature=curvature, noise=noise)
    validate.positive(curvature=curvature)
    validate.non_negative(noise=noise)
    loop = settled_loop(tx, 1)
    matrix = loop.closed(np.array([[curvature]]))
    if (factor := np.abs(np.linalg.eigvals(matrix)).max()) >= 1:
        raise ValueError(
            f"{name_of(tx)} has no stationary variance at curvature {curvature}: a step multiplies "
            f"θ by {factor:.6g}. It is stable below curvature {largest_stable(loop):.6g}."
        )
    spread = scipy.linalg.solve_discrete_lyapunov(matrix, noise * loop.gain @ loop.gain.T)
    return float(spread[0, 0])
