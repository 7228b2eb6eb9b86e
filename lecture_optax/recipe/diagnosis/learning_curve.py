"""Learning curves: mean losses of equal windows, validation losses, and the failed step.

A curve comes from an array of losses, a `History`, a result or error of `lo.fit`, a `Curve` of the
recipe, or a log file.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...training.loop.nonfinite import NonFiniteError
from ...training.loop.run import History
from ..population.curve import Curve

HELD_OUT = ("valid_loss", "averaged_loss")
"""The validation losses of a record: of the raw weights, and of their average."""

LARGEST = 1e300
"""A larger loss counts as infinite, as a sum of such losses overflows."""


class FailedStep(NamedTuple):
    """The first step with a value that is not finite, the quantity, and the leaf.

    Steps count from 1. `leaf` is the key path of a gradient, an update or a parameter, or "".
    """

    step: int
    quantity: str
    leaf: str = ""

    def __str__(self) -> str:
        return (
            f"{self.quantity}{self.leaf and f' of {self.leaf}'} was not finite at step {self.step}"
        )


class Evaluations(NamedTuple):
    """Validation losses by step: of the raw weights or of their average, whichever is lower.

    The average shows early what a decay of the learning rate reaches; it lags behind raw weights
    whose loss still decreases.
    """

    steps: np.ndarray
    losses: np.ndarray

    @property
    def by_step(self) -> dict[int, float]:
        return dict(zip(self.steps.tolist(), self.losses.tolist(), strict=True))


class LearningCurve(NamedTuple):
    """The losses of one run, as `diagnose` reads them.

    - `losses`: means of windows of `width` steps, in float64, up to the last finite one.
    - `rate`: the learning rate, NaN if it is not known.
    - `gradients`: |g| of each window, if it was recorded.
    - `failed`: the failure that ended the run, or None.
    - `evaluations`: validation losses during the run, or None.
    """

    losses: np.ndarray
    width: int = 1
    rate: float = np.nan
    gradients: np.ndarray | None = None
    failed: FailedStep | None = None
    evaluations: Evaluations | None = None

    @property
    def steps(self) -> int:
        return len(self.losses) * self.width

    def coarser(self, width: int) -> "LearningCurve":
        """Return the curve in windows of `width` steps, a multiple of its own width."""
        times = width // self.width
        whole = len(self.losses) // times
        losses = self.losses[: whole * times].reshape(whole, times).mean(1)
        return self._replace(losses=losses, width=width)


def learning_curve_of(run: Any) -> LearningCurve:
    """Convert the losses of a run, in any of their forms, to a `LearningCurve`.

    `run`: an array; a record with "loss"; a `History`, result or error of `lo.fit`; or the curve of
    an arm.

    **Raises** `TypeError` for any other type, `ValueError` without losses.
    """
    if isinstance(run, LearningCurve):
        return run
    if isinstance(run, Curve):
        failed = run.failed and FailedStep(*run.failed, run.leaf)
        evaluations = [(0, 0.0), *((x.step, min_loss(x.raw, x.averaged)) for x in run.evaluations)]
        found = finite_evaluations(*zip(*evaluations, strict=True))
        means = np.asarray(run.means, np.float64)
        return LearningCurve(means, run.width, failed=failed, evaluations=found)
    if isinstance(run, NonFiniteError):
        history = run.run.history
        curve = learning_curve_of(history) if len(history) else LearningCurve(np.zeros(0))
        return curve._replace(failed=FailedStep(run.step + 1, run.quantity))
    found = getattr(run, "history", run)
    if isinstance(found, Mapping | History):
        return _from_record(found)
    return _from_losses(found)


def finite_evaluations(steps: Any, losses: Any) -> Evaluations | None:
    """Return the finite validation losses, or None without any."""
    steps, losses = np.asarray(steps, np.int64), np.asarray(losses, np.float64)
    taken = np.isfinite(losses)
    return Evaluations(steps[taken], losses[taken]) if taken.any() else None


def min_loss(raw: Any, averaged: Any) -> Any:
    """Return the lower of two losses. NaN means not evaluated; an infinite raw loss stays."""
    return np.where(np.isinf(raw), raw, np.fmin(raw, averaged))


def to_common_width(curves: Mapping[float, LearningCurve]) -> dict[float, LearningCurve]:
    """Return the curves in windows of one common width."""
    width = math.lcm(*(curve.width for curve in curves.values()))
    return {ratio: curve.coarser(width) for ratio, curve in curves.items()}


def _from_record(records: Any) -> LearningCurve:
    """Read the columns of a history or a dict."""
    if "loss" not in records:
        raise ValueError('the record of a run must have the key "loss", with one number per step.')
    curve = _from_losses(records["loss"])
    rate, gradients = np.nan, None
    if "learning_rate" in records and len(records["learning_rate"]):
        rates = np.asarray(records["learning_rate"], np.float64)
        rate = float(np.max(rates, where=np.isfinite(rates), initial=0.0)) or np.nan
    if "grad_norm" in records:
        gradients = np.asarray(records["grad_norm"], np.float64)[: len(curve.losses)]
    seen = [records[name] for name in HELD_OUT if name in records and "step" in records]
    evaluations = finite_evaluations(records["step"], min_loss(seen[0], seen[-1])) if seen else None
    return curve._replace(rate=rate, gradients=gradients, evaluations=evaluations)


def _from_losses(run: Any) -> LearningCurve:
    """Read an array of losses up to the first one that is not finite."""
    try:
        losses = np.asarray(run, np.float64)
    except (TypeError, ValueError):
        losses = None
    if losses is None or losses.ndim != 1:
        raise TypeError(
            "a curve must be the losses of a run, one number per step; a history, result or "
            f"NonFiniteError of lo.fit; or a Curve of the recipe, got {type(run).__name__}"
            f"{'' if losses is None else f' of shape {losses.shape}'}."
        )
    if not len(losses):
        raise ValueError("a curve must have one loss per step, got none.")
    finite = np.abs(losses) < LARGEST
    if finite.all():
        return LearningCurve(losses)
    good = int(np.argmin(finite))
    return LearningCurve(losses[:good], failed=FailedStep(good + 1, "loss"))


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
    rates = [x for line in good if _is_number(x := line.get("learning_rate", 0)) and x > 0]
    ends = np.array([line["step"] for line in good], np.int64)
    losses = np.array([line["loss"] for line in good], np.float64)
    width, means = _in_equal_windows(ends, losses)
    rate = max(rates, default=math.nan)
    return LearningCurve(means, width, rate, failed=failed, evaluations=_evaluations(lines))


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
