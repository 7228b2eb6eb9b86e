"""What has been tried to the end, what was given up, and what is still to be tried?"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from .. import constants as c
from ..population.arms import Arm
from .explore import climb, walk
from .race import INF, Race


@dataclass
class Spending:
    """The state of step 4.

    - `ranked`, `scores`: what the rungs left, and the last score of every arm.
    - `tried`: the lowest evaluation of every arm that was run to the end; `given_up`: those that were
      not; `decayed`: those with a branch whose rate falls; `closer`: those looked at again.
    - `others`: the families to come, by number, with their gains.
    """

    race: Race
    ranked: list[Arm]
    scores: dict[Arm, float]
    tried: dict[Arm, float]
    others: list[tuple[int, float | None]]
    given_up: set[Arm] = field(default_factory=set)
    decayed: set[Arm] = field(default_factory=set)
    closer: set[Arm] = field(default_factory=set)

    @property
    def best(self) -> Arm:
        return min(self.tried, key=lambda arm: self.tried[arm])

    def known(self, arm: Arm) -> bool:
        return arm in self.tried or arm in self.given_up


def try_neighbour(state: Spending) -> bool:
    """Half a decade up or down, where the decades beyond scored better first."""
    best = state.best
    up, down = best.faster(c.HALF), best.faster(-c.HALF)
    near = [up, down] if _beyond(state, best, 1) <= _beyond(state, best, -1) else [down, up]
    free = [arm for arm in near if not _tried_between(state, best, arm)]
    if not free or state.race.left <= c.ABANDON[0][0]:
        return False
    challenge(state, free[0])
    return True


def try_decay(state: Spending) -> bool:
    """The best arm again from the middle on, its rate falling to 0."""
    best = state.best
    if best in state.decayed or not state.race.affords(0.5):
        return False
    state.decayed.add(best)
    middle = state.race.steps // 2
    if (best, middle) not in state.race.population.saved:
        state.race.run(best, 0.5)
    if (best, middle) in state.race.population.saved:
        state.race.branch_with_decay(best, 0.5, 1.0)
    state.tried[best] = state.race.lowest(best)
    return True


def try_other_optimizer(state: Spending) -> bool:
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


def starts_of(race: Race, best: Arm, optimizer: int, gain: float | None) -> tuple[Arm, Arm]:
    """Where a family starts: where it first moves as far as the best arm did, and a decade below.

    So its rates follow the scale of the loss. A family that has no `gain` starts where Adam did.
    """
    curve = race.population.members[best].curve
    home = c.STARTS[-1]
    if gain is not None and curve.gradient > 0 and curve.update > 0:
        home = round(4 * math.log10(curve.update / (gain * curve.gradient)))
    return Arm(optimizer, home - c.DECADE), Arm(optimizer, home)


def try_quarter_decade(state: Spending) -> bool:
    near = [state.best.faster(-c.QUARTER), state.best.faster(c.QUARTER)]
    return _first_unknown(state, near, c.ABANDON[0][0])


def try_runner_up(state: Spending) -> bool:
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
    known = [
        a for a in (*state.tried, *state.given_up) if a.optimizer == best.optimizer and a != best
    ]
    return any(low <= a.quarter <= high for a in known)


def evaluate_more_often(state: Spending) -> bool:
    """Where the best look is an early one, run its arm again and look around that step.

    A model that overfits is best for a moment, which looks a tenth of the run apart miss.
    """
    race = state.race
    best = min(race.found, key=lambda x: x.change, default=None)
    if best is None or best.arm.decay is not None or best.arm in state.closer:
        return False
    gap = race.held_out.plan.every * race.steps
    marks = {round(best.step + gap * part) for part in c.CLOSER}
    marks = sorted(mark for mark in marks if 0 < mark < race.steps)
    is_early = best.step <= c.CLOSER_UNTIL * race.steps < race.population.step(best.arm)
    has_room = race.held_out.has_room(len(marks))
    if not (marks and is_early and has_room and race.affords(marks[-1] / race.steps)):
        return False
    state.closer.add(best.arm)
    race.evaluate_at(race.population.again(best.arm), marks)
    if best.arm in state.tried:
        state.tried[best.arm] = race.lowest(best.arm)
    return True


def finish_best(state: Spending) -> bool:
    """The best arm, where it was stopped because it got worse."""
    best, race = state.best, state.race
    more = 1 - race.done(best)
    if more < 0.01 or not race.population.members[best].alive or not race.affords(more):
        return False
    race.run(best, 1.0)
    state.tried[best] = race.lowest(best)
    return True


def resume_pruned(state: Spending) -> bool:
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


def decay_runner_up(state: Spending) -> bool:
    """The rate of the next best arm falls, too."""
    race, middle = state.race, state.race.steps // 2
    waiting = [arm for arm in state.tried if arm not in state.decayed]
    waiting = [arm for arm in waiting if (arm, middle) in race.population.saved]
    if not waiting or not race.affords(0.5):
        return False
    arm = min(waiting, key=lambda arm: state.tried[arm])
    state.decayed.add(arm)
    race.branch_with_decay(arm, 0.5, 1.0)
    state.tried[arm] = race.lowest(arm)
    return True


def _can_go_on(state: Spending, arm: Arm) -> bool:
    alive = state.race.population.members[arm].alive
    return alive and state.race.affords(1 - state.race.done(arm))


WAYS = (
    evaluate_more_often,
    try_neighbour,
    try_decay,
    try_other_optimizer,
    try_quarter_decade,
    try_runner_up,
    finish_best,
    resume_pruned,
    decay_runner_up,
)


def spend(state: Spending) -> None:
    """The first thing that is possible, again and again, while gradients remain."""
    while state.race.left >= c.LEAST and any(_try(way, state) for way in WAYS):
        pass


def _try(way: Callable[[Spending], bool], state: Spending) -> bool:
    state.race.stage = way.__name__.replace("_", " ")
    return way(state)
