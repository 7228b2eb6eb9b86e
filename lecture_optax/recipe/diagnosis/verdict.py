"""The remedy for a run: its loss compared with those of siblings at other learning rates.

Two runs are compared by validation losses if both were evaluated at the same step, otherwise batch
by batch.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from ...training.curves.learning_curve import LearningCurve
from ...training.curves.statistics import Estimate, mean, scatter
from ...training.curves.symptoms import Symptom, late_part

Remedy = Literal["increase", "keep", "decrease", "warmup", "uncertain"]

ERRORS = 2.0
"""Standard errors of a significant paired difference of training losses."""

MARGIN = 0.02
"""A training loss is lower if it is lower by .02 of the largest decrease,"""

HELD_OUT_MARGIN = 0.01
"""and a validation loss by .01 of it, as all runs are evaluated on the same examples."""

LASTING = 2
"""The last evaluations, in a row, at which a sibling must be lower. On the development problems 2
cost 1 % of the right answers after 10 % of the steps; 3 cost 3 %, for no fewer opposite ones."""

STILL = 0.1
"""On a plateau a smaller learning rate has a lower loss as it moves less. Nothing has been learned
if no loss decreased as far as this run rose, and that by less than .1 of the noise of a batch."""


class Comparison(NamedTuple):
    """A sibling at `ratio` times the learning rate, at the same steps on the same batches.

    - `difference`: its loss minus this run's, infinite if it diverged: the validation loss of the
      last evaluation that both have, without an error, or the training loss of the last quarter.
    - `held_out`: whether it is the validation loss.
    - `gain`: the largest decrease of that loss in any run, the unit of differences;
      `rise`: how far this run is above its start.
    - `lasts`: whether the last `LASTING` evaluations that both have agree which loss is lower.
    """

    ratio: float
    difference: Estimate
    held_out: bool
    gain: float
    rise: float
    lasts: bool = True

    @property
    def decades(self) -> float:
        """The distance of the sibling, in decades of the learning rate."""
        return float(np.log10(self.ratio))

    @property
    def is_lower(self) -> bool:
        """Whether the sibling is lower than the run by more than the margin and the error."""
        return _is_clear(-self.difference.value, self)

    @property
    def is_higher(self) -> bool:
        """Whether the sibling is higher than the run by more than the margin and the error."""
        return _is_clear(self.difference.value, self)

    def __str__(self) -> str:
        if self.difference.value == np.inf:
            return f"{times(self.ratio)} diverges"
        if self.difference.value == 0:
            return f"{times(self.ratio)} is equally low"
        direction = "higher" if self.difference.value > 0 else "lower"
        size = self.difference._replace(value=abs(self.difference.value))
        if self.held_out:
            return f"{times(self.ratio)} is {size.value:.3g} {direction} in validation loss"
        if np.isnan(size.value):
            return f"{times(self.ratio)} stays finite"
        if size.error == np.inf:
            return f"{times(self.ratio)} is {size.value:.3g} {direction}, in too few common losses"
        return f"{times(self.ratio)} is {size} {direction}"


def times(ratio: float) -> str:
    """Return how a learning rate changes, as text.

    ```python
    >>> from lecture_optax.recipe.diagnosis.verdict import times
    >>> times(100), times(3.162), times(0.1), times(1 / 30)
    ('× 100', '× 3.2', '÷ 10', '÷ 30')

    ```
    """
    sign, size = ("×", ratio) if ratio > 1 else ("÷", 1 / ratio)
    return f"{sign} {size:.2g}" if size < 99.5 else f"{sign} {size:.0f}"


class Verdict(NamedTuple):
    """A remedy for the learning rate, and the siblings that support it.

    - `remedy`: "increase", "keep", "decrease", "warmup", or "uncertain": without siblings, if no
      learning rate has learned anything, or if a sibling was lower at the last evaluation only.
    - `is_significant`: whether the siblings differ by more than the margin and the error.
    - `below`, `above`: the siblings compared, at a smaller and at a larger learning rate.
    - `gain`: the largest decrease among all runs, the unit of differences.
    """

    remedy: Remedy
    is_significant: bool
    below: Comparison | None
    above: Comparison | None
    gain: float

    @property
    def factor(self) -> float | None:
        """The factor for the learning rate: 10, 1 or 0.1; None if the remedy is another one."""
        return {"increase": 10.0, "keep": 1.0, "decrease": 0.1}.get(self.remedy)

    @property
    def compared(self) -> list[Comparison]:
        """The siblings compared, the larger learning rate first."""
        return [x for x in (self.above, self.below) if x]

    def phrase(self) -> str:
        """Return the remedy and its evidence, short enough for the cell of a table."""
        evidence = [str(x) for x in self.compared if np.isfinite(x.difference.error)]
        if self.remedy == "uncertain":
            return "uncertain: run longer" if self.compared else "no sibling to compare with"
        doubt = "" if self.is_significant else " (not significant)"
        return f"{self.remedy}{doubt}{': ' if evidence else ''}{'; '.join(evidence)}"

    def __str__(self) -> str:
        evidence = "; ".join(map(str, self.compared))
        return f"{self._advice}{evidence and f': {evidence}'}."

    @property
    def _advice(self) -> str:
        if self.remedy == "uncertain" and self.compared:
            return "Uncertain: run longer, as no learning rate is reliably better yet"
        sibling = self.above if self.remedy == "increase" else self.below
        if self.remedy in _DIRECTIONS and sibling and not 0.5 <= abs(sibling.decades) <= 1.5:
            return f"{_DIRECTIONS[self.remedy]} the learning rate"
        return _ADVICE[self.remedy]


_DIRECTIONS: Mapping[Remedy, str] = {"increase": "Increase", "decrease": "Decrease"}
"""The advice if the sibling is not about a factor of 10 away."""

_ADVICE: Mapping[Remedy, str] = {
    "increase": "Multiply the learning rate by 10",
    "keep": "Keep the learning rate",
    "decrease": "Divide the learning rate by 10",
    "warmup": "Keep the learning rate and add a warmup, as the loss rose at first and came back",
    "uncertain": "One run is not enough for a recommendation: compare it with runs at 10 and 0.1 "
    "times its learning rate, such as `recipe.fork` makes",
}


def verdict_of(symptom: Symptom, curves: Mapping[float, LearningCurve], gain: float) -> Verdict:
    """Return the remedy; `curves` by learning rate, in units of that of the run, which is at 1."""
    found = compare_to_siblings(curves, gain, symptom.start)
    below = _informative([found[r] for r in sorted(found, reverse=True) if r < 1])
    above = _informative([found[r] for r in sorted(found) if r > 1])
    remedy, is_significant = _remedy(symptom, below, above, gain, _noise(curves))
    return Verdict(remedy, is_significant, below, above, gain)


def compare_to_siblings(
    curves: Mapping[float, LearningCurve], gain: float, start: float
) -> dict[float, Comparison]:
    """Compare the run, at 1, with every sibling; `gain` and `start` are of the training loss."""
    evaluated = [
        x.evaluations.losses
        for _, x in sorted(curves.items())
        if x.evaluations is not None and x.failed is None
    ]
    # the run with the smallest learning rate has moved least
    first = float(evaluated[0][0]) if evaluated else np.nan
    held_out_gain = max([0.0, *(first - float(x[-1]) for x in evaluated)])
    own = curves[1.0]
    rise = mean(late_part(own.losses)).value - start
    return {
        r: _by_evaluations(r, own, x, held_out_gain, first) or _by_batches(r, own, x, gain, rise)
        for r, x in curves.items()
        if r != 1.0
    }


def _by_batches(
    ratio: float, own: LearningCurve, other: LearningCurve, gain: float, rise: float
) -> Comparison:
    """Compare training losses over the common steps; a sibling that diverged is infinitely high."""
    if other.failed is not None:
        return Comparison(ratio, Estimate(np.inf, 0.0), False, gain, rise)
    steps = min(len(own.losses), len(other.losses))
    x, y = own.losses[:steps], other.losses[:steps]
    return Comparison(ratio, mean(late_part(y) - late_part(x)), False, gain, rise)


def _by_evaluations(
    ratio: float, own: LearningCurve, other: LearningCurve, gain: float, first: float
) -> Comparison | None:
    """Compare validation losses at the last common evaluation, or return None without one."""
    if other.failed is not None or own.evaluations is None or other.evaluations is None:
        return None
    x, y = own.evaluations.by_step, other.evaluations.by_step
    steps = sorted({*x} & {*y} - {0})[-LASTING:]
    if not steps:
        return None
    differences = [y[step] - x[step] for step in steps]
    lasts = len({*np.sign(differences)}) == 1
    return Comparison(
        ratio, Estimate(differences[-1], 0.0), True, gain, x[steps[-1]] - first, lasts
    )


def _is_clear(size: float, x: Comparison) -> bool:
    if x.held_out:
        return bool(size > HELD_OUT_MARGIN * x.gain)
    return x.difference._replace(value=size).exceeds(MARGIN * x.gain, ERRORS)


def _remedy(
    symptom: Symptom,
    below: Comparison | None,
    above: Comparison | None,
    gain: float,
    noise: float,
) -> tuple[Remedy, bool]:
    """Return the remedy, and whether it is significant."""
    compared = [x for x in (below, above) if x is not None]
    is_finite = below is not None and bool(np.isfinite(below.difference.value))
    if symptom.name == "diverging" and (
        symptom.failed or not (below and is_finite and below.is_higher)
    ):
        return "decrease", is_finite
    if all(np.isinf(x.difference.error) for x in compared):
        return "uncertain", False
    lower = [x for x in compared if x.is_lower]
    if lower:
        lowest = min(lower, key=lambda x: x.difference.value)
        is_still = lowest.ratio < 1 and lowest.gain <= lowest.rise < STILL * noise
        if is_still or not lowest.lasts:
            return "uncertain", False
        return "decrease" if lowest.ratio < 1 else "increase", True
    best = len(compared) == 2 and all(x.is_higher for x in compared)
    flat = symptom.name == "no progress" and gain < ERRORS * symptom.decrease.error
    if flat and len(compared) == 2 and not best:
        return "uncertain", False
    return "warmup" if symptom.peak > 0 else "keep", best


def _noise(curves: Mapping[float, LearningCurve]) -> float:
    """Return the smallest noise of a batch's loss: a large learning rate adds noise."""
    found = [scatter(x.losses) * np.sqrt(x.width) for x in curves.values() if len(x.losses) > 1]
    return float(min(found, default=0.0))


def _informative(siblings: list[Comparison]) -> Comparison | None:
    """Return the nearest sibling that is lower, otherwise the nearest."""
    return next((x for x in siblings if x.is_lower), siblings[0] if siblings else None)
