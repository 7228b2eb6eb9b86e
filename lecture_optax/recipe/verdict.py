"""What helps? What the siblings of a run say: a larger rate, a smaller one, or this one.

One noisy curve names the remedy hardly more often than chance. Runs at other rates, on the same
batches, do: all that is asked is whether one of them is lower *now*. Held-out losses of averaged
weights say it best: a rate that falls in the end comes to what the average shows early, and a run
that overfits looks good to its training loss alone. Without them, training losses are compared
batch by batch. Where nothing is clear, the rate is kept: a wrong direction costs more than none.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .noise import Estimate, mean
from .symptoms import Symptom, late_part
from .tracks import Track

ERRORS = 2.0
"""Standard errors of a paired difference of training losses that is one."""

MARGIN = 0.02
"""A sibling must be lower by .02 of the largest fall, on the training loss,"""

HELD_OUT_MARGIN = 0.01
"""or by .01 of it on held-out rows: they are the same ones, and averaged weights do not jitter."""


class Beside(NamedTuple):
    """A sibling at `ratio` times the rate, at the same steps on the same batches.

    - `higher`: its loss less this run's; infinite where it exploded. On held-out rows at the last
      look that both have (with no error: the rows are the same), or else the training loss over
      the last quarter.
    - `held_out`: which of them.
    - `gain`: the largest fall of any run in that loss, in which differences are large or small.
    """

    ratio: float
    higher: Estimate
    held_out: bool
    gain: float

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
        way = "higher" if self.higher.value > 0 else "lower"
        size = self.higher._replace(value=abs(self.higher.value))
        if self.held_out:
            return f"{times(self.ratio)} is {size.value:.3g} {way} on held-out rows"
        return f"{times(self.ratio)} is {size} {way}"


class Verdict(NamedTuple):
    """What to do with the rate, and what says so.

    - `remedy`: "×10", "keep", "÷10", "warm up", "switch" (no rate helps: another optimizer), or
      "uncertain" where no sibling was given.
    - `sure`: whether the siblings differ by more than `ERRORS` standard errors and `MARGIN`.
    - `below`, `above`: the siblings that were asked, at smaller and larger rates.
    - `gain`: the largest fall among all, in which differences are large or small.
    """

    remedy: str
    sure: bool
    below: Beside | None
    above: Beside | None
    gain: float

    @property
    def factor(self) -> float | None:
        """By which to multiply the rate; None where that is not the remedy."""
        return {"×10": 10.0, "keep": 1.0, "÷10": 0.1}.get(self.remedy)

    def __str__(self) -> str:
        said = "; ".join(str(x) for x in (self.above, self.below) if x)
        return f"{_WORDS[self.remedy]}{f': {said}' if said else ''}."


def times(ratio: float) -> str:
    """× 10, or ÷ 10."""
    return f"× {ratio:.2g}" if ratio > 1 else f"÷ {1 / ratio:.2g}"


def verdict_of(symptom: Symptom, tracks: Mapping[float, Track], gain: float) -> Verdict:
    """Ask the siblings; `tracks` by the ratio of their rate to that of the run, which is at 1."""
    own, seen = tracks[1.0], _held_out_gain(tracks)
    found = {r: _beside(r, own, x, gain, seen) for r, x in tracks.items() if r != 1.0}
    below = _asked([found[r] for r in sorted(found, reverse=True) if r < 1])
    above = _asked([found[r] for r in sorted(found) if r > 1])
    remedy, sure = _remedy(symptom, below, above, gain)
    return Verdict(remedy, sure, below, above, gain)


def _remedy(
    symptom: Symptom, below: Beside | None, above: Beside | None, gain: float
) -> tuple[str, bool]:
    """The remedy, and whether it is sure."""
    asked = [x for x in (below, above) if x is not None]
    if symptom.name == "exploding":
        return "÷10", below is not None and bool(np.isfinite(below.higher.value))
    if not asked:
        return "uncertain", False
    lowest = min((x for x in asked if x.is_lower), key=_height, default=None)
    if lowest is not None:
        return "÷10" if lowest.ratio < 1 else "×10", True
    best = len(asked) == 2 and all(x.is_higher for x in asked)
    flat = symptom.name == "no progress" and gain < ERRORS * symptom.fall.error
    if flat and len(asked) == 2 and not best:
        return "switch", False
    return "warm up" if symptom.peak > 0 else "keep", best


def _beside(ratio: float, own: Track, other: Track, gain: float, seen: float) -> Beside:
    """A sibling over the steps that both have; exploded, or the other did: all or nothing."""
    if other.failed is not None:
        return Beside(ratio, Estimate(np.inf, 0.0), False, gain)
    apart = _apart_held_out(own, other)
    if len(apart):
        return Beside(ratio, Estimate(float(apart[-1]), 0.0), True, seen)
    steps = min(len(own.losses), len(other.losses))
    x, y = own.losses[:steps], other.losses[:steps]
    return Beside(ratio, mean(late_part(y) - late_part(x)), False, gain)


def _apart_held_out(own: Track, other: Track) -> np.ndarray:
    """Differences at the looks that both have."""
    if own.looks is None or other.looks is None:
        return np.zeros(0)
    x, y = own.looks.by_step, other.looks.by_step
    return np.array([y[step] - x[step] for step in sorted({*x} & {*y} - {0})])


def _held_out_gain(tracks: Mapping[float, Track]) -> float:
    """From the first look, which the smallest rate has moved least from, to the lowest last."""
    looks = {r: x.looks for r, x in tracks.items() if x.looks is not None and x.failed is None}
    if not looks:
        return 0.0
    fall = looks[min(looks)].losses[0] - min(x.losses[-1] for x in looks.values())
    return max(0.0, float(fall))


def _asked(siblings: list[Beside]) -> Beside | None:
    """The nearest that is lower; otherwise the nearest."""
    return next((x for x in siblings if x.is_lower), siblings[0] if siblings else None)


def _clear(size: float, x: Beside) -> bool:
    if x.held_out:
        return bool(size > HELD_OUT_MARGIN * x.gain)
    return x.higher._replace(value=size).exceeds(MARGIN * x.gain, ERRORS)


def _height(x: Beside) -> float:
    return x.higher.value


_WORDS: Mapping[str, str] = {
    "×10": "Ten times the rate",
    "keep": "Keep the rate",
    "÷10": "A tenth of the rate",
    "warm up": "Keep the rate and warm up: it climbed at first, and came back",
    "switch": "Another optimizer: no rate made progress",
    "uncertain": "One run alone does not say what helps: `recipe.fork` runs ten times its rate and "
    "a tenth",
}
