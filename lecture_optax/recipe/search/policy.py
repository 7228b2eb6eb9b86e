"""The policy of the search: which arm runs next, how far, and which one wins.

    bracket            halving                  incumbent                  refine
    |------------------|-----------|------------|--------------------------|
    1 % of a run       3 %, 10 %   30 %         to the end                 while gradients remain

0. All arms start from the same parameters and see the same minibatches. Each keeps an average of
   its weights and is ranked by the validation loss of that average. Learning rates are constant,
   and arms are continued, never restarted.
1. Bracket (`successive_halving.py`): learning rates a decade apart, until the best has both
   neighbours. `scoring.py` says which changes of the loss count.
2. Successive halving: the best six run to 3 %, three to 10 %, two to 30 % of a run. The others are
   pruned.
3. Incumbent (below): the best arm runs to the end, or as far as the budget goes. It stops when it
   overfits.
4. Refine (`refine.py`): neighbours, a decay, the other optimizer, quarter decades, runners-up. An
   arm that stays behind the best one is pruned.
5. Select (`select.py`): the best of all evaluations, of raw weights or of their average.
"""

from .. import constants as c
from ..population.arms import Arm
from .race import INF, Race
from .refine import RefineState, refine
from .successive_halving import bracket, successive_halving


def search(race: Race, gains: list[float | None]) -> None:
    """Spend the budget of `race`, which records what is found.

    `gains` has an entry for every optimizer (`arms.gain_of`).
    """
    truncated = race.budget < c.TRUNCATED
    reserve = c.INCUMBENT_SHARE * race.budget if truncated else 1.0
    starts = tuple(Arm(0, quarter_decades) for quarter_decades in c.STARTS)
    anchor = starts[-1].quarter_decades
    scores = bracket(race, starts, reserve) or {starts[0]: 0.0}
    ranked, scores = successive_halving(race, scores, c.RUNGS, anchor, reserve)
    finished: dict[Arm, float] = {}
    incumbent = run_incumbent(race, ranked, finished)
    if incumbent is None or (race.fraction_done(incumbent) < 0.99 and race.remaining_runs < 0.1):
        return
    remaining_optimizers = list(enumerate(gains))[1:]
    refine(RefineState(race, ranked, scores, finished, remaining_optimizers))


def run_incumbent(race: Race, ranked: list[Arm], finished: dict[Arm, float]) -> Arm | None:
    """Run the best arm to the end and return it.

    Where it diverges, run the next best instead, then slower ones.
    """
    race.phase, first = "incumbent", ranked[0]
    slower = [first.shifted(-c.HALF * i) for i in range(1, 5)]
    for arm in [*ranked, *slower]:
        if race.remaining_runs <= 1e-9:
            return None
        may = (
            arm == first
            or arm.optimizer != first.optimizer
            or arm.quarter_decades < first.quarter_decades
        )
        if may and _run_to_end(race, arm):
            finished[arm] = race.best_loss(arm)
            return arm
    return None


def _run_to_end(race: Race, arm: Arm) -> bool:
    """Run an arm to the end, or until it overfits. Return False if it diverges."""
    for mark in c.INCUMBENT_EVALUATIONS:
        done = race.fraction_done(arm)
        fraction = min(mark, done + race.remaining_runs)
        if fraction <= done + 1e-9:
            continue
        if decay := _decay(race, arm, fraction):
            return _run_with_decay(race, arm, *decay)
        if race.run(arm, fraction) == INF:
            return False
        if fraction < 1 and overfits(race, arm):
            return True
    return True


def overfits(race: Race, arm: Arm) -> bool:
    """Return whether both raw and averaged weights are worse than the arm's own best."""
    return race.last_loss(arm) > race.best_loss(arm) + c.OVERFITS * race.progress


def _decay(race: Race, arm: Arm, fraction: float) -> tuple[float, float] | None:
    """Return where the learning rate starts to decay and reaches 0, if it is to decay now.

    It decays where the budget has no better use. Not for Nesterov, whose learning rate is found
    late, when a branch can be paid for.
    """
    if race.budget >= c.SHORT or arm.optimizer != 0:
        return None
    start, end = c.DECAY_SPAN["truncated" if race.budget < c.TRUNCATED else "short"]
    done = race.fraction_done(arm)
    in_time = done <= start + 0.02 and fraction >= start - 1e-9
    return (start, end) if in_time and done + race.remaining_runs >= end - 0.006 else None


def _run_with_decay(race: Race, arm: Arm, start: float, end: float) -> bool:
    """Run an arm to `start`, then decay its learning rate. Return False if it diverges."""
    if race.fraction_done(arm) < start - 0.006:
        if race.run(arm, start) == INF:
            return False
        if overfits(race, arm):
            return True
    race.branch_with_decay(arm, None, end)
    return True
