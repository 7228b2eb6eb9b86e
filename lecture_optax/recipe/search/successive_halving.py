"""Bracketing and successive halving: which learning rates are tried, and which arms are pruned."""

from collections.abc import Sequence

from .. import constants as c
from ..population.arms import Arm
from .race import INF, Race
from .scoring import extrapolated_score, rank, score, set_loss_scale, with_hedge

FASTEST, SLOWEST = 37 * 4, -44 * 4
"""What float32 can hold, in quarter decades. The search itself has no bounds."""


def first_evaluation(race: Race) -> float:
    """Return the fraction of a run at which arms are first compared."""
    return min(max(c.FIRST, c.FIRST_STEPS / race.steps), c.FIRST_MOST)


def bracket(race: Race, starts: tuple[Arm, ...], reserve: float) -> dict[Arm, float]:
    """Try learning rates a decade apart until the best one has both neighbours.

    **Returns** the score of every arm that was tried. Gradients of `reserve` runs stay unspent.
    """
    scores: dict[Arm, float] = {}
    anchor = starts[-1].quarter_decades
    for arm in starts[::-1]:
        _try(race, arm, scores, anchor, reserve)
    while scores:
        known, best = len(scores), min(scores, key=lambda arm: scores[arm])
        if scores[best] == INF:
            slowest = min(scores, key=lambda arm: arm.quarter_decades)
            _try(race, slowest.shifted(-c.DECADE), scores, anchor, reserve)
        else:
            _try(race, best.shifted(c.DECADE), scores, anchor, reserve)
            _try(race, best.shifted(-c.DECADE), scores, anchor, reserve)
        if len(scores) == known:
            break
    return scores


def _try(race: Race, arm: Arm, scores: dict[Arm, float], anchor: int, reserve: float) -> None:
    """Run an arm to the first evaluation and add its score, if it is new and can be paid for."""
    fraction = first_evaluation(race)
    in_reach = SLOWEST <= arm.quarter_decades <= FASTEST
    if arm not in scores and in_reach and race.affords(fraction + reserve):
        loss_change = race.run(arm, fraction)
        if arm.quarter_decades == anchor and loss_change < INF:
            set_loss_scale(race, arm, loss_change)
        scores[arm] = score(race, arm, loss_change, anchor)


def successive_halving(
    race: Race,
    scores: dict[Arm, float],
    rungs: Sequence[tuple[float, int]],
    anchor: int,
    reserve: float,
) -> tuple[list[Arm], dict[Arm, float]]:
    """Run the best arms to the next rung, prune the rest, and repeat.

    **Returns** the remaining arms, best first, and the last score of every arm that was tried.
    """
    remaining, scores = list(scores), dict(scores)
    for rung, (fraction, places) in enumerate(rungs):
        promoted = _promoted(race, remaining, scores, rung, places, anchor)
        race.phase = f"rung of {len(promoted)} arms at {fraction:.0%}"
        to = max(fraction, first_evaluation(race))
        remaining = _run(race, promoted, scores, to, anchor, reserve) or promoted[:1]
    slowest = min(arm.quarter_decades for arm in remaining)

    def with_preference(arm):  # learning rates that are best early are too large late
        halves = (arm.quarter_decades - slowest) / c.HALF
        return scores[arm] + c.SMALLER * race.progress * halves

    preferred = {arm: with_preference(arm) for arm in remaining}
    return rank(race, remaining, preferred, anchor), scores


def _promoted(
    race: Race,
    remaining: list[Arm],
    scores: dict[Arm, float],
    rung: int,
    places: int,
    anchor: int,
) -> list[Arm]:
    """Return the arms for a rung: the best ones, and at the first rung the half decades beside
    the best."""
    order = sorted(remaining, key=lambda arm: scores[arm])
    if rung > 0:
        order = rank(race, remaining, scores, anchor)
    promoted = [arm for arm in order if scores[arm] < INF][:places] or order[:1]
    if rung == 0:
        halves = (promoted[0].shifted(c.HALF), promoted[0].shifted(-c.HALF))
        promoted += [arm for arm in halves if arm not in promoted]
    return with_hedge(race, promoted, rung, scores, anchor)


def _run(
    race: Race,
    promoted: list[Arm],
    scores: dict[Arm, float],
    fraction: float,
    anchor: int,
    reserve: float,
) -> list[Arm]:
    """Run arms to a rung and return those that reached it.

    All but the first run only if the first can still reach the end.
    """
    reached = []
    for arm in promoted:
        more = fraction - race.fraction_done(arm)
        ahead = max(0.0, reserve - race.fraction_done(promoted[0])) if reserve else 0.0
        if race.affords(more + (0.0 if arm == promoted[0] else ahead)):
            scores[arm] = score(race, arm, extrapolated_score(race, arm, fraction), anchor)
            reached.append(arm)
    return reached
