"""Selection of the weights that a search returns, and the standard error of their gain."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...training._trees import n_rows
from .. import constants as c
from .race import Candidate, Race


class Selection(NamedTuple):
    """The weights that a search returns.

    - `candidate`: what was selected; None where no arm was better than the start.
    - `gain`: the decrease of the loss over all validation examples; `error`: its standard error,
      paired with the start example by example; NaN where the loss is not a mean over examples.
    - `reason`: why this candidate, where it is not the lowest.
    """

    candidate: Candidate | None
    gain: float
    error: float
    reason: str


def select_weights(
    race: Race, with_batch_statistics: Callable[[Candidate], Candidate]
) -> Selection:
    """Select the weights with the lowest loss over all validation examples.

    The lowest of many evaluations of few examples is mostly luck, and more so for raw weights,
    which vary more between evaluations. So with few examples raw weights must be better than the
    average by a standard error.

    `with_batch_statistics` gives averaged weights the model state that belongs to them.
    """
    held_out = race.held_out
    candidates = _on_all_examples(race, with_batch_statistics)
    candidates = sorted(candidates, key=lambda x: x.loss_change)
    if not candidates or candidates[0].loss_change >= 0:
        return Selection(None, 0.0, float("nan"), "no evaluation was better than the start")
    best, reason = candidates[0], "lowest"
    losses = held_out.losses(best.params, best.model_state)
    averages = [x for x in candidates if x.is_average]
    if n_rows(held_out.all) < c.FEW_ROWS and not best.is_average and averages:
        others = held_out.losses(averages[0].params, averages[0].model_state)
        lead = averages[0].loss_change - best.loss_change
        if averages[0].loss_change < 0 and lead <= _error(losses, others):
            best, losses = averages[0], others
            reason = "averaged, as the raw weights' lead is within its error"
    start = race.population.start
    error = _error(losses, held_out.losses(start.params, start.model_state))
    return Selection(best, -best.loss_change, error, reason)


def _on_all_examples(
    race: Race, with_batch_statistics: Callable[[Candidate], Candidate]
) -> list[Candidate]:
    """Return the candidates with their losses on all examples: late evaluations may have used a
    subset of them."""
    held_out, used_all = race.held_out, not race.held_out.plan.recheck
    lowest = sorted(race.candidates, key=lambda x: x.loss_change)
    result = []
    for x in lowest[: None if used_all else held_out.plan.recheck]:
        final = with_batch_statistics(x) if x.is_average else x
        if not (used_all and final is x):
            loss_change = held_out.loss_change(final.params, final.model_state, "all")
            final = final._replace(loss_change=loss_change)
        result.append(final)
    return result


def _error(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """Return the standard error of the mean difference of two losses, paired by example."""
    if one is None or other is None or len(one) < 2:
        return float("nan")
    return float(np.std(one - other, ddof=1) / np.sqrt(len(one)))
