"""A claim about the curve that Nesterov's method follows on a quadratic.

X'' + (3/t) X' + λ X = 0 with X(0) = 1, X'(0) = 0 is solved by X(t) = 2 J₁(t√λ)/(t√λ).
"""

from itertools import pairwise

import numpy as np
from scipy.special import j1

from ..._nesterov import lookahead_readout
from ...optimizers import sgd
from ...schedules import momentum_nesterov
from ._descent import descend
from .statement import Finding, statement


def solution(t: np.ndarray, curvature: float = 1.0) -> np.ndarray:
    """Return 2 J₁(t√λ)/(t√λ), and 1 at 0.

    ```python
    >>> import numpy as np
    >>> from lecture_optax.theory.claims.bessel_solution import solution
    >>> solution(np.array([0.0, 3.8317])).round(4).tolist()  # the first zero of J₁
    [1.0, 0.0]

    ```
    """
    s = np.asarray(t) * curvature**0.5
    return np.divide(2 * j1(s), s, out=np.ones_like(s), where=s > 0)


def error(sgd, momentum_nesterov, tau: float, curvature: float = 1.0) -> float:
    """Return max |x(k) - X(k√τ)| for k√τ in [0, 10]."""
    steps = round(10 / tau**0.5)
    tx = sgd(tau, momentum_nesterov(), nesterov=True)
    x = descend(tx, lambda θ: curvature * θ, 1.0, steps, read=lookahead_readout)
    return float(np.abs(x - solution(np.arange(steps + 1) * tau**0.5, curvature)).max())


@statement(
    "nesterov-follows-bessel",
    claim="With t = k√τ Nesterov's x(k) tends to 2 J₁(t√λ)/(t√λ), with an error of order √τ",
    slide="Nesterov 1983",
    source="Su, Boyd and Candès (2016), section 3; the order: ours",
    picture="ode_limit",
)
def nesterov_follows_bessel(sgd=sgd, momentum_nesterov=momentum_nesterov):
    taus = [1e-2 / 4**i for i in range(4)]
    errors = [error(sgd, momentum_nesterov, tau) for tau in taus]
    for tau, found, known in zip(taus, errors, (0.0737, 0.0373, 0.0188, 0.0094), strict=True):
        yield Finding(found, known, 1e-4, what=f"largest error, τ = {tau:.3g}")
    for large, small in pairwise(errors):
        yield Finding(large / small, 2, 0.1, what="ratio of errors for τ and τ/4")
    steeper = error(sgd, momentum_nesterov, 1e-4 / 4, curvature=4.0)
    yield Finding(
        steeper, error(sgd, momentum_nesterov, 1e-4), 1e-9, what="λ = 4, τ/4: equal to λ = 1"
    )
