"""The symptom of one learning curve: the first of these that fits.

    diverging     not finite, or at the end far above the start or the lowest loss
    no progress   no decrease beyond the noise: too small a learning rate, or a dead network
    overfitting   the validation loss rises, and the training loss does not
    oscillating   rises and falls by more than the noise, without a net decrease
    quick plateau no further decrease, and above a sibling's level or flat since an early step
    converged     no further decrease
    healthy       still decreases
    uncertain     too few steps

A curve shows the symptom; the comparison with siblings gives the remedy (`verdict.py`).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .learning_curve import Evaluations, FailedStep, LearningCurve
from .statistics import Estimate, blocks, cut, mean, scatter

LEAST = 12
"""The fewest windows for a symptom other than "diverging" and "uncertain"."""

PIECES = 16
"""The number of blocks of a curve."""

CLEAR = 3.0
"""Standard errors of a significant decrease."""

HIGH = 8.0
"""Standard errors above the start, or above the lowest loss, at which a curve diverges."""

RETURN = 0.2
"""A curve that has lost .2 of its largest decrease at its end diverges."""

VALIDATION_RISE = 0.05
"""A validation loss has risen if it is .05 of its lowest value, and of its decrease, above that;"""

GAP = 2.0
"""it is far above the training loss if it is more than twice as high."""

MOST = 0.95
"""A run can gain more if its decrease is below .95 of the largest one among its siblings."""

EARLY = 0.3
"""A plateau is quick if nine tenths of the decrease happened in the first .3 of the steps."""

DEAD = 1e-3
"""The gradient of a dead network, as a fraction of the first gradient."""

RISE, RISES = 7.0, 2
"""An oscillation is at least 2 rises of more than 7 standard errors of a block."""

STILL = 1e-3
"""Noise below .001 of the decrease does not count. A flat curve without noise has reached a
stationary point; with noise, the noise may prevent a further decrease."""

ROUNDING = 1e-7
"""A loss in float32 has changed if it differs by more than this, as a fraction of its size."""

NEWS = 0.02
"""A late decrease below .02 of the whole does not count."""


IDENTIFIERS = {
    "diverging": "LO201",
    "no progress": "LO202",
    "overfitting": "LO203",
    "oscillating": "LO204",
    "quick plateau": "LO205",
    "uncertain": "LO206",
    "converged": "LO207",
    "healthy": "LO208",
}
"""The identifiers of the symptoms, which no release changes. Up to LO205 they are problems."""


class ValidationLoss(NamedTuple):
    """The validation loss during a run.

    - `lowest`, at `step`; `last`: the mean of the last quarter of the evaluations.
    - `has_risen`: whether it is above its lowest by more than the margin and the noise.
    - `training_has_risen`: whether the training loss has risen since `step`.
    - `may_lag`: whether the model keeps running statistics, which may lag behind its parameters.
    - `unit`: what `step` counts, "step" or "epoch".
    """

    lowest: float
    step: int
    last: float
    has_risen: bool
    training_has_risen: bool
    may_lag: bool
    unit: str = "step"

    def __str__(self) -> str:
        return (
            f"the validation loss was lowest, {self.lowest:.3g}, at {self.unit} {self.step:,} and "
            f"has risen to {self.last:.3g}"
        )

    @property
    def doubt(self) -> str:
        """Another reason for a high validation loss, or ""."""
        return self.may_lag * (
            " (or the running statistics of BatchNorm lag behind: `result.report()` measures it)"
        )


class Symptom(NamedTuple):
    """The symptom of a curve, with the numbers behind it.

    - `name`: one of the eight above; `cause`: of "no progress", "dead" or "too large", or
      "too small" if a sibling with a larger learning rate decreases; else "".
    - `steps`: the length of the curve; `level`: its last quarter's mean; `start`: its first loss,
      or that of the sibling with the smallest learning rate, which moves least in the first window.
    - `decrease`: from the start to the level; `late`: from the second quarter to the level.
    - `settled`: the step by which nine tenths of the decrease had happened.
    - `rises`: how often it rose by more than the noise in the second half; `rise`: the largest.
    - `peak`: how far the first tenth rose above the start before it came back, else 0.
    - `failed`: the failure that ended the run, or None.
    - `lowest`, `lowest_step`: the lowest median of sixteen blocks, and the last step of that block;
      `end`: the median of the last fiftieth.
    - `validation`: what became of the validation loss, or None.
    - `unit`: what the log counts, "step" or "epoch"; `last`: the number of the last one. These, and
      `settled`, `lowest_step` and `failed.step`, are numbers as in the log.
    - `own_start`: its own first loss; the start, if the siblings begin with the same loss.
    """

    name: str
    cause: str
    steps: int
    start: float
    level: float
    decrease: Estimate
    late: Estimate
    settled: int
    rises: int
    rise: float
    peak: float
    failed: FailedStep | None
    lowest: float
    lowest_step: int
    end: float
    validation: ValidationLoss | None
    unit: str
    last: int
    own_start: float

    @property
    def identifier(self) -> str:
        """The stable identifier of the symptom, like "LO203"."""
        return IDENTIFIERS[self.name]

    @property
    def has_moved(self) -> bool:
        """Whether the level differs from the start by more than rounding."""
        return abs(self.decrease.value) > ROUNDING * abs(self.start)

    @property
    def has_risen(self) -> bool:
        """Whether the level is above the start by more than the noise."""
        return self.has_moved and -self.decrease.value > CLEAR * self.decrease.error

    @property
    def length(self) -> str:
        """The number of steps or epochs, with the unit."""
        return f"{self.steps:,} {self.unit}{'s' * (self.steps != 1)}"

    @property
    def origin(self) -> str:
        """The start, and whose it is if it is not the run's own."""
        start, own = f"{self.start:.3g}", f"{self.own_start:.3g}"
        return start if start == own else f"{start} (the start at the smallest learning rate)"

    @property
    def path(self) -> str:
        """How the loss rose, or what was not finite."""
        if self.failed:
            return self.failed.counted_in(self.unit)
        if self.start <= self.lowest:
            return f"rose from {self.origin} to {self.end:.3g} in {self.length}"
        return (
            f"rose from {self.lowest:.3g} near {self.unit} {self.lowest_step:,} to {self.end:.3g} "
            "at the end"
        )

    def __str__(self) -> str:
        return f"{self.name}{self.cause and f' ({self.cause})'}: {_PHRASES[self.name](self)}"


def symptom_of(curve: LearningCurve, most: float = 0.0, start: float | None = None) -> Symptom:
    """Return the symptom of a curve.

    `most`: the largest decrease among its siblings; `start`: the first loss, if a sibling shows it
    better.
    """
    read = _read(curve, start)
    name, cause = _named(read, curve, most)
    settled, lowest_step = read.settled - curve.before, read.lowest_step - curve.before
    return read._replace(name=name, cause=cause, settled=settled, lowest_step=lowest_step)


def start_of(x: np.ndarray) -> float:
    """Return the mean loss of the first fiftieth, or the first loss if the two clearly differ."""
    if not len(x):
        return np.nan
    opening = float(np.mean(x[: _opening(x)]))
    return float(x[0]) if abs(opening - x[0]) > HIGH * scatter(x) else opening


def late_part(x: np.ndarray) -> np.ndarray:
    """Return the last quarter, whose mean is the level of the curve."""
    return x[len(x) - max(1, len(x) // 4) :]


def _named(read: Symptom, curve: LearningCurve, most: float) -> tuple[str, str]:
    """Return the name and the cause of the first symptom that fits."""
    if read.failed is not None or _diverging(read, curve.losses, most):
        return "diverging", ""
    if len(curve.losses) < LEAST:
        return "uncertain", ""
    if _has_returned(read, curve.losses, most):
        return "diverging", ""
    if not (read.has_moved and read.decrease.exceeds(0.05 * most, CLEAR)):
        return "no progress", _cause(read, curve)
    if read.validation and read.validation.has_risen and not read.validation.training_has_risen:
        return "overfitting", ""
    if read.late.exceeds(NEWS * read.decrease.value, CLEAR):
        return "healthy", ""
    above = _above(read, curve.losses, most)
    if read.rises >= RISES and (above or not most):
        return "oscillating", ""
    return ("quick plateau" if above and read.settled <= EARLY * read.steps else "converged"), ""


def _read(curve: LearningCurve, start: float | None) -> Symptom:
    """Compute all numbers of the symptom, without its name."""
    x = curve.losses
    own_start = start_of(x)
    start = own_start if start is None else start
    level, noise = mean(late_part(x)), scatter(x)
    before, pieces = mean(x[len(x) // 4 : len(x) // 2]), blocks(x, PIECES)
    error = float(np.hypot(level.error, noise / np.sqrt(_opening(x))))
    ups = np.diff(pieces[len(pieces) // 2 :])
    large = ups[ups > RISE * noise / np.sqrt(max(1, len(x) // PIECES))]
    late = Estimate(before.value - level.value, float(np.hypot(before.error, level.error)))
    medians = _medians(x)
    low = int(medians.argmin()) if len(x) else 0
    return Symptom(
        name="uncertain",
        cause="",
        steps=curve.steps,
        start=start,
        level=level.value,
        decrease=Estimate(start - level.value, error),
        late=late,
        settled=_settled(pieces, start, level.value) * curve.steps // max(1, len(pieces)),
        rises=len(large),
        rise=float(large.max(initial=0.0)),
        peak=_peak(x, start, level.value, noise),
        failed=curve.failed,
        lowest=float(medians[low]) if len(x) else np.nan,
        lowest_step=(low + 1) * curve.steps // max(1, len(medians)),
        end=float(np.median(x[-max(5, _opening(x)) :])) if len(x) else np.nan,
        validation=_validation(curve),
        unit=curve.unit,
        last=curve.steps - curve.before,
        own_start=own_start,
    )


def _diverging(read: Symptom, x: np.ndarray, most: float) -> bool:
    """Return whether the last two of eight blocks are far above the start.

    Their medians ignore rare spikes. A curve that leaps at every step looks like noise to medians,
    so the means count where no loss of the last quarter is back at the start.
    """
    pieces = cut(x, PIECES // 2)
    if len(pieces) < 4 or read.late.exceeds(0.0, CLEAR):
        return False
    noise = scatter(x[: max(LEAST, len(x) // 4)]) / np.sqrt(_opening(x))
    least = max(HIGH * noise, most)
    if _is_far_above(read.start, np.median(pieces, axis=1), least):
        return True
    stays = late_part(x).min() > read.start
    return bool(stays and _is_far_above(read.start, pieces.mean(1), least))


def _is_far_above(start: float, pieces: np.ndarray, least: float) -> bool:
    """Return whether the last two blocks are above the start by more than any block is below."""
    return bool(pieces[-2:].min() - start > max(least, start - pieces.min()))


def _has_returned(read: Symptom, x: np.ndarray, most: float) -> bool:
    """Return whether the end is far above the lowest loss, and not as one swing among others.

    Below the start, the last of sixteen blocks must be as high as the last fiftieth is.
    The largest earlier rise counts from the highest loss on: a peak at the start came back.
    """
    medians = _medians(x)
    end = read.end if read.end > read.start else min(read.end, float(medians[-1]))
    rise, noise = end - read.lowest, scatter(x) / np.sqrt(max(5, _opening(x)))
    gain = max(most, read.start - read.lowest)
    least = max(HIGH * noise, HIGH * scatter(medians), RETURN * gain)
    before = medians[: medians.argmin() + 1]
    before = before[before.argmax() :]
    swing = float((before - np.minimum.accumulate(before)).max())
    return bool(rise > max(least, swing))


def _medians(x: np.ndarray) -> np.ndarray:
    return np.median(cut(x, PIECES), axis=1)


def _validation(curve: LearningCurve) -> ValidationLoss | None:
    """Return what became of the validation loss, or None where only its changes are known."""
    seen = curve.evaluations
    if seen is None or seen.are_changes:
        return None
    steps, losses = seen.steps, seen.losses
    at, last = int(losses.argmin()), float(late_part(losses).mean())
    noise, low = 0.0, float(losses[at])
    if len(losses) >= LEAST:  # the lowest of many noisy losses is lower than the curve
        noise = CLEAR * scatter(losses)
        low = float(np.median(sliding_window_view(losses, 3), axis=1).min())
    margin = max(VALIDATION_RISE * max(abs(low), losses[0] - low), noise)
    after = losses[at + 1 :]  # a loss that still decreases is below the mean of its last quarter
    before, end = (_until(curve, seen, i) for i in (at, len(steps) - 1))
    error = np.hypot(before.error, end.error)
    return ValidationLoss(
        lowest=float(losses[at]),
        step=int(steps[at]) - seen.before,
        last=last,
        has_risen=bool(len(after) and min(last, float(after.mean())) - low > margin),
        training_has_risen=bool(
            end.value - before.value > (CLEAR * error if np.isfinite(error) else 0.0)
        ),
        may_lag=curve.has_batch_statistics,
        unit=curve.unit,
    )


def _until(curve: LearningCurve, seen: Evaluations, i: int) -> Estimate:
    """Return the mean training loss between an evaluation and the one before it."""
    steps = np.maximum(0, seen.steps - seen.before + curve.before)
    begin, end = (steps[i - 1] if i else 0), steps[i]
    return mean(curve.losses[begin // curve.width : max(1, end // curve.width)])


def _above(read: Symptom, x: np.ndarray, most: float) -> bool:
    """Return whether the run can gain more: up to a sibling's decrease, or what noise may hide."""
    if most:
        return read.decrease.value < MOST * most
    return scatter(late_part(x)) > STILL * read.decrease.value


def _cause(read: Symptom, curve: LearningCurve) -> str:
    """Return the cause of no progress: a level above the start, or a vanished gradient."""
    if read.has_risen:
        return "too large"
    g = curve.gradients
    if g is not None and len(g) >= LEAST and late_part(g).mean() <= DEAD * g[0]:
        return "dead"
    return ""


def _settled(pieces: np.ndarray, start: float, level: float) -> int:
    """Return the first block by which nine tenths of the decrease had happened."""
    low = pieces <= start - 0.9 * (start - level)
    return int(np.argmax(low)) + 1 if low.any() else len(pieces)


def _peak(x: np.ndarray, start: float, level: float, noise: float) -> float:
    """Return how far the first tenth rose above the start before it came back, else 0."""
    first = blocks(x[: max(1, len(x) // 10)], 4)
    above = float(first.max() - start) if len(first) else 0.0
    clear = above > max(HIGH * noise, start - level) and level < start
    return above if clear else 0.0


def _opening(x: np.ndarray) -> int:
    return max(1, len(x) // 50)


def _descent(s: Symptom) -> str:
    return f"decreased from {s.origin} to {s.level:.3g}, by {s.late} in the second half{_gap(s)}"


def _change(s: Symptom) -> str:
    if not s.has_moved:
        return f"stayed at {s.origin} for {s.length}"
    verb = "decreased" if s.decrease.value > 0 else "rose"
    change = s.decrease._replace(value=abs(s.decrease.value))
    return f"{verb} by {change} from {s.origin} in {s.length}"


def _gap(s: Symptom) -> str:
    """Return how far the validation loss is above the training loss, where it is far."""
    if s.validation is None or not s.validation.last > GAP * s.level > 0:
        return ""
    return (
        f"; the validation loss, {s.validation.last:.3g}, is {s.validation.last / s.level:.2g} "
        f"times as high{s.validation.doubt}"
    )


_PHRASES: dict[str, Callable[[Symptom], str]] = {
    "diverging": lambda s: s.path,
    "no progress": _change,
    "overfitting": lambda s: (
        f"{s.validation}, while the training loss is {s.level:.3g}"
        f"{s.validation.doubt if s.validation else ''}"
    ),
    "oscillating": lambda s: (
        f"rose {s.rises} times in the second half of {s.length}, by up to {s.rise:.2g}"
    ),
    "quick plateau": lambda s: (
        f"near {s.level:.3g} since {s.unit} {s.settled:,} of {s.last:,}{_gap(s)}"
    ),
    "converged": _descent,
    "healthy": _descent,
    "uncertain": lambda s: f"{s.length} {'is' if s.steps == 1 else 'are'} too few",
}
