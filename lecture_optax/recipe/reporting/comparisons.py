"""What follows from the records? Arms compared where both were looked at, and saw the same rows."""

from typing import NamedTuple

import numpy as np

from .. import constants as c
from ..population.curve import Evaluation
from .explanation import ArmRecord, Explanation


class Compared(NamedTuple):
    """An arm beside the winner, after the last step at which both were looked at.

    - `change`, `winner`: how far the held-out loss of the averaged weights was from the start's.
    """

    arm: ArmRecord
    step: int
    change: float
    winner: float


class Edge(NamedTuple):
    """The largest rate of a family that got better than the start, and the next that did not."""

    optimizer: str
    below: float
    above: float
    worst: ArmRecord


class Rise(NamedTuple):
    """The held-out loss of an arm was lowest at a step, and rose until another."""

    arm: ArmRecord
    lowest_at: int
    until: int
    by: float


class LateImprovement(NamedTuple):
    """By how much the winner's averaged loss fell between two steps; `part`: of the gain."""

    since: int
    until: int
    by: float
    part: float


def evaluations_of(e: Explanation, arm: ArmRecord) -> list[Evaluation]:
    """The looks of an arm in order; those of its parent before its rate began to fall.

    A constant rate that was run a second time, to look closer, is the same arm.
    """
    kin = [
        a for a in e.arms if a.decay is None and (a.optimizer, a.rate) == (arm.optimizer, arm.rate)
    ]
    past = {x for a in kin for x in a.evaluations if arm.decay is None or x.step <= arm.decay[0]}
    own = {x for x in arm.evaluations if arm.decay and x.step > arm.decay[0]}
    return sorted(past | own, key=lambda evaluation: evaluation.step)


def compared(e: Explanation, arm: ArmRecord) -> Compared | None:
    """An arm beside the winner; None where they were never looked at after the same step."""
    assert e.winner is not None
    own, winners = _averages(e, arm), _averages(e, e.winner)
    common = own.keys() & winners.keys()
    if not common:
        return None
    last = max(common)
    return Compared(arm, last[0], own[last], winners[last])


def constant_arms(e: Explanation, optimizer: str) -> list[ArmRecord]:
    """Those whose rate does not fall, from the smallest rate to the largest, each rate once."""
    kin = [arm for arm in e.arms if arm.optimizer == optimizer and arm.decay is None]
    longest = {arm.rate: arm for arm in sorted(kin, key=lambda arm: arm.steps)}
    return sorted(longest.values(), key=lambda arm: arm.rate)


def beside(e: Explanation, decades: float) -> ArmRecord | None:
    """The arm of the winner's family whose rate is nearest to so many decades above or below, of
    those that can be compared."""
    assert e.winner is not None
    kin = constant_arms(e, e.winner.optimizer)
    ratios = {arm: _decades(e, arm) for arm in kin if arm.failed or compared(e, arm)}
    side = [arm for arm, ratio in ratios.items() if ratio * decades > 0.1 * abs(decades)]
    return min(side, key=lambda arm: abs(ratios[arm] - decades), default=None)


def rival(e: Explanation, optimizer: str) -> Compared | None:
    """The arm of another family that came nearest, of those that ran furthest."""
    arms = [arm for arm in e.arms if arm.optimizer == optimizer and not arm.failed]
    found = [pair for arm in arms if (pair := compared(e, arm))]
    return min(found, key=lambda pair: (-pair.step, pair.change), default=None)


def other_schedule(e: Explanation) -> Compared | None:
    """The arm of the same family and rate whose rate fell where the winner's did not, or so."""
    assert e.winner is not None
    same = [a for a in e.arms if (a.optimizer, a.rate) == (e.winner.optimizer, e.winner.rate)]
    others = [a for a in same if a.decay != e.winner.decay]
    found = [pair for a in others if (pair := compared(e, a)) and pair.step > _start(e.winner, a)]
    return max(found, key=lambda pair: pair.step, default=None)


def edge(e: Explanation, optimizer: str) -> Edge | None:
    """Between which rates arms stop to get better than the start: the edge of divergence."""
    arms = constant_arms(e, optimizer)
    good = [arm for arm in arms if not diverged(arm) and arm.evaluations]
    bad = [arm for arm in arms if diverged(arm) and good and arm.rate > good[-1].rate]
    return Edge(optimizer, good[-1].rate, bad[0].rate, bad[0]) if bad else None


def diverged(arm: ArmRecord) -> bool:
    """Not finite, or worse than the start at its last look."""
    return arm.failed is not None or bool(arm.evaluations and arm.evaluations[-1].averaged > 0)


def handed(e: Explanation) -> Evaluation | None:
    """The look at what was handed over, if raw and averaged weights were looked at."""
    assert e.winner is not None
    found = [x for x in evaluations_of(e, e.winner) if x.step == e.step and not np.isnan(x.raw)]
    return found[-1] if found else None


def seen_loss(e: Explanation) -> float:
    """The loss of what was handed over, on the rows that late looks saw."""
    evaluation = handed(e) if e.winner else None
    if evaluation is None or e.subset_rows == e.rows:
        return e.loss
    return e.subset_start + (evaluation.averaged if e.is_average else evaluation.raw)


def rise(e: Explanation) -> Rise | None:
    """How far the averaged loss of the winner rose again, or that of the arm that ran furthest:
    more than 2 % of the gain is overfitting."""
    assert e.winner is not None
    furthest = max(constant_arms(e, e.winner.optimizer), key=lambda arm: arm.steps)
    for arm in dict.fromkeys((e.winner, furthest)):
        late = [x for x in evaluations_of(e, arm) if not np.isnan(x.raw)]
        lowest = min(late, key=lambda evaluation: evaluation.averaged, default=None)
        if lowest and late[-1].averaged - lowest.averaged > c.OVERFITS * (e.start - e.loss):
            by = late[-1].averaged - lowest.averaged
            return Rise(arm, lowest.step, late[-1].step, by)
    return None


def late_improvement(e: Explanation) -> LateImprovement | None:
    """What the last quarter of the winner's steps brought, where it ran to the end."""
    assert e.winner is not None
    evaluations = [x for x in evaluations_of(e, e.winner) if not np.isnan(x.raw)]
    before = [x for x in evaluations if x.step <= 0.75 * e.steps]
    if not before or evaluations[-1].step < e.steps:
        return None
    by = before[-1].averaged - evaluations[-1].averaged
    return LateImprovement(before[-1].step, evaluations[-1].step, by, by / (e.start - e.loss))


def near(e: Explanation) -> list[ArmRecord]:
    """Other arms whose lowest late look is within a hundredth of the gain of the winner's."""
    assert e.winner is not None
    margin = e.winner.change + 0.01 * abs(e.winner.change)
    late = [arm for arm in e.arms if any(not np.isnan(x.raw) for x in arm.evaluations)]
    others = {arm[:3]: arm for arm in late if arm[:3] != e.winner[:3] and arm.change <= margin}
    return list(others.values())


def _averages(e: Explanation, arm: ArmRecord) -> dict[tuple[int, bool], float]:
    """The averaged losses by step, and by which rows were asked: early looks see a part."""
    return {(x.step, bool(np.isnan(x.raw))): x.averaged for x in evaluations_of(e, arm)}


def _decades(e: Explanation, arm: ArmRecord) -> float:
    assert e.winner is not None
    return float(np.log10(arm.rate / e.winner.rate))


def _start(one: ArmRecord, other: ArmRecord) -> int:
    """Where the schedules of two arms part."""
    return min(decay[0] for decay in (one.decay, other.decay) if decay)
