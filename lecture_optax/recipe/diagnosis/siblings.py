"""Which arms answer for the rate of an arm? Those of its family about a decade above and below.

They are compared at the last step at which both can be: by held-out rows where both were looked at,
otherwise by training losses, over the steps that both took (`verdict.py`).
"""

import math
from collections.abc import Mapping

import numpy as np

from ..population.arms import Arm
from ..population.curve import Curve
from .diagnose import Diagnosis, diagnose
from .learning_curve import Track, track_of
from .symptoms import symptom_of

DECADE = 4
"""Quarters of a decade in it."""

NEAREST = 2
"""Rates within half a decade say little of ten times the rate, or of a tenth."""

ENOUGH = 12
"""Steps that two arms must share, where there is a choice."""


def diagnoses_of(curves: Mapping[Arm, Curve], steps: int) -> dict[Arm, Diagnosis | None]:
    """What each arm showed, and what its siblings say of its rate; None before its first block.

    An arm whose rate falls shows what it did since the start, its parent's past included; what is
    said of its rate is said of its parent's.
    """
    constant = _constant(curves, steps)
    found = {arm: _diagnosis(arm, constant) for arm in constant if constant[arm].means}
    return {arm: _own(arm, curve, constant, found, steps) for arm, curve in curves.items()}


def joined(parent: Track, child: Track, step: int) -> Track:
    """A parent's past up to a step, and then the child."""
    width = math.lcm(parent.width, child.width)
    before, after = parent.coarser(width).losses[: step // width], child.coarser(width)
    return after._replace(losses=np.concatenate([before, after.losses]))


def _own(
    arm: Arm,
    curve: Curve,
    constant: Mapping[Arm, Curve],
    found: Mapping[Arm, Diagnosis],
    steps: int,
) -> Diagnosis | None:
    """That of the rate; with a symptom of its own where the rate fell."""
    diagnosis = found.get(_at_rate(arm))
    if diagnosis is None or not _decays(arm, steps):
        return diagnosis
    assert arm.decay is not None
    parent = constant[_at_rate(arm)]
    past = joined(_to(parent, parent.step), track_of(curve), arm.decay[0])
    return diagnosis._replace(symptom=symptom_of(past, diagnosis.verdict.gain))


def _diagnosis(arm: Arm, constant: Mapping[Arm, Curve]) -> Diagnosis:
    """Beside its siblings as far as the longest of them goes; its symptom as far as it went."""
    own, beside = constant[arm], _beside(arm, constant)
    common = [min(own.step, curve.step) for curve in beside.values() if curve.failed is None]
    until = max(common, default=own.step)
    tracks = {x.rate: _to(curve, until) for x, curve in beside.items()}
    diagnosis = diagnose(_to(own, until), tracks, rate=arm.rate)
    if own.step <= until:
        return diagnosis
    return diagnosis._replace(symptom=symptom_of(_to(own, own.step), diagnosis.verdict.gain))


def _beside(arm: Arm, constant: Mapping[Arm, Curve]) -> dict[Arm, Curve]:
    """The nearest to a decade above and to a decade below, of those that say something."""
    found = {}
    for side in (1, -1):
        kin = [x for x in constant if x.optimizer == arm.optimizer]
        there = [x for x in kin if side * (x.quarter - arm.quarter) >= NEAREST]
        shared = {x: min(constant[arm].step, constant[x].step) for x in there}
        long = [x for x in there if constant[x].failed or shared[x] >= ENOUGH]
        selection = long or [x for x in there if constant[x].means]
        if selection:
            ways = {x: abs(x.quarter - arm.quarter) for x in selection}
            best = min(selection, key=lambda x: (abs(ways[x] - DECADE), ways[x]))
            found[best] = constant[best]
    return found


def _constant(curves: Mapping[Arm, Curve], steps: int) -> dict[Arm, Curve]:
    """The longest run of each rate that does not fall, by its arm."""
    found: dict[Arm, Curve] = {}
    for arm, curve in curves.items():
        own = _at_rate(arm)
        if not _decays(arm, steps) and (own not in found or curve.step > found[own].step):
            found[own] = curve
    return found


def _to(curve: Curve, step: int) -> Track:
    """The finest blocks that reach a step. The first of them stands for where the run began, and
    is its first loss, however wide it is."""
    width, means = curve.blocks_to(step)
    first = (curve.levels or curve.means)[:1]
    losses = np.array([*first, *means[1 : step // width]], np.float64)
    return track_of(curve)._replace(losses=losses, width=width)


def _decays(arm: Arm, steps: int) -> bool:
    return arm.decay is not None and arm.decay[0] < steps


def _at_rate(arm: Arm) -> Arm:
    return arm._replace(decay=None)
