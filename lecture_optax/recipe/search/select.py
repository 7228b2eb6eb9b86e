"""Step 5: which weights are handed over, and how sure is that?"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...training._trees import n_rows
from .. import constants as c
from .race import Candidate, Race


class Selection(NamedTuple):
    """The weights that were looked at last and best.

    - `candidate`: the look; None where no arm was better than the start.
    - `gain`: the decay of the loss over all held-out rows, and `error`: its standard error, paired
      row by row with the start; NaN where the loss is no mean over rows.
    - `reason`: why this look, where it is not the lowest.
    """

    candidate: Candidate | None
    gain: float
    error: float
    reason: str


def choose(race: Race, settle: Callable[[Candidate], Candidate]) -> Selection:
    """The lowest look over all rows; with few rows raw weights must be better by a standard error.

    `settle` gives averaged weights the model state that belongs to them.

    Few rows make the lowest of many looks a matter of luck, and of raw weights more so: they
    differ more from look to look.
    """
    held_out = race.held_out
    found = sorted(_on_all_rows(race, settle), key=lambda x: x.change)
    if not found or found[0].change >= 0:
        return Selection(None, 0.0, float("nan"), "no look was better than the start")
    best, reason = found[0], "lowest"
    rows = held_out.losses(best.params, best.model_state)
    averages = [x for x in found if x.is_average]
    if n_rows(held_out.all) < c.FEW_ROWS and not best.is_average and averages:
        others = held_out.losses(averages[0].params, averages[0].model_state)
        lead = averages[0].change - best.change
        if averages[0].change < 0 and lead <= _error(rows, others):
            best, rows = averages[0], others
            reason = "averaged, as the raw weights' lead is within its error"
    start = race.population.start
    error = _error(rows, held_out.losses(start.params, start.model_state))
    return Selection(best, -best.change, error, reason)


def _on_all_rows(race: Race, settle: Callable[[Candidate], Candidate]) -> list[Candidate]:
    """What was found, with its loss on all rows: late looks may have seen only a part of them."""
    held_out, seen_all = race.held_out, not race.held_out.plan.recheck
    some = sorted(race.found, key=lambda x: x.change)[: None if seen_all else held_out.plan.recheck]
    result = []
    for x in some:
        final = settle(x) if x.is_average else x
        if not (seen_all and final is x):
            change = held_out.change(final.params, final.model_state, "all")
            final = final._replace(change=change)
        result.append(final)
    return result


def _error(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """The standard error of the difference of two losses, row by row."""
    if one is None or other is None or len(one) < 2:
        return float("nan")
    return float(np.std(one - other, ddof=1) / np.sqrt(len(one)))
