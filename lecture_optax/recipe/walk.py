"""Step 1: where is the valley? Decades, until the best has both neighbours. No bounds."""

from . import constants as c
from .plateau import look_at_home, worth
from .population import Arm
from .race import INF, Race

FASTEST, SLOWEST = 37 * 4, -44 * 4
"""What float32 can hold, in quarter decades: not a bound of the search."""


def first_look(race: Race) -> float:
    """The fraction at which arms are first compared."""
    return min(max(c.FIRST, c.FIRST_STEPS / race.steps), c.FIRST_MOST)


def walk(race: Race, starts: tuple[Arm, ...], reserve: float) -> dict[Arm, float]:
    """The scores of all arms that were tried, keeping `reserve` runs for later."""
    scores: dict[Arm, float] = {}
    home = starts[-1].quarter
    for arm in starts[::-1]:
        _try(race, arm, scores, home, reserve)
    while scores:
        known, best = len(scores), min(scores, key=lambda arm: scores[arm])
        if scores[best] == INF:
            slowest = min(scores, key=lambda arm: arm.quarter)
            _try(race, slowest.faster(-c.DECADE), scores, home, reserve)
        else:
            _try(race, best.faster(c.DECADE), scores, home, reserve)
            _try(race, best.faster(-c.DECADE), scores, home, reserve)
        if len(scores) == known:
            break
    return scores


def _try(race: Race, arm: Arm, scores: dict[Arm, float], home: int, reserve: float) -> None:
    fraction = first_look(race)
    in_reach = SLOWEST <= arm.quarter <= FASTEST
    if arm not in scores and in_reach and race.affords(fraction + reserve):
        change = race.run(arm, fraction)
        if arm.quarter == home and change < INF:
            look_at_home(race, arm, change)
        scores[arm] = worth(race, arm, change, home)
