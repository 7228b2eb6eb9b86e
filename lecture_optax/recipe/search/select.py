"""Selection of the weights that a search returns, and the standard error of their gain."""

from collections.abc import Iterator, Mapping
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from ...training._trees import n_rows
from ...training.loop.batch_statistics import has_statistics
from .. import constants as c
from ..population.arms import REFIT, Arm
from ..population.member import Candidate
from ..population.population import Population
from ..population.worker import weights_of
from .folds import CrossValidation, choose, cross_validation_of, standard_error
from .keep import ANY, Keep
from .runner import Runner


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


def select_weights(runner: Runner, keep: Keep = ANY) -> Selection:
    """Select, of the weights that may be kept, those with the lowest loss over all examples.

    The lowest of many evaluations of few examples is mostly luck, and more so for raw weights,
    which vary more between evaluations. So with few examples raw weights must be better than the
    average by a standard error.
    """
    held_out = runner.held_out
    checked = sorted(_on_all_examples(runner, keep), key=lambda x: x[0].loss_change)
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
    plan, population = runner.folds, runner.population
    found = choose(runner.journal, plan) if plan else None
    if plan is None or found is None or population.folds is None:
        return None
    arm = found.arm._replace(fold=REFIT)
    member = runner.members.get(arm)
    if member is None or not member.is_finite or member.curve.step < found.step:
        return None
    weights = weights_of(runner.carry_of(arm), found.is_average)
    candidate = Candidate(found.mean, found.step, arm, found.is_average, weights)
    validation = cross_validation_of(found, runner.journal, plan, population.folds)
    return Refit(with_batch_statistics(population, candidate), validation)


def with_batch_statistics(population: Population, found: Candidate) -> Candidate:
    """Return weights that are an average with their own batch statistics."""
    if not found.is_average or not has_statistics(found.model_state):
        return found
    return found._replace(weights=population.statistics(found.arm, found.step, found.weights))


def _on_all_examples(runner: Runner, keep: Keep) -> Iterator[tuple[Candidate, np.ndarray | None]]:
    """Yield candidates with their losses on all examples, and of each where that was computed.

    If evaluations used a part of the examples, these are the best of several arms. While none of
    them is better than the start, the other arms follow, and the last weights of every arm.
    """
    held_out, found = runner.held_out, np.inf
    best, recheck = [] if keep.last else _by_arm(runner, keep), held_out.plan.recheck
    enough = np.inf if keep.last else recheck or len(best)
    for i, x in enumerate(chain(best, _last_weights(runner, best, keep))):
        if i >= enough and found < 0:
            return
        x = x._replace(weights=runner.weights_of(x))
        final, losses = with_batch_statistics(runner.population, x), None
        if recheck or keep.last or i >= enough or final is not x:
            change, losses = held_out.change_on_all(final.params, final.model_state)
            final = final._replace(loss_change=change)
        found = min(found, final.loss_change)
        yield final, losses


def _by_arm(runner: Runner, keep: Keep) -> list[Candidate]:
    """Return the candidates, the lowest first: of every arm one, if they are compared again."""
    own = [x for x in runner.candidates if x.is_average in keep.kinds]
    best = sorted(own, key=attrgetter("loss_change"))
    if not runner.held_out.plan.recheck:
        return best
    return [x for i, x in enumerate(best) if x.arm not in {other.arm for other in best[:i]}]


def _last_weights(runner: Runner, known: list[Candidate], keep: Keep) -> Iterator[Candidate]:
    """Yield the last weights of every arm that are not known, the lowest first.

    They are averages, if averages may be kept.
    """
    is_average = True in keep.kinds
    last = [
        Candidate(x.averaged, x.step, arm, is_average)
        for arm, member in runner.members.items()
        for x in member.curve.evaluations[-1:]
        if arm.fold is None and member.is_finite and x.step == member.curve.step
    ]
    furthest = max((x.step for x in last), default=0) if keep.last else 0
    for x in sorted(last, key=attrgetter("loss_change")):
        is_known = x[1:4] in [other[1:4] for other in known]
        if runner.members[x.arm].carry is not None and x.step >= furthest and not is_known:
            yield x._replace(weights=weights_of(runner.carry_of(x.arm), is_average))


def paired_error(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """Return the standard error of the mean difference of two losses, paired by example."""
    return float("nan") if one is None or other is None else standard_error(one - other)
