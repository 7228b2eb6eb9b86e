"""Learning curves: mean losses of equal windows, validation losses, and the failed step.

A curve comes from an array of losses, a `History`, or a result or error of `lo.fit`.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..loop.batch_statistics import has_statistics
from ..loop.nonfinite import NonFiniteError
from ..loop.run import History

HELD_OUT = ("valid_loss", "averaged_loss")
"""The validation losses of a record: of the raw weights, and of their average."""

LARGEST = 1e300
"""A larger loss counts as infinite, as a sum of such losses overflows."""


class FailedStep(NamedTuple):
    """The first step with a value that is not finite, the quantity, and the leaf.

    Steps count from 1; those of a log of another tool count as in that log. `leaf` is the key path
    of a gradient, an update or a parameter, or "".
    """

    step: int
    quantity: str
    leaf: str = ""

    def counted_in(self, unit: str) -> str:
        """Return what was not finite, and at which step or epoch."""
        what = f"{self.quantity}{self.leaf and f' of {self.leaf}'}"
        return f"{what} was not finite at {unit} {self.step}"

    def __str__(self) -> str:
        return self.counted_in("step")


class Evaluations(NamedTuple):
    """Validation losses by step: of the raw weights or of their average, whichever is lower.

    The average shows early what a decay of the learning rate reaches; it lags behind raw weights
    whose loss still decreases.

    `are_changes`: the losses are changes since the start, as an arm of a search records them.
    `before`: 1 for a log that counts from 0, whose step is one less than the one here.
    """

    steps: np.ndarray
    losses: np.ndarray
    are_changes: bool = False
    before: int = 0

    @property
    def by_step(self) -> dict[int, float]:
        return dict(zip(self.steps.tolist(), self.losses.tolist(), strict=True))


class LearningCurve(NamedTuple):
    """The losses of one run, as `diagnose` reads them.

    - `losses`: means of windows of `width` steps, in float64, up to the last finite one.
    - `rate`: the learning rate, NaN if it is not known.
    - `gradients`: |g| of each window, if it was recorded; interpolated between full records.
    - `failed`: the failure that ended the run, or None.
    - `evaluations`: validation losses during the run, or None.
    - `has_batch_statistics`: whether the model keeps running statistics, as BatchNorm does.
    - `unseen`: what its source does not show, with the reasons.
    - `unit`: what its log counts, "step" or "epoch".
    - `before`: window i = 0, 1, ... ends at step (i + 1) width - `before` of the log.
    - `logged_rate`: the largest learning rate in the log, NaN if it is not known.
    """

    losses: np.ndarray
    width: int = 1
    rate: float = np.nan
    gradients: np.ndarray | None = None
    failed: FailedStep | None = None
    evaluations: Evaluations | None = None
    has_batch_statistics: bool = False
    unseen: tuple[str, ...] = ()
    unit: str = "step"
    before: int = 0
    logged_rate: float = np.nan

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

    `run`: an array; a record with "loss"; or a `History`, result or error of `lo.fit`.

    **Raises** `TypeError` for any other type, `ValueError` without losses.
    """
    if isinstance(run, LearningCurve):
        return run
    if isinstance(run, NonFiniteError):
        history = run.run.history
        curve = learning_curve_of(history) if len(history) else LearningCurve(np.zeros(0))
        return curve._replace(failed=FailedStep(run.step + 1, run.quantity))
    found = getattr(run, "history", run)
    if not isinstance(found, Mapping | History):
        return _from_losses(found)
    state = getattr(run, "model_state", None)
    return _from_record(found)._replace(has_batch_statistics=has_statistics(state))


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
        raise ValueError(
            'curves: the record of a run must have the key "loss", with one number per step. A '
            "search has one curve for each of its arms: result.search.history."
        )
    curve = _from_losses(records["loss"])
    rate, gradients = np.nan, None
    if "learning_rate" in records and len(records["learning_rate"]):
        rates = np.asarray(records["learning_rate"], np.float64)
        rate = float(np.max(rates, where=np.isfinite(rates), initial=0.0)) or np.nan
    if "grad_norm" in records:
        gradients = _interpolated(np.asarray(records["grad_norm"], np.float64))
        gradients = gradients if gradients is None else gradients[: len(curve.losses)]
    return curve._replace(rate=rate, gradients=gradients, evaluations=evaluations_of(records))


def _interpolated(norms: np.ndarray) -> np.ndarray | None:
    """Return norms with the mean of their neighbours where they are NaN; None without any."""
    known = np.flatnonzero(~np.isnan(norms))
    return np.interp(np.arange(len(norms)), known, norms[known]) if len(known) else None


def evaluations_of(records: Any) -> Evaluations | None:
    """Return the validation losses in a history or a dict, or None without any."""
    seen = [records[name] for name in HELD_OUT if name in records and "step" in records]
    return finite_evaluations(records["step"], min_loss(seen[0], seen[-1])) if seen else None


def _from_losses(run: Any) -> LearningCurve:
    """Read an array of losses up to the first one that is not finite."""
    try:
        losses = np.asarray(run, np.float64)
    except (TypeError, ValueError, OverflowError):
        losses = None
    if losses is None or losses.ndim != 1:
        raise TypeError(
            "curves must be the losses of a run, one number per step; a history, result or "
            f"NonFiniteError of lo.fit; or a Curve of the recipe, got {type(run).__name__}"
            f"{'' if losses is None else f' of shape {losses.shape}'}."
        )
    if not len(losses):
        raise ValueError("curves must have one loss per step, got none.")
    finite = np.abs(losses) < LARGEST
    if finite.all():
        return LearningCurve(losses)
    good = int(np.argmin(finite))
    return LearningCurve(losses[:good], failed=FailedStep(good + 1, "loss"))
