"""What do gradients buy that are left? Each way is a question: is it possible? Then it is done."""

import math

from . import constants as c
from .population import Arm
from .race import INF, Race
from .rungs import climb
from .spending import Spending
from .walk import walk


def neighbour(state: Spending) -> bool:
    """Half a decade up or down, where the decades beyond scored better first."""
    best = state.best
    up, down = best.faster(c.HALF), best.faster(-c.HALF)
    near = [up, down] if _beyond(state, best, 1) <= _beyond(state, best, -1) else [down, up]
    free = [arm for arm in near if not _tried_between(state, best, arm)]
    if not free or state.race.left <= c.ABANDON[0][0]:
        return False
    challenge(state, free[0])
    return True


def fall(state: Spending) -> bool:
    """The best arm again from the middle on, its rate falling to 0."""
    best = state.best
    if best in state.fallen or not state.race.affords(0.5):
        return False
    state.fallen.add(best)
    middle = state.race.steps // 2
    if (best, middle) not in state.race.population.saved:
        state.race.run(best, 0.5)
    if (best, middle) in state.race.population.saved:
        state.race.fall(best, 0.5, 1.0)
    state.tried[best] = state.race.lowest(best)
    return True


def other_family(state: Spending) -> bool:
    """The next family: a walk, two rungs, and its best against ours."""
    if not state.others or state.race.left < c.NESTEROV_FROM:
        return False
    starts = starts_of(state.race, state.best, *state.others.pop(0))
    scores = walk(state.race, starts, 0.0)
    if scores:
        home = starts[-1].quarter
        ranked, scores = climb(state.race, scores, c.NESTEROV_RUNGS, home, 0.0)
        state.scores.update(scores)
        challenge(state, ranked[0])
    return True


def starts_of(race: Race, best: Arm, family: int, gain: float | None) -> tuple[Arm, Arm]:
    """Where a family starts: where it first moves as far as the best arm did, and a decade below.

    So its rates follow the scale of the loss. A family that has no `gain` starts where Adam did.
    """
    curve = race.population.members[best].curve
    home = c.STARTS[-1]
    if gain is not None and curve.gradient > 0 and curve.update > 0:
        home = round(4 * math.log10(curve.update / (gain * curve.gradient)))
    return Arm(family, home - c.DECADE), Arm(family, home)


def quarter(state: Spending) -> bool:
    near = [state.best.faster(-c.QUARTER), state.best.faster(c.QUARTER)]
    return _first_unknown(state, near, c.ABANDON[0][0])


def runner_up(state: Spending) -> bool:
    return _first_unknown(state, state.ranked, 0.2)


def _first_unknown(state: Spending, arms: list[Arm], least: float) -> bool:
    free = [arm for arm in arms if not state.known(arm)]
    if not free or state.race.left <= least:
        return False
    challenge(state, free[0])
    return True


def challenge(state: Spending, arm: Arm) -> None:
    """Run an arm against the best one's curve, and give it up where it is behind at a step."""
    race, best = state.race, state.best
    state.given_up.add(arm)
    for fraction, margin in c.ABANDON:
        if race.done(arm) >= fraction - 1e-9:
            continue
        if not race.affords(fraction - race.done(arm)):
            return
        if not race.run(arm, fraction) <= race.at(best, fraction) + margin * race.progress:
            return
    if race.affords(1 - race.done(arm)):
        race.run(arm, 1.0)
        state.given_up.remove(arm)
        state.tried[arm] = race.lowest(arm)
    elif race.left > 0.02:
        race.run(arm, min(1.0, race.done(arm) + race.left - 1e-9))


def _beyond(state: Spending, best: Arm, sign: int) -> float:
    """The last score of the decade next to the best, or of the half decade."""
    decade, half = best.faster(sign * c.DECADE), best.faster(sign * c.HALF)
    return state.scores.get(decade, state.scores.get(half, INF))


def _tried_between(state: Spending, best: Arm, arm: Arm) -> bool:
    """Whether something between the best and that arm has been tried already."""
    low, high = sorted((best.quarter, arm.quarter))
    known = [a for a in (*state.tried, *state.given_up) if a.family == best.family and a != best]
    return any(low <= a.quarter <= high for a in known)
