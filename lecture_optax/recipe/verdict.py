"""What helps? What the siblings of a run say: a larger rate, a smaller one, or this one.

One noisy curve names the remedy hardly more often than chance. Runs at other rates, on the same
batches, do: all that is asked is whether one of them is lower *now*, by more than the noise of the
paired difference. Larger rates look better early than late, so a larger one must also still fall.
A wrong direction costs more than none: where nothing is clear, the rate is kept.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .noise import Estimate, mean
from .symptoms import CLEAR, Symptom, late_part
from .tracks import Track

ERRORS = 3.0
"""Standard errors of a paired difference that is one."""

MARGIN = 0.02
"""A sibling must be lower by .02 of the largest fall."""


class Beside(NamedTuple):
    """A sibling at `ratio` times the rate, at the same steps on the same batches.

    - `higher`: its loss less this run's, over the last quarter; infinite where it exploded.
    - `late`: what it still fell by from the second quarter to the last.
    """

    ratio: float
    higher: Estimate
    late: Estimate

    def __str__(self) -> str:
        if self.higher.value == np.inf:
            return f"{times(self.ratio)} explodes"
        way = "higher" if self.higher.value > 0 else "lower"
        size = self.higher._replace(value=abs(self.higher.value))
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
    own = tracks[1.0]
    found = {r: _beside(r, own, track) for r, track in tracks.items() if r != 1.0}
    below = _asked([found[r] for r in sorted(found, reverse=True) if r < 1], gain)
    above = _asked([found[r] for r in sorted(found) if r > 1], gain)
    remedy, sure = _remedy(symptom, below, above, gain)
    return Verdict(remedy, sure, below, above, gain)


def _remedy(
    symptom: Symptom, below: Beside | None, above: Beside | None, gain: float
) -> tuple[str, bool]:
    """The remedy, and whether it is sure."""
    if symptom.name == "exploding":
        return "÷10", below is not None and bool(np.isfinite(below.higher.value))
    if below is None and above is None:
        return "uncertain", False
    better = [x for x in (below, above) if x and _lower(x, gain)]
    lowest = min(better, key=lambda x: x.higher.value, default=None)
    if lowest is not None and lowest.ratio < 1:
        return "÷10", True
    if lowest is not None and lowest.late.exceeds(0.0, ERRORS):
        return "×10", True
    if symptom.name == "no progress" and below and above and gain < CLEAR * symptom.fall.error:
        return "switch", False
    if symptom.peak > 0:
        return "warm up", False
    higher = [x is not None and x.higher.exceeds(MARGIN * gain, ERRORS) for x in (below, above)]
    return "keep", all(higher)


def _beside(ratio: float, own: Track, other: Track) -> Beside:
    """A sibling over the steps that both have; exploded, or the other did: all or nothing."""
    if other.failed is not None:
        return Beside(ratio, Estimate(np.inf, 0.0), Estimate(0.0, np.inf))
    steps = min(len(own.losses), len(other.losses))
    x, y = own.losses[:steps], other.losses[:steps]
    now, before = late_part(y), y[steps // 4 : steps // 2]
    late = mean(before).value - mean(now).value
    error = float(np.hypot(mean(before).error, mean(now).error))
    return Beside(ratio, mean(now - late_part(x)), Estimate(late, error))


def _asked(siblings: list[Beside], gain: float) -> Beside | None:
    """The nearest that is lower; otherwise the nearest."""
    return next((x for x in siblings if _lower(x, gain)), siblings[0] if siblings else None)


def _lower(x: Beside, gain: float) -> bool:
    """Lower than the run by more than its error and the margin."""
    return x.higher._replace(value=-x.higher.value).exceeds(MARGIN * gain, ERRORS)


_WORDS: Mapping[str, str] = {
    "×10": "Ten times the rate",
    "keep": "Keep the rate",
    "÷10": "A tenth of the rate",
    "warm up": "Keep the rate and warm up: it climbed at first, and came back",
    "switch": "Another optimizer: no rate made progress",
    "uncertain": "One run alone does not say what helps: `recipe.fork` runs ten times its rate and "
    "a tenth",
}
