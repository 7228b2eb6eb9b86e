"""What helps? What the siblings of a run say: a larger rate, a smaller one, or this one.

One noisy curve names the remedy hardly more often than chance. Runs at other rates, on the same
batches, do: all that is asked is whether one of them is lower *now*. Held-out losses say it best: a
run that overfits looks good to its training loss alone. Those of the weights and of their average
say it about equally well, and the lower of the two is taken: the fewest opposites after a tenth of
the steps (`benchmarks.recipe.diagnosis`). Without them, training losses are compared batch by
batch. Where nothing is clear, the rate is kept: a wrong direction costs more than none.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .beside import ERRORS, Beside, besides
from .noise import scatter
from .symptoms import Symptom
from .tracks import Track

STILL = 0.1
"""On a plateau a smaller rate is lower because it stands still: nothing fell as far as this run
rose, and it rose by less than .1 of the noise of a batch."""


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


def verdict_of(symptom: Symptom, tracks: Mapping[float, Track], gain: float) -> Verdict:
    """Ask the siblings; `tracks` by the ratio of their rate to that of the run, which is at 1."""
    found = besides(tracks, gain, symptom.start)
    below = _asked([found[r] for r in sorted(found, reverse=True) if r < 1])
    above = _asked([found[r] for r in sorted(found) if r > 1])
    remedy, sure = _remedy(symptom, below, above, gain, _noise(tracks))
    return Verdict(remedy, sure, below, above, gain)


def _remedy(
    symptom: Symptom, below: Beside | None, above: Beside | None, gain: float, noise: float
) -> tuple[str, bool]:
    """The remedy, and whether it is sure."""
    asked = [x for x in (below, above) if x is not None]
    if symptom.name == "exploding":
        return "÷10", below is not None and bool(np.isfinite(below.higher.value))
    if not asked:
        return "uncertain", False
    lowest = min((x for x in asked if x.is_lower), key=_height, default=None)
    if lowest is not None:
        if lowest.ratio < 1 and lowest.gain <= lowest.rise < STILL * noise:
            return "keep", False
        return "÷10" if lowest.ratio < 1 else "×10", True
    best = len(asked) == 2 and all(x.is_higher for x in asked)
    flat = symptom.name == "no progress" and gain < ERRORS * symptom.fall.error
    if flat and len(asked) == 2 and not best:
        return "switch", False
    return "warm up" if symptom.peak > 0 else "keep", best


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
    "×10": "Ten times the rate",
    "keep": "Keep the rate",
    "÷10": "A tenth of the rate",
    "warm up": "Keep the rate and warm up: it climbed at first, and came back",
    "switch": "Another optimizer: no rate made progress",
    "uncertain": "One run alone does not say what helps: `recipe.fork` runs ten times its rate and "
    "a tenth",
}
