"""The race of the arms to the end of a run."""

from collections.abc import Iterator

import numpy as np

from .. import constants as c
from ..population.arms import Arm
from .explore import Explorer, Rounds
from .journal import Journal, Segment


class Race:
    """The arms that run to the end, unless they are pruned.

    - `leader`: the arm nearest to the aim. Its gradients are promised: no other arm gets them.
    - `running`: the arms of the race; `tried`: those and all that were in it before.
    """

    def __init__(self, j: Journal, explorers: list[Explorer]):
        self.j, self.explorers = j, explorers
        self.leader = explorers[0].order()[0]
        self.running, self.tried = [self.leader], [self.leader]

    def run(self) -> Rounds:
        """Ask for all arms of the race to their next mark, until the budget ends."""
        while True:
            self.j.promised = self.leader if self.leader in self.running else None
            self._admit()
            segments = [x for arm in self.running if (x := self._next(arm))]
            if not segments:
                return
            yield segments
            self._replace_leader()
            asked = {segment.arm for segment in segments} | {self.leader}
            self.running = [x for x in self.running if x in asked and self._continues(x)]

    def _admit(self) -> None:
        """Add the arms to try next, if the budget pays for their way to the next mark."""
        j = self.j
        for arm in self._proposals():
            is_late = j.chain + j.steps - j.step(arm) > c.LONGEST_CHAIN * j.steps
            if not is_late and j.affords(arm, self._mark(j.step(arm)), self._ahead()):
                self.tried.append(arm)
                self.running.append(arm)

    def _proposals(self) -> Iterator[Arm]:
        """Yield the arms to try next, the most promising first."""
        is_leading = self.leader in self.running
        centre = self.leader if is_leading else self._best()
        if not is_leading and np.isinf(self.j.best_loss(centre)):
            return  # all have diverged
        near = [x for x in self._beside(centre, c.HALF) if self._is_open(centre, x)]
        known = {arm.optimizer for arm in self.tried}
        seconds = [x.order()[0] for x in self.explorers if x.optimizer not in known]
        quarters = self._beside(centre, c.QUARTER)
        all_and_a_decay = self._ahead(self.j.steps) + self.j.steps // 2
        if is_leading and not self.j.affords(quarters[0], self.j.steps, all_and_a_decay):
            quarters = []
        for arm in [*near, *seconds, *self._decays(), *quarters]:
            if arm not in self.tried and self.j.is_finite(arm):
                yield arm

    def _ahead(self, least: int = 0) -> int:
        """Return the steps of all but the leader to their next marks, or to `least`."""
        others = [x for x in self.running if x != self.leader]
        return sum(max(self._mark(self.j.step(x)), least) - self.j.step(x) for x in others)

    def _decays(self) -> list[Arm]:
        """Return the arm that is best in the middle with a decay, or with a later one."""
        j = self.j
        after = self._mark(j.at(c.DECAYS[0]))
        best = min(self.tried, key=lambda arm: j.averaged_loss(arm, after))._replace(decay=None)
        arms = [best._replace(decay=(j.at(start), j.steps)) for start in c.DECAYS]
        reached = j.step(best) - (not j.is_finite(best))  # its last step is no place to branch
        ready = [x for x in arms if reached >= x.begin and j.affords(x, j.steps)]
        return [] if any(x in self.tried for x in arms) else ready[:1]

    def _best(self) -> Arm:
        return min(self.tried, key=self.j.best_loss)._replace(decay=None)

    def _beside(self, arm: Arm, gap: int) -> list[Arm]:
        """Return the learning rates beside an arm, the side of the aim first."""
        is_below = arm.quarter_decades < self.explorers[arm.optimizer].aim()
        return [arm.shifted(gap), arm.shifted(-gap)][:: 1 if is_below else -1]

    def _is_open(self, centre: Arm, arm: Arm) -> bool:
        """Return whether no learning rate from the centre to an arm was in the race."""
        low, high = sorted((centre.quarter_decades, arm.quarter_decades))
        others = [x for x in self.tried if x[:2] != centre[:2] and x.optimizer == arm.optimizer]
        return not any(low <= x.quarter_decades <= high for x in others)

    def _mark(self, step: int) -> int:
        """Return the next step at which arms are compared."""
        marks = (self.j.at(c.MARK * i) for i in range(1, round(1 / c.MARK)))
        return next((mark for mark in marks if mark > step), self.j.steps)

    def _next(self, arm: Arm) -> Segment | None:
        """Ask for an arm to its next mark; for the leader as far as the budget goes."""
        j, end = self.j, self._mark(self.j.step(arm))
        if arm == self.leader:
            end = min(end, j.steps + j.remaining)
        return j.ask(arm, end) if end > j.step(arm) and j.affords(arm, end) else None

    def _replace_leader(self) -> None:
        """Let the next slower arm lead, if the leader has diverged."""
        if self.j.is_finite(self.leader):
            return
        order = self.explorers[0].order()
        slower = [x for x in order if x.quarter_decades < self.leader.quarter_decades]
        if slower:
            self.leader = slower[0]
            self.tried.append(self.leader)
            self.running = [self.leader, *(x for x in self.running if x != self.leader)]

    def _continues(self, arm: Arm) -> bool:
        """Return whether an arm runs on: it has steps left, does not overfit, is not behind."""
        j, step = self.j, self.j.step(arm)
        if step >= j.steps or not j.is_finite(arm) or self._overfits(arm):
            return False
        if arm == self.leader or arm.decay:
            return True
        best = min(j.averaged_loss(x, step) for x in j.arms)
        return j.averaged_loss(arm, step) <= best + c.MARGIN * j.progress

    def _overfits(self, arm: Arm) -> bool:
        """Return whether the last two evaluations are worse than the arm's own best."""
        lowest = self.j.lowest(arm)
        limit = min(lowest, default=0.0) + c.MARGIN * self.j.progress
        return len(lowest) > 2 and min(lowest[-2:]) > limit
