"""Comparisons of the arms of a search, at steps where both were evaluated on the same examples.

A loss of an arm is its lowest up to a step, of raw or averaged weights, as the search selects them.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..population.curve import Evaluation
from .explanation import ArmRecord, Explanation

TIE, TIE_OF_LOSS = 0.01, 0.05
"""Two arms tie if they differ by less than .01 of the gain and .05 of the loss there, where their
error is not known,"""

ERRORS = 2.0
"""and by less than 2 standard errors where it is."""

RISEN = 0.02
"""A validation loss has risen again if two evaluations in a row are .02 of the gain above it."""


class Loss(NamedTuple):
    """A validation loss over all examples; with `is_estimate`, estimated from a subset of them."""

    value: float
    is_estimate: bool = False

    def __str__(self) -> str:
        return f"{'~' if self.is_estimate else ''}{self.value:.4g}"


class ArmComparison(NamedTuple):
    """An arm and the winner, at the last step that both reached.

    - `difference`: the arm's lowest loss up to that step, minus the winner's, on the same examples;
      `error`: its standard error, paired by example; NaN where it is not known.
    - `margin`: they tie if they differ by less.
    """

    arm: ArmRecord
    step: int
    difference: float
    error: float
    margin: float

    @property
    def is_tie(self) -> bool:
        return abs(self.difference) <= self.margin

    @property
    def is_higher(self) -> bool:
        return self.difference > self.margin

    @property
    def size(self) -> str:
        """The size of the difference, with its error."""
        error = "" if np.isnan(self.error) else f" ± {self.error:.1g}"
        return f"{abs(self.difference):.2g}{error}"


class Rise(NamedTuple):
    """The averaged loss of an arm was lowest at a step, and rose by `by` until another."""

    arm: ArmRecord
    lowest_at: int
    until: int
    by: float


class LateDecrease(NamedTuple):
    """The decrease of the winner's loss between two steps; `part`: of the whole gain."""

    since: int
    until: int
    by: float
    part: float


def evaluations_of(e: Explanation, arm: ArmRecord) -> list[Evaluation]:
    """Return the evaluations of an arm, after those of its parent before the decay."""
    if arm.decay is None:
        return list(arm.evaluations)
    parents = [a for a in constants_of(e, arm.optimizer) if a.rate == arm.rate]
    past = [x for a in parents for x in a.evaluations if x.step <= arm.decay[0]]
    return past + [x for x in arm.evaluations if x.step > arm.decay[0]]


def constants_of(e: Explanation, optimizer: str) -> list[ArmRecord]:
    """Return all arms of an optimizer with a constant learning rate."""
    return [arm for arm in e.arms if arm.optimizer == optimizer and arm.decay is None]


def constant_arms(e: Explanation, optimizer: str) -> list[ArmRecord]:
    """Return the longest arm of each constant learning rate, in ascending order."""
    same = sorted(constants_of(e, optimizer), key=lambda arm: arm.steps)
    return sorted({arm.rate: arm for arm in same}.values(), key=lambda arm: arm.rate)


def ranked(e: Explanation) -> list[ArmRecord]:
    """Return the winner, and the other arms in the order of their losses."""

    def rank(arm: ArmRecord) -> tuple[bool, float]:
        loss = loss_of(e, arm)
        return arm != e.winner, loss.value if loss else np.inf

    return sorted(e.arms, key=rank)


def diverged(arm: ArmRecord) -> bool:
    """Return whether an arm was not finite, or worse than the start at its last evaluation."""
    return arm.failed is not None or bool(arm.evaluations and arm.evaluations[-1].averaged > 0)


def loss_of(e: Explanation, arm: ArmRecord, until: int | None = None) -> Loss | None:
    """Return the lowest loss of an arm, up to a step; None where it was not evaluated.

    That of the winner is the loss of the selected weights, from their step on.
    """
    until = arm.steps if until is None else until
    if arm == e.winner and until >= e.step:
        return Loss(e.loss)
    if np.isfinite(arm.loss) and until >= arm.steps:
        return Loss(arm.loss)
    found = lowest(evaluations_of(e, arm), until)
    if found is None:
        return None
    is_estimate = bool(np.isnan(found.raw)) or e.subset_rows < e.rows
    return Loss(loss_on_all(e, found, _change(found)), is_estimate)


def loss_on_all(e: Explanation, evaluation: Evaluation, change: float) -> float:
    """Return a loss of an evaluation, given as a change since the start, on all examples.

    Where it is of a subset, it is an estimate. Arms that are trained well differ on a subset by
    about as much as on all examples: a late loss is that of the selected weights plus the
    difference. An early loss is in proportion to that of the start. Where losses are positive, so
    is the estimate.
    """
    is_early = bool(np.isnan(evaluation.raw))
    loss = (e.early_start if is_early else e.subset_start) + change
    if is_early:
        known, on_all = e.early_start, e.start
    elif e.winner:
        known, on_all = subset_loss(e), e.loss
    else:
        known, on_all = e.subset_start, e.start
    shifted = loss + (on_all - known)
    is_proportional = min(loss, known, on_all) > 0 and (is_early or shifted <= 0)
    return on_all * loss / known if is_proportional else shifted


def lowest(evaluations: Iterable[Evaluation], until: float = np.inf) -> Evaluation | None:
    """Return the lowest evaluation up to a step; early ones count only where there is no other."""
    seen = [x for x in evaluations if x.step <= until and np.isfinite(_change(x))]
    return min(_late(seen) or seen[-1:], key=_change, default=None)


def compare(e: Explanation, winner: ArmRecord, arm: ArmRecord) -> ArmComparison | None:
    """Compare an arm with the winner, or return None if no step has an evaluation of both."""
    own, best = evaluations_of(e, arm), evaluations_of(e, winner)
    common = {_key(x) for x in own} & {_key(x) for x in best}  # early ones use other examples
    if not common:
        return None
    last = max(common)
    its = _at(own, last)
    winners = None if last[1] or last[0] < e.step else selected_evaluation(e)
    winners = _at(best, last) if winners is None else winners
    if its is None or winners is None:
        return None
    is_known = last[0] >= e.step and not last[1]
    error = arm.error if is_known else np.nan
    difference = arm.loss - e.loss if is_known and np.isfinite(arm.loss) else its - winners
    margin = ERRORS * error
    if np.isnan(margin) and (there := loss_of(e, winner, last[0])):
        margin = min(TIE * abs(e.start - e.loss), TIE_OF_LOSS * abs(there.value))
    return ArmComparison(arm, last[0], difference, error, margin)


def _at(evaluations: list[Evaluation], key: tuple[int, bool]) -> float | None:
    """Return the lowest change up to a step, or the change there where it is an early one."""
    step, is_early = key
    seen = [x for x in evaluations if _key(x) == key] if is_early else evaluations
    found = lowest(seen, step)
    return None if found is None else _change(found)


def selected_evaluation(e: Explanation) -> float | None:
    """Return the change of the selected weights' loss when they were evaluated."""
    found = [x for x in _late(evaluations_of(e, e.winner)) if x.step == e.step] if e.winner else []
    return (found[-1].averaged if e.is_average else found[-1].raw) if found else None


def comparisons_of(e: Explanation, winner: ArmRecord, optimizer: str) -> list[ArmComparison]:
    """Compare the other constant learning rates of an optimizer with the winner."""
    own = (winner.optimizer, winner.rate)
    arms = [a for a in constant_arms(e, optimizer) if (a.optimizer, a.rate) != own]
    found = [compare(e, winner, arm) for arm in arms if not diverged(arm)]
    return [pair for pair in found if pair]


def best_of_other(e: Explanation, winner: ArmRecord, optimizer: str) -> ArmComparison | None:
    """Return the best arm of another optimizer, among those that ran furthest."""
    found = comparisons_of(e, winner, optimizer)
    return min(found, key=lambda pair: (-pair.step, pair.difference), default=None)


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


def loss_of_other_weights(e: Explanation, winner: ArmRecord) -> float:
    """Return the loss of the winner's raw weights where averaged ones were selected, or the
    reverse; NaN where it is not known for all examples."""
    found = [x for x in _late(evaluations_of(e, winner)) if x.step == e.step]
    if not found or e.subset_rows < e.rows:
        return np.nan
    return e.start + (found[-1].raw if e.is_average else found[-1].averaged)


def rise(e: Explanation, winner: ArmRecord) -> Rise | None:
    """Return how far the winner's averaged loss rose again, if two evaluations in a row say so."""
    late = _late(evaluations_of(e, winner))
    least = min(late, key=lambda x: x.averaged, default=None)
    after = [x for x in late if least and x.step > least.step][-2:]
    if least is None or len(after) < 2:
        return None
    by = min(x.averaged for x in after) - least.averaged
    if by <= RISEN * (e.start - e.loss):
        return None
    return Rise(winner, least.step, after[-1].step, after[-1].averaged - least.averaged)


def late_decrease(e: Explanation, winner: ArmRecord) -> LateDecrease | None:
    """Return the decrease in the last quarter of the winner's steps, if it ran to the end."""
    late = _late(evaluations_of(e, winner))
    before = lowest(late, 0.75 * e.steps)
    if before is None or np.isnan(before.raw) or late[-1].step < e.steps:
        return None
    by = max(0.0, _change(before) - min(map(_change, late)))
    return LateDecrease(before.step, late[-1].step, by, by / (e.start - e.loss))


def subset_loss(e: Explanation) -> float:
    """Return the loss of the returned weights on the examples of late evaluations."""
    change = selected_evaluation(e)
    return e.loss if change is None or e.subset_rows == e.rows else e.subset_start + change


def _late(evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    """Return the evaluations of raw and averaged weights."""
    return [x for x in evaluations if not np.isnan(x.raw)]


def _change(evaluation: Evaluation) -> float:
    return float(np.fmin(evaluation.raw, evaluation.averaged))


def _key(evaluation: Evaluation) -> tuple[int, bool]:
    return evaluation.step, bool(np.isnan(evaluation.raw))
