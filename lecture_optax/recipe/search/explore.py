"""Step 1: where is the valley? Decades, until the best has both neighbours. No bounds."""

from collections.abc import Sequence

from .. import constants as c
from ..population.arms import Arm
from .race import INF, Race
from .scoring import hedged, ranked, score, set_loss_scale, worth

FASTEST, SLOWEST = 37 * 4, -44 * 4
"""What float32 can hold, in quarter decades: not a bound of the search."""


def first_evaluation(race: Race) -> float:
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
    fraction = first_evaluation(race)
    in_reach = SLOWEST <= arm.quarter <= FASTEST
    if arm not in scores and in_reach and race.affords(fraction + reserve):
        change = race.run(arm, fraction)
        if arm.quarter == home and change < INF:
            set_loss_scale(race, arm, change)
        scores[arm] = worth(race, arm, change, home)


def climb(
    race: Race,
    scores: dict[Arm, float],
    rungs: Sequence[tuple[float, int]],
    home: int,
    reserve: float,
) -> tuple[list[Arm], dict[Arm, float]]:
    """The arms that are left, best first, and the last score of every arm that was tried."""
    alive, scores = list(scores), dict(scores)
    for rung, (fraction, places) in enumerate(rungs):
        kept = _kept(race, alive, scores, rung, places, home)
        race.stage = f"rung of {len(kept)} arms at {fraction:.0%}"
        alive = (
            _run(race, kept, scores, max(fraction, first_evaluation(race)), home, reserve)
            or kept[:1]
        )
    slowest = min(arm.quarter for arm in alive)

    def with_preference(arm):  # what is best early is too fast late
        halves = (arm.quarter - slowest) / c.HALF
        return scores[arm] + c.SMALLER * race.progress * halves

    preferred = {arm: with_preference(arm) for arm in alive}
    return ranked(race, alive, preferred, home), scores


def _kept(
    race: Race,
    alive: list[Arm],
    scores: dict[Arm, float],
    rung: int,
    places: int,
    home: int,
) -> list[Arm]:
    """The best few, at the first rung with the leader's half-decade neighbours."""
    order = sorted(alive, key=lambda arm: scores[arm])
    if rung > 0:
        order = ranked(race, alive, scores, home)
    kept = [arm for arm in order if scores[arm] < INF][:places] or order[:1]
    if rung == 0:
        halves = (kept[0].faster(c.HALF), kept[0].faster(-c.HALF))
        kept += [arm for arm in halves if arm not in kept]
    return hedged(race, kept, rung, scores, home)


def _run(
    race: Race,
    kept: list[Arm],
    scores: dict[Arm, float],
    fraction: float,
    home: int,
    reserve: float,
) -> list[Arm]:
    """Those of the kept that could be taken to the rung: the others only if the leader can still
    reach the end."""
    taken = []
    for arm in kept:
        more = fraction - race.done(arm)
        ahead = max(0.0, reserve - race.done(kept[0])) if reserve else 0.0
        if race.affords(more + (0.0 if arm == kept[0] else ahead)):
            scores[arm] = worth(race, arm, score(race, arm, fraction), home)
            taken.append(arm)
    return taken
