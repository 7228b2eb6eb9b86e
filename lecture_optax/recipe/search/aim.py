"""The learning rate that will be best at the end of a run, seen from its beginning.

The best constant learning rate decreases with the fourth root of time. A parabola through the
scores of arms has its vertex at the one that is best now; the aim is where it will be.

    score(τ)  =  progress of τ / largest progress  -  pull towards the usual learning rate
    vertex    =  top of the parabola through the best score and its neighbours, over log τ
    aim       =  vertex · (f / g)^(1/4),   seen at the fraction f of a run, for the fraction g

Learning rates are counted in quarter decades q, τ = 10^(q/4).
"""

import math
from typing import NamedTuple

from .. import constants as c


class Progress(NamedTuple):
    """How far an arm came.

    - `decrease`: the decrease of the validation loss of its average since the start; -inf where it
      diverged.
    - `movement`: the mean absolute change of the losses of single examples; 0 if not known.
    """

    decrease: float
    movement: float


def scores_of(
    level: dict[int, Progress], fraction: float, usual: float, movement: float
) -> dict[int, float]:
    """Return the score of every learning rate of an optimizer at a fraction of a run.

    - `usual`: the learning rate that works where nothing else is known, at the end of a run;
      `movement`: how much the examples moved at it in the first evaluation. Progress is not
      magnified beyond that.

    If all examples improve alike, the decrease decides. If they move to and fro, as on a plateau,
    the usual learning rate does. How bad a bad learning rate is does not matter.
    """
    best = max(level.values(), key=lambda progress: progress.decrease)
    unit = max(best.decrease, movement, 1e-30)
    agreement = best.decrease / best.movement if best.movement else float(best.decrease > 0)
    doubt = 1.0 - min(1.0, max(0.0, agreement))
    centre = usual + drift(fraction)

    def pull(q: int) -> float:
        return c.PULL * doubt * min(abs(q - centre) / c.DECADE, c.FAR) ** 2

    return {q: max(-1.0, progress.decrease / unit) - pull(q) for q, progress in level.items()}


def vertex(scores: dict[int, float]) -> float:
    """Return the learning rate at the top of the parabola through the best and its neighbours.

    It lies between the best and the middles to its neighbours. Where the best is the largest
    learning rate, it lies a quarter decade above; where it is the smallest, there.
    """
    qs = sorted(scores)
    best = qs.index(max(qs, key=lambda q: scores[q]))
    if best == 0 or len(qs) == 1:
        return float(qs[best])
    if best == len(qs) - 1:
        return float(qs[best] + c.QUARTER)
    left, middle, right = qs[best - 1 : best + 2]
    up, down = scores[middle] - scores[right], scores[middle] - scores[left]
    a, b = middle - left, right - middle
    bend = a * up + b * down
    top = middle - 0.5 * (a * a * up - b * b * down) / bend if bend > 0 else middle
    return float(min(max(top, (left + middle) / 2), (middle + right) / 2))


def curvature(scores: dict[int, float]) -> float:
    """Return how much the score falls for each squared quarter decade from the vertex."""
    qs = sorted(scores)
    if len(qs) < 3:
        return 0.01
    best = qs.index(max(qs, key=lambda q: scores[q]))
    left, middle, right = qs[(i := min(max(best, 1), len(qs) - 2)) - 1 : i + 2]
    rise = (scores[middle] - scores[left]) / (middle - left)
    fall = (scores[right] - scores[middle]) / (right - middle)
    return max(1e-4, (rise - fall) / (right - left))


def drift(fraction: float, later: float = 1.0) -> float:
    """Return how far the best learning rate lies above the one that is best later, in quarters."""
    return c.DECADE * c.DRIFT * math.log10(later / fraction)


def aim(scores: dict[int, float], fraction: float, later: float = 1.0) -> float:
    """Return the learning rate that will be best at a later fraction of a run."""
    return vertex(scores) - drift(fraction, later)
