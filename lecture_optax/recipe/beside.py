"""How much lower is a sibling than a run? On held-out rows where both looked, or batch by batch."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .noise import Estimate, mean
from .symptoms import late_part
from .tracks import Looks, Track

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
    >>> from lecture_optax.recipe.beside import times
    >>> times(100), times(3.162), times(0.1), times(1 / 30)
    ('× 100', '× 3.2', '÷ 10', '÷ 30')

    ```
    """
    sign, size = ("×", ratio) if ratio > 1 else ("÷", 1 / ratio)
    return f"{sign} {size:.2g}" if size < 99.5 else f"{sign} {size:.0f}"


def besides(tracks: Mapping[float, Track], gain: float, start: float) -> dict[float, Beside]:
    """Every sibling beside the run, which is at 1; `gain` and `start` of the training loss."""
    own, first, seen = tracks[1.0], _first_look(tracks), _held_out_gain(tracks)
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
    if other.failed is not None or own.looks is None or other.looks is None:
        return None
    x, y = own.looks.by_step, other.looks.by_step
    step = max({*x} & {*y} - {0}, default=None)
    if step is None:
        return None
    return Beside(ratio, Estimate(y[step] - x[step], 0.0), True, gain, x[step] - first)


def _first_look(tracks: Mapping[float, Track]) -> float:
    """Where held-out losses begin: the smallest rate has moved least from there."""
    looks = _looks(tracks)
    return float(looks[min(looks)].losses[0]) if looks else np.nan


def _held_out_gain(tracks: Mapping[float, Track]) -> float:
    """From the first look to the lowest of the last ones."""
    lasts = [x.losses[-1] for x in _looks(tracks).values()]
    return max(0.0, float(_first_look(tracks) - min(lasts))) if lasts else 0.0


def _looks(tracks: Mapping[float, Track]) -> dict[float, Looks]:
    return {r: x.looks for r, x in tracks.items() if x.looks is not None and x.failed is None}


def _clear(size: float, x: Beside) -> bool:
    if x.held_out:
        return bool(size > HELD_OUT_MARGIN * x.gain)
    return x.higher._replace(value=size).exceeds(MARGIN * x.gain, ERRORS)
