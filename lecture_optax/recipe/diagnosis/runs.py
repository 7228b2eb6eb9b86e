"""The learning curves of an arm of a search, and of the runs in a log file."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ...training.curves.learning_curve import (
    HELD_OUT,
    Evaluations,
    FailedStep,
    LearningCurve,
    finite_evaluations,
    learning_curve_of,
    min_loss,
)
from ..population.curve import Curve


def curve_of(run: Any) -> LearningCurve:
    """Return the learning curve of an arm, or of a run in any form of `learning_curve_of`."""
    if not isinstance(run, Curve):
        return learning_curve_of(run)
    failed = run.failed and FailedStep(*run.failed, run.leaf)
    evaluations = [(0, 0.0), *((x.step, min_loss(x.raw, x.averaged)) for x in run.evaluations)]
    found = finite_evaluations(*zip(*evaluations, strict=True))
    found = found and found._replace(are_changes=True)
    means = np.asarray(run.means, np.float64)
    return LearningCurve(means, run.width, failed=failed, evaluations=found)


NUMBERS = ("loss", "grad_norm", "update_norm", "parameter")
"""The quantities of a log that may be not finite."""


def read_log(path: Path) -> list[LearningCurve]:
    """Return the runs of a log file in order; a smaller step than before begins a new run.

    The windows of a run are as wide as the widest of its lines.

    **Raises** `OSError` if the file cannot be read, `ValueError` for a line that is not a log
    line and for a run without losses.
    """
    runs: list[list[dict[str, Any]]] = []
    for line in _lines(path):
        if not runs or line["step"] < runs[-1][-1]["step"]:
            runs.append([])
        runs[-1].append(line)
    if not runs:
        raise ValueError(f"{path} must have a line for every evaluation of a run, got none.")
    return [_curve(path, lines) for lines in runs]


def _lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines as objects, without a last line that was cut off when the run was killed."""
    text = path.read_text()
    lines = text.splitlines()
    if lines and not text.endswith("\n"):
        lines = lines[:-1] if _object(lines[-1]) is None else lines
    found = [_object(line) for line in lines]
    if None in found:
        at = found.index(None)
        raise ValueError(
            f'every line of {path} must be {{"step": ..., "loss": ...}}, as in lo.fit(log=...), '
            f"got {lines[at][:60]!r} in line {at + 1}."
        )
    return [line for line in found if line is not None]


def _object(line: str) -> dict[str, Any] | None:
    """Return the object of a line if it has a step."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and _is_number(found.get("step")) else None


def _curve(path: Path, lines: list[dict[str, Any]]) -> LearningCurve:
    numbers = [(line["step"], name, line.get(name, 0)) for line in lines for name in NUMBERS]
    bad = [
        FailedStep(int(step), name)
        for step, name, x in numbers
        if _is_number(x) and not math.isfinite(x)
    ]
    failed = bad[0] if bad else None
    until = math.inf if failed is None else failed.step
    good = [line for line in lines if line["step"] < until and _is_number(line.get("loss"))]
    if not good and failed is None:
        raise ValueError(f'{path} must have the "loss" of a run, got none in {len(lines)} lines.')
    ends = np.array([line["step"] for line in good], np.int64)
    losses = np.array([line["loss"] for line in good], np.float64)
    width, means = _in_equal_windows(ends, losses)
    rate = _largest_rate(good)
    return LearningCurve(means, width, rate, failed=failed, evaluations=_evaluations(lines))


def _largest_rate(lines: list[dict[str, Any]]) -> float:
    """Return the largest learning rate of a run, or NaN without one.

    A line has the learning rate of the last step of its window. Where the first is the largest, the
    learning rate decays from the start, and that of the first step is as far above it as the second
    line is below, a step for a step.
    """
    rates = [
        (line["step"], x)
        for line in lines
        if _is_number(x := line.get("learning_rate", 0)) and x > 0
    ]
    largest = max([x for _, x in rates], default=math.nan)
    if len(rates) < 2 or rates[0][1] < largest:
        return largest
    (first, rate), (second, lower) = rates[:2]
    width = second - first
    return rate + (rate - lower) * (min(first, width) - 1) / width


def _evaluations(lines: list[dict[str, Any]]) -> Evaluations | None:
    seen = [
        (line["step"], [line[x] for x in HELD_OUT if _is_number(line.get(x))]) for line in lines
    ]
    evaluations = [(step, min_loss(found[0], found[-1])) for step, found in seen if found]
    return finite_evaluations(*zip(*evaluations, strict=True)) if evaluations else None


def _in_equal_windows(ends: np.ndarray, losses: np.ndarray) -> tuple[int, np.ndarray]:
    """Convert means of windows that end at `ends` to means of equal windows; drop the remainder.

    The first window counts as wide as the widest at most: the run may have begun in another file.
    """
    if not len(ends):
        return 1, losses
    widths = np.diff(ends)
    width = int(max(widths, default=ends[0]))
    widths = np.append(min(ends[0], width), widths)
    if (widths == width).all():
        return width, losses
    at = np.cumsum(np.append(0, widths))
    sums = np.cumsum(np.append(0.0, widths * losses))
    edges = np.arange(0, at[-1] + 1, width)
    return width, np.diff(np.interp(edges, at, sums)) / width


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)
