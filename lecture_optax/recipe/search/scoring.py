"""Scores of arms, also while nothing has been learned.

On a plateau, where the start is already as good as a constant prediction (rare classes, deep
saturated nets), every arm that moves gets slightly worse for a while. A ranking by the loss would
favour arms that do not move. But some examples get better and others worse: the mean loss hardly
changes, the losses of single examples change a lot. Such changes count as ties, and among ties
arms that move rank first.

Everything is measured in differences of the loss, so neither a constant nor a factor matters.
"""

from .. import constants as c
from ..population.arms import Arm
from .race import INF, Race


def set_loss_scale(race: Race, anchor: Arm, loss_change: float) -> None:
    """Set the size of a change of the loss that is not small.

    It is how much examples differ at the start, or how much they move at `anchor`, the learning
    rate that works where scales are ordinary.
    """
    moved = race.mean_abs_change(anchor)
    if loss_change <= c.WORSE * moved:
        race.loss_scale = max(race.loss_scale, moved)


def score(race: Race, arm: Arm, loss_change: float, anchor: int) -> float:
    """Return the score of an arm: the change of its loss, or the score of a tie.

    Among ties, arms that moved come first, the nearest to `anchor` ahead. Arms that did not move
    follow, the larger learning rate ahead.
    """
    if loss_change == INF or loss_change < -c.GAINED * race.loss_scale:
        return loss_change
    small, moved = c.STILL * race.loss_scale, race.mean_abs_change(arm)
    if loss_change < -max(small, c.BETTER * moved) or loss_change > max(small, c.WORSE * moved):
        return loss_change
    is_moving = moved > c.MOVED * race.loss_scale
    preference = 100 - abs(arm.quarter_decades - anchor) if is_moving else arm.quarter_decades
    return -small * (1 + preference / 1000)


def rank(race: Race, arms: list[Arm], scores: dict[Arm, float], anchor: int) -> list[Arm]:
    """Return the arms by their scores; on a plateau, equal ones by their distance to `anchor`.

    On a plateau all arms soon predict a constant and then wait: a small lead is chance.
    """
    order = sorted(arms, key=lambda arm: scores[arm])
    lowest = scores[order[0]]
    if lowest < -c.GAINED * race.loss_scale:
        return order
    equal = [arm for arm in order if scores[arm] <= lowest + c.EQUAL * race.loss_scale]
    nearest = sorted(equal, key=lambda arm: abs(arm.quarter_decades - anchor))
    return [*nearest, *(arm for arm in order if arm not in equal)]


def with_hedge(
    race: Race, promoted: list[Arm], rung: int, scores: dict[Arm, float], anchor: int
) -> list[Arm]:
    """Return the promoted arms; on a plateau the arm at `anchor` is one of them, unless it is
    clearly worse."""
    hedge = Arm(promoted[0].optimizer, anchor)
    on_plateau = race.progress < c.GAINED * race.loss_scale
    if hedge in promoted or not on_plateau or scores.get(hedge, INF) > 0:
        return promoted
    others = [arm for arm in promoted[1:] if arm != hedge]
    dropped = 2 if rung == len(c.RUNGS) - 1 else 1
    return [promoted[0], hedge, *others[: max(0, len(promoted) - dropped)]]


def extrapolated_score(race: Race, arm: Arm, fraction: float) -> float:
    """Run an arm to a fraction and return the loss of its average, minus half of its last decrease.

    Slow arms still have far to go.
    """
    is_late = fraction >= c.SLOPE_FROM
    reached = race.run(arm, fraction, halfway=is_late)
    return (
        reached - c.SLOPE * race.last_decrease(arm, fraction)
        if is_late and reached < INF
        else reached
    )
