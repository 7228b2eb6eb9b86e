"""Exploring the learning rates of one optimizer: the bracket, and the aim at each level."""

import math
from collections.abc import Generator
from dataclasses import dataclass

from .. import constants as c
from ..population.arms import Arm
from .aim import aim, curvature, scores_of
from .journal import Journal, Segment

Rounds = Generator[list[Segment], None, None]
"""Lists of segments; those of a list need no result of each other."""


def together(parts: list[Rounds]) -> Rounds:
    """Ask for the segments of several parts at the same time."""
    while parts:
        asked = {part: next(part, None) for part in parts}
        parts = [part for part, segments in asked.items() if segments is not None]
        if segments := [x for segments in asked.values() for x in segments or []]:
            yield segments


@dataclass
class Explorer:
    """The search for the learning rate of one optimizer.

    - `usual`: its usual learning rate, in quarter decades; `step`: at which its arms were compared
      last, 0 before the first time.
    """

    j: Journal
    optimizer: int
    usual: int
    step: int = 0

    @property
    def first_step(self) -> int:
        """The step of the first evaluation."""
        j = self.j
        return min(max(j.at(c.FIRST), c.FIRST_STEPS), j.at(c.LEVELS[0]))

    @property
    def is_finite(self) -> bool:
        """Whether an arm reached the step at which they were compared last."""
        level = self.j.progress_at(self.optimizer, self.step)
        return any(self.j.is_finite(Arm(self.optimizer, q)) for q in level)

    def explore(self, reserve: int) -> Rounds:
        yield from self.bracket(reserve)
        yield from self.levels(reserve)

    def bracket(self, reserve: int) -> Rounds:
        """Compare learning rates a decade apart at the first evaluation."""
        starts = [self.usual, self.usual - c.DECADE]
        yield from self._compare(starts, self.first_step, reserve)

    def levels(self, reserve: int) -> Rounds:
        """Compare the three half decades nearest to the aim at each level, and two more at most."""
        for level in c.LEVELS:
            if self.is_finite and (step := self.j.at(level)) > self.step:
                centre = self.aim(level)
                middle = c.HALF * round(centre / c.HALF)
                near = range(middle - c.DECADE, middle + c.DECADE + 1, c.HALF)
                starts = sorted(near, key=lambda q: abs(q - centre))[:3]
                yield from self._compare(starts, step, reserve, gap=c.HALF, more=2)

    def _compare(
        self, wanted: list[int], step: int, reserve: int, gap: int = c.DECADE, more: int = c.REACH
    ) -> Rounds:
        """Run arms to a step, then others until the best has both neighbours, `gap` apart."""
        for _ in range(1 + more):
            arms = [Arm(self.optimizer, q) for q in wanted if abs(q) <= c.REACH]
            new = [arm for arm in arms if self.j.step(arm) < step and self.j.is_finite(arm)]
            segments = [self.j.ask(x, step) for x in new if self.j.affords(x, step, reserve)]
            if not segments:
                return
            yield segments
            self.step = step
            scores = self.scores(step)
            best = max(scores, key=lambda q: scores[q])
            if not self.j.is_finite(Arm(self.optimizer, best)):
                wanted = [min(scores) - gap]  # all have diverged
            else:
                self.j.aims[self.optimizer, step] = self.aim()
                wanted = [q for q in (best + gap, best - gap) if q not in scores]
                wanted = wanted if gap == c.DECADE else wanted[:1]

    def scores(self, step: int) -> dict[int, float]:
        level = self.j.progress_at(self.optimizer, step)
        usual = self.j.progress_at(self.optimizer, self.first_step).get(self.usual)
        movement = usual.movement if usual else 0.0
        return scores_of(level, step / self.j.steps, self.usual, movement)

    def aim(self, later: float = 1.0) -> float:
        """Return the learning rate that will be best at a later fraction of a run."""
        return aim(self.scores(self.step), self.step / self.j.steps, later)

    def order(self) -> list[Arm]:
        """Return the arms by how much less than the aim they promise for the end.

        An arm that did not run yet must promise a little more than one that did.
        """
        scores, centre = self.scores(self.step), self.aim()
        bend = curvature(scores)

        def lack(arm: Arm) -> float:
            new = c.NEW * (self.j.step(arm) < self.step)
            distance = abs(arm.quarter_decades - centre)
            return bend * distance**2 + new + 1e-6 * distance

        reach = range(min(scores) - c.DECADE, max(scores) + c.HALF + 1)
        arms = [Arm(self.optimizer, q) for q in reach]
        return sorted((arm for arm in arms if self.j.is_finite(arm)), key=lack)

    def matched(self, gain: float | None) -> int:
        """Return the learning rate at which another optimizer moves as far as this one's best.

        It follows the scale of the loss. An optimizer without a `gain` starts where this one did.
        """
        scores = self.scores(self.step)
        found = self.j.arms[Arm(self.optimizer, max(scores, key=lambda q: scores[q]))]
        if gain is None or not (found.gradient > 0 and found.update > 0):
            return self.usual
        return round(4 * math.log10(found.update / (gain * found.gradient)))
