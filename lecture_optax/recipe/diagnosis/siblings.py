"""The diagnosis of every arm of a search, compared with its siblings.

The siblings of an arm are the arms of the same optimizer about a decade above and below. Both are
compared at the last step that both have: by validation losses if both were evaluated there,
otherwise by training losses (`verdict.py`).
"""

import math
from collections.abc import Mapping

import numpy as np

from ...training.curves.learning_curve import LearningCurve
from ...training.curves.symptoms import symptom_of
from ..constants import DECADE
from ..population.arms import Arm
from ..population.curve import Curve
from .diagnose import Diagnosis, diagnose
from .runs import curve_of

NEAREST = 2
"""A sibling is at least half a decade away: nearer ones say little about a factor of 10."""

ENOUGH = 12
"""Steps that two arms must share, if there is a choice."""


def diagnoses_of(curves: Mapping[Arm, Curve], steps: int) -> dict[Arm, Diagnosis | None]:
    """Return the diagnosis of each arm, or None before its first block.

    The symptom of an arm with a decaying learning rate includes its parent's past; its verdict is
    that of its parent's constant learning rate.
    """
    constant = _constant(curves, steps)
    found = {arm: _diagnosis(arm, constant) for arm in constant if constant[arm].means}
    diagnoses: dict[Arm, Diagnosis | None] = {}
    for arm, curve in curves.items():
        parent = arm._replace(decay=None)
        diagnoses[arm] = diagnosis = found.get(parent)
        if diagnosis is not None and arm.decay is not None and arm.decay[0] < steps:
            before = _up_to(constant[parent], constant[parent].step)
            past = joined(before, curve_of(curve), arm.decay[0])
            symptom = symptom_of(past, diagnosis.verdict.gain)
            diagnoses[arm] = diagnosis._replace(symptom=symptom)
    return diagnoses


def joined(parent: LearningCurve, child: LearningCurve, step: int) -> LearningCurve:
    """Return the parent's curve up to a step, continued by the child's."""
    width = math.lcm(parent.width, child.width)
    before, after = parent.coarser(width).losses[: step // width], child.coarser(width)
    return after._replace(losses=np.concatenate([before, after.losses]))


def _diagnosis(arm: Arm, constant: Mapping[Arm, Curve]) -> Diagnosis:
    """Compare an arm with its siblings up to their longest run; read its symptom to its own end."""
    own, siblings = constant[arm], _siblings(arm, constant)
    common = [min(own.step, curve.step) for curve in siblings.values() if curve.failed is None]
    until = max(common, default=own.step)
    siblings_by_rate = {x.rate: _up_to(curve, until) for x, curve in siblings.items()}
    diagnosis = diagnose(_up_to(own, until), siblings_by_rate, rate=arm.rate)
    if own.step <= until:
        return diagnosis
    return diagnosis._replace(symptom=symptom_of(_up_to(own, own.step), diagnosis.verdict.gain))


def _siblings(arm: Arm, constant: Mapping[Arm, Curve]) -> dict[Arm, Curve]:
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
