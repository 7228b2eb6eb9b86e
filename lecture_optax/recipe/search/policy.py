"""The policy of the search: which arms run next, how far, given what has been measured.

    bracket          aim                  race                              refine
    |----------------|--------------------|---------------------------------|----------------
    1 % of a run     5 %, 10 %            every fifth of a run              what is left

All arms start from the same parameters and see the same minibatches. Each keeps an average of its
weights and is judged by the validation loss of that average. Learning rates are constant, but for
branches that decay; arms continue, never restart.

1. Bracket: learning rates a decade apart, until the best has both neighbours.
2. Aim (`aim.py`): where the best learning rate of the end lies, as seen at 5 % and at 10 %. The
   half decades around it run on.
3. Race (`race.py`): the arm nearest to the aim, the leader, runs to the end. Its neighbours and the
   second optimizer run beside it and are pruned where they are behind the best at the same step.
4. Refine: the best arm with a decay, and learning rates beside it, while gradients remain.
"""

from collections.abc import Mapping, Sequence

from .. import constants as c
from .explore import Explorer, Rounds, together
from .folds import FoldPlan, cross_validate
from .journal import Journal, Outcome, Segment
from .race import Race


def next_segments(
    outcomes: Mapping[Segment, Outcome],
    steps: int,
    limit: int,
    gains: Sequence[float | None],
    folds: FoldPlan | None = None,
) -> tuple[Journal, list[Segment]]:
    """Return the journal, and the segments to run next: none at the end of the search.

    It is a pure function, whoever ran the segments, in whatever order they ended.

    - `outcomes`: of the segments that have ended; `steps`: of a complete run; `limit`: the
      gradients of the whole search; `gains`: an entry for every optimizer (`arms.gain_of`).
    - `folds`: how the last arms are cross-validated (`folds.py`).
    """
    journal = Journal(steps, limit)
    for segments in rounds_of(journal, gains, folds):
        missing = [segment for segment in segments if segment not in outcomes]
        if missing:
            return journal, missing
        journal.tell({segment: outcomes[segment] for segment in segments})
    return journal, []


def rounds_of(j: Journal, gains: Sequence[float | None], folds: FoldPlan | None = None) -> Rounds:
    """Ask for all segments of a search and of its folds, as the journal is told the outcomes."""
    limit, j.limit = j.limit, folds.limit if folds else j.limit
    yield from search(j, gains)
    if folds is not None:
        yield from cross_validate(j, folds, limit)


def search(j: Journal, gains: Sequence[float | None]) -> Rounds:
    """Ask for all segments of a search, those that need no result of each other at a time."""
    budget = j.limit / j.steps
    exploring = max(c.EXPLORING * min(budget, 1.0), budget - 1.0)
    first = Explorer(j, 0, c.USUAL)
    reserve = j.limit - max(first.first_step, round(exploring * j.steps))
    yield from first.bracket(reserve)
    if not first.is_finite:
        return
    others = [Explorer(j, i, first.matched(gain)) for i, gain in enumerate(gains)][1:]
    if budget < c.SECOND_FROM:
        others = []
    j.phase = "aim"
    yield from together([first.levels(reserve), *(other.explore(reserve) for other in others)])
    j.phase = "race"
    yield from Race(j, [first, *(other for other in others if other.is_finite)]).run()
