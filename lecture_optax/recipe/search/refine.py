"""Refinement: what the gradients are spent on after the incumbent has run.

`ACTIONS` are tried in order. Each returns False where it does not apply, or cannot be paid for.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from .. import constants as c
from ..population.arms import Arm
from .race import INF, Race
from .successive_halving import bracket, successive_halving


@dataclass
class RefineState:
    """The state of the refinement.

    - `ranked`, `scores`: the arms that successive halving left, and the last score of every arm.
    - `finished`: the best loss of every arm that ran to the end; `pruned`: the arms that were
      stopped before.
    - `decayed`: arms with a branch whose learning rate decays; `refined`: arms that were evaluated
      again, more often.
    - `remaining_optimizers`: those not tried yet, by number, with their gains.
    """

    race: Race
    ranked: list[Arm]
    scores: dict[Arm, float]
    finished: dict[Arm, float]
    remaining_optimizers: list[tuple[int, float | None]]
    pruned: set[Arm] = field(default_factory=set)
    decayed: set[Arm] = field(default_factory=set)
    refined: set[Arm] = field(default_factory=set)

    @property
    def best(self) -> Arm:
        return min(self.finished, key=lambda arm: self.finished[arm])

    def known(self, arm: Arm) -> bool:
        return arm in self.finished or arm in self.pruned


def try_neighbour(state: RefineState) -> bool:
    """Try half a decade up or down, first where the decade beyond scored better."""
    best = state.best
    up, down = best.shifted(c.HALF), best.shifted(-c.HALF)
    near = [up, down] if _beyond(state, best, 1) <= _beyond(state, best, -1) else [down, up]
    free = [arm for arm in near if not _is_known_between(state, best, arm)]
    if not free or state.race.remaining_runs <= c.PRUNE[0][0]:
        return False
    challenge(state, free[0])
    return True


def try_decay(state: RefineState) -> bool:
    """Branch from the middle of the best arm and decay its learning rate to 0."""
    best = state.best
    if best in state.decayed or not state.race.affords(0.5):
        return False
    state.decayed.add(best)
    middle = state.race.steps // 2
    if (best, middle) not in state.race.population.saved:
        state.race.run(best, 0.5)
    if (best, middle) in state.race.population.saved:
        state.race.branch_with_decay(best, middle, 1.0)
    state.finished[best] = state.race.best_loss(best)
    return True


def try_other_optimizer(state: RefineState) -> bool:
    """Explore the next optimizer and let its best arm challenge the best one."""
    if not state.remaining_optimizers or state.race.remaining_runs < c.NESTEROV_FROM:
        return False
    starts = starts_of(state.race, state.best, *state.remaining_optimizers.pop(0))
    scores = bracket(state.race, starts, 0.0)
    if scores:
        anchor = starts[-1].quarter_decades
        ranked, scores = successive_halving(state.race, scores, c.NESTEROV_RUNGS, anchor, 0.0)
        state.scores.update(scores)
        challenge(state, ranked[0])
    return True


def starts_of(race: Race, best: Arm, optimizer: int, gain: float | None) -> tuple[Arm, Arm]:
    """Return the learning rates at which an optimizer starts, a decade apart.

    The larger one first moves as far as the best arm did, so it follows the scale of the loss. An
    optimizer without a `gain` starts where Adam did.
    """
    curve = race.population.members[best].curve
    anchor = c.STARTS[-1]
    if gain is not None and curve.gradient > 0 and curve.update > 0:
        anchor = round(4 * math.log10(curve.update / (gain * curve.gradient)))
    return Arm(optimizer, anchor - c.DECADE), Arm(optimizer, anchor)


def try_quarter_decade(state: RefineState) -> bool:
    """Try a quarter decade down, then up."""
    near = [state.best.shifted(-c.QUARTER), state.best.shifted(c.QUARTER)]
    return _challenge_first_new(state, near, c.PRUNE[0][0])


def try_runner_up(state: RefineState) -> bool:
    """Try the next best arm of successive halving."""
    return _challenge_first_new(state, state.ranked, 0.2)


def _challenge_first_new(state: RefineState, arms: list[Arm], least: float) -> bool:
    free = [arm for arm in arms if not state.known(arm)]
    if not free or state.race.remaining_runs <= least:
        return False
    challenge(state, free[0])
    return True


def challenge(state: RefineState, arm: Arm) -> None:
    """Run an arm against the curve of the best one, and prune it where it is behind."""
    race, best = state.race, state.best
    state.pruned.add(arm)
    for fraction, margin in c.PRUNE:
        if race.fraction_done(arm) >= fraction - 1e-9:
            continue
        if not race.affords(fraction - race.fraction_done(arm)):
            return
        if not race.run(arm, fraction) <= race.loss_at(best, fraction) + margin * race.progress:
            return
    if race.affords(1 - race.fraction_done(arm)):
        race.run(arm, 1.0)
        state.pruned.remove(arm)
        state.finished[arm] = race.best_loss(arm)
    elif race.remaining_runs > 0.02:
        race.run(arm, min(1.0, race.fraction_done(arm) + race.remaining_runs - 1e-9))


def _beyond(state: RefineState, best: Arm, sign: int) -> float:
    """Return the last score of the decade next to the best arm, or else of the half decade."""
    decade, half = best.shifted(sign * c.DECADE), best.shifted(sign * c.HALF)
    return state.scores.get(decade, state.scores.get(half, INF))


def _is_known_between(state: RefineState, best: Arm, arm: Arm) -> bool:
    """Return whether a learning rate between the best and that arm has been tried already."""
    low, high = sorted((best.quarter_decades, arm.quarter_decades))
    known = [
        a for a in (*state.finished, *state.pruned) if a.optimizer == best.optimizer and a != best
    ]
    return any(low <= a.quarter_decades <= high for a in known)


def evaluate_more_often(state: RefineState) -> bool:
    """Rerun the best arm, where its best evaluation is early, and evaluate around that step.

    A model that overfits is best for a moment, which evaluations a tenth of the run apart miss.
    """
    race = state.race
    best = min(race.candidates, key=lambda x: x.loss_change, default=None)
    if best is None or best.arm.decay is not None or best.arm in state.refined:
        return False
    gap = race.held_out.plan.every * race.steps
    marks = {round(best.step + gap * part) for part in c.CLOSER}
    marks = sorted(mark for mark in marks if 0 < mark < race.steps)
    is_early = best.step <= c.CLOSER_UNTIL * race.steps < race.population.step(best.arm)
    within_budget = race.held_out.within_budget(len(marks))
    if not (marks and is_early and within_budget and race.affords(marks[-1] / race.steps)):
        return False
    state.refined.add(best.arm)
    race.evaluate_at(race.population.restarted(best.arm), marks)
    if best.arm in state.finished:
        state.finished[best.arm] = race.best_loss(best.arm)
    return True


def finish_best(state: RefineState) -> bool:
    """Run the best arm to the end, where it was stopped because it overfitted."""
    best, race = state.best, state.race
    more = 1 - race.fraction_done(best)
    if more < 0.01 or not race.population.members[best].is_finite or not race.affords(more):
        return False
    race.run(best, 1.0)
    state.finished[best] = race.best_loss(best)
    return True


def resume_pruned(state: RefineState) -> bool:
    """Run the best of the pruned arms to the end."""
    race = state.race
    waiting = [arm for arm in state.pruned if race.best_loss(arm) < INF and _can_finish(race, arm)]
    if not waiting:
        return False
    arm = min(waiting, key=race.best_loss)
    state.pruned.remove(arm)
    race.run(arm, 1.0)
    state.finished[arm] = race.best_loss(arm)
    return True


def decay_runner_up(state: RefineState) -> bool:
    """Branch from the middle of the next best arm and decay its learning rate to 0."""
    race, middle = state.race, state.race.steps // 2
    waiting = [arm for arm in state.finished if arm not in state.decayed]
    waiting = [arm for arm in waiting if (arm, middle) in race.population.saved]
    if not waiting or not race.affords(0.5):
        return False
    arm = min(waiting, key=lambda arm: state.finished[arm])
    state.decayed.add(arm)
    race.branch_with_decay(arm, middle, 1.0)
    state.finished[arm] = race.best_loss(arm)
    return True


def _can_finish(race: Race, arm: Arm) -> bool:
    return race.population.members[arm].is_finite and race.affords(1 - race.fraction_done(arm))


ACTIONS: tuple[Callable[[RefineState], bool], ...] = (
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


def refine(state: RefineState) -> None:
    """Apply the first applicable action until the budget is spent or no action applies."""
    while state.race.remaining_runs >= c.LEAST and any(_try(action, state) for action in ACTIONS):
        pass


def _try(action: Callable[[RefineState], bool], state: RefineState) -> bool:
    state.race.phase = action.__name__.replace("_", " ")
    return action(state)
