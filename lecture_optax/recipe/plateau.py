"""Is a change of the loss news? What an arm is worth while nothing has happened yet.

Where the start is already the base rate (rare classes, deep saturated nets), every arm that moves
gets slightly worse for a while, and a ranking by loss walks down to rates that stand still. Such
changes are ties, and among ties the arms that move come first.
"""

from . import constants as c
from .population import Arm
from .race import INF, Race


def worth(race: Race, arm: Arm, change: float, home: int) -> float:
    """The score of an arm: how its loss changed, or a tie.

    Among ties, those that moved come first, the nearest to `home` (a rate that works where scales
    are ordinary); then those that stand still, the larger rate first.
    """
    small = c.STILL * race.spread
    if not -small <= change <= c.WORSE * race.spread:
        return change
    moved = abs(change) > c.MOVED * race.spread
    preference = 100 - abs(arm.quarter - home) if moved else arm.quarter
    return -small * (1 + preference / 1000)


def hedged(race: Race, kept: list[Arm], rung: int, scores: dict[Arm, float], home: int) -> list[Arm]:
    """While nothing has been gained, the arm at `home` keeps a place."""
    hedge = Arm(kept[0].family, home)
    nothing_yet = race.progress < c.HEDGE * race.spread
    worth_it = scores.get(hedge, INF) <= c.WORSE * race.spread
    if hedge in kept or not (nothing_yet and worth_it):
        return kept
    others = [arm for arm in kept[1:] if arm != hedge]
    dropped = 2 if rung == len(c.RUNGS) - 1 else 1
    return [kept[0], hedge, *others[: max(0, len(kept) - dropped)]]
