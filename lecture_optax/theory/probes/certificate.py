"""Worst cases over all convex losses: certificates and lower bounds."""

from typing import Any

import numpy as np
import optax

from ..._core import validate
from ..._core.extras import require
from ..._core.keywords import checked
from .superposition import step_matrix


@checked
def worst_case(
    method: Any,
    n: int | None = None,
    *,
    L: float = 1.0,
    mu: float = 0.0,
    certify: bool = True,
) -> float:
    """Return the largest loss after n steps over a class of losses: the worst case of a method.

        sup f(θ(n)) - f*    over all μ-strongly convex f with L-Lipschitz gradient in any
                            dimension, and all starts with |θ(0) - θ*| <= 1

    The value of a semidefinite program in the step matrix, exact up to the solver's 1e-5: a proof
    that this code is never worse, and that some f attains the value (Drori and Teboulle).

    **Arguments**

    - `method`: a transformation that has a step matrix, or a step matrix. The last row of the
      matrix may belong to another point than θ (`step_matrix(tx, n, read=...)`).
    - `n`: the number of steps; a step matrix determines it.
    - `L`, `mu`: L > 0, and 0 <= μ < L.
    - `certify`: False returns `lower_bound`, which needs no solver.

    **Raises** `ImportError` without PEPit (the extra `theory`), and `ValueError` like
    `step_matrix`.

    Source: Drori and Teboulle (2014); Taylor, Hendrickx and Glineur (2017); Goujaud et al. (2024),
    PEPit.

    ```python
    >>> import lecture_optax as lo
    >>> round(lo.theory.worst_case(lo.sgd(1.0), 2, certify=False), 6)  # 1/(4n + 2)
    0.1

    ```
    """
    _check_class(L, mu)
    H = _matrix(method, n)
    if not certify:
        return lower_bound(H, L=L, mu=mu)
    otherwise = "Or pass certify=False for a lower bound, which needs no solver."
    pepit = require("PEPit", extra="theory", what="a certificate", otherwise=otherwise)
    return _performance_estimation(pepit.PEP(), H, L, mu)


def lower_bound(method: Any, n: int | None = None, *, L: float = 1.0, mu: float = 0.0) -> float:
    """Return a lower bound of `worst_case` without a solver, from one-dimensional losses.

        the largest loss after n steps on  λ t²/2, mu <= λ <= L,  and, for mu = 0, on
        Huber's functions:  L t²/2 for |t| <= d,  L d |t| - L d²/2 for |t| > d

    While all iterates stay on the slope, where the gradient is L d, θ(n) = 1 - S d with
    S = -L Σ_j H[n, j]. The loss is then L d (1 - S d) - L d²/2. It is largest at d = 1/(2S + 1),
    where it is L/(2(2S + 1)): with S = N h, the L/(4 N h + 2) of gradient descent. It is the exact
    worst case of gradient descent with τ <= 1/L and of Nesterov's method, but not for a large
    momentum.

    **Arguments** and **Raises** as `worst_case`. Source: ours, after Drori and Teboulle (2014),
    section 3; Taylor, Hendrickx and Glineur (2017), section 4.1.

    ```python
    >>> import lecture_optax as lo
    >>> round(lo.theory.lower_bound(lo.sgd(0.1), 5, L=10.0), 6)  # 10/(4n + 2)
    0.454545

    ```
    """
    _check_class(L, mu)
    H = _matrix(method, n)
    curvatures = np.linspace(mu, L, 513)
    parabolas = curvatures / 2 * _last(H, lambda t: curvatures * t) ** 2
    if mu:
        return float(parabolas.max())
    S = -L * H[-1].sum()
    widths = np.append(np.geomspace(1e-6, 1, 513), 1 / (2 * S + 1) if S > 0 else 1.0)
    t = np.abs(_last(H, lambda t: L * np.clip(t, -widths, widths)))
    huber = np.where(t <= widths, t**2 / 2, widths * t - widths**2 / 2)
    return float(max(parabolas.max(), L * huber.max()))


def _check_class(L: float, mu: float) -> None:
    validate.positive(L=L)
    validate.non_negative(mu=mu)
    if mu >= L:
        raise ValueError(f"mu must be below L = {L}, got {mu}: mu and L bound the curvature.")


def _matrix(method: Any, n: int | None) -> np.ndarray:
    if isinstance(method, optax.GradientTransformation):
        if n is None:
            raise ValueError("n must be a number of steps, got None: pass n with a transformation.")
        try:
            return step_matrix(method, n)
        except ValueError as error:
            raise ValueError(f"method must have a step matrix: {error}") from error
    validate.numbers(method=method)
    H = np.asarray(method, float)
    if H.ndim != 2 or H.shape[0] != H.shape[1] + 1 or n not in (None, H.shape[1]):
        raise ValueError(
            "method must be a transformation or a step matrix with n + 1 rows and n columns, got "
            f"a matrix of shape {H.shape} and n = {n}."
        )
    return H


def _last(H: np.ndarray, slope: Any) -> np.ndarray:
    """Return θ(n) from θ(0) = 1 along `slope`, for many one-dimensional losses at once."""
    gradients: list[np.ndarray] = []
    for row in H[:-1]:
        gradients.append(slope(1 + sum(h * g for h, g in zip(row, gradients, strict=False))))
    return 1 + np.tensordot(H[-1], np.array(gradients), axes=1)


def _performance_estimation(pep: Any, H: np.ndarray, L: float, mu: float) -> float:
    from PEPit import functions  # pyright: ignore[reportMissingImports]

    if mu:
        f = pep.declare_function(functions.SmoothStronglyConvexFunction, mu=mu, L=L)
    else:
        f = pep.declare_function(functions.SmoothConvexFunction, L=L)
    minimum, start = f.stationary_point(), pep.set_initial_point()
    pep.set_initial_condition((start - minimum) ** 2 <= 1)
    gradients: list[Any] = []
    for row in H[:-1]:
        gradients.append(f.gradient(_point(start, row, gradients)))
    pep.set_performance_metric(f(_point(start, H[-1], gradients)) - f(minimum))
    return float(pep.solve(verbose=0))


def _point(start: Any, weights: np.ndarray, gradients: list[Any]) -> Any:
    terms = (float(h) * g for h, g in zip(weights, gradients, strict=False))
    return sum(terms, start)
