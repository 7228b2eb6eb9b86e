"""The symptom of every arm of a search, compared with its siblings.

The siblings of an arm are the arms of the same optimizer about a decade above and below. They show
how far the training loss can decrease until the last step that both have. An arm gets no verdict:
the selection of the search is the answer to which learning rate is best.
"""

import math
from collections.abc import Mapping

import numpy as np

from ...training.curves.learning_curve import LearningCurve
from ...training.curves.symptoms import Symptom, symptom_of
from ..constants import DECADE
from ..population.arms import Arm
from ..population.curve import Curve
from .diagnose import diagnose
from .runs import curve_of

NEAREST = 2
"""A sibling is at least half a decade away: nearer ones say little about a factor of 10."""

ENOUGH = 12
"""Steps that two arms must share, if there is a choice."""


def symptoms_of(curves: Mapping[Arm, Curve], steps: int) -> dict[Arm, Symptom | None]:
    """Return the symptom of each arm, or None before its first block.

    That of an arm with a decaying learning rate includes its parent's past.
    """
    constant = _constant(curves, steps)
    found = {arm: _symptom(arm, constant) for arm in constant if constant[arm].means}
    symptoms: dict[Arm, Symptom | None] = {}
    for arm, curve in curves.items():
        parent = arm._replace(decay=None)
        symptoms[arm], gain = found.get(parent, (None, 0.0))
        if parent in found and arm.decay is not None and arm.decay[0] < steps:
            before = _up_to(constant[parent], constant[parent].step)
            symptoms[arm] = symptom_of(joined(before, curve_of(curve), arm.decay[0]), gain)
    return symptoms


def joined(parent: LearningCurve, child: LearningCurve, step: int) -> LearningCurve:
    """Return the parent's curve up to a step, continued by the child's."""
    width = math.lcm(parent.width, child.width)
    before, after = parent.coarser(width).losses[: step // width], child.coarser(width)
    return after._replace(losses=np.concatenate([before, after.losses]))


def _symptom(arm: Arm, constant: Mapping[Arm, Curve]) -> tuple[Symptom, float]:
    """Return the symptom of an arm to its own end, and the largest decrease among its siblings."""
    own, siblings = constant[arm], siblings_of(arm, constant)
    common = [min(own.step, curve.step) for curve in siblings.values() if curve.failed is None]
    until = max(common, default=own.step)
    siblings_by_rate = {x.rate: _up_to(curve, until) for x, curve in siblings.items()}
    found = diagnose(_up_to(own, until), siblings_by_rate, rate=arm.rate)
    gain = found.verdict.gain
    if own.step > until:
        return symptom_of(_up_to(own, own.step), gain), gain
    return found.symptom, gain


def siblings_of(arm: Arm, constant: Mapping[Arm, Curve]) -> dict[Arm, Curve]:
    """Return the arms nearest to a decade above and below, of those with enough shared steps."""
    found = {}
    for side in (1, -1):
        same = [x for x in constant if x.optimizer == arm.optimizer]
        there = [x for x in same if side * (x.quarter_decades - arm.quarter_decades) >= NEAREST]
        shared = {x: min(constant[arm].step, constant[x].step) for x in there}
        long = [x for x in there if constant[x].failed or shared[x] >= ENOUGH]
        usable = long or [x for x in there if constant[x].means]
        if usable:
            distances = {x: abs(x.quarter_decades - arm.quarter_decades) for x in usable}
            best = min(usable, key=lambda x: (abs(distances[x] - DECADE), distances[x]))
            found[best] = constant[best]
    return found


def _constant(curves: Mapping[Arm, Curve], steps: int) -> dict[Arm, Curve]:
    """Return the longest run of each constant learning rate, by its arm."""
    found: dict[Arm, Curve] = {}
    for arm, curve in curves.items():
        own, is_constant = arm._replace(decay=None), arm.decay is None or arm.decay[0] >= steps
        if is_constant and (own not in found or curve.step > found[own].step):
            found[own] = curve
    return found


def _up_to(curve: Curve, step: int) -> LearningCurve:
    """Return the finest blocks that reach a step; the first loss replaces the first block."""
    width, means = curve.blocks_to(step)
    first = (curve.levels or curve.means)[:1]
    losses = np.array([*first, *means[1 : step // width]], np.float64)
    return curve_of(curve)._replace(losses=losses, width=width)
