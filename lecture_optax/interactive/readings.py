"""What is read off one run: its rate, its symptom, its modes; and the rate that theory predicts.

In the long run, a step of a linear method on a quadratic multiplies the distance to the minimum by
the spectral radius of the iteration matrix. The loops come from `theory`, compiled once for each
structure.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..theory.probes.iteration import first_unstable, radii
from ..theory.probes.loop import Family, Loop
from ..training.curves.learning_curve import learning_curve_of
from ..training.curves.symptoms import LEAST, symptom_of
from .expression import Expression, build, read
from .landscapes import Curvature, Landscape, curvature_at_minimum
from .simulation import Trace

FORMS: Mapping[str, str] = {
    "heavy ball": "lo.sgd(1.0, momentum=0.9)",
    "Nesterov": "lo.sgd(1.0, momentum=0.9, nesterov=True)",
}
"""The forms whose region of stability is drawn, for the learning rate 1."""

MEANINGS: Mapping[str, str] = {
    "diverging": "the loss ends far above its start, or far above its lowest value",
    "no progress": "late in the run, the loss is not clearly below its start",
    "oscillating": "the loss rises again and again in the second half, and decreases no further",
    "quick plateau": "nine tenths of the decrease came in the first 30 % of the steps; then the "
    "loss varies, and decreases no further",
    "converged": "late in the run, the loss decreases by less than 2 % of the whole decrease, or "
    "by less than it varies",
    "healthy": "the loss still decreases late in the run, by more than 2 % of the whole decrease",
    "uncertain": f"too few steps to tell ({LEAST - 1} are needed)",
}
"""What `symptom_of` says of one curve; late is from the second quarter of a run to the last."""

PRODUCTS = np.linspace(0.0, 4.0, 81)
MOMENTA = np.linspace(0.0, 1.0, 51)[:-1]

_EXACT = 1e-9

LEAST_STEPS = 10
"""A rate is measured over at least so many steps,"""

PIECES = 8
"""in so many pieces."""

_SMALLEST, _LARGEST = 1e-18, 1e18
"""The square of a distance beyond these is 0 or infinite in float32."""

_FLOOR = 4 * float(np.finfo(np.float32).eps)
"""The rounding floor of a distance to a minimum of size 1, where all curvatures are equal."""


class Readings(NamedTuple):
    """JSON values, and arrays by name."""

    record: dict[str, Any]
    arrays: dict[str, np.ndarray]


def readings_of(
    expression: Expression,
    landscape: Landscape,
    controls: Mapping[str, float],
    batch: int,
    trace: Trace,
) -> Readings:
    """Return what is read off the run of a method."""
    is_noisy = landscape.has_examples and batch < landscape.examples
    finite = np.isfinite(trace.loss)
    diverged_at = None if finite.all() else int(np.argmin(finite))
    record = {
        "has_average": expression.has_average,
        "diverged_at": diverged_at,
        "measured": None,
        "predicted": None,
        "symptom": _symptom(trace.loss, diverged_at),
    }
    if landscape.is_network:
        return Readings(record, {})
    curvature = curvature_at_minimum(landscape, controls)
    if not is_noisy:
        record["measured"] = _measured(trace, landscape, curvature)
    if landscape.is_quadratic:
        record["predicted"] = predicted(expression, curvature.values)
    with np.errstate(all="ignore"):  # a path that diverged
        modes = (trace.path - curvature.minimum) @ curvature.vectors
    return Readings(record, {"modes": modes})


def _symptom(losses: np.ndarray, diverged_at: int | None) -> dict[str, str]:
    """Return the name that `diagnose` has for the loss curve that is drawn, and its meaning."""
    name = symptom_of(learning_curve_of(losses)).name
    meaning = MEANINGS[name]
    if diverged_at is not None:
        meaning = f"the loss is not finite at step {diverged_at}"
    return {"name": name, "text": meaning}


def _measured(trace: Trace, landscape: Landscape, curvature: Curvature) -> float | None:
    """Return the factor by which the distance to the minimum changes per step, late in the run.

    Where the minimum is a saddle point, which a path leaves, it is the factor of √(loss - lowest).
    """
    if landscape.lowest is not None:
        distances = np.sqrt(np.maximum(trace.loss - landscape.lowest, 0.0))
        return rate_of(distances, floor=_FLOOR**0.5)
    minimum, values, _ = curvature
    size = max(np.abs(minimum).max(), 1.0 if landscape.has_examples else 0.0)
    distances = np.linalg.norm(trace.path - minimum, axis=1)
    return rate_of(distances, floor=max(_FLOOR * size * values[-1] / values[0], _SMALLEST))


def rate_of(distances: np.ndarray, floor: float) -> float | None:
    """Return the factor by which a distance changes per step, or None for too few steps.

    Of the steps before the distance reaches its rounding floor or overflows, the second half
    counts. Least squares on the largest distance of each of its pieces: a distance that oscillates
    touches its envelope there.
    """
    usable = (distances > floor) & (distances < _LARGEST)
    end = len(usable) if usable.all() else int(usable.argmin())
    begin = end // 2
    if end - begin < LEAST_STEPS:
        return None
    logs = np.log(distances[begin:end].astype(float))
    pieces = np.array_split(np.arange(len(logs)), min(PIECES, len(logs) // 2))
    tops = np.array([piece[logs[piece].argmax()] for piece in pieces])
    return float(np.exp(np.polyfit(tops, logs[tops], 1)[0]))


def predicted(expression: Expression, eigenvalues: np.ndarray) -> dict[str, Any] | None:
    """Return the rate of a method on a quadratic, or None if it is not linear or has a schedule.

    - `radii`: the spectral radius for each eigenvalue of the Hessian; `rate`: the largest.
    - `limit`: the learning rate above which it diverges.
    - `form`, `points`: of which region it is, and its (τλ, momentum) for each eigenvalue.
    """
    if expression.has_schedule:
        return None
    loop = _loop(expression.structure, expression.numbers)
    if loop is None:
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
    if τ < 0:  # it ascends
        return None, 0.0, 0.0
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
