"""Step 3: the leader runs to the end, or as far as the budget goes."""

from . import constants as c
from .population import Arm
from .race import INF, Race


def lead(race: Race, ranked: list[Arm], tried: dict[Arm, float]) -> Arm | None:
    """Run the best to the end; where it explodes the next, then slower ones. The one that did."""
    race.stage, first = "leader", ranked[0]
    slower = [first.faster(-c.HALF * i) for i in range(1, 5)]
    for arm in [*ranked, *slower]:
        if race.left <= 1e-9:
            return None
        may = arm == first or arm.family != first.family or arm.quarter < first.quarter
        if may and _to_the_end(race, arm):
            tried[arm] = race.lowest(arm)
            return arm
    return None


def _to_the_end(race: Race, arm: Arm) -> bool:
    """False if it is not finite on the way."""
    for mark in c.LEADER_LOOKS:
        done = race.done(arm)
        fraction = min(mark, done + race.left)
        if fraction <= done + 1e-9:
            continue
        if fall := _fall(race, arm, fraction):
            return _with_a_fall(race, arm, *fall)
        if race.run(arm, fraction) == INF:
            return False
        if fraction < 1 and overfits(race, arm):
            return True
    return True


def overfits(race: Race, arm: Arm) -> bool:
    """Raw and averaged weights both are worse than the arm's own best: it lies behind."""
    return race.now(arm) > race.lowest(arm) + c.OVERFITS * race.progress


def _fall(race: Race, arm: Arm, fraction: float) -> tuple[float, float] | None:
    """From where to where the rate is to fall, if now is the time and the budget has no better
    use for it: Nesterov's rate is found late, when a branch can be paid for."""
    if race.budget >= c.SHORT or arm.family != 0:
        return None
    start, end = c.FALL["truncated" if race.budget < c.TRUNCATED else "short"]
    done = race.done(arm)
    in_time = done <= start + 0.02 and fraction >= start - 1e-9
    return (start, end) if in_time and done + race.left >= end - 0.006 else None


def _with_a_fall(race: Race, arm: Arm, start: float, end: float) -> bool:
    if race.done(arm) < start - 0.006:
        if race.run(arm, start) == INF:
            return False
        if overfits(race, arm):
            return True
    race.fall(arm, None, end)
    return True
