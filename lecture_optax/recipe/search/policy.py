"""Which arm goes on, which wins? The policy, step by step.

0. All arms start alike and see the same rows; each keeps an average of its weights and is ranked
   by the average's held-out loss. Arms run at a constant rate and are continued, never restarted.
1. Walk (`walk.py`): decades, until the best has both neighbours. `plateau.py`: what is no news.
2. Rungs (`rungs.py`): the best six to 3 %, three to 10 %, two to 30 %.
3. Leader (`leader.py`): the best to the end, or as far as it goes; it stops when it overfits.
4. Spend (`spend.py`): neighbours, a fall of the rate, the other family, quarters, runners-up.
5. Hand over (`choose.py`): the best of all looks, of raw weights or their average.
"""

from .. import constants as c
from ..population.arms import Arm
from .explore import climb, walk
from .race import INF, Race
from .refine import Spending, spend


def search(race: Race, gains: list[float | None]) -> None:
    """Spend the budget of `race`; what was found is in it. One gain a optimizer (`gain_of`)."""
    truncated = race.budget < c.TRUNCATED
    reserve = c.LEADER_SHARE * race.budget if truncated else 1.0
    starts = tuple(Arm(0, quarter) for quarter in c.STARTS)
    home = starts[-1].quarter
    scores = walk(race, starts, reserve) or {starts[0]: 0.0}
    ranked, scores = climb(race, scores, c.RUNGS, home, reserve)
    tried: dict[Arm, float] = {}
    leader = lead(race, ranked, tried)
    if leader is None or (race.done(leader) < 0.99 and race.left < 0.1):
        return
    others = list(enumerate(gains))[1:]
    spend(Spending(race, ranked, scores, tried, others))


def lead(race: Race, ranked: list[Arm], tried: dict[Arm, float]) -> Arm | None:
    """Run the best to the end; where it explodes the next, then slower ones. The one that did."""
    race.stage, first = "leader", ranked[0]
    slower = [first.faster(-c.HALF * i) for i in range(1, 5)]
    for arm in [*ranked, *slower]:
        if race.left <= 1e-9:
            return None
        may = arm == first or arm.optimizer != first.optimizer or arm.quarter < first.quarter
        if may and _to_the_end(race, arm):
            tried[arm] = race.lowest(arm)
            return arm
    return None


def _to_the_end(race: Race, arm: Arm) -> bool:
    """False if it is not finite on the way."""
    for mark in c.LEADER_EVALUATIONS:
        done = race.done(arm)
        fraction = min(mark, done + race.left)
        if fraction <= done + 1e-9:
            continue
        if decay := _decay(race, arm, fraction):
            return _with_decay(race, arm, *decay)
        if race.run(arm, fraction) == INF:
            return False
        if fraction < 1 and overfits(race, arm):
            return True
    return True


def overfits(race: Race, arm: Arm) -> bool:
    """Raw and averaged weights both are worse than the arm's own best: it lies behind."""
    return race.now(arm) > race.lowest(arm) + c.OVERFITS * race.progress


def _decay(race: Race, arm: Arm, fraction: float) -> tuple[float, float] | None:
    """From where to where the rate is to fall, if now is the time and the budget has no better
    use for it: Nesterov's rate is found late, when a branch can be paid for."""
    if race.budget >= c.SHORT or arm.optimizer != 0:
        return None
    start, end = c.FALL["truncated" if race.budget < c.TRUNCATED else "short"]
    done = race.done(arm)
    in_time = done <= start + 0.02 and fraction >= start - 1e-9
    return (start, end) if in_time and done + race.left >= end - 0.006 else None


def _with_decay(race: Race, arm: Arm, start: float, end: float) -> bool:
    if race.done(arm) < start - 0.006:
        if race.run(arm, start) == INF:
            return False
        if overfits(race, arm):
            return True
    race.branch_with_decay(arm, None, end)
    return True
