"""Is a change of the loss news? What an arm is worth while nothing has been learnt yet.

Where the start is already the base rate (rare classes, deep saturated nets), every arm that moves
gets slightly worse for a while, and a ranking by the loss walks down to rates that stand still.
But then some rows get better and others worse: on average hardly anything, row by row a lot. Such
changes are ties, and among ties those that move come first.

All is measured on the loss's own differences, so that neither a constant nor a factor matters.
"""

from .. import constants as c
from ..population.arms import Arm
from .race import INF, Race


def set_loss_scale(race: Race, home: Arm, change: float) -> None:
    """The unit of what is small: how much rows differ at the start, or move at home, the rate that
    works where scales are ordinary."""
    movement = race.movement(home)
    if change <= c.WORSE * movement:
        race.unit = max(race.unit, movement)


def worth(race: Race, arm: Arm, change: float, home: int) -> float:
    """The score of an arm: how its loss changed, or a tie.

    Among ties, those that moved come first, the nearest to `home`; then those that stand still,
    the larger rate first.
    """
    if change == INF or change < -c.GAINED * race.unit:
        return change
    small, movement = c.STILL * race.unit, race.movement(arm)
    if change < -max(small, c.BETTER * movement) or change > max(small, c.WORSE * movement):
        return change
    moved = movement > c.MOVED * race.unit
    preference = 100 - abs(arm.quarter - home) if moved else arm.quarter
    return -small * (1 + preference / 1000)


def ranked(race: Race, arms: list[Arm], scores: dict[Arm, float], home: int) -> list[Arm]:
    """The arms by their scores; while nothing has been gained, among equals the nearest to home.

    All arms soon learn the base rate, and then wait for the fall: who is ahead by a hair is chance.
    """
    order = sorted(arms, key=lambda arm: scores[arm])
    lowest = scores[order[0]]
    if lowest < -c.GAINED * race.unit:
        return order
    equal = [arm for arm in order if scores[arm] <= lowest + c.EQUAL * race.unit]
    nearest = sorted(equal, key=lambda arm: abs(arm.quarter - home))
    return [*nearest, *(arm for arm in order if arm not in equal)]


def hedged(
    race: Race, kept: list[Arm], rung: int, scores: dict[Arm, float], home: int
) -> list[Arm]:
    """While nothing has been gained, the arm at `home` keeps a place if it is not clearly worse."""
    hedge = Arm(kept[0].optimizer, home)
    nothing_yet = race.progress < c.GAINED * race.unit
    if hedge in kept or not nothing_yet or scores.get(hedge, INF) > 0:
        return kept
    others = [arm for arm in kept[1:] if arm != hedge]
    dropped = 2 if rung == len(c.RUNGS) - 1 else 1
    return [kept[0], hedge, *others[: max(0, len(kept) - dropped)]]


def score(race: Race, arm: Arm, fraction: float) -> float:
    """The averaged loss, credited with half of its last fall: slow arms have far to go."""
    is_late = fraction >= c.SLOPE_FROM
    reached = race.run(arm, fraction, halfway=is_late)
    return (
        reached - c.SLOPE * race.last_decrease(arm, fraction)
        if is_late and reached < INF
        else reached
    )
