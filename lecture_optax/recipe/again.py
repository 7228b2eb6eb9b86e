"""What is worth a second time? A closer look, a run that was stopped, an arm that was given up."""

from . import constants as c
from .population import Arm
from .race import INF
from .spending import Spending


def look_closer(state: Spending) -> bool:
    """Where the best look is an early one, run its arm again and look around that step.

    A model that overfits is best for a moment, which looks a tenth of the run apart miss.
    """
    race = state.race
    best = min(race.found, key=lambda x: x.change, default=None)
    if best is None or best.arm.fall is not None or best.arm in state.closer:
        return False
    gap = race.held_out.plan.every * race.steps
    marks = {round(best.step + gap * part) for part in c.CLOSER}
    marks = sorted(mark for mark in marks if 0 < mark < race.steps)
    is_early = best.step <= c.CLOSER_UNTIL * race.steps < race.population.step(best.arm)
    has_room = race.held_out.has_room(len(marks))
    if not (marks and is_early and has_room and race.affords(marks[-1] / race.steps)):
        return False
    state.closer.add(best.arm)
    race.look_at(race.population.again(best.arm), marks)
    if best.arm in state.tried:
        state.tried[best.arm] = race.lowest(best.arm)
    return True


def to_the_end(state: Spending) -> bool:
    """The best arm, where it was stopped because it got worse."""
    best, race = state.best, state.race
    more = 1 - race.done(best)
    if more < 0.01 or not race.population.members[best].alive or not race.affords(more):
        return False
    race.run(best, 1.0)
    state.tried[best] = race.lowest(best)
    return True


def second_chance(state: Spending) -> bool:
    """The lowest of the arms that were given up, to the end."""
    race = state.race
    waiting = [arm for arm in state.given_up if race.lowest(arm) < INF and _can_go_on(state, arm)]
    if not waiting:
        return False
    arm = min(waiting, key=race.lowest)
    state.given_up.remove(arm)
    race.run(arm, 1.0)
    state.tried[arm] = race.lowest(arm)
    return True


def other_fall(state: Spending) -> bool:
    """The rate of the next best arm falls, too."""
    race, middle = state.race, state.race.steps // 2
    waiting = [arm for arm in state.tried if arm not in state.fallen]
    waiting = [arm for arm in waiting if (arm, middle) in race.population.saved]
    if not waiting or not race.affords(0.5):
        return False
    arm = min(waiting, key=lambda arm: state.tried[arm])
    state.fallen.add(arm)
    race.fall(arm, 0.5, 1.0)
    state.tried[arm] = race.lowest(arm)
    return True


def _can_go_on(state: Spending, arm: Arm) -> bool:
    alive = state.race.population.members[arm].alive
    return alive and state.race.affords(1 - state.race.done(arm))
