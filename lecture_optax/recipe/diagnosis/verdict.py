"""How much lower is a sibling than a run? On held-out rows where both looked, or batch by batch."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .learning_curve import Evaluations, Track
from .statistics import Estimate, mean, scatter
from .symptoms import Symptom, late_part

ERRORS = 2.0
"""Standard errors of a paired difference of training losses that is one."""

MARGIN = 0.02
"""A sibling must be lower by .02 of the largest fall, on the training loss,"""

HELD_OUT_MARGIN = 0.01
"""or by .01 of it on held-out rows, which are the same ones."""


class Beside(NamedTuple):
    """A sibling at `ratio` times the rate, at the same steps on the same batches.

    - `higher`: its loss less this run's; infinite where it exploded. On held-out rows at the last
      look that both have (with no error: the rows are the same), or else the training loss over
      the last quarter.
    - `held_out`: which of them.
    - `gain`: the largest fall of any run in that loss, in which differences are large or small;
      `rise`: how far this run is above where it began.
    """

    ratio: float
    higher: Estimate
    held_out: bool
    gain: float
    rise: float

    @property
    def is_lower(self) -> bool:
        """Than the run, by more than the margin and the error."""
        return _clear(-self.higher.value, self)

    @property
    def is_higher(self) -> bool:
        return _clear(self.higher.value, self)

    def __str__(self) -> str:
        if self.higher.value == np.inf:
            return f"{times(self.ratio)} explodes"
        if self.higher.value == 0:
            return f"{times(self.ratio)} is as low"
        way = "higher" if self.higher.value > 0 else "lower"
        size = self.higher._replace(value=abs(self.higher.value))
        if self.held_out:
            return f"{times(self.ratio)} is {size.value:.3g} {way} on held-out rows"
        return f"{times(self.ratio)} is {size} {way}"


def times(ratio: float) -> str:
    """How a rate is changed, in words.

    ```python
    >>> from lecture_optax.recipe.diagnosis.verdict import times
    >>> times(100), times(3.162), times(0.1), times(1 / 30)
    ('× 100', '× 3.2', '÷ 10', '÷ 30')

    ```
    """
    sign, size = ("×", ratio) if ratio > 1 else ("÷", 1 / ratio)
    return f"{sign} {size:.2g}" if size < 99.5 else f"{sign} {size:.0f}"


def besides(tracks: Mapping[float, Track], gain: float, start: float) -> dict[float, Beside]:
    """Every sibling beside the run, which is at 1; `gain` and `start` of the training loss."""
    own, first, seen = tracks[1.0], _first_evaluation(tracks), _held_out_gain(tracks)
    rise = mean(late_part(own.losses)).value - start
    return {
        r: _on_held_out(r, own, x, seen, first) or _by_batches(r, own, x, gain, rise)
        for r, x in tracks.items()
        if r != 1.0
    }


def _by_batches(ratio: float, own: Track, other: Track, gain: float, rise: float) -> Beside:
    """A sibling over the steps that both have; exploded, or the other did: all or nothing."""
    if other.failed is not None:
        return Beside(ratio, Estimate(np.inf, 0.0), False, gain, rise)
    steps = min(len(own.losses), len(other.losses))
    x, y = own.losses[:steps], other.losses[:steps]
    return Beside(ratio, mean(late_part(y) - late_part(x)), False, gain, rise)


def _on_held_out(
    ratio: float, own: Track, other: Track, gain: float, first: float
) -> Beside | None:
    """At the last look that both have; None where there is none, or the other exploded."""
    if other.failed is not None or own.evaluations is None or other.evaluations is None:
        return None
    x, y = own.evaluations.by_step, other.evaluations.by_step
    step = max({*x} & {*y} - {0}, default=None)
    if step is None:
        return None
    return Beside(ratio, Estimate(y[step] - x[step], 0.0), True, gain, x[step] - first)


def _first_evaluation(tracks: Mapping[float, Track]) -> float:
    """Where held-out losses begin: the smallest rate has moved least from there."""
    evaluations = _evaluations(tracks)
    return float(evaluations[min(evaluations)].losses[0]) if evaluations else np.nan


def _held_out_gain(tracks: Mapping[float, Track]) -> float:
    """From the first look to the lowest of the last ones."""
    lasts = [x.losses[-1] for x in _evaluations(tracks).values()]
    return max(0.0, float(_first_evaluation(tracks) - min(lasts))) if lasts else 0.0


def _evaluations(tracks: Mapping[float, Track]) -> dict[float, Evaluations]:
    return {
        r: x.evaluations
        for r, x in tracks.items()
        if x.evaluations is not None and x.failed is None
    }


def _clear(size: float, x: Beside) -> bool:
    if x.held_out:
        return bool(size > HELD_OUT_MARGIN * x.gain)
    return x.higher._replace(value=size).exceeds(MARGIN * x.gain, ERRORS)


STILL = 0.1
"""On a plateau a smaller rate is lower because it stands still: nothing fell as far as this run
rose, and it rose by less than .1 of the noise of a batch."""


class Verdict(NamedTuple):
    """What to do with the rate, and what says so.

    - `remedy`: "increase", "keep", "decrease", "warmup", "switch_optimizer" (no rate helps: another optimizer), or
      "uncertain" where no sibling was given.
    - `is_significant`: whether the siblings differ by more than `ERRORS` standard errors and `MARGIN`.
    - `below`, `above`: the siblings that were asked, at smaller and larger rates.
    - `gain`: the largest fall among all, in which differences are large or small.
    """

    remedy: str
    is_significant: bool
    below: Beside | None
    above: Beside | None
    gain: float

    @property
    def factor(self) -> float | None:
        """By which to multiply the rate; None where that is not the remedy."""
        return {"increase": 10.0, "keep": 1.0, "decrease": 0.1}.get(self.remedy)

    def __str__(self) -> str:
        said = "; ".join(str(x) for x in (self.above, self.below) if x)
        return f"{_WORDS[self.remedy]}{f': {said}' if said else ''}."


def verdict_of(symptom: Symptom, tracks: Mapping[float, Track], gain: float) -> Verdict:
    """Ask the siblings; `tracks` by the ratio of their rate to that of the run, which is at 1."""
    found = besides(tracks, gain, symptom.start)
    below = _asked([found[r] for r in sorted(found, reverse=True) if r < 1])
    above = _asked([found[r] for r in sorted(found) if r > 1])
    remedy, is_significant = _remedy(symptom, below, above, gain, _noise(tracks))
    return Verdict(remedy, is_significant, below, above, gain)


def _remedy(
    symptom: Symptom, below: Beside | None, above: Beside | None, gain: float, noise: float
) -> tuple[str, bool]:
    """The remedy, and whether it is sure."""
    asked = [x for x in (below, above) if x is not None]
    if symptom.name == "diverging":
        return "decrease", below is not None and bool(np.isfinite(below.higher.value))
    if not asked:
        return "uncertain", False
    lowest = min((x for x in asked if x.is_lower), key=_height, default=None)
    if lowest is not None:
        if lowest.ratio < 1 and lowest.gain <= lowest.rise < STILL * noise:
            return "keep", False
        return "decrease" if lowest.ratio < 1 else "increase", True
    best = len(asked) == 2 and all(x.is_higher for x in asked)
    flat = symptom.name == "no progress" and gain < ERRORS * symptom.decrease.error
    if flat and len(asked) == 2 and not best:
        return "switch_optimizer", False
    return "warmup" if symptom.peak > 0 else "keep", best


def _noise(tracks: Mapping[float, Track]) -> float:
    """Of the loss of one batch, where it is least: too large a rate adds noise of its own."""
    found = [scatter(x.losses) * np.sqrt(x.width) for x in tracks.values() if len(x.losses) > 1]
    return float(min(found, default=0.0))


def _asked(siblings: list[Beside]) -> Beside | None:
    """The nearest that is lower; otherwise the nearest."""
    return next((x for x in siblings if x.is_lower), siblings[0] if siblings else None)


def _height(x: Beside) -> float:
    return x.higher.value


_WORDS: Mapping[str, str] = {
    "increase": "Ten times the rate",
    "keep": "Keep the rate",
    "decrease": "A tenth of the rate",
    "warmup": "Keep the rate and warm up: it climbed at first, and came back",
    "switch_optimizer": "Another optimizer: no rate made progress",
    "uncertain": "One run alone does not say what helps: `recipe.fork` runs ten times its rate and "
    "a tenth",
}
