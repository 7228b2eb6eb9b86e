"""What is read off one run: its rate, its symptom, its modes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..training.curves.learning_curve import learning_curve_of
from ..training.curves.symptoms import symptom_of
from .expression import Expression
from .landscapes import Curvature, Landscape, curvature_at_minimum
from .predictions import predicted
from .simulation import Trace

LEAST_STEPS = 10
"""A rate is measured over at least so many steps,"""

PIECES = 8
"""in so many pieces."""

_SMALLEST, _LARGEST = 1e-18, 1e18
"""The square of a distance beyond these is 0 or infinite in float32."""

_FLOOR = 1e-6
"""The rounding floor of a distance, for a minimum of size 1 in float32."""


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
    record = {
        "has_average": expression.has_average,
        "diverged_at": None if finite.all() else int(np.argmin(finite)),
        "measured": None,
        "predicted": None,
        "symptom": _symptom(trace.batch_loss),
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


def _symptom(losses: np.ndarray) -> dict[str, str]:
    """Return what `diagnose` reads in a loss curve."""
    symptom = symptom_of(learning_curve_of(losses))
    return {"name": symptom.name, "text": str(symptom)}


def _measured(trace: Trace, landscape: Landscape, curvature: Curvature) -> float | None:
    """Return the factor by which the distance to the minimum changes per step, late in the run.

    Where the minimum is a saddle point, which a path leaves, it is the factor of √(loss - lowest).
    """
    if landscape.lowest is not None:
        distances = np.sqrt(np.maximum(trace.loss - landscape.lowest, 0.0))
        return rate_of(distances, floor=_FLOOR**0.5)
    distances = np.linalg.norm(trace.path - curvature.minimum, axis=1)
    return rate_of(distances, floor=max(_FLOOR * np.abs(curvature.minimum).max(), _SMALLEST))


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
