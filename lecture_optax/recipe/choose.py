"""Step 5: which weights are handed over, and how sure is that?"""

from typing import NamedTuple

import numpy as np

from . import constants as c
from .held_out import HeldOut, count
from .race import Found, Race


class Choice(NamedTuple):
    """The weights that were looked at last and best.

    - `found`: the look; None where no arm was better than the start.
    - `gain`: the fall of the loss over all held-out rows, and `error`: its standard error, paired
      row by row with the start; NaN where the loss is no mean over rows.
    - `rule`: why this look, where it is not the lowest.
    """

    found: Found | None
    gain: float
    error: float
    rule: str


def choose(race: Race) -> Choice:
    """The lowest look over all rows; with few rows raw weights must be better by a standard error.

    Few rows make the lowest of many looks a matter of luck, and of raw weights more so: they
    differ more from look to look.
    """
    held_out = race.held_out
    found = sorted(_on_all_rows(race), key=lambda x: x.change)
    if not found or found[0].change >= 0:
        return Choice(None, 0.0, float("nan"), "no look was better than the start")
    best, rule = found[0], "lowest"
    averages = [x for x in found if x.is_average]
    if count(held_out.all) < c.FEW_ROWS and not best.is_average and averages:
        margin = _error(held_out, best, averages[0])
        if averages[0].change < 0 and averages[0].change - best.change <= margin:
            best, rule = averages[0], "averaged, as the raw weights' lead is within its error"
    return Choice(best, -best.change, _error(held_out, best, None, race), rule)


def _on_all_rows(race: Race) -> list[Found]:
    """What was found, with its loss on all rows where late looks see only a part of them."""
    held_out = race.held_out
    if not held_out.plan.recheck:
        return race.found
    return [
        x._replace(change=held_out.change(x.params, x.model_state, "all"))
        for x in sorted(race.found, key=lambda x: x.change)[: held_out.plan.recheck]
    ]


def _error(held_out: HeldOut, one: Found, other: Found | None, race: Race | None = None) -> float:
    """The standard error of the difference of two losses, row by row; the start's if `other` is
    None."""
    first = held_out.losses(one.params, one.model_state)
    if race is not None:
        start = race.population.start
        second = held_out.losses(start.params, start.model_state)
    else:
        assert other is not None
        second = held_out.losses(other.params, other.model_state)
    if first is None or second is None or len(first) < 2:
        return float("nan")
    return float(np.std(first - second, ddof=1) / np.sqrt(len(first)))
