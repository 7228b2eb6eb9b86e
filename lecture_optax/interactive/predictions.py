"""The rate that the theory predicts for a linear method on a quadratic.

In the long run, a step multiplies the distance to the minimum by the spectral radius of the
iteration matrix. The loops come from `theory`, compiled once for each structure.
"""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..theory.probes.iteration import first_unstable, radii
from ..theory.probes.loop import Family, Loop
from .expression import Expression, build, read

FORMS: Mapping[str, str] = {
    "heavy ball": "lo.sgd(1.0, momentum=0.9)",
    "Nesterov": "lo.sgd(1.0, momentum=0.9, nesterov=True)",
}
"""The forms whose region of stability is drawn, for the learning rate 1."""

PRODUCTS = np.linspace(0.0, 4.0, 81)
MOMENTA = np.linspace(0.0, 1.0, 51)[:-1]

_EXACT = 1e-9


def predicted(expression: Expression, eigenvalues: np.ndarray) -> dict[str, Any] | None:
    """Return the rate of a method on a quadratic, or None if it is not linear or has a schedule.

    - `radii`: the spectral radius for each eigenvalue of the Hessian; `rate`: the largest.
    - `limit`: the learning rate above which it diverges.
    - `form`, `points`: of which region it is, and its (τλ, momentum) for each eigenvalue.
    """
    loop = _loop(expression.structure, expression.numbers)
    if expression.has_schedule or loop is None:
        return None
    factors = radii(loop, eigenvalues)
    form, product, momentum = _form(loop)
    points = [[float(product * λ), momentum] for λ in eigenvalues]
    return {
        "radii": factors.tolist(),
        "rate": float(factors.max()),
        "limit": _limit(expression, eigenvalues),
        "form": form,
        "points": points if form else [],
    }


@functools.cache
def region(form: str) -> np.ndarray:
    """Return the spectral radius for each momentum (rows) and each product τλ (columns)."""
    structure = read(FORMS[form]).structure
    loops = (_family(structure).settled_loop((1.0, μ)) for μ in MOMENTA.tolist())
    return np.stack([radii(loop, PRODUCTS) for loop in loops])


@functools.lru_cache(64)
def _family(structure: str) -> Family:
    return Family(functools.partial(build, structure))


@functools.lru_cache(256)
def _loop(structure: str, numbers: tuple[float, ...]) -> Loop | None:
    """Return the loop of a method, or None if it is not linear."""
    try:
        return _family(structure).settled_loop(numbers)
    except ValueError:
        return None


def _form(loop: Loop) -> tuple[str | None, float, float]:
    """Return the form of a loop, its τ and its momentum.

    The characteristic polynomial of one step decides, so that every way to write a form counts:

        z² - (1 + μ - τλ) z + μ                 heavy ball
        z² - (1 + μ)(1 - τλ) z + μ (1 - τλ)     Nesterov
    """
    if len(loop.transition) > 2:
        return None, 0.0, 0.0
    (trace, det), (trace_1, det_1) = (_trace_and_det(loop, λ) for λ in (0.0, 1.0))
    μ, τ = det, trace - trace_1
    if _same(trace, 1 + μ) and _same(det_1, μ):
        return "heavy ball", τ, μ
    τ /= 1 + μ
    if _same(trace, 1 + μ) and _same(det_1, μ * (1 - τ)):
        return "Nesterov", τ, μ
    return None, 0.0, 0.0


def _trace_and_det(loop: Loop, λ: float) -> tuple[float, float]:
    matrix = loop.closed(np.array([[λ]]))
    return float(np.trace(matrix)), float(np.linalg.det(matrix)) if len(matrix) == 2 else 0.0


def _same(x: float, y: float) -> bool:
    return abs(x - y) <= _EXACT * max(1.0, abs(x), abs(y))


def _limit(expression: Expression, eigenvalues: np.ndarray) -> float | None:
    """Return the learning rate above which one of the eigenvalues diverges, or None."""
    named = [i for i, handle in enumerate(expression.handles) if handle.name == "learning_rate"]
    if len(named) != 1:
        return None
    i, numbers = named[0], expression.numbers
    limits = [
        _edge(expression.structure, numbers[:i], numbers[i + 1 :], λ) for λ in eigenvalues.tolist()
    ]
    return min(filter(np.isfinite, limits), default=None)


@functools.lru_cache(256)
def _edge(structure: str, before: tuple, after: tuple, λ: float) -> float:
    """Return the learning rate above which the eigenvalue λ diverges, or infinity.

    The iteration matrix of a method with one learning rate τ is M₀ + τ M₁. That does not depend on
    τ itself, so that it is computed once while the learning rate is dragged.
    """
    loops = [_loop(structure, (*before, τ, *after)) for τ in (1.0, 2.0, 3.0)]
    matrices = [loop.closed(np.array([[λ]])) for loop in loops if loop is not None]
    if len({matrix.shape for matrix in matrices}) != 1 or len(matrices) != len(loops):
        return np.inf
    one, two, three = matrices
    slope = two - one
    is_affine = np.abs(three - two - slope).max() <= _EXACT * np.abs(three).max()
    return first_unstable(one - slope, slope) if is_affine else np.inf
