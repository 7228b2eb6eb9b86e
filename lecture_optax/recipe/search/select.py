"""Selection of the weights that a search returns, and the standard error of their gain."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from ...training._trees import n_rows
from ...training.loop.evaluation import averaged_params
from .. import constants as c
from ..population.arms import REFIT, Arm
from .folds import CrossValidation, choose, cross_validation_of, standard_error
from .runner import Candidate, Runner


class Selection(NamedTuple):
    """The weights that a search returns.

    - `candidate`: what was selected; None where no arm was better than the start.
    - `gain`: the decrease of the loss over all validation examples; `error`: its standard error,
      paired with the start example by example; NaN where the loss is not a mean over examples.
    - `reason`: why this candidate, where it is not the lowest.
    - `losses`: the loss of every validation example; None where the loss is not their mean.
    - `others`: those of the best weights of other arms, where they were compared on all examples.
    - `refit`: what is returned in its place, if the search used folds.
    """

    candidate: Candidate | None
    gain: float
    error: float
    reason: str
    losses: np.ndarray | None = None
    others: Mapping[Arm, np.ndarray] = {}
    refit: "Refit | None" = None


class Refit(NamedTuple):
    """Weights that were trained on all examples, as cross-validation selected."""

    candidate: Candidate
    validation: CrossValidation


def select_weights(
    runner: Runner, with_batch_statistics: Callable[[Candidate], Candidate]
) -> Selection:
    """Select the weights with the lowest loss over all validation examples.

    The lowest of many evaluations of few examples is mostly luck, and more so for raw weights,
    which vary more between evaluations. So with few examples raw weights must be better than the
    average by a standard error.

    `with_batch_statistics` gives averaged weights the model state that belongs to them.
    """
    held_out = runner.held_out
    checked = sorted(_on_all_examples(runner, with_batch_statistics), key=lambda x: x[0][0])
    candidates = [candidate for candidate, _ in checked]
    if not candidates or candidates[0].loss_change >= 0:
        return Selection(None, 0.0, float("nan"), "no evaluation was better than the start")

    def losses_of(i: int) -> np.ndarray | None:
        candidate, known = checked[i]
        return held_out.losses(candidate.params, candidate.model_state) if known is None else known

    best, reason, losses = candidates[0], "lowest", losses_of(0)
    averaged = next((i for i, x in enumerate(candidates) if x.is_average), 0)
    if n_rows(held_out.all) < c.FEW_ROWS and averaged and candidates[averaged].loss_change < 0:
        others = losses_of(averaged)
        if candidates[averaged].loss_change - best.loss_change <= paired_error(losses, others):
            best, losses = candidates[averaged], others
            reason = "averaged, as the raw weights' lead is within its error"
    known = {x.arm: own for x, own in reversed(checked) if own is not None and x.arm != best.arm}
    error = paired_error(losses, held_out.first)
    return Selection(best, -best.loss_change, error, reason, losses, known)


def refit_of(runner: Runner) -> Refit | None:
    """Return the weights that were trained on all examples, if the search came so far."""
    plan, folds = runner.folds, runner.population.folds
    found = choose(runner.journal, plan.count) if plan else None
    if found is None or folds is None:
        return None
    arm = found.arm._replace(fold=REFIT)
    member = runner.population.members.get(arm)
    if member is None or not member.is_finite or member.curve.step < found.step:
        return None
    weights = runner.final_weights(arm, found.is_average)
    candidate = Candidate(found.mean, *weights, arm, found.step, found.is_average)
    return Refit(candidate, cross_validation_of(found, runner.journal, folds))


def _on_all_examples(
    runner: Runner, with_batch_statistics: Callable[[Candidate], Candidate]
) -> Iterator[tuple[Candidate, np.ndarray | None]]:
    """Yield candidates with their losses on all examples, and of each where that was computed.

    If evaluations used a part of the examples, these are the best of several arms. While none of
    them is better than the start, the other arms follow, and the last average of every arm.
    """
    held_out, found = runner.held_out, np.inf
    best, recheck = _by_arm(runner), held_out.plan.recheck
    enough = recheck or len(best)
    for i, x in enumerate(chain(best, _last_averages(runner, best))):
        if i >= enough and found < 0:
            return
        final, losses = with_batch_statistics(x) if x.is_average else x, None
        if recheck or i >= enough or final is not x:
            change, losses = held_out.change_on_all(final.params, final.model_state)
            final = final._replace(loss_change=change)
        found = min(found, final.loss_change)
        yield final, losses


def _by_arm(runner: Runner) -> list[Candidate]:
    """Return the candidates, the lowest first: of every arm one, if they are compared again."""
    best = sorted(runner.candidates.values(), key=attrgetter("loss_change"))
    if not runner.held_out.plan.recheck:
        return best
    return [x for i, x in enumerate(best) if x.arm not in {other.arm for other in best[:i]}]


def _last_averages(runner: Runner, known: list[Candidate]) -> Iterator[Candidate]:
    """Yield the last average of every arm that is not known, the lowest first."""
    members, averages = runner.population.members, [x[3:] for x in known if x.is_average]
    last = [
        Candidate(x.averaged, None, None, arm, x.step, True)
        for arm, member in members.items()
        for x in member.curve.evaluations[-1:]
        if arm.fold is None and member.is_finite and x.step == member.curve.step
    ]
    for x in sorted(last, key=attrgetter("loss_change")):
        carry = members[x.arm].carry
        if carry is not None and x[3:] not in averages:
            params, model_state = averaged_params(carry), carry.model_state
            yield x._replace(params=params, model_state=model_state)


def paired_error(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """Return the standard error of the mean difference of two losses, paired by example."""
    return float("nan") if one is None or other is None else standard_error(one - other)
