"""Comparisons of the arms of a search, at steps where both were evaluated on the same examples."""

from typing import NamedTuple

import numpy as np

from .. import constants as c
from ..population.curve import Evaluation
from .explanation import ArmRecord, Explanation


class ArmComparison(NamedTuple):
    """An arm and the winner at the last step at which both were evaluated.

    - `change`, `winner`: the change of their averaged weights' validation loss since the start.
    """

    arm: ArmRecord
    step: int
    change: float
    winner: float


class DivergenceEdge(NamedTuple):
    """The largest learning rate that improved on the start, and the next one, which did not."""

    optimizer: str
    below: float
    above: float
    worst: ArmRecord


class Overfitting(NamedTuple):
    """The validation loss of an arm was lowest at a step, and rose by `by` until another."""

    arm: ArmRecord
    lowest_at: int
    until: int
    by: float


class LateImprovement(NamedTuple):
    """The decrease of the winner's averaged loss between two steps; `part`: of the whole gain."""

    since: int
    until: int
    by: float
    part: float


def evaluations_of(e: Explanation, arm: ArmRecord) -> list[Evaluation]:
    """Return the evaluations of an arm in order, with those of its parent before the decay.

    A repetition of a constant learning rate, for more evaluations, is the same arm.
    """
    same = [
        a for a in e.arms if a.decay is None and (a.optimizer, a.rate) == (arm.optimizer, arm.rate)
    ]
    past = {x for a in same for x in a.evaluations if arm.decay is None or x.step <= arm.decay[0]}
    own = {x for x in arm.evaluations if arm.decay and x.step > arm.decay[0]}
    return sorted(past | own, key=lambda evaluation: evaluation.step)


def compare(e: Explanation, winner: ArmRecord, arm: ArmRecord) -> ArmComparison | None:
    """Compare an arm with the winner, or return None if no step has an evaluation of both."""
    own, winners = (
        {(x.step, bool(np.isnan(x.raw))): x.averaged for x in evaluations_of(e, one)}
        for one in (arm, winner)
    )  # early evaluations use a subset of the examples
    common = own.keys() & winners.keys()
    if not common:
        return None
    last = max(common)
    return ArmComparison(arm, last[0], own[last], winners[last])


def constant_arms(e: Explanation, optimizer: str) -> list[ArmRecord]:
    """Return the longest arm of each constant learning rate, in ascending order."""
    same = [arm for arm in e.arms if arm.optimizer == optimizer and arm.decay is None]
    longest = {arm.rate: arm for arm in sorted(same, key=lambda arm: arm.steps)}
    return sorted(longest.values(), key=lambda arm: arm.rate)


def nearest_rate(e: Explanation, winner: ArmRecord, decades: float) -> ArmRecord | None:
    """Return the comparable arm with a learning rate nearest to `decades` above the winner's."""
    same = constant_arms(e, winner.optimizer)
    ratios = {
        arm: float(np.log10(arm.rate / winner.rate))
        for arm in same
        if arm.failed or compare(e, winner, arm)
    }
    side = [arm for arm, ratio in ratios.items() if ratio * decades > 0.1 * abs(decades)]
    return min(side, key=lambda arm: abs(ratios[arm] - decades), default=None)


def best_of_other(e: Explanation, winner: ArmRecord, optimizer: str) -> ArmComparison | None:
    """Return the best arm of another optimizer, among those that ran furthest."""
    arms = [arm for arm in e.arms if arm.optimizer == optimizer and not arm.failed]
    found = [pair for arm in arms if (pair := compare(e, winner, arm))]
    return min(found, key=lambda pair: (-pair.step, pair.change), default=None)


def other_schedule(e: Explanation, winner: ArmRecord) -> ArmComparison | None:
    """Return the longest arm with the winner's optimizer and learning rate but another decay."""
    same = [a for a in e.arms if (a.optimizer, a.rate) == (winner.optimizer, winner.rate)]
    others = [a for a in same if a.decay != winner.decay]
    found = [
        pair
        for a in others
        if (pair := compare(e, winner, a))
        and pair.step > min(x.decay[0] for x in (winner, a) if x.decay)  # where they part
    ]
    return max(found, key=lambda pair: pair.step, default=None)


def divergence_edge(e: Explanation, optimizer: str) -> DivergenceEdge | None:
    """Return the learning rates between which arms stop to improve on the start."""
    arms = constant_arms(e, optimizer)
    good = [arm for arm in arms if not diverged(arm) and arm.evaluations]
    bad = [arm for arm in arms if diverged(arm) and good and arm.rate > good[-1].rate]
    return DivergenceEdge(optimizer, good[-1].rate, bad[0].rate, bad[0]) if bad else None


def diverged(arm: ArmRecord) -> bool:
    """Return whether an arm was not finite, or worse than the start at its last evaluation."""
    return arm.failed is not None or bool(arm.evaluations and arm.evaluations[-1].averaged > 0)


def selected_evaluation(e: Explanation, winner: ArmRecord) -> Evaluation | None:
    """Return the evaluation of the returned weights if raw and averaged weights were evaluated."""
    found = [x for x in evaluations_of(e, winner) if x.step == e.step and not np.isnan(x.raw)]
    return found[-1] if found else None


def subset_loss(e: Explanation) -> float:
    """Return the loss of the returned weights on the examples of late evaluations."""
    evaluation = selected_evaluation(e, e.winner) if e.winner else None
    if evaluation is None or e.subset_rows == e.rows:
        return e.loss
    return e.subset_start + (evaluation.averaged if e.is_average else evaluation.raw)


def overfitting(e: Explanation, winner: ArmRecord) -> Overfitting | None:
    """Return the rise of the averaged loss of winner or longest arm, if above 2 % of the gain."""
    furthest = max(constant_arms(e, winner.optimizer), key=lambda arm: arm.steps)
    for arm in dict.fromkeys((winner, furthest)):
        late = [x for x in evaluations_of(e, arm) if not np.isnan(x.raw)]
        lowest = min(late, key=lambda evaluation: evaluation.averaged, default=None)
        by = late[-1].averaged - lowest.averaged if lowest else 0.0
        if lowest and by > c.OVERFITS * (e.start - e.loss):
            return Overfitting(arm, lowest.step, late[-1].step, by)
    return None


def late_improvement(e: Explanation, winner: ArmRecord) -> LateImprovement | None:
    """Return the decrease in the last quarter of the winner's steps, if it ran to the end."""
    evaluations = [x for x in evaluations_of(e, winner) if not np.isnan(x.raw)]
    before = [x for x in evaluations if x.step <= 0.75 * e.steps]
    if not before or evaluations[-1].step < e.steps:
        return None
    by = before[-1].averaged - evaluations[-1].averaged
    return LateImprovement(before[-1].step, evaluations[-1].step, by, by / (e.start - e.loss))


def near_ties(e: Explanation, winner: ArmRecord) -> list[ArmRecord]:
    """Return the other arms whose lowest late evaluation is within 1 % of the winner's gain."""
    margin = winner.change + 0.01 * abs(winner.change)
    late = [arm for arm in e.arms if any(not np.isnan(x.raw) for x in arm.evaluations)]
    others = {arm[:3]: arm for arm in late if arm[:3] != winner[:3] and arm.change <= margin}
    return list(others.values())
